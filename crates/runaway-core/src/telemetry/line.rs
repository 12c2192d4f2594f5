//! A line with metrics, and how events of both kinds become lines.
//! Source: docs.aws.amazon.com, CloudWatch, "Specification: Embedded metric format".

use std::fmt;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Json, JsonFields, Writer, format};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, SubscriberBuilder};
use tracing_subscriber::registry::LookupSpan;

use super::metric::Metric;
use super::tally;
use crate::config;

/// Marks the events that are lines already.
const TARGET: &str = "runaway::line";
/// Lets them pass.
pub(super) const DIRECTIVE: &str = "runaway::line=info";
/// The dimension of the function.
const FUNCTION: &str = "Function";

/// A line of the log that may carry metrics. Written at once, so that nothing is lost with a process that is killed.
#[derive(Debug)]
#[must_use = "a line is written by `write`"]
pub struct Line {
    level: Level,
    message: String,
    fields: Map<String, Value>,
    samples: Vec<Sample>,
    is_by_function_only: bool,
}

/// One value of a metric.
#[derive(Debug)]
struct Sample {
    metric: Metric,
    value: u64,
    word: Option<&'static str>,
}

impl Line {
    /// A line of the level INFO.
    pub fn info(message: impl Into<String>) -> Self {
        Self::of(Level::INFO, message)
    }

    /// A line of the level WARN.
    pub fn warn(message: impl Into<String>) -> Self {
        Self::of(Level::WARN, message)
    }

    /// A line of the level ERROR: somebody has to look.
    pub fn error(message: impl Into<String>) -> Self {
        Self::of(Level::ERROR, message)
    }

    fn of(level: Level, message: impl Into<String>) -> Self {
        Self { level, message: message.into(), fields: Map::new(), samples: Vec::new(), is_by_function_only: false }
    }

    /// Adds a field; nothing where there is no value.
    pub fn field(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        if !value.is_null() {
            self.fields.insert(name.to_owned(), value);
        }
        self
    }

    /// Adds a value of a metric.
    pub fn metric(mut self, metric: Metric, value: u64) -> Self {
        self.samples.push(Sample { metric, value, word: None });
        self
    }

    /// Adds a value of a metric that is told apart [by](Metric::by) a word.
    pub fn metric_by(mut self, metric: Metric, word: &'static str, value: u64) -> Self {
        self.samples.push(Sample { metric, value, word: Some(word) });
        self
    }

    /// Counts the metrics that no word tells apart for their function, and not among all together.
    pub(super) fn by_function_only(mut self) -> Self {
        self.is_by_function_only = true;
        self
    }

    /// Writes the line. Function and request are those of the work that is being done, where they are not given.
    pub fn write(mut self) {
        tally::sign(&mut self.fields);
        self.write_as_it_is();
    }

    /// Writes the line and adds nothing.
    pub(super) fn write_as_it_is(self) {
        let level = self.level;
        let line = self.text(Timestamp::now(), config::metrics_namespace()).to_string();
        match level {
            Level::ERROR => tracing::error!(target: TARGET, line),
            Level::WARN => tracing::warn!(target: TARGET, line),
            _ => tracing::info!(target: TARGET, line),
        }
    }

    fn text(self, now: Timestamp, namespace: &str) -> Value {
        let function = self.fields.get("function").and_then(Value::as_str).map(str::to_owned);
        let mut text = Map::new();
        text.insert("timestamp".to_owned(), json!(now.to_string()));
        text.insert("level".to_owned(), json!(self.level.as_str()));
        text.insert("message".to_owned(), json!(self.message));
        text.extend(self.fields);
        if self.samples.is_empty() {
            return Value::Object(text);
        }
        // One directive for the metrics of the same sets.
        let mut directives: Vec<(Vec<Vec<&str>>, Vec<Value>)> = Vec::new();
        for sample in &self.samples {
            let sets = sample.sets(function.is_some(), self.is_by_function_only);
            let metric = json!({ "Name": sample.metric.name, "Unit": sample.metric.unit });
            match directives.last_mut() {
                Some((last, metrics)) if *last == sets => metrics.push(metric),
                _ => directives.push((sets, vec![metric])),
            }
        }
        let directive = |(sets, metrics)| json!({ "Namespace": namespace, "Dimensions": sets, "Metrics": metrics });
        let directives: Vec<Value> = directives.into_iter().map(directive).collect();
        text.insert("_aws".to_owned(), json!({ "Timestamp": now.as_millisecond(), "CloudWatchMetrics": directives }));
        if let Some(function) = function {
            text.insert(FUNCTION.to_owned(), json!(function));
        }
        for sample in self.samples {
            text.insert(sample.metric.name.to_owned(), json!(sample.value));
            if let Some((by, word)) = sample.metric.by.zip(sample.word) {
                text.insert(by.to_owned(), json!(word));
            }
        }
        Value::Object(text)
    }
}

impl Sample {
    /// The sets of dimensions it counts for: all together, each function, each word, and both.
    fn sets(&self, has_function: bool, is_by_function_only: bool) -> Vec<Vec<&'static str>> {
        let mut sets: Vec<Vec<&str>> = if is_by_function_only && self.word.is_none() { Vec::new() } else { vec![Vec::new()] };
        if has_function {
            sets.push(vec![FUNCTION]);
        }
        if let Some(by) = self.metric.by.filter(|_| self.word.is_some()) {
            sets.push(vec![by]);
            if has_function {
                sets.push(vec![FUNCTION, by]);
            }
        }
        sets
    }
}

/// How this process's events become lines; the one form, wherever they are written to.
pub fn lines() -> SubscriberBuilder<JsonFields, Lines> {
    let events = format().json().flatten_event(true).with_current_span(false).with_target(true);
    tracing_subscriber::fmt().fmt_fields(JsonFields::new()).event_format(Lines(events))
}

/// Writes a [`Line`] as it is and every other event as JSON.
#[derive(Debug)]
pub struct Lines(Format<Json>);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'lookup> LookupSpan<'lookup>,
    N: for<'writer> FormatFields<'writer> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if event.metadata().target() != TARGET {
            return self.0.format_event(context, writer, event);
        }
        let mut text = Text(String::new());
        event.record(&mut text);
        writeln!(writer, "{}", text.0)
    }
}

/// The text of a line, out of its event.
struct Text(String);

impl Visit for Text {
    fn record_str(&mut self, _: &Field, value: &str) {
        value.clone_into(&mut self.0);
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

#[cfg(test)]
mod tests {
    use super::super::metric::{ACTIVITIES_STORED, FAILURES, REQUESTS};
    use super::*;

    const NAMESPACE: &str = "Runaway/stack";

    fn text(line: Line) -> Value {
        line.text(Timestamp::UNIX_EPOCH, NAMESPACE)
    }

    #[test]
    fn a_line_without_metrics_is_an_event_like_any_other() {
        let line = Line::warn("It rains").field("job.id", "j").field("athlete.id", None::<i64>);
        let expected = json!({ "timestamp": "1970-01-01T00:00:00Z", "level": "WARN", "message": "It rains", "job.id": "j" });
        assert_eq!(text(line), expected);
    }

    #[test]
    fn a_metric_counts_for_all_its_function_and_its_word() {
        let line = Line::info("x").field("function", "chat").metric(REQUESTS, 1).metric(ACTIVITIES_STORED, 7);
        let line = text(line.metric_by(FAILURES, "database", 2));
        let directives = line["_aws"]["CloudWatchMetrics"].as_array().unwrap();
        assert_eq!((directives.len(), &directives[0]["Dimensions"]), (2, &json!([[], ["Function"]])));
        let metrics = json!([{ "Name": "Requests", "Unit": "Count" }, { "Name": "ActivitiesStored", "Unit": "Count" }]);
        assert_eq!(directives[0]["Metrics"], metrics);
        assert!(directives.iter().all(|directive| directive["Namespace"] == NAMESPACE), "{directives:?}");
        assert_eq!(directives[1]["Dimensions"], json!([[], ["Function"], ["Class"], ["Function", "Class"]]));
        assert_eq!((&line["Function"], &line["Class"]), (&json!("chat"), &json!("database")));
        assert_eq!((&line["Requests"], &line["Failures"]), (&json!(1), &json!(2)));
        assert_eq!(line["_aws"]["Timestamp"], json!(0));
        let alone = text(Line::info("x").field("function", "chat").metric(REQUESTS, 1).by_function_only());
        assert_eq!(alone["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([["Function"]]));
        let nowhere = text(Line::info("x").metric(ACTIVITIES_STORED, 0));
        assert_eq!(nowhere["_aws"]["CloudWatchMetrics"][0]["Dimensions"], json!([[]]));
        assert_eq!(nowhere["ActivitiesStored"], json!(0), "nothing is a value too");
    }
}
