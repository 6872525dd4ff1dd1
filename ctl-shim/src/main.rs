//! The `agentbox-ctl` binary.

use std::process::ExitCode;

fn main() -> ExitCode {
    agentbox_ctl::command::main(std::env::args_os())
}
