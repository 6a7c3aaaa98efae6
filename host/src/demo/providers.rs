//! The simulated providers: state machines that speak the dialects of real ones.
//!
//! Time comes in as a value and replies go out as values; the server does the waiting and the sending.

use std::time::{Duration, SystemTime};

use super::quota::{Bucket, Window};
use crate::time::rfc3339;

/// What a provider answers.
#[derive(Debug)]
pub(super) struct Reply {
    /// How long the answer takes.
    pub(super) after: Duration,
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// One simulated provider.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) name: &'static str,
    pub(super) provider_type: &'static str,
    pub(super) model: &'static str,
    behaviour: Behaviour,
    /// Calls so far, which vary the latencies and the sizes.
    calls: u32,
}

#[derive(Debug)]
enum Behaviour {
    OpenAi { requests: Bucket, tokens: Bucket },
    Anthropic { requests: Bucket, input_tokens: Window },
    OpenRouter { requests: Window },
    Ollama,
    Failing,
    Hanging,
}

const MINUTE: Duration = Duration::from_secs(60);
/// The anthropic simulation states resets in whole seconds, as its model does.
const ANTHROPIC_WINDOW: Duration = Duration::from_secs(40);
const OPENROUTER_WINDOW: Duration = Duration::from_secs(15);
/// Each such call finds the queue of the local server full.
const OLLAMA_BUSY: u32 = 8;

/// One provider of each kind, with full quotas.
pub(super) fn all(now: SystemTime) -> [Provider; 6] {
    let bucket = |capacity| Bucket::full(capacity, MINUTE, now);
    let provider =
        |name, provider_type, model, behaviour| Provider { name, provider_type, model, behaviour, calls: 0 };
    let openai = Behaviour::OpenAi { requests: bucket(20), tokens: bucket(40_000) };
    let anthropic = Behaviour::Anthropic {
        requests: bucket(50),
        input_tokens: Window::starting(60_000, ANTHROPIC_WINDOW, now),
    };
    let openrouter = Behaviour::OpenRouter { requests: Window::starting(4, OPENROUTER_WINDOW, now) };
    [
        provider("openai", "openai", "gpt-5-mini", openai),
        provider("anthropic", "anthropic", "claude-sonnet-5", anthropic),
        provider("openrouter", "openrouter", "some-model:free", openrouter),
        provider("ollama", "ollama", "qwen3", Behaviour::Ollama),
        provider("failing", "openai", "some-model", Behaviour::Failing),
        provider("hanging", "openai", "some-model", Behaviour::Hanging),
    ]
}

impl Provider {
    /// The answer to a request for a path; `None` means that there never is one.
    pub(super) fn reply(&mut self, path: &str, now: SystemTime) -> Option<Reply> {
        if matches!(self.behaviour, Behaviour::Hanging) {
            return None;
        }
        if path == "/v1/models" {
            let models = format!(r#"{{"object":"list","data":[{{"id":"{}"}}]}}"#, self.model);
            return Some(Reply { after: Duration::ZERO, status: 200, headers: Vec::new(), body: models });
        }
        self.calls = self.calls.wrapping_add(1);
        let varied = self.calls.wrapping_mul(37) % 100;
        let (status, headers, body) = match &mut self.behaviour {
            Behaviour::OpenAi { requests, tokens } => openai(requests, tokens, 400 + 10 * varied, now),
            Behaviour::Anthropic { requests, input_tokens } => {
                anthropic(requests, input_tokens, 2000 + 50 * varied, now)
            }
            Behaviour::OpenRouter { requests } => openrouter(requests, now),
            Behaviour::Ollama if self.calls.is_multiple_of(OLLAMA_BUSY) => {
                let busy = r#"{"error":"server busy, please try again.  maximum pending requests exceeded"}"#;
                (503, Vec::new(), busy.to_owned())
            }
            Behaviour::Ollama => (200, Vec::new(), COMPLETION.to_owned()),
            Behaviour::Failing | Behaviour::Hanging => (
                500,
                Vec::new(),
                r#"{"error":{"message":"internal error","type":"server_error"}}"#.to_owned(),
            ),
        };
        Some(Reply { after: Duration::from_millis(20 + u64::from(varied) / 2), status, headers, body })
    }
}

type Answer = (u16, Vec<(&'static str, String)>, String);

const COMPLETION: &str = r#"{"object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"Hello."}}]}"#;

/// Counts of two refilling buckets, resets as durations, waits to the millisecond.
fn openai(requests: &mut Bucket, tokens: &mut Bucket, size: u32, now: SystemTime) -> Answer {
    let refused = requests.take(1, now).and_then(|()| tokens.take(size, now)).err();
    let mut headers = vec![
        ("x-ratelimit-limit-requests", requests.capacity().to_string()),
        ("x-ratelimit-limit-tokens", tokens.capacity().to_string()),
        ("x-ratelimit-remaining-requests", requests.remaining().to_string()),
        ("x-ratelimit-remaining-tokens", tokens.remaining().to_string()),
        ("x-ratelimit-reset-requests", go_duration(requests.until_full())),
        ("x-ratelimit-reset-tokens", go_duration(tokens.until_full())),
    ];
    let Some(wait) = refused else { return (200, headers, COMPLETION.to_owned()) };
    let wait_ms = wait.as_millis() + 1;
    headers.push(("retry-after-ms", wait_ms.to_string()));
    headers.push(("retry-after", wait_ms.div_ceil(1000).to_string()));
    let body =
        r#"{"error":{"message":"Rate limit reached.","type":"requests","code":"rate_limit_exceeded"}}"#;
    (429, headers, body.to_owned())
}

/// Counts of a window of input tokens, resets as times.
fn anthropic(requests: &mut Bucket, input_tokens: &mut Window, size: u32, now: SystemTime) -> Answer {
    // So few calls are made that requests never run out.
    let _ = requests.take(1, now);
    let passes = input_tokens.take(size, now);
    let ends_at = input_tokens.ends_at();
    let mut headers = vec![
        ("anthropic-ratelimit-requests-limit", requests.capacity().to_string()),
        ("anthropic-ratelimit-requests-remaining", requests.remaining().to_string()),
        ("anthropic-ratelimit-requests-reset", whole_seconds(now + requests.until_full())),
        ("anthropic-ratelimit-input-tokens-limit", input_tokens.limit().to_string()),
        ("anthropic-ratelimit-input-tokens-remaining", input_tokens.remaining().to_string()),
        ("anthropic-ratelimit-input-tokens-reset", whole_seconds(ends_at)),
    ];
    if passes {
        let body = r#"{"type":"message","role":"assistant","content":[{"type":"text","text":"Hello."}]}"#;
        return (200, headers, body.to_owned());
    }
    let wait = ends_at.duration_since(now).unwrap_or_default();
    headers.push(("retry-after", wait.as_millis().div_ceil(1000).to_string()));
    let body = r#"{"type":"error","error":{"type":"rate_limit_error","message":"Rate limited."}}"#;
    (429, headers, body.to_owned())
}

/// Silent until the window is used up; then its end in Unix milliseconds.
fn openrouter(requests: &mut Window, now: SystemTime) -> Answer {
    if requests.take(1, now) {
        return (200, Vec::new(), COMPLETION.to_owned());
    }
    let ends_at = requests.ends_at().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let headers = vec![
        ("x-ratelimit-limit", requests.limit().to_string()),
        ("x-ratelimit-remaining", requests.remaining().to_string()),
        ("x-ratelimit-reset", ends_at.as_millis().to_string()),
    ];
    (429, headers, r#"{"error":{"message":"Rate limit exceeded.","code":429}}"#.to_owned())
}

/// `6m0s`, `8.64s`, `120ms`, as Go writes durations.
fn go_duration(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    let (minutes, rest) = (milliseconds / 60_000, milliseconds % 60_000);
    let seconds = format!("{}.{:03}", rest / 1000, rest % 1000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (minutes, rest) {
        (0, 0) => "0s".to_owned(),
        (0, 1..1000) => format!("{rest}ms"),
        (0, _) => format!("{seconds}s"),
        _ => format!("{minutes}m{seconds}s"),
    }
}

/// A time, rounded up to a second.
fn whole_seconds(time: SystemTime) -> String {
    let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let seconds = since.as_secs() + u64::from(since.subsec_nanos() > 0);
    rfc3339(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: &str = "/v1/chat/completions";

    fn now() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_millis(1_768_478_400_250)
    }

    fn provider(name: &str) -> Provider {
        all(now()).into_iter().find(|provider| provider.name == name).unwrap()
    }

    fn header<'a>(reply: &'a Reply, name: &str) -> Option<&'a str> {
        reply.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.as_str())
    }

    #[test]
    fn openai_counts_down_to_a_refusal_and_passes_again_after_the_stated_wait() {
        let mut openai = provider("openai");
        let first = openai.reply(CHAT, now()).unwrap();
        assert_eq!(first.status, 200);
        assert_eq!(header(&first, "x-ratelimit-remaining-requests"), Some("19"));
        assert_eq!(header(&first, "x-ratelimit-reset-requests"), Some("3s"));

        let refused = (0..20).map(|_| openai.reply(CHAT, now()).unwrap()).find(|reply| reply.status == 429);
        let refused = refused.unwrap();
        assert_eq!(header(&refused, "x-ratelimit-remaining-requests"), Some("0"));
        let wait = header(&refused, "retry-after-ms").unwrap().parse().unwrap();
        assert_eq!(header(&refused, "retry-after"), Some("4"));

        let later = openai.reply(CHAT, now() + Duration::from_millis(wait)).unwrap();
        assert_eq!(later.status, 200);
    }

    #[test]
    fn anthropic_states_the_end_of_its_window_as_a_time() {
        let mut anthropic = provider("anthropic");
        let replies: Vec<Reply> = (0..40).map(|_| anthropic.reply(CHAT, now()).unwrap()).collect();
        let refused = replies.iter().find(|reply| reply.status == 429).unwrap();
        assert_eq!(header(refused, "anthropic-ratelimit-input-tokens-remaining"), Some("0"));
        assert_eq!(header(refused, "anthropic-ratelimit-input-tokens-reset"), Some("2026-01-15T12:00:41Z"));
        assert_eq!(header(refused, "retry-after"), Some("40"));
        assert_eq!(anthropic.reply(CHAT, now() + ANTHROPIC_WINDOW).unwrap().status, 200);
    }

    #[test]
    fn openrouter_is_silent_until_it_refuses() {
        let mut openrouter = provider("openrouter");
        for _ in 0..4 {
            let reply = openrouter.reply(CHAT, now()).unwrap();
            assert_eq!((reply.status, reply.headers.len()), (200, 0));
        }
        let refused = openrouter.reply(CHAT, now()).unwrap();
        assert_eq!(refused.status, 429);
        assert_eq!(header(&refused, "x-ratelimit-reset"), Some("1768478415250"));
        assert_eq!(openrouter.reply(CHAT, now() + OPENROUTER_WINDOW).unwrap().status, 200);
    }

    #[test]
    fn the_local_server_lists_its_models_and_is_busy_at_times() {
        let mut ollama = provider("ollama");
        assert!(ollama.reply("/v1/models", now()).unwrap().body.contains("qwen3"));
        let statuses: Vec<u16> = (0..8).map(|_| ollama.reply(CHAT, now()).unwrap().status).collect();
        assert_eq!(statuses, [200, 200, 200, 200, 200, 200, 200, 503]);
    }

    #[test]
    fn one_provider_fails_and_one_never_answers() {
        assert_eq!(provider("failing").reply(CHAT, now()).unwrap().status, 500);
        assert!(provider("hanging").reply(CHAT, now()).is_none());
        assert!(provider("hanging").reply("/v1/models", now()).is_none());
    }

    #[test]
    fn durations_are_written_as_go_does() {
        for (ms, text) in
            [(0, "0s"), (17, "17ms"), (1000, "1s"), (8640, "8.64s"), (58_891, "58.891s"), (360_000, "6m0s")]
        {
            assert_eq!(go_duration(Duration::from_millis(ms)), text);
        }
        assert_eq!(go_duration(Duration::from_millis(692_334)), "11m32.334s");
    }
}
