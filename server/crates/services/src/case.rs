//! Regression cases: kept by hand, from a list or from a prediction, and retired by those who answer for the decision.

use millrace_domain::case::{CasesRequest, Expected, MOST_CASES, NewCase};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{Mistake, ProblemDocument};
use millrace_domain::view::{CasesView, Permission};
use millrace_storage::{Uuid, case, problem};
use serde_json::{Map, Value, json};

use crate::access::Note;
use crate::deployment::checked_reason;
use crate::{Result, Services, commit, fault};

impl Services {
    /// The regression cases of a problem that are held against its versions, the newest first.
    ///
    /// # Errors
    /// 404 when there is no such problem.
    pub async fn cases(&self, actor: &Actor, slug: &str) -> Result<CasesView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("problem/{slug}")).await?;
        let kind = self.newest(slug).await?.target.kind;
        let pool = self.db.pool();
        let id = problem::find_id(pool, slug).await.map_err(fault)?.ok_or_else(missing)?;
        let (_, retired) = case::count(pool, id).await.map_err(fault)?;
        let may = |action| Permission::from_result(actor.may_on(action, slug));
        Ok(CasesView {
            slug: slug.to_owned(),
            kind: kind.as_str().to_owned(),
            cases: case::list(pool, slug).await.map_err(fault)?,
            retired,
            may_keep: may(Action::KeepCase),
            may_retire: may(Action::RetireCase),
        })
    }

    /// Keeps cases, all or none; gives their ids.
    ///
    /// # Errors
    /// 400 naming every case that cannot be kept; 409 `too_many_cases`.
    pub async fn keep_cases(&self, actor: &Actor, slug: &str, request: &CasesRequest) -> Result<Vec<String>> {
        self.keep(actor, slug, &request.cases, None).await
    }

    /// Keeps a case of what a prediction was asked; gives its id.
    ///
    /// # Errors
    /// 404 when there is no such prediction, else as [`Self::keep_cases`].
    pub async fn keep_prediction(&self, actor: &Actor, id: Uuid, name: &str, expect: &Expected) -> Result<String> {
        let receipt = self.receipt(actor, id).await?;
        let mut instance: Map<String, Value> = receipt.answered.inputs.as_object().cloned().unwrap_or_default();
        let document = self.newest(&receipt.slug).await?;
        let known = document.sent_names();
        instance.retain(|name, _| known.contains(name.as_str()));
        // As of then it was joined.
        let time = receipt.event_time.unwrap_or(receipt.predicted_at);
        instance.entry("event_time").or_insert_with(|| json!(time));
        let kept = NewCase { name: name.to_owned(), instance, expect: expect.clone() };
        let ids = self.keep(actor, &receipt.slug, &[kept], Some(id)).await?;
        ids.into_iter().next().ok_or_else(missing)
    }

    async fn keep(&self, actor: &Actor, slug: &str, cases: &[NewCase], of: Option<Uuid>) -> Result<Vec<String>> {
        let object = format!("problem/{slug}");
        self.authorise_on(actor, Action::KeepCase, slug, &object).await?;
        let document = self.newest(slug).await?;
        let (kind, known) = (document.target.kind, document.sent_names());
        let unknown = |case: &NewCase| {
            let name = case.instance.keys().find(|name| !known.contains(name.as_str()))?;
            Some(("instance", format!("{name:?} is not an input; nothing of the document reads it")))
        };
        let mistakes: Vec<Mistake> = cases
            .iter()
            .enumerate()
            .filter_map(|(place, case)| {
                case.check(kind).err().or_else(|| unknown(case)).map(|mistake| (place, mistake))
            })
            .map(|(place, (field, message))| Mistake { pointer: format!("/cases/{place}/{field}"), message })
            .collect();
        if cases.is_empty() || !mistakes.is_empty() {
            let told = |mistake: &Mistake| format!("{} {}", mistake.pointer.trim_start_matches('/'), mistake.message);
            let listed: Vec<String> = mistakes.iter().take(3).map(told).collect();
            let detail = if cases.is_empty() { "there is no case to keep".to_owned() } else { listed.join("; ") };
            return Err(Fault::invalid(detail, mistakes));
        }
        let tx = self.begin_as(actor, Action::KeepCase, Some(slug), &object).await?;
        let problem = problem::find_id(&tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        problem::lock(&tx, problem).await.map_err(fault)?;
        let (open, _) = case::count(&tx, problem).await.map_err(fault)?;
        if open + cases.len() as u64 > MOST_CASES {
            let detail = format!(
                "{open} cases are kept and {} would come; {MOST_CASES} are held against a version at most. Retire some first",
                cases.len()
            );
            return Err(Fault::conflict("too_many_cases", detail));
        }
        let mut ids = Vec::with_capacity(cases.len());
        for one in cases {
            let id = case::insert(&tx, problem, one, of, actor.account, self.now()).await.map_err(fault)?;
            ids.push(id.to_string());
        }
        let details = json!({ "cases": ids, "names": cases.iter().map(|case| &case.name).take(20).collect::<Vec<_>>(),
            "prediction": of.map(|id| id.to_string()) });
        self.note(&tx, actor, Note::new("case.keep", object).details(details)).await?;
        commit(tx).await?;
        Ok(ids)
    }

    /// Holds a case against no version any more.
    ///
    /// # Errors
    /// 404 when there is none that is not retired; 400 without a reason.
    pub async fn retire_case(&self, actor: &Actor, slug: &str, id: &str, reason: &str) -> Result<()> {
        let object = format!("problem/{slug}");
        self.authorise_on(actor, Action::RetireCase, slug, &object).await?;
        let reason = checked_reason(reason)?;
        let number: i64 = id.parse().map_err(|_| missing_case())?;
        let tx = self.begin_as(actor, Action::RetireCase, Some(slug), &object).await?;
        if !case::retire(&tx, slug, number, actor.account, reason, self.now()).await.map_err(fault)? {
            return Err(missing_case());
        }
        let note = Note::new("case.retire", object).details(json!({ "case": id, "reason": reason }));
        self.note(&tx, actor, note).await?;
        commit(tx).await
    }

    /// The newest version of the document.
    async fn newest(&self, slug: &str) -> Result<ProblemDocument> {
        let versions = problem::versions(self.db.pool(), slug).await.map_err(fault)?;
        versions.into_iter().next().map(|newest| newest.document).ok_or_else(missing)
    }
}

fn missing() -> Fault {
    Fault::not_found("problem")
}

fn missing_case() -> Fault {
    Fault::not_found("regression case")
}
