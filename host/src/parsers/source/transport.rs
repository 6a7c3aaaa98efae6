//! Which hosts are asked without TLS: those on this machine, and those that the user lists.

use reqwest::{Certificate, Client, Url, redirect};

use crate::loopback::{is_loopback, is_of_this_machine};

const MOST_REDIRECTS: usize = 5;
const CONNECT_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// Would somebody from elsewhere have us ask something on this machine, which may trust whoever comes from here?
pub(super) fn leads_inside(from: &Url, to: &Url) -> bool {
    is_of_this_machine(to) && !is_loopback(from.host_str().unwrap_or_default())
}

/// Hosts that may be asked by plain HTTP, beside this machine: `host` or `host:port`.
#[derive(Clone, Debug)]
pub(super) struct PlainHosts(pub(super) Vec<String>);

impl PlainHosts {
    /// `http` or `https`, for a host with its port if it has one.
    pub(super) fn scheme(&self, authority: &str) -> &'static str {
        let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
        let is_listed = self.0.iter().any(|listed| listed == authority || listed == host);
        if is_listed || is_loopback(host) { "http" } else { "https" }
    }

    /// May this address be asked? Everything by HTTPS, and by HTTP what [`scheme`](Self::scheme) says.
    pub(super) fn allow(&self, url: &Url) -> bool {
        url.scheme() == "https" || url.scheme() == "http" && self.scheme(url.authority()) == "http"
    }

    /// A client for a registry that is asked by this scheme. Redirects lead to allowed addresses only.
    pub(super) fn client(&self, scheme: &str) -> reqwest::Result<Client> {
        let hosts = self.clone();
        let follow = move |attempt: redirect::Attempt<'_>| {
            if attempt.previous().len() > MOST_REDIRECTS {
                attempt.error("there are too many redirects")
            } else if attempt.previous().last().is_none_or(|from| leads_inside(from, attempt.url())) {
                attempt.error("a redirect leads to this machine")
            } else if hosts.allow(attempt.url()) {
                attempt.follow()
            } else {
                attempt.error("a redirect leads away from TLS")
            }
        };
        let builder = Client::builder()
            .user_agent(concat!("runtime-signals/", env!("CARGO_PKG_VERSION")))
            .referer(false)
            .connect_timeout(CONNECT_TIMEOUT)
            .redirect(redirect::Policy::custom(follow));
        if scheme == "https" {
            return builder.build();
        }
        // The system's certificates take milliseconds to load, and its proxies know nothing of these hosts.
        builder.no_proxy().tls_certs_only(std::iter::empty::<Certificate>()).build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(listed: &[&str]) -> PlainHosts {
        PlainHosts(listed.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn only_this_machine_and_listed_hosts_are_asked_without_tls() {
        let hosts = hosts(&["r.lan", "p.lan:5000"]);
        for (authority, scheme) in [
            ("localhost:5000", "http"),
            ("localhost", "http"),
            ("127.0.0.1:5000", "http"),
            ("127.9.9.9", "http"),
            ("[::1]:5000", "http"),
            ("r.lan", "http"),
            ("r.lan:5000", "http"),
            ("p.lan:5000", "http"),
            ("p.lan", "https"),
            ("p.lan:5001", "https"),
            ("other.r.lan", "https"),
            ("127.0.0.1.example.com", "https"),
            ("localhost.example.com:5000", "https"),
            ("10.0.0.1:5000", "https"),
            ("ghcr.io", "https"),
        ] {
            assert_eq!(hosts.scheme(authority), scheme, "{authority}");
        }
    }

    #[test]
    fn an_address_without_tls_must_be_of_such_a_host() {
        let hosts = hosts(&["r.lan"]);
        for (url, allowed) in [
            ("https://elsewhere.example.com/token", true),
            ("http://elsewhere.example.com/token", false),
            ("http://r.lan:80/token", true),
            ("http://localhost@elsewhere.example.com/", false),
            ("ftp://localhost/", false),
        ] {
            assert_eq!(hosts.allow(&Url::parse(url).unwrap()), allowed, "{url}");
        }
    }
}
