//! What a repository's `defaults:` ask for beyond a plain box. A repository is somebody else's text: these wait for
//! the user's word.

use agentbox_ctl::config::settings::SettingKey;

use super::layers::{Layers, Source};
use super::resolve::Flags;

/// One thing that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Which setting.
    pub key: &'static SettingKey,
    /// Of volumes the name, of capabilities the capability, else nothing.
    pub name: Option<String>,
    /// The value as text.
    pub text: String,
    /// Line of the project's `agentbox.yaml`.
    pub line: usize,
}

impl Ask {
    /// `box.volumes.cache: /cache`, `box.cap_add: SYS_PTRACE`.
    pub fn title(&self) -> String {
        match &self.name {
            Some(name) if self.key.kind.is_mapping() => format!("{}.{name}: {}", self.key.name, self.text),
            _ => format!("{}: {}", self.key.name, self.text),
        }
    }
}

/// What `defaults:` ask for and would get: not what a flag overrides, what the user's own settings say anyway, or
/// what takes away (`docker: false`, `network: none`). In the order of the file.
pub fn beyond(layers: &Layers, flags: &Flags) -> Vec<Ask> {
    let own = layers.without(&asks(layers).collect::<Vec<_>>());
    asks(layers)
        .filter(|ask| !is_overridden(ask, flags))
        .filter(|ask| {
            let same = |row: &&super::layers::Row| row.name == ask.name && row.text == ask.text;
            !own.rows(ask.key).iter().any(same)
        })
        .collect()
}

fn asks(layers: &Layers) -> impl Iterator<Item = Ask> {
    layers.defaults().filter_map(|row| {
        let is_beyond = match row.key.name {
            "box.docker" => row.text == "true",
            "box.network" => row.text != "none",
            "box.cap_add" | "box.volumes" => true,
            _ => false,
        };
        let Source::Defaults { line } = row.source else {
            return None;
        };
        is_beyond.then(|| Ask {
            key: row.key,
            name: row.name.clone(),
            text: row.text.clone(),
            line,
        })
    })
}

fn is_overridden(ask: &Ask, flags: &Flags) -> bool {
    match ask.key.name {
        "box.network" => flags.network.is_some(),
        "box.cap_add" => flags.capabilities.contains(&ask.text),
        "box.volumes" => flags
            .volumes
            .iter()
            .any(|(name, _)| Some(name) == ask.name.as_ref()),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::super::layers::tests::layers;
    use super::*;

    const DEFAULTS: &str = "box:
  memory: 4g
  image: node:22
  env: {A: b}
  docker: true
  network: backend
  cap_add: [SYS_PTRACE, NET_RAW]
  volumes: {cache: /cache, data: /data}
";

    fn titles(asked: &[Ask]) -> Vec<String> {
        asked
            .iter()
            .map(|ask| format!("{}: {}", ask.line, ask.title()))
            .collect()
    }

    #[test]
    fn what_a_plain_box_has_not() {
        let asked = beyond(&layers(DEFAULTS, "", ""), &Flags::default());
        assert_eq!(
            titles(&asked),
            [
                "5: box.docker: true",
                "6: box.network: backend",
                "7: box.cap_add: SYS_PTRACE",
                "7: box.cap_add: NET_RAW",
                "8: box.volumes.cache: /cache",
                "8: box.volumes.data: /data",
            ]
        );
        let plain = "box: {memory: 4g, docker: false, network: none, env: {A: b}}";
        assert_eq!(beyond(&layers(plain, "", ""), &Flags::default()), []);
    }

    #[test]
    fn what_the_user_says_anyway_is_not_asked() {
        let own = "box: {docker: true, cap_add: [NET_RAW], volumes: {cache: /cache, data: /elsewhere}}";
        let flags = Flags {
            network: Some("mine".into()),
            capabilities: vec!["SYS_PTRACE".into()],
            ..Flags::default()
        };
        let layers = layers(DEFAULTS, "", own);
        let asked = beyond(&layers, &flags);
        assert_eq!(titles(&asked), ["8: box.volumes.data: /data"]);
        // Without it, what the user said about it counts again.
        let rest = layers.without(&asked);
        let rows = rest.rows(asked[0].key);
        assert_eq!(rows[1].text, "/elsewhere");
        assert_eq!(rest.value("box.memory").unwrap().text, "4g");
    }
}
