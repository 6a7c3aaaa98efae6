//! How the page looks, and what those get who do not see it.

use serde_json::{Value, json};

use super::browser::Browser;
use super::{limited, look_at, wait_for_names};
use crate::cli::call;
use crate::serve::client::Service;

/// Texts that do not stand out from what is behind them by 4.5 to 1, or by 3 to 1 where they are large (WCAG 2.2, 1.4.3).
const FAINT_TEXTS: &str = r"(() => {
  const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const parse = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([red, green, blue]) =>
    0.2126 * channel(red / 255) + 0.7152 * channel(green / 255) + 0.0722 * channel(blue / 255);
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen')) continue;
    const style = getComputedStyle(element);
    const [front, back] = [luminance(parse(style.color)), luminance(behind(element))];
    const ratio = (Math.max(front, back) + 0.05) / (Math.min(front, back) + 0.05);
    if (ratio < (parseFloat(style.fontSize) >= 24 ? 3 : 4.5)) faint.push(`${ratio.toFixed(2)} ${texts.currentNode.data}`);
  }
  return faint;
})()";

/// A page with something of everything.
fn furnished() -> (Service, Browser) {
    let service = Service::start();
    let mut tight = limited("azure-west", 7, "3h12m");
    tight["headers"]["x-ratelimit-limit-tokens"] = json!("150000");
    tight["headers"]["x-ratelimit-remaining-tokens"] = json!("96500");
    tight["headers"]["x-ratelimit-reset-tokens"] = json!("41s");
    let mut failed = call("a-provider-with-quite-a-long-name-for-a-narrow-screen", 503, json!({}));
    failed["error"] =
        json!(format!("connection closed before message completed: {}", "overloaded_".repeat(20)));
    let mut anthropic = json!({
        "provider": "anthropic", "type": "anthropic", "status": 200, "latency_ms": 2310, "ttfb_ms": 410,
        "headers": {}, "model": "claude-sonnet-4-5", "account": "team@example.net",
    });
    for (name, limit, remaining) in
        [("requests", 4000, 3988), ("input-tokens", 2_000_000, 1_240_000), ("output-tokens", 400_000, 52_000)]
    {
        anthropic["headers"][format!("anthropic-ratelimit-{name}-limit")] = json!(limit.to_string());
        anthropic["headers"][format!("anthropic-ratelimit-{name}-remaining")] = json!(remaining.to_string());
    }
    let mut quick = anthropic.clone();
    quick["latency_ms"] = json!(1180);
    let mut out = limited("openai", 0, "4m10s");
    out["status"] = json!(429);
    out["headers"]["retry-after"] = json!("250");
    service.observe(&[tight, failed, anthropic, out, call("local", 200, json!({}))]);
    let browser = look_at(&service);
    let order = [
        "openai",
        "a-provider-with-quite-a-long-name-for-a-narrow-screen",
        "azure-west",
        "anthropic",
        "local",
    ];
    wait_for_names(&browser, &order);
    service.observe(&[quick]);
    browser.until("document.querySelectorAll('.parser:not(:empty)').length === 5");
    browser.until("document.querySelectorAll('.spark').length === 5");
    (service, browser)
}

#[test]
fn it_can_be_read_in_light_and_dark_and_on_a_phone() {
    let (_service, browser) = furnished();
    for scheme in ["light", "dark"] {
        browser.prefer(scheme);
        for width in [320, 360, 480, 768, 1280, 1920] {
            browser.resize(width, 800);
            let excess = "document.documentElement.scrollWidth - document.documentElement.clientWidth";
            assert_eq!(browser.evaluate(excess), json!(0), "{width} pixels");
            if [360, 768, 1280].contains(&width) {
                browser.screenshot(&format!("{scheme}-{width}"));
            }
        }
        assert_eq!(browser.evaluate(FAINT_TEXTS), json!([]), "{scheme}");
        browser.evaluate("document.body.dataset.connection = 'disconnected'");
        assert_eq!(browser.evaluate(FAINT_TEXTS), json!([]), "{scheme}, disconnected");
        browser.evaluate("document.body.dataset.connection = 'live'");
    }
}

#[test]
fn everything_has_a_name_for_those_who_do_not_see_it() {
    let (_service, browser) = furnished();
    let tree = browser.accessibility_tree();
    let named = |role: &str| -> Vec<&str> {
        tree.iter().filter(|(of, _)| of == role).map(|(_, name)| name.as_str()).collect()
    };
    for landmark in ["banner", "main", "contentinfo"] {
        assert_eq!(named(landmark).len(), 1, "{landmark}");
    }
    assert_eq!(named("region"), ["Providers"]);
    let headings = named("heading");
    assert_eq!(headings[..3], ["runtime-signals", "Providers", "openai"]);
    assert_eq!(named("searchbox"), ["Filter"]);
    assert!(named("meter").iter().any(|name| name.starts_with("output tokens")), "{:?}", named("meter"));
    assert!(
        named("image").iter().any(|name| name.starts_with("Median latency as this page has seen it since "))
    );
    for role in ["button", "link", "meter", "image", "searchbox", "heading"] {
        assert_eq!(named(role).iter().find(|name| name.is_empty()), None, "{role}");
    }
    let spoken = browser.evaluate("document.querySelector('.meter').getAttribute('aria-valuetext')");
    let spoken = spoken.as_str().unwrap().replace('\u{202f}', " ");
    assert!(spoken.starts_with("100 % used, 0 / 60 left, resets at "), "{spoken}");
    assert!(tree.iter().any(|(role, name)| role == "StaticText" && name == "exhausted"));
}

#[test]
fn everything_can_be_done_by_keyboard() {
    let (service, browser) = furnished();
    // Six limits are more than are listed at first.
    let models: Vec<Value> = (0..6)
        .map(|number| {
            let mut observed = limited("many", 30 + number, "10m");
            observed["model"] = json!(format!("model-{number}"));
            observed
        })
        .collect();
    service.observe(&models);
    browser.until("document.querySelectorAll('.toggle:not([hidden])').length === 1");
    browser.evaluate("document.body.focus()");
    let mut reached = Vec::new();
    for _ in 0..4 {
        browser.press("Tab", 9);
        let at = browser.evaluate(
            "[document.activeElement].map((at) => [at.id || at.className || at.textContent,
               at.matches(':focus-visible') && getComputedStyle(at).outlineStyle !== 'none'])[0]",
        );
        assert_eq!(at[1], json!(true), "{at} has no visible focus");
        reached.push(at[0].as_str().unwrap().to_owned());
        if reached.last().is_some_and(|at| at == "toggle") {
            browser.press("Enter", 13);
            browser.until("document.activeElement.getAttribute('aria-expanded') === 'true'");
            browser.until("document.activeElement.closest('.row').querySelectorAll('.limit').length === 6");
            // Its provider goes elsewhere, and who is at it goes along.
            service.observe(&[call("many", 429, json!({"retry-after": "900"}))]);
            browser.until("document.querySelector('#rows .name').textContent === 'many'");
            browser.until("document.activeElement.className === 'toggle'");
        }
    }
    assert_eq!(reached, ["filter", "toggle", "API", "Metrics"]);
    assert_eq!(browser.complaints(), [] as [Value; 0]);
}
