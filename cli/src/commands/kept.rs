//! What `agentbox spec` and `agentbox setup-script` do alike.

use std::io::Read;
use std::path::Path;

use agentbox_ctl::config::SIZE_LIMIT;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::report::align;
use serde::Serialize;

use super::on_runtime;
use crate::Exit;
use crate::boxes::BoxState;
use crate::context::Context;
use crate::spec::{self, Attached, Library, detach};
use crate::target::Target;
use crate::ui::one_line;

/// Which objects are meant.
#[derive(Debug, clap::Args)]
pub(super) struct Names {
    /// Names or ids
    #[arg(value_name = "NAME", required = true)]
    names: Vec<String>,
}

/// A box and objects.
#[derive(Debug, clap::Args)]
pub(super) struct BoxAndNames {
    /// The box (name, index or id; else the project's only one), and names or ids. A first word that names no box, or stands
    /// alone, is a name
    #[arg(value_name = "[BOX] NAME", required = true)]
    words: Vec<String>,
}

/// One object that was attached or detached, as `--json` has it.
#[derive(Debug, Serialize)]
struct Outcome {
    kind: agentbox_ctl::spec::Kind,
    name: String,
    id: String,
    changed: bool,
}

/// Prints all objects: a row each, or a bare array.
pub(super) fn list<K: Attached>(
    context: &Context,
    header: &[&str],
    row: impl Fn(&K) -> Vec<String>,
) -> Result<Exit, Failure> {
    let all = K::store(&Library::of(context)?).list()?;
    if context.json {
        context.ui.json(&all)?;
    } else if all.is_empty() {
        context.ui.status(&format!("there are no {}s", K::WORD));
        context.ui.hint(&format!("agentbox {} create --help", K::COMMAND));
    } else {
        let header = header.iter().map(|word| (*word).to_owned()).collect();
        let rows: Vec<Vec<String>> = std::iter::once(header).chain(all.iter().map(row)).collect();
        context.ui.data(&align(&rows))?;
    }
    Ok(Exit::SUCCESS)
}

/// Forgets objects; those before one that does not exist are gone then.
pub(super) fn remove<K: Attached>(arguments: &Names, context: &Context) -> Result<Exit, Failure> {
    let library = Library::of(context)?;
    let store = K::store(&library);
    // Each once, and all of them there, before any is removed.
    let mut ids: Vec<String> = Vec::new();
    for name in &arguments.names {
        let id = store.find(name)?.id().to_owned();
        if !ids.contains(&id) {
            ids.push(id);
        }
    }
    let mut removed = Vec::new();
    for id in &ids {
        let kept = store.remove(id)?;
        context
            .ui
            .status(&format!("{} `{}` is deleted", K::WORD, kept.name()));
        removed.push(kept);
    }
    if context.json {
        context.ui.json(&removed)?;
    }
    Ok(Exit::SUCCESS)
}

/// Attaches objects to a box that is there.
pub(super) fn attach<K: Attached>(arguments: &BoxAndNames, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let (target, names) = resolve(arguments, context).await?;
        let library = Library::of(context)?;
        let copies = library.copies_of::<K>(&names, |_, refused| refused)?;
        let changing = spec::change(context, &target.docker, &target.info, |attached| {
            copies
                .iter()
                .map(|copy| Ok(outcome(&copy.content, library.attach(attached, &copy.content)?)))
                .collect::<Result<Vec<_>, _>>()
        });
        let outcomes = changing.await.map_err(|failure| for_box(failure, &target))?;
        tell::<K>(context, &target, &outcomes, "attached")
    })
}

/// Takes objects from a box.
pub(super) fn take<K: Attached>(arguments: &BoxAndNames, context: &Context) -> Result<Exit, Failure> {
    on_runtime(async {
        let (target, names) = resolve(arguments, context).await?;
        let changing = spec::change(context, &target.docker, &target.info, |attached| {
            detach::<K>(attached, &names)
        });
        let taken = changing.await.map_err(|failure| for_box(failure, &target))?;
        let outcomes: Vec<_> = taken.iter().map(|kept| outcome(kept, true)).collect();
        tell::<K>(context, &target, &outcomes, "detached")
    })
}

/// A first word is the box where it names one and others follow it.
async fn resolve(arguments: &BoxAndNames, context: &Context) -> Result<(Target, Vec<String>), Failure> {
    match arguments.words.as_slice() {
        [first, names @ ..] if !names.is_empty() => Target::with_units(context, Some(first), names).await,
        names => Target::with_units(context, None, names).await,
    }
}

fn outcome<K: Attached>(kept: &K, changed: bool) -> Outcome {
    Outcome {
        kind: K::KIND,
        name: kept.name().to_owned(),
        id: kept.id().to_owned(),
        changed,
    }
}

fn for_box(mut failure: Failure, target: &Target) -> Failure {
    for hint in &mut failure.hints {
        if hint.starts_with("agentbox ") {
            *hint = hint.replace(" BOX", &format!(" {}", target.info.name));
        }
    }
    failure
}

fn tell<K: Attached>(
    context: &Context,
    target: &Target,
    outcomes: &[Outcome],
    done: &str,
) -> Result<Exit, Failure> {
    let name = &target.info.name;
    for outcome in outcomes {
        let already = if outcome.changed { "" } else { " already" };
        context.ui.status(&format!(
            "{} `{}` is {done}{already}",
            K::WORD,
            one_line(&outcome.name)
        ));
    }
    if outcomes.iter().any(|outcome| outcome.changed) {
        match target.info.state {
            BoxState::Stopped | BoxState::Dead => context
                .ui
                .status(&format!("it takes effect when box `{name}` starts")),
            BoxState::Running | BoxState::Paused => {
                context
                    .ui
                    .status(&format!("it takes effect at the next start of box `{name}`"));
                context.ui.hint(&format!("agentbox restart {name}"));
            }
        }
    }
    if context.json {
        context.ui.json(&outcomes)?;
    }
    Ok(Exit::SUCCESS)
}

/// What `-f` names: what it is called in messages, and its content.
///
/// # Errors
/// A file that cannot be read, or is far too large (2).
pub(super) fn read(path: &Path, context: &Context) -> Result<(String, Vec<u8>), Failure> {
    let is_stdin = path.as_os_str() == "-";
    let name = match is_stdin {
        true => "stdin".to_owned(),
        false => path.display().to_string(),
    };
    let mut content = Vec::new();
    let limit = SIZE_LIMIT as u64 + 1;
    let result = if is_stdin {
        std::io::stdin().lock().take(limit).read_to_end(&mut content)
    } else {
        std::fs::File::open(context.directory.join(path))
            .and_then(|file| file.take(limit).read_to_end(&mut content))
    };
    result.map_err(|error| Failure::usage(format!("cannot read {}", one_line(&name))).because(&error))?;
    if content.len() > SIZE_LIMIT {
        return Err(Failure::usage(format!(
            "{} is longer than {SIZE_LIMIT} bytes",
            one_line(&name)
        )));
    }
    Ok((name, content))
}

/// Lines of `name: value`, one beneath the other.
pub(super) fn details(rows: &[(&str, String)]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, value)| {
            let name = if name.is_empty() {
                String::new()
            } else {
                format!("{name}:")
            };
            vec![name, value.clone()]
        })
        .collect();
    align(&rows)
}

/// Text on one line, and not too much of it.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    let text = one_line(text);
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.into_owned(),
    }
}
