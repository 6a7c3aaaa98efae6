//! What a run of characters is by its form: a word, a figure, a name made of such, or something random.

use super::words::is_known;
use crate::time::parse_rfc3339;

/// From this length on a run must be made of what is known to be harmless.
const LONG: usize = 16;
/// Longest word of one case, in characters: keys are longer, words are not.
const LONGEST_WORD: usize = 19;

/// Is it certainly no secret: words, figures, or a name of such parts, like that of a model?
pub(super) fn is_plain(run: &str) -> bool {
    if is_amount(run) {
        return true;
    }
    let is_long = run.len() >= LONG;
    let digits = run.bytes().filter(u8::is_ascii_digit).count();
    let letters = run.bytes().filter(u8::is_ascii_alphabetic).count();
    if letters == 0 && digits > 14 || run.contains(['+', '=']) && is_long || holds_v4(run) {
        return false;
    }
    parts(run).all(|part| is_plain_part(part, is_long)) && !(is_long && is_choppy(run))
}

/// Is less than half of it words and figures? Random text is cut into short parts by its own `-` and `_`.
fn is_choppy(run: &str) -> bool {
    let of_words = |part: &str| {
        let letters = split_while(part, |c| c.is_ascii_alphabetic()).0.len();
        if is_count(part) || is_known(part) {
            part.len()
        } else if letters >= 3 {
            letters
        } else {
            0
        }
    };
    let (words, all) =
        parts(run).fold((0, 0), |(words, all), part| (words + of_words(part), all + part.len()));
    let is_mark = |byte: &u8| matches!(byte, b'-' | b'_');
    words * 2 < all || run.as_bytes().windows(2).any(|pair| pair.iter().all(is_mark))
}

/// The parts of letters and digits.
pub(super) fn parts(run: &str) -> impl Iterator<Item = &str> {
    run.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty())
}

/// Is it made of known words and short figures only?
pub(super) fn is_known_name(run: &str) -> bool {
    parts(run).all(|part| is_count(part) || is_known(part) || humps(part).all(is_known))
}

/// A number of things: up to ten digits, or the milliseconds of a time.
pub(super) fn is_count(text: &str) -> bool {
    let is_digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_digits && (text.len() <= 10 || text.len() == 13 && text.starts_with(['1', '2']))
}

/// A figure, with a unit or none, or a duration such as `1h16m0.667s`.
fn is_amount(text: &str) -> bool {
    const UNITS: [&str; 12] = ["", "ms", "us", "ns", "s", "m", "h", "d", "w", "k", "K", "M"];
    let mut rest = text.trim_start_matches(['-', '+', '~']);
    for _ in 0..6 {
        let (whole, tail) = split_while(rest, |c| c.is_ascii_digit());
        let (fraction, tail) = match tail.strip_prefix('.') {
            Some(tail) => split_while(tail, |c| c.is_ascii_digit()),
            None => ("", tail),
        };
        let (unit, tail) = split_while(tail, |c| c.is_ascii_alphabetic());
        if !is_count(whole) || fraction.len() > 18 || !UNITS.contains(&unit) {
            return false;
        }
        if tail.is_empty() {
            return true;
        }
        rest = tail;
    }
    false
}

fn split_while(text: &str, holds: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !holds(c)).unwrap_or(text.len()))
}

fn is_plain_part(part: &str, in_long_run: bool) -> bool {
    let (digits, letters) = (part.bytes().filter(u8::is_ascii_digit).count(), part.len());
    if digits == letters {
        return is_count(part);
    }
    if digits > 0 {
        return is_version(part) || !in_long_run && part.len() <= 4;
    }
    let tail_is_lower = part.bytes().skip(1).all(|byte| byte.is_ascii_lowercase());
    if tail_is_lower || part.bytes().all(|byte| byte.is_ascii_uppercase()) {
        return part.len() <= LONGEST_WORD;
    }
    if in_long_run {
        return humps(part).all(is_known);
    }
    humps(part).skip(1).all(|hump| hump.len() > 1)
}

/// Letters and figures as versions and sizes have them: `4o`, `70b`, `gpt4`, `a22b`, `8x7b`, `27T12`.
fn is_version(part: &str) -> bool {
    let (first, tail) = split_while(part, |c| c.is_ascii_alphabetic());
    let (figure, tail) = split_while(tail, |c| c.is_ascii_digit());
    let (letters, tail) = split_while(tail, |c| c.is_ascii_alphabetic());
    let one_case = |text: &str| {
        text.bytes().all(|byte| byte.is_ascii_lowercase())
            || text.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    if first.is_empty() {
        let (figure_2, tail) = split_while(tail, |c| c.is_ascii_digit());
        let is_product =
            matches!(letters, "x" | "T") && figure_2.len() <= 3 && matches!(tail, "" | "b" | "B");
        return figure.len() <= 4
            && (tail.is_empty() && figure_2.is_empty() && letters.len() <= 2 || is_product);
    }
    let ends = tail.is_empty() && figure.len() <= 4 && letters.len() <= 1;
    ends && one_case(letters)
        && (is_known(first) || first.len() <= 6 && one_case(first.get(1..).unwrap_or("")))
}

/// The words of a name in camel case: `userID` → `user`, `ID`; `HTTPError` → `HTTP`, `Error`.
pub(super) fn humps(part: &str) -> impl Iterator<Item = &str> {
    let mut rest = part;
    std::iter::from_fn(move || {
        let capitals = split_while(rest, |c| c.is_ascii_uppercase()).0.len();
        let tail = rest.get(capitals..)?;
        let small = split_while(tail, |c| !c.is_ascii_uppercase()).0.len();
        let length = match (capitals, small) {
            (0, 0) => return None,
            // The last capital begins the next word.
            (2.., 1..) => capitals - 1,
            _ => capitals + small,
        };
        let hump;
        (hump, rest) = rest.split_at_checked(length)?;
        Some(hump)
    })
}

/// Are there four figures with points between them?
fn holds_v4(run: &str) -> bool {
    let mut figures = run.split(|c: char| !c.is_ascii_digit() && c != '.');
    figures.any(|figures| figures.split('.').filter(|group| !group.is_empty()).count() >= 4)
}

/// A time, as RFC 3339 has it, or without a zone.
pub(super) fn is_time(text: &str) -> bool {
    parse_rfc3339(text).is_some() || text.contains('T') && text.parse::<jiff::civil::DateTime>().is_ok()
}

/// An address of a machine, alone or with something around it: IPv4, IPv6, or that of a network card.
pub(super) fn is_address(text: &str) -> bool {
    let hexadecimal = |group: &&str| group.len() <= 4 && group.bytes().all(|byte| byte.is_ascii_hexdigit());
    let of_clock = |group: &&str| group.len() == 2 && group.bytes().all(|byte| byte.is_ascii_digit());
    let groups: Vec<&str> = text.split(':').collect();
    let mut in_a_row = groups.split(|group| !hexadecimal(group)).filter(|row| row.len() >= 3);
    holds_v4(text) || in_a_row.any(|row| row.len() > 3 || !row.iter().all(of_clock))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn random_keys_are_not_plain(
            key in prop_oneof!["[A-Za-z0-9_-]{32,64}", "[A-Za-z0-9+/]{32,64}", "[A-Za-z]{24,40}", "[a-z0-9]{28,40}"],
        ) {
            prop_assert!(!is_plain(&key), "{key}");
        }
    }

    #[test]
    fn figures_words_and_names_of_models_are_plain() {
        for text in [
            "59",
            "-1",
            "1788220800000",
            "16.007",
            "11.382867097854614",
            "57.238747106s",
            "1h16m0.667s",
            "6m0s",
            "~30s",
            "requests",
            "Wednesday",
            "TPM",
            "gpt-4o-mini",
            "meta-llama/llama-3.3-70b-instruct",
            "o3",
            "claude-sonnet-4-20250514",
            "Qwen3-235B-A22B-Instruct-2507",
            "Mixtral-8x7B-Instruct-v0.1",
            "free-models-per-day-high-balance",
            "GenerateRequestsPerDayPerProjectPerModel-FreeTier",
            "userID",
            "generativelanguage.googleapis.com/generate_content_free_tier_requests",
            "RateLimitReached",
            "google.rpc.QuotaFailure",
            "ThrottlingException",
            "COPILOT_PLAN_INDIVIDUAL",
            "30-Apr-25",
        ] {
            assert!(is_plain(text), "{text}");
        }
    }

    #[test]
    fn what_is_random_is_not_plain() {
        for text in [
            "qwertyuiopasdfghjklzxcvbnm",
            "AbCdEfGhIjKlMnOpQrStUvWx",
            "AbcDefGhiJklMnoPqrStu",
            "12345678901",
            "9f86d081884c7d659a2feaa0c55ad015",
            "dGhpcyBpcyBhIHNlY3JldA",
            "4111-1111-1111-1111",
            "a1b2c3d4",
            "T3BlbkFJ-x_Yz0123456789",
            "QUJD/REVG+R0hJSktM",
            "550e8400-e29b-41d4-a716-446655440000",
        ] {
            assert!(!is_plain(text), "{text}");
        }
    }

    #[test]
    fn times_are_no_addresses() {
        for text in ["12:09:59", "12:09", "2.5", "llama-3.3"] {
            assert!(!is_address(text), "{text}");
        }
        for text in ["10.0.0.5", "10.0.0.0/8", "::1", "2001:db8::1", "aa:bb:cc:dd:ee:ff", "ip:fe80::1:443"] {
            assert!(is_address(text), "{text}");
        }
        assert!(is_time("2026-06-27T12:09:59.797540+00:00") && is_time("2026-06-27T12:09:59"));
        assert!(!is_time("20260627") && !is_time("now"));
    }
}
