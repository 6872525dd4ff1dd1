//! Times as systemd's tools print and take them, in the box's own time zone.

use std::ffi::CStr;

use nix::libc;

use crate::time::Timestamp;

const MONTHS: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const DAY: u64 = 24 * 60 * 60;

/// Takes a time apart for a time zone.
pub(super) type Zone = fn(Timestamp) -> Civil;

/// A time in a time zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Civil {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    weekday: i32,
    zone: String,
}

/// In the time zone of this process.
#[expect(unsafe_code, reason = "time zones are the C library's business")]
pub(super) fn local(time: Timestamp) -> Civil {
    // SAFETY: both pointers are to values that outlive the call; the name of a zone lives as long as the process.
    civil(time, |seconds, broken| unsafe {
        libc::localtime_r(seconds, broken);
    })
}

/// In UTC, whatever the time zone is.
#[cfg(test)]
#[expect(unsafe_code, reason = "as its sibling")]
pub(super) fn universal(time: Timestamp) -> Civil {
    // SAFETY: as above.
    civil(time, |seconds, broken| unsafe {
        libc::gmtime_r(seconds, broken);
    })
}

#[expect(unsafe_code, reason = "time zones are the C library's business")]
fn civil(time: Timestamp, take_apart: impl Fn(&libc::time_t, &mut libc::tm)) -> Civil {
    let mut broken = empty();
    take_apart(&((time.as_millis() / 1000).cast_signed()), &mut broken);
    // SAFETY: where it is not null it is the name of a time zone, which ends with a NUL.
    let zone = (!broken.tm_zone.is_null()).then(|| unsafe { CStr::from_ptr(broken.tm_zone) });
    Civil {
        year: broken.tm_year + 1900,
        month: broken.tm_mon + 1,
        day: broken.tm_mday,
        hour: broken.tm_hour,
        minute: broken.tm_min,
        second: broken.tm_sec,
        weekday: broken.tm_wday,
        zone: zone.map_or_else(String::new, |zone| zone.to_string_lossy().into_owned()),
    }
}

#[expect(
    unsafe_code,
    reason = "the structure has fields that differ between C libraries"
)]
fn empty() -> libc::tm {
    // SAFETY: it is made of integers and a pointer, for which zero is a value.
    unsafe { std::mem::zeroed() }
}

impl Civil {
    /// `Nov 26 18:16:20`, as in logs.
    pub(super) fn short(&self) -> String {
        format!(
            "{} {:02} {:02}:{:02}:{:02}",
            name(&MONTHS, self.month - 1),
            self.day,
            self.hour,
            self.minute,
            self.second
        )
    }

    /// `Thu 2026-11-26 18:16:20 UTC`, as in states.
    pub(super) fn long(&self) -> String {
        format!(
            "{} {}-{:02}-{:02} {:02}:{:02}:{:02} {}",
            name(&DAYS, self.weekday),
            self.year,
            self.month,
            self.day,
            self.hour,
            self.minute,
            self.second,
            self.zone
        )
    }

    /// When that was. `None` where there is no such time.
    #[expect(unsafe_code, reason = "time zones are the C library's business")]
    fn timestamp(&self) -> Option<Timestamp> {
        let mut broken = empty();
        broken.tm_year = self.year.checked_sub(1900)?;
        broken.tm_mon = self.month - 1;
        broken.tm_mday = self.day;
        broken.tm_hour = self.hour;
        broken.tm_min = self.minute;
        broken.tm_sec = self.second;
        broken.tm_isdst = -1;
        let given = (broken.tm_mon, broken.tm_mday);
        // SAFETY: the pointer is to a value that outlives the call.
        let seconds = if self.zone == "UTC" {
            unsafe { libc::timegm(&raw mut broken) }
        } else {
            unsafe { libc::mktime(&raw mut broken) }
        };
        let is_real = (broken.tm_mon, broken.tm_mday) == given;
        let seconds = u64::try_from(seconds).ok().filter(|_| is_real)?;
        Some(Timestamp::from_millis(seconds.saturating_mul(1000)))
    }
}

fn name<'a>(names: &[&'a str], index: i32) -> &'a str {
    usize::try_from(index)
        .ok()
        .and_then(|index| names.get(index).copied())
        .unwrap_or("?")
}

/// How long ago something was: `5min ago`.
pub(super) fn ago(time: Timestamp, now: Timestamp) -> String {
    let millis = now.as_millis().saturating_sub(time.as_millis());
    let seconds = millis / 1000;
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / DAY);
    let many = |count: u64, what: &str| format!("{count} {what}{}", if count == 1 { "" } else { "s" });
    let text = match seconds {
        0 if millis == 0 => return "now".to_owned(),
        0 => format!("{millis}ms"),
        1..60 => format!("{seconds}s"),
        60..300 => format!("{minutes}min {}s", seconds % 60),
        300..3600 => format!("{minutes}min"),
        3600..21_600 => format!("{hours}h {}min", minutes % 60),
        21_600..90_000 => format!("{hours}h"),
        90_000..172_800 => format!("1 day {}h", hours - 24),
        172_800..604_800 => many(days, "day"),
        604_800..2_629_800 => format!("{} {}", many(days / 7, "week"), many(days % 7, "day")),
        _ => {
            let months = seconds * 10 / 26_298_000;
            format!(
                "{} {}",
                many(months, "month"),
                many((seconds - months * 2_629_800) / DAY, "day")
            )
        }
    };
    text + " ago"
}

/// A time as `--since` takes it: `2026-11-26 10:00`, `10:00`, `today`, `5 min ago`, `-1h`, `@1700000000`, and what
/// `agentbox logs --since` takes.
///
/// # Errors
/// A text that is none of these.
pub(super) fn parse(text: &str, now: Timestamp) -> Result<Timestamp, String> {
    let text = text.trim();
    let wrong = || {
        format!(
            "Failed to parse timestamp: {text}\nWhat is understood: \"2026-01-31 12:00\", \"12:00\", today, yesterday, \"5 min ago\", -1h, 5m, @1700000000"
        )
    };
    let midnight = |before: u64| {
        // By way of noon, where no change of the clock is near.
        let noon = Timestamp::from_millis(
            Civil {
                hour: 12,
                minute: 0,
                second: 0,
                ..local(now)
            }
            .timestamp()?
            .as_millis()
            .saturating_sub(before * DAY * 1000),
        );
        Civil {
            hour: 0,
            minute: 0,
            second: 0,
            zone: String::new(),
            ..local(noon)
        }
        .timestamp()
    };
    match text {
        "now" => return Ok(now),
        "today" => return midnight(0).ok_or_else(wrong),
        "yesterday" => return midnight(1).ok_or_else(wrong),
        _ => {}
    }
    if let Some(seconds) = text.strip_prefix('@') {
        let (whole, part) = seconds.split_once('.').unwrap_or((seconds, ""));
        let whole: Option<u64> = whole.parse().ok();
        let part = format!("{part}000")
            .get(..3)
            .and_then(|digits| digits.parse::<u64>().ok());
        let millis = whole.and_then(|whole| whole.checked_mul(1000)?.checked_add(part?));
        return millis.map(Timestamp::from_millis).ok_or_else(wrong);
    }
    let span = text.strip_prefix('-').or_else(|| text.strip_suffix("ago"));
    if let Some(span) = span {
        let span = humantime::parse_duration(span.trim()).map_err(|_| wrong())?;
        return Ok(now.before(span));
    }
    if let Some(time) = calendar(text, now) {
        return Ok(time);
    }
    if let Ok(time) = humantime::parse_rfc3339(text) {
        return Ok(Timestamp::from(time));
    }
    humantime::parse_duration(text)
        .map(|span| now.before(span))
        .map_err(|_| wrong())
}

/// `[Thu] 2026-11-26 [10:00[:30]] [UTC]`, or a time of this day.
fn calendar(text: &str, now: Timestamp) -> Option<Timestamp> {
    let mut civil = Civil {
        hour: 0,
        minute: 0,
        second: 0,
        zone: String::new(),
        ..local(now)
    };
    // A `T` may stand between date and time; in names of days and zones it is a letter.
    let mut words = Vec::new();
    for word in text.split(' ').filter(|word| !word.is_empty()) {
        match word
            .split_once('T')
            .filter(|_| word.starts_with(|first: char| first.is_ascii_digit()))
        {
            Some((date, clock)) => words.extend([date, clock]),
            None => words.push(word),
        }
    }
    if words.first().is_some_and(|word| DAYS.contains(word)) {
        words.remove(0);
    }
    if words.last() == Some(&"UTC") {
        words.pop();
        civil.zone.push_str("UTC");
    }
    let (date, clock) = match words.as_slice() {
        [date, clock] => (Some(*date), Some(*clock)),
        [clock] if clock.contains(':') => (None, Some(*clock)),
        [date] => (Some(*date), None),
        _ => return None,
    };
    if let Some(date) = date {
        let [year, month, day] = numbers(date, '-').try_into().ok()?;
        (civil.year, civil.month, civil.day) = (year, month, day);
    }
    if let Some(clock) = clock {
        let parts = numbers(clock.split('.').next()?, ':');
        (civil.hour, civil.minute, civil.second) = match parts.as_slice() {
            [hour, minute] => (*hour, *minute, 0),
            [hour, minute, second] => (*hour, *minute, *second),
            _ => return None,
        };
    }
    let is_real = (1970..=9999).contains(&civil.year)
        && (1..=12).contains(&civil.month)
        && (1..=31).contains(&civil.day)
        && (0..24).contains(&civil.hour)
        && (0..60).contains(&civil.minute)
        && (0..=60).contains(&civil.second);
    civil.timestamp().filter(|_| is_real)
}

/// Numbers between separators; none where one is no number.
fn numbers(text: &str, separator: char) -> Vec<i32> {
    let parts: Option<Vec<i32>> = text
        .split(separator)
        .map(|part| {
            let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
            part.parse().ok().filter(|_| is_number)
        })
        .collect();
    parts.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Tue Nov 14 22:13:20 2023 UTC.
    const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

    #[test]
    fn prints_as_systemd_does() {
        let civil = universal(NOW);
        assert_eq!(civil.short(), "Nov 14 22:13:20");
        assert!(
            civil.long().starts_with("Tue 2023-11-14 22:13:20 "),
            "{}",
            civil.long()
        );
    }

    #[test]
    fn says_how_long_ago() {
        for (seconds, text) in [
            (0, "now"),
            (59, "59s ago"),
            (61, "1min 1s ago"),
            (300, "5min ago"),
            (3_700, "1h 1min ago"),
            (25_000, "6h ago"),
            (100_000, "1 day 3h ago"),
            (200_000, "2 days ago"),
            (700_000, "1 week 1 day ago"),
            (8_000_000, "3 months 1 day ago"),
        ] {
            assert_eq!(
                ago(NOW.before(std::time::Duration::from_secs(seconds)), NOW),
                text
            );
        }
    }

    #[test]
    fn takes_the_forms_of_journalctl_and_ours() {
        let before = |seconds: u64| Ok(Timestamp::from_millis(NOW.as_millis() - seconds * 1000));
        for (text, seconds) in [
            ("now", 0),
            ("5 min ago", 300),
            ("5 minutes ago", 300),
            ("1h ago", 3600),
            ("-1h", 3600),
            ("-1h 30min", 5400),
            ("1 week ago", 7 * DAY),
            ("@1699999990", 10),
            ("@1699999990.0", 10),
            ("5m", 300),
            ("2023-11-14T22:13:10Z", 10),
            ("2023-11-14 22:13:10 UTC", 10),
            ("Tue 2023-11-14 22:13:10 UTC", 10),
        ] {
            assert_eq!(parse(text, NOW), before(seconds), "{text}");
        }
        let at = |text: &str| parse(text, NOW).unwrap_or_else(|error| panic!("{error}"));
        let midnight = |time: Timestamp| {
            let civil = local(time);
            (civil.hour, civil.minute, civil.second)
        };
        assert_eq!(midnight(at("today")), (0, 0, 0));
        assert_eq!(midnight(at("yesterday")), (0, 0, 0));
        assert!(at("yesterday") < at("today") && at("today") <= NOW);
        assert_eq!(at("2023-11-14"), at("2023-11-14 00:00"));
        assert_eq!(local(at("2023-11-14 10:30")).short(), "Nov 14 10:30:00");
        assert_eq!(local(at("10:30:05")).short()[7..], *"10:30:05");
    }

    #[test]
    fn refuses_what_is_no_time() {
        for text in [
            "",
            "soon",
            "2023-02-31",
            "2023-13-01",
            "24:00",
            "10:61",
            "@",
            "@x",
            "-",
            "ago",
            "5 apples ago",
            "2023-11",
            "1-2-3 4:5:6:7",
            "@18446744073709551615",
        ] {
            assert!(parse(text, NOW).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,40}") {
            let _ = parse(&text, NOW);
        }
    }
}
