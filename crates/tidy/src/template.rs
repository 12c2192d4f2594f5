//! What `template.yaml` says of functions, queues and schedules.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::Context as _;
use serde_norway::Value;

use crate::permissions::{Permission, permissions};

/// The parts of the template that the local world and the rules need.
#[derive(Debug, Clone)]
pub struct Template {
    /// The functions, in the template's order.
    pub functions: Vec<Function>,
    /// The queues, in the template's order.
    pub queues: Vec<Queue>,
}

/// A Lambda function.
#[derive(Debug, Clone)]
pub struct Function {
    /// The binary, which has the crate's name.
    pub name: String,
    /// Its name inside the template.
    pub logical_id: String,
    /// The routes.
    pub routes: Vec<Route>,
    /// Seconds.
    pub timeout_s: u64,
    /// Megabytes.
    pub memory_mb: u64,
    /// How many of it may run at once; `None`: as many as are called.
    pub concurrency: Option<u64>,
    /// Its environment variables, the global ones included: the parameter or resource that each takes its value from,
    /// or the value itself.
    pub environment: BTreeMap<String, String>,
    /// What it may do.
    pub permissions: Vec<Permission>,
    /// Whether its role stands in the template; otherwise SAM makes one, which may write logs and traces.
    pub has_own_role: bool,
    /// The queue it is invoked by.
    pub queue: Option<QueueSource>,
    /// The schedules it is invoked by.
    pub schedules: Vec<Schedule>,
}

/// A route of the API.
#[derive(Debug, Clone)]
pub struct Route {
    /// GET, POST, … or ANY.
    pub method: String,
    /// From the root, with `{proxy+}`.
    pub path: String,
    /// How the answer is passed on; `None`: as a whole.
    pub transfer_mode: Option<String>,
    /// How long the gateway waits, milliseconds, where it is not its own limit.
    pub timeout_ms: Option<u64>,
}

/// A queue as a function's event source.
#[derive(Debug, Clone)]
pub struct QueueSource {
    /// The queue's name inside the template.
    pub queue: String,
    /// Records of one invocation at most.
    pub batch_size: u32,
    /// What the function's answer means.
    pub response_types: Vec<String>,
    /// Batches under way at once at most; `None`: without limit.
    pub concurrency_max: Option<u64>,
}

/// A schedule as a function's event source.
#[derive(Debug, Clone)]
pub struct Schedule {
    /// Its name inside the function.
    pub name: String,
    /// Its name among all of the account and region; SAM gives one that does not name the stack where this is empty.
    pub full_name: String,
    /// `rate(5 minutes)` or `cron(0 2 * * ? *)`.
    pub expression: String,
    /// The event, JSON.
    pub input: String,
}

/// An SQS queue.
#[derive(Debug, Clone)]
pub struct Queue {
    /// Its name inside the template.
    pub logical_id: String,
    /// Seconds for which a delivered message is hidden.
    pub visibility_timeout_s: u64,
    /// Seconds after which a message is dropped, counted from its first sending.
    pub retention_s: u64,
    /// Whether messages are encrypted where they are kept.
    pub is_encrypted: bool,
    /// Where messages go that failed too often, and after how many deliveries.
    pub redrive: Option<(String, u32)>,
}

/// When a schedule runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// Again and again, after so many seconds.
    Every {
        /// Length of the period.
        period_s: u64,
    },
    /// Once a day at this time, UTC.
    Daily {
        /// 0 to 23.
        hour: i8,
        /// 0 to 59.
        minute: i8,
    },
}

impl Schedule {
    /// What a `rate(5 minutes)` or a daily `cron(0 2 * * ? *)` means; `None` for every other expression.
    pub fn timing(&self) -> Option<Timing> {
        let inside = |word: &str| self.expression.strip_prefix(word)?.strip_prefix('(')?.strip_suffix(')');
        if let Some(fields) = inside("cron") {
            let (minute, rest) = fields.split_once(' ')?;
            let hour: i8 = rest.strip_suffix(" * * ? *")?.parse().ok()?;
            let minute: i8 = minute.parse().ok()?;
            return ((0..24).contains(&hour) && (0..60).contains(&minute)).then_some(Timing::Daily { hour, minute });
        }
        let (number, unit) = inside("rate")?.split_once(' ')?;
        let unit_s = match unit.trim_end_matches('s') {
            "minute" => 60,
            "hour" => 3600,
            "day" => 86_400,
            _ => return None,
        };
        let period_s = number.parse::<u64>().ok()? * unit_s;
        (period_s > 0).then_some(Timing::Every { period_s })
    }
}

impl Template {
    /// Reads the file.
    ///
    /// # Errors
    /// When it is not there or is no template.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        Self::parse(&std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?)
    }

    /// Reads the text of a template.
    ///
    /// # Errors
    /// When it is no template.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let root: Value = serde_norway::from_str(text).context("the template is no YAML")?;
        let globals = &root["Globals"]["Function"];
        let resources = root["Resources"].as_mapping().context("the template has no Resources")?;
        let (mut functions, mut queues) = (Vec::new(), Vec::new());
        for (id, resource) in resources {
            let id = id.as_str().context("a resource's name is no text")?;
            match resource["Type"].as_str() {
                Some("AWS::Serverless::Function") => functions.push(function(id, resource, globals, &root["Resources"])?),
                Some("AWS::SQS::Queue") => queues.push(queue(id, resource)),
                _ => {}
            }
        }
        Ok(Self { functions, queues })
    }

    /// The function with this binary.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }
}

/// The resource that `!Ref X` or `!GetAtt X.Y` names.
pub(crate) fn referred(value: &Value) -> Option<String> {
    let Value::Tagged(tagged) = value else { return None };
    let name = tagged.value.as_str()?;
    Some(name.split('.').next().unwrap_or(name).to_owned())
}

fn variables(of: &Value) -> impl Iterator<Item = (String, String)> {
    let pairs = of["Environment"]["Variables"].as_mapping().into_iter().flatten();
    pairs.filter_map(|(name, value)| {
        Some((name.as_str()?.to_owned(), referred(value).or(value.as_str().map(str::to_owned)).unwrap_or_default()))
    })
}

/// The number of `!If [ReservesConcurrency, 3, !Ref AWS::NoValue]`, or one that always holds.
fn concurrency(value: &Value) -> Option<u64> {
    match value {
        Value::Tagged(tagged) => tagged.value.get(1)?.as_u64(),
        other => other.as_u64(),
    }
}

fn function(id: &str, resource: &Value, globals: &Value, resources: &Value) -> anyhow::Result<Function> {
    let properties = &resource["Properties"];
    let binary = resource["Metadata"]["BuildProperties"]["Binary"].as_str();
    let number = |name: &str| properties[name].as_u64().or(globals[name].as_u64()).with_context(|| format!("{id} has no {name}"));
    let mut function = Function {
        name: binary.with_context(|| format!("{id} names no binary"))?.to_owned(),
        logical_id: id.to_owned(),
        routes: Vec::new(),
        timeout_s: number("Timeout")?,
        memory_mb: number("MemorySize")?,
        concurrency: concurrency(&properties["ReservedConcurrentExecutions"]),
        environment: variables(globals).chain(variables(properties)).collect(),
        permissions: permissions(properties, resources),
        has_own_role: !properties["Role"].is_null(),
        queue: None,
        schedules: Vec::new(),
    };
    for (name, event) in properties["Events"].as_mapping().into_iter().flatten() {
        let event_properties = &event["Properties"];
        let text = |field: &str| event_properties[field].as_str().unwrap_or_default().to_owned();
        match event["Type"].as_str() {
            Some("Api") => function.routes.push(Route {
                method: text("Method"),
                path: text("Path"),
                transfer_mode: event_properties["ResponseTransferMode"].as_str().map(str::to_owned),
                timeout_ms: event_properties["TimeoutInMillis"].as_u64(),
            }),
            Some("SQS") => function.queue = Some(queue_source(event_properties)),
            Some("ScheduleV2") => function.schedules.push(Schedule {
                name: name.as_str().unwrap_or_default().to_owned(),
                full_name: text("Name"),
                expression: text("ScheduleExpression"),
                input: text("Input"),
            }),
            other => anyhow::bail!("{id} has an event of the kind {other:?}"),
        }
    }
    Ok(function)
}

fn queue_source(properties: &Value) -> QueueSource {
    let types = properties["FunctionResponseTypes"].as_sequence();
    QueueSource {
        queue: referred(&properties["Queue"]).unwrap_or_default(),
        batch_size: properties["BatchSize"].as_u64().and_then(|n| u32::try_from(n).ok()).unwrap_or(10),
        response_types: types.into_iter().flatten().filter_map(|t| t.as_str().map(str::to_owned)).collect(),
        concurrency_max: properties["ScalingConfig"]["MaximumConcurrency"].as_u64(),
    }
}

fn queue(id: &str, resource: &Value) -> Queue {
    /// What SQS uses where a queue says nothing.
    const VISIBILITY_DEFAULT_S: u64 = 30;
    const RETENTION_DEFAULT_S: u64 = 345_600;
    let properties = &resource["Properties"];
    let redrive = &properties["RedrivePolicy"];
    let receive_count_max = redrive["maxReceiveCount"].as_u64().and_then(|n| u32::try_from(n).ok());
    Queue {
        logical_id: id.to_owned(),
        visibility_timeout_s: properties["VisibilityTimeout"].as_u64().unwrap_or(VISIBILITY_DEFAULT_S),
        retention_s: properties["MessageRetentionPeriod"].as_u64().unwrap_or(RETENTION_DEFAULT_S),
        is_encrypted: properties["SqsManagedSseEnabled"].as_bool().unwrap_or_default(),
        redrive: referred(&redrive["deadLetterTargetArn"]).zip(receive_count_max),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_daily_times_are_read_and_nothing_else() {
        let timing = |expression: &str| {
            let (name, full_name, input) = (String::new(), String::new(), String::new());
            Schedule { name, full_name, expression: expression.to_owned(), input }.timing()
        };
        assert_eq!(timing("rate(5 minutes)"), Some(Timing::Every { period_s: 300 }));
        assert_eq!(timing("rate(1 day)"), Some(Timing::Every { period_s: 86_400 }));
        assert_eq!(timing("cron(30 2 * * ? *)"), Some(Timing::Daily { hour: 2, minute: 30 }));
        for unread in
            ["rate(five minutes)", "rate(0 minutes)", "cron(0 24 * * ? *)", "cron(0 2 * * MON *)", "cron(0 2 * * ? *", "at(2026-01-01)"]
        {
            assert_eq!(timing(unread), None, "{unread}");
        }
    }
}
