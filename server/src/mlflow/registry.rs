//! Registered models, which are problems with versions, and aliases.
//!
//! A version comes from a run whose gates it passed, and from nowhere else; it is kept for good. `transition-stage` to `Production` sends a
//! version on its way as every other door does, past shadow and canary, and to `Archived` puts it away.

use axum::Json;
use axum::extract::State;
use chrono::{DateTime, Utc};
use millrace_domain::fault::Fault;
use millrace_domain::policy::Actor;
use millrace_domain::view::{AliasView, ModelSummary, ModelView};
use millrace_services::Services;
use serde::Deserialize;
use serde_json::{Value, json};

use super::fault::{Asked, InQuery, Refusal};
use crate::api::reply::By;

type Reply = Result<Json<Value>, Refusal>;

/// Stands in the history of what a client moved.
const REASON: &str = "by a client of MLflow's registry";
/// The stages that clients know.
const STAGES: [&str; 3] = ["None", "Production", "Archived"];

#[derive(Deserialize)]
pub struct Model {
    name: String,
}

pub async fn show(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<Model>) -> Reply {
    let model = find(&services, &actor, &asked.name).await?;
    Ok(Json(json!({ "registered_model": registered(&services, &asked.name, &model) })))
}

/// A model is not made here: it is a problem with versions.
pub async fn create(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Model>) -> Reply {
    let name = asked.name;
    Err(Refusal::of_registry(match services.registered(&actor, &name).await {
        Ok(_) => {
            Fault::conflict("model_exists", format!("model {name:?} exists already; it is the problem of that name"))
        }
        Err(other) if other.status != 404 => other,
        Err(_) => Fault::invalid(
            format!(
                "a model is what runs of a problem come to, and {name:?} has no version yet: launch a run whose gates pass"
            ),
            Vec::new(),
        ),
    }))
}

#[derive(Deserialize)]
pub struct Search {
    #[serde(default)]
    filter: String,
    #[serde(default)]
    order_by: Value,
}

impl Search {
    /// What is asked for; an order is not read.
    fn wanted(&self, fields: &[&'static str]) -> Result<Vec<Wanted>, Fault> {
        let is_empty = match &self.order_by {
            Value::Array(orders) => orders.is_empty(),
            Value::String(order) => order.is_empty(),
            other => other.is_null(),
        };
        if !is_empty {
            return Err(Fault::field("/order_by", "is not read here: models come by name, versions newest first"));
        }
        wanted(without_prompts(&self.filter), fields)
    }
}

/// The models that fit, all in one answer.
pub async fn search(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<Search>) -> Reply {
    let wanted = asked.wanted(&["name"])?;
    let mut models = services.list_models(&actor).await?;
    models.retain(|model| wanted.iter().all(|wanted| wanted.fits(&model.slug)));
    models.sort_by(|a, b| a.slug.cmp(&b.slug));
    let mut found = Vec::with_capacity(models.len());
    for model in models {
        let whole = find(&services, &actor, &model.slug).await?;
        found.push(registered(&services, &model.slug, &whole));
    }
    Ok(Json(json!({ "registered_models": found })))
}

#[derive(Deserialize)]
pub struct Latest {
    name: String,
    #[serde(default)]
    stages: Vec<String>,
}

/// The newest version of each stage.
pub async fn latest(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Latest>) -> Reply {
    let model = find(&services, &actor, &asked.name).await?;
    let is_wanted =
        |stage: &&str| asked.stages.is_empty() || asked.stages.iter().any(|one| one.eq_ignore_ascii_case(stage));
    Ok(Json(json!({ "model_versions": newest(&services, &model, is_wanted) })))
}

#[derive(Deserialize)]
pub struct OneVersion {
    name: String,
    version: String,
}

pub async fn version(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<OneVersion>) -> Reply {
    let model = find(&services, &actor, &asked.name).await?;
    Ok(Json(json!({ "model_version": one(&services, &model, number(&asked.version)?)? })))
}

/// Where its bytes are.
pub async fn download(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<OneVersion>) -> Reply {
    let model = find(&services, &actor, &asked.name).await?;
    let version = of_number(&model, number(&asked.version)?)?;
    Ok(Json(json!({ "artifact_uri": source(version) })))
}

/// Versions of all models that fit, the newest first.
pub async fn search_versions(
    State(services): State<Services>,
    By(actor): By,
    InQuery(asked): InQuery<Search>,
) -> Reply {
    let wanted = asked.wanted(&["name", "run_id"])?;
    let of = |field: &'static str| wanted.iter().filter(move |wanted| wanted.field == field);
    let mut found = Vec::new();
    for model in services.list_models(&actor).await? {
        if of("name").any(|wanted| !wanted.fits(&model.slug)) {
            continue;
        }
        let whole = find(&services, &actor, &model.slug).await?;
        let fit = whole.versions.iter().filter(|version| of("run_id").all(|wanted| wanted.fits(&version.run)));
        found.extend(fit.map(|version| (version.created_at, told(&services, version, &whole.aliases))));
    }
    found.sort_by_key(|(created, _)| std::cmp::Reverse(*created));
    let found: Vec<Value> = found.into_iter().map(|(_, version)| version).collect();
    Ok(Json(json!({ "model_versions": found })))
}

/// A version is not made here.
pub async fn create_version(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Model>) -> Reply {
    Err(Refusal::of_registry(services.refuse_version(&actor, &asked.name).await))
}

/// Nothing is deleted.
pub async fn delete(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Model>) -> Reply {
    Err(Refusal::of_registry(services.refuse_deletion(&actor, &asked.name).await))
}

#[derive(Deserialize)]
pub struct Transition {
    name: String,
    version: String,
    stage: String,
    #[serde(default)]
    archive_existing_versions: Value,
}

pub async fn transition(State(services): State<Services>, By(actor): By, Asked(asked): Asked<Transition>) -> Reply {
    let number = number(&asked.version)?;
    if asked.archive_existing_versions == true {
        let message = "is not done here: what a version replaces stays as the way back; archive versions one by one";
        return Err(Fault::field("/archive_existing_versions", message).into());
    }
    let done = match asked.stage.to_ascii_lowercase().as_str() {
        "production" => services.start_rollout(&actor, &asked.name, number, REASON).await.map(|_| ()),
        "archived" => services.archive_model(&actor, &asked.name, number, true, REASON).await.map(|_| ()),
        _ => Err(Fault::field(
            "/stage",
            "must be Production, which begins a rollout, or Archived; an alias marks anything else",
        )),
    };
    done.map_err(Refusal::of_registry)?;
    let model = find(&services, &actor, &asked.name).await?;
    Ok(Json(json!({ "model_version": one(&services, &model, number)? })))
}

#[derive(Deserialize)]
pub struct OneAlias {
    name: String,
    alias: String,
}

pub async fn by_alias(State(services): State<Services>, By(actor): By, InQuery(asked): InQuery<OneAlias>) -> Reply {
    let model = find(&services, &actor, &asked.name).await?;
    let pointed = model.aliases.iter().find(|alias| alias.name == asked.alias).and_then(|alias| alias.version);
    let missing = || Fault::not_found(&format!("alias {:?} of model {:?}", asked.alias, asked.name));
    Ok(Json(json!({ "model_version": one(&services, &model, pointed.ok_or_else(missing)?)? })))
}

#[derive(Deserialize)]
pub struct NewAlias {
    name: String,
    alias: String,
    version: String,
}

pub async fn set_alias(State(services): State<Services>, By(actor): By, Asked(asked): Asked<NewAlias>) -> Reply {
    let number = number(&asked.version)?;
    let moved = services.move_alias(&actor, &asked.name, &asked.alias, Some(number), REASON).await;
    moved.map_err(Refusal::of_registry)?;
    Ok(Json(json!({})))
}

pub async fn take_alias(State(services): State<Services>, By(actor): By, Asked(asked): Asked<OneAlias>) -> Reply {
    let moved = services.move_alias(&actor, &asked.name, &asked.alias, None, REASON).await;
    moved.map_err(Refusal::of_registry)?;
    Ok(Json(json!({})))
}

async fn find(services: &Services, actor: &Actor, name: &str) -> Result<ModelView, Fault> {
    services.registered(actor, name).await.map_err(|refused| match refused.status {
        404 => Fault {
            detail: format!("there is no model {name:?}; a model is a problem with versions, by its slug"),
            ..refused
        },
        _ => refused,
    })
}

fn number(version: &str) -> Result<i32, Fault> {
    version.parse().map_err(|_| Fault::field("/version", "must be the number of a version"))
}

fn of_number(model: &ModelView, number: i32) -> Result<&ModelSummary, Fault> {
    let found = model.versions.iter().find(|version| version.version == number);
    found.ok_or_else(|| Fault::not_found(&format!("version {number}")))
}

fn one(services: &Services, model: &ModelView, number: i32) -> Result<Value, Fault> {
    Ok(told(services, of_number(model, number)?, &model.aliases))
}

/// The stage in MLflow's word: what is live is in production, and all that is neither live nor put away in none.
fn stage(version: &ModelSummary) -> &'static str {
    match (version.archived, version.stage.as_str()) {
        (true, _) => STAGES[2],
        (false, "live") => STAGES[1],
        (false, _) => STAGES[0],
    }
}

fn newest(services: &Services, model: &ModelView, is_wanted: impl Fn(&&str) -> bool) -> Vec<Value> {
    let newest = |wanted: &str| model.versions.iter().find(|version| stage(version) == wanted);
    STAGES
        .iter()
        .filter(|stage| is_wanted(stage))
        .filter_map(|stage| newest(stage))
        .map(|version| told(services, version, &model.aliases))
        .collect()
}

/// Everything that the version's run keeps; the model is `model` in it.
fn source(version: &ModelSummary) -> String {
    format!("mlflow-artifacts:/{}/{}", version.slug, version.run)
}

fn registered(services: &Services, name: &str, model: &ModelView) -> Value {
    let created = model.versions.iter().map(|version| version.created_at);
    let aliases = model
        .aliases
        .iter()
        .filter_map(|alias| Some(json!({ "alias": alias.name, "version": alias.version?.to_string() })));
    json!({
        "name": name,
        "creation_timestamp": created.clone().min().map(millis),
        "last_updated_timestamp": created.max().map(millis),
        "latest_versions": newest(services, model, |_| true),
        "aliases": aliases.collect::<Vec<_>>(),
    })
}

fn told(services: &Services, version: &ModelSummary, aliases: &[AliasView]) -> Value {
    let ModelSummary { slug, version: number, run, .. } = version;
    let pointing = aliases.iter().filter(|alias| alias.version == Some(*number)).map(|alias| alias.name.as_str());
    let mut tags = vec![json!({ "key": "millrace.stage", "value": version.stage })];
    tags.extend(
        version.value.map(|value| json!({ "key": format!("millrace.{}", version.metric), "value": value.to_string() })),
    );
    json!({
        "name": slug,
        "version": number.to_string(),
        "creation_timestamp": millis(version.created_at),
        "last_updated_timestamp": millis(version.created_at),
        "user_id": version.author,
        "current_stage": stage(version),
        "source": source(version),
        "run_id": run,
        "run_link": format!("{}/runs/{run}", services.settings().base_url),
        "status": "READY",
        "tags": tags,
        "aliases": pointing.collect::<Vec<_>>(),
    })
}

const fn millis(moment: DateTime<Utc>) -> i64 {
    moment.timestamp_millis()
}

/// One condition of a filter.
#[derive(Debug, PartialEq, Eq)]
struct Wanted {
    field: &'static str,
    value: String,
}

impl Wanted {
    /// Whether a text is that one; `%` stands for anything.
    fn fits(&self, text: &str) -> bool {
        let mut parts = self.value.split('%');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = text.strip_prefix(first) else { return false };
        let parts: Vec<&str> = parts.collect();
        let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
        for part in middle {
            let Some(found) = rest.find(part) else { return false };
            rest = &rest[found + part.len()..];
        }
        rest.ends_with(last)
    }
}

/// A filter without the condition that MLflow's client adds to leave its prompts out: there are none here.
fn without_prompts(filter: &str) -> &str {
    const NO_PROMPT: &str = "tag.`mlflow.prompt.is_prompt` != 'true'";
    let Some(rest) = filter.trim_end().strip_suffix(NO_PROMPT) else { return filter };
    rest.trim_end().strip_suffix("AND").unwrap_or(rest)
}

/// Conditions on these fields, joined by `and`: `name = 'SLUG'`, `name LIKE 'taxi%'`.
fn wanted(filter: &str, fields: &[&'static str]) -> Result<Vec<Wanted>, Fault> {
    let wrong = || {
        let fields = fields.join(" and ");
        Fault::field(
            "/filter",
            format!("is read as FIELD = 'VALUE' or FIELD LIKE 'VALUE%', joined by and; fields are {fields}"),
        )
    };
    let mut found = Vec::new();
    let mut rest = filter.trim();
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').ok_or_else(wrong)?;
        let field = fields.iter().find(|field| **field == &rest[..end]).ok_or_else(wrong)?;
        rest = rest[end..].trim_start();
        let operator =
            ["=", "LIKE", "like"].into_iter().find(|operator| rest.starts_with(operator)).ok_or_else(wrong)?;
        rest = rest[operator.len()..].trim_start();
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(wrong)?;
        let (value, after) = rest[1..].split_once(quote).ok_or_else(wrong)?;
        if operator == "=" && value.contains('%') {
            return Err(wrong());
        }
        found.push(Wanted { field, value: value.to_owned() });
        rest = after.trim_start();
        if !rest.is_empty() {
            let and = rest.get(..4).filter(|and| and.eq_ignore_ascii_case("and ")).ok_or_else(wrong)?;
            rest = rest[and.len()..].trim_start();
            if rest.is_empty() {
                return Err(wrong());
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_name_fields_and_values() {
        let read = |filter| wanted(filter, &["name", "run_id"]);
        let name = |value: &str| Wanted { field: "name", value: value.to_owned() };
        assert_eq!(read("").unwrap(), []);
        assert_eq!(read("name='a b'").unwrap(), [name("a b")]);
        let both = read("name LIKE 'taxi%' AND run_id = \"7\"").unwrap();
        assert_eq!(both, [name("taxi%"), Wanted { field: "run_id", value: "7".to_owned() }]);
        for wrong in [
            "name",
            "name =",
            "name = x",
            "name = 'x",
            "tags.a = 'x'",
            "name = 'a' or name = 'b'",
            "name = 'a' and ",
            "ñ = 'a'",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn that_no_prompts_are_wanted_is_no_condition() {
        let read = |filter| wanted(without_prompts(filter), &["name"]);
        let no_prompt = "tag.`mlflow.prompt.is_prompt` != 'true'";
        assert_eq!(read(no_prompt).unwrap(), []);
        let with_name = format!("name = 'a' AND {no_prompt}");
        assert_eq!(read(&with_name).unwrap(), [Wanted { field: "name", value: "a".to_owned() }]);
        assert!(read("tag.`mlflow.prompt.is_prompt` = 'true'").is_err());
    }

    #[test]
    fn a_percent_sign_stands_for_anything() {
        let fits = |value: &str, text| Wanted { field: "name", value: value.to_owned() }.fits(text);
        assert!(fits("taxi", "taxi") && !fits("taxi", "taxi-tips") && !fits("taxi", "a-taxi"));
        assert!(
            fits("taxi%", "taxi-tips") && fits("%tips", "taxi-tips") && fits("%xi-%s", "taxi-tips") && fits("%", "")
        );
        assert!(!fits("ab%ba", "aba"));
    }
}
