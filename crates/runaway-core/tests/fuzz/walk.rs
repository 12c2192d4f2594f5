//! The walk through lists that have many activities in one second, objects that cannot be read, and that change meanwhile.

use std::collections::BTreeSet;

use proptest::prelude::*;
use runaway_core::domain::{ListedActivity, NextPage, Walk, WalkStep};
use testkit::fuzz::check;

const CASES: u32 = 128;
/// Seconds in which activities begin: so few that they meet.
const SECONDS: i64 = 25;

/// What happens between two pages.
#[derive(Debug, Clone)]
enum Meanwhile {
    Nothing,
    Uploaded(i64),
    Deleted(prop::sample::Index),
    /// The list seems empty for once.
    Hiccup,
}

fn meanwhile() -> impl Strategy<Value = Meanwhile> {
    prop_oneof![
        6 => Just(Meanwhile::Nothing),
        2 => (0..SECONDS).prop_map(Meanwhile::Uploaded),
        2 => any::<prop::sample::Index>().prop_map(Meanwhile::Deleted),
        1 => Just(Meanwhile::Hiccup),
    ]
}

/// Strava's list: newest first, within one second in the order of ids.
struct List {
    activities: Vec<ListedActivity>,
    page_max: usize,
    next_key: i64,
}

impl List {
    fn add(&mut self, start_s: i64, has_id: bool) {
        // More of one second than a page holds cannot be told apart by times: the walk does not promise them.
        if self.activities.iter().filter(|listed| listed.start_s == Some(start_s)).count() < self.page_max {
            let key = if has_id { self.next_key } else { -self.next_key };
            self.activities.push(ListedActivity { id: has_id.then_some(key), key, start_s: Some(start_s) });
            self.next_key += 1;
        }
    }

    fn page(&self, before_s: Option<i64>) -> Vec<ListedActivity> {
        let mut found: Vec<ListedActivity> =
            self.activities.iter().filter(|listed| before_s.is_none_or(|before| listed.start_s < Some(before))).copied().collect();
        found.sort_by_key(|listed| std::cmp::Reverse((listed.start_s, listed.key)));
        found.truncate(self.page_max);
        found
    }
}

#[tokio::test]
async fn whatever_is_there_from_beginning_to_end_is_seen_and_the_walk_ends() {
    let inputs =
        (prop::collection::vec((0..SECONDS, prop::bool::weighted(0.9)), 0..60), 1_usize..7, prop::collection::vec(meanwhile(), 0..40));
    check("walks", CASES, &inputs, async |(starts, page_max, events)| {
        let mut list = List { activities: Vec::new(), page_max, next_key: 1 };
        for (start_s, has_id) in starts {
            list.add(start_s, has_id);
        }
        let mut expected: BTreeSet<i64> = list.activities.iter().map(|listed| listed.key).collect();
        let (mut walk, mut seen, mut pages, mut was_hiccup) = (Walk::from(None), BTreeSet::new(), 0, false);
        let mut events = events.into_iter();
        loop {
            pages += 1;
            prop_assert!(pages < 500, "the walk does not end");
            let event = events.next().unwrap_or(Meanwhile::Nothing);
            let is_hiccup = matches!(event, Meanwhile::Hiccup) && !was_hiccup && walk.step != WalkStep::ConfirmEnd;
            let page = if is_hiccup { Vec::new() } else { list.page(walk.before_s) };
            was_hiccup = is_hiccup;
            for listed in page.iter().filter(|listed| walk.is_new(**listed)) {
                prop_assert!(seen.insert(listed.key), "{} was new twice", listed.key);
            }
            let (next, go_on) = walk.after_page(&page);
            prop_assert!(next.before_s <= walk.before_s || walk.before_s.is_none(), "the walk goes back");
            prop_assert_eq!(WalkStep::parse(next.step.as_str()), Some(next.step));
            walk = next;
            if go_on == NextPage::End {
                break;
            }
            match event {
                Meanwhile::Uploaded(start_s) => list.add(start_s, true),
                Meanwhile::Deleted(place) if !list.activities.is_empty() => {
                    let gone = list.activities.remove(place.index(list.activities.len()));
                    expected.remove(&gone.key);
                }
                _ => {}
            }
        }
        let missed: Vec<_> = expected.difference(&seen).collect();
        prop_assert!(missed.is_empty(), "missed {missed:?} after {pages} pages");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn no_page_whatever_makes_the_walk_go_back_or_on_for_ever() {
    let number = || prop_oneof![any::<i64>(), -3_i64..3, Just(i64::MAX), Just(i64::MIN)];
    let listed = (prop::option::of(number()), number(), prop::option::of(number())).prop_map(|(id, key, start_s)| ListedActivity {
        id,
        key,
        start_s,
    });
    let inputs = prop::collection::vec(prop::collection::vec(listed, 0..5), 1..20);
    check("pages of nonsense", CASES, &inputs, async |pages| {
        let mut walk = Walk::from(None);
        for page in &pages {
            let (next, _) = walk.after_page(page);
            prop_assert!(next.oldest_s <= walk.oldest_s || walk.oldest_s.is_none());
            // The same page once more, and again, brings nothing new: three are enough to end.
            let (second, _) = next.after_page(page);
            let (third, _) = second.after_page(page);
            let (_, end) = third.after_page(page);
            prop_assert_eq!(end, NextPage::End);
            walk = next;
        }
        Ok(())
    })
    .await;
}
