//! What no body can do.

use alloc::vec;

use proptest::prelude::*;

use super::*;

/// Everything that is promised of any body.
fn assert_bounded(read: &Body) {
    let times = |time: Option<Time>| time.is_none_or(|time| time <= Time::MAX);
    assert!(read.wait.is_none_or(|wait| now().checked_add(wait).is_some()));
    assert!(times(read.resets_at));
    assert!(read.words.len() <= MOST_WORDS && read.words.iter().all(|word| word.len() <= WORD_BYTES));
    assert!(read.text.len() <= TEXT_BYTES);
    assert!(!read.text.bytes().any(|byte| byte.is_ascii_uppercase()));
    assert!(read.headers.len() <= MOST_HEADERS);
    assert!(read.headers.iter().all(|(name, value)| name.len() <= WORD_BYTES && value.len() <= HEADER_BYTES));
    assert!(read.upstream.as_ref().is_none_or(|upstream| upstream.len() <= WORD_BYTES));
    assert!(read.limits.len() <= MOST_LIMITS);
    for limit in &read.limits {
        assert!(limit.pool.len() <= WORD_BYTES);
        assert!(limit.model.as_ref().is_none_or(|model| model.len() <= crate::text::NAME_BYTES));
        assert!(limit.utilization.is_none_or(|share| share.is_finite() && share >= 0.0));
        assert!(times(limit.resets_at));
        assert!(limit.window_s != Some(0));
    }
}

/// Pieces that bodies are made of.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\\u00e9",
    "\\ud83d",
    " ",
    "\n",
    "\r\n",
    "data: ",
    "event: error",
    "null",
    "true",
    "false",
    "0",
    "-1",
    "-7",
    "1e9",
    "0.5",
    "17",
    "429",
    "1768482000",
    "1788220800000",
    "18446744073709551615",
    "99999999999999999999",
    "\"error\":",
    "\"message\":\"",
    "\"code\":",
    "\"limit\":",
    "\"remaining\":",
    "\"used\":",
    "\"utilization\":",
    "\"resets_at\":",
    "\"reset_after_seconds\":",
    "\"window_minutes\":",
    "\"limit_window_seconds\":",
    "\"unit\":3,",
    "\"number\":",
    "\"usage\":",
    "\"five_hour\":{",
    "\"headers\":{",
    "\"Retry-After\":",
    "\"retryDelay\":",
    "\"34.07s\"",
    "\"quotaId\":",
    "\"GenerateRequestsPerDay\"",
    "\"quotaMetric\":",
    "\"quotaDimensions\":{",
    "\"model\":",
    "\"violations\":[",
    "\"limit_reached\":true",
    "\"raw\":\"{\\\"error\\\":",
    "try again in ",
    "6m0s",
    "Limit 200,000",
    "Used 1,",
    "Requested 5 ",
    "per min (TPM): ",
    "for gpt-4o in organization",
    "reset at 2026-01-15T15:00:00Z",
    ". ",
    "limited to 20 calls / minute",
    "wait 5 days 3 hours and ",
    "\u{e9}",
    "\"content\":",
];

proptest! {
    #[test]
    fn any_bytes_are_read_within_bounds(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        assert_bounded(&read(&bytes, now()));
    }

    #[test]
    fn any_arrangement_of_pieces_is_read_within_bounds(
        pieces in proptest::collection::vec(proptest::sample::select(PIECES), 0..80),
    ) {
        let text: String = pieces.concat();
        let first = body(&text);
        assert_bounded(&first);
        prop_assert_eq!(&first, &body(&text), "reading is deterministic");
        assert_bounded(&read(text.as_bytes(), Time::MAX));
        assert_bounded(&read(text.as_bytes(), Time::MIN));
        let quoted = alloc::format!("{{\"error\":{{\"message\":{text:?}}}}}");
        assert_bounded(&body(&quoted));
    }

    #[test]
    fn any_sentence_is_read_within_bounds(
        words in proptest::collection::vec(proptest::sample::select(PIECES), 0..40),
    ) {
        assert_bounded(&message(&words.join(" ")));
    }
}

#[test]
fn bombs_are_read_within_bounds() {
    let whole = BODY_BYTES;
    let fill = |piece: &str| piece.repeat(whole / piece.len() + 1);
    for piece in [
        "{",
        "[",
        "{\"a\":",
        "[{\"error\":",
        "{\"error\":[",
        "\"",
        "\\",
        "\"a\",",
        "1",
        "9,",
        "-",
        "}",
        "]",
        ":",
        "\n",
        "data: ",
        "data: {\"a\":\n",
        "\n\ndata:",
        "{\"limit\":1,\"remaining\":0},",
        "{\"error\":{\"message\":\"quota\"}}",
        "{\"code\":\"a\"}",
        "\"headers\":{\"a\":\"b\"}",
        "x{ ",
        "x{\n",
        "{ ",
        "a{\"b\" ",
        "event: a\n",
        "per ",
        "1 s ",
        "wait 1 ",
        "limit 5, ",
        "\u{e9}",
        "\\u0041",
        "{\"message\":\"{\\\"message\\\":",
        "null,",
        "for model ",
        "{\"a\":\"b\\",
        "reset at ",
    ] {
        let text = fill(piece);
        assert_bounded(&body(&text));
        assert_bounded(&body(&alloc::format!("{{\"error\":{{\"message\":\"{text}")));
        assert_bounded(&body(&alloc::format!("{{\"error\":{{\"violations\":[{text}")));
        assert_bounded(&body(&alloc::format!("{{\"x\":{text}")));
    }
    assert_bounded(&read(&vec![0xff; whole], now()));
    assert_bounded(&read(&vec![0; whole], now()));
}

#[test]
fn what_lies_beyond_the_deepest_nesting_is_passed_over() {
    let deep = |depth: usize| {
        alloc::format!("{}\"x\":1{},\"retry_after\":7}}", "{\"a\":".repeat(depth) + "{", "}".repeat(depth))
    };
    for depth in [1, 30, 31, 32, 100, 5000] {
        assert_eq!(wait_ms(&body(&deep(depth))), Some(7000).filter(|_| depth > 0), "{depth}");
    }
    let lost = alloc::format!("{}{{\"retry_after\":7}}", "[".repeat(40));
    assert_eq!(body(&lost).wait, None);
}

#[test]
fn nothing_beyond_64_kib_is_read() {
    let late = |padding: usize| alloc::format!("{{\"x\":\"{}\",\"retry_after\":7}}", " ".repeat(padding));
    assert_eq!(wait_ms(&body(&late(60_000))), Some(7000));
    assert_eq!(body(&late(BODY_BYTES)).wait, None);
}

#[test]
fn a_long_text_is_read_as_far_as_it_is_kept() {
    let text = alloc::format!("Rate limit reached. {} try again in 5s", "x".repeat(TEXT_BYTES));
    let read = message(&text);
    assert!(read.text.starts_with("rate limit reached. xxx"));
    assert_eq!(read.wait, None);
}
