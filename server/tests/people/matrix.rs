//! D1 and D2: ten principals on every route and server function.

use std::collections::BTreeSet;
use std::fmt::Write;

use millrace_domain::policy::{Access, Action, ROUTES, Role, Route, Scope};
use millrace_test_support::Person;
use serde_json::json;

use crate::{Team, document, team_with};

/// What the table lets a principal do, or the status it is turned away with.
type Expect = fn(Access) -> Result<(), u16>;

fn by_roles(access: Access, roles: &[Role]) -> Result<(), u16> {
    match access {
        Access::Public | Access::Recognised => Ok(()),
        Access::May(action) if action.roles().iter().any(|role| roles.contains(role)) => Ok(()),
        Access::May(_) => Err(403),
    }
}

fn by_scope(access: Access, scope: Scope) -> Result<(), u16> {
    match access {
        Access::Public | Access::Recognised => Ok(()),
        Access::May(action) if action.scope() == Some(scope) => Ok(()),
        Access::May(_) => Err(403),
    }
}

fn unknown(access: Access) -> Result<(), u16> {
    match access {
        Access::Public => Ok(()),
        // Collectors on the host itself, as tests are, need no token.
        Access::May(Action::ReadMetrics) => Ok(()),
        Access::Recognised | Access::May(_) => Err(401),
    }
}

async fn principals(team: &Team) -> Vec<(&'static str, Person, Expect)> {
    let both = team.app.person("both", &[Role::MlEngineer, Role::Stakeholder]).await.unwrap();
    let disabled = team.app.person("disabled", &Role::ALL).await.unwrap();
    team.app.sql("update account set disabled_at = now() where email = 'disabled@example.org'").await;
    let everything = team.app.person("everything", &Role::ALL).await.unwrap();
    let token = async |scope| team.app.token(&everything, &[scope]).await.unwrap();
    vec![
        ("anonymous", team.app.anybody(), unknown),
        ("stakeholder", team.stakeholder.clone(), |access| by_roles(access, &[Role::Stakeholder])),
        ("engineer", team.engineer.clone(), |access| by_roles(access, &[Role::MlEngineer])),
        ("on-call", team.on_call.clone(), |access| by_roles(access, &[Role::OnCall])),
        ("admin", team.admin.clone(), |access| by_roles(access, &[Role::Admin])),
        ("engineer and author", both, |access| by_roles(access, &[Role::MlEngineer, Role::Stakeholder])),
        ("disabled", disabled, unknown),
        ("token: predict", token(Scope::Predict).await, |access| by_scope(access, Scope::Predict)),
        ("token: read", token(Scope::Read).await, |access| by_scope(access, Scope::Read)),
        ("token: launch", token(Scope::Launch).await, |access| by_scope(access, Scope::Launch)),
    ]
}

/// A path of a route that leads to nothing, so that walking changes nothing.
fn filled(route: &Route) -> String {
    route
        .path
        .replace("{slug}", "nothing")
        .replace("{number}", "1")
        .replace("{generation}", "1")
        .replace("{id}", "77")
        .replace("{name}", "x")
        .replace("{call}", "nothing:predict")
        .replace("{*file}", "nothing.js")
}

/// Acts that would end the session they come with, or everybody's.
const ENDS: [&str; 4] = ["/fn/sign_out", "/fn/end_all_sessions", "/api/v1/session", "/api/v1/events"];

#[tokio::test]
async fn d1_ten_principals_on_every_route_get_what_the_table_says() {
    let team = team_with(&[("MILLRACE_TOKEN_RATE", "100000")]).await;
    team.app.sign_off(&team.engineer, &team.stakeholder, &document("there")).await;
    let mut wrong = String::new();
    let mut walked = 0;
    for (name, person, expect) in principals(&team).await {
        for route in ROUTES.iter().filter(|route| !ENDS.contains(&route.path)) {
            let request = person.request(route.method.parse().unwrap(), &filled(route));
            let request = if route.method == "GET" { request } else { request.json(&json!({})) };
            let response = request.send().await.unwrap();
            let (status, to) = (response.status().as_u16(), response.headers().get("location").cloned());
            let turned_away = match (status, to) {
                (303, Some(to)) if to.to_str().unwrap().starts_with("/sign-in?next=") => Some(401),
                (401 | 403, _) => {
                    let text = response.text().await.unwrap_or_default();
                    // Refusals of acts themselves (a wrong password, an unconfirmed change) come from behind the door.
                    let behind =
                        ["confirm_first", "wrong_credentials", "set_up_closed", "sign_in_first", "sign_in_lost"];
                    let own_account = text.contains("a token may not change an account");
                    (!own_account && !behind.iter().any(|code| text.contains(code)) && !text.contains("out of date"))
                        .then_some(status)
                }
                _ => None,
            };
            walked += 1;
            // Predictions take tokens only.
            let by_cookie = person.shows().starts_with("millrace=");
            let predicts = ["/v1/", "/v2/"].iter().any(|prefix| route.path.starts_with(prefix));
            let expected = if predicts && by_cookie { Some(401) } else { expect(route.access).err() };
            if turned_away != expected {
                writeln!(wrong, "{name} {} {}: {status}", route.method, route.path).unwrap();
            }
        }
        // The walk leaves failed sign-ins behind.
        team.app.sql("delete from sign_in_failure").await;
    }
    assert_eq!(wrong, "");
    assert!(walked > 900, "{walked}");
    println!("{walked} principals × routes");
    team.app.remove().await;
}

#[tokio::test]
async fn d2_no_address_the_program_answers_is_missing_from_the_table() {
    // What the program registers: the API by its own document, server functions and pages by Leptos.
    let document = std::process::Command::new(crate::BINARY).arg("openapi").output().unwrap();
    let document: serde_json::Value = serde_json::from_slice(&document.stdout).unwrap();
    let mut registered = BTreeSet::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            // The router tells the calls of a model apart by what comes behind the colon.
            let is_of_model = path.starts_with("/v1/models/{slug}");
            let path = if is_of_model { "/v1/models/{call}".to_owned() } else { path.clone() };
            registered.insert((method.to_uppercase(), path));
        }
    }
    let functions: Vec<String> = sources().iter().flat_map(|text| functions_in(text)).collect();
    registered.extend(functions.into_iter().map(|name| ("POST".to_owned(), format!("/fn/{name}"))));
    let listed: BTreeSet<(String, String)> =
        ROUTES.iter().map(|route| (route.method.to_owned(), route.path.to_owned())).collect();
    let missing: Vec<_> = registered.difference(&listed).collect();
    assert_eq!(missing, Vec::<&(String, String)>::new());
    assert!(registered.len() > 60, "{}", registered.len());
}

/// Names of the server functions that a source defines.
fn functions_in(text: &str) -> Vec<String> {
    text.split("endpoint = \"").skip(1).filter_map(|rest| rest.split('"').next()).map(str::to_owned).collect()
}

/// Every source of the pages.
fn sources() -> Vec<String> {
    fn walk(directory: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut found = Vec::new();
    walk(&std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../app/src"), &mut found);
    found
}

#[test]
fn the_written_policy_is_the_one_the_program_obeys() {
    let printed = std::process::Command::new(crate::BINARY).arg("policy").output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    let written = include_str!("../../../docs/policy.md");
    assert!(printed == written, "docs/policy.md is out of date: run `millrace policy > docs/policy.md`");
}
