//! The names below `localhost` that lead to boxes.

use agentbox_tests::Project;

/// In the box its own name leads to its own service, whoever resolves it: `curl` answers for `localhost` itself, most
/// other programs ask the system's resolver.
#[test]
fn a_box_s_name_leads_to_its_service_inside_the_box_too() {
    let project = Project::new(
        "services:\n  web: {command: exec python3 -m http.server 3000 --bind 127.0.0.1, expose: {port: 3000}}\n",
    );
    project.file("page", "content\n");
    let test_box = project.create(&["--wait"]);
    let url = format!("http://{}.localhost/page", test_box.name());
    assert_eq!(
        test_box.exec(&format!("curl -fsS {url}")).ok().stdout,
        "content\n"
    );
    let resolved = format!(
        "import socket\nprint(*sorted({{found[4][0] for found in socket.getaddrinfo('{}.localhost', 80)}}))",
        test_box.name()
    );
    let addresses = test_box
        .run("exec", &["--", "python3", "-c", &resolved])
        .ok()
        .stdout;
    for address in addresses.split_whitespace() {
        assert!(["127.0.0.1", "::1"].contains(&address), "{addresses}");
    }
    let fetched =
        format!("import urllib.request\nprint(urllib.request.urlopen('{url}').read().decode(), end='')");
    let page = test_box
        .run("exec", &["--", "python3", "-c", &fetched])
        .ok()
        .stdout;
    assert_eq!(page, "content\n");
}
