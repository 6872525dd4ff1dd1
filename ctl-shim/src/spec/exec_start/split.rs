//! Taking a command line apart.

/// Whether words end here.
fn is_blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// A command line that is being split.
pub(super) struct Splitter {
    characters: Vec<char>,
    at: usize,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
}

impl Splitter {
    pub(super) fn new(text: &str) -> Self {
        Self {
            characters: text.chars().collect(),
            at: 0,
            warnings: Vec::new(),
        }
    }

    fn peek(&self, ahead: usize) -> Option<char> {
        self.characters.get(self.at + ahead).copied()
    }

    /// Whether a word ends so far ahead.
    fn ends(&self, ahead: usize) -> bool {
        self.peek(ahead).is_none_or(is_blank)
    }

    /// The next word, without its quotes and escapes.
    pub(super) fn word(&mut self) -> Result<Option<String>, String> {
        while self.peek(0).is_some_and(is_blank) {
            self.at += 1;
        }
        let begin = self.at + 1;
        match (self.peek(0), self.peek(1)) {
            (None, _) => return Ok(None),
            (Some(';'), _) if self.ends(1) => {
                return Err(format!(
                    "the `;` at character {begin} would begin a second command, and a service has one; write \
                     /bin/bash -c '…' for several, or \\; where an argument is meant"
                ));
            }
            (Some('\\'), Some(';')) if self.ends(2) => {
                self.at += 2;
                return Ok(Some(";".to_owned()));
            }
            _ => {}
        }
        let mut bytes = Vec::new();
        let mut quote: Option<(char, usize)> = None;
        while let Some(character) = self.peek(0) {
            match quote {
                Some((open, _)) if character == open => quote = None,
                None if is_blank(character) => break,
                None if matches!(character, '"' | '\'') => quote = Some((character, self.at + 1)),
                _ if character == '\\' => {
                    self.escape(&mut bytes)?;
                    continue;
                }
                _ => push(&mut bytes, character),
            }
            self.at += 1;
        }
        if let Some((open, place)) = quote {
            return Err(format!("the {open} at character {place} is never closed"));
        }
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| format!("the word at character {begin} is not UTF-8"))
    }

    /// Takes an escape. One that there is not stays as it is, as with systemd.
    fn escape(&mut self, bytes: &mut Vec<u8>) -> Result<(), String> {
        let Some(kind) = self.peek(1) else {
            return Err("it ends in a backslash; write two for one".to_owned());
        };
        if is_blank(kind) {
            // systemd would leave both as they are, which nobody means who writes it.
            return Err(format!(
                "the backslash at character {} does not keep a blank; put the word in quotes, or write \\s",
                self.at + 1
            ));
        }
        let simple = match kind {
            'a' => 0x07,
            'b' => 0x08,
            'f' => 0x0c,
            'n' => b'\n',
            'r' => b'\r',
            't' => b'\t',
            'v' => 0x0b,
            's' => b' ',
            '\\' => b'\\',
            '"' => b'"',
            '\'' => b'\'',
            _ => 0,
        };
        if simple != 0 {
            bytes.push(simple);
            self.at += 2;
            return Ok(());
        }
        let (skipped, digits, radix) = match kind {
            'x' => (2, 2, 16),
            'u' => (2, 4, 16),
            'U' => (2, 8, 16),
            _ => (1, 3, 8),
        };
        // What they stand for is never NUL, which could not be in an argument.
        let value = self.number(skipped, digits, radix).filter(|value| *value != 0);
        let taken = match (kind, value) {
            ('u' | 'U', Some(value)) => char::from_u32(value).map(|character| push(bytes, character)),
            (_, Some(value)) => u8::try_from(value).ok().map(|byte| bytes.push(byte)),
            (_, None) => None,
        };
        if taken.is_some() {
            self.at += skipped + digits;
        } else {
            self.warnings.push(format!(
                "`\\{kind}` at character {} is no escape and stays as it is",
                self.at + 1
            ));
            bytes.push(b'\\');
            push(bytes, kind);
            self.at += 2;
        }
        Ok(())
    }

    fn number(&self, ahead: usize, digits: usize, radix: u32) -> Option<u32> {
        let mut value: u32 = 0;
        for index in 0..digits {
            let digit = self.peek(ahead + index)?.to_digit(radix)?;
            value = value.checked_mul(radix)? + digit;
        }
        Some(value)
    }
}

fn push(bytes: &mut Vec<u8>, character: char) {
    bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
}

/// Splits the value of a variable that is a word of its own. Quotes and backslashes in it count, and what is wrong with
/// them does not.
pub(super) fn split_value(value: &str, words: &mut Vec<String>) {
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = value.chars();
    while let Some(character) = characters.next() {
        match quote {
            Some(open) if character == open => quote = None,
            None if is_blank(character) => words.extend(word.take()),
            None if matches!(character, '"' | '\'') => {
                quote = Some(character);
                word.get_or_insert_default();
            }
            _ if character == '\\' => word.get_or_insert_default().extend(characters.next()),
            _ => word.get_or_insert_default().push(character),
        }
    }
    words.extend(word);
}
