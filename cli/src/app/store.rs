//! The apps of a box, kept with the box: written and read by the host, whatever the box does just then.

use agentbox_ctl::failure::Failure;
use agentbox_ctl::paths;
use agentbox_ctl::protocol::message::ListeningPort;
use agentbox_ctl::report::one_line;

use super::model::{self, App, MOST};
use crate::boxes::identity::new_id;
use crate::boxes::private::Document;
use crate::boxes::{BoxInfo, name};
use crate::context::Context;
use crate::docker::Docker;
use crate::relay;
use crate::spec::Refused;

/// What an app is called after a process without a name that fits.
const NAMELESS: &str = "app";

/// The apps of a box, by name.
///
/// # Errors
/// A box that is gone or cannot be read, a list that cannot be understood.
pub async fn list(docker: &Docker, info: &BoxInfo) -> Result<Vec<App>, Failure> {
    let apps = document(docker, info).read().await.map_err(broken(info))?;
    Ok(model::sound(apps))
}

/// The app of a box that a word names: by name or id.
///
/// # Errors
/// [`Refused::Missing`] (exit code 3); those of [`list`].
pub async fn find(docker: &Docker, info: &BoxInfo, word: &str) -> Result<App, Refused> {
    let apps = list(docker, info).await?;
    let found = apps.iter().find(|app| app.is_called(word)).cloned();
    found.ok_or_else(|| missing(info, word, &apps))
}

/// Makes an app.
///
/// # Errors
/// [`Refused::Taken`] where the box has one of this name; a name or port that no app can have, a box with as many as may
/// be, one that cannot be written.
pub async fn create(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    name: &str,
    port: u16,
) -> Result<App, Refused> {
    if let Some(wrong) = model::check(name, port).first() {
        let word = if wrong.field == "name" {
            format!("`{}` is not the name of an app", one_line(name))
        } else {
            format!("{port} is not a port")
        };
        return Err(Failure::usage(word).cause(wrong.message.clone()).into());
    }
    let choose = |apps: &[App]| match apps.iter().find(|app| app.name == name) {
        None => Ok(name.to_owned()),
        Some(other) => Err(taken(info, other)),
    };
    add(context, docker, info, port, choose).await
}

/// Makes an app for a port that a process listens on, named after the unit, else the program, with a number where that is taken.
///
/// # Errors
/// As [`create`], but for a name that is taken.
pub async fn expose(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    listens: &ListeningPort,
) -> Result<App, Refused> {
    let base = name_for(listens);
    let choose = |apps: &[App]| {
        Ok(name::first_free(&base, |name| {
            apps.iter().any(|app| app.name == name)
        }))
    };
    add(context, docker, info, listens.port, choose).await
}

/// Removes apps, by names or ids: all of them or, where one is missing, none.
///
/// # Errors
/// [`Refused::Missing`] (exit code 3); a box that cannot be written.
pub async fn remove(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    words: &[String],
) -> Result<Vec<App>, Refused> {
    let mut removed: Vec<App> = Vec::new();
    let change = |apps: &mut Vec<App>| {
        *apps = model::sound(std::mem::take(apps));
        for word in words {
            match apps.iter().position(|app| app.is_called(word)) {
                Some(index) => removed.push(apps.remove(index)),
                // Named twice, or gone by a try of ours that somebody else has changed.
                None if removed.iter().any(|app| app.is_called(word)) => {}
                None => return Err(missing(info, word, apps)),
            }
        }
        Ok(())
    };
    let directory = context.data_directory.as_deref();
    document(docker, info)
        .change(directory, change)
        .await
        .map_err(|refused| of_a_broken_list(info, refused))?;
    let mut ids = std::collections::HashSet::new();
    removed.retain(|app| ids.insert(app.id.clone()));
    relay::apps_changed(context, docker, &info.id).await;
    Ok(removed)
}

async fn add(
    context: &Context,
    docker: &Docker,
    info: &BoxInfo,
    port: u16,
    choose: impl Fn(&[App]) -> Result<String, Refused>,
) -> Result<App, Refused> {
    let digits = new_id()?;
    let change = |apps: &mut Vec<App>| {
        *apps = model::sound(std::mem::take(apps));
        let mut app = App::new(&digits, NAMELESS, port);
        // There already where somebody else has changed the list after a try of ours.
        if let Some(ours) = apps.iter().find(|other| other.id == app.id) {
            return Ok(ours.clone());
        }
        app.name = choose(apps)?;
        if apps.len() >= MOST {
            return Err(Refused::Failed(
                Failure::failed(format!("box `{}` has {MOST} apps, as many as may be", info.name))
                    .hint(format!("agentbox app rm {} NAME", info.name)),
            ));
        }
        apps.push(app.clone());
        Ok(app)
    };
    let directory = context.data_directory.as_deref();
    let app = document(docker, info)
        .change(directory, change)
        .await
        .map_err(|refused| of_a_broken_list(info, refused))?;
    relay::apps_changed(context, docker, &info.id).await;
    Ok(app)
}

fn document<'a>(docker: &'a Docker, info: &'a BoxInfo) -> Document<'a> {
    Document {
        docker,
        info,
        path: paths::APPS,
    }
}

fn name_for(listens: &ListeningPort) -> String {
    let fitting = |text: &String| {
        let has_any = text.bytes().any(|byte| byte.is_ascii_alphanumeric());
        has_any.then(|| name::fit(text))
    };
    let unit = listens.unit.as_ref().and_then(fitting);
    unit.or_else(|| listens.process.as_ref().and_then(fitting))
        .unwrap_or_else(|| NAMELESS.to_owned())
}

fn taken(info: &BoxInfo, other: &App) -> Refused {
    let App { name, id, port, .. } = other;
    Refused::Taken(
        Failure::failed(format!(
            "box `{}` has an app `{name}` already, {id}, of port {port}",
            info.name
        ))
        .hint(format!("agentbox app rm {} {name}, or another name", info.name)),
    )
}

fn missing(info: &BoxInfo, word: &str, apps: &[App]) -> Refused {
    let mut failure = Failure::not_found(format!("box `{}` has no app `{}`", info.name, one_line(word)));
    let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
    if !names.is_empty() {
        failure = failure.cause(format!("its apps are {}", names.join(", ")));
    }
    Refused::Missing(failure.hint(format!("agentbox app list {}", info.name)))
}

fn of_a_broken_list(info: &BoxInfo, refused: Refused) -> Refused {
    match refused {
        Refused::Failed(failure) => Refused::Failed(broken(info)(failure)),
        other => other,
    }
}

/// A list that only somebody in the box can have broken; says how to be rid of it.
fn broken(info: &BoxInfo) -> impl Fn(Failure) -> Failure {
    let name = info.name.clone();
    move |failure| {
        if failure.message.ends_with("cannot be understood") {
            failure.hint(format!("agentbox exec {name} -- sudo rm {}", paths::APPS))
        } else {
            failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_app_is_called_after_the_unit_else_the_program() {
        let name = |unit: Option<&str>, process: Option<&str>| {
            name_for(&ListeningPort {
                port: 1,
                addresses: Vec::new(),
                unit: unit.map(str::to_owned),
                process: process.map(str::to_owned),
                pid: None,
            })
        };
        assert_eq!(name(Some("web_UI"), Some("node")), "web-ui");
        assert_eq!(name(None, Some("python3.11")), "python3-11");
        assert_eq!(name(Some("__"), Some("node")), "node");
        assert_eq!(name(None, Some("\u{1b}[31m")), "31m");
        assert_eq!(name(None, Some("…")), "app");
        assert_eq!(name(None, None), "app");
        assert_eq!(name(Some(&"w".repeat(60)), None), "w".repeat(40));
    }
}
