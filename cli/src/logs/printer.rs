//! Lines of one unit as they are, of several with a prefix each.

use std::io::Write;

use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::one_line;
use agentbox_ctl::time::Timestamp;

use crate::ui::{Style, Ui};

/// How lines are marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// The units whose output is merged, in the order that picks their colours; `None` for one unit without prefix.
    pub units: Option<Vec<String>>,
    /// Whether each line begins with its time.
    pub timestamps: bool,
}

/// Writes chunks of output to stdout. The bytes of a unit are never changed; marks go before lines.
pub struct Printer<'a> {
    ui: &'a Ui,
    marks: Marks,
    width: usize,
    /// The unit whose last line has not ended yet.
    open: Option<String>,
}

impl<'a> Printer<'a> {
    /// A printer on the stdout of `ui`.
    pub fn new(ui: &'a Ui, marks: Marks) -> Self {
        let width = marks
            .units
            .iter()
            .flatten()
            .map(|unit| one_line(unit).chars().count())
            .max()
            .unwrap_or(0);
        Self {
            ui,
            marks,
            width,
            open: None,
        }
    }

    /// Prints one chunk of a unit's output.
    ///
    /// # Errors
    /// Stdout that cannot be written.
    pub fn chunk(&mut self, unit: &str, time: Option<Timestamp>, bytes: &[u8]) -> Result<(), Failure> {
        if bytes.is_empty() {
            return Ok(());
        }
        if self.marks.units.is_none() && !self.marks.timestamps {
            return self.ui.data_bytes(bytes);
        }
        let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 64);
        let continues = self.open.as_deref() == Some(unit);
        if self.open.is_some() && !continues {
            text.push(b'\n');
        }
        let mark = self.mark(unit, time);
        for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if index > 0 || !continues {
                text.extend_from_slice(mark.as_bytes());
            }
            // Writing into memory cannot fail.
            let _ = text.write_all(line);
        }
        self.open = (bytes.last() != Some(&b'\n')).then(|| unit.to_owned());
        self.ui.data_bytes(&text)
    }

    fn mark(&mut self, unit: &str, time: Option<Timestamp>) -> String {
        let mut mark = String::new();
        if let Some(units) = &mut self.marks.units {
            let index = units.iter().position(|known| known == unit).unwrap_or_else(|| {
                // A unit that came with a reload, while we follow.
                units.push(unit.to_owned());
                units.len() - 1
            });
            let name = one_line(unit);
            let style: Style = self.ui.stdout_style();
            mark.push_str(&style.indexed(&format!("{name:<width$} | ", width = self.width), index));
        }
        if self.marks.timestamps {
            match time {
                Some(time) => mark.push_str(&time.to_string()),
                None => mark.push('-'),
            }
            mark.push(' ');
        }
        mark
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Look;
    use crate::ui::testing::captured;

    fn merged(units: &[&str], timestamps: bool) -> Marks {
        Marks {
            units: Some(units.iter().map(|&unit| unit.to_owned()).collect()),
            timestamps,
        }
    }

    #[test]
    fn one_unit_is_printed_byte_for_byte() {
        let (ui, stdout, _) = captured(Look::default());
        let mut printer = Printer::new(&ui, Marks::default());
        printer.chunk("web", None, b"a\x1b[1m\n\xff").unwrap();
        printer.chunk("web", None, b"b").unwrap();
        assert_eq!(stdout.bytes(), b"a\x1b[1m\n\xffb");
    }

    #[test]
    fn several_units_get_prefixes_of_one_width() {
        let (ui, stdout, _) = captured(Look::default());
        let mut printer = Printer::new(&ui, merged(&["web", "worker"], false));
        printer.chunk("web", None, b"one\ntwo\n").unwrap();
        printer.chunk("worker", None, b"three\n").unwrap();
        assert_eq!(stdout.text(), "web    | one\nweb    | two\nworker | three\n");
    }

    #[test]
    fn a_line_that_goes_on_is_marked_once_and_ended_before_another_unit_speaks() {
        let (ui, stdout, _) = captured(Look::default());
        let mut printer = Printer::new(&ui, merged(&["a", "b"], false));
        printer.chunk("a", None, b"be").unwrap();
        printer.chunk("a", None, b"gun\nopen").unwrap();
        printer.chunk("b", None, b"other\n").unwrap();
        assert_eq!(stdout.text(), "a | begun\na | open\nb | other\n");
    }

    #[test]
    fn times_stand_before_every_line() {
        let (ui, stdout, _) = captured(Look::default());
        let marks = Marks {
            units: None,
            timestamps: true,
        };
        let mut printer = Printer::new(&ui, marks);
        let time = Timestamp::from_millis(1_700_000_000_123);
        printer.chunk("a", Some(time), b"x\ny\n").unwrap();
        printer.chunk("a", None, b"z\n").unwrap();
        assert_eq!(
            stdout.text(),
            "2023-11-14T22:13:20.123Z x\n2023-11-14T22:13:20.123Z y\n- z\n"
        );
    }
}
