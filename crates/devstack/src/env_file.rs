//! `.devstack/env`: what scripts and the functions need to know of the running world. Its presence means that the
//! world answers.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use anyhow::Context as _;

/// Names and values.
pub(crate) type Variables = BTreeMap<String, String>;

const NAME: &str = "env";
/// Readable by its owner alone: it holds keys.
const MODE: u32 = 0o600;

/// The written file; it goes with the world, however that ends.
pub(crate) struct Written(PathBuf);

impl Drop for Written {
    fn drop(&mut self) {
        remove(&self.0);
    }
}

/// Writes the file so that nobody sees half of it.
pub(crate) fn write(folder: &Path, variables: &Variables) -> anyhow::Result<Written> {
    let mut text = String::new();
    for (name, value) in variables {
        writeln!(text, "{name}={value}").context("composing .devstack/env")?;
    }
    write_private(&folder.join(NAME), text.as_bytes())?;
    Ok(Written(folder.to_owned()))
}

/// Reads the file.
pub(crate) fn read(folder: &Path) -> anyhow::Result<Variables> {
    let text = fs::read_to_string(folder.join(NAME)).context("no world runs here: start it with `make dev`")?;
    Ok(text.lines().filter_map(|line| line.split_once('=')).map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

/// Removes the file: the world no longer answers, or not yet.
pub(crate) fn remove(folder: &Path) {
    fs::remove_file(folder.join(NAME)).ok();
}

/// Writes a file that only its owner can read, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> anyhow::Result<()> {
    use std::io::Write as _;
    let draft = path.with_extension("draft");
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(MODE).open(&draft).context("creating a file")?;
    file.set_permissions(fs::Permissions::from_mode(MODE)).context("closing a file to others")?;
    file.write_all(content).context("writing a file")?;
    fs::rename(&draft, path).with_context(|| format!("writing {}", path.display()))
}
