//! The text of the file: short, commented, and such that it says the same to a parser as to a person.

use std::fmt::Write;

use agentbox_ctl::config::schema;

use super::proposal::{Plan, Run, RunOnce, Unit};

/// How long a service may take that compiles before it answers.
const SLOW_MS: u32 = 300_000;

/// What a file has where nothing was recognised: something to fill in.
const EMPTY: &str = "\
# Nothing in this project says how it is run, so this is for you to fill in.
# Every key: docs/reference/agentbox-yaml.md; `agentbox validate` checks the file.
#
# tasks:
#   install:
#     command: ./install.sh
# services:
#   web:
#     command: python3 -m http.server 3000
#     needs: [install]
#     expose: {port: 3000}
";

/// Renders a plan.
pub(crate) fn render(plan: &Plan) -> String {
    let mut text = schema::modeline(schema::URL).trim_end().to_owned();
    text.push('\n');
    if !plan.notes.is_empty() {
        text.push_str("# To look at:\n");
        for note in &plan.notes {
            comment(&mut text, "", &format!("- {note}"));
        }
    }
    if plan.units.is_empty() && plan.carry.is_empty() {
        text.push_str(EMPTY);
        return text;
    }
    if plan
        .units
        .iter()
        .any(|unit| matches!(unit.run, Run::Image { .. }))
    {
        text.push_str("defaults:\n");
        comment(&mut text, "  ", "What services with an image run on.");
        text.push_str("  box: {docker: true}\n");
    }
    for (section, is_task) in [("tasks", true), ("services", false)] {
        let mut units = plan
            .units
            .iter()
            .filter(|unit| unit.is_task() == is_task)
            .peekable();
        if units.peek().is_some() {
            let _ = writeln!(text, "{section}:");
        }
        for unit in units {
            render_unit(&mut text, unit);
        }
    }
    if !plan.carry.is_empty() {
        text.push_str("carry:\n");
        comment(
            &mut text,
            "  ",
            "Files of this machine that git ignores. `secret: true` keeps one out of checkpoints.",
        );
        for path in &plan.carry {
            let source = flow_text(&format!("./{path}"));
            let target = flow_text(&format!("/workspace/{path}"));
            let _ = writeln!(text, "  - {{src: {source}, dest: {target}, secret: false}}");
        }
    }
    text
}

fn render_unit(text: &mut String, unit: &Unit) {
    let _ = writeln!(text, "  {}:", key(&unit.name));
    for line in &unit.comment {
        comment(text, "    ", line);
    }
    match &unit.run {
        Run::Shell(command) => entry(text, "command", command),
        Run::Image { name, ports, args } => {
            let _ = writeln!(text, "    image:\n      name: {}", plain_or_quoted(name));
            if !ports.is_empty() {
                let _ = writeln!(text, "      ports: {}", list(ports));
            }
            if !args.is_empty() {
                let _ = writeln!(text, "      args: {}", list(args));
            }
        }
    }
    if let Some(cwd) = &unit.cwd {
        entry(text, "cwd", cwd);
    }
    if let Some(user) = &unit.user {
        entry(text, "user", user);
    }
    if !unit.env.is_empty() {
        text.push_str("    env:\n");
        for (name, value) in &unit.env {
            let _ = writeln!(text, "      {}: {}", key(name), plain_or_quoted(value));
        }
    }
    if !unit.env_files.is_empty() {
        text.push_str("    env_file:\n");
        for path in &unit.env_files {
            let _ = writeln!(text, "      - {{path: {}, optional: true}}", flow_text(path));
        }
    }
    if !unit.needs.is_empty() {
        let _ = writeln!(text, "    needs: {}", list(&unit.needs));
    }
    render_rest(text, unit);
}

fn render_rest(text: &mut String, unit: &Unit) {
    match &unit.run_once {
        None => {}
        Some(RunOnce::Done) => text.push_str("    run_once: true\n"),
        Some(RunOnce::Check(check)) => {
            let _ = writeln!(text, "    run_once:\n      check: {}", plain_or_quoted(check));
        }
        Some(RunOnce::Files { inputs, creates }) => {
            text.push_str("    run_once:\n");
            for (name, paths) in [("inputs", inputs), ("creates", creates)] {
                if !paths.is_empty() {
                    let _ = writeln!(text, "      {name}: {}", list(paths));
                }
            }
        }
    }
    if let Some(restart) = unit.restart {
        let _ = writeln!(text, "    restart: {restart}");
    }
    if !unit.autostart {
        text.push_str("    autostart: false\n");
    }
    let port = unit.port.map(|port| port.number);
    let timeout = if unit.slow {
        format!("\n      timeout_ms: {SLOW_MS}")
    } else {
        String::new()
    };
    match (&unit.http, port) {
        (Some(url), _) => {
            let _ = writeln!(
                text,
                "    ready_when:\n      http: {}{timeout}",
                plain_or_quoted(url)
            );
        }
        // `expose` brings a probe that waits as long as it takes.
        (None, Some(port)) if !unit.expose => {
            let _ = writeln!(text, "    ready_when:\n      port: {port}{timeout}");
        }
        (None, _) => {}
    }
    if let Some(port) = port.filter(|_| unit.expose) {
        let _ = writeln!(text, "    expose:\n      port: {port}");
    }
}

/// Text after a key of a unit; several lines become a block.
fn entry(text: &mut String, name: &str, value: &str) {
    let fits_block = value.contains('\n')
        && !value.starts_with([' ', '\n', '\t'])
        && !value.ends_with("\n\n")
        && value
            .chars()
            .all(|character| character == '\n' || is_printable(character))
        && value
            .lines()
            .all(|line| line.trim_end() == line && !line.is_empty());
    if !fits_block {
        let _ = writeln!(text, "    {name}: {}", plain_or_quoted(value));
        return;
    }
    let keep = if value.ends_with('\n') { "" } else { "-" };
    let _ = writeln!(text, "    {name}: |{keep}");
    for line in value.lines() {
        let _ = writeln!(text, "      {line}");
    }
}

fn list(items: &[String]) -> String {
    let items: Vec<String> = items.iter().map(|item| flow_text(item)).collect();
    format!("[{}]", items.join(", "))
}

/// A comment line. Whatever could end it, or move a cursor, is taken out.
fn comment(text: &mut String, indent: &str, line: &str) {
    let line: String = line
        .chars()
        .map(|character| if is_printable(character) { character } else { ' ' })
        .take(240)
        .collect();
    let _ = writeln!(text, "{indent}# {}", line.trim());
}

/// Whether YAML, and a terminal, take a character as it is.
fn is_printable(character: char) -> bool {
    !agentbox_ctl::report::is_unwanted(character)
        && !character.is_control()
        && !matches!(
            character,
            '\u{feff}' | '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}'
        )
}

fn key(name: &str) -> String {
    let plain = !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.'))
        && !name.starts_with(['-', '.']);
    if plain { name.to_owned() } else { quoted(name) }
}

/// Text in a block: plain where nothing in it means something to YAML.
fn plain_or_quoted(value: &str) -> String {
    let starts_plain = value.starts_with(|first: char| {
        first.is_alphanumeric()
            || matches!(first, '.' | '/' | '$' | '(' | '_' | '^' | '+')
            || first > '\u{7f}'
    });
    let plain = starts_plain
        && value.chars().all(is_printable)
        && !value.contains(": ")
        && !value.contains(" #")
        && !value.ends_with([':', ' '])
        && !value.starts_with("...")
        && !is_null(value);
    if plain { value.to_owned() } else { quoted(value) }
}

/// The same inside of `[…]` or `{…}`.
fn flow_text(value: &str) -> String {
    if value.contains([',', '[', ']', '{', '}', ':', '"', '\'']) {
        return quoted(value);
    }
    plain_or_quoted(value)
}

fn is_null(value: &str) -> bool {
    matches!(value, "null" | "Null" | "NULL" | "~" | "")
}

/// Single quotes where that reads best, else double ones with escapes.
fn quoted(value: &str) -> String {
    if value.chars().all(is_printable) && value.contains(['"', '\\']) {
        return format!("'{}'", value.replace('\'', "''"));
    }
    let mut text = String::from("\"");
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            plain if is_printable(plain) => text.push(plain),
            other => {
                let code = u32::from(other);
                let _ = if code <= 0xffff {
                    write!(text, "\\u{code:04x}")
                } else {
                    write!(text, "\\U{code:08x}")
                };
            }
        }
    }
    text.push('"');
    text
}

#[cfg(test)]
mod tests {
    use super::super::proposal::{PortSetting, Role};
    use super::*;
    use agentbox_ctl::config::model::Launch;
    use agentbox_ctl::config::{self, LoadOptions};
    use proptest::prelude::*;

    fn loaded(text: &str) -> config::Config {
        let loaded = config::load(text, &LoadOptions::default());
        loaded
            .config
            .unwrap_or_else(|| panic!("{}\n{text}", config::render("f", text, &loaded.diagnostics)))
    }

    fn plan(unit: Unit) -> Plan {
        Plan {
            units: vec![unit],
            ..Plan::default()
        }
    }

    #[test]
    fn a_file_without_units_is_one_to_fill_in() {
        let text = render(&Plan::default());
        assert!(loaded(&text).units.is_empty());
        let filled: String = text
            .lines()
            .skip_while(|line| *line != "#")
            .filter_map(|line| line.strip_prefix("# "))
            .flat_map(|line| [line, "\n"])
            .collect();
        assert_eq!(loaded(&filled).units.len(), 2);
    }

    #[test]
    fn only_containers_ask_for_a_box_with_docker() {
        let backing = |run| render(&plan(Unit::new("db", Role::Backing, run)));
        let image = Run::Image {
            name: "postgres:17".to_owned(),
            ports: Vec::new(),
            args: Vec::new(),
        };
        let docker = |text: &str| {
            let defaults = loaded(text).defaults;
            format!("{defaults:?}").contains("docker")
        };
        assert!(docker(&backing(image)));
        assert!(!docker(&backing(Run::Shell("postgres".to_owned()))));
    }

    #[test]
    fn a_command_of_several_lines_is_a_block() {
        let text = render(&plan(Unit::task("install", Role::Install, "set -e\nnpm ci\n")));
        assert!(
            text.contains("    command: |\n      set -e\n      npm ci\n"),
            "{text}"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_what_is_read(
            command in "([ -~]|[\\x00-\\x1f\\x7f]|\\PC){1,40}",
            word in "\\PC{1,20}",
            value in any::<String>(),
            note in any::<String>(),
        ) {
            let value = value.replace('\0', "");
            prop_assume!(!command.trim().is_empty() && !word.trim().is_empty());
            let command = command.replace('\0', "x");
            let mut unit = Unit::service("web", command.clone())
                .env("NAME", value.clone())
                .comment(note.clone())
                .port(3000, PortSetting::Fixed, true);
            unit.cwd = Some(word.clone());
            unit.user = Some("me".to_owned());
            let mut plan = plan(unit);
            plan.notes.push(note);
            let image = Run::Image {
                name: "x".to_owned(),
                ports: vec!["80:80/udp".to_owned()],
                args: vec![word.clone(), command.clone()],
            };
            plan.units.push(Unit::new("image", Role::Backing, image));
            let text = render(&plan);
            let config = loaded(&text);
            prop_assert_eq!(&config.units[0].launch, &Launch::Shell(command.clone()));
            prop_assert_eq!(&config.units[0].env, &vec![("NAME".to_owned(), value)]);
            prop_assert_eq!(config.units[0].cwd.as_ref(), Some(&word));
            let Launch::Image(image) = &config.units[1].launch else { panic!("an image") };
            prop_assert_eq!(&image.args, &vec![word, command]);
            prop_assert_eq!(&image.ports, &vec!["80:80/udp".to_owned()]);
        }
    }
}
