//! Problems: written by engineers, signed by others.

use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::power::{self, HeldOut};
use millrace_domain::problem::{Definition, ProblemDocument, ProblemState, changes};
use millrace_domain::run::ReviewDecision;
use millrace_domain::view::{
    DecisionRequest, DocumentCheck, DroppedApproval, FieldChange, Permission, ProblemSummary, ProblemVersionView,
    ReviewView, SavedVersion, VersionRef,
};
use millrace_storage::decision::{self, Subject};
use millrace_storage::problem::{self, ProblemVersion};
use millrace_storage::{Transaction, account, deployment, event};

use crate::access::Note;
use crate::dataset::examples;
use crate::mail::{Act, Letter};
use crate::review::{self, Reviewed};
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
        for version in newest.into_iter().filter(|version| actor.sees(&version.slug)) {
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
        let object = format!("problem/{slug}/v/{}", number.unwrap_or(1));
        self.authorise_on(actor, Action::ReadWorkspace, slug, &object).await?;
        let versions = problem::versions(self.db.pool(), slug).await.map_err(fault)?;
        let position = match number {
            None => (!versions.is_empty()).then_some(0),
            Some(number) => versions.iter().position(|version| version.number == number),
        };
        let position = position.ok_or_else(missing)?;
        let version = &versions[position];
        let shown = self.shown(&versions, position).await?;
        let reviewed = reviewed(version, &versions, &shown.check);
        let review = self.review(self.db.pool(), &reviewed).await?;
        let open = is_open(version, self.now());
        let dropped = self.dropped_approvals(&versions, position).await?;
        let review = ReviewView { dropped, ..self.present_review(actor, &reviewed, review, open).await? };
        let may = |action: Action, open: bool, reason: &str| match actor.may_on(action, slug) {
            Err(refused) => Permission::refused(refused.to_string()),
            Ok(()) if !open => Permission::refused(reason),
            Ok(()) => Permission::granted(),
        };
        let has_run_out = has_run_out(version, self.now());
        Ok(ProblemVersionView {
            slug: version.slug.clone(),
            version: version.number,
            title: version.document.title.clone(),
            state: version.state.as_str().to_owned(),
            digest: version.digest.to_string(),
            summary: version.document.summary(),
            power: shown.check.statement,
            author: version.author_name.clone(),
            created_at: version.created_at,
            submitted_at: version.submitted_at,
            approved_at: version.approved_at,
            sign_off_ends_at: version.sign_off_ends_at,
            review,
            changes: shown.changes,
            changes_since: shown.since,
            document: version.document.to_json(),
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
                version.state.allows_runs() && !has_run_out,
                if has_run_out {
                    "the sign-off of this version has run out; it has to be approved again"
                } else {
                    "runs need a signed-off version; this one is not"
                },
            ),
        })
    }

    /// What somebody who signs sees beside the document: what changed since the version that is signed off (the one before it
    /// while there is none), and what the held-out rows can show.
    async fn shown(&self, versions: &[ProblemVersion], position: usize) -> Result<Shown> {
        let version = &versions[position];
        let earlier = &versions[position + 1..];
        let before = earlier.iter().find(|earlier| earlier.approved_at.is_some()).or_else(|| earlier.first());
        let document = version.document.to_json();
        let held_out = self.held_out(version).await?;
        let success = version.document.success;
        Ok(Shown {
            changes: before.map(|before| changes(&before.document.to_json(), &document)).unwrap_or_default(),
            since: before.map(|before| before.number),
            check: power::check(success.metric, success.bound, success.smallest_difference, held_out),
        })
    }

    /// The rows a model of this document would be measured on: of the newest valid data, or of what the document expects.
    async fn held_out(&self, version: &ProblemVersion) -> Result<Option<HeldOut>> {
        let share = version.document.data.split.test();
        let data = examples(self.db.pool(), &version.slug, &version.document).await?;
        let rows = |all: f64| (all * share).floor() as u64;
        let Some(profile) = data.first().and_then(|newest| newest.profile.as_ref()) else {
            let expected = version.document.data.expected_rows;
            return Ok(expected.map(|expected| HeldOut { rows: rows(expected as f64), rarer: None }));
        };
        let label = match &version.document.target.definition {
            Definition::Column(name) => profile.columns.iter().find(|column| column.column.name == *name),
            Definition::Expression(_) => None,
        };
        let rarer = label.filter(|label| label.distinct == 2 && label.present > 0).and_then(|label| {
            label.top.iter().map(|(_, count)| *count).min().map(|least| least as f64 / label.present as f64)
        });
        Ok(Some(HeldOut { rows: rows(profile.rows as f64), rarer }))
    }

    /// Approvals of versions before this one, since the last that was signed off: they were of another text and count no more.
    async fn dropped_approvals(&self, versions: &[ProblemVersion], position: usize) -> Result<Vec<DroppedApproval>> {
        let mut dropped = Vec::new();
        for earlier in open_before(versions, position) {
            let decisions = decision::list(self.db.pool(), Subject::Problem(earlier.id.0)).await.map_err(fault)?;
            let approvals = decisions.into_iter().filter(|decision| decision.decision == ReviewDecision::Approve);
            dropped.extend(approvals.map(|approval| DroppedApproval {
                by: approval.account_name,
                version: earlier.number,
                at: approval.decided_at,
            }));
        }
        Ok(dropped)
    }

    /// Reads a document without keeping it.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn check_document(&self, actor: &Actor, text: &str) -> Result<DocumentCheck> {
        self.authorise(actor, Action::ReadWorkspace, "problem").await?;
        Ok(DocumentCheck { mistakes: ProblemDocument::parse(text).err().unwrap_or_default() })
    }

    /// Writes a new problem, or a new version of one: a draft that needs sign-off. Those who approved an open version that it
    /// takes the place of are told that their approval is gone.
    ///
    /// # Errors
    /// 400 with every mistake of the document.
    pub async fn save_problem(&self, actor: &Actor, text: &str) -> Result<SavedVersion> {
        self.authorise(actor, Action::WriteProblem, "problem").await?;
        let document = read(text)?;
        let slug = &document.slug;
        let object_name = format!("problem/{slug}");
        let exists = self.sees_problem(actor, slug).await?;
        if !exists {
            may_write_new(actor)?;
        }
        let tx = self.begin_as(actor, Action::WriteProblem, exists.then_some(slug.as_str()), &object_name).await?;
        let id = match problem::find_id(&tx, slug).await.map_err(fault)? {
            Some(id) => id,
            None => problem::insert(&tx, slug, self.now()).await.map_err(fault)?,
        };
        problem::lock(&tx, id).await.map_err(fault)?;
        let before = problem::versions(&tx, slug).await.map_err(fault)?;
        if let Some(newest) = before.first()
            && newest.digest == document.digest()
            && newest.state != ProblemState::Superseded
        {
            return Ok(saved(newest));
        }
        let version = problem::insert_version(&tx, id, &document, actor.account, self.now()).await.map_err(fault)?;
        let version = problem::find_version(&tx, version).await.map_err(fault)?.ok_or_else(missing)?;
        if let Some(open) = before.first().filter(|newest| newest.state == ProblemState::InReview) {
            self.tell_of_dropped(&tx, open, &version).await?;
        }
        let note = Note::new("problem.write", object(&version)).digest(version.digest);
        self.note(&tx, actor, note).await?;
        commit(tx).await?;
        Ok(saved(&version))
    }

    async fn tell_of_dropped(&self, tx: &Transaction, open: &ProblemVersion, newer: &ProblemVersion) -> Result<()> {
        let decisions = decision::list(tx, Subject::Problem(open.id.0)).await.map_err(fault)?;
        let mut told = Vec::new();
        for approval in decisions.iter().filter(|decision| decision.decision == ReviewDecision::Approve) {
            if told.contains(&approval.account) {
                continue;
            }
            told.push(approval.account);
            let Some(person) = account::find(tx, approval.account).await.map_err(fault)? else { continue };
            let letter = Letter {
                kind: "approval_dropped",
                subject: format!("{}: version {} takes the place of what you approved", newer.slug, newer.number),
                paragraphs: vec![format!(
                    "{} wrote version {} of \u{201c}{}\u{201d}. Your approval was of version {}; it does not count for the new \
                     text, which needs a new one once it is in review.",
                    newer.author_name, newer.number, newer.document.title, open.number
                )],
                act: Some(Act {
                    label: "See what changed",
                    link: self.link(&format!("/problems/{}/v/{}?tab=changes", newer.slug, newer.number)),
                }),
                secret: false,
                facts: vec![("Problem".to_owned(), newer.slug.clone()), ("Digest".to_owned(), newer.digest.short())],
                why: "You get this because you approved an earlier version.",
                thread: None,

                chart: None,
            };
            self.write_to(tx, &person, letter).await?;
        }
        Ok(())
    }

    /// Writes the first version of a problem that must not exist yet.
    ///
    /// # Errors
    /// 409 when the slug is taken.
    pub async fn create_problem(&self, actor: &Actor, text: &str) -> Result<SavedVersion> {
        self.authorise(actor, Action::WriteProblem, "problem").await?;
        let slug = read(text)?.slug;
        if self.sees_problem(actor, &slug).await? {
            let detail =
                format!("there is a problem {slug} already: choose another slug, or write a new version of that one");
            return Err(Fault::conflict("problem_exists", detail));
        }
        self.save_problem(actor, text).await
    }

    /// Whether there is such a problem, as far as the actor may know.
    async fn sees_problem(&self, actor: &Actor, slug: &str) -> Result<bool> {
        let may_know = actor.sees(slug) || actor.may_on(Action::WriteProblem, slug).is_ok();
        Ok(may_know && problem::find_id(self.db.pool(), slug).await.map_err(fault)?.is_some())
    }

    /// Writes a new version of the problem `slug`, which must exist.
    ///
    /// # Errors
    /// 404 when it does not; 400 when the document names another slug.
    pub async fn revise_problem(&self, actor: &Actor, slug: &str, text: &str) -> Result<SavedVersion> {
        self.authorise_on(actor, Action::WriteProblem, slug, &format!("problem/{slug}")).await?;
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

    /// Asks for review: those who may approve get a letter whose link opens it.
    ///
    /// # Errors
    /// 409 unless it is a draft.
    pub async fn submit_problem(&self, actor: &Actor, slug: &str, number: i32) -> Result<()> {
        let object_name = format!("problem/{slug}/v/{number}");
        let tx = self.begin_as(actor, Action::WriteProblem, Some(slug), &object_name).await?;
        let version = self.locked_version(&tx, slug, number).await?;
        let next = version.state.submit().map_err(|refused| Fault::conflict("not_a_draft", refused.to_string()))?;
        self.keeps_live_model(&tx, &version).await?;
        problem::set_state(&tx, version.id, version.state, next, self.now()).await.map_err(fault)?;
        self.ask_for_review(&tx, &version).await?;
        self.note(&tx, actor, Note::new("problem.submit", object(&version)).digest(version.digest)).await?;
        self.announce(&tx, &version, next).await?;
        commit(tx).await
    }

    async fn ask_for_review(&self, tx: &Transaction, version: &ProblemVersion) -> Result<()> {
        let versions = problem::versions(tx, &version.slug).await.map_err(fault)?;
        let position = versions.iter().position(|found| found.id == version.id).ok_or_else(missing)?;
        let shown = self.shown(&versions, position).await?;
        let reviewed = reviewed(version, &versions, &shown.check);
        let rules = self.review(tx, &reviewed).await?.rules;
        for person in self.reviewers(tx, &reviewed, &rules).await? {
            let mut paragraphs = version.document.summary();
            paragraphs.truncate(6);
            let letter = Letter {
                kind: "review_request",
                subject: format!("Please review {}: {}", version.slug, version.document.title),
                paragraphs,
                act: Some(Act {
                    label: "Open the review",
                    link: self.link(&format!("/problems/{}/v/{}?tab=review", version.slug, version.number)),
                }),
                secret: false,
                facts: vec![
                    ("Asked by".to_owned(), version.author_name.clone()),
                    ("Version".to_owned(), version.number.to_string()),
                    ("Digest".to_owned(), version.digest.short()),
                    ("Changed fields".to_owned(), shown.changes.len().to_string()),
                ],
                why: "You get this because you may approve this problem.",
                thread: None,

                chart: None,
            };
            self.write_to(tx, &person, letter).await?;
        }
        Ok(())
    }

    /// Decides on a version in review.
    ///
    /// # Errors
    /// 403 for the author, 409 when the digest is not current or the version is not in review, 400 `waiver_needed` when the
    /// data cannot show what is signed and no reason is given.
    pub async fn decide_problem(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        request: &DecisionRequest,
    ) -> Result<ProblemState> {
        let object_name = format!("problem/{slug}/v/{number}");
        self.authorise_on(actor, Action::ReviewProblem, slug, &object_name).await?;
        let outcome = self.try_decide_problem(actor, slug, number, request).await;
        if let Err(refused) = &outcome
            && refused.status < 500
        {
            let details = serde_json::json!({ "decision": request.decision, "code": refused.code });
            self.note_refusal(actor, Note::new("problem.decide", object_name).details(details)).await?;
        }
        outcome
    }

    async fn try_decide_problem(
        &self,
        actor: &Actor,
        slug: &str,
        number: i32,
        request: &DecisionRequest,
    ) -> Result<ProblemState> {
        let object_name = format!("problem/{slug}/v/{number}");
        let tx = self.begin_as(actor, Action::ReviewProblem, Some(slug), &object_name).await?;
        let version = self.locked_version(&tx, slug, number).await?;
        let versions = problem::versions(&tx, slug).await.map_err(fault)?;
        let position = versions.iter().position(|found| found.id == version.id).ok_or_else(missing)?;
        let shown = self.shown(&versions, position).await?;
        let reviewed = reviewed(&version, &versions, &shown.check);
        let saw = serde_json::json!({
            "title": version.document.title, "summary": version.document.summary(), "changes": shown.changes,
            "changes_since": shown.since, "power": shown.check.statement, "digest": version.digest,
        });
        let tally = self.record_decision(&tx, actor, &reviewed, request, saw).await?;
        let moved = match request.decision {
            ReviewDecision::Comment => Ok(version.state),
            ReviewDecision::Approve => version.state.approve(tally.complete, has_run_out(&version, self.now())),
            ReviewDecision::RequestChanges => version.state.request_changes(),
        };
        let next = match moved {
            Ok(next) => next,
            Err(refused) => {
                let decisions = decision::list(self.db.pool(), reviewed.subject).await.map_err(fault)?;
                let detail = format!("{refused}{}", review::closed_by(&decisions));
                return Err(Fault::conflict("not_in_review", detail));
            }
        };
        if next == ProblemState::Approved {
            self.keeps_live_model(&tx, &version).await?;
        }
        if next != version.state {
            problem::set_state(&tx, version.id, version.state, next, self.now()).await.map_err(fault)?;
        }
        if next == ProblemState::Approved && tally.complete {
            problem::set_sign_off_end(&tx, version.id, tally.ends_at).await.map_err(fault)?;
        }
        let action = match request.decision {
            ReviewDecision::Approve => "problem.approve",
            ReviewDecision::RequestChanges => "problem.request_changes",
            ReviewDecision::Comment => "problem.comment",
        };
        let details = serde_json::json!({
            "approvals": tally.given, "needed": reviewed.quorum.needed, "state": next,
            "waiver": reviewed.unproven.is_some() && request.decision == ReviewDecision::Approve,
        });
        let note = Note::new(action, object(&version)).digest(version.digest).details(details);
        self.note(&tx, actor, note).await?;
        if request.decision != ReviewDecision::Comment {
            self.tell_author(&tx, actor, &version, next, request).await?;
        }
        self.announce(&tx, &version, next).await?;
        commit(tx).await?;
        Ok(next)
    }

    async fn tell_author(
        &self,
        tx: &Transaction,
        by: &Actor,
        version: &ProblemVersion,
        state: ProblemState,
        request: &DecisionRequest,
    ) -> Result<()> {
        let Some(author) = account::find(tx, version.author).await.map_err(fault)? else { return Ok(()) };
        let did = match (request.decision, state) {
            (ReviewDecision::RequestChanges, _) => "requested changes",
            (_, ProblemState::Approved) => "approved; it is signed off",
            _ => "approved",
        };
        let mut paragraphs = vec![format!("{} {did}: version {} of {}.", by.name, version.number, version.slug)];
        paragraphs.extend(Some(request.comment.trim().to_owned()).filter(|comment| !comment.is_empty()));
        let letter = Letter {
            kind: "review_decision",
            subject: format!("{}: {} {did}", version.slug, by.name),
            paragraphs,
            act: Some(Act {
                label: "Open the review",
                link: self.link(&format!("/problems/{}/v/{}?tab=review", version.slug, version.number)),
            }),
            secret: false,
            facts: vec![
                ("Version".to_owned(), version.number.to_string()),
                ("Digest".to_owned(), version.digest.short()),
            ],
            why: "You get this because you wrote this version.",
            thread: None,
            chart: None,
        };
        self.write_to(tx, &author, letter).await
    }

    async fn locked_version(&self, tx: &Transaction, slug: &str, number: i32) -> Result<ProblemVersion> {
        let id = problem::find_id(tx, slug).await.map_err(fault)?.ok_or_else(missing)?;
        problem::lock(tx, id).await.map_err(fault)?;
        problem::find_numbered(tx, slug, number).await.map_err(fault)?.ok_or_else(missing)
    }

    async fn announce(&self, tx: &Transaction, version: &ProblemVersion, state: ProblemState) -> Result<()> {
        let payload = serde_json::json!({ "slug": version.slug, "version": version.number, "state": state });
        event::insert(tx, "problem", version.problem.0, "state", payload).await.map_err(fault)
    }
}

/// What somebody who signs sees beside the document.
struct Shown {
    changes: Vec<FieldChange>,
    since: Option<i32>,
    check: power::Check,
}

/// Versions before this one that were never signed off, back to the last that was: this one grew out of them.
fn open_before(versions: &[ProblemVersion], position: usize) -> impl Iterator<Item = &ProblemVersion> {
    versions[position + 1..].iter().take_while(|earlier| earlier.approved_at.is_none())
}

/// A problem version under review. Its authors are all who wrote on it since the last signed-off version: who wrote the half of
/// a text does not approve it because somebody else wrote last. A text that asks for fewer approvals than the one signed off
/// before it takes what that one asks for: nobody lowers the bar by jumping it.
fn reviewed<'a>(version: &'a ProblemVersion, versions: &[ProblemVersion], check: &power::Check) -> Reviewed<'a> {
    let position = versions.iter().position(|found| found.id == version.id).unwrap_or(0);
    let mut authors = vec![version.author];
    authors.extend(open_before(versions, position).map(|earlier| earlier.author));
    let signed_off = versions[position + 1..].iter().find(|earlier| earlier.approved_at.is_some());
    let own = version.document.approvals.of_specification();
    let quorum = match signed_off {
        Some(earlier) => own.at_least(&earlier.document.approvals.of_specification()),
        None => own,
    };
    Reviewed {
        subject: Subject::Problem(version.id.0),
        problem: &version.slug,
        action: Action::ReviewProblem,
        digest: version.digest,
        authors,
        quorum,
        unproven: check.unproven.clone(),
    }
}

/// Whether decisions are asked for: in review, or signed off and run out.
fn is_open(version: &ProblemVersion, now: DateTime<Utc>) -> std::result::Result<(), String> {
    match version.state {
        ProblemState::InReview => Ok(()),
        ProblemState::Approved if has_run_out(version, now) => Ok(()),
        state => Err(format!("this version is {}; only a version in review is decided on", state.title())),
    }
}

fn has_run_out(version: &ProblemVersion, now: DateTime<Utc>) -> bool {
    version.sign_off_ends_at.is_some_and(|end| end <= now)
}

impl Services {
    /// The versions in review, or run out, on which the reader could decide.
    pub(crate) async fn problems_waiting(&self, actor: &Actor) -> Result<Vec<ProblemVersion>> {
        let pool = self.db.pool();
        let mut waiting = Vec::new();
        for version in problem::list_in_review(pool, self.now()).await.map_err(fault)? {
            if actor.may_on(Action::ReviewProblem, &version.slug).is_err() {
                continue;
            }
            let versions = problem::versions(pool, &version.slug).await.map_err(fault)?;
            let silent = power::Check { statement: String::new(), unproven: None };
            let rules = self.review(pool, &reviewed(&version, &versions, &silent)).await?.rules;
            if rules.may_approve(actor.account).is_ok() {
                waiting.push(version);
            }
        }
        Ok(waiting)
    }
}

/// A new problem is for those who may write everywhere. The answer is the same whether the slug is free or that of a problem
/// the actor does not see.
fn may_write_new(actor: &Actor) -> Result<()> {
    actor
        .may_everywhere(Action::WriteProblem)
        .map_err(|refused| Fault::forbidden("not_allowed", format!("{refused} everywhere, to write a new problem")))
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
