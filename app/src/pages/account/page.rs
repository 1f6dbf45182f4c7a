use leptos::prelude::*;
use leptos_router::hooks::use_query_map;
use millrace_domain::view::AccountView;

use super::identity::{ChangeIdentity, Identity};
use super::password::PasswordForm;
use super::revoke::RevokeToken;
use super::second_factor::{FinishSecondFactor, RecoveryCodes, SecondFactor};
use super::sessions::{EndSession, Sessions};
use super::token_form::{CreateToken, NewSecret};
use super::tokens::TokensTab;
use crate::components::{FaultNotice, Load, PageHeader, Tab, Tabs};
use crate::fault::PageFault;
use crate::form::PageForm;

/// Part of the page that is open.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Profile,
    Security,
    Sessions,
    Tokens,
}

impl Part {
    const ALL: [(Self, &'static str, &'static str); 4] = [
        (Self::Profile, "Profile", ""),
        (Self::Security, "Sign-in", "security"),
        (Self::Sessions, "Sessions", "sessions"),
        (Self::Tokens, "Tokens", "tokens"),
    ];

    fn named(word: &str) -> Self {
        Self::ALL.into_iter().find(|(_, _, known)| *known == word).map_or(Self::Profile, |(part, ..)| part)
    }
}

/// The forms of the page, made once so that their answers outlive a reload of the account.
#[derive(Clone, Copy)]
pub struct Forms {
    pub create: PageForm<CreateToken>,
    pub revoke: PageForm<RevokeToken>,
    pub identity: PageForm<ChangeIdentity>,
    pub session: PageForm<EndSession>,
    pub finish: PageForm<FinishSecondFactor>,
}

/// Who the reader is and what their account rests on. `?tab=` opens a part, `?tab=tokens&revoke=<id>` asks once more before a
/// token is ended.
#[component]
pub fn AccountPage() -> impl IntoView {
    let forms = Forms {
        create: PageForm::new(),
        revoke: PageForm::new(),
        identity: PageForm::new(),
        session: PageForm::new(),
        finish: PageForm::new(),
    };
    let changes = move || {
        let tokens = (forms.create.done(), forms.revoke.done());
        (tokens, forms.identity.done(), forms.session.done(), forms.finish.done())
    };
    let account = Resource::new(changes, |_| account());
    view! {
        <PageHeader title="Account"/>
        {move || forms.revoke.fault().map(|fault| view! { <FaultNotice fault/> })}
        {move || forms.session.fault().map(|fault| view! { <FaultNotice fault/> })}
        <NewSecret form=forms.create/>
        <RecoveryCodes form=forms.finish/>
        <Load resource=account let:account>
            <Parts account forms/>
        </Load>
    }
}

#[component]
fn Parts(account: AccountView, forms: Forms) -> impl IntoView {
    let query = use_query_map();
    let account = StoredValue::new(account);
    move || {
        let open = Part::named(&query.with(|query| query.get("tab")).unwrap_or_default());
        let account = account.get_value();
        let tabs = Part::ALL.map(|(part, name, word)| Tab {
            name,
            href: if word.is_empty() { "/account".to_owned() } else { format!("/account?tab={word}") },
            count: match part {
                Part::Sessions => Some(account.sessions.len()),
                Part::Tokens => Some(account.tokens.len()),
                Part::Profile | Part::Security => None,
            },
            current: part == open,
        });
        let content = match open {
            Part::Profile => view! { <Identity me=account.me form=forms.identity/> }.into_any(),
            Part::Security => view! {
                <div class="stack stack-loose">
                    <SecondFactor account=account.clone() form=forms.finish/>
                    <PasswordForm has_password=account.has_password with_code=account.second_factor_since.is_some()/>
                </div>
            }
            .into_any(),
            Part::Sessions => view! { <Sessions sessions=account.sessions form=forms.session/> }.into_any(),
            Part::Tokens => view! { <TokensTab account forms/> }.into_any(),
        };
        view! {
            <Tabs label="Account" tabs=tabs.into()/>
            {content}
        }
    }
}

/// The own account.
#[server(prefix = "/fn", endpoint = "account")]
pub async fn account() -> Result<AccountView, PageFault> {
    let (services, actor) = crate::caller::actor()?;
    Ok(services.account(&actor).await?)
}
