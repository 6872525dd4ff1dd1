//! What goes in comes out.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use super::Host;
use crate::copy::pack::{Packed, Parcel};
use crate::seed::Owner;
use crate::ui::Meter;

/// Packs a tree under a name, or what is in it.
fn pack(source: &Path, name: Option<&str>) -> (Vec<u8>, Packed, Meter) {
    let mut bytes = Vec::new();
    let meter = Meter::new();
    let parcel = Parcel {
        source: source.to_owned(),
        name: name.unwrap_or_default().as_bytes().to_vec(),
        contents: name.is_none(),
        owner: Owner { user: 7, group: 8 },
        meter: meter.clone(),
    };
    let packed = parcel.write(&mut bytes).unwrap();
    (bytes, packed, meter)
}

#[test]
fn what_is_packed_comes_out_as_it_was() {
    let source = tempfile::tempdir().unwrap();
    let at = |name: &str| source.path().join(name);
    fs::create_dir_all(at("empty")).unwrap();
    fs::write(at("file"), "content").unwrap();
    fs::hard_link(at("file"), at("second")).unwrap();
    fs::set_permissions(at("file"), fs::Permissions::from_mode(0o741)).unwrap();
    symlink("./a//b/../c/", at("link")).unwrap();
    symlink("t".repeat(300), at("long-link")).unwrap();
    let long = format!("{0}/{0}/{1}", "d".repeat(200), "n".repeat(255));
    fs::create_dir_all(at(&long).parent().unwrap()).unwrap();
    fs::write(at(&long), "deep").unwrap();
    // 99 and 100 bytes are where a header's room ends.
    for length in 95..=103 {
        fs::write(at(&"f".repeat(length)), length.to_string()).unwrap();
    }
    let raw = source.path().join(OsStr::from_bytes(b"raw\xff\nname"));
    fs::write(&raw, "raw").unwrap();
    let socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();

    let (bytes, packed, meter) = pack(source.path(), Some("x"));
    drop(socket);
    assert!(packed.failure.is_none());
    assert_eq!(packed.warnings.len(), 1);
    assert!(
        packed.warnings[0].contains("socket: not a file"),
        "{:?}",
        packed.warnings
    );
    assert_eq!(meter.files_so_far(), 2 + 2 + 1 + 9 + 1);
    for entry in tar::Archive::new(bytes.as_slice()).entries().unwrap() {
        let entry = entry.unwrap();
        assert_eq!(
            (entry.header().uid().unwrap(), entry.header().gid().unwrap()),
            (7, 8)
        );
    }

    let host = Host::new();
    host.unpack(&bytes).1.unwrap();
    let there = |name: &str| host.destination().join("x").join(name);
    assert!(there("empty").is_dir());
    assert_eq!(fs::metadata(there("file")).unwrap().mode() & 0o7777, 0o741);
    assert_eq!(
        fs::metadata(there("file")).unwrap().ino(),
        fs::metadata(there("second")).unwrap().ino()
    );
    assert_eq!(fs::read_link(there("link")).unwrap().as_os_str(), "./a//b/../c/");
    assert_eq!(fs::read_link(there("long-link")).unwrap().as_os_str().len(), 300);
    assert_eq!(fs::read_to_string(there(&long)).unwrap(), "deep");
    for length in 95..=103 {
        let content = fs::read_to_string(there(&"f".repeat(length))).unwrap();
        assert_eq!(content, length.to_string());
    }
    let raw = host.destination().join("x").join(raw.file_name().unwrap());
    assert_eq!(fs::read_to_string(raw).unwrap(), "raw");
    for name in ["file", "link", "empty"] {
        assert_eq!(
            at(name).symlink_metadata().unwrap().mtime(),
            there(name).symlink_metadata().unwrap().mtime(),
            "{name}"
        );
    }
}

#[test]
fn the_content_alone_has_no_directory_around_it() {
    let source = tempfile::tempdir().unwrap();
    fs::create_dir(source.path().join("b")).unwrap();
    fs::write(source.path().join("b/c"), "").unwrap();
    fs::write(source.path().join("a"), "").unwrap();
    let (bytes, _, _) = pack(source.path(), None);
    let names: Vec<_> = tar::Archive::new(bytes.as_slice())
        .entries()
        .unwrap()
        .map(|entry| entry.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, ["a", "b/", "b/c"]);
}

#[test]
fn a_file_that_is_shorter_than_it_said_is_padded_and_told() {
    // The kernel says 4096 for it and gives less.
    let source = Path::new("/sys/kernel/mm/transparent_hugepage/enabled");
    if !source.exists() {
        return;
    }
    let (bytes, packed, _) = pack(source, Some("x"));
    let failure = packed.failure.unwrap();
    assert!(failure.message.contains("became shorter"), "{failure:?}");
    let host = Host::new();
    host.unpack(&bytes).1.unwrap();
    assert_eq!(fs::metadata(host.destination().join("x")).unwrap().len(), 4096);
}
