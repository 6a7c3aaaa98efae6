//! What the answer of a local server says of it, beyond that it is up.

use reqwest::StatusCode;
use serde_json::Value;

use super::{Failure, ProbeFailureKind};

/// A complete answer, or the start of a long one.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

/// What a server says of itself when it is loading, in lower case: llama-server, oMLX.
const LOADING: [&str; 2] = ["loading model", "server not initialized"];
/// What one says when it takes no request: llama-server, Ollama.
const BUSY: [&str; 3] = ["no slot available", "server busy", "maximum pending requests"];

impl Answer {
    /// Is the server alive and ready, as far as its list of models tells?
    pub(super) fn verdict(&self, provider_type: &str) -> Result<(), Failure> {
        if self.status.is_success() {
            return self.models_are_loaded(provider_type);
        }
        self.shortage(provider_type)?;
        Err((ProbeFailureKind::Refused, named(self.status)))
    }

    /// Fails where a refusal says that the server is loading, or busy.
    pub(super) fn shortage(&self, provider_type: &str) -> Result<(), Failure> {
        let kind = match self.status {
            StatusCode::TOO_MANY_REQUESTS => ProbeFailureKind::Busy,
            StatusCode::SERVICE_UNAVAILABLE => {
                let text = String::from_utf8_lossy(&self.body).to_ascii_lowercase();
                let says = |marks: &[&str]| marks.iter().any(|mark| text.contains(mark));
                if says(&LOADING) {
                    ProbeFailureKind::Loading
                } else if says(&BUSY) || provider_type == "ollama" {
                    ProbeFailureKind::Busy
                } else {
                    return Ok(());
                }
            }
            _ => return Ok(()),
        };
        let what = if kind == ProbeFailureKind::Loading { "it is loading a model" } else { "it is busy" };
        Err((kind, format!("{}: {what}", named(self.status))))
    }

    /// Fails where all models that a list names are said not to be loaded.
    pub(super) fn models_are_loaded(&self, provider_type: &str) -> Result<(), Failure> {
        let is_absent = match provider_type {
            "llama-server" => is_loading_in_llama_server,
            "lmstudio" | "lm-studio" => is_not_loaded_in_lm_studio,
            _ => return Ok(()),
        };
        let list = serde_json::from_slice(&self.body).unwrap_or(Value::Null);
        let models = list.get("data").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // Models of embeddings answer no chat.
        let is_chat = |model: &&Value| model.get("type").is_none_or(|kind| kind != "embeddings");
        let chat: Vec<&Value> = models.iter().filter(is_chat).collect();
        if !chat.is_empty() && chat.into_iter().all(is_absent) {
            return Err((ProbeFailureKind::Loading, "none of its models is loaded".to_owned()));
        }
        Ok(())
    }
}

/// While it loads, llama-server lists its one model without facts about it. With several models it states a
/// status, and loads them as they are asked for.
fn is_loading_in_llama_server(model: &Value) -> bool {
    model.get("meta").is_some_and(Value::is_null) && model.get("status").is_none()
}

/// LM Studio's own list states whether a model is loaded.
fn is_not_loaded_in_lm_studio(model: &Value) -> bool {
    model.get("state").is_some_and(|state| state == "not-loaded")
}

/// What was answered, by its status.
pub(super) fn named(status: StatusCode) -> String {
    let code = status.as_u16();
    if status.is_redirection() {
        return format!("answered {code}, a redirect that is not followed");
    }
    match status.canonical_reason() {
        Some(reason) => format!("answered {code} {reason}"),
        None => format!("answered {code}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(provider_type: &str, status: u16, body: &str) -> Option<ProbeFailureKind> {
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), body: body.into() };
        answer.verdict(provider_type).err().map(|(kind, _)| kind)
    }

    #[test]
    fn refusals_tell_loading_and_busy_from_the_rest() {
        use ProbeFailureKind::{Busy, Loading, Refused};
        let llama = r#"{"error":{"code":503,"message":"Loading model","type":"unavailable_error"}}"#;
        for (provider_type, status, body, expected) in [
            ("llama-server", 503, llama, Loading),
            ("ds4", 503, llama, Loading),
            ("omlx", 503, r#"{"detail":"Server not initialized"}"#, Loading),
            (
                "ollama",
                503,
                r#"{"error":"server busy, please try again. maximum pending requests exceeded"}"#,
                Busy,
            ),
            ("ollama", 503, "", Busy),
            ("llama-server", 503, r#"{"error":{"message":"no slot available"}}"#, Busy),
            ("vllm", 429, "", Busy),
            ("vllm", 503, "", Refused),
            ("ollama", 500, "server busy", Refused),
            ("omlx", 404, "Loading model", Refused),
        ] {
            assert_eq!(kind(provider_type, status, body), Some(expected), "{provider_type} {status} {body}");
        }
    }

    #[test]
    fn a_list_of_models_tells_whether_any_is_loaded() {
        let loading = Some(ProbeFailureKind::Loading);
        for (provider_type, body, expected) in [
            ("llama-server", r#"{"data":[{"id":"m","meta":null}]}"#, loading),
            ("llama-server", r#"{"data":[{"id":"m","meta":{"n_ctx_train":1}}]}"#, None),
            ("llama-server", r#"{"data":[{"id":"m","meta":null,"status":{"value":"unloaded"}}]}"#, None),
            ("llama-server", r#"{"data":[{"id":"m"}]}"#, None),
            (
                "lmstudio",
                r#"{"data":[{"state":"not-loaded"},{"type":"embeddings","state":"loaded"}]}"#,
                loading,
            ),
            ("lmstudio", r#"{"data":[{"state":"not-loaded"},{"state":"loaded"}]}"#, None),
            ("lmstudio", r#"{"data":[{"type":"embeddings","state":"not-loaded"}]}"#, None),
            ("lmstudio", r#"{"data":[{"id":"m"}]}"#, None),
            ("lmstudio", r#"{"data":[]}"#, None),
            ("lmstudio", r#"{"data":{"state":"not-loaded"}}"#, None),
            ("lmstudio", r#"{"data":[{"state":"not-loaded"}"#, None),
            ("vllm", r#"{"data":[{"state":"not-loaded","meta":null}]}"#, None),
            ("lmstudio", "", None),
        ] {
            assert_eq!(kind(provider_type, 200, body), expected, "{provider_type} {body}");
        }
    }
}
