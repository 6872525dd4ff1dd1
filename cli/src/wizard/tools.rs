//! One task for the programs that agentbox's base image lacks.

use super::names::TOOLS;
use super::proposal::{Role, Tool, Unit};

/// Adds the task, and puts its name where a need stands for it.
pub(crate) fn add(units: &mut Vec<Unit>, mut tools: Vec<Tool>) {
    tools.sort();
    tools.dedup();
    if tools.is_empty()
        || !units
            .iter()
            .any(|unit| unit.needs.iter().any(|need| need == TOOLS))
    {
        for unit in units {
            unit.needs.retain(|need| need != TOOLS);
        }
        return;
    }
    let mut packages: Vec<&str> = tools
        .iter()
        .flat_map(|tool| tool.packages.iter().copied())
        .collect();
    packages.sort_unstable();
    packages.dedup();
    let mut lines = vec![
        "set -e".to_owned(),
        "sudo apt-get update -q".to_owned(),
        format!(
            "sudo apt-get install -y -q --no-install-recommends {}",
            packages.join(" ")
        ),
    ];
    let mut afterwards: Vec<&str> = tools.iter().filter_map(|tool| tool.then).collect();
    afterwards.dedup();
    lines.extend(afterwards.into_iter().map(str::to_owned));
    let checks: Vec<&str> = tools.iter().map(|tool| tool.check).collect();
    let task = Unit::task("tools", Role::Install, format!("{}\n", lines.join("\n")))
        .comment("The base image lacks these. An image that has them passes this over:")
        .comment("agentbox create --image REF")
        .once_checked(&checks.join(" && "));
    let name = (1_usize..)
        .map(|number| {
            if number == 1 {
                "tools".to_owned()
            } else {
                format!("tools-{number}")
            }
        })
        .find(|name| !units.iter().any(|unit| unit.name == *name))
        .unwrap_or_else(|| "tools".to_owned());
    for need in units.iter_mut().flat_map(|unit| unit.needs.iter_mut()) {
        if need == TOOLS {
            need.clone_from(&name);
        }
    }
    units.insert(0, Unit { name, ..task });
}
