//! The walk through an athlete's list of activities, newest first.
//!
//! Page numbers shift when an activity is uploaded or deleted meanwhile. The walk therefore goes by start times: each
//! page is asked for with `before` = the oldest start seen + 1 s, so that activities sharing that second are seen
//! again rather than skipped. A page without new ids is followed by one strictly before that second, and the end is
//! believed only when an empty page comes twice.

/// An activity as the walk needs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ListedActivity {
    /// Strava's id; `None` where it cannot be read.
    pub id: Option<i64>,
    /// What tells it from the others of the list: the id, or a number below zero made from the content.
    pub key: i64,
    /// Start in epoch seconds; `None` where it cannot be read.
    pub start_s: Option<i64>,
}

/// What the next page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WalkStep {
    /// Everything up to and including the oldest second seen.
    Page,
    /// Strictly earlier than the oldest second seen.
    PastSecond,
    /// The same again: the last answer was empty.
    ConfirmEnd,
}

impl WalkStep {
    /// The word in the table.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::PastSecond => "past_second",
            Self::ConfirmEnd => "confirm_end",
        }
    }

    /// Reads the word; `None` for any other.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Page, Self::PastSecond, Self::ConfirmEnd].into_iter().find(|step| step.as_str() == word)
    }
}

/// How far a walk has come; stored with every page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Walk {
    /// The exclusive upper bound of the next page, epoch seconds.
    pub before_s: Option<i64>,
    /// The oldest start seen, epoch seconds.
    pub oldest_s: Option<i64>,
    /// Keys of the last page that brought something new.
    pub seen: Vec<i64>,
    /// What the next page is.
    pub step: WalkStep,
}

/// Whether the walk goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextPage {
    /// Ask for another page.
    Ask,
    /// The list has been walked to its end.
    End,
}

impl Walk {
    /// A walk that begins at `before_s`, or at the newest activity.
    pub const fn from(before_s: Option<i64>) -> Self {
        Self { before_s, oldest_s: None, seen: Vec::new(), step: WalkStep::Page }
    }

    /// Whether the listed activity has not been on the pages before.
    pub fn is_new(&self, listed: ListedActivity) -> bool {
        !self.seen.contains(&listed.key)
    }

    /// The walk after a page has been seen.
    #[must_use]
    pub fn after_page(&self, page: &[ListedActivity]) -> (Self, NextPage) {
        if page.is_empty() {
            return match self.step {
                WalkStep::ConfirmEnd => (self.clone(), NextPage::End),
                WalkStep::Page | WalkStep::PastSecond => (Self { step: WalkStep::ConfirmEnd, ..self.clone() }, NextPage::Ask),
            };
        }
        let oldest_s = page.iter().filter_map(|listed| listed.start_s).chain(self.oldest_s).min();
        if page.iter().any(|listed| self.is_new(*listed)) {
            let seen = page.iter().map(|listed| listed.key).collect();
            let before_s = oldest_s.map(|s| s.saturating_add(1));
            return (Self { before_s, oldest_s, seen, step: WalkStep::Page }, NextPage::Ask);
        }
        if self.step == WalkStep::PastSecond || oldest_s.is_none() {
            return (Self { oldest_s, ..self.clone() }, NextPage::End);
        }
        (Self { before_s: oldest_s, oldest_s, step: WalkStep::PastSecond, seen: self.seen.clone() }, NextPage::Ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE_MAX: usize = 3;

    fn listed(id: i64, start_s: i64) -> ListedActivity {
        ListedActivity { id: Some(id), key: id, start_s: Some(start_s) }
    }

    /// Walks a fixed history and returns the ids seen and the number of pages asked for.
    fn walk(history: &[(i64, i64)]) -> (Vec<i64>, usize) {
        let mut newest_first = history.to_vec();
        newest_first.sort_by_key(|(id, start)| (-start, -id));
        let (mut walk, mut ids, mut pages) = (Walk::from(None), Vec::new(), 0);
        loop {
            pages += 1;
            assert!(pages < 100, "the walk does not end");
            let page: Vec<_> = newest_first
                .iter()
                .filter(|(_, start)| walk.before_s.is_none_or(|before| *start < before))
                .take(PAGE_MAX)
                .map(|(id, start)| listed(*id, *start))
                .collect();
            ids.extend(page.iter().filter(|listed| walk.is_new(**listed)).filter_map(|listed| listed.id));
            let (next, go_on) = walk.after_page(&page);
            if go_on == NextPage::End {
                ids.sort_unstable();
                return (ids, pages);
            }
            walk = next;
        }
    }

    #[test]
    fn every_activity_is_seen_once() {
        let history: Vec<_> = (1..=20).map(|n| (n, n * 100)).collect();
        assert_eq!(walk(&history).0, (1..=20).collect::<Vec<_>>());
    }

    #[test]
    fn activities_of_one_second_across_a_page_border_are_seen() {
        let history = [(1, 100), (2, 200), (3, 200), (4, 300), (5, 300), (6, 300)];
        assert_eq!(walk(&history).0, [1, 2, 3, 4, 5, 6]);
    }

    #[test]
    fn a_full_page_of_one_second_does_not_stop_the_walk() {
        let history = [(1, 50), (2, 200), (3, 200), (4, 200), (5, 300)];
        assert!(walk(&history).0.contains(&1));
    }

    #[test]
    fn an_empty_history_is_asked_for_twice() {
        assert_eq!(walk(&[]), (vec![], 2));
    }

    #[test]
    fn an_empty_page_in_the_middle_is_not_the_end() {
        let start = Walk::from(None);
        let (after_one, _) = start.after_page(&[listed(1, 100)]);
        let (after_empty, go_on) = after_one.after_page(&[]);
        assert_eq!((after_empty.step, go_on), (WalkStep::ConfirmEnd, NextPage::Ask));
        let (resumed, go_on) = after_empty.after_page(&[listed(2, 50)]);
        assert_eq!((resumed.before_s, resumed.step, go_on), (Some(51), WalkStep::Page, NextPage::Ask));
    }

    #[test]
    fn a_page_of_unreadable_starts_ends_instead_of_turning_in_circles() {
        let start = Walk::from(None);
        let page = [ListedActivity { id: None, key: -1, start_s: None }];
        let (seen, go_on) = start.after_page(&page);
        assert_eq!((go_on, seen.after_page(&page).1), (NextPage::Ask, NextPage::End));
    }

    #[test]
    fn pages_without_a_readable_id_are_walked_past() {
        let page = |first: i64| [1, 2, 3].map(|n| ListedActivity { id: None, key: -first - n, start_s: Some(1000 - first - n) });
        let (walk, go_on) = Walk::from(None).after_page(&page(0));
        assert_eq!((walk.before_s, go_on), (Some(998), NextPage::Ask));
        let (walk, go_on) = walk.after_page(&page(10));
        assert_eq!((walk.before_s, walk.step, go_on), (Some(988), WalkStep::Page, NextPage::Ask));
    }
}
