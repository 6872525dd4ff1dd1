//! What is to be done, decided without an engine: from settings and what was observed to container specifications
//! and lists of things to remove.

pub mod container;
pub mod create;
pub mod limit;
pub mod prune;
