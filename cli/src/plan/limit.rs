//! Values of `create`'s flags. What is outside its limits is a usage error, said before anything is touched. Those
//! that settings files have too are checked where these are read.

pub use agentbox_ctl::config::limit::{
    attached, capability, covered, cpus, memory, network, pids, reference, volume,
};

/// A switch that a setting can be turned off with: the words of every other switch's environment variable.
///
/// # Errors
/// Text for the person who wrote it.
pub fn switch(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" | "y" | "t" => Ok(true),
        "" | "0" | "false" | "no" | "off" | "n" | "f" => Ok(false),
        _ => Err("write true or false".to_owned()),
    }
}

/// `KEY=VALUE`, or `KEY` to take its value from here.
///
/// # Errors
/// Text for the person who wrote it.
pub fn variable(text: &str) -> Result<(String, String), String> {
    let (key, value) = match text.split_once('=') {
        Some((key, value)) => (key, value.to_owned()),
        None => (
            text,
            std::env::var(text).map_err(|_| format!("{text} has no value here: write {text}=VALUE"))?,
        ),
    };
    if key.is_empty() || key.contains(char::is_whitespace) || key.contains('\0') || value.contains('\0') {
        return Err(format!("`{text}` is not KEY=VALUE"));
    }
    Ok((key.to_owned(), value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables() {
        assert_eq!(variable("A=b=c"), Ok(("A".into(), "b=c".into())));
        assert!(variable("=x").is_err() && variable("A B=x").is_err());
        assert!(variable("SURELY_NOT_SET_ANYWHERE").is_err());
    }
}
