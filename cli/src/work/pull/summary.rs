//! What a pull brought, as people and programs read it.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::work::Report;
use serde::Serialize;

use super::plan::{Change, Relation, short, short_name};
use crate::context::Context;
use crate::host_git::HostGit;
use crate::ui::one_line;
use crate::work::names::is_object_id;

/// Most commits of a reference that are shown.
const COMMITS: usize = 20;
/// Columns, columns of a name, and lines of a diffstat.
const STAT: &str = "--stat=100,70,40";

/// A commit that came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Commit {
    id: String,
    subject: String,
}

/// A reference that was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Written {
    reference: String,
    source: String,
    old: Option<String>,
    new: String,
    forced: bool,
    commit_count: usize,
    /// The newest of them.
    commits: Vec<Commit>,
}

/// Everything that a pull did.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Summary {
    #[serde(rename = "box")]
    name: String,
    references: Vec<Written>,
    /// Lines of a diffstat of the box's branch, the sum last.
    #[serde(rename = "diffstat")]
    stat: Vec<String>,
    /// How many paths in the box are not committed and not from the host either.
    uncommitted: usize,
}

impl Summary {
    /// Looks at what is about to be written: it can be told from what is there only before that.
    ///
    /// # Errors
    /// Those of git.
    pub fn new(
        git: &HostGit,
        name: &str,
        changes: &[Change],
        report: &Report,
        uncommitted: usize,
    ) -> Result<Self, Failure> {
        let mut summary = Self {
            name: name.to_owned(),
            references: Vec::new(),
            stat: Vec::new(),
            uncommitted,
        };
        for change in changes {
            summary.references.push(written(git, change)?);
        }
        if let Some(first) = changes.first()
            && first.wanted.reference == super::plan::branch_of(name)
        {
            let base = report.base.as_ref().filter(|base| is_commit(git, base));
            summary.stat = stat(git, first.old.as_ref().or(base), &first.wanted.id)?;
        }
        Ok(summary)
    }

    /// Prints it.
    ///
    /// # Errors
    /// A stdout that cannot be written.
    pub fn print(&self, context: &Context) -> Result<(), Failure> {
        let ui = &context.ui;
        if context.json {
            return ui.json(self);
        }
        let style = ui.stdout_style();
        for written in &self.references {
            let name = short_name(&written.reference);
            ui.line(&format!("{}: {}", style.green(name), written.told()))?;
            for commit in &written.commits {
                ui.line(&format!("  {} {}", style.yellow(&commit.id), commit.subject))?;
            }
            let more = written.commit_count - written.commits.len();
            if more > 0 {
                ui.line(&format!("  and {more} more"))?;
            }
        }
        for line in &self.stat {
            ui.line(line)?;
        }
        Ok(())
    }
}

impl Written {
    fn told(&self) -> String {
        let commits = match self.commit_count {
            0 => "no commits of its own".to_owned(),
            1 => "1 new commit".to_owned(),
            count => format!("{count} new commits"),
        };
        match &self.old {
            None => format!("new branch, {commits}"),
            Some(old) if self.forced => format!("{commits}, overwrote {}", short(old)),
            Some(_) => commits,
        }
    }
}

fn written(git: &HostGit, change: &Change) -> Result<Written, Failure> {
    let id = &change.wanted.id;
    // For a new branch, what no reference of the host has.
    let without = change.old.as_deref().unwrap_or("--all");
    let count = git.text(["rev-list", "--count", id, "--not", without, "--"])?;
    let limit = format!("--max-count={COMMITS}");
    let log = git.text([
        "log",
        "--no-color",
        "--no-decorate",
        "--no-show-signature",
        "--no-notes",
        "--no-patch",
        "--format=%h %s",
        &limit,
        id,
        "--not",
        without,
        "--",
    ])?;
    Ok(Written {
        reference: change.wanted.reference.clone(),
        source: change.wanted.source.clone(),
        old: change.old.clone(),
        new: id.clone(),
        forced: matches!(change.relation, Relation::Diverged | Relation::Behind),
        commit_count: count.parse().unwrap_or_default(),
        commits: log
            .lines()
            .map(|line| {
                let (id, subject) = line.split_once(' ').unwrap_or((line, ""));
                Commit {
                    id: id.to_owned(),
                    subject: one_line(subject).chars().take(200).collect(),
                }
            })
            .collect(),
    })
}

fn stat(git: &HostGit, from: Option<&String>, to: &str) -> Result<Vec<String>, Failure> {
    let empty;
    let from = match from {
        Some(from) => from,
        None => {
            empty = git.text(["hash-object", "-t", "tree", "/dev/null"])?;
            &empty
        }
    };
    let text = git.text([
        "diff",
        "--no-color",
        "--no-ext-diff",
        "--no-textconv",
        "--submodule=short",
        "--ignore-submodules=none",
        STAT,
        from,
        to,
        "--",
    ])?;
    Ok(text.lines().map(|line| one_line(line).into_owned()).collect())
}

fn is_commit(git: &HostGit, id: &str) -> bool {
    is_object_id(id) && git.agrees(["cat-file", "-e", &format!("{id}^{{commit}}")])
}
