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
pub mod regular;
mod scan;
pub mod signals;
pub mod spawn;
pub mod tag;
pub mod tree;
pub mod unit_env_file;
pub mod users;

/// Gives memory that start-up has used back to the system: the command line's parser and a configuration's tree take
/// more than a supervisor needs in all the time after, and so does the code that handles them. What is needed again
/// comes back by itself, at the price of a page fault.
pub fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    #[expect(
        unsafe_code,
        reason = "the allocator, the linker and the kernel have no safe interface for this"
    )]
    {
        unsafe extern "C" {
            // Where the read-only part of the program begins and its code ends, set by the linker.
            static __executable_start: u8;
            static etext: u8;
        }
        let begin = (&raw const __executable_start).addr();
        let end = (&raw const etext).addr() & !(PAGE - 1);
        // SAFETY: trimming may be done at any time. The range is mapped from the program's file, whole pages, and is
        // never written, so dropping its pages loses nothing.
        unsafe {
            nix::libc::malloc_trim(0);
            if begin.is_multiple_of(PAGE) && end > begin {
                nix::libc::madvise(
                    begin as *mut nix::libc::c_void,
                    end - begin,
                    nix::libc::MADV_DONTNEED,
                );
            }
        }
    }
}

/// Size of a page on the architectures that there are supervisors for, in bytes.
#[cfg(target_env = "gnu")]
const PAGE: usize = 4096;
