//! Diagnostics as a person reads them: the place, the line with carets beneath, the hint.

use std::fmt::Write;

use super::diagnostic::Diagnostic;
use super::lines::Lines;
use super::text;

/// Most characters of a source line that are shown; of a longer one, those around the place.
const WINDOW: usize = 100;
/// Characters kept before the place when a line is cut.
const BEFORE: usize = 40;

/// Every diagnostic in the form
///
/// ```text
/// error: agentbox.yaml:7:13: unknown unit "instal" in needs of service "web"
///   7 |     needs: [instal]
///     |             ^^^^^^
///   hint: did you mean "install"?
/// ```
///
/// Characters of the source that a terminal would obey, or not show, come out as `�`, and long lines are cut.
pub fn render(file_name: &str, source: &str, diagnostics: &[Diagnostic]) -> String {
    if diagnostics.is_empty() {
        return String::new();
    }
    let lines = Lines::new(source);
    let file_name = safe(file_name);
    let mut output = String::new();
    for diagnostic in diagnostics {
        render_one(&mut output, &file_name, &lines, diagnostic);
    }
    output
}

fn render_one(output: &mut String, file_name: &str, lines: &Lines<'_>, diagnostic: &Diagnostic) {
    let Diagnostic {
        line,
        column,
        message,
        hint,
        ..
    } = diagnostic;
    let excerpt = Excerpt::new(lines.get(*line), *column, diagnostic.length);
    let number = line.to_string();
    let margin = " ".repeat(number.len());
    // Writing to a string cannot fail.
    let _ = writeln!(output, "error: {file_name}:{line}:{column}: {}", safe(message));
    let _ = writeln!(output, "{}", format!("  {number} | {}", excerpt.text).trim_end());
    let _ = writeln!(
        output,
        "  {margin} | {}{}",
        " ".repeat(excerpt.indent),
        "^".repeat(excerpt.carets)
    );
    if let Some(hint) = hint {
        let _ = writeln!(output, "  hint: {}", safe(hint));
    }
}

/// The part of a line that is shown, and where the carets go, in terminal columns.
struct Excerpt {
    text: String,
    indent: usize,
    carets: usize,
}

impl Excerpt {
    fn new(line: &str, column: usize, length: usize) -> Self {
        let before = column.saturating_sub(1);
        let is_long = line.chars().nth(WINDOW).is_some();
        let start = if is_long && before + length.min(BEFORE) > WINDOW {
            before.saturating_sub(BEFORE)
        } else {
            0
        };
        let mut text = String::new();
        let (mut indent, mut carets) = (0, 0);
        if start > 0 {
            text.push('…');
            indent += 1;
        }
        let mut shown = line.chars().skip(start);
        for index in (start..start + WINDOW).zip(shown.by_ref()) {
            let (index, character) = (index.0, visible(index.1));
            text.push(character);
            let width = text::width(character);
            if index < before {
                indent += width;
            } else if index < before.saturating_add(length) {
                carets += width;
            }
        }
        if shown.next().is_some() {
            text.push('…');
        }
        Self {
            text,
            indent,
            carets: carets.max(1),
        }
    }
}

/// A character as it is shown. A tab takes one column, so that carets stay beneath what they mean.
fn visible(character: char) -> char {
    match character {
        '\t' => ' ',
        unsafe_one if text::is_unsafe(unsafe_one) => '\u{fffd}',
        safe => safe,
    }
}

fn safe(text: &str) -> String {
    text.chars().map(visible).collect()
}
