//! The `agentbox` binary.
fn main() {}
