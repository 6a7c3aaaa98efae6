use alloc::vec::Vec;

use super::*;
use crate::refusal::{Cooldown, RefusalClass};

fn second(second: i64) -> Time {
    Time::new(second, 0).unwrap()
}

fn held(sent: i64, remaining: u64, window_s: Option<u64>) -> Held {
    let limit = Limit {
        quantity: Quantity::Requests,
        window_s,
        limit: Some(100),
        remaining: Some(remaining),
        utilization: None,
        resets_at: Some(second(1000)),
        ..Limit::new(Quantity::Requests, second(sent + 1))
    };
    Held::new(limit, second(sent))
}

fn merge(all: &mut Vec<Held>, new: Held) {
    super::merge(all, Account::from(&new));
}

fn remaining(all: &[Held]) -> Vec<Option<u64>> {
    all.iter().map(|held| held.limit.remaining).collect()
}

#[test]
fn the_higher_use_wins_over_a_lower_one_sent_earlier_or_at_the_same_time() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, held(9, 8, Some(60)));
    merge(&mut all, held(10, 8, Some(60)));
    assert_eq!(remaining(&all), [Some(5)]);
    merge(&mut all, held(10, 4, Some(60)));
    assert_eq!(remaining(&all), [Some(4)]);
    merge(&mut all, held(11, 90, Some(60)));
    assert_eq!(remaining(&all), [Some(90)]);
}

#[test]
fn an_unchanged_repeat_does_not_make_old_evidence_younger() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, held(20, 5, Some(60)));
    assert_eq!(all[0].limit.captured_at, second(11));
}

#[test]
fn windows_of_another_length_do_not_overwrite() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, held(11, 90, Some(86_400)));
    assert_eq!(remaining(&all), [Some(5), Some(90)]);
}

#[test]
fn a_window_once_inferred_stays_known() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 99, Some(60)));
    merge(&mut all, held(11, 100, None));
    assert_eq!((all.len(), all[0].limit.window_s, all[0].limit.remaining), (1, Some(60), Some(100)));
}

#[test]
fn a_limit_past_its_reset_is_in_no_output() {
    let limit = held(10, 0, Some(60));
    assert_eq!(limit.refuses_until(second(999)), Some(second(1000)));
    assert_eq!(limit.refuses_until(second(1000)), None);
    assert_eq!(limit.at(second(1000)), None);
}

#[test]
fn after_an_explicit_hint_the_rest_of_a_used_up_limit_is_unknown() {
    let mut limit = held(10, 0, Some(60));
    limit.refusal_ends_at = Some(second(15));
    assert_eq!(limit.refuses_until(second(14)), Some(second(15)));
    assert_eq!(limit.at(second(14)).unwrap().remaining, Some(0));
    assert_eq!(limit.at(second(15)).unwrap().remaining, None);
    limit.succeed(second(20));
    assert_eq!(limit.refuses_until(second(16)), None, "a success makes no refusal longer");
    limit.refusal_ends_at = Some(second(2000));
    assert_eq!(limit.refuses_until(second(999)), Some(second(1000)), "nor does a hint");
    assert_eq!(limit.refuses_until(second(1000)), None);
}

#[test]
fn an_older_account_that_comes_late_changes_nothing() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, held(20, 3, Some(60)));
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, held(12, 1, Some(60)));
    assert_eq!(remaining(&all), [Some(3)]);
}

#[test]
fn an_unchanged_repeat_is_still_later_than_what_came_between() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, held(20, 5, Some(60)));
    merge(&mut all, held(15, 3, Some(60)));
    assert_eq!(remaining(&all), [Some(5)]);
}

#[test]
fn a_repeat_without_a_stated_reset_is_newer_evidence() {
    let undated = |sent| Held::new(Limit { resets_at: None, ..held(sent, 5, None).limit }, second(sent));
    let mut all = Vec::new();
    merge(&mut all, undated(10));
    merge(&mut all, undated(200));
    assert_eq!(all[0].limit.captured_at, second(201));
    merge(&mut all, undated(100));
    assert_eq!(all[0].limit.captured_at, second(201));
}

#[test]
fn a_response_that_leaves_a_figure_out_does_not_make_it_unknown() {
    let mut all = Vec::new();
    merge(&mut all, held(10, 5, Some(60)));
    let bare = |sent, limit| {
        Held::new(
            Limit { limit, remaining: None, resets_at: None, ..held(sent, 0, None).limit },
            second(sent),
        )
    };
    merge(&mut all, bare(20, Some(100)));
    assert_eq!((remaining(&all), all[0].limit.resets_at), ([Some(5)].into(), Some(second(1000))));
    merge(&mut all, bare(999, Some(100)));
    assert_eq!(remaining(&all), [None], "what is past its reset is");
    let mut all = Vec::new();
    merge(&mut all, bare(20, Some(100)));
    merge(&mut all, Held::new(Limit { limit: None, ..held(10, 5, None).limit }, second(10)));
    assert_eq!((remaining(&all), all[0].limit.limit), ([Some(5)].into(), Some(100)), "whichever comes first");
    let mut all = Vec::new();
    merge(&mut all, bare(2000, Some(100)));
    merge(&mut all, held(10, 5, Some(60)));
    assert_eq!(remaining(&all), [None], "what was past its reset then is");
    let mut all = Vec::new();
    let unlimited = Held::new(Limit { limit: None, ..held(20, 4, None).limit }, second(20));
    merge(&mut all, held(10, 5, Some(60)));
    merge(&mut all, unlimited);
    assert_eq!((remaining(&all), all[0].limit.limit), ([Some(4)].into(), Some(100)));
}

#[test]
fn of_two_accounts_of_the_same_time_and_use_the_longer_lasting_counts() {
    let until = |reset| {
        Held::new(Limit { resets_at: Some(second(reset)), ..held(10, 5, Some(60)).limit }, second(10))
    };
    for (first, then) in [(500, 600), (600, 500)] {
        let mut all = Vec::new();
        merge(&mut all, until(first));
        merge(&mut all, until(then));
        assert_eq!(all[0].limit.resets_at, Some(second(600)));
    }
}

#[test]
fn the_same_evidence_read_back_from_disk_is_neither_younger_nor_sent_later() {
    let own = held(10, 5, Some(60));
    let mut all = [own.clone()].into();
    merge(&mut all, Held::stored(&own.limit, &[], Time::MAX));
    assert_eq!(all, [own]);
}

#[test]
fn what_another_process_has_seen_end_is_over_and_stays_so() {
    let own = held(10, 0, Some(60));
    let ended = Limit { remaining: None, ..own.limit.clone() };
    for (first, then) in [(&own.limit, &ended), (&ended, &own.limit)] {
        let mut all = Vec::new();
        merge(&mut all, Held::stored(first, &[], Time::MAX));
        merge(&mut all, Held::stored(then, &[], Time::MAX));
        assert_eq!(all[0].refuses_until(second(20)), None);
        assert_eq!(all[0].at(second(20)).unwrap().remaining, None);
    }
    let mut all = [own.clone()].into();
    merge(&mut all, Held::stored(&ended, &[], Time::MAX));
    assert_eq!(all[0].refuses_until(second(20)), None, "also where it was learnt first hand");
}

#[test]
fn only_a_refusal_that_came_with_a_stored_limit_says_when_it_ends() {
    let limit = held(9, 0, Some(60)).limit;
    let cooldown = |class, refused_at| Cooldown {
        scope: Scope::default(),
        class,
        refused_at: second(refused_at),
        until: second(30),
    };
    let ends = |beside: &[Cooldown]| Held::stored(&limit, beside, Time::MAX).refuses_until(second(10));
    assert_eq!(ends(&[cooldown(RefusalClass::Rate, 10)]), Some(second(30)));
    for other in [
        cooldown(RefusalClass::Rate, 11),
        cooldown(RefusalClass::Rate, 9),
        cooldown(RefusalClass::Capacity, 10),
    ] {
        assert_eq!(ends(&[other]), Some(second(1000)));
    }
    let of_another =
        Cooldown { scope: Scope::new(Some("another"), None), ..cooldown(RefusalClass::Rate, 10) };
    assert_eq!(ends(&[of_another]), Some(second(1000)));
    let of_model = cooldown(RefusalClass::ModelScoped, 12);
    assert!(Held::stored(&limit, &[of_model], Time::MAX).spares_provider);
}

#[test]
fn the_limit_nearest_to_empty_binds() {
    let limit = |limit, remaining, utilization| Limit {
        limit,
        remaining,
        utilization,
        ..Limit::new(Quantity::Other, second(0))
    };
    let half = limit(Some(100), Some(50), None);
    let tenth = limit(Some(1000), Some(100), None);
    let shares = limit(None, None, Some(0.8));
    let few = limit(None, Some(3), None);
    let some = limit(None, Some(7), None);
    let silent = limit(Some(5), None, None);
    for (limits, binding) in [
        (&[&half, &tenth, &shares][..], Some(&tenth)),
        (&[&shares, &half], Some(&shares)),
        (&[&some, &few], Some(&few)),
        (&[&few, &half], Some(&half)),
        (&[&half, &few], Some(&half)),
        (&[&silent], None),
        (&[], None),
    ] {
        assert_eq!(Limit::binding(limits.iter().copied()), binding);
    }
}

#[test]
fn what_is_kept_of_many_scopes_is_what_lasts_longest() {
    let of = |window, reset| {
        let limit =
            Limit { window_s: Some(window), resets_at: Some(second(reset)), ..held(1, 1, None).limit };
        Held::new(limit, second(1))
    };
    let mut all = Vec::new();
    merge(&mut all, of(0, 99_999));
    (1..1000).for_each(|window| merge(&mut all, of(window, 1000 + i64::try_from(window).unwrap())));
    assert_eq!(all.len(), MOST);
    assert!(all.iter().any(|held| held.limit.window_s == Some(0)));
    assert!(all.iter().any(|held| held.limit.window_s == Some(999)));
}

#[test]
fn every_quantity_is_read_from_its_own_word() {
    for word in ["requests", "tokens", "input_tokens", "output_tokens", "other"] {
        assert_eq!(Quantity::from(word).as_str(), word);
    }
    assert_eq!(Quantity::from("images"), Quantity::Other);
}

#[test]
fn a_limit_at_zero_of_a_stated_window_is_back_with_the_window_but_no_later_than_its_class() {
    for (window_s, seconds) in [(10, 10), (60, 60), (3600, 60), (18_000, 300), (604_800, 300)] {
        let limit = Limit { resets_at: None, ..held(-1, 0, Some(window_s)).limit };
        assert_eq!(limit.expires_at(), second(seconds), "{window_s}");
        let left = Limit { remaining: Some(1), ..limit };
        assert_eq!(left.expires_at(), second(i64::try_from(window_s).unwrap()));
    }
}

#[test]
fn what_another_process_does_not_know_any_more_is_unknown() {
    let mut all = [held(10, 5, Some(60))].into();
    let unknown = |sent| Limit { remaining: None, ..held(sent, 0, Some(60)).limit };
    merge(&mut all, Held::stored(&unknown(5), &[], Time::MAX));
    assert_eq!(remaining(&all), [Some(5)]);
    merge(&mut all, Held::stored(&unknown(20), &[], Time::MAX));
    assert_eq!(remaining(&all), [None]);
}

/// A limit without a reset that a call has told.
fn told(sent: i64, captured: i64, remaining: u64) -> Held {
    let limit =
        Limit { resets_at: None, captured_at: second(captured), ..held(0, remaining, Some(60)).limit };
    Held::new(limit, second(sent))
}

/// The same, read from what a process has stored.
fn stored(captured: i64, remaining: u64) -> Held {
    Held::stored(&told(captured, captured, remaining).limit, &[], Time::MAX)
}

#[test]
fn what_was_told_to_others_and_is_read_back_replaces_nothing_that_was_captured_since() {
    let mut all = Vec::new();
    merge(&mut all, told(0, 10, 180));
    all[0].offer();
    for (sent, captured, remaining_now) in [(5, 12, 160), (6, 13, 200)] {
        merge(&mut all, told(sent, captured, remaining_now));
        merge(&mut all, stored(10, 180));
        assert_eq!(remaining(&all), [Some(remaining_now)]);
    }
}

#[test]
fn of_what_others_stored_and_a_call_that_was_in_flight_then_the_higher_use_counts() {
    for (in_flight, counts) in [(10, 10), (80, 50)] {
        for stored_first in [true, false] {
            let mut all = Vec::new();
            let mut accounts = [stored(10, 50), told(5, 12, in_flight)];
            if !stored_first {
                accounts.reverse();
            }
            accounts.into_iter().for_each(|account| merge(&mut all, account));
            assert_eq!(remaining(&all), [Some(counts)], "{in_flight} {stored_first}");
        }
    }
}

#[test]
fn a_call_that_was_sent_after_others_stored_theirs_knows_better() {
    for stored_first in [true, false] {
        let mut all = Vec::new();
        let mut accounts = [stored(10, 50), told(11, 12, 80)];
        if !stored_first {
            accounts.reverse();
        }
        accounts.into_iter().for_each(|account| merge(&mut all, account));
        assert_eq!(remaining(&all), [Some(80)], "{stored_first}");
    }
}
