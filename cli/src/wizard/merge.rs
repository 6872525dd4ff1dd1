//! From what each stack proposes to one plan.
//!
//! ```text
//! explicit descriptions ─┐
//! guesses, root first ───┼─► choose (explicit wins) ─► names ─► needs ─► tools ─► ports ─► expose ─► Plan
//! compose ───────────────┘
//! ```

use super::built::{self, Programs};
use super::look::Look;
use super::names::{ROOT_INSTALL, TOOLS};
use super::proposal::{Plan, Port, PortSetting, Proposal, Role, Unit};
use super::stacks::{self, compose, conductor, cursor, devcontainer, makefile, monorepo, procfile};
use super::{names, ports, tools};

/// Most units that one description is good for: a person is to read the file.
const LARGEST: usize = 60;

/// What a project's files say it is and needs.
pub(crate) fn propose(look: &Look) -> Plan {
    let root = look.root();
    let mut guesses = stacks::guesses(root, None);
    let below = monorepo::propose(look);
    if !below.is_empty() && monorepo::is_orchestrator(root) {
        // The script that starts all of them at once would start each a second time.
        for guess in guesses
            .iter_mut()
            .filter(|guess| guess.found.starts_with("Node.js"))
        {
            guess.units.retain(Unit::is_task);
        }
    }
    guesses.extend(below);

    let mut explicit: Vec<Proposal> = [
        conductor::propose(root),
        cursor::propose(root),
        procfile::propose(root),
    ]
    .into_iter()
    .flatten()
    .collect();
    let mut forwarded = Vec::new();
    let running: Vec<Unit> = guesses
        .iter()
        .flat_map(|guess| guess.units.iter().filter(|unit| unit.role == Role::Run).cloned())
        .collect();
    if let Some((container, ports)) = devcontainer::propose(root, &running) {
        explicit.push(container);
        forwarded = ports;
    }
    keep_the_first(&mut explicit);
    let (composed, services) = compose::propose(root).map_or((None, Vec::new()), |(proposal, services)| {
        (Some(proposal), services)
    });
    if let Some(make) = makefile::propose(root) {
        fall_back_on_make(make, &mut guesses, &explicit);
    }

    let mut plan = Plan {
        notes: look.notes.clone(),
        ..Plan::default()
    };
    let tools: Vec<_> = guesses.iter().flat_map(|guess| guess.tools.clone()).collect();
    override_guesses(&mut explicit, &mut guesses);
    let backing: Vec<String> = composed
        .iter()
        .flat_map(|proposal| proposal.units.iter().map(|unit| unit.name.clone()))
        .collect();
    let mut programs = Programs {
        guesses: &mut guesses,
        explicit: &mut explicit,
        backing: &backing,
        notes: &mut plan.notes,
    };
    built::apply(&services, &mut programs);
    let mut proposals: Vec<Proposal> = Vec::new();
    proposals.extend(composed);
    proposals.extend(explicit);
    proposals.extend(guesses);
    for proposal in &mut proposals {
        if proposal.units.len() > LARGEST {
            proposal.note(format!(
                "{} describes more than {LARGEST} units: the rest was left out",
                proposal.found
            ));
            proposal.units.truncate(LARGEST);
        }
        let place = if proposal.directory.is_empty() {
            String::new()
        } else {
            format!(" in {}", proposal.directory)
        };
        plan.found.push(format!("{}{place}", proposal.found));
        plan.notes.extend(proposal.notes.iter().cloned());
    }
    proposals
        .iter_mut()
        .flat_map(|proposal| proposal.units.iter_mut())
        .for_each(Unit::tidy);
    for proposal in &mut proposals {
        let wants_tools = proposal.explicit || !proposal.tools.is_empty();
        for unit in &mut proposal.units {
            if unit.needs.is_empty() && wants_tools {
                unit.needs.push(TOOLS.to_owned());
            }
        }
    }
    plan.units = names::settle(proposals);
    // As they run: installs, then what prepares. Services stay in the order in which they were described.
    plan.units.sort_by_key(|unit| match unit.role {
        Role::Install => 0,
        Role::Prepare => 1,
        Role::Run | Role::Backing => 2,
    });
    tools::add(&mut plan.units, tools);
    forward(&mut plan.units, &forwarded);
    ports::settle(&mut plan);
    plan.expose_likeliest();
    plan.notes.dedup();
    plan
}

/// Of several descriptions of the same thing the first is taken; the others are named.
fn keep_the_first(explicit: &mut [Proposal]) {
    let (mut installs, mut runs): (Option<String>, Option<String>) = (None, None);
    for proposal in explicit {
        let mut left_out = None;
        for (role, first) in [(Role::Install, &mut installs), (Role::Run, &mut runs)] {
            if !proposal.units.iter().any(|unit| unit.role == role) {
                continue;
            }
            match first {
                None => *first = Some(proposal.found.clone()),
                Some(first) => {
                    proposal.units.retain(|unit| unit.role != role);
                    left_out = Some(first.clone());
                }
            }
        }
        proposal.explicit = true;
        if let Some(first) = left_out {
            let note = format!(
                "{} describes what {first} does too: the latter is followed",
                proposal.found
            );
            proposal.note(note);
        }
    }
}

/// A Makefile says what to run where nothing that is known better does.
fn fall_back_on_make(mut make: Proposal, guesses: &mut Vec<Proposal>, explicit: &[Proposal]) {
    let all = || guesses.iter().chain(explicit);
    let has_service = all().any(Proposal::has_service);
    let has_install = all().any(|proposal| proposal.units.iter().any(|unit| unit.role == Role::Install));
    if has_service {
        return;
    }
    if has_install {
        make.units.retain(|unit| !unit.is_task());
        // Resolved to the guess's own by the merge of names.
        for unit in &mut make.units {
            unit.needs = vec![ROOT_INSTALL.to_owned()];
        }
    }
    if !make.units.is_empty() {
        guesses.push(make);
    }
}

/// Takes out of the guesses what somebody wrote down, and gives that what the guesses know about it.
fn override_guesses(explicit: &mut [Proposal], guesses: &mut Vec<Proposal>) {
    let (installs, runs) = (has(explicit, Role::Install), has(explicit, Role::Run));
    let guessed: Vec<Unit> = guesses.iter().flat_map(|guess| guess.units.clone()).collect();
    let told_installs: Vec<String> = units_of(explicit, Role::Install)
        .map(|unit| unit.shown_command())
        .collect();
    let environment = guesses
        .iter()
        .find(|guess| guess.directory.is_empty() && guess.enter.is_some())
        .and_then(|guess| {
            guess
                .units
                .iter()
                .find(|unit| unit.role == Role::Install)
                .cloned()
        });
    if installs {
        adopt_guards(explicit, guesses);
        if let Some(install) = environment {
            install_into(explicit, &install);
        }
    }
    for unit in units_of(explicit, Role::Run) {
        learn(unit, &guessed);
    }
    let told: Vec<String> = explicit
        .iter()
        .flat_map(|proposal| proposal.units.iter().map(Unit::shown_command))
        .collect();
    for guess in guesses.iter_mut() {
        let is_root = guess.directory.is_empty();
        let is_installed = installs && is_root && is_installed_by(guess, &told_installs);
        let is_told = |unit: &Unit| told.iter().any(|command| unit.is_named_in(command));
        let is_replaced = |unit: &Unit| match unit.role {
            Role::Install => is_installed,
            // The same migration twice.
            Role::Prepare => is_root && is_told(unit),
            Role::Run | Role::Backing => false,
        };
        let replaced: Vec<String> = guess
            .units
            .iter()
            .filter(|unit| is_replaced(unit))
            .map(|unit| unit.name.clone())
            .collect();
        guess
            .units
            .retain(|unit| !(is_replaced(unit) || runs && unit.role == Role::Run));
        for need in guess.units.iter_mut().flat_map(|unit| unit.needs.iter_mut()) {
            if replaced.contains(need) {
                ROOT_INSTALL.clone_into(need);
            }
        }
    }
    let entrance = guesses
        .iter()
        .filter(|guess| guess.directory.is_empty() && has(std::slice::from_ref(guess), Role::Install))
        .find_map(|guess| guess.enter);
    if let Some(prefix) = entrance {
        // What installs comes before there is anything to enter.
        let units = explicit.iter_mut().flat_map(|proposal| proposal.units.iter_mut());
        let entering = units.filter(|unit| unit.role != Role::Install);
        entering.for_each(|unit| unit.enter(prefix));
    }
    guesses.retain(|guess| !guess.units.is_empty());
    order(explicit, guesses);
}

/// Package managers by the kinds of projects that they install.
const MANAGERS: &[(&str, &[&str])] = &[
    ("Node.js", &["npm", "pnpm", "yarn", "bun"]),
    ("Python", &["pip", "pip3", "uv", "poetry", "pipenv"]),
    ("Ruby", &["bundle", "gem"]),
    ("PHP", &["composer"]),
    ("Elixir", &["mix"]),
    ("Java", &["mvn", "mvnw", "gradle", "gradlew"]),
    ("Go", &["go"]),
    ("Rust", &["cargo"]),
];

/// Whether what somebody wrote down installs what a guess would: by its package manager, or by a script that may do
/// anything. An `npm install` leaves Python's packages to be installed.
fn is_installed_by(guess: &Proposal, told: &[String]) -> bool {
    let words: Vec<&str> = told
        .iter()
        .flat_map(|command| {
            command.split(|one: char| !(one.is_alphanumeric() || matches!(one, '-' | '_' | '.')))
        })
        .collect();
    let mentions = |managers: &[&str]| words.iter().any(|word| managers.contains(word));
    if !MANAGERS.iter().any(|(_, managers)| mentions(managers)) {
        return ["install", "setup", "bootstrap", "init", "make", "script", ".sh"]
            .iter()
            .any(|part| told.iter().any(|command| command.contains(part)));
    }
    MANAGERS
        .iter()
        .find(|(kind, _)| guess.found.starts_with(kind))
        .is_none_or(|(_, managers)| mentions(managers))
}

/// Debian lets nobody install with pip outside of an environment: what somebody wrote for another system goes into the
/// one that the guessed programs run in, and what else was written down finds it there.
fn install_into(explicit: &mut [Proposal], guess: &Unit) {
    const MAKE: &str = "python3 -m venv .venv && ";
    const ENTER: &str = ". .venv/bin/activate && ";
    if !guess.shown_command().starts_with(MAKE) {
        return;
    }
    let uses_pip = |unit: &Unit| {
        let command = unit.shown_command();
        ["pip install", "pip3 install"]
            .iter()
            .any(|pip| command.contains(pip))
            && !command.contains("venv")
    };
    let Some(first) = units_of(explicit, Role::Install).find(|unit| uses_pip(unit)) else {
        return;
    };
    first.enter(&format!("{MAKE}{ENTER}"));
    first.run_once.clone_from(&guess.run_once);
    first
        .comment
        .push("In an environment: Debian's own Python takes no packages from pip.".to_owned());
    let units = explicit.iter_mut().flat_map(|proposal| proposal.units.iter_mut());
    let has_environment = |unit: &Unit| unit.shown_command().contains("venv");
    let mut is_after = false;
    for unit in units {
        if has_environment(unit) {
            is_after = true;
        } else if is_after {
            unit.enter(ENTER);
        }
    }
}

fn has(proposals: &[Proposal], role: Role) -> bool {
    proposals
        .iter()
        .any(|proposal| proposal.units.iter().any(|unit| unit.role == role))
}

fn units_of(proposals: &mut [Proposal], role: Role) -> impl Iterator<Item = &mut Unit> {
    proposals
        .iter_mut()
        .flat_map(|proposal| proposal.units.iter_mut())
        .filter(move |unit| unit.role == role)
}

/// What was written down comes after the installs, its services after everything that prepares the root; guessed
/// services come after what was written down to prepare.
fn order(explicit: &mut [Proposal], guesses: &mut [Proposal]) {
    for unit in explicit.iter_mut().flat_map(|proposal| proposal.units.iter_mut()) {
        if unit.needs.is_empty() && unit.role != Role::Install {
            unit.needs.push(ROOT_INSTALL.to_owned());
        }
    }
    let prepares = |proposals: &mut [Proposal]| -> Vec<String> {
        let at_root = proposals.iter().filter(|proposal| proposal.directory.is_empty());
        at_root
            .flat_map(|proposal| proposal.units.iter())
            .filter(|unit| unit.role == Role::Prepare)
            .map(|unit| unit.name.clone())
            .collect()
    };
    let (told, guessed) = (prepares(explicit), prepares(guesses));
    for unit in units_of(explicit, Role::Run) {
        come_after(unit, told.iter().chain(&guessed));
    }
    for unit in units_of(guesses, Role::Run).filter(|unit| unit.cwd.is_none()) {
        come_after(unit, told.iter());
    }
}

fn come_after<'name>(unit: &mut Unit, names: impl Iterator<Item = &'name String>) {
    for name in names {
        if !unit.needs.contains(name) {
            unit.needs.push(name.clone());
        }
    }
}

/// An install that somebody wrote down is passed over when the guessed one would have been.
fn adopt_guards(explicit: &mut [Proposal], guesses: &[Proposal]) {
    let installs = |command: &str| {
        [
            "install",
            "npm ci",
            "sync",
            "composer",
            "deps.get",
            "cargo build",
            "mod download",
            "setup",
            "bootstrap",
        ]
        .iter()
        .any(|word| command.contains(word))
    };
    let first = explicit
        .iter_mut()
        .flat_map(|proposal| proposal.units.iter_mut())
        .find(|unit| unit.role == Role::Install && installs(&unit.shown_command()));
    let Some(unit) = first else { return };
    let told = [unit.shown_command()];
    let guess = guesses
        .iter()
        .filter(|guess| guess.directory.is_empty() && is_installed_by(guess, &told))
        .find_map(|guess| guess.units.iter().find(|unit| unit.role == Role::Install));
    if let Some(guess) = guess {
        unit.run_once.clone_from(&guess.run_once);
    }
}

/// What a guess knows about the same program: its port, and whether it is a web service.
fn learn(unit: &mut Unit, guessed: &[Unit]) {
    let command = unit.shown_command();
    let same = guessed
        .iter()
        .filter(|guess| guess.role == Role::Run)
        .find(|guess| guess.is_named_in(&command));
    let Some(guess) = same else { return };
    unit.slow |= guess.slow;
    unit.web = unit.web.max(guess.web);
    let Some(known) = guess.port else { return };
    if unit.port.is_none_or(|port| !port.sure) {
        unit.port = Some(Port {
            setting: PortSetting::Fixed,
            sure: true,
            ..known
        });
        let told = unit.env.iter().any(|(name, _)| name == "PORT")
            || guess.env.iter().any(|(name, _)| name == "PORT");
        unit.env.retain(|(name, _)| name != "PORT");
        if told && !command.contains("PORT=") {
            unit.env.push(("PORT".to_owned(), known.number.to_string()));
        }
    }
}

/// The first port that a development container forwards is what its users see.
fn forward(units: &mut [Unit], forwarded: &[u16]) {
    let Some(&first) = forwarded.first() else { return };
    let known = units
        .iter_mut()
        .find(|unit| unit.role == Role::Run && unit.port.is_some_and(|port| port.number == first));
    if let Some(unit) = known {
        unit.web = 100;
        return;
    }
    // A single service without a port of its own can only be the one meant.
    let mut services: Vec<&mut Unit> = units.iter_mut().filter(|unit| unit.role == Role::Run).collect();
    if let [unit] = services.as_mut_slice()
        && unit.port.is_none_or(|port| !port.sure)
    {
        unit.port = Some(Port {
            number: first,
            setting: PortSetting::Fixed,
            sure: true,
        });
        unit.web = 100;
    }
}
