//! An ssh server on the loopback, of the test's own: own keys, own port, for the user who runs the tests alone.
//!
//! ```text
//! agentbox ─► `ssh` (a script before all others in PATH) ─► ssh -F own ─► sshd -f own ─► docker system dial-stdio
//! ```

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use nix::unistd::{User, geteuid};
use tempfile::TempDir;

use crate::process::{PATIENCE, run};
use crate::wait::wait_for;
use crate::{binaries, engine};

const LIMIT: Duration = Duration::from_secs(30);

/// A server, with its keys and its client's. Dropping it ends it.
#[derive(Debug)]
pub struct SshServer {
    directory: TempDir,
    port: u16,
    user: String,
    process: Option<Child>,
}

impl SshServer {
    /// Starts one.
    ///
    /// # Panics
    /// Where there is no OpenSSH and apt cannot fetch its server, or the server does not listen.
    #[track_caller]
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let user = User::from_uid(geteuid())
            .ok()
            .flatten()
            .expect("who runs the tests has a name")
            .name;
        for name in ["host", "client"] {
            let mut command = Command::new("ssh-keygen");
            command
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(directory.path().join(name));
            run(command, PATIENCE).ok();
        }
        // Free now; who takes it before the server does makes the test fail, not lie.
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|listener| listener.local_addr())
            .expect("a port can be had")
            .port();
        let mut server = Self {
            directory,
            port,
            user,
            process: None,
        };
        server.configure();
        server.restart();
        server
    }

    fn configure(&self) {
        let path = |name: &str| self.directory.path().join(name);
        let of = |name: &str| path(name).display().to_string();
        let server = format!(
            "Port {}\nListenAddress 127.0.0.1\nHostKey {}\nAuthorizedKeysFile {}\nPidFile none\nStrictModes no\n\
             PermitRootLogin prohibit-password\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n",
            self.port,
            of("host"),
            of("client.pub"),
        );
        let client = format!(
            "Host *\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  GlobalKnownHostsFile none\n  \
             StrictHostKeyChecking yes\n  BatchMode yes\n",
            of("client"),
            of("known"),
        );
        let key = fs::read_to_string(path("host.pub")).expect("the key was made");
        let ssh = find("ssh").expect("the OpenSSH client is installed");
        let wrapper = format!(
            "#!/bin/sh\nexec {} -F {} \"$@\"\n",
            ssh.display(),
            of("client.conf")
        );
        fs::create_dir(path("bin")).expect("a directory can be made");
        for (name, content) in [
            ("server.conf", server),
            ("client.conf", client),
            ("known", format!("[127.0.0.1]:{} {key}", self.port)),
            ("bin/ssh", wrapper),
        ] {
            fs::write(path(name), content).expect("a file can be written");
        }
        fs::set_permissions(path("bin/ssh"), fs::Permissions::from_mode(0o755))
            .expect("permissions can be set");
    }

    /// Starts it again after [`Self::end`].
    ///
    /// # Panics
    /// Where it does not listen.
    #[track_caller]
    pub fn restart(&mut self) {
        let path = |name: &str| self.directory.path().join(name);
        let (program, libraries) = sshd();
        let log = fs::File::create(path("log")).expect("a file can be made");
        let mut command = if geteuid().is_root() {
            // One that root starts wants a user and a directory that a machine without it lacks: it gets a view of its own.
            let mut command = Command::new("unshare");
            command
                .args(["-m", "sh", "-c", AS_ROOT, "sh"])
                .arg(self.directory.path());
            command.arg(&program);
            command
        } else {
            Command::new(&program)
        };
        command
            .args(["-D", "-e", "-f"])
            .arg(path("server.conf"))
            .env("LD_LIBRARY_PATH", libraries)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log);
        self.process = Some(command.spawn().expect("sshd can be started"));
        wait_for("an ssh server", LIMIT, || {
            TcpStream::connect(("127.0.0.1", self.port))
                .map(drop)
                .map_err(|_| fs::read_to_string(path("log")).unwrap_or_default())
        });
    }

    /// Ends it. Connections that there are go on.
    pub fn end(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// What `DOCKER_HOST` has to be for the engine under test.
    pub fn url(&self) -> String {
        let socket = engine::url()
            .strip_prefix("unix://")
            .expect("the engine is on this machine");
        format!("ssh://{}@127.0.0.1:{}{socket}", self.user, self.port)
    }

    /// Where the `ssh` lies that knows this server.
    pub fn programs(&self) -> PathBuf {
        self.directory.path().join("bin")
    }

    /// The clients that are connected to it, as process ids.
    ///
    /// # Panics
    /// Where there is no `/proc`.
    pub fn clients(&self) -> Vec<i32> {
        let config = self.directory.path().join("client.conf");
        let config = config.to_string_lossy().into_owned();
        fs::read_dir("/proc")
            .expect("processes can be listed")
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
            .filter(|pid| {
                let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&line).contains(&config)
            })
            .collect()
    }
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.end();
    }
}

/// Gives sshd the user and the directory that it wants, hides all of `/run` but the engine's socket, and becomes it.
const AS_ROOT: &str = r#"set -e
directory=$1; shift
grep -v '^sshd:' /etc/passwd >"$directory/passwd"
echo 'sshd:x:65533:65534::/run/sshd:/usr/sbin/nologin' >>"$directory/passwd"
mount --bind "$directory/passwd" /etc/passwd
mkdir -p "$directory/run"
mount --rbind /run "$directory/run"
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
if [ -S "$directory/run/docker.sock" ]; then
    touch /run/docker.sock
    mount --bind "$directory/run/docker.sock" /run/docker.sock
fi
exec "$@"
"#;

/// A program in the `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(name))
        .find(|path| path.is_file())
}

/// The server and where its libraries lie: the machine's own, else that of Debian's packages, kept for the next time.
#[track_caller]
fn sshd() -> (PathBuf, PathBuf) {
    for installed in ["/usr/sbin/sshd", "/usr/bin/sshd"] {
        if Path::new(installed).is_file() {
            return (installed.into(), PathBuf::new());
        }
    }
    let kept = binaries::cache_directory().join("sshd");
    if !kept.exists() {
        let fetched = tempfile::tempdir_in(binaries::cache_directory()).expect("a directory can be made");
        let mut command = Command::new("apt-get");
        command
            .args(["download", "openssh-server", "libwrap0"])
            .current_dir(fetched.path());
        run(command, PATIENCE).ok();
        let whole = fetched.path().join("whole");
        for entry in fs::read_dir(fetched.path())
            .expect("the directory can be read")
            .flatten()
        {
            let mut command = Command::new("dpkg-deb");
            command.arg("-x").arg(entry.path()).arg(&whole);
            run(command, PATIENCE).ok();
        }
        // Another test process may have been faster, with the same.
        if fs::rename(&whole, &kept).is_err() {
            assert!(kept.exists(), "the fetched server cannot be kept");
        }
    }
    let libraries = format!("usr/lib/{}-linux-gnu", std::env::consts::ARCH);
    (kept.join("usr/sbin/sshd"), kept.join(libraries))
}
