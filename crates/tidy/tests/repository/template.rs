//! The template against the crates, the router, the settings and the runbook.

use std::collections::{BTreeMap, BTreeSet};

use tidy::stack::Stack;
use tidy::template::Template;
use tidy::{operation, permissions, rules, sources};

use crate::{binaries, pools, programs, read, settings, settings_read};

/// What the rules need beside the template.
struct Surroundings {
    router: BTreeMap<String, String>,
    binaries: BTreeSet<String>,
    streaming: BTreeSet<String>,
    settings: Vec<(&'static str, bool)>,
    reads: BTreeMap<String, BTreeSet<String>>,
    pools: BTreeMap<String, u64>,
    runbook: String,
    answer: String,
}

impl Surroundings {
    fn read() -> Self {
        Self {
            router: watch_router(),
            binaries: binaries(),
            streaming: programs().into_iter().filter(|(_, (main, _))| sources::streams(main)).map(|(name, _)| name).collect(),
            settings: settings(),
            reads: settings_read(),
            pools: pools(),
            runbook: read("docs/runbook.md"),
            answer: read("crates/runaway-core/src/http/answer.rs"),
        }
    }

    /// What is wrong with a template, each with the rule that says so.
    fn violations(&self, text: &str) -> Vec<(&'static str, String)> {
        let (template, stack) = (Template::parse(text).unwrap(), Stack::parse(text).unwrap());
        let rules: [(&'static str, Vec<String>); 14] = [
            ("routes", rules::routes(&template)),
            ("router", rules::router(&template, &self.router)),
            ("streaming", rules::streaming(&template, &self.streaming)),
            ("queues", rules::queues(&template)),
            ("schedules", rules::schedules(&template)),
            ("environment", rules::environment(&template, &self.settings, &self.reads)),
            ("functions", rules::functions(&template, &self.binaries)),
            ("permissions", permissions::least(&template)),
            ("connections", operation::connections(&template, &stack, &self.pools)),
            ("logs", operation::logs(&template, &stack)),
            ("alarms", operation::alarms(&template, &stack, &self.runbook)),
            ("parameters", operation::parameters(&stack)),
            ("network", operation::network(&stack)),
            ("gateway", operation::gateway(&stack, &self.answer)),
        ];
        rules.into_iter().flat_map(|(rule, broken)| broken.into_iter().map(move |sentence| (rule, sentence))).collect()
    }
}

fn watch_router() -> BTreeMap<String, String> {
    let manifest = read("Cargo.toml");
    let (_, section) = manifest.split_once("[workspace.metadata.lambda.watch.router]").unwrap();
    let lines = section.lines().skip(1).take_while(|line| !line.starts_with('['));
    let unquoted = |text: &str| text.trim().trim_matches('"').to_owned();
    lines.filter_map(|line| line.split_once(" = ")).map(|(path, function)| (unquoted(path), unquoted(function))).collect()
}

#[test]
fn the_template_the_router_and_the_crates_agree() {
    let broken = Surroundings::read().violations(&read("template.yaml"));
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_setting_is_read_by_a_function() {
    crate::assert_none(&rules::settings_are_read(&settings(), &settings_read()));
    let unread = rules::settings_are_read(&[("NOBODY_READS", false)], &settings_read());
    assert_eq!(unread.len(), 1);
}

const REDRIVE: &str = "      RedrivePolicy:
        deadLetterTargetArn: !GetAtt SyncDeadLetterQueue.Arn
        maxReceiveCount: 5
";
const RESET_STUCK: &str = "        ResetStuck:
          Type: ScheduleV2
          Properties:
            Name: !Sub \"${AWS::StackName}-reset-stuck\"
            ScheduleExpression: rate(10 minutes)
            Input: '{\"task\": \"reset-stuck\"}'
            RetryPolicy:
              MaximumRetryAttempts: 2
              MaximumEventAgeInSeconds: 600
";
const MESSAGES_DESCRIPTION: &str = "    Description: Messages to the coach of one athlete in a day\n";

/// The rule that must find it, what the template says, and the mistake.
const PLANTED: &[(&str, &str, &str)] = &[
    ("routes", "Path: /functions/v1/sync-beta\n", "Path: /functions/v1/sync\n"),
    ("routes", "Method: ANY", "Method: POST"),
    ("router", "Path: /functions/v1/sync-beta/{proxy+}", "Path: /functions/v1/sync-beta/{id}"),
    ("streaming", "ResponseTransferMode: RESPONSE_STREAM", "ResponseTransferMode: STREAM"),
    ("streaming", "TimeoutInMillis: 120000", "TimeoutInMillis: 29000"),
    ("streaming", "Timeout: 29\n", "Timeout: 30\n"),
    ("queues", "FunctionResponseTypes: [ReportBatchItemFailures]", "FunctionResponseTypes: [ReportBatchItemFailuresX]"),
    ("queues", REDRIVE, ""),
    ("queues", "deadLetterTargetArn: !GetAtt SyncDeadLetterQueue.Arn", "deadLetterTargetArn: !GetAtt Nowhere.Arn"),
    ("queues", "VisibilityTimeout: 1800", "VisibilityTimeout: 1799"),
    ("queues", "MemorySize: 512\n      Timeout: 300", "MemorySize: 512\n      Timeout: 301"),
    ("queues", "MaximumConcurrency: 8", "MaximumConcurrency: 10"),
    ("queues", "MessageRetentionPeriod: 1209600", "MessageRetentionPeriod: 345600"),
    ("queues", "SqsManagedSseEnabled: true", "SqsManagedSseEnabled: false"),
    ("schedules", "rate(5 minutes)", "rate(five minutes)"),
    ("schedules", "cron(0 2 * * ? *)", "cron(0 2 * * *)"),
    ("schedules", RESET_STUCK, ""),
    ("schedules", "            Name: !Sub \"${AWS::StackName}-sweep\"\n", ""),
    ("schedules", "Name: !Sub \"${AWS::StackName}-due-weeks\"", "Name: due-weeks"),
    ("schedules", r#"'{"task": "due-weeks"}'"#, r#"'{"task": "weeks"}'"#),
    ("environment", "STRAVA_CLIENT_ID: !Ref", "STRAVA_CLIENT_IDENTITY: !Ref"),
    ("environment", "AUTH_ISSUER: !Ref AuthIssuer", "TOKEN_KEYS: !Ref AuthIssuer"),
    ("environment", "AUTH_ISSUER: !Ref AuthIssuer", "AUTH_ISSUER: !Ref AuthJwksUrl"),
    ("environment", "METRICS_NAMESPACE: !Sub \"Runaway/${AWS::StackName}\"", "METRICS_NAMESPACE: Runaway"),
    ("environment", "        METRICS_NAMESPACE: !Sub \"Runaway/${AWS::StackName}\"\n", ""),
    ("environment", "          AUTH_AUDIENCE: !Ref AuthAudience\n", ""),
    (
        "environment",
        "          SYNC_QUEUE_URL: !Ref SyncQueue\n",
        "          SYNC_QUEUE_URL: !Ref SyncQueue\n          RETENTION_DAYS: !Ref RetentionDays\n",
    ),
    ("functions", "Binary: job-status", "Binary: job-state"),
    ("functions", "Binary: journal-worker", "Binary: journal-writer"),
    ("permissions", "Resource: !GetAtt SyncQueue.Arn", "Resource: \"*\""),
    ("permissions", "[sqs:SendMessage, sqs:ReceiveMessage,", "[\"sqs:*\","),
    ("permissions", "            SecretArn: !Ref FunctionsSecret", "            SecretArn: !Ref MigrateSecret"),
    ("permissions", "Policies:\n        - AWSSecretsManager", "Policies:\n        - AmazonSQSFullAccess\n        - AWSSecretsManager"),
    ("permissions", "      Role: !GetAtt JournalWorkerRole.Arn\n", ""),
    ("connections", "[ReservesConcurrency, 3, ", "[ReservesConcurrency, 4, "),
    ("connections", "      ReservedConcurrentExecutions: !If [ReservesConcurrency, 8, !Ref AWS::NoValue]\n", ""),
    ("logs", "\"/aws/lambda/${AWS::StackName}-chat\"", "\"/aws/lambda/${AWS::StackName}-coach\""),
    ("logs", "      RetentionInDays: !Ref LogRetentionDays\n", ""),
    ("alarms", " - docs/runbook.md#dead-letters", ""),
    ("alarms", "docs/runbook.md#dead-letters", "docs/runbook.md#live-letters"),
    ("alarms", "      AlarmActions: [!Ref AlarmTopic]\n", ""),
    ("alarms", "Value: !GetAtt JournalDeadLetterQueue.QueueName", "Value: !GetAtt SyncDeadLetterQueue.QueueName"),
    ("alarms", "MetricName: SyncLag", "MetricName: SyncLog"),
    ("alarms", "MetricName: StravaCallsLeftForHistories", "MetricName: StravaCallsLeftToday"),
    ("alarms", "Namespace: !Sub \"Runaway/${AWS::StackName}\"", "Namespace: Runaway"),
    ("network", "[!Equals [!Ref SubnetIds, \"\"], !Equals", "[!Equals [!Ref SecurityGroupIds, \"\"], !Equals"),
    ("network", "Assert: !Or", "Assert: !And"),
    ("parameters", MESSAGES_DESCRIPTION, ""),
    ("parameters", "ChatMessagesPerDay, ChatTokensPerDay,", "ChatTokensPerDay,"),
    ("parameters", "  ModelSources:\n    Type: String\n", "  ModelSources:\n    Type: String\n    Default: strava\n"),
    ("parameters", "!Ref LogRetentionDays", "30"),
    ("gateway", "        THROTTLED:\n", "        THROTTLE:\n"),
    ("gateway", "\"code\": \"PAYLOAD_TOO_LARGE\"", "\"code\": \"TOO_LARGE\""),
    ("gateway", ", \"request_id\": \"$context.requestId\"", ""),
    ("gateway", "Access-Control-Allow-Origin: \"'*'\"", "Access-Control-Allow-Origin: \"'https://app'\""),
];

#[test]
fn a_planted_mistake_is_found_by_its_rule() {
    let (text, surroundings) = (read("template.yaml"), Surroundings::read());
    for (rule, right, wrong) in PLANTED {
        assert!(text.contains(right), "the template no longer says {right}");
        // Where one place is not the whole mistake, every place has it.
        let planted = if *right == "!Ref LogRetentionDays" { text.replace(right, wrong) } else { text.replacen(right, wrong, 1) };
        let found = surroundings.violations(&planted);
        assert!(found.iter().any(|(by, _)| by == rule), "{wrong:?} instead of {right:?} was not found by {rule}: {found:#?}");
    }
}
