//! Labels of containers, volumes and images: what never changes about a box.

/// The box's id. Every container and volume of a box has it.
pub const ID: &str = "dev.agentbox.id";
/// The box's name.
pub const NAME: &str = "dev.agentbox.name";
/// The project directory on the host that made the box; empty for none.
pub const PROJECT: &str = "dev.agentbox.project";
/// The host that made the box.
pub const HOST: &str = "dev.agentbox.host";
/// Home directory, on that host, of the user who made the box; empty where there was none.
pub const HOME: &str = "dev.agentbox.home";
/// Version of the agentbox that made the box.
pub const VERSION: &str = "dev.agentbox.version";
/// The process that makes, or made, the box.
pub const MAKER: &str = "dev.agentbox.maker";
/// On images that agentbox made: which one, such as `base`.
pub const IMAGE: &str = "dev.agentbox.image";
/// On images that serve one command and go with it: the process that made them, as [`MAKER`] has it.
pub const TEMPORARY: &str = "dev.agentbox.temporary";

/// On checkpoints: the name. Labels are all that is known about a checkpoint; [`PROJECT`], [`HOST`], [`VERSION`] and
/// [`MAKER`] mean for it what they mean for a box, and what else makes a box is emptied.
pub const CHECKPOINT: &str = "dev.agentbox.checkpoint";
/// Name of the box that the checkpoint was made of.
pub const CHECKPOINT_BOX: &str = "dev.agentbox.checkpoint.box";
/// The checkpoints beneath it, the nearest first, as JSON.
pub const CHECKPOINT_PARENTS: &str = "dev.agentbox.checkpoint.parents";
/// How many layers lie on the last image that was no checkpoint, or was a flattened one.
pub const CHECKPOINT_DEPTH: &str = "dev.agentbox.checkpoint.depth";
/// When it was made, in RFC 3339 with milliseconds.
pub const CHECKPOINT_TIME: &str = "dev.agentbox.checkpoint.time";
/// The commit that the box's workspace was at; empty for none.
pub const CHECKPOINT_HEAD: &str = "dev.agentbox.checkpoint.head";
/// The commit that the box forked from: the workspace has all of its history. Empty for none.
pub const CHECKPOINT_BASE: &str = "dev.agentbox.checkpoint.base";
/// The image that the first box of the line was made from.
pub const CHECKPOINT_IMAGE: &str = "dev.agentbox.checkpoint.image";
/// That image's id.
pub const CHECKPOINT_IMAGE_ID: &str = "dev.agentbox.checkpoint.image-id";
/// Numbers of the workspace's owner, `uid:gid`.
pub const CHECKPOINT_OWNER: &str = "dev.agentbox.checkpoint.owner";
/// Files that were carried into it and are no secrets, as JSON.
pub const CHECKPOINT_CARRIED: &str = "dev.agentbox.checkpoint.carried";
/// Secrets that were carried into it and became files of its own, as JSON.
pub const CHECKPOINT_EXPOSED: &str = "dev.agentbox.checkpoint.exposed";
/// The volumes that the box had and that are not in it, as JSON.
pub const CHECKPOINT_VOLUMES: &str = "dev.agentbox.checkpoint.volumes";
