//! The predecessor's rows in our words: one statement per table that reads each row under our names and types, with the
//! reason why it cannot be moved, or none.

use anyhow::{Context as _, ensure};
use tokio_postgres::Client;

use super::OLD;
use super::shape::Shape;

/// The longest distance and the highest climb that are moved, metres; the same as what a listing is believed.
const METRES_MAX: f64 = 1e9;
/// The widest offset from UTC, 14 hours.
const UTC_OFFSET_S_MAX: i64 = 50_400;
/// Characters of an athlete's memory; the same as what the coach takes.
const MEMORY_CHARS_MAX: i32 = 4_000;
/// Characters of one message that are moved: far more than an answer has.
const MESSAGE_CHARS_MAX: i32 = 100_000;
/// What the predecessor numbered the sports by, where it kept no table of them. 110 also stood for what it did not know.
const SPORT_NUMBERS: &str = "(103, 'Run'), (104, 'Ride'), (105, 'Walk'), (106, 'Hike'), (107, 'VirtualRide'), (108, 'VirtualRun'), \
     (109, 'Swim'), (110, 'Workout'), (111, 'WeightTraining'), (112, 'Yoga'), (113, 'Crossfit'), (114, 'Elliptical'), (115, 'Rowing'), \
     (116, 'RockClimbing'), (117, 'AlpineSki'), (118, 'Snowboard'), (119, 'MountainBikeRide'), (120, 'GravelRide'), (121, 'TrailRun'), \
     (123, 'Golf')";

/// One statement per table. Each has the column `reason`, null for what is moved, and `athlete`, our number of whose
/// it is. `None` where the predecessor has no such table.
pub(super) struct Sources {
    pub(super) athletes: String,
    pub(super) activities: String,
    pub(super) tokens: Option<String>,
    pub(super) memories: Option<String>,
    pub(super) messages: Option<String>,
    pub(super) entries: Option<String>,
    pub(super) jobs: Option<String>,
}

impl Sources {
    pub(super) fn of(shape: &mut Shape) -> anyhow::Result<Self> {
        for table in ["athletes", "activities"] {
            ensure!(shape.has(table), "{OLD}.{table} is missing");
            ensure!(shape.table(table).id(&["id"]) != "NULL::bigint", "{OLD}.{table} has no id that is a whole number");
        }
        Ok(Self {
            athletes: athletes(shape),
            activities: activities(shape),
            tokens: tokens(shape),
            memories: memories(shape),
            messages: messages(shape),
            entries: entries(shape),
            jobs: jobs(shape),
        })
    }

    /// The athletes as a table of this session, in which all other statements look up whose a row is.
    pub(super) async fn prepare(&self, client: &Client) -> anyhow::Result<()> {
        let sql = format!(
            "CREATE TEMP TABLE moving_athletes AS {};
             CREATE INDEX ON moving_athletes (old_id); CREATE INDEX ON moving_athletes (id); ANALYZE moving_athletes",
            self.athletes
        );
        client.batch_execute(&sql).await.context("reading the predecessor's athletes")
    }

    /// The statements with the names of the tables they read.
    pub(super) fn by_table(&self) -> Vec<(&'static str, &str)> {
        let others = [
            ("strava_tokens, athletes, oauth_tokens (tokens)", &self.tokens),
            ("athlete_ai_profiles", &self.memories),
            ("chat_conversations", &self.messages),
            ("training_journal", &self.entries),
            ("sync_jobs", &self.jobs),
        ];
        let others = others.into_iter().filter_map(|(name, sql)| Some((name, sql.as_deref()?)));
        [("athletes", self.athletes.as_str()), ("activities", self.activities.as_str())].into_iter().chain(others).collect()
    }
}

/// Whether two rows say they are the same one: the newest counts.
fn copies(key: &str, updated: &str) -> String {
    format!("row_number() OVER (PARTITION BY {key} ORDER BY {updated} DESC NULLS LAST, p.ctid DESC)")
}

fn athletes(shape: &mut Shape) -> String {
    let has_users = shape.has("sign_in_users");
    let mut p = shape.table("athletes");
    let own_number = p.has("strava_athlete_id");
    let (old, id) = (p.id(&["id"]), p.id(&["strava_athlete_id", "id"]));
    let (user, connected, connected_at) = (p.uuid(&["auth_user_id"]), p.truth(&["strava_connected"]), p.instant(&["strava_connected_at"]));
    let disconnected_at = p.instant(&["strava_disconnected_at"]);
    let strava_number = if own_number { p.id(&["strava_athlete_id"]) } else { id.clone() };
    let text = |p: &mut super::shape::Table<'_>, name: &str| p.text(&[name]);
    let (first, last, city) = (text(&mut p, "first_name"), text(&mut p, "last_name"), text(&mut p, "city"));
    let (state, country, sex) = (text(&mut p, "state"), text(&mut p, "country"), text(&mut p, "sex"));
    let picture = p.text(&["profile", "profile_picture", "profile_medium"]);
    let (weight, premium) = (p.number(&["weight"]), p.truth(&["premium"]));
    let (created, updated) = (p.instant(&["created_at"]), p.instant(&["updated_at"]));
    let copy = copies(&id, &updated);
    let known = if has_users { format!("EXISTS (SELECT 1 FROM {OLD}.sign_in_users u WHERE u.id = y.user_id)") } else { "true".to_owned() };
    format!(
        "SELECT w.*, CASE WHEN w.reason IS NOT NULL THEN NULL
                         WHEN w.user_id IS NULL THEN 'moved without a user: there is none'
                         WHEN NOT w.user_known THEN 'moved without a user: the sign-in does not know it'
                         WHEN w.link IS NULL THEN 'moved without a user: it has another athlete' END AS note
           FROM (SELECT v.*, CASE WHEN v.reason IS NULL AND v.user_known AND row_number() OVER (
                                   PARTITION BY v.user_id, v.reason IS NULL ORDER BY v.connected IS TRUE DESC, v.connected_at DESC NULLS LAST, v.id)
                                  = 1 THEN v.user_id END AS link
                   FROM (SELECT y.*, y.id AS athlete, {known} AS user_known,
                                CASE WHEN y.id IS NULL OR y.id <= 0 THEN 'no id'
                                     WHEN y.strava_number IS NULL AND y.connected IS NOT TRUE AND y.connected_at IS NULL
                                       THEN 'never connected to Strava'
                                     WHEN y.copy > 1 THEN 'the same id again' END AS reason
                           FROM (SELECT {old} AS old_id, {id} AS id, {strava_number} AS strava_number, {user} AS user_id, {first} AS first_name,
                                        {last} AS last_name, {picture} AS profile, {city} AS city, {state} AS state, {country} AS country,
                                        {sex} AS sex, nullif({weight}, 0) AS weight, {premium} AS premium, {connected} AS connected,
                                        {connected_at} AS connected_at, {disconnected_at} AS disconnected_at,
                                        {created} AS created_at, {updated} AS updated_at, {copy} AS copy
                                   FROM {OLD}.athletes p) y) v) w"
    )
}

fn activities(shape: &mut Shape) -> String {
    let has_sports = ["id", "name"].iter().all(|column| shape.table("activity_types").has(column));
    let sports =
        if has_sports { format!("SELECT id, replace(name, ' ', '') FROM {OLD}.activity_types") } else { format!("VALUES {SPORT_NUMBERS}") };
    let mut p = shape.table("activities");
    let (id, owner, user) = (p.id(&["id"]), p.id(&["athlete_id"]), p.uuid(&["auth_user_id"]));
    let (updated, created) = (p.instant(&["updated_at"]), p.instant(&["created_at"]));
    let number = p.id(&["activity_type_id"]);
    // Looked into where no column says it, and not moved: it is no longer what Strava sent, byte for byte.
    let raw = p.document(&["raw_data"]);
    let sport = p.text(&["sport_type", "type"]);
    let (start, local, zone) =
        (p.instant(&["activity_date", "start_date"]), p.wall_clock(&["start_date_local", "start_time"]), p.text(&["timezone"]));
    let mut columns = Vec::new();
    for name in ["average_speed", "max_speed", "average_cadence", "average_watts", "max_watts", "kilojoules", "suffer_score"] {
        columns.push(format!("{} AS {name}", p.number(&[name])));
    }
    for (name, names) in [
        ("distance", ["distance", "distance"]),
        ("elevation_gain", ["elevation_gain", "total_elevation_gain"]),
        ("elev_high", ["elev_high", "elevation_high"]),
        ("elev_low", ["elev_low", "elevation_low"]),
        ("average_heart_rate", ["average_heart_rate", "average_heartrate"]),
        ("max_heart_rate", ["max_heart_rate", "max_heartrate"]),
    ] {
        let names = if names[0] == names[1] { &names[..1] } else { &names[..] };
        columns.push(format!("{} AS {name}", p.number(names)));
    }
    for name in ["trainer", "commute", "manual", "private", "flagged", "device_watts"] {
        columns.push(format!("{} AS {name}", p.truth(&[name])));
    }
    for name in ["moving_time", "elapsed_time", "workout_type", "upload_id"] {
        columns.push(format!("{} AS {name}", p.id(&[name])));
    }
    for name in ["name", "description", "external_id", "device_name", "source"] {
        columns.push(format!("{} AS {name}", p.text(&[name])));
    }
    columns.push(format!("{} AS map_summary_polyline", p.text(&["map_summary_polyline", "summary_polyline"])));
    columns.push(format!("{} AS start_latlng", p.place("start_latlng", "start_latitude", "start_longitude")));
    columns.push(format!("{} AS end_latlng", p.place("end_latlng", "end_latitude", "end_longitude")));
    let (columns, copy) = (columns.join(", "), copies(&id, &updated));
    format!(
        "SELECT x.*, CASE
                WHEN x.id IS NULL OR x.id <= 0 THEN 'no id'
                WHEN x.copy > 1 THEN 'the same id again'
                WHEN x.athlete IS NULL THEN 'of an athlete who is not moved'
                WHEN x.user_id <> x.owner THEN 'linked to another user than its athlete is'
                WHEN x.type IS NULL THEN 'no sport'
                WHEN x.start IS NULL THEN 'no start'
                WHEN x.local IS NULL THEN 'no local start'
                WHEN NOT (x.start BETWEEN '0002-01-01' AND '9998-12-31' AND x.local BETWEEN '0002-01-01' AND '9998-12-31') THEN 'start out of range'
                WHEN NOT (coalesce(abs(x.distance) <= {METRES_MAX}, true) AND coalesce(abs(x.elevation_gain) <= {METRES_MAX}, true)
                     AND coalesce(x.moving_time BETWEEN 0 AND 2147483647, true) AND coalesce(x.elapsed_time BETWEEN 0 AND 2147483647, true)
                     AND coalesce(abs(x.workout_type) <= 2147483647, true)) THEN 'a figure out of range'
                END AS reason
           FROM (SELECT {id} AS id, m.id AS athlete, m.user_id AS owner, {user} AS user_id, {copy} AS copy, {start}::timestamptz(0) AS start,
                        date_trunc('second', {local_or_made}) AS local, {zone} AS timezone,
                        coalesce({sport}, nullif({raw} ->> 'sport_type', ''), nullif({raw} ->> 'type', ''), s.name) AS type,
                        {created} AS created_at, {updated} AS updated_at, {columns}
                   FROM {OLD}.activities p
                   LEFT JOIN moving_athletes m ON m.old_id = {owner} AND m.reason IS NULL
                   LEFT JOIN ({sports}) AS s (id, name) ON s.id = {number}) x",
        local_or_made = local_start(&local, &raw, &start, &zone),
    )
}

/// The wall clock at the start: as stored, else as in the object that came with it, else made of the instant and the
/// zone that Strava names in brackets, where PostgreSQL knows it.
fn local_start(local: &str, raw: &str, start: &str, zone: &str) -> String {
    format!(
        "coalesce({local},
             CASE WHEN {raw} ->> 'start_date_local' ~ '^\\d{{4}}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d' THEN left({raw} ->> 'start_date_local', 19)::timestamp END,
             (SELECT {start} AT TIME ZONE z.name FROM pg_timezone_names z WHERE z.name = substring({zone} FROM '^\\(GMT[+-]\\d\\d:\\d\\d\\) (.+)$')))"
    )
}

/// What the offset from UTC was, seconds: the difference of both clocks; none for a start that is hidden.
pub(super) fn offset_s() -> String {
    format!(
        "CASE WHEN (start AT TIME ZONE 'UTC')::time = '00:00:01' AND local::time = '00:00:01' THEN NULL
              WHEN abs(extract(epoch FROM local - start AT TIME ZONE 'UTC')) <= {UTC_OFFSET_S_MAX}
              THEN extract(epoch FROM local - start AT TIME ZONE 'UTC')::integer END"
    )
}

/// Tokens lay in the athlete's row, or in one of two tables of their own. The one that ends last counts.
fn tokens(shape: &mut Shape) -> Option<String> {
    let mut places = Vec::new();
    for (table, owner) in [("strava_tokens", "athlete_id"), ("oauth_tokens", "athlete_id"), ("athletes", "id")] {
        if !shape.has(table) {
            continue;
        }
        let mut p = shape.table(table);
        let (owner, access, refresh) = (p.id(&[owner]), p.text(&["access_token"]), p.text(&["refresh_token"]));
        let (expires, scope) = (p.instant(&["token_expires_at", "expires_at"]), p.text(&["scope"]));
        if refresh != "NULL::text" {
            places.push(format!(
                "SELECT {owner} AS owner, {access} AS access_token, {refresh} AS refresh_token, {expires} AS expires_at, {scope} AS scope FROM {OLD}.{table} p
                  WHERE {access} IS NOT NULL OR {refresh} IS NOT NULL"
            ));
        }
    }
    (!places.is_empty()).then(|| {
        format!(
            "SELECT t.*, CASE WHEN t.athlete IS NULL THEN 'of an athlete who is not moved'
                              WHEN t.refresh_token IS NULL THEN 'no refresh token'
                              WHEN t.connected IS FALSE THEN 'of an athlete who has disconnected'
                              WHEN t.copy > 1 THEN 'an older one of the same athlete' END AS reason
               FROM (SELECT q.*, m.id AS athlete, m.connected,
                            row_number() OVER (PARTITION BY m.id ORDER BY q.refresh_token IS NULL, q.expires_at DESC NULLS LAST, q.refresh_token) AS copy
                       FROM ({}) q LEFT JOIN moving_athletes m ON m.old_id = q.owner AND m.reason IS NULL) t",
            places.join(" UNION ALL ")
        )
    })
}

fn memories(shape: &mut Shape) -> Option<String> {
    if !shape.has("athlete_ai_profiles") {
        return None;
    }
    let mut p = shape.table("athlete_ai_profiles");
    let (owner, memory) = (p.id(&["athlete_id"]), p.document(&["core_memory"]));
    let (created, updated) = (p.instant(&["created_at"]), p.instant(&["updated_at", "last_updated"]));
    let copy = copies(&owner, &updated);
    // What the coach knows how to use; what else was in it stays.
    let text = |section: &str, key: &str| {
        format!("'{key}', CASE WHEN jsonb_typeof(d #> '{{{section},{key}}}') = 'string' THEN d #> '{{{section},{key}}}' END")
    };
    let kept = format!(
        "jsonb_strip_nulls(jsonb_build_object(
            'personal', jsonb_build_object({}, {}), 'goals', jsonb_build_object({}), 'physical_profile', jsonb_build_object('current_concerns',
            CASE WHEN jsonb_typeof(d #> '{{physical_profile,current_concerns}}') = 'array'
                  AND NOT jsonb_path_exists(d, '$.physical_profile.current_concerns[*] ? (@.type() != \"string\")')
                 THEN d #> '{{physical_profile,current_concerns}}' END)))",
        text("personal", "preferred_name"),
        text("personal", "experience_level"),
        text("goals", "primary"),
    );
    Some(format!(
        "SELECT x.*, CASE WHEN x.athlete IS NULL THEN 'of an athlete who is not moved' WHEN x.copy > 1 THEN 'the same athlete again'
                          WHEN jsonb_typeof(x.d) IS DISTINCT FROM 'object' THEN 'no memory'
                          WHEN char_length(x.memory::text) > {MEMORY_CHARS_MAX} THEN 'longer than the coach remembers' END AS reason,
                CASE WHEN x.athlete IS NOT NULL AND x.d IS DISTINCT FROM x.memory THEN 'moved, but for keys the coach does not know' END AS note
           FROM (SELECT y.*, {kept} AS memory
                   FROM (SELECT m.id AS athlete, {memory} AS d, {created} AS created_at, {updated} AS updated_at, {copy} AS copy
                           FROM {OLD}.athlete_ai_profiles p LEFT JOIN moving_athletes m ON m.old_id = {owner} AND m.reason IS NULL) y) x"
    ))
}

fn messages(shape: &mut Shape) -> Option<String> {
    if !shape.has("chat_conversations") {
        return None;
    }
    let mut p = shape.table("chat_conversations");
    let (id, owner) = (p.row_id(&["id"]), p.id(&["athlete_id"]));
    let (conversation, role, message) = (p.row_id(&["conversation_id"]), p.text(&["role"]), p.text(&["message", "content"]));
    let at = p.instant(&["timestamp", "created_at"]);
    Some(format!(
        "SELECT x.*, CASE WHEN x.id IS NULL OR x.conversation IS NULL THEN 'no id'
                          WHEN x.athlete IS NULL THEN 'of an athlete who is not moved'
                          WHEN x.athlete <> x.opener THEN 'in the conversation of another athlete'
                          WHEN x.role NOT IN ('user', 'assistant') OR x.role IS NULL THEN 'said by nobody'
                          WHEN x.message IS NULL THEN 'empty'
                          WHEN char_length(x.message) > {MESSAGE_CHARS_MAX} THEN 'too long'
                          WHEN x.at IS NULL THEN 'no time' WHEN x.copy > 1 THEN 'the same id again' END AS reason
           FROM (SELECT y.*, first_value(y.athlete) OVER (PARTITION BY y.conversation ORDER BY y.athlete IS NULL, y.at NULLS LAST, y.id) AS opener
                   FROM (SELECT {id} AS id, m.id AS athlete, {conversation} AS conversation, {role} AS role, {message} AS message, {at} AS at,
                                {copy} AS copy
                           FROM {OLD}.chat_conversations p LEFT JOIN moving_athletes m ON m.old_id = {owner} AND m.reason IS NULL) y) x",
        copy = copies(&id, &at),
    ))
}

fn entries(shape: &mut Shape) -> Option<String> {
    /// What the app decodes strictly, and as what.
    const FIGURES: [(&str, &str); 7] = [
        ("total_distance_miles", "string"),
        ("total_time_hours", "string"),
        ("avg_pace", "string"),
        ("longest_run_miles", "string"),
        ("activities_count", "number"),
        ("elevation_gain_feet", "number|null"),
        ("avg_heart_rate", "number|null"),
    ];
    if !shape.has("training_journal") {
        return None;
    }
    let mut p = shape.table("training_journal");
    let (id, owner, week) = (p.row_id(&["id"]), p.id(&["athlete_id"]), p.day(&["week_start_date"]));
    let (narrative, stats, insights) = (p.text(&["narrative"]), p.document(&["week_stats"]), p.document(&["insights"]));
    let (model, at) = (p.text(&["generation_model"]), p.instant(&["generation_timestamp", "created_at"]));
    let updated = p.instant(&["updated_at"]);
    let readable: Vec<String> = FIGURES
        .iter()
        .map(|(key, kinds)| {
            let kinds: Vec<String> = kinds.split('|').map(|kind| format!("'{kind}'")).collect();
            format!("jsonb_typeof(x.stats -> '{key}') IN ({})", kinds.join(", "))
        })
        .collect();
    let is_readable = readable.join(" AND ");
    Some(format!(
        "SELECT x.*, CASE WHEN x.id IS NULL OR x.week IS NULL OR x.at IS NULL THEN 'no id, week or time'
                          WHEN x.athlete IS NULL THEN 'of an athlete who is not moved'
                          WHEN extract(isodow FROM x.week) <> 1 THEN 'of a week that begins on another day than Monday'
                          WHEN x.narrative IS NULL THEN 'no text'
                          WHEN NOT coalesce({is_readable}, false) THEN 'figures that the app cannot read'
                          WHEN NOT coalesce(jsonb_typeof(x.insights) = 'array' AND NOT jsonb_path_exists(x.insights,
                               '$[*] ? (!(@.text.type() == \"string\" && (@.type == \"achievement\" || @.type == \"pattern\" || @.type == \"recommendation\" || @.type == \"observation\")))'),
                               false) THEN 'insights that the app cannot read'
                          WHEN x.copy > 1 THEN 'an older one of the same week' END AS reason
           FROM (SELECT {id} AS id, m.id AS athlete, {week} AS week, {narrative} AS narrative, {stats} AS stats, coalesce({insights}, '[]') AS insights,
                        coalesce({model}, 'unknown') AS model, {at} AS at, coalesce({updated}, {at}) AS updated_at,
                        row_number() OVER (PARTITION BY m.id, {week} ORDER BY {at} DESC NULLS LAST, p.ctid DESC) AS copy
                   FROM {OLD}.training_journal p LEFT JOIN moving_athletes m ON m.old_id = {owner} AND m.reason IS NULL) x"
    ))
}

/// Jobs that have ended. What went wrong is not told again: the predecessor's messages quote Strava's answers.
fn jobs(shape: &mut Shape) -> Option<String> {
    if !shape.has("sync_jobs") {
        return None;
    }
    let mut p = shape.table("sync_jobs");
    let (id, owner, kind, status) = (p.row_id(&["id"]), p.id(&["athlete_id"]), p.text(&["sync_type"]), p.text(&["status"]));
    let (after, before) = (p.instant(&["after_timestamp"]), p.instant(&["before_timestamp"]));
    let (created, started, completed) = (p.instant(&["created_at"]), p.instant(&["started_at"]), p.instant(&["completed_at"]));
    let (processed, failed) = (p.id(&["processed_activities"]), p.id(&["failed_activities"]));
    Some(format!(
        "SELECT x.*, CASE WHEN x.id IS NULL OR x.created_at IS NULL THEN 'no id or time'
                          WHEN x.athlete IS NULL THEN 'of an athlete who is not moved'
                          WHEN x.status IN ('pending', 'in_progress') THEN 'unfinished: a full sync takes its place'
                          WHEN x.kind NOT IN ('full', 'incremental') OR x.status NOT IN ('completed', 'failed') OR x.kind IS NULL OR x.status IS NULL
                            THEN 'of an unknown kind'
                          WHEN x.copy > 1 THEN 'the same id again' END AS reason
           FROM (SELECT {id} AS id, m.id AS athlete, {kind} AS kind, {status} AS status, extract(epoch FROM {after})::bigint AS after_s,
                        extract(epoch FROM {before})::bigint AS before_s, {created} AS created_at, {started} AS started_at,
                        {completed} AS completed_at, greatest({processed}, 0)::integer AS processed, greatest({failed}, 0)::integer AS failed, {copy} AS copy
                   FROM {OLD}.sync_jobs p LEFT JOIN moving_athletes m ON m.old_id = {owner} AND m.reason IS NULL) x",
        copy = copies(&id, &created),
    ))
}
