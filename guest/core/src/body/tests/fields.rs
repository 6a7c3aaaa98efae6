//! Waits, resets and limits in fields.

use super::*;

#[test]
fn waits_are_read_from_fields_at_any_depth() {
    for (text, expected) in [
        (
            r#"{"error":{"details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.074824224s"}]}}"#,
            Some(34_075),
        ),
        (r#"{"error":{"details":[{"retryDelay":"900ms"}]}}"#, Some(900)),
        (r#"{"error":{"details":[{"retryDelay":"38s"}]}}"#, Some(38_000)),
        (r#"{"error":{"details":[{"metadata":{"quotaResetDelay":"1h16m0.667s"}}]}}"#, Some(4_560_667)),
        (r#"{"error":{"details":[{"metadata":{"quotaResetDelay":"54m29.99s"}}]}}"#, Some(3_269_990)),
        (
            r#"{"error":{"metadata":{"retry_after_seconds":17,"retry_after_seconds_raw":16.007}}}"#,
            Some(17_000),
        ),
        (
            r#"{"error":{"metadata":{"retry_after_seconds_raw":16.007,"retry_after_seconds":17}}}"#,
            Some(17_000),
        ),
        (r#"{"error":{"metadata":{"retry_after_seconds_raw":16.007}}}"#, Some(16_007)),
        (r#"{"error":{"metadata":{"headers":{"Retry-After":"23"}}}}"#, Some(23_000)),
        (r#"{"error":{"metadata":{"headers":{"retry-after":["24"]}}}}"#, Some(24_000)),
        (r#"{"error":{"message":"Rate limit exceeded","retry_after":1}}"#, Some(1000)),
        (r#"{"retry_after":"2.5"}"#, Some(2500)),
        (r#"{"retryAfter":"Thu, 15 Jan 2026 12:00:09 GMT"}"#, Some(9000)),
        (r#"{"retry_after_ms":"250"}"#, Some(250)),
        (r#"{"error":{"resets_in_seconds":60}}"#, Some(60_000)),
        (r#"{"error":{"resets_in_seconds":"61"}}"#, Some(61_000)),
        (r#"{"retry_after":0}"#, Some(0)),
        (r#"{"retry_after":0,"message":"try again in 5s"}"#, Some(5000)),
        (r#"{"message":"try again in 5s","retry_after":6}"#, Some(6000)),
        (r#"{"retry_after":6,"message":"try again in 5s"}"#, Some(6000)),
        (r#"{"retry_after":6,"details":[{"retryDelay":"7s"}]}"#, Some(7000)),
        (r#"{"retry_after":"soon"}"#, None),
        (r#"{"retry_after":-3}"#, None),
        (r#"{"retry_after":1e3}"#, None),
        (r#"{"retry_after":null}"#, None),
        (r#"{"retry_after":true}"#, None),
        (r#"{"retry_after":""}"#, None),
        (r#"{"retry_after":18446744073709551615}"#, None),
        (r#"{"retry_after":9999999999999}"#, None),
        (r#"{"retry_after":NaN}"#, None),
        (r#"{"retryDelay":"99999999999h"}"#, None),
    ] {
        assert_eq!(wait_ms(&body(text)), expected, "{text}");
    }
}

#[test]
fn resets_that_belong_to_no_limit_are_the_bodys() {
    for (text, expected) in [
        (r#"{"error":{"type":"usage_limit_reached","plan_type":"plus","resets_at":1768482000}}"#, in_s(3600)),
        (r#"{"error":{"resets_at":1768482000000}}"#, in_s(3600)),
        (r#"{"error":{"reset_at":"2026-01-15T14:00:00+01:00"}}"#, in_s(3600)),
        (
            r#"{"error":{"details":[{"metadata":{"quotaResetTimeStamp":"2026-01-15T13:00:00Z"}}]}}"#,
            in_s(3600),
        ),
        (r#"{"error":{"reset":"3600"}}"#, in_s(3600)),
        (r#"{"error":{"reset_at":0}}"#, None),
        (r#"{"error":{"reset_at":""}}"#, None),
        (r#"{"error":{"reset_at":-5}}"#, None),
        (r#"{"error":{"reset_at":99999999999999999}}"#, None),
        (r#"{"error":{"reset_at":1e12}}"#, None),
        (r#"{"five_hour":{"utilization":62.0,"resets_at":1768482000}}"#, None),
    ] {
        assert_eq!(body(text).resets_at, expected, "{text}");
    }
    let error = body(
        r#"{"error":{"type":"usage_limit_reached","used_percent":100,"resets_at":1768482000,"window_minutes":300}}"#,
    );
    assert_eq!(error.resets_at, in_s(3600));
    assert_eq!(lines(&error), ["other/18000 share 1 until 2026-01-15T13:00:00Z"]);
}

#[test]
fn every_violation_of_a_quota_is_a_limit_that_is_used_up() {
    let violation = |id: &str, value: &str, model: &str| {
        alloc::format!(
            r#"{{"quotaMetric":"generativelanguage.googleapis.com/generate_content_free_tier_requests","quotaId":"{id}","quotaDimensions":{{"location":"global","model":"{model}"}},"quotaValue":"{value}"}}"#
        )
    };
    let text = alloc::format!(
        r#"[{{"error":{{"code":429,"details":[{{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{},{},{}]}}]}}}}]"#,
        violation("GenerateRequestsPerDayPerProjectPerModel-FreeTier", "20", "gemini-2.5-flash"),
        violation("GenerateRequestsPerMinutePerProjectPerModel-FreeTier", "5", "gemini-2.5-pro"),
        violation("GenerateContentInputTokensPerModelPerMinute-FreeTier", "250000", "gemini-2.5-pro"),
    );
    assert_eq!(
        lines(&body(&text)),
        [
            "requests/86400 @gemini-2.5-flash limit 20 up",
            "requests/60 @gemini-2.5-pro limit 5 up",
            "input_tokens/60 @gemini-2.5-pro limit 250000 up",
        ]
    );
    let text = r#"{"error":{"details":[{"reason":"RATE_LIMIT_EXCEEDED","domain":"googleapis.com","metadata":{"quota_limit":"GenerateContentRequestsPerMinutePerProjectPerRegion","quota_limit_value":"0","quota_metric":"x.googleapis.com/generate_content_requests"}}]}}"#;
    assert_eq!(lines(&body(text)), ["requests/60 limit 0 up"]);
    let partial =
        r#"{"error":{"details":[{"violations":[{"quotaMetric":"x.com/generate_requests","quotaId":"Gen"#;
    assert_eq!(lines(&body(partial)), ["requests up"]);
}

#[test]
fn a_violation_is_not_repeated_by_its_sentence() {
    let text = r#"{"error":{"message":"Quota exceeded for metric: x.com/generate_content_free_tier_requests, limit: 20, model: gemini-2.5-flash\nPlease retry in 38s.","details":[{"violations":[{"quotaMetric":"x.com/generate_content_free_tier_requests","quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier","quotaDimensions":{"model":"gemini-2.5-flash"},"quotaValue":"20"}]},{"retryDelay":"37s"}]}}"#;
    assert_eq!(lines(&body(text)), ["requests/86400 @gemini-2.5-flash limit 20 up"]);
    assert_eq!(wait_ms(&body(text)), Some(37_000));
}

#[test]
fn usage_windows_are_limits_with_a_share() {
    for (text, expected) in [
        (
            r#"{"five_hour":{"utilization":62.0,"resets_at":"2026-01-15T13:00:00.5+00:00"}}"#,
            "other/18000 share 0.62 until 2026-01-15T13:00:00.5Z",
        ),
        (
            r#"{"seven_day_opus":{"utilization":100,"resets_at":"2026-01-15T13:00:00Z"}}"#,
            "other/604800 opus share 1 until 2026-01-15T13:00:00Z",
        ),
        (r#"{"seven_day":{"utilization":0,"resets_at":null}}"#, "other/604800 share 0"),
        (
            r#"{"limits":[{"kind":"weekly_scoped","percent":11,"resets_at":"2026-01-15T13:00:00Z"}]}"#,
            "other/604800 scoped share 0.11 until 2026-01-15T13:00:00Z",
        ),
        (
            r#"{"rate_limits":{"five_hour":{"used_percentage":5.5,"resets_at":1768482000}}}"#,
            "other/18000 share 0.055 until 2026-01-15T13:00:00Z",
        ),
        (
            r#"{"primary_window":{"used_percent":10,"limit_window_seconds":18000,"reset_after_seconds":120,"reset_at":1768482000}}"#,
            "other/18000 share 0.1 until 2026-01-15T13:00:00Z",
        ),
        (
            r#"{"secondary_window":{"used_percent":76,"limit_window_seconds":604800,"reset_after_seconds":3600}}"#,
            "other/604800 share 0.76 until 2026-01-15T13:00:00Z",
        ),
        (
            r#"{"primary":{"used_percent":42.5,"window_minutes":300,"resets_at":1768482000}}"#,
            "other/18000 share 0.425 until 2026-01-15T13:00:00Z",
        ),
        (
            r#"{"limits":[{"type":"TOKENS_LIMIT","unit":3,"number":5,"percentage":12,"nextResetTime":1768482000000}]}"#,
            "other/18000 share 0.12 until 2026-01-15T13:00:00Z",
        ),
        (
            r#"{"limits":[{"type":"TOKENS_LIMIT","unit":6,"number":1,"percentage":7}]}"#,
            "other/604800 share 0.07",
        ),
        (
            r#"{"limits":[{"type":"TIME_LIMIT","unit":5,"number":1,"usage":4000,"currentValue":10,"remaining":3990,"percentage":0}]}"#,
            "other/2592000 time limit 4000 used 10 left 3990 share 0",
        ),
        (
            r#"{"free_model_daily_requests":{"used":3,"limit":50,"remaining":47}}"#,
            "requests/86400 free_model limit 50 used 3 left 47",
        ),
        (
            r#"{"data":{"label":"x","limit":100,"limit_remaining":0,"usage":100,"limit_reset":"monthly"}}"#,
            "other/2592000 limit 100 left 0",
        ),
        (r#"{"data":{"limit":100,"limit_remaining":74.5,"usage":25.5}}"#, "other share 0.255"),
        (r#"{"data":{"limit":100.0,"limit_remaining":-0.25}}"#, "other limit 100 left 0"),
        (
            r#"{"quota_snapshots":{"premium_models":{"entitlement":300,"percent_remaining":29.5,"remaining":88,"quota_id":"premium_models","unlimited":false}},"quota_reset_date_utc":"2026-02-01T00:00:00.000Z"}"#,
            "other premium_models limit 300 left 88 share 0.705 until 2026-02-01T00:00:00Z",
        ),
        (
            r#"{"additional_rate_limits":[{"limit_name":"GPT-Spark","metered_feature":"codex_bengalfox","rate_limit":{"primary_window":{"used_percent":1,"limit_window_seconds":60}}}]}"#,
            "other/60 bengalfox share 0.01",
        ),
        (
            r#"{"rate_limit":{"primary_window":{"used_percent":1,"limit_window_seconds":60}},"limit_name":"GPT-Spark"}"#,
            "other/60 gpt-spark share 0.01",
        ),
        (
            r#"{"limit_id":"codex","limit_name":"Codex","primary":{"used_percent":1,"window_minutes":1}}"#,
            "other/60 share 0.01",
        ),
        (
            r#"{"code_review_rate_limit":{"primary_window":{"used_percent":1,"limit_window_seconds":60}}}"#,
            "other/60 code_review share 0.01",
        ),
        (r#"{"primary":{"used_percent":108,"window_minutes":1}}"#, "other/60 share 1.08"),
    ] {
        assert_eq!(lines(&body(text)), [expected], "{text}");
        assert!(!body(text).is_error, "{text}");
        assert_eq!(body(text).wait, None, "{text}");
    }
}

#[test]
fn a_window_that_was_reached_is_marked() {
    let text = |reached: &str, first: u32| {
        alloc::format!(
            r#"{{"rate_limit":{{{reached},"primary_window":{{"used_percent":{first},"limit_window_seconds":18000}},"secondary_window":{{"used_percent":76,"limit_window_seconds":604800}}}},"credits":{{"has_credits":false}}}}"#
        )
    };
    let marks = |text: &str| body(text).limits.iter().map(|limit| limit.used_up).collect::<Vec<_>>();
    assert_eq!(marks(&text(r#""allowed":true,"limit_reached":false"#, 100)), [false, false]);
    assert_eq!(marks(&text(r#""allowed":false,"limit_reached":true"#, 100)), [true, false]);
    assert_eq!(marks(&text(r#""allowed":false"#, 10)), [false, true]);
    assert_eq!(marks(&text(r#""limit_reached":true"#, 10)), [false, true]);
}

#[test]
fn items_of_a_realtime_session_are_limits_of_their_names() {
    let text = r#"{"type":"rate_limits.updated","event_id":"event_1","rate_limits":[{"name":"requests","limit":1000,"remaining":999,"reset_seconds":60},{"name":"tokens","limit":50000,"remaining":49950,"reset_seconds":0.06}]}"#;
    assert_eq!(
        lines(&body(text)),
        [
            "requests limit 1000 left 999 until 2026-01-15T12:01:00Z",
            "tokens limit 50000 left 49950 until 2026-01-15T12:00:00.06Z",
        ]
    );
    assert_eq!((body(text).wait, body(text).resets_at), (None, None));
}

#[test]
fn objects_that_are_no_limits_make_none() {
    for text in [
        r#"{"primary":{"used_percent":0,"window_minutes":0,"reset_at":0,"reset_after_seconds":0}}"#,
        r#"{"extra_usage":{"is_enabled":false,"monthly_limit":null,"used_credits":null,"utilization":null}}"#,
        r#"{"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#,
        r#"{"limit":20,"offset":0,"total":400}"#,
        r#"{"data":{"limit":null,"limit_remaining":null,"usage":3}}"#,
        r#"{"rate_limit":{"requests":-1,"interval":"10s"}}"#,
        r#"{"limit":-1,"remaining":-1}"#,
        r#"{"chat":{"entitlement":0,"remaining":0,"percent_remaining":100.0,"unlimited":true}}"#,
        r#"{"five_hour":null}"#,
        r#"{"five_hour":{"utilization":"high"}}"#,
    ] {
        assert_eq!(lines(&body(text)), Vec::<String>::new(), "{text}");
    }
}

#[test]
fn headers_inside_the_body_are_kept() {
    let text = r#"{"error":{"code":429,"metadata":{"headers":{"X-RateLimit-Limit":"50","X-RateLimit-Remaining":"0","X-RateLimit-Reset":1788220800000},"provider_name":"Venice"}}}"#;
    let read = body(text);
    let headers: Vec<(&str, &str)> = read.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    assert_eq!(
        headers,
        [("x-ratelimit-limit", "50"), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "1788220800000")]
    );
    assert!(read.limits.is_empty());
    assert_eq!(read.upstream.as_deref(), Some("venice"));
    let many: String =
        (0..100).map(|number| alloc::format!(r#""X-{number}":"{}","#, "v".repeat(256))).collect();
    let read = body(&alloc::format!(r#"{{"headers":{{"Too-Long":"{}",{many}"x":1}}}}"#, "v".repeat(257)));
    assert_eq!(read.headers.len(), MOST_HEADERS);
    assert_eq!(read.headers[0].0, "x-0");
}

#[test]
fn words_are_kept_once_in_lower_case() {
    let text = r#"{"error":{"type":"Usage_Limit_Reached","code":"429","status":"RESOURCE_EXHAUSTED","param":null,"details":[{"reason":"QUOTA_EXHAUSTED","domain":"x.com"}]},"code":429,"id":"too_many_requests","limit_source":"tier","title":"Too Many Requests","object":"error"}"#;
    assert_eq!(
        body(text).words,
        [
            "usage_limit_reached",
            "429",
            "resource_exhausted",
            "quota_exhausted",
            "x.com",
            "too_many_requests",
            "tier",
            "too many requests",
            "error"
        ]
    );
    assert_eq!(body(r#"{"id":"chatcmpl-9x"}"#).words, Vec::<String>::new());
    assert_eq!(body(r#"{"error":"rate_limited"}"#).words, ["rate_limited"]);
    assert_eq!(body(r#"{"error":"rate_limited"}"#).text, "rate_limited");
    let reason = "why ".repeat(30);
    let read = body(&alloc::format!(r#"{{"reason":"{reason}"}}"#));
    assert_eq!((read.words.len(), &*read.text), (0, reason.trim()));
}

#[test]
fn an_error_finds_room_behind_the_events_of_a_stream() {
    let mut text: String =
        (0..40).map(|number| alloc::format!("data: {{\"type\":\"event_{number}\"}}\n\n")).collect();
    text.push_str("data: {\"error\":{\"code\":\"rate_limit_exceeded\",\"retry_after\":3}}\n\n");
    let read = body(&text);
    assert!(read.words.iter().any(|word| word == "rate_limit_exceeded"));
    assert!(read.is_error);
    assert_eq!(wait_ms(&read), Some(3000));
    let many: String = (0..99).map(|number| alloc::format!(r#"{{"error":{{"code":"{number}"}}}}"#)).collect();
    assert_eq!(body(&many).words.len(), MOST_WORDS);
}

#[test]
fn errors_are_told_from_answers() {
    for text in [
        r#"{"error":{"message":"x"}}"#,
        r#"{"error":"x"}"#,
        r#"{"errors":["x"]}"#,
        r#"[{"error":{}}]"#,
        r#"{"error":true}"#,
        r#"{"type":"error"}"#,
        r#"{"object":"error","message":"x"}"#,
        r#"{"status":429,"title":"Too Many Requests"}"#,
        r#"{"code":503,"message":"x","status":"UNAVAILABLE"}"#,
        r#"{"choices":[{"error":{"code":502}}]}"#,
        "event: error\ndata: {}\n",
        r#"{"type":"response.failed","response":{"error":{"code":"rate_limit_exceeded"}}}"#,
    ] {
        assert!(body(text).is_error, "{text}");
    }
    for text in [
        "",
        "{}",
        r#"{"error":null}"#,
        r#"{"error":false}"#,
        r#"{"error":""}"#,
        r#"{"success":true,"errors":[],"messages":[]}"#,
        r#"{"code":200,"message":"ok"}"#,
        r#"{"status":"completed"}"#,
        r#"{"status":"ok"}"#,
        "quota exceeded\n",
    ] {
        assert!(!body(text).is_error, "{text}");
    }
}

#[test]
fn what_a_model_wrote_says_nothing() {
    for text in [
        r#"{"choices":[{"message":{"role":"assistant","content":"{\"error\":{\"retry_after\":5}} try again in 5s"}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"args":{"error":{"retry_after":5}}}}]}}]}"#,
        r#"{"content":[{"type":"tool_use","input":{"error":{"retry_after":5},"limit":1,"remaining":0}}]}"#,
        r#"{"output":[{"content":[{"text":"x"}],"arguments":{"retry_after":5}}]}"#,
        r#"{"type":"content_block_delta","delta":{"type":"input_json_delta","partial_json":"{\"retry_after\":5}"}}"#,
        r#"{"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"{\"retry_after\":5}"}}]}}]}"#,
    ] {
        let read = body(text);
        assert_eq!(
            (read.wait, read.limits.len(), read.is_error, &*read.text),
            (None, 0, false, ""),
            "{text}"
        );
    }
}

#[test]
fn json_within_a_text_is_read_one_level_deep() {
    let inner = r#"{"error":{"code":429,"message":"try again in 2s","details":[{"retryDelay":"3s"}]}}"#;
    let quoted = alloc::format!("{inner:?}");
    for text in [
        alloc::format!(r#"{{"error":{{"message":{quoted},"code":429}}}}"#),
        alloc::format!(r#"{{"error":{{"metadata":{{"raw":{quoted},"provider_name":"Google"}}}}}}"#),
        alloc::format!(r#"{{"error":{quoted}}}"#),
        alloc::format!(r#"{{"error":{{"message":{:?}}}}}"#, alloc::format!("got status: 429. {inner}")),
        alloc::format!("HTTP 429: {inner}"),
        quoted.clone(),
    ] {
        let read = body(&text);
        assert_eq!(wait_ms(&read), Some(3000), "{text}");
        assert!(read.words.contains(&String::from("429")), "{text}");
        assert!(read.text.contains("try again in 2s"), "{text}");
    }
    let twice = alloc::format!(r#"{{"message":{:?}}}"#, alloc::format!(r#"{{"message":{quoted}}}"#));
    assert_eq!(wait_ms(&body(&twice)), Some(2000), "the inner one is text");
    let python =
        r#"{"error":{"message":"Error code: 429 - {'error': {'message': 'Please try again in 2s.'}}"}}"#;
    assert_eq!(wait_ms(&body(python)), Some(2000));
}

#[test]
fn event_streams_lines_and_text_are_read() {
    let event = r#"{"type":"codex.rate_limits","plan_type":"plus","rate_limits":{"allowed":true,"limit_reached":false,"primary":{"used_percent":42,"window_minutes":60,"reset_at":1768482000},"secondary":null},"credits":null}"#;
    let window = "other/3600 share 0.42 until 2026-01-15T13:00:00Z";
    for text in [
        alloc::format!("event: codex.rate_limits\ndata: {event}\n\n"),
        alloc::format!(": keep-alive\n\n\n: keep-alive\ndata: {event}\r\n\r\ndata: [DONE]\r\n"),
        alloc::format!("\n\n\n\n{event}"),
        alloc::format!("\u{feff}{event}"),
        alloc::format!("{{\"type\":\"ping\"}}\n{event}\n"),
        alloc::format!("data:{{\"a\":\ndata:{event}\ndata: }}\n\nid: 7\nretry: 9000\n"),
        alloc::format!("data: {{\"delta\":\"cut\ndata: {{\"x\":1}}\n\n\ndata: \"\n\ndata: {event}\n\n"),
    ] {
        assert_eq!(lines(&body(&text)), [window], "{text}");
        assert_eq!(body(&text).wait, None, "{text}");
    }
    let read = body("quota exceeded\n");
    assert_eq!((&*read.text, read.words.len()), ("quota exceeded", 0));
    let read = body("Too many requests\r\nPlease retry after 5 seconds\r\n");
    assert_eq!(
        (&*read.text, wait_ms(&read)),
        ("too many requests\nplease retry after 5 seconds", Some(5000))
    );
    assert_eq!(wait_ms(&body("[ERROR] 429: retry in 5s")), Some(5000));
    assert_eq!(
        body("<html><title>429 Too Many Requests</title></html>").text,
        "<html><title>429 too many requests</title></html>"
    );
}

#[test]
fn escapes_and_foreign_characters_are_resolved() {
    let read = body(r#"{"\u0065rror":{"message":"R\u00e4te \ud83d! \"x\" \/ \q \u12"}}"#);
    assert!(read.is_error);
    assert_eq!(read.text, "räte \u{fffd}! \"x\" / q \u{fffd}12");
    let read = read_bytes(b"{\"error\":{\"message\":\"quota \xff exceeded, retry in 5s\"}}");
    assert_eq!(read.text, "quota \u{fffd} exceeded, retry in 5s");
    assert_eq!(wait_ms(&read), Some(5000));
}

fn read_bytes(bytes: &[u8]) -> Body {
    read(bytes, now())
}
