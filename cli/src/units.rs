//! Names of units on a command line.

use agentbox_ctl::failure::{Failure, Kind};
use agentbox_ctl::report::{UnitsReport, one_line};

use crate::boxes::{self, BoxInfo};
use crate::project::Project;

/// Puts the box's name into the supervisor's hints: it does not know what the host calls it, and writes `BOX`.
pub fn name_box(mut failure: Failure, name: &str) -> Failure {
    if failure.kind == Kind::NotFound {
        failure.message = format!("box `{name}` has {}", failure.message);
    }
    for hint in &mut failure.hints {
        if hint.starts_with("agentbox ") {
            *hint = hint.replace(" BOX", &format!(" {name}"));
        }
    }
    failure
}

/// Checks that every unit in `wanted` exists.
///
/// # Errors
/// The first one that does not (exit code 3), with the list of those that do.
pub fn check(box_name: &str, wanted: &[String], report: &UnitsReport) -> Result<(), Failure> {
    let known = report.names();
    match wanted.iter().find(|unit| !known.contains(unit)) {
        None => Ok(()),
        Some(unit) => Err(unknown(box_name, unit, &known)),
    }
}

/// The box and the units that `[BOX] [UNIT…]` mean: a first word that names no box is a unit where the project has
/// one box.
///
/// # Errors
/// No box that could be meant, or several (exit code 3).
pub fn split<'a>(
    boxes: &'a [BoxInfo],
    project: &Project,
    name: Option<&str>,
    units: &[String],
) -> Result<(&'a BoxInfo, Vec<String>), Failure> {
    match (boxes::find(boxes, project, name), name) {
        (Ok(info), _) => Ok((info, units.to_vec())),
        (Err(failure), Some(name)) => match boxes::of_project(boxes, project).as_slice() {
            [only] => {
                let mut all = vec![name.to_owned()];
                all.extend_from_slice(units);
                Ok((only, all))
            }
            _ => Err(failure),
        },
        (Err(failure), None) => Err(failure),
    }
}

fn unknown(box_name: &str, unit: &str, known: &[String]) -> Failure {
    let failure = Failure::not_found(format!("box `{box_name}` has no unit `{unit}`"));
    if known.is_empty() {
        return failure
            .cause("it has no units")
            .hint(format!("agentbox status {box_name}"));
    }
    let known: Vec<_> = known.iter().map(|unit| one_line(unit)).collect();
    failure
        .cause(format!("its units are {}", known.join(", ")))
        .hint(format!("agentbox status {box_name}"))
}

#[cfg(test)]
mod tests {
    use agentbox_ctl::report::{ServiceState, TaskState};

    use super::*;
    use crate::testing::{report, service, task};

    #[test]
    fn hints_name_the_box() {
        let failure = Failure::failed("x").hint("agentbox logs BOX web").hint("a BOX");
        assert_eq!(name_box(failure, "b").hints, ["agentbox logs b web", "a BOX"]);
    }

    #[test]
    fn an_unknown_unit_is_told_what_there_is() {
        let report = report(
            vec![service("web", ServiceState::Ready)],
            vec![task("install", TaskState::Done)],
        );
        assert_eq!(
            check("b", &["install".to_owned(), "web".to_owned()], &report),
            Ok(())
        );
        let failure = check("b", &["wbe".to_owned()], &report).unwrap_err();
        insta::assert_snapshot!(failure.render(), @r"
        error: box `b` has no unit `wbe`
          caused by: its units are web, install
        hint: agentbox status b
        ");
        assert_eq!(failure.kind.exit_code(), 3);
    }
}
