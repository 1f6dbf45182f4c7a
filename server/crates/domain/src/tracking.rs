//! What a program elsewhere may log of its own training, and within which limits.

use std::cmp::Ordering;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

/// Most metrics, parameters and tags of one call together.
pub const MOST_ENTRIES: usize = 1_000;
/// Most characters of a name.
pub const MOST_NAME: usize = 250;
/// Most characters of a parameter's value.
pub const MOST_PARAMETER: usize = 6_000;
/// Most characters of a tag's value.
pub const MOST_TAG: usize = 8_000;
/// Most parameters, most tags, and most metrics of one run.
pub const MOST_KEPT: usize = 2_000;

/// One value of a metric.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The metric.
    pub name: String,
    /// Its value; NaN and the infinities are values.
    pub value: f64,
    /// Which step of training it is of.
    pub step: i64,
    /// When.
    pub at: DateTime<Utc>,
}

impl Point {
    /// Which of two points of a metric is the newer one: that of the greater step, then the later one, then that of the greater value, of
    /// which NaN is the greatest, as in the database.
    pub fn order(&self, other: &Self) -> Ordering {
        let number = |point: &Self| if point.value.is_nan() { f64::NAN } else { point.value + 0.0 };
        let place = (self.step, self.at).cmp(&(other.step, other.at));
        place.then_with(|| number(self).total_cmp(&number(other)))
    }
}

/// A name and a text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub key: String,
    /// The text.
    pub value: String,
}

/// What is logged at once: all of it or nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Logged {
    /// Values of metrics, added to those before.
    pub points: Vec<Point>,
    /// Parameters: each is written once, and the same again changes nothing.
    pub parameters: Vec<Entry>,
    /// Tags, in place of those of the same name.
    pub tags: Vec<Entry>,
}

impl Logged {
    /// Whether everything keeps to the limits; the reason why not names the entry, the rule and what is allowed.
    ///
    /// # Errors
    /// The first rule that is broken.
    pub fn check(&self) -> Result<(), String> {
        let entries = self.points.len() + self.parameters.len() + self.tags.len();
        if entries > MOST_ENTRIES {
            return Err(format!(
                "{entries} metrics, parameters and tags are too many for one call, which takes {MOST_ENTRIES}"
            ));
        }
        for point in &self.points {
            check_name("metric", &point.name)?;
        }
        for (place, parameter) in self.parameters.iter().enumerate() {
            let is_other = |one: &Entry| one.key == parameter.key && one.value != parameter.value;
            if self.parameters[..place].iter().any(is_other) {
                return Err(format!("the parameter {:?} has two values", parameter.key));
            }
            check_name("parameter", &parameter.key)?;
            check_text("parameter", parameter, MOST_PARAMETER)?;
        }
        for tag in &self.tags {
            check_name("tag", &tag.key)?;
            check_text("tag", tag, MOST_TAG)?;
        }
        Ok(())
    }
}

/// Whether it can be a name: letters, digits and `_ - . / : ` and spaces, no path that leaves its place.
///
/// # Errors
/// What is wrong with it.
pub fn check_name(what: &str, name: &str) -> Result<(), String> {
    let is_allowed = |c: char| c.is_alphanumeric() || "_-./: ".contains(c);
    if name.is_empty() || name.chars().count() > MOST_NAME {
        return Err(format!("the name of a {what} must have 1 to {MOST_NAME} characters"));
    }
    if let Some(strange) = name.chars().find(|c| !is_allowed(*c)) {
        return Err(format!(
            "the {what} {name:?} has {strange:?} in its name; names have letters, digits, spaces and _ - . / :"
        ));
    }
    if name.starts_with('/') || name.split('/').any(|part| part == "..") {
        return Err(format!("the {what} {name:?} is named like a path that leaves its place"));
    }
    Ok(())
}

fn check_text(what: &str, entry: &Entry, most: usize) -> Result<(), String> {
    if entry.value.chars().count() > most {
        return Err(format!("the {what} {:?} is longer than {most} characters", entry.key));
    }
    if entry.value.contains('\0') {
        return Err(format!("the {what} {:?} contains NUL", entry.key));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &str, value: &str) -> Entry {
        Entry { key: key.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn the_newest_point_is_of_the_greatest_step_then_the_latest_then_the_greatest() {
        let point = |step, seconds, value| {
            let at = DateTime::from_timestamp(seconds, 0).unwrap();
            Point { name: "loss".to_owned(), value, step, at }
        };
        let of_old_to_new = [
            point(1, 9, 9.0),
            point(2, 1, 9.0),
            point(2, 3, f64::NEG_INFINITY),
            point(2, 3, 0.5),
            point(2, 3, f64::INFINITY),
            point(2, 3, -f64::NAN),
        ];
        for pair in of_old_to_new.windows(2) {
            assert_eq!(pair[0].order(&pair[1]), Ordering::Less, "{pair:?}");
        }
        assert_eq!(point(1, 1, -0.0).order(&point(1, 1, 0.0)), Ordering::Equal);
    }

    #[test]
    fn names_of_the_field_are_names_and_paths_are_none() {
        for good in ["loss", "val/auc", "train.loss", "top 5: acc", "größe"] {
            assert_eq!(check_name("metric", good), Ok(()), "{good}");
        }
        for bad in ["", "/etc", "a/../b", "..", "a\nb", "a\0", "a'b", &"x".repeat(251)] {
            assert!(check_name("metric", bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_call_takes_a_thousand_entries_and_no_text_without_end() {
        let point = |_| Point { name: "loss".to_owned(), value: f64::NAN, step: 0, at: DateTime::UNIX_EPOCH };
        let mut logged = Logged { points: (0..1_000).map(point).collect(), ..Logged::default() };
        assert_eq!(logged.check(), Ok(()));
        logged.tags.push(entry("a", "b"));
        assert!(logged.check().is_err_and(|reason| reason.contains("1001")));
        let long = Logged { parameters: vec![entry("p", &"x".repeat(6_001))], ..Logged::default() };
        assert!(long.check().is_err_and(|reason| reason.contains("\"p\" is longer than 6000")));
        let twice = Logged { parameters: vec![entry("p", "1"), entry("p", "2")], ..Logged::default() };
        assert!(twice.check().is_err_and(|reason| reason.contains("two values")));
        let nul = Logged { tags: vec![entry("t", "a\0")], ..Logged::default() };
        assert!(nul.check().is_err());
    }
}
