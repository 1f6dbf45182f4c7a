//! What would block a run, told before it is queued.

use millrace_domain::problem::Mistake;
use millrace_domain::trainer::{Aim, FitPlan};
use millrace_domain::view::{LaunchOptions, LaunchProblem};

use crate::wording::{counted, state_words};

use super::launch_form::LaunchForm;

/// Why a problem without data can't be launched.
pub const NO_DATA: &str = "no dataset version of this problem passed its critical checks yet; upload data for it";

/// One thing a run needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What is needed.
    pub name: String,
    /// `pass`, `fail` or `warning`, also `data-state`.
    pub state: &'static str,
    /// How it stands, and the way out when it does not hold.
    pub note: String,
}

impl Check {
    fn new(name: &str, state: &'static str, note: impl Into<String>) -> Self {
        Self { name: name.to_owned(), state, note: note.into() }
    }
}

/// Whether nothing stands in the way.
pub fn is_clear(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.state != "fail")
}

/// Everything a run of this form needs, as far as the form and the options tell.
pub fn checks(options: &LaunchOptions, form: &LaunchForm) -> Vec<Check> {
    let mut checks = vec![right(options)];
    let Some(problem) = options.problems.iter().find(|problem| problem.slug == form.problem) else {
        checks.push(no_problem(form));
        return checks;
    };
    match problem.obstacles.as_slice() {
        [] => {
            let features = counted(problem.features as u64, "feature", "features");
            let note = format!("{} v{} is signed off, with {features}", problem.slug, problem.version);
            checks.push(Check::new("Problem", "pass", note));
        }
        obstacles => checks.extend(obstacles.iter().map(|why| Check::new("Problem", "fail", why.as_str()))),
    }
    checks.push(dataset(problem, form));
    checks.extend(fit(problem, form));
    checks
}

fn right(options: &LaunchOptions) -> Check {
    match &options.may_launch.refusal {
        Some(refusal) if !options.may_launch.allowed => Check::new("Your right to launch", "fail", refusal.as_str()),
        _ => Check::new("Your right to launch", "pass", "you may launch runs"),
    }
}

fn no_problem(form: &LaunchForm) -> Check {
    if form.problem.is_empty() {
        return Check::new("Problem", "fail", "choose a problem");
    }
    let note = format!("no version of {} is signed off; submit one and have somebody else approve it", form.problem);
    Check::new("Problem", "fail", note)
}

fn dataset(problem: &LaunchProblem, form: &LaunchForm) -> Check {
    if problem.datasets.is_empty() {
        return Check::new("Data", "fail", NO_DATA);
    }
    let chosen = if form.dataset.is_empty() {
        problem.datasets.first()
    } else {
        problem.datasets.iter().find(|known| format!("{}/{}", known.dataset, known.version) == form.dataset)
    };
    let Some(chosen) = chosen else {
        return Check::new("Data", "fail", "there is no such valid dataset version; choose one from the list");
    };
    let name = format!("{} v{}", chosen.name, chosen.version);
    match chosen.warnings {
        0 => Check::new("Data", "pass", format!("{name} is valid, and no warning is open")),
        1 => Check::new("Data", "warning", format!("{name} has 1 warning, which travels along with the model")),
        n => Check::new("Data", "warning", format!("{name} has {n} warnings, which travel along with the model")),
    }
}

/// What is asked of the trainer: fine, or every mistake as launching would tell it.
fn fit(problem: &LaunchProblem, form: &LaunchForm) -> Vec<Check> {
    let mistaken = |mistakes: Vec<Mistake>| -> Vec<Check> {
        let told = |mistake: Mistake| {
            Check::new(&state_words(mistake.pointer.trim_start_matches('/')), "fail", mistake.message)
        };
        mistakes.into_iter().map(told).collect()
    };
    let request = match form.request() {
        Ok(request) => request,
        Err(fault) => return mistaken(fault.errors),
    };
    let Ok(kind) = problem.kind.parse() else { return Vec::new() };
    match FitPlan::read(&request.fit(), Aim { kind, quantile: problem.quantile }) {
        Ok(plan) if !problem.has_validation && !plan.lacks_validation().is_empty() => mistaken(plan.lacks_validation()),
        Ok(plan) => {
            let trainers: Vec<String> = plan.space.branches().iter().map(|branch| branch.base().asked_as()).collect();
            if let Some(strange) = trainers.iter().find(|trainer| !problem.trainers.contains(trainer)) {
                let reason = format!("{strange} is not declared here for a {} target", problem.kind);
                return vec![Check::new("Trainer", "fail", reason)];
            }
            let fit = if trainers.len() == 1 { "fits" } else { "fit" };
            vec![Check::new("Trainer", "pass", format!("{} {fit} a {} target", trainers.join(", "), problem.kind))]
        }
        Err(mistakes) => mistaken(mistakes),
    }
}

#[cfg(test)]
mod tests {
    use millrace_domain::view::{DatasetSummary, Permission};

    use super::*;

    fn options(may_launch: Permission, warnings: u32) -> LaunchOptions {
        let dataset = DatasetSummary {
            dataset: "5".to_owned(),
            name: "january".to_owned(),
            problem: "taxi-tips".to_owned(),
            version: 2,
            state: "valid".to_owned(),
            rows: Some(100),
            columns: Some(4),
            file_name: "january.csv".to_owned(),
            source_bytes: 1000,
            critical: 0,
            warnings,
            role: "examples".to_owned(),
            author: "Engineer".to_owned(),
            created_at: serde_json::from_str("\"2026-11-23T14:05:00Z\"").expect("a time"),
        };
        let problem = LaunchProblem {
            slug: "taxi-tips".to_owned(),
            title: "Taxi tips".to_owned(),
            version: 3,
            features: 12,
            kind: "binary".to_owned(),
            quantile: None,
            trainers: vec!["gradient_boosting".to_owned(), "logistic".to_owned()],
            has_validation: true,
            obstacles: Vec::new(),
            datasets: vec![dataset],
        };
        LaunchOptions { problems: vec![problem], may_launch }
    }

    fn form(problem: &str, trainer: &str) -> LaunchForm {
        LaunchForm { problem: problem.to_owned(), trainer: trainer.to_owned(), ..LaunchForm::default() }
    }

    #[test]
    fn a_form_that_can_run_is_clear() {
        assert!(is_clear(&checks(&options(Permission::granted(), 0), &form("taxi-tips", "logistic"))));
    }

    #[test]
    fn warnings_are_told_and_do_not_block() {
        let checks = checks(&options(Permission::granted(), 3), &form("taxi-tips", "logistic"));
        assert!(is_clear(&checks) && checks.iter().any(|check| check.state == "warning"));
    }

    #[test]
    fn a_missing_right_blocks_with_its_reason() {
        let checks = checks(&options(Permission::refused("ask an engineer"), 0), &form("taxi-tips", ""));
        assert_eq!((checks[0].state, checks[0].note.as_str()), ("fail", "ask an engineer"));
    }

    #[test]
    fn a_problem_that_cannot_be_launched_blocks() {
        assert!(!is_clear(&checks(&options(Permission::granted(), 0), &form("elsewhere", ""))));
    }

    #[test]
    fn what_keeps_any_run_from_being_launched_blocks_and_so_does_a_search_without_rows_to_choose_by() {
        let mut options = options(Permission::granted(), 0);
        options.problems[0].has_validation = false;
        let fixed = form("taxi-tips", "logistic");
        assert!(is_clear(&checks(&options, &fixed)));
        let searched = LaunchForm { budget: "20".to_owned(), ..fixed.clone() };
        assert!(!is_clear(&checks(&options, &searched)));
        options.problems[0].obstacles = vec!["the sign-off ran out".to_owned()];
        let told = checks(&options, &fixed);
        assert!(told.iter().any(|check| check.note == "the sign-off ran out") && !is_clear(&told));
    }

    #[test]
    fn a_trainer_of_another_kind_blocks() {
        assert!(!is_clear(&checks(&options(Permission::granted(), 0), &form("taxi-tips", "elastic_net"))));
    }
}
