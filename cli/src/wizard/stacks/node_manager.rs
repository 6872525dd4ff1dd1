//! Which package manager a JavaScript project uses, and how it is called.

use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::Tool;

/// A package manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manager {
    Npm,
    Pnpm,
    /// Version 1.
    YarnClassic,
    /// Version 2 and later.
    YarnBerry,
    Bun,
}

const NPM: Tool = Tool {
    check: "command -v npm",
    packages: &["npm"],
    then: None,
};

impl Manager {
    /// By the lock file, else by what `packageManager` says; and the lock file, where there is one.
    pub(crate) fn of(part: Part<'_>, manifest: &Value) -> (Self, Option<&'static str>) {
        let named = manifest["packageManager"].as_str().unwrap_or_default();
        let berry = named.starts_with("yarn@") && !named.starts_with("yarn@1") || part.has(".yarnrc.yml");
        let yarn = if berry { Self::YarnBerry } else { Self::YarnClassic };
        let by_name = match named.split('@').next() {
            Some("pnpm") => Some(Self::Pnpm),
            Some("yarn") => Some(yarn),
            Some("bun") => Some(Self::Bun),
            Some("npm") => Some(Self::Npm),
            _ => None,
        };
        let locks = [
            (Self::Pnpm, "pnpm-lock.yaml"),
            (yarn, "yarn.lock"),
            (Self::Bun, "bun.lock"),
            (Self::Bun, "bun.lockb"),
            (Self::Npm, "package-lock.json"),
            (Self::Npm, "npm-shrinkwrap.json"),
        ];
        let present: Vec<_> = locks.iter().filter(|(_, file)| part.has(file)).collect();
        // With the lock files of two managers, the manifest decides which one is meant.
        let chosen = present
            .iter()
            .find(|(manager, _)| by_name.is_none_or(|named| named == *manager));
        match chosen {
            Some((manager, file)) => (*manager, Some(file)),
            None => (by_name.unwrap_or(Self::Npm), None),
        }
    }

    /// Its name, for the user.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Npm => "npm",
            Self::Pnpm => "pnpm",
            Self::YarnClassic | Self::YarnBerry => "yarn",
            Self::Bun => "bun",
        }
    }

    /// The command that installs what the lock file says.
    pub(crate) fn install(self, has_lock: bool) -> &'static str {
        match (self, has_lock) {
            (Self::Npm, true) => "npm ci",
            (Self::Npm, false) => "npm install",
            (Self::Pnpm, true) => "pnpm install --frozen-lockfile",
            (Self::Pnpm, false) => "pnpm install",
            (Self::YarnClassic, true) => "yarn install --frozen-lockfile",
            (Self::YarnBerry, true) => "yarn install --immutable",
            (Self::YarnClassic | Self::YarnBerry, false) => "yarn install",
            (Self::Bun, true) => "bun install --frozen-lockfile",
            (Self::Bun, false) => "bun install",
        }
    }

    /// What an install makes.
    pub(crate) fn creates(self, part: Part<'_>) -> &'static str {
        let linker = part.text(".yarnrc.yml").unwrap_or_default();
        if self == Self::YarnBerry && !linker.contains("node-modules") && !linker.contains("pnpm") {
            ".pnp.cjs"
        } else {
            "node_modules"
        }
    }

    /// The command that runs a script. npm alone wants `--` before arguments that are meant for the script.
    pub(crate) fn run(self, script: &str) -> String {
        format!("{} run {script}", self.name())
    }

    /// What comes between a script and arguments for it.
    pub(crate) fn separator(self) -> &'static str {
        match self {
            Self::Npm => " -- ",
            Self::Pnpm | Self::YarnClassic | Self::YarnBerry | Self::Bun => " ",
        }
    }

    /// What has to be in the box.
    pub(crate) fn tools(self) -> Vec<Tool> {
        let global = |check, then| Tool {
            check,
            packages: &["npm"],
            then: Some(then),
        };
        vec![match self {
            Self::Npm => NPM,
            Self::Pnpm => global("command -v pnpm", "sudo npm install --global pnpm@10"),
            Self::YarnClassic => global("command -v yarn", "sudo npm install --global yarn"),
            // Its corepack shim fetches the version that the project pins.
            Self::YarnBerry => global(
                "command -v yarn",
                "sudo npm install --global corepack && sudo corepack enable",
            ),
            Self::Bun => global("command -v bun", "sudo npm install --global bun"),
        }]
    }
}
