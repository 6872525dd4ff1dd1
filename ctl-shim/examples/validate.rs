//! Validates one file and says how long that took: `validate FILE [REPETITIONS]`.
//!
//! The example is what the figures of `docs/decisions/0001-yaml-library.md` were measured with.

use std::io::Write;
use std::process::ExitCode;
use std::time::Instant;

use agentbox_ctl::config::{LoadOptions, load_bytes, render};

fn main() -> std::io::Result<ExitCode> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| "agentbox.yaml".to_owned());
    let repetitions: u32 = arguments.next().and_then(|text| text.parse().ok()).unwrap_or(1);
    let bytes = std::fs::read(&path)?;
    let mut loaded = load_bytes(&bytes, &LoadOptions::default());
    let start = Instant::now();
    for _ in 1..repetitions {
        loaded = load_bytes(&bytes, &LoadOptions::default());
    }
    let mut output = std::io::stdout().lock();
    write!(
        output,
        "{}",
        render(&path, &String::from_utf8_lossy(&bytes), &loaded.diagnostics)
    )?;
    if repetitions > 1 {
        writeln!(output, "{:?} each", start.elapsed() / (repetitions - 1))?;
    }
    Ok(ExitCode::from(if loaded.config.is_some() { 0 } else { 2 }))
}
