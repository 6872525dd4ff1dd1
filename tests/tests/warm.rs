//! A box from a checkpoint has the project as it is now, on top of a tree that has been worked in.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, UNIX_EPOCH};

use agentbox_tests::repository::{commit_all, git, git_in, listing};
use agentbox_tests::warm::{Checkpoint, same_as_here, whole};
use agentbox_tests::{Project, TestBox, engine};

/// What PID 1 of a box asked its host for, by number.
fn log_of(test_box: &TestBox<'_>) -> String {
    engine::docker(&["logs", &test_box.container()]).ok().stdout
}

#[test]
fn the_project_as_it_is_now_lies_on_top_of_the_warm_tree() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    let files = [
        "same", "modified", "deleted", "moved", "mode", "gone/x", "file", "dir/x", "dir/y", "staged",
    ];
    for name in files {
        project.file(name, format!("{name}\n").repeat(20));
    }
    project.file(".gitignore", "node_modules/\n*.log\n");
    symlink("same", root.join("link")).expect("a link can be made");
    symlink("same", root.join("turned")).expect("a link can be made");
    commit_all(&project);
    let source = project.create(&[]);
    let worked = source.exec(
        "set -e
         mkdir -p node_modules/pkg dir/node_modules
         echo warm >node_modules/pkg/index.js
         touch -d 2020-01-02T03:04:05 node_modules/pkg/index.js
         echo warm >kept.log
         echo work >>same; echo mine >agents; git add agents
         git -c user.name=A -c user.email=a@b commit --quiet --all --message work
         git branch leftover; git tag leftover-tag
         echo more >>same
         git -c user.name=A -c user.email=a@b stash push --quiet
         printf '#!/bin/sh\\ntouch /tmp/hook\\n' >.git/hooks-are-here
         mkdir -p .git/hooks; cp .git/hooks-are-here .git/hooks/post-checkout; chmod +x .git/hooks/post-checkout
         git config alias.evil '!touch /tmp/evil'; git config core.hooksPath .git/hooks
         echo abc >.git/MERGE_HEAD; touch .git/index.lock .git/refs/heads/main.lock
         echo note >untracked; mkdir made; echo x >made/by-agent
         rm -r gone; echo x >gone
         echo tmp >/tmp/left; echo ls >~/.bash_history",
    );
    worked.ok();
    let checkpoint = Checkpoint::of(&project, source);

    project.file("modified", "modified\n");
    fs::remove_file(root.join("deleted")).expect("a file can be removed");
    git(&project, &["mv", "moved", "renamed"]);
    git(&project, &["commit", "--quiet", "--all", "--message", "more"]);
    fs::set_permissions(root.join("mode"), fs::Permissions::from_mode(0o755)).expect("modes can be set");
    fs::remove_file(root.join("file")).expect("a file can be removed");
    project.file("file/inside", "a directory now");
    fs::remove_dir_all(root.join("dir")).expect("a directory can be removed");
    project.file("dir", "a file now");
    fs::remove_file(root.join("link")).expect("a link can be removed");
    symlink("modified", root.join("link")).expect("a link can be made");
    fs::remove_file(root.join("turned")).expect("a link can be removed");
    project.file("turned", "a file now");
    project.file("staged", "staged\n");
    project.file("new", "added\n");
    git(&project, &["add", "staged"]);
    git(&project, &["add", "--intent-to-add", "new"]);
    project.file("staged", "staged, then changed\n");
    project.file("uncommitted", "not even added\n");
    let before = listing(root);

    let warm = checkpoint.create(&[]);
    assert_eq!(listing(root), before);
    let box_of = |script| warm.exec(script).ok().stdout;
    // What only the warm tree had is there, and no work of this box.
    assert_eq!(box_of("cat untracked made/by-agent"), "note\nx\n");
    let kept = box_of("cat .git/agentbox-seed");
    assert!(
        kept.contains("untracked\t100644") && kept.contains("made/by-agent\t"),
        "{kept}"
    );
    box_of("mv untracked made /tmp");
    same_as_here(&project, &warm);
    box_of("mv /tmp/untracked /tmp/made .");
    let branch = format!("refs/heads/agentbox/{}\n", warm.name());
    assert_eq!(box_of("git symbolic-ref HEAD"), branch);
    assert_eq!(
        box_of("git rev-parse HEAD refs/agentbox/base main"),
        git(&project, &["rev-parse", "HEAD"]).repeat(3)
    );
    let references = box_of("git for-each-ref --format='%(refname)'");
    assert_eq!(
        references,
        format!("refs/agentbox/base\n{branch}refs/heads/main\n")
    );
    assert_eq!(
        box_of(
            "git stash list; git reflog --all; ls .git/hooks .git/MERGE_HEAD .git/index.lock .git/hooks-are-here 2>/dev/null | cat; git config --get-regexp 'alias|hooks' | cat"
        ),
        ""
    );
    assert_eq!(
        box_of("cat node_modules/pkg/index.js kept.log; stat -c %y node_modules/pkg/index.js"),
        "warm\nwarm\n2020-01-02 03:04:05.000000000 +0000\n"
    );
    assert_eq!(
        box_of("ls -A /tmp; ls ~/.bash_history agents deleted moved 2>/dev/null | cat"),
        ""
    );
    assert_eq!(
        box_of("find /workspace ! -user developer -o ! -group developer"),
        ""
    );

    // Nor is what the host has not committed.
    assert_eq!(warm.run("diff", &["--name-status"]).ok().stdout, "");
    box_of("echo more >>untracked; echo more >>staged; echo x >own");
    assert_eq!(
        warm.run("diff", &["--name-status"]).ok().stdout,
        "A\town\nM\tstaged\nA\tuntracked\n"
    );
    box_of("echo note >untracked; rm own; printf 'staged, then changed\\n' >staged");
    assert_eq!(warm.run("diff", &["--name-status"]).ok().stdout, "");

    let destroyed = warm.run("destroy", &["--force"]).ok();
    assert!(!destroyed.stderr.contains("saved"), "{destroyed}");
}

#[test]
fn only_what_differs_travels() {
    let project = Project::new("services: {}\n");
    // What was changed in the second in which it was sent would come again.
    let made_earlier = |name: &str, content: String| {
        project.file(name, content);
        let file = fs::File::options()
            .write(true)
            .open(project.directory().join(name));
        file.and_then(|file| file.set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000)))
            .expect("times can be set");
    };
    made_earlier("big", "0123456789abcdef\n".repeat(20_000));
    for number in 0..50 {
        made_earlier(&format!("files/{number}"), format!("{number}\n"));
    }
    commit_all(&project);
    git(&project, &["tag", "--annotate", "--message", "a tag", "heavy"]);
    let checkpoint = Checkpoint::of(&project, project.create(&[]));

    let names = |test_box: &TestBox<'_>| test_box.exec("ls .git/objects/pack/*.pack | wc -l").ok().stdout;
    let same = checkpoint.create(&[]);
    same_as_here(&project, &same);
    assert_eq!(names(&same), "1\n");
    // All objects, so that nothing is asked of the older ones; and all files.
    assert!(log_of(&same).contains("needs 1 2 51\n"), "{}", log_of(&same));
    same.run("destroy", &["--force"]).ok();

    project.file("files/7", "seven\n");
    commit_all(&project);
    let grown = checkpoint.create(&[]);
    same_as_here(&project, &grown);
    assert_eq!(names(&grown), "2\n");
    // A commit, two trees, a file.
    let counts = "for index in .git/objects/pack/*.idx; do git show-index <$index | wc -l; done | sort -n";
    assert!(grown.exec(counts).ok().stdout.starts_with("4\n"));
    grown.run("destroy", &["--force"]).ok();

    // Rewritten from its root, so that nothing of what the box has is an ancestor.
    git(&project, &["checkout", "--quiet", "--orphan", "fresh"]);
    commit_all(&project);
    git(&project, &["tag", "--delete", "heavy"]);
    git(&project, &["branch", "--quiet", "--delete", "--force", "main"]);
    git(&project, &["reflog", "expire", "--expire=now", "--all"]);
    git(&project, &["gc", "--quiet", "--prune=now"]);
    let rewritten = checkpoint.create(&[]);
    same_as_here(&project, &rewritten);
    assert_eq!(rewritten.exec("git rev-list --count HEAD").ok().stdout, "1\n");
}

#[test]
fn a_commit_to_fork_from_and_a_tree_that_stays_as_it_was() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    project.file("old", "old\n");
    commit_all(&project);
    git(&project, &["branch", "release"]);
    git(&project, &["rm", "--quiet", "old"]);
    project.file("file", "two\n");
    commit_all(&project);
    let source = project.create(&[]);
    source
        .exec("echo edited >>file; echo mine >mine; git add mine; echo x >/tmp/x; echo own >>agentbox.yaml; sed -i /own/d agentbox.yaml")
        .ok();
    let status = source.exec("git status --short --branch").ok().stdout;
    let checkpoint = Checkpoint::of(&project, source);

    let forked = checkpoint.create(&["--from-branch", "release"]);
    let box_of = |script| forked.exec(script).ok().stdout;
    assert_eq!(
        box_of("git status --short; cat file old; ls"),
        "one\nold\nagentbox.yaml\nfile\nold\n"
    );
    assert_eq!(
        box_of("git rev-parse HEAD"),
        git(&project, &["rev-parse", "release"])
    );
    whole(&forked);
    forked.run("destroy", &["--force"]).ok();

    project.file("file", "three\n");
    let frozen = checkpoint.create(&["--no-resync"]);
    let box_of = |script| frozen.exec(script).ok().stdout;
    assert_eq!(box_of("git status --short --branch"), status);
    assert_eq!(box_of("cat file mine; ls -A /tmp"), "two\nedited\nmine\n");
}

#[test]
fn repositories_inside_and_projects_without_git() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    for name in ["kept", "dropped"] {
        project.file(&format!("{name}/file"), "inner\n");
        let inner = root.join(name);
        git_in(
            &project,
            &inner,
            &["init", "--quiet", "--initial-branch=main", "."],
        );
        git_in(&project, &inner, &["add", "--all"]);
        git_in(&project, &inner, &["commit", "--quiet", "--message", "inner"]);
    }
    project.file("plain/deep/file", "x\n");
    project.file("stays", "x\n");
    let source = project.create(&[]);
    source
        .exec(
            "set -e; cd kept; echo more >>file; echo n >new; git add new
             git -c user.name=A -c user.email=a@b commit --quiet --all --message work
             git config alias.a b; echo u >own; echo z >../plain/own",
        )
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    fs::remove_dir_all(root.join("dropped")).expect("a directory can be removed");
    fs::remove_dir_all(root.join("plain")).expect("a directory can be removed");
    project.file("kept/file", "inner\nmore here\n");

    let warm = checkpoint.create(&[]);
    let box_of = |script| warm.exec(script).ok().stdout;
    assert_eq!(
        box_of("find . -path ./kept/.git -prune -o -type f -print | sort; cat kept/file"),
        "./agentbox.yaml\n./kept/file\n./kept/own\n./plain/own\n./stays\ninner\nmore here\n"
    );
    assert_eq!(
        box_of("cd kept; git rev-parse HEAD; git status --short; git config --get alias.a | cat"),
        format!(
            "{} M file\n?? own\n",
            git_in(&project, &root.join("kept"), &["rev-parse", "HEAD"])
        )
    );
    warm.exec("cd kept; git fsck --strict --no-dangling").ok();
}

#[test]
fn nothing_outside_of_the_workspace_is_touched() {
    let project = Project::new("services: {}\n");
    for name in ["linked/file", "linked/gone", "deep/er/file", "objects"] {
        project.file(name, format!("{name}\n"));
    }
    commit_all(&project);
    let source = project.create(&[]);
    let prepared = source.exec(
        "set -e
         mkdir -p ~/target/er ~/git ~/pack; echo precious >~/target/file; echo precious >~/target/gone
         echo precious >~/target/er/file; cp -p linked/file ~/target/same
         cp -a .git/objects ~/git/objects
         rm -r linked deep; ln -s ~/target linked; ln -s ~/target deep
         rm -r .git/objects; ln -s ~/git/objects .git/objects
         rm .git/HEAD; ln -s ~/target/file .git/HEAD
         sudo rm -r /var/log/agentbox; sudo ln -s ~/target /var/log/agentbox",
    );
    prepared.ok();
    let outside = "cd ~ && find target git -type f | sort | xargs sha256sum; ls -lR --full-time target git";
    let before = source.exec(outside).ok().stdout;
    let checkpoint = Checkpoint::of(&project, source);
    git(&project, &["rm", "--quiet", "linked/gone"]);
    project.file("linked/file", "changed\n");

    let warm = checkpoint.create(&[]);
    same_as_here(&project, &warm);
    let after = warm.exec(outside).ok().stdout;
    // Times lose their fractions on the way through an image.
    let sums = |text: &str| {
        let lines = text
            .lines()
            .take_while(|line| !line.is_empty() && !line.ends_with(':'));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(sums(&after), sums(&before));
    assert_eq!(
        warm.exec("test -L linked -o -L deep -o -L .git/objects -o -L .git/HEAD || echo none")
            .ok()
            .stdout,
        "none\n"
    );
}

#[test]
fn what_is_carried_comes_anew_and_is_no_work() {
    let project = Project::new("carry: [{src: ./local.conf, dest: /workspace/conf/local.conf}]\n");
    project.file("local.conf", "one\n");
    project.file("conf/shared", "x\n");
    project.file(".gitignore", "/local.conf\n");
    commit_all(&project);
    let source = project.create(&["--carry-yes"]);
    source.exec("echo edited >>conf/local.conf").ok();
    let checkpoint = Checkpoint::of(&project, source);
    project.file("local.conf", "two\n");

    let warm = checkpoint.create(&["--carry-yes"]);
    assert_eq!(
        warm.exec("cat conf/local.conf conf/shared").ok().stdout,
        "two\nx\n"
    );
    same_as_here(&project, &warm);
    warm.run("destroy", &["--force"]).ok();

    // What is carried no more was never the box's own.
    project.file("agentbox.yaml", "services: {}\n");
    let without = checkpoint.create(&[]);
    assert_eq!(without.exec("ls conf").ok().stdout, "shared\n");
    same_as_here(&project, &without);
}
