//! Reading and validating `agentbox.yaml`.

pub mod model;
