//! Files without mistakes, and what comes of them.

use std::time::Duration;

use super::good;
use crate::config::model::{
    Backoff, Carry, Check, Config, EnvFile, EnvSyntax, Expose, ImageLaunch, Launch, OnTimeout, Probe,
    RestartPolicy, RunOnce, Service, Task, Unit, UnitKind,
};

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn variables(config: &Config, unit: &str) -> Vec<(String, String)> {
    config.unit(unit).unwrap().env.clone()
}

#[test]
fn nothing_is_an_empty_configuration() {
    for source in [
        "",
        "\u{feff}",
        "\n\n",
        "# only a comment\n",
        "---\n",
        "~\n",
        "{}\n",
        "services:\ntasks: ~\n",
        "x-a: 1\n",
    ] {
        assert_eq!(good(source), Config::default(), "{source}");
    }
}

#[test]
fn defaults_are_filled_in() {
    let config = good("services: {web: {command: pnpm dev}}\ntasks: {install: {command: [pnpm, install]}}\n");
    let unit = |name: &str, launch, kind| Unit {
        name: name.to_owned(),
        launch,
        cwd: None,
        env: Vec::new(),
        env_files: Vec::new(),
        user: None,
        needs: Vec::new(),
        kind,
    };
    let service = Service {
        autostart: true,
        restart: RestartPolicy::OnFailure,
        backoff: Backoff {
            initial: Duration::from_millis(500),
            max: Duration::from_secs(30),
            factor: 2.0,
        },
        ready_when: None,
        stop_signal: 15,
        stop_timeout: Duration::from_secs(10),
        expose: None,
    };
    let expected = [
        unit(
            "web",
            Launch::Shell("pnpm dev".to_owned()),
            UnitKind::Service(service),
        ),
        unit(
            "install",
            Launch::Argv(texts(&["pnpm", "install"])),
            UnitKind::Task(Task { run_once: None }),
        ),
    ];
    assert_eq!(config.units, expected);
}

#[test]
fn every_key_of_a_service_is_read() {
    let config = good(
        r#"
carry: [~/.npmrc]
defaults: {box: {memory: 4g}}
services:
  web:
    command: |
      set -e
      pnpm dev
    cwd: apps/web
    env: {PORT: 3000}
    env_file: [.env, {path: .env.local, optional: true}]
    user: 1000
    needs: [db, rigbox-svc-queue]
    autostart: false
    restart: no
    backoff: {initial_ms: 50000, factor: 1.5}
    ready_when: {http: "https://localhost:3000/health", expect_status: 204, interval_ms: 100, initial_delay_ms: 5,
      timeout_ms: 0x100, on_timeout: mark_unhealthy}
    stop_signal: INT
    stop_timeout_ms: 0
    expose: {port: 3000, as: 80}
    ide: {url: /}
  db:
    image: {name: "postgres:17", ports: [5432:5432], args: [-c, ""], container_name: box-db}
    ready_when: {port: 5432, host: "::1"}
"#,
    );
    assert_eq!(config.defaults[0].key.name, "box.memory");
    assert_eq!(config.carry[0].dest, "~/.npmrc");
    let web = config.unit("web").unwrap();
    assert_eq!(web.launch, Launch::Shell("set -e\npnpm dev\n".to_owned()));
    assert_eq!(web.cwd.as_deref(), Some("apps/web"));
    assert_eq!(web.env, [("PORT".to_owned(), "3000".to_owned())]);
    let file = |path: &str, optional| EnvFile {
        path: path.to_owned(),
        optional,
        syntax: EnvSyntax::Dotenv,
    };
    assert_eq!(web.env_files, [file(".env", false), file(".env.local", true)]);
    assert_eq!(web.user.as_deref(), Some("1000"));
    assert_eq!(web.needs, ["db", "rigbox-svc-queue"]);
    let expected = Service {
        autostart: false,
        restart: RestartPolicy::Never,
        // An unset max_ms is never below initial_ms.
        backoff: Backoff {
            initial: Duration::from_secs(50),
            max: Duration::from_secs(50),
            factor: 1.5,
        },
        ready_when: Some(Probe {
            check: Check::Http {
                url: "https://localhost:3000/health".to_owned(),
                expect_status: Some(204),
            },
            interval: Duration::from_millis(100),
            initial_delay: Duration::from_millis(5),
            timeout: Duration::from_millis(256),
            on_timeout: OnTimeout::MarkUnhealthy,
        }),
        stop_signal: 2,
        stop_timeout: Duration::ZERO,
        expose: Some(Expose {
            port: 3000,
            published_as: 80,
        }),
    };
    assert_eq!(web.service(), Some(&expected));
    assert_eq!(
        config
            .exposed()
            .map(|(unit, expose)| (unit.name.as_str(), expose.port)),
        Some(("web", 3000))
    );

    let db = config.unit("db").unwrap();
    let image = ImageLaunch {
        name: "postgres:17".to_owned(),
        ports: texts(&["5432:5432"]),
        args: texts(&["-c", ""]),
        container_name: Some("box-db".to_owned()),
    };
    assert_eq!(db.launch, Launch::Image(image));
    let probe = db.service().unwrap().ready_when.clone().unwrap();
    assert_eq!(
        probe.check,
        Check::Port {
            host: Some("::1".to_owned()),
            port: 5432
        }
    );
    assert_eq!(probe.interval, Duration::from_millis(500));
    assert_eq!(probe.timeout, Duration::from_secs(60));
    assert_eq!(probe.on_timeout, OnTimeout::Kill);
}

#[test]
fn run_once_has_three_forms() {
    let config = good(
        "tasks:\n  a: {command: x, run_once: true}\n  b: {command: x, run_once: {inputs: ['*.json'], creates: [out]}}\n  \
         c: {command: x, run_once: {check: [test, -e, out]}}\n  d: {command: x, run_once: false}\n",
    );
    let of = |name: &str| config.unit(name).unwrap().task().unwrap().run_once.clone();
    let marker = |inputs: &[&str], creates: &[&str]| {
        Some(RunOnce::Marker {
            inputs: texts(inputs),
            creates: texts(creates),
        })
    };
    assert_eq!(of("a"), marker(&[], &[]));
    assert_eq!(of("b"), marker(&["*.json"], &["out"]));
    assert_eq!(
        of("c"),
        Some(RunOnce::Check(Launch::Argv(texts(&["test", "-e", "out"]))))
    );
    assert_eq!(of("d"), None);
}

#[test]
fn exposed_services_without_a_probe_get_one() {
    let config = good("services: {web: {command: x, expose: {port: 3000}}}");
    let probe = config
        .unit("web")
        .unwrap()
        .service()
        .unwrap()
        .ready_when
        .clone()
        .unwrap();
    assert_eq!(
        probe.check,
        Check::Port {
            host: None,
            port: 3000
        }
    );
    assert_eq!(probe.on_timeout, OnTimeout::MarkUnhealthy);
    assert_eq!(probe.timeout, Duration::from_secs(60));

    let config = good("services: {web: {command: x, expose: {port: 3000}, ready_when: {log_match: up}}}");
    let probe = config
        .unit("web")
        .unwrap()
        .service()
        .unwrap()
        .ready_when
        .clone()
        .unwrap();
    assert_eq!(
        probe.check,
        Check::LogMatch {
            pattern: "up".to_owned()
        }
    );
}

#[test]
fn text_is_kept_as_it_is_written() {
    let config = good(
        "services:\n  web:\n    command: 12:30:45\n    env: {A: 1.10, B: 0644, C: yes, D: 1e3, E: \"~\", F: 'null', \
         G: True, H: 2026-01-01, I: 0x10, J: \"\", K: .inf, L: 1_000, M: !!str null, N: no}\n",
    );
    assert_eq!(
        config.unit("web").unwrap().launch,
        Launch::Shell("12:30:45".to_owned())
    );
    let expected = [
        ("A", "1.10"),
        ("B", "0644"),
        ("C", "yes"),
        ("D", "1e3"),
        ("E", "~"),
        ("F", "null"),
        ("G", "True"),
        ("H", "2026-01-01"),
        ("I", "0x10"),
        ("J", ""),
        ("K", ".inf"),
        ("L", "1_000"),
        ("M", "null"),
        ("N", "no"),
    ];
    let expected: Vec<_> = expected
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    assert_eq!(variables(&config, "web"), expected);
}

#[test]
fn merge_keys_fill_in_what_is_not_given() {
    let config = good(
        r"
x-env: &env {A: base, B: base}
x-more: &more
  <<: *env
  B: more
  C: more
x-unit: &unit
  command: base
  restart: always
services:
  web:
    <<: *unit
    command: own
    env: {<<: [*env, *more], A: own}
  worker: {env: {<<: [*more, *env]}, <<: *unit}
",
    );
    let pairs = |unit: &str| -> Vec<String> {
        variables(&config, unit)
            .into_iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect()
    };
    let mut web = pairs("web");
    web.sort();
    assert_eq!(web, ["A=own", "B=base", "C=more"]);
    let mut worker = pairs("worker");
    worker.sort();
    assert_eq!(worker, ["A=base", "B=more", "C=more"]);
    assert_eq!(
        config.unit("web").unwrap().launch,
        Launch::Shell("own".to_owned())
    );
    assert_eq!(
        config.unit("worker").unwrap().launch,
        Launch::Shell("base".to_owned())
    );
    for name in ["web", "worker"] {
        assert_eq!(
            config.unit(name).unwrap().service().unwrap().restart,
            RestartPolicy::Always
        );
    }
}

#[test]
fn a_quoted_merge_key_is_a_key() {
    let config = good("services: {web: {command: x, env: {'<<': text}}}");
    assert_eq!(variables(&config, "web"), [("<<".to_owned(), "text".to_owned())]);
}

#[test]
fn line_breaks_of_windows_change_nothing() {
    let unix = "services:\n  web:\n    command: |\n      a\n      b\n    env:\n      A: b c\n";
    assert_eq!(good(unix), good(&unix.replace('\n', "\r\n")));
    assert_eq!(good(unix), good(&format!("\u{feff}{unix}")));
}

#[test]
fn entries_of_carry() {
    let config = good(
        r#"
carry:
  - ~/.npmrc
  - .//config/./local/
  - "/etc/ssl/ca certificate.pem=~/ca.pem"
  - src: ./.env
    dest: /etc/app/.env
    mode: "600"
    user: 33
    exclude: ["*.log", cache/**]
    optional: true
    secret: true
"#,
    );
    let entry = |src: &str, dest: &str| Carry {
        src: src.to_owned(),
        dest: dest.to_owned(),
        ..Carry::default()
    };
    let expected = [
        entry("~/.npmrc", "~/.npmrc"),
        entry("./config/local", "/workspace/config/local"),
        entry("/etc/ssl/ca certificate.pem", "~/ca.pem"),
        Carry {
            mode: Some(0o600),
            user: Some("33".to_owned()),
            exclude: vec!["*.log".to_owned(), "cache/**".to_owned()],
            optional: true,
            secret: true,
            ..entry("./.env", "/etc/app/.env")
        },
    ];
    assert_eq!(config.carry, expected);
}
