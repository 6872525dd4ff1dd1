//! What a box runs, and what host and box share.
//!
//! ```text
//! agentbox.yaml ─► config ─► graph ─► supervisor ─► process, logs     (in the box)
//!                                        ▲  │
//!                  requests, replies ────┘  └──► numbered events
//!                                   protocol
//!                                    ▲   │
//!                                    └─ client ─┘                      (either side)
//! ```
//!
//! The modules `config`, `graph`, `report`, `protocol`, `client`, `logs::reader`, `spec` and `failure` build on every
//! platform and know nothing of processes; `work` runs git on either side; the feature `supervisor` adds what runs inside a box.

pub mod client;
pub mod config;
pub mod failure;
#[cfg(feature = "flags")]
pub mod flags;
pub mod graph;
pub mod identity;
pub mod logs;
pub mod paths;
pub mod protocol;
pub mod report;
pub mod spec;
pub mod time;
pub mod work;

#[cfg(feature = "supervisor")]
pub mod command;
#[cfg(feature = "supervisor")]
pub mod init;
#[cfg(feature = "supervisor")]
pub mod leftovers;
#[cfg(feature = "supervisor")]
pub mod process;
#[cfg(feature = "supervisor")]
pub mod seed;
#[cfg(feature = "supervisor")]
pub mod session;
#[cfg(feature = "supervisor")]
pub mod supervisor;
#[cfg(feature = "supervisor")]
pub mod volumes;
