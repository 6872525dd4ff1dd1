//! Ruby: Bundler, Rails, Sinatra, anything with a `config.ru`.

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};

const RUBY: Tool = Tool {
    check: "command -v bundle",
    packages: &["ruby-full", "bundler", "build-essential", "libyaml-dev"],
    then: None,
};

/// What a `Gemfile` implies.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let gems = part.text("Gemfile")?;
    let has_gem = |name: &str| gems.contains(&format!("\"{name}\"")) || gems.contains(&format!("'{name}'"));
    let rails = has_gem("rails") || part.has("bin/rails");
    let mut details = vec!["Bundler"];
    if rails {
        details.push("Rails");
    } else if has_gem("sinatra") {
        details.push("Sinatra");
    }
    let mut proposal = Proposal::new(format!("Ruby ({})", details.join(", ")), part.path);
    proposal.tools = vec![RUBY];
    let lock = if part.has("Gemfile.lock") {
        "Gemfile.lock"
    } else {
        "Gemfile"
    };
    proposal.units.push(
        Unit::task(
            "install",
            Role::Install,
            "bundle config set --local path vendor/bundle && bundle install",
        )
        .comment("In the workspace, where the box user may write.")
        .once(vec![lock.to_owned()], vec!["vendor/bundle".to_owned()]),
    );
    if rails {
        let has_database = ["pg", "mysql2", "sqlite3", "trilogy"]
            .iter()
            .any(|gem| has_gem(gem));
        let mut before = "install";
        if has_database {
            proposal.units.push(
                Unit::task("database", Role::Prepare, "bundle exec rails db:prepare")
                    .known_by(&["rails db:"])
                    .needs(&["install"]),
            );
            before = "database";
        }
        let command = "rm -f tmp/pids/server.pid && exec bundle exec rails server -b 127.0.0.1 -p 3000";
        proposal.units.push(
            Unit::service("web", command)
                .comment("A pid file from before a stop would keep Rails from starting.")
                .needs(&[before])
                .port(3000, PortSetting::Fixed, true)
                .web(75)
                .known_by(&["rails server", "rails s ", "bin/rails s", "puma", "bin/dev"]),
        );
        if has_gem("sidekiq") {
            proposal.units.push(
                Unit::service("worker", "bundle exec sidekiq")
                    .needs(&[before])
                    .known_by(&["sidekiq"]),
            );
        }
    } else if part.has("config.ru") {
        proposal.units.push(
            Unit::service("web", "bundle exec rackup --host 127.0.0.1 --port 9292")
                .needs(&["install"])
                .port(9292, PortSetting::Fixed, true)
                .web(60)
                .known_by(&["rackup", "puma"]),
        );
    } else if has_gem("sinatra")
        && let Some(file) = part.first_of(&["app.rb", "main.rb", "server.rb", "api.rb"])
    {
        proposal.units.push(
            Unit::service("web", format!("bundle exec ruby {file} -o 127.0.0.1 -p 4567"))
                .needs(&["install"])
                .port(4567, PortSetting::Fixed, true)
                .web(60)
                .known_by(&[file]),
        );
    }
    Some(proposal)
}
