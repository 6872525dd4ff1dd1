//! The box's own dockerd among the units.

use super::super::super::docker::add_to;
use super::*;

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
