//! Feature sets: what a problem's models compute their inputs by, who answers for it, and who uses it.

use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::ids::ProblemVersionId;
use millrace_domain::policy::{Action, Actor};
use millrace_domain::problem::{Feature, FeatureType, ProblemDocument, ProblemState};
use millrace_domain::schema::{CheckOutcome, ColumnProfile, Profile, ValidationReport};
use millrace_domain::view::{
    FeatureSetModel, FeatureSetSummary, FeatureSetVersion, FeatureSetView, FeatureStatistics, FeatureView, LineageView,
};
use millrace_storage::problem::ProblemVersion;
use millrace_storage::{Connection, deployment, model, problem, run};

use crate::dataset::examples;
use crate::lineage::layer;
use crate::model::Lineage;
use crate::{Result, Services, fault, present};

/// A model version and the feature set it was trained with.
struct User {
    lineage: Lineage,
    digest: Digest,
}

impl Services {
    /// The feature set of every problem.
    ///
    /// # Errors
    /// For callers without a role.
    pub async fn list_feature_sets(&self, actor: &Actor) -> Result<Vec<FeatureSetSummary>> {
        self.authorise(actor, Action::ReadWorkspace, "feature").await?;
        let pool = self.db.pool();
        let mut lines = Vec::new();
        for newest in problem::list_newest(pool).await.map_err(fault)? {
            if actor.sees(&newest.slug) {
                let versions = problem::versions(pool, &newest.slug).await.map_err(fault)?;
                let users = self.users(&newest.slug).await?;
                lines.push(self.feature_set_summary(&versions, &users).await?);
            }
        }
        Ok(lines)
    }

    /// The feature set of a problem with everything around it.
    ///
    /// # Errors
    /// 404 when there is no such problem.
    pub async fn feature_set(&self, actor: &Actor, slug: &str) -> Result<FeatureSetView> {
        self.authorise_on(actor, Action::ReadWorkspace, slug, &format!("feature/{slug}")).await?;
        let pool = self.db.pool();
        let versions = problem::versions(pool, slug).await.map_err(fault)?;
        let users = self.users(slug).await?;
        let current = current(&versions)?;
        let summary = self.feature_set_summary(&versions, &users).await?;
        let sets = sets(&versions);
        let digest = current.document.feature_set_digest();
        let has_same = |id: ProblemVersionId| {
            versions.iter().any(|version| version.id == id && version.document.feature_set_digest() == digest)
        };
        let computed = run::computed_features(pool, slug).await.map_err(fault)?;
        let computed = computed.into_iter().find(|computed| has_same(computed.problem_version));
        let live = deployment::find(pool, slug).await.map_err(fault)?.and_then(|live| live.champion);
        let champion = users.iter().find(|user| Some(user.lineage.version.id) == live);
        let importance = match champion.filter(|champion| champion.digest == digest) {
            Some(champion) => self.importance_of(&champion.lineage.run).await?,
            None => Vec::new(),
        };
        let (parity, _) = self.parity_of(live).await?;
        let data = examples(pool, slug, &current.document).await?;
        let report = data.first().and_then(|data| data.report.as_ref());
        let features = current.document.features.iter().map(|feature| FeatureView {
            statistics: computed.as_ref().and_then(|found| statistics_of(&found.statistics, &feature.name)),
            importance: importance.iter().find(|(name, _)| *name == feature.name).map(|(_, value)| *value),
            leak: report.and_then(|report| leak(report, &feature.name)),
            ..described(&current.document, feature)
        });
        let mut models = Vec::with_capacity(users.len());
        for user in &users {
            let metrics = run::metrics(pool, user.lineage.run.id).await.map_err(fault)?;
            models.push(FeatureSetModel {
                model: present::model(&user.lineage, &metrics),
                feature_set: sets.iter().find(|set| set.0 == user.digest).map(|set| set.1.version),
            });
        }
        Ok(FeatureSetView {
            features: features.collect(),
            computed_by: computed.map(|computed| computed.run.to_string()),
            parity: live.map(|_| parity_in_words(parity.compared, parity.differing)),
            parity_broken: parity.differing > 0,
            lineage: graph(&summary, &current.document, &users, live.is_some()),
            versions: sets.into_iter().rev().map(|(_, set)| set).collect(),
            models,
            summary,
        })
    }

    async fn users(&self, slug: &str) -> Result<Vec<User>> {
        let mut users = Vec::new();
        for version in model::versions(self.db.pool(), slug).await.map_err(fault)? {
            let lineage = self.lineage(self.db.pool(), version).await?;
            users.push(User { digest: lineage.problem.document.feature_set_digest(), lineage });
        }
        Ok(users)
    }

    async fn feature_set_summary(&self, versions: &[ProblemVersion], users: &[User]) -> Result<FeatureSetSummary> {
        let current = current(versions)?;
        let digest = current.document.feature_set_digest();
        let sets = sets(versions);
        let set = sets.iter().find(|set| set.0 == digest).map(|(_, set)| set).ok_or_else(missing)?;
        let live = deployment::find(self.db.pool(), &current.slug).await.map_err(fault)?;
        let champion = live.and_then(|live| live.champion);
        let mut using = users.iter().filter(|user| user.digest == digest);
        let about = current.document.feature_set.as_ref();
        Ok(FeatureSetSummary {
            slug: current.slug.clone(),
            title: current.document.title.clone(),
            version: set.version,
            digest: digest.to_string(),
            problem_version: current.number,
            state: current.state.as_str().to_owned(),
            entity: current.document.data.entity.clone(),
            features: u32::try_from(current.document.features.len()).unwrap_or(u32::MAX),
            tables: current.document.joined_tables().into_iter().map(str::to_owned).collect(),
            owner: about.and_then(|about| about.owner.clone()).unwrap_or_else(|| current.author_name.clone()),
            description: about.and_then(|about| about.description.clone()),
            models: u32::try_from(using.clone().count()).unwrap_or(u32::MAX),
            live_model: using
                .find(|user| Some(user.lineage.version.id) == champion)
                .map(|user| user.lineage.version.number),
            created_at: set.created_at,
        })
    }

    /// Refuses a document that would take away what the live model is joined to.
    ///
    /// # Errors
    /// 409 `breaks_live_model` with the list.
    pub(crate) async fn keeps_live_model(&self, tx: &impl Connection, version: &ProblemVersion) -> Result<()> {
        let Some(live) = problem::of_live_model(tx, &version.slug).await.map_err(fault)? else { return Ok(()) };
        let broken = live.document.broken_by(&version.document);
        if broken.is_empty() {
            return Ok(());
        }
        let detail = format!(
            "the live model is joined to what this version changes: {}; keep it as it is, or put a model live first that does \
             without",
            broken.join("; ")
        );
        Err(Fault::conflict("breaks_live_model", detail))
    }
}

/// The version whose feature set counts: the signed-off one, else the newest.
fn current(versions: &[ProblemVersion]) -> Result<&ProblemVersion> {
    let approved = versions.iter().find(|version| version.state == ProblemState::Approved);
    approved.or_else(|| versions.first()).ok_or_else(missing)
}

/// The distinct feature sets of a problem, oldest first.
fn sets(versions: &[ProblemVersion]) -> Vec<(Digest, FeatureSetVersion)> {
    let mut sets: Vec<(Digest, FeatureSetVersion)> = Vec::new();
    let mut before: Option<&ProblemDocument> = None;
    for version in versions.iter().rev() {
        let digest = version.document.feature_set_digest();
        if !sets.iter().any(|(known, _)| *known == digest) {
            let number = u32::try_from(sets.len() + 1).unwrap_or(u32::MAX);
            sets.push((
                digest,
                FeatureSetVersion {
                    version: number,
                    digest: digest.to_string(),
                    problem_version: version.number,
                    author: version.author_name.clone(),
                    created_at: version.created_at,
                    changes: before.map(|before| changes(before, &version.document)).unwrap_or_default(),
                },
            ));
        }
        before = Some(&version.document);
    }
    sets
}

/// What changed from one feature set to another, in words.
fn changes(before: &ProblemDocument, after: &ProblemDocument) -> Vec<String> {
    let find = |document: &ProblemDocument, name: &str| document.features.iter().find(|one| one.name == name).cloned();
    let mut changes = Vec::new();
    for feature in &after.features {
        match find(before, &feature.name) {
            None => changes.push(format!("{} is new", feature.name)),
            Some(old) if old.expression != feature.expression => {
                changes.push(format!("{} is computed otherwise", feature.name));
            }
            Some(old) if described(before, &old).allowed != described(after, feature).allowed => {
                changes.push(format!("{} may have other values", feature.name));
            }
            Some(_) => {}
        }
    }
    let gone = before.features.iter().filter(|feature| find(after, &feature.name).is_none());
    changes.extend(gone.map(|feature| format!("{} is gone", feature.name)));
    if (&before.tables, &before.lookups, &before.aggregates) != (&after.tables, &after.lookups, &after.aggregates) {
        changes.push("joins are other ones".to_owned());
    }
    changes
}

fn described(document: &ProblemDocument, feature: &Feature) -> FeatureView {
    let mut reads: Vec<String> = Vec::new();
    for column in feature.expression.columns() {
        let lookup = document.lookups.iter().find_map(|lookup| Some((lookup, lookup.column(column)?)));
        let aggregate = document.aggregates.iter().find(|aggregate| aggregate.name == column);
        reads.push(match (lookup, aggregate) {
            (Some((lookup, cell)), _) => format!("{cell} of {}", lookup.table),
            (_, Some(aggregate)) => format!(
                "{} over {} of {}",
                aggregate.function.as_str(),
                aggregate.window.in_words(),
                aggregate.table.as_deref().unwrap_or("earlier rows")
            ),
            _ => column.to_owned(),
        });
    }
    let kind = match feature.feature_type {
        FeatureType::Number => "number",
        FeatureType::Category => "category",
    };
    let told = if feature.encoding.is_trainers() { String::new() } else { format!(", {}", feature.encoding.title()) };
    FeatureView {
        name: feature.name.clone(),
        description: feature.description.clone(),
        feature_type: format!("{kind}{told}"),
        expression: feature.expression.text().to_owned(),
        reads,
        allowed: allowed(feature),
        statistics: None,
        importance: None,
        leak: None,
    }
}

fn allowed(feature: &Feature) -> String {
    let values = match (feature.min, feature.max, &feature.values) {
        (_, _, Some(values)) if values.len() <= 6 => values.join(", "),
        (_, _, Some(values)) => format!("one of {} values", values.len()),
        (Some(min), Some(max), _) => format!("{min} to {max}"),
        (Some(min), None, _) => format!("at least {min}"),
        (None, Some(max), _) => format!("at most {max}"),
        (None, None, _) => "any".to_owned(),
    };
    match (feature.nullable, feature.max_null_share) {
        (false, _) => format!("{values}; never missing"),
        (true, Some(share)) => format!("{values}; missing in at most {} %", share * 100.0),
        (true, None) => format!("{values}; may be missing"),
    }
}

fn statistics_of(profile: &Profile, name: &str) -> Option<FeatureStatistics> {
    let found: &ColumnProfile = profile.columns.iter().find(|column| column.column.name == name)?;
    let rows = found.present + found.missing;
    Some(FeatureStatistics {
        missing_share: if rows == 0 { 0.0 } else { found.missing as f64 / rows as f64 },
        distinct: found.distinct,
        mean: found.mean,
        range: found.quantiles.map(|quantiles| (quantiles[0], quantiles[6])),
        top: found.top.clone(),
        histogram: found.histogram.clone(),
    })
}

fn leak(report: &ValidationReport, name: &str) -> Option<String> {
    let is_leak = |check: &str| matches!(check, "target_copy" | "target_leak" | "known_after_label");
    let found = report.findings.iter().find(|finding| {
        is_leak(&finding.check) && finding.outcome == CheckOutcome::Failed && finding.column.as_deref() == Some(name)
    });
    found.map(|finding| finding.observed.clone())
}

fn parity_in_words(compared: i64, differing: i64) -> String {
    match (compared, differing) {
        (0, _) => "no served answer has been computed again yet".to_owned(),
        (compared, 0) => format!("{compared} served answers, computed again as training does, came to the same bits"),
        (compared, differing) => format!("{differing} of {compared} served answers, computed again, differ"),
    }
}

/// Sources and tables on the left, the feature set in the middle, models on the right.
fn graph(summary: &FeatureSetSummary, document: &ProblemDocument, users: &[User], is_live: bool) -> LineageView {
    let mut graph = LineageView { things: Vec::new(), links: Vec::new(), here: None };
    let set = graph.add(layer::WORK, "feature set", format!("{} v{}", summary.slug, summary.version), None);
    graph.here = Some(set);
    let of_problem = format!("/datasets?problem={}", summary.slug);
    let own = graph.add(layer::DATA, "data", "rows of the problem", Some(of_problem.clone()));
    graph.link(own, set);
    let tables: Vec<(&str, u32)> = document
        .joined_tables()
        .into_iter()
        .map(|name| (name, graph.add(layer::DATA, "table", name, Some(of_problem.clone()))))
        .collect();
    for (_, table) in &tables {
        graph.link(*table, set);
    }
    for source in &document.sources {
        let fed = tables.iter().find(|(name, _)| *name == source.dataset).map_or(own, |(_, table)| *table);
        let label = format!("{}: {}", source.connection, source.read.text());
        let source = graph.add(layer::SOURCE, "source", label, Some(of_problem.clone()));
        graph.link(source, fed);
    }
    let mut deployed = None;
    for user in users.iter().filter(|user| user.digest.to_string() == summary.digest) {
        let version = &user.lineage.version;
        let page = format!("/models/{}/v/{}", version.slug, version.number);
        let model =
            graph.add(layer::MODEL, "model version", format!("{} v{}", version.slug, version.number), Some(page));
        graph.link(set, model);
        if is_live && summary.live_model == Some(version.number) {
            deployed = Some(model);
        }
    }
    if let Some(model) = deployed {
        let page = format!("/deployments/{}", summary.slug);
        let live = graph.add(layer::LIVE, "deployment", summary.slug.clone(), Some(page));
        graph.link(model, live);
    }
    graph
}

fn missing() -> Fault {
    Fault::not_found("feature set")
}
