//! What a box can reach and what it gives away, tried from inside a real one.

use agentbox_tests::{Project, engine};

const YAML: &str = "services: {web: {command: exec sleep 1000, env: {UNIT_SECRET: unit-canary}}}\n";

#[test]
fn given_environment_is_in_units_and_shells_and_not_in_the_containers_configuration() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--env", "TOKEN=box-canary", "--wait"]);
    let pid = test_box.pid("web");
    let environment = test_box.docker_exec(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"));
    // Root without SYS_PTRACE may not read it; the box user reads its own.
    let environment = if environment.code == 0 {
        environment.stdout
    } else {
        test_box
            .exec(&format!("tr '\\0' '\\n' < /proc/{pid}/environ"))
            .ok()
            .stdout
    };
    for expected in ["TOKEN=box-canary", "UNIT_SECRET=unit-canary", "AGENTBOX=1"] {
        assert!(
            environment.lines().any(|line| line == expected),
            "{expected} is missing in {environment}"
        );
    }
    assert_eq!(
        test_box.exec("echo $TOKEN $UNIT_SECRET").ok().stdout,
        "box-canary\n",
        "a unit's own stays its own"
    );

    let inspected = test_box.inspect().to_string();
    for canary in ["box-canary", "unit-canary"] {
        assert!(!inspected.contains(canary), "docker inspect shows {canary}");
    }
    let image = format!("agentbox-tests/commit-{}", test_box.name());
    engine::docker(&["commit", &test_box.container(), &image]).ok();
    let committed = engine::inspect(&image).expect("the image is there").to_string();
    let kept = engine::docker(&[
        "run",
        "--rm",
        "--entrypoint",
        "sh",
        &image,
        "-c",
        "grep -rl box-canary /var/lib/agentbox /etc /run /workspace 2>/dev/null",
    ]);
    engine::docker(&["rmi", "-f", &image]);
    assert!(
        !committed.contains("box-canary"),
        "a commit carries the environment"
    );
    assert_eq!(kept.stdout, "", "a commit carries the private volume");
    // The private directory is root's alone.
    test_box.exec("ls /var/lib/agentbox/private").expect_code(2);
    assert_eq!(
        test_box
            .docker_exec("stat -c '%a %u' /var/lib/agentbox/private")
            .ok()
            .stdout,
        "700 0\n"
    );
}

#[test]
fn nothing_of_the_host_is_in_the_box() {
    let project = Project::new(YAML);
    let canary = project
        .directory()
        .parent()
        .expect("a parent")
        .join("host-canary");
    std::fs::write(&canary, "host-canary-content").expect("a file can be written");
    let test_box = project.create(&["--wait"]);
    let inspected = test_box.inspect();
    let mounts = inspected["Mounts"].as_array().expect("mounts are a list");
    assert_eq!(
        mounts.len(),
        1,
        "the private volume is the only mount: {mounts:?}"
    );
    assert_eq!(mounts[0]["Type"], "volume");
    assert_eq!(mounts[0]["Destination"], "/var/lib/agentbox/private");
    let host = &inspected["HostConfig"];
    assert_eq!(host["Privileged"], false);
    for key in ["Binds", "Devices", "CapAdd", "VolumesFrom"] {
        assert!(
            host[key].as_array().is_none_or(Vec::is_empty),
            "{key}: {}",
            host[key]
        );
    }
    for key in ["PidMode", "UTSMode", "UsernsMode"] {
        assert_eq!(host[key], "", "{key}");
    }
    assert!(host["IpcMode"] != "host" && host["NetworkMode"] != "host");
    assert!(host["PidsLimit"].as_i64().is_some_and(|limit| limit > 0));
    let dropped = host["CapDrop"].to_string();
    assert!(
        dropped.contains("NET_RAW") && dropped.contains("MKNOD"),
        "{dropped}"
    );
    for binding in inspected["NetworkSettings"]["Ports"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(_, bound)| bound.as_array())
        .flatten()
    {
        assert_eq!(binding["HostIp"], "127.0.0.1");
    }

    // The same from inside, as root.
    let attack = "set -u
        test ! -e /var/run/docker.sock && test ! -e /run/docker.sock || echo docker-socket
        find / -xdev -type s 2>/dev/null | grep -v '^/run/agentbox/ctl.sock$'
        grep -E ' (9p|nfs|virtiofs|fuse\\.sshfs|drvfs) ' /proc/mounts
        grep -rl host-canary-content / --include=host-canary 2>/dev/null
        mknod /tmp/disk b 8 0 2>/dev/null && echo mknod
        mount -t tmpfs none /mnt 2>/dev/null && echo mount
        unshare -m true 2>/dev/null && echo unshare
        dmesg >/dev/null 2>&1 && test -w /proc/sysrq-trigger && echo sysrq
        sh -c 'echo x > /proc/sys/kernel/hostname' 2>/dev/null && echo sysctl
        env | grep -iE 'docker|HOST_' 
        getent hosts host.docker.internal
        true";
    let found = test_box.docker_exec(attack);
    assert_eq!(found.stdout, "", "{found}");
    let other = test_box.run(
        "exec",
        &[
            "--",
            "python3",
            "-c",
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
        ],
    );
    assert_ne!(other.code, 0, "raw sockets need NET_RAW");
    assert_eq!(
        test_box.exec("sudo -n id -u").ok().stdout,
        "0\n",
        "sudo works all the same"
    );
    test_box.exec("ping -c 1 -W 5 127.0.0.1").ok();
}

#[test]
fn the_socket_belongs_to_root_and_the_box_user() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--wait"]);
    test_box.exec("agentbox-ctl status").ok();
    test_box.docker_exec("agentbox-ctl status").ok();
    let stranger = project.run(&["exec", "-u", "nobody", test_box.name(), "agentbox-ctl", "status"]);
    assert_ne!(stranger.code, 0, "{stranger}");
}

#[test]
fn a_box_without_a_network_still_answers() {
    let project = Project::new(YAML);
    let test_box = project.create(&["--network", "none", "--wait"]);
    assert_eq!(test_box.unit("web")["state"], "running");
    assert_eq!(test_box.exec("ls /sys/class/net").ok().stdout, "lo\n");
}
