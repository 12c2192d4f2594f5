//! Reading a JSON body field by field, so that every refusal names its field.

use serde_json::{Map, Value};
use uuid::Uuid;

use super::ApiError;

/// The fields of a JSON object; an empty body is an empty object. Unknown fields are ignored, as older apps send some.
#[derive(Debug, Default)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads a body.
    ///
    /// # Errors
    /// 400 where it is not a JSON object.
    pub fn parse(body: &[u8]) -> Result<Self, ApiError> {
        if body.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::default());
        }
        match serde_json::from_slice(body) {
            Ok(Value::Object(fields)) => Ok(Self(fields)),
            Ok(_) => Err(ApiError::field("The body", "is not a JSON object")),
            Err(_) => Err(ApiError::field("The body", "is not valid JSON")),
        }
    }

    fn get(&self, field: &str) -> Option<&Value> {
        self.0.get(field).filter(|value| !value.is_null())
    }

    /// A text.
    ///
    /// # Errors
    /// 400 for any other type.
    pub fn text(&self, field: &str) -> Result<Option<&str>, ApiError> {
        self.get(field).map(|value| value.as_str().ok_or_else(|| ApiError::field(field, "is not a text"))).transpose()
    }

    /// `true` or `false`.
    ///
    /// # Errors
    /// 400 for any other type.
    pub fn boolean(&self, field: &str) -> Result<Option<bool>, ApiError> {
        self.get(field).map(|value| value.as_bool().ok_or_else(|| ApiError::field(field, "is neither true nor false"))).transpose()
    }

    /// A whole number.
    ///
    /// # Errors
    /// 400 for any other type and for fractions.
    pub fn integer(&self, field: &str) -> Result<Option<i64>, ApiError> {
        self.get(field).map(|value| value.as_i64().ok_or_else(|| ApiError::field(field, "is not a whole number"))).transpose()
    }

    /// A UUID.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn uuid(&self, field: &str) -> Result<Option<Uuid>, ApiError> {
        let text = self.get(field).map(|value| value.as_str().ok_or_else(|| ApiError::field(field, "is not a UUID"))).transpose()?;
        text.map(|text| Uuid::try_parse(text).map_err(|_| ApiError::field(field, "is not a UUID"))).transpose()
    }

    /// A JSON object.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn object(&self, field: &str) -> Result<Option<&Map<String, Value>>, ApiError> {
        self.get(field).map(|value| value.as_object().ok_or_else(|| ApiError::field(field, "is not a JSON object"))).transpose()
    }

    /// An id, as a number or a numeric text.
    ///
    /// # Errors
    /// 400 for anything else.
    pub fn id(&self, field: &str) -> Result<Option<i64>, ApiError> {
        let Some(value) = self.get(field) else {
            return Ok(None);
        };
        let id = match value {
            Value::String(text) => text.parse().ok(),
            other => other.as_i64(),
        };
        id.map(Some).ok_or_else(|| ApiError::field(field, "is not an athlete id"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_refusal_names_its_field() {
        let fields = Fields::parse(br#"{"a":"x","b":1.5,"c":"7","d":[1],"e":9223372036854775808,"f":null,"g":8}"#).unwrap_or_default();
        let message = |result: Result<Option<i64>, ApiError>| result.err().map(|error| error.to_string());
        assert_eq!(message(fields.integer("a")).as_deref(), Some("a is not a whole number."));
        assert_eq!(message(fields.integer("b")).as_deref(), Some("b is not a whole number."));
        assert_eq!(message(fields.integer("e")).as_deref(), Some("e is not a whole number."));
        assert_eq!(message(fields.id("d")).as_deref(), Some("d is not an athlete id."));
        assert!(matches!((fields.id("c"), fields.id("g"), fields.integer("f")), (Ok(Some(7)), Ok(Some(8)), Ok(None))));
        assert!(fields.text("b").is_err());
    }

    #[test]
    fn only_objects_and_nothing_are_bodies() {
        for good in ["", "  ", "{}"] {
            assert!(Fields::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in ["[]", "1", "{", "\u{1}", "{\"a\":}"] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
