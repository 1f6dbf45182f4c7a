//! What must hold at any moment, whoever wrote. The schema refuses most violations; these statements find what a fault or
//! a hand at the database could have left.

use crate::Result;
use crate::database::Connection;
use crate::record::{self, values};

/// A rule in words, and the statement that counts what breaks it.
const RULES: [(&str, &str); 11] = [
    (
        "every running step has a lease, and none lapsed more than two leases ago",
        "select count(*) from step where state = 'running' and lease_until < now() - interval '60 seconds'",
    ),
    (
        "every step has at most one committed effect, by its last attempt",
        "select count(*) from effect e join step s on s.id = e.step_id where e.attempt > s.attempt",
    ),
    (
        "a run that has ended has no step left to run, and those that ran beside the last were asked to stop",
        "select count(*) from run r join step s on s.subject_kind = 'run' and s.subject_id = r.id
         where r.state in ('succeeded', 'rejected', 'failed', 'cancelled') and s.state in ('queued', 'blocked', 'running')
         and not (s.state = 'running' and s.cancel_requested)",
    ),
    (
        "every succeeded run of the pipeline has registered a model version",
        "select count(*) from run r where r.state = 'succeeded' and r.reproduces is null and r.kind = 'pipeline'
         and not exists (select 1 from model_version m where m.run_id = r.id)",
    ),
    (
        "every rehearsal has its one step",
        "select count(*) from rehearsal r where (select count(*) from step s where s.subject_kind = 'rehearsal' and s.subject_id = r.id) <> 1",
    ),
    (
        "nothing came of a tracked run",
        "select count(*) from run r where r.kind = 'tracked' and (exists (select 1 from model_version m where m.run_id = r.id)
             or exists (select 1 from step s where s.subject_kind = 'run' and s.subject_id = r.id))",
    ),
    (
        "every succeeded repetition of a run was compared with it",
        "select count(*) from run r where r.state = 'succeeded' and r.reproduces is not null
         and not exists (select 1 from step s where s.subject_kind = 'run' and s.subject_id = r.id
             and s.kind = 'compare' and s.state = 'succeeded')",
    ),
    (
        "every live version was approved, on its digest, by somebody other than who launched its run, or went on by the signed document",
        "select count(*) from model_version m join run r on r.id = m.run_id where m.stage in ('approved', 'live')
         and not exists (select 1 from decision d where d.subject_kind = 'model' and d.subject_id = m.id
             and d.digest = m.digest and d.decision = 'approve' and d.account_id <> r.author_id)
         and not exists (select 1 from policy_promotion p where p.model_version_id = m.id)",
    ),
    (
        "what a deployment points at is live, and nothing else of that problem is",
        "select count(*) from deployment d full join model_version m on m.problem_id = d.problem_id and m.stage = 'live'
         where d.champion_id is distinct from m.id and (d.champion_id is not null or m.stage = 'live')",
    ),
    (
        "what a deployment compares is a rollout that is under way, and every such rollout is compared",
        "select count(*) from deployment d full join rollout r on r.id = d.rollout_id and r.ended_at is null
         where (d.rollout_id is not null and r.id is null)
             or (r.id is not null and r.ended_at is null and d.rollout_id is null)",
    ),
    (
        "generations rise by one without gaps",
        "select count(*) from deployment d where d.generation <>
         (select count(*) from deployment_change c where c.problem_id = d.problem_id)",
    ),
];

/// The first rule that is broken, in words.
///
/// # Errors
/// When the database fails.
pub async fn first_violation(db: &impl Connection) -> Result<Option<String>> {
    for (rule, statement) in RULES {
        let broken: i64 = record::one(db, statement, values![]).await?;
        if broken > 0 {
            return Ok(Some(format!("{rule}: broken {broken} times")));
        }
    }
    Ok(None)
}
