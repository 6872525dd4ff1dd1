//! Repositories with several projects: workspaces of a package manager, and directories that stand on their own.

use serde_json::Value;

use super::super::look::{Look, Part};
use super::super::names::ROOT_INSTALL;
use super::super::proposal::{Proposal, Role};
use super::node_manager::Manager;
use super::{guesses, node};

/// Most projects below a root that one file is good for.
const LARGEST: usize = 40;

/// What the directories below the root imply. Members of a JavaScript workspace are installed by the root.
pub(crate) fn propose(look: &Look) -> Vec<Proposal> {
    let root = look.root();
    let (members, excluded) = members(look);
    let manifest = root.json("package.json").unwrap_or(Value::Null);
    // One manager installs and runs the whole workspace.
    let manager = (!members.is_empty()).then(|| Manager::of(root, &manifest).0);
    let mut proposals = Vec::new();
    let mut taken: Vec<&str> = Vec::new();
    for part in look.directories() {
        if proposals.len() >= LARGEST {
            break;
        }
        // What lies inside of something that was found belongs to it.
        let is_inside = taken
            .iter()
            .any(|path| part.path.starts_with(&format!("{path}/")));
        let is_member = members.iter().any(|member| member.path == part.path);
        if is_inside && !is_member {
            continue;
        }
        let depth = part.path.matches('/').count();
        if depth > 1 && !is_member {
            continue;
        }
        if excluded.contains(&part.path) {
            continue;
        }
        let found = guesses(part, manager.filter(|_| is_member));
        if !found.is_empty() {
            taken.push(part.path);
        }
        for mut proposal in found {
            let is_node = proposal.found.starts_with("Node.js");
            if is_member && is_node {
                installed_by_root(&mut proposal);
            }
            let is_cargo_member = proposal.found.starts_with("Rust") && root.has("Cargo.toml");
            // A library has nothing that runs; a part of a Cargo workspace is the root's matter.
            if proposal.has_service() && !is_cargo_member && !is_shared_source(root, part, &proposal) {
                proposals.push(proposal);
            }
        }
    }
    proposals
}

/// Source directories of the root's own project: `src/main.py` of a root with a `pyproject.toml`.
fn is_shared_source(root: Part<'_>, part: Part<'_>, proposal: &Proposal) -> bool {
    let has_manifest = [
        "package.json",
        "pyproject.toml",
        "requirements.txt",
        "Pipfile",
        "Gemfile",
        "composer.json",
        "go.mod",
        "mix.exs",
        "pom.xml",
        "build.gradle",
        "build.gradle.kts",
        "Cargo.toml",
        "manage.py",
    ]
    .iter()
    .any(|name| part.has(name));
    if has_manifest {
        return false;
    }
    let is_python = proposal.found.starts_with("Python");
    let root_is_python = ["pyproject.toml", "requirements.txt", "Pipfile", "manage.py"]
        .iter()
        .any(|name| root.has(name));
    let root_is_php = ["composer.json", "index.php", "artisan"]
        .iter()
        .any(|name| root.has(name));
    let in_source = matches!(
        part.name(),
        "src" | "app" | "public" | "web" | "scripts" | "bin" | "docs"
    );
    (is_python && root_is_python) || (!is_python && root_is_php) || in_source
}

/// The directories that the root's package manager installs, and those it is told to leave alone.
fn members(look: &Look) -> (Vec<Part<'_>>, Vec<&str>) {
    let root = look.root();
    let manifest = root.json("package.json").unwrap_or(Value::Null);
    let workspaces = &manifest["workspaces"];
    let listed = workspaces
        .get("packages")
        .unwrap_or(workspaces)
        .as_array()
        .cloned();
    let pnpm = root
        .yaml("pnpm-workspace.yaml")
        .and_then(|file| file["packages"].as_array().cloned());
    let patterns: Vec<Value> = pnpm.or(listed).unwrap_or_default();
    let mut members: Vec<Part<'_>> = Vec::new();
    let mut all_excluded: Vec<&str> = Vec::new();
    for pattern in patterns.iter().filter_map(Value::as_str) {
        if let Some(excluded) = pattern.strip_prefix('!') {
            let excluded: Vec<&str> = matching(root, excluded).iter().map(|part| part.path).collect();
            members.retain(|member| !excluded.contains(&member.path));
            all_excluded.extend(excluded);
        } else {
            members.extend(matching(root, pattern));
        }
    }
    (members, all_excluded)
}

/// Directories below a part that a workspace pattern means: names, `*` within a name, `**` for any depth.
pub(crate) fn matching<'look>(part: Part<'look>, pattern: &str) -> Vec<Part<'look>> {
    let mut found = vec![part];
    for step in pattern
        .trim_start_matches("./")
        .split('/')
        .filter(|step| !step.is_empty())
    {
        let mut next: Vec<Part<'look>> = Vec::new();
        for part in found {
            if step == "**" {
                let mut below = vec![part];
                while let Some(part) = below.pop() {
                    below.extend(part.children());
                    next.push(part);
                }
            } else {
                next.extend(part.children().filter(|child| matches_name(step, child.name())));
            }
        }
        // A pattern of many `**` would multiply them.
        next.sort_by_key(|part| part.path);
        next.dedup_by_key(|part| part.path);
        found = next;
    }
    found
}

fn matches_name(pattern: &str, name: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == name,
        Some((before, after)) => {
            name.len() >= before.len() + after.len() && name.starts_with(before) && name.ends_with(after)
        }
    }
}

/// A member's services need the root's install; the member has none of its own.
fn installed_by_root(proposal: &mut Proposal) {
    proposal.units.retain(|unit| unit.role != Role::Install);
    for unit in &mut proposal.units {
        for need in &mut unit.needs {
            if need == "install" {
                // Resolved to the root's by the merge.
                *need = ROOT_INSTALL.to_owned();
            }
        }
        if unit.needs.is_empty() {
            unit.needs.push(ROOT_INSTALL.to_owned());
        }
    }
}

/// Whether the root's own service only starts those of its members.
pub(crate) fn is_orchestrator(root: Part<'_>) -> bool {
    let Some(manifest) = root.json("package.json") else {
        return false;
    };
    let is_workspace = manifest.get("workspaces").is_some() || root.has("pnpm-workspace.yaml");
    node::server_script(&manifest).is_some_and(|(_, text)| is_workspace || node::is_orchestrated(text))
}
