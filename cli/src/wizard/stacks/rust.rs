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
    let server = own
        .into_iter()
        .chain(members)
        .find_map(|(member, manifest)| server(part, member, &manifest));
    let lock = if part.has("Cargo.lock") {
        "Cargo.lock"
    } else {
        "Cargo.toml"
    };
    let name = server
        .as_ref()
        .map_or("Cargo".to_owned(), |(name, _)| format!("Cargo, {name}"));
    let mut proposal = Proposal::new(format!("Rust ({name})"), part.path);
    proposal.tools = vec![CARGO];
    let mut build = Unit::task("build", Role::Install, "cargo build")
        .once(vec![lock.to_owned()], vec!["target".to_owned()])
        .comment("Compiles the dependencies once; a change of the lock file does it again.");
    if manifest.get("workspace").is_some() {
        build.run = super::super::proposal::Run::Shell("cargo build --workspace".to_owned());
    }
    proposal.units.push(build);
    if let Some((_, service)) = server {
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

fn server(root: Part<'_>, member: Part<'_>, manifest: &Value) -> Option<(&'static str, Unit)> {
    let dependencies = manifest.get("dependencies")?;
    let &(name, usual) = SERVERS
        .iter()
        .find(|(name, _)| dependencies.get(name).is_some())?;
    let bins = manifest.get("bin").and_then(Value::as_array);
    if !member.has("src/main.rs") && bins.is_none() {
        return None;
    }
    let said = port_in_files(member, &["src/main.rs", "src/server.rs", "src/app.rs"]);
    let mut command = "cargo run".to_owned();
    if member.path != root.path {
        command.push_str(" -p ");
        command.push_str(&shell_word(manifest["package"]["name"].as_str()?));
    }
    let default = manifest["package"]["default-run"].as_str();
    if let Some(bins) = bins.filter(|bins| bins.len() > 1 && default.is_none())
        && let Some(first) = bins.iter().find_map(|bin| bin["name"].as_str())
    {
        command.push_str(" --bin ");
        command.push_str(&shell_word(first));
    }
    let service = Unit::service("web", command)
        .port(said.unwrap_or(usual), PortSetting::Fixed, said.is_some())
        .slow()
        .web(60)
        .known_by(&["cargo run", "cargo watch"]);
    Some((name, service))
}
