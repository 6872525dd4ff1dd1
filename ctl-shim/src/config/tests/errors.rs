//! Whole files with mistakes, and everything that is said about them.

use super::errors;

#[test]
fn the_form_of_an_error() {
    insta::assert_snapshot!(errors(r#"
tasks:
  install:
    command: pnpm install
services:
  web:
    command: pnpm dev
    needs: [instal]
"#), @r#"
error: agentbox.yaml:7:13: unknown unit "instal" in needs of service "web"
  7 |     needs: [instal]
    |             ^^^^^^
  hint: did you mean "install"?
"#);
}

#[test]
fn needs_that_cannot_be_met() {
    insta::assert_snapshot!(errors(r#"
services:
  web:
    command: pnpm dev
    needs: [instal, install, web, "install", setup-x, rigbox-svc-db, rigbox-svc-]
tasks:
  install: {command: a, needs: [migrate, install]}
  migrate: {command: b, needs: [seed]}
  seed:
    command: c
    needs:
      - install
"#), @r#"
error: agentbox.yaml:4:13: unknown unit "instal" in needs of service "web"
  4 |     needs: [instal, install, web, "install", setup-x, rigbox-svc-db, rigbox-svc-]
    |             ^^^^^^
  hint: did you mean "install"?
error: agentbox.yaml:4:30: service "web" needs itself
  4 |     needs: [instal, install, web, "install", setup-x, rigbox-svc-db, rigbox-svc-]
    |                              ^^^
  hint: remove it
error: agentbox.yaml:4:35: "install" is listed twice in needs of service "web"
  4 |     needs: [instal, install, web, "install", setup-x, rigbox-svc-db, rigbox-svc-]
    |                                   ^^^^^^^^^
  hint: remove one of the two
error: agentbox.yaml:4:46: unknown unit "setup-x" in needs of service "web"
  4 |     needs: [instal, install, web, "install", setup-x, rigbox-svc-db, rigbox-svc-]
    |                                              ^^^^^^^
  hint: name a service or a task of this file
error: agentbox.yaml:4:70: unknown unit "rigbox-svc-" in needs of service "web"
  4 |     needs: [instal, install, web, "install", setup-x, rigbox-svc-db, rigbox-svc-]
    |                                                                      ^^^^^^^^^^^
  hint: name a service or a task of this file
error: agentbox.yaml:6:42: task "install" needs itself
  6 |   install: {command: a, needs: [migrate, install]}
    |                                          ^^^^^^^
  hint: remove it
error: agentbox.yaml:11:9: needs form a cycle: install -> migrate -> seed -> install
  11 |       - install
     |         ^^^^^^^
  hint: remove one of these needs
"#);
}

#[test]
fn names_are_shared_and_reserved() {
    insta::assert_snapshot!(errors(r#"
services:
  web: {command: a}
  rigbox-svc-db: {command: b}
  a b: {command: c}
  db: {command: d}
  web: {command: e}
tasks:
  db: {command: f}
  setup-x: {command: g}
  ~: {command: h}
"#), @r#"
error: agentbox.yaml:3:3: the name of service "rigbox-svc-db" is reserved
  3 |   rigbox-svc-db: {command: b}
    |   ^^^^^^^^^^^^^
  hint: choose one that does not start with rigbox-svc-: that is for attached service specs
error: agentbox.yaml:4:3: the name of service "a b" is not allowed
  4 |   a b: {command: c}
    |   ^^^
  hint: use letters, digits, _ and -
error: agentbox.yaml:6:3: duplicate key "web", first given at line 2, column 3
  6 |   web: {command: e}
    |   ^^^
  hint: remove one of the two, or rename it
error: agentbox.yaml:8:3: task "db" has the name of service "db", at line 5, column 3
  8 |   db: {command: f}
    |   ^^
  hint: rename one of them: services and tasks share their names
error: agentbox.yaml:9:3: the name of task "setup-x" is reserved
  9 |   setup-x: {command: g}
    |   ^^^^^^^
  hint: choose one that does not start with setup-: that is for setup scripts
error: agentbox.yaml:10:3: a key of tasks is null where text is wanted
  10 |   ~: {command: h}
     |   ^
"#);
}

#[test]
fn service_keys_do_not_belong_on_tasks() {
    insta::assert_snapshot!(errors(r#"
tasks:
  install:
    command: a
    restart: always
    autostart: false
    backoff: {}
    ready_when: {port: 1}
    expose: {port: 1}
    stop_signal: INT
    stop_timeout_ms: 1
    image: {name: x}
    ide: {}
services:
  web:
    command: a
    run_once: true
    readyWhen: {port: 1}
    colour: red
"#), @r#"
error: agentbox.yaml:4:5: restart belongs on services, not on task "install"
  4 |     restart: always
    |     ^^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:5:5: autostart belongs on services, not on task "install"
  5 |     autostart: false
    |     ^^^^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:6:5: backoff belongs on services, not on task "install"
  6 |     backoff: {}
    |     ^^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:7:5: ready_when belongs on services, not on task "install"
  7 |     ready_when: {port: 1}
    |     ^^^^^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:8:5: expose belongs on services, not on task "install"
  8 |     expose: {port: 1}
    |     ^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:9:5: stop_signal belongs on services, not on task "install"
  9 |     stop_signal: INT
    |     ^^^^^^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:10:5: stop_timeout_ms belongs on services, not on task "install"
  10 |     stop_timeout_ms: 1
     |     ^^^^^^^^^^^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:11:5: image belongs on services, not on task "install"
  11 |     image: {name: x}
     |     ^^^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:12:5: ide belongs on services, not on task "install"
  12 |     ide: {}
     |     ^^^
  hint: remove it, or move "install" to services
error: agentbox.yaml:16:5: run_once belongs on tasks, not on service "web"
  16 |     run_once: true
     |     ^^^^^^^^
  hint: remove it, or move "web" to tasks
error: agentbox.yaml:17:5: unknown key "readyWhen" in service "web"
  17 |     readyWhen: {port: 1}
     |     ^^^^^^^^^
  hint: did you mean "ready_when"?
error: agentbox.yaml:18:5: unknown key "colour" in service "web"
  18 |     colour: red
     |     ^^^^^^
  hint: the keys here are command, image, cwd, env, env_file, user, needs, autostart, restart, backoff, ready_when, stop_signal, stop_timeout_ms, expose, ide
"#);
}

#[test]
fn numbers_and_booleans_have_one_form() {
    insta::assert_snapshot!(errors(r#"
services:
  web:
    command: a
    autostart: yes
    stop_timeout_ms: 1_000
    backoff: {initial_ms: 0644, factor: .nan}
    ready_when: {port: 8080.7, timeout_ms: "500", on_timeout: mark-unhealthy}
    expose: {port: 70000, as: 8080}
"#), @r#"
error: agentbox.yaml:4:16: autostart in service "web" must be true or false, not yes
  4 |     autostart: yes
    |                ^^^
  hint: write true
error: agentbox.yaml:5:22: stop_timeout_ms in service "web" must be a whole number from 0 to 2147483647, not 1_000
  5 |     stop_timeout_ms: 1_000
    |                      ^^^^^
  hint: write 1000
error: agentbox.yaml:6:27: initial_ms in backoff of service "web" must be a whole number from 1 to 2147483647, not 0644
  6 |     backoff: {initial_ms: 0644, factor: .nan}
    |                           ^^^^
  hint: write 644, or 0o644 for an octal number
error: agentbox.yaml:6:41: factor in backoff of service "web" must be a number from 1 to 1000, not .nan
  6 |     backoff: {initial_ms: 0644, factor: .nan}
    |                                         ^^^^
error: agentbox.yaml:7:24: port in ready_when of service "web" must be a whole number from 1 to 65535, not 8080.7
  7 |     ready_when: {port: 8080.7, timeout_ms: "500", on_timeout: mark-unhealthy}
    |                        ^^^^^^
  hint: write 8080
error: agentbox.yaml:7:44: timeout_ms in ready_when of service "web" must be a whole number from 1 to 2147483647, not the text "500"
  7 |     ready_when: {port: 8080.7, timeout_ms: "500", on_timeout: mark-unhealthy}
    |                                            ^^^^^
  hint: write 500 without quotes
error: agentbox.yaml:7:63: on_timeout in ready_when of service "web" must be kill or mark_unhealthy, not mark-unhealthy
  7 |     ready_when: {port: 8080.7, timeout_ms: "500", on_timeout: mark-unhealthy}
    |                                                               ^^^^^^^^^^^^^^
  hint: did you mean "mark_unhealthy"?
error: agentbox.yaml:8:20: port in expose of service "web" must be a whole number from 1 to 65535, not 70000
  8 |     expose: {port: 70000, as: 8080}
    |                    ^^^^^
error: agentbox.yaml:8:31: as in expose of service "web" can only be 80
  8 |     expose: {port: 70000, as: 8080}
    |                               ^^^^
  hint: remove it: 80 is the default
"#);
}

#[test]
fn null_is_not_text() {
    insta::assert_snapshot!(errors(r#"
services:
  web:
    command:
    cwd: ~
    env: {A: null, B: ""}
    needs: [~]
  db:
"#), @r#"
error: agentbox.yaml:3:12: command in service "web" is null where text is wanted
  3 |     command:
    |            ^
  hint: give it a value, or remove it
error: agentbox.yaml:4:10: cwd in service "web" is null where text is wanted
  4 |     cwd: ~
    |          ^
  hint: give it a value, or remove it
error: agentbox.yaml:5:14: "A" in env of service "web" is null where text is wanted
  5 |     env: {A: null, B: ""}
    |              ^^^^
  hint: write "" for empty text
error: agentbox.yaml:6:13: an entry of needs in service "web" is null where text is wanted
  6 |     needs: [~]
    |             ^
  hint: give it a value, or remove it
error: agentbox.yaml:7:3: service "db" has no command
  7 |   db:
    |   ^^
  hint: add command, or image
"#);
}

#[test]
fn probes_have_one_check_and_what_goes_with_it() {
    insta::assert_snapshot!(errors(r#"
services:
  a: {command: x, ready_when: {port: 1, http: "http://x/"}}
  b: {command: x, ready_when: {log_match: "(", interval_ms: 5, initial_delay_ms: 5}}
  c: {command: x, ready_when: {http: "localhost:3000", host: x}}
  d: {command: x, ready_when: {port: 1, expect_status: 200, host: "x:80"}}
  e: {command: x, ready_when: {timeout_ms: 5}}
"#), @r#"
error: agentbox.yaml:2:41: http beside port in ready_when of service "a"
  2 |   a: {command: x, ready_when: {port: 1, http: "http://x/"}}
    |                                         ^^^^
  hint: keep exactly one of port, http and log_match
error: agentbox.yaml:3:43: log_match in ready_when of service "b" is not a regular expression: unclosed group
  3 |   b: {command: x, ready_when: {log_match: "(", interval_ms: 5, initial_delay_ms: 5}}
    |                                           ^^^
error: agentbox.yaml:3:48: interval_ms has no effect with log_match in ready_when of service "b"
  3 |   b: {command: x, ready_when: {log_match: "(", interval_ms: 5, initial_delay_ms: 5}}
    |                                                ^^^^^^^^^^^
  hint: remove it; it goes with port and http
error: agentbox.yaml:3:64: initial_delay_ms has no effect with log_match in ready_when of service "b"
  3 |   b: {command: x, ready_when: {log_match: "(", interval_ms: 5, initial_delay_ms: 5}}
    |                                                                ^^^^^^^^^^^^^^^^
  hint: remove it; it goes with port and http
error: agentbox.yaml:4:38: http in ready_when of service "c" is not a URL that can be probed: it has to start with http:// or https://
  4 |   c: {command: x, ready_when: {http: "localhost:3000", host: x}}
    |                                      ^^^^^^^^^^^^^^^^
  hint: write it like http://127.0.0.1:3000/health
error: agentbox.yaml:4:56: host has no effect with http in ready_when of service "c"
  4 |   c: {command: x, ready_when: {http: "localhost:3000", host: x}}
    |                                                        ^^^^
  hint: remove it; it goes with port
error: agentbox.yaml:5:41: expect_status has no effect with port in ready_when of service "d"
  5 |   d: {command: x, ready_when: {port: 1, expect_status: 200, host: "x:80"}}
    |                                         ^^^^^^^^^^^^^
  hint: remove it; it goes with http
error: agentbox.yaml:5:67: host in ready_when of service "d" is not a name or an address: "x:80"
  5 |   d: {command: x, ready_when: {port: 1, expect_status: 200, host: "x:80"}}
    |                                                                   ^^^^^^
  hint: write a host alone, such as localhost, 127.0.0.1 or "::1"
error: agentbox.yaml:6:31: ready_when of service "e" says nothing to check
  6 |   e: {command: x, ready_when: {timeout_ms: 5}}
    |                               ^^^^^^^^^^^^^^^
  hint: add port, http or log_match
"#);
}

#[test]
fn one_service_is_exposed() {
    insta::assert_snapshot!(errors(r#"
services:
  web: {command: a, expose: {port: 3000}}
  admin: {command: a, expose: {port: 3001}}
"#), @r#"
error: agentbox.yaml:3:23: service "admin" has expose, and so has service "web"
  3 |   admin: {command: a, expose: {port: 3001}}
    |                       ^^^^^^
  hint: a box has one web service: keep one expose
"#);
}

#[test]
fn delays_do_not_shrink() {
    insta::assert_snapshot!(errors(r#"
services:
  a: {command: x, backoff: {initial_ms: 50000}}
  b: {command: x, backoff: {initial_ms: 600, max_ms: 500}}
  c: {command: x, backoff: {max_ms: 400}}
  d: {command: x, backoff: {initial_ms: yes, max_ms: 400}}
"#), @r#"
error: agentbox.yaml:3:54: max_ms in backoff of service "b" is below initial_ms, 600
  3 |   b: {command: x, backoff: {initial_ms: 600, max_ms: 500}}
    |                                                      ^^^
  hint: write 600 or more, or lower initial_ms
error: agentbox.yaml:4:37: max_ms in backoff of service "c" is below initial_ms, 500 (the default)
  4 |   c: {command: x, backoff: {max_ms: 400}}
    |                                     ^^^
  hint: write 500 or more, or lower initial_ms
error: agentbox.yaml:5:41: initial_ms in backoff of service "d" must be a whole number from 1 to 2147483647, not yes
  5 |   d: {command: x, backoff: {initial_ms: yes, max_ms: 400}}
    |                                         ^^^
  hint: write a whole number in digits
"#);
}

#[test]
fn what_is_run() {
    insta::assert_snapshot!(errors(r#"
services:
  a: {command: ""}
  b: {command: []}
  c: {command: ["", x]}
  d: {command: x, image: {name: y}}
  e: {image: postgres}
  f: {image: {ports: 5432}}
  g: {}
  h: {command: {npm: start}}
  i: {command: x, user: "a:b", stop_signal: SIGTREM, env_file: ../secret, env: {"A=B": x}}
tasks:
  j: {command: x, run_once: {check: y, inputs: [z]}}
  k: {command: x, run_once: {}}
"#), @r#"
error: agentbox.yaml:2:16: command in service "a" is empty
  2 |   a: {command: ""}
    |                ^^
error: agentbox.yaml:3:16: command in service "b" is an empty list
  3 |   b: {command: []}
    |                ^^
error: agentbox.yaml:4:17: the program of command in service "c" is empty
  4 |   c: {command: ["", x]}
    |                 ^^
error: agentbox.yaml:5:19: image beside command in service "d"
  5 |   d: {command: x, image: {name: y}}
    |                   ^^^^^
  hint: keep exactly one of command and image
error: agentbox.yaml:6:14: image of service "e" must be a mapping, not postgres
  6 |   e: {image: postgres}
    |              ^^^^^^^^
  hint: write {name: postgres}
error: agentbox.yaml:7:14: image of service "f" has no name
  7 |   f: {image: {ports: 5432}}
    |              ^^^^^^^^^^^^^
  hint: add name: with an image reference
error: agentbox.yaml:7:22: ports in image of service "f" must be a list, not 5432
  7 |   f: {image: {ports: 5432}}
    |                      ^^^^
  hint: write [5432]
error: agentbox.yaml:8:3: service "g" has no command
  8 |   g: {}
    |   ^
  hint: add command, or image
error: agentbox.yaml:9:16: command in service "h" must be text or a list of arguments, not a mapping
  9 |   h: {command: {npm: start}}
    |                ^^^^^^^^^^^^
  hint: text with ": " or " #" in it needs quotes, or a block: command: |
error: agentbox.yaml:10:25: user in service "i" is not a user: "a:b"
  10 |   i: {command: x, user: "a:b", stop_signal: SIGTREM, env_file: ../secret, env: {"A=B": x}}
     |                         ^^^^^
  hint: write one name or uid, without a group
error: agentbox.yaml:10:45: stop_signal in service "i" is not a signal: SIGTREM
  10 |   i: {command: x, user: "a:b", stop_signal: SIGTREM, env_file: ../secret, env: {"A=B": x}}
     |                                             ^^^^^^^
  hint: did you mean "SIGTERM"?
error: agentbox.yaml:10:64: env_file in service "i" leads out of the workspace: ../secret
  10 |   i: {command: x, user: "a:b", stop_signal: SIGTREM, env_file: ../secret, env: {"A=B": x}}
     |                                                                ^^^^^^^^^
  hint: give a path under /workspace
error: agentbox.yaml:10:81: "A=B" in env of service "i" is not a variable's name
  10 |   i: {command: x, user: "a:b", stop_signal: SIGTREM, env_file: ../secret, env: {"A=B": x}}
     |                                                                                 ^^^^^
  hint: a name is not empty and has no = in it
error: agentbox.yaml:12:40: inputs has no effect with check in run_once of task "j"
  12 |   j: {command: x, run_once: {check: y, inputs: [z]}}
     |                                        ^^^^^^
  hint: keep check alone, or inputs and creates
error: agentbox.yaml:13:29: run_once of task "k" says nothing
  13 |   k: {command: x, run_once: {}}
     |                             ^^
  hint: add inputs, creates or check, or write run_once: true
"#);
}

#[test]
fn merge_keys_and_tags() {
    insta::assert_snapshot!(errors(r#"
x-base: &base
  restart: sometimes
services:
  a: {<<: *base, command: x}
  b: {<<: [*base, 3], command: !shell x}
"#), @r#"
error: agentbox.yaml:2:12: restart in service "a" must be always, on-failure, never or no, not sometimes
  2 |   restart: sometimes
    |            ^^^^^^^^^
error: agentbox.yaml:2:12: restart in service "b" must be always, on-failure, never or no, not sometimes
  2 |   restart: sometimes
    |            ^^^^^^^^^
error: agentbox.yaml:5:19: a merge key takes a mapping, or a list of mappings
  5 |   b: {<<: [*base, 3], command: !shell x}
    |                   ^
  hint: write <<: *name, with &name at the mapping that is to be merged
error: agentbox.yaml:5:32: the tag "!shell" has no meaning here
  5 |   b: {<<: [*base, 3], command: !shell x}
    |                                ^
  hint: remove it
"#);
}

#[test]
fn duplicates_with_both_places() {
    insta::assert_snapshot!(errors(r#"
services:
  web:
    command: a
    command: b
x-a: {k: 1, k: 2}
services: {}
"#), @r#"
error: agentbox.yaml:4:5: duplicate key "command", first given at line 3, column 5
  4 |     command: b
    |     ^^^^^^^
  hint: remove one of the two, or rename it
error: agentbox.yaml:5:13: duplicate key "k", first given at line 5, column 7
  5 | x-a: {k: 1, k: 2}
    |             ^
  hint: remove one of the two, or rename it
error: agentbox.yaml:6:1: duplicate key "services", first given at line 1, column 1
  6 | services: {}
    | ^^^^^^^^
  hint: remove one of the two, or rename it
"#);
}

#[test]
fn syntax_errors_have_a_place() {
    let sources = [
        "services:\n\tweb: 1\n",
        "services: {web: {command: x\nb: y\n",
        "services:\n  web:\n    command: 'x\n",
        "services:\n  web:\n    command: echo a: b\n",
        "services: {web: *nope}\n",
        "services: &a\n  <<: *a\n",
        "services: {}\n---\ntasks: {}\n",
        "services:\n  web:\n    command: a\n   cwd: b\n",
        "services:\n  web: \u{7}\n",
    ];
    let all: String = sources.into_iter().map(errors).collect();
    insta::assert_snapshot!(all, @r#"
error: agentbox.yaml:2:2: not valid YAML: tabs disallowed within this context (block indentation)
  2 |  web: 1
    |  ^
  hint: indent with spaces
error: agentbox.yaml:2:2: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'
  2 | b: y
    |  ^
  hint: close the bracket, or put a comma before this
error: agentbox.yaml:3:14: not valid YAML: while scanning a quoted scalar, found unexpected end of stream
  3 |     command: 'x
    |              ^
  hint: close the quotes
error: agentbox.yaml:3:20: not valid YAML: mapping values are not allowed in this context
  3 |     command: echo a: b
    |                    ^
  hint: text with ": " in it needs quotes, or a block: command: |
error: agentbox.yaml:1:17: not valid YAML: while parsing node, found unknown anchor
  1 | services: {web: *nope}
    |                 ^
  hint: an alias *name needs an &name before it; text that starts with * needs quotes
error: agentbox.yaml:2:7: this alias stands for something that contains it
  2 |   <<: *a
    |       ^^
error: agentbox.yaml:2:1: a second document starts here
  2 | ---
    | ^^^
  hint: keep one document in the file: remove this "---" or what comes after it
error: agentbox.yaml:4:4: not valid YAML: while parsing a block mapping, did not find expected key
  4 |    cwd: b
    |    ^
  hint: indent it like the lines above it
error: agentbox.yaml:2:8: control character \x07 in the file
  2 |   web: �
    |        ^
  hint: remove it; in text between double quotes it can be written as \x07
"#);
}

#[test]
fn entries_of_carry_that_cannot_be() {
    insta::assert_snapshot!(errors(r#"
carry:
  - npmrc
  - ~root/.npmrc
  - /etc/hosts
  - ./a=b
  - ./a=/workspace/.git/config
  - [a]
  - {dest: /x}
  - src: ./a/../../b
    dest: /dev/shm/b
  - src: /proc/self/environ
    dest: /environ
  - src: ~/
  - {src: ./agentbox.yaml}
  - {src: ./x, dest: /workspace}
  - {src: ./x, dest: /usr//local/bin/./agentbox-ctl}
  - {src: ./m1, mode: 0600}
  - {src: ./m2, mode: 600}
  - {src: ./m3, mode: "0o600"}
  - {src: ./m4, mode: "1777"}
  - {src: ./u, user: "a:b"}
  - {src: ./e, exclude: ["[", /top, ../a]}
  - {src: ./o, optional: yes, secret: 1}
  - {src: ./k, destination: /k}
  - {src: ~/twice}
  - ./other=~/twice/
"#), @r#"
error: agentbox.yaml:2:5: src must start with /, ~/ or ./: "npmrc"
  2 |   - npmrc
    |     ^^^^^
  hint: write "./npmrc"
error: agentbox.yaml:3:5: src must start with /, ~/ or ./: "~root/.npmrc"
  3 |   - ~root/.npmrc
    |     ^^^^^^^^^^^^
  hint: write "./~root/.npmrc"
error: agentbox.yaml:4:5: "/etc/hosts" needs a dest
  4 |   - /etc/hosts
    |     ^^^^^^^^^^
  hint: say where it goes in the box: /… or ~/…
error: agentbox.yaml:5:5: dest must start with / or ~/: "b"
  5 |   - ./a=b
    |     ^^^^^
  hint: write "/workspace/b"
error: agentbox.yaml:6:5: "/workspace/.git/config" lies in /workspace/.git, which is not for carry
  6 |   - ./a=/workspace/.git/config
    |     ^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: choose another path
error: agentbox.yaml:7:5: an entry of carry must be text or a mapping, not a list
  7 |   - [a]
    |     ^^^
error: agentbox.yaml:8:5: an entry of carry has no src
  8 |   - {dest: /x}
    |     ^^^^^^^^^^
error: agentbox.yaml:9:10: .. in src: "./a/../../b"
  9 |   - src: ./a/../../b
    |          ^^^^^^^^^^^
  hint: write the path without it
error: agentbox.yaml:10:11: "/dev/shm/b" lies in /dev, which is not for carry
  10 |     dest: /dev/shm/b
     |           ^^^^^^^^^^
  hint: choose another path
error: agentbox.yaml:11:10: "/proc/self/environ" lies in /proc, which is not for carry
  11 |   - src: /proc/self/environ
     |          ^^^^^^^^^^^^^^^^^^
  hint: choose another path
error: agentbox.yaml:13:10: src names no file or directory: "~/"
  13 |   - src: ~/
     |          ^^
  hint: name one below it
error: agentbox.yaml:14:11: "/workspace/agentbox.yaml" lies in /workspace/agentbox.yaml, which is not for carry
  14 |   - {src: ./agentbox.yaml}
     |           ^^^^^^^^^^^^^^^
  hint: choose another path
error: agentbox.yaml:15:22: "/workspace" is the project's own place
  15 |   - {src: ./x, dest: /workspace}
     |                      ^^^^^^^^^^
error: agentbox.yaml:16:22: "/usr/local/bin/agentbox-ctl" lies in /usr/local/bin/agentbox-ctl, which is not for carry
  16 |   - {src: ./x, dest: /usr//local/bin/./agentbox-ctl}
     |                      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: choose another path
error: agentbox.yaml:17:23: mode in an entry of carry must be "0000" to "0777", octal and in quotes, not 0600
  17 |   - {src: ./m1, mode: 0600}
     |                       ^^^^
  hint: write "0600"
error: agentbox.yaml:18:23: mode in an entry of carry must be "0000" to "0777", octal and in quotes, not 600
  18 |   - {src: ./m2, mode: 600}
     |                       ^^^
  hint: write "0600"
error: agentbox.yaml:19:23: mode in an entry of carry must be "0000" to "0777", octal and in quotes, not the text "0o600"
  19 |   - {src: ./m3, mode: "0o600"}
     |                       ^^^^^^^
  hint: write "0600"
error: agentbox.yaml:20:23: mode in an entry of carry must be "0000" to "0777", octal and in quotes, not the text "1777"
  20 |   - {src: ./m4, mode: "1777"}
     |                       ^^^^^^
  hint: write "0600"
error: agentbox.yaml:21:22: user in an entry of carry is not a user: "a:b"
  21 |   - {src: ./u, user: "a:b"}
     |                      ^^^^^
  hint: write one name or uid, without a group
error: agentbox.yaml:22:25: "../a" in exclude of an entry of carry matches nothing
  22 |   - {src: ./e, exclude: ["[", /top, ../a]}
     |                         ^^^^^^^^^^^^^^^^^
  hint: write it as seen from the directory at src
error: agentbox.yaml:22:25: "/top" in exclude of an entry of carry matches nothing
  22 |   - {src: ./e, exclude: ["[", /top, ../a]}
     |                         ^^^^^^^^^^^^^^^^^
  hint: write it as seen from the directory at src
error: agentbox.yaml:22:25: "[" in exclude in an entry of carry is not a glob: invalid range pattern
  22 |   - {src: ./e, exclude: ["[", /top, ../a]}
     |                         ^^^^^^^^^^^^^^^^^
error: agentbox.yaml:23:26: optional in an entry of carry must be true or false, not yes
  23 |   - {src: ./o, optional: yes, secret: 1}
     |                          ^^^
  hint: write true
error: agentbox.yaml:23:39: secret in an entry of carry must be true or false, not 1
  23 |   - {src: ./o, optional: yes, secret: 1}
     |                                       ^
  hint: write true
error: agentbox.yaml:24:16: unknown key "destination" in an entry of carry
  24 |   - {src: ./k, destination: /k}
     |                ^^^^^^^^^^^
  hint: the keys here are src, dest, mode, user, exclude, optional, secret
error: agentbox.yaml:26:5: "~/twice" is the dest of another entry
  26 |   - ./other=~/twice/
     |     ^^^^^^^^^^^^^^^^
  hint: remove one of the two, or give it another dest
"#);
}
