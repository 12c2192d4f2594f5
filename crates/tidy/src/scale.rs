//! What so many athletes cost and where the limits are: a small model, computed from `docs/scale/inputs.yaml` into the
//! tables of `docs/scale.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Context as _, bail};
use serde_norway::Value;

/// Where the computed tables stand in the document.
const BEGIN: &str = "<!-- computed: begin -->\n";
const END: &str = "<!-- computed: end -->\n";
/// How many athletes there are in each column.
const SIZES: [f64; 2] = [10_000.0, 10_000_000.0];
const DAY_S: f64 = 86_400.0;
const MONTH_DAYS: f64 = 30.0;
/// Quarter hours of a day.
const WINDOWS: f64 = 96.0;
const MILLION: f64 = 1e6;
const GB: f64 = 1e9;

/// The inputs by name.
#[derive(Debug)]
pub struct Inputs(BTreeMap<String, Input>);

#[derive(Debug)]
struct Input {
    value: f64,
    unit: String,
    source: String,
}

impl Inputs {
    /// Reads `docs/scale/inputs.yaml`.
    ///
    /// # Errors
    /// When an entry lacks its value, unit or source.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let Value::Mapping(entries) = serde_norway::from_str(text).context("the inputs are not YAML")? else {
            bail!("the inputs are no mapping")
        };
        let mut inputs = BTreeMap::new();
        for (name, entry) in &entries {
            let name = name.as_str().context("an input's name is no text")?;
            let field = |field: &str| entry.get(field).with_context(|| format!("{name} lacks its {field}"));
            let text = |field_name: &str| {
                anyhow::Ok(field(field_name)?.as_str().with_context(|| format!("{name}: {field_name} is no text"))?.to_owned())
            };
            let value = field("value")?.as_f64().with_context(|| format!("{name}: value is no number"))?;
            inputs.insert(name.to_owned(), Input { value, unit: text("unit")?, source: text("source")? });
        }
        Ok(Self(inputs))
    }

    fn get(&self, name: &str) -> anyhow::Result<f64> {
        Ok(self.0.get(name).with_context(|| format!("the inputs lack {name}"))?.value)
    }
}

/// What one athlete brings about in a day, and what that takes.
struct Day {
    strava_calls: f64,
    first_sync_calls: f64,
    api_requests: f64,
    invocations: f64,
    gb_s: f64,
    queue_messages: f64,
    rows: f64,
    model_tokens: f64,
    model_dollars: f64,
    week_dollars: f64,
    sync_s: f64,
    bytes_stored_at_first: f64,
    bytes_a_year: f64,
    environments: f64,
}

impl Day {
    fn of(inputs: &Inputs) -> anyhow::Result<Self> {
        let get = |name: &str| inputs.get(name);
        let (activities, messages) = (get("activities_per_day")?, get("messages_per_day")?);
        let announcements = activities * (1.0 + get("edits_per_activity")?);
        let walk_end = get("calls_to_believe_the_end")?;
        let details = get("calls_per_detail")? + get("calls_per_streams")?;
        let history = get("history_activities")?;
        let weeks = 1.0 / 7.0;
        let api = get("app_requests_per_day")? + messages + announcements;
        let worked_off = announcements + activities + 1.0;
        let (small, large) = (get("gb_small")?, get("gb_large")?);
        let seconds = [
            (get("app_requests_per_day")? + announcements, get("seconds_request")?, small),
            (messages, get("seconds_chat")?, large),
            (announcements + activities, get("seconds_event")?, large),
            (1.0, get("seconds_sweep")?, large),
            (weeks, get("seconds_week")?, small),
        ];
        let requests = get("requests_per_message")?;
        let per_token = get("bytes_per_token")?;
        let cached = requests * get("bytes_fixed")? / per_token;
        let read = requests * (get("bytes_of_the_turn")? + get("bytes_of_the_past")?) / per_token;
        let week_read = get("bytes_of_a_week")? / per_token;
        let (written, week_written) = (get("tokens_answer")?, get("tokens_week")?);
        let (price_in, price_cached, price_out) = (get("price_tokens_in")?, get("price_tokens_cached")?, get("price_tokens_out")?);
        let per_activity = get("activity_bytes")? + get("summary_bytes")? + get("detail_bytes")? + get("side_rows_bytes")?;
        Ok(Self {
            strava_calls: 1.0 + walk_end + announcements * get("calls_per_detail")? + activities * get("calls_per_streams")?,
            first_sync_calls: (history / get("calls_list_page")?).ceil() + walk_end + history * details,
            api_requests: api,
            invocations: api + worked_off + weeks,
            gb_s: seconds.iter().map(|(times, seconds, gb)| times * seconds * gb).sum(),
            queue_messages: worked_off + weeks,
            rows: announcements + activities * get("rows_per_activity")? + messages * get("rows_per_message")? + 3.0 + 2.0 * weeks,
            model_tokens: messages * (cached + read + written) + weeks * (week_read + week_written),
            model_dollars: messages * (cached * price_cached + read * price_in + written * price_out) / MILLION,
            week_dollars: weeks * (week_read * price_in + week_written * price_out) / MILLION,
            sync_s: (announcements + activities) * get("seconds_event")? + get("seconds_sweep")?,
            bytes_stored_at_first: get("athlete_bytes")? + history * per_activity,
            bytes_a_year: 365.0 * activities * per_activity,
            environments: seconds.iter().map(|(times, seconds, _)| times * seconds).sum::<f64>() / DAY_S,
        })
    }
}

type Line = (&'static str, &'static str, [f64; SIZES.len()]);

/// The tables.
///
/// # Errors
/// When an input is missing.
pub fn tables(inputs: &Inputs) -> anyhow::Result<String> {
    let day = Day::of(inputs)?;
    let get = |name: &str| inputs.get(name);
    let each = |form: &dyn Fn(f64) -> f64| SIZES.map(form);
    let peak = get("peak_factor")?;
    let month = |a_day: f64| each(&|n| n * a_day * MONTH_DAYS);
    let gb = each(&|n| n * (day.bytes_stored_at_first + day.bytes_a_year) / GB);
    let (per_server, one_small) = (get("gb_per_server")?, get("gb_small_server")?);
    let (small, large) = (get("price_server_small")?, get("price_server_large")?);
    let servers = gb.map(|gb| (gb / per_server).ceil());
    let server_dollars = gb.map(|gb| if gb <= one_small { small } else { (gb / per_server).ceil() * large });
    let per_environment = get("connections_per_environment")?;
    let over = |values: [f64; SIZES.len()], name: &str| anyhow::Ok(get(name).map(|limit| values.map(|value| value / limit))?);
    let hours = |seconds: f64, at_once: f64| each(&|n| n * seconds / at_once / 3_600.0);
    let environments = each(&|n| n * day.environments * peak);
    let connections = environments.map(|at_once| at_once * per_environment);
    let rows = each(&|n| n * day.rows / DAY_S * peak);
    let quarter = each(&|n| n * day.strava_calls / WINDOWS * peak);
    let limits: [Line; 15] = [
        ("reads of Strava a day", "calls", each(&|n| n * day.strava_calls)),
        ("reads of Strava in a quarter hour, at the peak", "calls", quarter),
        ("  of what a new application may read", "times", over(quarter, "strava_short_default")?),
        (
            "days until all first syncs are through, with ten times the daily reads allowed",
            "days",
            each(&|_| day.first_sync_calls / (9.0 * day.strava_calls)),
        ),
        ("a day's syncs and events, with the processors of the template", "hours", hours(day.sync_s, get("sync_concurrency")?)),
        ("a week's entries, with the writers of the template", "hours", hours(get("seconds_week")?, get("journal_concurrency")?)),
        ("requests at the gateway, at the peak", "a second", each(&|n| n * day.api_requests / DAY_S * peak)),
        ("environments of functions at once, at the peak", "", environments),
        ("  of what AWS allows at first", "times", over(environments, "lambda_concurrency_default")?),
        ("connections to PostgreSQL, at the peak", "", connections),
        ("  of what one small server bears", "times", over(connections, "connections_one_server")?),
        ("rows written, at the peak", "a second", rows),
        ("  of what one server writes", "times", over(rows, "rows_per_second_one_server")?),
        ("stored after a year, with indexes", "GB", gb),
        ("servers of 2 TB", "", servers),
    ];
    let price_storage = get("price_storage_gb")?;
    let costs: [Line; 7] = [
        ("Lambda: time", "$ a month", month(day.gb_s * get("price_lambda_gb_s")?)),
        ("Lambda: requests", "$ a month", month(day.invocations * get("price_lambda_request")?)),
        ("API Gateway", "$ a month", month(day.api_requests * get("price_api_request")?)),
        ("SQS", "$ a month", month(day.queue_messages * get("sqs_requests_per_message")? * get("price_sqs_request")?)),
        ("PostgreSQL: servers", "$ a month", server_dollars),
        ("PostgreSQL: storage", "$ a month", gb.map(|gb| gb * price_storage)),
        ("logs", "$ a month", month(day.invocations * get("log_bytes_per_invocation")? / GB * get("price_log_gb")?)),
    ];
    let aws = each_sum(&costs);
    let model = month(day.model_dollars + day.week_dollars);
    let batched = month(day.model_dollars + day.week_dollars * (1.0 - get("batch_discount")?));
    let mut text = String::new();
    per_athlete(&mut text, &day, inputs)?;
    table(&mut text, "What so many athletes bring about", &limits)?;
    table(&mut text, "What that costs", &costs)?;
    let sums: [Line; 5] = [
        ("AWS together", "$ a month", aws),
        ("Claude, for everybody and without allowance", "$ a month", model),
        ("  with the weeks in batches", "$ a month", batched),
        ("AWS for one athlete", "$ a year", [0, 1].map(|n| aws[n] / SIZES[n] * 12.0)),
        ("Claude for one athlete", "$ a year", [0, 1].map(|n| model[n] / SIZES[n] * 12.0)),
    ];
    table(&mut text, "Together", &sums)?;
    sources(&mut text, inputs)?;
    Ok(text)
}

fn each_sum(lines: &[Line]) -> [f64; SIZES.len()] {
    [0, 1].map(|column| lines.iter().map(|(_, _, values)| values[column]).sum())
}

fn per_athlete(text: &mut String, day: &Day, inputs: &Inputs) -> anyhow::Result<()> {
    let (default, ten) = (inputs.get("strava_day_default")?, inputs.get("strava_day_ten")?);
    let facts = [
        ("reads of Strava a day", number(day.strava_calls)),
        ("reads of Strava for a first sync with details", number(day.first_sync_calls)),
        ("athletes for whom a new application's reads suffice, once synced", number((default / day.strava_calls).floor())),
        ("first syncs a day within a new application's reads, if it did nothing else", number(default / day.first_sync_calls)),
        ("first syncs a day after the upgrade to ten athletes", number(ten / day.first_sync_calls)),
        ("requests at the gateway a day", number(day.api_requests)),
        ("GB-seconds a day", number(day.gb_s)),
        ("messages through queues a day", number(day.queue_messages)),
        ("rows written a day", number(day.rows)),
        ("bytes stored with the first sync", number(day.bytes_stored_at_first)),
        ("bytes more a year", number(day.bytes_a_year)),
        ("model tokens a day", number(day.model_tokens)),
        ("$ of model tokens a month", number((day.model_dollars + day.week_dollars) * MONTH_DAYS)),
    ];
    writeln!(text, "### One athlete\n\n| | |\n|---|--:|")?;
    for (what, value) in facts {
        writeln!(text, "| {what} | {value} |")?;
    }
    writeln!(text)?;
    Ok(())
}

fn table(text: &mut String, title: &str, lines: &[Line]) -> anyhow::Result<()> {
    let [small, large] = SIZES.map(number);
    writeln!(text, "### {title}\n\n| | {small} athletes | {large} athletes | |\n|---|--:|--:|---|")?;
    for (what, unit, [small, large]) in lines {
        writeln!(text, "| {what} | {} | {} | {unit} |", number(*small), number(*large))?;
    }
    writeln!(text)?;
    Ok(())
}

fn sources(text: &mut String, inputs: &Inputs) -> anyhow::Result<()> {
    writeln!(text, "### Inputs\n\n| input | value | unit | source |\n|---|--:|---|---|")?;
    for (name, Input { value, unit, source }) in &inputs.0 {
        writeln!(text, "| `{name}` | {value} | {unit} | {source} |")?;
    }
    Ok(())
}

/// Three digits that count, with commas.
fn number(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    #[expect(clippy::cast_possible_truncation, reason = "the exponent of a double is small")]
    let digits = 2 - value.abs().log10().floor() as i32;
    if digits > 0 {
        return format!("{value:.*}", usize::try_from(digits).unwrap_or_default());
    }
    let unit = 10_f64.powi(-digits);
    let whole = format!("{:.0}", (value / unit).round() * unit);
    let mut grouped = String::new();
    for (position, digit) in whole.chars().enumerate() {
        if position > 0 && (whole.len() - position).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// The document with the tables computed anew.
///
/// # Errors
/// When the document lacks the marks, or an input is missing.
pub fn renewed(document: &str, inputs: &str) -> anyhow::Result<String> {
    let (before, rest) = document.split_once(BEGIN).context("the document lacks the mark where the tables begin")?;
    let (_, after) = rest.split_once(END).context("the document lacks the mark where the tables end")?;
    Ok(format!("{before}{BEGIN}\n{}\n{END}{after}", tables(&Inputs::parse(inputs)?)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_three_digits_that_count() {
        let written = [0.0, 0.012_345, 1.0, 12.345, 123.4, 1234.0, 9_999.0, 12_345_678.0].map(number);
        assert_eq!(written, ["0", "0.0123", "1.00", "12.3", "123", "1,230", "10,000", "12,300,000"]);
    }

    #[test]
    fn every_input_is_used() -> anyhow::Result<()> {
        let inputs = Inputs::parse(include_str!("../../../docs/scale/inputs.yaml"))?;
        for name in inputs.0.keys() {
            assert!(include_str!("scale.rs").contains(&format!("\"{name}\"")), "{name} is not used");
        }
        Ok(())
    }

    #[test]
    fn an_input_without_a_source_is_refused() {
        assert!(Inputs::parse("a: {value: 1, unit: b, source: c}").is_ok());
        for bad in ["a: {value: 1, unit: b}", "a: {value: x, unit: b, source: c}", "a: 1", "[]"] {
            assert!(Inputs::parse(bad).is_err(), "{bad}");
        }
    }
}
