use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

/// Secrets of all forms: of each, what must not be found in any output.
fn secret() -> impl Strategy<Value = String> {
    prop_oneof![
        "sk-[A-Za-z0-9]{8,48}",
        "sk-(ant|proj|or-v1)-[A-Za-z0-9_-]{20,60}[A-Za-z0-9]",
        "(gsk_|xai-|hf_|ghp_|AIza|AKIA|ya29\\.)[A-Za-z0-9]{16,40}",
        "[a-z0-9]{8}[A-Z][A-Za-z0-9]{15,40}",
        "[0-9a-f]{31}[0-9][a-f]",
        "[A-Za-z0-9+/]{30,60}[a-z][0-9][A-Z]",
        "[A-Za-z0-9_-]{30,60}[a-z][0-9][A-Z]",
        "[a-zA-Z]{22}[a-z][A-Z]",
        "eyJ[A-Za-z0-9]{10,20}\\.eyJ[A-Za-z0-9]{10,20}\\.[A-Za-z0-9_-]{20,40}",
        "[a-z]{3,8}(\\.[a-z]{3,8})?@[a-z]{3,10}\\.(com|example)",
        "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
        "(org|user|req|sess)-[A-Za-z0-9]{3}[0-9][A-Za-z0-9]{8,24}",
        "(proj|req|acct|msg)_[A-Za-z0-9]{3}[0-9][A-Za-z0-9]{8,24}",
        "[1-9][0-9]{0,2}\\.[0-9]{1,2}\\.[0-9]{1,2}\\.[1-9][0-9]{0,2}",
        "2001:db8:[0-9a-f]{4}::[0-9a-f]{4}",
        "[0-9]{15,20}",
    ]
}

fn around() -> impl Strategy<Value = (String, String)> {
    let before = prop_oneof![
        Just(""),
        Just("Rate limit reached for "),
        Just("key="),
        Just("Bearer "),
        Just("\""),
        Just("<"),
        Just("id:"),
        Just("https://u:p@api.openai.com/v1?key="),
        Just("https://api.openai.com/v1/"),
        Just("您的"),
        Just("a,"),
        Just("[")
    ];
    let after = prop_oneof![
        Just(""),
        Just(" on tokens"),
        Just("\""),
        Just(">"),
        Just("."),
        Just(",b"),
        Just("]"),
        Just("。")
    ];
    (before, after).prop_map(|(before, after)| (before.to_owned(), after.to_owned()))
}

fn response(status: u16, headers: Vec<(&str, &str)>, body: Option<String>) -> Response {
    let headers = headers.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    Response { provider_type: "openai".into(), status, headers, body }
}

fn text_of(cleaned: &Cleaned) -> String {
    format!("{:?}", cleaned.response)
}

/// Responses with a text in every place where there may be one.
fn everywhere(text: &str) -> Vec<Response> {
    let nested = json!({"error": {"message": text, "organization": text}}).to_string();
    let error = json!({
        "error": {
            "message": text, "code": text, "param": text, "type": "tokens", "failed_generation": text,
            "metadata": {"raw": nested, "user_id": text, "headers": {"X-RateLimit-Limit": text, "set-cookie": text}},
            "details": [text, [text], {"reason": text, text: 1, "name": text, "request_id": text}],
        },
        "choices": [{"message": {"content": text}}], "messages": [text], "prompt": text, "user": text, text: text,
        "message": {"content": text},
    });
    let names = [
        "authorization",
        "set-cookie",
        "x-request-id",
        "openai-organization",
        "openai-project",
        "cf-ray",
        "x-api-key",
        "x-client-ip",
        "x-ratelimit-remaining-requests",
        "retry-after",
        "date",
        "x-error-message",
        "x-ratelimit-key",
        "x-codex-plan-type",
        "x-amzn-errortype",
        "something-else",
        "x-limit-user-id",
    ];
    let headers = || names.iter().map(|name| (*name, text)).collect::<Vec<_>>();
    let limit_name = format!("x-ratelimit-limit-{text}");
    let mut found = Vec::new();
    for status in [200, 429, 500] {
        let mut broken_off = error.to_string();
        broken_off.truncate(broken_off.floor_char_boundary(broken_off.len() / 2));
        found.push(response(status, headers(), None));
        found.push(response(status, vec![(text, "1"), (&limit_name, "1")], Some(error.to_string())));
        found.push(response(status, vec![], Some(json!([error]).to_string())));
        found.push(response(status, vec![], Some(text.to_owned())));
        found.push(response(status, vec![], Some(broken_off)));
        found.push(response(status, vec![], Some(error.to_string().replace("]}", ""))));
        found.push(response(status, vec![], Some(format!("data: {error}\n\n"))));
        found.push(response(status, vec![], Some(json!(text).to_string())));
    }
    let mut usage = response(200, headers(), Some(error.to_string()));
    usage.provider_type = "chatgpt-codex-usage".into();
    found.push(usage);
    let mut named = response(200, headers(), None);
    named.provider_type = text.to_owned();
    found.push(named);
    found
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_secret_survives_in_no_place_and_in_no_surroundings(
        secret in secret(), (before, after) in around(), encode in any::<bool>(),
    ) {
        let planted: String = if encode {
            secret.bytes().map(|byte| format!("%{byte:02X}")).collect()
        } else {
            secret.clone()
        };
        for response in everywhere(&format!("{before}{planted}{after}")) {
            let text = text_of(&clean(&response));
            prop_assert!(!text.contains(&secret) && !text.contains(&planted), "{secret} in {text}");
        }
    }

    #[test]
    fn cleaning_what_is_clean_changes_nothing(text in "[ -~\\n\u{200b}ß您]{0,200}") {
        let once = text::clean(&text);
        prop_assert_eq!(text::clean(&once), once);
    }

    #[test]
    fn no_bytes_are_too_strange(text in any::<String>()) {
        everywhere(&text).iter().for_each(|response| {
            let _ = clean(response);
        });
    }
}

#[test]
fn headers_that_speak_of_limits_waits_dates_and_errors_are_kept() {
    for name in [
        "x-ratelimit-remaining-requests",
        "Retry-After",
        "retry-after-ms",
        "RateLimit",
        "RateLimit-Policy",
        "date",
        "anthropic-ratelimit-unified-7d_oi-reset",
        "anthropic-fast-input-tokens-limit",
        "x-codex-plan-type",
        "x-bengalfox-primary-used-percent",
        "x-quota-snapshot-premium_interactions",
        "x-usage-ratelimit-session",
        "x-ratelimit-quota-exceeded-retry-after",
        "x-ratelimit-user-retry-after",
        "x-endpoint-monthly-call-limit",
        "x-rate-limit-reset-tokens",
        "x-ratelimit-limit-project-tokens",
        "x-should-retry",
        "x-ratelimit-key",
        "x-ratelimit-limit-tokens_usage_based",
        "x-ratelimit-remaining-req-minute",
        "x-tokenlimit-remaining",
    ] {
        assert!(headers::is_kept(name), "{name}");
    }
    for name in [
        "authorization",
        "cookie",
        "set-cookie",
        "x-api-key",
        "x-request-id",
        "request-id",
        "openai-organization",
        "openai-project",
        "cf-ray",
        "x-amzn-requestid",
        "x-forwarded-for",
        "server",
        "content-type",
        "traceparent",
        "x-limit-api-key",
        "x-ratelimit-user-id",
        "anthropic-organization-id",
    ] {
        assert!(!headers::is_kept(name), "{name}");
    }
}

#[test]
fn what_the_user_sent_or_was_answered_is_left_out() {
    let answer = json!({"choices": [{"message": {"content": "my diary"}}]}).to_string();
    let cleaned = clean(&response(200, vec![], Some(answer)));
    assert_eq!((cleaned.response.body, cleaned.body_left_out), (None, Some(BodyLeftOut::Content)));

    let mixed = json!({"error": {"message": "Overloaded"}, "prompt": "my diary", "output": ["my diary"],
        "inputText": "my diary", "Messages": [{"text": "my diary"}], "userPrompt": "my diary"});
    let cleaned = clean(&response(200, vec![], Some(mixed.to_string())));
    assert_eq!(cleaned.response.body.unwrap(), r#"{"error":{"message":"Overloaded"}}"#);

    for body in
        ["<html>my diary</html>", "{\"prompt\":\"my diary", "data: my diary\n\n", "\"my diary\"", "\u{fffd}"]
    {
        let cleaned = clean(&response(429, vec![], Some(body.into())));
        assert_eq!(
            (cleaned.response.body, cleaned.body_left_out),
            (None, Some(BodyLeftOut::Unreadable)),
            "{body}"
        );
    }
}

#[test]
fn the_body_of_a_usage_endpoint_is_kept_without_names() {
    let usage = json!({"user_id": "user-abc", "email": "a@b.example", "account": {"plan": "plus"}, "plan_type": "plus",
        "rate_limit": {"limit_reached": false, "primary_window": {"used_percent": 10, "reset_at": 1777923843}}});
    let mut seen = response(200, vec![], Some(usage.to_string()));
    seen.provider_type = "chatgpt-codex-usage".into();
    let body: Value = serde_json::from_str(&clean(&seen).response.body.unwrap()).unwrap();
    assert_eq!(
        body,
        json!({"user_id": "user-x", "email": "x@x", "plan_type": "plus", "rate_limit": usage["rate_limit"]})
    );
}

#[test]
fn what_headers_tell_of_the_caller_is_removed_from_messages_too() {
    let body = json!({"error": {"message": "Limit of acmecorp reached: Acmecorp has 60 RPM"}}).to_string();
    let seen = response(429, vec![("OpenAI-Organization", "acmecorp")], Some(body));
    let body = clean(&seen).response.body.unwrap();
    assert_eq!(body, r#"{"error":{"message":"Limit of x reached: x has 60 RPM"}}"#);
}
