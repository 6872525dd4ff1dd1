//! A unit as systemd would have it: what `systemctl cat` prints. Readiness probes have no counterpart there.

use std::time::Duration;

use super::model::{Launch, RestartPolicy, Unit};
use super::signal::signal_name;

/// The equivalent unit file of a unit in a box with this workspace. `box_user` is who runs units that name nobody, empty
/// where that is not known; `shell` runs commands that are texts.
pub fn render(unit: &Unit, workspace: &str, box_user: &str, shell: &str) -> String {
    let mut file = Lines(String::new());
    let kind = if unit.is_service() { "service" } else { "task" };
    file.add("[Unit]", "");
    file.add(
        "Description=",
        &match &unit.launch {
            Launch::Script(_) => format!("setup script {}", unit.name),
            _ => format!("{kind} {} of agentbox.yaml", unit.name),
        },
    );
    for need in &unit.needs {
        file.add("Requires=", &[need, ".service"].concat());
        file.add("After=", &[need, ".service"].concat());
    }
    if unit.is_service() {
        file.add("StartLimitIntervalSec=", "0");
    }
    file.add("", "");
    file.add("[Service]", "");
    if !unit.is_service() {
        file.add("Type=", "oneshot");
    }
    let user = unit.user.as_deref().unwrap_or(box_user);
    if !user.is_empty() {
        file.add("User=", user);
    }
    let below = |path: &str| match path {
        path if path.starts_with('/') => path.to_owned(),
        "" | "." | "./" => workspace.to_owned(),
        path => format!("{workspace}/{}", path.trim_start_matches("./")),
    };
    file.add(
        "WorkingDirectory=",
        &specifiers(&below(unit.cwd.as_deref().unwrap_or_default())),
    );
    for env_file in &unit.env_files {
        let optional = if env_file.optional { "-" } else { "" };
        file.add(
            "EnvironmentFile=",
            &[optional, &specifiers(&below(&env_file.path))].concat(),
        );
    }
    for (name, value) in &unit.env {
        file.add("Environment=", &specifiers(&quoted(&format!("{name}={value}"))));
    }
    file.add("ExecStart=", &command(unit, shell));
    if let Some(service) = unit.service() {
        file.add(
            "Restart=",
            match service.restart {
                RestartPolicy::Always => "always",
                RestartPolicy::OnFailure => "on-failure",
                RestartPolicy::Never => "no",
            },
        );
        if service.restart != RestartPolicy::Never {
            file.add("RestartSec=", &time(service.backoff.initial));
        }
        file.add("KillSignal=", &signal_name(service.stop_signal));
        file.add("TimeoutStopSec=", &time(service.stop_timeout));
        file.add("", "");
        file.add("[Install]", "");
        file.add("WantedBy=", "multi-user.target");
    }
    file.0
}

struct Lines(String);

impl Lines {
    fn add(&mut self, key: &str, value: &str) {
        for part in [key, value, "\n"] {
            self.0.push_str(part);
        }
    }
}

fn time(duration: Duration) -> String {
    format!("{}ms", duration.as_millis())
}

fn command(unit: &Unit, shell: &str) -> String {
    let mut words: Vec<&str> = Vec::new();
    let name;
    match &unit.launch {
        Launch::Shell(script) => words.extend([shell, "-c", script]),
        Launch::Argv(argv) => words.extend(argv.iter().map(String::as_str)),
        Launch::Image(image) => {
            name = image.container_name(&unit.name);
            words.extend(["/usr/bin/docker", "run", "--rm", "--name", &name]);
            for port in &image.ports {
                words.extend(["-p", port]);
            }
            for (variable, _) in &unit.env {
                words.extend(["-e", variable]);
            }
            words.push(&image.name);
            words.extend(image.args.iter().map(String::as_str));
        }
        // Its words have variables that are meant: see the unit file of a service spec.
        Launch::Exec(exec_start) => words.extend(exec_start.words.iter().map(String::as_str)),
        // Where it lies while it runs is nobody's concern.
        Launch::Script(_) => words.extend(["/usr/local/bin/agentbox-ctl", "run-task", &unit.name]),
    }
    let words: Vec<String> = words
        .into_iter()
        // No shell: a variable is written twice so that nobody puts its value there.
        .map(|word| specifiers(&quoted(word)).replace('$', "$$"))
        .collect();
    words.join(" ")
}

/// A word that systemd reads as it is, but for specifiers.
fn quoted(word: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-+=:,@%$".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return word.to_owned();
    }
    in_quotes(word)
}

/// Text in quotes, for systemd to read as it is, but for specifiers.
pub(crate) fn in_quotes(word: &str) -> String {
    let mut text = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            control if control.is_control() => {
                for byte in control.to_string().bytes() {
                    text.push_str(&format!("\\x{byte:02x}"));
                }
            }
            other => text.push(other),
        }
    }
    text.push('"');
    text
}

/// Without specifiers: `%` means itself.
pub(crate) fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

#[cfg(test)]
mod tests {
    use crate::config::{LoadOptions, load};

    fn render(yaml: &str, name: &str) -> String {
        let config = load(yaml, &LoadOptions::default()).config.unwrap();
        super::render(config.unit(name).unwrap(), "/workspace", "developer", "/bin/sh")
    }

    #[test]
    fn a_service_with_everything() {
        let yaml = r#"
tasks: {install: {command: x}}
services:
  web:
    command: 'echo "$HOME" 100%; exec pnpm dev'
    cwd: ./apps/web
    env: {A: 'x y"z', B: plain, C: "50%\n$A"}
    env_file: {path: .env, optional: true}
    user: "1000"
    needs: [install]
    restart: always
    stop_signal: SIGINT
    stop_timeout_ms: 2500
"#;
        insta::assert_snapshot!(render(yaml, "web"), @r#"
        [Unit]
        Description=service web of agentbox.yaml
        Requires=install.service
        After=install.service
        StartLimitIntervalSec=0

        [Service]
        User=1000
        WorkingDirectory=/workspace/apps/web
        EnvironmentFile=-/workspace/.env
        Environment="A=x y\"z"
        Environment=B=plain
        Environment="C=50%%\n$A"
        ExecStart=/bin/sh -c "echo \"$$HOME\" 100%%; exec pnpm dev"
        Restart=always
        RestartSec=500ms
        KillSignal=SIGINT
        TimeoutStopSec=2500ms

        [Install]
        WantedBy=multi-user.target
        "#);
    }

    #[test]
    fn a_task_starts_with_the_box_and_has_nothing_to_install() {
        let yaml = "tasks: {t: {command: [/bin/echo, '', 'a b', ';', \"\\x01\"], cwd: /tmp}}\n";
        insta::assert_snapshot!(render(yaml, "t"), @r#"
        [Unit]
        Description=task t of agentbox.yaml

        [Service]
        Type=oneshot
        User=developer
        WorkingDirectory=/tmp
        ExecStart=/bin/echo "" "a b" ";" "\x01"
        "#);
    }
}
