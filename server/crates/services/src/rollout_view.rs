//! Rollouts as they are shown: where a candidate is, what was counted, and on what each change was decided.

use std::collections::BTreeMap;

use millrace_domain::expr::Expression;
use millrace_domain::fault::Fault;
use millrace_domain::ids::ModelVersionId;
use millrace_domain::metric::TargetKind;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::rollout::{
    AskedBoth, Next, SliceCompared, compare_slices, follows, latency_of, probability_of, value_of,
};
use millrace_domain::run::RolloutState;
use millrace_domain::view::{
    ChangeView, DisagreementView, Permission, RolloutCounts, RolloutMinute, RolloutSide, RolloutView, ScoreGroup,
};
use millrace_storage::deployment::{self, PastChange};
use millrace_storage::rollout::{self, AnsweredByBoth, Minute, Rollout, Tally};
use millrace_storage::{model, problem};

use serde_json::Value;

use crate::deployment::present_change;
use crate::model::{Lineage, missing};
use crate::{Result, Services, fault};

/// Groups of scores that are drawn.
const GROUPS: u64 = 60;
/// Looks that are drawn.
const LOOKS: i64 = 40;
/// Minutes that are drawn.
const MOST_MINUTES: i64 = 240;
/// Requests that are looked through for differences, and those that are shown.
const LOOKED_THROUGH: i64 = 500;
const MOST_APART: usize = 8;
/// Requests that both versions are compared on by slice.
const COMPARED: i64 = 2_000;

impl Services {
    /// One change of what is live, with what it was decided on.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn deployment_change(&self, actor: &Actor, slug: &str, generation: i64) -> Result<ChangeView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("deployment/{slug}")).await?;
        let pool = self.db.pool();
        let missing = || Fault::not_found("change");
        let id = problem::find_id(pool, slug).await.map_err(fault)?.ok_or_else(missing)?;
        let change = deployment::find_change(pool, id, generation).await.map_err(fault)?.ok_or_else(missing)?;
        let now = deployment::find(pool, slug).await.map_err(fault)?;
        let versions = problem::versions(pool, slug).await.map_err(fault)?;
        let newest = now.is_some_and(|now| now.generation == generation);
        // The answers since an older change may be all there are.
        let spread = self.spread(id, generation, taken_back(&change).filter(|_| newest)).await?;
        let spread = Some(spread).filter(|spread| newest || !spread.servers.is_empty());
        let rollout = match change.rollout {
            None => None,
            Some(id) => rollout::find(pool, id).await.map_err(fault)?,
        };
        let (rollout, ended_step) = match rollout {
            None => (None, None),
            Some(rollout) => {
                let begun = deployment::steps_begun(pool, rollout.id, generation).await.map_err(fault)?;
                let ended = begun.checked_sub(1);
                let step = ended.unwrap_or(rollout.step);
                (Some(self.present_rollout(actor, rollout, step).await?), ended)
            }
        };
        Ok(ChangeView {
            slug: slug.to_owned(),
            title: versions.first().map(|version| version.document.title.clone()).unwrap_or_default(),
            checks: change.checks.clone().unwrap_or_default(),
            change: present_change(change),
            rollout,
            ended_step,
            spread,
        })
    }

    /// A rollout, with what was counted in one of its steps.
    pub(crate) async fn present_rollout(
        &self,
        actor: &Actor,
        rollout: Rollout,
        counted_in: usize,
    ) -> Result<RolloutView> {
        let pool = self.db.pool();
        let tallies = rollout::tallies(pool, rollout.id, counted_in).await.map_err(fault)?;
        let minutes = rollout::minutes(pool, rollout.id, counted_in, MOST_MINUTES).await.map_err(fault)?;
        let pairs = rollout::answered_by_both(pool, rollout.id, LOOKED_THROUGH).await.map_err(fault)?;
        let looks = rollout::looks(pool, rollout.id, LOOKS).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "how the evidence grew could not be looked up");
            Vec::new()
        });
        let disagreements = furthest_apart(pairs, rollout.champion_number);
        // Who has to pause or roll back waits for no store.
        let lineage = self.candidate_of(&rollout).await;
        let document = lineage.as_ref().ok().map(|lineage| &lineage.problem.document);
        let kind = document.map(|document| document.target.kind);
        let compared = match lineage {
            Ok(lineage) => self.compared_by_slice(&rollout, &lineage).await,
            Err(error) => Err(error),
        };
        let (slices, classes) = compared.unwrap_or_else(|error| {
            tracing::warn!(detail = error.detail, "versions could not be compared by slice");
            (Vec::new(), Vec::new())
        });
        let may = actor.may_on(Action::Deploy, &rollout.slug).map_err(|refused| refused.to_string());
        let open = if rollout.ended_at.is_some() { Err("this rollout has ended".to_owned()) } else { Ok(()) };
        let may_pause = may.clone().and(open.clone());
        let may_advance = may.and(open).and_then(|()| shown(&rollout));
        Ok(RolloutView {
            id: rollout.id.to_string(),
            candidate: rollout.candidate_number,
            champion: rollout.champion_number,
            step: rollout.step,
            state: rollout.state.to_string(),
            seconds: rollout.seconds,
            deadline_seconds: rollout.plan.deadline_seconds,
            waits_for: match (rollout.state, rollout.waits_for) {
                (RolloutState::Paused, None) => Some("it is paused: it does not go on by itself".to_owned()),
                (_, waits_for) => waits_for,
            },
            paused: rollout.paused.filter(|_| rollout.state == RolloutState::Paused),
            rules: rollout.plan.rules,
            by: rollout.account_name,
            reason: rollout.reason,
            started_at: rollout.started_at,
            looked_at: rollout.looked_at,
            ended_at: rollout.ended_at,
            counted: counted(&tallies, &minutes, kind, &classes),
            looks,
            limit_ms: Some(rollout.plan.slow_ms),
            disagreements,
            slices,
            steps: rollout.plan.steps,
            may_advance: Permission::from_result(may_advance),
            may_pause: Permission::from_result(may_pause),
        })
    }

    /// The version that is rolled out, and where it comes from.
    async fn candidate_of(&self, rollout: &Rollout) -> Result<Lineage> {
        let version = model::find(self.db.pool(), rollout.candidate).await.map_err(fault)?.ok_or_else(missing)?;
        self.lineage(self.db.pool(), version).await
    }

    /// Both versions beside each other, in all and by the slices of the candidate's document; and the candidate's classes.
    async fn compared_by_slice(
        &self,
        rollout: &Rollout,
        lineage: &Lineage,
    ) -> Result<(Vec<SliceCompared>, Vec<String>)> {
        let document = &lineage.problem.document;
        let mut by: Vec<(String, Expression)> = Vec::new();
        for slice in &document.slices {
            if by.iter().any(|(name, _)| *name == slice.by) {
                continue;
            }
            let feature = document.features.iter().find(|feature| feature.name == slice.by);
            let expression =
                feature.map_or_else(|| Expression::column(&slice.by), |feature| feature.expression.clone());
            by.push((slice.by.clone(), expression));
        }
        let mut columns: Vec<String> =
            by.iter().flat_map(|(_, expression)| expression.columns()).map(str::to_owned).collect();
        columns.sort_unstable();
        columns.dedup();
        let sent = rollout::asked_both(self.db.pool(), rollout, &columns, COMPARED).await.map_err(fault)?;
        let sliced = |sent: rollout::Sent| AskedBoth {
            values: by.iter().map(|(_, expression)| expression.text_of(&sent.columns)).collect(),
            ..sent.asked
        };
        let asked: Vec<AskedBoth> = sent.into_iter().map(sliced).collect();
        let by: Vec<String> = by.iter().map(|(name, _)| name.clone()).collect();
        let evaluation = self.evaluation(&lineage.run).await?;
        let labels = evaluation["test"]["confusion"]["labels"].as_array().into_iter().flatten();
        let classes: Vec<&str> = labels.filter_map(Value::as_str).collect();
        let slices = if asked.is_empty() { Vec::new() } else { compare_slices(&asked, &by, &classes) };
        Ok((slices, classes.into_iter().map(str::to_owned).collect()))
    }
}

/// The version that a change took back.
fn taken_back(change: &PastChange) -> Option<ModelVersionId> {
    change.previous_id.filter(|_| change.kind == "rollback")
}

/// Those on which both said the most different things, the furthest apart first; none of those on which they agree.
fn furthest_apart(pairs: Vec<AnsweredByBoth>, champion: i32) -> Vec<DisagreementView> {
    let number = |output: &Value| ["score", "value"].iter().find_map(|name| output[*name].as_f64());
    let mut apart: Vec<(bool, f64, AnsweredByBoth)> = pairs
        .into_iter()
        .filter(|pair| pair.output != pair.other)
        .map(|pair| {
            let flips = pair.output["label"] != pair.other["label"];
            let distance =
                number(&pair.output).zip(number(&pair.other)).map_or(0.0, |(one, other)| (one - other).abs());
            (flips, distance, pair)
        })
        .collect();
    apart.sort_by(|a, b| b.0.cmp(&a.0).then(b.1.total_cmp(&a.1)));
    let view = |(_, _, pair): (bool, f64, AnsweredByBoth)| {
        let is_champions = pair.number == champion;
        let (champion, candidate) = if is_champions { (pair.output, pair.other) } else { (pair.other, pair.output) };
        DisagreementView { prediction: pair.id.to_string(), entity: pair.entity, champion, candidate, at: pair.at }
    };
    apart.into_iter().take(MOST_APART).map(view).collect()
}

/// Whether a rollout's last look showed everything; what is open, if not.
fn shown(rollout: &Rollout) -> std::result::Result<(), String> {
    if rollout.checks.is_empty() {
        return Err("nothing was counted yet".to_owned());
    }
    match follows(&rollout.plan, rollout.step, &rollout.checks, rollout.seconds) {
        (Next::Advance, _) => Ok(()),
        (_, open) => Err(format!("not shown yet: {}", open.join(", "))),
    }
}

/// Sums of what was tallied in a step.
fn counted(tallies: &[Tally], minutes: &[Minute], kind: Option<TargetKind>, classes: &[String]) -> RolloutCounts {
    let bins = |arm: &str, measure: &str| -> BTreeMap<i32, u64> {
        let of_one = tallies.iter().filter(|tally| tally.arm == arm && tally.measure == measure);
        of_one.map(|tally| (tally.bin, tally.n.unsigned_abs())).collect()
    };
    let count = |arm: &str, measure: &str| bins(arm, measure).values().sum::<u64>();
    let of_arm = |arm: &str, of: fn(&Minute) -> i64| -> u64 {
        minutes.iter().filter(|minute| minute.arm == arm).map(|minute| of(minute).unsigned_abs()).sum()
    };
    let side = |arm: &str| {
        let latency = bins(arm, "latency");
        RolloutSide {
            arm: arm.to_owned(),
            answered: of_arm(arm, |minute| minute.answered),
            failed: of_arm(arm, |minute| minute.failed),
            p50_ms: quantile(&latency, 0.5),
            p95_ms: quantile(&latency, 0.95),
            p99_ms: quantile(&latency, 0.99),
            times: latency.into_iter().map(|(bin, n)| (latency_of(bin), n)).collect(),
        }
    };
    let answers = ["candidate", "control", "rest"].map(|arm| of_arm(arm, |minute| minute.answered));
    let all: u64 = answers.iter().sum();
    RolloutCounts {
        share: (all > 0).then(|| 100.0 * answers[0] as f64 / all as f64),
        sides: vec![side("candidate"), side("control")],
        agreed: count("candidate", "agreed"),
        differed: count("candidate", "differed"),
        dropped: count("candidate", "dropped") + count("control", "dropped"),
        scores: grouped(&bins("candidate", "score"), &bins("control", "score"), kind, classes),
        minutes: by_minute(minutes),
    }
}

/// The upper end of the bin in which that share of all lies.
fn quantile(bins: &BTreeMap<i32, u64>, share: f64) -> Option<f64> {
    let all: u64 = bins.values().sum();
    let mut below = 0;
    bins.iter()
        .find(|(_, n)| {
            below += **n;
            below as f64 >= share * all as f64
        })
        .map(|(bin, _)| latency_of(*bin))
}

/// Neighbouring bins that answers lie in, put together where a group would hold less than one in [`GROUPS`] of them; classes stay apart.
fn grouped(
    candidate: &BTreeMap<i32, u64>,
    control: &BTreeMap<i32, u64>,
    kind: Option<TargetKind>,
    classes: &[String],
) -> Vec<ScoreGroup> {
    let end: Option<fn(i32) -> f64> = match kind {
        Some(TargetKind::Binary) => Some(probability_of),
        Some(TargetKind::Regression) => Some(value_of),
        Some(TargetKind::Multiclass) if !classes.is_empty() => None,
        // What the groups stand for is not known.
        Some(TargetKind::Multiclass) | None => return Vec::new(),
    };
    let class = |bin: i32| usize::try_from(bin).ok().and_then(|place| classes.get(place)).cloned();
    let mut bins: BTreeMap<i32, (u64, u64)> = BTreeMap::new();
    candidate.iter().for_each(|(bin, n)| bins.entry(*bin).or_default().0 += n);
    control.iter().for_each(|(bin, n)| bins.entry(*bin).or_default().1 += n);
    let all: u64 = bins.values().map(|(candidate, control)| candidate + control).sum();
    let last = bins.keys().next_back().copied();
    let (mut groups, mut open) = (Vec::new(), (0, 0));
    for (bin, n) in bins {
        open = (open.0 + n.0, open.1 + n.1);
        if end.is_none() || (open.0 + open.1) * GROUPS >= all || Some(bin) == last {
            let class = end.is_none().then(|| class(bin).unwrap_or_else(|| "another class".to_owned()));
            groups.push(ScoreGroup { at_most: end.map(|end| end(bin)), class, candidate: open.0, control: open.1 });
            open = (0, 0);
        }
    }
    groups
}

/// The sides of each minute side by side.
fn by_minute(minutes: &[Minute]) -> Vec<RolloutMinute> {
    let mut lines: BTreeMap<_, RolloutMinute> = BTreeMap::new();
    for minute in minutes {
        let empty = RolloutMinute { minute: minute.minute, candidate: 0, control: 0, rest: 0, failed: 0 };
        let line = lines.entry(minute.minute).or_insert(empty);
        let answered = minute.answered.unsigned_abs();
        match minute.arm.as_str() {
            "candidate" => {
                line.candidate += answered;
                line.failed += minute.failed.unsigned_abs();
            }
            "control" => line.control += answered,
            _ => line.rest += answered,
        }
    }
    // The first of so many holds everything before.
    let whole = lines.keys().next_back().map(|latest| *latest - chrono::TimeDelta::minutes(MOST_MINUTES));
    lines.into_values().filter(|line| whole.is_none_or(|whole| line.minute > whole)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_that_of_all_answers() {
        let minute = |arm: &str, answered| Minute {
            arm: arm.to_owned(),
            minute: "2026-11-23T14:05:00Z".parse().unwrap(),
            answered,
            failed: 1,
        };
        let found = counted(&[], &[minute("candidate", 5), minute("control", 5), minute("rest", 90)], None, &[]);
        assert_eq!((found.share, found.minutes.len(), found.minutes[0].failed), (Some(5.0), 1, 1));
    }

    #[test]
    fn a_flip_comes_before_a_larger_distance_and_agreement_is_left_out() {
        let pair = |one: Value, other: Value, number: i32| AnsweredByBoth {
            id: millrace_storage::Uuid::nil(),
            entity: None,
            number,
            output: one,
            other_number: 3 - number,
            other,
            at: "2026-11-23T14:05:00Z".parse().unwrap(),
        };
        let answer = |score: f64, label: &str| serde_json::json!({ "score": score, "label": label });
        let found = furthest_apart(
            vec![
                pair(answer(0.1, "0"), answer(0.1, "0"), 1),
                pair(answer(0.6, "1"), answer(0.9, "1"), 1),
                pair(answer(0.45, "0"), answer(0.55, "1"), 2),
            ],
            1,
        );
        assert_eq!(found.len(), 2);
        assert_eq!((&found[0].champion["score"], &found[0].candidate["score"]), (&0.55.into(), &0.45.into()));
    }

    #[test]
    fn a_quantile_is_the_upper_end_of_its_bin() {
        let bins: BTreeMap<i32, u64> = [(40, 98), (60, 2)].into();
        assert_eq!((quantile(&bins, 0.5), quantile(&bins, 0.99)), (Some(latency_of(40)), Some(latency_of(60))));
        assert_eq!(quantile(&BTreeMap::new(), 0.5), None);
    }

    #[test]
    fn groups_keep_every_answer_and_end_where_their_last_bin_ends() {
        let candidate: BTreeMap<i32, u64> = (-70..=70).map(|bin| (bin, 2)).collect();
        let groups = grouped(&candidate, &[(3, 7)].into(), Some(TargetKind::Binary), &[]);
        assert!(groups.len() as u64 <= GROUPS, "{groups:?}");
        let sums = groups.iter().fold((0, 0), |sums, group| (sums.0 + group.candidate, sums.1 + group.control));
        assert_eq!(sums, (282, 7));
        assert!(groups.is_sorted_by(|a, b| a.at_most < b.at_most), "{groups:?}");
        assert_eq!(groups.last().and_then(|group| group.at_most), Some(probability_of(70)));
    }

    #[test]
    fn classes_are_not_put_together() {
        let groups = grouped(
            &[(0, 1_000), (1, 1)].into(),
            &[(2, 1)].into(),
            Some(TargetKind::Multiclass),
            &["a".into(), "b".into()],
        );
        let counts: Vec<_> =
            groups.iter().map(|group| (group.class.as_deref(), group.candidate, group.control)).collect();
        assert_eq!(counts, [(Some("a"), 1_000, 0), (Some("b"), 1, 0), (Some("another class"), 0, 1)]);
    }
}
