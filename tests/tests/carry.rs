//! Host files that go into a box: allowed by a person, with owners and modes, secrets apart.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use agentbox_tests::comeback::git;
use agentbox_tests::process::{PATIENCE, run};
use agentbox_tests::{Project, Terminal, TestBox, engine, images};

const WEB: &str = "services: {web: {command: exec sleep 1000}}\n";

/// A file of the user's home.
fn home(project: &Project, path: &str, content: &str) -> PathBuf {
    let path = project
        .directory()
        .parent()
        .expect("a project lies in a directory")
        .join("home")
        .join(path);
    fs::create_dir_all(path.parent().expect("a file lies in a directory")).expect("directories can be made");
    fs::write(&path, content).expect("the file can be written");
    path
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("modes can be set");
}

/// `create` of a box with this name, as a command line.
fn create<'a>(name: &'a str, image: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["create", "-n", name, "--image", image];
    all.extend(more);
    all
}

/// What a path of a box is: `%F %a %u:%g`, and where a link leads.
#[track_caller]
fn stat(test_box: &TestBox<'_>, path: &str) -> String {
    let output = test_box
        .docker_exec(&format!("stat -c '%F %a %u:%g %N' {path}"))
        .ok();
    output.stdout.trim().to_owned()
}

/// What `docker export`, which is all that a checkpoint could have, contains of a pattern.
#[track_caller]
fn layers_with(test_box: &TestBox<'_>, pattern: &str) -> String {
    let mut export = std::process::Command::new("sh");
    let script = format!(
        "docker export {} | grep -a -o '{pattern}' | sort -u",
        test_box.container()
    );
    export.args(["-c", &script]).env("DOCKER_HOST", engine::url());
    run(export, PATIENCE).stdout
}

#[track_caller]
fn nothing_was_made(project: &Project) {
    assert_eq!(project.containers(), Vec::<String>::new());
}

#[test]
fn files_and_directories_arrive_with_owner_mode_and_content() {
    let project = Project::new(&format!(
        r#"{WEB}
carry:
  - ~/.toolrc
  - ./settings.local
  - {{src: ~/certificates, dest: /etc/app/tls, exclude: ["*.bak", old], mode: "0440", user: root}}
  - {{src: ~/.toolrc, dest: /workspace/deep/down/rc, user: 4242}}
  - {{src: ~/.toolrc, dest: "~/.config/x y/'quoted'"}}
  - {{src: ~/binary, dest: /opt/tool, mode: "0755"}}
  - {{src: ~/nothing, optional: true}}
"#
    ));
    project.file(".gitignore", "settings.local\n");
    project.file("settings.local", "local\n");
    mode(&home(&project, ".toolrc", "tool\n"), 0o640);
    home(&project, "certificates/a.crt", "a\n");
    home(&project, "certificates/sub/b.crt", "b\n");
    home(&project, "certificates/sub/b.bak", "no\n");
    home(&project, "certificates/old/c.crt", "no\n");
    symlink(
        "a.crt",
        home(&project, "certificates/link", "").with_file_name("current"),
    )
    .expect("a link");
    let large = "0123456789abcdef".repeat(200_000);
    home(&project, "binary", &large);

    let test_box = project.create(&["--carry-yes"]);
    assert_eq!(
        test_box
            .exec("cat ~/.toolrc /workspace/settings.local")
            .ok()
            .stdout,
        "tool\nlocal\n"
    );
    let home_file = "'/home/developer/.config/x y/'\\''quoted'\\'''";
    for (path, expected) in [
        ("/home/developer/.toolrc", "regular file 640 1000:1000"),
        ("/workspace/settings.local", "regular file 644 1000:1000"),
        ("/etc/app", "directory 755 0:0"),
        ("/etc/app/tls", "directory 750 0:0"),
        ("/etc/app/tls/sub", "directory 750 0:0"),
        ("/etc/app/tls/sub/b.crt", "regular file 440 0:0"),
        ("/workspace/deep", "directory 755 1000:1000"),
        ("/workspace/deep/down/rc", "regular file 640 4242:0"),
        ("/home/developer/.config", "directory 755 1000:1000"),
        (home_file, "regular file 640 1000:1000"),
        ("/opt/tool", "regular file 755 1000:1000"),
        // What was there stays as it was.
        ("/home/developer", "directory 755 1000:1000"),
        ("/etc", "directory 755 0:0"),
    ] {
        let found = stat(&test_box, path);
        assert!(
            found.starts_with(&format!("{expected} ")),
            "{path}: {found}, expected {expected}"
        );
    }
    assert_eq!(
        test_box
            .docker_exec("cd /etc/app/tls && find . | sort && readlink current")
            .ok()
            .stdout,
        ".\n./a.crt\n./current\n./link\n./sub\n./sub/b.crt\na.crt\n"
    );
    assert_eq!(test_box.exec("cat /opt/tool").ok().stdout, large);
    assert_eq!(test_box.exec("ls ~/nothing").code, 2);
}

#[test]
fn a_secret_can_be_read_and_lies_in_no_layer() {
    let project = Project::new(
        r#"
services:
  web: {command: "test -s ~/.netrc && exec sleep 1000"}
carry:
  - {src: ~/.netrc, secret: true}
  - {src: ~/.aws, secret: true}
  - {src: ~/.netrc, dest: /etc/daemon.key, secret: true, user: root, mode: "0400"}
"#,
    );
    home(&project, ".netrc", "netrc-canary\n");
    home(&project, ".aws/credentials", "aws-canary\n");
    let test_box = project.create(&["--carry-yes", "--wait"]);
    let volumes = engine::volumes_of(&test_box.container());
    let read = "cat ~/.netrc ~/.aws/credentials";
    let both = "netrc-canary\naws-canary\n";
    assert_eq!(test_box.exec(read).ok().stdout, both);
    // Its owner alone.
    test_box.exec("cat /etc/daemon.key").expect_code(1);
    assert_eq!(
        test_box.docker_exec("cat /etc/daemon.key").ok().stdout,
        "netrc-canary\n"
    );
    test_box.exec("ls /run/agentbox/secrets").expect_code(2);
    test_box.exec("ls /var/lib/agentbox/private").expect_code(2);
    let link = stat(&test_box, "/home/developer/.netrc");
    assert!(
        link.starts_with("symbolic link ") && link.contains("-> '/run/agentbox/secrets/"),
        "{link}"
    );
    assert_eq!(
        test_box
            .docker_exec("stat -L -c '%a %u' /home/developer/.netrc; find /var/lib/agentbox/private -name .netrc | wc -l")
            .ok()
            .stdout,
        "600 1000\n1\n"
    );
    let inspected = test_box.inspect().to_string();
    assert!(!inspected.contains("-canary"), "docker inspect shows it");
    let layers = layers_with(&test_box, "netrc-canary\\|aws-canary");
    assert_eq!(layers, "", "a secret lies in a layer");
    let diff = engine::docker(&["diff", &test_box.container()]).ok().stdout;
    assert!(
        diff.contains("A /home/developer/.netrc\n") && !diff.contains("secrets/"),
        "{diff}"
    );

    // A copy would land beneath the memory, in a layer.
    let link = format!("{}:/home/developer/.netrc", test_box.name());
    project
        .run(&["cp", "/etc/hostname", &link])
        .expect_code(1)
        .complains(&["a copy does not reach"]);

    // What the box writes is its own until the next start.
    test_box.exec("echo changed > ~/.netrc").ok();
    assert_eq!(test_box.exec("cat ~/.netrc").ok().stdout, "changed\n");
    // A supervisor that comes back leaves it alone.
    test_box
        .docker_exec("kill -9 $(pgrep -f 'agentbox-ctl daemon' | head -1)")
        .ok();
    test_box.wait_state("web", "running");
    assert_eq!(test_box.exec("cat ~/.netrc").ok().stdout, "changed\n");
    test_box.run("stop", &[]).ok();
    test_box.run("start", &[]).ok();
    assert_eq!(test_box.exec(read).ok().stdout, both);

    test_box.run("destroy", &["-f"]).ok();
    let left: Vec<String> = engine::volumes()
        .into_iter()
        .filter(|volume| volumes.contains(volume))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn without_a_terminal_nothing_is_made_until_it_was_allowed() {
    let project = Project::new(&format!("{WEB}carry: [~/.toolrc]\n"));
    home(&project, ".toolrc", "one\n");
    let image = images::base();
    let name = format!("{}-a", project.name());
    for flags in [&[][..], &["-y"]] {
        project
            .run(&create(&name, &image, flags))
            .expect_code(1)
            .complains(&[
                "~/.toolrc to ~/.toolrc (4 B, mode 0644)",
                "is not allowed yet",
                "agentbox create --carry-yes",
                "agentbox create --carry skip",
            ]);
        nothing_was_made(&project);
    }
    // Without an engine, too: nobody was asked to make anything.
    let mut unreachable = project.command(&create(&name, &image, &[]));
    unreachable.env("DOCKER_HOST", "unix:///nonexistent/docker.sock");
    run(unreachable, PATIENCE).expect_code(1);

    let output = project.run(&create(&name, &image, &["--carry", "skip"])).ok();
    assert!(output.stderr.contains("leaving out"), "{output}");
    let test_box = TestBox::new(&project, &name);
    assert_eq!(test_box.exec("ls ~/.toolrc").code, 2);
    // Leaving out is no approval.
    let second = format!("{}-b", project.name());
    project.run(&create(&second, &image, &[])).expect_code(1);

    // An approval is remembered, whatever the content becomes.
    project.run(&create(&second, &image, &["--carry-yes"])).ok();
    home(&project, ".toolrc", "another\n");
    let third = format!("{}-c", project.name());
    project.run(&create(&third, &image, &["-y"])).ok();
    assert_eq!(
        TestBox::new(&project, &third).exec("cat ~/.toolrc").ok().stdout,
        "another\n"
    );
    // A changed list asks again; the list as it was does not.
    project.file("agentbox.yaml", format!("{WEB}carry: [~/.toolrc=~/.other]\n"));
    let fourth = format!("{}-d", project.name());
    project.run(&create(&fourth, &image, &[])).expect_code(1);
    // So does the same list where it leads to something else.
    project.file("agentbox.yaml", format!("{WEB}carry: [~/.toolrc]\n"));
    let file = home(&project, ".toolrc", "");
    let elsewhere = home(&project, "elsewhere", "x");
    fs::remove_file(&file).expect("the file can be removed");
    symlink(elsewhere, &file).expect("a link can be made");
    project
        .run(&create(&fourth, &image, &[]))
        .expect_code(1)
        .complains(&["is not allowed yet"]);
    // Another project has approvals of its own.
    let other = Project::new(&format!("{WEB}carry: [~/.toolrc]\n"));
    home(&other, ".toolrc", "one\n");
    let mut command = other.command(&create("x", &image, &[]));
    let data = project
        .directory()
        .parent()
        .expect("a parent")
        .join("home/.local/share");
    let records = fs::read_dir(data.join("agentbox/approvals")).expect("approvals are there");
    assert_eq!(records.count(), 1);
    command.env("XDG_DATA_HOME", data);
    run(command, PATIENCE).expect_code(1);
    nothing_was_made(&other);
}

#[test]
fn a_person_at_a_terminal_is_asked_once() {
    let project = Project::new(&format!("{WEB}carry: [{{src: ~/.netrc, secret: true}}]\n"));
    home(&project, ".netrc", "canary\n");
    let image = images::base();
    let name = format!("{}-a", project.name());
    let start = |name: &str| Terminal::spawn(&project.command(&create(name, &image, &[])));

    for (keys, code, says) in [
        ("n\r", 1, "was not allowed"),
        ("\r", 1, "was not allowed"),
        ("\u{4}", 1, "was not allowed"),
        ("\u{3}", 130, "nothing was made"),
        ("maybe\r", 1, "was not allowed"),
    ] {
        let mut terminal = start(&name);
        terminal.expect("Copy 1 file (7 B) into the box? [y/N]");
        let screen = terminal.shown();
        for part in [
            "~/.netrc to ~/.netrc (7 B, mode 0600, secret)",
            "looks like a secret",
        ] {
            assert!(screen.contains(part), "{screen}");
        }
        terminal.press(keys);
        terminal.expect(says);
        assert_eq!(terminal.finish_sane().0, code, "{keys:?}");
        nothing_was_made(&project);
    }
    // Where the flag says not to ask, nobody is.
    let mut terminal = Terminal::spawn(&project.command(&create(&name, &image, &["-y"])));
    terminal.expect("nothing may be asked");
    assert_eq!(terminal.finish_sane().0, 1);

    let mut terminal = start(&name);
    terminal.expect("[y/N]");
    terminal.press("y\r");
    assert_eq!(terminal.finish_sane().0, 0);
    let test_box = TestBox::new(&project, &name);
    assert_eq!(test_box.exec("cat ~/.netrc").ok().stdout, "canary\n");

    // Remembered: no question any more.
    let second = format!("{}-b", project.name());
    let (code, screen) = start(&second).finish_sane();
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
}

#[test]
fn what_may_not_be_carried_is_refused_before_anything_is_made() {
    let project = Project::empty();
    let image = images::base();
    let big = home(&project, "big", "");
    fs::File::create(&big)
        .and_then(|file| file.set_len((100 << 20) + 1))
        .expect("a sparse file");
    symlink("/proc/self/environ", project.directory().join("innocent")).expect("a link");
    let _socket =
        std::os::unix::net::UnixListener::bind(project.directory().join("socket")).expect("a socket");
    for (entry, code, says) in [
        ("./a/../b", 2, ".. in src"),
        ("./a=/x/../y", 2, ".. in dest"),
        ("/proc/self/environ=/x", 2, "lies in /proc"),
        ("/sys/kernel=/x", 2, "lies in /sys"),
        ("./a=/dev/x", 2, "lies in /dev"),
        ("./a=/var/lib/agentbox/private/x", 2, "not for carry"),
        ("./a=/usr/local/bin/agentbox-ctl", 2, "not for carry"),
        ("{src: ./a, mode: 0600}", 2, "write \"0600\""),
        ("./innocent=/x", 1, "the kernel's"),
        ("./socket", 1, "it is a socket"),
        ("./missing", 1, "cannot carry"),
        ("~/big", 1, "more than 100 MiB"),
    ] {
        project.file("agentbox.yaml", format!("{WEB}carry: [{entry}]\n"));
        let output = project.run(&create(project.name(), &image, &["--carry-yes"]));
        output.expect_code(code).complains(&[says]);
        nothing_was_made(&project);
    }
}

#[test]
fn what_the_image_does_not_allow_leaves_nothing_behind() {
    let project = Project::empty();
    let image = images::base();
    home(&project, "file", "x");
    home(&project, "directory/passwd", "x");
    for (entry, says) in [
        ("~/file=/etc", "cannot overwrite directory"),
        ("~/file=/etc/passwd/x", "/etc/passwd is no directory in the image"),
        (
            "~/directory=/etc/passwd",
            "/etc/passwd is no directory in the image",
        ),
        ("{src: ~/file, user: nosuchuser}", "no user `nosuchuser`"),
        ("~/file=/home/developer/x, ~/directory=~/x", "exclude each other"),
    ] {
        project.file("agentbox.yaml", format!("{WEB}carry: [{entry}]\n"));
        project
            .run(&create(project.name(), &image, &["--carry-yes"]))
            .expect_code(1)
            .complains(&[says]);
        nothing_was_made(&project);
    }
}

#[test]
fn an_image_without_users_has_homes_all_the_same() {
    let project = Project::new(
        "services: {web: {command: [/usr/local/bin/agentbox-ctl, version]}}\n\
         carry: [~/file, {src: ~/file, dest: ~/secret/file, secret: true}]\n",
    );
    home(&project, "file", "x");
    let test_box = project.create_from(&images::scratch(), &["--carry-yes"]);
    let tree = engine::docker(&["diff", &test_box.container()]).ok().stdout;
    for path in ["A /root\n", "A /root/file\n", "A /root/secret/file\n"] {
        assert!(tree.contains(path), "{path}: {tree}");
    }
}

#[test]
fn what_is_carried_wins_over_the_project() {
    let project = Project::new(&format!(
        "{WEB}carry: [~/config.json=/workspace/config.json, ~/more=/workspace/more, \
         {{src: ~/config.json, dest: /workspace/more/c, secret: true}}]\n"
    ));
    project.file("config.json", "project\n");
    for file in ["more/a", "more/b", "more/c"] {
        project.file(file, "project\n");
    }
    home(&project, "config.json", "carried\n");
    home(&project, "more/a", "carried\n");
    for with_git in [false, true] {
        if with_git {
            for arguments in [
                &["init", "-q"][..],
                &["add", "-A"],
                &["commit", "-q", "-m", "all"],
            ] {
                let mut git = std::process::Command::new("git");
                git.args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
                    .args(arguments);
                project.hermetic(&mut git);
                run(git, PATIENCE).ok();
            }
        }
        let test_box = project.create(&["--carry-yes"]);
        assert_eq!(
            test_box
                .exec("cd /workspace && cat config.json more/a more/b more/c && test -h more/c")
                .ok()
                .stdout,
            "carried\ncarried\nproject\ncarried\n",
            "with git: {with_git}"
        );
    }
}

#[test]
fn another_image_s_user_owns_what_is_carried() {
    let project = Project::new(
        "services: {web: {command: exec sleep 1000}}\n\
         carry: [~/file=~/a/file, {src: ~/file, dest: ~/b/file, secret: true}, {src: ~/file, dest: /c, user: root}]\n",
    );
    home(&project, "file", "content\n");
    let test_box = project.create_from(&images::other_user(), &["--carry-yes"]);
    let listed = test_box
        .exec("cat ~/a/file ~/b/file && ls -ln ~/a/file ~/b/file /c")
        .ok()
        .stdout;
    assert!(listed.starts_with("content\ncontent\n"), "{listed}");
    let owners: Vec<&str> = listed
        .lines()
        .skip(2)
        .filter_map(|line| line.split_whitespace().nth(2))
        .collect();
    assert_eq!(owners, ["0", "1234", "1234"], "{listed}");
    test_box.exec("touch ~/a/new").ok();
    test_box.exec("touch ~/b/new").ok();
}

#[test]
fn what_is_carried_is_no_work_and_gets_into_no_commit() {
    let project = Project::new(&format!(
        "{WEB}carry: [./own.env, ~/token=/workspace/conf/token, {{src: ~/token, dest: /workspace/link, secret: true}}]\n"
    ));
    home(&project, "token", "CARRIED\n");
    git(project.directory(), &["init", "-q"]);
    git(project.directory(), &["add", "-A"]);
    git(project.directory(), &["commit", "-q", "-m", "all"]);
    // Not ignored here, so it is uncommitted work of the host's.
    project.file("own.env", "CARRIED\n");
    project.file("new", "new\n");

    let test_box = project.create(&["--carry-yes"]);
    let name = test_box.name().to_owned();
    assert_eq!(test_box.exec("git status --short").ok().stdout, "?? new\n");
    // Nothing was done in it, so there is nothing to show or save.
    assert_eq!(project.run(&["diff", &name]).ok().stdout, "");
    let destroyed = project.run(&["destroy", "-f", &name]).ok();
    assert!(!destroyed.stderr.contains("saved"), "{}", destroyed.stderr);

    let test_box = project.create(&["--carry-yes"]);
    test_box.exec("echo more >>new; echo more >>own.env").ok();
    let diff = project.run(&["diff", test_box.name()]).ok().stdout;
    assert!(diff.contains("+more") && !diff.contains("CARRIED"), "{diff}");
    let commit =
        "git add --all && git -c user.name=t -c user.email=t@t commit -qm work && git show --stat=80 HEAD";
    let shown = test_box.exec(commit).ok().stdout;
    assert!(shown.contains("1 file changed"), "{shown}");
}
