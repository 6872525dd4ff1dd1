//! Archives as no honest engine sends them.

use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use proptest::prelude::*;
use tar::EntryType;

use super::{Entry, Host, archive, begun, directory, entry, file, linked};

#[test]
fn names_that_lead_elsewhere_are_refused() {
    let escapes: [&[u8]; 6] = [
        b"x/../outside/canary",
        b"x/../../outside/canary",
        b"/outside/canary",
        b"../outside/canary",
        b"other/canary",
        b"x/a/..",
    ];
    for name in escapes {
        let host = Host::new();
        host.refuses(&[directory("x"), file(name, "dead")], "leads elsewhere");
        // As the very first entry, too.
        host.refuses(&[file(name, "dead")], "leads elsewhere");
    }
    Host::new().refuses(&[file("..", "dead")], "leads elsewhere");
    // What begins at the root may go on there, and nothing else may.
    let host = Host::new();
    let (_, result) = host.unpack(&archive(&[directory("/"), file("/etc", "mine")]));
    result.unwrap();
    assert_eq!(
        fs::read_to_string(host.destination().join("x/etc")).unwrap(),
        "mine"
    );
    host.refuses(&[directory("/"), file("etc", "")], "leads elsewhere");
}

#[test]
fn links_of_the_archive_are_made_but_never_followed() {
    for target in ["../outside", "/tmp", "../../outside", "."] {
        let host = Host::new();
        let link = || linked(EntryType::Symlink, "x/link", target);
        host.refuses(
            &[directory("x"), link(), file("x/link/canary", "dead")],
            "links below the destination are not followed",
        );
        assert_eq!(
            fs::read_link(host.destination().join("x/link")).unwrap(),
            Path::new(target)
        );
        host.refuses(
            &[directory("x"), link(), directory("x/link")],
            "there is something else of that name",
        );
    }
    // A file in a link's place replaces the link.
    let host = Host::new();
    let canary = host.outside().join("canary");
    let entries = [
        directory("x"),
        linked(EntryType::Symlink, "x/link", canary.as_os_str().as_bytes()),
        file("x/link", "mine"),
    ];
    host.unpack(&archive(&entries)).1.unwrap();
    assert_eq!(
        fs::read_to_string(host.destination().join("x/link")).unwrap(),
        "mine"
    );
    // And so where the archive's root itself is a link.
    let host = Host::new();
    host.refuses(
        &[
            linked(EntryType::Symlink, "x", "../outside"),
            file("x/canary", "dead"),
        ],
        "not followed",
    );
}

#[test]
fn links_of_the_host_below_the_destination_are_not_followed() {
    let host = Host::new();
    fs::create_dir(host.destination().join("x")).unwrap();
    symlink(host.outside(), host.destination().join("x/out")).unwrap();
    symlink(host.outside().join("canary"), host.destination().join("x/one")).unwrap();
    host.refuses(&[directory("x"), file("x/out/canary", "dead")], "not followed");
    host.refuses(
        &[directory("x"), directory("x/out")],
        "something else of that name",
    );
    host.unpack(&archive(&[directory("x"), file("x/one", "mine")]))
        .1
        .unwrap();
    let one = host.destination().join("x/one");
    assert!(one.symlink_metadata().unwrap().is_file());
    assert_eq!(fs::read_to_string(one).unwrap(), "mine");
}

#[test]
fn a_hard_link_leads_only_to_what_the_copy_brought() {
    let host = Host::new();
    fs::create_dir(host.destination().join("x")).unwrap();
    fs::write(host.destination().join("x/secret"), "host's").unwrap();
    let absolute = host.outside().join("canary");
    for target in [
        "x/../../outside/canary".as_bytes(),
        b"../outside/canary",
        absolute.as_os_str().as_bytes(),
    ] {
        host.refuses(
            &[directory("x"), linked(EntryType::Link, "x/l", target)],
            "leads elsewhere",
        );
    }
    // A file of the host, the destination itself, what is not there, and a link of the archive's own.
    for target in ["x/secret", "x", "x/nothing"] {
        host.refuses(
            &[directory("x"), linked(EntryType::Link, "x/l", target)],
            "did not bring",
        );
    }
    let entries = [
        directory("x"),
        linked(EntryType::Symlink, "x/s", "../../outside"),
        linked(EntryType::Link, "x/l", "x/s/canary"),
    ];
    host.refuses(&entries, "did not bring");
    let entries = [
        directory("x"),
        linked(EntryType::Symlink, "x/s", "../../outside/canary"),
        linked(EntryType::Link, "x/l", "x/s"),
    ];
    host.refuses(&entries, "did not bring");
    // Twice, so that the second time there are links already.
    let entries = [
        directory("x"),
        file("x/a", "content"),
        linked(EntryType::Link, "x/b", "x/a"),
        linked(EntryType::Link, "x/b", "x/a"),
        linked(EntryType::Link, "x/a", "x/a"),
    ];
    for _ in 0..2 {
        host.unpack(&archive(&entries)).1.unwrap();
        let inode = |name: &str| fs::metadata(host.destination().join(name)).unwrap().ino();
        assert_eq!(inode("x/a"), inode("x/b"));
    }
}

#[test]
fn devices_and_pipes_are_left_out_and_told() {
    let host = Host::new();
    let entries = [
        directory("x"),
        entry(EntryType::Char, "x/null"),
        entry(EntryType::Block, "x/disk"),
        entry(EntryType::Fifo, "x/pi\x1b[2Jpe\n"),
        file("x/file", "content"),
    ];
    let (warnings, result) = host.unpack(&archive(&entries));
    result.unwrap();
    assert_eq!(
        warnings,
        [
            "left out x/null: not a file, directory or link",
            "left out x/disk: not a file, directory or link",
            r"left out x/pi\u{1b}[2Jpe\n: not a file, directory or link",
        ]
    );
    assert_eq!(fs::read_dir(host.destination().join("x")).unwrap().count(), 1);
    // Not even in great number do they make much noise.
    let many: Vec<_> = std::iter::once(directory("x"))
        .chain((0..1000).map(|number| entry(EntryType::Fifo, format!("x/{number}"))))
        .collect();
    assert!(host.unpack(&archive(&many)).0.len() < 50);
}

#[test]
fn modes_and_times_are_kept_but_for_the_rights_they_would_give() {
    let host = Host::new();
    let with = |mode, entry: Entry| Entry { mode, ..entry };
    let entries = [
        with(0o555, directory("x")),
        with(0o1777, directory("x/tmp")),
        with(0o6755, directory("x/set")),
        with(0o6755, file("x/set/user", "content")),
        with(0o400, file("x/read-only", "content")),
        with(0o000, file("x/closed", "")),
        linked(EntryType::Symlink, "x/link", "nowhere"),
    ];
    host.unpack(&archive(&entries)).1.unwrap();
    let modes: Vec<_> = ["x", "x/tmp", "x/set", "x/set/user", "x/read-only", "x/closed"]
        .map(|name| {
            let metadata = host.destination().join(name).symlink_metadata().unwrap();
            assert_eq!(metadata.mtime(), 1_500_000_000, "{name}");
            format!("{name} {:o}", metadata.mode() & 0o7777)
        })
        .into();
    assert_eq!(
        modes.join(", "),
        "x 555, x/tmp 1777, x/set 755, x/set/user 755, x/read-only 400, x/closed 0"
    );
    let link = host.destination().join("x/link").symlink_metadata().unwrap();
    assert_eq!(link.mtime(), 1_500_000_000);
    // A directory that is there already keeps its mode: it is the user's.
    fs::set_permissions(host.destination().join("x"), fs::Permissions::from_mode(0o700)).unwrap();
    host.unpack(&archive(&[with(0o777, directory("x"))])).1.unwrap();
    assert_eq!(
        fs::metadata(host.destination().join("x")).unwrap().mode() & 0o7777,
        0o700
    );
}

#[test]
fn a_copy_that_breaks_off_leaves_the_old_file_and_no_part_of_the_new_one() {
    let host = Host::new();
    fs::create_dir(host.destination().join("x")).unwrap();
    fs::write(host.destination().join("x/file"), "old").unwrap();
    let whole = begun(&[directory("x"), file("x/file", &"new".repeat(1000))]);
    for length in [600, 1024, 1025, 2000, whole.len() - 600] {
        let (_, result) = host.unpack(&whole[..length]);
        assert!(result.is_err(), "{length}");
        assert_eq!(
            fs::read_to_string(host.destination().join("x/file")).unwrap(),
            "old",
            "{length}"
        );
    }
    // All of it, but not the end that says so: the engine stopped.
    let (_, result) = host.unpack(&whole);
    assert!(result.unwrap_err().render().contains("breaks off"));
    assert!(host.unpack(b"").1.is_err());
    assert!(host.unpack(&[0; 1024]).1.unwrap_err().render().contains("empty"));
    assert!(host.unpack(&[b'?'; 4096]).1.is_err());
}

#[test]
fn directories_and_files_do_not_take_each_others_place() {
    let host = Host::new();
    fs::create_dir_all(host.destination().join("x/directory/deep")).unwrap();
    fs::write(host.destination().join("x/file"), "old").unwrap();
    host.refuses(
        &[directory("x"), file("x/directory", "")],
        "there is a directory of that name",
    );
    host.refuses(
        &[directory("x"), directory("x/file")],
        "something else of that name",
    );
    host.refuses(
        &[directory("x"), linked(EntryType::Symlink, "x/directory", "/")],
        "there is a directory of that name",
    );
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        host.destination().join("x/pipe"),
        rustix::fs::Mode::RUSR,
    )
    .unwrap();
    host.refuses(&[directory("x"), file("x/pipe", "")], "a pipe");
    assert!(host.destination().join("x/directory/deep").is_dir());
}

#[test]
fn content_alone_goes_into_a_directory_and_nothing_else_does() {
    let host = Host::new();
    let entries = archive(&[directory("./"), directory("./a"), file("./a/b", "content")]);
    host.unpack_from(entries.as_slice(), None).1.unwrap();
    assert_eq!(
        fs::read_to_string(host.destination().join("a/b")).unwrap(),
        "content"
    );
    // The box put a file where the directory was.
    let failure = host
        .unpack_from(archive(&[file("dir", "content")]).as_slice(), None)
        .1
        .unwrap_err();
    assert!(failure.message.contains("no directory any more"), "{failure:?}");
}

#[test]
fn holes_stay_holes() {
    let host = Host::new();
    let mut content = vec![0; 4 << 20];
    content[2 << 20] = 1;
    let entry = Entry {
        content: content.clone(),
        ..entry(EntryType::Regular, "x")
    };
    let mut bytes = archive(&[entry]);
    host.unpack(&bytes).1.unwrap();
    let metadata = fs::metadata(host.destination().join("x")).unwrap();
    assert_eq!(fs::read(host.destination().join("x")).unwrap(), content);
    assert!(metadata.blocks() * 512 < 1 << 20, "{} blocks", metadata.blocks());
    // However small the parts that arrive.
    bytes.truncate(bytes.len());
    struct Crumbs<'a>(&'a [u8]);
    impl Read for Crumbs<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let length = buffer.len().min(1000);
            self.0.read(&mut buffer[..length])
        }
    }
    host.unpack_from(Crumbs(&bytes), Some("x")).1.unwrap();
    assert_eq!(fs::read(host.destination().join("x")).unwrap(), content);
}

/// Names that mostly lead somewhere: a handful of components, some of them hostile.
fn hostile_name() -> impl Strategy<Value = String> {
    let component = prop_oneof![
        4 => Just("a"),
        4 => Just("b"),
        2 => Just("x"),
        1 => Just(".."),
        1 => Just("."),
        1 => Just(""),
    ];
    proptest::collection::vec(component, 0..5).prop_map(|parts| parts.join("/"))
}

fn hostile_entry() -> impl Strategy<Value = Entry> {
    let kind = prop_oneof![
        Just(EntryType::Regular),
        Just(EntryType::Directory),
        Just(EntryType::Symlink),
        Just(EntryType::Link),
        Just(EntryType::Fifo),
    ];
    let target = prop_oneof![
        hostile_name(),
        hostile_name().prop_map(|name| format!("x/{name}")),
        Just("../outside".to_owned()),
        Just("../outside/canary".to_owned()),
        Just("../../outside".to_owned()),
    ];
    (kind, hostile_name(), target, 0..0o10000_u32).prop_map(|(kind, name, link, mode)| Entry {
        kind,
        name: format!("x/{name}").into_bytes(),
        link: link.into_bytes(),
        mode,
        content: if kind.is_file() {
            b"dead".to_vec()
        } else {
            Vec::new()
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn whatever_an_archive_says_nothing_outside_changes(
        entries in proptest::collection::vec(hostile_entry(), 1..12)
    ) {
        let host = Host::new();
        let mut all = vec![directory("x")];
        all.extend(entries);
        // `unpack` itself checks the outside and the temporary files.
        let _ = host.unpack(&archive(&all));
    }
}
