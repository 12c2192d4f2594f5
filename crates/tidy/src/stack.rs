//! What `template.yaml` says of everything but functions, queues and schedules: parameters, alarms, logs, and what the
//! gateway answers by itself.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context as _;
use serde_norway::Value;

use crate::template::referred;

/// The parts of the template that only the rules need.
#[derive(Debug, Clone)]
pub struct Stack {
    /// The parameters, in the template's order.
    pub parameters: Vec<Parameter>,
    /// The parameters as the console groups them, in its order.
    pub grouped: Vec<String>,
    /// Every name that something in the template refers to.
    pub references: BTreeSet<String>,
    /// What parameters must be to each other.
    pub assertions: Vec<Value>,
    /// The alarms.
    pub alarms: Vec<Alarm>,
    /// The log groups: name, and whether they forget.
    pub log_groups: BTreeMap<String, bool>,
    /// What the gateway answers by itself, by its own word for the case.
    pub gateway_responses: BTreeMap<String, GatewayResponse>,
}

/// A parameter.
#[derive(Debug, Clone)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What the operator reads; empty where nothing is said.
    pub description: String,
    /// What holds where the operator says nothing; `None`: the operator must.
    pub default: Option<String>,
}

/// An alarm.
#[derive(Debug, Clone)]
pub struct Alarm {
    /// Its name inside the template.
    pub logical_id: String,
    /// What whoever is woken by it reads.
    pub description: String,
    /// Namespace and name of every metric it looks at, and the resources that these are of.
    pub metrics: Vec<(String, String, BTreeSet<String>)>,
    /// Whom it tells.
    pub actions: Vec<String>,
}

/// An answer of the gateway.
#[derive(Debug, Clone)]
pub struct GatewayResponse {
    /// The status, where it is not the case's own.
    pub status: Option<u16>,
    /// Headers in lower case, as the gateway writes them: a text in single quotes, or where it takes it from.
    pub headers: BTreeMap<String, String>,
    /// The JSON body.
    pub body: String,
}

impl Stack {
    /// Reads the text of a template.
    ///
    /// # Errors
    /// When it is no template.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let root: Value = serde_norway::from_str(text).context("the template is no YAML")?;
        let mut stack = Self {
            parameters: entries(&root["Parameters"]).map(parameter).collect(),
            grouped: grouped(&root["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]),
            references: BTreeSet::new(),
            assertions: entries(&root["Rules"]).flat_map(|(_, rule)| asserted(rule)).collect(),
            alarms: Vec::new(),
            log_groups: BTreeMap::new(),
            gateway_responses: BTreeMap::new(),
        };
        references(&root, &mut stack.references);
        for (id, resource) in entries(&root["Resources"]) {
            let properties = &resource["Properties"];
            match resource["Type"].as_str() {
                Some("AWS::CloudWatch::Alarm") => stack.alarms.push(alarm(id, properties)),
                Some("AWS::Logs::LogGroup") => {
                    let name = inner(&properties["LogGroupName"]).as_str().unwrap_or_default().to_owned();
                    stack.log_groups.insert(name, !properties["RetentionInDays"].is_null());
                }
                Some("AWS::Serverless::Api") => stack.gateway_responses.extend(entries(&properties["GatewayResponses"]).map(response)),
                _ => {}
            }
        }
        Ok(stack)
    }
}

fn entries(mapping: &Value) -> impl Iterator<Item = (&str, &Value)> {
    mapping.as_mapping().into_iter().flatten().filter_map(|(name, value)| Some((name.as_str()?, value)))
}

/// What a tag such as `!Sub` is put before.
fn inner(value: &Value) -> &Value {
    if let Value::Tagged(tagged) = value { &tagged.value } else { value }
}

fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}

fn parameter((name, value): (&str, &Value)) -> Parameter {
    Parameter { name: name.to_owned(), description: scalar(&value["Description"]).unwrap_or_default(), default: scalar(&value["Default"]) }
}

fn grouped(groups: &Value) -> Vec<String> {
    let lists = groups.as_sequence().into_iter().flatten().filter_map(|group| group["Parameters"].as_sequence());
    lists.flatten().filter_map(scalar).collect()
}

fn asserted(rule: &Value) -> Vec<Value> {
    rule["Assertions"].as_sequence().into_iter().flatten().map(|assertion| assertion["Assert"].clone()).collect()
}

/// Whether an assertion holds where of all parameters only `given` are not empty; `None` where it asks for something else.
pub fn holds(assertion: &Value, given: &[&str]) -> Option<bool> {
    let Value::Tagged(tagged) = assertion else { return None };
    let parts = tagged.value.as_sequence()?;
    let verdicts = || parts.iter().map(|part| holds(part, given)).collect::<Option<Vec<bool>>>();
    match tagged.tag.to_string().as_str() {
        "!Equals" => {
            let (parameter, text) = (referred(parts.first()?)?, parts.get(1)?.as_str()?);
            text.is_empty().then(|| !given.contains(&parameter.as_str()))
        }
        "!Not" => verdicts()?.first().map(|verdict| !verdict),
        "!And" => Some(verdicts()?.into_iter().all(|verdict| verdict)),
        "!Or" => Some(verdicts()?.into_iter().any(|verdict| verdict)),
        _ => None,
    }
}

fn references(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::Tagged(tagged) => {
            found.extend(referred(value));
            let text = tagged.value.as_str().or(tagged.value.get(0).and_then(Value::as_str)).unwrap_or_default();
            let inserted = text.split("${").skip(1).filter_map(|rest| rest.split(['}', '.']).next());
            found.extend(inserted.map(str::to_owned));
            // The first of `!If` is a condition.
            found.extend(tagged.value.get(0).and_then(Value::as_str).map(str::to_owned));
            references(&tagged.value, found);
        }
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                if key.as_str() == Some("Condition") {
                    found.extend(value.as_str().map(str::to_owned));
                }
                references(value, found);
            }
        }
        Value::Sequence(sequence) => sequence.iter().for_each(|value| references(value, found)),
        _ => {}
    }
}

fn alarm(id: &str, properties: &Value) -> Alarm {
    let metric = |of: &Value| {
        let dimensions = of["Dimensions"].as_sequence().into_iter().flatten();
        let resources = dimensions.filter_map(|dimension| referred(&dimension["Value"])).collect();
        Some((of["Namespace"].as_str()?.to_owned(), of["MetricName"].as_str()?.to_owned(), resources))
    };
    let several = properties["Metrics"].as_sequence().into_iter().flatten().filter_map(|m| metric(&m["MetricStat"]["Metric"]));
    Alarm {
        logical_id: id.to_owned(),
        description: properties["AlarmDescription"].as_str().unwrap_or_default().to_owned(),
        metrics: metric(properties).into_iter().chain(several).collect(),
        actions: properties["AlarmActions"].as_sequence().into_iter().flatten().filter_map(referred).collect(),
    }
}

fn response((kind, value): (&str, &Value)) -> (String, GatewayResponse) {
    let headers = entries(&value["ResponseParameters"]["Headers"]).filter_map(|(name, value)| Some((name.to_lowercase(), scalar(value)?)));
    let response = GatewayResponse {
        status: scalar(&value["StatusCode"]).and_then(|text| text.parse().ok()),
        headers: headers.collect(),
        body: scalar(&value["ResponseTemplates"]["application/json"]).unwrap_or_default(),
    };
    (kind.to_owned(), response)
}
