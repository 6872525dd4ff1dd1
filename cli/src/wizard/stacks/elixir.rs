//! Elixir: Mix, Phoenix.

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};

const ELIXIR: Tool = Tool {
    check: "command -v mix",
    packages: &["elixir", "erlang-dev", "erlang-xmerl", "build-essential"],
    then: None,
};

/// What `mix.exs` implies.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let project = part.text("mix.exs")?;
    let uses =
        |name: &str| project.contains(&format!("{{:{name},")) || project.contains(&format!("{{:{name} ,"));
    let phoenix = uses("phoenix");
    let mut proposal = Proposal::new(
        if phoenix {
            "Elixir (Mix, Phoenix)"
        } else {
            "Elixir (Mix)"
        },
        part.path,
    );
    proposal.tools = vec![ELIXIR];
    let lock = if part.has("mix.lock") {
        "mix.lock"
    } else {
        "mix.exs"
    };
    proposal.units.push(
        Unit::task(
            "install",
            Role::Install,
            "mix local.hex --force --if-missing && mix local.rebar --force --if-missing && mix deps.get",
        )
        .once(vec![lock.to_owned()], vec!["deps".to_owned()]),
    );
    if !phoenix {
        return Some(proposal);
    }
    let mut before = "install";
    if uses("ecto_sql") || uses("phoenix_ecto") {
        proposal.units.push(
            Unit::task("database", Role::Prepare, "mix do ecto.create, ecto.migrate")
                .known_by(&["ecto.migrate"])
                .needs(&["install"]),
        );
        before = "database";
    }
    proposal.units.push(
        Unit::service("web", "mix phx.server")
            .needs(&[before])
            .port(4000, PortSetting::Variable("PORT"), true)
            .slow()
            .web(75)
            .known_by(&["mix phx.server", "phx.server"]),
    );
    Some(proposal)
}
