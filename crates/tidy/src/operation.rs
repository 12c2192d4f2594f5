//! What makes the deployed system bearable to operate: connections that suffice, logs that forget, alarms that say what to
//! do, parameters that explain themselves, and a gateway that answers as the functions do.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::rules::OWN_METRICS;
use crate::stack::{GatewayResponse, Stack, holds};
use crate::template::Template;

/// The parameter that switches the functions' limits on; it says what they add up to.
const RESERVE: &str = "ReserveConcurrency";
/// Parameters that the operator must decide; a default would decide for them.
const UNDECIDED: [&str; 1] = ["ModelSources"];
/// Where alarms go.
const TOPIC: &str = "AlarmTopic";
/// Where whoever is woken by an alarm reads on.
const RUNBOOK: &str = "docs/runbook.md#";
/// Those of the functions' own metrics that somebody must be woken by.
const WAKING_METRICS: [&str; 3] = ["SyncLag", "StravaCallsLeftForHistories", "ApplicationInactive"];
/// Parameters that make sense together only.
const NETWORK: [&str; 2] = ["SubnetIds", "SecurityGroupIds"];
/// Cases in which the gateway answers by itself, and what the contract says of them.
const GATEWAY_CASES: [(&str, u16, &str); 12] = [
    ("DEFAULT_4XX", 400, "INVALID_REQUEST"),
    ("DEFAULT_5XX", 500, "INTERNAL_ERROR"),
    ("UNAUTHORIZED", 401, "UNAUTHORIZED"),
    ("ACCESS_DENIED", 403, "FORBIDDEN"),
    ("MISSING_AUTHENTICATION_TOKEN", 404, "NOT_FOUND"),
    ("INVALID_SIGNATURE", 404, "NOT_FOUND"),
    ("RESOURCE_NOT_FOUND", 404, "NOT_FOUND"),
    ("REQUEST_TOO_LARGE", 413, "PAYLOAD_TOO_LARGE"),
    ("THROTTLED", 429, "RATE_LIMITED"),
    ("QUOTA_EXCEEDED", 429, "RATE_LIMITED"),
    ("INTEGRATION_FAILURE", 503, "UPSTREAM_UNAVAILABLE"),
    ("INTEGRATION_TIMEOUT", 503, "UPSTREAM_UNAVAILABLE"),
];
/// The case that keeps whatever status the gateway chose.
const KEEPS_STATUS: &str = "DEFAULT_4XX";

/// Executions and connections of all functions together. `pools` says how many connections one environment of each holds.
pub fn totals(template: &Template, pools: &BTreeMap<String, u64>) -> (u64, u64) {
    let of = |name: &str| pools.get(name).copied().unwrap_or_default();
    let functions = template.functions.iter().map(|f| (f.concurrency.unwrap_or_default(), of(&f.name)));
    functions.fold((0, 0), |(executions, connections), (n, pool)| (executions + n, connections + n * pool))
}

/// Every function is limited, its pool is known, and the parameter that switches the limits on says what they add up to.
pub fn connections(template: &Template, stack: &Stack, pools: &BTreeMap<String, u64>) -> Vec<String> {
    let unlimited = template.functions.iter().filter(|function| function.concurrency.is_none());
    let mut broken: Vec<String> = unlimited.map(|f| format!("{} may run without limit", f.logical_id)).collect();
    let unknown = template.functions.iter().filter(|function| !pools.contains_key(&function.name));
    broken.extend(unknown.map(|f| format!("how many connections {} holds is not to be found in its source", f.logical_id)));
    let (executions, connections) = totals(template, pools);
    let said = stack.parameters.iter().find(|parameter| parameter.name == RESERVE).map(|p| p.description.as_str()).unwrap_or_default();
    for sum in [format!("{connections} connections"), format!("{executions} concurrent executions")] {
        if !said.contains(&sum) {
            broken.push(format!("{RESERVE} does not say {sum}"));
        }
    }
    broken
}

/// Every function's log exists before the function writes to it, and forgets.
pub fn logs(template: &Template, stack: &Stack) -> Vec<String> {
    let expected: BTreeSet<String> = template.functions.iter().map(|f| format!("/aws/lambda/${{AWS::StackName}}-{}", f.name)).collect();
    let missing = expected.iter().filter(|name| !stack.log_groups.contains_key(*name)).map(|name| format!("there is no log group {name}"));
    let surplus = stack.log_groups.keys().filter(|name| !expected.contains(*name)).map(|name| format!("{name} is no function's log"));
    let endless = stack.log_groups.iter().filter(|(_, forgets)| !**forgets).map(|(name, _)| format!("{name} never forgets"));
    missing.chain(surplus).chain(endless).collect()
}

/// Every alarm tells somebody, and its description ends in an entry of the runbook; every queue and every metric that must
/// wake somebody has one.
pub fn alarms(template: &Template, stack: &Stack, runbook: &str) -> Vec<String> {
    let anchors: BTreeSet<String> = runbook.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    let mut broken = Vec::new();
    for alarm in &stack.alarms {
        let id = &alarm.logical_id;
        match alarm.description.split_once(RUNBOOK) {
            Some((_, entry)) if anchors.contains(entry) => {}
            Some((_, entry)) => broken.push(format!("{id} leads to {entry}, which the runbook has not")),
            None => broken.push(format!("{id} leads to no entry of the runbook")),
        }
        if alarm.actions != [TOPIC] {
            broken.push(format!("{id} tells {:?} instead of {TOPIC}", alarm.actions));
        }
    }
    let watched = |namespace: &str, metric: &str, resource: Option<&str>| {
        let mut metrics = stack.alarms.iter().flat_map(|alarm| &alarm.metrics);
        metrics.any(|(n, m, of)| n == namespace && m == metric && resource.is_none_or(|name| of.contains(name)))
    };
    for queue in &template.queues {
        let metric = if queue.redrive.is_some() { "ApproximateAgeOfOldestMessage" } else { "ApproximateNumberOfMessagesVisible" };
        if !watched("AWS/SQS", metric, Some(&queue.logical_id)) {
            broken.push(format!("no alarm watches {metric} of {}", queue.logical_id));
        }
    }
    for function in template.functions.iter().filter(|function| function.routes.is_empty()) {
        if !watched("AWS/Lambda", "Errors", Some(&function.logical_id)) {
            broken.push(format!("no alarm watches the errors of {}", function.logical_id));
        }
    }
    let unwatched = WAKING_METRICS.iter().filter(|metric| !watched(OWN_METRICS, metric, None));
    broken.extend(unwatched.map(|metric| format!("no alarm watches {metric}")));
    broken
}

/// The anchor that a heading gets: lower case, without punctuation, hyphens between words.
fn anchor(heading: &str) -> String {
    let kept = heading.to_lowercase().chars().filter(|c| c.is_alphanumeric() || [' ', '-'].contains(c)).collect::<String>();
    kept.replace(' ', "-")
}

/// Every parameter is described, grouped and used, and none decides for the operator what they must decide.
pub fn parameters(stack: &Stack) -> Vec<String> {
    let mut broken = Vec::new();
    for parameter in &stack.parameters {
        let name = &parameter.name;
        if parameter.description.is_empty() {
            broken.push(format!("the parameter {name} is not described"));
        }
        if stack.grouped.iter().filter(|grouped| *grouped == name).count() != 1 {
            broken.push(format!("the parameter {name} is not in exactly one group"));
        }
        if !stack.references.contains(name) {
            broken.push(format!("nothing uses the parameter {name}"));
        }
        if UNDECIDED.contains(&name.as_str()) && parameter.default.is_some() {
            broken.push(format!("the parameter {name} has a default, and the operator must decide"));
        }
    }
    let known = |name: &String| stack.parameters.iter().any(|parameter| parameter.name == *name);
    broken.extend(stack.grouped.iter().filter(|name| !known(name)).map(|name| format!("{name} is grouped and no parameter")));
    broken
}

/// Half of the functions' network is refused before anything is made, and the whole and none are not.
pub fn network(stack: &Stack) -> Vec<String> {
    let [subnets, groups] = NETWORK;
    let mut broken = Vec::new();
    for (given, is_allowed) in [(&[][..], true), (&NETWORK[..], true), (&[subnets][..], false), (&[groups][..], false)] {
        let is_refused = stack.assertions.iter().any(|assertion| holds(assertion, given) == Some(false));
        if is_refused == is_allowed {
            broken.push(format!("of {NETWORK:?} only {given:?} may be given: {}", !is_refused));
        }
    }
    broken
}

/// What the gateway answers by itself has the contract's shape, and the CORS headers that `answer` gives the functions'
/// answers; `answer` is the source of that file.
pub fn gateway(stack: &Stack, answer: &str) -> Vec<String> {
    let mut broken = Vec::new();
    for (case, status, code) in GATEWAY_CASES {
        let Some(response) = stack.gateway_responses.get(case) else {
            broken.push(format!("the gateway answers {case} in its own words"));
            continue;
        };
        let expected_status = (case != KEEPS_STATUS).then_some(status);
        if response.status != expected_status {
            broken.push(format!("{case} has the status {:?} instead of {expected_status:?}", response.status));
        }
        let body: Value = serde_json::from_str(&response.body).unwrap_or_default();
        let error = &body["error"];
        if error["code"] != code || error["message"].as_str().is_none_or(str::is_empty) {
            broken.push(format!("{case} is not answered with {code} and a sentence"));
        }
        let id = (status >= 500).then_some("$context.requestId");
        if error.get("request_id").and_then(Value::as_str) != id {
            broken.push(format!("{case} has not the request id {id:?}"));
        }
        broken.extend(headers(response, status, answer).into_iter().map(|what| format!("{case} {what}")));
    }
    broken
}

fn headers(response: &GatewayResponse, status: u16, answer: &str) -> Vec<String> {
    let mut broken = Vec::new();
    let text = |name: &str| response.headers.get(name).map(|value| value.trim_matches('\'')).unwrap_or_default();
    for name in ["allow-origin", "allow-methods", "allow-headers", "expose-headers"] {
        let value = text(&format!("access-control-{name}"));
        if value.is_empty() || !answer.contains(&format!("\"{value}\"")) {
            broken.push(format!("says {value:?} of {name}, and the functions do not"));
        }
    }
    if text("cache-control") != "no-store" {
        broken.push("may be cached".to_owned());
    }
    if text("x-request-id") != "context.requestId" {
        broken.push("has no request id in its head".to_owned());
    }
    if [429, 503].contains(&status) && text("retry-after").parse::<u32>().is_err() {
        broken.push("does not say when to try again".to_owned());
    }
    broken
}
