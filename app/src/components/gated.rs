//! What not everybody may do is shown to everybody, with the reason where it is refused.

use leptos::prelude::*;
use millrace_domain::view::Permission;

use crate::wording::sentence;

/// Children for those who may, the reason for the others.
#[component]
pub fn Gated(
    /// Whether the reader may.
    permission: Permission,
    /// What only those see who may, usually a form.
    children: Children,
) -> impl IntoView {
    if permission.allowed {
        children().into_any()
    } else {
        view! { <p class="reason">{reason(permission)}</p> }.into_any()
    }
}

/// Says that the whole page is for others, and who may do what it is for.
#[component]
pub fn NotAllowed(
    /// What the reader may not.
    title: &'static str,
    /// Why.
    permission: Permission,
) -> impl IntoView {
    view! {
        <div class="callout" data-kind="warning" role="status">
            <p class="callout-title">{title}</p>
            <p>{reason(permission)}" Who has which role stands under " <a href="/people">"People"</a> "."</p>
        </div>
    }
}

/// A submit button, disabled with the reason in text for those who may not.
#[component]
pub fn GatedButton(
    /// Whether the reader may.
    permission: Permission,
    /// What it does.
    #[prop(into)]
    label: String,
    /// `primary`, `danger`, `quiet`; secondary without one.
    #[prop(optional)]
    kind: &'static str,
    /// Icon before the label.
    #[prop(optional)]
    icon: Option<&'static str>,
    /// Sets it apart from other buttons with the same label on the page.
    #[prop(optional, into)]
    id: Option<String>,
    /// Name and value that the form sends when this button submits it.
    #[prop(optional)]
    sends: Option<(&'static str, &'static str)>,
) -> impl IntoView {
    let (name, value) = sends.unzip();
    if permission.allowed {
        return view! {
            <button class=button_class(kind) type="submit" data-icon=icon name=name value=value>{label}</button>
        }
        .into_any();
    }
    view! { <Refused label kind icon id reason=reason(permission)/> }.into_any()
}

/// A link that looks like a button, disabled with the reason in text for those who may not.
#[component]
pub fn GatedLink(
    /// Whether the reader may.
    permission: Permission,
    /// Where it leads.
    #[prop(into)]
    href: String,
    /// What it does.
    #[prop(into)]
    label: String,
    /// `primary`, `danger`, `quiet`; secondary without one.
    #[prop(optional)]
    kind: &'static str,
    /// Icon before the label.
    #[prop(optional)]
    icon: Option<&'static str>,
) -> impl IntoView {
    if permission.allowed {
        return view! { <a class=button_class(kind) href=href data-icon=icon>{label}</a> }.into_any();
    }
    view! { <Refused label kind icon id=None reason=reason(permission)/> }.into_any()
}

#[component]
fn Refused(
    label: String,
    kind: &'static str,
    icon: Option<&'static str>,
    id: Option<String>,
    reason: String,
) -> impl IntoView {
    let why = format!("why-{}", id.unwrap_or_else(|| label.to_lowercase().replace(' ', "-")));
    view! {
        <span class="gated">
            <button class=button_class(kind) type="button" disabled data-icon=icon aria-describedby=why.clone()>
                {label}
            </button>
            <span class="reason" id=why>{reason}</span>
        </span>
    }
}

fn reason(permission: Permission) -> String {
    permission.refusal.map_or_else(|| "You may not do this.".to_owned(), |reason| sentence(&reason))
}

fn button_class(kind: &str) -> String {
    if kind.is_empty() { "button".to_owned() } else { format!("button button-{kind}") }
}

#[cfg(all(test, feature = "ssr"))]
mod tests {
    use super::*;

    fn button(permission: Permission) -> String {
        Owner::new().with(|| view! { <GatedButton permission label="Roll back" kind="danger"/> }.to_html())
    }

    #[test]
    fn a_refused_act_is_shown_disabled_with_its_reason() {
        let html = button(Permission::refused("you may not roll back"));
        assert!(html.contains("disabled"), "{html}");
        assert!(html.contains(r#"aria-describedby="why-roll-back""#), "{html}");
        assert!(html.contains("You may not roll back."), "{html}");
    }

    #[test]
    fn an_allowed_act_is_a_plain_button() {
        let html = button(Permission::granted());
        assert!(html.contains(r#"type="submit""#) && !html.contains("disabled"), "{html}");
    }
}
