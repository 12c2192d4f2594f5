//! A person whose every particular is marked: a word or number that nobody writes by chance, so that a search finds it
//! wherever it should not be.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::{ActivityBuilder, FakeStrava};

/// What the athlete is called.
pub const FIRST_NAME: &str = "Zqfirstname";
/// The mail address, which only the sign-in knows.
pub const EMAIL: &str = "zqmail@zq.example";
/// What an activity is called.
pub const ACTIVITY: &str = "Zqactivity up the hill";
/// What the athlete wrote about an activity.
pub const NOTES: &str = "Zqnotes on a sore knee";
/// What the athlete asks.
pub const MESSAGE: &str = "How far did I run with Zqmessage last week?";
/// What the model says.
pub const ANSWER: &str = "Zqanswer";
/// What the coach shall remember.
pub const FACT: &str = "Zqfact";
/// Something in a request that is not understood.
pub const NONSENSE: &str = "Zqnonsense";
/// Beats a minute, the mean of every activity.
pub const HEART_RATE: f64 = 187.4321;

const PARTICULARS: [(&str, &str); 19] = [
    ("the first name", FIRST_NAME),
    ("the last name", "Zqlastname"),
    ("the mail address", EMAIL),
    ("the city", "Zqcity"),
    ("the state", "Zqstate"),
    ("the country", "Zqcountry"),
    ("the picture", "zqpicture"),
    ("the weight", "61.7373"),
    ("the name of an activity", "Zqactivity"),
    ("the notes on an activity", "Zqnotes"),
    ("the route", "zqpolyline"),
    ("the device", "Zqdevice"),
    ("the name of a file", "zqfile"),
    ("the heart rate", "187.4321"),
    ("the highest heart rate", "199.8765"),
    ("where an activity began", "47.123457"),
    ("where an activity ended", "8.765433"),
    ("the athlete's message", "Zqmessage"),
    ("nonsense of a request", NONSENSE),
];

/// What is looked for: what it is, with its forms.
#[derive(Debug, Clone)]
pub struct Marks(Vec<(String, Forms)>);

/// The forms in which a mark may stand in a text.
#[derive(Debug, Clone)]
struct Forms {
    /// As it is or as hexadecimal, in lower case.
    lower: [String; 2],
    /// As base64 of both alphabets or as a list of bytes, without what the bytes around may change.
    exact: [String; 3],
}

impl Default for Marks {
    fn default() -> Self {
        let mut marks = Self(Vec::new());
        for (what, mark) in PARTICULARS.into_iter().chain([("the model's answer", ANSWER), ("what was remembered", FACT)]) {
            marks.add(what, mark);
        }
        marks
    }
}

impl Marks {
    /// Looks for this too.
    ///
    /// # Panics
    /// For one so short that it may occur by chance.
    pub fn add(&mut self, what: &str, mark: &str) {
        assert!(mark.len() >= 6, "{what} is no mark");
        let hexadecimal = mark.bytes().map(|byte| format!("{byte:02x}")).collect();
        let encoded = [STANDARD_NO_PAD.encode(mark), URL_SAFE_NO_PAD.encode(mark)];
        let [standard, url_safe] = encoded.map(|text| text[..text.len() - 1].to_owned());
        let bytes = format!("{:?}", mark.as_bytes()).trim_matches(['[', ']']).to_owned();
        let forms = Forms { lower: [mark.to_lowercase(), hexadecimal], exact: [standard, url_safe, bytes] };
        self.0.push((what.to_owned(), forms));
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// What of it stands in a text: as it is, in whatever case, or as base64, hexadecimal or a list of bytes.
    pub fn found_in(&self, text: &str) -> Vec<String> {
        let lower = text.to_lowercase();
        let stands = |forms: &Forms| {
            forms.lower.iter().any(|form| lower.contains(form.as_str())) || forms.exact.iter().any(|form| text.contains(form.as_str()))
        };
        self.0.iter().filter(|(_, forms)| stands(forms)).map(|(what, _)| what.clone()).collect()
    }

    /// Ends the test where something of it stands in a text.
    ///
    /// # Panics
    /// With what it is and the text.
    pub fn assert_absent(&self, place: &str, text: &str) {
        let found = self.found_in(text);
        assert!(found.is_empty(), "{place} holds {found:?}: {text}");
    }
}

/// A marked activity.
pub fn activity(athlete_id: i64, id: i64, start: Timestamp) -> Value {
    ActivityBuilder::run(athlete_id, id, start)
        .with("name", ACTIVITY)
        .with("average_heartrate", HEART_RATE)
        .with("max_heartrate", 199.8765)
        .with("start_latlng", json!([47.123_457, 8.765_433]))
        .with("end_latlng", json!([47.123_457, 8.765_433]))
        .with("map", json!({"id": "a1", "summary_polyline": "zqpolyline"}))
        .with("device_name", "Zqdevice 9")
        .with("external_id", "zqfile.fit")
        .build()
}

/// Adds the marked athlete with `count` daily activities, the newest at `newest`.
pub fn add_athlete(strava: &FakeStrava, id: i64, count: i64, newest: Timestamp) {
    let start = |n: i64| newest - jiff::SignedDuration::from_hours(24 * n);
    strava.add_athlete(id, FIRST_NAME, (0..count).map(|n| activity(id, id * 1000 + count - n, start(n))));
    let fields = [
        ("lastname", json!("Zqlastname")),
        ("city", json!("Zqcity")),
        ("state", json!("Zqstate")),
        ("country", json!("Zqcountry")),
        ("profile", json!("https://images.example/zqpicture.png")),
        ("weight", json!(61.7373)),
        ("email", json!(EMAIL)),
    ];
    strava.set_profile(id, &fields);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_in_every_form() {
        let marks = Marks::default();
        for (what, mark) in PARTICULARS {
            let forms = [
                format!("{{\"x\":\"{mark}\"}}"),
                mark.to_uppercase(),
                STANDARD_NO_PAD.encode(mark),
                format!("{:?}", mark.as_bytes()),
                mark.bytes().map(|byte| format!("{byte:02x}")).collect(),
            ];
            for form in forms {
                assert!(marks.found_in(&form).iter().any(|found| found == what), "{what} as {form}");
            }
        }
        assert!(marks.found_in("Answered POST with 200").is_empty());
    }
}
