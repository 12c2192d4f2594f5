//! The rules. Each returns one sentence per violation, so that all are seen at once.

use std::collections::{BTreeMap, BTreeSet};

use crate::template::Template;

/// AWS demands at least this many times the function's timeout of a queue that feeds it.
const VISIBILITY_TIMES_TIMEOUT: u64 = 6;
/// The answer type that makes partial failures count; a misspelt one is accepted by AWS and ignored.
const PARTIAL_FAILURES: &str = "ReportBatchItemFailures";
/// Variables that are no settings of ours: the runtime's, and the one whose change makes the functions start anew.
const RUNTIME_VARIABLES: [&str; 2] = ["AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "SECRETS_VERSION"];
/// Tasks that the workers know.
const TASKS: [&str; 6] = ["process-pending", "reset-stuck", "cleanup", "sweep", "reseal", "due-weeks"];
/// Paths that no function owns, as the local router names them, and the function that says so.
const UNOWNED_PATHS: [&str; 2] = ["/", "/{*rest}"];
const UNOWNED_FUNCTION: &str = "job-status";
/// The setting that every function has: it names the others.
const SECRET_ARN: &str = "RUNAWAY_SECRET_ARN";
/// The setting that every function has and that no reader of the configuration asks for, and what it must be: two stacks
/// do not share their metrics.
const METRICS_NAMESPACE: &str = "METRICS_NAMESPACE";
pub(crate) const OWN_METRICS: &str = "Runaway/${AWS::StackName}";
const EVERYBODYS: [&str; 2] = [SECRET_ARN, METRICS_NAMESPACE];
/// SAM's word for an answer that is passed on as it comes. The gateway's own, `STREAM`, is accepted and does nothing.
const STREAMED: &str = "RESPONSE_STREAM";
/// How long the gateway waits for an answer that it passes on as a whole, seconds.
const WHOLE_ANSWER_S_MAX: u64 = 29;

/// Every function with routes owns its whole path, with every method.
pub fn routes(template: &Template) -> Vec<String> {
    let mut broken = Vec::new();
    for function in template.functions.iter().filter(|function| !function.routes.is_empty()) {
        let own = format!("/functions/v1/{}", function.name);
        let expected = BTreeSet::from([own.clone(), format!("{own}/{{proxy+}}")]);
        let paths: BTreeSet<String> = function.routes.iter().map(|route| route.path.clone()).collect();
        if paths != expected {
            broken.push(format!("{} has the routes {paths:?} instead of {expected:?}", function.logical_id));
        }
        if function.routes.iter().any(|route| route.method != "ANY") {
            broken.push(format!("{} answers some methods only; the function decides them", function.logical_id));
        }
    }
    broken
}

/// The local router has exactly the template's routes, and sends all other paths to a function that answers 404.
/// `router` maps paths to functions.
pub fn router(template: &Template, router: &BTreeMap<String, String>) -> Vec<String> {
    let routes =
        template.functions.iter().flat_map(|f| f.routes.iter().map(|route| (route.path.replace("{proxy+}", "{*rest}"), f.name.clone())));
    let unowned = UNOWNED_PATHS.map(|path| (path.to_owned(), UNOWNED_FUNCTION.to_owned()));
    let expected: BTreeMap<String, String> = routes.chain(unowned).collect();
    let differs = |(path, function): &(&String, &String)| expected.get(*path) != Some(*function);
    let surplus = router.iter().filter(differs).map(|(path, _)| format!("the watch router has {path}, the template not"));
    let missing = expected.keys().filter(|path| !router.contains_key(*path)).map(|path| format!("the watch router lacks {path}"));
    surplus.chain(missing).collect()
}

/// The gateway passes on what `streaming` functions send as it comes and waits as long as they may take, and no longer than
/// it can for the others.
pub fn streaming(template: &Template, streaming: &BTreeSet<String>) -> Vec<String> {
    let mut broken = Vec::new();
    for function in &template.functions {
        let (id, streams) = (&function.logical_id, streaming.contains(&function.name));
        for route in &function.routes {
            let (mode, expected) = (route.transfer_mode.as_deref(), streams.then_some(STREAMED));
            if mode != expected {
                broken.push(format!("{id} has the transfer mode {mode:?} at {} instead of {expected:?}", route.path));
            }
            let waits_s = if streams { route.timeout_ms.unwrap_or_default() / 1000 } else { WHOLE_ANSWER_S_MAX };
            if function.timeout_s > waits_s {
                broken.push(format!("{id} may take {} s, and the gateway waits {waits_s} s at {}", function.timeout_s, route.path));
            }
        }
    }
    broken
}

/// Queues: partial failures are reported, messages stay hidden long enough, and none is lost without a trace.
pub fn queues(template: &Template) -> Vec<String> {
    let mut broken = Vec::new();
    for function in &template.functions {
        let Some(source) = &function.queue else { continue };
        let id = &function.logical_id;
        if source.response_types != [PARTIAL_FAILURES] {
            broken.push(format!("{id} answers {:?} instead of {PARTIAL_FAILURES}", source.response_types));
        }
        // What a reserved concurrency turns away counts as a failed delivery; the schedules come on top.
        let needed = source.concurrency_max.map(|batches| batches + u64::from(!function.schedules.is_empty()));
        match (needed, function.concurrency) {
            (None, _) => broken.push(format!("{id} may be started by its queue without limit")),
            (Some(needed), Some(reserved)) if reserved < needed => {
                broken.push(format!("{id} has {reserved} of its own and its queue and schedules may start {needed}"));
            }
            _ => {}
        }
        let Some(queue) = template.queues.iter().find(|queue| queue.logical_id == source.queue) else {
            broken.push(format!("{id} takes from {:?}, which is no queue of the template", source.queue));
            continue;
        };
        if queue.visibility_timeout_s < VISIBILITY_TIMES_TIMEOUT * function.timeout_s {
            broken.push(format!("{} hides messages for less than six times the timeout of {id}", queue.logical_id));
        }
        let dead_letters = queue.redrive.as_ref().and_then(|(target, _)| template.queues.iter().find(|other| other.logical_id == *target));
        match dead_letters {
            None => broken.push(format!("{} has no dead-letter queue in the template", queue.logical_id)),
            // A dead letter keeps the time of its first sending.
            Some(kept) if kept.retention_s <= queue.retention_s => {
                broken.push(format!("{} drops messages before anybody sees them", kept.logical_id));
            }
            Some(_) => {}
        }
    }
    let plain = template.queues.iter().filter(|queue| !queue.is_encrypted);
    broken.extend(plain.map(|queue| format!("{} keeps its messages unencrypted", queue.logical_id)));
    broken
}

/// Schedules: a time that can be read, a task that exists, every task scheduled, and names that another stack has not.
pub fn schedules(template: &Template) -> Vec<String> {
    let mut broken = Vec::new();
    let mut scheduled = BTreeSet::new();
    for schedule in template.functions.iter().flat_map(|function| &function.schedules) {
        if schedule.timing().is_none() {
            broken.push(format!("the schedule {} has the unreadable time {}", schedule.name, schedule.expression));
        }
        let input: serde_json::Value = serde_json::from_str(&schedule.input).unwrap_or_default();
        match input["task"].as_str() {
            Some(task) if TASKS.contains(&task) => {
                scheduled.insert(task.to_owned());
                let expected = format!("${{AWS::StackName}}-{task}");
                if schedule.full_name != expected {
                    broken.push(format!("the schedule {} is called {:?} instead of {expected}", schedule.name, schedule.full_name));
                }
            }
            _ => broken.push(format!("the schedule {} asks for no known task: {}", schedule.name, schedule.input)),
        }
    }
    broken.extend(TASKS.iter().filter(|task| !scheduled.contains(**task)).map(|task| format!("no schedule asks for {task}")));
    broken
}

/// Every variable of a function is a setting that the configuration knows and that is no secret, is read by the function,
/// takes its value from what has the setting's name, and none that the function reads is missing. `settings` are
/// names and whether they are secret, `reads` what each function reads.
pub fn environment(template: &Template, settings: &[(&str, bool)], reads: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut broken = Vec::new();
    for function in &template.functions {
        let id = &function.logical_id;
        let Some(read) = reads.get(&function.name) else { continue };
        for (variable, origin) in &function.environment {
            match settings.iter().find(|(name, _)| name == variable) {
                _ if RUNTIME_VARIABLES.contains(&variable.as_str()) => {}
                None => broken.push(format!("{id} has the variable {variable}, which is no setting")),
                Some((_, true)) => broken.push(format!("{id} has the secret {variable} in its environment")),
                Some(_) if !names(variable, origin) => broken.push(format!("{id} takes {variable} from {origin}")),
                Some(_) if !EVERYBODYS.contains(&variable.as_str()) && !read.contains(variable) => {
                    broken.push(format!("{id} does not read {variable}"));
                }
                Some(_) => {}
            }
        }
        let is_plain = |name: &&String| settings.iter().any(|(setting, secret)| setting == name && !secret);
        let needed = read.iter().filter(is_plain).map(String::as_str).chain(EVERYBODYS);
        let missing = needed.filter(|name| !function.environment.contains_key(*name));
        broken.extend(missing.map(|name| format!("{id} reads {name} and is not given it")));
    }
    broken
}

/// Whether `origin`, a parameter, queue or secret of the template, has the variable's name: `AuthIssuer` for
/// `AUTH_ISSUER`, `SyncQueue` for `SYNC_QUEUE_URL`.
fn names(variable: &str, origin: &str) -> bool {
    if variable == SECRET_ARN {
        return origin.ends_with("Secret");
    }
    if variable == METRICS_NAMESPACE {
        return origin == OWN_METRICS;
    }
    let words = variable.strip_suffix("_QUEUE_URL").map_or(variable.to_owned(), |queue| format!("{queue}_QUEUE"));
    words.replace('_', "").eq_ignore_ascii_case(origin)
}

/// Every setting is read by some function of the template.
pub fn settings_are_read(settings: &[(&str, bool)], reads: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let is_read = |name: &str| EVERYBODYS.contains(&name) || reads.values().any(|read| read.contains(name));
    settings.iter().filter(|(name, _)| !is_read(name)).map(|(name, _)| format!("no function reads the setting {name}")).collect()
}

/// Functions of the template and binaries of the Lambda crates are the same.
pub fn functions(template: &Template, binaries: &BTreeSet<String>) -> Vec<String> {
    let named: BTreeSet<String> = template.functions.iter().map(|function| function.name.clone()).collect();
    let unknown = named.difference(binaries).map(|name| format!("the template's function {name} has no binary"));
    let missing = binaries.difference(&named).map(|name| format!("the binary {name} is no function of the template"));
    unknown.chain(missing).collect()
}
