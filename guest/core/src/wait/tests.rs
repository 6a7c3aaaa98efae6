use alloc::format;
use alloc::string::String;

use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

use super::*;
use crate::testing::{after, at, call};

const ANYONE: Scope = Scope::EVERYONE;

fn tokens(tokens: u64) -> Need {
    Need { requests: 1, tokens }
}

/// How long until a request can pass, in milliseconds, and what binds.
fn wait(provider: &Provider, need: Need, now: Time) -> (u64, Option<Binding>) {
    match provider.wait_for(&ANYONE, need, now) {
        Wait::Go => (0, None),
        Wait::Until(until, binding) => {
            (u64::try_from(until.since(now).as_nanos().div_ceil(1_000_000)).unwrap(), Some(binding))
        }
        other => panic!("{other:?}"),
    }
}

fn quantity(binding: Option<Binding>) -> Option<Quantity> {
    match binding? {
        Binding::Limit(limit) => Some(limit.quantity),
        Binding::Refusal(_) => None,
    }
}

fn refusal(sentence: &str) -> String {
    format!(r#"{{"error":{{"message":"{sentence}","type":"tokens","code":"rate_limit_exceeded"}}}}"#)
}

#[test]
fn where_nothing_is_known_the_answer_says_so() {
    assert_eq!(after(&[]).wait_for(&ANYONE, tokens(0), at(0)), Wait::Unknown);
    assert_eq!(after(&[call(200, 0)]).wait_for(&ANYONE, tokens(5000), at(1)), Wait::Go);
}

#[test]
fn the_waits_that_refusals_state_follow_from_their_own_figures() {
    for (provider_type, sentence, need, stated_ms) in [
        (
            "openai",
            "Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, \
             Used 199821, Requested 2295. Please try again in 634ms.",
            tokens(2295),
            634,
        ),
        (
            "groq",
            "Rate limit reached for model in organization org_x on tokens per minute (TPM): Limit 8000, \
             Used 2591, Requested 5863. Please try again in 3.405s.",
            tokens(5863),
            3_405,
        ),
        (
            "groq",
            "Rate limit reached for model in organization org_x on requests per minute (RPM): Limit 30, \
             Used 30, Requested 1. Please try again in 2s.",
            tokens(0),
            2_000,
        ),
    ] {
        let body = refusal(sentence);
        let provider = after(&[call(429, 0).of_type(provider_type).body(&body)]);
        let (wait_ms, _) = wait(&provider, need, at(0));
        assert!((stated_ms..=stated_ms + 1).contains(&wait_ms), "{provider_type}: {wait_ms} of {stated_ms}");
    }
}

#[test]
fn a_larger_request_than_the_refused_one_waits_longer() {
    let body = refusal(
        "Rate limit reached for gpt-4o-mini in organization org-x on tokens per min (TPM): Limit 200000, \
         Used 199821, Requested 2295. Please try again in 634ms.",
    );
    let provider = after(&[call(429, 0).of_type("openai").body(&body)]);
    let (wait_ms, binding) = wait(&provider, tokens(20_179), at(0));
    assert_eq!((wait_ms, quantity(binding)), (6_000, Some(Quantity::Tokens)));
    assert!(matches!(provider.wait_for(&ANYONE, tokens(200_001), at(0)), Wait::TooLarge(_)));
}

#[test]
fn an_allowance_that_returns_at_the_windows_edge_is_waited_for_until_then() {
    let headers = [("x-ratelimit-limit-req-minute", "50"), ("x-ratelimit-remaining-req-minute", "2")];
    let provider = after(&[call(200, 15).of_type("mistral").headers(&headers)]);
    assert_eq!(wait(&provider, Need { requests: 2, tokens: 0 }, at(20)).0, 0);
    assert_eq!(wait(&provider, Need { requests: 3, tokens: 0 }, at(20)).0, 40_000, "the full minute");
    assert_eq!(wait(&provider, Need { requests: 3, tokens: 0 }, at(60)).0, 0);
}

#[test]
fn a_hint_binds_whatever_the_limits_say_and_ends() {
    let provider =
        after(&[call(429, 0).headers(&[("retry-after", "20"), ("x-ratelimit-remaining-requests", "9")])]);
    let (wait_ms, binding) = wait(&provider, tokens(0), at(5));
    assert_eq!((wait_ms, binding), (15_000, Some(Binding::Refusal(RefusalClass::Rate))));
    assert_eq!(wait(&provider, tokens(0), at(20)).0, 0);
}

#[test]
fn what_refuses_one_model_lets_another_one_pass() {
    let body = r#"{"error":{"code":429,"details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel-FreeTier","quotaDimensions":{"model":"pro-1"},"quotaValue":"5"}]},{"retryDelay":"34s"}]}}"#;
    let provider = after(&[call(429, 0).of_type("gemini").body(body)]);
    let of = |model| provider.wait_for(&Scope::new(None, Some(model)), tokens(0), at(4));
    assert!(matches!(of("pro-1"), Wait::Until(until, _) if until == at(34)), "{:?}", of("pro-1"));
    assert_eq!(of("flash-2"), Wait::Go);
}

/// Numbers drawn at random, the same in each run.
struct Random(TestRng);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

/// A provider that refills continuously, as its own headers describe it.
struct Bucket {
    all: u64,
    window_s: u64,
    left: f64,
}

impl Bucket {
    fn rate(&self) -> f64 {
        self.all as f64 / self.window_s as f64
    }

    fn refill(&mut self, seconds: f64) {
        self.left = (self.left + self.rate() * seconds).min(self.all as f64);
    }

    /// True wait in seconds.
    fn wait(&self, need: u64) -> f64 {
        ((need as f64 - self.left) / self.rate()).max(0.0)
    }

    fn reset(&self) -> String {
        let seconds = (self.all as f64 - self.left) / self.rate();
        let (minutes, seconds) = ((seconds / 60.0) as u64, seconds % 60.0);
        format!("{minutes}m{:.3}s", (seconds * 1000.0).floor() / 1000.0)
    }
}

#[test]
fn over_ten_thousand_steps_the_wait_is_the_true_one_and_never_early() {
    let mut random = Random(TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let mut requests = Bucket { all: 10_000, window_s: 86_400, left: 10_000.0 };
    let mut tokens = Bucket { all: 200_000, window_s: 60, left: 200_000.0 };
    let mut provider = after(&[]);
    let mut now = at(0);
    let mut waited = 0;
    for step in 0..10_000 {
        // Bursts that use the day's requests up, and pauses.
        let pause_ms = if random.one_in(50) { random.below(120_000) } else { random.below(40) };
        let pause = Duration::from_millis(pause_ms);
        now = now.checked_add(pause).unwrap();
        [&mut requests, &mut tokens].into_iter().for_each(|bucket| bucket.refill(pause.as_secs_f64()));
        let batch = if random.one_in(20) { 1 + random.below(400) } else { 1 };
        let size = 1 + if random.one_in(3) { random.below(60_000) } else { random.below(2_000) };
        let need = Need { requests: batch, tokens: size };
        let truth = requests.wait(batch).max(tokens.wait(size));
        let answer = match provider.wait_for(&ANYONE, need, now) {
            Wait::Go | Wait::Unknown => 0.0,
            Wait::Until(until, _) => until.since(now).as_secs_f64(),
            Wait::TooLarge(limit) => panic!("step {step}: {limit:?}"),
        };
        // Counts are told in whole units: one unit of each is the provider's rounding.
        let rounding = (1.0 / requests.rate()).max(1.0 / tokens.rate()) + 0.001;
        assert!(answer >= truth - 0.001, "step {step}: {answer} s is too early, {truth} s is true");
        assert!(answer <= truth * 1.05 + rounding, "step {step}: {answer} s is too late, {truth} s is true");
        waited += usize::from(truth > 0.0);
        if answer > 0.0 {
            now = now.checked_add(Duration::from_secs_f64(answer)).unwrap();
            [&mut requests, &mut tokens].into_iter().for_each(|bucket| bucket.refill(answer));
        }
        requests.left -= batch as f64;
        tokens.left -= size as f64;
        let told = [
            ("x-ratelimit-limit-requests", format!("{}", requests.all)),
            ("x-ratelimit-remaining-requests", format!("{}", requests.left.max(0.0) as u64)),
            ("x-ratelimit-reset-requests", requests.reset()),
            ("x-ratelimit-limit-tokens", format!("{}", tokens.all)),
            ("x-ratelimit-remaining-tokens", format!("{}", tokens.left.max(0.0) as u64)),
            ("x-ratelimit-reset-tokens", tokens.reset()),
        ];
        let headers = told.each_ref().map(|(name, value)| (*name, value.as_str()));
        call(200, 0).headers(&headers).at(now).record(&mut provider);
    }
    assert!(waited > 300, "only {waited} steps had to wait");
}
