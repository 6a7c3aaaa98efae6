//! Who may use the service: by address, host, origin, token, rate; and by the socket.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;

use serde_json::json;

use super::client::{ALONE, Service, answer, configure};
use crate::cli::Home;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

#[test]
fn a_name_that_was_bound_to_loopback_is_no_host_of_ours() {
    let service = Service::start();
    for host in ["rebound.example", "rebound.example:7433", "", "localhost.example"] {
        let refused = service.request("GET", "/v1/signals", &[("host", host)], b"");
        assert_eq!(refused.status, 421, "{host}: {refused:?}");
        assert!(!refused.problem().is_empty());
    }
    for host in ["localhost", "127.0.0.1:1", "[::1]"] {
        assert_eq!(service.request("GET", "/v1/signals", &[("host", host)], b"").status, 200, "{host}");
    }
    let named = Service::configured(&format!("{ALONE}[service]\nallowed_hosts = [\"signals.example\"]\n"));
    assert_eq!(named.request("GET", "/v1/signals", &[("host", "signals.example:80")], b"").status, 200);
}

#[test]
fn pages_of_other_origins_may_not_ask() {
    let service = Service::start();
    for origin in ["http://evil.example", "null", "http://localhost:3000"] {
        let refused = service.request("GET", "/v1/signals", &[("origin", origin)], b"");
        assert_eq!(refused.status, 403, "{refused:?}");
        assert_eq!(refused.header("access-control-allow-origin"), "");
    }
    let own = format!("http://{}", service.address);
    assert_eq!(service.request("GET", "/v1/signals", &[("origin", &own)], b"").status, 200);
}

#[test]
fn with_a_token_nothing_but_health_is_told_without_it() {
    let home = Home::new();
    std::fs::write(home.path("token"), format!("{TOKEN}\n")).unwrap();
    configure(&home, &format!("{ALONE}[service]\ntoken_file = {:?}\n", home.path("token")));
    let service = Service::at(home, &[]);
    for path in ["/v1/signals", "/v1/events", "/v1/openapi.json", "/nothing"] {
        let refused = service.get(path);
        assert_eq!((refused.status, refused.header("www-authenticate")), (401, "Bearer"), "{path}");
        assert!(!refused.body.contains(TOKEN));
    }
    for wrong in ["Bearer", "Bearer x", &format!("Bearer {TOKEN}x"), &format!("Basic {TOKEN}")] {
        assert_eq!(
            service.request("GET", "/v1/signals", &[("authorization", wrong)], b"").status,
            401,
            "{wrong}"
        );
    }
    assert_eq!(service.get("/healthz").status, 200);
    for (name, value) in
        [("authorization", format!("Bearer {TOKEN}")), ("x-runtime-signals-token", TOKEN.into())]
    {
        assert_eq!(service.request("GET", "/v1/signals", &[(name, &value)], b"").status, 200);
    }
    assert!(!service.end().contains(TOKEN));
}

#[test]
fn beyond_loopback_it_does_not_start_without_a_token() {
    let home = Home::new();
    for listen in ["0.0.0.0:0", "[::]:0", "192.0.2.7:7433"] {
        for arguments in [&["serve", "--listen", listen][..], &["serve", "--check", "--listen", listen]] {
            let refused = home.run(arguments);
            assert_eq!(refused.status, 1, "{refused:?}");
            assert!(
                refused.stderr.contains("can be reached from other machines: name a token"),
                "{refused:?}"
            );
        }
    }
    let checked = home
        .command(&["serve", "--check", "--listen", "0.0.0.0:0"])
        .env("RUNTIME_SIGNALS_TOKEN", TOKEN)
        .output();
    let checked = checked.unwrap();
    assert!(checked.status.success());
    assert!(!String::from_utf8_lossy(&checked.stdout).contains(TOKEN));
    let short = home.command(&["serve", "--check"]).env("RUNTIME_SIGNALS_TOKEN", "short").output().unwrap();
    assert!(String::from_utf8_lossy(&short.stderr).contains("fewer than 16 characters"));
}

#[test]
fn who_asks_too_often_is_told_to_wait() {
    let service = Service::configured(&format!("{ALONE}[service.limits]\nrequests_per_second = 5\n"));
    let answers: Vec<_> = (0..20).map(|_| service.get("/healthz")).collect();
    let refused = answers.iter().find(|answer| answer.status == 429).expect("some are refused");
    assert_eq!(refused.header("retry-after"), "1");
    assert!(refused.problem().contains("more than 5 requests a second"), "{refused:?}");
    assert!(answers.iter().filter(|answer| answer.status == 200).count() >= 5);
}

#[test]
fn the_socket_is_for_its_owner_and_goes_with_the_service() {
    let home = Home::new();
    let path = home.path("api.sock");
    configure(&home, &format!("{ALONE}[service]\nsocket = {path:?}\n"));
    // One that nobody listens on any more is replaced.
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    let service = Service::at(home, &[]);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: anything\r\nconnection: close\r\n\r\n").unwrap();
    let told = answer(stream);
    assert_eq!((told.status, &told.json()["status"]), (200, &json!("ok")));

    let second = service.home.run(&["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(second.status, 1);
    assert!(second.stderr.contains("another process listens on it"), "{second:?}");
    service.end();
    assert!(!path.exists());
}
