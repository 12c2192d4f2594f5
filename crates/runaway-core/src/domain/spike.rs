//! One run against the longest of the month before it.
//!
//! Source: Frandsen et al., British Journal of Sports Medicine 59 (2025) 1203-1210, doi 10.1136/bjsports-2024-109380:
//! 5,205 runners, 588,071 runs; observational, 78 % men, mean age 45.8. The bands are theirs. What we say is that a run
//! was much longer than any lately: a flag of load, never a prediction of injury.

/// How far back the longest run is looked for, days before the run.
pub const SPIKE_LOOKBACK_DAYS: i32 = 30;

/// How much longer the run was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SpikeBand {
    /// At most 10 % longer, or shorter.
    Usual,
    /// More than 10 and up to 30 % longer.
    Small,
    /// More than 30 and up to 100 % longer.
    Moderate,
    /// More than twice as long.
    Large,
}

/// A run against the longest of the 30 days before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spike {
    /// Length of the run in metres.
    pub distance_m: f64,
    /// The longest run of the 30 days before, metres.
    pub longest_before_m: f64,
    /// The one over the other.
    pub ratio: f64,
    /// Where that stands.
    pub band: SpikeBand,
}

/// Compares a run with the longest of the 30 days before; `None` where there was none, or no distance.
pub fn spike(distance_m: f64, longest_before_m: f64) -> Option<Spike> {
    if !(distance_m > 0.0 && longest_before_m > 0.0) {
        return None;
    }
    let ratio = distance_m / longest_before_m;
    let band = match ratio {
        ratio if ratio > 2.0 => SpikeBand::Large,
        ratio if ratio > 1.3 => SpikeBand::Moderate,
        ratio if ratio > 1.1 => SpikeBand::Small,
        _ => SpikeBand::Usual,
    };
    Some(Spike { distance_m, longest_before_m, ratio, band })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bands_begin_above_their_borders() {
        for (distance_m, band) in [
            (5_000.0, SpikeBand::Usual),
            (11_000.0, SpikeBand::Usual),
            (11_010.0, SpikeBand::Small),
            (13_000.0, SpikeBand::Small),
            (13_010.0, SpikeBand::Moderate),
            (20_000.0, SpikeBand::Moderate),
            (20_010.0, SpikeBand::Large),
        ] {
            assert_eq!(spike(distance_m, 10_000.0).map(|spike| spike.band), Some(band), "{distance_m}");
        }
    }

    #[test]
    fn without_a_run_to_compare_with_there_is_no_spike() {
        assert_eq!(spike(10_000.0, 0.0), None);
        assert_eq!(spike(0.0, 10_000.0), None);
        assert_eq!(spike(f64::NAN, 10_000.0), None);
    }
}
