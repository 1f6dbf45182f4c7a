//! A second factor: time-based codes (RFC 6238: SHA-1, six digits, thirty seconds, one step of tolerance), each taken once, and
//! ten recovery codes for the day the telephone is gone.

use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use millrace_domain::ids::AccountId;
use millrace_domain::policy::{Actor, Origin};
use millrace_domain::view::SecondFactorSetUp;
use millrace_storage::account::{self, Account};
use millrace_storage::credential;
use totp_rs::{Builder, Secret, Totp};

use crate::access::Note;
use crate::credentials::random_text;
use crate::sign_in::{SignedIn, Subjects};
use crate::{Result, Services, commit, fault};

const RECOVERY_CODES: usize = 10;
/// Wrong codes of an account within fifteen minutes after which it must wait: a million codes, one in three right at a time.
const CODE_LIMIT: i64 = 10;

impl Services {
    /// Begins to set a second factor up: draws a new secret. It is asked for once a code of it was shown.
    ///
    /// # Errors
    /// 403 for who has not confirmed; 409 when there is one already.
    pub async fn begin_second_factor(&self, actor: &Actor) -> Result<()> {
        self.confirmed(actor)?;
        let (tx, account) = self.begin_own(actor).await?;
        if account.totp_since.is_some() {
            return Err(Fault::conflict(
                "second_factor_on",
                "you have a second factor; take it away to set up another",
            ));
        }
        let secret: [u8; 20] = self.surroundings.bytes();
        let sealed = self.settings.key.seal(&secret, &purpose(account.id), &self.surroundings);
        credential::set_totp(&tx, account.id, Some(sealed)).await.map_err(fault)?;
        commit(tx).await
    }

    /// The secret that is being set up, for a telephone to read. It is not shown any more once the second factor is on.
    ///
    /// # Errors
    /// 403 for who has not confirmed; 409 when none is being set up.
    pub async fn second_factor_drawn(&self, actor: &Actor) -> Result<SecondFactorSetUp> {
        self.people_only(actor)?;
        self.confirmed(actor)?;
        let account = self.own_account(actor).await?;
        let sealed = account
            .totp_sealed
            .as_ref()
            .filter(|_| account.totp_since.is_none())
            .ok_or_else(|| Fault::conflict("nothing_to_set_up", "no second factor is being set up; begin anew"))?;
        let secret = self
            .settings
            .key
            .open(sealed, &purpose(account.id))
            .ok_or_else(|| Fault::conflict("nothing_to_set_up", "the server's key has changed; begin anew"))?;
        let url = generator(&secret, &account.email)?.to_url().map_err(unmade)?;
        Ok(SecondFactorSetUp { picture: picture(&url)?, secret: Secret::from(secret).to_base32(), url })
    }

    /// Takes the first code of a new second factor: from now on it is asked for. Gives the recovery codes, this once.
    ///
    /// # Errors
    /// 400 when the code is wrong.
    pub async fn finish_second_factor(&self, actor: &Actor, code: &str) -> Result<Vec<String>> {
        self.confirmed(actor)?;
        let (tx, account) = self.begin_own(actor).await?;
        if account.totp_since.is_some() {
            return Err(Fault::conflict("second_factor_on", "you have a second factor already"));
        }
        let step = self.step_of(&account, code)?.ok_or_else(|| {
            Fault::field("/code", "is not what the application shows now; is the telephone's clock right?")
        })?;
        let codes: Vec<String> = (0..RECOVERY_CODES).map(|_| self.recovery_code()).collect();
        let hashes: Vec<Digest> = codes.iter().map(Digest::of).collect();
        credential::take_totp_step(&tx, account.id, step, self.now()).await.map_err(fault)?;
        credential::set_recovery_codes(&tx, account.id, &hashes).await.map_err(fault)?;
        self.tell_of_change(&tx, &account, "A second factor was set up for your account.", &actor.name).await?;
        self.note(&tx, actor, Note::new("account.second_factor", object(account.id))).await?;
        commit(tx).await?;
        Ok(codes)
    }

    /// Takes the second factor away.
    ///
    /// # Errors
    /// 403 for who has not confirmed.
    pub async fn remove_second_factor(&self, actor: &Actor) -> Result<()> {
        self.confirmed(actor)?;
        let (tx, account) = self.begin_own(actor).await?;
        credential::set_totp(&tx, account.id, None).await.map_err(fault)?;
        credential::set_recovery_codes(&tx, account.id, &[]).await.map_err(fault)?;
        self.tell_of_change(&tx, &account, "The second factor of your account was taken away.", &actor.name).await?;
        self.note(&tx, actor, Note::new("account.second_factor_removed", object(account.id))).await?;
        commit(tx).await
    }

    /// Takes the second factor of somebody who has shown the password: a code of the telephone, or a recovery code.
    ///
    /// # Errors
    /// 401 when it is wrong or was used, 429 after too many wrong ones.
    pub async fn show_second_factor(&self, account: AccountId, code: &str, origin: &Origin) -> Result<SignedIn> {
        let found = account::find(self.db.pool(), account).await.map_err(fault)?;
        let account = found.filter(|account| account.disabled_at.is_none()).ok_or_else(Fault::unauthenticated)?;
        self.take_code(&account, code, origin).await?;
        self.note_sign_in(&account, origin, "password and second factor").await?;
        Ok(SignedIn::now(&account))
    }

    pub(crate) async fn take_code(&self, account: &Account, code: &str, origin: &Origin) -> Result<()> {
        let subjects = Subjects::of_address("code", origin, CODE_LIMIT).and(Subjects::of_account(
            "code",
            &account.email,
            CODE_LIMIT,
        ));
        let code: String = code.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect();
        let code = code.to_lowercase();
        let wrong = Fault::new(
            401,
            "wrong_code",
            "Not signed in",
            "the code is wrong or was used already; wait for the next one",
        );
        self.attempt(&subjects, origin, Some(account), wrong, async {
            if self.use_recovery_code(account, &code).await? {
                return Ok(Some(()));
            }
            let Some(step) = self.step_of(account, &code)? else { return Ok(None) };
            // A step is taken once: a code that was watched over a shoulder is worth nothing afterwards.
            Ok(credential::take_totp_step(self.db.pool(), account.id, step, self.now()).await.ok())
        })
        .await
    }

    async fn use_recovery_code(&self, account: &Account, code: &str) -> Result<bool> {
        let tx = self.begin().await?;
        let used =
            credential::use_recovery_code(&tx, account.id, &Digest::of(code), self.now()).await.map_err(fault)?;
        if used {
            let left = credential::count_recovery_codes(&tx, account.id).await.map_err(fault)?;
            let told = format!("A recovery code of your account was used; {left} are left.");
            self.tell_of_change(&tx, account, &told, &account.name).await?;
            commit(tx).await?;
        }
        Ok(used)
    }

    /// The time step that the code is of, within one step of now.
    fn step_of(&self, account: &Account, code: &str) -> Result<Option<i64>> {
        let Some(sealed) = &account.totp_sealed else { return Ok(None) };
        let secret = self.settings.key.open(sealed, &purpose(account.id)).ok_or_else(|| {
            tracing::error!(account = %account.id, "a second factor was sealed under another key");
            Fault::new(
                500,
                "key_changed",
                "Internal error",
                "the server's key is not the one your second factor was set up under; use a recovery code and tell an admin",
            )
        })?;
        let seconds = u64::try_from(self.now().timestamp()).unwrap_or(0);
        let step = generator(&secret, &account.email)?.check(code, seconds);
        Ok(step.and_then(|step| i64::try_from(step).ok()))
    }

    fn recovery_code(&self) -> String {
        random_text(self.surroundings.entropy.as_ref() as &dyn Entropy, 16)
    }

    /// What an account rests on is changed by its person, never by a token.
    pub(crate) fn people_only(&self, actor: &Actor) -> Result<()> {
        match actor.via {
            millrace_domain::policy::Via::Token(_) => {
                Err(Fault::forbidden("not_allowed", "a token may not change an account; sign in and do it yourself"))
            }
            _ => Ok(()),
        }
    }
}

fn purpose(account: AccountId) -> String {
    format!("totp {account}")
}

fn object(account: AccountId) -> String {
    format!("account/{account}")
}

fn generator(secret: &[u8], email: &str) -> Result<Totp> {
    Builder::new()
        .with_secret(secret.to_vec())
        .with_skew(1)
        .with_issuer(Some("Millrace"))
        .with_account_name(email.replace(':', " "))
        .build()
        .map_err(unmade)
}

fn unmade(error: totp_rs::TotpError) -> Fault {
    tracing::error!(%error, "a second factor could not be made");
    Fault::new(500, "internal", "Internal error", "the second factor could not be made; nothing was changed")
}

/// The address as a square of modules, one path of a drawing.
fn picture(url: &str) -> Result<String> {
    use std::fmt::Write;
    let code = qrcodegen::QrCode::encode_text(url, qrcodegen::QrCodeEcc::Medium).map_err(|_| {
        Fault::new(500, "internal", "Internal error", "the picture could not be drawn; type the secret in")
    })?;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            write!(path, "M{x},{y}h1v1h-1z").expect("writing to a string does not fail");
        }
    }
    Ok(format!("{} {path}", code.size()))
}
