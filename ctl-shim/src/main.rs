//! The `agentbox-ctl` binary.
fn main() {}
