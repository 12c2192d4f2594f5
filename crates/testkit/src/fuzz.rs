//! Runs a property over invented inputs: a fixed row of cases in `make test`, always the same one; as many as the time
//! allows in `make fuzz`, other ones each time. A failure ends the test with the smallest input that still fails.
//!
//! What is found becomes a named test of its own: no file keeps it.

use std::env;
use std::fmt::Debug;
use std::io::Write as _;
use std::panic::AssertUnwindSafe;
use std::time::{Duration, Instant};

use futures_util::FutureExt as _;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestCaseResult, TestRng, TestRunner};
use serde_json::{Map, Value};

/// How long each target runs, milliseconds; set by `make fuzz`.
const TIME: &str = "FUZZ_MS";
/// Where the row of cases begins, a number; printed with a failure, given to see it again.
const SEED: &str = "FUZZ_SEED";
/// A file to which each target appends a line: name, cases, milliseconds, failures, between tabs.
const REPORT: &str = "FUZZ_REPORT";
/// Cases between two looks at the clock, and the row that one seed makes.
const CASES_PER_SEED: u32 = 32;
/// How often a failing input is made smaller, and how long that may take.
const SHRINKS_MAX: usize = 5_000;
const SHRINK_TIME_MAX: Duration = Duration::from_secs(60);

/// Holds `property` against inputs of a kind, `cases` of them where no time is set.
///
/// # Panics
/// With the smallest input for which it does not hold, and the seed that leads there.
pub async fn check<S: Strategy>(target: &str, cases: u32, inputs: &S, property: impl AsyncFn(S::Value) -> TestCaseResult) {
    let until = number(TIME).map(|ms| Instant::now() + Duration::from_millis(ms));
    let first_seed = number(SEED).unwrap_or_else(|| if until.is_some() { u64::from_le_bytes(random()) } else { 0 });
    let (begun, mut done) = (Instant::now(), 0);
    let goes_on = |done: u32| until.map_or(done < cases, |until| Instant::now() < until);
    let mut seed = first_seed;
    while goes_on(done) {
        let mut runner = TestRunner::new_with_rng(Config { failure_persistence: None, ..Config::default() }, rng(seed));
        for _ in 0..CASES_PER_SEED {
            if !goes_on(done) {
                break;
            }
            // On the heap: the tree of a rich input is large.
            let mut tree = Box::new(inputs.new_tree(&mut runner).expect("an input of this kind"));
            done += 1;
            if let Some(reason) = failure(&property, tree.current()).await {
                report(target, done, begun, 1);
                let (input, reason) = smallest(&mut *tree, reason, &property).await;
                panic!("{target}: {reason}\nthe smallest input: {input}\nsee it again with {SEED}={seed}");
            }
        }
        seed = seed.wrapping_add(1);
    }
    report(target, done, begun, 0);
}

/// Why the property does not hold for an input, if it does not. A panic is such a reason.
async fn failure<T>(property: &impl AsyncFn(T) -> TestCaseResult, input: T) -> Option<String> {
    // On the heap: a property that calls a function is large.
    match AssertUnwindSafe(Box::pin(property(input))).catch_unwind().await {
        Ok(Ok(()) | Err(TestCaseError::Reject(_))) => None,
        Ok(Err(TestCaseError::Fail(reason))) => Some(reason.to_string()),
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
            Some(format!("a panic: {}", text.unwrap_or("without words")))
        }
    }
}

async fn smallest<T: ValueTree>(tree: &mut T, reason: String, property: &impl AsyncFn(T::Value) -> TestCaseResult) -> (String, String)
where
    T::Value: Debug,
{
    let mut found = (format!("{:?}", tree.current()), reason);
    let begun = Instant::now();
    let mut may_go_on = tree.simplify();
    for _ in 0..SHRINKS_MAX {
        if !may_go_on || begun.elapsed() > SHRINK_TIME_MAX {
            break;
        }
        let input = tree.current();
        let text = format!("{input:?}");
        may_go_on = match failure(property, input).await {
            Some(reason) => {
                found = (text, reason);
                tree.simplify()
            }
            None => tree.complicate(),
        };
    }
    found
}

fn rng(seed: u64) -> TestRng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_le_bytes());
    TestRng::from_seed(RngAlgorithm::ChaCha, &bytes)
}

fn random() -> [u8; 8] {
    runaway_core::vault::random_bytes().expect("randomness")
}

fn number(name: &str) -> Option<u64> {
    variable(name).map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

fn variable(name: &str) -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "tests are configured by the environment")]
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn report(target: &str, cases: u32, begun: Instant, failures: u32) {
    let Some(path) = variable(REPORT) else { return };
    let mut file = std::fs::File::options().create(true).append(true).open(path).expect("the report of the fuzzing");
    let line = format!("{target}\t{cases}\t{}\t{failures}\n", begun.elapsed().as_millis());
    file.write_all(line.as_bytes()).expect("writing the report of the fuzzing");
}

/// A text that nobody writes by chance: where it stands in an error or a log, an input was quoted.
pub const MARK: &str = "mark~Ωλ 4242";

/// Any JSON, a few levels deep, with numbers at the borders and texts that are marked.
pub fn json() -> impl Strategy<Value = Value> + Clone {
    use proptest::prelude::*;
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5_i64..5).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop::sample::select(vec![1e308, -1e308, 5e-324, 0.1, -0.0, 2_147_483_648.0, 9.3e18]).prop_map(Value::from),
        Just(Value::from(MARK)),
        text().prop_map(Value::from),
        prop::sample::select(vec![
            "",
            "0",
            "-1",
            "true",
            "null",
            "2026-01-04T06:30:00Z",
            "2026-02-30",
            "9999-12-31T23:59:59Z",
            "\0",
            "\u{feff}"
        ])
        .prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::vec((text(), inner), 0..6).prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

/// Any text: letters, signs, emoji, control characters, some of it marked.
pub fn text() -> impl Strategy<Value = String> + Clone {
    use proptest::prelude::*;
    prop_oneof![
        4 => "[a-zA-Z0-9 _.,:;/?&=%+-]{0,24}",
        2 => any::<String>(),
        1 => ".{0,8}".prop_map(|text| format!("{text}{MARK}")),
    ]
}

/// Objects like `whole`, with up to four of its fields, or of `others`, replaced by anything or left out.
pub fn mutated(whole: Map<String, Value>, others: &[&str]) -> impl Strategy<Value = Map<String, Value>> + Clone + use<> {
    use proptest::prelude::*;
    let names: Vec<String> = whole.keys().cloned().chain(others.iter().map(|name| (*name).to_owned())).collect();
    let change = (prop::sample::select(names), prop::option::weighted(0.8, json()));
    prop::collection::vec(change, 0..4).prop_map(move |changes| {
        let mut object = whole.clone();
        for (name, value) in changes {
            match value {
                Some(value) => drop(object.insert(name, value)),
                None => drop(object.remove(&name)),
            }
        }
        object
    })
}

/// Bytes like `whole`, with a few cut out, put in, doubled or changed.
pub fn damaged(whole: Vec<u8>) -> impl Strategy<Value = Vec<u8>> + Clone {
    use proptest::prelude::*;
    let damage = (any::<prop::sample::Index>(), 0_u8..5, any::<u8>());
    prop::collection::vec(damage, 0..4).prop_map(move |damages| {
        let mut bytes = whole.clone();
        for (place, kind, byte) in damages {
            let place = place.index(bytes.len() + 1);
            match kind {
                0 => bytes.insert(place, byte),
                1 => bytes.truncate(place),
                2 if place < bytes.len() => drop(bytes.remove(place)),
                3 if place < bytes.len() => bytes[place] = byte,
                _ => bytes.extend_from_within(place..),
            }
        }
        bytes
    })
}

/// Cuts bytes at the given places.
pub fn pieces(bytes: &[u8], cuts: &[proptest::sample::Index]) -> Vec<Vec<u8>> {
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).chain([0, bytes.len()]).collect();
    places.sort_unstable();
    places.windows(2).map(|pair| bytes[pair[0]..pair[1]].to_vec()).filter(|piece| !piece.is_empty()).collect()
}
