//! `Makefile`: the targets that people give these names.

use super::super::look::Part;
use super::super::proposal::{Proposal, Role, Unit};

/// Targets that fetch what is depended on.
const INSTALLS: &[&str] = &["install", "setup", "bootstrap", "deps", "init"];
/// Targets that start a server.
const SERVERS: &[&str] = &["dev", "serve", "run", "start", "server", "up"];

/// What a Makefile's targets suggest.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let file = part.first_of(&["GNUmakefile", "makefile", "Makefile"])?;
    let targets = targets(part.text(file)?);
    let has = |names: &[&'static str]| {
        names
            .iter()
            .copied()
            .find(|name| targets.iter().any(|(target, _)| target == name))
    };
    let mut proposal = Proposal::new(file, part.path);
    let install = has(INSTALLS);
    if let Some(name) = install {
        proposal.units.push(
            Unit::task("install", Role::Install, format!("make {name}"))
                .once(vec![file.to_owned()], Vec::new()),
        );
    }
    if let Some(name) = has(SERVERS) {
        let recipe = targets
            .iter()
            .find(|(target, _)| target == name)
            .map(|(_, recipe)| recipe.as_str());
        let mut unit = Unit::service("app", format!("make {name}"))
            .needs(if install.is_some() { &["install"] } else { &[] })
            .known_by(&[&format!("make {name}")]);
        let port = recipe.and_then(|recipe| recipe.lines().find_map(super::port_in_command));
        if let Some(port) = port {
            unit = unit
                .port(port, super::super::proposal::PortSetting::Fixed, true)
                .web(50);
            unit.name = "web".to_owned();
        }
        proposal.units.push(unit);
    }
    proposal.tools = vec![super::super::proposal::Tool {
        check: "command -v make",
        packages: &["make"],
        then: None,
    }];
    (!proposal.units.is_empty()).then_some(proposal)
}

/// Targets with their recipes.
fn targets(text: &str) -> Vec<(String, String)> {
    let mut targets: Vec<(String, String)> = Vec::new();
    let mut current = 0..0;
    for line in text.lines() {
        if let Some(recipe) = line.strip_prefix('\t') {
            for (_, whole) in &mut targets[current.clone()] {
                whole.push_str(recipe.trim_start_matches(['@', '-', '+']));
                whole.push('\n');
            }
            continue;
        }
        let Some((names, rest)) = line.split_once(':') else {
            continue;
        };
        // `name := value` is a variable.
        if rest.starts_with('=') || rest.starts_with(":=") || names.contains(['=', '#', '$', '%']) {
            continue;
        }
        let start = targets.len();
        targets.extend(
            names
                .split_whitespace()
                .map(|name| (name.to_owned(), String::new())),
        );
        current = start..targets.len();
    }
    targets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_told_from_variables() {
        let found =
            targets("PORT := 80\nX = a: b\n.PHONY: dev\ndev run: deps\n\t@serve --port 3000\n\n%.o: x\n");
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, [".PHONY", "dev", "run"]);
        assert_eq!(found[2].1, "serve --port 3000\n");
    }
}
