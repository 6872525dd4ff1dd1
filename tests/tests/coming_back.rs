//! Work comes back from a box: `pull`, `diff`, and what `destroy` saves.

use std::fs;
use std::time::Duration;

use agentbox_tests::comeback::{self, git, references, saved, snapshot, untouchable};
use agentbox_tests::{Project, TestBox, engine, wait_until};
use nix::sys::signal::Signal;

const COMMIT: &str =
    "echo work > work && git add work && git commit -q -m 'Do the work' && git rev-parse HEAD";

fn commit(test_box: &TestBox<'_>, text: &str) -> String {
    test_box
        .exec(&format!(
            "echo {text} >> work && git add work && git commit -q -m 'Write {text}' -- work && git rev-parse HEAD"
        ))
        .ok()
        .stdout
        .trim()
        .to_owned()
}

#[test]
fn pull_brings_commits_and_touches_nothing_else() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    let (name, directory) = (test_box.name(), project.directory());
    let before = untouchable(&project, name);
    let known = references(directory);
    let stashes = git(directory, &["stash", "list"]);

    let first = commit(&test_box, "one");
    test_box
        .exec("git branch topic/a && git tag in-box && git stash -q; git stash apply -q")
        .ok();
    let output = test_box.run("pull", &[]).ok();
    assert!(output.stdout.contains("Write one"), "{output}");
    assert!(output.stdout.contains("work | 1 +"), "{output}");
    let now = references(directory);
    assert_eq!(now[&format!("refs/heads/agentbox/{name}")], first);
    assert_eq!(now[&format!("refs/agentbox/{name}/topic/a")], first);
    assert_eq!(now.len(), known.len() + 2, "{now:?}");
    assert_eq!(untouchable(&project, name), before);
    assert_eq!(git(directory, &["stash", "list"]), stashes);
    assert!(!directory.join(".git/FETCH_HEAD").exists());

    let again = test_box.run("pull", &[]).ok();
    assert!(
        again.stderr.contains("nothing new") && again.stdout.is_empty(),
        "{again}"
    );
    let second = commit(&test_box, "two");
    test_box.exec("echo later > uncommitted").ok();
    let json = project.run(&["fetch", name, "--json"]).ok();
    let value = json.json();
    assert_eq!(value["references"][0]["old"], first);
    assert_eq!(value["references"][0]["new"], second);
    assert_eq!(value["references"][0]["commits"][0]["subject"], "Write two");
    assert!(json.stderr.contains("a pull does not bring"), "{json}");
    assert_eq!(value["references"].as_array().map(Vec::len), Some(1), "{value}");
    assert_eq!(untouchable(&project, name), before);
}

#[test]
fn what_was_only_seeded_is_no_uncommitted_work() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    let output = test_box.run("pull", &[]).ok();
    assert!(!output.stderr.contains("uncommitted"), "{output}");
    test_box.run("destroy", &["-f"]).ok();
    assert!(saved(&project).is_empty());
}

#[test]
fn rewritten_and_checked_out_branches_are_not_overwritten() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    let (name, directory) = (test_box.name(), project.directory());
    let branch = format!("agentbox/{name}");
    let first = commit(&test_box, "one");
    test_box.run("pull", &[]).ok();

    test_box.exec("git commit -q --amend -m 'Write it better'").ok();
    let before = snapshot(&directory.join(".git/refs"));
    let refused = test_box
        .run("pull", &[])
        .expect_code(1)
        .complains(&["rewritten", "--force"]);
    assert!(refused.stderr.contains(&first[..12]), "{refused}");
    assert_eq!(snapshot(&directory.join(".git/refs")), before);

    // In a further work tree, from where it is called too.
    let further = directory.parent().unwrap().join("further");
    git(
        directory,
        &["worktree", "add", "-q", &further.to_string_lossy(), &branch],
    );
    test_box
        .run("pull", &["--force"])
        .expect_code(1)
        .complains(&["checked out", &further.to_string_lossy()]);
    git(directory, &["worktree", "remove", &further.to_string_lossy()]);

    let forced = test_box.run("pull", &["--force"]).ok();
    assert!(
        forced.stdout.contains(&first[..12]) && forced.stdout.contains("Write it better"),
        "{forced}"
    );
    // The host's own commits on the branch are no reason to complain while the box has nothing new.
    let tree = git(directory, &["rev-parse", &format!("{branch}^{{tree}}")]);
    let own = git(directory, &["commit-tree", &tree, "-p", &branch, "-m", "mine"]);
    git(directory, &["update-ref", &format!("refs/heads/{branch}"), &own]);
    let nothing = test_box.run("pull", &[]).ok();
    assert!(nothing.stderr.contains("nothing new"), "{nothing}");
    assert_eq!(references(directory)[&format!("refs/heads/{branch}")], own);
}

#[test]
fn what_cannot_be_pulled_says_what_helps() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    let name = test_box.name();
    test_box.run("stop", &[]).ok();
    test_box
        .run("pull", &[])
        .expect_code(1)
        .complains(&["stopped", &format!("agentbox start {name}")]);
    test_box.run("start", &[]).ok();
    test_box.exec("mv .git /tmp/elsewhere").ok();
    test_box
        .run("pull", &[])
        .expect_code(1)
        .complains(&["no git repository", "agentbox cp"]);
    test_box
        .run("diff", &[])
        .expect_code(1)
        .complains(&["no git repository", "agentbox cp"]);
    test_box.exec("mv /tmp/elsewhere .git").ok();
    let aside = project.directory().join(".git.aside");
    fs::rename(project.directory().join(".git"), &aside).unwrap();
    test_box
        .run("pull", &[])
        .expect_code(1)
        .complains(&["no git repository", &project.directory().to_string_lossy()]);
    fs::rename(&aside, project.directory().join(".git")).unwrap();
    project.run(&["pull", "no-such-box"]).expect_code(3);
}

#[test]
fn diff_shows_everything_in_every_state_and_leaves_no_trace() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &["--volume", "data:/workspace/data"]);
    test_box
        .exec(&format!(
            "{COMMIT} && echo x > untracked && echo k >> kept && rm changed && mkdir -p data && echo v > data/volume && \
             printf 'a\\033[2Jb\\n' > control && : > 'odd
name'"
        ))
        .ok();
    let look = "cd /workspace && export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=/workspace && git for-each-ref && cat .git/HEAD && find .git -type f -exec sha256sum {} + | sort && ls /tmp";
    let before = test_box.docker_exec(look).ok().stdout;
    let patch = test_box.run("diff", &[]).ok();
    assert!(
        patch.stdout.contains("+work\n") && patch.stdout.contains("+k\n"),
        "{patch}"
    );
    assert!(
        patch.stdout.contains("+ab\n") && !patch.stdout.contains('\u{1b}'),
        "{patch}"
    );
    let json = test_box.run("diff", &["--json"]).ok().json();
    let find = |path: &str| {
        json.as_array()
            .unwrap()
            .iter()
            .find(|entry| entry["path"] == path)
            .unwrap_or_else(|| panic!("no {path} in {json}"))
            .clone()
    };
    assert_eq!(find("work")["status"], "added");
    assert_eq!(find("work")["additions"], 1);
    assert_eq!(find("changed")["status"], "deleted");
    assert_eq!(find("kept")["status"], "modified");
    assert_eq!(find("odd\nname")["additions"], 0);
    assert_eq!(test_box.docker_exec(look).ok().stdout, before);
    let stat = test_box.run("diff", &["--stat", "--color", "always"]).ok();
    assert!(stat.stdout.contains("| 1 \u{1b}[32m+"), "{stat}");

    let names = test_box.run("diff", &["--name-status"]).ok().stdout;
    test_box.run("pause", &[]).ok();
    assert_eq!(test_box.run("diff", &["--name-status"]).ok().stdout, names);
    assert_eq!(test_box.inspect()["State"]["Status"], "paused");
    test_box.run("unpause", &[]).ok();
    test_box.run("stop", &[]).ok();
    let id = test_box.inspect()["Id"].clone();
    assert_eq!(test_box.run("diff", &["--name-status"]).ok().stdout, names);
    assert_eq!(test_box.inspect()["State"]["Status"], "exited");
    let images = engine::docker(&[
        "images",
        "-aq",
        "--filter",
        "label=dev.agentbox.temporary",
        "--filter",
        &format!("label=dev.agentbox.name={}", test_box.name()),
    ]);
    assert_eq!(images.ok().stdout, "", "an image stayed");
    let container = engine::docker(&[
        "ps",
        "-aq",
        "--no-trunc",
        "--filter",
        &format!("label=dev.agentbox.name={}", test_box.name()),
    ]);
    assert_eq!(container.ok().stdout.trim(), id, "a container stayed");
}

#[test]
fn a_look_that_is_cut_off_leaves_nothing() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    test_box.run("stop", &[]).ok();
    let label = format!("label=dev.agentbox.name={}", test_box.name());
    for milliseconds in [100, 600, 1100, 1600] {
        let running = test_box.start("diff", &[]);
        wait_until("the look to begin", Duration::from_secs(30), || {
            running.stderr().contains("looking into")
        });
        // Into different steps of it.
        std::thread::sleep(Duration::from_millis(milliseconds));
        running.signal(Signal::SIGINT);
        let output = running.finish(Duration::from_secs(60));
        // It may have been quicker.
        assert!([0, 130].contains(&output.code), "{output}");
        let images = engine::docker(&["images", "-aq", "--filter", &label]).ok();
        let containers = engine::docker(&["ps", "-aq", "--filter", &label]).ok();
        assert_eq!(images.stdout, "");
        assert_eq!(containers.stdout.lines().count(), 1);
    }
}

#[test]
fn destroy_saves_what_has_not_left_the_box() {
    let yaml = "services:\n  web:\n    command: date >> /var/tmp/starts; exec sleep 1000\n";
    let project = comeback::project(yaml);
    let test_box = comeback::create(&project, &[]);
    let (name, directory) = (test_box.name(), project.directory());
    let first = commit(&test_box, "one");
    test_box.run("pull", &[]).ok();
    let second = commit(&test_box, "two");
    test_box
        .exec("git checkout -q -b side && git stash push -q -u && git stash apply -q && git checkout -q --detach && echo free > free && git add free && git commit -q -m detached -- free && echo u > only-here && rm kept")
        .ok();
    test_box.run("stop", &[]).ok();
    let output = test_box.run("destroy", &["-f"]).ok();
    let files = saved(&project);
    assert_eq!(output.stdout.trim(), files[0].to_string_lossy(), "{output}");
    assert_eq!(files.len(), 1);
    let bundle = files[0].to_string_lossy().into_owned();
    git(directory, &["bundle", "verify", "-q", &bundle]);
    let heads = git(directory, &["bundle", "list-heads", &bundle]);
    for reference in [
        "refs/heads/side".to_owned(),
        "refs/agentbox/head".to_owned(),
        "refs/agentbox/stash/0".to_owned(),
        format!("refs/agentbox/uncommitted/{name}"),
        format!("{second} refs/heads/agentbox/{name}"),
    ] {
        assert!(heads.contains(&reference), "{reference} in {heads}");
    }
    // What the host had is not in it once more.
    let first_is_there = git(directory, &["rev-list", "--count", &first]);
    assert_ne!(first_is_there, "0");
    git(directory, &["fetch", "-q", &bundle, "refs/*:refs/saved/*"]);
    let uncommitted = format!("refs/saved/agentbox/uncommitted/{name}");
    assert_eq!(
        git(directory, &["show", &format!("{uncommitted}:only-here")]),
        "u"
    );
    assert_eq!(git(directory, &["show", &format!("{uncommitted}:new")]), "new");
    assert!(
        git(directory, &["ls-tree", "--name-only", &uncommitted])
            .lines()
            .all(|name| name != "kept")
    );
    assert_eq!(git(directory, &["show", "refs/saved/agentbox/head:free"]), "free");
    // It has the shape of a stash entry.
    git(directory, &["stash", "push", "-q", "-u"]);
    git(directory, &["checkout", "-q", "refs/saved/agentbox/head"]);
    git(directory, &["stash", "apply", "-q", &uncommitted]);
    assert!(directory.join("only-here").exists() && !directory.join("kept").exists());
    project.run(&["status", name]).expect_code(3);
}

#[test]
fn a_box_whose_work_cannot_be_saved_stays_as_it_was() {
    let yaml = "services:\n  web:\n    command: date >> /var/tmp/starts; exec sleep 1000\n";
    let project = comeback::project(yaml);
    let test_box = comeback::create(&project, &["--wait"]);
    commit(&test_box, "one");
    fs::create_dir_all(project.data_directory()).unwrap();
    let obstacle = project.data_directory().join("agentbox");
    fs::write(&obstacle, "").unwrap();
    let starts = |test_box: &TestBox<'_>| test_box.exec("cat /var/tmp/starts").ok().stdout.lines().count();
    assert_eq!(starts(&test_box), 1);
    let refuse = |state: &str| {
        test_box
            .run("destroy", &["-f"])
            .expect_code(1)
            .complains(&["cannot be saved", "--discard"]);
        assert_eq!(test_box.inspect()["State"]["Status"], state);
    };
    refuse("running");
    test_box.run("pause", &[]).ok();
    refuse("paused");
    test_box.run("unpause", &[]).ok();
    // Mistakes in its file do not matter.
    test_box
        .exec("cp agentbox.yaml /tmp/good && echo '{' > agentbox.yaml")
        .ok();
    test_box.run("stop", &[]).ok();
    refuse("exited");
    test_box.run("start", &[]).expect_code(2);
    engine::docker(&["start", &test_box.container()]).ok();
    test_box.exec("cp /tmp/good agentbox.yaml").ok();
    test_box.run("restart", &["--wait"]).ok();
    // No unit was started for any of that: one at `create`, one at `restart`.
    assert_eq!(starts(&test_box), 2);
    fs::remove_file(&obstacle).unwrap();
    test_box.run("destroy", &["-f", "--discard"]).ok();
    assert!(saved(&project).is_empty());
}

#[test]
fn without_a_repository_all_files_are_saved() {
    let project = Project::new("");
    project.file("old", "old\n");
    for name in ["old", "agentbox.yaml"] {
        let path = project.directory().join(name);
        fs::File::options()
            .write(true)
            .open(path)
            .unwrap()
            .set_modified(std::time::SystemTime::now() - Duration::from_secs(3600))
            .unwrap();
    }
    let untouched = project.create(&[]);
    untouched.run("destroy", &["-f"]).ok();
    assert!(saved(&project).is_empty());

    let test_box = project.create(&[]);
    test_box
        .exec("mkdir -p deep && echo work > deep/file && ln -s file deep/link")
        .ok();
    test_box.run("stop", &[]).ok();
    let json = test_box.run("destroy", &["-f", "--json"]).ok().json();
    let files = saved(&project);
    assert_eq!(json["saved"], files[0].to_string_lossy().as_ref());
    let unpacked = project.directory().join("unpacked");
    fs::create_dir(&unpacked).unwrap();
    let mut tar = std::process::Command::new("tar");
    tar.arg("-xf").arg(&files[0]).arg("-C").arg(&unpacked);
    assert!(tar.status().unwrap().success());
    assert_eq!(
        fs::read_to_string(unpacked.join("workspace/deep/link")).unwrap(),
        "work\n"
    );
    assert_eq!(files.len(), 1);
}

#[test]
fn repositories_inside_are_saved_with_everything() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    test_box
        .exec("git init -q inner && cd inner && git config user.name x && git config user.email x@x && echo i > i && git add i && git commit -q -m inner")
        .ok();
    let output = test_box.run("destroy", &["-f"]).ok();
    assert!(output.stdout.trim().ends_with(".tar"), "{output}");
    let mut tar = std::process::Command::new("tar");
    tar.arg("-tf").arg(output.stdout.trim());
    let listed = String::from_utf8(tar.output().unwrap().stdout).unwrap();
    assert!(listed.contains("workspace/inner/.git/HEAD\n"), "{listed}");
}

#[test]
fn a_project_that_is_gone_gets_a_whole_bundle() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    commit(&test_box, "one");
    fs::remove_dir_all(project.directory().join(".git")).unwrap();
    let output = test_box.run("destroy", &["-f"]).ok();
    let empty = project.directory().parent().unwrap().join("clone");
    let from = output.stdout.trim();
    git(
        project.directory().parent().unwrap(),
        &["clone", "-q", from, &empty.to_string_lossy()],
    );
    assert_eq!(fs::read_to_string(empty.join("work")).unwrap(), "one\n");
}

#[test]
fn an_interrupt_while_saving_keeps_the_box() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    test_box.exec("head -c 300000000 /dev/urandom > big").ok();
    test_box.run("stop", &[]).ok();
    let running = test_box.start("destroy", &["-f"]);
    wait_until("a partial file", Duration::from_secs(60), || {
        !saved(&project).is_empty()
    });
    running.signal(Signal::SIGINT);
    running.finish(Duration::from_secs(60)).expect_code(130);
    assert!(saved(&project).is_empty());
    assert_eq!(test_box.inspect()["State"]["Status"], "exited");
    test_box.run("start", &[]).ok();
    test_box.run("destroy", &["-f", "--discard"]).ok();
}

#[test]
fn a_person_is_told_what_will_be_saved() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    commit(&test_box, "one");
    test_box.run("stop", &[]).ok();
    let ask = |answer: &[u8]| {
        let destroy = project.command(&["destroy", test_box.name()]);
        let line = format!(
            "{} destroy {}",
            destroy.get_program().to_string_lossy(),
            test_box.name()
        );
        let mut script = std::process::Command::new("script");
        script.args(["-qfec", &line, "/dev/null"]);
        project.hermetic(&mut script);
        script.env("DOCKER_HOST", engine::url());
        let mut running = agentbox_tests::Running::spawn(script);
        running.expect_stdout("[y/N]", Duration::from_secs(60));
        assert!(running.stdout().contains("saved first: "), "{}", running.stdout());
        running.write(answer);
        running.finish(Duration::from_secs(60))
    };
    // Ctrl-C, then no.
    ask(b"\x03").expect_code(130);
    assert_eq!(test_box.inspect()["State"]["Status"], "exited");
    ask(b"n\n").expect_code(1);
    assert_eq!(test_box.inspect()["State"]["Status"], "exited");
    assert!(saved(&project).is_empty());
    ask(b"y\n").ok();
    assert_eq!(saved(&project).len(), 1);
}
