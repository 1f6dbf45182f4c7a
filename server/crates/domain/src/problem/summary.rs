//! A problem in plain sentences, for people who sign it without being engineers.

use super::{
    BusinessRead, Conduct, Definition, Drift, Monitoring, ProblemDocument, Promote, Retraining, Serving, Span, Split,
    When,
};
use crate::metric::{Bound, TargetKind};
use crate::policy::Role;
use crate::rollout::Plan;
use crate::run::RolloutStage;

impl ProblemDocument {
    /// What is being signed, one sentence a line.
    pub fn summary(&self) -> Vec<String> {
        let mut lines = vec![
            self.question(),
            format!("The answer is used for this decision: {}.", self.decision.trim_end_matches('.')),
            self.label(),
            format!(
                "It is answered from {}{}.",
                count(self.features.len(), "input"),
                self.data.entity.as_ref().map(|entity| format!(", one row about one {entity}")).unwrap_or_default()
            ),
            self.parts(),
        ];
        for source in &self.sources {
            lines.push(format!(
                "New rows of {} are fetched from {} every {}, when there are any.",
                source.dataset,
                source.connection,
                source.every.in_words().trim_start_matches("1 ")
            ));
        }
        if !self.lookups.is_empty() {
            lines.push(format!(
                "Inputs are looked up in {} as of the time of the row.",
                listed(self.lookups.iter().map(|lookup| lookup.table.as_str()))
            ));
        }
        if !self.aggregates.is_empty() {
            lines.push(format!(
                "{} about what happened before the row, to the same {}.",
                if self.aggregates.len() == 1 {
                    "One input is a number".to_owned()
                } else {
                    format!("{} inputs are numbers", self.aggregates.len())
                },
                listed(self.aggregates.iter().flat_map(|aggregate| &aggregate.over).map(String::as_str))
            ));
        }
        for environment in &self.environments {
            let without = match environment.without.as_slice() {
                [] => String::new(),
                without => format!(", and may come without {}", listed(without.iter().map(String::as_str))),
            };
            let compared = environment.compared_to.as_ref();
            let compared = compared.map(|other| format!("; it is compared with {other}")).unwrap_or_default();
            lines.push(format!("{} is checked and never trained on{without}{compared}.", environment.name));
        }
        if !self.checks.is_empty() {
            lines.push(format!("Data must keep {} besides.", count(self.checks.len(), "declared rule")));
        }
        if let Some(quarantine) = self.data.quarantine {
            lines.push(format!(
                "Rows that break a critical rule are set aside, up to {} % of them; with more, nothing is trained on.",
                quarantine.at_most * 100.0
            ));
        }
        lines.push(format!(
            "A model is good enough when its {} on data it has never seen is {}.",
            self.success.metric.title(),
            self.target.counted(self.success.metric, words(self.success.bound))
        ));
        if let Some(difference) = self.success.smallest_difference {
            lines.push(format!("A difference of {difference} in it is the smallest that matters."));
        }
        for guardrail in &self.guardrails {
            lines.push(format!(
                "Besides, its {} must be {}.",
                guardrail.metric.title(),
                self.target.counted(guardrail.metric, words(guardrail.bound))
            ));
        }
        for slice in &self.slices {
            lines.push(format!(
                "For every value of {} with at least {}, its {} must be {}.",
                slice.by,
                count(usize::try_from(slice.min_rows).unwrap_or(usize::MAX), "row"),
                slice.goal.metric.title(),
                self.target.counted(slice.goal.metric, words(slice.goal.bound))
            ));
        }
        lines.extend(self.gates.iter().flat_map(|limits| limits.in_words(self.success.metric.title())));
        let Serving { p99_ms, throughput_rps, .. } = self.serving;
        lines.push(format!("99 of 100 answers come within {p99_ms} ms when {throughput_rps} a second are asked for."));
        if let Some(fallback) = &self.serving.fallback {
            let said = fallback.in_words().join("; ");
            let first =
                if fallback.rules.is_empty() { "every answer is" } else { "the first of these that fits answers" };
            lines.push(format!("When the model is switched off, {first}: {said}."));
        }
        if let Some(business) = &self.business {
            let way = if business.direction == crate::metric::Direction::Up { "rise" } else { "fall" };
            lines.push(format!("{} ({}) should {way}.", business.name, business.unit));
            if let Some(BusinessRead { connection, delay, .. }) = &business.read {
                let when =
                    if delay.seconds() == 0 { String::new() } else { format!(" {} after its end", delay.in_words()) };
                lines.push(format!("Its values are read at {connection} by a query, those of a window{when}."));
            }
            if let Some(limit) = business.limit {
                let worse = if business.direction == crate::metric::Direction::Up { "below" } else { "above" };
                lines.push(format!("A mean of it {worse} {limit} in a window is told to on-call."));
            }
            if let Some(margin) = business.margin {
                let margin = crate::rollout::in_percent(margin);
                lines.push(format!(
                    "A canary goes on only once its mean is shown to be at most {margin} % worse than that of the live model."
                ));
            }
        }
        lines.extend(self.way_to_users());
        lines.extend(self.monitoring.in_words());
        if let Some(retraining) = &self.retraining {
            lines.extend(retraining.in_words());
        }
        lines.push(format!(
            "{} to sign this document{}, {} to put a model live{}; nobody approves their own work.",
            count(self.approvals.specification as usize, "approval"),
            among(&self.approvals.specification_roles),
            count(self.approvals.promotion as usize, "approval"),
            among(&self.approvals.promotion_roles)
        ));
        if let Some(valid_for) = self.approvals.valid_for {
            lines.push(format!("A signature holds for {}; after that it has to be given again.", valid_for.in_words()));
        }
        lines
    }

    /// How a version that takes another one's place reaches its users.
    fn way_to_users(&self) -> Vec<String> {
        let rollout = &self.rollout;
        let plan = Plan::of(self);
        let steps = plan.steps.iter().map(|step| {
            let predictions = count(usize::try_from(step.min_predictions).unwrap_or(usize::MAX), "prediction");
            let needs = format!("{predictions} over at least {}", Span::of_seconds(step.min_seconds).in_words());
            match step.stage {
                RolloutStage::Shadow => format!("answers beside the live one, unseen, for {needs}"),
                RolloutStage::Canary => format!("answers {} % for {needs}", step.percent),
                RolloutStage::Watch => format!("answers everybody, the one before it asked beside it for {needs}"),
            }
        });
        let steps: Vec<String> = steps.collect();
        let deadline = Span::of_seconds(plan.deadline_seconds).in_words();
        let mut lines = vec![
            format!("A new version {}.", steps.join(", then ")),
            format!("What a step has not shown within {deadline} takes it back."),
        ];
        let watched: Vec<&str> = rollout.watched.iter().map(|check| check.as_str()).collect();
        let on_breach = match rollout.on_breach {
            Conduct::Automatic => "is taken back by itself",
            Conduct::Ask => "waits for somebody to take it back",
        };
        let advance = match rollout.advance {
            Conduct::Automatic => "It goes on by itself once it is shown to be as good",
            Conduct::Ask => "Somebody lets it go on once it is shown to be as good",
        };
        lines.push(format!("{advance}, and {on_breach} when it is shown to be worse."));
        if !watched.is_empty() {
            lines.push(format!("Its {} is looked at and decides nothing.", listed(watched.into_iter())));
        }
        lines
    }

    fn question(&self) -> String {
        let title = self.title.trim_end_matches(['.', '?']);
        let unit = self.target.unit.as_ref().map(|unit| format!(" ({unit})")).unwrap_or_default();
        match self.target.kind {
            TargetKind::Binary => format!("The model answers yes or no, with a probability: {title}?"),
            TargetKind::Multiclass => format!("The model picks one of several classes: {title}."),
            TargetKind::Regression => match self.target.quantile {
                None => format!("The model estimates a number{unit}: {title}."),
                Some(quantile) => format!(
                    "The model estimates a number{unit} that the truth stays under in {} of 100 cases: {title}.",
                    (quantile * 1e5).round() / 1e3
                ),
            },
        }
    }

    fn label(&self) -> String {
        let rule = match &self.target.definition {
            Definition::Column(column) => format!("the column {column}"),
            Definition::Expression(expression) => format!("the rule {}", expression.text()),
        };
        let delay = self.target.delay;
        let known =
            if delay.seconds() == 0 { "at once".to_owned() } else { format!("{} after the event", delay.in_words()) };
        let costs = self.target.costs.map_or_else(String::new, |costs| {
            format!(
                " A false alarm costs {}, a miss {}: the model says yes above {}.",
                costs.false_positive,
                costs.false_negative,
                (costs.threshold() * 1e4).round() / 1e4
            )
        });
        format!("The truth ({}) comes from {rule} and is known {known}.{costs}", self.target.name)
    }

    fn parts(&self) -> String {
        let percent = |share: f64| (share * 100.0).round();
        let (validation, test) = (percent(self.data.split.validation()), percent(self.data.split.test()));
        match self.data.split {
            Split::Time { .. } => format!(
                "The newest {test} % of the rows are kept for the final test and the {validation} % before them for choosing; \
                 older rows train."
            ),
            Split::Random { .. } => format!(
                "{test} % of the rows, drawn by lot, are kept for the final test and {validation} % for choosing; the rest train."
            ),
        }
    }
}

impl Monitoring {
    /// What is watched.
    fn in_words(&self) -> Vec<String> {
        let Drift { metric, threshold, windows, keep_firing } = self.drift;
        let row = if windows == 1 { String::new() } else { format!(" in {windows} windows in a row") };
        let mut lines = vec![format!(
            "Every {} what the model is asked and answers is held against its training data; a {metric} above {threshold}{row}, of at \
             least {}, is told to on-call.",
            self.window.in_words(),
            count(usize::try_from(self.min_rows).unwrap_or(usize::MAX), "answer")
        )];
        if let Some(windows) = keep_firing {
            let row = if windows == 1 { "once one window is" } else { "once so many windows in a row are" };
            lines.push(format!("Such an alert is over {row} as they should: {windows}."));
        }
        if let Some(loss) = self.estimated_loss {
            lines.push(format!(
                "Before outcomes are known they are estimated from the scores; an estimate that is worse by more than {loss} than on the \
                 held-out rows{row} is told as well."
            ));
        }
        if let Some(freshness) = self.freshness {
            lines.push(format!("Data whose newest row is older than {} is told to on-call.", freshness.in_words()));
        }
        lines
    }
}

impl Retraining {
    /// When a new model is trained, and how far it goes by itself.
    pub fn in_words(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if let Some(cron) = &self.cron {
            reasons.push(format!("on the schedule {cron} ({})", self.timezone));
        }
        let many = |number: u64, thing| count(usize::try_from(number).unwrap_or(usize::MAX), thing);
        reasons.extend(self.new_rows.map(|rows| format!("after {}", many(rows, "new row"))));
        reasons.extend(self.new_labels.map(|labels| format!("after {}", many(labels, "new outcome"))));
        if self.on_drift {
            reasons.push("on confirmed drift".to_owned());
        }
        if self.on_quality {
            reasons.push("when answers are worse than they must be".to_owned());
        }
        if self.on_estimated_loss {
            reasons.push("when answers are estimated to be worse than they may be".to_owned());
        }
        let mut lines = Vec::new();
        if !reasons.is_empty() {
            let between = if self.when == When::All { " and " } else { ", or " };
            let all = if self.when == When::All { ", once all of it has come together" } else { "" };
            lines.push(format!(
                "A new model is trained by itself {}{all}; at most one every {}.",
                reasons.join(between),
                self.cool_down.in_words()
            ));
        }
        if let Some(most) = self.most {
            lines.push(format!("At most {} are started so within thirty days.", many(u64::from(most), "training")));
        }
        if let Some(cpu) = self.cpu {
            let cpu = cpu.in_words();
            lines.push(format!("None is started once they have used {cpu} of processor time within thirty days."));
        }
        if let Some(blackout) = self.blackout {
            lines.push(format!("None is started from {} ({}).", String::from(blackout), self.timezone));
        }
        if !reasons.is_empty() {
            lines.push(format!(
                "After {} in a row that came to nothing it stops.",
                many(u64::from(self.patience()), "training")
            ));
        }
        lines.push(match self.promote {
            Promote::Approval => "A retrained model waits for a person's approval.".to_owned(),
            Promote::Shadow => {
                "A retrained model goes into the shadow by itself, and no further until a person approves it."
                    .to_owned()
            }
            Promote::Canary => {
                "A retrained model goes through the canary by itself, and to everybody once a person approves it."
                    .to_owned()
            }
            Promote::Automatic => "A retrained model goes live by itself when its checks pass.".to_owned(),
        });
        lines
    }
}

fn among(roles: &[Role]) -> String {
    let titles: Vec<String> = roles.iter().map(|role| format!("one by {}", role.with_article())).collect();
    if titles.is_empty() { String::new() } else { format!(" ({})", titles.join(", ")) }
}

fn words(bound: Bound) -> String {
    match bound {
        Bound::AtLeast(limit) => format!("at least {limit}"),
        Bound::AtMost(limit) => format!("at most {limit}"),
    }
}

fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}

/// Each name once, in words.
fn listed<'n>(names: impl Iterator<Item = &'n str>) -> String {
    let mut met: Vec<&str> = Vec::new();
    for name in names {
        if !met.contains(&name) {
            met.push(name);
        }
    }
    match met.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        _ => met.concat(),
    }
}
