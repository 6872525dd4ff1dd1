use insta::assert_snapshot;
use proptest::prelude::*;

use super::*;

fn words(text: &str) -> Vec<String> {
    ExecStart::parse(text).unwrap().words
}

fn mistake(text: &str) -> String {
    ExecStart::parse(text).unwrap_err()
}

fn resolved(text: &str) -> Vec<String> {
    let lookup = |name: &str| {
        let value = match name {
            "ONE" => "'one'",
            "TWO" => "'two two' too",
            "ODD" => " a\\ b \"c",
            "THREE" => "",
            "P" => "3000",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let parsed = ExecStart::parse(text).unwrap();
    parsed.resolve("/home/developer", "developer", "rigbox-svc-x.service", &lookup)
}

#[test]
fn words_end_at_blanks_outside_of_quotes() {
    assert_eq!(
        words(" /bin/a  b\tc'd e'\"f g\"  '' \n"),
        ["/bin/a", "b", "cd ef g", ""]
    );
    assert_eq!(
        words("/bin/a 'it \"is\"' \"it's\" a\"\"b"),
        ["/bin/a", "it \"is\"", "it's", "ab"]
    );
    assert_eq!(words("/bin/a \\\n  b \\\r\n c\n"), ["/bin/a", "b", "c"]);
    assert_eq!(words("\"/opt/my app/run\" x"), ["/opt/my app/run", "x"]);
}

#[test]
fn escapes_are_those_of_c() {
    assert_eq!(
        words(r#"/bin/a \a\b\f\n\r\t\v\\\"\'\s \x41\101\u00e9\U0001f600 '\x41' \xc3\xa9"#),
        ["/bin/a", "\x07\x08\x0c\n\r\t\x0b\\\"' ", "AAé😀", "A", "é"]
    );
    let odd = ExecStart::parse(r"/bin/a \q \x0g \x00 \000 \400 \u0000 \ud800 \é a\;b").unwrap();
    assert_eq!(
        odd.words[1..],
        [
            r"\q", r"\x0g", r"\x00", r"\000", r"\400", r"\u0000", r"\ud800", r"\é", r"a\;b"
        ]
    );
    assert_eq!(odd.warnings.len(), 9);
    assert_eq!(
        odd.warnings[0],
        "`\\q` at character 8 is no escape and stays as it is"
    );
}

#[test]
fn a_semicolon_is_a_second_command_unless_it_is_quoted() {
    assert_eq!(
        words(r#"/bin/a \; ";" a; ;b \\;"#),
        ["/bin/a", ";", ";", "a;", ";b", "\\;"]
    );
    assert_snapshot!(mistake("/bin/a ; /bin/b"), @"the `;` at character 8 would begin a second command, and a service has one; write /bin/bash -c '…' for several, or \\; where an argument is meant");
    assert!(mistake(";").contains("second command"));
}

#[test]
fn mistakes_say_where_they_are_and_what_to_do() {
    assert_snapshot!(mistake("/bin/a 'b \"c"), @"the ' at character 8 is never closed");
    assert_snapshot!(mistake("/bin/é \"b\\\""), @"the \" at character 8 is never closed");
    assert_snapshot!(mistake("/bin/a my\\ file"), @"the backslash at character 10 does not keep a blank; put the word in quotes, or write \\s");
    assert_snapshot!(mistake("/bin/a b\\"), @"it ends in a backslash; write two for one");
    assert_snapshot!(mistake("/bin/a \\xff"), @"the word at character 8 is not UTF-8");
    assert_snapshot!(mistake("/bin/a\n/bin/b"), @"it has more than one line; end a line with a backslash where the command goes on, or write \\n for a line break in an argument");
    assert_snapshot!(mistake("/bin/a \0"), @"a NUL byte cannot be in it");
    for empty in ["", "  ", "\n", "\\\n"] {
        assert_eq!(mistake(empty), "it is empty");
    }
    for nothing in ["-", "- /bin/a", "''", "-''"] {
        assert_eq!(mistake(nothing), "it has no program");
    }
}

#[test]
fn the_program() {
    let parsed = ExecStart::parse("-/bin/a").unwrap();
    assert_eq!(
        (parsed.ignores_failure, parsed.words[0].as_str()),
        (true, "/bin/a")
    );
    assert!(parsed.warnings.is_empty());
    let bare = ExecStart::parse("npx serve dist -l 3000").unwrap();
    assert!(!bare.ignores_failure);
    assert_snapshot!(bare.warnings.join("\n"), @"`npx` is searched in the PATH of the service; an absolute path is better");
    assert_snapshot!(mistake("./server x"), @"`./server` is a relative path; write an absolute one, such as %h/server");
    assert!(mistake("bin/server").contains("such as %h/bin/server"));
    assert!(ExecStart::parse("%h/bin/server").unwrap().warnings.is_empty());
    assert_snapshot!(mistake("/bin/"), @"`/bin/` is a directory, not a program");
    assert_snapshot!(mistake("$NODE server.js"), @"the program cannot have a variable in it: `$NODE`; write /usr/bin/env in front of it, or /bin/bash -c '…'");
    assert!(mistake("${JAVA_HOME}/bin/java").contains("variable"));
    assert!(mistake("/bin/a\\n").contains("control character"));
}

#[test]
fn other_prefixes_are_refused_with_advice() {
    assert_snapshot!(mistake("@/bin/a b"), @"`@` in front of the program is not supported; write the program alone: it always gets its own name as first argument");
    assert_snapshot!(mistake(":/bin/a"), @"`:` in front of the program is not supported; leave it out and write $$ for each dollar sign");
    assert_snapshot!(mistake("+/bin/a"), @"`+` in front of the program is not supported; leave it out: a service runs as the box's user; where it needs root, begin with sudo");
    assert!(mistake("-!!/bin/a").starts_with("`!`"));
    assert_snapshot!(mistake("|/bin/a"), @"`|` in front of the program is not supported; leave it out and write /bin/bash -c '…' for a shell");
}

#[test]
fn specifiers() {
    assert_eq!(
        resolved("%h/a %u '%n' %%h 50% %%%%"),
        [
            "/home/developer/a",
            "developer",
            "rigbox-svc-x.service",
            "%h",
            "50%",
            "%%"
        ]
    );
    assert_snapshot!(mistake("/bin/date +%Y"), @"`%Y` is not known; %h (home), %u (user), %n (unit) and %% (a percent sign) are");
}

#[test]
fn variables() {
    // The example of systemd's manual.
    assert_eq!(
        resolved("/bin/echo $ONE $TWO $THREE"),
        ["/bin/echo", "one", "two two", "too"]
    );
    assert_eq!(
        resolved("/bin/echo ${ONE} ${TWO} ${THREE}"),
        ["/bin/echo", "'one'", "'two two' too", ""]
    );
    assert_eq!(resolved("a $NONE ${NONE} x${NONE}y"), ["a", "", "xy"]);
    assert_eq!(resolved("a $ODD"), ["a", "a b", "c"]);
    assert_eq!(
        resolved("a -p${P}0 '${P}' \"$P\""),
        ["a", "-p30000", "3000", "3000"]
    );
    assert_eq!(
        resolved("a $$P $${P} 5$ a$$b a$-b"),
        ["a", "$P", "${P}", "5$", "a$b", "a$-b"]
    );
    let inside = ExecStart::parse("/bin/a --port=$P").unwrap();
    assert_snapshot!(inside.warnings.join("\n"), @"`--port=$P` stays as it is: inside a word, a variable is written ${NAME}");
    assert_eq!(resolved("a --port=$P")[1], "--port=$P");
    assert_snapshot!(mistake("/bin/a ${P:-80}"), @"`${P:-80}` is no variable: there is no shell, and a name is all that can be in the braces");
    assert_snapshot!(mistake("/bin/a x${P"), @"`x${P` has a variable without its `}`; write $$ for a dollar sign");
    assert_snapshot!(mistake("/bin/a $5"), @"`$5` is no variable; write $$ for a dollar sign");
    assert!(mistake("/bin/a $").contains("$$"));
}

#[test]
fn one_line_is_what_a_unit_file_takes() {
    assert_eq!(one_line(" a \\\n  b\n"), "a     b");
    assert_eq!(one_line("a\nb"), "a b");
}

/// A word as somebody would write it who takes no chances.
fn quoted(word: &str) -> String {
    let mut text = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '\\' => text.extend(['\\', character]),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '%' | '$' => text.extend([character; 2]),
            _ => text.push(character),
        }
    }
    text + "\""
}

proptest! {
    #[test]
    fn quoted_words_come_back(arguments in prop::collection::vec("[^\0]{0,12}", 0..5)) {
        let mut line = "/bin/a".to_owned();
        for argument in &arguments {
            line.push(' ');
            line.push_str(&quoted(argument));
        }
        let resolved = resolved(&line);
        prop_assert_eq!(&resolved[1..], &arguments[..]);
    }

    #[test]
    fn nothing_makes_it_panic_and_what_it_takes_it_can_resolve(line in r#"[-a/ \\'"$%{}hx0;\n@\u{e9}]{0,24}"#) {
        if let Ok(parsed) = ExecStart::parse(&line) {
            prop_assert!(!parsed.words.is_empty() && !parsed.words[0].is_empty());
            let arguments = parsed.resolve("/h", "u", "n", &|_| None);
            prop_assert!(!arguments[0].is_empty() && arguments.iter().all(|word| !word.contains('\0')));
            prop_assert_eq!(ExecStart::parse(&one_line(&line)).unwrap().words, parsed.words);
        }
    }
}
