//! One activity, asked for by its id.

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{ReadObject, StravaClient, StravaError, read_summary};
use crate::db::activities::{ListedSummary, Unreadable};

/// What the answer holds.
#[derive(Debug)]
pub enum FetchedActivity {
    /// The athlete's activity.
    Own(Box<ListedSummary>),
    /// Somebody else's that is visible to the athlete; it must not be kept.
    Foreign,
    /// Something to be kept aside.
    Unreadable(Unreadable),
}

#[derive(Deserialize)]
struct Owned {
    athlete: Option<Owner>,
}

#[derive(Deserialize)]
struct Owner {
    id: Option<i64>,
}

/// Reads a detailed object: it has all that a summary has.
pub fn read_detail(object: &RawValue, athlete_id: i64) -> FetchedActivity {
    let owner = serde_json::from_str::<Owned>(object.get()).ok().and_then(|owned| owned.athlete?.id);
    if owner.is_some_and(|id| id != athlete_id) {
        return FetchedActivity::Foreign;
    }
    match read_summary(object, athlete_id).1 {
        ReadObject::Activity(activity) => FetchedActivity::Own(activity),
        ReadObject::Unreadable(object) => FetchedActivity::Unreadable(object),
    }
}

impl StravaClient {
    /// One activity in full.
    ///
    /// # Errors
    /// [`StravaError::NotFound`] where it does not exist or the token may not see it.
    pub async fn activity(&self, token: &SecretString, id: i64) -> Result<Box<RawValue>, StravaError> {
        let url = format!("{}/activities/{id}", self.config.api_base);
        let body = self.answer(self.request(Method::GET, url).bearer_auth(token.expose_secret())).await?;
        serde_json::from_slice(&body).map_err(|_| StravaError::Unavailable("the answer is no JSON".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_athletes_activity_is_recognised_before_it_is_read() {
        let read = |json: &str| {
            let raw = RawValue::from_string(json.to_owned()).unwrap_or_else(|error| panic!("{error}"));
            read_detail(&raw, 7)
        };
        let rest = r#""id":1,"type":"Run","start_date":"2026-01-04T06:30:00Z","start_date_local":"2026-01-04T06:30:00Z""#;
        assert!(matches!(read(&format!(r#"{{"athlete":{{"id":7}},{rest}}}"#)), FetchedActivity::Own(_)));
        assert!(matches!(read(&format!(r#"{{"athlete":{{"id":8}},{rest}}}"#)), FetchedActivity::Foreign));
        assert!(matches!(read(r#"{"athlete":{"id":8},"id":"x"}"#), FetchedActivity::Foreign));
        assert!(matches!(read(r#"{"athlete":{"id":7},"id":"x"}"#), FetchedActivity::Unreadable(_)));
    }
}
