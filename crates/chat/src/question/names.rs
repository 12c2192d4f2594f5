//! Names of activities that a question may mean: what is quoted, what follows "called", and words nothing else took.

use super::words::{Word, Words};

/// Names worth searching for.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Names {
    /// The words to search for, the likeliest first.
    pub(crate) candidates: Vec<String>,
    /// Whether the question itself says that it names an activity.
    pub(crate) explicit: bool,
}

/// Searches of one question at most.
const CANDIDATES_MAX: usize = 2;
/// Characters of a name at most: nobody names an activity with a novel.
const NAME_CHARS_MAX: usize = 120;
/// Words before a name.
const CALLS: [&str; 7] = ["called", "named", "titled", "labelled", "labeled", "entitled", "call"];

/// Words of questions that are no names: the grammar's own and English's small ones.
const COMMON: &str = " a an the i me my mine you your we our us he she it its they them their this that these those there here what which who whom whose when where \
why how do does did done doing is are was were be been being am have has had having can could should would will shall may might must to of in on at by \
for from with without about into over under above below between through during before after since until till up down out off again then than as so too \
very just also only even still already yet ever never always sometimes often once twice and or but if because while not no nor yes please tell show give \
list find see look let know think remember recall say said get got gets getting go goes going went gone come came make made take took taken put run runs \
ran running ride rides rode swim swam walk walks walked did do workout workouts training train trained trains activity activities session sessions sport sports \
exercise exercised day days week weeks month months year years today yesterday tomorrow time times hour hours minute minutes second seconds date dates \
morning afternoon evening night weekly monthly yearly daily distance distances far long longer longest longes short shorter shortest fast faster fastest quick quicker \
quickest slow slower slowest hard harder hardest easy easier easiest big bigger biggest small smaller smallest most least more less fewer fewest many much \
few several some any all each every both either other another same different best better worst worse good great well high higher highest low lower lowest \
total totals sum number count average averages avg mean median typical typically usual usually normal normally max maximum min minimum record records pb pbs pr prs personal \
pace paces speed speeds heart rate hr bpm heartrate heartbeat pulse climb climbs climbed climbing elevation ascent vert vertical gain meters metres meter \
metre km kms kilometer kilometers kilometre kilometres mile miles feet foot k m compare compared comparison versus vs against difference trend trends \
trending improve improved improving improvement progress progressing progressed change changed changing compared comparing recent recently latest last \
past previous next first new newest old oldest ago current currently now rest rested resting break breaks gap streak streaks row consecutive predict prediction \
expect estimate realistic goal race races raced racing marathon marathons half ultra load fitness form fatigue fit fresh tired intensity zone zones \
hilly hilliest flat flattest treadmill indoor outdoor indoors outdoors gym bike bikes cycling cycle pool strength weights history stats statistics data numbers \
overall altogether entire whole ever lifetime really actually roughly approximately around exactly ok okay hi hello hey thanks thank coach strava runaway \
volume mileage duration cover covered complete completed finish finished log logged record recorded happen happened feel felt feeling want wanted need needed like \
liked doing didn't don't haven't hasn't isn't wasn't weren't can't couldn't i'm i've i'd what's how's when's where's that's it's there's let's per year's been \
calendar period so-called one ones two three four five six seven eight nine ten eleven twelve thing things something anything nothing everything kind kinds type types \
part parts way ways up it top amount months' weeks' much spend spent since together combined including total altogether weekday weekdays weekend weekends dates \
hows whats whens ive im didnt dont havent gonna wanna u r pls plz pretty bit lot lots lately nowadays biggest-ever ever? furthest farthest lately usually summary summarise summarize \
overview review report detail details info information describe explain work works off season seasons start started starting end ended ending begin began beginning \
sunday monday tuesday wednesday thursday friday saturday sundays mondays tuesdays wednesdays thursdays fridays saturdays with was it on track ";

/// Finds the names in a question; `text` is the question as it was written.
pub(crate) fn names(words: &Words, text: &str) -> Names {
    let clip = |name: &str| name.chars().take(NAME_CHARS_MAX).collect::<String>().trim().to_owned();
    let quoted: Vec<String> = words.quoted.iter().map(|name| clip(name)).filter(|name| !name.is_empty()).take(CANDIDATES_MAX).collect();
    if !quoted.is_empty() {
        return Names { candidates: quoted, explicit: true };
    }
    if let Some(name) = after_call(words) {
        return Names { candidates: vec![clip(&name)], explicit: true };
    }
    let mut candidates = Vec::new();
    candidates.extend(capitalised(text).map(|name| clip(&name)));
    let left: Vec<&str> = words.list.iter().filter(|word| is_uncommon(word)).map(|word| word.written.as_str()).collect();
    if !left.is_empty() {
        candidates.push(clip(&left.join(" ")));
    }
    candidates.dedup();
    candidates.truncate(CANDIDATES_MAX);
    Names { candidates, explicit: false }
}

fn is_common(text: &str) -> bool {
    text.len() < 3 || COMMON.split(' ').any(|common| common == text)
}

fn is_uncommon(word: &Word) -> bool {
    !word.taken && !is_common(&word.text) && word.text.chars().any(char::is_alphabetic)
}

/// The words behind "called", up to those that the grammar took or that begin another clause.
fn after_call(words: &Words) -> Option<String> {
    let place = (0..words.len()).find(|&place| CALLS.contains(&words.at(place)))?;
    let behind = words
        .list
        .iter()
        .skip(place + 1)
        .take_while(|word| !word.taken && !["how", "when", "what", "was", "did"].contains(&word.text.as_str()));
    let name: Vec<&str> = behind.map(|word| word.written.as_str()).collect();
    (!name.is_empty()).then(|| name.join(" "))
}

/// The longest row of words that begins with a capital inside a sentence, small linking words included.
fn capitalised(text: &str) -> Option<String> {
    const LINKS: [&str; 12] = ["de", "la", "el", "du", "des", "the", "of", "with", "y", "und", "am", "by"];
    let words: Vec<&str> = text.split_whitespace().map(|word| word.trim_matches(|c: char| c.is_ascii_punctuation())).collect();
    let is_capital = |word: &str| word.chars().next().is_some_and(char::is_uppercase);
    let mut best: &[&str] = &[];
    for begin in 1..words.len() {
        let Some(first) = words.get(begin).filter(|word| is_capital(word) && !is_common(&word.to_lowercase())) else { continue };
        if ["I", "I'm", "I've", "I'd", "OK"].contains(first) {
            continue;
        }
        let rest = words.get(begin..).unwrap_or_default();
        let length = rest.iter().take_while(|word| is_capital(word) || LINKS.contains(word)).count();
        let mut row = rest.get(..length).unwrap_or_default();
        while row.last().is_some_and(|word| LINKS.contains(word)) {
            row = row.get(..row.len() - 1).unwrap_or_default();
        }
        if row.len() > best.len() {
            best = row;
        }
    }
    let only_time = best.len() == 1
        && best.first().is_some_and(|word| Words::of(word).list.iter().all(|w| super::calendar::weekday(&w.text).is_some()));
    (!best.is_empty() && !only_time).then(|| best.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(question: &str) -> Names {
        names(&Words::of(question), question)
    }

    #[test]
    fn quoted_and_called_names_are_explicit() {
        let quoted = of("Remember the run I called 'Misty loop with Anna'?");
        assert_eq!((quoted.candidates, quoted.explicit), (vec!["Misty loop with Anna".to_owned()], true));
        let called = of("how far was the run called misty loop with anna");
        assert_eq!((called.candidates, called.explicit), (vec!["misty loop with anna".to_owned()], true));
    }

    #[test]
    fn capitals_and_leftover_words_are_candidates() {
        assert_eq!(of("How did the Carrera de la Primavera go?").candidates.first().map(String::as_str), Some("Carrera de la Primavera"));
        assert_eq!(of("how did the misty loop go").candidates, ["misty loop"]);
        assert!(of("How many km did I run?").candidates.is_empty());
    }
}
