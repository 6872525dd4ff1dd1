//! Boxes from a checkpoint for projects of every kind, and creates that are cut off in the middle of one.

use std::fs::{self, File};

use agentbox_tests::process::PATIENCE;
use agentbox_tests::repository::{commit_all, git, git_in};
use agentbox_tests::warm::{Checkpoint, same_as_here, whole};
use agentbox_tests::{Project, TestBox, engine, images, wait_until};
use nix::sys::signal::Signal;

/// A file that takes long enough to send for something to happen meanwhile.
const BIG: u64 = 512 << 20;

/// Starts a create from the checkpoint and waits until the big file is under way; gives it, with the container.
fn half_way(project: &Project, name: &str) -> (agentbox_tests::Running, String) {
    let mut create = project.start(&["create", "-y", "-n", name, "--from", "warm"]);
    let mut found = None;
    wait_until("the project under way", PATIENCE, || {
        assert!(!create.exited(), "the create was faster than the test");
        found = project.containers().first().cloned();
        let look = "test -s /workspace/big && test -e /var/lib/agentbox/private/seeding";
        found
            .as_ref()
            .is_some_and(|id| engine::docker(&["exec", id, "sh", "-c", look]).code == 0)
    });
    (create, found.expect("it was seen"))
}

#[test]
fn a_create_that_is_cut_off_makes_no_box() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    commit_all(&project);
    let checkpoint = Checkpoint::of(&project, project.create(&[]));
    project.file("file", "two\n");
    let big = File::create(project.directory().join("big")).expect("a file can be made");
    big.set_len(BIG).expect("a file can be long");
    let name = format!("{}-cut", project.name());

    let is_running =
        |container: &str| engine::inspect(container).is_some_and(|found| found["State"]["Running"] == true);

    // What was half-made is started once more, while its maker lives and takes no notice: it waits for a project.
    let (create, container) = half_way(&project, &name);
    create.signal(Signal::SIGSTOP);
    engine::docker(&["kill", &container]).ok();
    wait_until("the end of what was half-made", PATIENCE, || {
        !is_running(&container)
    });
    engine::docker(&["start", &container]).ok();
    let waits = "test -e /var/lib/agentbox/private/seeding && ! test -e /run/agentbox/ctl.sock";
    engine::docker(&["exec", &container, "sh", "-c", waits]).ok();
    assert_eq!(
        project.run(&["list", "--json"]).ok().json(),
        serde_json::json!([])
    );
    create.signal(Signal::SIGCONT);
    create.finish(PATIENCE).expect_code(1);
    assert_eq!(project.containers(), [""; 0]);

    // The host's side goes.
    let (create, container) = half_way(&project, &name);
    create.signal(Signal::SIGKILL);
    create.finish(PATIENCE);
    wait_until("the end of what was half-made", PATIENCE, || {
        !is_running(&container)
    });
    project.run(&["status", &name]).expect_code(3);
    project.run(&["prune", "--force"]).ok();
    assert_eq!(project.containers(), [""; 0]);

    // The box's side goes.
    let (create, container) = half_way(&project, &name);
    engine::docker(&["kill", &container]).ok();
    create
        .finish(PATIENCE)
        .expect_code(1)
        .complains(&["ended at its start"]);
    assert_eq!(project.containers(), [""; 0]);

    fs::remove_file(project.directory().join("big")).expect("a file can be removed");
    let warm = checkpoint.create(&[]);
    same_as_here(&project, &warm);
}

#[test]
fn submodules_come_and_go() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    let upstream = root
        .parent()
        .expect("a project lies in a directory")
        .join("upstream");
    fs::create_dir(&upstream).expect("a directory can be made");
    git_in(
        &project,
        &upstream,
        &["init", "--quiet", "--initial-branch=main", "."],
    );
    for content in ["one\n", "two\n"] {
        fs::write(upstream.join("inner"), content).expect("a file can be written");
        git_in(&project, &upstream, &["add", "--all"]);
        git_in(&project, &upstream, &["commit", "--quiet", "--message", "inner"]);
    }
    project.file("file", "x\n");
    commit_all(&project);
    let add = |path: &str| {
        let source = upstream.to_str().expect("a path is text");
        git(
            &project,
            &[
                "-c",
                "protocol.file.allow=always",
                "submodule",
                "--quiet",
                "add",
                source,
                path,
            ],
        );
        git(&project, &["commit", "--quiet", "--message", "a submodule"]);
    };
    add("moved");
    add("removed");
    // One that the box fills by itself.
    let commit = git_in(&project, &upstream, &["rev-parse", "HEAD"]);
    let entry = format!("160000,{},filled", commit.trim());
    git(&project, &["update-index", "--add", "--cacheinfo", &entry]);
    fs::create_dir(root.join("filled")).expect("a directory can be made");
    git(
        &project,
        &["commit", "--quiet", "--message", "one that is not here"],
    );
    let source = project.create(&[]);
    source
        .exec(
            "set -e; git config --global user.name A; git config --global user.email a@b
             cd moved; echo work >inner; echo own >own; git commit --quiet --all --message work; git branch leftover
             cd ..; git add moved; git commit --quiet --message bump; echo own >removed/own
             rmdir filled; mkdir .git/modules; git clone --quiet --separate-git-dir .git/modules/filled moved filled; echo own >filled/own",
        )
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    git_in(&project, &root.join("moved"), &["checkout", "--quiet", "HEAD~1"]);
    git(&project, &["rm", "--quiet", "--force", "removed"]);
    fs::remove_dir_all(root.join(".git/modules/removed")).expect("a directory can be removed");
    git(
        &project,
        &[
            "commit",
            "--quiet",
            "--all",
            "--message",
            "another commit, and one less",
        ],
    );
    add("added");

    let warm = checkpoint.create(&[]);
    let box_of = |script| warm.exec(script).ok().stdout;
    assert_eq!(
        box_of("cat moved/own removed/own; rm moved/own; rm -r removed"),
        "own\nown\n"
    );
    same_as_here(&project, &warm);
    assert_eq!(box_of("ls -A filled"), "");
    for name in ["moved", "added"] {
        let inner = |arguments: &[&str]| {
            let mut all = vec!["--", "git", "-C", name];
            all.extend(arguments);
            warm.run("exec", &all).ok().stdout
        };
        for question in [&["status", "--porcelain"][..], &["rev-parse", "HEAD"]] {
            assert_eq!(inner(question), git_in(&project, &root.join(name), question));
        }
        inner(&["fsck", "--strict", "--no-dangling"]);
    }
    assert_eq!(
        box_of("cat moved/inner added/inner; git -C moved for-each-ref refs/heads"),
        "one\ntwo\n"
    );
}

#[test]
fn a_project_below_the_top_level_has_its_files_alone() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    for name in ["same", "gone", "deep/changed"] {
        project.file(name, format!("{name}\n"));
    }
    project.file(".gitignore", "*.o\n");
    let top = root.parent().expect("a project lies in a directory");
    git_in(&project, top, &["init", "--quiet", "--initial-branch=main", "."]);
    git_in(&project, top, &["add", project.name()]);
    git_in(&project, top, &["commit", "--quiet", "--message", "a part"]);
    let source = project.create(&[]);
    source
        .exec("echo edited >>same; rm -r deep; echo x >deep; echo artefact >x.o; echo own >own")
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    git_in(&project, root, &["rm", "--quiet", "gone"]);
    project.file("deep/changed", "anew\n");

    let warm = checkpoint.create(&[]);
    assert_eq!(
        warm.exec("find . -type f | sort; cat same deep/changed")
            .ok()
            .stdout,
        "./.gitignore\n./agentbox.yaml\n./deep/changed\n./own\n./same\n./x.o\nsame\nanew\n"
    );
    warm.run("destroy", &["--force", "--discard"]).ok();
    let commit = checkpoint.create(&["--from-branch", "main"]);
    assert_eq!(
        commit.exec("cat gone deep/changed x.o").ok().stdout,
        "gone\ndeep/changed\nartefact\n"
    );
}

#[test]
fn an_image_without_git_has_the_files_alone() {
    let project = Project::new("services: {}\n");
    for name in ["same", "gone", "changed"] {
        project.file(name, format!("{name}\n"));
    }
    commit_all(&project);
    let source = project.create_from(&images::busybox(), &[]);
    let busybox =
        |test_box: &TestBox<'_>, script: &str| test_box.run("exec", &["--", "sh", "-c", script]).ok().stdout;
    busybox(&source, "echo edited >>same; echo own >own; busybox rm -f gone");
    let checkpoint = Checkpoint::of(&project, source);
    git(&project, &["rm", "--quiet", "gone"]);
    project.file("changed", "anew\n");
    git(&project, &["commit", "--quiet", "--all", "--message", "more"]);

    let warm = checkpoint.create(&[]);
    assert_eq!(
        busybox(&warm, "busybox ls -A; busybox cat same changed"),
        "agentbox.yaml\nchanged\nown\nsame\nsame\nanew\n"
    );
}

#[test]
fn objects_of_another_format_and_broken_ones_are_dropped() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    git(
        &project,
        &[
            "init",
            "--quiet",
            "--initial-branch=main",
            "--object-format=sha256",
            ".",
        ],
    );
    commit_all(&project);
    let source = project.create(&[]);
    source
        .exec("chmod u+w .git/objects/pack/*; for file in .git/objects/pack/*; do echo broken >$file; done")
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    same_as_here(&project, &checkpoint.create(&[]));
    project
        .run(&["destroy", "--force", &format!("{}-w", project.name())])
        .ok();

    fs::remove_dir_all(project.directory().join(".git")).expect("a directory can be removed");
    commit_all(&project);
    let warm = checkpoint.create(&[]);
    same_as_here(&project, &warm);
    whole(&warm);
    assert_eq!(warm.exec("git fsck 2>&1").ok().stdout, "");
}

#[test]
fn objects_that_lie_elsewhere_come_anew() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    commit_all(&project);
    for elsewhere in [
        "mv .git/objects/pack ~/pack; ln -s ~/pack .git/objects/pack",
        // As a fetch leaves it that takes little: of what it reaches, a remote has the rest.
        "cd .git/objects/pack; git -C /workspace cat-file --batch-all-objects --batch-check | grep -v blob |
            cut -d' ' -f1 | git -C /workspace pack-objects --quiet .git/objects/pack/pack
            ls -t *.pack | tail -n 1 | xargs basename -s .pack | xargs -I{} rm -f {}.pack {}.idx
            touch $(basename *.pack .pack).promisor
            git -C /workspace config extensions.partialClone origin",
    ] {
        let source = project.create(&[]);
        source.exec(&format!("set -e; {elsewhere}")).ok();
        let checkpoint = Checkpoint::of(&project, source);
        let warm = checkpoint.create(&[]);
        same_as_here(&project, &warm);
        warm.run("destroy", &["--force"]).ok();
        drop(checkpoint);
    }
}
