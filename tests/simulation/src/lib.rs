//! The whole switch, simulated: the real engine, book, dialects and codecs under a seeded scheduler.
#![forbid(unsafe_code)]

mod bank;
mod cards;
mod clock;
mod counters;
mod dice;
mod faults;
mod judge;
mod network;
mod node;
mod queue;
mod setup;
mod terminal;
mod trace;
mod wire;
mod world;

pub use counters::{Count, Counters};
pub use world::{Mutation, Objection};

/// How a history is played.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// A promise to break on purpose.
    pub mutation: Mutation,
    /// Do not watch messages as they leave: the judges at the end stand alone.
    pub blind: bool,
    /// Keep the story in words.
    pub story: bool,
}

/// What came of a history.
#[derive(Debug)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The same for every run of the seed.
    pub hash: u64,
    /// Messages and commits in it.
    pub events: u64,
    /// What was counted.
    pub counters: Counters,
    /// What is wrong.
    pub objections: Vec<Objection>,
    /// Where wanted: the story of the first objection.
    pub story: Vec<String>,
}

/// Plays the history of a seed, and judges it.
pub fn play(seed: u64, options: Options) -> Outcome {
    let mut world = world::World::new(seed, options.mutation, options.blind, options.story);
    world.play();
    world.judge();
    let everything = std::env::var_os("SWITCHYARD_STORY").is_some();
    let about = world.objections.first().filter(|_| !everything).map(|first| first.about.clone()).unwrap_or_default();
    Outcome {
        seed,
        hash: world.trace.hash(),
        events: world.trace.events(),
        story: world.trace.story(&about, if everything { usize::MAX / 4 } else { 60 }),
        counters: world.counters,
        objections: world.objections,
    }
}

/// Plays a seed again and tells what is wrong with it: each objection, and the story of the first.
pub fn report(seed: u64, options: Options) -> String {
    let outcome = play(seed, Options { story: true, ..options });
    let mut words = format!("seed {seed}, hash {:016x}, {} objections\n", outcome.hash, outcome.objections.len());
    for objection in outcome.objections.iter().take(12) {
        words.push_str(&format!("  {} {:?}\n", objection.what, objection.about));
    }
    for line in &outcome.story {
        words.push_str(&format!("    {line}\n"));
    }
    words
}
