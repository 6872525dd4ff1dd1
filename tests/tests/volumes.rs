//! Named volumes: who may write there, and how long they live.

use agentbox_tests::{Project, TestBox, engine};
use serde_json::Value;

const VOLUMES: [&str; 4] = [
    "data:/data",
    "cache:/home/developer/.cache/tool/deep",
    "modules:/workspace/apps/web/node_modules",
    "zones:/usr/share/zoneinfo",
];

fn project() -> Project {
    let project = Project::new("services: {web: {command: exec sleep 10000}}\n");
    project.file("apps/web/main.js", "1\n");
    project
}

fn create(project: &Project) -> TestBox<'_> {
    project.create(&VOLUMES.map(|volume| ["--volume", volume]).concat())
}

fn mounts(test_box: &TestBox<'_>) -> Vec<Value> {
    let status = test_box.run("status", &["--inspect", "--json"]).ok().json();
    status["inspect"]["mounts"].as_array().expect("a list").clone()
}

#[test]
fn a_fresh_volume_is_the_box_user_s_and_so_is_what_docker_made_above_it() {
    let project = project();
    let test_box = create(&project);
    for directory in [
        "/data",
        "~/.cache",
        "~/.cache/tool",
        "~/.cache/tool/deep",
        "/workspace/apps",
        "/workspace/apps/web",
        "/workspace/apps/web/node_modules",
    ] {
        test_box.exec(&format!("touch {directory}/written")).ok();
    }
    assert_eq!(test_box.exec("cat apps/web/main.js").ok().stdout, "1\n");
    // What the image has at a volume's path stays as the image has it.
    let owners = test_box
        .exec("stat -c %U /usr/share/zoneinfo /usr/share/zoneinfo/UTC")
        .ok();
    assert_eq!(owners.stdout, "root\nroot\n");
    // Somebody who gives theirs away means it.
    test_box.exec("rm /data/written && sudo chown root /data").ok();
    test_box.run("restart", &[]).ok();
    assert_eq!(test_box.exec("stat -c %U /data").ok().stdout, "root\n");
}

#[test]
fn volumes_live_as_long_as_their_box_and_have_sizes() {
    let project = project();
    let test_box = create(&project);
    test_box
        .exec("head -c 3000000 /dev/zero > /data/large && echo kept > apps/web/node_modules/x")
        .ok();
    let container = test_box.container();
    engine::docker(&["kill", &container]).ok();
    test_box.run("start", &[]).ok();
    assert_eq!(test_box.exec("cat apps/web/node_modules/x").ok().stdout, "kept\n");

    // Some engines count for one at a time.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..2).map(|_| scope.spawn(|| mounts(&test_box))).collect();
        asking
            .into_iter()
            .map(|one| one.join().expect("it answers"))
            .collect()
    });
    for mounts in answers {
        let data = mounts.into_iter().find(|mount| mount["target"] == "/data");
        let data = data.expect("the volume is shown");
        assert_eq!(data["bytes"], 3_000_000, "{data}");
    }
    let volumes = engine::volumes_of(&container);
    assert_eq!(volumes.len(), 1 + VOLUMES.len(), "{volumes:?}");
    engine::docker(&["kill", &container]).ok();
    test_box.run("destroy", &["-f", "--discard"]).ok();
    let left: Vec<_> = engine::volumes()
        .into_iter()
        .filter(|volume| volumes.contains(volume))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
