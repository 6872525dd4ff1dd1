//! What bodies look like, for the document: names, kinds and limits of every field. Tests hold it against the types.

use agentbox_ctl::spec::{LONGEST_NAME, RestartPolicy, RunOn};
use serde_json::{Map, Value, json};

use crate::app;
use crate::boxes::name;

/// A body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Object {
    /// A service spec.
    ServiceSpec,
    /// What a client says of one.
    ServiceSpecDraft,
    /// A setup script.
    SetupScript,
    /// What a client says of one.
    SetupScriptDraft,
    /// A box.
    Workspace,
    /// What a client says of a new one.
    WorkspaceDraft,
    /// An app.
    App,
    /// What a client says of a new one.
    AppDraft,
    /// A checkpoint.
    Snapshot,
    /// What a client says of a new one.
    SnapshotDraft,
    /// Why not.
    Error,
}

/// A field.
struct Field {
    name: &'static str,
    is_required: bool,
    schema: Value,
}

fn needed(name: &'static str, schema: Value, description: &str) -> Field {
    Field {
        name,
        is_required: true,
        schema: described(schema, description),
    }
}

fn optional(name: &'static str, schema: Value, description: &str) -> Field {
    Field {
        is_required: false,
        ..needed(name, schema, description)
    }
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

fn text() -> Value {
    json!({"type": "string"})
}

fn time() -> Value {
    json!({"type": "string", "format": "date-time"})
}

fn texts() -> Value {
    json!({"type": "array", "items": {"type": "string"}, "maxItems": MOST_IDS})
}

fn or_null(mut schema: Value) -> Value {
    schema["type"] = json!([schema["type"], "null"]);
    if let Some(words) = schema.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    schema
}

/// A field that clients may leave out, or say nothing in: as it is kept, it is there.
fn with_default(is_kept: bool, name: &'static str, schema: Value, description: &str) -> Field {
    if is_kept {
        needed(name, schema, description)
    } else {
        optional(name, or_null(schema), description)
    }
}

/// Most ids that a new box may be given of each sort.
pub(super) const MOST_IDS: usize = 100;

impl Object {
    /// All of them.
    pub(super) const ALL: [Self; 11] = [
        Self::ServiceSpec,
        Self::ServiceSpecDraft,
        Self::SetupScript,
        Self::SetupScriptDraft,
        Self::Workspace,
        Self::WorkspaceDraft,
        Self::App,
        Self::AppDraft,
        Self::Snapshot,
        Self::SnapshotDraft,
        Self::Error,
    ];

    /// Its name in the document.
    pub(super) fn name(self) -> String {
        format!("{self:?}")
    }

    /// A reference to its schema.
    pub(super) fn reference(self) -> Value {
        json!({"$ref": format!("#/components/schemas/{}", self.name())})
    }

    /// Its schema.
    pub(super) fn schema(self) -> Value {
        let (description, fields) = match self {
            Self::ServiceSpec => (
                "A service that is defined once and attached to boxes.",
                kept(spec(true), "svc_"),
            ),
            Self::ServiceSpecDraft => (
                "What a service is. `id` and the times, where they are sent, are passed over.",
                passed_over(spec(false)),
            ),
            Self::SetupScript => (
                "What is done in a box before its services start.",
                kept(script(true), "ss_"),
            ),
            Self::SetupScriptDraft => (
                "What a script is. `id` and the times, where they are sent, are passed over.",
                passed_over(script(false)),
            ),
            Self::Workspace => ("A box.", workspace()),
            Self::WorkspaceDraft => ("What a new box is made of.", workspace_draft()),
            Self::App => (
                "A name for a port of a box.",
                vec![
                    needed("id", text(), "Its id."),
                    needed("name", text(), "Its name, unique in its box."),
                    needed(
                        "port",
                        json!({"type": "integer"}),
                        "The port on the box's loopback.",
                    ),
                    needed("url", or_null(text()), "Where it answers on this machine."),
                    needed("health", text(), "`listening`, or why it does not answer."),
                    needed("created_at", time(), "When it was made."),
                ],
            ),
            Self::AppDraft => (
                "What an app is.",
                vec![
                    needed("name", label(), "The first label of its URL, unique in the box."),
                    needed(
                        "port",
                        json!({"type": "integer", "minimum": 1, "maximum": 65535}),
                        "The port on the box's loopback.",
                    ),
                ],
            ),
            Self::Snapshot => (
                "A checkpoint of a box.",
                vec![
                    needed("id", text(), "Its id: `snapshot_id` of a new box."),
                    needed("name", text(), "Its name."),
                    needed("workspace", text(), "The name of the box that it was taken of."),
                    needed(
                        "size",
                        json!({"type": "integer"}),
                        "Its size in bytes, with the layers beneath.",
                    ),
                    needed("created_at", or_null(time()), "When it was taken."),
                ],
            ),
            Self::SnapshotDraft => (
                "What a checkpoint is called.",
                vec![optional(
                    "name",
                    or_null(label()),
                    "Its name; else the box's, with a number where that is taken.",
                )],
            ),
            Self::Error => (
                "Why not.",
                vec![needed(
                    "error",
                    json!({
                        "type": "object",
                        "properties": {
                            "code": {"type": "string", "description": "For programs."},
                            "message": {"type": "string", "description": "For people."},
                            "details": {
                                "type": "array",
                                "description": "Every mistake of a body.",
                                "items": {
                                    "type": "object",
                                    "properties": {"field": text(), "message": text()},
                                    "required": ["field", "message"],
                                },
                            },
                        },
                        "required": ["code", "message"],
                    }),
                    "The error.",
                )],
            ),
        };
        let required: Vec<&str> = fields
            .iter()
            .filter(|field| field.is_required)
            .map(|field| field.name)
            .collect();
        let required = json!(required);
        let properties: Map<String, Value> = fields
            .into_iter()
            .map(|field| (field.name.to_owned(), field.schema))
            .collect();
        json!({
            "type": "object",
            "description": description,
            "properties": properties,
            "required": required,
            "additionalProperties": false,
        })
    }
}

/// A host name's label, as names of boxes, apps and checkpoints are.
fn label() -> Value {
    const { assert!(app::LONGEST_NAME == name::MAX_LENGTH) };
    json!({
        "type": "string",
        "pattern": "^[a-z0-9]([a-z0-9-]*[a-z0-9])?$",
        "minLength": 1,
        "maxLength": name::MAX_LENGTH,
    })
}

fn spec_name() -> Value {
    json!({"type": "string", "pattern": "^[A-Za-z0-9_-]+$", "minLength": 1, "maxLength": LONGEST_NAME})
}

/// `is_given`: as we answer it, with every field that has a default.
fn spec(is_given: bool) -> Vec<Field> {
    let scalar = if is_given {
        json!("string")
    } else {
        json!(["string", "number", "boolean"])
    };
    vec![
        needed(
            "name",
            spec_name(),
            "Unique; its unit in a box is `rigbox-svc-<name>`.",
        ),
        needed(
            "exec_start",
            json!({"type": "string", "minLength": 1}),
            "The command, split as systemd splits `ExecStart=`.",
        ),
        with_default(
            is_given,
            "env_vars",
            json!({"type": "object", "additionalProperties": {"type": scalar}}),
            "Variables of the service.",
        ),
        optional(
            "environment_file",
            if is_given {
                text()
            } else {
                or_null(json!({"type": "string", "pattern": "^-?/"}))
            },
            "A file of the box with more of them; a leading `-` makes it optional.",
        ),
        with_default(
            is_given,
            "restart_policy",
            json!({"type": "string", "enum": RestartPolicy::ALL.map(RestartPolicy::as_str)}),
            "What happens when it ends. Default: on-failure.",
        ),
        with_default(
            is_given,
            "auto_enable",
            json!({"type": "boolean"}),
            "Whether it starts with the box. Default: false.",
        ),
    ]
}

fn script(is_given: bool) -> Vec<Field> {
    vec![
        needed(
            "name",
            spec_name(),
            "Unique; its task in a box is `setup-<name>`.",
        ),
        needed(
            "content",
            json!({"type": "string", "minLength": 1}),
            "The script, run by its first line's `#!`.",
        ),
        with_default(
            is_given,
            "run_on",
            json!({"type": "string", "enum": RunOn::ALL.map(RunOn::as_str)}),
            "When it runs. Default: first_boot.",
        ),
    ]
}

fn kept(mut fields: Vec<Field>, prefix: &str) -> Vec<Field> {
    fields.push(needed(
        "id",
        text(),
        &format!("`{prefix}` and more; it never changes."),
    ));
    fields.push(needed("created_at", time(), "When it was made."));
    fields.push(needed("updated_at", time(), "When it was last changed."));
    fields
}

fn passed_over(mut fields: Vec<Field>) -> Vec<Field> {
    for name in ["id", "created_at", "updated_at"] {
        fields.push(optional(name, json!({}), "Passed over."));
    }
    fields
}

fn workspace() -> Vec<Field> {
    vec![
        needed("id", text(), "Its id, never reused."),
        needed("name", text(), "Its name."),
        needed(
            "status",
            json!({"type": "string", "enum": ["running", "paused", "stopped", "dead"]}),
            "Its state.",
        ),
        needed(
            "template_id",
            text(),
            "The word in `api.templates` for its image, else the image.",
        ),
        needed("image", text(), "The image that it was made from."),
        needed(
            "project",
            or_null(text()),
            "The directory on the host that it was made from; null for a box without a project.",
        ),
        needed(
            "service_spec_ids",
            texts(),
            "Service specs that are attached to it.",
        ),
        needed(
            "setup_script_ids",
            texts(),
            "Setup scripts that are attached to it, in the order in which they run.",
        ),
        needed(
            "url",
            or_null(text()),
            "Where its web service answers on this machine, where it has one.",
        ),
        needed("created_at", time(), "When it was made."),
    ]
}

fn workspace_draft() -> Vec<Field> {
    vec![
        optional(
            "name",
            or_null(label()),
            "Its name; else `box`, with a number where that is taken.",
        ),
        optional(
            "template_id",
            or_null(text()),
            "A word in the setting `api.templates`, or an image. Default: tpl_node.",
        ),
        optional(
            "service_spec_ids",
            or_null(texts()),
            "Service specs, by ids or names.",
        ),
        optional(
            "setup_script_ids",
            or_null(texts()),
            "Setup scripts, by ids or names, in the order in which they run.",
        ),
        optional(
            "snapshot_id",
            or_null(text()),
            "The checkpoint that it starts from, by id or name, in place of a template.",
        ),
    ]
}
