//! Writing HTML.

use agentbox_ctl::report::one_line;

const STYLE: &str = include_str!("style.css");
/// Longest text from a box in one place, in characters: an error with the lines that it quotes.
const LONGEST: usize = 2000;

/// A page in the making.
#[derive(Debug)]
pub(super) struct Html(String);

impl Html {
    /// Begins a page that is loaded again after so many seconds.
    pub(super) fn begin(title: &str, reload: Option<u8>) -> Self {
        let mut html = Self(String::from(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <meta name=\"color-scheme\" content=\"light dark\">\n",
        ));
        if let Some(seconds) = reload {
            html.raw(&format!("<meta http-equiv=\"refresh\" content=\"{seconds}\">\n"));
        }
        html.raw("<title>")
            .text(title)
            .raw("</title>\n<style>\n")
            .raw(STYLE)
            .raw("</style>\n<main>\n");
        html
    }

    /// Markup of ours.
    pub(super) fn raw(&mut self, markup: &str) -> &mut Self {
        self.0.push_str(markup);
        self
    }

    /// Text from anywhere, on one line.
    pub(super) fn text(&mut self, text: &str) -> &mut Self {
        self.escape(&one_line(text))
    }

    /// Text from anywhere whose lines stay, already without controls.
    pub(super) fn escape(&mut self, text: &str) -> &mut Self {
        for (number, character) in text.chars().enumerate() {
            if number == LONGEST {
                self.0.push('…');
                break;
            }
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                other => self.0.push(other),
            }
        }
        self
    }

    /// Text in which parts between backquotes are code.
    pub(super) fn prose(&mut self, text: &str) -> &mut Self {
        for (number, part) in text.split('`').enumerate() {
            if number % 2 == 1 {
                self.raw("<code>").text(part).raw("</code>");
            } else {
                // Not by `text`, which would take away the blanks at the ends.
                self.escape(&one_line(part));
            }
        }
        self
    }

    /// A state with its colour. States are words of ours.
    pub(super) fn state(&mut self, state: &str) -> &mut Self {
        self.raw(&format!("<span class=\"state {state}\">{state}</span>"))
    }

    /// The whole page.
    pub(super) fn end(mut self) -> String {
        self.raw("</main>\n</html>\n");
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_text_is_markup() {
        let mut html = Html(String::new());
        html.text("<script>\u{1b}[31m\"&'\n</script>\u{202e}");
        assert_eq!(html.0, "&lt;script&gt;&quot;&amp;&#39; &lt;/script&gt;");
        let mut html = Html(String::new());
        html.prose("service `we<b` is `open");
        assert_eq!(html.0, "service <code>we&lt;b</code> is <code>open</code>");
        let mut html = Html(String::new());
        html.text(&"<".repeat(5000));
        assert_eq!(html.0.matches("&lt;").count(), LONGEST);
    }
}
