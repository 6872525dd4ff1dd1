//! Which box a user means.

use agentbox_ctl::failure::Failure;

use super::identity::host_id;
use super::observe::{BoxInfo, observe};
use crate::docker::Docker;
use crate::project::Project;

/// Shortest id prefix that names a box.
const SHORTEST_PREFIX: usize = 4;

/// Asks the engine and finds the box that `spec` means.
///
/// # Errors
/// As [`find`], and those of the engine.
pub async fn resolve(docker: &Docker, project: &Project, spec: Option<&str>) -> Result<BoxInfo, Failure> {
    let observation = observe(docker).await?;
    find(&observation.boxes, project, spec).cloned()
}

/// The boxes of a project on this host, in the order that `list` shows.
pub fn of_project<'a>(boxes: &'a [BoxInfo], project: &Project) -> Vec<&'a BoxInfo> {
    let (host, label) = (host_id(), project.label());
    boxes
        .iter()
        .filter(|info| info.project == label && info.host == host)
        .collect()
}

/// Finds a box: by its exact name, then by its index in the project's list (from 1), then by a prefix of its id of at
/// least four characters. Without `spec` it is the project's only box.
///
/// # Errors
/// [`Kind::NotFound`](agentbox_ctl::failure::Kind::NotFound) when none is meant, or several could be; with the list.
pub fn find<'a>(boxes: &'a [BoxInfo], project: &Project, spec: Option<&str>) -> Result<&'a BoxInfo, Failure> {
    let own = of_project(boxes, project);
    let Some(spec) = spec else {
        return match own.as_slice() {
            [only] => Ok(only),
            [] => Err(
                Failure::not_found(format!("project {} has no box", project.root.display()))
                    .hint("agentbox create, or agentbox list -g for the boxes of other projects"),
            ),
            several => Err(Failure::not_found(format!(
                "project {} has {} boxes: name one",
                project.root.display(),
                several.len()
            ))
            .cause(names(several))
            .hint("agentbox list")),
        };
    };
    if let Some(exact) = boxes.iter().find(|info| info.name == spec) {
        return Ok(exact);
    }
    // As `list` shows it: `001` is the beginning of an id.
    let index = spec
        .parse::<usize>()
        .ok()
        .filter(|index| index.to_string() == spec);
    let index = index.and_then(|index| index.checked_sub(1));
    if let Some(info) = index.and_then(|index| own.get(index)) {
        return Ok(info);
    }
    let by_id: Vec<&BoxInfo> = if spec.len() >= SHORTEST_PREFIX {
        boxes.iter().filter(|info| info.id.starts_with(spec)).collect()
    } else {
        Vec::new()
    };
    match by_id.as_slice() {
        [only] => Ok(only),
        [] => {
            let failure = Failure::not_found(format!("there is no box `{spec}`"));
            let failure = if own.is_empty() {
                failure
            } else {
                failure.cause(names(&own))
            };
            Err(failure.hint("agentbox list -g"))
        }
        several => Err(
            Failure::not_found(format!("`{spec}` begins the ids of {} boxes", several.len()))
                .cause(names(several))
                .hint("agentbox list -g"),
        ),
    }
}

/// Whether nothing is meant at all: [`find`] fails, and not for several that could be meant.
pub fn is_absent(boxes: &[BoxInfo], project: &Project, spec: Option<&str>) -> bool {
    let several = match spec {
        None => of_project(boxes, project).len() > 1,
        Some(spec) => spec.len() >= SHORTEST_PREFIX && boxes.iter().any(|info| info.id.starts_with(spec)),
    };
    !several && find(boxes, project, spec).is_err()
}

fn names(boxes: &[&BoxInfo]) -> String {
    let names: Vec<&str> = boxes.iter().map(|info| info.name.as_str()).collect();
    format!("there are: {}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use agentbox_ctl::failure::Kind;
    use std::path::PathBuf;

    fn project() -> Project {
        Project {
            root: PathBuf::from("/p"),
            has_config: true,
            in_git: true,
        }
    }

    #[test]
    fn name_then_index_then_id_prefix() {
        let host = host_id();
        let boxes = [
            sample("web", "/p", &host, "aaaa1111"),
            sample("1", "/q", &host, "aaaa2222"),
            sample("far", "/p", "other-host", "bbbb3333"),
            sample("two", "/p", &host, "2ccc4444"),
        ];
        let found = |spec| find(&boxes, &project(), spec).map(|info| info.name.as_str());
        assert_eq!(found(Some("web")), Ok("web"));
        // The name comes before the index, and the index counts the project's own boxes.
        assert_eq!(found(Some("1")), Ok("1"));
        assert_eq!(found(Some("2")), Ok("two"));
        assert_eq!(found(Some("bbbb")), Ok("far"));
        let refused = |spec| found(spec).unwrap_err();
        assert_eq!(refused(Some("bbb")).kind, Kind::NotFound);
        assert_eq!(refused(Some("3")).message, "there is no box `3`");
        assert_eq!(refused(Some("0")).message, "there is no box `0`");
        assert_eq!(refused(Some("aaaa")).message, "`aaaa` begins the ids of 2 boxes");
        assert_eq!(
            refused(None).render(),
            "error: project /p has 2 boxes: name one\n  caused by: there are: web, two\nhint: agentbox list\n"
        );
    }

    #[test]
    fn absent_is_not_ambiguous() {
        let host = host_id();
        let boxes = [
            sample("web", "/p", &host, "aaaa1111"),
            sample("two", "/p", &host, "aaaa2222"),
        ];
        let absent = |spec| is_absent(&boxes, &project(), spec);
        assert!(absent(Some("nope")) && absent(Some("9")));
        assert!(!absent(Some("web")) && !absent(Some("aaaa")) && !absent(None));
        assert!(is_absent(&[], &project(), None));
    }

    #[test]
    fn the_only_box_needs_no_name() {
        let host = host_id();
        let boxes = [
            sample("web", "/p", &host, "a"),
            sample("far", "/p", "elsewhere", "b"),
        ];
        assert_eq!(find(&boxes, &project(), None).unwrap().name, "web");
        assert_eq!(
            find(&boxes[1..], &project(), None).unwrap_err().kind,
            Kind::NotFound
        );
    }
}
