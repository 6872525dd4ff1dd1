//! `agentbox config`, and what `create` makes of settings, as a user calls them: without an engine.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

/// A home with a project in it, and a program that knows nothing of the machine.
struct Home {
    directory: TempDir,
}

struct Run {
    code: Option<i32>,
    stdout: String,
    stderr: String,
}

impl Run {
    /// Everything of it, for a snapshot.
    fn all(&self) -> String {
        format!("exit {}\n{}{}", self.code.unwrap_or(-1), self.stdout, self.stderr)
    }
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::Builder::new().prefix("home").tempdir().unwrap();
        fs::create_dir_all(directory.path().join("shop/.git")).unwrap();
        Self { directory }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().canonicalize().unwrap()
    }

    fn project(&self) -> PathBuf {
        self.path().join("shop")
    }

    fn yaml(&self, text: &str) {
        fs::write(self.project().join("agentbox.yaml"), text).unwrap();
    }

    fn global(&self) -> PathBuf {
        self.path().join(".config/agentbox/config.yaml")
    }

    fn command(&self, arguments: &[&str], directory: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_agentbox"));
        command
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .env("HOME", self.path())
            .env("DOCKER_HOST", "unix:///nonexistent/docker.sock")
            .stdin(Stdio::null());
        command
    }

    fn done(&self, command: &mut Command) -> Run {
        let output = command.output().unwrap();
        let home = self.path().display().to_string();
        let text = |bytes| String::from_utf8(bytes).unwrap().replace(&home, "HOME");
        // The name of a project's file has its path.
        let escaped = home.replace('/', "%");
        Run {
            code: output.status.code(),
            stdout: text(output.stdout).replace(&escaped, "%HOME"),
            stderr: text(output.stderr).replace(&escaped, "%HOME"),
        }
    }

    fn run(&self, arguments: &[&str]) -> Run {
        self.done(&mut self.command(arguments, &self.project()))
    }

    fn good(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        assert_eq!(run.code, Some(0), "{arguments:?}: {}", run.stderr);
        run.stdout
    }
}

#[test]
fn every_value_has_the_layer_it_comes_from() {
    let home = Home::new();
    home.yaml("defaults:\n  box:\n    memory: 3g\n    env: {A: d}\n    cap_add: [NET_RAW]\n");
    home.good(&["config", "set", "--global", "box.image", "node:22"]);
    home.good(&["config", "set", "box.memory", "2g"]);
    home.good(&["config", "set", "box.cpus", "0.5"]);
    home.good(&["config", "set", "box.env.A", "p"]);
    home.good(&["config", "set", "box.env.B", "-x y"]);
    home.good(&["config", "set", "-g", "box.cap_add", "net_raw,CAP_SYS_PTRACE"]);
    insta::assert_snapshot!(home.good(&["config", "list"]), @r"
SETTING               VALUE       FROM
api.templates         -           -
box.image             node:22     global settings
box.from              -           -
box.memory            3g          defaults in agentbox.yaml:3
box.cpus              0.5         project settings
box.pids              4096        built-in
box.env.A             d           defaults in agentbox.yaml:4
box.env.B             -x y        project settings
box.network           -           -
box.docker            false       built-in
box.cap_add           NET_RAW     defaults in agentbox.yaml:5
box.cap_add           SYS_PTRACE  global settings
box.volumes           -           -
box.service_specs     -           -
box.setup_scripts     -           -
box.wait              false       built-in
carry.max_bytes       100m        built-in
checkpoint.max_depth  3           built-in
relay.idle_timeout    10m         built-in
relay.port            7080        built-in
");
    insta::assert_snapshot!(home.good(&["config", "list", "--global"]), @r"
SETTING               VALUE       FROM
api.templates         -           -
box.image             node:22     global settings
box.from              -           -
box.memory            -           -
box.cpus              -           -
box.pids              4096        built-in
box.env               -           -
box.network           -           -
box.docker            false       built-in
box.cap_add           NET_RAW     global settings
box.cap_add           SYS_PTRACE  global settings
box.volumes           -           -
box.service_specs     -           -
box.setup_scripts     -           -
box.wait              false       built-in
carry.max_bytes       100m        built-in
checkpoint.max_depth  3           built-in
relay.idle_timeout    10m         built-in
relay.port            7080        built-in
");
    assert_eq!(home.good(&["config", "get", "box.env"]), "A=d\nB=-x y\n");
    assert_eq!(home.good(&["config", "get", "box.env.B"]), "-x y\n");
    assert_eq!(
        home.good(&["config", "get", "box.cpus", "--json"]),
        "{\"key\":\"box.cpus\",\"value\":0.5,\"origin\":\"project\",\
         \"file\":\"HOME/.config/agentbox/projects/%HOME%shop.yaml\",\"line\":4}\n"
    );
    let all: serde_json::Value = serde_json::from_str(&home.good(&["config", "list", "--json"])).unwrap();
    let of = |key: &str| {
        all.as_array()
            .unwrap()
            .iter()
            .find(|row| row["key"] == key)
            .unwrap()
    };
    assert_eq!(of("box.memory")["line"], 3);
    assert_eq!(of("box.memory")["file"], "HOME/shop/agentbox.yaml");
    assert_eq!(
        of("box.cap_add")["value"],
        serde_json::json!(["NET_RAW", "SYS_PTRACE"])
    );
    assert_eq!(of("box.env")["entries"][0]["origin"], "defaults");
    assert_eq!(of("box.pids")["value"], 4096);
    assert_eq!(of("box.from")["value"], serde_json::Value::Null);
}

#[test]
fn what_set_and_unset_say() {
    let home = Home::new();
    home.yaml("defaults: {box: {memory: 3g}}\n");
    insta::assert_snapshot!(home.run(&["config", "set", "box.pids", "100"]).all(), @r"
exit 0
box.pids is set in the project settings, ~/.config/agentbox/projects/%HOME%shop.yaml
");
    insta::assert_snapshot!(home.run(&["config", "set", "box.memory", "4g"]).all(), @r"
exit 0
box.memory is set in the project settings, ~/.config/agentbox/projects/%HOME%shop.yaml
warning: for this project agentbox.yaml:1 says otherwise about box.memory, and wins
");
    insta::assert_snapshot!(home.run(&["config", "unset", "box.pids"]).all(), @r"
exit 0
box.pids is no longer set in the project settings, ~/.config/agentbox/projects/%HOME%shop.yaml
");
    insta::assert_snapshot!(home.run(&["config", "unset", "box.pids"]).all(), @r"
exit 1
error: box.pids is not set in the project settings, ~/.config/agentbox/projects/%HOME%shop.yaml
hint: agentbox config list shows where each value comes from
");
    insta::assert_snapshot!(home.run(&["config", "get", "box.from"]).all(), @r"
exit 1
error: box.from has no value
hint: agentbox config set box.from VALUE
");
    // Outside of a project, those for all.
    let outside = home.path();
    let set = home.done(&mut home.command(&["config", "set", "box.pids", "99"], &outside));
    insta::assert_snapshot!(set.all(), @r"
exit 0
box.pids is set in the global settings, ~/.config/agentbox/config.yaml
");
    assert_eq!(home.good(&["config", "get", "box.pids"]), "99\n");
    // A directory that is said to be one is one.
    let other = ["config", "set", "--project", ".", "box.pids", "98"];
    assert_eq!(home.done(&mut home.command(&other, &outside)).code, Some(0));
    assert_eq!(
        home.good(&["config", "get", "box.pids", "--project", ".."]),
        "98\n"
    );
    assert_eq!(home.good(&["config", "get", "box.pids"]), "99\n");
}

#[test]
fn wrong_words_and_values_change_nothing() {
    let home = Home::new();
    for (arguments, hint) in [
        (&["get", "box.memroy"][..], "did you mean box.memory?"),
        (&["set", "memory", "4g"], "did you mean box.memory?"),
        (&["unset", "box.memory.x"], "agentbox config get box.memory"),
        (&["set", "box.memory", "4x"], "4x"),
        (&["set", "box.wait", "maybe"], "neither true nor false"),
        (&["set", "box.network", "host"], "not its own"),
        (&["set", "box.volumes.cache", "/workspace"], "would cover"),
        (&["set", "box.env.A B", "x"], "no blanks"),
        (&["set", "box.env", "{A: b}\nbox.pids: 100"], "box.env"),
        (&["set", "box.cap_add", "a b"], "SYS_PTRACE"),
    ] {
        let run = home.run(&[&["config"], arguments].concat());
        assert_eq!(run.code, Some(2), "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(hint), "{arguments:?}: {}", run.stderr);
    }
    assert!(!home.path().join(".config").exists());
}

#[test]
fn mistakes_of_both_files_are_told_and_neither_is_overwritten() {
    let home = Home::new();
    home.good(&["config", "set", "box.memory", "4g"]);
    home.good(&["config", "set", "-g", "box.memory", "4g"]);
    let projects = home.path().join(".config/agentbox/projects");
    let file = fs::read_dir(projects).unwrap().next().unwrap().unwrap().path();
    let broken = "box:\n  memroy: 4g\n  pids: \"100\"\n";
    fs::write(&file, broken).unwrap();
    fs::write(home.global(), "boxes: []\n").unwrap();
    let run = home.run(&["create", "--no-wizard"]);
    insta::assert_snapshot!(run.all(), @r#"
exit 2
error: ~/.config/agentbox/projects/%HOME%shop.yaml:2:3: unknown key "memroy" in box of the file
  2 |   memroy: 4g
    |   ^^^^^^
  hint: did you mean "memory"?
error: ~/.config/agentbox/projects/%HOME%shop.yaml:3:9: box.pids in the file must be a whole number from 16 to 4194304, not the text "100"
  3 |   pids: "100"
    |         ^^^^^
  hint: write 100 without quotes
error: ~/.config/agentbox/config.yaml:1:1: unknown key "boxes" in the file
  1 | boxes: []
    | ^^^^^
  hint: the keys here are api, box, carry, checkpoint, relay
"#);
    for arguments in [
        &["config", "list"][..],
        &["config", "get", "box.memory"],
        &["config", "set", "box.memory", "5g"],
        &["config", "unset", "box.memory"],
    ] {
        let run = home.run(arguments);
        assert_eq!(run.code, Some(2), "{arguments:?}");
        assert!(run.stderr.contains("yaml:2:3: unknown key"), "{}", run.stderr);
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    fs::remove_file(home.global()).unwrap();
    fs::create_dir(home.global()).unwrap();
    let run = home.run(&["config", "set", "-g", "box.memory", "5g"]);
    assert!(
        run.code == Some(2) && run.stderr.contains("is not a file"),
        "{}",
        run.stderr
    );
}

#[test]
fn xdg_config_home_is_where_settings_are() {
    let home = Home::new();
    let elsewhere = home.path().join("elsewhere");
    let mut command = home.command(&["config", "set", "-g", "box.pids", "77"], &home.project());
    assert_eq!(
        home.done(command.env("XDG_CONFIG_HOME", &elsewhere)).code,
        Some(0)
    );
    assert!(elsewhere.join("agentbox/config.yaml").is_file());
    assert_eq!(home.good(&["config", "get", "box.pids"]), "4096\n");
    let mut command = home.command(&["config", "get", "box.pids"], &home.project());
    assert_eq!(
        home.done(command.env("XDG_CONFIG_HOME", &elsewhere)).stdout,
        "77\n"
    );
}

#[test]
fn a_box_with_docker_waits_for_a_word_and_a_service_with_an_image_for_such_a_box() {
    let home = Home::new();
    home.yaml("services:\n  db: {image: {name: postgres}}\ndefaults:\n  box:\n    docker: true\n");
    insta::assert_snapshot!(home.run(&["create"]).all(), @r"
exit 1
what agentbox.yaml asks for beyond a plain box:
  box.docker: true
    warning: a hostile box of that kind can probably break out
error: what agentbox.yaml asks for beyond a plain box is not allowed yet, and without a terminal nobody can be asked
hint: agentbox create --defaults yes allows it, --defaults skip makes the box without
");
    // The engine is the next thing that is missing.
    assert_eq!(home.run(&["create", "--defaults", "yes"]).code, Some(4));
    assert_eq!(home.run(&["create", "--docker"]).code, Some(4));
    // Nobody is asked about what a flag takes away.
    insta::assert_snapshot!(home.run(&["create", "--docker=false", "--image", "i"]).all(), @r#"
exit 2
error: agentbox.yaml:2:3: service "db" is a container, and the box would have no Docker to run it
  2 |   db: {image: {name: postgres}}
    |   ^^
  hint: agentbox create --docker, or agentbox config set box.docker true
"#);
}

#[test]
fn what_a_repository_asks_for_waits_for_a_word() {
    let home = Home::new();
    home.yaml("defaults:\n  box:\n    memory: 4g\n    network: backend\n    cap_add: [SYS_PTRACE]\n    volumes: {cache: /c}\n");
    insta::assert_snapshot!(home.run(&["create", "--no-wizard"]).all(), @r"
exit 1
what agentbox.yaml asks for beyond a plain box:
  box.network: backend
    warning: the box reaches everything in that network
  box.cap_add: SYS_PTRACE
    warning: it may let a hostile box break out
  box.volumes.cache: /c
error: what agentbox.yaml asks for beyond a plain box is not allowed yet, and without a terminal nobody can be asked
hint: agentbox create --defaults yes allows it, --defaults skip makes the box without
");
    assert_eq!(home.run(&["create", "-y"]).code, Some(1));
    assert_eq!(home.run(&["create", "--defaults", "maybe"]).code, Some(2));
    let skipped = home.run(&["create", "--defaults", "skip"]);
    assert_eq!(skipped.code, Some(4));
    assert!(
        skipped.stderr.starts_with(
            "left out of the box: box.network: backend, box.cap_add: SYS_PTRACE, box.volumes.cache: /c\n"
        ),
        "{}",
        skipped.stderr
    );
    // Skipping is no answer for the next time; a yes is, until the list changes.
    assert_eq!(home.run(&["create"]).code, Some(1));
    let mut command = home.command(&["create"], &home.project());
    assert_eq!(home.done(command.env("AGENTBOX_DEFAULTS", "yes")).code, Some(4));
    assert_eq!(home.run(&["create"]).code, Some(4));
    home.yaml("defaults:\n  box: {network: backend, cap_add: [SYS_PTRACE], volumes: {cache: /c}}\n");
    assert_eq!(home.run(&["create"]).code, Some(4));
    home.yaml("defaults:\n  box: {network: backend, cap_add: [SYS_ADMIN], volumes: {cache: /c}}\n");
    assert_eq!(home.run(&["create"]).code, Some(1));
    // What the user asks for anyway needs no second word.
    let own = [
        "create",
        "--network",
        "none",
        "--cap-add",
        "SYS_ADMIN",
        "--volume",
        "cache:/d",
    ];
    assert_eq!(home.run(&own).code, Some(4));
}

#[test]
fn two_volumes_at_one_path_name_their_places() {
    let home = Home::new();
    home.good(&["config", "set", "-g", "box.volumes.theirs", "/x"]);
    insta::assert_snapshot!(home.run(&["create", "--no-wizard", "--volume", "mine:/x"]).all(), @r"
exit 2
error: volumes mine (--volume) and theirs (~/.config/agentbox/config.yaml:3) are both mounted at /x
hint: give --volume theirs:ANOTHER-PATH
");
    let twice = [
        "create",
        "--no-wizard",
        "--volume",
        "mine:/x",
        "--volume",
        "mine:/y",
    ];
    insta::assert_snapshot!(home.run(&twice).all(), @r"
exit 2
error: volume mine is given twice, at /x and /y
hint: give each path a volume of its own
");
}

#[test]
fn what_may_be_carried_is_a_setting() {
    let home = Home::new();
    home.yaml("carry: [./data=/tmp/data]\n");
    fs::write(home.project().join("data"), vec![b'x'; 3000]).unwrap();
    let create = ["create", "--carry-yes"];
    assert_eq!(home.run(&create).code, Some(4));
    home.good(&["config", "set", "-g", "carry.max_bytes", "2k"]);
    let refused = home.run(&create);
    assert_ne!(refused.code, Some(4));
    assert!(refused.stderr.contains("carry.max_bytes"), "{}", refused.stderr);
    home.good(&["config", "set", "carry.max_bytes", "4k"]);
    assert_eq!(home.run(&create).code, Some(4));
}

#[test]
fn what_there_is_one_of_is_set_for_all_projects() {
    let home = Home::new();
    let refused = home.run(&["config", "set", "relay.port", "7090"]);
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(
        refused
            .stderr
            .contains("hint: agentbox config set --global relay.port 7090"),
        "{}",
        refused.stderr
    );
    home.good(&["config", "set", "--global", "relay.port", "7090"]);
    assert_eq!(home.good(&["config", "get", "relay.port"]), "7090\n");
}
