//! From a configured base URL to the one URL that is asked, and to the name that messages may use.

use reqwest::Url;

/// Longest base URL that is looked at, in bytes.
const MAX_BASE_URL: usize = 4096;

/// Where a liveness check goes.
#[derive(Debug)]
pub(super) struct Target {
    /// `<base>/v1/models`.
    pub(super) models: Url,
    /// The path of the base, without a trailing `/`.
    base: String,
    /// Scheme, host and port: all that a message may say about the URL.
    pub(super) label: String,
}

impl Target {
    /// Reads a base URL; a trailing `/` or `/v1` is not doubled.
    ///
    /// # Errors
    ///
    /// The reason why it cannot be asked. It repeats nothing of the URL beyond its scheme.
    pub(super) fn parse(base_url: &str) -> Result<Self, String> {
        let base_url = base_url.trim();
        if base_url.is_empty() {
            return Err("the base URL is empty".to_owned());
        }
        if base_url.len() > MAX_BASE_URL {
            return Err(format!("the base URL is longer than {MAX_BASE_URL} bytes"));
        }
        let mut url = Url::parse(base_url).map_err(|error| format!("the base URL is not a URL: {error}"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err("the base URL is neither http nor https".to_owned());
        }
        let label = label(&url).ok_or("the base URL names no host")?;

        let base = url.path().trim_end_matches('/');
        let base = base.strip_suffix("/v1").unwrap_or(base).trim_end_matches('/');
        let base = base.to_owned();
        url.set_path(&format!("{base}/v1/models"));
        Ok(Self { models: url, base, label })
    }

    /// Another address of the same server: `<base>/<path>?<query>`.
    pub(super) fn below_base(&self, path: &str, query: Option<&str>) -> Url {
        let mut url = self.models.clone();
        url.set_path(&format!("{}/{path}", self.base));
        if query.is_some() {
            url.set_query(query);
        }
        url
    }
}

/// Scheme, host and port: all that a message may say about a URL. `None` where there is no host.
pub(crate) fn label(url: &Url) -> Option<String> {
    Some(format!("{}://{}:{}", url.scheme(), url.host_str()?, url.port_or_known_default()?))
}

#[cfg(test)]
mod tests {
    use super::Target;

    fn asked(base_url: &str) -> String {
        Target::parse(base_url).unwrap().models.to_string()
    }

    #[test]
    fn a_trailing_slash_or_version_is_not_doubled() {
        for base in [
            "http://studio:1234",
            "http://studio:1234/",
            "http://studio:1234/v1",
            "http://studio:1234/v1/",
            " http://studio:1234//v1// ",
        ] {
            assert_eq!(asked(base), "http://studio:1234/v1/models", "{base}");
        }
        assert_eq!(asked("https://gw/api/v1/"), "https://gw/api/v1/models");
        assert_eq!(asked("https://gw/rev1"), "https://gw/rev1/v1/models");
    }

    #[test]
    fn other_addresses_are_below_the_same_base() {
        let target = Target::parse("http://me:pw@gw/api/v1/?a=b").unwrap();
        assert_eq!(target.below_base("metrics", None).as_str(), "http://me:pw@gw/api/metrics?a=b");
        assert_eq!(target.below_base("slots", Some("c=1")).as_str(), "http://me:pw@gw/api/slots?c=1");
    }

    #[test]
    fn the_label_names_scheme_host_and_port_only() {
        let target = Target::parse("https://user:hunter2@gw.example/secret/v1?key=sk-1#frag").unwrap();
        assert_eq!(target.label, "https://gw.example:443");
        assert_eq!(Target::parse("http://[::1]:8080").unwrap().label, "http://[::1]:8080");
    }

    #[test]
    fn what_cannot_be_asked_is_refused_without_repeating_it() {
        let long = format!("http://h/{}", "a".repeat(5000));
        for base in [
            "",
            "   ",
            "studio:1234",
            "ftp://user:hunter2@h/",
            "file:///etc/passwd",
            "unix:/run/hunter2.sock",
            "http://",
            "http://h:99999/hunter2",
            "http://[fe80::1%25eth0]/",
            "hunter2",
            &long,
        ] {
            let reason = Target::parse(base).unwrap_err();
            assert!(!reason.contains("hunter2"), "{reason}");
            assert!(reason.len() < 200, "{reason}");
        }
    }
}
