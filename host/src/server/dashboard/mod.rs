//! `GET /`: the dashboard, one page that needs nothing but this service.
//!
//! Its parts are files of their own, put together when the service starts. The page holds nothing that is secret, so
//! anybody may have it; what it shows it asks for by the API, with the token where there is one. The policy that goes
//! with it lets the browser run exactly this script and ask nobody else.

use std::sync::LazyLock;

use axum::Router;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use base64::prelude::{BASE64_STANDARD, Engine as _};
use http::{HeaderMap, StatusCode, header};
use sha2::{Digest, Sha256};

use super::conditional::is_known;
use super::state::AppState;

const HTML: &str = include_str!("page.html");
const STYLE: &str = include_str!("page.css");
/// One module: the later parts use what the earlier ones define.
const SCRIPT: &str = concat!(
    include_str!("script/format.js"),
    include_str!("script/signals.js"),
    include_str!("script/connection.js"),
    include_str!("script/sparkline.js"),
    include_str!("script/row.js"),
    include_str!("script/page.js"),
);

/// The page as it is sent.
struct Page {
    html: String,
    policy: String,
    tag: String,
}

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    let html = HTML.replacen("<style></style>", &format!("<style>{STYLE}</style>"), 1).replacen(
        "<script type=\"module\"></script>",
        &format!("<script type=\"module\">{SCRIPT}</script>"),
        1,
    );
    let policy = format!(
        "default-src 'none'; connect-src 'self'; img-src data:; style-src {}; script-src {}; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        source(STYLE),
        source(SCRIPT),
    );
    let tag = format!("\"{}\"", hash(&html));
    Page { html, policy, tag }
});

pub(super) fn routes() -> Router<AppState> {
    Router::new().route("/", get(page))
}

async fn page(asked: HeaderMap) -> Response {
    let Page { html, policy, tag } = &*PAGE;
    let headers = [
        (header::ETAG, tag.as_str()),
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, policy),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    if is_known(&asked, tag) {
        return (StatusCode::NOT_MODIFIED, headers).into_response();
    }
    (headers, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], html.as_str()).into_response()
}

fn hash(text: &str) -> String {
    BASE64_STANDARD.encode(Sha256::digest(text))
}

/// What a policy calls the text of an element.
fn source(text: &str) -> String {
    format!("'sha256-{}'", hash(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_holds_its_style_and_its_script_whole() {
        assert!(PAGE.html.contains(STYLE) && PAGE.html.contains(SCRIPT));
        for end in ["</style", "</script"] {
            assert!(!STYLE.contains(end) && !SCRIPT.contains(end), "{end} would end it early");
        }
    }

    #[test]
    fn nothing_of_it_is_asked_of_anybody_else() {
        for address in ["http://", "https://", "//cdn", "@import", "url("] {
            let found: Vec<_> = PAGE.html.lines().filter(|line| line.contains(address)).collect();
            // Names of vocabularies are no addresses that anybody asks, and examples call this machine.
            let asks = |line: &&&str| !line.contains("www.w3.org") && !line.contains("http://127.0.0.1");
            assert_eq!(found.iter().find(asks), None, "{address}");
        }
    }
}
