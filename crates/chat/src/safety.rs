//! What is answered before anybody thinks about training: chest pain, fainting, thoughts of self-harm. Fixed texts,
//! never a model's. An ordinary ache is no emergency: it gets facts and no diagnosis.

/// An emergency in a message, with the text that answers it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Emergency {
    /// Signs of the heart or of fainting.
    Heart,
    /// Thoughts of self-harm.
    SelfHarm,
}

const HEART: &str = "Please stop training and get medical help now. Chest pain or pressure, fainting, or breathlessness that is not explained by effort \
can be an emergency: call your local emergency number (112 in Europe, 911 in North America), also if it has passed. I will not suggest any training \
until a doctor has cleared you.";
const SELF_HARM: &str = "I am really glad you said that, and I am not the right one to help with it. Please talk to somebody now: your local emergency number \
(112 in Europe, 911 in North America), a crisis line such as 988 in the USA or 116 123 in much of Europe, or somebody close to you. You do not have \
to go through this alone. Training can wait.";

/// Words that must all occur, within one sentence.
const HEART_SIGNS: [&[&str]; 16] = [
    &["chest", "pain"],
    &["chest", "pains"],
    &["chest", "tight"],
    &["chest", "tightness"],
    &["chest", "tightened"],
    &["chest", "pressure"],
    &["chest", "hurt"],
    &["chest", "hurts"],
    &["chest", "hurting"],
    &["chest", "ache"],
    &["heart", "attack"],
    &["fainted"],
    &["fainting"],
    &["passed", "out"],
    &["blacked", "out"],
    &["collapsed"],
];
const SELF_HARM_SIGNS: [&[&str]; 9] = [
    &["kill", "myself"],
    &["killing", "myself"],
    &["hurt", "myself", "purpose"],
    &["harm", "myself"],
    &["end", "my", "life"],
    &["suicide"],
    &["suicidal"],
    &["want", "to", "die"],
    &["self", "harm"],
];
/// What runners call hills and drills; only directly behind the first word does the second name one.
const NAMES_OF_SESSIONS: (&str, [&str; 6]) = ("suicide", ["hill", "hills", "sprint", "sprints", "drill", "drills"]);
/// Words of the body that hurts, and of hurting.
const PARTS: [&str; 27] = [
    "knee",
    "knees",
    "shin",
    "shins",
    "ankle",
    "ankles",
    "achilles",
    "calf",
    "calves",
    "hamstring",
    "hamstrings",
    "hip",
    "hips",
    "foot",
    "feet",
    "heel",
    "plantar",
    "back",
    "quad",
    "quads",
    "groin",
    "glute",
    "toe",
    "toes",
    "itb",
    "leg",
    "legs",
];
const HURTS: [&str; 18] = [
    "hurt",
    "hurts",
    "hurting",
    "pain",
    "pains",
    "painful",
    "sore",
    "ache",
    "aches",
    "aching",
    "injured",
    "injury",
    "injuries",
    "swollen",
    "fracture",
    "tendonitis",
    "tendinitis",
    "splints",
];

/// What is said beside the facts where something hurts.
pub(crate) const NO_DIAGNOSIS: &str = "I cannot judge what hurts. Ease off, and if it lasts for more than a few days, gets worse or changes how you walk, please see a doctor or a physiotherapist.";

impl Emergency {
    /// The emergency a message speaks of.
    pub(crate) fn in_message(message: &str) -> Option<Self> {
        let says = |signs: &[&[&str]]| {
            sentences(message).any(|words| signs.iter().any(|sign| sign.iter().all(|wanted| words.iter().any(|word| word == wanted))))
        };
        if says(&SELF_HARM_SIGNS) {
            Some(Self::SelfHarm)
        } else if says(&HEART_SIGNS) {
            Some(Self::Heart)
        } else {
            None
        }
    }

    /// The fixed answer.
    pub(crate) const fn answer(self) -> &'static str {
        match self {
            Self::Heart => HEART,
            Self::SelfHarm => SELF_HARM,
        }
    }
}

/// Whether a message speaks of something that hurts.
pub(crate) fn hurts(message: &str) -> bool {
    let words: Vec<String> = sentences(message).flatten().collect();
    let any = |list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    any(&["injured", "injury", "injuries", "tendonitis", "tendinitis", "splints", "fracture"]) || (any(&PARTS) && any(&HURTS))
}

fn sentences(message: &str) -> impl Iterator<Item = Vec<String>> {
    message.split(['.', '!', '?', '\n', ';']).map(|sentence| {
        let words = sentence.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        without_names_of_sessions(words.map(str::to_lowercase).collect())
    })
}

fn without_names_of_sessions(words: Vec<String>) -> Vec<String> {
    let (first, seconds) = NAMES_OF_SESSIONS;
    let is_name = |n: usize| words[n] == first && words.get(n + 1).is_some_and(|next| seconds.contains(&next.as_str()));
    let kept: Vec<bool> = (0..words.len()).map(|n| !is_name(n)).collect();
    words.into_iter().zip(kept).filter_map(|(word, is_kept)| is_kept.then_some(word)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn emergencies_are_seen_and_chests_of_drawers_are_not() {
        for (message, expected) in [
            ("Chest felt tight on the hill yesterday.", Some(Emergency::Heart)),
            ("i had CHEST PAIN during my long run", Some(Emergency::Heart)),
            ("I nearly passed out after the race", Some(Emergency::Heart)),
            ("I fainted this morning, should I run?", Some(Emergency::Heart)),
            ("sometimes i want to die", Some(Emergency::SelfHarm)),
            ("Thinking about suicide a lot", Some(Emergency::SelfHarm)),
            ("Suicide: hill repeats feel pointless, so does everything. I want to die", Some(Emergency::SelfHarm)),
            ("After Suicide Hill I think about suicide", Some(Emergency::SelfHarm)),
            ("How fast was I up Suicide Hill last week? And the suicide sprints?", None),
            ("That hill made me want to cry. My legs died!", None),
            ("Did I set a chest strap record? My knee has no pain", None),
            ("How was my last run?", None),
        ] {
            assert_eq!(Emergency::in_message(message), expected, "{message}");
        }
    }

    #[test]
    fn aches_are_told_from_hard_sessions() {
        for (message, expected) in [
            ("My shin hurts after runs, can I race on Sunday?", true),
            ("sore calves since Tuesday", true),
            ("is my injury going to get worse", true),
            ("that session hurt!", false),
            ("How far did I run on foot?", false),
        ] {
            assert_eq!(hurts(message), expected, "{message}");
        }
    }
}
