//! Drawing trials from a space.

use millrace_domain::trainer::{Branch, Sampler, Setting, Settings, Space, TrainerConfig, choice_at};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tpe;

/// A trial that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Tried {
    /// What was drawn, and what was fixed.
    pub config: TrainerConfig,
    /// What it cost: the less the better; none when it failed, which is worse than anything.
    pub cost: Option<f64>,
}

impl Tried {
    /// The value of a hyperparameter, if its trainer is that one's.
    pub(super) fn setting(&self, of: &TrainerConfig, name: &str) -> Option<&Setting> {
        if self.config.trainer() == of.trainer() { self.config.settings().get(name) } else { None }
    }
}

/// The configuration of trial `number` (from 0): a function of the seed, the number, and for [`Sampler::Tpe`] the trials before.
pub fn draw(space: &Space, sampler: Sampler, seed: u64, number: u64, tried: &[Tried]) -> TrainerConfig {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(number);
    match sampler {
        Sampler::Random => at_random(space, &mut generator),
        Sampler::Tpe => tpe::propose(space, &mut generator, tried),
    }
}

/// A configuration at random: every trainer is as likely as the others.
pub(super) fn at_random(space: &Space, generator: &mut ChaCha8Rng) -> TrainerConfig {
    let branch = match space.branches() {
        [branch] => branch,
        branches => &branches[choice_at(generator.random(), branches.len())],
    };
    with_drawn(branch, |axis| axis.at(generator.random()))
}

/// A branch's trainer with what is drawn.
fn with_drawn(branch: &Branch, mut value: impl FnMut(&millrace_domain::trainer::Axis) -> Setting) -> TrainerConfig {
    let drawn: Settings = branch.axes().iter().map(|(name, axis)| (name.clone(), value(axis))).collect();
    branch.base().with(&drawn)
}
