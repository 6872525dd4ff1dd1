//! "Did you mean": the nearest of some words.

/// Longest word, in bytes, that is looked at.
const LONGEST: usize = 64;

/// The candidate nearest to `word`, if one is near enough to be a slip of the fingers: a third of the word's
/// length, but at least one edit. Of equally near ones the first. Case costs nothing.
///
/// Every comparison is taken from `budget`; without any left there is no suggestion, so that a file of nothing
/// but mistakes is still read in linear time.
pub fn nearest<'a>(
    word: &str,
    candidates: impl Iterator<Item = &'a str>,
    budget: &mut usize,
) -> Option<&'a str> {
    if word.is_empty() || word.len() > LONGEST {
        return None;
    }
    let mut limit = (word.len() / 3).max(1);
    let mut best = None;
    for candidate in candidates {
        *budget = budget.checked_sub(1)?;
        if candidate.len() > LONGEST || candidate.len().abs_diff(word.len()) > limit {
            continue;
        }
        let distance = distance(word.as_bytes(), candidate.as_bytes());
        if distance < limit || (distance == limit && best.is_none()) {
            best = Some(candidate);
            limit = distance;
        }
    }
    best
}

/// Insertions, deletions, replacements and swaps of neighbours that make one word of the other (optimal
/// string alignment). Neither is longer than [`LONGEST`].
fn distance(left: &[u8], right: &[u8]) -> usize {
    let mut before = [0; LONGEST + 1];
    let mut previous: [usize; LONGEST + 1] = std::array::from_fn(|index| index);
    let mut current = [0; LONGEST + 1];
    for (row, &wanted) in left.iter().enumerate() {
        current[0] = row + 1;
        for (column, &given) in right.iter().enumerate() {
            let same = |one: u8, other: u8| one.eq_ignore_ascii_case(&other);
            let replaced = previous[column] + usize::from(!same(wanted, given));
            let mut least = replaced.min(previous[column + 1] + 1).min(current[column] + 1);
            if row > 0 && column > 0 && same(wanted, right[column - 1]) && same(left[row - 1], given) {
                least = least.min(before[column - 1] + 1);
            }
            current[column + 1] = least;
        }
        (before, previous, current) = (previous, current, before);
    }
    previous[right.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn suggestion(word: &str) -> Option<&'static str> {
        nearest(
            word,
            ["install", "web", "ready_when", "command"].into_iter(),
            &mut 100,
        )
    }

    #[test]
    fn slips_are_recognised() {
        for (word, meant) in [
            ("instal", "install"),
            ("isntall", "install"),
            ("Web", "web"),
            ("wbe", "web"),
            ("readyWhen", "ready_when"),
            ("ready-when", "ready_when"),
            ("comand", "command"),
        ] {
            assert_eq!(suggestion(word), Some(meant), "{word}");
        }
        for word in ["", "db", "database", "insolent", &"x".repeat(1000)] {
            assert_eq!(suggestion(word), None, "{word}");
        }
    }

    #[test]
    fn work_is_bounded() {
        let mut budget = 1;
        assert_eq!(nearest("webb", ["x", "web"].into_iter(), &mut budget), None);
        assert_eq!(budget, 0);
    }

    #[test]
    fn distances() {
        for (left, right, expected) in [
            ("", "", 0),
            ("a", "", 1),
            ("ab", "ba", 1),
            ("kitten", "sitting", 3),
            ("abc", "abc", 0),
        ] {
            assert_eq!(
                distance(left.as_bytes(), right.as_bytes()),
                expected,
                "{left} {right}"
            );
            assert_eq!(
                distance(right.as_bytes(), left.as_bytes()),
                expected,
                "{right} {left}"
            );
        }
    }
}
