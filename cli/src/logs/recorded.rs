//! Output of units of a box that does not run, from a copy of its log directory.

use std::path::Path;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::logs::reader::LogReader;
use agentbox_ctl::protocol::message::LogRange;

use super::Printer;

/// Prints the output of `units` that lies in `directory`; there is nothing to follow.
///
/// # Errors
/// A directory that cannot be read, stdout that cannot be written.
pub fn print(
    directory: &Path,
    units: &[String],
    range: &LogRange,
    printer: &mut Printer<'_>,
) -> Result<(), Failure> {
    let cannot = |error: std::io::Error| Failure::failed("cannot read the logs").because(&error);
    let range = LogRange {
        follow: false,
        ..range.clone()
    };
    let mut reader = LogReader::open(directory, units, &range).map_err(cannot)?;
    while let Some((chunk, bytes)) = reader.next().map_err(cannot)? {
        printer.chunk(&chunk.unit, chunk.time, &bytes)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::Marks;
    use crate::ui::Look;
    use crate::ui::testing::captured;

    #[test]
    fn what_lies_there_is_printed_even_where_following_was_asked_for() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("web.log"), "one\ntwo\nthree").unwrap();
        let (ui, stdout, _) = captured(Look::default());
        let range = LogRange {
            tail: Some(2),
            follow: true,
            ..LogRange::default()
        };
        let mut printer = Printer::new(&ui, Marks::default());
        print(
            directory.path(),
            &["web".to_owned(), "none".to_owned()],
            &range,
            &mut printer,
        )
        .unwrap();
        assert_eq!(stdout.text(), "two\nthree");
    }
}
