//! Histories of the whole switch, and proofs that their judges can object.

mod histories;
mod mutations;
