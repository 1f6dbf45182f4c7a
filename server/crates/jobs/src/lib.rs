//! The steps of the pipeline, and the work that goes on beside them ([`Post`]): one file each, thin. A step loads what the steps
//! before it left, lets `millrace-ml` compute, and says what is to be committed. The numbers are `ml`'s, the fences are the
//! executor's.
//!
//! Every step first takes the digest of all its inputs. When a step of the same kind, code and digest is done already, its
//! output is taken over and only committed again ([`stage::Stage`]), so asking for the same again costs nothing. A *reproduction*
//! takes nothing over: it computes everything once more and compares ([`compare`]).

mod apart;
mod business;
mod compare;
mod evaluate;
mod examples;
mod explain;
mod external;
mod features;
mod gate;
mod ingest;
mod kept;
mod lifecycle;
mod load;
mod outbox;
mod parity;
mod picture;
mod post;
mod progress;
mod pulse;
mod register;
pub mod rehearsal;
mod rehearse;
mod rollouts;
mod sources;
mod stage;
mod tidy;
mod train;
mod trial;
mod tune;
mod validate;
mod watch;
mod webhooks;

use std::path::Path;
use std::sync::Arc;

use millrace_executor::Handler;
use millrace_services::ExternalTrainers;

use external::Runner;

pub use business::BusinessReader;
pub use gate::weigh;
pub use lifecycle::Subjects;
pub use parity::ParityAuditor;
pub use post::{Post, PostSettings, PostSettingsError};
pub use pulse::look_at_hearts;
pub use rollouts::{check_artifacts, conduct_rollouts};
pub use sources::Sources;
pub use tidy::tidy;
pub use watch::Watch;
pub use webhooks::{WebhookError, WebhookSender};

/// One handler for each kind of step; those that train know the external trainers, and trials and gates this program, whose command `weigh`
/// is [`weigh`].
pub fn handlers(trainers: &ExternalTrainers, program: Arc<Path>) -> Vec<Arc<dyn Handler>> {
    // Where there is no such directory nothing was left in it.
    let _ = external::sweep(&trainers.scratch);
    let runner = Arc::new(Runner { trainers: trainers.clone(), program: Arc::clone(&program) });
    vec![
        Arc::new(stage::Staged(ingest::Ingest)),
        Arc::new(stage::Staged(validate::Validate)),
        Arc::new(stage::Staged(features::Features)),
        Arc::new(stage::Staged(trial::Trials::new(Arc::clone(&runner)))),
        Arc::new(stage::Staged(tune::Tune)),
        Arc::new(stage::Staged(train::Train::new(runner))),
        Arc::new(stage::Staged(evaluate::Evaluate)),
        Arc::new(stage::Staged(gate::Gates::new(program))),
        Arc::new(stage::Staged(register::Register)),
        Arc::new(stage::Staged(compare::Compare)),
        Arc::new(stage::Staged(rehearse::Rehearse)),
    ]
}
