//! Where things lie in a box (contract, §5).

/// The project, in the container's writable layer.
pub const WORKSPACE: &str = "/workspace";
/// The configuration that the supervisor reads.
pub const CONFIG: &str = "/workspace/agentbox.yaml";
/// File name of the configuration, in a project and in a box.
pub const CONFIG_NAME: &str = "agentbox.yaml";
/// Unit logs.
pub const LOGS: &str = "/var/log/agentbox";
/// Name under which the box's own dockerd has its log, and is known to the supervisor. No unit can have it.
pub const DOCKER_DAEMON: &str = "docker.daemon";
/// The supervisor's socket.
pub const SOCKET: &str = "/run/agentbox/ctl.sock";
/// `run_once` markers; part of the warm tree.
pub const STATE: &str = "/var/lib/agentbox";
/// The box's own volume: identity, journal, environment. Never in a checkpoint.
pub const PRIVATE: &str = "/var/lib/agentbox/private";
/// Identity and environment, inside [`PRIVATE`].
pub const IDENTITY: &str = "/var/lib/agentbox/private/box.json";
/// The supervisor binary.
pub const BINARY: &str = "/usr/local/bin/agentbox-ctl";
/// File name of the recorded unit states, inside the private directory.
pub const RECORD_NAME: &str = "units.json";
/// File name of the event journal, inside the private directory.
pub const JOURNAL_NAME: &str = "events.jsonl";
/// The `agentbox.yaml` that the host last put into the box, inside [`PRIVATE`]: tells whether the box's was edited.
pub const PUSHED: &str = "/var/lib/agentbox/private/agentbox.yaml.pushed";
/// File name of [`PUSHED`], inside the private directory.
pub const PUSHED_NAME: &str = "agentbox.yaml.pushed";
/// There while a new box waits for its project on the stdin of PID 1, inside [`PRIVATE`]. Its content says what the box
/// starts with: nothing, [`SEEDING_WARM`] or [`SEEDING_FROZEN`].
pub const SEEDING: &str = "/var/lib/agentbox/private/seeding";
/// The tree of a checkpoint, on top of which the project's current state comes.
pub const SEEDING_WARM: &str = "warm";
/// The tree of a checkpoint, which stays as it was saved: no project comes.
pub const SEEDING_FROZEN: &str = "frozen";
/// What hosts have sent to the workspace, as records of the stream that brought it; part of the warm tree.
pub const SEEDED: &str = "/var/lib/agentbox/seeded";
/// Marker that makes the next start of the box one without units, inside [`PRIVATE`]: seconds since the Unix epoch until
/// which it counts. The supervisor removes it.
pub const WITHOUT_UNITS: &str = "/var/lib/agentbox/private/without-units";
/// File name of [`WITHOUT_UNITS`], inside the private directory.
pub const WITHOUT_UNITS_NAME: &str = "without-units";
/// Secret files as they were carried in, inside [`PRIVATE`].
pub const SECRETS: &str = "/var/lib/agentbox/private/secrets";
/// Where their owners read them: a file system in memory, filled from [`SECRETS`] at each start.
pub const SECRETS_IN_MEMORY: &str = "/run/agentbox/secrets";
/// Name of both directories.
pub const SECRETS_NAME: &str = "secrets";
/// Which files were carried in that are no secrets, as a JSON list of paths, inside [`PRIVATE`]. For the host alone.
pub const CARRIED: &str = "/var/lib/agentbox/private/carried.json";
/// Where secrets were carried to, in the same form.
pub const CARRIED_SECRETS: &str = "/var/lib/agentbox/private/carried-secrets.json";
/// Copies of the service specs and setup scripts that are attached, inside [`PRIVATE`]; the host writes it.
pub const ATTACHED: &str = "/var/lib/agentbox/private/attached.json";
/// File name of [`ATTACHED`], inside the private directory.
pub const ATTACHED_NAME: &str = "attached.json";
/// File name of the copies that were there when the box started, inside the private directory; the supervisor writes it.
pub const IN_EFFECT_NAME: &str = "attached-in-effect.json";
/// File name of what `systemctl enable` and `disable` said in this box, inside the private directory; the supervisor writes it.
pub const ENABLED_NAME: &str = "enabled.json";
/// The box's apps, inside [`PRIVATE`]; the host writes it.
pub const APPS: &str = "/var/lib/agentbox/private/apps.json";
/// Directories whose content nobody wants in a box that starts from a checkpoint.
pub const NEVER_WARM: [&str; 3] = ["/tmp", LOGS, "/var/lib/apt/lists"];
/// Files in home directories of which the same is true: what somebody typed into a shell, or a shell of some language or
/// database.
pub const HISTORIES: [&str; 40] = [
    ".bash_history",
    ".zsh_history",
    ".zhistory",
    ".histfile",
    ".ash_history",
    ".sh_history",
    ".ksh_history",
    ".mksh_history",
    ".tcsh_history",
    ".history",
    ".local/state/bash/history",
    ".local/state/zsh/history",
    ".local/share/zsh/history",
    ".local/share/fish/fish_history",
    ".config/nushell/history.txt",
    ".config/nushell/history.sqlite3",
    ".local/share/nushell/history.txt",
    ".local/share/powershell/PSReadLine/ConsoleHost_history.txt",
    ".local/share/atuin/history.db",
    ".local/share/atuin/history.db-wal",
    ".local/share/atuin/history.db-shm",
    ".python_history",
    ".ipython/profile_default/history.sqlite",
    ".node_repl_history",
    ".bun_repl_history",
    ".irb_history",
    ".local/share/irb/history",
    ".pry_history",
    ".local/share/pry/pry_history",
    ".php_history",
    ".config/psysh/psysh_history",
    ".Rhistory",
    ".psql_history",
    ".sqlite_history",
    ".mysql_history",
    ".mariadb_history",
    ".mongodb/mongosh/mongosh_repl_history",
    ".rediscli_history",
    ".lesshst",
    ".viminfo",
];
