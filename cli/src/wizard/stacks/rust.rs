//! Rust: `Cargo.toml`, and the web framework among its dependencies.

use serde_json::Value;

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};
use super::{port_in_files, shell_word};

/// Crates of web servers, each with the port its own examples use.
const SERVERS: &[(&str, u16)] = &[
    ("axum", 3000),
    ("actix-web", 8080),
    ("rocket", 8000),
    ("warp", 3030),
    ("poem", 3000),
    ("salvo", 5800),
    ("tide", 8080),
    ("leptos", 3000),
    ("hyper", 3000),
    ("tiny_http", 8000),
];

const CARGO: Tool = Tool {
    check: "command -v cargo",
    packages: &["cargo", "build-essential", "pkg-config", "libssl-dev"],
    then: None,
};

/// What `Cargo.toml` implies.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let manifest = part.toml("Cargo.toml")?;
    let own = manifest.get("package").map(|_| (part, manifest.clone()));
    let members = members(part, &manifest);
    let mut servers: Vec<(&'static str, Unit)> = own
        .into_iter()
        .chain(members)
        .filter_map(|(member, manifest)| server(part, member, &manifest))
        .collect();
    // A member by its own name, where there are several.
    if let [(_, only)] = servers.as_mut_slice() {
        "web".clone_into(&mut only.name);
    }
    let lock = if part.has("Cargo.lock") {
        "Cargo.lock"
    } else {
        "Cargo.toml"
    };
    let mut details = vec!["Cargo"];
    for (name, _) in &servers {
        if !details.contains(name) {
            details.push(name);
        }
    }
    let name = details.join(", ");
    let mut proposal = Proposal::new(format!("Rust ({name})"), part.path);
    proposal.tools = vec![CARGO];
    let mut build = Unit::task("build", Role::Install, "cargo build")
        .once(vec![lock.to_owned()], vec!["target".to_owned()])
        .comment("Compiles the dependencies once; a change of the lock file does it again.");
    if manifest.get("workspace").is_some() {
        build.run = super::super::proposal::Run::Shell("cargo build --workspace".to_owned());
    }
    proposal.units.push(build);
    for (_, service) in servers {
        proposal.units.push(service.needs(&["build"]));
    }
    Some(proposal)
}

/// Members of a workspace that are directories, or `*` below one.
fn members<'look>(part: Part<'look>, manifest: &Value) -> Vec<(Part<'look>, Value)> {
    let patterns = manifest["workspace"]["members"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    let mut found: Vec<Part<'look>> = Vec::new();
    for pattern in patterns.iter().filter_map(Value::as_str) {
        found.extend(super::monorepo::matching(part, pattern));
    }
    found
        .into_iter()
        .filter_map(|member| Some((member, member.toml("Cargo.toml")?)))
        .collect()
}

/// Names of a package's programs, as Cargo finds them.
fn programs(member: Part<'_>, manifest: &Value, package: &str) -> Vec<String> {
    let declared = manifest.get("bin").and_then(Value::as_array);
    let mut programs: Vec<String> = declared
        .into_iter()
        .flatten()
        .filter_map(|bin| bin["name"].as_str().map(str::to_owned))
        .collect();
    let declares = |path: &str| {
        declared.into_iter().flatten().any(|bin| {
            bin["path"]
                .as_str()
                .is_some_and(|own| own.trim_start_matches("./") == path)
        })
    };
    let mut found = Vec::new();
    if member.has("src/main.rs") && !declares("src/main.rs") {
        found.push(package.to_owned());
    }
    if let Some(directory) = member.below("src/bin") {
        let files = directory.file_names().filter_map(|name| name.strip_suffix(".rs"));
        found.extend(
            files
                .filter(|name| !declares(&format!("src/bin/{name}.rs")))
                .map(str::to_owned),
        );
    }
    for program in found {
        if !programs.contains(&program) {
            programs.push(program);
        }
    }
    programs
}

/// The program that serves, by its name: the only one, one that says so, the package's own, the first.
fn likeliest<'name>(programs: &'name [String], package: &str) -> Option<&'name str> {
    let says_so = |name: &&String| {
        name.split(['-', '_'])
            .any(|word| matches!(word, "server" | "serve" | "web" | "http" | "api"))
    };
    programs
        .iter()
        .find(says_so)
        .or_else(|| programs.iter().find(|name| *name == package))
        .or_else(|| programs.first())
        .map(String::as_str)
}

fn server(root: Part<'_>, member: Part<'_>, manifest: &Value) -> Option<(&'static str, Unit)> {
    let dependencies = manifest.get("dependencies")?;
    let &(name, usual) = SERVERS
        .iter()
        .find(|(name, _)| dependencies.get(name).is_some())?;
    let package = manifest["package"]["name"].as_str()?;
    let programs = programs(member, manifest, package);
    let program = likeliest(&programs, package)?;
    let own = format!("src/bin/{program}.rs");
    let said = port_in_files(member, &[&own, "src/main.rs", "src/server.rs", "src/app.rs"]);
    let mut command = "cargo run".to_owned();
    if member.path != root.path {
        command.push_str(" -p ");
        command.push_str(&shell_word(manifest["package"]["name"].as_str()?));
    }
    // Cargo refuses to guess between several.
    if programs.len() > 1 && manifest["package"].get("default-run").is_none() {
        command.push_str(" --bin ");
        command.push_str(&shell_word(program));
    }
    let service = Unit::service(package, command)
        .port(said.unwrap_or(usual), PortSetting::Fixed, said.is_some())
        .slow()
        .web(60)
        .known_by(&["cargo run", "cargo watch"]);
    Some((name, service))
}
