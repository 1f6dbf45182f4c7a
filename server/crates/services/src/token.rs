//! The own account and its tokens.

use chrono::Duration;
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Action, Actor, Scope, Via};
use millrace_domain::view::{AccountView, Me, Permission, TokenView};
use millrace_storage::token::{self, NewToken};
use millrace_storage::{account, credential};

use crate::access::Note;
use crate::credentials::make_token;
use crate::people::checked_name;
use crate::{Result, Services, commit, fault};

impl Services {
    /// Who the caller is.
    pub fn me(actor: &Actor) -> Me {
        Me {
            id: actor.account.to_string(),
            name: actor.name.clone(),
            email: actor.email.clone(),
            roles: actor.grants.iter().map(ToString::to_string).collect(),
            owes_second_factor: actor.owes_second_factor,
        }
    }

    /// The own account.
    ///
    /// # Errors
    /// 403 for a token.
    pub async fn account(&self, actor: &Actor) -> Result<AccountView> {
        self.people_only(actor)?;
        let now = self.now();
        let tokens = token::list(self.db.pool(), actor.account).await.map_err(fault)?;
        let tokens = tokens.into_iter().map(|token| TokenView {
            id: token.id.to_string(),
            name: token.name,
            prefix: token.prefix,
            scopes: token.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
            state: match (token.revoked_at, token.expires_at <= now) {
                (Some(_), _) => "revoked",
                (None, true) => "expired",
                (None, false) => "active",
            }
            .to_owned(),
            created_at: token.created_at,
            expires_at: token.expires_at,
            last_used_at: token.last_used_at,
        });
        let account = self.own_account(actor).await?;
        let codes = credential::count_recovery_codes(self.db.pool(), account.id).await.map_err(fault)?;
        Ok(AccountView {
            me: Self::me(actor),
            tokens: tokens.collect(),
            sessions: self.own_sessions(actor).await?,
            has_password: account.password_hash.is_some(),
            second_factor_since: account.totp_since,
            recovery_codes: u32::try_from(codes).unwrap_or(0),
            must_confirm: !self.has_confirmed(actor),
            may_make_tokens: Permission::from_result(actor.may(Action::ManageOwnTokens)),
        })
    }

    /// Makes a token and gives it, this once.
    ///
    /// # Errors
    /// For tokens (only people make tokens), and when a field breaks a rule.
    pub async fn create_token(&self, actor: &Actor, name: &str, scopes: &[Scope], days: u32) -> Result<String> {
        if actor.via != Via::Host {
            self.authorise(actor, Action::ManageOwnTokens, "token").await?;
            self.confirmed(actor)?;
        }
        let name = &checked_name(name)?;
        if scopes.is_empty() {
            return Err(Fault::field("/scopes", "must name at least one scope"));
        }
        if !(1..=365).contains(&days) {
            return Err(Fault::field("/days", format!("must lie between 1 and 365, got {days}")));
        }
        let secret = make_token(self.surroundings.entropy.as_ref() as &dyn Entropy);
        let now = self.now();
        let token = NewToken {
            account: actor.account,
            name,
            hash: Digest::of(&secret),
            prefix: &secret[..9],
            scopes,
            expires_at: now + Duration::days(i64::from(days)),
        };
        let tx = match actor.via {
            Via::Host => self.begin().await?,
            _ => self.begin_as(actor, Action::ManageOwnTokens, None, "token").await?,
        };
        let id = token::insert(&tx, token, now).await.map_err(fault)?;
        let owner = account::find(&tx, actor.account).await.map_err(fault)?.ok_or_else(Fault::unauthenticated)?;
        let told = format!("A token named {name} was made for your account. It holds for {days} days.");
        self.tell_of_change(&tx, &owner, &told, &actor.name).await?;
        let details = serde_json::json!({ "name": name, "scopes": scopes, "days": days, "owner": actor.email });
        self.note(&tx, actor, Note::new("token.create", format!("token/{id}")).details(details)).await?;
        commit(tx).await?;
        Ok(secret)
    }

    /// Ends one of the caller's tokens.
    ///
    /// # Errors
    /// 404 when it is not one of theirs.
    pub async fn revoke_token(&self, actor: &Actor, id: &str) -> Result<()> {
        self.authorise(actor, Action::ManageOwnTokens, "token").await?;
        let id: i64 = id.parse().map_err(|_| Fault::not_found("token"))?;
        let tx = match actor.via {
            Via::Host => self.begin().await?,
            _ => self.begin_as(actor, Action::ManageOwnTokens, None, "token").await?,
        };
        token::revoke(&tx, actor.account, id, self.now()).await.map_err(|_| Fault::not_found("open token"))?;
        self.note(&tx, actor, Note::new("token.revoke", format!("token/{id}"))).await?;
        commit(tx).await
    }
}
