//! The week as a picture: twelve weeks' running with this one marked, and this week's days with distance and load.
//! Plain SVG that follows the reader's light or dark scheme and says in words what it shows.

use std::fmt::Write as _;

use jiff::civil::Date;
use runaway_core::domain::units::{METRES_PER_MILE, grouped, miles};

use crate::statistics::Week;

/// Weeks shown, the current one included.
pub const CHART_WEEKS: usize = 12;
/// The picture's size in its own units.
const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 560.0;
/// Where the plots begin and end, left and right.
const LEFT: f64 = 52.0;
const RIGHT: f64 = 672.0;
/// Top and bottom of the weeks' plot and of the days' plot.
const WEEKS_PLOT: (f64, f64) = (96.0, 236.0);
const DAYS_PLOT: (f64, f64) = (346.0, 486.0);
/// The share of its place that a bar fills.
const BAR_SHARE: f64 = 0.62;
/// Lines of the grid above the ground line.
const GRID_LINES: u32 = 4;
const DAY_NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const MONTH_NAMES: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

const STYLE: &str = "\
.paper{fill:#ffffff}.ink{fill:#1c2430}.soft{fill:#5a6675}.grid{stroke:#dfe4ea;stroke-width:1}.ground{stroke:#8b96a3;stroke-width:1}\
.bar{fill:#a9bccf}.now{fill:#d9480f}.load{fill:none;stroke:#0b6e8f;stroke-width:2.5;stroke-linejoin:round}\
.halo{fill:none;stroke:#ffffff;stroke-width:6;stroke-linejoin:round}.dot{fill:#ffffff;stroke:#0b6e8f;stroke-width:2.5}.loadink{fill:#0b6e8f}.nowink{fill:#b93c08;font-weight:600}\
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif;font-size:12px}\
.head{font-size:16px;font-weight:600}\
@media (prefers-color-scheme:dark){.paper{fill:#14181f}.ink{fill:#eef2f6}.soft{fill:#a3afbd}.grid{stroke:#2a323d}.ground{stroke:#667281}\
.bar{fill:#4b6076}.now{fill:#ff8a4c}.load{stroke:#56c3e6}.halo{stroke:#14181f}.dot{fill:#14181f;stroke:#56c3e6}.loadink{fill:#7dd3f0}.nowink{fill:#ffa877}}";

/// Draws `week` with the weeks before it, newest first; those before the first known one are left empty.
pub fn svg(week: &Week, before: &[Week]) -> String {
    let weeks: Vec<&Week> = before.iter().take(CHART_WEEKS - 1).rev().chain([week]).collect();
    let mut picture = format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" width="{WIDTH}" height="{HEIGHT}" role="img" aria-labelledby="title desc">"#
    );
    let _ = write!(picture, r#"<title id="title">{}</title><desc id="desc">{}</desc>"#, title(week), description(week, &weeks));
    let _ = write!(picture, r#"<style>{STYLE}</style><rect class="paper" width="{WIDTH}" height="{HEIGHT}" rx="12"/>"#);
    weeks_plot(&mut picture, &weeks);
    days_plot(&mut picture, week);
    picture + "</svg>"
}

fn title(week: &Week) -> String {
    format!("Running, week of {}", day_and_month(week.start))
}

/// The picture in words.
fn description(week: &Week, weeks: &[&Week]) -> String {
    let mut text = format!("Miles run in each of {} weeks: ", weeks.len());
    let each: Vec<String> =
        weeks.iter().map(|week| format!("week of {} {}", day_and_month(week.start), miles(week.runs.distance_m))).collect();
    let _ = write!(text, "{}. This week by day, miles run and training load of all sports: ", each.join(", "));
    let days = DAY_NAMES.iter().zip(&week.days);
    let each: Vec<String> = days.map(|(name, day)| format!("{name} {} and {:.0}", miles(day.run_m), day.load.total())).collect();
    text + &each.join(", ") + "."
}

fn weeks_plot(picture: &mut String, weeks: &[&Week]) {
    let values: Vec<f64> = weeks.iter().map(|week| week.runs.distance_m / METRES_PER_MILE).collect();
    let this = values.last().copied().unwrap_or_default();
    heading(picture, 40.0, &format!("{} weeks of running", weeks.len()), &[("nowink", format!("this week {this:.1} miles"))]);
    let (top, bottom) = WEEKS_PLOT;
    let most = ceiling(values.iter().copied().fold(0.0, f64::max));
    axis(picture, WEEKS_PLOT, most, LEFT, "soft", "miles");
    for (n, (week, value)) in weeks.iter().zip(&values).enumerate() {
        let is_now = n + 1 == weeks.len();
        let centre = place(n, weeks.len());
        bar(picture, centre, weeks.len(), (top, bottom), value / most, if is_now { "now" } else { "bar" });
        label(picture, centre, bottom + 18.0, if is_now { "nowink" } else { "soft" }, &day_and_month(week.start));
        if *value > 0.0 {
            let class = if is_now { "nowink" } else { "ink" };
            label(picture, centre, bottom - value / most * (bottom - top) - 6.0, class, &format!("{value:.1}"));
        }
    }
}

fn days_plot(picture: &mut String, week: &Week) {
    let key = [("nowink", "■ miles run".to_owned()), ("loadink", "● training load, all sports".to_owned())];
    heading(picture, 292.0, &format!("Week of {}, day by day", day_and_month(week.start)), &key);
    let (top, bottom) = DAYS_PLOT;
    let distances: Vec<f64> = week.days.iter().map(|day| day.run_m / METRES_PER_MILE).collect();
    let loads: Vec<f64> = week.days.iter().map(|day| day.load.total()).collect();
    let (most, most_load) = (ceiling(distances.iter().copied().fold(0.0, f64::max)), ceiling(loads.iter().copied().fold(0.0, f64::max)));
    axis(picture, DAYS_PLOT, most, LEFT, "soft", "miles");
    axis_right(picture, most_load);
    let height = |share: f64| bottom - share * (bottom - top);
    let mut line = String::new();
    for (n, (distance, load)) in distances.iter().zip(&loads).enumerate() {
        let centre = place(n, DAY_NAMES.len());
        bar(picture, centre, DAY_NAMES.len(), DAYS_PLOT, distance / most, "now");
        label(picture, centre, bottom + 18.0, "ink", DAY_NAMES[n]);
        let shown = if *distance > 0.0 { format!("{distance:.1} mi") } else { "–".to_owned() };
        label(picture, centre, bottom + 36.0, "nowink", &shown);
        label(picture, centre, bottom + 54.0, "loadink", &format!("load {load:.0}"));
        let _ = write!(line, "{}{centre:.1} {:.1}", if n == 0 { "M" } else { " L" }, height(load / most_load));
    }
    // The halo keeps the line apart from the bars it crosses.
    let _ = write!(picture, r#"<path class="halo" d="{line}"/><path class="load" d="{line}"/>"#);
    for (n, load) in loads.iter().enumerate() {
        let _ =
            write!(picture, r#"<circle class="dot" cx="{:.1}" cy="{:.1}" r="4.5"/>"#, place(n, DAY_NAMES.len()), height(load / most_load));
    }
}

/// The middle of the n-th of so many places.
fn place(n: usize, of: usize) -> f64 {
    LEFT + (n as f64 + 0.5) * (RIGHT - LEFT) / of as f64
}

fn heading(picture: &mut String, y: f64, text: &str, keys: &[(&str, String)]) {
    let _ = write!(picture, r#"<text class="ink head" x="24" y="{y}">{text}</text>"#);
    for (n, (class, key)) in keys.iter().enumerate() {
        let _ = write!(picture, r#"<text class="{class}" x="{}" y="{}">{key}</text>"#, 24.0 + 110.0 * n as f64, y + 22.0);
    }
}

fn label(picture: &mut String, x: f64, y: f64, class: &str, text: &str) {
    let _ = write!(picture, r#"<text class="{class}" x="{x:.1}" y="{y:.1}" text-anchor="middle">{text}</text>"#);
}

fn bar(picture: &mut String, centre: f64, of: usize, (top, bottom): (f64, f64), share: f64, class: &str) {
    let (width, height) = ((RIGHT - LEFT) / of as f64 * BAR_SHARE, share * (bottom - top));
    if height > 0.0 {
        let (x, y) = (centre - width / 2.0, bottom - height);
        let _ = write!(picture, r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" rx="2"/>"#);
    }
}

fn axis(picture: &mut String, (top, bottom): (f64, f64), most: f64, x: f64, class: &str, unit: &str) {
    for n in 0..=GRID_LINES {
        let share = f64::from(n) / f64::from(GRID_LINES);
        let y = bottom - share * (bottom - top);
        let line = if n == 0 { "ground" } else { "grid" };
        let _ = write!(picture, r#"<line class="{line}" x1="{LEFT}" x2="{RIGHT}" y1="{y:.1}" y2="{y:.1}"/>"#);
        let _ = write!(
            picture,
            r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="end">{}</text>"#,
            x - 8.0,
            y + 4.0,
            tick(share * most)
        );
    }
    let _ = write!(picture, r#"<text class="{class}" x="{:.1}" y="{:.1}" text-anchor="end">{unit}</text>"#, x - 8.0, top - 12.0);
}

fn axis_right(picture: &mut String, most: f64) {
    let (top, bottom) = DAYS_PLOT;
    for n in 0..=GRID_LINES {
        let share = f64::from(n) / f64::from(GRID_LINES);
        let y = bottom - share * (bottom - top) + 4.0;
        let _ = write!(picture, r#"<text class="loadink" x="{:.1}" y="{y:.1}">{}</text>"#, RIGHT + 8.0, tick(share * most));
    }
    let _ = write!(picture, r#"<text class="loadink" x="{:.1}" y="{:.1}">load</text>"#, RIGHT + 8.0, top - 12.0);
}

fn tick(value: f64) -> String {
    let decimals = usize::from(value.fract() > 0.01);
    grouped(value, decimals)
}

/// The next round number that four steps divide well; never 0.
fn ceiling(value: f64) -> f64 {
    const ROUND: [f64; 7] = [1.0, 1.2, 1.6, 2.0, 4.0, 6.0, 8.0];
    let value = if value.is_finite() { value.max(1.0) } else { 1.0 };
    let power = 10.0_f64.powf(value.log10().floor());
    ROUND.into_iter().map(|round| round * power).find(|candidate| *candidate >= value).unwrap_or(10.0 * power)
}

fn day_and_month(day: Date) -> String {
    let month = usize::try_from(day.month() - 1).ok().and_then(|n| MONTH_NAMES.get(n)).copied().unwrap_or_default();
    format!("{} {month}", day.day())
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;
    use runaway_core::domain::Physiology;

    use super::*;

    #[test]
    fn ceilings_are_round_and_never_below() {
        for (value, expected) in [(0.0, 1.0), (1.0, 1.0), (26.3, 40.0), (44.5, 60.0), (99.0, 100.0), (1234.0, 1600.0), (f64::NAN, 1.0)] {
            assert!((ceiling(value) - expected).abs() < 1e-9, "{value}: {}", ceiling(value));
        }
    }

    #[test]
    fn a_week_without_anything_is_still_a_picture() {
        let body = Physiology::observed(&[], None, None);
        let week = Week::of(date(2026, 1, 5), &[], &body);
        let picture = svg(&week, &[]);
        assert!(picture.contains("Miles run in each of 1 weeks: week of 5 Jan 0.00.") && !picture.contains("NaN"), "{picture}");
    }
}
