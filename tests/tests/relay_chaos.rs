//! The relay under fire: whatever is killed, and in whatever order, every event of every box is known once.
//!
//! ```text
//! seed ─► 200 faults ─► relay, supervisors, followers, boxes, the engine
//!                             └─► what is stored = what followers printed = the boxes' own journals
//! ```
//!
//! The seed is printed; `AGENTBOX_CHAOS_SEED` gives another one.

use std::fs;
use std::time::{Duration, Instant};

use agentbox_tests::events::{broken_chain, numbered, numbers, of, parse};
use agentbox_tests::own_engine::OwnEngine;
use agentbox_tests::{Project, Running, TestBox, images, wait_for, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

const LIMIT: Duration = Duration::from_secs(60);
const FAULTS: usize = 200;
const BOXES: usize = 3;
const SEED: u64 = 20_260_131;

/// Something happens all the time: one service crashes, one ends well and is started again, one is left alone.
const YAML: &str = "tasks: {build: {command: echo built}}
services:
  flaky: {command: 'sleep 0.3; exit 1', needs: [build], backoff: {initial_ms: 100, max_ms: 400}}
  again: {command: 'sleep 0.2', restart: always, backoff: {initial_ms: 150, max_ms: 150}}
  steady: {command: exec sleep 1000, needs: [build]}
";

/// Kills the supervisor of a box, which the first process starts again.
const KILL_SUPERVISOR: &str = "for d in /proc/[0-9]*; do \
    if tr '\\0' ' ' < $d/cmdline | grep -q '^agentbox-ctl daemon'; then kill -9 ${d#/proc/}; fi; done";

/// Marsaglia's xorshift: the same faults for the same seed, at the same moments.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }

    fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// A box and who follows it: one after the other, each from where the last was killed.
struct Watched<'project> {
    test_box: TestBox<'project>,
    follower: Option<Running>,
    /// What those printed that were killed.
    lives: Vec<Vec<Value>>,
}

impl Watched<'_> {
    /// What the one prints that follows now.
    fn printed(&self) -> Vec<Value> {
        self.follower
            .as_ref()
            .map(|follower| parse(&follower.stdout()))
            .unwrap_or_default()
    }

    /// Number of the last event that was printed.
    fn last(&self) -> u64 {
        let current = self.printed();
        let numbers = |life: &[Value]| life.iter().rev().find_map(|event| event["seq"].as_u64());
        numbers(&current)
            .or_else(|| self.lives.iter().rev().find_map(|life| numbers(life)))
            .unwrap_or(0)
    }

    /// What the box itself has recorded.
    fn own(&self) -> Result<Vec<Value>, String> {
        of(&self.test_box, &["--no-relay"])
    }
}

struct Arena<'project> {
    project: &'project Project,
    own: OwnEngine,
    boxes: Vec<Watched<'project>>,
    /// Those that the test started: they end with it.
    relays: Vec<Running>,
    random: Random,
    /// Relays that were there to be killed.
    killed: usize,
}

impl Arena<'_> {
    /// The process that is the relay, if there is one.
    fn relay(&self) -> Option<Pid> {
        let path = self.project.runtime_directory().join("relay.lock");
        let pid: i32 = fs::read_to_string(path).ok()?.trim().parse().ok()?;
        // What is left of a killed one names a process that is gone, or is another's by now.
        let command = fs::read_to_string(format!("/proc/{pid}/cmdline")).ok()?;
        command.contains("relay\0run").then(|| Pid::from_raw(pid))
    }

    fn start_relay(&mut self) {
        self.relays.push(self.project.start(&["relay", "run"]));
    }

    /// Lets some time pass.
    fn moment(&mut self, milliseconds: u64) {
        let (moment, begin) = (
            Duration::from_millis(self.random.below(milliseconds)),
            Instant::now(),
        );
        wait_until("the moment of the next fault", LIMIT, || {
            begin.elapsed() >= moment
        });
    }

    /// Waits until a relay has a channel to every box, and it and the box's follower have what the box has: nothing is being
    /// started in the box then.
    #[track_caller]
    fn settle(&mut self, index: usize) {
        let mut tried = Instant::now();
        let (project, relays) = (self.project, &mut self.relays);
        let watched = &self.boxes[index];
        let mut newest = None;
        wait_for("the box to be settled", LIMIT, || {
            let health = project.run(&["relay", "status", "--json"]);
            if health.code != 0 {
                // It may have been killed while it took the place.
                if relays.is_empty() || tried.elapsed() > Duration::from_secs(1) {
                    tried = Instant::now();
                    relays.push(project.start(&["relay", "run"]));
                }
                return Err(health.to_string());
            }
            let channels = health.json()["engines"][0]["channels"].as_u64();
            if channels != Some(BOXES as u64) {
                return Err(health.to_string());
            }
            let newest = match newest {
                Some(newest) => newest,
                None => {
                    let own = watched.own()?;
                    *newest.insert(numbers(&own).pop().unwrap_or(0))
                }
            };
            let stored = numbers(&of(&watched.test_box, &[])?).pop().unwrap_or(0);
            let printed = watched.last();
            if stored >= newest && printed >= newest {
                Ok(())
            } else {
                Err(format!(
                    "of {newest}, {stored} are stored, {printed} printed; {}",
                    watched.follower.as_ref().map(Running::stderr).unwrap_or_default()
                ))
            }
        });
    }

    /// Has the engine do something with a box, past agentbox.
    #[track_caller]
    fn docker(&self, words: &[&str], index: usize) {
        let container = self.boxes[index].test_box.container();
        self.own.docker(&[words, &[&container]].concat()).ok();
    }

    /// Runs a command about a box.
    #[track_caller]
    fn run(&self, verb: &str, index: usize) {
        let test_box = &self.boxes[index].test_box;
        // A channel that is lost on the way is tried again, as a person would.
        wait_for(&format!("{verb} to succeed"), LIMIT, || {
            match test_box.run(verb, &[]) {
                output if output.code == 0 => Ok(()),
                output => Err(output.to_string()),
            }
        });
    }

    fn kill_supervisor(&self, index: usize) {
        let container = self.boxes[index].test_box.container();
        self.own
            .docker(&["exec", "-u", "0", &container, "sh", "-c", KILL_SUPERVISOR])
            .ok();
    }

    /// Kills a follower; another one takes over.
    fn kill_follower(&mut self, index: usize) {
        let watched = &mut self.boxes[index];
        let former = watched.follower.take().expect("somebody follows");
        former.signal(Signal::SIGKILL);
        // What it still printed counts.
        watched.lives.push(parse(&former.finish(LIMIT).stdout));
        let since = watched.last().to_string();
        let follower = watched
            .test_box
            .start("events", &["-f", "--json", "--since", &since]);
        watched.follower = Some(follower);
    }

    fn restart_engine(&mut self) {
        let signal = [Signal::SIGTERM, Signal::SIGKILL][usize::from(self.random.one_in(2))];
        self.own.end(signal);
        if self.random.one_in(2) {
            self.kill_relay();
        }
        self.own.restart();
        for index in 0..BOXES {
            self.run("start", index);
        }
    }

    fn kill_relay(&mut self) {
        if let Some(pid) = self.relay() {
            // It may be ending by itself.
            self.killed += usize::from(kill(pid, Signal::SIGKILL).is_ok());
        }
        if !self.random.one_in(3) {
            self.start_relay();
        }
    }

    /// One of what can happen; its name.
    fn fault(&mut self) -> &'static str {
        let index = usize::try_from(self.random.below(BOXES as u64)).expect("small");
        match self.random.below(100) {
            0..=27 => {
                self.kill_relay();
                "relay killed"
            }
            28..=41 => {
                let relay = self.relay();
                let signal = |signal| relay.map(|pid| kill(pid, signal));
                let _ = signal(Signal::SIGSTOP);
                match self.random.below(4) {
                    0 => self.kill_supervisor(index),
                    1 => self.kill_follower(index),
                    _ => self.moment(600),
                }
                let _ = signal(Signal::SIGCONT);
                "relay stopped and continued"
            }
            42..=58 => {
                self.kill_supervisor(index);
                "supervisor killed"
            }
            59..=77 => {
                self.kill_follower(index);
                "follower killed"
            }
            // A follower may be about to start a process in the box, which the engine could not thaw then.
            78..=82 => {
                self.settle(index);
                self.docker(&["pause"], index);
                self.moment(300);
                self.docker(&["unpause"], index);
                "paused by the engine"
            }
            83..=88 => {
                self.settle(index);
                if self.random.one_in(2) {
                    self.kill_relay();
                    self.start_relay();
                }
                self.run("pause", index);
                self.moment(300);
                self.run("unpause", index);
                "paused"
            }
            89..=91 => {
                self.docker(&["stop", "-t", "20"], index);
                self.docker(&["start"], index);
                "stopped by the engine"
            }
            92..=93 => {
                self.docker(&["kill"], index);
                self.docker(&["start"], index);
                "killed by the engine"
            }
            94..=97 => {
                self.run("stop", index);
                self.run("start", index);
                "stopped"
            }
            _ => {
                self.restart_engine();
                "engine restarted"
            }
        }
    }

    /// Holds what is stored and what was printed against the box's own journal. Gives how much that was.
    #[track_caller]
    fn check(&mut self, index: usize) -> String {
        self.settle(index);
        let watched = &mut self.boxes[index];
        let name = watched.test_box.name().to_owned();
        watched.test_box.run("stop", &["flaky", "again"]).ok();
        // Nothing happens any more once the same was read twice.
        let mut before = None;
        let own = wait_for("nothing to happen", LIMIT, || {
            let own = watched.own()?;
            let same = before.as_ref() == Some(&own);
            let seen = format!("{} events", own.len());
            before = Some(own.clone());
            if same { Ok(own) } else { Err(seen) }
        });
        let last = *numbers(&own).last().expect("there are events");
        assert!(
            last < 10_000,
            "events were dropped, so that nothing is shown by those that are missing"
        );
        assert_eq!(
            numbers(&own),
            (1..=last).collect::<Vec<_>>(),
            "{name}: its own journal"
        );
        let stored = wait_for("stored events", LIMIT, || of(&watched.test_box, &[]));
        assert_same(&format!("{name}: stored"), &numbered(&stored), &own);
        assert_eq!(broken_chain(&stored), None, "{name}");
        let state = stored.iter().rev().find(|event| event["kind"] == "box-state");
        assert_eq!(state.expect("it was started")["to"], "running", "{name}");
        wait_for("the follower to have all", LIMIT, || {
            let printed = watched.last();
            if printed >= last {
                Ok(())
            } else {
                Err(format!("{printed} of {last}"))
            }
        });
        watched.lives.push(watched.printed());
        assert_same(
            &format!("{name}: printed"),
            &numbered(&watched.lives.concat()),
            &own,
        );
        for life in &watched.lives {
            assert_eq!(broken_chain(life), None, "{name}");
        }
        format!(
            "{name}: {last} events and {} states of its own, printed by {} followers",
            stored.len() - own.len(),
            watched.lives.len()
        )
    }
}

/// That events are the same ones in the same order; else says where they begin to differ.
#[track_caller]
fn assert_same(what: &str, events: &[Value], own: &[Value]) {
    let differs = (0..events.len().max(own.len())).find(|&at| events.get(at) != own.get(at));
    if let Some(at) = differs {
        let near = |events: &[Value]| {
            let near = events.iter().skip(at.saturating_sub(3)).take(8);
            near.map(|event| format!("\n  {event}")).collect::<String>()
        };
        panic!(
            "{what}: {} events, but {} of its own; they differ here:{}\nits own:{}",
            events.len(),
            own.len(),
            near(events),
            near(own)
        );
    }
}

#[test]
fn two_hundred_kills_lose_nothing_and_repeat_nothing() {
    let seed = match std::env::var("AGENTBOX_CHAOS_SEED") {
        Ok(text) => text.parse().expect("AGENTBOX_CHAOS_SEED is a number"),
        Err(_) => SEED,
    };
    println!("AGENTBOX_CHAOS_SEED={seed}");
    let image = images::busybox();
    let own = OwnEngine::start(1500);
    own.load(&image);
    let project = Project::on(&own, YAML).with_relay();
    let boxes = (0..BOXES).map(|_| {
        let test_box = project.create_from(&image, &[]);
        let follower = test_box.start("events", &["-f", "--json"]);
        Watched {
            test_box,
            follower: Some(follower),
            lives: Vec::new(),
        }
    });
    let mut arena = Arena {
        project: &project,
        boxes: boxes.collect(),
        own,
        relays: Vec::new(),
        // Zero would stay zero.
        random: Random(seed.max(1)),
        killed: 0,
    };
    let begin = Instant::now();
    for number in 1..=FAULTS {
        if arena.relay().is_none() && arena.random.one_in(3) {
            arena.start_relay();
        }
        arena.moment(250);
        let what = arena.fault();
        println!("{:>6.1} s, fault {number}: {what}", begin.elapsed().as_secs_f64());
    }
    println!("{} relays were killed", arena.killed);
    assert!(
        arena.killed > FAULTS / 20,
        "there was hardly ever a relay to kill"
    );
    for index in 0..BOXES {
        println!("{}", arena.check(index));
    }
}
