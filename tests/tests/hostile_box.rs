//! A box that means harm: whatever lies in it, `pull`, `diff` and `destroy` run nothing of it on the host and change
//! nothing there but what is the box's own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use agentbox_tests::comeback::{self, git, references, saved, snapshot, untouchable};
use agentbox_tests::{Project, TestBox, wait_until};
use nix::sys::signal::Signal;

/// A file on the host that nothing but an escape makes. The same path in the box is another file.
fn canary(project: &Project) -> PathBuf {
    let parent = project.directory().parent();
    parent.expect("a project lies in a directory").join("canary")
}

/// What an attack wants to be run.
fn touch(project: &Project) -> String {
    format!("touch {}", canary(project).display())
}

/// Puts a script in the place of the box's git, which stays beside it as `git.real`.
fn replace_git(test_box: &TestBox<'_>, script: &str) {
    let script = script.replace('\'', "'\\''");
    test_box
        .docker_exec(&format!(
            "test -e /usr/bin/git.real || mv /usr/bin/git /usr/bin/git.real; printf '%s' '{script}' > /usr/bin/git; chmod 755 /usr/bin/git"
        ))
        .ok();
}

/// Runs the three commands and checks that the host is as it was but for what is the box's.
fn attack(project: &Project, test_box: &TestBox<'_>) {
    let before = untouchable(project, test_box.name());
    for arguments in [
        &["pull"][..],
        &["pull", "--force"],
        &["diff"],
        &["diff", "--json"],
    ] {
        let output = test_box.run(arguments[0], &arguments[1..]);
        assert!(
            !output.stdout.contains('\u{1b}') && !output.stderr.contains('\u{1b}'),
            "{output}"
        );
        assert!(!canary(project).exists(), "{output}");
        assert_eq!(untouchable(project, test_box.name()), before, "{output}");
    }
    for reference in references(project.directory()).keys() {
        // Those of the boxes that an attack made before this one, too.
        let own = ["refs/heads/agentbox/", "refs/agentbox/"]
            .iter()
            .any(|place| reference.starts_with(&format!("{place}{}-b", project.name())));
        assert!(
            own || ["refs/heads/main", "refs/stash"].contains(&reference.as_str()),
            "{reference}"
        );
    }
    let output = test_box.run("destroy", &["-f"]);
    assert!(!canary(project).exists(), "{output}");
    assert_eq!(untouchable(project, test_box.name()), before, "{output}");
    git(project.directory(), &["fsck", "--strict", "--no-dangling"]);
}

#[test]
fn configuration_hooks_filters_and_attributes_stay_in_the_box() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    let touch = touch(&project);
    test_box
        .exec(&format!(
            r#"set -e
            T='{touch}'
            echo '* diff=evil filter=evil merge=evil text eol=crlf' > .gitattributes
            printf '[submodule "m"]\n\tpath = m\n\turl = ext::sh -c %%Stouch%% /tmp/x\n[submodule "n"]\n\tpath = n\n\turl = file:///etc\n' > .gitmodules
            echo work > work; git add -A; git commit -q -m "$(printf 'evil \033[2J subject\r\n\nbody')"
            git update-index --add --cacheinfo 160000,$(git rev-parse HEAD),m
            git commit -q -m submodule
            mkdir -p .git/hooks
            for hook in pre-commit post-checkout post-merge reference-transaction pre-auto-gc post-index-change upload-pack; do
                printf '#!/bin/sh\n%s\n' "$T" > .git/hooks/$hook; chmod 755 .git/hooks/$hook
            done
            git config core.fsmonitor "$T"; git config filter.evil.clean "$T"; git config filter.evil.smudge "$T"
            git config filter.evil.process "$T"; git config filter.evil.required true; git config diff.evil.textconv "$T"
            git config diff.evil.command "$T"; git config diff.external "$T"; git config core.pager "$T"
            git config core.sshCommand "$T"; git config uploadpack.packObjectsHook "$T"; git config core.editor "$T"
            git config core.alternateRefsCommand "$T"; git config alias.upload-pack "!$T"; git config credential.helper "!$T"
            git config include.path /nonexistent; echo changed >> work; echo new > new-file"#
        ))
        .ok();
    // It is of no use to the box that its git would run these there; the host's work goes on.
    let pulled = test_box.run("pull", &[]).ok();
    assert!(
        pulled.stdout.contains("evil  subject") || pulled.stdout.contains("evil subject"),
        "{pulled}"
    );
    attack(&project, &test_box);
}

#[test]
fn links_out_of_the_repository_lead_nowhere() {
    let project = comeback::project("");
    let secret = project.directory().parent().unwrap().join("secret");
    std::fs::create_dir(&secret).unwrap();
    std::fs::write(secret.join("key"), "host secret").unwrap();
    for script in [
        format!("echo {}/.git > .git/commondir", project.directory().display()),
        format!(
            "mkdir -p .git/objects/info; echo {}/.git/objects > .git/objects/info/alternates",
            project.directory().display()
        ),
        format!(
            "rm -rf .git && echo 'gitdir: {}/.git' > .git",
            project.directory().display()
        ),
        format!("rm -rf .git && ln -s {}/.git .git", project.directory().display()),
        format!(
            "ln -s {} out && git add -A && git commit -q -m link",
            secret.display()
        ),
    ] {
        let test_box = comeback::create(&project, &[]);
        test_box.exec(&format!("echo work > work; {script}")).ok();
        attack(&project, &test_box);
    }
    for file in saved(&project) {
        let content = std::fs::read(&file).unwrap();
        assert!(
            !content.windows(11).any(|window| window == b"host secret"),
            "{}",
            file.display()
        );
    }
}

#[test]
fn crafted_names_write_nothing() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    test_box
        .exec(
            "echo work > work; git add -A; git commit -q -m work; id=$(git rev-parse HEAD)
            for name in 'a b' 'x/../../../../HEAD' '..' '-option' 'evil.lock' '@{1}'; do
                mkdir -p \".git/refs/heads/$(dirname -- \"$name\")\"; echo $id > \".git/refs/heads/$name\"
            done
            printf '# pack-refs with: peeled fully-peeled sorted \\n%s refs/heads/../../config\\n%s refs/heads/n\\033[2J\\n' $id $id > .git/packed-refs",
        );
    attack(&project, &test_box);

    // The supervisor's binary is the box's too.
    let test_box = comeback::create(&project, &[]);
    let id = git(project.directory(), &["rev-parse", "HEAD"]);
    let report = format!(
        r#"{{"git":true,"repository":true,"head":"{id}","branch":"refs/heads/x","base":"--output=/tmp/x","references":[{{"name":"refs/heads/../../../HEAD","id":"{id}"}},{{"name":"refs/heads/a\nb","id":"{id}"}},{{"name":"refs/heads/o","id":"--upload-pack=touch"}},{{"name":"refs/stash","id":"{id}"}}],"uncommitted":"new","changes":18446744073709551615}}"#
    );
    test_box
        .docker_exec(&format!(
            "mv /usr/local/bin/agentbox-ctl /usr/local/bin/real; printf '%s' '#!/bin/sh
case \"$*\" in *session*work*) cat /tmp/report;; *) exec /usr/local/bin/real \"$@\";; esac
' > /usr/local/bin/agentbox-ctl; chmod 755 /usr/local/bin/agentbox-ctl; cat > /tmp/report <<'END'
{}
END",
            report
        ))
        .ok();
    attack(&project, &test_box);
}

#[test]
fn a_protocol_of_the_boxs_own_making_is_refused() {
    let project = comeback::project("");
    let id = git(project.directory(), &["rev-parse", "HEAD"]);
    let advertisement = format!("{id} refs/heads/../../config\n");
    let old = format!("{:04x}{advertisement}0000", advertisement.len() + 4);
    for answer in [
        "head -c 100000 /dev/urandom".to_owned(),
        "printf 'garbage without end'".to_owned(),
        "printf '000eversion 2\\n0000'; printf 'ffff'; head -c 70000 /dev/zero".to_owned(),
        format!("printf '%s' '{old}'"),
        "exit 0".to_owned(),
        // A true conversation with a pack that is none.
        "/usr/bin/git.real \"$@\" | python3 -c 'import os
while True:
    piece = os.read(0, 65536)
    if not piece: break
    os.write(1, piece.replace(b\"PACK\", b\"KCAP\"))'"
            .to_owned(),
    ] {
        let test_box = comeback::create(&project, &[]);
        test_box
            .exec("echo work > work; git add -A; git commit -q -m work")
            .ok();
        replace_git(
            &test_box,
            &format!(
                "#!/bin/sh\ncase \"$*\" in *upload-pack*) {answer};; *) exec /usr/bin/git.real \"$@\";; esac\n"
            ),
        );
        let refs = snapshot(&project.directory().join(".git/refs"));
        test_box
            .run("pull", &[])
            .expect_code(1)
            .complains(&["cannot fetch"]);
        assert_eq!(snapshot(&project.directory().join(".git/refs")), refs);
        attack(&project, &test_box);
    }
}

#[test]
fn malformed_objects_are_refused() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    for script in [
        // A tree that would put a file into `.git`.
        "blob=$(echo x | git hash-object -w --stdin); tree=$(printf \"40000 .git\\0$(printf '')\" | cat > /tmp/t; \
         printf '100755 config\\0' > /tmp/in; printf %s $blob | xxd -r -p >> /tmp/in; inner=$(git hash-object -t tree -w --literally /tmp/in); \
         printf '40000 .git\\0' > /tmp/out; printf %s $inner | xxd -r -p >> /tmp/out; git hash-object -t tree -w --literally /tmp/out)",
        // A commit without an author.
        "tree=$(git write-tree); printf 'tree %s\\n\\nno author\\n' $tree > /tmp/c; bad=$(git hash-object -t commit -w --literally /tmp/c)",
    ] {
        let script = script.replace(
            "xxd -r -p",
            "python3 -c 'import sys;sys.stdout.buffer.write(bytes.fromhex(sys.stdin.read()))'",
        );
        test_box
            .exec(&format!(
                "set -e; {script}; if [ -z \"$bad\" ]; then bad=$(git commit-tree $tree -p HEAD -m bad); fi; git update-ref refs/heads/bad $bad"
            ))
            .ok();
        let before = snapshot(&project.directory().join(".git/refs"));
        test_box
            .run("pull", &[])
            .expect_code(1)
            .complains(&["cannot fetch"]);
        assert_eq!(snapshot(&project.directory().join(".git/refs")), before);
        test_box.exec("git update-ref -d refs/heads/bad; unset bad").ok();
    }
    attack(&project, &test_box);
}

#[test]
fn a_history_that_is_cut_off_is_refused() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    test_box
        .exec(
            "set -e; git checkout -q --orphan o; git commit -q -m o; echo q > q; git add q; git commit -q -m q; git rev-parse HEAD > .git/shallow",
        )
        .ok();
    let before = snapshot(&project.directory().join(".git/refs"));
    test_box.run("pull", &[]).expect_code(1).complains(&["not whole"]);
    assert_eq!(snapshot(&project.directory().join(".git/refs")), before);
    assert!(!project.directory().join(".git/shallow").exists());
    test_box.run("destroy", &["-f"]).ok();
    assert_eq!(saved(&project).len(), 1);
}

#[test]
fn an_answer_without_end_can_be_cut_off() {
    let project = comeback::project("");
    let test_box = comeback::create(&project, &[]);
    test_box
        .exec("echo work > work; git add -A; git commit -q -m work")
        .ok();
    let before = untouchable(&project, test_box.name());
    replace_git(
        &test_box,
        "#!/bin/sh\ncase \"$*\" in *upload-pack*) : > /tmp/reached; sleep 1000;; *) exec /usr/bin/git.real \"$@\";; esac\n",
    );
    let running = test_box.start("pull", &[]);
    wait_until("the box's side to be asked", Duration::from_secs(30), || {
        test_box.docker_exec("test -e /tmp/reached").code == 0
    });
    running.signal(Signal::SIGINT);
    running.finish(Duration::from_secs(30)).expect_code(130);
    assert_eq!(untouchable(&project, test_box.name()), before);
    wait_until("the box's side to end", Duration::from_secs(30), || {
        test_box.processes_matching("upload-pack").is_empty()
    });

    // The supervisor's binary talks without end.
    test_box
        .docker_exec(
            "mv /usr/local/bin/agentbox-ctl /usr/local/bin/real; printf '%s' '#!/bin/sh
case \"$*\" in *session*work*) yes;; *) exec /usr/local/bin/real \"$@\";; esac
' > /usr/local/bin/agentbox-ctl; chmod 755 /usr/local/bin/agentbox-ctl",
        )
        .ok();
    test_box.run("pull", &[]).expect_code(1).complains(&["no end"]);
    assert!(!Path::new(&canary(&project)).exists());
}
