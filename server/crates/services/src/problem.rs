//! Problems: written by engineers, signed by others.

use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{ProblemDocument, ProblemState, changes};
use millrace_domain::run::ReviewDecision;
use millrace_domain::view::{DocumentCheck, Permission, ProblemSummary, ProblemVersionView, SavedVersion, VersionRef};
use millrace_storage::decision::{self, Subject};
use millrace_storage::problem::{self, ProblemVersion};
use millrace_storage::{deployment, event};

use crate::access::Note;
use crate::review::{self, Incoming};
use crate::{Result, Services, commit, fault};

impl Services {
    /// The newest version of every problem.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn list_problems(&self, actor: &Actor) -> Result<Vec<ProblemSummary>> {
        self.authorise(actor, Action::ReadWorkspace, "problem").await?;
        let pool = self.db.pool();
        let newest = problem::list_newest(pool).await.map_err(fault)?;
        let live = deployment::list(pool).await.map_err(fault)?;
        let mut lines = Vec::with_capacity(newest.len());
        for version in newest {
            let approved = match version.state {
                ProblemState::Approved => Some(version.number),
                _ => problem::approved(pool, &version.slug).await.map_err(fault)?.map(|approved| approved.number),
            };
            lines.push(ProblemSummary {
                live_model: live.iter().find(|live| live.slug == version.slug).and_then(|live| live.champion_number),
                title: version.document.title,
                kind: version.document.target.kind.as_str().to_owned(),
                slug: version.slug,
                version: version.number,
                state: version.state.as_str().to_owned(),
                approved_version: approved,
                author: version.author_name,
                created_at: version.created_at,
            });
        }
        Ok(lines)
    }

    /// One version, the newest when no number is given.
    ///
    /// # Errors
    /// 404 when there is none.
    pub async fn problem_version(&self, actor: &Actor, slug: &str, number: Option<i32>) -> Result<ProblemVersionView> {
        self.authorise(actor, Action::ReadWorkspace, "problem").await?;
        let versions = problem::versions(self.db.pool(), slug).await.map_err(fault)?;
        let position = match number {
            None => (!versions.is_empty()).then_some(0),
            Some(number) => versions.iter().position(|version| version.number == number),
        };
        let position = position.ok_or_else(|| Fault::not_found("problem version"))?;
        let version = &versions[position];
        let subject = Subject::Problem(version.id.0);
        let decisions = decision::list(self.db.pool(), subject).await.map_err(fault)?;
        let rules = review::rules(version.digest, version.author, version.document.approvals.specification, &decisions);
        let open = match version.state {
            ProblemState::InReview => Ok(()),
            state => Err(format!("this version is {}; only a version in review is decided on", state.title())),
        };
        let review = review::present(actor, Action::ReviewProblem, &rules, decisions, open);
        let before = versions.get(position + 1).map(|before| before.document.to_json());
        let document = version.document.to_json();
        let may = |action: Action, open: bool, reason: &str| match actor.may(action) {
            Err(refused) => Permission::refused(refused.to_string()),
            Ok(()) if !open => Permission::refused(reason),
            Ok(()) => Permission::granted(),
        };
        Ok(ProblemVersionView {
            slug: version.slug.clone(),
            version: version.number,
            title: version.document.title.clone(),
            state: version.state.as_str().to_owned(),
            digest: version.digest.to_string(),
            summary: version.document.summary(),
            author: version.author_name.clone(),
            created_at: version.created_at,
            submitted_at: version.submitted_at,
            approved_at: version.approved_at,
            review,
            changes: before.map(|before| changes(&before, &document)).unwrap_or_default(),
            document,
            versions: versions
                .iter()
                .map(|version| VersionRef { number: version.number, state: version.state.as_str().to_owned() })
                .collect(),
            may_submit: may(
                Action::WriteProblem,
                version.state == ProblemState::Draft,
                "only a draft is submitted for review",
            ),
            may_write: may(Action::WriteProblem, true, ""),
            may_launch: may(
                Action::LaunchRun,
                version.state.allows_runs(),
                "runs need a signed-off version; this one is not",
            ),
        })
    }

    /// Reads a document without keeping it.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn check_document(&self, actor: &Actor, text: &str) -> Result<DocumentCheck> {
        self.authorise(actor, Action::ReadWorkspace, "problem").await?;
        Ok(DocumentCheck { mistakes: ProblemDocument::parse(text).err().unwrap_or_default() })
    }

    /// Writes a new problem, or a new version of one: a draft that needs sign-off.
    ///
    /// # Errors
    /// 400 with every mistake of the document.
    pub async fn save_problem(&self, actor: &Actor, text: &str) -> Result<SavedVersion> {
        self.authorise(actor, Action::WriteProblem, "problem").await?;
        let document = read(text)?;
        let tx = self.begin().await?;
        let id = match problem::find_id(&tx, &document.slug).await.map_err(fault)? {
            Some(id) => id,
            None => problem::insert(&tx, &document.slug, self.now()).await.map_err(fault)?,
        };
        problem::lock(&tx, id).await.map_err(fault)?;
        let same = problem::versions(&tx, &document.slug).await.map_err(fault)?;
        if let Some(newest) = same.first()
            && newest.digest == document.digest()
            && newest.state != ProblemState::Superseded
        {
            return Ok(saved(newest));
        }
        let version = problem::insert_version(&tx, id, &document, actor.account, self.now()).await.map_err(fault)?;
        let version = problem::find_version(&tx, version).await.map_err(fault)?.ok_or_else(missing)?;
        let note = Note::new("problem.write", object(&version)).digest(version.digest);
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(saved(&version))
    }

    /// Writes the first version of a problem that must not exist yet.
    ///
    /// # Errors
    /// 409 when the slug is taken.
    pub async fn create_problem(&self, actor: &Actor, text: &str) -> Result<SavedVersion> {
        self.authorise(actor, Action::WriteProblem, "problem").await?;
        let slug = read(text)?.slug;
        if problem::find_id(self.db.pool(), &slug).await.map_err(fault)?.is_some() {
            let detail =
                format!("the problem {slug} exists; post a new version of it to /api/v1/problems/{slug}/versions");
            return Err(Fault::conflict("problem_exists", detail));
        }
        self.save_problem(actor, text).await
    }

    /// Writes a new version of the problem `slug`, which must exist.
    ///
    /// # Errors
    /// 404 when it does not; 400 when the document names another slug.
    pub async fn revise_problem(&self, actor: &Actor, slug: &str, text: &str) -> Result<SavedVersion> {
        self.authorise(actor, Action::WriteProblem, "problem").await?;
        if problem::find_id(self.db.pool(), slug).await.map_err(fault)?.is_none() {
            return Err(Fault::not_found("problem"));
        }
        let named = read(text)?.slug;
        if named != slug {
            return Err(Fault::field(
                "/slug",
                format!("must be {slug:?}, the problem you are revising, got {named:?}"),
            ));
        }
        self.save_problem(actor, text).await
    }

    /// Asks for review.
    ///
    /// # Errors
    /// 409 unless it is a draft.
    pub async fn submit_problem(&self, actor: &Actor, slug: &str, number: i32) -> Result<()> {
        self.authorise(actor, Action::WriteProblem, &format!("problem/{slug}/v/{number}")).await?;
        let tx = self.begin().await?;
        let version = self.locked_version(&tx, slug, number).await?;
        let next = version.state.submit().map_err(|refused| Fault::conflict("not_a_draft", refused.to_string()))?;
        problem::set_state(&tx, version.id, version.state, next, self.now()).await.map_err(fault)?;
        self.note(&tx, actor, Note::new("problem.submit", object(&version)).digest(version.digest)).await?;
        self.announce(&tx, &version, next).await?;
        commit(tx).await
    }

    /// Decides on a version in review.
    ///
    /// # Errors
    /// 403 for the author, 409 when the digest is not current or the version is not in review.
    pub async fn decide_problem(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        decision: ReviewDecision,
        digest: &str,
        comment: &str,
    ) -> Result<ProblemState> {
        let object_name = format!("problem/{slug}/v/{number}");
        self.authorise(actor, Action::ReviewProblem, &object_name).await?;
        let outcome = self.try_decide_problem(actor, slug, number, &Incoming { decision, digest, comment }).await;
        if let Err(refused) = &outcome
            && refused.status < 500
        {
            let details = serde_json::json!({ "decision": decision, "code": refused.code });
            self.note_refusal(actor, Note::new("problem.decide", object_name).details(details)).await?;
        }
        outcome
    }

    async fn try_decide_problem(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        incoming: &Incoming<'_>,
    ) -> Result<ProblemState> {
        let tx = self.begin().await?;
        let version = self.locked_version(&tx, slug, number).await?;
        let subject = Subject::Problem(version.id.0);
        let decisions = decision::list(&tx, subject).await.map_err(fault)?;
        let needed = version.document.approvals.specification;
        let rules = review::rules(version.digest, version.author, needed, &decisions);
        let given = self.record_decision(&tx, actor, subject, &rules, incoming).await?;
        let moved = match incoming.decision {
            ReviewDecision::Comment => Ok(version.state),
            ReviewDecision::Approve => version.state.approve(given, needed),
            ReviewDecision::RequestChanges => version.state.request_changes(),
        };
        let next = moved.map_err(|refused| Fault::conflict("not_in_review", refused.to_string()))?;
        if next != version.state {
            problem::set_state(&tx, version.id, version.state, next, self.now()).await.map_err(fault)?;
        }
        let action = match incoming.decision {
            ReviewDecision::Approve => "problem.approve",
            ReviewDecision::RequestChanges => "problem.request_changes",
            ReviewDecision::Comment => "problem.comment",
        };
        let details = serde_json::json!({ "approvals": given, "needed": needed, "state": next });
        let note = Note::new(action, object(&version)).digest(version.digest).details(details);
        self.note(&tx, actor, note).await?;
        self.announce(&tx, &version, next).await?;
        commit(tx).await?;
        Ok(next)
    }

    async fn locked_version(
        &self,
        tx: &millrace_storage::Transaction,
        slug: &str,
        number: i32,
    ) -> Result<ProblemVersion> {
        let id = problem::find_id(tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        problem::lock(tx, id).await.map_err(fault)?;
        problem::find_numbered(tx, slug, number).await.map_err(fault)?.ok_or_else(missing)
    }

    async fn announce(
        &self,
        tx: &millrace_storage::Transaction,
        version: &ProblemVersion,
        state: ProblemState,
    ) -> Result<()> {
        let payload = serde_json::json!({ "slug": version.slug, "version": version.number, "state": state });
        event::insert(tx, "problem", version.problem.0, "state", payload).await.map_err(fault)
    }
}

/// Reads a document, or gives every mistake of it.
fn read(text: &str) -> Result<ProblemDocument> {
    ProblemDocument::parse(text).map_err(|mistakes| {
        let count = mistakes.len();
        let word = if count == 1 { "mistake" } else { "mistakes" };
        Fault {
            code: "invalid_document".to_owned(),
            ..Fault::invalid(format!("the document has {count} {word}"), mistakes)
        }
    })
}

fn saved(version: &ProblemVersion) -> SavedVersion {
    SavedVersion {
        slug: version.slug.clone(),
        version: version.number,
        digest: version.digest.to_string(),
        state: version.state.as_str().to_owned(),
    }
}

fn object(version: &ProblemVersion) -> String {
    format!("problem/{}/v/{}", version.slug, version.number)
}

fn missing() -> Fault {
    Fault::not_found("problem version")
}
