//! Builds the supervisor that `agentbox` carries inside itself: a static binary for Linux, made by a cargo of its own.
//!
//! `AGENTBOX_CTL_BINARY` names a ready one instead. The nested build has its own target directory, which builds of
//! every profile share; it must not see what the outer cargo sets for this script.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Leaves out of the supervisor what only unwinding needs.
const LINKER_SCRIPT: &str = "ctl-shim/no-unwinding.ld";

fn main() -> Result<(), Box<dyn Error>> {
    let manifest = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let workspace = manifest.parent().ok_or("the package lies at the root")?;
    let output = PathBuf::from(env::var("OUT_DIR")?).join("agentbox-ctl");
    rerun_if_changed("AGENTBOX_CTL_BINARY", workspace);
    let binary = match env::var_os("AGENTBOX_CTL_BINARY").filter(|path| !path.is_empty()) {
        Some(path) => {
            instruct(&format!("rerun-if-changed={}", Path::new(&path).display()));
            PathBuf::from(path)
        }
        None => build(workspace)?,
    };
    fs::copy(&binary, &output).map_err(|error| format!("cannot copy {}: {error}", binary.display()))?;
    Ok(())
}

fn rerun_if_changed(variable: &str, workspace: &Path) {
    instruct(&format!("rerun-if-env-changed={variable}"));
    for path in [
        "ctl-shim/src",
        "ctl-shim/Cargo.toml",
        LINKER_SCRIPT,
        "Cargo.toml",
        "Cargo.lock",
    ] {
        instruct(&format!("rerun-if-changed={}", workspace.join(path).display()));
    }
}

/// Cargo reads a build script's instructions from its stdout.
fn instruct(instruction: &str) {
    println!("cargo::{instruction}");
}

/// Runs the nested cargo and gives the path of what it made.
fn build(workspace: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let target = target()?;
    let directory = workspace.join("target/supervisor");
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(workspace)
        .args([
            "build",
            "--locked",
            "--package",
            "agentbox-ctl",
            "--bin",
            "agentbox-ctl",
        ])
        .args(["--profile", "supervisor", "--target", &target, "--target-dir"])
        .arg(&directory);
    for (name, _) in env::vars_os() {
        let Some(text) = name.to_str() else { continue };
        if is_of_the_outer_build(text) {
            cargo.env_remove(text);
        }
    }
    // In this form paths may have blanks.
    cargo.env(
        "CARGO_ENCODED_RUSTFLAGS",
        flags(workspace, &target).join("\u{1f}"),
    );
    let result = cargo.output()?;
    if !result.status.success() {
        return Err(format!(
            "the supervisor cannot be built for {target}:\n{}\nset AGENTBOX_CTL_BINARY to a ready one to do without",
            String::from_utf8_lossy(&result.stderr)
        )
        .into());
    }
    Ok(directory.join(&target).join("supervisor/agentbox-ctl"))
}

/// The compiler's flags for the supervisor.
fn flags(workspace: &Path, target: &str) -> Vec<String> {
    let mut flags = vec![
        "-Ctarget-feature=+crt-static".to_owned(),
        "-Crelocation-model=static".to_owned(),
    ];
    // There the compiler brings its own linker, which is known to take the script.
    if target == "x86_64-unknown-linux-gnu" {
        let script = workspace.join(LINKER_SCRIPT);
        flags.push("-Clink-arg=-Wl,--no-eh-frame-hdr".to_owned());
        flags.push("-Clink-arg=-T".to_owned());
        flags.push(format!("-Clink-arg={}", script.display()));
    }
    flags
}

/// The target to build for: musl where it is installed with its C compiler, else a static glibc.
fn target() -> Result<String, Box<dyn Error>> {
    let architecture = env::var("CARGO_CFG_TARGET_ARCH")?;
    let musl = format!("{architecture}-unknown-linux-musl");
    let installed = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()))
        .args(["--print", "target-libdir", "--target", &musl])
        .output()
        .is_ok_and(|output| Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir());
    if installed && Command::new("musl-gcc").arg("--version").output().is_ok() {
        return Ok(musl);
    }
    if env::var("CARGO_CFG_TARGET_OS")? != "linux" {
        return Err(
            "the supervisor runs on Linux: set AGENTBOX_CTL_BINARY to one that was built there".into(),
        );
    }
    Ok(format!("{architecture}-unknown-linux-gnu"))
}

/// What cargo sets for build scripts, or a person for the outer build alone.
fn is_of_the_outer_build(variable: &str) -> bool {
    let kept = [
        "CARGO_HOME",
        "CARGO_NET_",
        "CARGO_HTTP_",
        "CARGO_REGISTR",
        "CARGO_TARGET_X86",
        "CARGO_TARGET_AARCH",
    ];
    let named = [
        "DEBUG",
        "HOST",
        "NUM_JOBS",
        "OPT_LEVEL",
        "OUT_DIR",
        "PROFILE",
        "RUSTC",
        "RUSTC_LINKER",
        "RUSTC_WORKSPACE_WRAPPER",
        "RUSTDOC",
        "RUSTFLAGS",
        "TARGET",
        "MAKEFLAGS",
        "MFLAGS",
    ];
    named.contains(&variable)
        || (variable.starts_with("CARGO") && !kept.iter().any(|prefix| variable.starts_with(prefix)))
}
