//! Tokens at the door: a rate for each, and a short memory so that predictions wait for no database.
//!
//! Every call with a token is looked up, but predictions and what is logged to a tracked run: theirs is remembered for a second, so that
//! a revoked token is dead within one, and of predictions for ten minutes while the database is away, since a prediction that could be answered is.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_domain::Digest;
use millrace_domain::fault::Fault;
use millrace_domain::policy::{Actor, Origin};
use millrace_services::Services;

/// How long a token of a prediction is not looked up again.
const FRESH: Duration = Duration::from_millis(900);
/// How long it is trusted while the database does not answer.
const STALE: Duration = Duration::from_secs(600);
/// More tokens than this are not remembered.
const MOST: usize = 10_000;

/// What is known of the tokens that called.
#[derive(Debug)]
pub struct Tokens {
    known: Mutex<HashMap<Digest, Known>>,
    /// Calls a second of one token.
    rate: f64,
}

#[derive(Debug)]
struct Known {
    actor: Option<(Arc<Actor>, Instant)>,
    /// Calls that are left, and when that was.
    left: (f64, Instant),
}

impl Tokens {
    /// Lets each token call `rate` times a second, twice as often in a burst.
    pub fn new(rate: f64) -> Self {
        Self { known: Mutex::default(), rate }
    }

    /// The owner of a token, within its rate.
    ///
    /// # Errors
    /// 401 for a token that is not good, 429 for one that calls too often.
    pub async fn recognise(
        &self,
        services: &Services,
        token: &str,
        origin: Origin,
        path: &str,
    ) -> Result<Actor, Fault> {
        let key = Digest::of(token);
        let now = Instant::now();
        let remembered = self.count(key, now)?;
        let predicts = path.starts_with("/v1/");
        // A metric that is logged within a second after its token was revoked is logged, and that is all.
        let waits_for_none = predicts || path.starts_with("/api/2.0/mlflow/runs/log-");
        if let Some((actor, at)) = remembered.as_ref().filter(|_| waits_for_none)
            && now.duration_since(*at) < FRESH
        {
            return Ok(Actor { origin, ..Actor::clone(actor) });
        }
        match services.recognise_token(token, origin.clone()).await {
            Ok(actor) => {
                if let Some(known) = self.known.lock().unwrap_or_else(PoisonError::into_inner).get_mut(&key) {
                    known.actor = Some((Arc::new(actor.clone()), now));
                }
                // The connection goes back by a task that must not wait behind a model that hangs.
                tokio::task::yield_now().await;
                Ok(actor)
            }
            Err(fault) if fault.status == 503 && predicts => match remembered {
                Some((actor, at)) if now.duration_since(at) < STALE => Ok(Actor { origin, ..Actor::clone(&actor) }),
                _ => Err(fault),
            },
            Err(fault) => {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&key);
                Err(fault)
            }
        }
    }

    /// Takes one call off what is left; gives who the token was last time.
    fn count(&self, key: Digest, now: Instant) -> Result<Option<(Arc<Actor>, Instant)>, Fault> {
        let burst = 2.0 * self.rate;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, known| now.duration_since(known.left.1) < FRESH);
        }
        let entry = known.entry(key).or_insert(Known { actor: None, left: (burst, now) });
        let (left, since) = entry.left;
        let left = (left + self.rate * now.duration_since(since).as_secs_f64()).min(burst);
        if left < 1.0 {
            return Err(Fault::new(
                429,
                "too_many_calls",
                "Too many calls",
                format!("this token may call {} times a second; wait a moment", self.rate),
            ));
        }
        entry.left = (left - 1.0, now);
        Ok(entry.actor.clone())
    }
}
