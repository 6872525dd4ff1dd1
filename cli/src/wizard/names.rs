//! Names for units: such as `agentbox.yaml` allows, each of its own, and needs that name what is meant.

use std::collections::{HashMap, HashSet};

use super::proposal::{Proposal, Role, Unit};

/// Stands for the root's install tasks in the needs of something else.
pub(crate) const ROOT_INSTALL: &str = "\0root-install";
/// Stands for the task that brings tools, should there be one.
pub(crate) const TOOLS: &str = "\0tools";

/// Longest name that is given; the file allows 63.
const LONGEST: usize = 50;

/// All units in the order of the file: tasks before what needs them, the root's before those below.
pub(crate) fn settle(proposals: Vec<Proposal>) -> Vec<Unit> {
    let mut taken: HashSet<String> = HashSet::new();
    let mut root_installs: Vec<String> = Vec::new();
    let mut units: Vec<Unit> = Vec::new();
    // Names across proposals, for needs that leave their own: an explicit service on a guessed task.
    let mut everywhere: HashMap<String, String> = HashMap::new();
    for proposal in proposals {
        let prefix = fit(proposal.directory.rsplit('/').next().unwrap_or_default());
        let kind = kind(&proposal.found);
        let mut own: HashMap<String, String> = HashMap::new();
        let start = units.len();
        for mut unit in proposal.units {
            let wanted = fit(&unit.name);
            // In a directory of its own a service is best known by that directory.
            let preferred = match (proposal.directory.is_empty(), unit.role) {
                (false, Role::Run) if matches!(wanted.as_str(), "web" | "app") => prefix.clone(),
                (false, _) if wanted == prefix => wanted,
                (false, _) => format!("{wanted}-{prefix}"),
                (true, _) => wanted,
            };
            // Two stacks in one directory are told apart by what they are.
            let name = if taken.contains(&preferred) {
                unique(&format!("{preferred}-{kind}"), &taken)
            } else {
                preferred
            };
            taken.insert(name.clone());
            own.entry(unit.name.clone()).or_insert_with(|| name.clone());
            everywhere
                .entry(unit.name.clone())
                .or_insert_with(|| name.clone());
            if unit.role == Role::Install && proposal.directory.is_empty() {
                root_installs.push(name.clone());
            }
            unit.web = by_name(unit.web, &name);
            unit.name = name;
            units.push(unit);
        }
        for unit in &mut units[start..] {
            for need in &mut unit.needs {
                if let Some(name) = own.get(need) {
                    need.clone_from(name);
                }
            }
        }
    }
    resolve(&mut units, &taken, &everywhere, &root_installs);
    break_cycles(&mut units);
    shorten(&mut units);
    units
}

/// Takes out needs that close a cycle, which only a file of somebody else's can have.
fn break_cycles(units: &mut [Unit]) {
    let index: HashMap<String, usize> = units
        .iter()
        .enumerate()
        .map(|(index, unit)| (unit.name.clone(), index))
        .collect();
    let mut kept: Vec<Vec<usize>> = vec![Vec::new(); units.len()];
    for (start, unit) in units.iter_mut().enumerate() {
        unit.needs.retain(|need| {
            if need == TOOLS {
                return true;
            }
            let Some(&target) = index.get(need) else {
                return false;
            };
            // Whether what is needed needs this one already, however far.
            let mut seen = HashSet::from([target]);
            let mut next = vec![target];
            while let Some(at) = next.pop() {
                if at == start {
                    return false;
                }
                next.extend(kept[at].iter().copied().filter(|&further| seen.insert(further)));
            }
            kept[start].push(target);
            true
        });
    }
}

fn resolve(
    units: &mut [Unit],
    taken: &HashSet<String>,
    everywhere: &HashMap<String, String>,
    root_installs: &[String],
) {
    for unit in units {
        let mut needs: Vec<String> = Vec::new();
        for need in std::mem::take(&mut unit.needs) {
            let named: Vec<String> = if need == TOOLS || need == ROOT_INSTALL && root_installs.is_empty() {
                vec![TOOLS.to_owned()]
            } else if need == ROOT_INSTALL {
                root_installs.to_vec()
            } else if taken.contains(&need) {
                vec![need]
            } else {
                everywhere.get(&need).cloned().into_iter().collect()
            };
            for name in named {
                if name != unit.name && !needs.contains(&name) {
                    needs.push(name);
                }
            }
        }
        unit.needs = needs;
    }
}

/// Takes out needs on tasks that another need of the same unit has: the file is for a person.
fn shorten(units: &mut [Unit]) {
    let needs: HashMap<String, Vec<String>> = units
        .iter()
        .map(|unit| (unit.name.clone(), unit.needs.clone()))
        .collect();
    let tasks: HashSet<String> = units
        .iter()
        .filter(|unit| unit.is_task())
        .map(|unit| unit.name.clone())
        .collect();
    for unit in units {
        let own = unit.needs.clone();
        unit.needs.retain(|need| {
            let mut seen: HashSet<&String> = HashSet::new();
            let mut next: Vec<&String> = own.iter().filter(|other| *other != need).collect();
            while let Some(at) = next.pop() {
                if let Some(further) = needs.get(at).filter(|_| seen.insert(at)) {
                    next.extend(further);
                }
            }
            let is_implied = needs
                .iter()
                .any(|(name, further)| seen.contains(name) && further.contains(need));
            !(is_implied && tasks.contains(need))
        });
    }
}

/// A short word for what was found: `node` for `Node.js (npm, Vite)`.
fn kind(found: &str) -> String {
    let word: String = found
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase();
    if word.is_empty() { "2".to_owned() } else { word }
}

/// Of two that are equally likely the web service, names decide.
fn by_name(web: u8, name: &str) -> u8 {
    const FOR: &[&str] = &["web", "www", "frontend", "front", "client", "site", "ui", "app"];
    const AGAINST: &[&str] = &["admin", "api", "backend", "server", "docs", "storybook", "worker"];
    let says = |words: &[&str]| {
        name.split(['-', '_'])
            .any(|part| words.contains(&part.to_lowercase().as_str()))
    };
    match web {
        0 => 0,
        _ if says(AGAINST) => web.saturating_sub(5).max(1),
        _ if says(FOR) => web.saturating_add(5),
        other => other,
    }
}

/// Text as a unit's name.
fn fit(text: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || character == '_' {
            name.push(character);
        } else if !name.ends_with('-') && !name.is_empty() {
            name.push('-');
        }
        if name.len() >= LONGEST {
            break;
        }
    }
    let name = name.trim_matches('-');
    // Names that begin so belong to the user's own setup scripts and service specs.
    for reserved in ["setup-", "rigbox-svc-"] {
        if let Some(rest) = name.strip_prefix(reserved) {
            return fit(&format!("run-{rest}"));
        }
    }
    if name.is_empty() {
        "unit".to_owned()
    } else {
        name.to_owned()
    }
}

fn unique(preferred: &str, taken: &HashSet<String>) -> String {
    if !taken.contains(preferred) {
        return preferred.to_owned();
    }
    (2_usize..)
        .map(|number| format!("{preferred}-{number}"))
        .find(|name| !taken.contains(name))
        .unwrap_or_else(|| preferred.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_are_made_to_fit() {
        for (text, name) in [
            ("web", "web"),
            ("run dev", "run-dev"),
            ("\"quo\nted\"", "quo-ted"),
            ("ünï", "n"),
            ("…", "unit"),
            ("setup-x", "run-x"),
            ("rigbox-svc-db", "run-db"),
        ] {
            assert_eq!(fit(text), name, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_name_becomes_a_valid_one(text in any::<String>()) {
            let name = fit(&text);
            prop_assert!(!name.is_empty() && name.len() <= LONGEST);
            prop_assert!(name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')));
            prop_assert!(!name.starts_with("setup-") && !name.starts_with("rigbox-svc-"));
        }
    }
}
