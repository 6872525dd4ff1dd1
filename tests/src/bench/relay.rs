//! The relay: answers, events, what it takes, and the web proxy.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use agentbox_tests::{Project, TestBox, engine, wait_for};
use serde_json::Value;

use crate::measure::{Row, alternate, median, milliseconds, timed};
use crate::supervisor::idle_services;

const LIMIT: Duration = Duration::from_secs(120);
/// Boxes of the rows about many.
const MANY: usize = 50;
/// Bytes of the large download.
const LARGE: u64 = 1 << 30;

/// The relay's report, once it has so many channels.
fn health(project: &Project, channels: usize) -> Value {
    wait_for("the relay's channels", LIMIT, || {
        let output = project.run(&["relay", "status", "--json"]);
        if output.code != 0 {
            return Err(output.stderr);
        }
        let health = output.json();
        if health["engines"][0]["channels"] == channels {
            Ok(health)
        } else {
            Err(health.to_string())
        }
    })
}

/// `status` with the relay, and the way of an event.
pub(crate) fn fast() -> Vec<Row> {
    let project = Project::new(&format!(
        "{}  flapping: {{command: 'exit 1', backoff: {{initial_ms: 100, max_ms: 100}}}}\n",
        idle_services(3)
    ))
    .with_relay();
    let test_box = project.create(&[]);
    health(&project, 1);
    let container = test_box.container();
    let (status, plain) = alternate(
        15,
        || timed(project.command(&["status", test_box.name()])),
        || timed(engine::command(&["exec", &container, "true"])),
    );
    vec![
        Row::against(
            "agentbox status with the relay, against docker exec true",
            status,
            plain,
            0.15,
        ),
        Row::alone(
            "transition in the box until the line in events -f",
            "ms",
            latency(&project, &test_box),
            5.0,
        ),
    ]
}

/// Median time between the moment that an event states and its line; the statement has whole milliseconds, cut off.
fn latency(project: &Project, test_box: &TestBox<'_>) -> f64 {
    let since = test_box.run("events", &["--json"]).ok().stdout;
    let last = since.lines().last().expect("an event");
    let last: Value = serde_json::from_str(last).expect("JSON");
    let last = last["seq"].as_u64().unwrap_or_default().to_string();
    let mut follower = project.command(&["events", test_box.name(), "-f", "--json", "--since", &last]);
    let mut child = follower
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("events can be started");
    let output = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut figures = Vec::new();
    for line in output.lines() {
        let line = line.expect("a line");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("a time");
        let event: Value = serde_json::from_str(&line).expect("JSON");
        let time = event["time"].as_str().expect("a time");
        let time = agentbox_ctl::time::Timestamp::parse_since(time, agentbox_ctl::time::Timestamp::now());
        let time = time.expect("a time").as_millis();
        figures.push(milliseconds(now) - time as f64);
        // The first ones were there before we were.
        if figures.len() == 110 {
            break;
        }
    }
    end(child);
    median(figures.split_off(10))
}

fn end(mut child: Child) {
    // It may have ended.
    let _ = child.kill();
    child.wait().expect("it can be waited for");
}

/// Fifty boxes: a list with their units, and what the relay takes.
pub(crate) fn many() -> Vec<Row> {
    let project = Project::new(&idle_services(2)).with_relay();
    let mut boxes = Vec::new();
    let mut half = 0.0;
    while boxes.len() < MANY {
        boxes.push(project.create(&[]));
        if boxes.len() == MANY / 2 {
            half = resident(&health(&project, MANY / 2));
        }
    }
    let relay = health(&project, MANY);
    let whole = resident(&relay);
    let (list, plain) = alternate(
        15,
        || timed(project.command(&["list"])),
        || timed(engine::command(&["ps"])),
    );
    let before = processor_time(&relay);
    let begun = Instant::now();
    // A span of time is what is measured.
    std::thread::sleep(Duration::from_secs(20));
    let busy = (processor_time(&relay) - before) / begun.elapsed().as_secs_f64() * 100.0;
    vec![
        Row::against(
            "agentbox list with units, 50 boxes, against docker ps",
            list,
            plain,
            1.5,
        ),
        Row::alone("relay memory (RSS), 50 boxes", "MiB", whole / 1024.0, 20.0),
        Row::alone(
            "relay memory, a further box",
            "KiB",
            (whole - half) / (MANY - MANY / 2) as f64,
            100.0,
        ),
        Row::alone("relay processor time, 50 idle boxes", "%", busy, 0.5),
    ]
}

fn process(health: &Value) -> u64 {
    health["pid"].as_u64().expect("a process id")
}

/// Resident set size in KiB.
fn resident(health: &Value) -> f64 {
    let status = fs::read_to_string(format!("/proc/{}/status", process(health))).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let line = line.expect("a VmRSS line").trim().trim_end_matches(" kB").trim();
    line.parse().expect("a number")
}

/// Processor time so far in seconds.
fn processor_time(health: &Value) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{}/stat", process(health))).expect("it runs");
    let fields: Vec<&str> = stat
        .rsplit_once(')')
        .map(|(_, rest)| rest.split_whitespace().collect())
        .unwrap_or_default();
    let ticks: f64 = fields[11..13]
        .iter()
        .map(|field| field.parse::<f64>().expect("a number"))
        .sum();
    // The kernel counts in hundredths for every program.
    ticks / 100.0
}

/// Answers `/large` with a gigabyte and everything else with two bytes, on connections that stay.
const SERVICE: &str = r#"
import asyncio
piece = b'x' * (1 << 20)
class Service(asyncio.Protocol):
    def connection_made(self, transport):
        self.transport, self.ready = transport, asyncio.Event()
        self.ready.set()
    def pause_writing(self): self.ready.clear()
    def resume_writing(self): self.ready.set()
    def data_received(self, data):
        for request in data.split(b'\r\n\r\n')[:-1]:
            if request.startswith(b'GET /large'):
                asyncio.ensure_future(self.large())
            else:
                self.transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok')
    async def large(self):
        self.transport.write(b'HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n' % (len(piece) * 1024))
        for _ in range(1024):
            await self.ready.wait()
            self.transport.write(piece)
async def main():
    server = await asyncio.get_running_loop().create_server(Service, '0.0.0.0', 3000)
    await server.serve_forever()
asyncio.run(main())
"#;

/// The proxy and the channel, against the published port.
pub(crate) fn web() -> Vec<Row> {
    let project =
        Project::new("services:\n  web: {command: exec python3 service.py, expose: {port: 3000}}\n")
            .with_relay();
    project.file("service.py", SERVICE);
    let test_box = project.create(&["--wait"]);
    health(&project, 1);
    let urls = test_box.run("url", &["--json"]).ok().json();
    let address = |key: &str| {
        let url = urls[key].as_str().expect("a URL");
        url.trim_start_matches("http://").to_owned()
    };
    let (proxy, published) = (address("url"), address("published"));
    let port = proxy.rsplit_once(':').expect("a port").1.to_owned();
    let through = (format!("127.0.0.1:{port}"), proxy);
    let direct = (published.clone(), published);
    let (ours, theirs) = alternate(3, || download(&through), || download(&direct));
    let (quick, quick_direct) = alternate(3, || requests(&through), || requests(&direct));
    let (forward, local) = forward(&project, &test_box);
    let by_channel = (local.clone(), local);
    let rate = LARGE as f64 / 1e6 / (median((0..3).map(|_| download(&by_channel)).collect()) / 1000.0);
    let small = 1000.0 / median((0..3).map(|_| requests(&by_channel)).collect());
    end(forward);
    vec![
        Row::against(
            "1 GB through the proxy, against the published port",
            ours,
            theirs,
            1.43,
        ),
        Row::against(
            "a small request through the proxy, against the published port",
            quick,
            quick_direct,
            2.0,
        ),
        Row::at_least("1 GB over the channel (agentbox forward)", "MB/s", rate, 200.0),
        Row::at_least(
            "small requests over the channel (agentbox forward)",
            "/s",
            small,
            0.0,
        ),
    ]
}

/// A forward of the service's port, and its address here.
fn forward(project: &Project, test_box: &TestBox<'_>) -> (Child, String) {
    let mut command: Command = project.command(&["forward", test_box.name(), "0:3000", "--json"]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("forward can be started");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe"))
        .read_line(&mut line)
        .expect("a line");
    let said: Value = serde_json::from_str(&line).expect("JSON");
    (child, format!("127.0.0.1:{}", said["local"]))
}

fn connect((address, host): &(String, String), path: &str) -> (TcpStream, Vec<u8>) {
    let stream = TcpStream::connect(address.as_str()).expect("it listens");
    stream.set_nodelay(true).expect("a socket");
    let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n");
    (stream, request.into_bytes())
}

/// Milliseconds of the large download.
fn download(to: &(String, String)) -> f64 {
    let (mut stream, request) = connect(to, "/large");
    let begun = Instant::now();
    stream.write_all(&request).expect("a connection");
    let mut buffer = vec![0; 256 * 1024];
    let mut left = LARGE;
    let mut is_head = true;
    while left > 0 {
        let read = stream.read(&mut buffer).expect("a connection");
        assert!(read > 0, "{left} bytes are missing");
        let mut body = read as u64;
        if std::mem::take(&mut is_head) {
            let end = buffer[..read].windows(4).position(|four| four == b"\r\n\r\n");
            body -= end.expect("a head in one piece") as u64 + 4;
        }
        left -= body;
    }
    milliseconds(begun.elapsed())
}

/// Milliseconds of a thousandth of many small requests, on eight connections at once.
fn requests(to: &(String, String)) -> f64 {
    const EACH: usize = 500;
    const CONNECTIONS: usize = 8;
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..CONNECTIONS {
            scope.spawn(|| {
                let (mut stream, request) = connect(to, "/");
                let mut buffer = [0; 4096];
                for _ in 0..EACH {
                    stream.write_all(&request).expect("a connection");
                    let mut answer = Vec::new();
                    while !answer.ends_with(b"\r\n\r\nok") {
                        let read = stream.read(&mut buffer).expect("a connection");
                        assert!(read > 0, "{}", String::from_utf8_lossy(&answer));
                        answer.extend_from_slice(&buffer[..read]);
                    }
                }
            });
        }
    });
    milliseconds(begun.elapsed()) / (CONNECTIONS * EACH) as f64
}
