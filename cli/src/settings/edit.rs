//! Changing the text of a settings file without touching what else a person has written there.
//!
//! ```text
//! text ─► the lines of the key's block ─► replaced, removed, or added to its section ─► read again: as wanted? ─► text
//!                                                                                              └─ no ─► written anew
//! ```
//!
//! Only the lines of the key itself change as long as the file is written in blocks, as this program writes it. What
//! is written otherwise (`box: {memory: 4g}`, anchors) is written anew: comments on lines of their own are kept, at
//! the top. In either case the result is read back before it counts.

use agentbox_ctl::config::load_settings;
use agentbox_ctl::config::settings::{Entry, KEYS};

use super::change::{Change, render};
use super::lines::Lines;
use super::yaml::scalar;

/// A changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edited {
    /// Its text.
    pub(super) text: String,
    /// Whether all of it was written anew, so that comments have moved.
    pub(super) anew: bool,
}

/// The text after the change.
///
/// # Errors
/// What is wrong with the file that would be written: entries that contradict each other, too much text.
pub(super) fn edit(text: &str, before: &[Entry], change: &Change) -> Result<Edited, String> {
    let wanted = change.apply(before);
    let is_wanted = |text: &str| {
        load_settings(text.as_bytes()).is_ok_and(|entries| in_order(&entries) == in_order(&wanted))
    };
    let in_place = in_place(text, &wanted, change).filter(|text| is_wanted(text));
    match in_place {
        Some(text) => Ok(Edited { text, anew: false }),
        None => {
            let text = written_anew(text, &wanted);
            if is_wanted(&text) {
                return Ok(Edited { text, anew: true });
            }
            let mistakes = load_settings(text.as_bytes()).err().unwrap_or_default();
            Err(match mistakes.into_iter().next() {
                Some(mistake) => mistake.message,
                None => "it would not read back as it was meant".to_owned(),
            })
        }
    }
}

fn in_order(entries: &[Entry]) -> Vec<(&str, Option<&str>, &str)> {
    let mut all: Vec<_> = entries
        .iter()
        .map(|entry| (entry.key.name, entry.name.as_deref(), entry.text.as_str()))
        .collect();
    all.sort_unstable();
    all
}

/// The values of one setting.
fn values_of(entries: &[Entry], name: &str) -> Vec<(Option<String>, String)> {
    entries
        .iter()
        .filter(|entry| entry.key.name == name)
        .map(|entry| (entry.name.clone(), entry.text.clone()))
        .collect()
}

/// Changes the lines of the key. `None` where the file is not written in blocks; whether the result is right is for
/// the caller to see.
fn in_place(text: &str, wanted: &[Entry], change: &Change) -> Option<String> {
    let key = change.key();
    let (section, name) = key.name.split_once('.')?;
    let mut file = Lines::of(text);
    let whole = 0..file.lines.len();
    // In one word, `box.memory: 4g`, or beneath its section.
    let (scope, indent, word) = match file.find(whole.clone(), key.name) {
        Some(_) => (whole, 0, key.name),
        None => match file.find(whole.clone(), section) {
            Some(block) if block.has_value(&file) => return None,
            Some(block) => {
                let inside = block.lines.start + 1..block.lines.end;
                let indent = file.indent(inside.clone()).unwrap_or(2);
                (inside, indent, name)
            }
            None => {
                let values = values_of(wanted, key.name);
                if !values.is_empty() {
                    file.insert(file.lines.len(), vec![format!("{section}:")]);
                    file.insert(file.lines.len(), render(key, name, &values, 2));
                }
                return Some(file.text());
            }
        },
    };
    let block = file.find(scope.clone(), word);
    match (change, block) {
        (
            Change::One {
                name: entry, text, ..
            },
            Some(block),
        ) if key.kind.is_mapping() => {
            if block.has_value(&file) {
                return None;
            }
            let inside = block.lines.start + 1..block.lines.end;
            let depth = file.indent(inside.clone()).unwrap_or(indent + 2);
            let line = text
                .as_ref()
                .map(|text| format!("{}{}: {}", " ".repeat(depth), scalar(entry), scalar(text)));
            match (file.find(inside, entry), line) {
                (Some(old), Some(line)) => file.replace(&old, vec![line]),
                (Some(old), None) => file.remove(&old),
                (None, Some(line)) => file.insert(block.lines.end, vec![line]),
                (None, None) => {}
            }
        }
        (_, block) => {
            let values = values_of(wanted, key.name);
            match (block, values.is_empty()) {
                (Some(old), true) => file.remove(&old),
                (Some(old), false) => file.replace(&old, render(key, word, &values, indent)),
                (None, true) => {}
                (None, false) => file.insert(scope.end, render(key, word, &values, indent)),
            }
        }
    }
    file.drop_empty(key.name);
    if let Some(block) = file.find(0..file.lines.len(), section) {
        let inside = block.lines.start + 1..block.lines.end;
        file.drop_empty_in(inside, name);
        file.drop_empty(section);
    }
    Some(file.text())
}

/// All settings in the order of the table, beneath the comments.
fn written_anew(text: &str, wanted: &[Entry]) -> String {
    let mut all: Vec<String> = Lines::of(text).comments().map(str::to_owned).collect();
    let mut last = "";
    for key in KEYS {
        let values = values_of(wanted, key.name);
        let Some((section, name)) = key.name.split_once('.').filter(|_| !values.is_empty()) else {
            continue;
        };
        if section != last {
            all.push(format!("{section}:"));
            last = section;
        }
        all.extend(render(key, name, &values, 2));
    }
    all.push(String::new());
    all.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use agentbox_ctl::config::settings::key;
    use proptest::prelude::*;

    fn changed(text: &str, change: &Change) -> Edited {
        let before = load_settings(text.as_bytes()).unwrap();
        edit(text, &before, change).unwrap()
    }

    fn set(text: &str, word: &str, value: &str) -> String {
        let (key, name) = super::super::find(word).unwrap();
        changed(text, &Change::set(key, name, value).unwrap()).text
    }

    fn unset(text: &str, word: &str) -> String {
        let (key, name) = super::super::find(word).unwrap();
        changed(text, &Change::unset(key, name)).text
    }

    const FILE: &str = "\
# My settings.

box:
  # Builds need it.
  memory: 4g   # at least
  env:
    TOKEN: 'a # b'  # secret
    OTHER: x
  cap_add:
  - NET_RAW

# About carry.
carry:
  max_bytes: 50m
";

    #[test]
    fn a_file_grows_from_nothing() {
        let text = set("", "box.memory", "4g");
        let text = set(&text, "box.env.A", "b c");
        let text = set(&text, "box.cap_add", "NET_RAW,SYS_PTRACE");
        let text = set(&text, "carry.max_bytes", "1m");
        let text = set(&text, "box.env.B", "");
        insta::assert_snapshot!(text, @r#"
box:
  memory: 4g
  env:
    A: "b c"
    B: ""
  cap_add: [NET_RAW, SYS_PTRACE]
carry:
  max_bytes: 1m
"#);
    }

    #[test]
    fn only_the_lines_of_the_key_change() {
        assert_eq!(
            set(FILE, "box.memory", "8g"),
            FILE.replace("memory: 4g   # at least", "memory: 8g   # at least")
        );
        assert_eq!(
            set(FILE, "box.env.TOKEN", "new"),
            FILE.replace("'a # b'  # secret", "new  # secret")
        );
        assert_eq!(
            set(FILE, "box.env.MORE", "m"),
            FILE.replace("    OTHER: x\n", "    OTHER: x\n    MORE: m\n")
        );
        assert_eq!(
            set(FILE, "box.cap_add", "NET_RAW,SYS_ADMIN"),
            FILE.replace("  cap_add:\n  - NET_RAW\n", "  cap_add: [NET_RAW, SYS_ADMIN]\n")
        );
        assert_eq!(
            set(FILE, "box.wait", "true"),
            FILE.replace("  - NET_RAW\n", "  - NET_RAW\n  wait: true\n")
        );
        assert_eq!(
            unset(FILE, "box.env"),
            FILE.replace("  env:\n    TOKEN: 'a # b'  # secret\n    OTHER: x\n", "")
        );
        assert_eq!(
            unset(FILE, "carry.max_bytes"),
            FILE.replace("carry:\n  max_bytes: 50m\n", "")
        );
        assert_eq!(unset(FILE, "box.image"), FILE);
        assert_eq!(unset("box:\n  env:\n    A: b\n", "box.env.A"), "");
        assert_eq!(
            set("box.memory: 1g # one\n", "box.memory", "2g"),
            "box.memory: 2g # one\n"
        );
    }

    #[test]
    fn what_is_not_in_blocks_is_written_anew_and_keeps_its_comments() {
        let text = "# Mine.\nbox: {memory: 4g, env: {A: b}}  # gone\n# More.\ncarry: {max_bytes: 1m}\n";
        let (key, _) = super::super::find("box.memory").unwrap();
        let edited = changed(text, &Change::set(key, None, "8g").unwrap());
        assert!(edited.anew);
        insta::assert_snapshot!(edited.text, @r"
# Mine.
# More.
box:
  memory: 8g
  env:
    A: b
carry:
  max_bytes: 1m
");
    }

    #[test]
    fn nothing_of_a_value_stays_behind_as_a_comment() {
        for value in [
            "|\n      abc\n      #SECRET\n",
            "|\n      #SECRET\n",
            "|2\n        a\n      #SECRET",
            ">-\n\n\n      #SECRET\n\n      # SECRET\n",
            "&a !!str |\n      #SECRET\n",
            "\n      |\n      #SECRET\n",
            "\"abc\n\n      #SECRET\"\n",
            "'abc\n      # SECRET'\n",
            "|\r\n      abc\r\n      #SECRET\r\n",
            "|\r      abc\r      #SECRET\n",
            "'a''b # SECRET'\n",
            "!!str \"a # SECRET\"\n",
            "&a 'b # SECRET'\n",
        ] {
            for before in ["", "\u{feff}"] {
                let text = format!("{before}# Mine.\nbox:\n  env:\n    # Its token.\n    TOKEN: {value}");
                for more in ["", "    # Another.\n    X: 1\n", "# The end.\n"] {
                    let text = format!("{text}\n{more}");
                    for after in [
                        unset(&text, "box.env.TOKEN"),
                        unset(&text, "box.env"),
                        set(&text, "box.env.TOKEN", "new"),
                        set(&text, "box.env", "{A: b}"),
                    ] {
                        assert!(!after.contains("SECRET"), "{text}---\n{after}");
                        assert!(after.contains("# Mine."), "{text}---\n{after}");
                        assert_eq!(
                            after.contains("# The end."),
                            more.contains("# The end."),
                            "{text}---\n{after}"
                        );
                    }
                }
            }
        }
        let flow = "# Mine.\nbox: {env: {TOKEN: \"a\n  # SECRET\n  b\"}}\n";
        assert_eq!(unset(flow, "box.env.TOKEN"), "# Mine.\n");
    }

    #[test]
    fn volumes_at_one_path_are_refused() {
        let text = "box:\n  volumes:\n    a: /x\n";
        let before = load_settings(text.as_bytes()).unwrap();
        let change = Change::set(key("box.volumes").unwrap(), Some("b".into()), "/x").unwrap();
        assert_eq!(
            edit(text, &before, &change),
            Err("\"b\" in box.volumes in the file is mounted where \"a\" is".to_owned())
        );
    }

    fn any_change() -> impl Strategy<Value = Change> {
        let of = |name: &str| key(name).unwrap();
        let scalar = (
            prop::sample::select(vec!["box.memory", "carry.max_bytes"]),
            7_u32..99,
        )
            .prop_map(move |(name, size)| Change::set(of(name), None, &format!("{size}m")).unwrap());
        let one = ("[A-C]|[^=\\s\0]{1,4}", ".{0,5}").prop_map(move |(name, text)| Change::One {
            key: of("box.env"),
            name,
            text: Some(text.replace('\0', "")),
        });
        let caps = prop::collection::vec("[A-C]{1,2}", 1..3)
            .prop_map(move |caps| Change::set(of("box.cap_add"), None, &caps.join(",")).unwrap());
        let unset = prop::sample::select(vec![
            "box.memory",
            "box.env",
            "box.env.A",
            "box.cap_add",
            "carry.max_bytes",
        ])
        .prop_map(|word| {
            let (key, name) = super::super::find(word).unwrap();
            Change::unset(key, name)
        });
        prop_oneof![scalar, one, caps, unset]
    }

    proptest! {
        /// Whatever is done to a file, it says what the entries say, and its comments are still there.
        #[test]
        fn changes_do_what_they_say(changes in prop::collection::vec(any_change(), 0..12), start in 0..4_usize) {
            let mut text = ["", FILE, "{}\n# end\n", "box: {memory: 9m} # c\n"][start].to_owned();
            let mut entries = load_settings(text.as_bytes()).unwrap();
            for change in changes {
                let wanted = change.apply(&entries);
                text = edit(&text, &entries, &change).expect("a valid file").text;
                entries = load_settings(text.as_bytes()).unwrap();
                prop_assert_eq!(in_order(&entries), in_order(&wanted));
                if start == 1 {
                    prop_assert!(text.contains("# My settings.") && text.contains("# About carry."));
                }
            }
        }
    }
}
