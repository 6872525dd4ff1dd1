//! What a repository's `defaults:` ask for beyond a plain box. A repository is somebody else's text: these wait for
//! the user's word.

use agentbox_ctl::config::settings::SettingKey;
use agentbox_ctl::failure::Failure;
use agentbox_ctl::spec::ServiceSpecFields;

use super::layers::{Layers, Source};
use super::resolve::{Flags, resolve};
use crate::approval::{self, Answer, Decision, Line, Request};
use crate::context::Context;
use crate::plan::create::Settings;
use crate::project::Project;
use crate::spec::Library;
use crate::ui::{counted, one_line};

/// Capabilities with which a hostile box is hardly one.
const STRONG: [&str; 8] = [
    "ALL",
    "BPF",
    "DAC_READ_SEARCH",
    "NET_ADMIN",
    "SYS_ADMIN",
    "SYS_MODULE",
    "SYS_PTRACE",
    "SYS_RAWIO",
];

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
    /// What it comes to: of a service spec its id and its command, of a setup script its id.
    pub meaning: Option<Meaning>,
}

/// What a name stands for that a repository asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meaning {
    /// The id: another thing of that name is another request.
    pub id: String,
    /// What it does, for people.
    pub text: String,
}

impl Ask {
    fn line(&self) -> Line {
        let warning = match self.key.name {
            "box.docker" => "a hostile box of that kind can probably break out",
            "box.cap_add" if STRONG.contains(&self.text.as_str()) => "it may let a hostile box break out",
            "box.network" => "the box reaches everything in that network",
            "box.service_specs" => "the project's code in the box can read its variables",
            _ => "",
        };
        let text = match &self.meaning {
            Some(meaning) => format!("{} ({})", self.title(), meaning.text),
            None => self.title(),
        };
        Line {
            text,
            warnings: [warning]
                .into_iter()
                .filter(|warning| !warning.is_empty())
                .map(str::to_owned)
                .collect(),
        }
    }

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

/// Resolves everything, with the user's word for what `defaults:` ask for beyond a plain box, or without that.
///
/// # Errors
/// Those of [`resolve`] (2); something that nobody has allowed (1).
pub fn resolve_allowed(
    context: &Context,
    project: &Project,
    flags: Flags,
    layers: &Layers,
    answer: Answer,
) -> Result<Settings, Failure> {
    let mut asked = beyond(layers, &flags);
    if asked.is_empty() {
        return resolve(flags, layers);
    }
    if answer != Answer::Skip {
        // Nobody is asked about what cannot be done anyway.
        let settings = resolve(flags.clone(), layers)?;
        for ask in &mut asked {
            ask.meaning = meaning(context, layers, ask)?;
        }
        if decide(context, project, &asked, answer)? == Decision::Approved {
            return Ok(settings);
        }
    }
    let titles: Vec<_> = asked.iter().map(Ask::title).collect();
    context
        .ui
        .status(&format!("left out of the box: {}", titles.join(", ")));
    resolve(flags, &layers.without(&asked))
}

fn decide(context: &Context, project: &Project, asked: &[Ask], answer: Answer) -> Result<Decision, Failure> {
    // Not the lines: a file that says the same elsewhere is no new request.
    let exact: Vec<_> = asked
        .iter()
        .map(|ask| {
            let id = ask.meaning.as_ref().map(|meaning| &meaning.id);
            (ask.key.name, &ask.name, id.unwrap_or(&ask.text))
        })
        .collect();
    let content = serde_json::to_vec(&exact)
        .map_err(|error| Failure::failed("cannot encode what is asked for").because(&error))?;
    let request = Request {
        kind: "defaults",
        project: &project.root,
        heading: "what agentbox.yaml asks for beyond a plain box".to_owned(),
        subject: asked.iter().map(Ask::line).collect(),
        question: "Make the box with all of this?".to_owned(),
        content: &content,
        hints: vec![
            "agentbox create --defaults yes allows it, --defaults skip makes the box without".to_owned(),
        ],
    };
    approval::decide(context, &request, answer)
}

/// What an ask's name stands for, where it stands for something of the user's.
fn meaning(context: &Context, layers: &Layers, ask: &Ask) -> Result<Option<Meaning>, Failure> {
    let named = |failure| layers.named(ask.key.name, &ask.text, failure);
    match ask.key.name {
        "box.service_specs" => {
            let spec = Library::of(context)?.service_specs.find(&ask.text);
            let spec = spec.map_err(|refused| named(refused.into()))?;
            Ok(Some(Meaning {
                text: described(&spec.fields),
                id: spec.id,
            }))
        }
        "box.setup_scripts" => {
            let script = Library::of(context)?.setup_scripts.find(&ask.text);
            let script = script.map_err(|refused| named(refused.into()))?;
            let lines = script.fields.content.lines().count();
            Ok(Some(Meaning {
                text: format!("your script, {}", counted(lines, "line", "lines")),
                id: script.id,
            }))
        }
        _ => Ok(None),
    }
}

/// `runs node server.js, with DATABASE_URL, PORT`.
fn described(fields: &ServiceSpecFields) -> String {
    const LONGEST: usize = 100;
    let mut text = format!("runs {}", one_line(&fields.exec_start));
    if let Some((end, _)) = text.char_indices().nth(LONGEST) {
        text.truncate(end);
        text.push('…');
    }
    if !fields.env_vars.is_empty() {
        let names: Vec<&str> = fields.env_vars.keys().map(String::as_str).collect();
        text.push_str(&format!(", with {}", names.join(", ")));
    }
    text
}

fn asks(layers: &Layers) -> impl Iterator<Item = Ask> {
    layers.defaults().filter_map(|row| {
        let is_beyond = match row.key.name {
            "box.docker" => row.text == "true",
            "box.network" => row.text != "none",
            "box.cap_add" | "box.volumes" | "box.service_specs" | "box.setup_scripts" => true,
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
            meaning: None,
        })
    })
}

fn is_overridden(ask: &Ask, flags: &Flags) -> bool {
    match ask.key.name {
        "box.docker" => flags.docker.is_some(),
        "box.network" => flags.network.is_some(),
        "box.cap_add" => flags.capabilities.contains(&ask.text),
        "box.service_specs" => flags.service_specs.contains(&ask.text),
        "box.setup_scripts" => flags.setup_scripts.contains(&ask.text),
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
  service_specs: [worker, api]
  setup_scripts: [deps]
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
                "9: box.service_specs: worker",
                "9: box.service_specs: api",
                "10: box.setup_scripts: deps",
            ]
        );
        let plain = "box: {memory: 4g, docker: false, network: none, env: {A: b}}";
        assert_eq!(beyond(&layers(plain, "", ""), &Flags::default()), []);
    }

    #[test]
    fn a_spec_s_line_says_what_runs_and_its_variables_names() {
        let mut fields = ServiceSpecFields {
            exec_start: "/usr/bin/node  server.js".into(),
            ..ServiceSpecFields::default()
        };
        assert_eq!(described(&fields), "runs /usr/bin/node  server.js");
        fields.env_vars = [("TOKEN", "secret"), ("PORT", "1")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into();
        fields.exec_start = "x".repeat(1000);
        let text = described(&fields);
        assert!(
            text.ends_with("x…, with PORT, TOKEN") && !text.contains("secret"),
            "{text}"
        );
    }

    #[test]
    fn what_the_user_says_anyway_is_not_asked() {
        let own = "box: {docker: true, cap_add: [NET_RAW], volumes: {cache: /cache, data: /elsewhere}, service_specs: [api]}";
        let flags = Flags {
            network: Some("mine".into()),
            capabilities: vec!["SYS_PTRACE".into()],
            service_specs: vec!["worker".into()],
            setup_scripts: vec!["deps".into()],
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
