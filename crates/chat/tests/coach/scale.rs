//! A hundred times as many activities cost about the same: no statement of a turn looks at all of them.

use std::time::{Duration, Instant};

use jiff::civil::date;
use serde_json::json;
use testkit::World;
use testkit::call::request;
use testkit::wire::Wire;
use uuid::Uuid;

use crate::story::*;

const SMALL: (i64, i64) = (1, 1_000);
const LARGE: (i64, i64) = (2, 100_000);
/// What is asked, and what that measures.
const QUESTIONS: [(&str, &str); 7] = [
    ("the opening facts", "Thanks!"),
    ("a lifetime total", "How many km have I run in all?"),
    ("a superlative", "What was my longest run ever?"),
    ("another superlative", "Which ride had the most climbing?"),
    ("a year's window", "How far did I run in 2025?"),
    ("records", "What is my fastest 10 km?"),
    ("a trend", "How has my weekly distance developed?"),
];
/// Questions that look closer than a day, so that what they cost follows the number of activities looked at.
const CLOSER: [&str; 8] = [
    "How many runs over 10 miles have I done?",
    "When did I last run over 10 miles?",
    "What was my shortest run?",
    "What was my slowest race?",
    "How many treadmill runs did I do in 2025?",
    "How far did I run on Tuesdays this year?",
    "How was the Morning round 77?",
    "How was my morming rond?",
];
/// A question with a word that no name is like, and how often one session is asked it.
const SEARCHING: &str = "How did Xylophonquixotic go?";
const OFTEN: usize = 15;
/// How much more may be read of a hundred times as many activities.
const GROWTH_MAX: i64 = 2;

struct Scale {
    story: Story,
    wire: Wire,
    small: String,
    large: String,
}

/// Pages looked at, in the cache or not, of the tables of training; and sequential scans of the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Read {
    pages: i64,
    scans: i64,
}

impl Scale {
    async fn new() -> Self {
        let world = World::new().await;
        let (small, large) = (world.user_id, Uuid::new_v4());
        // The server's own care reads these tables too, and would be counted as a question's.
        let owner = world.database.owner().await;
        for table in ["activities", "athlete_days", "best_efforts", "athletes"] {
            let alone = format!("ALTER TABLE {table} SET (autovacuum_enabled = false, toast.autovacuum_enabled = false)");
            owner.batch_execute(&alone).await.unwrap();
        }
        for (user, (id, count)) in [(small, SMALL), (large, LARGE)] {
            world.athlete_with_many(id, user, count, date(2026, 11, 27)).await;
        }
        let tokens = [small, large].map(|user| world.issuer.token(user));
        let wire = Wire::to(&world.database.app_url()).await;
        let address = wire.address(&world.database.app_url());
        let [small, large] = tokens;
        Self { story: Story::with(world, |app| app.db = pool(&address)), wire, small, large }
    }

    /// What the server has counted, once every session of the function's has ended and so has told.
    async fn read(&self) -> Read {
        let owner = self.story.world.database.owner().await;
        let sessions = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND usename = 'runaway_app'";
        let pages = "
            SELECT sum(coalesce(heap_blks_read, 0) + coalesce(heap_blks_hit, 0) + coalesce(idx_blks_read, 0) + coalesce(idx_blks_hit, 0)
                       + coalesce(toast_blks_read, 0) + coalesce(toast_blks_hit, 0))::bigint,
                   (SELECT seq_scan FROM pg_stat_user_tables WHERE relname = 'activities')
              FROM pg_statio_user_tables WHERE relname IN ('activities', 'athlete_days', 'best_efforts', 'athletes')";
        let begun = Instant::now();
        let mut before = None;
        loop {
            assert!(begun.elapsed() < Duration::from_secs(20), "the server's counters do not come to rest");
            tokio::time::sleep(Duration::from_millis(30)).await;
            let open: i64 = owner.query_one(sessions, &[]).await.unwrap().get(0);
            let row = owner.query_one(pages, &[]).await.unwrap();
            let now = (open == 0).then(|| Read { pages: row.get(0), scans: row.get(1) });
            if let Some(now) = now.filter(|_| now == before) {
                return now;
            }
            before = now;
        }
    }

    /// What one question makes the server read.
    async fn cost(&mut self, token: &str, question: &str) -> Read {
        self.cost_of(token, question, 1).await
    }

    /// What one question makes the server read when it is asked so many times, with the same sessions.
    async fn cost_of(&mut self, token: &str, question: &str, times: usize) -> Read {
        let address = self.wire.address(&self.story.world.database.app_url());
        let before = self.read().await;
        // A pool of the question's own, whose sessions end with it.
        std::sync::Arc::get_mut(&mut self.story.app).unwrap().db = pool(&address);
        for _ in 0..times {
            self.ask(token, question).await;
        }
        std::sync::Arc::get_mut(&mut self.story.app).unwrap().db = pool(&address);
        let after = self.read().await;
        Read { pages: after.pages - before.pages, scans: after.scans - before.scans }
    }

    async fn ask(&self, token: &str, question: &str) {
        let answer = self.story.send(request("POST", "/chat", Some(token), &json!({ "message": question }).to_string())).await;
        assert_eq!(answer.0, 200, "{question}: {}", answer.1);
    }

    /// Round trips between function and database for one question, with a connection that is open.
    async fn round_trips(&self, token: &str, question: &str) -> usize {
        let before = self.wire.round_trips();
        self.ask(token, question).await;
        self.wire.round_trips() - before
    }
}

#[tokio::test]
async fn a_hundred_times_as_many_activities_cost_about_the_same() {
    let mut scale = Scale::new().await;
    let (small, large) = (scale.small.clone(), scale.large.clone());
    let mut too_much = Vec::new();
    for (what, question) in QUESTIONS {
        let (few, many) = (scale.cost(&small, question).await, scale.cost(&large, question).await);
        println!("{what}: {} pages of {} activities, {} of {}", few.pages, SMALL.1, many.pages, LARGE.1);
        assert!(few.pages > 0, "nothing was counted");
        if many.scans + few.scans > 0 {
            too_much.push(format!("{what}: activities are scanned from end to end"));
        }
        if many.pages > GROWTH_MAX * few.pages {
            too_much.push(format!("{what}: {} pages instead of {}", many.pages, few.pages));
        }
    }
    for question in CLOSER {
        let (few, many) = (scale.cost(&small, question).await, scale.cost(&large, question).await);
        println!("“{question}”: {} pages of {} activities, {} of {}", few.pages, SMALL.1, many.pages, LARGE.1);
        if many.scans + few.scans > 0 {
            too_much.push(format!("“{question}”: activities are scanned from end to end"));
        }
    }
    // A session that has planned a statement a few times may think that it knows all its arguments.
    let (once, often) = (scale.cost(&large, SEARCHING).await, scale.cost_of(&large, SEARCHING, OFTEN).await);
    println!("“{SEARCHING}”: {} pages once, {} pages {OFTEN} times", once.pages, often.pages);
    if often.pages > 2 * once.pages * i64::try_from(OFTEN).unwrap() {
        too_much.push(format!("“{SEARCHING}”: {} pages in {OFTEN} turns instead of {} in one", often.pages, once.pages));
    }
    let mut trips = Vec::new();
    for token in [&small, &large] {
        scale.ask(token, "Hello").await;
        for question in QUESTIONS.map(|(_, question)| question).into_iter().chain(CLOSER) {
            trips.push(scale.round_trips(token, question).await);
        }
    }
    println!("round trips of each message: {trips:?}");
    assert!(trips.iter().all(|n| *n == trips[0]), "{trips:?}");
    assert_eq!(trips[0], ROUND_TRIPS);
    assert!(too_much.is_empty(), "{too_much:#?}");
    scale.story.world.assert_in_order(&[]).await;
}

/// A look whether the connection is alive, who asks, the facts, COMMIT; a look again, the turn, COMMIT.
const ROUND_TRIPS: usize = 7;
