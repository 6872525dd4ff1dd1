//! `package.json`: what to install, which script is the server, where it listens.

use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Unit};
use super::node_framework::{self, Framework, depends_on};
use super::node_manager::Manager;
use super::{is_simple, port_in_command, port_in_files};

/// Scripts that start a server, the likeliest first.
const SERVER_SCRIPTS: &[&str] = &["dev", "start:dev", "develop", "serve", "start"];

/// What runs the scripts of many packages at once: no server itself.
const ORCHESTRATORS: &[&str] = &[
    "turbo",
    "nx",
    "lerna",
    "concurrently",
    "npm-run-all",
    "run-p",
    "wsrun",
    "ultra",
    "moon",
    "rush",
];

/// Files that a server may start from.
const ENTRIES: &[&str] = &[
    "server.js",
    "index.js",
    "app.js",
    "main.js",
    "server.mjs",
    "index.mjs",
    "app.mjs",
    "server.ts",
    "index.ts",
    "app.ts",
    "main.ts",
    "src/server.js",
    "src/index.js",
    "src/app.js",
    "src/main.js",
    "src/server.ts",
    "src/index.ts",
    "src/app.ts",
    "src/main.ts",
];

/// Files that say the port of a development server.
const CONFIGURATIONS: &[&str] = &[
    "vite.config.ts",
    "vite.config.js",
    "vite.config.mjs",
    "vite.config.mts",
    "astro.config.mjs",
    "astro.config.ts",
    "nuxt.config.ts",
    "nuxt.config.js",
];

/// What `package.json` implies.
pub(crate) fn propose(part: Part<'_>, workspace: Option<Manager>) -> Option<Proposal> {
    let manifest = part.json("package.json").filter(Value::is_object)?;
    let (own, lock) = Manager::of(part, &manifest);
    let manager = workspace.unwrap_or(own);
    let entry = entry(part, &manifest);
    let script = server_script(&manifest).or(entry.as_deref().map(|command| ("", command)));
    let framework = script.and_then(|(_, text)| node_framework::of(&manifest, text));
    let mut details = vec![manager.name()];
    details.extend(framework.map(|framework| framework.name));
    let mut proposal = Proposal::new(format!("Node.js ({})", details.join(", ")), part.path);
    let installs = install(&mut proposal, part, &manifest, manager, lock);
    if let Some(script) = script {
        let service = service(part, &manifest, manager, script, framework, installs);
        let service = match before(&manifest, script, manager, installs) {
            Some(build) => {
                let needs = build.name.clone();
                proposal.units.push(build);
                Unit {
                    needs: vec![needs],
                    ..service
                }
            }
            None => service,
        };
        let is_direct = !service.shown_command().contains(" run ");
        if installs || !is_direct {
            proposal.tools = manager.tools();
        }
        proposal.units.push(service);
    } else if installs {
        proposal.tools = manager.tools();
    }
    (!proposal.units.is_empty()).then_some(proposal)
}

/// Whether a manifest is that of a workspace's root, with packages of its own below.
pub(crate) fn is_orchestrated(script: &str) -> bool {
    script
        .split(|character: char| character.is_whitespace() || "&;|\"'".contains(character))
        .any(|word| ORCHESTRATORS.contains(&word))
        || script.contains(" -r ")
        || script.contains("--recursive")
        || script.contains("--filter")
}

/// The script that starts a server.
pub(crate) fn server_script(manifest: &Value) -> Option<(&'static str, &str)> {
    SERVER_SCRIPTS.iter().find_map(|name| {
        let text = manifest["scripts"].get(*name)?.as_str()?;
        super::is_command(text).then_some((*name, text))
    })
}

/// How a program without a script of its own is started: by the file that `main` names or that `npm start` takes, where
/// it listens.
fn entry(part: Part<'_>, manifest: &Value) -> Option<String> {
    if manifest.get("workspaces").is_some() || part.has("pnpm-workspace.yaml") {
        return None;
    }
    let main = manifest["main"]
        .as_str()
        .map(|main| main.trim_start_matches("./"));
    main.into_iter()
        .chain(ENTRIES.iter().copied())
        .find(|file| {
            let is_program = [".js", ".mjs", ".cjs"]
                .iter()
                .any(|ending| file.ends_with(ending));
            is_program && part.text(file).is_some_and(|text| text.contains(".listen("))
        })
        .map(|file| format!("node {}", super::shell_word(file)))
}

/// Adds the install task, where there is anything to install.
fn install(
    proposal: &mut Proposal,
    part: Part<'_>,
    manifest: &Value,
    manager: Manager,
    lock: Option<&'static str>,
) -> bool {
    let has_any = ["dependencies", "devDependencies", "optionalDependencies"]
        .iter()
        .any(|kind| {
            manifest[*kind]
                .as_object()
                .is_some_and(|packages| !packages.is_empty())
        });
    let is_workspace = manifest.get("workspaces").is_some() || part.has("pnpm-workspace.yaml");
    if !has_any && lock.is_none() && !is_workspace {
        return false;
    }
    let mut task = Unit::task("install", Role::Install, manager.install(lock.is_some())).once(
        vec![lock.unwrap_or("package.json").to_owned()],
        vec![manager.creates(part).to_owned()],
    );
    if lock.is_none() {
        task = task.comment("There is no lock file, so versions may differ from box to box.");
    }
    proposal.units.push(task);
    true
}

/// The task that a production server needs before it can start.
fn before(manifest: &Value, script: (&str, &str), manager: Manager, installs: bool) -> Option<Unit> {
    let needs_build = [
        "next start",
        "nuxt start",
        "vite preview",
        "astro preview",
        "remix-serve",
        "node dist/",
        "node build/",
    ]
    .iter()
    .any(|start| script.1.contains(start));
    manifest["scripts"].get("build")?.as_str()?;
    needs_build.then(|| {
        Unit::task("build", Role::Prepare, manager.run("build"))
            .needs(if installs { &["install"] } else { &[] })
            .comment(format!("`{}` serves what was built.", script.0))
    })
}

fn service(
    part: Part<'_>,
    manifest: &Value,
    manager: Manager,
    (name, text): (&str, &str),
    framework: Option<&'static Framework>,
    installs: bool,
) -> Unit {
    let has_hooks = ["pre", "post"]
        .iter()
        .any(|hook| manifest["scripts"].get(format!("{hook}{name}")).is_some());
    // Without a name there is no script, only the program.
    let is_script = !name.is_empty();
    let by_manager = if is_script {
        manager.run(name)
    } else {
        text.to_owned()
    };
    // A package manager between the supervisor and a plain program only keeps signals from it.
    let is_direct = !has_hooks && !installs && is_simple(text) && text.starts_with("node ");
    let mut command = if is_direct {
        text.to_owned()
    } else {
        by_manager.clone()
    };
    let is_server = framework.is_some() || is_orchestrated(text);
    let mut unit = Unit::service(if is_server { "web" } else { "app" }, String::new())
        .needs(if installs { &["install"] } else { &[] })
        .known_by(&[&by_manager, text]);
    if is_script {
        unit = unit.known_by(&[&format!("{} {name}", manager.name())]);
    }
    let said = port_in_command(text);
    if let Some(framework) = framework {
        let configured = port_in_files(part, CONFIGURATIONS).filter(|_| framework.loopback.is_some());
        let in_source = || port_in_files(part, ENTRIES).filter(|_| framework.web <= 60);
        let port = said.or(configured).or_else(in_source).unwrap_or(framework.port);
        let setting = if said.is_some() {
            PortSetting::Fixed
        } else {
            framework.setting
        };
        if setting == PortSetting::Variable("PORT") && !matches!(framework.name, "Next.js" | "Remix") {
            unit = unit.env("PORT", port.to_string());
        }
        if let Some(option) = framework.loopback
            && is_simple(text)
            && !text.contains("--host")
        {
            command = format!("{command}{}{option}", manager.separator());
            unit = unit.comment("On 127.0.0.1, where the box's forwarder looks: `localhost` may be ::1.");
        }
        let setting = match setting {
            // Only a script that is one program takes options at its end.
            PortSetting::Option(_)
                if !is_simple(text) || command == by_manager && manager == Manager::Npm =>
            {
                PortSetting::Fixed
            }
            other => other,
        };
        unit = unit.port(port, setting, true).web(framework.web);
    } else if let Some(port) = said.or_else(|| port_in_files(part, ENTRIES)) {
        unit.name = "web".to_owned();
        let reads_port = ENTRIES
            .iter()
            .filter_map(|entry| part.text(entry))
            .any(|source| source.contains("env.PORT"));
        let setting = if reads_port && said.is_none() {
            unit = unit.env("PORT", port.to_string());
            PortSetting::Variable("PORT")
        } else {
            PortSetting::Fixed
        };
        unit = unit.port(port, setting, true).web(55);
    } else if depends_on(manifest, "ws") || depends_on(manifest, "socket.io") {
        unit = unit.comment("Its port is not known here: add `ready_when: {port: …}`.");
    }
    unit.run = super::super::proposal::Run::Shell(command);
    unit
}
