//! Output of units of a box that does not run, from a copy of its log directory.

use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::protocol::message::LogRange;

use super::Printer;

/// Prints the output of `units` (empty: all) that lies in `directory`.
///
/// # Errors
/// Always, until the reader of log files is merged.
pub fn print(_: &Path, _: &[String], _: &LogRange, _: &mut Printer<'_>) -> Result<(), Failure> {
    Err(Failure::failed("the logs of a box that does not run cannot be read yet").hint("agentbox start"))
}
