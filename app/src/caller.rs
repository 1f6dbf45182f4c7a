//! Who asks, as the server tells the pages: the server provides a [`Caller`] as Leptos context, the same for rendering a page
//! and for running a server function.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use axum::http::Uri;
use axum::http::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue, REFERER};
use axum::http::request::Parts;
use leptos::prelude::{expect_context, use_context};
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Actor, Origin};
use millrace_domain::run::ReviewDecision;
use millrace_domain::view::DecisionRequest;
use millrace_services::{Presented, Services, SignedIn};

use crate::fault::PageFault;
use crate::kept::{KEPT, Kept, Outcome};
use crate::return_path;

/// Bytes of a typed value that are kept for somebody who is not signed in.
const MOST_TYPED_BY_STRANGERS: usize = 1_000;

/// A future that a trait object can give.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The browser's session, as far as pages touch it.
pub trait SessionDoor: Send + Sync {
    /// Signs the account in, under a new session id.
    fn open(&self, signed_in: SignedIn) -> BoxFuture<'_, Result<(), Fault>>;

    /// Who showed the right password in this session and still owes the second factor.
    fn owes_second_factor(&self) -> BoxFuture<'_, Result<Option<Presented>, Fault>>;

    /// Signs out.
    fn close(&self) -> BoxFuture<'_, Result<(), Fault>>;

    /// Where the request came from, for throttling and the audit trail.
    fn origin(&self) -> Origin;

    /// Keeps what the next page will show, in place of what was kept before. Works without anybody signed in, too.
    fn keep(&self, kept: Kept) -> BoxFuture<'_, Result<(), Fault>>;

    /// Takes out what was kept: it is shown once.
    fn take_kept(&self) -> BoxFuture<'_, Result<Option<Kept>, Fault>>;
}

/// Who asks, and what may be asked of.
#[derive(Clone)]
pub struct Caller {
    /// The use cases.
    pub services: Services,
    /// Who was recognised.
    pub actor: Option<Actor>,
    /// Their session.
    pub sessions: Arc<dyn SessionDoor>,
    /// What an act left for this page to show.
    pub kept: Option<Kept>,
}

impl Caller {
    /// A caller; takes out what was kept for the page if the address asks for it.
    ///
    /// # Errors
    /// When it can't be read.
    pub async fn new(
        services: Services,
        actor: Option<Actor>,
        sessions: Arc<dyn SessionDoor>,
        query: Option<&str>,
    ) -> Result<Self, Fault> {
        let asked = query.unwrap_or_default().split('&').any(|pair| pair.split('=').next() == Some(KEPT));
        let kept = if asked { sessions.take_kept().await? } else { None };
        Ok(Self { services, actor, sessions, kept })
    }
}

/// Who calls the server function, whether or not they are signed in.
pub fn caller() -> Caller {
    expect_context::<Caller>()
}

/// The use cases and the person who calls them.
///
/// # Errors
/// When nobody is signed in.
pub fn actor() -> Result<(Services, Actor), PageFault> {
    let Caller { services, actor, .. } = caller();
    Ok((services, actor.ok_or_else(Fault::unauthenticated)?))
}

/// Goes on after a sign-out: the session ends, and what the browser stored of it is cleared.
///
/// # Errors
/// When the session cannot be written.
pub async fn signed_out() -> Result<(), PageFault> {
    caller().sessions.close().await?;
    let clear = (HeaderName::from_static("clear-site-data"), HeaderValue::from_static("\"storage\""));
    expect_context::<leptos_axum::ResponseOptions>().insert_header(clear.0, clear.1);
    leptos_axum::redirect("/sign-in");
    Ok(())
}

/// Does what a form asks for, so that its answer arrives with and without WASM.
///
/// A browser without WASM posts the form and follows a redirect, so it would see neither the fault nor what was typed. Leptos
/// would put the fault into the address: too short for a document with many mistakes, and a link anybody can write. Here a
/// refusal is kept for this browser, with the typed fields that may be kept (never a password), and the page that the form
/// came from shows it once (see [`crate::form`]). With WASM the fault goes back as the answer and the fields are still there.
///
/// # Errors
/// Those of `act`.
pub async fn submitted<T>(typed: &[(&str, &str)], act: impl Future<Output = Result<T, Fault>>) -> Result<T, PageFault> {
    let result = act.await.map_err(PageFault::from);
    let Some(page) = plain_form() else { return result };
    match &result {
        Ok(_) => leptos_axum::redirect(&page),
        Err(PageFault(fault)) => keep_for(&page, Outcome::Refused(fault.clone()), typed).await?,
    }
    result
}

/// Shows a text once on the page that the form came from, when the form was posted without WASM.
///
/// # Errors
/// When it can't be kept.
pub async fn show_once(text: &str) -> Result<(), PageFault> {
    match plain_form() {
        Some(page) => Ok(keep_for(&page, Outcome::Done(text.to_owned()), &[]).await?),
        None => Ok(()),
    }
}

/// A review form's fields as a decision.
///
/// # Errors
/// When the word is none of the three.
pub fn decision(word: &str, digest: &str, comment: &str, waiver: &str) -> Result<DecisionRequest, Fault> {
    let decision: ReviewDecision =
        word.parse().map_err(|()| Fault::field("/decision", "must be approve, request_changes or comment"))?;
    let (digest, comment, waiver) = (digest.to_owned(), comment.to_owned(), waiver.to_owned());
    Ok(DecisionRequest { decision, digest, comment, waiver })
}

/// Goes on after a sign-in: to the page that was asked for, or to the second factor first.
///
/// # Errors
/// When the session cannot be written.
pub async fn signed_in(signed_in: SignedIn, next: &str) -> Result<(), PageFault> {
    caller().sessions.open(signed_in).await?;
    let next = return_path::local(next).unwrap_or("/");
    if signed_in.owes_second_factor {
        leptos_axum::redirect(&return_path::with_query("/sign-in/code", &[], &[("next", next)]));
    } else {
        leptos_axum::redirect(next);
    }
    Ok(())
}

async fn keep_for(page: &str, outcome: Outcome, typed: &[(&str, &str)]) -> Result<(), Fault> {
    let form = expect_context::<Parts>().uri.path().to_owned();
    let caller = caller();
    // Strangers store no more here than a form for them has room for.
    let most = if caller.actor.is_some() { usize::MAX } else { MOST_TYPED_BY_STRANGERS };
    let typed: Vec<(&str, &str)> = typed.iter().copied().filter(|(_, value)| value.len() <= most).collect();
    let kept = Kept::new(form, outcome, &typed);
    let page = return_path::with_query(page, &[], &[(KEPT, &kept.id)]);
    caller.sessions.keep(kept).await?;
    leptos_axum::redirect(&page);
    Ok(())
}

/// The page that a form without WASM came from; none for a call by WASM.
pub(crate) fn plain_form() -> Option<String> {
    page_behind(&use_context::<Parts>()?.headers)
}

/// The page whose plain form sent these headers, clean of what earlier answers put into its address.
fn page_behind(headers: &HeaderMap) -> Option<String> {
    let header = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !header(ACCEPT).is_some_and(|accepted| accepted.contains("text/html")) {
        return None;
    }
    let referer = header(REFERER).and_then(|text| text.parse::<Uri>().ok());
    let page = referer.as_ref().and_then(Uri::path_and_query).map_or("/", |page| page.as_str());
    let page = return_path::local(page).unwrap_or("/");
    Some(return_path::with_query(page, &[KEPT, "__path", "__err"], &[]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(accept: &'static str, referer: &'static str) -> HeaderMap {
        [(ACCEPT, accept), (REFERER, referer)]
            .map(|(name, value)| (name, value.parse().expect("a plain value")))
            .into_iter()
            .collect()
    }

    #[test]
    fn a_plain_form_leads_back_to_its_page_without_earlier_answers() {
        let headers = headers("text/html,*/*", "http://localhost:8080/problems/new?from=a&kept=1&__path=x&__err=y");
        assert_eq!(page_behind(&headers).as_deref(), Some("/problems/new?from=a"));
    }

    #[test]
    fn a_plain_form_never_leads_to_another_host() {
        let headers = headers("text/html", "http://localhost:8080//example.org/");
        assert_eq!(page_behind(&headers).as_deref(), Some("/"));
    }

    #[test]
    fn a_call_by_wasm_has_no_page_to_lead_back_to() {
        assert_eq!(page_behind(&headers("application/json", "http://localhost:8080/")), None);
    }
}
