//! Mistakes in services with `image`.

use super::errors;
use crate::config::{LoadOptions, load};

#[test]
fn what_a_container_has_of_its_own() {
    insta::assert_snapshot!(errors(r#"
services:
  a: {image: {name: y}, cwd: web, user: root}
"#), @r#"
error: agentbox.yaml:2:25: cwd has no effect with image in service "a"
  2 |   a: {image: {name: y}, cwd: web, user: root}
    |                         ^^^
  hint: the container has what its image says: remove it
error: agentbox.yaml:2:35: user has no effect with image in service "a"
  2 |   a: {image: {name: y}, cwd: web, user: root}
    |                                   ^^^^
  hint: the container has what its image says: remove it
"#);
}

#[test]
fn ports_are_those_that_docker_publishes() {
    insta::assert_snapshot!(errors(r#"
services:
  a: {image: {name: y, ports: [5432, "127.0.0.1:53:53/udp", 99999, "a:b"]}}
"#), @r#"
error: agentbox.yaml:2:61: "99999" is no port to publish
  2 |   a: {image: {name: y, ports: [5432, "127.0.0.1:53:53/udp", 99999, "a:b"]}}
    |                                                             ^^^^^
  hint: write it as for docker run -p: 5432, "8080:80" or "127.0.0.1:53:53/udp"
error: agentbox.yaml:2:68: "a:b" is no port to publish
  2 |   a: {image: {name: y, ports: [5432, "127.0.0.1:53:53/udp", 99999, "a:b"]}}
    |                                                                    ^^^^^
  hint: write it as for docker run -p: 5432, "8080:80" or "127.0.0.1:53:53/udp"
"#);
}

#[test]
fn a_container_has_one_service() {
    insta::assert_snapshot!(errors(r#"
services:
  a: {image: {name: y, container_name: db}}
  db: {image: {name: y}}
  c: {image: {name: y, container_name: other}}
"#), @r#"
error: agentbox.yaml:3:3: service "db" and service "a" are both container "db"
  3 |   db: {image: {name: y}}
    |   ^^
  hint: give one of them another container_name
"#);
}

#[test]
fn a_box_without_docker_has_no_containers() {
    let source = "services:\n  web: {command: x}\n  db: {image: {name: y}}\n";
    let options = LoadOptions {
        containers: false,
        ..LoadOptions::default()
    };
    let failure = load(source, &options)
        .into_result("agentbox.yaml", source)
        .unwrap_err();
    insta::assert_snapshot!(failure.render(), @r#"
error: agentbox.yaml:3:3: service "db" is a container, and the box would have no Docker to run it
  3 |   db: {image: {name: y}}
    |   ^^
  hint: agentbox create --docker, or agentbox config set box.docker true
"#);
}
