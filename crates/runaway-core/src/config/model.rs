//! Which model answers, and whose data it may see.

use secrecy::{ExposeSecret as _, SecretString};

use super::{Reader, entries};

/// The model where `ANTHROPIC_MODEL` says nothing.
const MODEL_DEFAULT: &str = "claude-sonnet-5-5";

/// How much the model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    /// Quick and cheap.
    Low,
    /// Between the two.
    Medium,
    /// Thorough; the most with which thinking may be confined to the pauses between tools.
    High,
}

/// Claude's API.
#[derive(Debug, Clone)]
pub struct ClaudeConfig {
    /// Base of `/v1/messages`.
    pub base_url: String,
    /// The key.
    pub api_key: SecretString,
    /// The model's id.
    pub model: String,
    /// How much it thinks, in every request.
    pub effort: Effort,
}

/// Whether there is a model, and which sources' data may be sent to it.
#[derive(Debug, Clone)]
pub struct ModelConfig {
    /// The model; absent without a key.
    pub claude: Option<ClaudeConfig>,
    /// Values of the column `source` whose rows may be sent.
    pub sources: Vec<String>,
}

impl ModelConfig {
    /// Reads the four `ANTHROPIC_…` settings and `MODEL_SOURCES`.
    pub fn read(from: &mut Reader<'_>) -> Self {
        let effort = effort(from);
        let model = from.optional("ANTHROPIC_MODEL").unwrap_or_else(|| MODEL_DEFAULT.to_owned());
        if !model.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._:".contains(&b)) {
            from.problem("ANTHROPIC_MODEL", "is no model's id");
        }
        let claude = api_key(from).map(|api_key| ClaudeConfig { base_url: from.url("ANTHROPIC_BASE_URL"), api_key, model, effort });
        Self { claude, sources: sources(from) }
    }
}

fn effort(from: &mut Reader<'_>) -> Effort {
    match from.optional("ANTHROPIC_EFFORT").as_deref() {
        Some("low") => Effort::Low,
        None | Some("medium") => Effort::Medium,
        Some("high") => Effort::High,
        Some(_) => {
            from.problem("ANTHROPIC_EFFORT", "is not low, medium or high");
            Effort::Medium
        }
    }
}

fn api_key(from: &mut Reader<'_>) -> Option<SecretString> {
    let key = from.optional("ANTHROPIC_API_KEY").map(SecretString::from)?;
    if !key.expose_secret().bytes().all(|b| b.is_ascii_graphic()) {
        from.problem("ANTHROPIC_API_KEY", "holds characters that no key has");
    }
    Some(key)
}

fn sources(from: &mut Reader<'_>) -> Vec<String> {
    let list = entries(&from.optional("MODEL_SOURCES").unwrap_or_default());
    if list.iter().any(|entry| !entry.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')) {
        from.problem("MODEL_SOURCES", "holds an entry that is no source");
    }
    list
}

#[cfg(test)]
mod tests {
    use super::super::Settings;
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<ModelConfig, String> {
        Settings::from_pairs(pairs.iter().copied()).read(ModelConfig::read).map_err(|error| error.to_string())
    }

    #[test]
    fn without_a_key_there_is_no_model_and_nothing_is_missing() {
        let config = read(&[]).unwrap();
        assert!(config.claude.is_none() && config.sources.is_empty());
        let config = read(&[("ANTHROPIC_API_KEY", ""), ("MODEL_SOURCES", "")]).unwrap();
        assert!(config.claude.is_none() && config.sources.is_empty());
    }

    #[test]
    fn a_key_needs_an_address() {
        let key = ("ANTHROPIC_API_KEY", "sk-1");
        assert!(read(&[key]).unwrap_err().contains("ANTHROPIC_BASE_URL is missing"));
        let base = ("ANTHROPIC_BASE_URL", "http://localhost:1/");
        let config = read(&[key, base, ("MODEL_SOURCES", "strava, upload,")]).unwrap();
        let claude = config.claude.unwrap();
        assert_eq!((claude.base_url.as_str(), claude.model.as_str(), claude.effort), ("http://localhost:1", MODEL_DEFAULT, Effort::Medium));
        assert_eq!(config.sources, ["strava", "upload"]);
        assert!(read(&[key, base, ("RUNAWAY_SECRET_ARN", "arn")]).unwrap_err().contains("ANTHROPIC_BASE_URL must be https"));
    }

    #[test]
    fn senseless_values_are_named_and_not_quoted() {
        let pairs = [
            ("ANTHROPIC_API_KEY", "hunter2\n"),
            ("ANTHROPIC_BASE_URL", "nowhere"),
            ("ANTHROPIC_MODEL", "the best one"),
            ("ANTHROPIC_EFFORT", "heroic"),
            ("MODEL_SOURCES", "strava;upload"),
        ];
        let text = read(&pairs).unwrap_err();
        for (name, _) in pairs {
            assert!(text.contains(name), "{name} in {text}");
        }
        assert!(!text.contains("hunter2") && !text.contains("heroic"), "{text}");
    }
}
