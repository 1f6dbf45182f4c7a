//! Commands for whoever has the host.

use std::io::Read;

use anyhow::Context;
use millrace_domain::clock::Entropy;
use millrace_domain::policy::{Actor, Grant, Scope};
use millrace_services::credentials::random_text;
use serde_json::{Value, json};

use crate::config::{People, Storage, Web};
use crate::{api, outside, wiring};

/// `migrate`.
pub async fn migrate(storage: Storage, as_json: bool) -> anyhow::Result<()> {
    let storage = Storage { no_migrate: false, ..storage };
    wiring::open(&storage, wiring::Told::default()).await?;
    if as_json {
        println!("{}", json!({ "up_to_date": true }));
    } else {
        println!("the database is up to date");
    }
    Ok(())
}

/// `user add`.
pub async fn add_user(
    storage: Storage,
    people: &People,
    email: &str,
    name: Option<&str>,
    grants: &[Grant],
    from_stdin: bool,
    as_json: bool,
) -> anyhow::Result<()> {
    let parts = wiring::open(&storage, people.into()).await?;
    let (password, made) = if from_stdin {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("the password could not be read from stdin")?;
        (text.trim_end_matches(['\r', '\n']).to_owned(), false)
    } else {
        (random_text(outside::surroundings().entropy.as_ref() as &dyn Entropy, 20), true)
    };
    let id = parts.services.add_person_with(email, name.unwrap_or(email), &password, grants).await?;
    if as_json {
        println!("{}", json!({ "account": id, "email": email, "password": made.then_some(password) }));
        return Ok(());
    }
    eprintln!("account {id} made for {email}");
    if made {
        println!("{password}");
    }
    Ok(())
}

/// `user roles`.
pub async fn set_roles(
    storage: Storage,
    people: &People,
    email: &str,
    grants: &[Grant],
    as_json: bool,
) -> anyhow::Result<()> {
    let parts = wiring::open(&storage, people.into()).await?;
    let person = parts.services.recognise_host(email).await?;
    parts.services.set_grants(&Actor::host(), person.account, grants).await?;
    if as_json {
        println!("{}", json!({ "account": person.account, "email": email, "roles": grants }));
    } else {
        eprintln!("account {} now has the roles given", person.account);
    }
    Ok(())
}

/// `token create`.
pub async fn create_token(
    storage: Storage,
    people: &People,
    email: &str,
    name: &str,
    scopes: &[Scope],
    days: u32,
    as_json: bool,
) -> anyhow::Result<()> {
    let parts = wiring::open(&storage, people.into()).await?;
    let owner = parts.services.recognise_host(email).await?;
    let token = parts.services.create_token(&owner, name, scopes, days).await?;
    if as_json {
        println!("{}", json!({ "token": token, "name": name, "email": email, "scopes": scopes, "days": days }));
    } else {
        println!("{token}");
    }
    Ok(())
}

/// `openapi`.
pub fn print_document() -> anyhow::Result<()> {
    println!("{}", api::document().to_pretty_json()?);
    Ok(())
}

/// `policy`.
pub fn print_policy() {
    print!("{}", millrace_domain::policy::as_markdown());
}

/// `config check`.
pub fn check_config(storage: &Storage, web: &Web, as_json: bool) -> anyhow::Result<()> {
    storage.check()?;
    web.check()?;
    let webhooks = storage.webhooks()?;
    millrace_jobs::WebhookSender::check(&webhooks).context("MILLRACE_WEBHOOKS")?;
    let listed = |names: Vec<String>, none: &str| if names.is_empty() { none.to_owned() } else { names.join(", ") };
    let database =
        if storage.database_url.is_some() { "DATABASE_URL" } else { "a private cluster under MILLRACE_HOME" };
    let mail = if web.mail.smtp_url.is_some() { "MILLRACE_SMTP_URL" } else { "a directory under MILLRACE_HOME" };
    let sources = storage.places()?.names().map(ToString::to_string).collect();
    let trainers = storage.external_trainers()?.programs.names().map(ToString::to_string).collect();
    let second = web.people.second_factor.iter().map(|role| role.as_str().to_owned()).collect();
    let settings = [
        ("database", database.to_owned()),
        ("home", storage.home.display().to_string()),
        ("artifacts", storage.artifacts().to_string()),
        ("sources", listed(sources, "none")),
        ("trainers", listed(trainers, "our own")),
        ("address", web.addr.to_string()),
        ("base URL", web.base_url()),
        ("site", web.site.display().to_string()),
        ("webhooks", listed(webhooks.iter().map(|(name, _)| name.to_owned()).collect(), "none")),
        ("mail", format!("{mail}, from {}", web.mail.mail_from)),
        ("2nd factor", listed(second, "as people like")),
        ("sign-in", web.elsewhere.oidc_issuer.clone().unwrap_or_else(|| "here alone".to_owned())),
    ];
    if as_json {
        let settings = settings.into_iter().map(|(name, value)| (name.replace(' ', "_"), json!(value)));
        println!("{}", Value::Object(settings.collect()));
    } else {
        settings.iter().for_each(|(name, value)| println!("{name:<10} {value}"));
    }
    Ok(())
}

/// `weigh`.
pub fn weigh() -> anyhow::Result<()> {
    millrace_jobs::weigh(std::io::stdin().lock(), std::io::stdout()).map_err(anyhow::Error::msg)
}
