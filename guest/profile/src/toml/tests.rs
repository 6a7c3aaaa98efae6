use std::collections::BTreeSet;
use std::string::{String, ToString};
use std::vec::Vec;
use std::{assert_eq, format};

use super::*;
use crate::bounds::LONGEST_TEXT_BYTES;
use crate::model::{Edge, Effect, NameMatch, Quantity, Refill, RefusalClass, What};
use crate::set::{COMMON, GENERIC, OPENAI, ProfileSet, encode_set};

/// The least that a profile must say.
const LEAST: &str = "type = \"mine\"\n";

fn built_in() -> Vec<Profile> {
    compile_builtin().unwrap().into_iter().map(|source| source.profile).collect()
}

fn type_named(name: &str) -> Profile {
    built_in().into_iter().find(|profile| profile.name == name).unwrap()
}

/// Where a header stands, and what it means.
fn meaning(profile: &Profile, name: &str) -> (What, u8, u8) {
    let header = profile.headers.iter().find(|header| header.name == name);
    let meaning = header.unwrap_or_else(|| panic!("{}: no {name}", profile.name)).meaning;
    (meaning.what, meaning.limit, meaning.rank)
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

#[test]
fn every_built_in_profile_is_read_by_its_type_and_names_its_source() {
    for (source, (name, _)) in compile_builtin().unwrap().iter().zip(builtin()) {
        assert_eq!(source.profile.name, *name);
        assert!(source.source.iter().all(|address| address.starts_with("https://")), "{name}");
        assert!(!source.source.is_empty() && !source.notes.is_empty(), "{name}");
    }
}

#[test]
fn the_first_handles_are_fixed() {
    for (handle, name) in [(OPENAI, "openai"), (GENERIC, "generic"), (COMMON, "common")] {
        assert_eq!(builtin()[usize::from(handle)].0, name);
    }
}

#[test]
fn no_two_built_in_profiles_share_a_name() {
    let mut names = BTreeSet::new();
    for profile in built_in() {
        for name in profile.aliases.into_iter().chain([profile.name]) {
            assert!(names.insert(name.clone()), "{name}");
        }
    }
    // Those of the vectors' types that are easily forgotten, and the aliases of the contract.
    for name in
        ["claude", "codex", "lmstudio", "lm-studio", "ds4", "lucebox", "rapid-mlx", "omlx", "vllm", "sglang"]
    {
        assert!(names.contains(name), "{name}");
    }
}

#[test]
fn the_built_in_set_is_read_as_it_was_and_is_small() {
    let profiles = built_in();
    let bytes = encode_set(&profiles);
    assert!(bytes.len() <= 12 * 1024, "{} bytes", bytes.len());
    let set = ProfileSet::read(&bytes).unwrap();
    for (handle, profile) in (0..).zip(&profiles) {
        assert_eq!(set.profile(handle).as_ref(), Some(profile), "{}", profile.name);
        for name in profile.aliases.iter().chain([&profile.name]) {
            assert_eq!(set.find(name), Some(handle), "{name}");
        }
    }
}

#[test]
fn every_profile_has_the_common_headers_and_only_common_has_the_common_rules() {
    let profiles = built_in();
    let common = &profiles[usize::from(COMMON)];
    assert!(common.refusals.len() > 10);
    for profile in &profiles {
        assert_eq!(meaning(profile, "retry-after-ms").0, What::WaitMillis);
        assert_eq!(meaning(profile, "date").0, What::Date);
        let last = common.refusals.last();
        assert_eq!(profile.refusals.last() == last, profile.name == common.name, "{}", profile.name);
    }
}

#[test]
fn waits_are_ranked_from_the_most_exact_to_the_least() {
    let openai = type_named("openai");
    let ranks: Vec<u8> = [
        "retry-after-ms",
        "x-ms-retry-after-ms",
        "x-ratelimit-quota-exceeded-retry-after",
        "x-ratelimit-user-retry-after",
        "retry-after",
        "x-ratelimit-timeremaining",
    ]
    .iter()
    .map(|name| meaning(&openai, name).2)
    .collect();
    assert_eq!(ranks, [0, 1, 2, 3, 4, 5]);
}

#[test]
fn a_limit_says_what_it_is_and_by_which_headers() {
    let text = format!(
        "{LEAST}
        [[limit]]
        quantity = 'input_tokens'
        pool = 'fast'
        window = '15m'
        refill = 'window_edge'
        edge = 'utc_day'
        effect = 'refuses_some'
        claims = ['fast_input']
        limit = ['x-best', 'x-second']
        remaining = 'x-left-*'
        reset = 'x-reset'
        reset_delta = '*-until-reset'
        "
    );
    let profile = parse(&text).unwrap().profile;
    let limit = &profile.limits[0];
    assert_eq!((limit.quantity, limit.refill), (Quantity::InputTokens, Refill::WindowEdge));
    assert_eq!((limit.edge, limit.effect, limit.window_s), (Edge::UtcDay, Effect::RefusesSome, Some(900)));
    assert_eq!((limit.pool.as_str(), limit.claims.as_slice()), ("fast", &["fast_input".to_string()][..]));
    assert_eq!(meaning(&profile, "x-best"), (What::Limit, 0, 0));
    assert_eq!(meaning(&profile, "x-second"), (What::Limit, 0, 1));
    // They tell the same, so they are ranked together.
    assert_eq!(meaning(&profile, "x-reset"), (What::Reset, 0, 0));
    assert_eq!(meaning(&profile, "-until-reset"), (What::ResetDelta, 0, 1));
    let kinds: Vec<_> = profile.headers.iter().map(|header| header.kind).collect();
    assert_eq!(kinds.iter().filter(|kind| **kind == NameMatch::Prefix).count(), 1);
    assert_eq!(kinds.iter().filter(|kind| **kind == NameMatch::Suffix).count(), 1);
}

#[test]
fn what_a_profile_says_itself_comes_before_what_it_extends() {
    let text = format!(
        "{LEAST}extends = 'groq'
        [[limit]]
        quantity = 'requests'
        refill = 'projected'
        remaining = 'x-ratelimit-remaining-requests'
        [headers]
        wait = 'x-my-wait'
        mark = 'x-my-mark'
        [[refusal]]
        class = 'quota'
        words = ['mine']
        "
    );
    let source = parse(&text).unwrap();
    let profile = source.profile;
    assert_eq!(source.extends.as_deref(), Some("groq"));
    assert_eq!(meaning(&profile, "x-ratelimit-remaining-requests"), (What::Remaining, 0, 0));
    // The inherited limit is gone with all its headers; the others moved.
    assert!(!profile.headers.iter().any(|header| header.name == "x-ratelimit-limit-requests"));
    let tokens = meaning(&profile, "x-ratelimit-limit-tokens").1;
    assert_eq!(profile.limits[usize::from(tokens)].quantity, Quantity::Tokens);
    assert_eq!(profile.limits.iter().filter(|limit| limit.quantity == Quantity::Requests).count(), 1);
    // Its own wait is asked before the common ones.
    assert_eq!(meaning(&profile, "x-my-wait").2, 0);
    assert_eq!(meaning(&profile, "retry-after-ms").2, 1);
    assert_eq!(profile.refusals[0].class, RefusalClass::Quota);
    // Groq's, as the profile says nothing of it.
    assert!(profile.sentence_counts);
}

#[test]
fn the_items_of_ratelimit_belong_to_a_limit() {
    for name in ["generic", "huggingface", "cloudflare", "runpod"] {
        let profile = type_named(name);
        let (what, limit, _) = meaning(&profile, "ratelimit");
        let limit = &profile.limits[usize::from(limit)];
        assert_eq!((what, limit.quantity), (What::IetfLimits, Quantity::Requests), "{name}");
        assert_eq!(limit.refill, Refill::WindowEdge, "{name}");
    }
}

#[test]
fn a_rule_may_be_for_errors_that_state_no_status() {
    let text = format!("{LEAST}[[refusal]]\nclass = 'rate'\nstatus = [0, 403]");
    assert_eq!(parse(&text).unwrap().profile.refusals[0].status, [0, 403]);
}

#[test]
fn what_a_profile_denies_is_not_taken_over() {
    let text = format!("{LEAST}extends = 'azure-openai'\ndoubts_hints = false\n");
    assert!(!parse(&text).unwrap().profile.doubts_hints);
    assert!(type_named("azure-openai").doubts_hints);
}

#[test]
fn a_chain_of_profiles_is_followed() {
    let kimi = type_named("kimi-code");
    assert_eq!(kimi.refusals[0].status, [403]);
    assert!(kimi.refusals.iter().any(|rule| rule.words == ["exceeded_current_quota_error"]));
    assert_eq!(meaning(&kimi, "x-ratelimit-limit-requests").0, What::Limit);
}

#[test]
fn cases_can_stand_alone() {
    let text = "[[case]]\nname = 'nothing'\nstatus = 200\nnow = '2026-01-15T12:00:00Z'\n[case.expect]\n";
    let cases = parse_cases(text).unwrap();
    assert_eq!((cases.len(), cases[0].name.as_str(), &cases[0].expect), (1, "nothing", &Expect::default()));
    assert!(parse_cases("").unwrap().is_empty());
    assert!(parse_cases("type = 'acme'").unwrap_err().to_string().contains("type"));
}

#[test]
fn cases_are_read_with_what_is_expected() {
    let text = format!(
        "{LEAST}
        [[case]]
        name = 'a case'
        status = 429
        headers = [['X-A', '1'], ['X-A', '']]
        body = '{{}}'
        now = '2026-01-15T12:00:00.5Z'
        [case.expect]
        remaining_requests = 0
        reset_at = '2026-01-15T12:00:30Z'
        exhausted = true
        refusal = 'none'
        "
    );
    let case = parse(&text).unwrap().cases.remove(0);
    assert_eq!(case.headers, [("X-A".to_string(), "1".to_string()), ("X-A".to_string(), String::new())]);
    assert_eq!((case.status, case.body.as_deref()), (429, Some("{}")));
    assert_eq!((case.expect.remaining_requests, case.expect.remaining_tokens), (Some(0), None));
    assert_eq!((case.expect.exhausted, case.expect.refusal), (true, Some(None)));
}

#[test]
fn what_is_wrong_is_refused_with_line_key_and_remedy() {
    let limit = "[[limit]]\nquantity = 'requests'\nrefill = 'continuous'\n";
    for (rest, expected) in [
        ("colour = 1", "line 2: `colour`: there is no such key; write one of `type`, "),
        ("[[limit]]\nsize = 1", "line 3: `limit.size`: there is no such key; write one of `quantity`, "),
        ("[headers]\nlimit = 'x'", "line 3: `headers.limit`: there is no such key; write one of `wait_ms`, "),
        (
            "[[limit]]\nquantity = 'money'",
            "line 3: `limit.quantity`: `money` is no word for it; write one of `requests`, ",
        ),
        ("[[limit]]\nremaining = 'x'", "line 2: `limit.quantity`: it is missing; write one of `requests`, "),
        ("[[limit]]\nquantity = 'other'", "line 2: `limit.refill`: it is missing; say how it fills again"),
        (limit, "line 2: `limit.remaining`: nothing tells of this limit; name its headers"),
        (
            &format!("{limit}window = '3 weeks'"),
            "line 5: `limit.window`: `3 weeks` is no window; write a whole number",
        ),
        (&format!("{limit}window = '0s'"), "line 5: `limit.window`: `0s` is no window"),
        (&format!("{limit}window = '400d'"), "line 5: `limit.window`: `400d` is no window"),
        (&format!("{limit}window = '+1d'"), "line 5: `limit.window`: `+1d` is no window"),
        (&format!("{limit}window = '1€'"), "line 5: `limit.window`: `1€` is no window"),
        (
            &format!("{limit}window = 60"),
            "line 5: `limit.window`: it is of the type integer; write a text in quotes",
        ),
        (
            &format!("{limit}overall = 1"),
            "line 5: `limit.overall`: it is of the type integer; write true or false",
        ),
        (
            &format!("{limit}limit = 'x-a'\nremaining = [\n'x-b',\n'x-a']"),
            "line 8: `limit.remaining`: the header `x-a` stands here twice; give each header one meaning",
        ),
        (
            &format!("{limit}limit = 'X-A'"),
            "line 5: `limit.limit`: `X-A` is no name of a header; write at most 80 of a-z",
        ),
        (&format!("{limit}limit = 'x*y'"), "line 5: `limit.limit`: `x*y` is no name of a header"),
        (&format!("{limit}limit = 'x-*'"), "line 5: `limit.limit`: `x-*` matches too much; write at least 6"),
        (&format!("{limit}limit = ''"), "line 5: `limit.limit`: it is empty; write something"),
        (
            "[[refusal]]\nclass = 'rate'",
            "line 2: `refusal.status`: nothing tells this refusal; name its status",
        ),
        ("[[refusal]]\nclass = 'other'\nstatus = 429", "line 3: `refusal.class`: `other` is no word for it"),
        (
            "[[refusal]]\nclass = 'rate'\nstatus = 99",
            "line 4: `refusal.status`: 99 is no HTTP status; write one from",
        ),
        ("[[refusal]]\nclass = 'rate'\nstatus = -1", "line 4: `refusal.status`: `-1` is out of range"),
        (
            "[[refusal]]\nclass = 'rate'\nwords = 'Burst'",
            "line 4: `refusal.words`: `Burst` is compared in lower case; write `burst`",
        ),
        (
            "[[refusal]]\nclass = 'rate'\ntexts = 'day'",
            "line 4: `refusal.texts`: `day` is found in too many texts",
        ),
        ("aliases = ['mine']", "line 2: `aliases`: `mine` is named twice; leave one out"),
        ("aliases = 'My Own'", "line 2: `aliases`: `My Own` is no name of a provider type; write at most 64"),
        (
            "extends = 'unheard-of'",
            "line 2: `extends`: `unheard-of` is none that can be extended; name a built-in",
        ),
        ("extends = 'common'", "line 2: `extends`: `common` is none that can be extended"),
        ("verified = 'today'", "line 2: `verified`: `today` is no day; write year, month and day"),
        (
            "body = 'never'",
            "line 2: `body`: `never` is no word for it; write one of `errors`, `always` or `usage`",
        ),
        ("limit = 3", "line 2: `limit`: it is no list of tables; begin each with [[limit]]"),
        ("headers = 3", "line 2: `headers`: it is of the type integer; write the table [headers]"),
        ("[[case]]\nname = 'a'\nstatus = 200", "line 2: `case.now`: it is missing; say when"),
        (
            "[[case]]\nname = 'a'\nstatus = 200\nnow = 'noon'",
            "line 5: `case.now`: `noon` is no time; write it in UTC",
        ),
        (
            "[[case]]\nname = 'a'\nstatus = 200\nheaders = [['x']]",
            "line 5: `case.headers`: it is no header; write [\"name\", \"value\"]",
        ),
        ("type = 'again'", "line 2: duplicate key; write it in TOML's syntax"),
        ("aliases = [", "line 2: unclosed array"),
    ] {
        let found = refused(&format!("{LEAST}{rest}"));
        assert!(found.starts_with(expected), "{rest}\n{found}\n{expected}");
    }
    assert!(refused("").starts_with("line 1: `type`: it is missing; name the provider type"));
}

#[test]
fn a_profile_is_bounded() {
    let long = "a".repeat(LONGEST_TEXT_BYTES + 1);
    let many = |count: usize, item: &str| vec_of(count, item).join("\n");
    let limit = "[[limit]]\nquantity = 'other'\nrefill = 'projected'\nclaims = 'a'";
    let names =
        |count: usize| (0..count).map(|number| format!("'x-{number}'")).collect::<Vec<_>>().join(", ");
    let headers: String = ["wait_ms", "wait", "mark", "claim", "embedded", "date", "ietf_policies"]
        .iter()
        .map(|key| {
            format!("{key} = [{}]\n", names(32).replace("x-", &format!("x-{}-", key.replace('_', "-"))))
        })
        .collect();
    for (rest, expected) in [
        (format!("#{}", "a".repeat(64 * 1024)), "line 1: 65551 bytes are too many; write at most 65536"),
        (format!("aliases = '{long}'"), "line 2: `aliases`: 121 bytes are too many; write at most 120"),
        (
            format!("[headers]\nwait = [{}]", names(33)),
            "line 3: `headers.wait`: 33 are too many; write at most 32",
        ),
        (
            format!("[headers]\n{headers}"),
            "line 9: `headers.ietf_policies`: there are too many headers; name at most 200",
        ),
        (many(25, limit), "line 2: `limit`: 25 are too many; write at most 24"),
        (
            many(49, "[[refusal]]\nclass = 'rate'\nstatus = 429"),
            "line 2: `refusal`: 49 are too many; write at most 48",
        ),
        (
            format!("extends = 'generic'\n{limit}"),
            "line 1: 25 limits are too many, with those that it extends",
        ),
    ] {
        let found = refused(&format!("{LEAST}{rest}"));
        assert!(found.starts_with(expected), "{found}\n{expected}");
    }
    assert_eq!(parse(&format!("{LEAST}{}", many(24, limit))).unwrap().profile.limits.len(), 24);
}

fn vec_of(count: usize, item: &str) -> Vec<&str> {
    (0..count).map(|_| item).collect()
}

#[test]
fn the_page_tells_of_every_type() {
    let page = page().unwrap();
    for (name, _) in builtin() {
        assert!(page.contains(&format!("\n## {name}\n")), "{name}");
    }
    assert!(page.contains("limit `x-ratelimit-limit-requests`"));
}
