//! Passwords, tokens and set-up codes.

use std::sync::Arc;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use millrace_domain::Digest;
use millrace_domain::clock::Entropy;
use millrace_domain::fault::Fault;
use tokio::sync::Semaphore;

/// A password as a person typed it. It never shows itself.
pub struct Password(String);

impl Password {
    /// Accepts 8 to 128 characters, any of them; refuses what is guessed within a million tries: the lists of leaked passwords
    /// that zxcvbn carries, runs on the keyboard, dates, and the words in `known` (the person's name and address, the product).
    ///
    /// # Errors
    /// With the rule that is broken.
    pub fn new(text: &str, known: &[&str]) -> Result<Self, Fault> {
        let length = text.chars().count();
        if !(8..=128).contains(&length) {
            return Err(Fault::field("/password", format!("must have 8 to 128 characters, got {length}")));
        }
        let words: Vec<&str> =
            known.iter().flat_map(|text| text.split(|c: char| !c.is_alphanumeric())).chain(PRODUCT).collect();
        if zxcvbn::zxcvbn(text, &words).guesses() < GUESSES {
            return Err(Fault::field(
                "/password",
                "is one of the first that anybody would try; choose another, for example four words that have nothing to do with each other",
            ));
        }
        Ok(Self(text.to_owned()))
    }
}

/// A password that takes fewer guesses is refused.
const GUESSES: u64 = 1_000_000;
const PRODUCT: [&str; 3] = ["millrace", "mill", "race"];

/// Hashes off the async threads, at most two at a time: a hash takes 19 MiB and tens of milliseconds.
#[derive(Debug, Clone)]
pub struct Hasher {
    slots: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    entropy: Arc<dyn Entropy>,
}

impl Hasher {
    /// A hasher that takes its salts from `entropy`.
    pub fn new(entropy: Arc<dyn Entropy>) -> Self {
        Self { slots: Arc::new(Semaphore::new(2)), waiting: Arc::new(Semaphore::new(32)), entropy }
    }

    /// Argon2id (19 MiB, 2 passes, 1 lane) in PHC form.
    ///
    /// # Errors
    /// 429 when too many are waiting.
    pub async fn hash(&self, password: Password) -> Result<String, Fault> {
        let mut salt = [0; 16];
        self.entropy.fill(&mut salt);
        self.on_thread(move || {
            Argon2::default()
                .hash_password_with_salt(password.0.as_bytes(), &salt)
                .map(|hash: PasswordHash| hash.to_string())
                .map_err(|_| internal())
        })
        .await?
    }

    /// Whether `typed` has that hash. Without a hash the same work is done, so an unknown address takes as long as a wrong
    /// password.
    ///
    /// # Errors
    /// 429 when too many are waiting.
    pub async fn verify(&self, typed: String, hash: Option<String>) -> Result<bool, Fault> {
        self.on_thread(move || {
            let known = hash.is_some();
            let hash = hash.unwrap_or_else(|| NOBODY.to_owned());
            Argon2::default().verify_password(typed.as_bytes(), hash.as_str()).is_ok() && known
        })
        .await
    }

    /// Hashes a password that was just verified anew, if its hash was made with less work than is usual now.
    ///
    /// # Errors
    /// 429 when too many are waiting.
    pub async fn rehash(&self, typed: &str, hash: &str) -> Result<Option<String>, Fault> {
        if !is_weaker(hash) {
            return Ok(None);
        }
        self.hash(Password(typed.to_owned())).await.map(Some)
    }

    async fn on_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Fault> {
        let busy = || {
            Fault::new(429, "busy", "Too many sign-ins", "too many people sign in just now; try again in a few seconds")
        };
        let _place = self.waiting.try_acquire().map_err(|_| busy())?;
        let _slot = self.slots.acquire().await.map_err(|_| internal())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| internal())
    }
}

/// Hash of a password nobody has, with the default cost.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9iMA$8rCYM1bcvU8ZIJnF0LzBKVrJZzJ9DMgEbHmmD7hQm5w";

/// Whether a hash was made with less memory or fewer passes than the defaults of today.
fn is_weaker(hash: &str) -> bool {
    let usual = argon2::Params::default();
    let given = |name: &str| -> Option<u32> {
        let parameters = hash.split('$').find(|part| part.starts_with("m="))?;
        parameters.split(',').find_map(|pair| pair.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
    };
    given("m").is_none_or(|m| m < usual.m_cost()) || given("t").is_none_or(|t| t < usual.t_cost())
}

fn internal() -> Fault {
    Fault::new(500, "internal", "Internal error", "the password could not be checked; nothing was changed")
}

const ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// `length` unpredictable characters of a 32-letter alphabet without look-alikes: five bits each.
pub fn random_text(entropy: &dyn Entropy, length: usize) -> String {
    let mut bytes = vec![0; length];
    entropy.fill(&mut bytes);
    bytes.iter().map(|byte| char::from(ALPHABET[usize::from(byte & 31)])).collect()
}

/// Makes a token: `mr_`, thirty random characters, and a checksum of six, so that a mistyped or cut token is told apart
/// from a revoked one without asking the database.
pub fn make_token(entropy: &dyn Entropy) -> String {
    let secret = random_text(entropy, 30);
    format!("mr_{secret}{}", checksum(&secret))
}

/// The hash under which a token is stored, if it is shaped like one.
pub fn token_hash(token: &str) -> Option<Digest> {
    let body = token.strip_prefix("mr_")?;
    let shaped = body.len() == 36 && body.is_ascii();
    (shaped && checksum(&body[..30]) == body[30..]).then(|| Digest::of(token))
}

/// CRC-32 in six characters of the token alphabet (its low 30 bits).
fn checksum(secret: &str) -> String {
    let crc = crc32fast::hash(secret.as_bytes());
    (0..6).map(|place| char::from(ALPHABET[(crc >> (5 * place)) as usize & 31])).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use millrace_domain::clock::{Clock, Surroundings};

    #[derive(Debug)]
    struct Counting;

    #[derive(Debug)]
    struct Stopped;

    impl Clock for Stopped {
        fn now(&self) -> chrono::DateTime<chrono::Utc> {
            chrono::DateTime::from_timestamp(1_700_000_000, 0).unwrap()
        }

        fn thread_time(&self) -> std::time::Duration {
            std::time::Duration::ZERO
        }
    }

    /// A stopped clock and bytes that count.
    pub(crate) fn counting() -> Surroundings {
        Surroundings { clock: Arc::new(Stopped), entropy: Arc::new(Counting) }
    }

    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            for (position, byte) in bytes.iter_mut().enumerate() {
                *byte = position as u8 * 7;
            }
        }
    }

    #[test]
    fn a_token_is_known_by_its_shape() {
        let token = make_token(&Counting);
        assert_eq!(token.len(), 39);
        assert_eq!(token_hash(&token), Some(Digest::of(&token)));
    }

    #[test]
    fn a_mistyped_token_is_refused_without_a_query() {
        let token = make_token(&Counting);
        let mistyped = token.replacen('b', "c", 1).replacen('h', "i", 1);
        assert_eq!(token_hash(&mistyped), None);
        assert_eq!(token_hash("mr_short"), None);
        assert_eq!(token_hash(&token[1..]), None);
    }

    #[test]
    fn short_long_and_common_passwords_are_refused() {
        for text in ["short", "Password123", "aaaaaaaaaaaa", "qwertyuiop", "millrace2026", &"x1".repeat(65)] {
            assert!(Password::new(text, &[]).is_err(), "{text}");
        }
        assert!(Password::new("correct horse battery", &[]).is_ok());
    }

    #[test]
    fn the_own_name_and_address_are_no_password() {
        assert!(Password::new("greenfieldrosalind", &[]).is_ok());
        assert!(Password::new("greenfieldrosalind", &["Rosalind Greenfield", "rosalind@example.org"]).is_err());
    }

    #[test]
    fn every_character_counts_and_none_is_asked_for() {
        for text in ["пароль из четырёх слов", "只有中文的一个很长的密码", "🐎🔋📎🍞🌧🧭🪴🛶", "mmmm vvvv wwww oooo"]
        {
            assert!(Password::new(text, &[]).is_ok(), "{text}");
        }
    }

    #[test]
    fn a_hash_of_less_work_is_made_anew() {
        assert!(is_weaker("$argon2id$v=19$m=4096,t=2,p=1$c2FsdHNhbHQ$aGFzaA"));
        assert!(is_weaker("$argon2id$v=19$m=19456,t=1,p=1$c2FsdHNhbHQ$aGFzaA"));
        assert!(!is_weaker(NOBODY));
    }

    #[tokio::test]
    async fn a_hash_verifies_its_password_only() {
        let hasher = Hasher::new(Arc::new(Counting));
        let hash = hasher.hash(Password("correct horse".into())).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(hasher.verify("correct horse".into(), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify("correct hors".into(), Some(hash)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_has_a_password() {
        let hasher = Hasher::new(Arc::new(Counting));
        assert!(!hasher.verify("anything at all".into(), None).await.unwrap());
    }

    #[test]
    fn the_hash_of_nobody_costs_as_much_as_a_real_one() {
        assert!(PasswordHash::new(NOBODY).is_ok());
    }
}
