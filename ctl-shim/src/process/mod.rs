//! Processes of units: who they run as, what they see, how they start, how their trees are found and ended.
//!
//! ```text
//! users ─► Credentials ─┐
//! environment ──────────┼─► spawn ─► pid ─► tree::UnitHandle ─► members, signal_tree, kill_tree
//! tag::Life ─► Tag ─────┘                        ▲
//!                             reap ─► who ended ─┘        tag::Life of former lives ─► tree::sweep
//! ```
//!
//! Everything here is synchronous and uses no async runtime: the daemon is a subreaper and collects exit
//! statuses itself, with [`reap`].

pub mod env_file;
pub mod environment;
pub mod place;
pub mod reap;
mod scan;
pub mod signals;
pub mod spawn;
pub mod tag;
pub mod tree;
pub mod users;

/// Gives memory that start-up has used and freed back to the system: the command line's parser and a configuration's
/// tree take more than a supervisor needs in all the time after.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: the call takes no pointer and may be made at any time.
        #[expect(
            unsafe_code,
            reason = "the C library's allocator has no safe interface for this"
        )]
        unsafe {
            nix::libc::malloc_trim(0);
        }
    }
}
