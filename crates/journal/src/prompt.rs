//! What the model is asked, and what of its answer is believed: nothing that is not proven by the facts.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::facts::{Facts, insight_id};
use crate::figures::{Figure, figures, unproven};
use crate::narrative::facts_only;
use crate::wording;

/// The longest narrative and the longest insight, characters.
const NARRATIVE_CHARS_MAX: usize = 1_500;
const INSIGHT_CHARS_MAX: usize = 400;
/// What a training journal must not talk of, however it is inflected: load says nothing of injuries, and no diagnosis
/// is ours to make.
const FORBIDDEN_STEMS: [&str; 4] = ["injur", "diagnos", "overtrain", "vdot"];

/// The system prompt; the same for everybody.
pub const SYSTEM: &str = "\
You write one week's entry of a runner's training journal. You are given the week's facts as JSON and answer as JSON.

narrative: 80 to 150 words in the second person, past tense, plain prose without headings, lists or emoji. Say what the week \
was like, what stands out and how it compares. Warm and matter-of-fact; no exaggeration.
insights: for each insight you are given, its id and its text in your words, one or two sentences. Leave out none, add none.

Figures: use only figures that stand in the facts, in digits, with the unit they have there. You may leave figures out or round \
them; never add, subtract, average, convert or estimate one, and never write a share or a multiple in words (half, twice). \
Name no dates. Where the facts say that something was not recorded or cannot be compared, do not speak of it as if it were.
Never speak of injuries, illness or medical matters.";

/// The facts, as the user's turn.
pub fn question(facts: &Facts) -> String {
    facts.to_json().to_string()
}

/// What the model is told when its answer could not be believed.
pub fn correction(problems: &[String]) -> String {
    format!("That answer cannot be used: {}. Answer again, with figures from the facts only.", problems.join("; "))
}

/// JSON Schema of the answer.
pub fn schema(facts: &Facts) -> Value {
    let ids: Vec<String> = (0..facts.insights.len()).map(insight_id).collect();
    json!({
        "type": "object", "additionalProperties": false, "required": ["narrative", "insights"],
        "properties": {
            "narrative": { "type": "string" },
            "insights": { "type": "array", "items": {
                "type": "object", "additionalProperties": false, "required": ["id", "text"],
                "properties": { "id": { "type": "string", "enum": ids }, "text": { "type": "string" } }
            } }
        }
    })
}

/// A week in words.
#[derive(Debug, Clone, PartialEq)]
pub struct Texts {
    /// The narrative.
    pub narrative: String,
    /// One sentence or two for each finding, in their order.
    pub insights: Vec<String>,
}

impl Texts {
    /// Without the model.
    pub fn facts_only(facts: &Facts) -> Self {
        Self { narrative: facts_only(facts), insights: facts.insights.iter().map(|insight| wording::finding(&insight.finding)).collect() }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    narrative: String,
    insights: Vec<Worded>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worded {
    id: String,
    text: String,
}

/// The model's answer, if all of it is proven.
///
/// # Errors
/// What is wrong with it, in words for the model; figures are quoted, nothing else.
pub fn believed(answer: &str, facts: &Facts) -> Result<Texts, Vec<String>> {
    let Ok(answer) = serde_json::from_str::<Answer>(answer.trim()) else {
        return Err(vec!["it does not follow the schema".to_owned()]);
    };
    let own = Texts::facts_only(facts);
    let given = given(facts, &own);
    let mut problems = problems("the narrative", &answer.narrative, NARRATIVE_CHARS_MAX, &given);
    let mut insights = own.insights;
    let mut seen = Vec::new();
    for worded in &answer.insights {
        let position = (0..insights.len()).find(|n| insight_id(*n) == worded.id && !seen.contains(n));
        let Some(text) = position.and_then(|n| insights.get_mut(n)) else {
            problems.push("an insight has an id that was not given, or comes twice".to_owned());
            continue;
        };
        problems.extend(self::problems(&worded.id, &worded.text, INSIGHT_CHARS_MAX, &given));
        worded.text.trim().clone_into(text);
        seen.extend(position);
    }
    if problems.is_empty() { Ok(Texts { narrative: answer.narrative.trim().to_owned(), insights }) } else { Err(problems) }
}

/// Every figure that was given, and the narrative that is written without a model.
fn given(facts: &Facts, own: &Texts) -> Vec<Figure> {
    fn collect(value: &Value, into: &mut Vec<Figure>) {
        match value {
            Value::String(text) => into.extend(figures(text)),
            Value::Array(values) => values.iter().for_each(|value| collect(value, into)),
            Value::Object(fields) => fields.iter().filter(|(name, _)| *name != "id").for_each(|(_, value)| collect(value, into)),
            _ => {}
        }
    }
    let mut given = figures(&own.narrative);
    collect(&facts.to_json(), &mut given);
    given
}

fn problems(what: &str, text: &str, chars_max: usize, given: &[Figure]) -> Vec<String> {
    let lower = text.to_lowercase();
    let mut problems = Vec::new();
    if text.trim().is_empty() {
        problems.push(format!("{what} is empty"));
    }
    if text.chars().count() > chars_max {
        problems.push(format!("{what} is longer than {chars_max} characters"));
    }
    if text.chars().any(|character| character.is_control() && character != '\n') {
        problems.push(format!("{what} holds control characters"));
    }
    if FORBIDDEN_STEMS.iter().any(|stem| lower.contains(stem)) {
        problems.push(format!("{what} speaks of what it must not"));
    }
    problems.extend(unproven(text, given).into_iter().map(|figure| format!("{what} has the figure {figure}, which is not in the facts")));
    problems
}
