//! `exec_start`: a command line as systemd's `ExecStart=` has it, without a shell.
//!
//! ```text
//! text ── one_line ─► split (quotes, escapes) ─► words ── resolve, at each start ─► arguments
//!                                                 │        specifiers, then variables
//!                                                 └─ checked for what resolve could not do
//! ```
//!
//! systemd takes quotes away before it looks for variables and specifiers, so these are replaced in quotes of either
//! sort. Where it passes over a mistake in silence (`%Y`, `${A:-b}`), this one says so.

mod replace;
mod split;

use split::Splitter;

/// A command line that can be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecStart {
    /// Whether a failure counts as success: the line begins with `-`.
    pub ignores_failure: bool,
    /// The words, quotes and escapes undone; variables and specifiers as they were written. Never empty.
    pub words: Vec<String>,
    /// What a person should know about it.
    pub warnings: Vec<String>,
}

impl ExecStart {
    /// Splits a command line.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut splitter = Splitter::new(&joined(text)?);
        let mut words = Vec::new();
        while let Some(word) = splitter.word()? {
            words.push(word);
        }
        let mut warnings = splitter.warnings;
        let Some(program) = words.first_mut() else {
            return Err("it is empty".to_owned());
        };
        let ignores_failure = program.starts_with('-');
        if ignores_failure {
            program.remove(0);
        }
        check_program(program, &mut warnings)?;
        for (index, word) in words.iter().enumerate() {
            replace::check_specifiers(word)?;
            if index > 0 {
                replace::check_variables(word, &mut warnings)?;
            }
        }
        Ok(Self {
            ignores_failure,
            words,
            warnings,
        })
    }

    /// The arguments of the process, program first: specifiers and variables replaced. `unit` is the unit's name with its
    /// `.service`; `lookup` gives a variable, and one that it does not know is empty.
    pub fn resolve(
        &self,
        home: &str,
        user: &str,
        unit: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Vec<String> {
        let mut arguments = Vec::with_capacity(self.words.len());
        for (index, word) in self.words.iter().enumerate() {
            let word = replace::specifiers(word, home, user, unit);
            if index == 0 {
                arguments.push(word);
            } else if let Some(name) = replace::whole_variable(&word) {
                split::split_value(&lookup(name).unwrap_or_default(), &mut arguments);
            } else {
                arguments.push(replace::variables(&word, lookup));
            }
        }
        arguments
    }
}

/// A command line as one line of a unit file.
pub fn one_line(text: &str) -> String {
    joined(text).map_or_else(|_| text.replace(['\n', '\r'], " "), |text| text.trim().to_owned())
}

/// The text without the line breaks that a unit file could have too: those after a backslash, and those at either end.
/// Blanks take their place, so that what follows keeps its own.
fn joined(text: &str) -> Result<String, String> {
    if text.contains('\0') {
        return Err("a NUL byte cannot be in it".to_owned());
    }
    let joined = text.replace("\\\r\n", "   ").replace("\\\n", "  ");
    if joined.trim().contains(['\n', '\r']) {
        return Err(
            "it has more than one line; end a line with a backslash where the command goes on, or write \\n for a \
             line break in an argument"
                .to_owned(),
        );
    }
    Ok(joined)
}

/// Checks the program, without a leading `-`. systemd replaces no variables in it.
fn check_program(program: &str, warnings: &mut Vec<String>) -> Result<(), String> {
    let advice = match program.chars().next() {
        None => return Err("it has no program".to_owned()),
        Some('@') => "write the program alone: it always gets its own name as first argument",
        Some(':') => "leave it out and write $$ for each dollar sign",
        Some('+' | '!') => {
            "leave it out: a service runs as the box's user; where it needs root, begin with sudo"
        }
        Some('|') => "leave it out and write /bin/bash -c '…' for a shell",
        Some(_) => "",
    };
    if !advice.is_empty() {
        let prefix: String = program.chars().take(1).collect();
        return Err(format!(
            "`{prefix}` in front of the program is not supported; {advice}"
        ));
    }
    if replace::has_variable(program) {
        return Err(format!(
            "the program cannot have a variable in it: `{program}`; write /usr/bin/env in front of it, or \
             /bin/bash -c '…'"
        ));
    }
    if program.chars().any(char::is_control) {
        return Err("the program has a control character in it".to_owned());
    }
    if program.ends_with('/') || matches!(program, "." | "..") {
        return Err(format!("`{program}` is a directory, not a program"));
    }
    if program.starts_with('/') || program.starts_with("%h/") {
        return Ok(());
    }
    if program.contains('/') {
        return Err(format!(
            "`{program}` is a relative path; write an absolute one, such as %h/{}",
            program.trim_start_matches("./")
        ));
    }
    warnings.push(format!(
        "`{program}` is searched in the PATH of the service; an absolute path is better"
    ));
    Ok(())
}

/// Whether systemd takes this as a variable's name.
pub fn is_variable(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests;
