//! Sizes and counts as a person reads them: one form for the whole program.

use agentbox_ctl::time::Timestamp;

/// A size in powers of 1024: `4 GiB` where it is a round number of a unit, else with one decimal.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut unit = 0;
    let mut tenths = u128::from(bytes) * 10;
    while tenths >= 10 * 1024 && unit + 1 < UNITS.len() {
        tenths = (tenths + 512) / 1024;
        unit += 1;
    }
    match tenths % 10 {
        0 => format!("{} {}", tenths / 10, UNITS[unit]),
        rest => format!("{}.{rest} {}", tenths / 10, UNITS[unit]),
    }
}

/// A number with a comma between each three digits: `20,000`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// What was copied: `1 file, 512 B`, `20,000 files, 180 MiB`.
pub fn files_and_bytes(files: u64, bytes: u64) -> String {
    let noun = if files == 1 { "file" } else { "files" };
    format!("{} {noun}, {}", count(files), size(bytes))
}

/// The time between two points, in one unit: `12s`, `5m`, `2h`, `3d`.
pub fn duration(then: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_millis().saturating_sub(then.as_millis()) / 1000;
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3_600 => format!("{}m", seconds / 60),
        3_600..86_400 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_for_people() {
        let shown = [0, 512, 1023, 1024, 1536, 1536 << 20, 4 << 30, 3 << 40, 5 << 50].map(size);
        assert_eq!(
            shown.join(" · "),
            "0 B · 512 B · 1023 B · 1 KiB · 1.5 KiB · 1.5 GiB · 4 GiB · 3 TiB · 5120 TiB"
        );
        assert_eq!(size(u64::MAX), "16777216 TiB");
    }

    #[test]
    fn counts_for_people() {
        let shown = [0, 7, 999, 1000, 20_000, 123_456, 1_234_567].map(count);
        assert_eq!(
            shown.join(" · "),
            "0 · 7 · 999 · 1,000 · 20,000 · 123,456 · 1,234,567"
        );
        assert_eq!(files_and_bytes(1, 512), "1 file, 512 B");
        assert_eq!(files_and_bytes(20_000, 180 << 20), "20,000 files, 180 MiB");
    }
}
