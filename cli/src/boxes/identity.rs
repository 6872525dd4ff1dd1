//! Ids of boxes and of this host.

use std::fs::{self, File};
use std::io::Read;

use agentbox_ctl::failure::Failure;

/// A new box id: twelve random hexadecimal digits.
///
/// # Errors
/// A system without `/dev/urandom`.
pub fn new_id() -> Result<String, Failure> {
    let mut bytes = [0_u8; 6];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(|error| Failure::failed("cannot read random bytes from /dev/urandom").because(&error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// This machine's id: what tells the hosts apart that share one engine.
pub fn host_id() -> String {
    ["/etc/machine-id", "/var/lib/dbus/machine-id", "/etc/hostname"]
        .iter()
        .find_map(|path| {
            let text = fs::read_to_string(path).ok()?;
            let text = text.trim();
            // What a container image ships before its first boot.
            (!text.is_empty() && text != "uninitialized").then(|| text.to_owned())
        })
        .or_else(|| std::env::var("HOSTNAME").ok().filter(|name| !name.is_empty()))
        .unwrap_or_else(|| "unknown".to_owned())
}
