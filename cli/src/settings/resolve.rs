//! From the flags and the layers to the one plain value that `create` works with.

use std::collections::BTreeMap;

use agentbox_ctl::config::limit;
use agentbox_ctl::config::settings::KEYS;
use agentbox_ctl::failure::Failure;

use super::layers::{Layers, Row, Source};
use crate::checkpoint;
use crate::plan::create::{Settings, Start};
use crate::ui::one_line;

/// What the command line and its environment give; `None`, or nothing in a list, leaves it to the layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Flags {
    /// Name of the box.
    pub name: Option<String>,
    /// Image reference.
    pub image: Option<String>,
    /// Checkpoint, or `none`.
    pub from: Option<String>,
    /// Whether to wait for the units.
    pub wait: Option<bool>,
    /// Memory limit in bytes.
    pub memory: Option<i64>,
    /// CPU limit in billionths.
    pub nano_cpus: Option<i64>,
    /// Limit of processes and threads.
    pub pids: Option<i64>,
    /// Environment; of a variable given twice the last counts.
    pub env: Vec<(String, String)>,
    /// Network.
    pub network: Option<String>,
    /// Capabilities.
    pub capabilities: Vec<String>,
    /// Volumes: name and path.
    pub volumes: Vec<(String, String)>,
    /// Whether the box has a Docker engine of its own.
    pub docker: Option<bool>,
    /// Service specs.
    pub service_specs: Vec<String>,
    /// Setup scripts.
    pub setup_scripts: Vec<String>,
}

/// Resolves everything that `create` takes.
///
/// # Errors
/// Two volumes at one path, a setting that this version cannot do (2).
pub fn resolve(flags: Flags, layers: &Layers) -> Result<Settings, Failure> {
    let text = |name: &str| layers.value(name).map(|row| row.text.clone());
    let switch =
        |flag: Option<bool>, name| flag.unwrap_or_else(|| text(name).is_some_and(|text| text == "true"));
    let docker = switch(flags.docker, "box.docker");
    Ok(Settings {
        name: flags.name.clone(),
        image: flags
            .image
            .clone()
            .or_else(|| image_of(layers, docker))
            .unwrap_or_default(),
        start: start(&flags, layers),
        warm: None,
        env: merged(&flags.env, layers, "box.env"),
        memory: pick(flags.memory, layers, "box.memory", limit::memory)?,
        nano_cpus: pick(flags.nano_cpus, layers, "box.cpus", limit::cpus)?,
        pids: pick(flags.pids, layers, "box.pids", limit::pids)?,
        network: flags.network.clone().or_else(|| text("box.network")),
        capabilities: merged(&capabilities(&flags), layers, "box.cap_add")
            .into_iter()
            .map(|(name, _)| name)
            .collect(),
        volumes: volumes(&flags, layers)?,
        docker,
        service_specs: in_order(&flags.service_specs, layers, "box.service_specs"),
        setup_scripts: in_order(&flags.setup_scripts, layers, "box.setup_scripts"),
        wait: switch(flags.wait, "box.wait"),
        carry_limit: pick(None, layers, "carry.max_bytes", limit::size)?
            .and_then(|bytes| u64::try_from(bytes).ok())
            .unwrap_or(u64::MAX),
        places: places(&flags, layers),
    })
}

/// The image of the layers. Where nobody asks for one, a box with Docker has the variant that brings it.
fn image_of(layers: &Layers, docker: bool) -> Option<String> {
    let row = layers.value("box.image")?;
    if docker && row.source == Source::BuiltIn {
        return Some(crate::image::DOCKER.to_owned());
    }
    Some(row.text.clone())
}

/// `--from`, then `--image`, then `box.from`. A `box.image` is what a box starts from where there is no checkpoint.
fn start(flags: &Flags, layers: &Layers) -> Start {
    let word = match (&flags.from, &flags.image) {
        (Some(from), _) => Some(from.as_str()),
        (None, Some(_)) => return Start::Image,
        (None, None) => layers.value("box.from").map(|row| row.text.as_str()),
    };
    match word {
        Some(checkpoint::NONE) => Start::Image,
        Some(word) => Start::Checkpoint(word.to_owned()),
        None => Start::Default,
    }
}

/// The flag's value, or the layers'.
fn pick<T>(
    flag: Option<T>,
    layers: &Layers,
    name: &str,
    read: fn(&str) -> Result<T, String>,
) -> Result<Option<T>, Failure> {
    match (flag, layers.value(name)) {
        (Some(value), _) => Ok(Some(value)),
        (None, Some(row)) => read(&row.text)
            .map(Some)
            .map_err(|wrong| Failure::usage(format!("{name} in {}: {wrong}", place(row, layers)))),
        (None, None) => Ok(None),
    }
}

/// The entries of the layers, then those of the flags, which win; each name once.
fn merged(flags: &[(String, String)], layers: &Layers, name: &str) -> Vec<(String, String)> {
    let mut all: BTreeMap<String, String> = rows(layers, name)
        .filter_map(|row| Some((row.name.clone()?, row.text.clone())))
        .collect();
    all.extend(flags.iter().cloned());
    all.into_iter().collect()
}

/// The items of the layers, then those of the flags, each once.
fn in_order(flags: &[String], layers: &Layers, name: &str) -> Vec<String> {
    let mut all: Vec<String> = rows(layers, name).map(|row| row.text.clone()).collect();
    for flag in flags {
        if !all.contains(flag) {
            all.push(flag.clone());
        }
    }
    all
}

fn capabilities(flags: &Flags) -> Vec<(String, String)> {
    let twice = |name: &String| (name.clone(), name.clone());
    flags.capabilities.iter().map(twice).collect()
}

fn volumes(flags: &Flags, layers: &Layers) -> Result<Vec<(String, String)>, Failure> {
    for (index, (name, path)) in flags.volumes.iter().enumerate() {
        let former = flags.volumes[..index].iter().find(|(other, _)| other == name);
        if let Some((_, other)) = former {
            return Err(Failure::usage(format!(
                "volume {name} is given twice, at {} and {}",
                one_line(other),
                one_line(path)
            ))
            .hint("give each path a volume of its own"));
        }
    }
    let all = merged(&flags.volumes, layers, "box.volumes");
    let origin = |name: &str| {
        let given = flags.volumes.iter().any(|(flag, _)| flag == name);
        let row = rows(layers, "box.volumes").find(|row| row.name.as_deref() == Some(name));
        match row {
            Some(row) if !given => place(row, layers),
            _ => "--volume".to_owned(),
        }
    };
    for (index, (name, path)) in all.iter().enumerate() {
        if let Some((other, _)) = all[..index].iter().find(|(_, target)| target == path) {
            return Err(Failure::usage(format!(
                "volumes {other} ({}) and {name} ({}) are both mounted at {}",
                origin(other),
                origin(name),
                one_line(path)
            ))
            .hint(format!("give --volume {name}:ANOTHER-PATH")));
        }
    }
    Ok(all)
}

/// Where single values come from that no flag gives and that are not built in.
fn places(flags: &Flags, layers: &Layers) -> BTreeMap<&'static str, String> {
    let is_given = |name: &str| match name {
        "box.image" => flags.image.is_some(),
        "box.from" => flags.from.is_some(),
        "box.memory" => flags.memory.is_some(),
        "box.cpus" => flags.nano_cpus.is_some(),
        "box.pids" => flags.pids.is_some(),
        "box.network" => flags.network.is_some(),
        _ => false,
    };
    KEYS.iter()
        .filter(|key| !is_given(key.name))
        .filter_map(|key| {
            let row = layers.rows(key).into_iter().next()?;
            (row.source != Source::BuiltIn).then(|| (key.name, place(row, layers)))
        })
        .collect()
}

fn rows<'a>(layers: &'a Layers, name: &'a str) -> impl Iterator<Item = &'a Row> {
    KEYS.iter()
        .filter(move |key| key.name == name)
        .flat_map(|key| layers.rows(key))
}

fn place(row: &Row, layers: &Layers) -> String {
    row.source.place(layers.home.as_deref())
}

#[cfg(test)]
mod tests {
    use super::super::layers::tests::layers;
    use super::*;

    #[test]
    fn flags_win_and_the_rest_comes_from_the_layers() {
        let layers = layers(
            "box: {memory: 3g, env: {A: d, B: d}, volumes: {cache: /d}}",
            "box: {cpus: 0.5, cap_add: [NET_RAW], wait: true}",
            "box: {network: none, env: {C: g}, setup_scripts: [b, a]}\ncarry: {max_bytes: 5k}",
        );
        let flags = Flags {
            memory: Some(1 << 30),
            env: vec![("A".into(), "one".into()), ("A".into(), "flag".into())],
            capabilities: vec!["SYS_PTRACE".into()],
            volumes: vec![("cache".into(), "/flag".into())],
            setup_scripts: vec!["z".into(), "b".into(), "z".into()],
            ..Flags::default()
        };
        let settings = resolve(flags, &layers).unwrap();
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(settings.image, crate::image::DEFAULT);
        assert_eq!(settings.memory, Some(1 << 30));
        assert_eq!(settings.nano_cpus, Some(500_000_000));
        assert_eq!(settings.pids, Some(4096));
        assert_eq!(settings.network.as_deref(), Some("none"));
        assert_eq!(settings.env, [pair("A", "flag"), pair("B", "d"), pair("C", "g")]);
        assert_eq!(settings.capabilities, ["NET_RAW", "SYS_PTRACE"]);
        assert_eq!(settings.volumes, [pair("cache", "/flag")]);
        assert_eq!(settings.setup_scripts, ["b", "a", "z"]);
        assert!(settings.wait);
        assert_eq!(settings.places.get("box.memory"), None);
        assert_eq!(settings.places["box.network"], "~/.config/agentbox/config.yaml:1");
        assert_eq!(settings.carry_limit, 5 << 10);
        let waiting = Flags {
            wait: Some(false),
            ..Flags::default()
        };
        assert!(!resolve(waiting, &layers).unwrap().wait);
    }

    #[test]
    fn a_box_with_docker_has_the_variant_unless_somebody_asks_for_an_image() {
        let docker = |defaults: &str, flag: Option<bool>| {
            let flags = Flags {
                docker: flag,
                ..Flags::default()
            };
            let settings = resolve(flags, &layers(defaults, "", "")).unwrap();
            (settings.docker, settings.image)
        };
        let (plain, variant) = (crate::image::DEFAULT.to_owned(), crate::image::DOCKER.to_owned());
        assert_eq!(docker("", None), (false, plain.clone()));
        assert_eq!(docker("", Some(true)), (true, variant.clone()));
        assert_eq!(docker("box: {docker: true}", None), (true, variant));
        assert_eq!(docker("box: {docker: true}", Some(false)), (false, plain));
        let own = docker("box: {docker: true, image: mine}", None);
        assert_eq!(own, (true, "mine".to_owned()));
    }

    #[test]
    fn a_checkpoint_comes_before_an_image_but_for_the_flag_s() {
        let start = |from: Option<&str>, image: Option<&str>, defaults: &str| {
            let flags = Flags {
                from: from.map(str::to_owned),
                image: image.map(str::to_owned),
                ..Flags::default()
            };
            resolve(flags, &layers(defaults, "", "")).unwrap().start
        };
        let named = |name: &str| Start::Checkpoint(name.to_owned());
        assert_eq!(start(None, None, ""), Start::Default);
        assert_eq!(start(None, None, "box: {image: i}"), Start::Default);
        assert_eq!(start(None, None, "box: {from: a, image: i}"), named("a"));
        assert_eq!(start(None, Some("i"), "box: {from: a}"), Start::Image);
        assert_eq!(start(Some("b"), None, "box: {from: a}"), named("b"));
        assert_eq!(start(Some("none"), None, "box: {from: a}"), Start::Image);
        assert_eq!(start(None, None, "box: {from: none}"), Start::Image);
    }

    #[test]
    fn what_cannot_be_done_names_its_place() {
        let failure = |defaults: &str, global: &str| {
            resolve(
                Flags {
                    volumes: vec![("mine".into(), "/x".into())],
                    ..Flags::default()
                },
                &layers(defaults, "", global),
            )
            .unwrap_err()
            .render()
        };
        insta::assert_snapshot!(failure("box: {volumes: {theirs: /x}}", ""), @r"
error: volumes mine (--volume) and theirs (agentbox.yaml:1) are both mounted at /x
hint: give --volume theirs:ANOTHER-PATH
");
    }
}
