//! A checkpoint of a box that means harm: nothing that comes into a new box goes where a link of the old one leads.

use agentbox_tests::Project;
use agentbox_tests::repository::commit_all;
use agentbox_tests::warm::{Checkpoint, same_as_here};

#[test]
fn nothing_of_the_old_repository_runs_and_none_of_its_objects_are_fetched() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    commit_all(&project);
    let source = project.create(&[]);
    source
        .exec(
            r#"set -e
            git config core.repositoryformatversion 1; git config extensions.partialClone evil
            git config remote.evil.promisor true; git config protocol.ext.allow always
            git config remote.evil.url "ext::sh -c touch% /home/developer/fetched"
            git config --global protocol.ext.allow always
            git config core.fsmonitor 'touch /home/developer/monitor #'
            git config --global core.fsmonitor 'touch /home/developer/monitor #'
            git config filter.evil.clean 'touch /home/developer/filter'; git config filter.evil.smudge 'touch /home/developer/filter'
            mkdir -p .git/info .git/hooks; echo '* filter=evil' >.git/info/attributes
            for hook in post-index-change reference-transaction post-checkout pre-auto-gc; do
                printf '#!/bin/sh\ntouch /home/developer/hook\n' >.git/hooks/$hook; chmod +x .git/hooks/$hook
            done
            git config --global core.hooksPath /workspace/.git/hooks
            rm -f ~/monitor ~/filter ~/hook ~/fetched"#,
        )
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    project.file("file", "two\n");
    commit_all(&project);

    let warm = checkpoint.create(&[]);
    let ran = warm
        .exec("cd; ls monitor filter hook fetched 2>/dev/null | cat")
        .ok()
        .stdout;
    assert_eq!(ran, "");
    warm.exec("rm ~/.gitconfig").ok();
    same_as_here(&project, &warm);
}

#[test]
fn what_is_carried_goes_through_no_link_out_of_where_it_belongs() {
    let yaml = |dest: &str| format!("carry: [{{src: ./secret.conf, dest: '{dest}'}}]\n");
    let project = Project::new(&yaml("/workspace/conf/deep/app.conf"));
    project.file("secret.conf", "secret\n");
    project.file(".gitignore", "/secret.conf\n");
    project.file("conf/deep/shared", "x\n");
    commit_all(&project);
    let source = project.create(&["--carry-yes"]);
    source
        .exec(
            "set -e; rm -r conf; sudo ln -s /var/lib/agentbox/private conf
             mkdir ~/.aws ~/dotfiles; ln -s /etc ~/.config; ln -s ~/dotfiles ~/.tools
             ln -s /var/lib/agentbox/private ~/.ssh; rmdir ~/.aws; ln -s /cache ~/.aws",
        )
        .ok();
    let checkpoint = Checkpoint::of(&project, source);

    let warm = checkpoint.create(&["--carry-yes"]);
    let inside = "test -L conf || cat conf/deep/app.conf conf/deep/shared; sudo ls /var/lib/agentbox/private";
    let found = warm.exec(inside).ok().stdout;
    assert!(
        found.starts_with("secret\nx\n") && !found.contains("deep"),
        "{found}"
    );
    same_as_here(&project, &warm);
    warm.run("destroy", &["--force"]).ok();

    let volume = format!("{}-cache:/cache", project.name());
    for dest in ["~/.config/app.conf", "~/.ssh/app.conf", "~/.aws/app.conf"] {
        project.file("agentbox.yaml", yaml(dest));
        let name = format!("{}-w", project.name());
        let create = [
            "create",
            "-y",
            "-n",
            &name,
            "--from",
            "warm",
            "--carry-yes",
            "--volume",
            &volume,
        ];
        project
            .run(&create)
            .expect_code(1)
            .complains(&["a link in the checkpoint leads there"]);
    }
    project.file("agentbox.yaml", yaml("~/.tools/app.conf"));
    let warm = checkpoint.create(&["--carry-yes"]);
    assert_eq!(warm.exec("cat ~/dotfiles/app.conf").ok().stdout, "secret\n");
}

#[test]
fn the_git_of_the_box_cannot_become_root() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    commit_all(&project);
    let source = project.create(&[]);
    let script = "#!/bin/sh\ngrep -E '^(Uid|Gid|Groups|CapPrm|CapEff):' /proc/self/status >>/home/developer/ids\n\
                  cat /proc/$PPID/environ >>/home/developer/spied 2>/dev/null\n\
                  exec /usr/bin/git.real \"$@\"\n";
    source
        .exec(&format!(
            "set -e; mkdir closed; echo x >closed/x; sudo chown -R root closed
             sudo mv /usr/bin/git /usr/bin/git.real; printf '%s' '{}' | sudo tee /usr/bin/git >/dev/null; sudo chmod 755 /usr/bin/git",
            script.replace('\'', "'\\''")
        ))
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    project.file("closed", "two\n");
    commit_all(&project);

    let warm = checkpoint.create(&[]);
    assert_eq!(warm.exec("cat closed; cat ~/spied").ok().stdout, "two\n");
    let ids = warm.exec("sort -u ~/ids").ok().stdout;
    let expected = [
        "CapEff:\t0000000000000000",
        "CapPrm:\t0000000000000000",
        "Gid:\t1000\t1000\t1000\t1000",
        "Groups:\t ",
        "Uid:\t1000\t1000\t1000\t1000",
    ];
    assert_eq!(ids.lines().collect::<Vec<_>>(), expected);
}

#[test]
fn the_places_of_the_box_s_own_may_be_taken() {
    let project = Project::new("services: {}\n");
    project.file("file", "one\n");
    commit_all(&project);
    let source = project.create(&[]);
    source
        .exec(
            "set -e; cd /; sudo cp -a /workspace /elsewhere; sudo rm -r /workspace; sudo ln -s /elsewhere /workspace
             sudo rm /var/lib/agentbox/seeded; sudo mkfifo /var/lib/agentbox/seeded; sudo chmod 1777 /var/lib/agentbox",
        )
        .ok();
    let checkpoint = Checkpoint::of(&project, source);
    project.file("file", "two\n");

    let warm = checkpoint.create(&[]);
    same_as_here(&project, &warm);
    let kinds = "stat -c '%F %a %U' /workspace /var/lib/agentbox; stat -c %F /var/lib/agentbox/seeded; cat /elsewhere/file";
    assert_eq!(
        warm.exec(kinds).ok().stdout,
        "directory 755 developer\ndirectory 755 root\nregular file\none\n"
    );
}
