//! Metrics inside a line of the log, read as CloudWatch reads them and no more kindly.
//! Source: docs.aws.amazon.com, CloudWatch, "Specification: Embedded metric format".

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// The most of each: metrics and dimension sets of a directive, dimensions of a set.
const METRICS_MAX: usize = 100;
const DIMENSIONS_MAX: usize = 30;
/// The longest names and values, characters.
const NAMESPACE_CHARS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 1024;
const DIMENSION_CHARS_MAX: usize = 250;
/// The largest document.
const DOCUMENT_BYTES_MAX: usize = 256 * 1024;
/// 2020 and 2100, milliseconds since 1970: a time in other units lies outside.
const TIMESTAMPS_MS: std::ops::Range<i64> = 1_577_836_800_000..4_102_444_800_000;
/// CloudWatch's units, as far as anything here has one.
const UNITS: &[&str] = &["Seconds", "Microseconds", "Milliseconds", "Bytes", "Count", "Percent", "None"];

/// One value of a metric, under one set of dimensions.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The metric.
    pub name: String,
    /// Its value.
    pub value: f64,
    /// Its unit.
    pub unit: String,
    /// The dimensions with their values.
    pub dimensions: BTreeMap<String, String>,
}

/// The samples of a line.
///
/// # Errors
/// Says what CloudWatch would not take.
pub fn samples(line: &Value) -> Result<Vec<Sample>, String> {
    if line.to_string().len() > DOCUMENT_BYTES_MAX {
        return Err("the document is too large".to_owned());
    }
    let aws = line["_aws"].as_object().ok_or("_aws is no object")?;
    if !aws.get("Timestamp").and_then(Value::as_i64).is_some_and(|ms| TIMESTAMPS_MS.contains(&ms)) {
        return Err("Timestamp is no time in milliseconds".to_owned());
    }
    let directives = aws.get("CloudWatchMetrics").and_then(Value::as_array).ok_or("CloudWatchMetrics is no array")?;
    let mut all = Vec::new();
    for directive in directives {
        let namespace = directive["Namespace"].as_str().ok_or("Namespace is no string")?;
        if namespace.is_empty() || namespace.len() > NAMESPACE_CHARS_MAX || namespace.starts_with("AWS/") {
            return Err(format!("the namespace {namespace} is not allowed"));
        }
        let sets = directive["Dimensions"].as_array().filter(|sets| !sets.is_empty()).ok_or("Dimensions has no set")?;
        let sets = sets.iter().map(|set| dimensions(line, set)).collect::<Result<Vec<_>, _>>()?;
        let metrics = directive["Metrics"].as_array().ok_or("Metrics is no array")?;
        if metrics.is_empty() || metrics.len() > METRICS_MAX {
            return Err(format!("{} metrics in one directive", metrics.len()));
        }
        for metric in metrics {
            let (name, unit, value) = value(line, metric)?;
            all.extend(sets.iter().map(|set| Sample { name: name.clone(), value, unit: unit.clone(), dimensions: set.clone() }));
        }
    }
    Ok(all)
}

/// A set of dimensions with the values the line has for them. Beyond CloudWatch's own rules: a value is a word of the
/// code's, never a number or an id, of which there could be any number.
fn dimensions(line: &Value, set: &Value) -> Result<BTreeMap<String, String>, String> {
    let names = set.as_array().ok_or("a set of dimensions is no array")?;
    if names.len() > DIMENSIONS_MAX || names.iter().map(Value::to_string).collect::<BTreeSet<_>>().len() != names.len() {
        return Err("a set has too many dimensions, or one twice".to_owned());
    }
    let pair = |name: &Value| {
        let name = name.as_str().filter(|name| (1..=DIMENSION_CHARS_MAX).contains(&name.len())).ok_or("a dimension has no name")?;
        let value = line.get(name).and_then(Value::as_str).ok_or_else(|| format!("the dimension {name} is no string of the line"))?;
        let is_word = (1..=64).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_lowercase() || b"_-".contains(&b));
        if is_word { Ok((name.to_owned(), value.to_owned())) } else { Err(format!("the dimension {name} is no word: {value}")) }
    };
    names.iter().map(pair).collect()
}

fn value(line: &Value, metric: &Value) -> Result<(String, String, f64), String> {
    let name = metric["Name"].as_str().filter(|name| (1..=NAME_CHARS_MAX).contains(&name.len())).ok_or("a metric has no name")?;
    let unit = metric["Unit"].as_str().filter(|unit| UNITS.contains(unit)).ok_or_else(|| format!("{name} has no unit that is known"))?;
    let value = line.get(name).and_then(Value::as_f64).filter(|value| value.is_finite());
    Ok((name.to_owned(), unit.to_owned(), value.ok_or_else(|| format!("{name} is no number of the line"))?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn line() -> Value {
        json!({
            "_aws": {
                "Timestamp": 1_700_000_000_000_i64,
                "CloudWatchMetrics": [{
                    "Namespace": "Runaway",
                    "Dimensions": [[], ["Function"]],
                    "Metrics": [{ "Name": "Requests", "Unit": "Count" }],
                }],
            },
            "Function": "chat",
            "Requests": 1,
        })
    }

    #[test]
    fn a_line_is_read_once_for_each_set_of_dimensions() {
        let samples = samples(&line()).unwrap();
        assert_eq!(samples.len(), 2);
        assert_eq!((samples[1].value, samples[1].dimensions["Function"].as_str()), (1.0, "chat"));
    }

    #[test]
    fn what_cloudwatch_would_not_take_is_found() {
        for (pointer, wrong) in [
            ("/_aws", json!("x")),
            ("/_aws/Timestamp", json!(1_700_000_000)),
            ("/_aws/Timestamp", json!("2026-01-04T06:31:00Z")),
            ("/_aws/CloudWatchMetrics", json!({})),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("")),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("AWS/Lambda")),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([])),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!(["Function"])),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([["Function", "Function"]])),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([["Nowhere"]])),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([["Requests"]])),
            ("/_aws/CloudWatchMetrics/0/Metrics", json!([])),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Unit", json!("Miles")),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Name", json!("Nowhere")),
            ("/Requests", json!("1")),
            ("/Function", json!("94451852")),
            ("/Function", json!(1)),
        ] {
            let mut broken = line();
            *broken.pointer_mut(pointer).unwrap() = wrong.clone();
            assert!(samples(&broken).is_err(), "{pointer} = {wrong}");
        }
        let mut many = line();
        many["_aws"]["CloudWatchMetrics"][0]["Metrics"] = json!(vec![json!({ "Name": "Requests", "Unit": "Count" }); METRICS_MAX + 1]);
        assert!(samples(&many).is_err());
    }
}
