//! Keys stand in every place where a key can stand, each with a mark of its own; none is in anything that is written,
//! logged or answered.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::cli::{Home, lines};
use crate::serve::{ALONE, Service, configure};

/// In a form that providers use, which cannot be missed.
fn key(place: &str) -> String {
    format!("sk-proj-{place}0123456789abcdefghijklmnopqrstuvwxyz")
}

/// Where keys are planted in what clients and providers say.
const PLACES: [&str; 13] = [
    "Authorization",
    "ApiKeyHeader",
    "Cookie",
    "SetCookie",
    "UnknownHeader",
    "LimitHeader",
    "ErrorText",
    "ErrorUrl",
    "ErrorPassword",
    "Body",
    "BodyText",
    "Environment",
    "BaseUrl",
];

/// Calls that carry them.
fn calls() -> Vec<Value> {
    let headers = json!({
        "authorization": format!("Bearer {}", key("Authorization")),
        "x-api-key": key("ApiKeyHeader"),
        "cookie": format!("session={}", key("Cookie")),
        "set-cookie": format!("session={}; HttpOnly", key("SetCookie")),
        "x-anything": key("UnknownHeader"),
        "x-ratelimit-remaining-requests": key("LimitHeader"),
        "retry-after": "60",
    });
    let body = json!({"error": {
        "message": format!("Incorrect API key provided: {}.", key("Body")),
        "code": "invalid_api_key"
    }});
    let call = |provider: &str, provider_type: &str, status: u16, body: &str| {
        json!({"provider": provider, "type": provider_type, "status": status, "headers": headers,
            "body": body, "latency_ms": 840})
    };
    let failed = |provider: &str, error: String| json!({"provider": provider, "type": "openai", "headers": {}, "latency_ms": 840, "error": error});
    let url = format!(
        "error sending request for url (https://me:{}@api.example/v1/chat?key={})",
        key("ErrorPassword"),
        key("ErrorUrl")
    );
    vec![
        call("refused", "openai", 401, &body.to_string()),
        call("limited", "openai", 429, &body.to_string()),
        call("other", "anthropic", 429, &format!("no more for {}", key("BodyText"))),
        failed("failed", format!("401 Unauthorized: key {} is not valid", key("ErrorText"))),
        failed("unsent", url),
    ]
}

/// Looks for all keys in a text.
#[track_caller]
fn assert_clean(text: &str, places: &[&str], what: &str) {
    for place in places {
        let mark = format!("{place}0123456789abcdef");
        assert!(!text.contains(&mark), "the key of {place} stands in {what}: {text}");
    }
}

/// Looks through all files below a folder; returns how many there are.
fn assert_clean_files(folder: &Path, places: &[&str]) -> usize {
    let mut files = 0;
    for entry in fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files += assert_clean_files(&path, places);
        } else {
            let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
            assert_clean(&text, places, &path.display().to_string());
            files += 1;
        }
    }
    files
}

const LOUD: (&str, &str) = ("RUNTIME_SIGNALS_LOG", "trace");

#[test]
fn no_key_is_on_disk_or_in_the_output_of_the_command_line() {
    let home = Home::new();
    let run = |arguments: &[&str], input: &[u8]| {
        let file = home.path("input");
        fs::write(&file, input).unwrap();
        let mut command = home.command(arguments);
        command.envs([LOUD]).env("OPENAI_API_KEY", key("Environment"));
        let output = command.stdin(fs::File::open(&file).unwrap()).output().unwrap();
        fs::remove_file(file).unwrap();
        for text in [output.stdout, output.stderr] {
            assert_clean(&String::from_utf8(text).unwrap(), &PLACES, &arguments.join(" "));
        }
    };
    let calls = lines(&calls());
    run(&["ingest"], &calls);
    run(&["ingest", "--dry-run"], &calls);
    run(&["parse", "--type", "openai"], &calls);
    let url = format!("http://me:{0}@127.0.0.1:9/{0}/v1?key={0}", key("BaseUrl"));
    run(&["warmup", "local", "--type", "ollama", "--base-url", &url], b"");
    run(&["collect", "local", "--type", "vllm", "--base-url", &url], b"");
    for arguments in [&["read"][..], &["rank", "--json"], &["wait", "limited", "--max", "0s"], &[]] {
        run(arguments, b"");
    }
    assert!(assert_clean_files(&home.path(""), &PLACES) >= 5, "nothing was stored");
}

#[test]
fn no_key_is_on_disk_or_in_the_log_or_the_answers_of_the_service() {
    let home = Home::new();
    let (token, password) = (key("Token"), key("Redis"));
    fs::write(home.path("token"), &token).unwrap();
    let url = format!("http://me:{0}@127.0.0.1:9/?key={0}", key("BaseUrl"));
    configure(
        &home,
        &format!(
            "{ALONE}[service]\ntoken_file = {:?}\n[shared]\nurl = \"redis://:{password}@127.0.0.1:9\"\n\
             [[providers]]\nname = \"local\"\ntype = \"ollama\"\nbase_url = \"{url}\"\n",
            home.path("token")
        ),
    );
    let service = Service::at(home, &[LOUD, ("OPENAI_API_KEY", &key("Environment"))]);
    let places = [&PLACES[..], &["Token", "Redis", "Query", "WrongToken"]].concat();
    let ask = |method: &str, path: &str, body: &[u8]| {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/x-ndjson"),
            ("cookie", &key("Cookie")),
        ];
        let answer = service.request(method, path, &headers, body);
        let text = format!("{:?}", (&answer.headers, &answer.body));
        assert_clean(&text, &places, &format!("the answer to {path}"));
        answer
    };
    assert_eq!(ask("POST", "/v1/observations", &lines(&calls())).json()["accepted"], json!(5));
    for path in ["/v1/signals", "/v1/signals/unsent", "/v1/rank", "/v1/wait?provider=limited", "/metrics"] {
        assert_eq!(ask("GET", path, b"").status, 200, "{path}");
    }
    ask("GET", &format!("/v1/signals?key={}", key("Query")), b"");
    // Who asks for a path is told which; nobody else is.
    service.get(&format!("/{}", key("Query").repeat(9)));
    let wrong = format!("Bearer {}", key("WrongToken"));
    let refused = service.request("GET", "/v1/signals", &[("authorization", &wrong)], b"");
    assert_eq!(refused.status, 401);
    assert_clean(&refused.body, &places, "the refusal");

    let (home, log) = service.end_by(nix::sys::signal::Signal::SIGTERM);
    assert!(!log.is_empty());
    assert_clean(&log, &places, "the log");
    fs::remove_file(home.path("token")).unwrap();
    fs::remove_dir_all(home.path(".config")).unwrap();
    assert!(assert_clean_files(&home.path(""), &places) >= 5, "nothing was stored");
}
