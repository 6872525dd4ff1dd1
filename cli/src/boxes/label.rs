//! Labels of containers, volumes and images: what never changes about a box.

/// The box's id. Every container and volume of a box has it.
pub const ID: &str = "dev.agentbox.id";
/// The box's name.
pub const NAME: &str = "dev.agentbox.name";
/// The project directory on the host that made the box; empty for none.
pub const PROJECT: &str = "dev.agentbox.project";
/// The host that made the box.
pub const HOST: &str = "dev.agentbox.host";
/// Version of the agentbox that made the box.
pub const VERSION: &str = "dev.agentbox.version";
/// The process that makes, or made, the box.
pub const MAKER: &str = "dev.agentbox.maker";
/// On images that agentbox made: which one, such as `base`.
pub const IMAGE: &str = "dev.agentbox.image";
/// On images that serve one command and go with it: the process that made them, as [`MAKER`] has it.
pub const TEMPORARY: &str = "dev.agentbox.temporary";
