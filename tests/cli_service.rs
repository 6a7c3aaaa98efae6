//! Commands that ask a running service in place of the cache: the same answers, the same exit statuses.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::cli::{Ended, Home, call, lines};
use crate::serve::client::{ALONE, Service, configure, eventually};

const TOKEN: &str = "0123456789abcdef0123";

fn url(service: &Service) -> String {
    format!("http://{}", service.address)
}

/// Runs a command in a home of its own, so that nothing but the service can answer.
fn ask(service: &Service, arguments: &[&str]) -> Ended {
    Home::new().run(&[&["--service", &url(service)], arguments].concat())
}

#[test]
fn read_prints_of_a_service_what_it_prints_of_the_cache() {
    let service = Service::start();
    service.observe(&[call("mine", 200, json!({"x-ratelimit-remaining-requests": "59"}))]);
    let read = ask(&service, &["read", "mine", "--json"]).only_json();
    assert_eq!((&read["signal"]["quota_remaining"], &read["fresh"]), (&json!(59), &json!(true)));
    let stored = eventually(|| {
        let stored = service.home.run(&["read", "mine", "--json"]);
        (stored.status == 0).then_some(stored)
    });
    let keys = |value: &Value| Vec::from_iter(value.as_object().unwrap().keys().cloned());
    assert_eq!(keys(&read), keys(&stored.only_json()));
    let table = ask(&service, &["read", "mine", "--format", "table"]).stdout;
    assert!(table.starts_with("PROVIDER") && table.contains("\nmine "), "{table}");

    let absent = ask(&service, &["read", "nobody"]);
    assert_eq!((absent.status, absent.stdout.as_str()), (3, ""), "{absent:?}");
    assert!(absent.stderr.contains("knows nothing of nobody"), "{}", absent.stderr);
    let all = ask(&service, &["read"]).json();
    assert_eq!((all.len(), &all[0]["signal"]["provider"]), (1, &json!("mine")));
    assert_eq!(ask(&service, &[]).only_json()["signal"]["status"], json!("available"));
}

#[test]
fn decisions_are_told_as_from_the_cache() {
    let service = Service::start();
    let limited = json!({"x-ratelimit-limit-tokens": "1000", "x-ratelimit-remaining-tokens": "900"});
    service.observe(&[call("fine", 200, limited), call("out", 429, json!({"retry-after": "655"}))]);
    eventually(|| (service.home.entry("fine").exists() && service.home.entry("out").exists()).then_some(()));
    for (arguments, status) in [
        (&["guard", "fine", "--tokens", "900"][..], 0),
        (&["guard", "out"], 75),
        (&["guard", "fine", "--tokens", "1001"], 75),
        (&["guard", "nobody"], 69),
        (&["guard", "nobody", "--on-unknown", "allow"], 0),
        (&["wait", "fine", "--max", "1s"], 0),
        (&["wait", "out", "--max", "5s"], 75),
        (&["wait", "nobody"], 69),
        (&["rank", "fine", "out"], 0),
        (&["rank", "out"], 75),
    ] {
        let (asked, stored) = (ask(&service, arguments), service.home.run(arguments));
        assert_eq!((asked.status, stored.status), (status, status), "{asked:?} {stored:?}");
        let keys = |ended: &Ended| Vec::from_iter(ended.json()[0].as_object().unwrap().keys().cloned());
        assert_eq!(keys(&asked), keys(&stored), "{arguments:?}");
        let words = [arguments, &["--format", "table"]].concat();
        let shape = |ended: Ended| ended.stdout.replace(char::is_numeric, "");
        assert_eq!(shape(ask(&service, &words)), shape(service.home.run(&words)), "{arguments:?}");
    }
}

#[test]
fn a_wait_by_a_service_ends_when_the_request_can_pass() {
    let service = Service::start();
    service.observe(&[call("mine", 429, json!({"retry-after": "1"}))]);
    assert_eq!(ask(&service, &["guard", "mine"]).status, 75);
    for bound in [&[][..], &["--max", "30s"]] {
        let waited = ask(&service, &[&["wait", "mine"], bound].concat());
        assert_eq!((waited.status, &waited.json()[0]["answer"]), (0, &json!("go")), "{waited:?}");
    }
}

#[test]
fn ingest_sends_to_a_service_what_it_understands() {
    let service = Service::start();
    let home = Home::new();
    let mut input: Vec<Value> = (0..250).map(|_| call("mine", 200, json!({}))).collect();
    input.insert(120, json!({"provider": "mine"}));
    let ended = home.run_with(&["ingest", "--service", &url(&service)], &lines(&input));
    assert_eq!(ended.status, 1, "{ended:?}");
    assert!(ended.stderr.contains("line 121: `status` is missing"), "{}", ended.stderr);
    let summary = &ended.json()[0];
    assert_eq!(*summary, json!({"lines": 251, "recorded": 250, "bad": 1, "providers": ["mine"]}));
    assert_eq!(service.signal("mine")["status"], json!("available"));
    assert!(!home.cache().exists());

    let dry = home.run_with(&["ingest", "--dry-run", "--service", &url(&service)], b"");
    assert_eq!(dry.status, 2, "{dry:?}");
}

#[test]
fn what_the_service_refuses_is_told_by_its_line() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nproviders = 1\n"));
    let home = Home::new();
    let calls: Vec<Value> = ["one", "two", "one", "three"].map(|name| call(name, 200, json!({}))).into();
    let ended = home.run_with(&["ingest", "--service", &url(&service)], &lines(&calls));
    assert_eq!((ended.status, &ended.json()[0]["recorded"]), (1, &json!(2)), "{ended:?}");
    for line in ["line 2: ", "line 4: ", "bad lines: 2 of 4"] {
        assert!(ended.stderr.contains(line), "{}", ended.stderr);
    }
    let only_bad =
        home.run_with(&["ingest", "--service", &url(&service)], &lines(&[call("four", 200, json!({}))]));
    assert_eq!((only_bad.status, &only_bad.json()[0]["recorded"]), (1, &json!(0)), "{only_bad:?}");
}

#[test]
fn a_service_that_is_away_is_an_error_and_no_reason_to_read_the_cache() {
    let home = Home::new();
    home.run_with(&["ingest"], &lines(&[call("mine", 200, json!({}))]));
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for arguments in [&["read", "mine"][..], &["guard", "mine"], &["wait", "mine"], &["rank"], &[]] {
        let away = home.run(&[&["--service", &format!("http://{free}")], arguments].concat());
        assert_eq!((away.status, away.stdout.as_str()), (1, ""), "{away:?}");
        for text in ["cannot be reached", "refused", "runtime-signals serve", "--service off"] {
            assert!(away.stderr.contains(text), "{}", away.stderr);
        }
    }
}

#[test]
fn the_command_line_wins_over_the_environment_and_that_over_the_configuration() {
    let home = Home::new();
    home.run_with(&["ingest"], &lines(&[call("mine", 200, json!({}))]));
    let service = Service::start();
    service.observe(&[call("theirs", 200, json!({}))]);
    let names = |arguments: &[&str], variable: &str| {
        let mut command = home.command(&[&["read"], arguments].concat());
        let read = Ended::from(command.env("RUNTIME_SIGNALS_SERVICE", variable).output().unwrap());
        Vec::from_iter(read.json().iter().map(|entry| entry["signal"]["provider"].clone()))
    };
    let cache = home.cache();
    assert_eq!(names(&[], ""), ["mine"]);
    assert_eq!(names(&[], &url(&service)), ["theirs"]);
    assert_eq!(names(&["--service", "off"], &url(&service)), ["mine"]);
    assert_eq!(names(&["--cache-dir", cache.to_str().unwrap()], &url(&service)), ["mine"]);
    configure(&home, &format!("[client]\nservice = \"{}\"\n", url(&service)));
    assert_eq!(names(&[], ""), ["theirs"]);
    assert_eq!(names(&[], "off"), ["mine"]);

    for arguments in [
        &["clear", "mine", "--service", "off"][..],
        &["read", "--service", "off", "--cache-dir", "/tmp"],
        &["read", "--service", "nowhere"],
        &["read", "--service", "http://me:hunter2@host"],
    ] {
        let refused = home.run(arguments);
        assert_eq!(refused.status, 2, "{refused:?}");
    }
}

#[test]
fn the_token_is_sent_and_never_shown() {
    let home = Home::new();
    configure(&home, ALONE);
    let service = Service::at(home, &[("RUNTIME_SIGNALS_TOKEN", TOKEN)]);
    let without = ask(&service, &["read"]);
    assert_eq!(without.status, 1, "{without:?}");
    assert!(without.stderr.contains("RUNTIME_SIGNALS_TOKEN"), "{}", without.stderr);
    let home = Home::new();
    let run = |variable: &str| {
        let mut command = home.command(&["read", "--service", &url(&service)]);
        command.env("RUNTIME_SIGNALS_LOG", "trace").env("RUNTIME_SIGNALS_TOKEN", variable);
        Ended::from(command.output().unwrap())
    };
    assert_eq!(run("wrong-token-of-some-length").status, 1);
    let ended = run(TOKEN);
    assert_eq!(ended.status, 0, "{ended:?}");
    assert!(!ended.stderr.contains(TOKEN), "{}", ended.stderr);
    let file = home.path("token");
    std::fs::write(&file, format!("{TOKEN}\n")).unwrap();
    for part in ["client", "service"] {
        configure(&home, &format!("[{part}]\ntoken_file = \"{}\"\n", file.display()));
        assert_eq!(run("").status, 0);
    }
    // Told apart by the address alone: the token of the service on this machine goes to no other one.
    let elsewhere = format!("http://0.0.0.0:{}", service.address.port());
    let refused = home.run(&["read", "--service", &elsewhere]);
    assert!(refused.stderr.contains("wants its token"), "{refused:?}");
    configure(&home, &format!("[client]\ntoken_file = \"{}\"\n", file.display()));
    assert_eq!(home.run(&["read", "--service", &elsewhere]).status, 0);
}

#[test]
fn a_service_is_asked_by_its_socket_too() {
    let home = Home::new();
    let socket = home.path("api.sock");
    configure(&home, &format!("{ALONE}[service]\nsocket = \"{}\"\n", socket.display()));
    let service = Service::at(home, &[]);
    service.observe(&[call("mine", 200, json!({}))]);
    let address = format!("unix:{}", socket.display());
    let read = Home::new().run(&["read", "mine", "--service", &address]).only_json();
    assert_eq!(read["signal"]["status"], json!("available"));
}

/// Answers one request by these bytes.
fn stranger(answer: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = answer.to_owned();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer.as_bytes());
    });
    format!("http://{address}")
}

#[test]
fn what_is_no_service_of_ours_is_told_and_steers_nothing() {
    let with_body = |status: &str, body: &str| {
        format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len())
    };
    let elsewhere =
        "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:9/\r\ncontent-length: 0\r\n\r\n".to_owned();
    for answer in [
        with_body("200 OK", "<html>\u{1b}]0;title\u{7}</html>"),
        with_body("404 Not Found", "nothing"),
        with_body("500 Oops", "{\"detail\":\"\\u001b[2J\"}"),
        with_body(
            "200 OK",
            "{\"signals\":[{\"signal\":{\"provider\":\"\\u001b[2J\"},\"fresh\":true,\"age_ns\":1}]}",
        ),
        elsewhere,
    ] {
        let ended = Home::new().run(&["read", "--service", &stranger(&answer)]);
        assert_eq!((ended.status, ended.stdout.as_str()), (1, ""), "{ended:?}");
        assert!(!ended.stderr.contains('\u{1b}') && !ended.stderr.is_empty(), "{}", ended.stderr);
    }
}
