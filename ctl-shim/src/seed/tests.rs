//! The receiving end, with streams as hosts write them.

use super::*;

fn seeded(records: &[(Record, &[u8])], end: bool) -> (tempfile::TempDir, Result<History, Failure>) {
    let mut stream = Vec::new();
    let mut encoder = Encoder::new(&mut stream).unwrap();
    for (record, content) in records {
        encoder.record(record).unwrap();
        if matches!(record, Record::File { .. } | Record::Pack { .. }) {
            encoder.content(*content).unwrap();
        }
    }
    if end {
        encoder.record(&Record::End).unwrap();
    }
    let workspace = tempfile::tempdir().unwrap();
    fs::write(workspace.path().join("there"), "of the image").unwrap();
    symlink("/nonexistent", workspace.path().join("dangling")).unwrap();
    let list = workspace.path().join("list");
    let result = receive(&mut stream.as_slice(), workspace.path(), &list, &mut io::sink());
    (workspace, result)
}

fn file(path: &str, mode: u32) -> Record {
    Record::File {
        path: path.as_bytes().to_vec(),
        mode,
        modified: Modified {
            seconds: 1_700_000_000,
            nanoseconds: 5,
        },
    }
}

fn directory(path: &str, mode: u32) -> Record {
    Record::Directory {
        path: path.as_bytes().to_vec(),
        mode,
    }
}

#[test]
fn modes_times_and_what_was_there() {
    let link = Record::Link {
        path: b"dangling".to_vec(),
        target: b"elsewhere".to_vec(),
    };
    let records: [(Record, &[u8]); 5] = [
        (directory("closed", 0o555), b""),
        (file("closed/script", 0o6755), b"#!"),
        (file("there", 0o400), b"new"),
        (link, b""),
        (directory("dangling2", 0o755), b""),
    ];
    let (workspace, result) = seeded(&records, true);
    assert_eq!(result, Ok(History::Whole));
    let metadata = |path: &str| fs::symlink_metadata(workspace.path().join(path)).unwrap();
    assert_eq!(metadata("closed").permissions().mode() & 0o7777, 0o555);
    assert_eq!(metadata("closed/script").permissions().mode() & 0o7777, 0o755);
    assert_eq!(metadata("there").permissions().mode() & 0o7777, 0o400);
    let modified = metadata("there").modified().unwrap();
    assert_eq!(
        modified.duration_since(UNIX_EPOCH).unwrap(),
        Duration::new(1_700_000_000, 5)
    );
    assert_eq!(fs::read(workspace.path().join("there")).unwrap(), b"new");
    assert_eq!(
        fs::read_link(workspace.path().join("dangling")).unwrap(),
        Path::new("elsewhere")
    );
    fs::set_permissions(workspace.path().join("closed"), Permissions::from_mode(0o755)).unwrap();
}

/// What lies below a directory: names with a slash behind directories, content of files.
fn tree(directory: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_symlink() {
            found.push(format!("{name}@"));
        } else if path.is_dir() {
            found.extend(tree(&path).iter().map(|inner| format!("{name}/{inner}")));
            found.push(format!("{name}/"));
        } else {
            found.push(format!("{name}={}", fs::read_to_string(&path).unwrap()));
        }
    }
    found.sort();
    found
}

fn offer(path: &str, size: u64) -> Record {
    let Record::File { path, mode, modified } = file(path, 0o644) else {
        unreachable!("it is a file");
    };
    Record::Offer {
        path,
        mode,
        modified,
        size,
    }
}

#[test]
fn a_warm_tree_becomes_what_the_host_lists() {
    let root = tempfile::tempdir().unwrap();
    let (workspace, list) = (root.path().join("w"), root.path().join("list"));
    let outside = root.path().join("outside");
    for directory in [&workspace, &outside] {
        fs::create_dir(directory).unwrap();
    }
    fs::write(outside.join("x"), "precious").unwrap();
    let send = |records: &[(Record, &[u8])]| {
        let mut stream = Vec::new();
        let mut encoder = Encoder::new(&mut stream).unwrap();
        for (record, content) in records {
            encoder.record(record).unwrap();
            if matches!(record, Record::File { .. } | Record::Ask { .. }) {
                encoder.content(*content).unwrap();
            }
        }
        encoder.record(&Record::End).unwrap();
        let mut answers = Vec::new();
        receive(&mut stream.as_slice(), &workspace, &list, &mut answers).unwrap();
        String::from_utf8(answers).unwrap()
    };
    let first: [(Record, &[u8]); 9] = [
        (directory("a", 0o755), b""),
        (file("a/same", 0o644), b"1"),
        (file("a/gone", 0o644), b"1"),
        (directory("b", 0o755), b""),
        (file("b/x", 0o644), b"1"),
        (directory("c", 0o755), b""),
        (file("c/x", 0o644), b"1"),
        (file("turns", 0o644), b"1"),
        (file("edited", 0o644), b"1"),
    ];
    assert_eq!(send(&first), "");
    // As an image keeps it: whole seconds.
    let whole = FileTimes::new().set_modified(UNIX_EPOCH + Duration::from_secs(1_700_000_000));
    File::options()
        .write(true)
        .open(workspace.join("a/same"))
        .unwrap()
        .set_times(whole)
        .unwrap();
    fs::write(workspace.join("a/own"), "own").unwrap();
    fs::write(workspace.join("edited"), "2").unwrap();
    fs::remove_dir_all(workspace.join("c")).unwrap();
    symlink(&outside, workspace.join("c")).unwrap();
    fs::create_dir_all(workspace.join(".git/objects/info")).unwrap();
    fs::create_dir_all(workspace.join(".git/hooks")).unwrap();
    fs::write(workspace.join(".git/index.lock"), "").unwrap();
    let ask = Record::Ask {
        path: b".git".to_vec(),
    };
    let second: [(Record, &[u8]); 10] = [
        (Record::Warm, b""),
        (ask, b""),
        (directory("a", 0o755), b""),
        (offer("a/same", 1), b""),
        (offer("edited", 1), b""),
        (directory("turns", 0o755), b""),
        (offer("turns/inner", 1), b""),
        (Record::Asked, b""),
        (file("edited", 0o644), b"1"),
        (file("turns/inner", 0o644), b"1"),
    ];
    let answers = send(&second);
    assert_eq!(
        answers,
        "agentbox-ctl seed: needs 0 1 1 2\nagentbox-ctl seed: asked\n"
    );
    let expected = [
        ".git/",
        "a/",
        "a/own=own",
        "a/same=1",
        "edited=1",
        "turns/",
        "turns/inner=1",
    ];
    assert_eq!(tree(&workspace), expected);
    assert_eq!(tree(&outside), ["x=precious"]);
}

#[test]
fn a_stream_that_is_cut_is_a_failure() {
    let (_workspace, result) = seeded(&[(file("a", 0o644), b"x")], false);
    assert_eq!(result.unwrap_err().message, "the project did not arrive whole");
}

#[test]
fn objects_that_are_none_are_a_failure() {
    let records: [(Record, &[u8]); 2] = [
        (directory(".git", 0o755), b""),
        (
            Record::Pack {
                path: b".git".to_vec(),
            },
            b"PACK nonsense",
        ),
    ];
    let (_workspace, result) = seeded(&records, true);
    let failure = result.unwrap_err();
    assert!(
        failure.message.starts_with("git cannot store the history in "),
        "{failure:?}"
    );
}

#[test]
fn a_file_that_may_have_changed_since_it_was_sent_comes_again() {
    let root = tempfile::tempdir().unwrap();
    let (workspace, list) = (root.path().join("w"), root.path().join("list"));
    fs::create_dir(&workspace).unwrap();
    let names = ["same", "linked", "other"];
    for name in names {
        fs::write(workspace.join(name), "1").unwrap();
    }
    fs::hard_link(workspace.join("linked"), root.path().join("further")).unwrap();
    let sent = UNIX_EPOCH + Duration::from_secs(1_700_000_000);
    let set = |path: PathBuf, time| {
        let file = File::options().write(true).open(path).unwrap();
        file.set_times(FileTimes::new().set_modified(time)).unwrap();
    };
    for name in names {
        set(workspace.join(name), sent);
        fs::set_permissions(workspace.join(name), Permissions::from_mode(0o644)).unwrap();
    }
    let asked = |listed_at| {
        let mut encoder = Encoder::new(File::create(&list).unwrap()).unwrap();
        for name in names {
            encoder.record(&file(name, 0o644)).unwrap();
        }
        set(list.clone(), listed_at);
        let mut warm = Warm::new(&workspace, &list);
        for name in names {
            let Record::File { path, mode, modified } = file(name, 0o644) else {
                unreachable!("it is a file");
            };
            warm.offer(path, mode, modified, 1);
        }
        warm.answers().answers(names.len()).unwrap().collect::<Vec<_>>()
    };
    let second = Duration::from_secs(1);
    assert_eq!(asked(sent + second), [false, true, false]);
    // In the same second as the last of the project came, a change leaves no other time.
    assert_eq!(asked(sent), [true; 3]);
}
