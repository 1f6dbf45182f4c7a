//! What the address of the list of runs asks for.

use leptos_router::params::ParamsMap;
use serde_json::Value;

use crate::pages::address::address;

/// Filter, order and columns; empty means no limit.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanted {
    pub problem: String,
    pub state: String,
    pub filter: String,
    pub order: String,
    pub columns: Vec<String>,
    pub page: String,
    /// The run that the others are held against.
    pub baseline: String,
}

impl Wanted {
    /// Reads it; columns stand in one parameter, or in one each as a form sends them.
    pub fn from_query(query: &ParamsMap) -> Self {
        let value = |name| query.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
        let columns = query.get_all("columns").unwrap_or_default();
        let columns = columns.iter().flat_map(|text| text.split(',')).map(str::trim).filter(|name| !name.is_empty());
        Self {
            problem: value("problem"),
            state: value("state"),
            filter: value("filter"),
            order: value("order_by"),
            columns: columns.map(str::to_owned).collect(),
            page: value("page"),
            baseline: value("baseline"),
        }
    }

    /// Whether every run is listed.
    pub fn is_open(&self) -> bool {
        self.problem.is_empty() && self.state.is_empty() && self.filter.is_empty()
    }

    fn at(&self, path: &str, order: &str, page: &str) -> String {
        let columns = self.columns.join(",");
        let Self { problem, state, filter, .. } = self;
        // A file has no differences.
        let baseline = if path == "/runs" { self.baseline.as_str() } else { "" };
        address(
            path,
            [
                ("problem", problem.as_str()),
                ("state", state),
                ("filter", filter),
                ("order_by", order),
                ("columns", &columns),
                ("baseline", baseline),
                (if path == "/runs" { "page" } else { "page_token" }, page),
            ],
        )
    }

    /// The same on another page.
    pub fn page(&self, page: &str) -> String {
        self.at("/runs", &self.order, page)
    }

    /// The same page with another run that the others are held against, or with none.
    pub fn against(&self, baseline: &str) -> String {
        Self { baseline: baseline.to_owned(), ..self.clone() }.page(&self.page)
    }

    /// The same slice as a file.
    pub fn export(&self, ending: &str) -> String {
        self.at(&format!("/api/v1/runs/export.{ending}"), &self.order, "")
    }

    /// The list put in order by a field, from its beginning: the way round it is not in now, greatest first at first where `most`
    /// says so.
    pub fn ordered(&self, field: &str, most: bool) -> String {
        let down = format!("{field} desc");
        let order = match self.direction(field) {
            Some("descending") => field,
            Some(_) => &down,
            None if most => &down,
            None => field,
        };
        self.at("/runs", order, "")
    }

    /// Only those of these runs that have this value of a field, or another one; nothing where there is no value to compare with.
    pub fn narrowed(&self, field: &str, value: &Value, is: bool) -> Option<String> {
        let operand = match value {
            Value::String(text) => format!("'{}'", text.replace('\'', "''")),
            Value::Number(number) => number.to_string(),
            _ => return None,
        };
        let condition = format!("{field} {} {operand}", if is { "=" } else { "!=" });
        let filter = match self.filter.is_empty() {
            true => condition,
            false => format!("{} and {condition}", self.filter),
        };
        Some(Self { filter, ..self.clone() }.at("/runs", &self.order, ""))
    }

    /// How the list is in order by that field, as `aria-sort` says it.
    pub fn direction(&self, field: &str) -> Option<&'static str> {
        match self.order.strip_prefix(field)?.split(',').next()?.trim() {
            "" | "asc" => Some("ascending"),
            "desc" => Some("descending"),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wanted() -> Wanted {
        Wanted {
            problem: "taxi-tips".to_owned(),
            filter: "seed = 1".to_owned(),
            order: "seconds desc".to_owned(),
            columns: vec!["params.eta".to_owned(), "seed".to_owned()],
            page: "40".to_owned(),
            ..Wanted::default()
        }
    }

    #[test]
    fn another_page_and_the_export_keep_the_view() {
        let view = "problem=taxi-tips&filter=seed%20%3D%201&order_by=seconds%20desc&columns=params.eta%2Cseed";
        assert_eq!(wanted().page("90"), format!("/runs?{view}&page=90"));
        assert_eq!(wanted().export("csv"), format!("/api/v1/runs/export.csv?{view}"));
    }

    #[test]
    fn a_baseline_stays_on_every_page_and_is_none_of_a_file() {
        let held = Wanted { baseline: "7".to_owned(), ..wanted() };
        assert!(held.page("90").ends_with("&baseline=7&page=90"), "{}", held.page("90"));
        assert!(held.ordered("seed", true).contains("&baseline=7"));
        assert_eq!(held.export("csv"), wanted().export("csv"));
        assert_eq!(held.against(""), wanted().page("40"));
    }

    #[test]
    fn a_value_narrows_the_list_to_runs_that_have_it_or_another_one() {
        let only = Wanted::default().narrowed("tags.team", &json!("Ada's"), true);
        assert_eq!(only.as_deref(), Some("/runs?filter=tags.team%20%3D%20%27Ada%27%27s%27"));
        let without = wanted().narrowed("params.eta", &json!(0.1), false).expect("an address");
        assert!(without.contains("filter=seed%20%3D%201%20and%20params.eta%20%21%3D%200.1&"), "{without}");
        assert!(!without.contains("page="), "from its beginning: {without}");
        assert_eq!(wanted().narrowed("params.eta", &Value::Null, true), None);
    }

    #[test]
    fn the_first_page_of_everything_has_a_plain_address() {
        assert_eq!(Wanted::default().page(""), "/runs");
    }

    #[test]
    fn a_second_click_on_a_column_turns_the_order_round() {
        assert_eq!(wanted().direction("seconds"), Some("descending"));
        assert!(wanted().ordered("seconds", true).contains("order_by=seconds&"));
        assert!(wanted().ordered("metrics.a", true).contains("order_by=metrics.a%20desc&"));
        assert_eq!(wanted().direction("second"), None);
    }
}
