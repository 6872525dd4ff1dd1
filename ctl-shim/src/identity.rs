//! Who a box is: the document the host writes into the private volume when it makes the box.
//!
//! The container's own configuration would be the easy place, but `docker inspect` shows it to everyone and a
//! commit copies it; this file is readable by root in the box alone and is gone with the box.

use serde::{Deserialize, Serialize};

/// Content of `/var/lib/agentbox/private/box.json`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Identity {
    /// The box's id, never reused.
    pub id: String,
    /// The box's name.
    pub name: String,
    /// The user that units, shells and execs run as: a name or a uid, optionally `user:group` as in an image's
    /// configuration. Empty means root.
    pub user: String,
    /// The box's environment (`create --env`), in the order given.
    pub env: Vec<(String, String)>,
    /// Whether the box has a Docker engine of its own, which the supervisor runs.
    pub docker: bool,
    /// Where the volumes are that the user asked for.
    pub volumes: Vec<String>,
    /// The host's time zone, an IANA name such as `Europe/Zurich`; used where the image knows it.
    pub timezone: Option<String>,
    /// The host's locale; used where the image has it, else `C.UTF-8`.
    pub lang: Option<String>,
    /// `AGENTBOX_URL` of the box, where the host knows it.
    pub url: Option<String>,
}
