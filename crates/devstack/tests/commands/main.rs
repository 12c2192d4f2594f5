//! The operator's commands as a person runs them: the built `devstack` in a folder of its own, with stand-ins for AWS's
//! command lines that note what they are asked, and the real Secrets Manager and SQS protocols and PostgreSQL behind it.
#![expect(clippy::unwrap_used, reason = "a test ends where something is missing")]

mod deploying;
mod looking;
mod migrating;
mod secrets;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use testkit::database::required;
use uuid::Uuid;

/// What every command is given and nothing else of the test's environment.
const FROM_OUTSIDE: [&str; 7] = [
    "PATH",
    "HOME",
    "AWS_ENDPOINT_URL_SQS",
    "AWS_ENDPOINT_URL_SECRETS_MANAGER",
    "AWS_REGION",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
];

/// A clone as far as the commands look at it.
pub(crate) struct Clone {
    folder: PathBuf,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) succeeded: bool,
    pub(crate) text: String,
}

impl Clone {
    pub(crate) fn new() -> Self {
        let folder = std::env::temp_dir().join(format!("runaway-commands-{}", Uuid::new_v4().simple()));
        fs::create_dir_all(folder.join("bin")).unwrap();
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        for file in ["template.yaml", "samconfig.toml"] {
            fs::copy(root.join(file), folder.join(file)).unwrap();
        }
        Self { folder }
    }

    pub(crate) fn path(&self, file: &str) -> PathBuf {
        self.folder.join(file)
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        let path = self.path(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Puts a program on the path that notes its arguments, one line per call, and then does what `script` says.
    pub(crate) fn stand_in(&self, program: &str, script: &str) {
        let record = self.path("calls");
        let text = format!("#!/bin/sh\nprintf '%s\\n' \"{program} $*\" >> '{}'\n{script}\n", record.display());
        let path = self.path("bin").join(program);
        fs::write(&path, text).unwrap();
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// An `aws` that knows who asks and answers with these outputs of the stack.
    pub(crate) fn stand_in_for_aws(&self, outputs: &[(&str, &str)], invocation: &str) {
        let outputs: Vec<String> =
            outputs.iter().map(|(key, value)| format!(r#"{{"OutputKey":"{key}","OutputValue":"{value}"}}"#)).collect();
        let script = format!(
            r#"case "$1 $2" in
"sts get-caller-identity") echo '{{"UserId":"u","Account":"123456789012","Arn":"arn:aws:iam::123456789012:user/u"}}' ;;
"cloudformation describe-stacks") echo '{{"Stacks":[{{"StackName":"runaway","Outputs":[{}]}}]}}' ;;
"lambda invoke") {invocation} ;;
*) echo "unexpected: $*" >&2; exit 1 ;;
esac"#,
            outputs.join(",")
        );
        self.stand_in("aws", &script);
    }

    /// What the stand-ins were asked.
    pub(crate) fn calls(&self) -> Vec<String> {
        fs::read_to_string(self.path("calls")).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// Runs a command with these variables and nobody at the keyboard.
    pub(crate) fn run(&self, command: &[&str], variables: &[(&str, &str)]) -> Outcome {
        #[expect(clippy::disallowed_methods, reason = "what the test was given is handed on")]
        let outside = FROM_OUTSIDE.iter().filter_map(|name| Some((*name, std::env::var(name).ok()?)));
        let mut process = Command::new(env!("CARGO_BIN_EXE_devstack"));
        process.args(command).current_dir(&self.folder).env_clear().envs(outside);
        let path = format!("{}:{}", self.path("bin").display(), required("PATH"));
        process.env("PATH", path).envs(variables.iter().copied()).stdin(Stdio::null());
        let output = process.output().unwrap();
        let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        Outcome { succeeded: output.status.success(), text }
    }
}

impl Drop for Clone {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).ok();
    }
}

impl Outcome {
    /// Ends the test unless the command succeeded and said all of these.
    pub(crate) fn assert_done(&self, said: &[&str]) {
        assert!(self.succeeded, "{}", self.text);
        self.assert_said(said);
    }

    /// Ends the test unless the command refused and said all of these.
    pub(crate) fn assert_refused(&self, said: &[&str]) {
        assert!(!self.succeeded, "{}", self.text);
        self.assert_said(said);
    }

    fn assert_said(&self, said: &[&str]) {
        for expected in said {
            assert!(self.text.contains(expected), "{expected:?} was not said:\n{}", self.text);
        }
    }
}
