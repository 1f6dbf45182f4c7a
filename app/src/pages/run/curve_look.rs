//! How courses are looked at: smoothed or as they were logged, over steps or over time; both in the address.

use leptos::prelude::*;
use leptos_router::params::ParamsMap;
use millrace_charts::XAxis;
use millrace_domain::view::Course;

/// Weights of what came before that may be chosen.
const WEIGHTS: [(&str, &str); 4] = [("", "none"), ("0.6", "0.6"), ("0.9", "0.9"), ("0.98", "0.98")];

/// What is drawn of a course.
pub type Points = Vec<(f64, f64)>;

/// How courses are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct CurveLook {
    /// Weight of what came before, in a mean that runs along; none shows what was logged.
    pub smoothing: Option<f64>,
    /// Over time, not over steps.
    pub by_time: bool,
}

impl CurveLook {
    /// Reads `?smooth=` and `?x=`; what it does not know is as if it were not there.
    pub fn from_query(query: &ParamsMap) -> Self {
        let weight = query.get("smooth").and_then(|text| text.parse().ok());
        Self {
            smoothing: weight.filter(|weight| (0.0..1.0).contains(weight) && *weight > 0.0),
            by_time: query.get("x").is_some_and(|x| x == "time"),
        }
    }

    /// The members of an address that say so.
    pub fn members(self) -> [(&'static str, String); 2] {
        let smoothing = self.smoothing.map(|weight| weight.to_string()).unwrap_or_default();
        [("smooth", smoothing), ("x", if self.by_time { "time" } else { "" }.to_owned())]
    }

    /// What is drawn of the courses of one run as they are, a list of points a course, and along what. Times are told from the first value
    /// of the run that is drawn. Where not every course has times, all are drawn over steps.
    pub fn points(self, runs: &[&[Course]]) -> (Vec<Vec<Points>>, XAxis) {
        if !self.by_time || !has_times(runs) {
            let steps = |course: &Course| course.points.iter().map(|(step, value)| (*step as f64, *value)).collect();
            let drawn = runs.iter().map(|courses| courses.iter().map(steps).collect()).collect();
            return (drawn, XAxis::Number("Step".to_owned()));
        }
        let begin = |courses: &[Course]| courses.iter().flat_map(|course| &course.times).min().copied();
        let seconds = |courses: &[Course]| -> Vec<Vec<f64>> {
            let Some(begin) = begin(courses) else { return Vec::new() };
            let of =
                |course: &Course| course.times.iter().map(|at| (*at - begin).as_seconds_f64()).collect::<Vec<f64>>();
            courses.iter().map(of).collect()
        };
        let times: Vec<Vec<Vec<f64>>> = runs.iter().map(|courses| seconds(courses)).collect();
        let longest = times.iter().flatten().flatten().copied().fold(0.0, f64::max);
        let (unit, seconds) = match longest {
            0.0..180.0 => ("Seconds", 1.0),
            180.0..10_800.0 => ("Minutes", 60.0),
            _ => ("Hours", 3_600.0),
        };
        let placed = |(course, times): (&Course, &Vec<f64>)| {
            let mut points: Vec<(f64, f64)> =
                times.iter().zip(&course.points).map(|(at, (_, value))| (at / seconds, *value)).collect();
            points.sort_by(|one, other| one.0.total_cmp(&other.0));
            points
        };
        let drawn = runs.iter().zip(&times).map(|(courses, times)| courses.iter().zip(times).map(placed).collect());
        (drawn.collect(), XAxis::Number(format!("{unit} since its first value")))
    }

    /// The running mean of a course, where one was asked for.
    pub fn smoothed(self, points: &[(f64, f64)]) -> Option<Points> {
        self.smoothing.map(|weight| smoothed(points, weight))
    }
}

/// Whether all of these courses have times.
pub fn has_times(runs: &[&[Course]]) -> bool {
    let has = |course: &Course| !course.times.is_empty() && course.times.len() == course.points.len();
    runs.iter().flat_map(|courses| courses.iter()).all(has)
}

/// A mean that runs along: each value counts `weight` times as much as the one after it. It is divided by the sum of the weights, so that it
/// does not begin at 0 (Kingma and Ba 2015, § 3, on the same bias of exponential moving averages). What is no number is left out.
fn smoothed(points: &[(f64, f64)], weight: f64) -> Points {
    let (mut sum, mut weights) = (0.0, 0.0);
    let mean = |(x, value): (f64, f64)| {
        sum = weight * sum + value;
        weights = weight * weights + 1.0;
        (x, sum / weights)
    };
    points.iter().copied().filter(|(_, value)| value.is_finite()).map(mean).collect()
}

/// Chooses it, without WASM as well.
#[component]
pub fn ChooseLook(
    /// The page.
    path: String,
    /// What else stands in the address and stays.
    kept: Vec<(&'static str, String)>,
    /// How they are looked at now.
    look: CurveLook,
    /// Whether all courses have times.
    has_times: bool,
) -> impl IntoView {
    let over_steps = (look.by_time && !has_times).then(|| {
        view! { <p class="hint">"Not all of these courses have times, so they are drawn over steps."</p> }
    });
    let kept: Vec<_> = kept
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(name, value)| view! { <input type="hidden" name=name value=value/> })
        .collect();
    let [(_, weight), _] = look.members();
    let own = (!WEIGHTS.iter().any(|(value, _)| *value == weight))
        .then(|| view! { <option value=weight.clone() selected=true>{weight.clone()}</option> });
    let weights: Vec<_> = WEIGHTS
        .iter()
        .map(|(value, words)| view! { <option value=*value selected=*value == weight>{*words}</option> })
        .collect();
    view! {
        <form method="get" action=path class="cluster cluster-end">
            {kept}
            <div class="field">
                <label class="label" for="curve-smooth">"Smoothing"</label>
                <select class="input" id="curve-smooth" name="smooth">{weights}{own}</select>
            </div>
            <div class="field">
                <label class="label" for="curve-x">"Over"</label>
                <select class="input" id="curve-x" name="x">
                    <option value="" selected=!look.by_time>"steps"</option>
                    <option value="time" selected=look.by_time>"time"</option>
                </select>
            </div>
            <button class="button" type="submit">"Show"</button>
        </form>
        {over_steps}
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::*;

    fn course(name: &str, seconds: &[i64]) -> Course {
        let begin = DateTime::from_timestamp(1_764_000_000, 0).unwrap();
        Course {
            name: name.to_owned(),
            points: (1..).zip(seconds).map(|(step, _)| (step, step as f64)).collect(),
            times: seconds.iter().map(|after| begin + TimeDelta::seconds(*after)).collect(),
        }
    }

    #[test]
    fn a_smoothed_course_begins_at_its_first_value_and_leaves_out_what_is_no_number() {
        let points = [(1.0, 4.0), (2.0, f64::NAN), (3.0, 0.0), (4.0, 0.0)];
        let smoothed = smoothed(&points, 0.5);
        assert_eq!(smoothed[0], (1.0, 4.0));
        // 0.5 · 4 over 1.5, and 0.25 · 4 over 1.75.
        assert!((smoothed[1].1 - 4.0 / 3.0).abs() < 1e-12 && (smoothed[2].1 - 4.0 / 7.0).abs() < 1e-12);
        assert_eq!(smoothed.len(), 3);
    }

    #[test]
    fn times_of_a_run_are_told_from_its_first_value_in_a_unit_that_fits_the_longest() {
        let (one, other) = ([course("loss", &[0, 60]), course("risk", &[30, 600])], [course("loss", &[100, 700])]);
        let look = CurveLook { by_time: true, smoothing: None };
        let (drawn, along) = look.points(&[&one, &other]);
        assert_eq!(along, XAxis::Number("Minutes since its first value".to_owned()));
        assert_eq!(drawn[0][1], [(0.5, 1.0), (10.0, 2.0)]);
        assert_eq!(drawn[1][0], [(0.0, 1.0), (10.0, 2.0)]);
    }

    #[test]
    fn courses_without_times_are_drawn_over_steps() {
        let without = Course { times: Vec::new(), ..course("loss", &[0, 60]) };
        let (drawn, along) = CurveLook { by_time: true, smoothing: None }.points(&[&[without]]);
        assert_eq!((along, drawn[0][0].len()), (XAxis::Number("Step".to_owned()), 2));
    }

    #[test]
    fn a_weight_that_is_none_smooths_nothing() {
        for text in ["1", "-0.5", "nan", "much", "0"] {
            let query = ParamsMap::from_iter([("smooth".to_owned(), text.to_owned())]);
            assert_eq!(CurveLook::from_query(&query), CurveLook::default(), "{text}");
        }
    }
}
