//! Any image is a box: one static binary in it, nothing in it, another user than root.

use agentbox_tests::{Project, images};

#[test]
fn an_image_that_holds_one_busybox() {
    let project = Project::new(
        "tasks: {hello: {command: 'echo hello from $0; busybox id -u'}}\n\
         services: {web: {command: 'exec busybox httpd -f -p 127.0.0.1:3000 -h /workspace', needs: [hello], expose: {port: 3000}}}\n",
    );
    project.file("index.html", "a page\n");
    let test_box = project.create_from(&images::busybox(), &["--wait"]);
    assert_eq!(test_box.unit("web")["state"], "ready");
    assert_eq!(test_box.run("logs", &["hello"]).ok().stdout, "hello from sh\n0\n");
    assert_eq!(
        test_box
            .run(
                "exec",
                &["--", "busybox", "wget", "-q", "-O", "-", "http://127.0.0.1:80/"]
            )
            .ok()
            .stdout,
        "a page\n"
    );
    test_box.run("stop", &["web"]).ok();
    assert!(test_box.processes_matching("httpd").is_empty());
    let mut shell = test_box.start("shell", &[]);
    shell.write(b"echo shell:$((40 + 2))\nexit 5\n");
    let shell = shell.finish(agentbox_tests::process::PATIENCE);
    assert!(shell.stdout.contains("shell:42"), "{shell}");
}

#[test]
fn an_image_that_holds_nothing_runs_an_uploaded_program() {
    let project = Project::new(
        "services:\n  web: {command: [/workspace/busybox, httpd, -f, -p, '127.0.0.1:3000', -h, /workspace], expose: {port: 3000}}\n  \
         shell: {command: echo no shell here, restart: never}\n",
    );
    project.executable(
        "busybox",
        std::fs::read(images::busybox_binary()).expect("busybox can be read"),
    );
    let test_box = project.create_from(&images::scratch(), &[]);
    test_box.wait_state("web", "ready");
    // A command that needs a shell says that there is none.
    let shell = test_box.wait_state("shell", "crashed");
    assert!(
        shell["reason"]
            .as_str()
            .is_some_and(|reason| reason.contains("sh")),
        "{shell}"
    );
    assert_eq!(
        test_box
            .run("exec", &["--", "/workspace/busybox", "echo", "up"])
            .ok()
            .stdout,
        "up\n"
    );
    test_box.run("exec", &["--", "sh"]).expect_code(127);
    let pid = test_box.pid("web");
    test_box
        .run(
            "exec",
            &["--", "/workspace/busybox", "kill", "-9", &pid.to_string()],
        )
        .ok();
    test_box.wait_unit("web", "a restart", |unit| {
        unit["restarts"] == 1 && unit["state"] == "ready"
    });
    test_box.run("stop", &[]).ok();
    test_box
        .run("start", &["--wait"])
        .expect_code(1)
        .complains(&["shell"]);
    test_box.wait_state("web", "ready");
}

#[test]
fn the_images_user_runs_units_and_its_entrypoint_does_not() {
    let project = Project::new(
        "tasks:\n  who: {command: 'id -u; echo $HOME $USER $SHELL $FROM_IMAGE; pwd; touch /workspace/mine'}\n  \
         root: {command: 'id -u; echo $HOME', user: root}\n  number: {command: id -u, user: \"4321\"}\n",
    );
    let test_box = project.create_from(&images::other_user(), &["--wait"]);
    assert_eq!(
        test_box.run("logs", &["who"]).ok().stdout,
        "1234\n/home/someone someone /bin/sh yes\n/workspace\n"
    );
    assert_eq!(test_box.run("logs", &["root"]).ok().stdout, "0\n/root\n");
    assert_eq!(test_box.run("logs", &["number"]).ok().stdout, "4321\n");
    assert_eq!(test_box.exec("id -u; pwd").ok().stdout, "1234\n/workspace\n");
    assert_eq!(
        project
            .run(&["exec", "-u", "root", test_box.name(), "id", "-u"])
            .ok()
            .stdout,
        "0\n"
    );
}
