//! The policy as a document: what `millrace policy` prints and `docs/policy.md` keeps.

use std::fmt::Write;

use super::{Access, Action, ROUTES, Role};

/// The whole policy as Markdown.
pub fn as_markdown() -> String {
    let mut text = "# Policy

Printed by `millrace policy` from the table the program obeys. What is not in it is denied: an address that is not listed is
answered as if it did not exist.

A role is given everywhere or on one problem. On one problem it covers that problem, its data, runs, models and deployment;
what is marked *everywhere* needs the role everywhere. A token does what its owner may and its scopes cover; what has no scope
is done by people in a session only.

## Who may do what, and when

"
    .to_owned();
    let heads: Vec<&str> = Role::ALL.iter().map(|role| role.title()).collect();
    row(&mut text, &[&["May"], &heads[..], &["Given", "Token scope", "Possible when"]].concat());
    row(&mut text, &["---"; 8]);
    for action in Action::ALL {
        let marks = Role::ALL.map(|role| if action.roles().contains(&role) { "yes" } else { "" });
        let given = if action.is_of_a_problem() { "per problem" } else { "everywhere" };
        let scope = action.scope().map_or("people only", |scope| scope.as_str());
        row(&mut text, &[&[action.title()], &marks[..], &[given, scope, action.when()]].concat());
    }
    text.push_str("\n## Addresses\n\n");
    row(&mut text, &["Method", "Path", "Asks for"]);
    row(&mut text, &["---"; 3]);
    for route in ROUTES {
        let asks = match route.access {
            Access::Public => "nothing",
            Access::Recognised => "to be signed in",
            Access::May(action) => action.title(),
        };
        row(&mut text, &[route.method, &format!("`{}`", route.path), asks]);
    }
    text
}

fn row(text: &mut String, cells: &[&str]) {
    writeln!(text, "| {} |", cells.join(" | ")).expect("writing to a string does not fail");
}
