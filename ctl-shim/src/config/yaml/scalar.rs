//! What a plain scalar means where a boolean or a number is wanted: YAML 1.2's core schema and nothing else.
//!
//! Look-alikes are errors that carry what to write instead. `0644` is one of them: YAML 1.2 reads it as 644,
//! YAML 1.1 as 420, and nobody who writes it means either of the two for sure.

/// Whether plain text is null.
pub(crate) fn is_null(text: &str) -> bool {
    matches!(text, "" | "~" | "null" | "Null" | "NULL")
}

/// A boolean of YAML 1.2's core schema.
///
/// # Errors
/// What to write instead.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "TRUE" => return Ok(true),
        "false" | "False" | "FALSE" => return Ok(false),
        _ => {}
    }
    Err(match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "y" | "1" | "t" | "true" => "write true".to_owned(),
        "no" | "off" | "n" | "0" | "f" | "false" => "write false".to_owned(),
        _ => "write true or false".to_owned(),
    })
}

/// A whole number, or what to write instead. Numbers beyond 64 bits come out as the nearest that fits.
pub(crate) fn whole_number(text: &str) -> Result<i64, String> {
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let is_signed = unsigned.len() != text.len();
    if is_digits(unsigned) {
        if unsigned.len() > 1 && unsigned.starts_with('0') {
            return Err(leading_zero(unsigned));
        }
        let value = unsigned.parse().unwrap_or(i64::MAX);
        return Ok(if negative { -value } else { value });
    }
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        if let Some(digits) = unsigned.strip_prefix(prefix)
            && !is_signed
            && !digits.is_empty()
            && digits.bytes().all(|byte| char::from(byte).is_digit(radix))
        {
            return Ok(i64::from_str_radix(digits, radix).unwrap_or(i64::MAX));
        }
    }
    Err(instead_of_whole(text, unsigned))
}

/// A number with or without a fraction, or what to write instead. `.inf` and `.nan` are numbers of the core
/// schema and come out as such.
pub(crate) fn number(text: &str) -> Result<f64, String> {
    if let Ok(whole) = whole_number(text) {
        // Exact up to 2^53; what is wanted here is far smaller.
        #[expect(
            clippy::cast_precision_loss,
            reason = "ranges are checked by the caller and far below 2^53"
        )]
        return Ok(whole as f64);
    }
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    match unsigned {
        ".inf" | ".Inf" | ".INF" => {
            return Ok(if text.starts_with('-') {
                f64::NEG_INFINITY
            } else {
                f64::INFINITY
            });
        }
        ".nan" | ".NaN" | ".NAN" if unsigned.len() == text.len() => return Ok(f64::NAN),
        _ => {}
    }
    if is_core_float(unsigned) {
        return text.parse().map_err(|_| "write a number such as 1.5".to_owned());
    }
    if is_digits(unsigned) {
        return Err(leading_zero(unsigned));
    }
    let without = unsigned.replace('_', "");
    if unsigned.contains('_') && is_core_float(&without) {
        return Err(format!("write {without}"));
    }
    Err("write a number such as 2 or 1.5".to_owned())
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `( \. [0-9]+ | [0-9]+ ( \. [0-9]* )? ) ( [eE] [-+]? [0-9]+ )?`, but for integers with leading zeros.
fn is_core_float(unsigned: &str) -> bool {
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let exponent_is_good =
        exponent.is_none_or(|exponent| is_digits(exponent.strip_prefix(['-', '+']).unwrap_or(exponent)));
    let mantissa_is_good = match mantissa.split_once('.') {
        Some(("", fraction)) => is_digits(fraction),
        Some((whole, fraction)) => is_digits(whole) && (fraction.is_empty() || is_digits(fraction)),
        None => is_digits(mantissa) && exponent.is_some(),
    };
    mantissa_is_good && exponent_is_good
}

fn leading_zero(digits: &str) -> String {
    let decimal = digits.trim_start_matches('0');
    let decimal = if decimal.is_empty() { "0" } else { decimal };
    if decimal != "0" && digits.bytes().all(|byte| matches!(byte, b'0'..=b'7')) {
        format!("write {decimal}, or 0o{decimal} for an octal number")
    } else {
        format!("write {decimal}, without leading zeros")
    }
}

fn instead_of_whole(text: &str, unsigned: &str) -> String {
    let without = unsigned.replace('_', "");
    if unsigned.contains('_') && is_digits(&without) {
        return format!("write {}", without.trim_start_matches('0'));
    }
    if is_core_float(unsigned)
        && let Ok(value) = text.parse::<f64>()
        && value.is_finite()
        && value.abs() < 1e15
    {
        return format!("write {}", value.trunc());
    }
    "write a whole number in digits".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_are_true_and_false_only() {
        assert_eq!(boolean("true"), Ok(true));
        assert_eq!(boolean("FALSE"), Ok(false));
        for (text, hint) in [
            ("yes", "write true"),
            ("on", "write true"),
            ("off", "write false"),
            ("No", "write false"),
            ("tRUE", "write true"),
            ("maybe", "write true or false"),
        ] {
            assert_eq!(boolean(text), Err(hint.to_owned()), "{text}");
        }
    }

    #[test]
    fn whole_numbers_have_core_forms_only() {
        for (text, value) in [
            ("0", 0),
            ("8080", 8080),
            ("+5", 5),
            ("-5", -5),
            ("0x1F90", 8080),
            ("0o644", 420),
            ("99999999999999999999", i64::MAX),
        ] {
            assert_eq!(whole_number(text), Ok(value), "{text}");
        }
        for (text, hint) in [
            ("8080.7", "write 8080"),
            ("8080.0", "write 8080"),
            ("1e3", "write 1000"),
            ("0644", "write 644, or 0o644 for an octal number"),
            ("089", "write 89, without leading zeros"),
            ("00", "write 0, without leading zeros"),
            ("1_000", "write 1000"),
            ("0b11", "write a whole number in digits"),
            ("10s", "write a whole number in digits"),
            ("1:30", "write a whole number in digits"),
            ("+0x10", "write a whole number in digits"),
            ("0x", "write a whole number in digits"),
            ("", "write a whole number in digits"),
            ("-", "write a whole number in digits"),
            (".inf", "write a whole number in digits"),
        ] {
            assert_eq!(whole_number(text), Err(hint.to_owned()), "{text}");
        }
    }

    #[test]
    fn numbers_may_have_fractions() {
        for (text, value) in [
            ("2", 2.0),
            ("1.5", 1.5),
            (".5", 0.5),
            ("1.", 1.0),
            ("-1.5e3", -1500.0),
            ("1e3", 1000.0),
            ("-.inf", f64::NEG_INFINITY),
        ] {
            assert_eq!(number(text), Ok(value), "{text}");
        }
        assert!(number(".nan").unwrap().is_nan());
        for text in [
            "01", "1_0.5", "inf", "nan", "NaN", "1.5x", ".", "e5", "1e", "0x1.8", "",
        ] {
            assert!(number(text).is_err(), "{text}");
        }
    }
}
