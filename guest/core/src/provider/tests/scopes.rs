//! Scopes: two models or accounts behind one name.

use super::*;

#[test]
fn two_models_behind_one_name_never_overwrite_each_others_limits() {
    let of_a = [("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "59")];
    let of_b = [("x-ratelimit-limit-requests", "60"), ("x-ratelimit-remaining-requests", "3")];
    let mut provider =
        after(&[call(200, 1).model("a").headers(&of_a), call(200, 0).model("b").headers(&of_b)]);
    call(200, 2).model("a").headers(&of_a).record(&mut provider);
    let signal = provider.judge(at(3));
    let left: Vec<_> = signal.limits.iter().map(|limit| (limit.scope.model(), limit.remaining)).collect();
    assert_eq!(left, [(Some("a"), Some(59)), (Some("b"), Some(3))]);
    assert_eq!(signal.quota_remaining, Some(3));
}

#[test]
fn two_accounts_and_calls_of_no_scope_are_kept_apart() {
    let mut provider = after(&[]);
    for (index, account) in ["x", "y", ""].into_iter().enumerate() {
        let remaining = ["10", "20", "30"][index];
        call(200, 0)
            .account(account)
            .headers(&[("x-ratelimit-remaining-requests", remaining)])
            .record(&mut provider);
    }
    assert_eq!(provider.judge(at(1)).limits.len(), 3);
}

#[test]
fn a_success_in_another_scope_does_not_end_a_refusal() {
    let refusal = call(429, 0).model("a").headers(&[
        ("retry-after", "600"),
        ("x-ratelimit-remaining-requests", "0"),
        ("x-ratelimit-reset-requests", "10m0s"),
    ]);
    for other in [call(200, 5).model("b"), call(200, 5), call(200, 5).model("a").account("z")] {
        let signal = after(&[refusal, other]).judge(at(6));
        assert_eq!(verdict(&signal), (Status::Exhausted, Some(0), Some(at(600))));
        assert_eq!(signal.limits[0].remaining, Some(0));
    }
    assert_eq!(status(&after(&[refusal, call(200, 5).model("a")]), 6), Status::Available);
}

#[test]
fn clear_of_one_model_leaves_the_others_refused() {
    let hint = [("retry-after", "600"), ("x-ratelimit-remaining-tokens", "0")];
    let mut provider =
        after(&[call(429, 0).model("a").headers(&hint), call(429, 0).model("b").headers(&hint)]);
    provider.clear(Some("a"));
    let signal = provider.judge(at(1));
    assert_eq!(signal.status, Status::Exhausted);
    let left = |model| {
        let cooldowns = signal.cooldowns.iter().filter(|held| held.scope.model() == Some(model));
        let limits = signal.limits.iter().filter(|limit| limit.scope.model() == Some(model));
        (cooldowns.count(), limits.count())
    };
    assert_eq!((left("a"), left("b")), ((0, 0), (1, 1)));
    provider.clear(Some("b"));
    assert_eq!(status(&provider, 1), Status::Available);
}

#[test]
fn names_are_kept_within_bounds_and_an_empty_one_is_none() {
    let long = "n".repeat(4000);
    let signal = after(&[call(429, 0).model(&long).account("")]).judge(at(1));
    let scope = &signal.cooldowns[0].scope;
    assert_eq!((scope.account(), scope.model()), (None, Some(&long[..128])));
}
