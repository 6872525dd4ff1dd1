//! What a box that starts from a checkpoint may have of a repository's history.

use std::path::Path;

use agentbox_ctl::failure::Failure;

use super::Repository;
use crate::seed::questions::Asked;
use crate::seed::stream::Sender;

/// How far back the commits lie that are asked about where nobody knows which the box may have.
const STEPS: [usize; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

/// Asks the box about the objects of a repository, whose git directory comes into `target`: about everything that it
/// will need, then about `base`, a commit that its history is said to hold, else about older and older commits.
///
/// # Errors
/// A stream that nobody reads any more.
pub(in crate::seed) fn ask(
    sender: &mut Sender<'_>,
    repository: &Repository,
    target: &Path,
    base: Option<&str>,
) -> Result<Asked, Failure> {
    let everything: Vec<String> = repository.tips().map(str::to_owned).collect();
    // A history that ends early here may end earlier there, and objects that are missing here may be missing there.
    let is_whole = repository.shallow.is_none()
        && !repository
            .git
            .agrees(["config", "--get", "extensions.partialClone"]);
    let mut ids = Vec::new();
    if is_whole && !everything.is_empty() {
        let older = older(repository, base);
        let tags: Vec<String> = repository.tags.iter().map(|(_, id)| id.clone()).collect();
        ids.push(everything);
        // Tags outside of what is checked out may hold much.
        if let (Some(first), false) = (older.first(), tags.is_empty()) {
            ids.push([tags, vec![first.clone()]].concat());
        }
        ids.extend(older.into_iter().map(|id| vec![id]));
    } else {
        // No question, but the box learns of the repository.
        ids.push(Vec::new());
    }
    let own = target.join(".git");
    for ids in &ids {
        sender.ask(&own, ids)?;
    }
    Ok(match &mut sender.questions {
        Some(questions) => questions.ask(ids),
        None => Asked::default(),
    })
}

/// Commits that the box may have where it has not all, the likeliest first.
fn older(repository: &Repository, base: Option<&str>) -> Vec<String> {
    let is_id = |id: &&str| id.len() >= 40 && id.bytes().all(|digit| digit.is_ascii_hexdigit());
    if let Some(base) = base.filter(is_id)
        && repository
            .git
            .agrees(["cat-file", "-e", &format!("{base}^{{commit}}")])
    {
        return vec![base.to_owned()];
    }
    let Some(head) = &repository.head else {
        return Vec::new();
    };
    let count = format!("--max-count={}", STEPS[STEPS.len() - 1] + 1);
    let listed = repository.git.text(["rev-list", "--first-parent", &count, head]);
    let listed = listed.unwrap_or_default();
    let commits: Vec<&str> = listed.lines().collect();
    STEPS
        .iter()
        .filter_map(|step| commits.get(*step).map(|id| (*id).to_owned()))
        .collect()
}
