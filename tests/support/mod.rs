//! What the integration tests share: wires, a link between two of them, frames, vectors, sessions.
//!
//! Nothing here sleeps, opens a port or depends on another test.

pub(crate) mod counting;
pub(crate) mod damage;
pub(crate) mod documents;
pub(crate) mod drive;
pub(crate) mod exchange;
pub(crate) mod exchanges;
pub(crate) mod frames;
pub(crate) mod link;
pub(crate) mod lockstep;
pub(crate) mod model;
pub(crate) mod random;
pub(crate) mod sessions;
#[cfg(not(fuzzing))]
pub(crate) mod strategies;
pub(crate) mod swarm;
pub(crate) mod trace_check;
pub(crate) mod transfer;
pub(crate) mod trees;
pub(crate) mod vectors;
