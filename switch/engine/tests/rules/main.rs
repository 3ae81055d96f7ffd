//! Single rules of the engine, each played as a short script at a till: what is asked, what the network
//! says, what time does, and what must have left by then. Whole histories are played in
//! `tests/simulation`; here a rule that breaks says which one it was.

mod amounts;
mod cards;
mod claims;
mod completions;
mod deadlines;
mod disowned;
mod expect;
mod late_approvals;
mod managing;
mod matched;
mod order;
mod proofs;
mod repeats;
mod rerouting;
mod revived;
mod tables;
mod talk;
mod till;
mod transfers;
mod unmatched;
