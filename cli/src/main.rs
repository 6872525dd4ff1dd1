//! The `agentbox` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentbox::main(std::env::args_os())
}
