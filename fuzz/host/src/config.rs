//! Any text in place of a configuration.

use reqwest::Url;
use runtime_signals::config::Config;
use toml::Value;

/// What seeds have for a password.
const SECRET: &str = "hunter2";
/// The keys of addresses that may have one.
const ADDRESSES: [&str; 3] = ["base_url", "url", "webhook"];

/// Takes the bytes for a configuration.
///
/// # Panics
/// When something does not hold.
pub fn check(data: &[u8]) {
    let Ok(text) = core::str::from_utf8(data) else { return };
    let is_secret = toml::from_str(text).is_ok_and(|document| stands_in_passwords_only(&document));
    match Config::parse(text) {
        Ok(config) => {
            let shown = config.to_toml();
            if is_secret {
                assert!(!shown.contains(SECRET), "{shown}");
                assert!(!format!("{config:?}").contains(SECRET), "{config:?}");
            }
            // What is masked is another value, but can be read as well.
            let read = Config::parse(&shown).unwrap_or_else(|problem| panic!("{problem}\n{shown}"));
            assert_eq!(read.to_toml(), shown, "what is shown reads back as something else");
        }
        Err(problem) => {
            assert!(!is_secret || !problem.to_string().contains(SECRET), "{problem}");
            let lines = 1 + text.bytes().filter(|byte| *byte == b'\n').count();
            assert!((1..=lines).contains(&problem.line), "line {} of {lines}", problem.line);
            crate::refused(&problem.to_string());
        }
    }
}

/// Does the secret stand in this document nowhere but in passwords of addresses?
fn stands_in_passwords_only(document: &Value) -> bool {
    let mut places = Vec::new();
    look("", document, &mut places);
    places.contains(&true) && !places.contains(&false)
}

/// Notes each place that has the secret: is it a password?
fn look(key: &str, value: &Value, places: &mut Vec<bool>) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                if key.contains(SECRET) {
                    places.push(false);
                }
                look(key, value, places);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| look("", value, places)),
        Value::String(text) if text.contains(SECRET) => {
            let without = text.replace(&format!(":{SECRET}@"), "@");
            let has_password = Url::parse(text).is_ok_and(|url| url.password() == Some(SECRET));
            places.push(ADDRESSES.contains(&key) && has_password && !without.contains(SECRET));
        }
        _ => {}
    }
}
