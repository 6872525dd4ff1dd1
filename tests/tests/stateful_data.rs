//! Databases whose data outlives a box's stop, and seeds that ask the data itself whether there is any.

use std::time::Duration;

use agentbox_tests::{Project, TestBox, images, wait_until};

/// The seed of the guide: a marker would say that it has run here, and not whether the data is there.
const SEED: &str = "
  seed:
    command: |
      set -e
      query() { psql -h 127.0.0.1 -U postgres -v ON_ERROR_STOP=1 -tAc \"$1\"; }
      if query 'SELECT EXISTS (SELECT 1 FROM users LIMIT 1)' 2>/dev/null | grep -q t; then
        echo data present, skip
        exit 0
      fi
      query 'CREATE TABLE users (name text)'
      query \"INSERT INTO users VALUES ('seeded')\"
      echo seeded
    needs: [db]
";

/// PostgreSQL as a program of the box, its data in a volume.
const IN_A_VOLUME: &str = "tasks:
  database:
    command: |
      sudo install -d -o postgres -g postgres -m 700 /data/postgres
      sudo -u postgres sh -c 'test -s /data/postgres/PG_VERSION || /usr/lib/postgresql/*/bin/initdb -D /data/postgres --auth trust'
SEEDservices:
  db:
    command: exec /usr/lib/postgresql/*/bin/postgres -D /data/postgres -k /tmp
    user: postgres
    needs: [database]
    stop_signal: SIGINT
    ready_when: {log_match: ready to accept connections}
";

/// PostgreSQL as a container in the box, its data in a volume of that engine. The image is made of the box's own files,
/// since no registry is needed for these tests.
const IN_A_CONTAINER: &str = "tasks:
  image:
    command: |
      docker image inspect database:1 >/dev/null 2>&1 && exit 0
      sudo tar -C / -c --exclude='*/python3*' --exclude='*/nodejs*' --exclude='*/git-core' --exclude='usr/bin/docker*' \\
        --exclude='usr/bin/containerd*' --exclude='*/libLLVM*' bin lib lib64 usr/bin usr/lib usr/lib64 usr/share/postgresql usr/share/zoneinfo \\
        etc/passwd etc/group etc/ld.so.cache |
        docker import --change 'ENV PATH=/usr/bin:/bin' --change 'VOLUME /data' - database:1
SEEDservices:
  db:
    image:
      name: database:1
      ports: ['5432']
      args:
        - sh
        - -c
        - |
          install -d -o postgres -g postgres -m 700 /data/postgres /tmp /dev/shm
          exec setpriv --reuid postgres --regid postgres --clear-groups sh -c '
            if ! test -s /data/postgres/PG_VERSION; then
              /usr/lib/postgresql/*/bin/initdb -D /data/postgres --locale C --auth trust
              echo host all all all trust >> /data/postgres/pg_hba.conf
            fi
            exec /usr/lib/postgresql/*/bin/postgres -D /data/postgres -k /tmp -c listen_addresses=*'
    needs: [image]
    stop_signal: SIGINT
    ready_when: {port: 5432}
";

fn project(yaml: &str) -> Project {
    Project::new(&yaml.replace("SEED", SEED.trim_start_matches('\n')))
}

fn users(test_box: &TestBox<'_>) -> String {
    let script = "psql -h 127.0.0.1 -U postgres -tAc 'SELECT name FROM users ORDER BY name'";
    test_box.exec(script).ok().stdout.replace('\n', " ")
}

/// The seed runs once in the life of the data, whatever becomes of the box meanwhile.
fn seeds_once(test_box: &TestBox<'_>) {
    let seed = || test_box.run("logs", &["seed", "-n", "1"]).ok().stdout;
    let ready = || drop(test_box.run("wait", &["--timeout", "110s"]).ok());
    ready();
    assert_eq!(seed(), "seeded\n");
    test_box
        .exec("psql -h 127.0.0.1 -U postgres -c \"INSERT INTO users VALUES ('later')\"")
        .ok();
    test_box.run("stop", &[]).ok();
    test_box.run("start", &[]).ok();
    ready();
    wait_until("the seed's line", Duration::from_secs(10), || {
        seed() == "data present, skip\n"
    });
    assert_eq!(users(test_box), "later seeded ");
    // A pause runs nothing again.
    let started = test_box.unit("seed")["startedAt"].clone();
    test_box.run("pause", &[]).ok();
    test_box.run("unpause", &[]).ok();
    assert_eq!(test_box.unit("seed")["startedAt"], started);
    assert_eq!(users(test_box), "later seeded ");
}

/// A box from a checkpoint has the files of the first one and an empty database.
fn reseeds_from_a_checkpoint(project: &Project, test_box: &TestBox<'_>, arguments: &[&str]) {
    test_box.exec("touch /workspace/marker").ok();
    let checkpoint = format!("{}-warm", test_box.name());
    project
        .run(&["checkpoint", "create", test_box.name(), "--name", &checkpoint])
        .ok();
    let name = format!("{}-again", test_box.name());
    let mut all = vec!["create", "-y", "-n", &name, "--from", &checkpoint];
    all.extend(arguments);
    project.run(&all).ok();
    let again = TestBox::new(project, &name);
    again.run("wait", &["--timeout", "110s"]).ok();
    again.exec("test -e /workspace/marker").ok();
    assert_eq!(again.run("logs", &["seed", "-n", "1"]).ok().stdout, "seeded\n");
    assert_eq!(users(&again), "seeded ");
    assert_eq!(users(test_box), "later seeded ", "the first box is as it was");
}

#[test]
fn a_database_in_a_named_volume_is_seeded_once() {
    let project = project(IN_A_VOLUME);
    let volume = ["--volume", "data:/data"];
    let test_box = project.create_from(&images::postgres(), &volume);
    seeds_once(&test_box);
    reseeds_from_a_checkpoint(&project, &test_box, &volume);
}

#[test]
fn a_database_in_a_container_is_seeded_once() {
    let project = project(IN_A_CONTAINER);
    let test_box = project.create_from(&images::postgres(), &["--docker"]);
    seeds_once(&test_box);
    // A changed definition is another container with the same volume.
    let container = || {
        test_box
            .exec("docker container inspect -f '{{.Id}}' db")
            .ok()
            .stdout
    };
    let before = container();
    test_box
        .exec("sed -i s/listen_addresses=./listen_addresses=0.0.0.0/ agentbox.yaml")
        .ok();
    test_box.run("reload", &[]).ok();
    test_box.run("wait", &[]).ok();
    assert_ne!(container(), before);
    assert_eq!(users(&test_box), "later seeded ");
    reseeds_from_a_checkpoint(&project, &test_box, &["--docker"]);
}
