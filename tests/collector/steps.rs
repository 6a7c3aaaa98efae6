//! Conformance steps, and how each path takes them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use runtime_signals::collector::Collector;
use runtime_signals::{CollectInput, Error, Headers, Observation, Service, Signal};
use serde_json::{Value, json};

const NO_HEADERS: &[(&str, &str)] = &[];

/// Conformance: the vectors as observed responses, and the whole API in one story.
pub(super) fn steps() -> Vec<Value> {
    let story: Vec<Value> = serde_json::from_str(include_str!("../vectors/collection.json")).unwrap();
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../vectors/rate-limit-responses.json")).unwrap();
    let observed = vectors.into_iter().map(|vector| {
        json!({
            "id": vector["id"], "at": vector["now"], "call": "observe-response", "provider": vector["id"],
            "type": vector["provider_type"], "status": vector["status"], "latency_ms": 100,
            "headers": vector["headers"], "body": vector["body"],
        })
    });
    story.into_iter().chain(observed).collect()
}

/// The parts of a step.
struct Step<'a>(&'a Value);

impl<'a> Step<'a> {
    fn text(&self, key: &str) -> &'a str {
        self.0[key].as_str().unwrap_or_default()
    }

    fn latency(&self) -> Duration {
        Duration::from_millis(self.0["latency_ms"].as_u64().unwrap_or(0))
    }

    fn input(&self) -> CollectInput {
        CollectInput { provider_type: self.text("type").into(), base_url: self.text("base_url").into() }
    }

    fn headers(&self) -> Vec<(&'a str, &'a str)> {
        let headers = self.0["headers"].as_array().unwrap();
        headers.iter().map(|pair| (pair[0].as_str().unwrap(), pair[1].as_str().unwrap())).collect()
    }

    fn observation(&self, headers: &'a dyn Headers) -> Observation<'a> {
        Observation {
            status: u16::try_from(self.0["status"].as_u64().unwrap()).ok(),
            body: self.0["body"].as_str().map(str::as_bytes),
            ttfb: self.0["ttfb_ms"].as_u64().map(Duration::from_millis),
            model: self.0["model"].as_str(),
            account: self.0["account"].as_str(),
            ..Observation::new(self.text("provider"), self.text("type"), headers, self.latency())
        }
    }
}

/// The result of a step: the signal's JSON, null where there is none, or the kind of an error.
fn result(answer: Result<Option<String>, Error>) -> Value {
    match answer {
        Ok(json) => json.map_or(Value::Null, Value::from),
        Err(Error::Name(_)) => json!({"error": "invalid-name"}),
        Err(error) => panic!("{error}"),
    }
}

pub(super) async fn by_service(service: &Service, step: &Value) -> Value {
    let (step, headers) = (Step(step), step.get("headers").map(|_| Step(step).headers()).unwrap_or_default());
    let (name, input) = (step.text("provider"), step.input());
    let signal: Result<Option<Signal>, Error> = match step.text("call") {
        "record-response" => service.store().record(&step.observation(&headers)).map(|()| None),
        "observe-response" => service.observe_response_durably(&step.observation(&headers)).map(Some),
        "observe" => {
            let error = step.0["error"].as_str();
            let base_url = &input.base_url;
            let headers = NO_HEADERS;
            service
                .observe_durably(name, &input.provider_type, base_url, &headers, step.latency(), error)
                .map(Some)
        }
        "collect" => service.collect(name, &input).await.map(Some),
        "warmup" => service.warmup(name, &input).await.map(Some),
        "read-cached" => service.read_cached(name).map(|cached| cached.map(|cached| cached.signal)),
        other => panic!("{other} is no call"),
    };
    let encode = |signal: Signal| String::from_utf8(service.store().encode(&signal).unwrap()).unwrap();
    result(signal.map(|signal| signal.map(encode)))
}

pub(super) async fn by_collector(collector: &Collector, step: &Value) -> Value {
    let (step, headers) = (Step(step), step.get("headers").map(|_| Step(step).headers()).unwrap_or_default());
    let (name, input) = (step.text("provider"), step.input());
    result(match step.text("call") {
        "record-response" => collector.record(&step.observation(&headers)).map(|()| None),
        "observe-response" => collector.observe_response(&step.observation(&headers)).map(Some),
        "observe" => {
            let error = step.0["error"].as_str();
            collector.observe(name, &input.provider_type, step.latency(), error).map(Some)
        }
        "collect" => collector.collect(name, &input).await.map(Some),
        "warmup" => collector.warmup(name, &input).await.map(Some),
        "read-cached" => collector.read_cached(name).map(|cached| cached.map(|cached| cached.json)),
        other => panic!("{other} is no call"),
    })
}

/// Leaves steps or results as lines, for those who compare further hosts with them.
pub(super) fn leave(name: &str, lines: &[Value]) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("steps");
    fs::create_dir_all(&folder).unwrap();
    let mut text = String::new();
    lines.iter().for_each(|line| writeln!(text, "{line}").unwrap());
    fs::write(folder.join(name), text).unwrap();
}
