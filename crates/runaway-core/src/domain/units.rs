//! Numbers as people read them. Everything is SI inside; this is the one place where it becomes text.

/// The international mile in metres.
pub const METRES_PER_MILE: f64 = 1609.344;
/// Metres in a kilometre.
pub const METRES_PER_KM: f64 = 1000.0;
/// The international foot in metres.
pub const METRES_PER_FOOT: f64 = 0.3048;
/// Seconds in an hour.
pub const SECONDS_PER_HOUR: f64 = 3600.0;

/// What a pace is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Per {
    /// Minutes and seconds a kilometre.
    Kilometre,
    /// Minutes and seconds a mile.
    Mile,
}

impl Per {
    /// Length in metres.
    pub const fn metres(self) -> f64 {
        match self {
            Self::Kilometre => METRES_PER_KM,
            Self::Mile => METRES_PER_MILE,
        }
    }
}

/// Whole seconds as a clock shows them: `0:45`, `45:03`, `1:45:03`. What is negative is shown as nothing, `0:00`.
pub fn clock(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Seconds as hours with one decimal: `4.6`.
pub fn hours(seconds: i64) -> String {
    format!("{:.1}", seconds as f64 / SECONDS_PER_HOUR)
}

/// A pace in whole seconds a kilometre or mile; `None` without distance or time.
pub fn pace_s(distance_m: f64, moving_s: f64, per: Per) -> Option<i64> {
    let pace = moving_s / (distance_m / per.metres());
    (distance_m > 0.0 && moving_s > 0.0 && pace.is_finite()).then(|| pace.round() as i64)
}

/// A pace as text, `8:47`; rounded to the second before it is split, so that it never reads `8:60`.
pub fn pace(distance_m: f64, moving_s: f64, per: Per) -> Option<String> {
    pace_s(distance_m, moving_s, per).map(clock)
}

/// Metres in kilometres with their unit: `0.85 km`, `21.15 km`, `1,204.5 km`; the more, the fewer decimals.
pub fn kilometres(distance_m: f64) -> String {
    let km = distance_m / METRES_PER_KM;
    if km < 100.0 { format!("{km:.2} km") } else { format!("{} km", grouped(km, 1)) }
}

/// Metres in miles with two decimals and without a unit: `31.42`.
pub fn miles(distance_m: f64) -> String {
    format!("{:.2}", distance_m / METRES_PER_MILE)
}

/// Metres in whole feet.
pub fn feet(metres: f64) -> i64 {
    (metres / METRES_PER_FOOT).round() as i64
}

/// A number with commas between its thousands: `12,345.6`.
pub fn grouped(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = text.split_once('.').map_or((text.as_str(), ""), |(whole, fraction)| (whole, fraction));
    let mut groups: Vec<&str> = whole.as_bytes().rchunks(3).filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.reverse();
    let sign = if value < 0.0 && text.bytes().any(|b| (b'1'..=b'9').contains(&b)) { "-" } else { "" };
    let point = if fraction.is_empty() { "" } else { "." };
    format!("{sign}{}{point}{fraction}", groups.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_carry() {
        for (seconds, text) in
            [(0, "0:00"), (59, "0:59"), (60, "1:00"), (2703, "45:03"), (3600, "1:00:00"), (6303, "1:45:03"), (-5, "0:00")]
        {
            assert_eq!(clock(seconds), text);
        }
        assert_eq!((hours(16_560).as_str(), hours(0).as_str()), ("4.6", "0.0"));
    }

    #[test]
    fn a_pace_never_reads_sixty_seconds() {
        // 539.6 s a mile is 8:59.6, which the predecessor showed as 8:60.
        assert_eq!(pace(METRES_PER_MILE, 539.6, Per::Mile).as_deref(), Some("9:00"));
        assert_eq!(pace(10_000.0, 3000.0, Per::Kilometre).as_deref(), Some("5:00"));
        assert_eq!(pace(10_000.0, 3000.0, Per::Mile).as_deref(), Some("8:03"));
        for tenth in 1..60_000 {
            let text = pace(METRES_PER_MILE, f64::from(tenth) / 10.0, Per::Mile).unwrap_or_default();
            assert!(!text.contains(":60"), "{text}");
        }
    }

    #[test]
    fn without_distance_or_time_there_is_no_pace() {
        for (distance_m, moving_s) in [(0.0, 100.0), (100.0, 0.0), (0.0, 0.0), (-1.0, 5.0), (f64::NAN, 5.0), (1e-320, 1e300)] {
            assert_eq!(pace(distance_m, moving_s, Per::Mile), None, "{distance_m} {moving_s}");
        }
    }

    #[test]
    fn distances_and_heights() {
        assert_eq!(kilometres(21_150.4), "21.15 km");
        assert_eq!(kilometres(1_204_512.0), "1,204.5 km");
        assert_eq!(miles(50_565.6), "31.42");
        assert_eq!((feet(367.0), feet(0.0)), (1204, 0));
        assert_eq!(grouped(-1_234_567.0, 0), "-1,234,567");
        assert_eq!((grouped(999.96, 1).as_str(), grouped(-0.04, 1).as_str()), ("1,000.0", "0.0"));
    }
}
