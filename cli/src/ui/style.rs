//! Colour, or none.

use std::ffi::OsStr;

use clap::ValueEnum;

/// What `--color` says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless `NO_COLOR` is set or `TERM` is `dumb`.
    #[default]
    Auto,
    /// Everywhere.
    Always,
    /// Nowhere.
    Never,
}

impl ColorChoice {
    /// Whether a stream gets colour.
    pub fn applies(self, terminal: bool, no_color: bool) -> bool {
        match self {
            Self::Auto => terminal && !no_color,
            Self::Always => true,
            Self::Never => false,
        }
    }
}

/// Whether `TERM` says that the terminal shows text and nothing else: an editor's, or a log.
pub(super) fn is_dumb(term: Option<&OsStr>) -> bool {
    term.is_some_and(|term| term == "dumb")
}

/// Wraps text in colour, where the stream has it.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    color: bool,
}

impl Style {
    /// With colour or without.
    pub fn new(color: bool) -> Self {
        Self { color }
    }

    /// For what failed.
    pub fn red(self, text: &str) -> String {
        self.wrap(text, "1;31")
    }

    /// For what is well.
    pub fn green(self, text: &str) -> String {
        self.wrap(text, "32")
    }

    /// For what needs attention.
    pub fn yellow(self, text: &str) -> String {
        self.wrap(text, "33")
    }

    /// For hints.
    pub fn cyan(self, text: &str) -> String {
        self.wrap(text, "36")
    }

    /// For what matters little.
    pub fn dim(self, text: &str) -> String {
        self.wrap(text, "2")
    }

    /// One of six colours, the same for the same index: tells units apart.
    pub fn indexed(self, text: &str, index: usize) -> String {
        const CODES: [&str; 6] = ["36", "33", "32", "35", "34", "31"];
        self.wrap(text, CODES[index % CODES.len()])
    }

    /// Colours the labels at the beginnings of a failure's lines.
    pub(super) fn labels(self, text: &str) -> String {
        if !self.color {
            return text.to_owned();
        }
        text.split_inclusive('\n')
            .map(|line| {
                if let Some(rest) = line.strip_prefix("error:") {
                    format!("{}{rest}", self.red("error:"))
                } else if let Some(rest) = line.trim_start().strip_prefix("hint:") {
                    let indent = &line[..line.len() - line.trim_start().len()];
                    format!("{indent}{}{rest}", self.cyan("hint:"))
                } else {
                    line.to_owned()
                }
            })
            .collect()
    }

    fn wrap(self, text: &str, code: &str) -> String {
        if self.color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dumb_terminal_is_known_by_its_name() {
        assert!(is_dumb(Some(OsStr::new("dumb"))));
        assert!(!is_dumb(Some(OsStr::new("xterm-256color"))) && !is_dumb(None));
    }

    #[test]
    fn no_color_counts_only_where_nothing_was_asked_for() {
        assert!(ColorChoice::Auto.applies(true, false));
        assert!(!ColorChoice::Auto.applies(true, true));
        assert!(!ColorChoice::Auto.applies(false, false));
        assert!(ColorChoice::Always.applies(false, true));
        assert!(!ColorChoice::Never.applies(true, false));
    }

    #[test]
    fn labels_are_coloured_and_nothing_else() {
        let text = "error: x\n  caused by: y\n  hint: z\n";
        assert_eq!(Style::new(false).labels(text), text);
        assert_eq!(
            Style::new(true).labels(text),
            "\u{1b}[1;31merror:\u{1b}[0m x\n  caused by: y\n  \u{1b}[36mhint:\u{1b}[0m z\n"
        );
    }
}
