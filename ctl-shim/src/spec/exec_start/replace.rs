//! What words stand for: specifiers (`%h`) and variables (`$A`, `${A}`).

use super::is_variable;

/// Checks the specifiers of a word. A `%` at its end is one, as with systemd.
pub(super) fn check_specifiers(word: &str) -> Result<(), String> {
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            continue;
        }
        match characters.next() {
            Some('h' | 'u' | 'n' | '%') | None => {}
            Some(other) => {
                return Err(format!(
                    "`%{other}` is not known; %h (home), %u (user), %n (unit) and %% (a percent sign) are"
                ));
            }
        }
    }
    Ok(())
}

/// Replaces them.
pub(super) fn specifiers(word: &str, home: &str, user: &str, unit: &str) -> String {
    let mut text = String::with_capacity(word.len());
    let mut characters = word.chars();
    while let Some(character) = characters.next() {
        if character != '%' {
            text.push(character);
            continue;
        }
        match characters.next() {
            Some('h') => text.push_str(home),
            Some('u') => text.push_str(user),
            Some('n') => text.push_str(unit),
            _ => text.push('%'),
        }
    }
    text
}

/// The name in a word that is a variable as a whole, `$NAME`.
pub(super) fn whole_variable(word: &str) -> Option<&str> {
    let name = word.strip_prefix('$')?;
    (!name.starts_with(['{', '$'])).then_some(name)
}

/// Whether there is a variable in a word, of either form.
pub(super) fn has_variable(word: &str) -> bool {
    whole_variable(word).is_some() || word.contains("${")
}

/// Checks the variables of a word.
pub(super) fn check_variables(word: &str, warnings: &mut Vec<String>) -> Result<(), String> {
    if let Some(name) = whole_variable(word) {
        if is_variable(name) {
            return Ok(());
        }
        return Err(format!("`{word}` is no variable; write $$ for a dollar sign"));
    }
    let mut rest = word;
    while let Some((_, after)) = rest.split_once('$') {
        if let Some(after) = after.strip_prefix('$') {
            rest = after;
        } else if let Some(after) = after.strip_prefix('{') {
            let Some((name, after)) = after.split_once('}') else {
                return Err(format!(
                    "`{word}` has a variable without its `}}`; write $$ for a dollar sign"
                ));
            };
            if !is_variable(name) {
                return Err(format!(
                    "`${{{name}}}` is no variable: there is no shell, and a name is all that can be in the braces"
                ));
            }
            rest = after;
        } else {
            if after.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') {
                warnings.push(format!(
                    "`{word}` stays as it is: inside a word, a variable is written ${{NAME}}"
                ));
            }
            rest = after;
        }
    }
    Ok(())
}

/// Replaces `${NAME}` and `$$`; any other dollar sign stays.
pub(super) fn variables(word: &str, lookup: &dyn Fn(&str) -> Option<String>) -> String {
    let mut text = String::with_capacity(word.len());
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        text.push_str(before);
        rest = after;
        if let Some(after) = after.strip_prefix('$') {
            text.push('$');
            rest = after;
        } else if let Some((name, after)) = after.strip_prefix('{').and_then(|name| name.split_once('}')) {
            text.push_str(&lookup(name).unwrap_or_default());
            rest = after;
        } else {
            text.push('$');
        }
    }
    text.push_str(rest);
    text
}
