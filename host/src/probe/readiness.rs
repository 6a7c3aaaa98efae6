//! The second question, for those who ask for it: is there a slot free, does anything wait?

use super::answer::Answer;
use super::{Failure, ProbeFailureKind};

/// What is asked, by provider type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Question {
    /// llama-server: 503 when no slot is free, or while it loads.
    Slots,
    /// LM Studio: which models are loaded.
    LoadedModels,
    /// How many requests wait, by the metric of this name.
    Waiting(&'static str),
}

impl Question {
    /// The question that servers of this type answer, if there is one.
    pub(super) fn of(provider_type: &str) -> Option<Self> {
        Some(match provider_type {
            "llama-server" => Self::Slots,
            "lmstudio" | "lm-studio" => Self::LoadedModels,
            "vllm" => Self::Waiting("vllm:num_requests_waiting"),
            "sglang" => Self::Waiting("sglang:num_queue_reqs"),
            "tgi" => Self::Waiting("tgi_queue_size"),
            _ => return None,
        })
    }

    /// The path below the base, and the query.
    pub(super) fn path(self) -> (&'static str, Option<&'static str>) {
        match self {
            Self::Slots => ("slots", Some("fail_on_no_slot=1")),
            Self::LoadedModels => ("api/v0/models", None),
            Self::Waiting(_) => ("metrics", None),
        }
    }

    /// Fails where the answer says that the server is loading, or busy. One that says nothing is no failure:
    /// many servers do not offer it.
    pub(super) fn verdict(self, answer: &Answer, provider_type: &str) -> Result<(), Failure> {
        answer.shortage(provider_type)?;
        if !answer.status.is_success() {
            return Ok(());
        }
        match self {
            Self::Slots => slots(&answer.body),
            Self::LoadedModels => answer.models_are_loaded(provider_type),
            Self::Waiting(metric) => waiting(&answer.body, metric),
        }
    }
}

/// Older servers list the slots, whatever is asked.
fn slots(body: &[u8]) -> Result<(), Failure> {
    #[derive(serde::Deserialize)]
    struct Slot {
        is_processing: bool,
    }
    let slots: Vec<Slot> = serde_json::from_slice(body).unwrap_or_default();
    if !slots.is_empty() && slots.iter().all(|slot| slot.is_processing) {
        return Err((ProbeFailureKind::Busy, format!("all its slots ({}) are taken", slots.len())));
    }
    Ok(())
}

/// Sums a metric over its labels, in the text form of Prometheus.
fn waiting(body: &[u8], metric: &str) -> Result<(), Failure> {
    let text = String::from_utf8_lossy(body);
    let samples = text.lines().filter_map(|line| {
        let rest = line.strip_prefix(metric)?;
        let value = match rest.strip_prefix('{') {
            Some(labelled) => labelled.rsplit_once('}')?.1,
            None => rest.strip_prefix(' ')?,
        };
        value.split_whitespace().next()?.parse::<f64>().ok().filter(|value| value.is_finite())
    });
    let waiting: f64 = samples.sum();
    if waiting > 0.0 {
        return Err((ProbeFailureKind::Busy, format!("requests wait in its queue: {waiting}")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn failure(provider_type: &str, status: u16, body: &str) -> Option<Failure> {
        let answer = Answer { status: StatusCode::from_u16(status).unwrap(), body: body.into() };
        Question::of(provider_type).unwrap().verdict(&answer, provider_type).err()
    }

    #[test]
    fn no_free_slot_is_busy_and_one_is_not() {
        let slots = |states: &[bool]| {
            let slots: Vec<_> =
                states.iter().map(|state| serde_json::json!({"is_processing": state})).collect();
            failure("llama-server", 200, &serde_json::json!(slots).to_string())
        };
        assert_eq!(
            slots(&[true, true]).unwrap(),
            (ProbeFailureKind::Busy, "all its slots (2) are taken".into())
        );
        assert_eq!(slots(&[true, false]), None);
        assert_eq!(slots(&[]), None);
        for (status, body) in [(404, ""), (501, "not supported"), (200, "[{"), (200, "{}"), (401, "busy")] {
            assert_eq!(failure("llama-server", status, body), None, "{status} {body}");
        }
    }

    #[test]
    fn requests_that_wait_are_summed_over_labels() {
        let metrics = "# HELP vllm:num_requests_waiting Number of requests\n\
            vllm:num_requests_waiting_by_reason{reason=\"capacity\"} 9\n\
            vllm:num_requests_waiting{engine=\"0\",model_name=\"a}b\"} 2.0\n\
            vllm:num_requests_waiting{engine=\"1\",model_name=\"c\"} 1.0 1700000000\n\
            vllm:num_requests_waiting{engine=\"2\"} NaN\n";
        assert_eq!(failure("vllm", 200, metrics).unwrap().1, "requests wait in its queue: 3");
        assert_eq!(failure("vllm", 200, &metrics.replace(" 2.0", " 0").replace(" 1.0", " 0")), None);
        assert_eq!(failure("tgi", 200, "tgi_queue_size 4\n").unwrap().0, ProbeFailureKind::Busy);
        assert_eq!(failure("sglang", 200, "sglang:num_queue_reqs{a=\"b\"} 0\n"), None);
        assert_eq!(failure("vllm", 200, "vllm:num_requests_waiting{"), None);
    }
}
