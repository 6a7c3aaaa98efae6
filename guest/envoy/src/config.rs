//! The plugin's configuration, read strictly: what is not understood is refused.

use runtime_signals_core::json::{Reader, Result};

/// Most providers of one plugin: each has an entry in the memory that the workers share.
pub const MOST_PROVIDERS: usize = 64;
const LONGEST_NAME: usize = 128;
/// So much of the text before an error is shown.
const SHOWN_BYTES: usize = 48;
const UNKNOWN_KEY: &str = "a key that is not known";

/// What is wrong, if anything.
type Checked = core::result::Result<(), String>;

/// The configuration of one plugin.
#[derive(Debug, Default)]
pub struct Config {
    /// Whose responses are read. The first that fits a request counts.
    pub providers: Vec<Provider>,
    /// Name of the response header that tells the status; no header where it is absent.
    pub status_header: Option<String>,
    /// Is a request to a provider that is known to be exhausted answered at once with 429?
    pub fail_fast: bool,
    /// Where observations are posted; nowhere where it is absent.
    pub report: Option<Report>,
}

/// A provider and how its requests are recognised.
#[derive(Debug, Default)]
pub struct Provider {
    /// The provider's name.
    pub name: String,
    /// Its type, which selects how responses are read.
    pub provider_type: String,
    /// What a request to it looks like.
    pub matches: Match,
}

/// What a request looks like: all that is given must fit, and something must be given.
#[derive(Debug, Default)]
pub struct Match {
    /// The host of the request, in any case; with a port only if it is given with one.
    pub host: Option<String>,
    /// The cluster to which Envoy routes it.
    pub cluster: Option<String>,
    /// The start of the path.
    pub path: Option<String>,
}

/// How observations are posted to a runtime-signals service.
#[derive(Debug)]
pub struct Report {
    /// The cluster of the service.
    pub cluster: String,
    /// The host to name in requests: one that the service takes for its own.
    pub authority: String,
    /// Pause between two posts, in milliseconds, 10 to 60,000.
    pub interval_ms: u64,
    /// How long a post may take, in milliseconds, 10 to 60,000.
    pub timeout_ms: u64,
    /// Most observations of one post, 1 to 10,000.
    pub batch: u64,
    /// Most observations that wait in one worker, 1 to 100,000; those beyond it are dropped and counted.
    pub queue: u64,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            cluster: String::new(),
            authority: "localhost".into(),
            interval_ms: 1_000,
            timeout_ms: 1_000,
            batch: 512,
            queue: 4_096,
        }
    }
}

/// What is known of a request before it is sent.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// Its host, perhaps with a port.
    pub host: &'a str,
    /// The cluster to which it is routed; empty where that is not known yet.
    pub cluster: &'a str,
    /// Its path.
    pub path: &'a str,
}

impl Config {
    /// Reads the JSON of a configuration.
    ///
    /// # Errors
    /// Says what is wrong and where.
    pub fn read(json: &[u8]) -> core::result::Result<Self, String> {
        if json.trim_ascii().is_empty() {
            return Err("it is missing; give at least `providers`".into());
        }
        let mut reader = Reader::new(json);
        let mut config = Self::default();
        config.take(&mut reader).and_then(|()| reader.end()).map_err(|unreadable| {
            let before = json.get(..unreadable.offset).unwrap_or(json);
            let shown = before.get(before.len().saturating_sub(SHOWN_BYTES)..).unwrap_or(before);
            format!("{unreadable}, after `{}`", String::from_utf8_lossy(shown))
        })?;
        config.check()?;
        Ok(config)
    }

    fn take(&mut self, json: &mut Reader<'_>) -> Result<()> {
        json.object(&mut |key, json| {
            match key {
                "providers" => self.providers = json.list(Provider::read)?,
                "status_header" => self.status_header = Some(json.text()?),
                "fail_fast" => self.fail_fast = json.flag()?,
                "report" => self.report = Some(Report::read(json)?),
                _ => return json.error(UNKNOWN_KEY),
            }
            Ok(())
        })
    }

    fn check(&self) -> Checked {
        match self.providers.len() {
            0 => return Err("`providers` is empty; name at least one".into()),
            1..=MOST_PROVIDERS => {}
            count => {
                return Err(format!("`providers` names {count}; at most {MOST_PROVIDERS} can be watched"));
            }
        }
        for (index, provider) in self.providers.iter().enumerate() {
            provider.check().map_err(|why| format!("provider {index} (`{}`): {why}", provider.name))?;
            if self.providers.iter().take(index).any(|other| other.name == provider.name) {
                return Err(format!("provider {index}: the name `{}` stands twice", provider.name));
            }
        }
        if let Some(name) = self.status_header.as_deref().filter(|name| !is_token(name)) {
            return Err(format!("`status_header` is `{name}`, which is no header name in lower case"));
        }
        self.report.as_ref().map_or(Ok(()), Report::check)
    }

    /// The place of the provider to which a request goes.
    #[must_use]
    pub fn recognise(&self, request: Request<'_>) -> Option<usize> {
        self.providers.iter().position(|provider| provider.matches.fits(request))
    }

    /// Does it take the cluster to recognise some provider?
    #[must_use]
    pub fn asks_for_cluster(&self) -> bool {
        self.providers.iter().any(|provider| provider.matches.cluster.is_some())
    }
}

impl Provider {
    fn read(json: &mut Reader<'_>) -> Result<Self> {
        let mut provider = Self::default();
        json.object(&mut |key, json| {
            match key {
                "name" => provider.name = json.text()?,
                "type" => provider.provider_type = json.text()?,
                "match" => provider.matches = Match::read(json)?,
                _ => return json.error(UNKNOWN_KEY),
            }
            Ok(())
        })?;
        Ok(provider)
    }

    fn check(&self) -> Checked {
        let name = self.name.as_str();
        if name.is_empty() || name.len() > LONGEST_NAME || name.starts_with('.') {
            return Err("its name must have 1 to 128 bytes and no leading dot".into());
        }
        if name.contains(|c: char| c == '/' || c == '\\' || c.is_control()) {
            return Err("its name must have no separator and no control character".into());
        }
        if self.provider_type.is_empty() {
            return Err("its `type` is empty".into());
        }
        let Match { host, cluster, path } = &self.matches;
        let parts = [host, cluster, path];
        if parts.iter().all(|part| part.is_none()) {
            return Err("its `match` is empty; give `host`, `cluster` or `path`".into());
        }
        if parts.iter().any(|part| part.as_ref().is_some_and(String::is_empty)) {
            return Err("a part of its `match` is empty".into());
        }
        match path {
            Some(path) if !path.starts_with('/') => Err(format!("its path `{path}` does not begin with `/`")),
            _ => Ok(()),
        }
    }
}

impl Match {
    fn read(json: &mut Reader<'_>) -> Result<Self> {
        let mut matches = Self::default();
        json.object(&mut |key, json| {
            match key {
                "host" => matches.host = Some(json.text()?),
                "cluster" => matches.cluster = Some(json.text()?),
                "path" => matches.path = Some(json.text()?),
                _ => return json.error(UNKNOWN_KEY),
            }
            Ok(())
        })?;
        Ok(matches)
    }

    fn fits(&self, request: Request<'_>) -> bool {
        let fits = |wanted: &Option<String>, fits: &dyn Fn(&str) -> bool| wanted.as_deref().is_none_or(fits);
        fits(&self.host, &|host| {
            host.eq_ignore_ascii_case(request.host) || host.eq_ignore_ascii_case(without_port(request.host))
        }) && fits(&self.cluster, &|cluster| cluster == request.cluster)
            && fits(&self.path, &|path| request.path.starts_with(path))
    }
}

impl Report {
    fn read(json: &mut Reader<'_>) -> Result<Self> {
        let mut report = Self::default();
        json.object(&mut |key, json| {
            match key {
                "cluster" => report.cluster = json.text()?,
                "authority" => report.authority = json.text()?,
                "interval_ms" => report.interval_ms = json.count()?,
                "timeout_ms" => report.timeout_ms = json.count()?,
                "batch" => report.batch = json.count()?,
                "queue" => report.queue = json.count()?,
                _ => return json.error(UNKNOWN_KEY),
            }
            Ok(())
        })?;
        Ok(report)
    }

    fn check(&self) -> Checked {
        let range = |name: &str, value: u64, least: u64, most: u64| match value {
            value if (least..=most).contains(&value) => Ok(()),
            _ => Err(format!("`report.{name}` is {value}; it must be {least} to {most}")),
        };
        if self.cluster.is_empty() || self.authority.is_empty() {
            return Err("`report.cluster` and `report.authority` must not be empty".into());
        }
        range("interval_ms", self.interval_ms, 10, 60_000)?;
        range("timeout_ms", self.timeout_ms, 10, 60_000)?;
        range("batch", self.batch, 1, 10_000)?;
        range("queue", self.queue, 1, 100_000)
    }
}

/// A host without its port; `[::1]:80` is `[::1]`.
fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => name,
        _ => host,
    }
}

/// A header name in lower case.
fn is_token(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        Config::read(json.as_bytes()).unwrap_err()
    }

    fn provider(name: &str, matches: &str) -> String {
        format!(r#"{{"name":"{name}","type":"openai","match":{{{matches}}}}}"#)
    }

    #[test]
    fn what_is_missing_or_misspelt_is_refused_by_name() {
        for (json, says) in [
            ("", "missing"),
            ("{}", "providers"),
            (r#"{"providers":[]}"#, "empty"),
            (r#"{"providers":[{"name":"a","type":"openai"}]}"#, "`match` is empty"),
            (
                r#"{"providers":[],"failfast":true}"#,
                "a key that is not known at byte 27, after `{\"providers\":[],\"failfast\":`",
            ),
            (r#"{"providers":1}"#, "a list was expected at byte 13"),
            ("not json", "an object was expected"),
        ] {
            assert!(refused(json).contains(says), "{json}: {}", refused(json));
        }
    }

    #[test]
    fn providers_are_checked_one_by_one() {
        let with = |provider: &str| format!(r#"{{"providers":[{provider}]}}"#);
        assert!(refused(&with(&provider("a/b", r#""host":"x""#))).contains("separator"));
        assert!(refused(&with(&provider("", r#""host":"x""#))).contains("1 to 128 bytes"));
        assert!(refused(&with(&provider("a", ""))).contains("`host`, `cluster` or `path`"));
        assert!(refused(&with(&provider("a", r#""host":"""#))).contains("empty"));
        assert!(refused(&with(&provider("a", r#""path":"v1""#))).contains("`/`"));
        let twice = [provider("a", r#""host":"x""#), provider("a", r#""host":"y""#)].join(",");
        assert!(refused(&with(&twice)).contains("twice"));
        let many: Vec<_> = (0..65).map(|n| provider(&format!("p{n}"), r#""host":"x""#)).collect();
        assert!(refused(&with(&many.join(","))).contains("at most 64"));
    }

    #[test]
    fn bounds_of_reports_are_told() {
        let with = |report: &str| {
            let provider = provider("a", r#""host":"x""#);
            format!(r#"{{"providers":[{provider}],"report":{{{report}}}}}"#)
        };
        assert!(refused(&with(r#""cluster":"""#)).contains("report.cluster"));
        assert!(refused(&with(r#""cluster":"s","batch":0"#)).contains("1 to 10000"));
        assert!(refused(&with(r#""cluster":"s","interval_ms":5"#)).contains("10 to 60000"));
        assert!(Config::read(with(r#""cluster":"s""#).as_bytes()).is_ok());
    }

    #[test]
    fn the_first_provider_that_fits_counts() {
        let providers = [
            provider("chat", r#""host":"api.example","path":"/v1/chat""#),
            provider("rest", r#""host":"API.example""#),
            provider("port", r#""host":"other.example:8443""#),
            provider("studio", r#""cluster":"studio""#),
        ];
        let config = format!(r#"{{"providers":[{}]}}"#, providers.join(","));
        let config = Config::read(config.as_bytes()).unwrap();
        assert!(config.asks_for_cluster());
        for (host, cluster, path, expected) in [
            ("api.example", "", "/v1/chat/completions", Some("chat")),
            ("api.example:443", "studio", "/v1/models", Some("rest")),
            ("other.example:8443", "", "/", Some("port")),
            ("other.example", "", "/", None),
            ("[::1]:80", "studio", "/", Some("studio")),
            ("", "", "", None),
        ] {
            let place = config.recognise(Request { host, cluster, path });
            assert_eq!(place.map(|place| config.providers[place].name.as_str()), expected, "{host} {path}");
        }
    }
}
