//! The machine against a world that is only numbers.

mod docker;

use std::collections::HashMap;
use std::time::Duration;

use super::*;
use crate::config::model::{
    Backoff, Check, Launch, OnTimeout, Probe, RestartPolicy, RunOnce, Service, Task, Unit,
};
use crate::protocol::message::ReloadAction;

fn unit(name: &str, needs: &[&str], kind: UnitKind) -> Unit {
    Unit {
        name: name.to_owned(),
        launch: Launch::Shell("true".to_owned()),
        cwd: None,
        env: Vec::new(),
        env_files: Vec::new(),
        user: None,
        needs: needs.iter().map(|&need| need.to_owned()).collect(),
        kind,
    }
}

fn service() -> Service {
    Service {
        autostart: true,
        restart: RestartPolicy::OnFailure,
        backoff: Backoff::default(),
        ready_when: None,
        stop_signal: 15,
        stop_timeout: Duration::from_secs(10),
        expose: None,
    }
}

fn probed(on_timeout: OnTimeout) -> Service {
    let ready_when = Some(Probe {
        check: Check::Port { host: None, port: 1 },
        interval: Duration::from_millis(500),
        initial_delay: Duration::ZERO,
        timeout: Duration::from_secs(60),
        on_timeout,
    });
    Service {
        ready_when,
        ..service()
    }
}

fn a_service(name: &str, needs: &[&str]) -> Unit {
    unit(name, needs, UnitKind::Service(service()))
}

fn a_task(name: &str, needs: &[&str]) -> Unit {
    unit(name, needs, UnitKind::Task(Task::default()))
}

fn config(units: impl IntoIterator<Item = Unit>) -> Config {
    Config {
        units: units.into_iter().collect(),
        ..Config::default()
    }
}

/// Spawns everything at once, with pids that count up, and remembers what was asked of it.
struct World {
    machine: Machine,
    now: Duration,
    pids: HashMap<u32, Key>,
    next_pid: u32,
    /// Spawns of these units fail.
    broken: Vec<String>,
    log: Vec<String>,
    told: Vec<String>,
    finished: bool,
}

impl World {
    fn new(units: impl IntoIterator<Item = Unit>) -> Self {
        let mut world = Self {
            machine: Machine::new(config(units), 0, &HashMap::new()),
            now: Duration::ZERO,
            pids: HashMap::new(),
            next_pid: 100,
            broken: Vec::new(),
            log: Vec::new(),
            told: Vec::new(),
            finished: false,
        };
        world.input(Input::Tick);
        world
    }

    fn input(&mut self, input: Input) {
        let effects = self.machine.handle(input, self.now, Timestamp::from_millis(0));
        self.carry_out(effects);
    }

    fn carry_out(&mut self, mut effects: VecDeque<Effect>) {
        while let Some(effect) = effects.pop_front() {
            let answer = match effect {
                Effect::Spawn(key) => {
                    let name = self.name(key);
                    self.log.push(format!("spawn {name}"));
                    let result = if self.broken.contains(&name) {
                        Err("no such file".to_owned())
                    } else {
                        self.next_pid += 1;
                        self.pids.insert(self.next_pid, key);
                        Ok(self.next_pid)
                    };
                    Input::Spawned { key, result }
                }
                Effect::Tell(event) => {
                    let (unit, from, to) = (event.unit.unwrap(), event.from.unwrap(), event.to);
                    self.told
                        .push(format!("{unit}: {from} > {}", to.unwrap_or_default()));
                    continue;
                }
                Effect::ShutdownComplete => {
                    self.finished = true;
                    continue;
                }
                Effect::Decide(key) | Effect::Signal(key) | Effect::Kill(key) => {
                    let verb = format!("{effect:?}").split('(').next().unwrap().to_lowercase();
                    self.log.push(format!("{verb} {}", self.name(key)));
                    continue;
                }
                _ => continue,
            };
            effects.extend(self.machine.handle(answer, self.now, Timestamp::from_millis(0)));
        }
    }

    fn name(&self, key: Key) -> String {
        self.machine.slot(key).unwrap().unit.name.clone()
    }

    fn key(&self, name: &str) -> Key {
        self.machine.find(name).unwrap().key
    }

    fn state(&self, name: &str) -> &'static str {
        self.machine.find(name).unwrap().state().as_str()
    }

    fn states(&self) -> String {
        let states = self
            .machine
            .slots()
            .map(|slot| format!("{} {}", slot.unit.name, slot.state()));
        states.collect::<Vec<_>>().join(", ")
    }

    fn pid(&self, name: &str) -> u32 {
        self.machine.find(name).unwrap().pid().unwrap()
    }

    fn exit(&mut self, name: &str, code: i32) {
        self.ends(name, Exit::Code(code), false);
    }

    fn ends(&mut self, name: &str, outcome: Exit, leftovers: bool) {
        let (key, pid) = (self.key(name), self.pid(name));
        self.input(Input::Exited {
            key,
            pid,
            outcome,
            leftovers,
        });
    }

    fn pass(&mut self, name: &str) {
        let (key, pid) = (self.key(name), self.pid(name));
        self.input(Input::ProbePassed { key, pid });
    }

    fn wait(&mut self, seconds: f64) {
        self.now += Duration::from_secs_f64(seconds);
        self.input(Input::Tick);
    }

    fn start(&mut self, name: &str) {
        let effects = self
            .machine
            .start(self.key(name), self.now, Timestamp::from_millis(0));
        self.carry_out(effects);
    }

    fn stop(&mut self, name: &str) {
        let effects = self
            .machine
            .stop(self.key(name), self.now, Timestamp::from_millis(0));
        self.carry_out(effects);
    }

    fn restart(&mut self, name: &str) {
        let effects = self
            .machine
            .restart(self.key(name), self.now, Timestamp::from_millis(0));
        self.carry_out(effects);
    }

    fn run_task(&mut self, name: &str) {
        let effects = self
            .machine
            .run_task(self.key(name), false, self.now, Timestamp::from_millis(0));
        self.carry_out(effects);
    }

    fn reload(&mut self, units: impl IntoIterator<Item = Unit>) -> Vec<(String, ReloadAction)> {
        let (steps, _, effects) = self
            .machine
            .reload(config(units), self.now, Timestamp::from_millis(0));
        self.carry_out(effects);
        steps.into_iter().map(|step| (step.unit, step.action)).collect()
    }
}

#[test]
fn the_guides_graph_runs_in_order() {
    let mut world = World::new([
        unit("db", &[], UnitKind::Service(probed(OnTimeout::Kill))),
        a_service("web", &["migrate", "db"]),
        a_task("install", &[]),
        a_task("migrate", &["install"]),
    ]);
    assert_eq!(
        world.states(),
        "db starting, web waiting, install running, migrate waiting"
    );
    world.exit("install", 0);
    assert_eq!(
        world.states(),
        "db starting, web waiting, install done, migrate running"
    );
    world.exit("migrate", 0);
    let web = world.machine.find("web").unwrap();
    assert_eq!(world.machine.blocked_on(web), ["db"]);
    world.pass("db");
    assert_eq!(
        world.states(),
        "db ready, web running, install done, migrate done"
    );
    assert_eq!(
        world.told,
        [
            "web: pending > waiting",
            "migrate: pending > waiting",
            "db: pending > starting",
            "install: pending > running",
            "install: running > done",
            "migrate: waiting > running",
            "migrate: running > done",
            "db: starting > ready",
            "web: waiting > running",
        ]
    );
}

#[test]
fn delays_grow_to_the_longest_and_a_long_run_resets_them() {
    let mut world = World::new([a_service("web", &[])]);
    let mut delays = Vec::new();
    for _ in 0..8 {
        world.exit("web", 1);
        let Phase::Backoff { until, .. } = world.machine.find("web").unwrap().phase else {
            panic!()
        };
        delays.push((until - world.now).as_millis());
        world.now = until;
        world.input(Input::Tick);
    }
    assert_eq!(delays, [500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
    assert_eq!(world.machine.find("web").unwrap().restarts, 8);
    world.wait(30.5);
    world.exit("web", 1);
    let Phase::Backoff { until, .. } = world.machine.find("web").unwrap().phase else {
        panic!()
    };
    assert_eq!((until - world.now).as_millis(), 500);
}

#[test]
fn restart_policies() {
    for (policy, code, expected) in [
        (RestartPolicy::Always, 0, "backoff"),
        (RestartPolicy::Always, 1, "backoff"),
        (RestartPolicy::OnFailure, 0, "stopped"),
        (RestartPolicy::OnFailure, 1, "backoff"),
        (RestartPolicy::Never, 0, "stopped"),
        (RestartPolicy::Never, 1, "crashed"),
    ] {
        let mut world = World::new([unit(
            "web",
            &[],
            UnitKind::Service(Service {
                restart: policy,
                ..service()
            }),
        )]);
        world.exit("web", code);
        assert_eq!(world.state("web"), expected, "{policy:?} {code}");
    }
}

#[test]
fn a_spawn_that_fails_is_a_failure_and_dependents_do_not_start() {
    let mut world = World::new([a_service("web", &[]), a_service("after", &["web"])]);
    world.broken.push("web".to_owned());
    world.exit("web", 1);
    world.wait(1.0);
    assert_eq!(world.states(), "web backoff, after running");
    let mut world = World::new([]);
    world.broken.push("web".to_owned());
    world.reload([a_service("web", &[]), a_service("after", &["web"])]);
    assert_eq!(world.states(), "web backoff, after waiting");
    assert_eq!(
        world.machine.find("web").unwrap().reason.as_deref(),
        Some("no such file")
    );
}

#[test]
fn a_probe_that_times_out_kills_and_counts_as_a_failure_whatever_the_exit_code() {
    let mut world = World::new([unit("web", &[], UnitKind::Service(probed(OnTimeout::Kill)))]);
    world.wait(59.0);
    assert_eq!(world.state("web"), "starting");
    world.wait(1.1);
    assert_eq!(world.state("web"), "stopping");
    assert_eq!(world.log, ["spawn web", "signal web"]);
    // It ignores the signal: the ladder goes on.
    world.wait(10.1);
    assert_eq!(world.log, ["spawn web", "signal web", "kill web"]);
    world.exit("web", 0);
    assert_eq!(world.state("web"), "backoff");
    assert_eq!(
        world.machine.find("web").unwrap().reason.as_deref(),
        Some("not ready after 60.1 s")
    );
}

#[test]
fn an_unhealthy_service_is_left_alone_and_may_get_ready() {
    let mut world = World::new([
        unit("web", &[], UnitKind::Service(probed(OnTimeout::MarkUnhealthy))),
        a_service("after", &["web"]),
    ]);
    world.wait(61.0);
    assert_eq!(world.states(), "web unhealthy, after waiting");
    world.pass("web");
    assert_eq!(world.states(), "web ready, after running");
}

#[test]
fn a_failed_task_skips_tasks_and_holds_services_until_it_succeeds() {
    let mut world = World::new([
        a_task("install", &[]),
        a_task("build", &["install"]),
        a_task("pack", &["build"]),
        a_service("web", &["install"]),
    ]);
    world.exit("install", 3);
    assert_eq!(
        world.states(),
        "install failed, build skipped, pack skipped, web waiting"
    );
    let Verdict::Lost(failure) = world.machine.wait_verdict(world.key("web")) else {
        panic!()
    };
    assert_eq!(
        failure.message,
        "service \"web\" needs task \"install\", which failed: exited with code 3"
    );
    world.run_task("install");
    world.exit("install", 0);
    assert_eq!(
        world.states(),
        "install done, build running, pack waiting, web running"
    );
}

#[test]
fn a_service_whose_leader_exits_is_over_only_when_its_tree_is_gone() {
    let mut world = World::new([a_service("web", &[])]);
    world.ends("web", Exit::Code(1), true);
    assert_eq!(world.state("web"), "stopping");
    assert_eq!(world.log, ["spawn web", "signal web"]);
    let key = world.key("web");
    world.input(Input::TreeGone { key });
    assert_eq!(world.state("web"), "backoff");
}

#[test]
fn a_start_during_a_stop_follows_it() {
    let mut world = World::new([a_service("web", &[])]);
    world.stop("web");
    world.start("web");
    assert_eq!(world.state("web"), "stopping");
    assert_eq!(world.log, ["spawn web", "signal web"]);
    world.ends("web", Exit::Signal(15), false);
    assert_eq!(world.state("web"), "running");
    assert_eq!(world.log, ["spawn web", "signal web", "spawn web"]);
    // The other way round: the last word counts.
    world.stop("web");
    world.start("web");
    world.stop("web");
    world.ends("web", Exit::Signal(15), false);
    assert_eq!(world.state("web"), "stopped");
}

#[test]
fn a_stop_in_backoff_or_waiting_is_immediate_and_idempotent() {
    let mut world = World::new([a_service("db", &[]), a_service("web", &["db"])]);
    world.exit("db", 1);
    world.stop("db");
    assert_eq!(world.state("db"), "stopped");
    world.wait(100.0);
    assert_eq!(world.state("db"), "stopped");
    assert_eq!(
        world.state("web"),
        "running",
        "dependents that run are left alone"
    );
    world.stop("web");
    world.ends("web", Exit::Signal(15), false);
    world.stop("web");
    assert_eq!(world.state("web"), "stopped");
}

#[test]
fn start_brings_up_what_is_needed_and_fails_when_that_has_failed() {
    let lazy = |name: &str, needs: &[&str]| {
        unit(
            name,
            needs,
            UnitKind::Service(Service {
                autostart: false,
                ..service()
            }),
        )
    };
    let mut world = World::new([
        lazy("db", &[]),
        lazy("web", &["db", "install"]),
        a_task("install", &[]),
    ]);
    assert_eq!(world.states(), "db stopped, web stopped, install running");
    let before = world.machine.find("web").unwrap().generation;
    world.start("web");
    assert_eq!(world.states(), "db running, web waiting, install running");
    assert_eq!(
        world.machine.start_verdict(world.key("web"), before),
        Verdict::Open
    );
    world.exit("install", 1);
    let Verdict::Lost(failure) = world.machine.start_verdict(world.key("web"), before) else {
        panic!()
    };
    assert!(failure.message.contains("install"), "{failure}");
}

#[test]
fn a_service_that_is_needed_starts_without_autostart() {
    let lazy = unit(
        "db",
        &[],
        UnitKind::Service(Service {
            autostart: false,
            ..service()
        }),
    );
    let other = unit(
        "debug",
        &[],
        UnitKind::Service(Service {
            autostart: false,
            ..service()
        }),
    );
    let world = World::new([lazy, other, a_task("seed", &["db"])]);
    assert_eq!(world.states(), "db running, debug stopped, seed running");
    let waited: Vec<String> = world
        .machine
        .self_starting()
        .into_iter()
        .map(|key| world.name(key))
        .collect();
    assert_eq!(waited, ["seed", "db"]);
}

#[test]
fn shutdown_goes_against_the_needs_and_includes_running_tasks() {
    let mut world = World::new([
        a_service("db", &[]),
        a_service("api", &["db"]),
        a_service("other", &[]),
        a_task("job", &["db"]),
    ]);
    world.input(Input::Shutdown);
    assert_eq!(
        world.states(),
        "db running, api stopping, other stopping, job running"
    );
    assert_eq!(&world.log[4..], ["signal api", "signal other", "signal job"]);
    world.ends("api", Exit::Code(0), false);
    assert_eq!(world.state("db"), "running");
    world.ends("job", Exit::Signal(15), false);
    assert_eq!(
        world.states(),
        "db stopping, api stopped, other stopping, job stopped"
    );
    world.ends("db", Exit::Code(0), false);
    assert!(!world.finished);
    world.ends("other", Exit::Code(0), false);
    assert!(world.finished);
    assert_eq!(
        world.log.iter().filter(|line| line.starts_with("spawn")).count(),
        4
    );
}

#[test]
fn shutdown_sees_needs_through_a_task_that_has_ended() {
    let mut world = World::new([
        a_service("db", &[]),
        a_task("migrate", &["db"]),
        a_service("web", &["migrate"]),
    ]);
    world.exit("migrate", 0);
    world.input(Input::Shutdown);
    assert_eq!(world.states(), "db running, migrate done, web stopping");
    world.ends("web", Exit::Code(0), false);
    assert_eq!(world.state("db"), "stopping");
}

#[test]
fn what_a_task_left_behind_never_stands_beside_its_next_run_or_outlives_its_removal() {
    let mut world = World::new([a_task("daemon", &[])]);
    let key = world.key("daemon");
    world.exit("daemon", 1);
    world.machine.note_lingering(key);
    world.start("daemon");
    assert_eq!(world.log, ["spawn daemon", "signal daemon"]);
    world.input(Input::TreeGone { key });
    assert_eq!(world.log, ["spawn daemon", "signal daemon", "spawn daemon"]);
    world.exit("daemon", 0);
    world.machine.note_lingering(key);
    let mut changed = a_task("daemon", &[]);
    changed.launch = Launch::Shell("other".to_owned());
    world.reload([changed]);
    assert_eq!(&world.log[3..], ["signal daemon"]);
    world.input(Input::TreeGone { key });
    world.exit("daemon", 0);
    world.machine.note_lingering(key);
    world.reload([]);
    assert_eq!(&world.log[4..], ["spawn daemon", "signal daemon"]);
    world.input(Input::TreeGone { key });
    assert!(world.machine.all_slots().next().is_none());
}

#[test]
fn a_long_run_that_its_probe_ended_resets_the_delay_too() {
    let mut world = World::new([unit("web", &[], UnitKind::Service(probed(OnTimeout::Kill)))]);
    for _ in 0..3 {
        world.wait(61.0);
        world.exit("web", 0);
        let Phase::Backoff { until, .. } = world.machine.find("web").unwrap().phase else {
            panic!()
        };
        assert_eq!((until - world.now).as_millis(), 500);
        world.now = until;
        world.input(Input::Tick);
    }
}

#[test]
fn what_a_task_left_behind_ends_with_the_box_and_it_stays_done() {
    let mut world = World::new([a_task("postgres", &[])]);
    world.ends("postgres", Exit::Code(0), true);
    assert_eq!(world.state("postgres"), "done");
    let key = world.key("postgres");
    world.machine.note_lingering(key);
    world.input(Input::Shutdown);
    assert_eq!(world.log, ["spawn postgres", "signal postgres"]);
    assert!(!world.finished);
    world.input(Input::TreeGone { key });
    assert!(world.finished);
    assert_eq!(world.state("postgres"), "done");
}

#[test]
fn reload_touches_only_what_changed() {
    let mut world = World::new([
        a_service("same", &[]),
        a_service("changed", &[]),
        a_service("removed", &[]),
    ]);
    let mut changed = a_service("changed", &[]);
    changed.env.push(("A".to_owned(), "1".to_owned()));
    let steps = world.reload([a_service("same", &[]), changed, a_service("added", &[])]);
    assert_eq!(
        steps,
        [
            ("same".to_owned(), ReloadAction::Unchanged),
            ("changed".to_owned(), ReloadAction::Restarted),
            ("added".to_owned(), ReloadAction::Added),
            ("removed".to_owned(), ReloadAction::Removed),
        ]
    );
    assert_eq!(
        &world.log[3..],
        ["signal changed", "signal removed", "spawn added"]
    );
    world.ends("changed", Exit::Signal(15), false);
    assert_eq!(world.states(), "same running, changed running, added running");
    // The removed one comes back before its former self has gone: never two of them.
    world.reload([a_service("same", &[]), a_service("removed", &[])]);
    assert_eq!(world.state("removed"), "waiting");
    let former = world
        .machine
        .all_slots()
        .find(|slot| slot.unit.name == "removed")
        .unwrap();
    let (key, pid) = (former.key, former.pid().unwrap());
    world.input(Input::Exited {
        key,
        pid,
        outcome: Exit::Signal(15),
        leftovers: false,
    });
    assert_eq!(world.state("removed"), "running");
}

#[test]
fn reload_runs_a_changed_task_after_its_former_run() {
    let mut world = World::new([a_task("build", &[])]);
    let mut changed = a_task("build", &[]);
    changed.launch = Launch::Shell("make all".to_owned());
    world.reload([changed.clone()]);
    assert_eq!(world.log, ["spawn build", "signal build"]);
    world.ends("build", Exit::Signal(15), false);
    assert_eq!(world.log, ["spawn build", "signal build", "spawn build"]);
    world.exit("build", 0);
    world.reload([changed.clone()]);
    assert_eq!(world.log.len(), 3, "nothing changed");
    changed.launch = Launch::Shell("make again".to_owned());
    world.reload([changed]);
    assert_eq!(world.state("build"), "running");
}

#[test]
fn run_once_decides_after_the_needs_are_met() {
    let task = Task {
        run_once: Some(RunOnce::Marker {
            inputs: Vec::new(),
            creates: Vec::new(),
        }),
    };
    let mut world = World::new([
        a_task("install", &[]),
        unit("seed", &["install"], UnitKind::Task(task)),
    ]);
    assert_eq!(world.log, ["spawn install"]);
    world.exit("install", 0);
    assert_eq!(world.log, ["spawn install", "decide seed"]);
    let key = world.key("seed");
    world.input(Input::Decided {
        key,
        decision: Decision::PassOver,
    });
    assert_eq!(world.state("seed"), "done");
    assert_eq!(
        world.machine.find("seed").unwrap().reason.as_deref(),
        Some("already done")
    );
}

#[test]
fn a_crashed_supervisors_done_tasks_stay_done() {
    let restored = HashMap::from([
        (
            "install".to_owned(),
            Restored {
                state: UnitState::Task(TaskState::Done),
                restarts: 0,
            },
        ),
        (
            "web".to_owned(),
            Restored {
                state: UnitState::Service(crate::report::ServiceState::Running),
                restarts: 4,
            },
        ),
    ]);
    let mut machine = Machine::new(
        config([a_task("install", &[]), a_service("web", &["install"])]),
        17,
        &restored,
    );
    let effects = machine.handle(Input::Tick, Duration::ZERO, Timestamp::from_millis(0));
    assert_eq!(effects, [Effect::Spawn(machine.find("web").unwrap().key)]);
    assert_eq!(machine.find("web").unwrap().restarts, 4);
    assert_eq!(machine.sequence(), 17);
}

#[test]
fn a_crashed_supervisors_service_is_told_with_its_new_process() {
    let was = Restored {
        state: UnitState::Service(crate::report::ServiceState::Running),
        restarts: 0,
    };
    let mut machine = Machine::new(
        config([a_service("web", &[])]),
        17,
        &HashMap::from([("web".to_owned(), was)]),
    );
    let now = (Duration::ZERO, Timestamp::from_millis(0));
    let key = machine.find("web").unwrap().key;
    assert_eq!(machine.handle(Input::Tick, now.0, now.1), [Effect::Spawn(key)]);
    let effects = machine.handle(Input::Spawned { key, result: Ok(63) }, now.0, now.1);
    let told: Vec<_> = effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Tell(event) => Some((event.seq, event.from.as_deref(), event.to.as_deref(), event.pid)),
            _ => None,
        })
        .collect();
    assert_eq!(told, [(Some(18), Some("running"), Some("running"), Some(63))]);
}

#[test]
fn restart_is_answered_by_the_new_run() {
    let mut world = World::new([a_service("web", &[])]);
    let before = world.machine.find("web").unwrap().generation;
    world.restart("web");
    let key = world.key("web");
    assert_eq!(world.machine.restart_verdict(key, before), Verdict::Open);
    assert_eq!(world.machine.stop_verdict(key, before), Verdict::Open);
    world.ends("web", Exit::Signal(15), false);
    assert_eq!(world.machine.restart_verdict(key, before), Verdict::Met);
    assert_eq!(world.machine.find("web").unwrap().restarts, 0, "it was asked for");
}

mod random {
    //! Any sequence of inputs leaves the machine in a sound state.

    use proptest::prelude::*;

    use super::*;

    #[derive(Debug, Clone)]
    enum Step {
        Start(usize),
        Stop(usize),
        Restart(usize),
        RunTask(usize),
        Exit(usize, i32, bool),
        TreeGone(usize),
        Pass(usize),
        Wait(u16),
        Reload(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        let index = 0..5_usize;
        prop_oneof![
            index.clone().prop_map(Step::Start),
            index.clone().prop_map(Step::Stop),
            index.clone().prop_map(Step::Restart),
            index.clone().prop_map(Step::RunTask),
            (index.clone(), 0..2, any::<bool>()).prop_map(|(unit, code, left)| Step::Exit(unit, code, left)),
            index.clone().prop_map(Step::TreeGone),
            index.prop_map(Step::Pass),
            any::<u16>().prop_map(Step::Wait),
            any::<u8>().prop_map(Step::Reload),
        ]
    }

    fn units(variant: u8) -> Vec<Unit> {
        let mut web = unit(
            "web",
            &["db", "build"],
            UnitKind::Service(probed(OnTimeout::Kill)),
        );
        web.env.push(("V".to_owned(), (variant % 3).to_string()));
        let db = a_service("db", &[]);
        let mut build = a_task("build", &["install"]);
        build.env.push(("V".to_owned(), (variant % 2).to_string()));
        let mut all = vec![
            db,
            web,
            a_task("install", &[]),
            build,
            a_service("extra", &["web"]),
        ];
        if variant.is_multiple_of(5) {
            all.pop();
        }
        all
    }

    proptest! {
        #[test]
        fn never_two_processes_of_a_unit_and_shutdown_always_ends(
            steps in proptest::collection::vec(step(), 0..60),
        ) {
            let mut world = World::new(units(1));
            for step in steps {
                let name = |index: usize| ["db", "web", "install", "build", "extra"][index];
                let known = |world: &World, index: usize| world.machine.find(name(index)).is_some();
                let running = |world: &World, index: usize| {
                    world.machine.find(name(index)).is_some_and(|slot| slot.pid().is_some())
                };
                match step {
                    Step::Start(unit) if known(&world, unit) => world.start(name(unit)),
                    Step::Stop(unit) if known(&world, unit) => world.stop(name(unit)),
                    Step::Restart(unit) if known(&world, unit) => world.restart(name(unit)),
                    Step::RunTask(unit) if matches!(unit, 2 | 3) => world.run_task(name(unit)),
                    Step::Exit(unit, code, left) if running(&world, unit) => {
                        world.ends(name(unit), Exit::Code(code), left);
                    }
                    Step::TreeGone(unit) if known(&world, unit) => {
                        let key = world.key(name(unit));
                        world.input(Input::TreeGone { key });
                    }
                    Step::Pass(unit) if running(&world, unit) => world.pass(name(unit)),
                    Step::Wait(millis) => world.wait(f64::from(millis) / 1000.0),
                    Step::Reload(variant) => drop(world.reload(units(variant))),
                    _ => {}
                }
                let mut alive = HashMap::new();
                for slot in world.machine.all_slots().filter(|slot| slot.has_processes()) {
                    *alive.entry(slot.unit.name.clone()).or_insert(0) += 1;
                }
                prop_assert!(alive.values().all(|count| *count == 1), "{alive:?}");
            }
            world.input(Input::Shutdown);
            for _ in 0..20 {
                let ending: Vec<(Key, Option<u32>)> =
                    world.machine.all_slots().filter(|slot| slot.has_processes()).map(|slot| (slot.key, slot.pid())).collect();
                for (key, pid) in ending {
                    match pid {
                        Some(pid) => {
                            world.input(Input::Exited { key, pid, outcome: Exit::Signal(9), leftovers: false });
                        }
                        None => world.input(Input::TreeGone { key }),
                    }
                }
            }
            prop_assert!(world.finished, "{}", world.states());
        }
    }
}
