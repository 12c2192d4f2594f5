//! The runner of properties finds what is wrong, says it with the smallest input, and sees the same again.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::cell::RefCell;
use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;
use proptest::prelude::*;
use testkit::fuzz::check;

/// What the failing property says.
async fn failure(property: impl AsyncFn(u32) -> Result<(), TestCaseError>) -> String {
    let outcome = AssertUnwindSafe(check("a target", 500, &(0_u32..1_000_000), property)).catch_unwind().await;
    *outcome.unwrap_err().downcast::<String>().unwrap()
}

#[tokio::test]
async fn the_smallest_input_is_found() {
    let said = failure(async |n| {
        prop_assert!(n < 4_242, "it is too large");
        Ok(())
    })
    .await;
    assert!(said.contains("it is too large") && said.contains("the smallest input: 4242\n") && said.contains("FUZZ_SEED=0"), "{said}");
    let panicked = failure(async |n| {
        assert!(n < 7, "{n} panics");
        Ok(())
    })
    .await;
    assert!(panicked.contains("a panic: 7 panics"), "{panicked}");
}

#[tokio::test]
async fn so_many_cases_are_tried_and_always_the_same() {
    let tried = async || {
        let seen = RefCell::new(Vec::new());
        check("a target", 100, &any::<u64>(), async |n| {
            seen.borrow_mut().push(n);
            Ok(())
        })
        .await;
        seen.into_inner()
    };
    let (first, second) = (tried().await, tried().await);
    assert_eq!((first.len(), &first), (100, &second));
    let mut different = first.clone();
    different.dedup();
    assert_eq!(different.len(), 100);
}
