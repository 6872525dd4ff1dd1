//! Repositories of the less usual shapes, on their way into a box and back.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use agentbox_tests::comeback::{self, git, references, saved, snapshot};
use agentbox_tests::{Project, TestBox, images};

fn box_of<'project>(project: &'project Project, name: &str) -> TestBox<'project> {
    project
        .run(&["create", "-n", name, "--no-wizard", "--image", &images::base()])
        .ok();
    let test_box = TestBox::new(project, name);
    test_box
        .exec("git config user.name Box && git config user.email box@example.org")
        .ok();
    test_box
}

fn committed(test_box: &TestBox<'_>) {
    test_box
        .exec("echo more >> work && git add work && git commit -q -m work")
        .ok();
}

/// Names in a tar archive.
fn names(archive: &Path) -> String {
    let output = Command::new("tar")
        .arg("-tf")
        .arg(archive)
        .output()
        .expect("tar can be run");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn a_branch_below_that_of_the_box_is_not_in_its_way() {
    let project = comeback::project("");
    let name = format!("{}-below", project.name());
    git(
        project.directory(),
        &["switch", "-q", "-c", &format!("agentbox/{name}/topic")],
    );
    let test_box = box_of(&project, &name);
    committed(&test_box);
    test_box
        .run("pull", &[])
        .expect_code(1)
        .complains(&["cannot write the branches", "is in the way"]);
    test_box.run("destroy", &["-f"]).ok();
    assert_eq!(saved(&project).len(), 1);
}

#[test]
fn grafts_do_not_cut_off_what_the_box_gets() {
    let project = comeback::project("");
    let directory = project.directory();
    git(directory, &["commit", "-q", "--allow-empty", "-m", "second"]);
    let second = git(directory, &["rev-parse", "HEAD"]);
    fs::write(directory.join(".git/info/grafts"), second + "\n").unwrap();
    let test_box = project.create(&[]);
    let log = test_box.exec("git fsck && git log --format=%s").ok().stdout;
    assert_eq!(log, "second\nfirst\n");
}

#[test]
fn a_pointer_is_unchanged_whatever_size_and_time_its_file_has_here() {
    let project = comeback::project("");
    let directory = project.directory();
    git(directory, &["config", "filter.short.clean", "cksum"]);
    git(directory, &["config", "filter.short.smudge", "cat"]);
    project.file(".gitattributes", "*.large filter=short -text\n");
    project.file("one.large", "a long text\n");
    project.file("two.large", "another long text, with another size\n");
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-q", "-m", "large"]);
    let set_time = |name: &str, hours: u64| {
        fs::File::options()
            .write(true)
            .open(directory.join(name))
            .unwrap()
            .set_modified(SystemTime::now() - Duration::from_secs(hours * 3600))
            .unwrap();
    };
    // One that git's index knows well, and one with a time that it does not know.
    set_time("one.large", 2);
    set_time("two.large", 2);
    git(directory, &["status"]);
    set_time("two.large", 1);
    let before = snapshot(directory);
    let test_box = project.create(&[]);
    assert!(snapshot(directory) == before, "the project has changed");
    let seen = test_box
        .exec("git status --porcelain; cat one.large two.large")
        .ok();
    assert_eq!(
        seen.stdout,
        git(directory, &["show", "HEAD:one.large"])
            + "\n"
            + &git(directory, &["show", "HEAD:two.large"])
            + "\n"
    );
    test_box.run("destroy", &["-f"]).ok();
    assert!(saved(&project).is_empty());
}

#[test]
fn a_repository_without_a_work_tree_is_no_project() {
    let project = Project::empty();
    let directory = project.directory();
    git(directory, &["init", "-q", "--bare", "bare"]);
    git(directory, &["init", "-q", "elsewhere"]);
    git(&directory.join("elsewhere"), &["config", "core.worktree", "/usr"]);
    for name in ["bare", "elsewhere"] {
        let path = directory.join(name);
        project
            .run(&[
                "create",
                "-n",
                "never",
                "--no-wizard",
                "--project",
                &path.to_string_lossy(),
            ])
            .expect_code(1)
            .complains(&["is no work tree of its repository", "git worktree list"]);
    }
    assert!(project.containers().is_empty());
}

#[test]
fn work_in_a_submodule_that_git_is_to_ignore_is_work() {
    let project = comeback::project("");
    let directory = project.directory();
    let library = directory.parent().unwrap().join("library");
    fs::create_dir(&library).unwrap();
    git(&library, &["init", "-q"]);
    fs::write(library.join("file"), "1").unwrap();
    git(&library, &["add", "-A"]);
    git(&library, &["commit", "-q", "-m", "library"]);
    git(
        directory,
        &[
            "submodule",
            "--quiet",
            "add",
            &library.to_string_lossy(),
            "module",
        ],
    );
    git(
        directory,
        &["config", "-f", ".gitmodules", "submodule.module.ignore", "all"],
    );
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-q", "-m", "with a submodule"]);
    let test_box = project.create(&[]);
    test_box.exec("echo work > module/file").ok();
    let pulled = test_box.run("pull", &[]).ok();
    assert!(
        pulled.stderr.contains("uncommitted changes in 1 path"),
        "{pulled}"
    );
    test_box.run("destroy", &["-f"]).ok();
    let files = saved(&project);
    assert!(names(&files[0]).contains("workspace/module/file\n"), "{files:?}");
}

#[test]
fn what_no_bundle_can_hold_is_saved_whole() {
    // A history that is cut off, when the project with the rest is gone.
    let project = comeback::project("");
    let directory = project.directory();
    git(directory, &["commit", "-q", "--allow-empty", "-m", "second"]);
    let from = format!("file://{}", directory.display());
    let parent = directory.parent().unwrap().to_owned();
    git(&parent, &["clone", "-q", "--depth", "1", &from, "shallow"]);
    git(&parent, &["clone", "-q", &from, "damaged"]);
    for (clone, why) in [
        ("shallow", "its history is cut off"),
        ("damaged", "cannot make a bundle"),
    ] {
        let path = parent.join(clone);
        let name = format!("{}-{clone}", project.name());
        project
            .run(&[
                "create",
                "-n",
                &name,
                "--no-wizard",
                "--image",
                &images::base(),
                "--project",
                &path.to_string_lossy(),
            ])
            .ok();
        let test_box = TestBox::new(&project, &name);
        test_box
            .exec("git config user.name Box && git config user.email box@example.org")
            .ok();
        committed(&test_box);
        if clone == "damaged" {
            // The blob of a committed file.
            test_box
                .exec("id=$(git rev-parse HEAD:work) && rm -f .git/objects/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-)")
                .ok();
        }
        fs::remove_dir_all(path).unwrap();
        let output = test_box.run("destroy", &["-f"]).ok();
        assert!(output.stderr.contains(why), "{output}");
        assert!(output.stdout.trim().ends_with(".tar"), "{output}");
        assert!(
            names(Path::new(output.stdout.trim())).contains("workspace/work\n"),
            "{output}"
        );
        assert!(saved(&project).iter().all(|path| !path.ends_with(".partial")));
    }
}

#[test]
fn line_ends_and_modes_are_as_the_repository_has_them() {
    let project = comeback::project("");
    let directory = project.directory();
    let lines: String = (0..50).map(|number| format!("{number}\r\n")).collect();
    git(directory, &["config", "core.autocrlf", "true"]);
    git(directory, &["config", "core.filemode", "false"]);
    fs::write(directory.join(".git/info/attributes"), "*.bin binary\n").unwrap();
    project.file("lines", &lines);
    project.file("x.bin", "1\n");
    git(directory, &["add", "-A"]);
    git(directory, &["commit", "-q", "-m", "lines"]);
    let test_box = project.create(&[]);
    test_box
        .exec("printf '50\\r\\n' >> lines && chmod +x lines && echo 2 > x.bin")
        .ok();
    let shown = test_box.run("diff", &["--json"]).ok().json();
    assert_eq!(
        shown,
        serde_json::json!([
            {"path": "lines", "status": "modified", "additions": 1, "deletions": 0},
            {"path": "x.bin", "status": "modified", "additions": null, "deletions": null},
        ])
    );
    test_box.run("destroy", &["-f"]).ok();
    let bundle = saved(&project)[0].to_string_lossy().into_owned();
    let uncommitted = format!("refs/agentbox/uncommitted/{}:refs/saved", test_box.name());
    git(directory, &["fetch", "-q", &bundle, &uncommitted]);
    assert_eq!(
        git(
            directory,
            &[
                "diff",
                "--numstat",
                "--summary",
                "refs/saved^",
                "refs/saved",
                "--",
                "lines"
            ]
        ),
        "1\t0\tlines"
    );
}

#[test]
fn thousands_of_tags_are_no_work() {
    let project = comeback::project("");
    let directory = project.directory();
    let id = git(directory, &["rev-parse", "HEAD"]);
    let tags: String = (0..5000)
        .map(|number| format!("{id} refs/tags/v{number}\n"))
        .collect();
    fs::write(directory.join(".git/packed-refs"), tags).unwrap();
    let untouched = project.create(&[]);
    let pulled = untouched.run("pull", &[]).ok();
    assert!(!pulled.stderr.contains("more branches"), "{pulled}");
    untouched.run("destroy", &["-f"]).ok();
    assert!(saved(&project).is_empty());
    let test_box = project.create(&[]);
    test_box.exec("echo work > work").ok();
    let output = test_box.run("destroy", &["-f"]).ok();
    assert!(output.stdout.trim().ends_with(".bundle"), "{output}");
}

#[test]
fn further_work_trees_are_work_too() {
    let project = comeback::project("");
    project.file(".gitignore", "trees\n");
    let test_box = comeback::create(&project, &[]);
    test_box
        .exec("git worktree add -q --detach trees/one && cd trees/one && date > w && git add w && git commit -q -m detached")
        .ok();
    let output = test_box.run("destroy", &["-f"]).ok();
    let heads = git(
        project.directory(),
        &["bundle", "list-heads", output.stdout.trim()],
    );
    assert!(heads.contains("refs/agentbox/worktree/0"), "{heads}");
    let test_box = comeback::create(&project, &[]);
    test_box
        .exec("git worktree add -q trees/one && date > trees/one/w")
        .ok();
    let output = test_box.run("destroy", &["-f"]).ok();
    assert!(
        names(Path::new(output.stdout.trim())).contains("workspace/trees/one/w\n"),
        "{output}"
    );
}

#[test]
fn a_branch_whose_name_has_become_a_directory_is_left_out() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    committed(&test_box);
    test_box
        .exec("git branch deep/one && git branch wide && git commit -q --allow-empty -m last")
        .ok();
    test_box.run("pull", &[]).ok();
    test_box
        .exec(&format!(
            "git branch -D deep/one wide && git switch -q -c deep && git commit -q --allow-empty -m deep && \
             git switch -q -c wide/two && git commit -q --allow-empty -m two && git switch -q agentbox/{}",
            test_box.name()
        ))
        .ok();
    committed(&test_box);
    // Whatever else the environment allows.
    let mut command = project.command(&["pull", test_box.name()]);
    command.env("GIT_ALLOW_PROTOCOL", "https");
    let output = agentbox_tests::Running::spawn(command)
        .finish(Duration::from_secs(60))
        .ok();
    assert!(output.stdout.contains(": 1 new commit"), "{output}");
    for reference in ["deep/one", "wide"] {
        let hint = format!("git update-ref -d refs/agentbox/{}/{reference}", test_box.name());
        assert!(output.stderr.contains(&hint), "{output}");
    }
    let now = references(project.directory());
    let head = test_box.exec("git rev-parse HEAD").ok().stdout;
    assert_eq!(
        now[&format!("refs/heads/agentbox/{}", test_box.name())],
        head.trim()
    );
}
