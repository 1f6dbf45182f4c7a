//! Signing in and out, and the first account.
//!
//! These forms are posted plainly, with and without WASM: what a page knows of its visitor is sent with the page, so a change
//! of visitor loads a page anew.

mod code;
mod confirm;
mod forgot;
mod link;
mod set_up;
mod sign_in;
mod sign_out;

use leptos::prelude::*;
use leptos_meta::Title;

pub use code::{CodePage, ShowSecondFactor};
pub use confirm::{Confirm, ConfirmPage};
pub use forgot::{ForgotPage, ForgotPassword};
pub use link::{InvitePage, LookAtLink, RenewLink, ResetPage, SetPassword};
pub use set_up::{PASSWORD_RULES, SetUp, SetUpPage};
pub use sign_in::{SignIn, SignInPage, WaysIn};
pub use sign_out::SignOut;

use crate::components::{FaultNotice, ThemeSwitch};
use crate::kept::Kept;

/// A card in the middle of the page, for people who are not signed in.
#[component]
fn AuthCard(
    /// The page's name.
    title: &'static str,
    /// The answer to the last attempt.
    kept: Option<Kept>,
    /// The form.
    children: Children,
) -> impl IntoView {
    let fault = kept.as_ref().and_then(Kept::refusal);
    let done = kept.and_then(|kept| kept.done());
    view! {
        <Title text=title/>
        <main class="auth" id="main">
            <div class="auth-card card">
                <a class="brand" href="/">"Millrace"</a>
                <h1>{title}</h1>
                {fault.map(|fault| view! { <FaultNotice fault/> })}
                {done.map(|text| view! { <div class="callout" data-kind="success" role="status"><p>{text}</p></div> })}
                {children()}
            </div>
            <div>
                <ThemeSwitch/>
            </div>
        </main>
    }
}
