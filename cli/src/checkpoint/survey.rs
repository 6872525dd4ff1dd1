//! What a checkpoint's labels say about its box, read by the archive API: in every state of the box, without running
//! anything in it. Whatever a box has there that cannot be read counts as not there.

use agentbox_ctl::config::model::{Launch, Unit};
use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::time::Timestamp;
use agentbox_ctl::work::BASE;

use super::exposed::exposed;
use super::record::{Parent, Record, VolumeLeftOut, is_commit};
use super::reference::Key;
use crate::boxes::maker::Maker;
use crate::boxes::{BoxInfo, label};
use crate::docker::{ContainerDetails, Docker, DockerError, ImageDetails};
use crate::project_config;
use crate::seed::user;
use crate::supervisor_binary;

/// Longest file that holds one reference, in bytes.
const REFERENCE_LIMIT: usize = 4 * 1024;
/// Longest `packed-refs`, in bytes: a hundred thousand references.
const PACKED_LIMIT: usize = 16 << 20;
/// Longest `/etc/passwd`, in bytes.
const PASSWD_LIMIT: usize = 1 << 20;
/// Longest list of carried files, in bytes.
const CARRIED_LIMIT: usize = 4 << 20;
/// Where an inner engine keeps its images and volumes.
const INNER_ENGINE: &str = "/var/lib/docker";

/// A box about which everything is known that a checkpoint of it needs.
#[derive(Debug)]
pub(super) struct Survey {
    /// The image that the box was made from.
    pub(super) image: ImageDetails,
    /// Secrets that are files in a checkpoint beneath, whatever the box has there now.
    pub(super) exposed_beneath: Vec<String>,
    /// Home of the box user.
    pub(super) home: String,
    /// What the labels will say. The name and the depth are yet to be decided.
    pub(super) record: Record,
    /// Depth of the checkpoint that the box was made from, 0 where it was made from none.
    pub(super) depth: usize,
}

/// Looks at a box.
///
/// # Errors
/// An image that was removed under the box, those of the engine.
pub(super) async fn survey(docker: &Docker, info: &BoxInfo) -> Result<Survey, Failure> {
    let container = &info.container_id;
    let (details, image, heads, carried, passwd) = tokio::join!(
        docker.inspect_container(container),
        docker.inspect_image(&info.image_id),
        heads(docker, container),
        read(docker, container, paths::CARRIED, CARRIED_LIMIT),
        read(docker, container, "/etc/passwd", PASSWD_LIMIT),
    );
    let (details, image, (head, base), carried, passwd) = (details?, image?, heads?, carried?, passwd?);
    let image = image.ok_or_else(|| {
        Failure::failed(format!(
            "the image that box `{}` was made from is gone, so nothing can be made on top of it",
            info.name
        ))
        .cause(info.image.clone())
    })?;
    let beneath = Record::from_labels(&image.labels);
    let is_warm = !beneath.name.is_empty() && !image.labels.contains_key(label::TEMPORARY);
    let volumes = volumes(docker, info, &details).await?;
    let exposed_beneath = if is_warm {
        beneath.exposed.clone()
    } else {
        Vec::new()
    };
    let exposed = exposed(docker, container, &exposed_beneath).await?;
    let owner = match user::without_files(&image.user) {
        Some(owner) => Some(owner),
        None => {
            let group = read(docker, container, "/etc/group", PASSWD_LIMIT).await?;
            // A user that the box has lost is looked for, and missed, where a box is made.
            user::look_up(&image.user, passwd.as_deref(), group.as_deref()).ok()
        }
    };
    let mut files: Vec<String> = carried
        .and_then(|bytes| serde_json::from_slice(&bytes).ok())
        .unwrap_or_default();
    let mut parents = Vec::new();
    if is_warm {
        files.extend(beneath.carried.clone());
        // The label has the name that was free when it was begun; another one may have taken that meanwhile.
        let name = Key::of_tag(&info.image).map_or(beneath.name.as_str(), |(_, name)| name);
        parents.push(Parent {
            name: name.to_owned(),
            id: image.id.clone(),
        });
        parents.extend(beneath.parents.clone());
    }
    files.sort();
    files.dedup();
    let record = Record {
        name: String::new(),
        project: info.project.clone(),
        host: info.host.clone(),
        maker: Maker::current().encode(),
        version: supervisor_binary::VERSION.to_owned(),
        source_box: info.name.clone(),
        parents,
        depth: 0,
        time: Some(Timestamp::now()),
        head,
        base,
        image: if is_warm {
            beneath.image.clone()
        } else {
            info.image.clone()
        },
        image_id: if is_warm {
            beneath.image_id
        } else {
            image.id.clone()
        },
        owner,
        carried: files,
        exposed,
        volumes,
    };
    Ok(Survey {
        depth: if is_warm { beneath.depth } else { 0 },
        exposed_beneath,
        home: user::home(&image.user, passwd.as_deref()),
        image,
        record,
    })
}

/// The commit that the workspace is at, and the one that it forked from.
async fn heads(docker: &Docker, container: &str) -> Result<(Option<String>, Option<String>), Failure> {
    let git = |path: &str| format!("{}/.git/{path}", paths::WORKSPACE);
    let (head_path, base_path) = (git("HEAD"), git(BASE));
    let (head, base) = tokio::try_join!(
        read(docker, container, &head_path, REFERENCE_LIMIT),
        read(docker, container, &base_path, REFERENCE_LIMIT),
    )?;
    let Some(head) = head.as_deref().and_then(line) else {
        return Ok((None, None));
    };
    let mut base = base.as_deref().and_then(line).filter(|id| is_commit(id));
    let mut commit = Some(head.clone()).filter(|id| is_commit(id));
    let reference = head.strip_prefix("ref: ").filter(|name| is_reference(name));
    if let (None, Some(reference)) = (&commit, reference) {
        let loose = read(docker, container, &git(reference), REFERENCE_LIMIT).await?;
        commit = loose.as_deref().and_then(line).filter(|id| is_commit(id));
    }
    if (commit.is_none() && reference.is_some()) || base.is_none() {
        let packed = read(docker, container, &git("packed-refs"), PACKED_LIMIT)
            .await?
            .unwrap_or_default();
        commit = commit.or_else(|| packed_reference(&packed, reference?));
        base = base.or_else(|| packed_reference(&packed, BASE));
    }
    Ok((commit, base))
}

/// The volumes of a box that are its user's, with the units that speak of them.
async fn volumes(
    docker: &Docker,
    info: &BoxInfo,
    details: &ContainerDetails,
) -> Result<Vec<VolumeLeftOut>, Failure> {
    let prefix = crate::boxes::name::volume(&info.id, "");
    let mut volumes: Vec<VolumeLeftOut> = details
        .mounts
        .iter()
        .filter(|(kind, _, path)| kind == "volume" && path != paths::PRIVATE)
        .map(|(_, volume, path)| VolumeLeftOut {
            // One that the image declares has no name but the engine's.
            name: volume.strip_prefix(&prefix).unwrap_or_default().to_owned(),
            path: path.clone(),
            units: Vec::new(),
        })
        .collect();
    if volumes.is_empty() {
        return Ok(volumes);
    }
    volumes.sort_by(|a, b| a.path.cmp(&b.path));
    let config = read(
        docker,
        &info.container_id,
        paths::CONFIG,
        project_config::LIMIT as usize,
    )
    .await?
    .and_then(|bytes| project_config::validate(&bytes, paths::CONFIG).ok())
    .unwrap_or_default();
    for volume in &mut volumes {
        volume.units = config
            .units
            .iter()
            .filter(|unit| uses(unit, &volume.path))
            .map(|unit| unit.name.clone())
            .collect();
    }
    Ok(volumes)
}

/// Whether a unit speaks of a path, or keeps its data there without saying so.
fn uses(unit: &Unit, path: &str) -> bool {
    let below_workspace = path
        .strip_prefix(paths::WORKSPACE)
        .map(|rest| rest.trim_start_matches('/'))
        .filter(|rest| !rest.is_empty());
    let speaks =
        |text: &str| mentions(text, path) || below_workspace.is_some_and(|relative| mentions(text, relative));
    let launches = match &unit.launch {
        Launch::Shell(line) => speaks(line),
        Launch::Argv(words) => words.iter().any(|word| speaks(word)),
        Launch::Exec(line) => line.words.iter().any(|word| speaks(word)),
        Launch::Script(content) => speaks(content),
        Launch::Image(image) => path == INNER_ENGINE || image.args.iter().any(|word| speaks(word)),
    };
    launches || unit.cwd.as_deref().is_some_and(speaks) || unit.env.iter().any(|(_, value)| speaks(value))
}

/// Whether a text has a path in it as a whole, not as the beginning of a longer name or the end of another path.
fn mentions(text: &str, path: &str) -> bool {
    let is_name = |character: char| character.is_alphanumeric() || "_-.".contains(character);
    text.match_indices(path).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + path.len()..].chars().next();
        let begins = !before
            .is_some_and(|character| is_name(character) && character != '.' || character == '/')
            || text[..at].ends_with("./");
        begins && !after.is_some_and(is_name)
    })
}

/// The content of a file; `None` where it is none that could be meant.
pub(super) async fn read(
    docker: &Docker,
    container: &str,
    path: &str,
    limit: usize,
) -> Result<Option<Vec<u8>>, DockerError> {
    match docker.read_file(container, path, limit).await {
        Err(error @ DockerError::Unreachable { .. }) => Err(error),
        // A directory, a link that leads in a circle, a file without end.
        result => Ok(result.unwrap_or_default()),
    }
}

/// A file's only line.
fn line(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim_end();
    (!text.contains('\n')).then(|| text.to_owned())
}

/// Whether a text can be looked up below `.git` as a branch's name.
fn is_reference(name: &str) -> bool {
    name.starts_with("refs/")
        && !name.contains("..")
        && !name.contains("//")
        && name.bytes().all(|byte| byte > b' ' && byte != 0x7f)
}

/// The commit that a reference has in `packed-refs`.
fn packed_reference(packed: &[u8], reference: &str) -> Option<String> {
    packed
        .split(|byte| *byte == b'\n')
        .filter_map(|line| std::str::from_utf8(line).ok()?.split_once(' '))
        .find(|(_, name)| *name == reference)
        .map(|(id, _)| id.to_owned())
        .filter(|id| is_commit(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_where_git_packs_them() {
        let id = "a".repeat(40);
        let packed = format!("# pack-refs with: peeled\n{id} refs/heads/x\n^{id}\nnonsense refs/heads/y\n");
        assert_eq!(packed_reference(packed.as_bytes(), "refs/heads/x"), Some(id));
        assert_eq!(packed_reference(packed.as_bytes(), "refs/heads/y"), None);
        assert_eq!(packed_reference(b"", "refs/heads/x"), None);
        assert!(is_reference("refs/heads/agentbox/a"));
        assert!(!is_reference("refs/../../../etc/passwd") && !is_reference("HEAD"));
        assert_eq!(line(b"ref: refs/heads/x\n").as_deref(), Some("ref: refs/heads/x"));
        assert_eq!(line(b"a\nb\n"), None);
    }

    #[test]
    fn units_that_speak_of_a_volume() {
        let config = "services:
  a: {command: 'postgres -D /data'}
  b: {command: [run, --dir=/data/x]}
  c: {command: run, env: {DIR: /data}}
  d: {command: run, cwd: /data}
  e: {command: 'ls /data2 /other/data data'}
  f: {image: {name: postgres}}
  g: {command: 'ls ./cache'}
";
        let config = project_config::validate(config.as_bytes(), "agentbox.yaml").unwrap();
        let using = |path: &str| -> String {
            config
                .units
                .iter()
                .filter(|unit| uses(unit, path))
                .map(|unit| unit.name.as_str())
                .collect()
        };
        assert_eq!(using("/data"), "abcd");
        assert_eq!(using("/var/lib/docker"), "f");
        assert_eq!(using("/workspace/cache"), "g");
    }
}
