//! The supervisor: reads the configuration, runs the units, answers requests.

pub mod machine;
