//! What is written to logs is what is read from them.
#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::fs;
use std::path::Path;

use agentbox_ctl::logs::reader::{CHUNK, LogReader, units_in};
use agentbox_ctl::logs::writer::LogWriter;
use agentbox_ctl::protocol::message::{LogChunk, LogRange};
use agentbox_ctl::time::Timestamp;
use proptest::prelude::*;

fn at(millis: u64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn names(units: &[&str]) -> Vec<String> {
    units.iter().map(|unit| (*unit).to_owned()).collect()
}

fn open(directory: &Path, units: &[&str], range: LogRange) -> LogReader {
    LogReader::open(directory, &names(units), &range).unwrap()
}

fn drain(reader: &mut LogReader) -> Vec<(LogChunk, Vec<u8>)> {
    let mut chunks = Vec::new();
    while let Some(chunk) = reader.next().unwrap() {
        assert!(!chunk.1.is_empty() && chunk.1.len() <= CHUNK);
        chunks.push(chunk);
    }
    chunks
}

fn bytes(reader: &mut LogReader) -> Vec<u8> {
    drain(reader).into_iter().flat_map(|(_, bytes)| bytes).collect()
}

/// Chunks as `unit@milliseconds text`.
fn shown(reader: &mut LogReader) -> Vec<String> {
    drain(reader)
        .into_iter()
        .map(|(chunk, bytes)| {
            let time = chunk.time.map_or("?".to_owned(), |time| {
                (time.as_millis() - at(0).as_millis()).to_string()
            });
            format!("{}@{time} {}", chunk.unit, String::from_utf8_lossy(&bytes))
        })
        .collect()
}

fn tail(lines: u64) -> LogRange {
    LogRange {
        tail: Some(lines),
        ..LogRange::default()
    }
}

fn since(millis: u64) -> LogRange {
    LogRange {
        since: Some(at(millis)),
        ..LogRange::default()
    }
}

#[test]
fn the_last_lines_across_files() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::with_limit(directory.path(), "web", 12).unwrap();
    for line in 1..=5 {
        writer
            .append(format!("line {line}\n").as_bytes(), at(line))
            .unwrap();
    }
    let last = |lines| String::from_utf8(bytes(&mut open(directory.path(), &["web"], tail(lines)))).unwrap();
    assert_eq!(last(0), "");
    assert_eq!(last(1), "line 5\n");
    assert_eq!(last(3), "line 3\nline 4\nline 5\n");
    assert_eq!(last(100), "line 1\nline 2\nline 3\nline 4\nline 5\n");
    writer.append(b"open", at(6)).unwrap();
    let last = |lines| String::from_utf8(bytes(&mut open(directory.path(), &["web"], tail(lines)))).unwrap();
    assert_eq!(last(2), "line 5\nopen");
}

#[test]
fn only_lines_that_began_since() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::with_limit(directory.path(), "web", 16).unwrap();
    for (text, time) in [
        ("one\n", 10),
        ("two ", 20),
        ("still\n", 30),
        ("three\n", 30),
        ("four\n", 40),
    ] {
        writer.append(text.as_bytes(), at(time)).unwrap();
    }
    let from =
        |millis| String::from_utf8(bytes(&mut open(directory.path(), &["web"], since(millis)))).unwrap();
    assert_eq!(from(0), "one\ntwo still\nthree\nfour\n");
    assert_eq!(from(11), "two still\nthree\nfour\n");
    assert_eq!(
        from(30),
        "three\nfour\n",
        "the line that began before is not one of them"
    );
    assert_eq!(from(40), "four\n");
    assert_eq!(from(41), "");
    let both = LogRange {
        tail: Some(1),
        ..since(11)
    };
    assert_eq!(bytes(&mut open(directory.path(), &["web"], both)), b"four\n");
    let both = LogRange {
        tail: Some(100),
        ..since(30)
    };
    assert_eq!(
        bytes(&mut open(directory.path(), &["web"], both)),
        b"three\nfour\n"
    );
}

#[test]
fn several_units_in_order_of_time() {
    let directory = tempfile::tempdir().unwrap();
    let mut web = LogWriter::open(directory.path(), "web").unwrap();
    let mut db = LogWriter::open(directory.path(), "db").unwrap();
    web.append(b"a 1\na 2\n", at(1)).unwrap();
    db.append(b"b 1\n", at(2)).unwrap();
    web.append(b"a 3\n", at(3)).unwrap();
    db.append(b"b 2\nb 3", at(4)).unwrap();
    assert_eq!(
        shown(&mut open(directory.path(), &[], LogRange::default())),
        [
            "web@1 a 1\na 2\n",
            "db@2 b 1\n",
            "web@3 a 3\n",
            "db@4 b 2\n",
            "db@4 b 3"
        ]
    );
    let range = LogRange {
        timestamps: true,
        ..LogRange::default()
    };
    assert_eq!(
        shown(&mut open(directory.path(), &["web", "db"], range)),
        [
            "web@1 a 1\n",
            "web@1 a 2\n",
            "db@2 b 1\n",
            "web@3 a 3\n",
            "db@4 b 2\n",
            "db@4 b 3"
        ]
    );
}

#[test]
fn a_followed_line_waits_for_its_end_where_lines_matter() {
    let directory = tempfile::tempdir().unwrap();
    let mut web = LogWriter::open(directory.path(), "web").unwrap();
    let range = LogRange {
        timestamps: true,
        follow: true,
        ..LogRange::default()
    };
    let mut reader = open(directory.path(), &["web"], range);
    web.append(b"no end", at(1)).unwrap();
    assert_eq!(shown(&mut reader), [""; 0]);
    web.append(b" yet\nand", at(2)).unwrap();
    assert_eq!(shown(&mut reader), ["web@1 no end yet\n"]);
    let (chunk, rest) = reader.next_unfinished().unwrap().unwrap();
    assert_eq!((chunk.time, rest.as_slice()), (Some(at(2)), b"and".as_slice()));
    web.append(b" more\n", at(3)).unwrap();
    assert_eq!(
        shown(&mut reader),
        ["web@? more\n"].map(|text| text.replace("? ", "?  ")),
        "a continuation has no time"
    );
}

#[test]
fn a_line_of_ten_megabytes_comes_in_pieces() {
    let directory = tempfile::tempdir().unwrap();
    let long = vec![b'x'; 10 << 20];
    let mut web = LogWriter::open(directory.path(), "web").unwrap();
    web.append(&long, at(1)).unwrap();
    web.append(b"\nend\n", at(5)).unwrap();
    LogWriter::open(directory.path(), "db")
        .unwrap()
        .append(b"db\n", at(2))
        .unwrap();
    let whole = [long.as_slice(), b"\nend\n"].concat();
    assert!(bytes(&mut open(directory.path(), &["web"], LogRange::default())) == whole);
    let chunks = drain(&mut open(directory.path(), &["web", "db"], LogRange::default()));
    let web: Vec<u8> = chunks
        .iter()
        .filter(|(chunk, _)| chunk.unit == "web")
        .flat_map(|(_, b)| b.clone())
        .collect();
    assert!(web == whole);
    let units: Vec<&str> = chunks.iter().map(|(chunk, _)| chunk.unit.as_str()).collect();
    assert_eq!(
        units.iter().position(|unit| *unit == "db"),
        Some(units.len() - 2),
        "nothing cuts into the line"
    );
}

#[test]
fn what_is_not_there_yet() {
    let directory = tempfile::tempdir().unwrap();
    let logs = directory.path().join("logs");
    assert_eq!(units_in(&logs).unwrap(), names(&[]));
    let range = LogRange {
        follow: true,
        ..LogRange::default()
    };
    let mut reader = open(&logs, &["web"], range);
    assert_eq!(reader.missing(), ["web"]);
    assert_eq!(reader.next().unwrap(), None);
    let mut writer = LogWriter::open(&logs, "web").unwrap();
    writer.append(b"hello", at(0)).unwrap();
    assert_eq!(bytes(&mut reader), b"hello");
    assert_eq!(units_in(&logs).unwrap(), ["web"]);
    assert!(LogReader::open(&logs, &names(&["../web"]), &LogRange::default()).is_err());
}

#[test]
fn links_and_pipes_are_not_followed() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/etc/passwd", directory.path().join("web.log")).unwrap();
    let mut reader = open(directory.path(), &["web"], LogRange::default());
    assert_eq!((reader.missing().len(), reader.next().unwrap()), (1, None));
}

#[test]
fn an_emptied_log_is_followed_from_its_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut writer = LogWriter::open(directory.path(), "web").unwrap();
    writer.append(b"before\n", at(0)).unwrap();
    let mut reader = open(
        directory.path(),
        &["web"],
        LogRange {
            follow: true,
            ..LogRange::default()
        },
    );
    assert_eq!(bytes(&mut reader), b"before\n");
    fs::write(directory.path().join("web.log"), "").unwrap();
    assert_eq!(reader.next().unwrap(), None);
    writer.append(b"after\n", at(1)).unwrap();
    assert_eq!(bytes(&mut reader), b"after\n");
}

#[test]
fn a_log_without_times_is_still_read() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("web.log"), "a\nb\n").unwrap();
    let range = LogRange {
        timestamps: true,
        ..LogRange::default()
    };
    assert_eq!(
        shown(&mut open(directory.path(), &["web"], range)),
        ["web@? a\n", "web@? b\n"]
    );
    assert_eq!(bytes(&mut open(directory.path(), &["web"], since(0))), b"a\nb\n");
}

#[derive(Debug, Clone)]
enum Step {
    Append(Vec<u8>),
    Read(usize),
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let byte = prop_oneof![3 => any::<u8>(), 1 => Just(b'\n')];
    let step = prop_oneof![
        4 => prop::collection::vec(byte, 0..40).prop_map(Step::Append),
        2 => (0_usize..20).prop_map(Step::Read),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 0..60)
}

proptest! {
    /// A follower that is never more than the kept files behind sees every byte once, whatever the rotation does;
    /// and what the files hold is always the end of what was written, at most one file's limit each.
    #[test]
    fn nothing_is_lost_and_nothing_comes_twice(steps in steps(), limit in 16_u64..64, timestamps: bool) {
        let directory = tempfile::tempdir().unwrap();
        let mut writer = LogWriter::with_limit(directory.path(), "web", limit).unwrap();
        let range = LogRange { follow: true, timestamps, ..LogRange::default() };
        let mut reader = open(directory.path(), &["web"], range);
        let (mut written, mut read, mut behind) = (Vec::new(), Vec::new(), 0);
        let mut clock = 0;
        for step in steps {
            match step {
                Step::Append(bytes) => {
                    clock += 1;
                    writer.append(&bytes, at(clock)).unwrap();
                    behind += bytes.len();
                    written.extend(bytes);
                }
                Step::Read(chunks) => {
                    for _ in 0..chunks {
                        if let Some((_, bytes)) = reader.next().unwrap() {
                            read.extend(bytes);
                        }
                    }
                }
                Step::Reopen => {
                    drop(writer);
                    writer = LogWriter::with_limit(directory.path(), "web", limit).unwrap();
                }
            }
            // Files may be less than half full each time a line does not fit.
            if behind > usize::try_from(limit).unwrap() {
                read.extend(bytes(&mut reader));
                behind = 0;
            }
        }
        read.extend(bytes(&mut reader));
        while let Some((_, bytes)) = reader.next_unfinished().unwrap() {
            read.extend(bytes);
        }
        prop_assert_eq!(&read, &written);

        let kept = bytes(&mut open(directory.path(), &["web"], LogRange::default()));
        prop_assert!(written.ends_with(&kept));
        for entry in fs::read_dir(directory.path()).unwrap() {
            let entry = entry.unwrap();
            if !entry.file_name().to_str().unwrap().starts_with('.') {
                prop_assert!(entry.metadata().unwrap().len() <= limit);
            }
        }
        // The last lines are what an honest split gives.
        for lines in 0..6 {
            let ends = kept.iter().enumerate().rev().filter(|(at, byte)| **byte == b'\n' && at + 1 < kept.len());
            let start = match lines {
                0 => kept.len(),
                _ => ends.map(|(at, _)| at + 1).nth(lines - 1).unwrap_or(0),
            };
            let last = bytes(&mut open(directory.path(), &["web"], tail(lines as u64)));
            prop_assert_eq!(&last, &kept[start..]);
        }
    }

    /// Lines of several units come in order of time, each whole and with the time of its chunk.
    #[test]
    fn merged_lines_keep_their_times(order in prop::collection::vec(0_usize..3, 0..60), limit in 20_u64..200) {
        let directory = tempfile::tempdir().unwrap();
        let units = ["a", "b", "c"];
        let mut writers = units.map(|unit| LogWriter::with_limit(directory.path(), unit, limit * 100).unwrap());
        let mut expected = Vec::new();
        for (time, index) in order.into_iter().enumerate() {
            let line = format!("line {time}\n");
            writers[index].append(line.as_bytes(), at(time as u64)).unwrap();
            expected.push(format!("{}@{time} {line}", units[index]));
        }
        let range = LogRange { timestamps: true, ..LogRange::default() };
        prop_assert_eq!(shown(&mut open(directory.path(), &units, range)), expected);
    }
}
