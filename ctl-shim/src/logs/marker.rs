//! Lines of one unit as they are, of several with a prefix each.

use crate::report::one_line;
use crate::time::Timestamp;

/// Puts units and times before lines. The bytes of a unit are never changed.
#[derive(Debug)]
pub struct Marker<P> {
    /// Units whose output is merged, in the order that picks their colours; `None` for one without prefix.
    units: Option<Vec<String>>,
    timestamps: bool,
    paint: P,
    width: usize,
    /// The unit whose last line has not ended yet.
    open: Option<String>,
}

impl<P: Fn(&str, usize) -> String> Marker<P> {
    /// A marker for the merged output of `units`, or for one unit without prefix. `paint` colours a prefix by the
    /// index of its unit.
    pub fn new(units: Option<Vec<String>>, timestamps: bool, paint: P) -> Self {
        let width = units
            .iter()
            .flatten()
            .map(|unit| one_line(unit).chars().count())
            .max()
            .unwrap_or(0);
        Self {
            units,
            timestamps,
            paint,
            width,
            open: None,
        }
    }

    /// The bytes to print for one chunk of a unit's output.
    pub fn mark(&mut self, unit: &str, time: Option<Timestamp>, bytes: &[u8]) -> Vec<u8> {
        if bytes.is_empty() || (self.units.is_none() && !self.timestamps) {
            return bytes.to_owned();
        }
        let mut text = Vec::with_capacity(bytes.len() + bytes.len() / 8 + 64);
        let continues = self.open.as_deref() == Some(unit);
        if self.open.is_some() && !continues {
            text.push(b'\n');
        }
        let mark = self.prefix(unit, time);
        for (index, line) in bytes.split_inclusive(|&byte| byte == b'\n').enumerate() {
            if index > 0 || !continues {
                text.extend_from_slice(mark.as_bytes());
            }
            text.extend_from_slice(line);
        }
        self.open = (bytes.last() != Some(&b'\n')).then(|| unit.to_owned());
        text
    }

    fn prefix(&mut self, unit: &str, time: Option<Timestamp>) -> String {
        let mut mark = String::new();
        if let Some(units) = &mut self.units {
            let index = units.iter().position(|known| known == unit).unwrap_or_else(|| {
                // A unit that came with a reload, while we follow.
                units.push(unit.to_owned());
                units.len() - 1
            });
            mark.push_str(&(self.paint)(
                &format!("{:<width$} | ", one_line(unit), width = self.width),
                index,
            ));
        }
        if self.timestamps {
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

    fn merged(units: &[&str], timestamps: bool) -> Marker<impl Fn(&str, usize) -> String> {
        let units = units.iter().map(|&unit| unit.to_owned()).collect();
        Marker::new(Some(units), timestamps, |text, _| text.to_owned())
    }

    #[test]
    fn one_unit_is_printed_byte_for_byte() {
        let mut marker = Marker::new(None, false, |text: &str, _| text.to_owned());
        assert_eq!(marker.mark("web", None, b"a\x1b[1m\n\xff"), b"a\x1b[1m\n\xff");
    }

    #[test]
    fn several_units_get_prefixes_of_one_width() {
        let mut marker = merged(&["web", "worker"], false);
        assert_eq!(
            marker.mark("web", None, b"one\ntwo\n"),
            b"web    | one\nweb    | two\n"
        );
        assert_eq!(marker.mark("worker", None, b"three\n"), b"worker | three\n");
    }

    #[test]
    fn a_line_that_goes_on_is_marked_once_and_ended_before_another_unit_speaks() {
        let mut marker = merged(&["a", "b"], false);
        assert_eq!(marker.mark("a", None, b"be"), b"a | be");
        assert_eq!(marker.mark("a", None, b"gun\nopen"), b"gun\na | open");
        assert_eq!(marker.mark("b", None, b"other\n"), b"\nb | other\n");
    }

    #[test]
    fn times_stand_before_every_line() {
        let mut marker = Marker::new(None, true, |text: &str, _| text.to_owned());
        let time = Timestamp::from_millis(1_700_000_000_123);
        let text = marker.mark("a", Some(time), b"x\ny\n");
        assert_eq!(text, b"2023-11-14T22:13:20.123Z x\n2023-11-14T22:13:20.123Z y\n");
        assert_eq!(marker.mark("a", None, b"z\n"), b"- z\n");
    }
}
