//! Commands for whoever has the host.

use std::io::Read;

use anyhow::Context;
use millrace_domain::clock::Entropy;
use millrace_domain::policy::{Actor, Grant, Scope};
use millrace_services::credentials::random_text;

use crate::config::{People, Storage, Web};
use crate::{api, outside, wiring};

/// `migrate`.
pub async fn migrate(storage: Storage) -> anyhow::Result<()> {
    let storage = Storage { no_migrate: false, ..storage };
    wiring::open(&storage, wiring::Told::default()).await?;
    println!("the database is up to date");
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
    eprintln!("account {id} made for {email}");
    if made {
        println!("{password}");
    }
    Ok(())
}

/// `user roles`.
pub async fn set_roles(storage: Storage, people: &People, email: &str, grants: &[Grant]) -> anyhow::Result<()> {
    let parts = wiring::open(&storage, people.into()).await?;
    let person = parts.services.recognise_host(email).await?;
    parts.services.set_grants(&Actor::host(), person.account, grants).await?;
    eprintln!("account {} now has the roles given", person.account);
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
) -> anyhow::Result<()> {
    let parts = wiring::open(&storage, people.into()).await?;
    let owner = parts.services.recognise_host(email).await?;
    println!("{}", parts.services.create_token(&owner, name, scopes, days).await?);
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
pub fn check_config(storage: &Storage, web: &Web) -> anyhow::Result<()> {
    storage.check()?;
    web.check()?;
    let database =
        if storage.database_url.is_some() { "DATABASE_URL" } else { "a private cluster under MILLRACE_HOME" };
    println!("database   {database}");
    println!("home       {}", storage.home.display());
    println!("artifacts  {}", storage.artifacts());
    let places = storage.places()?;
    let names: Vec<&str> = places.names().collect();
    println!("sources    {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    let trainers = storage.external_trainers()?;
    let names: Vec<String> = trainers.programs.names().map(ToString::to_string).collect();
    println!("trainers   {}", if names.is_empty() { "our own".to_owned() } else { names.join(", ") });
    println!("address    {}", web.addr);
    println!("base URL   {}", web.base_url());
    println!("site       {}", web.site.display());
    let mail = if web.mail.smtp_url.is_some() { "MILLRACE_SMTP_URL" } else { "a directory under MILLRACE_HOME" };
    let webhooks = storage.webhooks()?;
    millrace_jobs::WebhookSender::check(&webhooks).context("MILLRACE_WEBHOOKS")?;
    let names: Vec<&str> = webhooks.iter().map(|(name, _)| name).collect();
    println!("webhooks   {}", if names.is_empty() { "none".to_owned() } else { names.join(", ") });
    println!("mail       {mail}, from {}", web.mail.mail_from);
    let second: Vec<&str> = web.people.second_factor.iter().map(|role| role.as_str()).collect();
    println!("2nd factor {}", if second.is_empty() { "as people like".to_owned() } else { second.join(", ") });
    println!("sign-in    {}", web.elsewhere.oidc_issuer.as_deref().unwrap_or("here alone"));
    Ok(())
}

/// `weigh`.
pub fn weigh() -> anyhow::Result<()> {
    millrace_jobs::weigh(std::io::stdin().lock(), std::io::stdout()).map_err(anyhow::Error::msg)
}
