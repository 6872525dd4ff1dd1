//! The keys of every table of the file, each with its description: one list for the walker, which refuses any
//! other key and suggests from these, and for the schema, which shows the descriptions in editors.

/// A key and what it is for.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) description: &'static str,
}

const fn key(name: &'static str, description: &'static str) -> Key {
    Key { name, description }
}

/// Whether `name` is in `table`.
pub(super) fn contains(table: &[Key], name: &str) -> bool {
    table.iter().any(|key| key.name == name)
}

/// The file's own keys; `x-*` goes beside them.
pub(super) const FILE: &[Key] = &[
    key(
        "services",
        "Long-running units by name: dev servers, workers, databases.",
    ),
    key(
        "tasks",
        "Units that run to completion, by name: installs, migrations, seeds.",
    ),
    key(
        "carry",
        "Host files to copy into the box; asked about once per content.",
    ),
    key("ide", "Editor settings; any mapping."),
    key("defaults", "Defaults for `agentbox create` in this project."),
];

const COMMAND: Key = key(
    "command",
    "What to run. A string is run by a shell (`bash -c`, or `sh -c` where the image has no bash), a list without one.",
);
const CWD: Key = key(
    "cwd",
    "Working directory; a relative path resolves against /workspace. Default: /workspace.",
);
const ENV: Key = key(
    "env",
    "Environment variables. Numbers and booleans keep the text they are written with.",
);
const ENV_FILE: Key = key(
    "env_file",
    "File or files of KEY=VALUE lines under /workspace, read at each start; `env` wins. A missing one is an error unless it is written {path, optional: true}.",
);
const USER: Key = key("user", "User name or uid to run as. Default: the box user.");
const NEEDS: Key = key(
    "needs",
    "Units that must be in their good end state first: done for a task; ready for a service, or running if it has no probe.",
);

/// A service's keys.
pub(super) const SERVICE: &[Key] = &[
    COMMAND,
    key(
        "image",
        "Instead of command, in a box with Docker: a container that is run in the box and reused by name.",
    ),
    CWD,
    ENV,
    ENV_FILE,
    USER,
    NEEDS,
    key(
        "autostart",
        "Whether the service starts when the supervisor does. A unit that needs it starts it regardless. Default: true.",
    ),
    key(
        "restart",
        "What happens after it exits: always, on-failure or never (no means never). Default: on-failure.",
    ),
    key("backoff", "Delays between restarts."),
    key(
        "ready_when",
        "Readiness probe: exactly one of port, http and log_match.",
    ),
    key(
        "stop_signal",
        "Signal that asks it to stop, by name or number. Default: SIGTERM.",
    ),
    key(
        "stop_timeout_ms",
        "Milliseconds from the stop signal to SIGKILL. Default: 10000.",
    ),
    key(
        "expose",
        "Makes this the box's web service; at most one service has it.",
    ),
    key("ide", "Editor settings; any mapping. A change restarts nothing."),
];

/// A task's keys.
pub(super) const TASK: &[Key] = &[
    COMMAND,
    CWD,
    ENV,
    ENV_FILE,
    USER,
    NEEDS,
    key(
        "run_once",
        "When the task has nothing to do and is passed over: true (it has succeeded with the same command, cwd and env), {inputs, creates} or {check}.",
    ),
];

/// Keys of `image`.
pub(super) const IMAGE: &[Key] = &[
    key("name", "Image reference, such as postgres:17."),
    key("ports", "Published ports, as for `docker run -p`."),
    key("args", "Arguments for the image's entrypoint."),
    key(
        "container_name",
        "Name of the container. Default: made from the service's.",
    ),
];

/// Keys of a mapping in `env_file`.
pub(super) const ENV_FILE_ENTRY: &[Key] = &[
    key("path", "Path under /workspace."),
    key("optional", "Whether the file may be missing. Default: false."),
];

/// Keys of a mapping in `carry`.
pub(super) const CARRY: &[Key] = &[
    key(
        "src",
        "File or directory of the host: /…, ~/… (your home) or ./… (the project).",
    ),
    key(
        "dest",
        "Where it goes in the box: /… or ~/… (the box user's home). Default: the same path below ~ or /workspace; required for /….",
    ),
    key(
        "mode",
        "Permissions of the files, octal and in quotes, such as \"0600\". Default: the host's; \"0600\" for a secret.",
    ),
    key(
        "user",
        "User name or uid in the box that owns it. Default: the box user.",
    ),
    key(
        "exclude",
        "Globs of what is left out below a directory. One without / matches names at any depth.",
    ),
    key("optional", "Whether the source may be missing. Default: false."),
    key(
        "secret",
        "Whether it stays out of the box's file system and of checkpoints: the destination is a link to a copy in memory. Default: false.",
    ),
];

/// Keys of `backoff`.
pub(super) const BACKOFF: &[Key] = &[
    key("initial_ms", "First delay in milliseconds. Default: 500."),
    key(
        "max_ms",
        "Longest delay in milliseconds; a run that lasts longer resets the delay. Default: 30000, or initial_ms where that is more.",
    ),
    key(
        "factor",
        "Growth from one delay to the next, at least 1. Default: 2.",
    ),
];

/// Keys of `ready_when`.
pub(super) const READY_WHEN: &[Key] = &[
    key("port", "Ready when this TCP port accepts a connection."),
    key(
        "host",
        "Host of the port. Default: 127.0.0.1 and ::1. Goes with port.",
    ),
    key(
        "http",
        "Ready when a GET of this http:// or https:// URL is answered as expected. Redirects are not followed.",
    ),
    key(
        "expect_status",
        "The one status that counts. Default: any 2xx. Goes with http.",
    ),
    key(
        "log_match",
        "Ready when this regular expression matches the output.",
    ),
    key(
        "interval_ms",
        "Longest gap between two attempts in milliseconds. Default: 500. Goes with port and http.",
    ),
    key(
        "initial_delay_ms",
        "Milliseconds before the first attempt. Default: 0. Goes with port and http.",
    ),
    key(
        "timeout_ms",
        "Milliseconds from spawn until the probe has failed. Default: 60000.",
    ),
    key(
        "on_timeout",
        "What happens then: kill (a failure, the restart policy decides) or mark_unhealthy (the process is left, probing goes on). Default: kill.",
    ),
];

/// Keys of `expose`.
pub(super) const EXPOSE: &[Key] = &[
    key("port", "Port that the service listens on."),
    key(
        "as",
        "Port that it appears on in the box; can only be 80. Default: 80.",
    ),
];

/// Keys of `run_once`.
pub(super) const RUN_ONCE: &[Key] = &[
    key(
        "inputs",
        "Globs of files; the task runs again when their content has changed.",
    ),
    key(
        "creates",
        "Paths that the task makes; it runs again when one is gone.",
    ),
    key(
        "check",
        "Command that exits 0 when there is nothing to do. Stands alone.",
    ),
];
