//! What each function may do, as the template grants it, and what it needs according to the same template.

use std::collections::BTreeSet;

use serde_norway::Value;

use crate::template::{Function, Template, referred};

/// The one action that reads a secret document.
const READ_SECRET: &str = "secretsmanager:GetSecretValue";
const SEND: &str = "sqs:SendMessage";
/// What the poller of a queue does in the name of the function's role.
const POLL: [&str; 4] = ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:ChangeMessageVisibility", "sqs:GetQueueAttributes"];
const WRITE_LOGS: [&str; 2] = ["logs:CreateLogStream", "logs:PutLogEvents"];
/// X-Ray knows no resources: these alone are granted for all.
const WRITE_TRACES: [&str; 2] = ["xray:PutTraceSegments", "xray:PutTelemetryRecords"];
/// Every resource.
const ALL: &str = "*";

/// One action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Permission {
    /// `sqs:SendMessage`; what cannot be read is named as it stands.
    pub action: String,
    /// The resource's name inside the template, or its text.
    pub resource: String,
}

impl Permission {
    fn new(action: &str, resource: &str) -> Self {
        Self { action: action.to_owned(), resource: resource.to_owned() }
    }

    fn is_wildcard(&self) -> bool {
        let is_trace = WRITE_TRACES.contains(&self.action.as_str()) && self.resource == ALL;
        !is_trace && (self.action.contains('*') || self.resource.contains('*'))
    }
}

/// The permissions of a function's properties: of its policies, or of the role they name.
pub(crate) fn permissions(properties: &Value, resources: &Value) -> Vec<Permission> {
    let mut granted = Vec::new();
    for policy in properties["Policies"].as_sequence().into_iter().flatten() {
        granted.extend(policy_permissions(policy));
    }
    if let Some(role) = referred(&properties["Role"]) {
        for policy in resources[role.as_str()]["Properties"]["Policies"].as_sequence().into_iter().flatten() {
            granted.extend(statements(&policy["PolicyDocument"]));
        }
    }
    granted
}

/// One entry of a function's `Policies`: one of SAM's templates, a document, or the name of a managed policy.
fn policy_permissions(policy: &Value) -> Vec<Permission> {
    if !policy["Statement"].is_null() {
        return statements(policy);
    }
    let named = |template: &str, argument: &str| referred(&policy[template][argument]);
    if let Some(secret) = named("AWSSecretsManagerGetSecretValuePolicy", "SecretArn") {
        return vec![Permission::new(READ_SECRET, &secret)];
    }
    if let Some(queue) = named("SQSSendMessagePolicy", "QueueName") {
        return vec![Permission::new(SEND, &queue)];
    }
    let name = policy.as_mapping().and_then(|m| m.keys().next()).unwrap_or(policy);
    vec![Permission::new(name.as_str().unwrap_or("a policy that cannot be read"), ALL)]
}

fn statements(document: &Value) -> Vec<Permission> {
    let mut granted = Vec::new();
    for statement in document["Statement"].as_sequence().into_iter().flatten() {
        for action in texts(&statement["Action"]) {
            granted.extend(texts(&statement["Resource"]).iter().map(|resource| Permission::new(&action, resource)));
        }
    }
    granted
}

/// One value or a list of them, each a reference or a text.
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| referred(value).or(value.as_str().map(str::to_owned)).unwrap_or_else(|| ALL.to_owned());
    value.as_sequence().map_or_else(|| vec![one(value)], |several| several.iter().map(one).collect())
}

/// What the function needs: its secret document, the queues it is given, its own log.
fn needed(function: &Function) -> BTreeSet<Permission> {
    let mut needed = BTreeSet::new();
    for (variable, target) in &function.environment {
        match variable.as_str() {
            "RUNAWAY_SECRET_ARN" => drop(needed.insert(Permission::new(READ_SECRET, target))),
            name if name.ends_with("_QUEUE_URL") => drop(needed.insert(Permission::new(SEND, target))),
            _ => {}
        }
    }
    if let Some(source) = &function.queue {
        needed.extend(POLL.map(|action| Permission::new(action, &source.queue)));
    }
    if function.has_own_role {
        let log = function.logical_id.trim_end_matches("Function").to_owned() + "Logs";
        needed.extend(WRITE_LOGS.map(|action| Permission::new(action, &log)));
        needed.extend(WRITE_TRACES.map(|action| Permission::new(action, ALL)));
    }
    needed
}

/// Every function may do what it needs and nothing else, on resources that are named. One that reads a queue has a role
/// of its own: SAM's would read every queue of the account.
pub fn least(template: &Template) -> Vec<String> {
    let mut broken = Vec::new();
    for function in &template.functions {
        let id = &function.logical_id;
        if function.queue.is_some() && !function.has_own_role {
            broken.push(format!("{id} reads a queue with a role of SAM's, which reads every queue"));
        }
        let granted: BTreeSet<Permission> = function.permissions.iter().cloned().collect();
        let needed = needed(function);
        for surplus in granted.difference(&needed) {
            let kind = if surplus.is_wildcard() { "a wildcard" } else { "without need" };
            broken.push(format!("{id} is granted {} on {}: {kind}", surplus.action, surplus.resource));
        }
        let missing = needed.difference(&granted);
        broken.extend(missing.map(|missing| format!("{id} is not granted {} on {}", missing.action, missing.resource)));
    }
    broken
}
