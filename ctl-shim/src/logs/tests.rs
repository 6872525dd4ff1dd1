//! Writer and reader together: what goes in comes out, once and in order.

use std::path::Path;

use proptest::prelude::*;

use super::is_kept;
use super::reader::LogReader;
use super::writer::LogWriter;
use crate::protocol::message::LogRange;
use crate::time::Timestamp;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn read(directory: &Path, units: &[&str], range: &LogRange) -> Vec<(String, Option<u64>, String)> {
    let units: Vec<String> = units.iter().map(|&unit| unit.to_owned()).collect();
    let mut reader = LogReader::open(directory, &units, range).unwrap();
    let mut chunks = Vec::new();
    while let Some((chunk, bytes)) = reader.next().unwrap() {
        chunks.push((
            chunk.unit,
            chunk.time.map(Timestamp::as_millis),
            String::from_utf8(bytes).unwrap(),
        ));
    }
    chunks
}

fn text(directory: &Path, range: &LogRange) -> String {
    read(directory, &["web"], range)
        .into_iter()
        .map(|(_, _, text)| text)
        .collect()
}

#[test]
fn several_units_are_merged_by_time_in_whole_lines() {
    let directory = tempfile::tempdir().unwrap();
    let mut web = LogWriter::open(directory.path(), "web").unwrap();
    let mut db = LogWriter::open(directory.path(), "db").unwrap();
    web.append(b"web 1\nweb ", at(1000)).unwrap();
    db.append(b"db 1\n", at(2000)).unwrap();
    web.append(b"2\n", at(3000)).unwrap();
    web.append(b"web 3\n", at(3000)).unwrap();
    db.append(b"db 2", at(4000)).unwrap();
    let expected = [
        ("web".to_owned(), Some(1000), "web 1\nweb 2\n".to_owned()),
        ("db".to_owned(), Some(2000), "db 1\n".to_owned()),
        ("web".to_owned(), Some(3000), "web 3\n".to_owned()),
        ("db".to_owned(), Some(4000), "db 2".to_owned()),
    ];
    assert_eq!(
        read(directory.path(), &["db", "web", "quiet"], &LogRange::default()),
        expected
    );
}

#[test]
fn tail_counts_lines_from_the_end_across_rotation() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::with_limit(directory.path(), "web", 100).unwrap();
    for line in 0..30 {
        writer
            .append(format!("line {line:04}\n").as_bytes(), at(line * 1000))
            .unwrap();
    }
    let tail = |tail| {
        text(
            directory.path(),
            &LogRange {
                tail: Some(tail),
                ..LogRange::default()
            },
        )
    };
    assert_eq!(tail(0), "");
    assert_eq!(tail(2), "line 0028\nline 0029\n");
    assert_eq!(tail(15).lines().count(), 15);
    assert_eq!(tail(1000).lines().count(), 30);
    writer.append(b"open", at(40_000)).unwrap();
    assert_eq!(tail(2), "line 0029\nopen");
    let since = LogRange {
        since: Some(at(27_500)),
        ..LogRange::default()
    };
    assert_eq!(text(directory.path(), &since), "line 0028\nline 0029\nopen");
    let both = LogRange {
        tail: Some(2),
        ..since.clone()
    };
    assert_eq!(text(directory.path(), &both), "line 0029\nopen");
    let later = LogRange {
        since: Some(at(50_000)),
        ..LogRange::default()
    };
    assert_eq!(text(directory.path(), &later), "");
}

#[test]
fn times_are_those_of_the_lines_with_timestamps() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(directory.path(), "web").unwrap();
    writer.append(b"a\nb\n", at(1000)).unwrap();
    writer.append(b"c\n", at(2000)).unwrap();
    let range = LogRange {
        timestamps: true,
        ..LogRange::default()
    };
    let expected = [
        ("web".to_owned(), Some(1000), "a\nb\n".to_owned()),
        ("web".to_owned(), Some(2000), "c\n".to_owned()),
    ];
    assert_eq!(read(directory.path(), &["web"], &range), expected);
}

#[test]
fn old_files_go_and_the_disk_stays_bounded() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::with_limit(directory.path(), "web", 1000).unwrap();
    for _ in 0..1000 {
        writer.append(&[b'x'; 99], at(1)).unwrap();
    }
    let sizes: u64 = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    assert!(sizes <= 6 * 1000 + 6 * 16, "{sizes}");
}

#[test]
fn a_line_without_end_is_read_in_bounded_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(directory.path(), "web").unwrap();
    let mut other = LogWriter::open(directory.path(), "other").unwrap();
    other.append(b"between\n", at(2)).unwrap();
    for _ in 0..100 {
        writer.append(&[b'x'; 10_000], at(1)).unwrap();
    }
    let chunks = read(directory.path(), &["web", "other"], &LogRange::default());
    assert!(chunks.iter().all(|(_, _, text)| text.len() <= 256 * 1024));
    let web: usize = chunks
        .iter()
        .filter(|(unit, _, _)| unit == "web")
        .map(|(_, _, text)| text.len())
        .sum();
    assert_eq!(web, 1_000_000);
    assert_eq!(
        chunks.last().unwrap().2,
        "between\n",
        "the line is not torn by another unit's"
    );
}

fn follow() -> LogRange {
    LogRange {
        follow: true,
        ..LogRange::default()
    }
}

fn open(directory: &Path, range: &LogRange) -> LogReader {
    LogReader::open(directory, &["web".to_owned()], range).unwrap()
}

fn drain(reader: &mut LogReader) -> String {
    let mut bytes = Vec::new();
    while let Some((_, piece)) = reader.next().unwrap() {
        bytes.extend(piece);
    }
    String::from_utf8(bytes).unwrap()
}

#[test]
fn names_that_leave_the_directory_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("logs")).unwrap();
    std::fs::write(directory.path().join("web.log"), "secret").unwrap();
    for name in ["../web", "", "a/b", "x y"] {
        let logs = directory.path().join("logs");
        assert!(LogReader::open(&logs, &[name.to_owned()], &LogRange::default()).is_err());
        assert!(LogWriter::open(&logs, name).is_err());
    }
}

#[test]
fn links_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    for age in ["", ".1"] {
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join(format!("web.log{age}"))).unwrap();
    }
    for range in [
        LogRange::default(),
        LogRange {
            tail: Some(3),
            ..follow()
        },
        LogRange {
            since: Some(at(0)),
            ..follow()
        },
    ] {
        assert_eq!(drain(&mut open(directory.path(), &range)), "");
    }
}

#[test]
fn a_log_that_somebody_empties_or_removes_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("web.log");
    let mut writer = LogWriter::open(directory.path(), "web").unwrap();
    writer.append(b"before\n", at(0)).unwrap();
    let mut reader = open(directory.path(), &follow());
    assert_eq!(drain(&mut reader), "before\n");
    std::fs::write(&path, "").unwrap();
    assert_eq!(drain(&mut reader), "");
    writer.append(b"after\n", at(1000)).unwrap();
    assert_eq!(drain(&mut reader), "after\n");
    let since = LogRange {
        since: Some(at(500)),
        ..LogRange::default()
    };
    assert_eq!(text(directory.path(), &since), "after\n");
    std::fs::remove_file(&path).unwrap();
    writer.append(b"new\n", at(2000)).unwrap();
    assert_eq!(drain(&mut reader), "new\n");
}

#[test]
fn a_line_that_began_before_is_not_since_in_whatever_file_it_ends() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::with_limit(directory.path(), "web", 16).unwrap();
    let pieces = [
        ("one\n", 10),
        ("0123456789ab", 200),
        ("still\n", 300),
        ("three\n", 300),
        ("four\n", 400),
    ];
    for (text, time) in pieces {
        writer.append(text.as_bytes(), at(time)).unwrap();
    }
    let since = LogRange {
        since: Some(at(250)),
        ..LogRange::default()
    };
    assert_eq!(text(directory.path(), &since), "three\nfour\n");
}

#[test]
fn the_times_of_a_trickle_stay_small() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(directory.path(), "web").unwrap();
    for line in 0..100_000_u64 {
        writer.append(b"\n", at(line * 1000)).unwrap();
    }
    let size = std::fs::metadata(directory.path().join("web.times"))
        .unwrap()
        .len();
    assert!(size < 16 * (80 * 1024 + 1000), "{size}");
    writer.append(b"last\n", at(200_000_000)).unwrap();
    let range = LogRange {
        tail: Some(1),
        timestamps: true,
        ..LogRange::default()
    };
    let expected = [("web".to_owned(), Some(200_000_000), "last\n".to_owned())];
    assert_eq!(read(directory.path(), &["web"], &range), expected);
}

proptest! {
    #[test]
    fn what_is_written_is_read_once_and_in_order_while_it_is_written(
        pieces in proptest::collection::vec((proptest::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..60), any::<bool>()), 0..60),
        limit in 40_u64..400,
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::with_limit(directory.path(), "web", limit).unwrap();
        let range = LogRange { follow: true, ..LogRange::default() };
        let mut reader = LogReader::open(directory.path(), &["web".to_owned()], &range).unwrap();
        let mut written = Vec::new();
        let mut seen = Vec::new();
        for (time, (piece, reopen)) in pieces.into_iter().enumerate() {
            if reopen {
                writer = LogWriter::with_limit(directory.path(), "web", limit).unwrap();
            }
            writer.append(&piece, at(time as u64 * 100)).unwrap();
            written.extend_from_slice(&piece);
            while let Some((_, bytes)) = reader.next().unwrap() {
                seen.extend_from_slice(&bytes);
            }
        }
        prop_assert_eq!(seen, written);
    }

    #[test]
    fn lines_are_whole_with_timestamps(
        pieces in proptest::collection::vec(proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'a')], 0..60), 0..60),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::with_limit(directory.path(), "web", 1 << 20).unwrap();
        let mut written = Vec::new();
        for (time, piece) in pieces.iter().enumerate() {
            writer.append(piece, at(time as u64 * 100)).unwrap();
            written.extend_from_slice(piece);
        }
        let range = LogRange { timestamps: true, ..LogRange::default() };
        let mut reader = LogReader::open(directory.path(), &["web".to_owned()], &range).unwrap();
        let mut seen = Vec::new();
        while let Some((_, bytes)) = reader.next().unwrap() {
            prop_assert!(bytes.ends_with(b"\n") || seen.len() + bytes.len() == written.len());
            seen.extend_from_slice(&bytes);
        }
        prop_assert_eq!(seen, written);
    }
}

#[test]
fn a_log_is_kept_as_long_as_one_of_its_files() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    std::fs::create_dir_all(logs.join("folder.log")).unwrap();
    std::fs::write(directory.path().join("outside.log"), "").unwrap();
    std::fs::write(logs.join("web.log.3"), "").unwrap();
    assert!(is_kept(&logs, "web"));
    for unit in ["api", "folder", "../outside", ""] {
        assert!(!is_kept(&logs, unit), "{unit}");
    }
}
