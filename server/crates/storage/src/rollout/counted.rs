//! What was counted on the way of rollouts: marks of single requests, summed by unit, by bin and by minute in the transaction that
//! logs them, and the evidence that follows.

use std::collections::BTreeMap;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use millrace_domain::gate::MARGIN;
use millrace_domain::ids::{ModelVersionId, ProblemId, RolloutId};
use millrace_domain::rollout::sequential::Sums;
use millrace_domain::rollout::{Arm, AskedBoth, Evidence, Losses, Side, Unit, latency_bin};
use sea_orm::prelude::Uuid;
use serde_json::{Map, Value, json};

use super::Rollout;
use crate::Result;
use crate::database::Connection;
use crate::record::{self, Record, Row, values};

/// A request that one side of a comparison was asked.
#[derive(Debug, Clone, Copy)]
pub struct Mark {
    /// The rollout.
    pub rollout: RolloutId,
    /// Its step.
    pub step: i32,
    /// Who asked.
    pub unit: Unit,
    /// Which side was asked.
    pub arm: Arm,
    /// When.
    pub at: DateTime<Utc>,
    /// What came of it.
    pub came: Came,
}

/// What came of a request.
#[derive(Debug, Clone, Copy)]
pub enum Came {
    /// An answer after so many microseconds.
    Answer {
        /// The time.
        micros: u64,
        /// Whether that is slow.
        slow: bool,
    },
    /// No answer.
    Failure,
    /// Both sides answered.
    Both {
        /// The bins of their scores: the candidate's and the champion's.
        scores: (Option<i32>, Option<i32>),
        /// Whether it is the same answer.
        agree: bool,
    },
    /// Not compared, because too many waited.
    Dropped,
}

/// What the other model answers to a request.
#[derive(Debug, Clone)]
pub struct Counterpart {
    /// The prediction that callers got.
    pub prediction: Uuid,
    /// The rollout.
    pub rollout: RolloutId,
    /// The other model.
    pub model_version: ModelVersionId,
    /// Its answer, or why there is none.
    pub output: std::result::Result<Value, String>,
    /// How long it took, in microseconds.
    pub micros: u64,
    /// When.
    pub predicted_at: DateTime<Utc>,
}

/// Writes answers of other models in one statement; gives how many were new.
///
/// # Errors
/// When the database fails.
pub async fn insert_counterparts(db: &impl Connection, batch: &[&Counterpart]) -> Result<u64> {
    const SQL: &str = "insert into counterpart
            (prediction_id, rollout_id, model_version_id, output, failure, micros, predicted_at)
        select * from jsonb_to_recordset($1) as c(prediction_id uuid, rollout_id bigint, model_version_id bigint, output jsonb,
            failure text, micros int, predicted_at timestamptz)
        on conflict (prediction_id) do nothing";
    let rows: Vec<Value> = batch
        .iter()
        .map(|other| {
            json!({
                "prediction_id": other.prediction, "rollout_id": other.rollout.0,
                "model_version_id": other.model_version.0, "output": other.output.as_ref().ok(),
                "failure": other.output.as_ref().err(), "micros": i32::try_from(other.micros).unwrap_or(i32::MAX),
                "predicted_at": other.predicted_at,
            })
        })
        .collect();
    record::execute(db, SQL, values![Value::Array(rows)]).await
}

/// Rollout, step, arm, measure and bin.
type TallyKey = (i64, i32, &'static str, &'static str, i32);
/// Rollout, step, arm and minute.
type MinuteKey = (i64, i32, &'static str, DateTime<Utc>);

/// Adds marks to what was counted. Rows are taken in the order of their keys, so that servers do not wait for each other in
/// a circle.
///
/// # Errors
/// When the database fails.
pub async fn count(db: &impl Connection, marks: &[Mark]) -> Result<()> {
    let mut units: BTreeMap<(i64, i32, i64), [i32; 6]> = BTreeMap::new();
    let mut tallies: BTreeMap<TallyKey, i64> = BTreeMap::new();
    let mut minutes: BTreeMap<MinuteKey, (i64, i64)> = BTreeMap::new();
    for mark in marks {
        let (rollout, step) = (mark.rollout.0, mark.step);
        let mut tally = |arm: Arm, measure: &'static str, bin: i32| {
            *tallies.entry((rollout, step, arm.as_str(), measure, bin)).or_default() += 1;
        };
        let (failed, is_slow) = match mark.came {
            Came::Answer { micros, slow } => {
                if mark.arm != Arm::Rest {
                    tally(mark.arm, "latency", latency_bin(micros));
                }
                (false, slow)
            }
            Came::Failure => (true, false),
            Came::Both { scores, agree } => {
                tally(Arm::Candidate, if agree { "agreed" } else { "differed" }, 0);
                for (arm, bin) in [(Arm::Candidate, scores.0), (Arm::Control, scores.1)] {
                    if let Some(bin) = bin {
                        tally(arm, "score", bin);
                    }
                }
                continue;
            }
            Came::Dropped => {
                tally(mark.arm, "dropped", 0);
                continue;
            }
        };
        let minute = mark.at.duration_trunc(TimeDelta::minutes(1)).unwrap_or(mark.at);
        let of_minute = minutes.entry((rollout, step, mark.arm.as_str(), minute)).or_default();
        of_minute.0 += i64::from(!failed);
        of_minute.1 += i64::from(failed);
        let side = match mark.arm {
            Arm::Candidate => 0,
            Arm::Control => 3,
            Arm::Rest => continue,
        };
        let unit = units.entry((rollout, step, mark.unit.0.cast_signed())).or_default();
        for (place, counts) in [(0, true), (1, failed), (2, is_slow)] {
            unit[side + place] += i32::from(counts);
        }
    }
    const UNITS: &str = "insert into rollout_unit as u (rollout_id, step, unit,
            candidate, candidate_failed, candidate_slow, control, control_failed, control_slow)
        select * from jsonb_to_recordset($1) as n(rollout_id bigint, step int, unit bigint, candidate int,
            candidate_failed int, candidate_slow int, control int, control_failed int, control_slow int)
        on conflict (rollout_id, step, unit) do update set candidate = u.candidate + excluded.candidate,
            candidate_failed = u.candidate_failed + excluded.candidate_failed,
            candidate_slow = u.candidate_slow + excluded.candidate_slow, control = u.control + excluded.control,
            control_failed = u.control_failed + excluded.control_failed,
            control_slow = u.control_slow + excluded.control_slow";
    if !units.is_empty() {
        let rows: Vec<Value> = units
            .into_iter()
            .map(|((rollout, step, unit), counts)| {
                json!({
                    "rollout_id": rollout, "step": step, "unit": unit,
                    "candidate": counts[0], "candidate_failed": counts[1], "candidate_slow": counts[2],
                    "control": counts[3], "control_failed": counts[4], "control_slow": counts[5],
                })
            })
            .collect();
        record::execute(db, UNITS, values![Value::Array(rows)]).await?;
    }
    const TALLIES: &str = "insert into rollout_tally as t (rollout_id, step, arm, measure, bin, n)
        select * from jsonb_to_recordset($1) as n(rollout_id bigint, step int, arm text, measure text, bin int, n bigint)
        on conflict (rollout_id, step, arm, measure, bin) do update set n = t.n + excluded.n";
    let rows: Vec<Value> = tallies
        .into_iter()
        .map(|((rollout, step, arm, measure, bin), n)| {
            json!({ "rollout_id": rollout, "step": step, "arm": arm, "measure": measure, "bin": bin, "n": n })
        })
        .collect();
    if !rows.is_empty() {
        record::execute(db, TALLIES, values![Value::Array(rows)]).await?;
    }
    const MINUTES: &str = "insert into rollout_minute as m (rollout_id, step, arm, minute, answered, failed)
        select * from jsonb_to_recordset($1) as n(rollout_id bigint, step int, arm text, minute timestamptz, answered bigint,
            failed bigint)
        on conflict (rollout_id, step, arm, minute) do update set answered = m.answered + excluded.answered,
            failed = m.failed + excluded.failed";
    let rows: Vec<Value> = minutes
        .into_iter()
        .map(|((rollout, step, arm, minute), (answered, failed))| {
            json!({
                "rollout_id": rollout, "step": step, "arm": arm, "minute": minute, "answered": answered, "failed": failed,
            })
        })
        .collect();
    if !rows.is_empty() {
        record::execute(db, MINUTES, values![Value::Array(rows)]).await?;
    }
    Ok(())
}

/// Two answers to one request.
#[derive(Debug, Clone)]
pub struct Pair {
    /// The rollout.
    pub rollout: RolloutId,
    /// The step in which it was answered.
    pub step: i32,
    /// Whom it was about.
    pub entity: Option<String>,
    /// The candidate's answer.
    pub candidate: Value,
    /// The champion's.
    pub control: Value,
}

impl Record for Pair {
    fn read(row: &Row) -> Result<Self> {
        let (served, other): (Value, Value) = (row.get("served")?, row.get("other")?);
        let (candidate, control) = if row.get("is_candidate")? { (served, other) } else { (other, served) };
        Ok(Self {
            rollout: RolloutId(row.get("rollout_id")?),
            step: row.get("step")?,
            entity: row.get("entity")?,
            candidate,
            control,
        })
    }
}

/// What both models answered to the request of a prediction; none when one did not, or the rollout has ended.
///
/// # Errors
/// When the database fails.
pub async fn pair(db: &impl Connection, prediction: Uuid) -> Result<Option<Pair>> {
    const SQL: &str = "select p.rollout_id, p.step, p.entity, p.output as served, c.output as other,
            p.model_version_id = r.candidate_id as is_candidate
        from prediction p join counterpart c on c.prediction_id = p.id join rollout r on r.id = p.rollout_id
        where p.id = $1 and c.output is not null and r.ended_at is null
          and p.model_version_id <> c.model_version_id";
    record::optional(db, SQL, values![prediction]).await
}

/// Rows whose truth is known, by unit: how many, and the sums of both losses and of the squares of how far these could have been apart.
pub type Labelled = BTreeMap<(RolloutId, i32, Unit), (i32, Losses)>;

/// Adds rows whose truth is known.
///
/// # Errors
/// When the database fails.
pub async fn label(db: &impl Connection, labelled: &Labelled) -> Result<()> {
    const SQL: &str =
        "insert into rollout_unit as u (rollout_id, step, unit, labelled, difference, control_loss, reach_squared)
        select * from jsonb_to_recordset($1) as n(rollout_id bigint, step int, unit bigint, labelled int,
            difference float8, control_loss float8, reach_squared float8)
        on conflict (rollout_id, step, unit) do update set labelled = u.labelled + excluded.labelled,
            difference = u.difference + excluded.difference, control_loss = u.control_loss + excluded.control_loss,
            reach_squared = u.reach_squared + excluded.reach_squared";
    let rows = labelled.iter().map(|(key, (rows, losses))| {
        let Losses { candidate, control, reach_squared } = losses;
        (*key, json!({ "labelled": rows, "difference": candidate - control, "control_loss": control, "reach_squared": reach_squared }))
    });
    add_to_units(db, SQL, rows.collect()).await
}

/// Whom a prediction was about, and where it is counted.
#[derive(Debug, Clone)]
pub struct Predicted {
    /// The prediction.
    pub id: Uuid,
    /// Whom it was about.
    pub entity: Option<String>,
    /// The rollout and its step, and whether the candidate was asked; none outside of the comparison of a canary that is under way.
    pub canary: Option<(RolloutId, i32, bool)>,
}

impl Record for Predicted {
    fn read(row: &Row) -> Result<Self> {
        let canary = match (row.get("rollout_id")?, row.get("step")?, row.get("is_candidate")?) {
            (Some(rollout), Some(step), Some(is_candidate)) => Some((RolloutId(rollout), step, is_candidate)),
            _ => None,
        };
        Ok(Self { id: row.get("id")?, entity: row.get("entity")?, canary })
    }
}

/// Those of a problem's predictions that exist.
///
/// # Errors
/// When the database fails.
pub async fn predicted(db: &impl Connection, problem: ProblemId, ids: &[Uuid]) -> Result<Vec<Predicted>> {
    const SQL: &str = "select p.id, p.entity, r.id as rollout_id, p.step, p.arm = 'candidate' as is_candidate
        from prediction p join model_version m on m.id = p.model_version_id
        left join rollout r on r.id = p.rollout_id and r.ended_at is null and p.arm in ('candidate', 'control')
            and r.plan -> 'steps' -> p.step ->> 'stage' = 'canary'
        where m.problem_id = $1 and p.id in (select id::uuid from jsonb_array_elements_text($2) ids (id))";
    record::all(db, SQL, values![problem.0, json!(ids)]).await
}

/// Values of the business metric of a unit: how many and their sum where the candidate was asked, and of the control group.
pub type Valued = BTreeMap<(RolloutId, i32, Unit), [(i32, f64); 2]>;

/// Adds values of the business metric.
///
/// # Errors
/// When the database fails.
pub async fn value(db: &impl Connection, valued: &Valued) -> Result<()> {
    const SQL: &str = "insert into rollout_unit as u (rollout_id, step, unit, candidate_values, candidate_value, control_values,
            control_value)
        select * from jsonb_to_recordset($1) as n(rollout_id bigint, step int, unit bigint, candidate_values int,
            candidate_value float8, control_values int, control_value float8)
        on conflict (rollout_id, step, unit) do update set candidate_values = u.candidate_values + excluded.candidate_values,
            candidate_value = u.candidate_value + excluded.candidate_value,
            control_values = u.control_values + excluded.control_values,
            control_value = u.control_value + excluded.control_value";
    let rows = valued.iter().map(|(key, [candidate, control])| {
        let of = json!({
            "candidate_values": candidate.0, "candidate_value": candidate.1,
            "control_values": control.0, "control_value": control.1,
        });
        (*key, of)
    });
    add_to_units(db, SQL, rows.collect()).await
}

/// Adds to rows by unit, in the order in which the log's writer takes them.
async fn add_to_units(
    db: &impl Connection,
    sql: &'static str,
    rows: Vec<((RolloutId, i32, Unit), Value)>,
) -> Result<()> {
    let keyed = rows.into_iter().map(|((rollout, step, unit), mut row)| {
        let unit = unit.0.cast_signed();
        row["rollout_id"] = json!(rollout.0);
        row["step"] = json!(step);
        row["unit"] = json!(unit);
        ((rollout, step, unit), row)
    });
    let mut keyed: Vec<((RolloutId, i32, i64), Value)> = keyed.collect();
    keyed.sort_by_key(|(key, _)| *key);
    if keyed.is_empty() {
        return Ok(());
    }
    let rows = keyed.into_iter().map(|(_, row)| row).collect();
    record::execute(db, sql, values![Value::Array(rows)]).await.map(|_| ())
}

impl Record for Evidence {
    fn read(row: &Row) -> Result<Self> {
        let number = |name: &str| -> Result<u64> { Ok(row.get::<i64>(name)?.unsigned_abs()) };
        let candidate = Side {
            units: number("candidate_units")?,
            asked: number("candidate_asked")?,
            failed: number("candidate_failed")?,
            slow: number("candidate_slow")?,
            alone_failed: number("candidate_alone_failed")?,
            alone_slow: number("candidate_alone_slow")?,
        };
        let control = Side {
            units: number("control_units")?,
            asked: number("control_asked")?,
            failed: number("control_failed")?,
            slow: number("control_slow")?,
            alone_failed: number("control_alone_failed")?,
            alone_slow: number("control_alone_slow")?,
        };
        Ok(Self { candidate, control, ..Self::default() })
    }
}

struct Quality {
    difference: Sums,
    excess: Sums,
    reach_squared: f64,
    control_loss: f64,
}

impl Record for Quality {
    fn read(row: &Row) -> Result<Self> {
        let units = row.get::<i64>("units")?.unsigned_abs();
        let (rows, rows_squared): (f64, f64) = (row.get("labelled")?, row.get("rows_squared")?);
        let sums = |total: &str, squared: &str, product: &str| -> Result<Sums> {
            let (total, total_squared, product) = (row.get(total)?, row.get(squared)?, row.get(product)?);
            Ok(Sums { units, rows, total, rows_squared, total_squared, product })
        };
        Ok(Self {
            difference: sums("difference", "difference_squared", "difference_product")?,
            excess: sums("excess", "excess_squared", "excess_product")?,
            reach_squared: row.get("reach_squared")?,
            control_loss: row.get("control_loss")?,
        })
    }
}

struct Business {
    is_candidate: bool,
    sums: Sums,
}

impl Record for Business {
    fn read(row: &Row) -> Result<Self> {
        let sums = Sums {
            units: row.get::<i64>("units")?.unsigned_abs(),
            rows: row.get("rows")?,
            total: row.get("total")?,
            rows_squared: row.get("rows_squared")?,
            total_squared: row.get("total_squared")?,
            product: row.get("product")?,
        };
        Ok(Self { is_candidate: row.get("is_candidate")?, sums })
    }
}

struct ScoreBin((u64, u64));

impl Record for ScoreBin {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self((row.get::<i64>("candidate")?.unsigned_abs(), row.get::<i64>("control")?.unsigned_abs())))
    }
}

/// What was counted in the present step of a rollout, and of quality and the business metric in all its steps.
///
/// # Errors
/// When the database fails.
pub async fn evidence(db: &impl Connection, rollout: &Rollout) -> Result<Evidence> {
    const UNITS: &str = "select count(*) filter (where candidate > 0) as candidate_units,
            coalesce(sum(candidate), 0)::bigint as candidate_asked,
            coalesce(sum(candidate_failed), 0)::bigint as candidate_failed,
            coalesce(sum(candidate_slow), 0)::bigint as candidate_slow,
            count(*) filter (where candidate_failed > 0 and control_failed = 0) as candidate_alone_failed,
            count(*) filter (where candidate_slow > 0 and control_slow = 0) as candidate_alone_slow,
            count(*) filter (where control > 0) as control_units,
            coalesce(sum(control), 0)::bigint as control_asked,
            coalesce(sum(control_failed), 0)::bigint as control_failed,
            coalesce(sum(control_slow), 0)::bigint as control_slow,
            count(*) filter (where control_failed > 0 and candidate_failed = 0) as control_alone_failed,
            count(*) filter (where control_slow > 0 and candidate_slow = 0) as control_alone_slow
        from rollout_unit where rollout_id = $1 and step = $2";
    const QUALITY: &str = "select count(*) as units, coalesce(sum(rows), 0) as labelled,
            coalesce(sum(rows * rows), 0) as rows_squared, coalesce(sum(loss), 0) as control_loss,
            coalesce(sum(d), 0) as difference, coalesce(sum(d * d), 0) as difference_squared,
            coalesce(sum(rows * d), 0) as difference_product, coalesce(sum(e), 0) as excess,
            coalesce(sum(e * e), 0) as excess_squared, coalesce(sum(rows * e), 0) as excess_product,
            coalesce(sum(reach_squared), 0) as reach_squared
        from (select sum(labelled)::float8 as rows, sum(difference) as d, sum(control_loss) as loss, sum(reach_squared) as reach_squared,
                  sum(difference) - $2 * sum(control_loss) as e
              from rollout_unit where rollout_id = $1 and labelled > 0 group by unit) by_unit";
    const BUSINESS: &str = "select is_candidate, count(*) as units, sum(rows) as rows, sum(total) as total,
            sum(rows * rows) as rows_squared, sum(total * total) as total_squared, sum(rows * total) as product
        from (select is_candidate, unit, sum(n)::float8 as rows, sum(value) as total
              from rollout_unit, lateral (values (true, candidate_values, candidate_value),
                  (false, control_values, control_value)) arm (is_candidate, n, value)
              where rollout_id = $1 and n > 0 group by is_candidate, unit) by_unit
        group by is_candidate";
    const SCORES: &str = "select coalesce(sum(n) filter (where arm = 'candidate'), 0)::bigint as candidate,
            coalesce(sum(n) filter (where arm = 'control'), 0)::bigint as control
        from rollout_tally where rollout_id = $1 and step = $2 and measure = 'score' group by bin order by bin";
    let step = i32::try_from(rollout.step).unwrap_or(i32::MAX);
    let counted: Evidence = record::one(db, UNITS, values![rollout.id.0, step]).await?;
    let quality: Quality = record::one(db, QUALITY, values![rollout.id.0, MARGIN]).await?;
    let mut business = (Sums::default(), Sums::default());
    for arm in record::all::<Business>(db, BUSINESS, values![rollout.id.0]).await? {
        *if arm.is_candidate { &mut business.0 } else { &mut business.1 } = arm.sums;
    }
    let scores: Vec<ScoreBin> = record::all(db, SCORES, values![rollout.id.0, step]).await?;
    Ok(Evidence {
        seconds: rollout.seconds,
        scores: scores.into_iter().map(|bin| bin.0).collect(),
        difference: quality.difference,
        excess: quality.excess,
        reach_squared: quality.reach_squared,
        control_loss: (quality.difference.rows > 0.0).then(|| quality.control_loss / quality.difference.rows),
        business,
        ..counted
    })
}

/// How often something was counted in a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The side.
    pub arm: String,
    /// What was counted.
    pub measure: String,
    /// In which bin.
    pub bin: i32,
    /// How often.
    pub n: i64,
}

impl Record for Tally {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self { arm: row.get("arm")?, measure: row.get("measure")?, bin: row.get("bin")?, n: row.get("n")? })
    }
}

/// Everything that was tallied in a step.
///
/// # Errors
/// When the database fails.
pub async fn tallies(db: &impl Connection, id: RolloutId, step: usize) -> Result<Vec<Tally>> {
    const SQL: &str = "select arm, measure, bin, n from rollout_tally where rollout_id = $1 and step = $2
        order by arm, measure, bin";
    record::all(db, SQL, values![id.0, i32::try_from(step).unwrap_or(i32::MAX)]).await
}

/// Answers and failures of a side in a minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// The side.
    pub arm: String,
    /// The minute.
    pub minute: DateTime<Utc>,
    /// Answers.
    pub answered: i64,
    /// Requests without one.
    pub failed: i64,
}

impl Record for Minute {
    fn read(row: &Row) -> Result<Self> {
        let (arm, minute) = (row.get("arm")?, row.get("minute")?);
        Ok(Self { arm, minute, answered: row.get("answered")?, failed: row.get("failed")? })
    }
}

/// Answers and failures in a step, by minute; those before the last so many minutes are put together in the first.
///
/// # Errors
/// When the database fails.
pub async fn minutes(db: &impl Connection, id: RolloutId, step: usize, most: i64) -> Result<Vec<Minute>> {
    const SQL: &str = "select arm, greatest(minute, latest - $3 * interval '1 minute') as minute,
            sum(answered)::bigint as answered, sum(failed)::bigint as failed
        from rollout_minute, (select max(minute) as latest from rollout_minute where rollout_id = $1 and step = $2) l
        where rollout_id = $1 and step = $2 group by 1, 2 order by 2, 1";
    record::all(db, SQL, values![id.0, i32::try_from(step).unwrap_or(i32::MAX), most]).await
}

/// Clears away what was counted by unit in rollouts that ended before a time; gives how many rows. Sums and decisions stay.
///
/// # Errors
/// When the database fails.
pub async fn clear_units(db: &impl Connection, ended_before: DateTime<Utc>) -> Result<u64> {
    const SQL: &str = "delete from rollout_unit u using rollout r where r.id = u.rollout_id and r.ended_at < $1";
    record::execute(db, SQL, values![ended_before]).await
}

/// What both versions of a rollout answered to the same request.
#[derive(Debug, Clone)]
pub struct AnsweredByBoth {
    /// The prediction.
    pub id: Uuid,
    /// Whom it is about.
    pub entity: Option<String>,
    /// Number of the version that the caller was answered by.
    pub number: i32,
    /// What it answered.
    pub output: serde_json::Value,
    /// Number of the other version.
    pub other_number: i32,
    /// What that one answers.
    pub other: serde_json::Value,
    /// When.
    pub at: DateTime<Utc>,
}

impl Record for AnsweredByBoth {
    fn read(row: &Row) -> Result<Self> {
        Ok(Self {
            id: row.get("id")?,
            entity: row.get("entity")?,
            number: row.get("number")?,
            output: row.get("output")?,
            other_number: row.get("other_number")?,
            other: row.get("other")?,
            at: row.get("predicted_at")?,
        })
    }
}

/// The newest requests that both versions of a rollout answered.
///
/// # Errors
/// When the database fails.
pub async fn answered_by_both(db: &impl Connection, rollout: RolloutId, most: i64) -> Result<Vec<AnsweredByBoth>> {
    const SQL: &str =
        "select p.id, p.entity, m.number, p.output, n.number as other_number, c.output as other, p.predicted_at
        from counterpart c join prediction p on p.id = c.prediction_id
        join model_version m on m.id = p.model_version_id join model_version n on n.id = c.model_version_id
        where c.rollout_id = $1 and c.output is not null order by c.predicted_at desc limit $2";
    record::all(db, SQL, values![rollout.0, most]).await
}

/// A request that both versions of a rollout answered, and what it said of some columns.
#[derive(Debug)]
pub struct Sent {
    /// What both answered; without its slices, which are made of what was sent.
    pub asked: AskedBoth,
    /// What was sent.
    pub columns: Map<String, Value>,
}

impl Record for Sent {
    fn read(row: &Row) -> Result<Self> {
        let (served, other): (Value, Value) = (row.get("served")?, row.get("other")?);
        let (champion, candidate) = if row.get("is_candidate")? { (other, served) } else { (served, other) };
        let asked = AskedBoth { champion, candidate, label: row.get("label")?, values: Vec::new() };
        Ok(Self { asked, columns: row.json("columns")? })
    }
}

/// The newest requests that both versions of a rollout answered, with what they said of some columns and what became of them.
///
/// # Errors
/// When the database fails.
pub async fn asked_both(db: &impl Connection, of: &Rollout, columns: &[String], most: i64) -> Result<Vec<Sent>> {
    const SQL: &str = "select p.output as served, c.output as other, p.model_version_id = $2 as is_candidate, o.label,
            (select coalesce(jsonb_object_agg(name, p.inputs -> name), '{}')
             from jsonb_array_elements_text($3) as columns (name)) as columns
        from counterpart c join prediction p on p.id = c.prediction_id left join outcome o on o.prediction_id = p.id
        where c.rollout_id = $1 and c.output is not null and p.model_version_id <> c.model_version_id
        order by c.predicted_at desc limit $4";
    record::all(db, SQL, values![of.id.0, of.candidate.0, json!(columns), most]).await
}
