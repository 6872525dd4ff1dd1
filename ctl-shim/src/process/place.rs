//! The host's time zone and locale, as far as the image can follow.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::identity::Identity;

/// A time zone and a locale that exist in the image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// Value for `TZ`.
    pub timezone: Option<String>,
    /// Value for `LANG`; always a UTF-8 locale.
    pub lang: Option<String>,
}

/// Longest part of a locale archive's string table that is read, in bytes; all locales of glibc take a tenth.
const STRINGS_LIMIT: u32 = 256 * 1024;

impl Place {
    /// Looks into the image at `root` (`/` outside of tests) for what the box's host uses.
    ///
    /// A zone without its file under `usr/share/zoneinfo` is left out: programs would take it for UTC in
    /// silence. A locale that is missing or not UTF-8 becomes `C.UTF-8` where that exists.
    pub fn find(identity: &Identity, root: &Path) -> Self {
        Self {
            timezone: identity.timezone.clone().filter(|zone| knows_zone(zone, root)),
            lang: identity
                .lang
                .clone()
                .filter(|lang| is_utf8(lang) && knows_locale(lang, root))
                .or_else(|| Some("C.UTF-8".to_owned()).filter(|lang| knows_locale(lang, root))),
        }
    }
}

fn knows_zone(zone: &str, root: &Path) -> bool {
    let relative = !zone.is_empty()
        && zone.split('/').all(|part| !matches!(part, "" | "." | ".."))
        && !zone.contains('\0');
    relative && root.join("usr/share/zoneinfo").join(zone).is_file()
}

fn is_utf8(lang: &str) -> bool {
    let codeset = lang
        .split_once('.')
        .map(|(_, rest)| rest.split('@').next().unwrap_or_default());
    codeset.is_some_and(|codeset| codeset.replace('-', "").eq_ignore_ascii_case("utf8"))
}

/// `de_CH.UTF-8@euro` as the C library files it: `de_CH.utf8@euro`.
fn normalised(lang: &str) -> Option<String> {
    let (language, rest) = lang.split_once('.')?;
    let modifier = rest
        .split_once('@')
        .map(|(_, modifier)| format!("@{modifier}"))
        .unwrap_or_default();
    let plain = |text: &str| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '@' | '-'))
    };
    (!language.is_empty() && plain(language) && plain(&modifier))
        .then(|| format!("{language}.utf8{modifier}"))
}

fn knows_locale(lang: &str, root: &Path) -> bool {
    let Some(name) = normalised(lang) else {
        return false;
    };
    let locales = root.join("usr/lib/locale");
    if locales.join(&name).is_dir() || (lang == "C.UTF-8" && locales.join(lang).is_dir()) {
        return true;
    }
    // musl takes every name and always speaks UTF-8.
    if lang == "C.UTF-8" && has_musl(root) {
        return true;
    }
    archive_has(&locales.join("locale-archive"), &name).unwrap_or(false)
}

fn has_musl(root: &Path) -> bool {
    let Ok(entries) = fs::read_dir(root.join("lib")) else {
        return false;
    };
    entries
        .flatten()
        .any(|entry| entry.file_name().as_encoded_bytes().starts_with(b"ld-musl-"))
}

/// Whether glibc's archive of locales names this one. Its header is a row of 32-bit words in the machine's
/// order; words 5 and 6 are the place and the length of a table of names that end in NUL.
fn archive_has(archive: &Path, name: &str) -> Option<bool> {
    let file = File::open(archive).ok()?;
    let mut header = [0_u8; 28];
    file.read_exact_at(&mut header, 0).ok()?;
    let word = |index: usize| {
        let bytes = header.get(index * 4..index * 4 + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    let (offset, length) = (word(5)?, word(6)?.min(STRINGS_LIMIT));
    let mut strings = vec![0_u8; length as usize];
    file.read_exact_at(&mut strings, u64::from(offset)).ok()?;
    Some(
        strings
            .split(|byte| *byte == 0)
            .any(|string| string == name.as_bytes()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity(timezone: &str, lang: &str) -> Identity {
        Identity {
            timezone: Some(timezone.into()),
            lang: Some(lang.into()),
            ..Identity::default()
        }
    }

    #[test]
    fn only_what_the_image_has_is_taken() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(
            Place::find(&identity("Europe/Zurich", "de_CH.UTF-8"), root.path()),
            Place::default()
        );

        let make = |path: &str| fs::create_dir_all(root.path().join(path)).unwrap();
        make("usr/share/zoneinfo/Europe");
        make("usr/lib/locale/C.utf8");
        make("usr/lib/locale/de_CH.utf8");
        fs::write(root.path().join("usr/share/zoneinfo/Europe/Zurich"), "TZif2").unwrap();
        let place = Place::find(&identity("Europe/Zurich", "de_CH.UTF-8"), root.path());
        assert_eq!(place.timezone.as_deref(), Some("Europe/Zurich"));
        assert_eq!(place.lang.as_deref(), Some("de_CH.UTF-8"));
        for lang in ["de_CH.ISO-8859-1", "de_CH", "fr_FR.UTF-8", "../x.UTF-8", ""] {
            let place = Place::find(&identity("../../../etc/passwd", lang), root.path());
            assert_eq!(
                (place.timezone, place.lang.as_deref()),
                (None, Some("C.UTF-8")),
                "{lang}"
            );
        }
    }

    #[test]
    fn locales_in_an_archive_count() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/lib/locale")).unwrap();
        let strings = b"aa_DJ.utf8\0en_GB.utf8\0";
        let mut archive = Vec::new();
        for word in [
            0xde02_0109_u32,
            0,
            0,
            0,
            0,
            28,
            u32::try_from(strings.len()).unwrap(),
        ] {
            archive.extend_from_slice(&word.to_ne_bytes());
        }
        archive.extend_from_slice(strings);
        fs::write(root.path().join("usr/lib/locale/locale-archive"), archive).unwrap();
        assert_eq!(
            Place::find(&identity("", "en_GB.UTF-8"), root.path())
                .lang
                .as_deref(),
            Some("en_GB.UTF-8")
        );
        assert_eq!(Place::find(&identity("", "en_US.UTF-8"), root.path()).lang, None);
    }

    #[test]
    fn musl_speaks_utf8_by_itself() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("lib")).unwrap();
        fs::write(root.path().join("lib/ld-musl-x86_64.so.1"), "").unwrap();
        assert_eq!(
            Place::find(&identity("", ""), root.path()).lang.as_deref(),
            Some("C.UTF-8")
        );
    }
}
