//! The page as it is sent.

use serde_json::json;

use crate::cli::Home;
use crate::serve::client::Service;

#[test]
fn the_page_allows_itself_only_its_own_script_and_nobody_else_to_frame_it() {
    let service = Service::start();
    let page = service.get("/");
    assert_eq!((page.status, page.header("content-type")), (200, "text/html; charset=utf-8"));
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'; ",
        "connect-src 'self'; ",
        "base-uri 'none'; ",
        "form-action 'none'; ",
        "frame-ancestors 'none'",
        "script-src 'sha256-",
        "style-src 'sha256-",
    ] {
        assert!(policy.contains(part), "{part} is not in {policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains('*'), "{policy}");
    assert_eq!(page.header("x-content-type-options"), "nosniff");
    assert_eq!(page.header("referrer-policy"), "no-referrer");
    assert_eq!(page.header("cache-control"), "no-cache");

    let again = service.request("GET", "/", &[("if-none-match", page.header("etag"))], b"");
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    assert_eq!(again.header("content-security-policy"), policy);
}

#[test]
fn the_page_can_be_had_without_the_token_and_by_no_foreign_name() {
    let service = Service::at(Home::new(), &[("RUNTIME_SIGNALS_TOKEN", "0123456789abcdef0123")]);
    assert_eq!(service.get("/").status, 200);
    assert_eq!(service.get("/v1/providers").status, 401);
    assert_eq!(service.request("GET", "/", &[("host", "rebound.example")], b"").status, 421);
    assert_eq!(
        service.request("POST", "/", &[], b"").problem(),
        json!("/ does not take POST; /v1/openapi.json says what it takes")
    );
}
