//! The JSON Schemas that constrained output understands.

use serde_json::Value;

/// Keywords it understands; `minItems` only with 0 or 1.
const KEYWORDS: [&str; 18] = [
    "$defs",
    "$ref",
    "$schema",
    "additionalProperties",
    "allOf",
    "anyOf",
    "const",
    "default",
    "definitions",
    "description",
    "enum",
    "format",
    "items",
    "minItems",
    "pattern",
    "properties",
    "required",
    "title",
];
/// Optional properties in all schemas of a request.
const OPTIONAL_MAX: usize = 24;
/// Properties of several types in all schemas of a request.
const UNIONS_MAX: usize = 16;

/// What the schemas of a request have together.
#[derive(Debug, Default)]
pub(super) struct Complexity {
    optional: usize,
    unions: usize,
}

impl Complexity {
    /// Says what is wrong with a schema, and counts it.
    pub(super) fn add(&mut self, schema: &Value) -> Result<(), String> {
        self.walk(schema, schema, &mut Vec::new())?;
        if self.optional > OPTIONAL_MAX || self.unions > UNIONS_MAX {
            return Err("Schema is too complex for compilation".to_owned());
        }
        Ok(())
    }

    fn walk(&mut self, root: &Value, schema: &Value, through: &mut Vec<String>) -> Result<(), String> {
        let Some(fields) = schema.as_object() else { return Err("a schema must be an object".to_owned()) };
        for (keyword, value) in fields {
            let is_known = keyword == "type" || KEYWORDS.contains(&keyword.as_str());
            if !is_known || (keyword == "minItems" && value.as_u64().is_none_or(|n| n > 1)) {
                return Err(format!("'{keyword}' is not supported"));
            }
        }
        if fields.get("pattern").and_then(Value::as_str).is_some_and(|p| p.contains("(?") || p.contains("\\b")) {
            return Err("'pattern' is not supported with lookaround or \\b".to_owned());
        }
        if let Some(reference) = fields.get("$ref").and_then(Value::as_str) {
            let target = reference.strip_prefix('#').and_then(|pointer| root.pointer(pointer));
            let target = target.ok_or_else(|| format!("'$ref' to {reference} is not supported"))?;
            if through.iter().any(|earlier| earlier == reference) {
                return Err("recursive schemas are not supported".to_owned());
            }
            through.push(reference.to_owned());
            self.walk(root, target, through)?;
            through.pop();
        }
        let properties = fields.get("properties").and_then(Value::as_object);
        if properties.is_some() || fields.get("type").is_some_and(|kind| kind == "object") {
            if fields.get("additionalProperties") != Some(&Value::Bool(false)) {
                return Err("'additionalProperties' must be false for every object".to_owned());
            }
            let required = fields.get("required").and_then(Value::as_array).map_or(0, Vec::len);
            self.optional += properties.map_or(0, |all| all.len().saturating_sub(required));
        }
        if fields.contains_key("anyOf") || fields.get("type").is_some_and(Value::is_array) {
            self.unions += 1;
        }
        let lists = ["anyOf", "allOf"].iter().filter_map(|name| fields.get(*name)?.as_array()).flatten();
        for child in properties.into_iter().flat_map(|all| all.values()).chain(fields.get("items")).chain(lists) {
            self.walk(root, child, through)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(properties: &Value) -> Value {
        json!({ "type": "object", "additionalProperties": false, "properties": properties })
    }

    #[test]
    fn what_constrained_output_cannot_do_is_refused() {
        let check = |schema: &Value| Complexity::default().add(schema);
        let fine = object(
            &json!({ "week": { "$ref": "#/$defs/week" }, "notes": { "type": "array", "minItems": 1, "items": { "type": "string" } } }),
        );
        let mut fine = fine.as_object().unwrap().clone();
        fine.insert("$defs".to_owned(), json!({ "week": { "type": "string", "format": "date" } }));
        assert_eq!(check(&Value::Object(fine)), Ok(()));

        for (keyword, value) in [
            ("minimum", json!(1)),
            ("maximum", json!(1)),
            ("minLength", json!(1)),
            ("maxLength", json!(1)),
            ("maxItems", json!(1)),
            ("minItems", json!(2)),
            ("oneOf", json!([])),
        ] {
            let mut inner = json!({ "type": "string" });
            inner[keyword] = value;
            let error = check(&object(&json!({ "deep": object(&json!({ "er": inner })) }))).unwrap_err();
            assert!(error.contains(keyword), "{keyword}: {error}");
        }
        let open = json!({ "type": "object", "properties": {} });
        assert!(check(&object(&json!({ "a": { "type": "array", "items": open } }))).unwrap_err().contains("additionalProperties"));
        let mut endless = object(&json!({ "next": { "$ref": "#" } }));
        assert!(check(&endless).unwrap_err().contains("recursive"));
        endless["properties"]["next"]["$ref"] = json!("https://example.com/schema");
        assert!(check(&endless).unwrap_err().contains("$ref"));
        assert!(check(&object(&json!({ "p": { "type": "string", "pattern": "(?=x)" } }))).unwrap_err().contains("pattern"));
        let many: serde_json::Map<String, Value> = (0..25).map(|n| (format!("p{n}"), json!({ "type": "string" }))).collect();
        assert!(check(&object(&Value::Object(many))).unwrap_err().contains("too complex"));
    }
}
