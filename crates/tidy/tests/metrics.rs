//! The metrics of the code, of ARCHITECTURE.md and of the template's alarms are the same.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

use std::fs;
use std::path::Path;

use runaway_core::telemetry::METRICS;
use tidy::stack::Stack;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)).unwrap()
}

/// Name, unit and further dimension of each row of the table.
fn documented(text: &str) -> Vec<[String; 3]> {
    let (_, table) = text.split_once("| metric | unit | also by | what it says |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        [cells[1], cells[2], cells[3]].map(|cell| cell.trim_matches('`').to_owned())
    })
    .collect()
}

/// Metrics of ours that a template's alarms name and the code does not emit.
fn unknown_alarms(template: &str) -> Vec<String> {
    let alarms = Stack::parse(template).unwrap().alarms;
    let watched = alarms.into_iter().flat_map(|alarm| alarm.metrics).filter(|(namespace, ..)| !namespace.starts_with("AWS/"));
    watched.map(|(_, name, _)| name).filter(|name| METRICS.iter().all(|metric| metric.name != name)).collect()
}

#[test]
fn every_metric_is_documented_and_nothing_else() {
    let expected: Vec<[String; 3]> =
        METRICS.iter().map(|metric| [metric.name, metric.unit, metric.by.unwrap_or_default()].map(str::to_owned)).collect();
    assert_eq!(documented(&read("ARCHITECTURE.md")), expected);
}

#[test]
fn alarms_watch_metrics_that_exist() {
    assert!(unknown_alarms(&read("template.yaml")).is_empty());
    let planted = read("template.yaml").replacen("MetricName: SyncLag", "MetricName: SyncLack", 1);
    assert_eq!(unknown_alarms(&planted), ["SyncLack"]);
}
