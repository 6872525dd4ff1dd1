//! The project goes in: history, index and work tree as they are here, and nothing that is not theirs.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use agentbox_tests::repository::{commit_all, git, git_in, listing};
use agentbox_tests::{Project, TestBox, images};

/// What git says of a work tree, here and in the box.
const QUESTIONS: [&[&str]; 4] = [
    &["status", "--porcelain=v1", "-z", "--untracked-files=all"],
    &["diff"],
    &["diff", "--cached"],
    &["ls-files", "--stage", "-z"],
];

/// Checks that git says the same of the box as of the directory here, and that the box's objects are whole.
#[track_caller]
fn same_as_here(project: &Project, directory: &Path, test_box: &TestBox<'_>) {
    for question in QUESTIONS {
        let here = git_in(project, directory, question);
        let mut arguments = vec!["--", "git"];
        arguments.extend(question);
        let there = test_box.run("exec", &arguments).ok().stdout;
        assert_eq!(there, here, "git {question:?}");
    }
    test_box
        .run("exec", &["--", "git", "fsck", "--strict", "--no-dangling"])
        .ok();
}

#[test]
fn git_says_the_same_in_the_box_and_the_host_is_as_it_was() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    for name in ["a", "b", "c", "d", "e", "f", "mode", "gone/x", "replaced/y"] {
        project.file(name, format!("{name}\n").repeat(20));
    }
    project.file(".gitignore", "ignored\nbuild/\n");
    project.file("tracked.log", "tracked though ignored later");
    symlink("a", root.join("link")).expect("a link can be made");
    commit_all(&project);
    project.file("stashed", "what a stash keeps");
    git(&project, &["stash", "push", "--quiet", "--include-untracked"]);

    git(&project, &["mv", "a", "renamed"]);
    project.file("b", "changed and staged\n");
    git(&project, &["add", "b"]);
    project.file("b", "changed and staged, then changed again\n");
    git(&project, &["rm", "--quiet", "c"]);
    fs::remove_file(root.join("d")).expect("a file can be removed");
    fs::remove_file(root.join("e")).expect("a file can be removed");
    symlink("nowhere", root.join("e")).expect("a link can be made");
    fs::set_permissions(root.join("mode"), fs::Permissions::from_mode(0o755)).expect("modes can be set");
    // What was a directory is a link now, to where other files of those names are.
    fs::remove_dir_all(root.join("replaced")).expect("a directory can be removed");
    let elsewhere = tempfile::tempdir().expect("a directory can be made");
    fs::write(elsewhere.path().join("y"), "not of the project").expect("a file can be written");
    symlink(elsewhere.path(), root.join("replaced")).expect("a link can be made");
    fs::remove_dir_all(root.join("gone")).expect("a directory can be removed");
    project.file(".gitignore", "ignored\nbuild/\n*.log\n");
    project.file("ignored", "x");
    project.file("build/out", "x");
    project.file("untracked\nwith a line break", "x");
    project.file("quo\"te\\", "x");
    project.file("ünïcode", "x");
    project.file("intended", "later");
    git(&project, &["add", "--intent-to-add", "intended"]);
    project.executable("new/deep/script", "#!/bin/sh\n");

    let before = listing(root);
    let stashes = git(&project, &["stash", "list"]);
    let test_box = project.create(&[]);
    assert_eq!(listing(root), before);
    assert_eq!(git(&project, &["stash", "list"]), stashes);
    same_as_here(&project, root, &test_box);

    let box_of = |script| test_box.exec(script).ok().stdout;
    assert_eq!(
        box_of("git symbolic-ref HEAD"),
        format!("refs/heads/agentbox/{}\n", test_box.name())
    );
    assert_eq!(box_of("git rev-parse refs/agentbox/base main"), {
        let head = git(&project, &["rev-parse", "HEAD"]);
        head.repeat(2)
    });
    assert_eq!(box_of("git stash list"), "");
    assert_eq!(box_of("ls ignored build replaced/y 2>/dev/null | cat"), "");
    assert_eq!(
        box_of("find /workspace ! -user developer -o ! -group developer"),
        ""
    );
    assert_eq!(
        box_of("stat -c '%a %Y' new/deep/script"),
        format!("755 {}\n", modified(&root.join("new/deep/script")))
    );
    // A change of the same size in the same second is one all the same.
    box_of("printf MODE >mode.new; dd if=mode.new of=mode conv=notrunc status=none; rm mode.new");
    assert!(box_of("git status --short mode").contains("M mode"));
    // The agent can commit at once.
    box_of("git -c user.name=A -c user.email=a@b commit --quiet --all --message work");
    assert_eq!(git(&project, &["stash", "list"]), stashes);
    assert_eq!(listing(root), before);
}

fn modified(path: &Path) -> u64 {
    let modified = path.metadata().and_then(|metadata| metadata.modified());
    modified
        .expect("a file has a time")
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a time of today")
        .as_secs()
}

#[test]
fn nothing_but_the_branch_in_use_and_the_tags_travels() {
    const CANARY: &str = "canary-7f3d";
    let project = Project::new("services: {}\n");
    let root = project.directory().to_owned();
    commit_all(&project);
    git(&project, &["tag", "light"]);
    git(&project, &["tag", "--annotate", "--message", "a tag", "heavy"]);
    let run = |arguments: &[&str]| git(&project, arguments);
    // Other branches, stashes, commits that were amended away, objects of nothing.
    run(&["switch", "--quiet", "--create", "other"]);
    project.file("other", format!("{CANARY}-branch"));
    commit_all(&project);
    run(&["switch", "--quiet", "main"]);
    project.file("amended", format!("{CANARY}-amended"));
    commit_all(&project);
    fs::write(root.join("amended"), "clean").expect("a file can be written");
    run(&["commit", "--quiet", "--all", "--amend", "--message", "amended"]);
    project.file("stashed", format!("{CANARY}-stash"));
    run(&["stash", "push", "--quiet", "--include-untracked"]);
    project.file("dropped", format!("{CANARY}-staged-once"));
    run(&["add", "dropped"]);
    run(&["rm", "--quiet", "--force", "dropped"]);
    // What configuration may hold, and hooks.
    let token = |name: &str| format!("https://user:{CANARY}-{name}@example.org/a.git?token={CANARY}");
    for (key, value) in [
        ("remote.origin.url", token("remote").as_str()),
        ("remote.here.url", root.to_str().expect("a path that is text")),
        ("url.https://x/.insteadOf", &format!("{CANARY}-url")),
        ("http.extraHeader", &format!("Authorization: {CANARY}-header")),
        (
            "http.https://example.org/.extraHeader",
            &format!("{CANARY}-header"),
        ),
        ("credential.helper", &format!("!echo {CANARY}")),
        ("core.hooksPath", &format!("/{CANARY}-hooks")),
        ("core.sshCommand", &format!("ssh -i /{CANARY}")),
        ("alias.x", &format!("!{CANARY}")),
        ("user.name", "A Person"),
    ] {
        run(&["config", key, value]);
    }
    fs::write(
        root.join(".git/hooks/post-checkout"),
        format!("#!/bin/sh\n{CANARY}-hook\n"),
    )
    .expect("a hook can be written");
    fs::write(root.join(".git/description"), CANARY).expect("a file can be written");

    let before = listing(&root);
    let test_box = project.create(&["--env", "GIT_TERMINAL_PROMPT=0"]);
    assert_eq!(listing(&root), before);
    let found = test_box.exec(&format!(
        "grep -r {CANARY} /workspace; grep -r -F {} /workspace/.git; \
         git cat-file --batch-all-objects --batch | grep -a {CANARY}; ls .git/hooks .git/logs; true",
        root.display()
    ));
    assert_eq!(found.ok().stdout, "");
    let shown = test_box.exec(
        "git for-each-ref --format='%(refname)'; git config remote.origin.url; git config user.name; \
         git config remote.here.url || echo no path",
    );
    assert_eq!(
        shown.ok().stdout,
        format!(
            "refs/agentbox/base\nrefs/heads/agentbox/{}\nrefs/heads/main\nrefs/tags/heavy\nrefs/tags/light\n\
             https://example.org/a.git\nA Person\nno path\n",
            test_box.name()
        )
    );
}

#[test]
fn repositories_in_the_repository_come_along() {
    let library = Project::without_engine();
    library.file("library", "content\n");
    commit_all(&library);
    let project = Project::new("services: {}\n");
    commit_all(&project);
    let from = library.directory().to_str().expect("a path that is text");
    git(
        &project,
        &[
            "-c",
            "protocol.file.allow=always",
            "submodule",
            "--quiet",
            "add",
            "--name",
            "lib",
            from,
            "libs/lib",
        ],
    );
    commit_all(&project);
    project.file("libs/lib/library", "changed\n");
    project.file("libs/lib/untracked", "x");
    // One that is not the project's.
    project.file("nested/file", "x\n");
    let nested = project.directory().join("nested");
    git_in(
        &project,
        &nested,
        &["init", "--quiet", "--initial-branch=trunk", "."],
    );
    git_in(&project, &nested, &["add", "file"]);
    git_in(&project, &nested, &["commit", "--quiet", "--message", "nested"]);
    project.file("nested/file", "y\n");

    let before = listing(project.directory());
    let test_box = project.create(&[]);
    assert_eq!(listing(project.directory()), before);
    same_as_here(&project, project.directory(), &test_box);
    let script = "git submodule status; cd libs/lib; git status --short; cd ../../nested; git status --short --branch; \
                  git log --format=%s; grep -r -F /tmp .git /workspace/.git/config";
    let status = test_box.exec(script).stdout;
    let commit = git(&library, &["rev-parse", "HEAD"]);
    assert_eq!(
        status,
        format!(
            " {} libs/lib (heads/main)\n M library\n?? untracked\n## trunk\n M file\nnested\n",
            commit.trim()
        )
    );
}

/// What a repository is like, and what makes it so.
type Shape = (&'static str, fn(&Project));

#[test]
fn repositories_of_every_shape() {
    let shapes: [Shape; 7] = [
        ("no commit yet", |project| {
            git(project, &["init", "--quiet", "--initial-branch=main", "."]);
            project.file("staged", "x");
            git(project, &["add", "staged"]);
        }),
        ("a detached HEAD", |project| {
            commit_all(project);
            commit_all(project);
            git(project, &["checkout", "--quiet", "HEAD~1"]);
        }),
        ("a merge with a conflict", |project| {
            project.file("file", "1\n");
            commit_all(project);
            git(project, &["switch", "--quiet", "--create", "side"]);
            project.file("file", "2\n");
            commit_all(project);
            git(project, &["switch", "--quiet", "main"]);
            project.file("file", "3\n");
            commit_all(project);
            let mut merge = std::process::Command::new("git");
            project.hermetic(&mut merge);
            merge.args([
                "-c",
                "user.name=A",
                "-c",
                "user.email=a@b",
                "merge",
                "--quiet",
                "side",
            ]);
            agentbox_tests::process::run(merge, agentbox_tests::process::PATIENCE).expect_code(1);
        }),
        ("SHA-256", |project| {
            git(project, &["init", "--quiet", "--object-format=sha256", "."]);
            commit_all(project);
            project.file("new", "x");
        }),
        ("an index in two files with an untracked cache", |project| {
            project.file("file", "x");
            commit_all(project);
            git(
                project,
                &["update-index", "--split-index", "--force-untracked-cache"],
            );
            git(project, &["status"]);
            project.file("more", "x");
            git(project, &["add", "more"]);
        }),
        ("a sparse checkout", |project| {
            project.file("in/file", "x");
            project.file("out/file", "x");
            commit_all(project);
            git(
                project,
                &["sparse-checkout", "set", "--cone", "--sparse-index", "in"],
            );
        }),
        ("a branch that is called agentbox", |project| {
            commit_all(project);
            git(project, &["switch", "--quiet", "--create", "agentbox"]);
        }),
    ];
    for (shape, make) in shapes {
        let project = Project::new("services: {}\n");
        make(&project);
        // Git itself touches the shared part of a split index whenever it reads it; contents are compared.
        let before = listing(project.directory());
        let test_box = project.create(&[]);
        assert_eq!(listing(project.directory()), before, "{shape}");
        same_as_here(&project, project.directory(), &test_box);
    }
}

#[test]
fn a_clone_with_little_of_its_own_and_a_further_work_tree() {
    let origin = Project::new("services: {}\n");
    for _ in 0..4 {
        commit_all(&origin);
    }
    let url = format!("file://{}", origin.directory().display());
    let base = origin
        .directory()
        .parent()
        .expect("it lies in a directory")
        .to_owned();
    for (name, arguments) in [
        (
            "shallow",
            vec!["clone", "--quiet", "--depth", "2", &url, "../shallow"],
        ),
        (
            "borrowed",
            vec!["clone", "--quiet", "--shared", ".", "../borrowed"],
        ),
        (
            "worktree",
            vec!["worktree", "add", "--quiet", "-b", "w", "../worktree"],
        ),
    ] {
        git(&origin, &arguments);
        let directory = base.join(name);
        fs::write(directory.join("untracked"), "x").expect("a file can be written");
        let box_name = format!("{}-{name}", origin.name());
        let project = directory.to_str().expect("a path that is text");
        origin
            .run(&[
                "create",
                "-n",
                &box_name,
                "--image",
                &images::base(),
                "--project",
                project,
            ])
            .ok();
        let test_box = TestBox::new(&origin, &box_name);
        same_as_here(&origin, &directory, &test_box);
        let count = |output: String| output.lines().count();
        assert_eq!(
            count(test_box.exec("git log --format=%H").ok().stdout),
            count(git_in(&origin, &directory, &["log", "--format=%H"])),
            "{name}"
        );
    }
}

#[test]
fn what_a_filter_stores_elsewhere_goes_in_as_a_pointer() {
    let project = Project::new("services: {}\n");
    commit_all(&project);
    git(&project, &["config", "filter.shout.clean", "tr a-z A-Z"]);
    git(&project, &["config", "filter.shout.smudge", "tr A-Z a-z"]);
    project.file(".gitattributes", "*.shout filter=shout\n");
    project.file("same.shout", "abc\n");
    project.file("changed.shout", "abc\n");
    commit_all(&project);
    project.file("changed.shout", "abcd\n");
    let name = format!("{}-filter", project.name());
    let made = project
        .run(&["create", "-n", &name, "--image", &images::base()])
        .ok();
    assert!(
        made.stderr.contains("1 file is in the box as git stores it"),
        "{made}"
    );
    let test_box = TestBox::new(&project, &name);
    assert_eq!(
        test_box
            .exec("git status --short; cat same.shout changed.shout")
            .ok()
            .stdout,
        " M changed.shout\nABC\nabcd\n"
    );
}

#[test]
fn a_fork_from_elsewhere_is_clean() {
    let project = Project::new("tasks: {old: {command: echo old}}\n");
    project.executable("script", "#!/bin/sh\n");
    symlink("script", project.directory().join("link")).expect("a link can be made");
    commit_all(&project);
    git(&project, &["switch", "--quiet", "--create", "other"]);
    project.file("agentbox.yaml", "tasks: {other: {command: echo other}}\n");
    project.file("deep/only/here", "x\n");
    commit_all(&project);
    git(&project, &["switch", "--quiet", "main"]);
    project.file("agentbox.yaml", "tasks: {dirty: {command: echo dirty}}\n");
    project.file("untracked", "x");

    let before = listing(project.directory());
    let test_box = project.create(&["--from-branch", "other", "--wait"]);
    assert_eq!(listing(project.directory()), before);
    assert_eq!(test_box.unit("other")["state"], "done");
    assert_eq!(
        test_box
            .exec("git status --short --branch; git branch --format='%(refname:short)'; ls; cat deep/only/here; git fsck")
            .ok()
            .stdout,
        format!(
            "## agentbox/{0}\nagentbox/{0}\nother\nagentbox.yaml\ndeep\nlink\nscript\nx\n",
            test_box.name()
        )
    );
    for reference in ["nope", "-x", "main:script"] {
        let flag = format!("--from-branch={reference}");
        project
            .run(&["create", "-n", "never", &flag])
            .expect_code(2)
            .complains(&["names no commit"]);
    }
    // The file of the branch counts, and its mistakes do.
    git(
        &project,
        &["switch", "--quiet", "--create", "broken", "--discard-changes"],
    );
    project.file("agentbox.yaml", "services: {web: {}}\n");
    commit_all(&project);
    git(&project, &["switch", "--quiet", "main"]);
    project
        .run(&["create", "-n", "never", "--from-branch", "broken"])
        .expect_code(2)
        .complains(&["broken:agentbox.yaml:1:"]);
    assert_eq!(project.containers().len(), 1);
}

#[test]
fn a_project_below_the_top_level_is_files() {
    let project = Project::empty();
    project.file("outside", "x");
    project.file("app/agentbox.yaml", "services: {}\n");
    project.file("app/.gitignore", "ignored\n");
    project.file("app/source", "committed");
    commit_all(&project);
    project.file("app/source", "changed");
    project.file("app/ignored", "x");
    let name = format!("{}-below", project.name());
    let app = project.directory().join("app");
    let app = app.to_str().expect("a path that is text");
    let image = images::base();
    let create = |more: &[&str]| {
        let mut all = vec!["create", "-n", &name, "--image", &image, "--project", app];
        all.extend(more);
        project.run(&all).ok()
    };
    let made = create(&[]);
    assert!(made.stderr.contains("without their history"), "{made}");
    let test_box = TestBox::new(&project, &name);
    let look = "ls -A | grep -v '^[.]agentbox'; cat source";
    assert_eq!(
        test_box.exec(look).ok().stdout,
        ".gitignore\nagentbox.yaml\nsource\nchanged"
    );
    project.run(&["destroy", "-f", "--discard", &name]).ok();
    create(&["--from-branch", "main"]);
    assert_eq!(
        test_box.exec(look).ok().stdout,
        ".gitignore\nagentbox.yaml\nsource\ncommitted"
    );
}

#[test]
fn an_image_without_git_gets_the_files() {
    let project = Project::new("services: {}\n");
    project.file("source", "x\n");
    commit_all(&project);
    project.file("untracked", "y\n");
    let name = format!("{}-bare", project.name());
    let made = project
        .run(&["create", "-n", &name, "--image", &images::other_user()])
        .ok();
    assert!(made.stderr.contains("the image has no git"), "{made}");
    let test_box = TestBox::new(&project, &name);
    assert_eq!(
        test_box.exec("ls -A; cat source untracked").ok().stdout,
        "agentbox.yaml\nsource\nuntracked\nx\ny\n"
    );
    let owners = test_box.exec("ls -n -d /workspace /workspace/source").ok().stdout;
    assert!(owners.lines().all(|line| line.contains("1234")), "{owners}");
}

#[test]
fn without_git_ignore_files_say_what_stays() {
    let project = Project::new("services: {}\n");
    for path in [
        "node_modules/a",
        "app/node_modules/b",
        "target/c",
        "vendor/bundle/d",
        "vendor/kept",
        ".venv/e",
        "lib/__pycache__/f",
        "source",
    ] {
        project.file(path, "x");
    }
    let name = format!("{}-plain", project.name());
    let image = images::base();
    let create = || project.run(&["create", "-n", &name, "--image", &image]).ok();
    let test_box = TestBox::new(&project, &name);
    let look = || {
        test_box
            .exec("find . -type f | sort | sed 's/^..//' | tr '\\n' ' '")
            .ok()
            .stdout
    };
    let made = create();
    assert_eq!(look(), "agentbox.yaml source vendor/kept ");
    assert!(
        made.stderr.contains(
            "left out .venv, app/node_modules, lib/__pycache__, node_modules, target and 1 more (there is no .gitignore"
        ),
        "{made}"
    );
    project.run(&["destroy", "-f", "--discard", &name]).ok();

    project.file(".agentboxignore", "/target\nvendor/\n");
    let made = create();
    assert!(!made.stderr.contains("left out"), "{made}");
    assert_eq!(
        look(),
        ".agentboxignore .venv/e agentbox.yaml app/node_modules/b lib/__pycache__/f node_modules/a source "
    );
    project.run(&["destroy", "-f", "--discard", &name]).ok();

    // A directory of clones: each keeps its history, and none of its configuration.
    project.file("clones/one/file", "x");
    let one = project.directory().join("clones/one");
    git_in(&project, &one, &["init", "--quiet", "--initial-branch=main", "."]);
    git_in(&project, &one, &["add", "file"]);
    git_in(&project, &one, &["commit", "--quiet", "--message", "one"]);
    git_in(&project, &one, &["config", "http.extraHeader", "canary"]);
    let bare = project.directory().join("clones");
    git_in(
        &project,
        &bare,
        &["clone", "--quiet", "--bare", "one", "mirror.git"],
    );
    let made = create();
    assert!(
        made.stderr
            .contains("left out clones/mirror.git: a bare repository"),
        "{made}"
    );
    assert_eq!(test_box.exec("ls clones").ok().stdout, "one\n");
    let script = "cd clones/one; git log --format=%s; git status --short; grep canary .git/config";
    assert_eq!(test_box.exec(script).stdout, "one\n");
}

#[test]
fn a_repository_that_cannot_be_read_leaves_nothing() {
    let project = Project::new("services: {}\n");
    project.file("file", "x\n");
    commit_all(&project);
    let id = git(&project, &["rev-parse", "HEAD:file"]);
    let id = id.trim();
    let object = project
        .directory()
        .join(".git/objects")
        .join(&id[..2])
        .join(&id[2..]);
    fs::remove_file(object).expect("an object can be removed");
    project
        .run(&["create", "-n", "never", "--image", &images::base()])
        .expect_code(1)
        .complains(&["git pack-objects failed", "git fsck"]);
    assert!(project.containers().is_empty());
}
