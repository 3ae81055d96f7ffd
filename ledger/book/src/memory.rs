//! The store of the simulation.
