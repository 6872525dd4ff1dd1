//! The box's own dockerd among the units.

use super::super::super::docker::add_to;
use super::*;
use crate::config::model::ImageLaunch;

/// A box with dockerd and one service.
fn world() -> World {
    World::new(units())
}

fn units() -> Vec<Unit> {
    let mut config = config([a_service("web", &[])]);
    add_to(&mut config, 0);
    config.units
}

#[test]
fn it_is_first_and_last_and_in_no_report() {
    let mut world = world();
    assert_eq!(world.log, [format!("spawn {DOCKER_DAEMON}")]);
    let report = world.machine.report();
    assert_eq!(report.names(), ["web"]);
    assert_eq!(report.services[0].blocked_on, [DOCKER_DAEMON]);
    world.pass(DOCKER_DAEMON);
    assert_eq!(world.states(), "web running");
    assert_eq!(
        world.reload(units()),
        [("web".to_owned(), ReloadAction::Unchanged)]
    );
    world.log.clear();
    world.input(Input::Shutdown);
    assert_eq!(world.log, ["signal web"]);
    world.exit("web", 0);
    assert_eq!(
        world.log,
        ["signal web".to_owned(), format!("signal {DOCKER_DAEMON}")]
    );
    world.exit(DOCKER_DAEMON, 0);
    assert!(world.finished);
}

#[test]
fn nobody_waits_for_one_that_keeps_failing() {
    let mut world = world();
    let web = world.key("web");
    for attempt in 1..=3 {
        assert_eq!(
            world.machine.wait_verdict(web),
            Verdict::Open,
            "attempt {attempt}"
        );
        world.machine.last_words = Some("no iptables".to_owned());
        world.exit(DOCKER_DAEMON, 1);
        if attempt < 3 {
            world.wait(10.0);
        }
    }
    assert_eq!(world.state("web"), "waiting");
    let Verdict::Lost(failure) = world.machine.wait_verdict(web) else {
        panic!("it waits")
    };
    insta::assert_snapshot!(failure.render(), @r#"
    error: service "web" needs the box's Docker engine, which keeps failing: exited with code 1: no iptables
    hint: agentbox logs BOX --daemon docker
    "#);
    // It is tried again all the same, and then everything goes on.
    world.wait(40.0);
    world.pass(DOCKER_DAEMON);
    assert_eq!(world.states(), "web running");
}

#[test]
fn one_that_dies_holds_back_only_what_starts() {
    let mut world = world();
    world.pass(DOCKER_DAEMON);
    world.exit(DOCKER_DAEMON, 2);
    assert_eq!(world.states(), "web running");
    world.exit("web", 1);
    world.wait(0.6);
    assert_eq!(world.state(DOCKER_DAEMON), "starting");
    assert_eq!(world.states(), "web waiting");
    world.pass(DOCKER_DAEMON);
    assert_eq!(world.states(), "web running");
}

/// A box with a service that is a container, and one that needs it.
fn with_container(service: Service) -> World {
    let mut db = unit("db", &[], UnitKind::Service(service));
    db.launch = Launch::Image(ImageLaunch {
        name: "postgres:17".to_owned(),
        ports: Vec::new(),
        args: Vec::new(),
        container_name: None,
    });
    let mut config = config([db, a_service("web", &["db"])]);
    add_to(&mut config, 0);
    let mut world = World::new(config.units);
    world.pass(DOCKER_DAEMON);
    world
}

fn container_starts(world: &mut World, name: &str) {
    let (key, pid) = (world.key(name), world.pid(name));
    world.input(Input::ContainerStarted { key, pid });
}

#[test]
fn a_container_that_has_not_started_is_not_running() {
    let mut world = with_container(service());
    world.wait(1000.0);
    assert_eq!(world.states(), "db starting, web waiting");
    let (key, pid) = (world.key("db"), world.pid("db") + 1);
    world.input(Input::ContainerStarted { key, pid });
    assert_eq!(world.state("db"), "starting", "it is another run's container");
    container_starts(&mut world, "db");
    assert_eq!(world.states(), "db running, web running");
}

#[test]
fn a_container_s_patience_begins_when_it_does() {
    let mut world = with_container(probed(OnTimeout::Kill));
    world.wait(1000.0);
    container_starts(&mut world, "db");
    world.wait(59.0);
    assert_eq!(world.states(), "db starting, web waiting");
    world.wait(2.0);
    assert_eq!(world.state("db"), "stopping");
    let reason = world.machine.find("db").unwrap().reason.clone();
    assert_eq!(reason.as_deref(), Some("not ready after 61.0 s"));
}

#[test]
fn a_service_follows_a_container_that_somebody_restarts() {
    let mut world = with_container(service());
    container_starts(&mut world, "db");
    world.exit("db", 0);
    assert_eq!(world.state("db"), "stopped");
    let key = world.key("db");
    world.input(Input::ContainerReturned { key });
    assert_eq!(world.state("db"), "starting");
    container_starts(&mut world, "db");
    // A stop that was asked for is one.
    world.stop("db");
    world.exit("db", 0);
    world.input(Input::ContainerReturned { key });
    assert_eq!(world.state("db"), "stopped");
}

#[test]
fn what_keeps_a_container_from_being_made_is_the_reason() {
    let mut world = with_container(service());
    world.machine.last_words = Some("no such image".to_owned());
    world.exit("db", 125);
    let reason = |world: &World| world.machine.find("db").unwrap().reason.clone();
    assert_eq!(
        reason(&world).as_deref(),
        Some("exited with code 125: no such image")
    );
    // What a container wrote before its end says nothing in particular.
    world.wait(1.0);
    container_starts(&mut world, "db");
    world.machine.last_words = Some("GET /".to_owned());
    world.exit("db", 3);
    assert_eq!(reason(&world).as_deref(), Some("exited with code 3"));
}
