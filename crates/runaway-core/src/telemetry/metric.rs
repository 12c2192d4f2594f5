//! The metrics there are. ARCHITECTURE.md says what each means; a test compares.

/// A metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name in CloudWatch.
    pub name: &'static str,
    /// CloudWatch's word for its unit.
    pub unit: &'static str,
    /// The dimension by which it is told apart beside the function, if any. Its values are words of the code: nothing
    /// of an athlete's, and never many.
    pub by: Option<&'static str>,
}

const fn metric(name: &'static str, unit: &'static str) -> Metric {
    Metric { name, unit, by: None }
}

/// Requests answered. Without a dimension those of the API; by function also records and tasks.
pub const REQUESTS: Metric = metric("Requests", "Count");
/// How long they took.
pub const REQUEST_DURATION: Metric = metric("RequestDuration", "Milliseconds");
/// How often they waited for the database.
pub const DATABASE_ROUND_TRIPS: Metric = metric("DatabaseRoundTrips", "Count");
/// What failed of ours, or at Strava or Claude, by its class.
pub const FAILURES: Metric = Metric { name: "Failures", unit: "Count", by: Some("Class") };
/// How long the oldest job or event that is due, whole histories left out, has not been worked on; 0 where there is none.
pub const SYNC_LAG: Metric = metric("SyncLag", "Seconds");
/// Activities that a sync or an event brought and that were stored.
pub const ACTIVITIES_STORED: Metric = metric("ActivitiesStored", "Count");
/// Calls of Strava that are left in the quarter hour.
pub const STRAVA_CALLS_LEFT_15_MIN: Metric = metric("StravaCallsLeft15Min", "Count");
/// Calls of Strava that are left in the day.
pub const STRAVA_CALLS_LEFT_TODAY: Metric = metric("StravaCallsLeftToday", "Count");
/// Calls of Strava that are left in the day to whole histories, which may use a share of it.
pub const STRAVA_CALLS_LEFT_FOR_HISTORIES: Metric = metric("StravaCallsLeftForHistories", "Count");
/// Tokens that a model read, the cached ones included.
pub const MODEL_TOKENS_READ: Metric = metric("ModelTokensRead", "Count");
/// Tokens that a model wrote.
pub const MODEL_TOKENS_WRITTEN: Metric = metric("ModelTokensWritten", "Count");
/// Weeks that were asked for, by what became of them.
pub const JOURNAL_ENTRIES: Metric = Metric { name: "JournalEntries", unit: "Count", by: Some("Outcome") };
/// Calls that Strava refused because it has shut the application out.
pub const APPLICATION_INACTIVE: Metric = metric("ApplicationInactive", "Count");

/// Every metric there is.
pub const METRICS: &[Metric] = &[
    REQUESTS,
    REQUEST_DURATION,
    DATABASE_ROUND_TRIPS,
    FAILURES,
    SYNC_LAG,
    ACTIVITIES_STORED,
    STRAVA_CALLS_LEFT_15_MIN,
    STRAVA_CALLS_LEFT_TODAY,
    STRAVA_CALLS_LEFT_FOR_HISTORIES,
    MODEL_TOKENS_READ,
    MODEL_TOKENS_WRITTEN,
    JOURNAL_ENTRIES,
    APPLICATION_INACTIVE,
];
