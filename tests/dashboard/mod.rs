//! The dashboard, in a real browser against the real service.

mod browser;
mod looks;
mod page;

use serde_json::{Value, json};

use self::browser::Browser;
use crate::cli::{Home, call, lines};
use crate::serve::client::{ALONE, Service, configure, eventually};

const TOKEN: &str = "0123456789abcdef0123";

/// A browser at the page of a service.
fn look_at(service: &Service) -> Browser {
    let browser = Browser::start();
    browser.open(&url(service));
    browser
}

fn url(service: &Service) -> String {
    format!("http://{}/", service.address)
}

/// A call that tells of a limit of requests.
fn limited(provider: &str, remaining: u32, reset: &str) -> Value {
    let headers = json!({
        "x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": remaining.to_string(),
        "x-ratelimit-reset-requests": reset,
    });
    let mut observed = call(provider, 200, headers);
    observed["model"] = json!("gpt-4o");
    observed
}

/// The names of the providers from top to bottom.
fn names(browser: &Browser) -> Vec<String> {
    let names =
        browser.evaluate("[...document.querySelectorAll('#rows .name')].map((name) => name.textContent)");
    serde_json::from_value(names).unwrap()
}

/// A browser at the page of a service that knows `mine` and has ended, with what is needed to start it again.
fn look_at_one_that_ends() -> (Browser, Home, String) {
    let service = Service::start();
    service.observe(&[limited("mine", 15, "10m")]);
    let browser = look_at(&service);
    wait_for_names(&browser, &["mine"]);
    let address = service.address.to_string();
    let (home, _) = service.end_by(nix::sys::signal::Signal::SIGTERM);
    browser.until_text("#connection-text", |text| {
        text.starts_with("Disconnected since ") && text.contains("next try in")
    });
    (browser, home, address)
}

/// Starts it again, and has the page look for it.
fn start_again(browser: &Browser, home: Home, address: &str) -> Service {
    let service = Service::listening(home, address, &[]);
    browser.evaluate("document.querySelector('#retry').click()");
    service
}

fn wait_for_names(browser: &Browser, wanted: &[&str]) {
    eventually(|| (names(browser) == wanted).then_some(()));
}

#[test]
fn signals_appear_and_change_without_a_reload() {
    let service = Service::start();
    let browser = look_at(&service);
    browser.until_text("#empty", |text| text.contains("No provider is known yet"));
    assert!(browser.text("#empty").contains(&format!("curl http://{}", service.address)));
    browser.evaluate("window.isTheSamePage = true");

    service.observe(&[limited("mine", 15, "10m"), limited("other", 59, "10m")]);
    wait_for_names(&browser, &["mine", "other"]);
    assert_eq!(browser.text("#empty"), "");
    assert_eq!(browser.text("#summary"), "2 available");
    assert_eq!(browser.text("#connection-text"), "Live");
    let limit = browser.text(".limit");
    for part in ["requests", "gpt-4o", "75 % used", "15 / 60 left", "resets in "] {
        assert!(limit.contains(part), "{part} is not in {limit}");
    }
    assert_eq!(browser.evaluate("document.querySelector('.fill').style.inlineSize"), json!("75%"));
    browser.until_text(".latency", |text| text.contains("840 ms") && text.contains("p50 seen since"));
    browser.until_text(".parser", |text| text == "openai · built-in parser");
    // The clocks go on though no event comes.
    let reset = browser.text(".reset");
    browser.until_text(".reset", |text| text != reset && text.starts_with("resets in 9 m"));

    service.observe(&[call("other", 429, json!({"retry-after": "90"}))]);
    wait_for_names(&browser, &["other", "mine"]);
    browser.until_text(".status", |text| text == "exhausted rate limited");
    browser.until_text(".until", |text| text.starts_with("resets in 1 m"));
    browser.until_text("#announcements", |text| text.starts_with("other is exhausted, rate limited, until "));
    browser.until_text("#summary", |text| text.starts_with("1 exhausted · 1 available · next reset in 1 m"));
    browser.until("document.title === '1 exhausted · runtime-signals'");

    assert_eq!(browser.evaluate("window.isTheSamePage"), json!(true));
    assert_eq!(browser.complaints(), [] as [Value; 0]);
    let elsewhere: Vec<String> = browser
        .requests()
        .into_iter()
        .filter(|asked| !asked.starts_with(&url(&service)) && !asked.starts_with("data:"))
        .collect();
    assert_eq!(elsewhere, [] as [&str; 0]);
}

#[test]
fn texts_of_providers_stay_texts() {
    let service = Service::start();
    let browser = look_at(&service);
    let attack = "<img src=x onerror=window.isPwned=true>";
    let mut failed = call(attack, 500, json!({}));
    failed["error"] = json!(attack);
    failed["model"] = json!(attack);
    let mut named = limited("mine", 3, "10m");
    named["model"] = json!(attack);
    service.observe(&[failed, named]);
    wait_for_names(&browser, &[attack, "mine"]);
    browser.until_text(".error", |text| text.contains(attack));
    browser.until_text("[data-status=available] .scope", |text| text.contains(attack));
    assert_eq!(browser.evaluate("document.images.length"), json!(0));
    assert_eq!(browser.evaluate("typeof window.isPwned"), json!("undefined"));
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}

#[test]
fn the_most_urgent_come_first_and_a_filter_finds_the_rest() {
    let service = Service::start();
    let browser = look_at(&service);
    service.observe(&[
        call("silent", 200, json!({})),
        limited("little", 2, "10m"),
        limited("plenty", 50, "10m"),
        call("failing", 500, json!({})),
        call("soon", 429, json!({"retry-after": "60"})),
        call("late", 429, json!({"retry-after": "900"})),
    ]);
    let order = ["late", "soon", "failing", "little", "plenty", "silent"];
    wait_for_names(&browser, &order);
    browser.evaluate("document.querySelector('#filter').focus()");
    browser.type_text("GPT-4o avail");
    wait_for_names(&browser, &["little", "plenty"]);
    assert_eq!(browser.text("#shown"), "2 providers shown of 6");
    browser.evaluate("document.querySelector('#filter').select()");
    browser.type_text("rate limited");
    wait_for_names(&browser, &["late", "soon"]);
    browser.evaluate("document.querySelector('#filter').select()");
    browser.type_text("nobody");
    wait_for_names(&browser, &[]);
    assert_eq!(browser.text("#shown"), "0 providers shown of 6");
    browser.evaluate("document.querySelector('#filter').select()");
    browser.press("Backspace", 8);
    wait_for_names(&browser, &order);
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}

#[test]
fn a_service_that_is_gone_is_told_and_found_again() {
    let (browser, home, address) = look_at_one_that_ends();
    browser.until_text("#announcements", |text| text == "Disconnected from the service.");
    // What was known is still there, without the colours of what is.
    assert_eq!(names(&browser), ["mine"]);
    let colour = |selector: &str| {
        browser.evaluate(&format!("getComputedStyle(document.querySelector('{selector}')).color"))
    };
    assert_eq!(colour(".status"), colour(".meta"));
    browser.screenshot("disconnected");

    let service = start_again(&browser, home, &address);
    browser.until_text("#connection-text", |text| text == "Live");
    browser.until_text("#announcements", |text| text == "Connected to the service again.");
    assert_ne!(colour(".status"), colour(".meta"));
    service.observe(&[call("mine", 429, json!({"retry-after": "90"}))]);
    browser.until_text(".status", |text| text == "exhausted rate limited");
}

#[test]
fn what_changed_while_the_service_was_away_is_announced() {
    let (browser, home, address) = look_at_one_that_ends();
    let refused = lines(&[call("mine", 429, json!({"retry-after": "900"}))]);
    assert_eq!(home.run_with(&["ingest"], &refused).status, 0);

    let _service = start_again(&browser, home, &address);
    browser.until_text("#announcements", |text| text.contains("mine is exhausted, rate limited, until "));
}

#[test]
fn news_that_has_become_old_is_called_stale_though_no_event_comes() {
    let service = Service::configured(&format!("{ALONE}[cache]\nttl = \"3s\"\n"));
    let browser = look_at(&service);
    service.observe(&[call("mine", 200, json!({}))]);
    browser.until_text(".age", |text| text.starts_with("news "));
    assert_eq!(browser.text(".stale"), "");
    browser.until_text(".stale", |text| text == "stale");
    service.observe(&[call("mine", 200, json!({}))]);
    browser.until_text(".stale", str::is_empty);
}

#[test]
fn why_there_is_no_stream_is_told_until_there_is_one() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nevent_streams = 1\n"));
    let first = look_at(&service);
    first.until_text("#connection-text", |text| text == "Live");
    let second = look_at(&service);
    second.until_text("#connection-text", |text| {
        text.starts_with("Disconnected since ") && text.contains("service.limits.event_streams")
    });
    // A page that was left holds none, even where the browser keeps it to go back to; the other tries again by itself.
    first.open("about:blank#left");
    second.until_text("#connection-text", |text| text == "Live");
}

#[test]
fn with_a_token_the_page_asks_for_it_once() {
    let home = Home::new();
    configure(&home, ALONE);
    let service = Service::at(home, &[("RUNTIME_SIGNALS_TOKEN", TOKEN)]);
    let browser = look_at(&service);
    browser.until_text("#token-form h2", |text| text == "This service asks for its token");
    browser.until("document.activeElement.id === 'token'");
    browser.screenshot("token");
    browser.type_text("wrong");
    browser.press("Enter", 13);
    browser.until_text("#token-refused", |text| text == "The service refuses this token.");
    browser.until("document.activeElement.id === 'token'");
    browser.type_text(TOKEN);
    browser.press("Enter", 13);
    browser.until_text("#connection-text", |text| text == "Live");
    browser.until_text("#empty", |text| text.contains("No provider is known yet"));
    assert_eq!(browser.text("#token-form"), "");

    browser.open(&format!("{}?again", url(&service)));
    browser.until_text("#connection-text", |text| text == "Live");
    assert_eq!(browser.text("#token-form"), "");
    // It is sent as a header only.
    assert_eq!(browser.requests().iter().find(|asked| asked.contains(TOKEN)), None);
}

#[test]
fn a_thousand_providers_do_not_freeze_the_page() {
    let service = Service::start();
    let browser = look_at(&service);
    let name = |number: u32| format!("provider-{number:04}");
    let all: Vec<Value> = (0..1000).map(|number| limited(&name(number), number % 60 + 1, "10m")).collect();
    service.observe(&all);
    browser.until_text("#summary", |text| text == "1,000 available");
    browser.until_text("#shown", |text| text == "100 providers shown of 1,000");
    let nodes = || browser.evaluate("document.querySelectorAll('*').length").as_u64().unwrap();
    assert!(nodes() < 5_000, "{}", nodes());
    browser.evaluate("document.querySelector('#more').click()");
    browser.until("document.querySelectorAll('.row').length === 200");

    browser.evaluate("document.querySelector('#filter').focus()");
    browser.type_text("provider-0999");
    wait_for_names(&browser, &["provider-0999"]);
    // Everything changes at once, several times; frames go on.
    for _ in 0..3 {
        let all: Vec<Value> =
            (0..1000).map(|number| call(&name(number), 429, json!({"retry-after": "900"}))).collect();
        service.observe(&all);
    }
    browser.until_text("#summary", |text| text.starts_with("1,000 exhausted"));
    browser.until_text(".status", |text| text == "exhausted rate limited");
    browser.evaluate("new Promise(requestAnimationFrame).then(() => true)");
    browser.until_text("#announcements", |text| text.contains("more changes of status."));
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}
