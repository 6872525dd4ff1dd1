//! A service spec as the unit file that systemd would run it by.

use super::ServiceSpecFields;
use super::exec_start::one_line;
use crate::config::unit_file::{in_quotes, specifiers};

/// The unit file, for a box whose user is `user` (as in an image's configuration: name or number, maybe `:group`) and has
/// the home `home`.
pub fn unit_file(spec: &ServiceSpecFields, user: &str, home: &str) -> String {
    let mut lines = vec![
        "[Unit]".to_owned(),
        format!("Description={} (service spec)", spec.name),
        "After=network.target".to_owned(),
        // A box tries again for ever, with growing delays.
        "StartLimitIntervalSec=0".to_owned(),
        String::new(),
        "[Service]".to_owned(),
    ];
    let (user, group) = user.split_once(':').unwrap_or((user, ""));
    let user = if user.is_empty() { "root" } else { user };
    lines.push(format!("User={user}"));
    if !group.is_empty() {
        lines.push(format!("Group={group}"));
    }
    lines.push(format!("WorkingDirectory={}", specifiers(home)));
    for (name, value) in &spec.env_vars {
        lines.push(format!(
            "Environment={}",
            specifiers(&in_quotes(&format!("{name}={value}")))
        ));
    }
    if let Some(file) = &spec.environment_file {
        if !spec.env_vars.is_empty() {
            lines.push(
                "# In a box the variables above win over those of the file; systemd has it the other way."
                    .to_owned(),
            );
        }
        lines.push(format!("EnvironmentFile={}", specifiers(file)));
    }
    lines.push(format!("ExecStart={}", one_line(&spec.exec_start)));
    lines.push(format!("Restart={}", spec.restart_policy));
    lines.push("RestartSec=500ms".to_owned());
    lines.extend([
        String::new(),
        "[Install]".to_owned(),
        "WantedBy=multi-user.target".to_owned(),
    ]);
    lines.push(String::new());
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::spec::RestartPolicy;

    fn spec(exec_start: &str) -> ServiceSpecFields {
        ServiceSpecFields {
            name: "api-server".to_owned(),
            exec_start: exec_start.to_owned(),
            ..ServiceSpecFields::default()
        }
    }

    fn full() -> ServiceSpecFields {
        let variables = [("PORT", "3000"), ("ODD", "a \"b\" \\ 50% $HOME 'c'\nd\te\u{1b}é")];
        ServiceSpecFields {
            env_vars: variables
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            environment_file: Some("-/srv/50%/.env".to_owned()),
            restart_policy: RestartPolicy::Always,
            auto_enable: true,
            ..spec("-/bin/echo \\\n  \"a b\" ${PORT} %h \\; 50%% $PORT\n")
        }
    }

    #[test]
    fn everything_a_spec_can_say() {
        insta::assert_snapshot!(unit_file(&full(), "developer", "/home/developer"), @r#"
    [Unit]
    Description=api-server (service spec)
    After=network.target
    StartLimitIntervalSec=0

    [Service]
    User=developer
    WorkingDirectory=/home/developer
    Environment="ODD=a \"b\" \\ 50%% $HOME 'c'\nd\te\x1bé"
    Environment="PORT=3000"
    # In a box the variables above win over those of the file; systemd has it the other way.
    EnvironmentFile=-/srv/50%%/.env
    ExecStart=-/bin/echo     "a b" ${PORT} %h \; 50%% $PORT
    Restart=always
    RestartSec=500ms

    [Install]
    WantedBy=multi-user.target
    "#);
    }

    #[test]
    fn users_of_other_images() {
        let text = unit_file(&spec("/bin/true"), "1000:100", "/srv/a%b");
        assert!(
            text.contains("\nUser=1000\nGroup=100\nWorkingDirectory=/srv/a%%b\n"),
            "{text}"
        );
        assert!(unit_file(&spec("/bin/true"), "", "/root").contains("\nUser=root\n"));
    }

    /// What systemd says against a unit file.
    fn verify(text: &str) -> Vec<String> {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("rigbox-svc-tested.service");
        std::fs::write(&path, text).unwrap();
        let output = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&path)
            .output()
            .expect("systemd-analyze is there: tests/run installs it, from Debian's package systemd");
        let said = String::from_utf8_lossy(&output.stderr);
        let lines = said.lines().filter(|line| line.contains("rigbox-svc"));
        lines.map(str::to_owned).collect()
    }

    #[test]
    fn systemd_takes_it() {
        for spec in [
            full(),
            spec("sh -c 'exit 3'"),
            spec("/bin/sh -c 'a \\q; b' a\\;b"),
        ] {
            let mut said = verify(&unit_file(&spec, "root", "/root"));
            said.retain(|line| !line.contains("unknown escape"));
            assert_eq!(said, [""; 0]);
        }
        let broken = unit_file(&spec("/bin/true"), "root", "/root").replace("/bin/true", "no/such");
        assert_ne!(verify(&broken), [""; 0]);
    }
}
