//! Go: `go.mod`, and the programs of the module.

use super::super::look::Part;
use super::super::proposal::{PortSetting, Proposal, Role, Tool, Unit};
use super::{port_in_files, shell_word};

/// Modules of web servers, each with the port its own examples use.
const SERVERS: &[(&str, u16)] = &[
    ("github.com/gin-gonic/gin", 8080),
    ("github.com/labstack/echo", 1323),
    ("github.com/gofiber/fiber", 3000),
    ("github.com/go-chi/chi", 3000),
    ("github.com/gorilla/mux", 8080),
];

const GO: Tool = Tool {
    check: "command -v go",
    packages: &["golang-go"],
    then: None,
};

/// What `go.mod` implies.
pub(crate) fn propose(part: Part<'_>) -> Option<Proposal> {
    let module = part.text("go.mod")?;
    let mut proposal = Proposal::new("Go", part.path);
    proposal.tools = vec![GO];
    let has_dependencies = part.has("go.sum");
    if has_dependencies {
        proposal.units.push(
            Unit::task("install", Role::Install, "go mod download")
                .comment("Modules lie outside of the workspace, so there is no path to check for.")
                .once(vec!["go.sum".to_owned()], Vec::new()),
        );
    }
    let install: &[&str] = if has_dependencies { &["install"] } else { &[] };
    let programs = programs(part);
    for (name, package, source) in &programs {
        let framework = SERVERS.iter().find(|(path, _)| module.contains(path));
        let listens = source.contains("net/http") || framework.is_some_and(|(path, _)| source.contains(path));
        if !listens {
            continue;
        }
        let command = format!("go run {}", shell_word(package));
        let mut service = Unit::service(if programs.len() == 1 { "web" } else { name }, command)
            .needs(install)
            .slow()
            .web(60)
            .known_by(&["go run", "air"]);
        let directory = package.trim_start_matches("./");
        let file = if directory == "." {
            "main.go".to_owned()
        } else {
            format!("{directory}/main.go")
        };
        let said = port_in_files(part, &[&file]);
        if let Some(port) = said.or(framework.map(|(_, port)| *port)) {
            service = service.port(port, PortSetting::Fixed, said.is_some());
        }
        proposal.units.push(service);
    }
    if let [(_, package, _)] = programs.as_slice()
        && !proposal.has_service()
    {
        proposal.note(format!(
            "{package} of the Go module seems to serve nothing: add a service if it does"
        ));
    }
    if proposal.units.is_empty() {
        proposal.units.push(
            Unit::task("build", Role::Install, "go build ./...").once(vec!["go.mod".to_owned()], Vec::new()),
        );
    }
    Some(proposal)
}

/// The module's programs: name, package, source.
fn programs<'look>(part: Part<'look>) -> Vec<(String, String, &'look str)> {
    let main = |text: &&str| text.lines().any(|line| line.trim_end() == "package main");
    let mut programs = Vec::new();
    if let Some(source) = part.text("main.go").filter(main) {
        programs.push(("web".to_owned(), ".".to_owned(), source));
    }
    for child in part.children().filter(|child| child.name() == "cmd") {
        if let Some(source) = child.text("main.go").filter(main) {
            programs.push(("web".to_owned(), "./cmd".to_owned(), source));
        }
        for program in child.children() {
            if let Some(source) = program.text("main.go").filter(main) {
                programs.push((
                    program.name().to_owned(),
                    format!("./cmd/{}", program.name()),
                    source,
                ));
            }
        }
    }
    programs
}
