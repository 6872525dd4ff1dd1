//! Shared harness of the end-to-end tests.
//!
//! ```text
//! test ─► Project (temporary directory, cleared environment) ─► agentbox ─► Docker engine
//!            └─► TestBox (one box of it) ─► status, exec, units, processes
//! ```
//!
//! The harness looks at the engine through the `docker` client only, so that what it sees does not pass through
//! the code under test. Whatever a test makes belongs to a project directory whose name carries the test
//! process's id: a guard removes it at the end, and a sweep at the start of every test process removes what a
//! killed one left.

pub mod api;
pub mod binaries;
pub mod checkpoints;
pub mod comeback;
pub mod engine;
pub mod events;
pub mod forwarder;
pub mod gate;
pub mod images;
pub mod inner_engine;
pub mod own_engine;
pub mod process;
pub mod project;
pub mod repository;
pub mod screen;
pub mod ssh_server;
pub mod sweep;
pub mod terminal;
pub mod test_box;
pub mod wait;
pub mod warm;

pub use process::{Output, Running};
pub use project::Project;
pub use terminal::Terminal;
pub use test_box::TestBox;
pub use wait::{wait_for, wait_until};
