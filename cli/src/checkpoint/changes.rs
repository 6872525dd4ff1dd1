//! An image's configuration as Dockerfile lines, for an import: it has no other way to say it.

use std::collections::HashMap;

use crate::docker::ImageDetails;

/// The lines, and what cannot be said in one.
pub(super) fn changes(image: &ImageDetails, labels: &HashMap<String, String>) -> (Vec<String>, Vec<String>) {
    let (mut lines, mut left_out) = (Vec::new(), Vec::new());
    for variable in &image.env {
        let (key, value) = variable.split_once('=').unwrap_or((variable, ""));
        if is_one_line(variable) {
            lines.push(format!("ENV {}={}", quoted(key), quoted(value)));
        } else {
            left_out.push(format!("ENV {key}: its value has a line break"));
        }
    }
    if !image.user.is_empty() {
        lines.push(format!("USER {}", escaped(&image.user)));
    }
    if !image.working_directory.is_empty() {
        lines.push(format!("WORKDIR {}", escaped(&image.working_directory)));
    }
    // An entrypoint takes the command away that came before it.
    if !image.entrypoint.is_empty() {
        lines.push(format!("ENTRYPOINT {}", list(&image.entrypoint)));
    }
    if !image.command.is_empty() {
        lines.push(format!("CMD {}", list(&image.command)));
    }
    lines.extend(image.exposed_ports.iter().map(|port| format!("EXPOSE {port}")));
    for path in &image.volumes {
        // Expanded, although it is a list.
        lines.push(format!("VOLUME {}", list(&[escaped(path)])));
    }
    if let Some(health) = &image.health {
        match health
            .test
            .split_first()
            .map(|(kind, rest)| (kind.as_str(), rest))
        {
            Some(("NONE", _)) => lines.push("HEALTHCHECK NONE".to_owned()),
            Some(("CMD", words)) => lines.push(format!("HEALTHCHECK {}CMD {}", options(image), list(words))),
            Some(("CMD-SHELL", [line])) if is_one_line(line) => {
                lines.push(format!("HEALTHCHECK {}CMD {line}", options(image)));
            }
            _ => left_out.push("HEALTHCHECK: its command has a line break".to_owned()),
        }
    }
    for trigger in &image.on_build {
        if is_one_line(trigger) {
            lines.push(format!("ONBUILD {trigger}"));
        } else {
            left_out.push("ONBUILD: it has a line break".to_owned());
        }
    }
    if !image.shell.is_empty() {
        left_out.push("SHELL: an import takes none".to_owned());
    }
    if !matches!(image.stop_signal.as_str(), "" | "SIGTERM" | "15" | "TERM") {
        left_out.push("STOPSIGNAL: an import takes none".to_owned());
    }
    let mut all = image.labels.clone();
    all.extend(labels.clone());
    let mut all: Vec<_> = all.into_iter().collect();
    all.sort();
    for (key, value) in all {
        if is_one_line(&key) && is_one_line(&value) {
            lines.push(format!("LABEL {}={}", quoted(&key), quoted(&value)));
        } else {
            left_out.push(format!("LABEL {key}: it has a line break"));
        }
    }
    (lines, left_out)
}

fn options(image: &ImageDetails) -> String {
    let health = image.health.clone().unwrap_or_default();
    let mut text = String::new();
    for (name, nanoseconds) in [
        ("interval", health.interval),
        ("timeout", health.timeout),
        ("start-period", health.start_period),
    ] {
        if nanoseconds > 0 {
            text.push_str(&format!("--{name}={nanoseconds}ns "));
        }
    }
    if health.retries > 0 {
        text.push_str(&format!("--retries={} ", health.retries));
    }
    text
}

fn is_one_line(text: &str) -> bool {
    !text.contains(['\n', '\r'])
}

/// A word in quotes, with what means something in them escaped.
fn quoted(text: &str) -> String {
    let mut word = String::with_capacity(text.len() + 2);
    word.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\' | '$') {
            word.push('\\');
        }
        word.push(character);
    }
    word.push('"');
    word
}

/// A word without quotes.
fn escaped(text: &str) -> String {
    let mut word = String::with_capacity(text.len());
    for character in text.chars() {
        if matches!(character, '"' | '\'' | '\\' | '$') {
            word.push('\\');
        }
        word.push(character);
    }
    word
}

/// A list of words, which nothing is expanded in but the paths of volumes.
fn list<T: AsRef<str>>(words: &[T]) -> String {
    let words: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    serde_json::json!(words).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::docker::HealthCheck;

    #[test]
    fn everything_that_a_line_can_say() {
        let text = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let image = ImageDetails {
            env: text(&["A=q\"uo te", "B=$HOME x=y", "C=", "D=back\\slash", "E=two\nlines"]),
            user: "me:1".into(),
            working_directory: "/a b/$x".into(),
            entrypoint: text(&["sh", "-c", "echo \"$A\"\n"]),
            command: text(&["a b"]),
            exposed_ports: text(&["53/udp"]),
            volumes: text(&["/data$1"]),
            health: Some(HealthCheck {
                test: text(&["CMD-SHELL", "true $x"]),
                interval: 5_000_000_000,
                retries: 2,
                ..HealthCheck::default()
            }),
            on_build: text(&["RUN true"]),
            shell: text(&["bash"]),
            stop_signal: "SIGINT".into(),
            labels: HashMap::from([("z".into(), "1".into()), ("a".into(), "own".into())]),
            ..ImageDetails::default()
        };
        let labels = HashMap::from([("a".to_owned(), "{\"b\":1}".to_owned())]);
        let (lines, left_out) = changes(&image, &labels);
        insta::assert_snapshot!(lines.join("\n"), @r#"
        ENV "A"="q\"uo te"
        ENV "B"="\$HOME x=y"
        ENV "C"=""
        ENV "D"="back\\slash"
        USER me:1
        WORKDIR /a b/\$x
        ENTRYPOINT ["sh","-c","echo \"$A\"\n"]
        CMD ["a b"]
        EXPOSE 53/udp
        VOLUME ["/data\\$1"]
        HEALTHCHECK --interval=5000000000ns --retries=2 CMD true $x
        ONBUILD RUN true
        LABEL "a"="{\"b\":1}"
        LABEL "z"="1"
        "#);
        insta::assert_snapshot!(left_out.join("\n"), @r"
        ENV E: its value has a line break
        SHELL: an import takes none
        STOPSIGNAL: an import takes none
        ");
    }
}
