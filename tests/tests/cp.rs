//! `agentbox cp`: both ways, in every state of a box, against what `docker cp` does, and against a box that cheats.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use agentbox_tests::process::run;
use agentbox_tests::{Project, TestBox, engine, wait_for};
use nix::sys::signal::Signal;

const IDLE: &str = "services: {web: {command: exec sleep 1000}}\n";

/// One line of what a tree has, for comparison: kind, mode, time, size or target.
fn listing(root: &Path) -> BTreeMap<Vec<u8>, String> {
    let mut lines = BTreeMap::new();
    let mut waiting = vec![root.to_owned()];
    while let Some(path) = waiting.pop() {
        let metadata = path.symlink_metadata().unwrap();
        let (mode, time) = (metadata.mode() & 0o7777, metadata.mtime());
        let line = if metadata.is_dir() {
            waiting.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            format!("directory {mode:o} {time}")
        } else if metadata.is_symlink() {
            format!("link {time} {}", fs::read_link(&path).unwrap().display())
        } else {
            let content = fs::read(&path).unwrap();
            let sum = content
                .iter()
                .fold(7_u64, |sum, byte| sum.wrapping_mul(31) + u64::from(*byte));
            format!(
                "file {mode:o} {time} {} {sum:x} {}",
                content.len(),
                metadata.nlink()
            )
        };
        let name = path.strip_prefix(root).unwrap().as_os_str().as_bytes().to_vec();
        lines.insert(name, line);
    }
    lines
}

/// A tree with everything that files can be.
fn everything(root: &Path) {
    let at = |name: &str| root.join(name);
    fs::create_dir_all(at("deep/er/est")).unwrap();
    fs::create_dir_all(at("empty")).unwrap();
    fs::write(at("plain"), "content\n").unwrap();
    fs::write(at("empty-file"), "").unwrap();
    fs::write(at("deep/er/est/file"), "deep").unwrap();
    fs::write(at("zeros and a hole"), "").unwrap();
    fs::write(at("name with spaces, a 'quote' and ünïcode"), "x").unwrap();
    fs::write(at("line\nbreak"), "x").unwrap();
    fs::write(at("-rf"), "x").unwrap();
    fs::write(at("a:b"), "x").unwrap();
    fs::write(at("trailing."), "x").unwrap();
    fs::write(root.join(OsStr::from_bytes(b"not\xffutf8")), "x").unwrap();
    fs::write(at(&"n".repeat(240)), "x").unwrap();
    let long = format!("{0}/{0}/{0}/{0}", "l".repeat(120));
    fs::create_dir_all(at(&long)).unwrap();
    fs::write(at(&format!("{long}/file")), "far down").unwrap();
    let sparse = fs::File::create(at("sparse")).unwrap();
    sparse.set_len(64 << 20).unwrap();
    fs::write(at("block"), vec![b'x'; 512]).unwrap();
    fs::write(at("odd"), vec![b'y'; 131_073]).unwrap();
    fs::hard_link(at("odd"), at("second name")).unwrap();
    symlink("plain", at("link")).unwrap();
    symlink("/etc/passwd", at("absolute")).unwrap();
    symlink("../..//./up", at("up")).unwrap();
    symlink("x".repeat(200), at("long link")).unwrap();
    symlink("deep", at("directory link")).unwrap();
    for (mode, name) in [
        (0o755, "executable"),
        (0o600, "private"),
        (0o444, "read-only"),
        (0o666, "shared"),
    ] {
        fs::write(at(name), name).unwrap();
        fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(at("deep/er/est"), fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(at("empty"), fs::Permissions::from_mode(0o1777)).unwrap();
    let times = |path: &Path| {
        let time = std::time::UNIX_EPOCH + Duration::from_secs(1_234_567_890);
        fs::File::open(path).unwrap().set_modified(time).unwrap();
    };
    times(&at("plain"));
    times(&at("deep"));
}

/// There and back again, outside and below the workspace; the same tree each time.
fn round_trip(project: &Project, test_box: &TestBox<'_>, round: &str) {
    let source = project.directory().join("everything");
    for (index, place) in ["/workspace/", "/opt/", "/data/"].iter().enumerate() {
        let name = format!("{round}-{index}");
        let there = format!("{}:{place}{name}", test_box.name());
        project.run(&["cp", "everything", &there]).ok();
        project.run(&["cp", &there, &name]).ok();
        let (before, after) = (listing(&source), listing(&project.directory().join(&name)));
        for (path, line) in &before {
            assert_eq!(
                after.get(path),
                Some(line),
                "{round} {place} {}",
                path.escape_ascii()
            );
        }
        assert_eq!(before.len(), after.len());
    }
    let sparse = fs::metadata(project.directory().join(format!("{round}-0/sparse"))).unwrap();
    assert!(sparse.blocks() < 1000, "{} blocks", sparse.blocks());
}

#[test]
fn a_tree_survives_the_way_in_and_out_in_every_state() {
    let project = Project::new(IDLE);
    let test_box = project.create(&["--volume", "data:/data"]);
    let source = project.directory().join("everything");
    fs::create_dir(&source).unwrap();
    everything(&source);
    round_trip(&project, &test_box, "running");
    test_box.run("pause", &[]).ok();
    round_trip(&project, &test_box, "paused");
    test_box.run("unpause", &[]).ok();
    test_box.run("stop", &[]).ok();
    round_trip(&project, &test_box, "stopped");
    test_box.run("start", &[]).ok();
    // What lies in the workspace belongs to the box user whatever the state was, the rest to root.
    let owners = test_box
        .docker_exec("find /workspace/running-0 /workspace/paused-0 /workspace/stopped-0 ! -user developer; find /opt ! -user root")
        .ok();
    assert_eq!(owners.stdout, "");
    test_box.run("destroy", &["-f"]).ok();
    project
        .run(&["cp", &format!("{}:/etc/hosts", test_box.name()), "."])
        .expect_code(3);
}

#[test]
fn files_belong_to_the_owner_of_the_directory_that_gets_them() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    project.file("tree/file", "x");
    let setup = "mkdir -p /srv/mine/tree /srv/other; chown -R 1234:5678 /srv/mine; chmod 700 /workspace; ln -s /srv/mine /srv/link";
    test_box.docker_exec(setup).ok();
    let name = test_box.name();
    for (source, destination, path, owner) in [
        ("tree", ":", "/workspace/tree/file", "1000:1000"),
        ("tree/file", ":/etc/new", "/etc/new", "0:0"),
        (
            "tree/file",
            ":/home/developer/",
            "/home/developer/file",
            "1000:1000",
        ),
        ("tree", ":/srv/other", "/srv/other/tree/file", "0:0"),
        // Merged with what is there: the innermost directory that exists says whose it is.
        ("tree", ":/srv/mine", "/srv/mine/tree/file", "1234:5678"),
        ("tree/.", ":/srv/mine", "/srv/mine/file", "1234:5678"),
        (
            "tree/file",
            ":/srv/link/through",
            "/srv/mine/through",
            "1234:5678",
        ),
    ] {
        project.run(&["cp", source, &format!("{name}{destination}")]).ok();
        let stat = test_box.docker_exec(&format!("stat -c %u:%g {path}")).ok();
        assert_eq!(stat.stdout.trim(), owner, "{source} to {destination}");
    }
    // The directory that gets the content of another keeps its own mode.
    project.run(&["cp", "tree/.", ":"]).ok();
    let stat = test_box.docker_exec("stat -c %a /workspace").ok();
    assert_eq!(stat.stdout.trim(), "700");
}

/// What a copy left in a directory of the box.
fn tree_of(test_box: &TestBox<'_>, directory: &str) -> String {
    let script = format!("cd {directory} && find . -printf '%y %p %l\\n' | sort");
    test_box.docker_exec(&script).ok().stdout
}

#[test]
fn destinations_are_those_of_docker_cp() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    let container = test_box.container();
    project.file("dir/inner/f", "inner");
    project.file("file", "new");
    symlink("file", project.directory().join("to-file")).unwrap();
    symlink("dir", project.directory().join("to-dir")).unwrap();
    let every = [
        "",
        "/.",
        "/new",
        "/new/",
        "/new/.",
        "/old",
        "/sub",
        "/sub/.",
        "/no/where",
        "/to-old",
        "/to-sub",
        "/to-nothing",
    ];
    let some = ["/new", "/old", "/sub"];
    let sources: [(&[&str], &str, &[&str]); 10] = [
        (&[], "dir", &every),
        (&[], "dir/.", &every),
        (&[], "file", &every),
        (&[], "to-file", &every),
        (&[], "dir/", &some),
        (&[], "to-dir", &some),
        (&[], "to-dir/", &some),
        (&[], "to-dir/.", &some),
        (&["-L"], "to-file", &some),
        (&["-L"], "to-dir", &some),
    ];
    let fresh = "rm -rf /t && mkdir -p /t/sub && echo old > /t/old && ln -s old /t/to-old && ln -s sub /t/to-sub && ln -s none /t/to-nothing";
    for (flags, source, destinations) in sources {
        for destination in destinations {
            let theirs = format!("{container}:/t{destination}");
            let ours = format!("{}:/t{destination}", test_box.name());
            test_box.docker_exec(fresh).ok();
            let mut docker = engine::command(&["cp"]);
            docker
                .args(flags)
                .args([source, &theirs])
                .current_dir(project.directory());
            let docker = run(docker, Duration::from_secs(30));
            let expected = tree_of(&test_box, "/t");
            test_box.docker_exec(fresh).ok();
            let output = project.run(&[&["cp"], flags, &[source, &ours]].concat());
            let what = format!("cp {flags:?} {source} /t{destination}: {docker}\n{output}");
            assert_eq!(output.code == 0, docker.code == 0, "{what}");
            assert_eq!(tree_of(&test_box, "/t"), expected, "{what}");
        }
    }
}

#[test]
fn destinations_here_are_those_of_docker_cp() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    let setup = "mkdir -p /s/dir/inner && cd /s && echo inner > dir/inner/f && echo new > file && ln -s file to-file && ln -s dir to-dir";
    test_box.docker_exec(setup).ok();
    let root = project.directory().join("t");
    let fresh = || {
        if root.exists() {
            fs::remove_dir_all(&root).unwrap();
        }
        fs::create_dir_all(root.join("sub")).unwrap();
        fs::write(root.join("old"), "old").unwrap();
        symlink("old", root.join("to-old")).unwrap();
        symlink("sub", root.join("to-sub")).unwrap();
    };
    let found = || -> Vec<String> {
        listing(&root)
            .into_iter()
            .map(|(name, line)| {
                let kind = line.split(' ').next().unwrap_or_default().to_owned();
                format!("{} {kind}", name.escape_ascii())
            })
            .collect()
    };
    let destinations = [
        "t",
        "t/",
        "t/.",
        "t/new",
        "t/new/",
        "t/old",
        "t/sub",
        "t/sub/",
        "t/no/where",
        "t/to-old",
        "t/to-sub",
    ];
    let sources = [
        "dir", "dir/", "dir/.", "file", "to-file", "to-dir", "to-dir/", "to-dir/.", "none",
    ];
    for follow in [false, true] {
        for source in sources {
            for destination in destinations {
                if follow && !source.starts_with("to-") {
                    continue;
                }
                let flags: &[&str] = if follow { &["-L"] } else { &[] };
                fresh();
                let mut docker = engine::command(&["cp"]);
                let theirs = format!("{}:/s/{source}", test_box.container());
                docker
                    .args(flags)
                    .args([&theirs, destination])
                    .current_dir(project.directory());
                let docker = run(docker, Duration::from_secs(30));
                let expected = found();
                fresh();
                let ours = format!("{}:/s/{source}", test_box.name());
                let output = project.run(&[&["cp"], flags, &[&*ours, destination]].concat());
                let what = format!("cp {flags:?} {source} {destination}: {docker}\n{output}");
                assert_eq!(output.code == 0, docker.code == 0, "{what}");
                assert_eq!(found(), expected, "{what}");
            }
        }
    }
}

#[test]
fn a_box_that_cheats_reaches_nothing_outside_the_destination() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    let name = test_box.name();
    let canary = project.directory().join("canary");
    fs::write(&canary, "alive").unwrap();
    let script = format!(
        "mkdir -p /evil/sub && cd /evil && mkfifo pipe && ln -s {0} sub/out && ln -s {0}/canary canary && \
         printf x > \"$(printf 'esc\\033[2J\\nname')\" && printf x > set && chmod 6755 set && \
         python3 -c \"import socket; socket.socket(socket.AF_UNIX).bind('/evil/socket')\"",
        project.directory().display()
    );
    test_box.docker_exec(&script).ok();
    // Links of the host where the box has files and directories.
    fs::create_dir_all(project.directory().join("into/evil")).unwrap();
    symlink(&canary, project.directory().join("into/evil/set")).unwrap();
    let output = project.run(&["cp", &format!("{name}:/evil"), "into"]).ok();
    assert!(output.stderr.contains("left out evil/pipe"), "{output}");
    assert!(!output.stderr.contains('\u{1b}'), "{output}");
    assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
    let set = project
        .directory()
        .join("into/evil/set")
        .symlink_metadata()
        .unwrap();
    assert!(set.is_file() && set.mode() & 0o7777 == 0o755, "{:o}", set.mode());
    assert!(project.directory().join("into/evil/canary").is_symlink());
    assert!(!project.directory().join("into/evil/pipe").exists());
    // A directory of the box in the place of a link of the host is not gone through.
    fs::create_dir_all(project.directory().join("other/evil")).unwrap();
    symlink(project.directory(), project.directory().join("other/evil/sub")).unwrap();
    project
        .run(&["cp", &format!("{name}:/evil"), "other"])
        .expect_code(1)
        .complains(&["cannot write other/evil/sub", "copied before that"]);
    // Into the box: a link of the box's leads where it leads there, and not here.
    test_box
        .docker_exec(&format!(
            "ln -s {0} /evil/host && ln -s / /evil/root",
            project.directory().display()
        ))
        .ok();
    project.file("mine", "content");
    project.run(&["cp", "mine", &format!("{name}:/evil/root")]).ok();
    test_box.docker_exec("test -f /mine").ok();
    project
        .run(&["cp", "mine", &format!("{name}:/evil/host/canary")])
        .expect_code(1);
    assert_eq!(fs::read_to_string(&canary).unwrap(), "alive");
    // A device here is not replaced by a file, nor a device there.
    project
        .run(&["cp", &format!("{name}:/etc/hostname"), "/dev/null"])
        .expect_code(1)
        .complains(&["is a device"]);
    for path in ["/dev/null", "/proc/self", "/sys/x", "/run/agentbox/secrets/x"] {
        let reach = "a copy does not reach";
        project
            .run(&["cp", "mine", &format!("{name}:{path}")])
            .expect_code(1)
            .complains(&[reach]);
        project
            .run(&["cp", &format!("{name}:{path}"), "."])
            .expect_code(1)
            .complains(&[reach]);
    }
    project
        .run(&["cp", "mine", &format!("{name}:/evil/pipe")])
        .expect_code(1);
    project
        .run(&["cp", &format!("{name}:/evil/pipe"), "."])
        .expect_code(1);
}

#[test]
fn what_is_missing_or_wrong_is_said_with_a_hint() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    let name = test_box.name();
    project.file("file", "x");
    project.file("dir/file", "x");
    let at = |path: &str| format!("{name}:{path}");
    project
        .run(&["cp", &at("/none"), "."])
        .expect_code(1)
        .complains(&["there is no", "hint: agentbox exec"]);
    project
        .run(&["cp", "none", &at("")])
        .expect_code(1)
        .complains(&["there is no none", "hint: "]);
    project.run(&["cp", "nobox:/x", "."]).expect_code(3);
    project
        .run(&["cp", "x", "y"])
        .expect_code(2)
        .complains(&["BOX:PATH"]);
    project
        .run(&["cp", "a:x", "b:y"])
        .expect_code(2)
        .complains(&["- | agentbox cp -"]);
    project.run(&["cp", "-", "-"]).expect_code(2);
    project.run(&["cp", "file"]).expect_code(2);
    project.run(&["cp", "", &at("")]).expect_code(2);
    project.run(&["cp", "--json", &at("/etc"), "-"]).expect_code(2);
    project
        .run(&["cp", "file", &at("/no/such/file")])
        .expect_code(1)
        .complains(&["mkdir -p /no/such"]);
    project
        .run(&["cp", &at("/etc/hosts"), "no/such"])
        .expect_code(1)
        .complains(&["mkdir -p no"]);
    project.run(&["cp", "dir", &at("/etc/hostname")]).expect_code(1);
    // The engine's own refusal, in the middle of a copy.
    test_box.exec("mkdir -p /workspace/tree/file").ok();
    project.file("tree/file", "x");
    project
        .run(&["cp", "tree", &at("")])
        .expect_code(1)
        .complains(&["cannot copy into box", "directory"]);
    // By index, by id, as the only box; a colon that belongs to a name.
    project.run(&["cp", "file", "1:/tmp/by-index"]).ok();
    let id = test_box.status_json()["box"]["id"].as_str().unwrap()[..8].to_owned();
    project.run(&["cp", "file", &format!("{id}:/tmp/by-id")]).ok();
    project.run(&["cp", "file", ":/tmp/only"]).ok();
    project.file("with:colon", "x");
    project.run(&["cp", "./with:colon", ":/tmp"]).ok();
    test_box
        .exec("ls /tmp/by-index /tmp/by-id /tmp/only /tmp/with:colon")
        .ok();
    let output = project.run(&["cp", "-q", "file", ":"]).ok();
    assert_eq!((output.stdout.as_str(), output.stderr.as_str()), ("", ""));
    let json = project.run(&["cp", "--json", "dir", ":dir"]).ok().json();
    assert_eq!(
        json,
        serde_json::json!({
            "box": name, "source": "dir", "destination": format!("{name}:/workspace/dir"),
            "files": 1, "bytes": 1, "warnings": [],
        })
    );
}

#[test]
fn an_unreadable_file_is_named_with_what_was_copied() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    project.file("tree/a", "first");
    project.file("tree/c", "last");
    // Even root cannot read it.
    symlink("loop", project.directory().join("loop")).unwrap();
    project
        .run(&["cp", "-L", "loop", ":"])
        .expect_code(1)
        .complains(&["loop"]);
    fs::create_dir(project.directory().join("tree/b")).unwrap();
    let pipe = project.directory().join("tree/b/pipe");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRUSR).unwrap();
    let output = project.run(&["cp", "tree", ":"]).ok();
    assert!(
        output.stderr.contains("warning: left out tree/b/pipe"),
        "{output}"
    );
    assert!(output.stderr.contains("copied 2 files, 9 B"), "{output}");
    test_box
        .exec("cd /workspace/tree && cat a c && test ! -e b/pipe")
        .ok();
    // A file of the kernel's that says 4096 and has less.
    if Path::new("/sys/kernel/mm/transparent_hugepage/enabled").exists() {
        project
            .run(&["cp", "/sys/kernel/mm/transparent_hugepage/enabled", ":"])
            .expect_code(1)
            .complains(&["became shorter", "copied before that: 1 file"]);
    }
}

#[test]
fn tar_streams_go_both_ways() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    project.file("tree/file", "content");
    let mut sender = project.start(&["cp", "-", ":/opt"]);
    let mut tar = std::process::Command::new("tar");
    tar.args(["-cf", "-", "tree"]).current_dir(project.directory());
    sender.write(&run(tar, Duration::from_secs(30)).ok().bytes);
    sender.finish(Duration::from_secs(30)).ok();
    test_box.docker_exec("grep content /opt/tree/file").ok();
    for (source, names) in [
        (":/opt/tree", "tree/\ntree/file\n"),
        (":/opt/tree/.", "./\n./file\n"),
    ] {
        let archive = project.run(&["cp", source, "-"]).ok();
        assert_eq!(archive.stderr, "");
        project.file("archive.tar", &archive.bytes);
        let mut tar = std::process::Command::new("tar");
        tar.args(["-tf", "archive.tar"]).current_dir(project.directory());
        assert_eq!(run(tar, Duration::from_secs(30)).ok().stdout, names);
    }
    let mut sender = project.start(&["cp", "-", ":/opt"]);
    sender.write(&[b'?'; 2048]);
    sender
        .finish(Duration::from_secs(30))
        .expect_code(1)
        .complains(&["must be a tar archive"]);
    let sender = project.start(&["cp", "-", ":/opt/tree/file"]);
    sender.finish(Duration::from_secs(30)).expect_code(1);
    // Whoever should have written it has failed.
    project
        .start(&["cp", "-", ":/opt"])
        .finish(Duration::from_secs(30))
        .expect_code(1)
        .complains(&["stdin is empty"]);
}

#[test]
fn an_interrupt_leaves_the_old_file_and_no_temporary_one() {
    let project = Project::new(IDLE);
    let test_box = project.create(&[]);
    test_box
        .exec("mkdir big && head -c 400000000 /dev/urandom > big/file")
        .ok();
    project.file("out/big/file", "old");
    let mut copying = project.start(&["cp", ":big", "out"]);
    let directory = project.directory().join("out/big");
    wait_for("a temporary file", Duration::from_secs(30), || {
        assert!(!copying.exited(), "it ended before it could be interrupted");
        match fs::read_dir(&directory).unwrap().count() {
            1 => Err("only the old one".to_owned()),
            _ => Ok(()),
        }
    });
    copying.signal(Signal::SIGINT);
    copying
        .finish(Duration::from_secs(30))
        .expect_code(130)
        .complains(&["interrupted: 0 files"]);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    assert_eq!(fs::read_to_string(directory.join("file")).unwrap(), "old");
    // And on the way in.
    let file = fs::File::create(project.directory().join("huge")).unwrap();
    file.set_len(4 << 30).unwrap();
    let copying = project.start(&["cp", "huge", ":"]);
    // The engine does nothing else with a box that it copies into: what was read here tells.
    wait_for("the copy to begin", Duration::from_secs(30), || {
        let io = fs::read_to_string(format!("/proc/{}/io", copying.pid())).unwrap();
        let read = io.lines().find_map(|line| line.strip_prefix("rchar: ")).unwrap();
        match read.parse::<u64>().unwrap() {
            ..50_000_000 => Err(format!("{read} bytes read")),
            _ => Ok(()),
        }
    });
    copying.signal(Signal::SIGTERM);
    copying
        .finish(Duration::from_secs(30))
        .expect_code(130)
        .complains(&["may be there in part"]);
    // The box is as usable as before.
    test_box.exec("rm -f /workspace/huge").ok();
    project.run(&["cp", ":/etc/hosts", "."]).ok();
}
