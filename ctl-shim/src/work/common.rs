//! What two records of uncommitted work have in common.

use std::collections::BTreeSet;

use super::uncommitted::UNREADABLE;

/// Tells of which paths two records say the same, for repositories inside with everything in them.
pub(super) struct Common<'a> {
    one: BTreeSet<&'a [u8]>,
    /// Names of which only one of them says this.
    differing: BTreeSet<&'a [u8]>,
}

impl<'a> Common<'a> {
    pub(super) fn of(one: &'a [u8], other: &'a [u8]) -> Self {
        let lines = |record: &'a [u8]| {
            let lines = record
                .split(|byte| *byte == b'\n')
                .filter(|line| !line.is_empty());
            lines.collect::<BTreeSet<_>>()
        };
        let name = |line: &'a [u8]| line.split(|byte| *byte == b'\t').next().unwrap_or_default();
        let (one, other) = (lines(one), lines(other));
        let is_unreadable = |line: &&&[u8]| line.ends_with(UNREADABLE.as_bytes());
        let differing = one.symmetric_difference(&other).copied().map(name);
        let differing = differing.chain(one.iter().filter(is_unreadable).map(|line| name(line)));
        Self {
            differing: differing.collect(),
            one: one.iter().map(|line| name(line)).collect(),
        }
    }

    pub(super) fn has(&self, path: &[u8]) -> bool {
        let name = path.escape_ascii().to_string().into_bytes();
        let inside = [&name, &b"/"[..]].concat();
        let after = self.differing.range(inside.as_slice()..).next();
        self.one.contains(name.as_slice())
            && !self.differing.contains(name.as_slice())
            && after.is_none_or(|next| !next.starts_with(&inside))
    }
}

#[cfg(test)]
mod tests {
    use super::super::CLEAN;
    use super::*;

    #[test]
    fn what_two_records_have_in_common() {
        let head = String::from_utf8(CLEAN.to_vec()).unwrap();
        let one = head.clone()
            + "a\t100644\t1\nb\tabsent\nin\t160000\t1\nin/x\t100644\t1\nu\tunreadable\nz\\n\t100644\t1\n";
        let other = head + "a\t100644\t1\nb\t100644\t2\nin\t160000\t1\nu\tunreadable\nz\\n\t100644\t1\n";
        let common = Common::of(one.as_bytes(), other.as_bytes());
        let found: Vec<&[u8]> = [&b"a"[..], b"b", b"in", b"u", b"z\n", b"none"]
            .into_iter()
            .filter(|path| common.has(path))
            .collect();
        assert_eq!(found, [&b"a"[..], b"z\n"]);
        assert!(Common::of(one.as_bytes(), one.as_bytes()).has(b"in"));
    }
}
