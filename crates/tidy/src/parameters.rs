//! What `template.yaml` asks to be told at a deployment.

use anyhow::Context as _;
use serde_norway::Value;

/// A parameter of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parameter {
    /// Its name.
    pub name: String,
    /// What it means.
    pub description: String,
    /// What it is where nobody says; without it, it must be said.
    pub default: Option<String>,
}

/// The parameters in the text of a template, in its order.
///
/// # Errors
/// When it is no template.
pub fn parameters(text: &str) -> anyhow::Result<Vec<Parameter>> {
    let root: Value = serde_norway::from_str(text).context("the template is no YAML")?;
    let entries = root["Parameters"].as_mapping().context("the template has no Parameters")?;
    let parameter = |(name, entry): (&Value, &Value)| {
        let default = match &entry["Default"] {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            other => Some(serde_norway::to_string(other)?.trim().to_owned()),
        };
        let name = name.as_str().context("a parameter's name is no text")?.to_owned();
        Ok(Parameter { name, description: entry["Description"].as_str().unwrap_or_default().to_owned(), default })
    };
    entries.iter().map(parameter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_a_default_or_must_be_said() {
        let text =
            "Parameters:\n  A: {Type: String, Description: first}\n  B: {Type: Number, Default: 30}\n  C: {Type: String, Default: \"\"}\n";
        let found = parameters(text).unwrap();
        let summary: Vec<_> = found.iter().map(|p| (p.name.as_str(), p.description.as_str(), p.default.as_deref())).collect();
        assert_eq!(summary, [("A", "first", None), ("B", "", Some("30")), ("C", "", Some(""))]);
        assert!(parameters("Resources: {}").is_err());
    }
}
