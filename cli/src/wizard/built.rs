//! Compose services that are built from the project: the project's own programs, with what Compose knows of them.

use super::proposal::{PortSetting, Proposal, Role, Unit};
use super::stacks::compose::Built;
use super::stacks::port_in_command;

/// Where what Compose says of the project's own programs goes.
pub(crate) struct Programs<'plan> {
    pub(crate) guesses: &'plan mut Vec<Proposal>,
    pub(crate) explicit: &'plan mut Vec<Proposal>,
    /// Names of the services that are containers.
    pub(crate) backing: &'plan [String],
    pub(crate) notes: &'plan mut Vec<String>,
}

/// Gives each program its environment and needs. A further service of the same directory with a command of its own
/// becomes a unit.
pub(crate) fn apply(built: &[Built], programs: &mut Programs<'_>) {
    let mut done: Vec<&str> = Vec::new();
    for service in built {
        let directory = programs.directory_of(service, built.len() == 1);
        if done.contains(&directory) {
            continue;
        }
        done.push(directory);
        let mut here: Vec<&Built> = built
            .iter()
            .filter(|other| programs.directory_of(other, built.len() == 1) == directory)
            .collect();
        // What publishes a port is the server, and what has no command of its own the program itself.
        here.sort_by_key(|service| (service.one_off, service.port.is_none(), service.command.is_some()));
        let mut others = here.as_slice();
        if programs.runs_in(directory)
            && let [server, rest @ ..] = here.as_slice()
        {
            programs.tell(server, directory);
            others = rest;
        }
        for other in others {
            programs.add(other, directory);
        }
    }
}

impl Programs<'_> {
    /// The directory that a service is about. The only one of a file is about the project, wherever its Dockerfile lies.
    fn directory_of<'built>(&self, service: &'built Built, is_only: bool) -> &'built str {
        if is_only && !self.runs_in(&service.directory) {
            ""
        } else {
            &service.directory
        }
    }

    fn units(&mut self, directory: &str) -> impl Iterator<Item = &mut Unit> {
        self.guesses
            .iter_mut()
            .chain(self.explicit.iter_mut())
            .filter(move |proposal| proposal.directory == directory)
            .flat_map(|proposal| proposal.units.iter_mut())
    }

    fn runs_in(&self, directory: &str) -> bool {
        self.guesses
            .iter()
            .chain(self.explicit.iter())
            .filter(|proposal| proposal.directory == directory)
            .any(|proposal| proposal.units.iter().any(|unit| unit.role == Role::Run))
    }

    /// Those of a service's needs that are containers.
    fn containers(&self, service: &Built) -> Vec<String> {
        let needs = service.needs.iter().filter(|need| self.backing.contains(need));
        needs.cloned().collect()
    }

    fn tell(&mut self, service: &Built, directory: &str) {
        let needs = self.containers(service);
        // A migration needs the database and its address as much as the server does.
        for unit in self
            .units(directory)
            .filter(|unit| matches!(unit.role, Role::Run | Role::Prepare))
        {
            for (name, value) in &service.env {
                if !unit.env.iter().any(|(other, _)| other == name) {
                    unit.env.push((name.clone(), value.clone()));
                }
            }
            for path in &service.env_files {
                if !unit.env_files.contains(path) {
                    unit.env_files.push(path.clone());
                }
            }
            for need in &needs {
                if !unit.needs.contains(need) {
                    unit.needs.push(need.clone());
                }
            }
        }
    }

    fn add(&mut self, service: &Built, directory: &str) {
        let name = &service.name;
        let Some(command) = &service.command else {
            self.notes.push(format!(
                "no counterpart for compose service {name}, which is built by a Dockerfile: add a service that runs it"
            ));
            return;
        };
        if self.explicit.iter().any(Proposal::has_service) {
            self.notes.push(format!(
                "compose service {name} was left out: another file says what runs here"
            ));
            return;
        }
        let mut unit = if service.one_off {
            Unit::task(name, Role::Prepare, command.clone())
        } else {
            Unit::service(name, command.clone())
        };
        unit.comment
            .push("Of the compose file, which builds an image for it; here it runs by itself.".to_owned());
        unit.env.clone_from(&service.env);
        unit.env_files.clone_from(&service.env_files);
        unit.needs = self.containers(service);
        unit.cwd = (!directory.is_empty()).then(|| directory.to_owned());
        if !service.one_off
            && let Some(port) = port_in_command(command).or(service.port)
        {
            unit = unit.port(port, PortSetting::Fixed, true).web(40);
        }
        let home = self
            .guesses
            .iter_mut()
            .find(|proposal| proposal.directory == directory && proposal.has_service());
        match home {
            Some(proposal) => {
                if let Some(prefix) = proposal.enter {
                    unit.enter(prefix);
                }
                let installs = proposal.units.iter().filter(|unit| unit.role == Role::Install);
                unit.needs
                    .splice(0..0, installs.map(|install| install.name.clone()));
                if service.one_off {
                    for run in proposal.units.iter_mut().filter(|unit| unit.role == Role::Run) {
                        run.needs.push(unit.name.clone());
                    }
                }
                proposal.units.push(unit);
            }
            None => {
                let mut proposal = Proposal::new(format!("compose service {name}"), directory);
                proposal.units.push(unit);
                self.guesses.push(proposal);
            }
        }
    }
}
