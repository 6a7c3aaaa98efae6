use alloc::vec;

use proptest::prelude::*;

use super::*;
use crate::testing::at;

fn text(signal: &Signal) -> String {
    String::from_utf8(encode(signal)).unwrap()
}

/// All plain keys, as a program that knows no others writes them.
fn plain() -> Signal {
    Signal {
        status: Status::Exhausted,
        quota_remaining: Some(0),
        quota_reset_at: Some(at(30)),
        recent_p50_latency_ns: 842_000_000,
        last_success_at: Some(Time::new(1_768_478_399, 123_456_789).unwrap()),
        last_error_at: Some(Time::new(1_768_478_398, 500_000_000).unwrap()),
        last_error_msg: "HTTP 500".into(),
        ..Signal::unknown("openai".into(), at(0))
    }
}

const PLAIN: &str = concat!(
    r#"{"provider":"openai","status":"exhausted","quota_remaining":0,"quota_reset_at":"2026-01-15T12:00:30Z","#,
    r#""recent_p50_latency_ns":842000000,"last_success_at":"2026-01-15T11:59:59.123456789Z","#,
    r#""last_error_at":"2026-01-15T11:59:58.5Z","last_error_msg":"HTTP 500","recorded_at":"2026-01-15T12:00:00Z"}"#
);

/// A signal with every key.
fn whole() -> Signal {
    let scope = Scope::new(Some("org"), Some("m/1"));
    Signal {
        reason: Some(Reason::RateLimited),
        cooldown_until: Some(at(60)),
        limits: vec![
            Limit {
                scope: scope.clone(),
                window_s: Some(60),
                limit: Some(100),
                remaining: Some(0),
                utilization: Some(0.25),
                resets_at: Some(at(30)),
                ..Limit::new(Quantity::InputTokens, at(0))
            },
            Limit::new(Quantity::Other, at(0)),
        ],
        latency: Some(Latency { count: 3, p90_ns: 7, p99_ns: 9, ttfb_p50_ns: Some(2) }),
        refusal: Some(RefusalClass::Rate),
        cooldowns: vec![Cooldown { scope, class: RefusalClass::Rate, refused_at: at(0), until: at(60) }],
        ..plain()
    }
}

#[test]
fn without_the_extra_keys_the_bytes_are_those_of_gos_encoding_json() {
    assert_eq!(text(&plain()), PLAIN);
    assert_eq!(
        text(&Signal::unknown("p".into(), at(0))),
        r#"{"provider":"p","status":"unknown","recent_p50_latency_ns":0,"recorded_at":"2026-01-15T12:00:00Z"}"#
    );
}

#[test]
fn the_extra_keys_follow_and_are_left_out_when_empty() {
    let extra = concat!(
        r#","reason":"rate_limited","cooldown_until":"2026-01-15T12:01:00Z","limits":[{"quantity":"input_tokens","#,
        r#""scope":{"account":"org","model":"m/1"},"window_s":60,"limit":100,"remaining":0,"utilization":0.25,"#,
        r#""resets_at":"2026-01-15T12:00:30Z","captured_at":"2026-01-15T12:00:00Z"},"#,
        r#"{"quantity":"other","captured_at":"2026-01-15T12:00:00Z"}],"#,
        r#""latency":{"count":3,"p90_ns":7,"p99_ns":9,"ttfb_p50_ns":2},"refusal":"rate","#,
        r#""cooldowns":[{"scope":{"account":"org","model":"m/1"},"class":"rate","#,
        r#""refused_at":"2026-01-15T12:00:00Z","until":"2026-01-15T12:01:00Z"}]}"#
    );
    assert_eq!(text(&whole()), alloc::format!("{}{extra}", PLAIN.strip_suffix('}').unwrap()));
}

#[test]
fn texts_are_escaped_as_go_does_it() {
    let said = |message: &str| {
        let json = text(&Signal { last_error_msg: message.into(), ..plain() });
        let (_, rest) = json.split_once(r#""last_error_msg":""#).unwrap();
        String::from(rest.split_once(r#"","recorded_at""#).unwrap().0)
    };
    for (message, expected) in [
        ("<b>&amp;</b>", r"\u003cb\u003e\u0026amp;\u003c/b\u003e"),
        ("\u{2028}\u{2029}\u{2027}", "\\u2028\\u2029\u{2027}"),
        ("\n\r\t\u{8}\u{c}", r"\n\r\t\b\f"),
        ("\0\u{1}\u{b}\u{e}\u{1f}", r"\u0000\u0001\u000b\u000e\u001f"),
        ("\u{7f}\u{80}é😀/'", "\u{7f}\u{80}é😀/'"),
        ("\"\\", r#"\"\\"#),
    ] {
        assert_eq!(said(message), expected);
        let signal = Signal { last_error_msg: message.into(), ..plain() };
        assert_eq!(decode("openai", &encode(&signal)), Ok(signal));
    }
}

#[test]
fn times_are_trimmed_as_go_does_it() {
    for (nanoseconds, expected) in [
        (0, "00Z"),
        (1, "00.000000001Z"),
        (500_000_000, "00.5Z"),
        (120_300_000, "00.1203Z"),
        (999_999_999, "00.999999999Z"),
    ] {
        let signal = Signal { recorded_at: Time::new(1_768_478_400, nanoseconds).unwrap(), ..plain() };
        assert!(text(&signal).ends_with(&alloc::format!(r#""recorded_at":"2026-01-15T12:00:{expected}"}}"#)));
    }
}

#[test]
fn numbers_are_never_larger_than_a_signed_reader_can_take() {
    let signal = Signal { quota_remaining: Some(u64::MAX), recent_p50_latency_ns: u64::MAX, ..plain() };
    assert_eq!(text(&signal).matches(":9223372036854775807,").count(), 2);
}

#[test]
fn a_share_is_written_to_a_millionth_and_only_all_of_it_is_one() {
    for (share, expected) in [
        (0.0, "0"),
        (1.0, "1"),
        (0.5, "0.5"),
        (0.000_001, "0.000001"),
        (0.100_01, "0.10001"),
        (0.999_999_9, "0.999999"),
        (2.0 / 3.0, "0.666667"),
        (-1.0, "0"),
    ] {
        let limits = vec![Limit { utilization: Some(share), ..Limit::new(Quantity::Other, at(0)) }];
        let json = text(&Signal { limits, ..plain() });
        assert!(json.contains(&alloc::format!(r#""utilization":{expected},"#)), "{share}: {json}");
    }
    let limits = vec![Limit { utilization: Some(f64::NAN), ..Limit::new(Quantity::Other, at(0)) }];
    assert!(!text(&Signal { limits, ..plain() }).contains("utilization"));
}

#[test]
fn any_key_order_unknown_keys_and_white_space_are_read() {
    let json = br#" { "future" : {"a":[1,-2.5e3,null,true,"\u00e9"]}, "recorded_at" : "2026-01-15T14:00:00+02:00",
        "recent_p50_latency_ns" : 842000000 , "last_error_msg":"HTTP 500", "status":"exhausted",
        "last_error_at":"2026-01-15T11:59:58.500Z", "quota_remaining":0, "reason":"", "limits":null,
        "last_success_at":"2026-01-15T11:59:59.123456789Z","quota_reset_at":"2026-01-15T12:00:30Z","provider":"openai"
        }"#;
    assert_eq!(decode("openai", json), Ok(plain()));
}

#[test]
fn words_of_later_versions_are_other_words() {
    let json = PLAIN.replace('}', r#","reason":"napping","refusal":"lunar"}"#);
    let signal = decode("openai", json.as_bytes()).unwrap();
    assert_eq!(signal.reason, Some(Reason::Other));
    assert_eq!(signal.refusal, Some(RefusalClass::Other));
    assert!(text(&signal).ends_with(r#","reason":"other","refusal":"other"}"#));
}

#[test]
fn what_is_not_a_signal_is_a_miss() {
    for json in ["", " ", "{}", "null", "[]", "0", "\"openai\"", "true", "{\"provider\":\"openai\"}"] {
        assert!(decode("openai", json.as_bytes()).is_err(), "{json}");
    }
    for missing in ["provider", "status", "recent_p50_latency_ns", "recorded_at"] {
        let json = PLAIN.replace(&alloc::format!("\"{missing}\""), "\"other\"");
        assert!(decode("openai", json.as_bytes()).is_err(), "{missing}");
        let json = text(&plain())
            .replace(&alloc::format!("\"{missing}\":"), &alloc::format!("\"{missing}\":null,\"x\":"));
        assert!(decode("openai", json.as_bytes()).is_err(), "{missing}");
    }
    assert!(decode("openai", alloc::format!("{PLAIN}{PLAIN}").as_bytes()).is_err());
    assert!(decode("openai", alloc::format!("{PLAIN}\0").as_bytes()).is_err());
    assert!(decode("openai", alloc::format!("{PLAIN}\n").as_bytes()).is_ok());
}

#[test]
fn a_text_that_was_cut_at_any_byte_is_a_miss() {
    let json = encode(&whole());
    for length in 0..json.len() {
        assert!(decode("openai", &json[..length]).is_err(), "cut at {length}");
    }
}

#[test]
fn another_providers_name_is_a_miss() {
    for provider in ["", "openai2", "OpenAI", "opena"] {
        let error = decode(provider, PLAIN.as_bytes()).unwrap_err();
        assert_eq!(error.what, "it is the signal of another provider");
    }
}

#[test]
fn a_wrong_type_at_any_key_is_a_miss() {
    let json = text(&whole());
    for (right, wrong) in [
        (r#""provider":"openai""#, r#""provider":1"#),
        (r#""status":"exhausted""#, r#""status":"asleep""#),
        (r#""status":"exhausted""#, r#""status":3"#),
        (r#""quota_remaining":0"#, r#""quota_remaining":"0""#),
        (r#""quota_remaining":0"#, r#""quota_remaining":1.5"#),
        (r#""quota_remaining":0"#, r#""quota_remaining":18446744073709551616"#),
        (r#""recent_p50_latency_ns":842000000"#, r#""recent_p50_latency_ns":[]"#),
        (r#""recorded_at":"2026-01-15T12:00:00Z""#, r#""recorded_at":"yesterday""#),
        (r#""recorded_at":"2026-01-15T12:00:00Z""#, r#""recorded_at":1768478400"#),
        (r#""recorded_at":"2026-01-15T12:00:00Z""#, r#""recorded_at":"10000-01-01T00:00:00Z""#),
        (r#""last_error_msg":"HTTP 500""#, r#""last_error_msg":{}"#),
        (r#""reason":"rate_limited""#, r#""reason":[]"#),
        (r#""limits":["#, r#""limits":[1,"#),
        (r#""window_s":60"#, r#""window_s":"60""#),
        (r#""utilization":0.25"#, r#""utilization":"0.25""#),
        (r#""scope":{"account":"org""#, r#""scope":{"account":1"#),
        (r#""latency":{"#, r#""latency":[{"#),
        (r#""class":"rate""#, r#""class":1"#),
    ] {
        assert!(json.contains(right), "{right}");
        assert!(decode("openai", json.replacen(right, wrong, 1).as_bytes()).is_err(), "{wrong}");
    }
}

#[test]
fn a_count_that_another_program_wrote_as_negative_is_unknown_or_overdrawn() {
    let left = |number: &str| {
        let json = PLAIN.replace(r#""quota_remaining":0"#, &alloc::format!(r#""quota_remaining":{number}"#));
        decode("openai", json.as_bytes()).unwrap().quota_remaining
    };
    assert_eq!((left("-1"), left("-7"), left("7")), (None, Some(0), Some(7)));
}

#[test]
fn a_share_in_a_form_that_is_not_read_is_passed_over() {
    for share in ["1e-3", "-0.5", "99999999999999999999"] {
        let json =
            text(&whole()).replace(r#""utilization":0.25"#, &alloc::format!(r#""utilization":{share}"#));
        assert_eq!(decode("openai", json.as_bytes()).unwrap().limits[0].utilization, None, "{share}");
    }
}

#[test]
fn what_is_too_long_too_deep_or_too_many_is_a_miss() {
    let padded = alloc::format!("{PLAIN}{}", " ".repeat(MOST_BYTES));
    assert_eq!(decode("openai", padded.as_bytes()).unwrap_err().what, "longer than 1 MiB");
    let deep = PLAIN.replacen('{', &alloc::format!("{{\"x\":{},", "[".repeat(5000)), 1);
    assert_eq!(decode("openai", deep.as_bytes()).unwrap_err().what, "nested too deeply");
    let limits = vec![Limit::new(Quantity::Other, at(0)); 1025];
    assert_eq!(
        decode("openai", &encode(&Signal { limits, ..plain() })).unwrap_err().what,
        "more than 1,024 items"
    );
}

prop_compose! {
    fn times()(seconds in Time::MIN.seconds()..=Time::MAX.seconds(), nanoseconds in 0u32..1_000_000_000) -> Time {
        Time::new(seconds, nanoseconds).unwrap()
    }
}

fn counts() -> impl Strategy<Value = Option<u64>> {
    prop::option::of(0..=i64::MAX.unsigned_abs())
}

prop_compose! {
    fn scopes()(account in prop::option::of(".{1,8}"), model in prop::option::of(".{1,8}")) -> Scope {
        Scope::new(account.as_deref(), model.as_deref())
    }
}

fn classes() -> impl Strategy<Value = RefusalClass> {
    let words =
        ["rate", "quota", "money", "concurrency", "capacity", "oversize", "model_scoped", "later", ""];
    prop::sample::select(words.to_vec()).prop_map(RefusalClass::from)
}

prop_compose! {
    fn limits()(
        quantity in prop::sample::select(vec![Quantity::Requests, Quantity::Tokens, Quantity::InputTokens, Quantity::OutputTokens, Quantity::Other]),
        scope in scopes(),
        (window_s, limit, remaining) in (counts(), counts(), counts()),
        millionths in prop::option::of(0u32..=1_000_000),
        resets_at in prop::option::of(times()),
        captured_at in times(),
        pool in ".{0,6}",
        refill in prop::sample::select(vec![Refill::Continuous, Refill::WindowEdge, Refill::Projected]),
        effect in prop::sample::select(vec![Effect::Refuses, Effect::RefusesSome, Effect::Informs]),
    ) -> Limit {
        let utilization = millionths.map(|share| f64::from(share) / 1e6);
        let pool = Name::from(pool.as_str());
        Limit {
            quantity,
            scope,
            pool,
            window_s,
            limit,
            remaining,
            utilization,
            resets_at,
            captured_at,
            refill,
            effect,
        }
    }
}

prop_compose! {
    fn cooldowns()(scope in scopes(), class in classes(), refused_at in times(), until in times()) -> Cooldown {
        Cooldown { scope, class, refused_at, until }
    }
}

prop_compose! {
    fn signals()(
        provider in ".{0,20}",
        status in prop::sample::select(vec![Status::Available, Status::Degraded, Status::Exhausted, Status::Unknown]),
        (quota_remaining, ttfb_p50_ns) in (counts(), counts()),
        (p50, p90_ns, p99_ns) in (0..=i64::MAX.unsigned_abs(), 0..=i64::MAX.unsigned_abs(), 0..=i64::MAX.unsigned_abs()),
        (quota_reset_at, last_success_at, last_error_at, cooldown_until) in (
            prop::option::of(times()), prop::option::of(times()), prop::option::of(times()), prop::option::of(times()),
        ),
        last_error_msg in ".{0,40}",
        recorded_at in times(),
        reason in prop::option::of(prop::sample::select(vec!["no_credit", "busy", "loading", "error", "later"])),
        refusal in prop::option::of(classes().prop_filter("an empty word is none", |class| !class.as_str().is_empty())),
        count in prop::option::of(any::<u32>()),
        limits in prop::collection::vec(limits(), 0..4),
        cooldowns in prop::collection::vec(cooldowns(), 0..3),
    ) -> Signal {
        let latency = count.map(|count| Latency { count, p90_ns, p99_ns, ttfb_p50_ns });
        let reason = reason.map(Reason::from);
        Signal {
            provider, status, quota_remaining, quota_reset_at, recent_p50_latency_ns: p50, last_success_at,
            last_error_at, last_error_msg, recorded_at, reason, cooldown_until, limits, latency, refusal, cooldowns,
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_signal_is_read_back_as_it_was_written(signal in signals()) {
        prop_assert_eq!(decode(&signal.provider, &encode(&signal)), Ok(signal));
    }

    #[test]
    fn damage_never_panics(signal in signals(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut json = encode(&signal);
        let index = at.index(json.len());
        json[index] = byte;
        let _ = decode(&signal.provider, &json);
        json.remove(index);
        let _ = decode(&signal.provider, &json);
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), json in "[\\[\\]{}:,\"\\\\u0-9eE+.nul a-]{0,80}") {
        let _ = decode("", &bytes);
        let _ = decode("", json.as_bytes());
    }
}
