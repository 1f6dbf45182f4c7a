//! Drawing trials from a space.

use millrace_domain::trainer::{
    Axis, Branch, Condition, Ruler, Sampler, Space, Trainer, TrainerConfig, choice_at, is_met,
};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::tpe;

/// Where a configuration lies in a space.
#[derive(Debug, Clone, PartialEq)]
pub struct Place {
    /// Which branch; none of a trainer that the space does not have.
    pub(super) branch: Option<usize>,
    /// The share of each axis of the branch; none where its value is not on the axis, or was not drawn.
    pub(super) shares: Vec<Option<f64>>,
}

impl Place {
    /// Where that configuration lies.
    pub fn of(space: &Space, config: &TrainerConfig) -> Self {
        Map::of(space).place(config)
    }
}

/// A space in which many configurations are found.
pub struct Map<'a> {
    /// Of each branch its trainer, and what measures its axes.
    branches: Vec<(Trainer, Vec<Measured<'a>>)>,
}

/// An axis of a branch.
struct Measured<'a> {
    name: &'a String,
    /// Where it stands among the trainer's settings.
    position: usize,
    ruler: Ruler<'a>,
    /// Where it is drawn.
    when: Condition,
}

impl<'a> Map<'a> {
    /// The map of that space.
    pub fn of(space: &'a Space) -> Self {
        let measured = |branch: &'a Branch| {
            let settings = branch.base().settings();
            let axis = |(name, axis): (&'a String, &'a Axis)| {
                let position = settings.keys().take_while(|other| *other < name).count();
                Measured { name, position, ruler: axis.values.ruler(), when: branch.condition(name) }
            };
            (branch.base().trainer(), branch.axes().iter().map(axis).collect())
        };
        Self { branches: space.branches().iter().map(measured).collect() }
    }

    /// Where that configuration lies.
    pub fn place(&self, config: &TrainerConfig) -> Place {
        let branch = self.branches.iter().position(|(trainer, _)| *trainer == config.trainer());
        let axes = branch.map_or(&[][..], |branch| &self.branches[branch].1);
        let mut settings = config.settings().iter().enumerate();
        let share = |axis: &Measured<'_>| {
            // Of one trainer all have the same settings, in the order of their names as the axes are.
            let there = settings.find(|(position, _)| *position == axis.position);
            let value = match there {
                Some((_, (name, value))) if name == axis.name => value,
                _ => config.settings().get(axis.name)?,
            };
            if is_met(&axis.when, config.settings()) { axis.ruler.share_of(value) } else { None }
        };
        Place { branch, shares: axes.iter().map(share).collect() }
    }
}

/// A trial that has ended.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tried<'a> {
    /// What was drawn.
    pub place: &'a Place,
    /// What it cost: the less the better; none when it failed, which is worse than anything.
    pub cost: Option<f64>,
}

/// The configuration of trial `number` (from 0): a function of the seed, the number, and for [`Sampler::Tpe`] the trials before.
///
/// [`Sampler::Sobol`] gives the points of a Sobol sequence (Joe and Kuo 2008) with Owen's scrambling as hashed by Burley (2020): the first
/// dimension chooses the trainer, the others its hyperparameters in the order of their names.
pub fn draw(space: &Space, sampler: Sampler, seed: u64, number: u64, tried: &[Tried<'_>]) -> TrainerConfig {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    generator.set_stream(number);
    match sampler {
        Sampler::Random => at_random(space, &mut generator),
        Sampler::Tpe => tpe::propose(space, &mut generator, tried),
        Sampler::Sobol => evenly(space, seed, number),
    }
}

/// A configuration at random: every trainer is as likely as the others.
pub(super) fn at_random(space: &Space, generator: &mut ChaCha8Rng) -> TrainerConfig {
    let branch = match space.branches() {
        [branch] => branch,
        branches => &branches[choice_at(generator.random(), branches.len())],
    };
    branch.with_drawn(|axis| axis.values.at(generator.random()))
}

/// The point of that number of a sequence that fills the space evenly.
fn evenly(space: &Space, seed: u64, number: u64) -> TrainerConfig {
    // Both halves of the seed matter; a search has far fewer trials than the sequence points.
    let seed = (seed ^ (seed >> 32)) as u32;
    let point = |dimension: u32| f64::from(sobol_burley::sample(number as u32, dimension, seed));
    let branches = space.branches();
    let branch = &branches[choice_at(point(0), branches.len())];
    let mut dimension = 0;
    branch.with_drawn(|axis| {
        dimension += 1;
        axis.values.at(point(dimension))
    })
}
