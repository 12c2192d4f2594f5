//! The count of attacks by class.

use std::collections::BTreeMap;

use testkit::measured;

/// Attacks that a failure shows.
const SHOWN_MAX: usize = 80;

/// What was tried of a class, and what came of it.
#[derive(Debug, Default, Clone, Copy)]
struct Count {
    tried: usize,
    answered_rightly: usize,
    reached: usize,
}

/// All classes.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    classes: BTreeMap<&'static str, Count>,
    /// One sentence for each attack that was not answered as it must be.
    wrong: Vec<String>,
}

impl Tally {
    /// Counts one attack: what is wrong with its answer, and whether it reached another's data.
    pub(crate) fn count(&mut self, class: &'static str, what: &str, wrong: &[String], reached: bool) {
        let count = self.classes.entry(class).or_default();
        count.tried += 1;
        count.answered_rightly += usize::from(wrong.is_empty());
        count.reached += usize::from(reached);
        if !wrong.is_empty() || reached {
            self.wrong.push(format!("{class}: {what}: reached = {reached}: {}", wrong.join("; ")));
        }
    }

    /// Adds another thread's count.
    pub(crate) fn add(&mut self, other: Self) {
        for (class, more) in other.classes {
            let count = self.classes.entry(class).or_default();
            count.tried += more.tried;
            count.answered_rightly += more.answered_rightly;
            count.reached += more.reached;
        }
        self.wrong.extend(other.wrong);
    }

    /// How many were tried.
    pub(crate) fn tried(&self) -> usize {
        self.classes.values().map(|count| count.tried).sum()
    }

    /// Notes what is wrong beside the answer to an attack.
    pub(crate) fn note(&mut self, what: String) {
        self.wrong.push(what);
    }

    /// Ends the test on attacks that were not answered as they must be.
    pub(crate) fn assert_right(&self) {
        let first: Vec<_> = self.wrong.iter().take(SHOWN_MAX).collect();
        assert!(self.wrong.is_empty(), "{} of {} attacks: {first:#?}", self.wrong.len(), self.tried());
    }

    /// Compares the table with the document.
    pub(crate) fn settle(&self) {
        self.assert_right();
        let rows = self.classes.iter().map(|(class, c)| format!("| {class} | {} | {} | {} |\n", c.tried, c.answered_rightly, c.reached));
        measured::settle("docs/security.md", "attacks over HTTP", "ATTACKS_WRITE", "make attacks", &rows.collect::<String>());
    }
}
