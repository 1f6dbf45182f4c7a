//! Secrets that have to be read back (a second factor's seed, a link in a letter that waits) lie sealed in the database: whoever
//! has only the database has nothing.

use std::fmt;
use std::sync::Arc;

use millrace_domain::clock::Surroundings;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

/// The server's key. It never shows itself.
#[derive(Clone)]
pub struct Key(Arc<LessSafeKey>);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key of these bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        let key = UnboundKey::new(&AES_256_GCM, bytes).expect("the key has the algorithm's length");
        Self(Arc::new(LessSafeKey::new(key)))
    }

    /// Seals a secret for one purpose: AES-256-GCM under a fresh nonce, which comes first.
    pub(crate) fn seal(&self, secret: &[u8], purpose: &str, surroundings: &Surroundings) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = surroundings.bytes();
        let mut content = secret.to_vec();
        self.0
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose), &mut content)
            .expect("a secret is shorter than the algorithm's limit of 64 GiB");
        [&nonce[..], &content].concat()
    }

    /// Opens what was sealed for that purpose; none when it was changed, or sealed under another key or for another purpose.
    pub(crate) fn open(&self, sealed: &[u8], purpose: &str) -> Option<Vec<u8>> {
        let (nonce, content) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut content = content.to_vec();
        let opened =
            self.0.open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(purpose), &mut content).ok()?;
        Some(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::tests::counting;

    #[test]
    fn what_was_sealed_opens_for_its_purpose_alone() {
        let key = Key::new(&[7; 32]);
        let sealed = key.seal(b"seed", "totp 1", &counting());
        assert_eq!(key.open(&sealed, "totp 1").as_deref(), Some(&b"seed"[..]));
        assert_eq!(key.open(&sealed, "totp 2"), None);
        assert_eq!(Key::new(&[8; 32]).open(&sealed, "totp 1"), None);
        assert!(!sealed.windows(4).any(|window| window == b"seed"));
    }

    #[test]
    fn a_changed_bit_does_not_open() {
        let key = Key::new(&[7; 32]);
        let mut sealed = key.seal(b"seed", "totp 1", &counting());
        sealed[14] ^= 1;
        assert_eq!(key.open(&sealed, "totp 1"), None);
    }
}
