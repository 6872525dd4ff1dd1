//! Starting a process.
//!
//! A child that shares our memory until it executes (`clone` with `CLONE_VM | CLONE_VFORK`, as `posix_spawn` does)
//! costs about 0.6 of a fork (200 times `true`: 111 ms against 190), and can leave in our memory which step failed
//! with which error. The child uses raw system calls and nothing that allocates; all that it needs is prepared before.

use std::ffi::{CString, OsStr, OsString};
use std::fmt;
use std::io::{self, Read};
use std::os::fd::{AsRawFd, BorrowedFd, RawFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::{fs, ptr};

use nix::errno::Errno;
use nix::libc;

use super::environment::{DEFAULT_PATH, Environment};
use super::tag::Tag;
use super::users::Credentials;

/// What to start.
#[derive(Debug, Clone, Copy)]
pub struct SpawnRequest<'a> {
    /// Program and arguments; a program without a slash is looked up in the `PATH` of `environment`. Not empty.
    pub argv: &'a [OsString],
    /// All it sees; nothing is inherited.
    pub environment: &'a Environment,
    /// Working directory, absolute.
    pub cwd: &'a Path,
    /// Who it runs as; `None` stays who we are. Ignored where we are not root and they are us already.
    pub credentials: Option<&'a Credentials>,
    /// Mark of its tree.
    pub tag: Option<Tag>,
    /// Its standard streams.
    pub stdio: Stdio<'a>,
}

/// Standard streams and session of a new process.
#[derive(Debug, Clone, Copy)]
pub enum Stdio<'a> {
    /// Input from `/dev/null`; output and errors both into this descriptor.
    Output(BorrowedFd<'a>),
    /// Input from this descriptor, output and errors as ours.
    Input(BorrowedFd<'a>),
    /// This terminal for all three, which also becomes the session's controlling terminal.
    Terminal(BorrowedFd<'a>),
    /// All three as ours.
    Inherit,
}

/// Sort of a [`SpawnFailure`]; decides the exit code where a shell would report one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpawnFailureKind {
    /// The program does not exist.
    NotFound,
    /// The program exists but cannot be executed.
    NotExecutable,
    /// The working directory does not exist or cannot be entered.
    Cwd,
    /// We may not become that user.
    Credentials,
    /// Anything else: no memory, no process ids left, arguments too long.
    System,
}

/// Why nothing was started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpawnFailure {
    /// A fragment: `cannot run "foo": no such file or directory`.
    pub reason: String,
    /// What sort.
    pub kind: SpawnFailureKind,
}

impl fmt::Display for SpawnFailure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.reason)
    }
}

impl std::error::Error for SpawnFailure {}

/// The argument vector of a shell command: `bash -c` where the process would find bash in its `PATH`, else `sh -c`.
pub fn shell_argv(command: &str, environment: &Environment, cwd: &Path) -> Vec<OsString> {
    vec![shell(environment, cwd).into(), "-c".into(), command.into()]
}

/// The shell of such a command.
pub fn shell(environment: &Environment, cwd: &Path) -> &'static str {
    let has_bash = candidates(OsStr::new("bash"), environment).iter().any(|path| {
        fs::metadata(cwd.join(path))
            .is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    });
    if has_bash { "bash" } else { "sh" }
}

/// Starts a process in a session of its own and returns its pid once it executes the program.
///
/// It starts with default signal handling and an empty signal mask, without any descriptor but its standard
/// streams. The caller is its parent and has to collect its exit status.
///
/// # Errors
/// A [`SpawnFailure`]; then no process is left behind.
pub fn spawn(request: &SpawnRequest<'_>) -> Result<u32, SpawnFailure> {
    let prepared = Prepared::new(request)?;
    let mut child = Child {
        prepared: &prepared,
        failure: None,
    };
    let pid = clone_and_run(&mut child).map_err(|error| SpawnFailure {
        reason: format!("cannot start a process: {}", describe(error)),
        kind: SpawnFailureKind::System,
    })?;
    let Some((step, error)) = child.failure else {
        return Ok(pid.unsigned_abs());
    };
    // It has exited without executing anything: collect it here, so that nobody sees a child they never heard of.
    let mut status = 0;
    // SAFETY: `status` outlives the call, which writes to it only; the pid is our own unreaped child.
    #[expect(unsafe_code, reason = "raw status, like the rest of this file")]
    while unsafe { libc::waitpid(pid, &raw mut status, 0) } == -1 && Errno::last() == Errno::EINTR {}
    Err(failure(step, error, request, &prepared))
}

/// All that the child reads; nothing in it is allocated or looked up later.
struct Prepared {
    programs: Vec<CString>,
    #[expect(dead_code, reason = "owns what the pointers point to")]
    arguments: Vec<CString>,
    argument_pointers: Vec<*const libc::c_char>,
    #[expect(dead_code, reason = "owns what the pointers point to")]
    variables: Vec<CString>,
    variable_pointers: Vec<*const libc::c_char>,
    cwd: CString,
    identity: Option<(u32, u32, Vec<u32>)>,
    limit: Option<libc::rlimit64>,
    streams: [Option<RawFd>; 3],
    controlling_terminal: bool,
}

/// A step of the child that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Session,
    Streams,
    Terminal,
    Limit,
    Identity,
    Cwd,
    Execute,
}

struct Child<'a> {
    prepared: &'a Prepared,
    failure: Option<(Step, Errno)>,
}

fn c_string(text: &OsStr) -> Result<CString, SpawnFailure> {
    CString::new(text.as_bytes()).map_err(|_| SpawnFailure {
        reason: format!("cannot run with {text:?}: it holds a NUL byte"),
        kind: SpawnFailureKind::System,
    })
}

fn pointers(strings: &[CString]) -> Vec<*const libc::c_char> {
    strings
        .iter()
        .map(|string| string.as_ptr())
        .chain([ptr::null()])
        .collect()
}

/// The paths at which a program is tried, relative ones meaning below the working directory.
fn candidates(program: &OsStr, environment: &Environment) -> Vec<PathBuf> {
    if program.as_bytes().contains(&b'/') {
        return vec![program.into()];
    }
    let path = environment.get("PATH").unwrap_or(OsStr::new(DEFAULT_PATH));
    std::env::split_paths(path)
        .map(|directory| {
            if directory.as_os_str().is_empty() {
                ".".into()
            } else {
                directory
            }
        })
        .map(|directory| directory.join(program))
        .collect()
}

impl Prepared {
    fn new(request: &SpawnRequest<'_>) -> Result<Self, SpawnFailure> {
        let program = request.argv.first().filter(|program| !program.is_empty());
        let Some(program) = program else {
            return Err(SpawnFailure {
                reason: "cannot run an empty command".to_owned(),
                kind: SpawnFailureKind::NotFound,
            });
        };
        let programs = candidates(program, request.environment)
            .iter()
            .map(|path| c_string(path.as_os_str()))
            .collect::<Result<Vec<_>, _>>()?;
        let arguments = request
            .argv
            .iter()
            .map(|text| c_string(text))
            .collect::<Result<Vec<_>, _>>()?;
        let variables = request
            .environment
            .iter()
            .map(|(name, value)| {
                let mut text = name.to_owned();
                text.push("=");
                text.push(value);
                c_string(&text)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let (streams, controlling_terminal) = match request.stdio {
            Stdio::Output(output) => ([None, Some(output.as_raw_fd()), Some(output.as_raw_fd())], false),
            Stdio::Input(input) => ([Some(input.as_raw_fd()), Some(1), Some(2)], false),
            Stdio::Terminal(terminal) => ([Some(terminal.as_raw_fd()); 3], true),
            Stdio::Inherit => ([Some(0), Some(1), Some(2)], false),
        };
        Ok(Self {
            argument_pointers: pointers(&arguments),
            variable_pointers: pointers(&variables),
            programs,
            arguments,
            variables,
            cwd: c_string(request.cwd.as_os_str())?,
            identity: request
                .credentials
                .filter(|credentials| !is_us(credentials))
                .map(|credentials| (credentials.uid, credentials.gid, credentials.groups.clone())),
            limit: request.tag.map(|tag| libc::rlimit64 {
                rlim_cur: tag.soft,
                rlim_max: tag.hard,
            }),
            streams,
            controlling_terminal,
        })
    }
}

/// Only root can switch; anybody else can at most stay.
fn is_us(credentials: &Credentials) -> bool {
    let (uid, gid) = (nix::unistd::geteuid().as_raw(), nix::unistd::getegid().as_raw());
    uid != 0 && uid == credentials.uid && gid == credentials.gid
}

/// Bytes of stack for the child: its frames are few and small, a page would nearly do.
const STACK: usize = 64 * 1024;

fn clone_and_run(child: &mut Child<'_>) -> Result<libc::pid_t, Errno> {
    let mut stack = Vec::<u128>::with_capacity(STACK / 16);
    // SAFETY: the sets are plain data that the calls fill in. The stack is ours alone, stays allocated until the
    // child has executed or exited (CLONE_VFORK), and its top is aligned as the ABI wants. `run` gets a pointer to
    // `child`, which outlives it for the same reason, and nobody else looks at it meanwhile. All signals are
    // blocked, so that no handler of ours runs in the child on shared memory before it has reset them.
    #[expect(unsafe_code, reason = "clone is the point of this file")]
    unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let top = stack.as_mut_ptr().add(STACK / 16);
        let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD;
        let pid = libc::clone(run, top.cast(), flags, ptr::from_mut(child).cast());
        let error = Errno::last();
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        if pid == -1 { Err(error) } else { Ok(pid) }
    }
}

/// The child. Shares our memory: no allocation, no locks, no panics, no libc function that keeps state.
extern "C" fn run(argument: *mut libc::c_void) -> libc::c_int {
    // SAFETY: `clone_and_run` passes a pointer to a `Child` that outlives this function and is not used meanwhile.
    #[expect(unsafe_code, reason = "the only way in")]
    let child = unsafe { &mut *argument.cast::<Child<'_>>() };
    let failed = child.prepared.become_it();
    child.failure = Some(failed);
    // SAFETY: ends this process without running anything of ours.
    #[expect(unsafe_code, reason = "returning would run exit handlers of the parent")]
    unsafe {
        libc::_exit(127)
    }
}

impl Prepared {
    /// Turns the child into the program; returns only what went wrong.
    #[expect(unsafe_code, reason = "a row of system calls")]
    fn become_it(&self) -> (Step, Errno) {
        // SAFETY: system calls on descriptors and plain data of `self`; each pointer is to something in `self`
        // that ends in NUL or null where the call wants it. Identity is changed by system call: the library's
        // wrappers would change it for every thread of the parent, whose memory this is.
        unsafe {
            reset_signals();
            // A parent that is itself a child of `setsid` made us: this fails only for a group's leader, never here.
            if libc::setsid() == -1 {
                return (Step::Session, Errno::last());
            }
            if let Err(error) = self.set_streams() {
                return (Step::Streams, error);
            }
            if self.controlling_terminal && libc::ioctl(0, libc::TIOCSCTTY, 0) == -1 {
                return (Step::Terminal, Errno::last());
            }
            if let Some(limit) = &self.limit
                && libc::syscall(
                    libc::SYS_prlimit64,
                    0,
                    libc::RLIMIT_MSGQUEUE,
                    ptr::from_ref(limit),
                    0,
                ) == -1
            {
                return (Step::Limit, Errno::last());
            }
            if let Some((uid, gid, groups)) = &self.identity
                && (libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()) == -1
                    || libc::syscall(libc::SYS_setresgid, *gid, *gid, *gid) == -1
                    || libc::syscall(libc::SYS_setresuid, *uid, *uid, *uid) == -1)
            {
                return (Step::Identity, Errno::last());
            }
            // As the user: whether they may enter is for the kernel to say.
            if libc::chdir(self.cwd.as_ptr()) == -1 {
                return (Step::Cwd, Errno::last());
            }
            let mut none: libc::sigset_t = std::mem::zeroed();
            libc::sigemptyset(&raw mut none);
            libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
            (Step::Execute, self.execute())
        }
    }

    /// Tries each path; the error that says most, as shells have it: one that is there but not executable wins.
    #[expect(unsafe_code, reason = "execve")]
    unsafe fn execute(&self) -> Errno {
        let mut found = Errno::ENOENT;
        for program in &self.programs {
            // SAFETY: the strings end in NUL and the arrays in null; all live in `self`.
            unsafe {
                libc::execve(
                    program.as_ptr(),
                    self.argument_pointers.as_ptr(),
                    self.variable_pointers.as_ptr(),
                );
            }
            match Errno::last() {
                Errno::ENOENT | Errno::ENOTDIR => {}
                Errno::EACCES => found = Errno::EACCES,
                other => return other,
            }
        }
        found
    }

    /// Puts the standard streams in place and closes everything else.
    #[expect(unsafe_code, reason = "descriptors without owners, in another process")]
    unsafe fn set_streams(&self) -> Result<(), Errno> {
        // SAFETY: this process has a table of descriptors of its own; nothing here touches the parent's.
        unsafe {
            // First out of the way of 0 to 2, since a source may be one of those.
            let mut sources = [0; 3];
            for (source, stream) in sources.iter_mut().zip(self.streams) {
                *source = match stream {
                    Some(descriptor) => libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, 3),
                    None => libc::open(c"/dev/null".as_ptr(), libc::O_RDONLY | libc::O_CLOEXEC),
                };
                if *source == -1 {
                    return Err(Errno::last());
                }
            }
            for (target, source) in (0..).zip(sources) {
                if source == target {
                    libc::fcntl(source, libc::F_SETFD, 0);
                } else if libc::dup2(source, target) == -1 {
                    return Err(Errno::last());
                }
            }
            if libc::syscall(libc::SYS_close_range, 3, u32::MAX, 0) == -1 {
                // Older kernels and filters: everything of ours closes by itself, this is for what we inherited.
                for descriptor in 3..256 {
                    libc::close(descriptor);
                }
            }
            Ok(())
        }
    }
}

/// Default handling for every signal. The parent's handlers must not run here, and what it ignores (SIGPIPE, as
/// every Rust program) would stay ignored in the program.
#[expect(unsafe_code, reason = "signal dispositions")]
unsafe fn reset_signals() {
    // SAFETY: a zeroed action is the default one, whatever the layout; the kernel's is at most half of this buffer.
    // The table is this process's own. By system call, since the library keeps signals 32 and 33 to itself.
    unsafe {
        let default = [0_u64; 8];
        for signal in 1..=64 {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), 0, 8);
        }
    }
}

/// An error's text as a fragment: `no such file or directory`.
pub(crate) fn describe(error: Errno) -> String {
    let text = error.desc();
    let mut characters = text.chars();
    match characters.next() {
        // Not for `I/O error` and its like.
        Some(first)
            if characters
                .clone()
                .next()
                .is_some_and(|second| second.is_lowercase()) =>
        {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

fn failure(step: Step, error: Errno, request: &SpawnRequest<'_>, prepared: &Prepared) -> SpawnFailure {
    let why = describe(error);
    let cwd = request.cwd.display();
    let (reason, kind) = match (step, error) {
        (Step::Cwd, Errno::ENOENT) => (format!("cwd \"{cwd}\" does not exist"), SpawnFailureKind::Cwd),
        (Step::Cwd, Errno::ENOTDIR) => (format!("cwd \"{cwd}\" is not a directory"), SpawnFailureKind::Cwd),
        (Step::Cwd, _) => (
            format!("cannot enter cwd \"{cwd}\": {why}"),
            SpawnFailureKind::Cwd,
        ),
        (Step::Identity, _) => {
            let name = request
                .credentials
                .map(|credentials| credentials.name.as_str())
                .unwrap_or_default();
            (
                format!("cannot run as user \"{name}\": {why}"),
                SpawnFailureKind::Credentials,
            )
        }
        (Step::Execute, _) => return execute_failure(error, request, prepared),
        (Step::Session, _) => (format!("cannot make a session: {why}"), SpawnFailureKind::System),
        (Step::Streams, _) => (
            format!("cannot set up the standard streams: {why}"),
            SpawnFailureKind::System,
        ),
        (Step::Terminal, _) => (
            format!("cannot take the terminal: {why}"),
            SpawnFailureKind::System,
        ),
        (Step::Limit, _) => (format!("cannot tag the process: {why}"), SpawnFailureKind::System),
    };
    SpawnFailure { reason, kind }
}

fn execute_failure(error: Errno, request: &SpawnRequest<'_>, prepared: &Prepared) -> SpawnFailure {
    let program = request
        .argv
        .first()
        .map(|program| program.to_string_lossy())
        .unwrap_or_default();
    let because = |why: String, kind| SpawnFailure {
        reason: format!("cannot run \"{program}\": {why}"),
        kind,
    };
    match error {
        Errno::ENOENT => {
            let present = prepared.programs.iter().find_map(|path| {
                let path = request.cwd.join(OsStr::from_bytes(path.as_bytes()));
                path.is_file().then_some(path)
            });
            match present {
                // The kernel's "no such file" is then about what the file asks for.
                Some(path) => because(missing_interpreter(&path), SpawnFailureKind::NotExecutable),
                None => because(describe(error), SpawnFailureKind::NotFound),
            }
        }
        // A directory of the search path that may not be entered is no sign of the program.
        Errno::EACCES
            if !prepared
                .programs
                .iter()
                .any(|path| request.cwd.join(OsStr::from_bytes(path.as_bytes())).exists()) =>
        {
            because(describe(Errno::ENOENT), SpawnFailureKind::NotFound)
        }
        Errno::EACCES => {
            let directory = prepared
                .programs
                .iter()
                .any(|path| request.cwd.join(OsStr::from_bytes(path.as_bytes())).is_dir());
            let why = if directory {
                "it is a directory".to_owned()
            } else {
                describe(error)
            };
            because(why, SpawnFailureKind::NotExecutable)
        }
        Errno::ENOEXEC => because(
            "exec format error (a script needs a `#!` line, a binary must be of this architecture)"
                .to_owned(),
            SpawnFailureKind::NotExecutable,
        ),
        Errno::E2BIG => because(
            "its arguments and environment are too long".to_owned(),
            SpawnFailureKind::System,
        ),
        _ => because(describe(error), SpawnFailureKind::NotExecutable),
    }
}

fn missing_interpreter(path: &Path) -> String {
    let mut start = Vec::new();
    let read = fs::File::open(path).and_then(|file| file.take(256).read_to_end(&mut start));
    let script = read.ok().and_then(|_| {
        let line = start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
        let text = String::from_utf8_lossy(line).trim().to_owned();
        text.split_whitespace().next().map(str::to_owned)
    });
    match script {
        Some(interpreter) => format!("its interpreter \"{interpreter}\" does not exist"),
        None => "it is there, but the loader it is linked against is not".to_owned(),
    }
}

/// A pipe whose both ends close on exec: the read end for us, the write end for the process.
///
/// # Errors
/// Those of `pipe2`.
pub fn output_pipe() -> io::Result<(std::os::fd::OwnedFd, std::os::fd::OwnedFd)> {
    Ok(nix::unistd::pipe2(nix::fcntl::OFlag::O_CLOEXEC)?)
}
