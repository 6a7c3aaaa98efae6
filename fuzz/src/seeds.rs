//! Seeds: what real providers send, and the built-in profiles.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::json;
use runtime_signals_core::time::Time;
use runtime_signals_profile::Profile;
use runtime_signals_profile::set::encode_set;
use runtime_signals_profile::toml;
use serde_json::Value;

use crate::input::{SEPARATOR, calls};
use crate::packed::new_store;

const VECTORS: &str = include_str!("../../tests/vectors/rate-limit-responses.json");
/// What stands in texts beside the words of profiles.
const MORE_WORDS: &[&str] = &[
    "\n\n",
    ": ",
    "\x1e",
    ",\"",
    "\":",
    "null",
    "data: ",
    "event: error\n",
    "1970-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "Thu, 15 Jan 2026 12:00:00 GMT",
    "6m0s",
    "250ms",
    ";w=60",
    ";q=100",
    ";r=0;t=30",
    "253402300799",
    "18446744073709551615",
    "9223372036854775807",
];

/// Writes the seeds of all targets into folders of their names, and the dictionary beside them.
///
/// # Errors
/// When a file cannot be written.
///
/// # Panics
/// When a vector or a built-in profile is none.
pub fn write(folder: &Path) -> io::Result<()> {
    let vectors: Vec<Value> = serde_json::from_str(VECTORS).expect("the vectors are JSON");
    let profiles = toml::compile_builtin().expect("the built-in profiles are right");
    let mut seeds = Seeds { folder, written: 0 };
    let mut previous: Option<(String, Vec<u8>)> = None;
    for vector in &vectors {
        let provider_type = text(vector, "provider_type");
        let response = response(vector);
        seeds.put("response", &response)?;
        if let Some((_, before)) = previous.filter(|(of, _)| of == provider_type) {
            seeds.put("response", &[&before[..], &[SEPARATOR], &response].concat())?;
        }
        let call = calls(&response).into_iter().next().expect("there is one");
        let packed = call.pack();
        let mut store = new_store();
        store.record(&packed).expect("a vector is recorded");
        let signal = store.collect(0, &Evidence::None, call.received_at).expect("the provider is known");
        seeds.put("signal", &json::encode(&signal))?;
        let state = store.export(0).expect("the provider is known");
        for (kind, bytes) in [(0, packed), (1, state), (3, signal.pack())] {
            seeds.put("packed", &[&[kind], &bytes[..]].concat())?;
        }
        previous = Some((provider_type.into(), response));
    }
    for profile in &profiles {
        seeds.put("packed", &[&[2], &encode_set(core::slice::from_ref(&profile.profile))[..]].concat())?;
    }
    for (_, profile) in toml::builtin() {
        seeds.put("profile_toml", profile.as_bytes())?;
    }
    let profiles = profiles.iter().map(|source| &source.profile);
    fs::write(folder.join("dictionary.txt"), dictionary(profiles, &vectors))
}

/// Files with numbers as names.
struct Seeds<'a> {
    folder: &'a Path,
    written: usize,
}

impl Seeds<'_> {
    fn put(&mut self, target: &str, seed: &[u8]) -> io::Result<()> {
        let folder = self.folder.join(target);
        fs::create_dir_all(&folder)?;
        self.written += 1;
        fs::write(folder.join(format!("{:04}", self.written)), seed)
    }
}

fn text<'a>(vector: &'a Value, key: &str) -> &'a str {
    vector[key].as_str().unwrap_or_default()
}

/// A vector in the form of [`crate::input`].
fn response(vector: &Value) -> Vec<u8> {
    let now = Time::parse_rfc3339(text(vector, "now").as_bytes()).map_or(0, Time::seconds);
    let mut response = format!("{} {} {now} 350", text(vector, "provider_type"), vector["status"]);
    for header in vector["headers"].as_array().into_iter().flatten() {
        let part = |index: usize| header[index].as_str().unwrap_or_default();
        response.push_str(&format!("\n{}: {}", part(0).to_ascii_lowercase(), part(1)));
    }
    let body = text(vector, "body");
    if !body.is_empty() {
        response.push_str("\n\n");
        response.push_str(body);
    }
    response.into_bytes()
}

/// Names of types and headers, words of refusals, keys of bodies and of signals, in libFuzzer's form.
fn dictionary<'a>(profiles: impl Iterator<Item = &'a Profile>, vectors: &[Value]) -> String {
    let mut words: BTreeSet<String> = MORE_WORDS.iter().map(|word| (*word).into()).collect();
    for profile in profiles {
        let refusals = profile.refusals.iter().flat_map(|rule| rule.words.iter().chain(&rule.texts));
        let claims = profile.limits.iter().flat_map(|limit| &limit.claims);
        let names = profile.headers.iter().map(|header| &header.name).chain([&profile.name]);
        words.extend(names.chain(refusals).chain(claims).cloned());
    }
    for body in vectors.iter().map(|vector| text(vector, "body")) {
        words.extend(serde_json::from_str(body).iter().flat_map(keys));
    }
    words.extend(toml::builtin().iter().flat_map(|(_, profile)| profile.lines().filter_map(toml_key)));
    for word in ["available", "degraded", "exhausted", "unknown", "model_scoped", "continuous", "refuses"] {
        words.insert(format!("\"{word}\""));
    }
    for key in SIGNAL_KEYS {
        words.insert(format!("\"{key}\":"));
    }
    let mut dictionary = String::new();
    for word in words {
        dictionary.push('"');
        for byte in word.bytes() {
            match byte {
                b'"' | b'\\' => dictionary.extend(['\\', char::from(byte)]),
                b' '..=b'~' => dictionary.push(char::from(byte)),
                _ => dictionary.push_str(&format!("\\x{byte:02x}")),
            }
        }
        dictionary.push_str("\"\n");
    }
    dictionary
}

/// The keys of a signal.
const SIGNAL_KEYS: [&str; 36] = [
    "provider",
    "status",
    "quota_remaining",
    "quota_reset_at",
    "recent_p50_latency_ns",
    "last_success_at",
    "last_error_at",
    "last_error_msg",
    "recorded_at",
    "reason",
    "cooldown_until",
    "limits",
    "latency",
    "refusal",
    "cooldowns",
    "quantity",
    "scope",
    "account",
    "model",
    "pool",
    "window_s",
    "limit",
    "remaining",
    "utilization",
    "resets_at",
    "captured_at",
    "refill",
    "effect",
    "class",
    "refused_at",
    "until",
    "count",
    "p90_ns",
    "p99_ns",
    "ttfb_p50_ns",
    "error",
];

/// The keys of a JSON value, at any depth, with their quotes and colons.
fn keys(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => {
            let own = fields.keys().map(|key| format!("\"{key}\":"));
            own.chain(fields.values().flat_map(keys)).collect()
        }
        Value::Array(items) => items.iter().flat_map(keys).collect(),
        _ => Vec::new(),
    }
}

/// The key or the section of a line of a profile.
fn toml_key(line: &str) -> Option<String> {
    if line.starts_with('[') {
        return Some(format!("{line}\n"));
    }
    let (key, _) = line.split_once(" = ")?;
    key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then(|| format!("{key} = "))
}
