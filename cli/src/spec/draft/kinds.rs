//! What each kind of object has in it.

use agentbox_ctl::spec::{
    Invalid, RestartPolicy, RunOn, ServiceSpec, ServiceSpecFields, SetupScript, SetupScriptFields,
};

use super::reader::Reader;
use crate::spec::Kept;

/// A kind of object that can be written down.
pub trait Drafted: Kept {
    /// The fields that its owner gives.
    const FIELDS: &'static [&'static str];

    /// Takes the fields, noting what is no value of theirs.
    fn read(reader: &mut Reader<'_>) -> Self::Fields;
    /// Everything that is wrong with values.
    fn check(fields: &Self::Fields) -> Vec<Invalid>;
}

impl Drafted for ServiceSpec {
    const FIELDS: &'static [&'static str] = &[
        "name",
        "exec_start",
        "env_vars",
        "environment_file",
        "restart_policy",
        "auto_enable",
    ];

    fn read(reader: &mut Reader<'_>) -> Self::Fields {
        let policies = RestartPolicy::ALL.map(|policy| (policy.as_str(), policy));
        ServiceSpecFields {
            name: reader.required_text("name"),
            exec_start: reader.required_text("exec_start"),
            env_vars: reader.texts("env_vars"),
            environment_file: reader.text("environment_file"),
            restart_policy: reader.word("restart_policy", &policies).unwrap_or_default(),
            auto_enable: reader.flag("auto_enable").unwrap_or_default(),
        }
    }

    fn check(fields: &Self::Fields) -> Vec<Invalid> {
        fields.check()
    }
}

impl Drafted for SetupScript {
    const FIELDS: &'static [&'static str] = &["name", "content", "run_on"];

    fn read(reader: &mut Reader<'_>) -> Self::Fields {
        let times = RunOn::ALL.map(|time| (time.as_str(), time));
        SetupScriptFields {
            name: reader.required_text("name"),
            content: reader.required_text("content"),
            run_on: reader.word("run_on", &times).unwrap_or_default(),
        }
    }

    fn check(fields: &Self::Fields) -> Vec<Invalid> {
        fields.check()
    }
}
