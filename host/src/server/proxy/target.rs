//! From the path of a request to the provider that it is for, and to the address there.
//!
//! The address is the configured one with the rest of the path put behind it, as it was sent, byte by byte. Whatever a
//! provider might read as a step to a parent folder or as another host is refused.

use http::uri::{PathAndQuery, Scheme};
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use reqwest::Url;

use super::super::problem::Problem;
use crate::cache::cache_source;
use crate::probe::address::names_link_local;
use crate::probe::target::label;

/// Where the paths of all calls begin that are passed on.
pub(crate) const ROOT: &str = "/proxy/";

/// Whom a call is for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked<'a> {
    /// The name of the provider.
    pub(super) provider: String,
    /// What follows it in the path: nothing, or what begins with a slash.
    pub(super) rest: &'a str,
}

impl<'a> Asked<'a> {
    /// Reads the path of a request.
    ///
    /// # Errors
    /// 400: it names no provider, or might lead out of the provider's base URL.
    pub(super) fn read(path: &'a str) -> Result<Self, Problem> {
        let path = path.strip_prefix(ROOT).unwrap_or_default();
        let (name, rest) = path.split_at(path.find('/').unwrap_or(path.len()));
        let name = percent_decode_str(name).decode_utf8().unwrap_or_default();
        if name.is_empty() || name.contains('\\') {
            return Err(Problem::bad_request("name a provider: /proxy/NAME/…"));
        }
        cache_source(&name)?;
        if !stays_below(rest) {
            let detail = "the path has an empty or a dot segment, or a backslash; write it without";
            return Err(Problem::bad_request(detail));
        }
        Ok(Self { provider: name.into_owned(), rest })
    }
}

/// Has the path no empty segments, no backslashes and no dot segments, however they are written? And is it all path?
fn stays_below(path: &str) -> bool {
    let decoded = percent_decode_str(path).collect::<Vec<u8>>();
    let dots = |segment: &[u8]| {
        // Some servers cut parameters off before they look.
        let name = segment.split(|byte| *byte == b';').next().unwrap_or_default();
        matches!(name, b"." | b"..")
    };
    !path.contains("//")
        && !path.contains(['?', '#'])
        && !decoded.contains(&b'\\')
        && !decoded.split(|byte| *byte == b'/').any(dots)
}

/// Where a call goes.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    /// The whole address.
    pub(super) uri: Uri,
    /// What `Host` says there.
    pub(super) host: HeaderValue,
    /// Scheme, host and port: all that a message may say.
    pub(super) label: String,
}

impl Target {
    /// Puts the rest of a path and a query behind a base URL. User information and query of the base URL are left out:
    /// the call brings its own.
    ///
    /// # Errors
    /// The base URL is of no use, or the address becomes too long.
    pub(super) fn new(base_url: &str, rest: &str, query: Option<&str>) -> Result<Self, &'static str> {
        let base = Url::parse(base_url).map_err(|_| "its `base_url` is no URL")?;
        let scheme = match base.scheme() {
            "http" => Scheme::HTTP,
            "https" => Scheme::HTTPS,
            _ => return Err("its `base_url` is neither http nor https"),
        };
        if names_link_local(&base) {
            return Err("its `base_url` is a link-local address, and those are not asked");
        }
        let (Some(host), Some(label)) = (base.host_str(), label(&base)) else {
            return Err("its `base_url` names no host");
        };
        let authority = base.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let mut path = join(base.path(), rest);
        if let Some(query) = query {
            path.push('?');
            path.push_str(query);
        }
        let host = HeaderValue::from_str(&authority).map_err(|_| "its `base_url` has an odd host")?;
        let path = PathAndQuery::try_from(path).map_err(|_| "the address is too long, or no address")?;
        let uri = Uri::builder().scheme(scheme).authority(authority).path_and_query(path).build();
        Ok(Self { uri: uri.map_err(|_| "its `base_url` has an odd host")?, host, label })
    }
}

/// The path of the base, then the rest; a `/v1` that both have is not doubled.
fn join(base: &str, rest: &str) -> String {
    let base = base.trim_end_matches('/');
    let has_version = rest == "/v1" || rest.starts_with("/v1/");
    let base = base.strip_suffix("/v1").filter(|_| has_version).unwrap_or(base);
    // Of a whole address there is a path, if only a slash.
    if base.is_empty() && rest.is_empty() { "/".to_owned() } else { format!("{base}{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(base_url: &str, rest: &str, query: Option<&str>) -> String {
        Target::new(base_url, rest, query).unwrap().uri.to_string()
    }

    #[test]
    fn the_rest_of_the_path_stands_behind_the_base_as_it_was_sent() {
        for (base, rest, query, whole) in [
            ("https://api.openai.com", "/v1/models", None, "https://api.openai.com/v1/models"),
            ("https://api.openai.com/", "/v1/models", None, "https://api.openai.com/v1/models"),
            ("https://api.openai.com/v1", "/v1/models", None, "https://api.openai.com/v1/models"),
            ("https://api.openai.com/v1/", "/models", None, "https://api.openai.com/v1/models"),
            ("https://gw/openai/v1", "/v1/m", None, "https://gw/openai/v1/m"),
            ("https://gw/rev1", "/v1/m", None, "https://gw/rev1/v1/m"),
            ("https://gw/v1", "/v1beta/m", None, "https://gw/v1/v1beta/m"),
            (
                "http://[::1]:8080/a",
                "/m%2Fn/%C3%BC|",
                Some("a=b%20c&d"),
                "http://[::1]:8080/a/m%2Fn/%C3%BC|?a=b%20c&d",
            ),
            ("http://h:80", "", None, "http://h/"),
            ("http://h/v1", "", Some(""), "http://h/v1?"),
            ("https://me:pw@gw/api?key=SECRET#x", "/m", Some("q=1"), "https://gw/api/m?q=1"),
        ] {
            assert_eq!(address(base, rest, query), whole, "{base} {rest}");
        }
        let target = Target::new("https://me:pw@GW.example:8443/secret", "/m", None).unwrap();
        assert_eq!(
            (target.host.as_bytes(), target.label.as_str()),
            (&b"gw.example:8443"[..], "https://gw.example:8443")
        );
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        for base in ["", "openai", "ftp://h", "http://169.254.169.254", "http://[fe80::1]"] {
            assert!(Target::new(base, "/m", None).is_err(), "{base}");
        }
        assert!(Target::new("http://h", &"/a".repeat(40_000), None).is_err());
    }

    #[test]
    fn a_path_is_read_without_changing_the_rest() {
        for (path, provider, rest) in [
            ("/proxy/openai/v1/models", "openai", "/v1/models"),
            ("/proxy/openai", "openai", ""),
            ("/proxy/openai/", "openai", "/"),
            ("/proxy/my%20gpu/a%2Fb/..c/%2e%2e%2ed", "my gpu", "/a%2Fb/..c/%2e%2e%2ed"),
        ] {
            assert_eq!(Asked::read(path).unwrap(), Asked { provider: provider.into(), rest }, "{path}");
        }
    }

    #[test]
    fn tricks_in_paths_are_refused() {
        for path in [
            "/proxy/",
            "/proxy//v1/models",
            "/proxy/../v1",
            "/proxy/%2e%2e/v1",
            "/proxy/a%2fb/v1",
            "/proxy/a%5cb/v1",
            "/proxy/a\\b/v1",
            "/proxy/%ff/v1",
            "/proxy/%00/v1",
            "/proxy/.hidden/v1",
            "/proxy/openai/../x",
            "/proxy/openai/a/./b",
            "/proxy/openai/a/%2E%2e/b",
            "/proxy/openai/a/.%2e",
            "/proxy/openai/..;x=1/b",
            "/proxy/openai/a%2f..%2fb",
            "/proxy/openai/a%5c..%5cb",
            "/proxy/openai/a\\..\\b",
            "/proxy/openai//evil.example/v1",
            "/proxy/openai/v1//models",
            "/proxy/openai/..?x",
            "/proxy/openai/..#x",
        ] {
            assert!(Asked::read(path).is_err(), "{path}");
        }
    }
}
