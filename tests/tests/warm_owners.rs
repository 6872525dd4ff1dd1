//! A box from a checkpoint in which root has worked, or directories are closed: the project lies on top all the same.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use agentbox_tests::repository::{commit_all, git};
use agentbox_tests::warm::{Checkpoint, same_as_here};
use agentbox_tests::{Project, images};

fn close(directory: &Path, mode: u32) {
    fs::set_permissions(directory, fs::Permissions::from_mode(mode)).expect("modes can be set");
}

#[test]
fn what_root_made_gives_way_to_the_project_and_artefacts_keep_their_owner() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    for name in [
        "same",
        "changed",
        "gone",
        "dir/same",
        "dir/changed",
        "dir/gone",
        "old/deep/gone",
        "turns/x",
        "link",
        "becomes",
    ] {
        project.file(name, format!("{name}\n"));
    }
    project.file(".gitignore", "cache/\n");
    commit_all(&project);
    let source = project.create(&[]);
    source
        .exec(
            "set -e
             mkdir cache dir/cache; echo c >cache/mine; echo c >dir/cache/roots
             sudo chown -R root:root same changed gone dir old turns link cache/mine
             sudo chmod 700 dir old/deep; sudo chmod 600 same dir/changed
             mkdir new; sudo sh -c 'echo r >new/inner'; sudo chown root new
             rm becomes; mkdir -p becomes/inner; echo x >becomes/inner/x; sudo chown -R root becomes
             sudo sh -c 'umask 077; git config --global --add safe.directory /workspace; echo r >r; git add r
               git -c user.name=R -c user.email=r@r commit --quiet --message root; git gc --quiet; touch x; git add x'
             sudo chown -R root:root .git/index .git/refs .git/objects",
        )
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    project.file("changed", "anew\n");
    project.file("dir/changed", "anew\n");
    project.file("new/inner", "the host's\n");
    for name in ["gone", "dir/gone", "old/deep/gone", "turns/x", "link"] {
        fs::remove_file(root.join(name)).expect("a file can be removed");
    }
    fs::remove_dir(root.join("turns")).expect("a directory can be removed");
    project.file("turns", "a file now\n");
    std::os::unix::fs::symlink("same", root.join("link")).expect("a link can be made");
    commit_all(&project);

    let warm = checkpoint.create(&[]);
    let box_of = |script| warm.exec(script).ok().stdout;
    assert_eq!(
        box_of("git status --porcelain --ignored"),
        "!! cache/\n!! dir/cache/\n"
    );
    same_as_here(&project, &warm);
    assert_eq!(
        box_of("ls; ls dir"),
        "agentbox.yaml\nbecomes\ncache\nchanged\ndir\nlink\nnew\nsame\nturns\ncache\nchanged\nsame\n"
    );
    let owned = "find . ! -user developer -printf '%u %p\\n' | sort";
    assert_eq!(
        box_of(owned),
        "root ./cache/mine\nroot ./dir/cache\nroot ./dir/cache/roots\n"
    );
    assert_eq!(
        box_of("stat -c %a dir same; cat cache/mine dir/cache/roots"),
        "755\n644\nc\nc\n"
    );
    box_of(
        "echo work >dir/more; git add --all; git -c user.name=A -c user.email=a@b commit --quiet --message work; git gc --quiet",
    );
}

#[test]
fn closed_directories_go_and_change_as_others_do() {
    let project = Project::new("services: {}\n");
    let root = project.directory();
    for name in [
        "changed/deep/x",
        "gone/deep/x",
        "turns/deep/x",
        "stays/x",
        "opens/x",
    ] {
        project.file(name, format!("{name}\n"));
    }
    commit_all(&project);
    let closed = [
        "changed/deep",
        "changed",
        "gone/deep",
        "gone",
        "turns/deep",
        "turns",
        "stays",
        "opens",
    ];
    for name in closed {
        close(&root.join(name), 0o555);
    }
    let checkpoint = Checkpoint::of(&project, project.create(&[]));
    for name in closed {
        close(&root.join(name), 0o755);
    }
    project.file("changed/deep/x", "anew\n");
    project.file("changed/y", "new\n");
    for name in ["gone", "turns"] {
        fs::remove_dir_all(root.join(name)).expect("a directory can be removed");
    }
    project.file("turns", "a file now\n");
    for name in ["changed/deep", "changed", "stays"] {
        close(&root.join(name), 0o555);
    }
    git(&project, &["add", "--all"]);

    let warm = checkpoint.create(&[]);
    same_as_here(&project, &warm);
    assert_eq!(
        warm.exec("find . -name .git -prune -o -type d -printf '%m %p\\n' | sort")
            .ok()
            .stdout,
        "555 ./changed\n555 ./changed/deep\n555 ./stays\n755 .\n755 ./opens\n"
    );
    for name in ["changed", "changed/deep", "stays"] {
        close(&root.join(name), 0o755);
    }
}

#[test]
fn what_root_made_in_an_image_gives_way_too() {
    let project = Project::new("services: {}\n");
    for name in ["vendor/file", "vendor/closed/file", "vendor/new"] {
        project.file(name, "the host's\n");
    }
    commit_all(&project);
    let test_box = project.create_from(&images::with_files_of_root(), &[]);
    same_as_here(&project, &test_box);
    assert_eq!(test_box.exec("find . ! -user developer").ok().stdout, "");
}
