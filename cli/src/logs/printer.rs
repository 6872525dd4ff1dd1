//! Output of units on stdout, marked by the shared [`Marker`].

use agentbox_ctl::failure::Failure;
use agentbox_ctl::logs::Marker;
use agentbox_ctl::time::Timestamp;

use crate::ui::{Style, Ui};

/// Colours a prefix by the index of its unit.
type Paint = Box<dyn Fn(&str, usize) -> String>;

/// How lines are marked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marks {
    /// The units whose output is merged, in the order that picks their colours; `None` for one unit without prefix.
    pub units: Option<Vec<String>>,
    /// Whether each line begins with its time.
    pub timestamps: bool,
}

/// Writes chunks of output to stdout. The bytes of a unit are never changed.
pub struct Printer<'a> {
    ui: &'a Ui,
    /// `None` where there is nothing to put before lines.
    marker: Option<Marker<Paint>>,
}

impl<'a> Printer<'a> {
    /// A printer on the stdout of `ui`.
    pub fn new(ui: &'a Ui, marks: Marks) -> Self {
        let style: Style = ui.stdout_style();
        let plain = marks.units.is_none() && !marks.timestamps;
        let marker = (!plain).then(|| {
            let paint: Paint = Box::new(move |text, index| style.indexed(text, index));
            Marker::new(marks.units, marks.timestamps, paint)
        });
        Self { ui, marker }
    }

    /// Prints one chunk of a unit's output.
    ///
    /// # Errors
    /// Stdout that cannot be written.
    pub fn chunk(&mut self, unit: &str, time: Option<Timestamp>, bytes: &[u8]) -> Result<(), Failure> {
        match &mut self.marker {
            None => self.ui.data_bytes(bytes),
            Some(marker) => self.ui.data_bytes(&marker.mark(unit, time, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ui::Look;
    use crate::ui::testing::captured;

    #[test]
    fn one_unit_is_printed_byte_for_byte() {
        let (ui, stdout, _) = captured(Look::default());
        let mut printer = Printer::new(&ui, Marks::default());
        printer.chunk("web", None, b"a\x1b[1m\n\xff").unwrap();
        printer.chunk("web", None, b"b").unwrap();
        assert_eq!(stdout.bytes(), b"a\x1b[1m\n\xffb");
    }

    #[test]
    fn prefixes_are_coloured_where_stdout_is() {
        let look = Look {
            stdout_color: true,
            ..Look::default()
        };
        let (ui, stdout, _) = captured(look);
        let marks = Marks {
            units: Some(vec!["a".to_owned(), "b".to_owned()]),
            timestamps: false,
        };
        let mut printer = Printer::new(&ui, marks);
        printer.chunk("a", None, b"one\n").unwrap();
        printer.chunk("b", None, b"two\n").unwrap();
        assert_eq!(
            stdout.text(),
            "\u{1b}[36ma | \u{1b}[0mone\n\u{1b}[33mb | \u{1b}[0mtwo\n"
        );
    }
}
