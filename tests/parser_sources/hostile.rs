//! Registries that mean harm: what they send is bounded, and nothing is sent where it can be read.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use runtime_signals::parsers::source::{Reference, RegistryOptions, RegistryProblem};
use serde_json::json;

use super::registry::{options, pull_by};

/// A server that answers each request by its path, one a connection, and tells what it was sent.
struct Server {
    host: String,
    requests: Receiver<String>,
}

/// What is written to the connection, as long as somebody reads it.
type Answer = Box<dyn Read + Send>;

impl Server {
    fn start(answer: impl Fn(&str, &str) -> Answer + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = listener.local_addr().unwrap().to_string();
        let (sender, requests) = channel();
        let own = host.clone();
        // It ends when nobody asks for its requests any more, or with the process.
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                let mut connection = connection.unwrap();
                let request = read_request(&connection);
                let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
                if sender.send(request).is_err() {
                    return;
                }
                let _ = std::io::copy(&mut answer(&path, &own), &mut connection);
                let _ = connection.flush();
            }
        });
        Self { host, requests }
    }

    fn reference(&self) -> Reference {
        format!("{}/a:1", self.host).parse().unwrap()
    }

    fn pull(&self) -> RegistryProblem {
        let options = RegistryOptions { docker_config: Some(self.credentials()), ..options() };
        pull_by(options, &self.reference()).expect_err("nothing is pulled").problem
    }

    /// A Docker configuration with a secret for this server.
    fn credentials(&self) -> std::path::PathBuf {
        let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR"));
        let file = folder.join(format!("docker-{}.json", self.host.replace(':', "-")));
        // `user:secret`
        std::fs::write(&file, json!({"auths": {&self.host: {"auth": "dXNlcjpzZWNyZXQ="}}}).to_string())
            .unwrap();
        file
    }
}

fn read_request(connection: &TcpStream) -> String {
    let lines = BufReader::new(connection).lines().map_while(Result::ok);
    lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

fn answer(status: &str, headers: &str, body: impl Read + Send + 'static) -> Answer {
    let head = format!("HTTP/1.1 {status}\r\nconnection: close\r\n{headers}\r\n");
    Box::new(std::io::Cursor::new(head).chain(body))
}

fn wants_token(realm: &str) -> Answer {
    let challenge = format!("www-authenticate: Bearer realm=\"{realm}\",service=\"s\"\r\n");
    answer("401 Unauthorized", &format!("{challenge}content-length: 0\r\n"), std::io::empty())
}

#[test]
fn a_manifest_without_end_is_not_read_to_its_end() {
    let server = Server::start(|_, _| answer("200 OK", "", std::io::repeat(b' ')));
    assert!(matches!(server.pull(), RegistryProblem::TooLarge { most: 65_536 }));
}

#[test]
fn a_refusal_without_end_is_not_read() {
    let server = Server::start(|_, _| answer("500 Oops", "", std::io::repeat(b' ')));
    assert!(matches!(server.pull(), RegistryProblem::Status(500)));
}

#[test]
fn a_token_without_end_or_with_a_line_break_is_refused() {
    let endless = Server::start(|path, own| match path.starts_with("/token") {
        true => answer("200 OK", "", std::io::repeat(b' ')),
        false => wants_token(&format!("http://{own}/token")),
    });
    assert!(matches!(endless.pull(), RegistryProblem::TooLarge { .. }));
    let broken = Server::start(|path, own| match path.starts_with("/token") {
        true => answer("200 OK", "", br#"{"token": "a\r\nb"}"#.as_slice()),
        false => wants_token(&format!("http://{own}/token")),
    });
    assert!(matches!(broken.pull(), RegistryProblem::Token(_)));
}

#[test]
fn credentials_go_to_the_named_address_for_tokens_and_the_token_to_the_registry() {
    let server = Server::start(|path, own| match path.starts_with("/token") {
        true => answer("200 OK", "", br#"{"access_token": "once"}"#.as_slice()),
        false => wants_token(&format!("http://{own}/token")),
    });
    assert!(matches!(server.pull(), RegistryProblem::Unauthorized { .. }));
    let requests: Vec<String> = server.requests.try_iter().map(|one| one.to_ascii_lowercase()).collect();
    let [asked, token, again] = requests.as_slice() else { panic!("{requests:?}") };
    assert!(!asked.contains("authorization: "), "{asked}");
    assert!(token.starts_with("get /token?service=s&scope=repository%3aa%3apull "), "{token}");
    assert!(token.contains("authorization: basic dxnlcjpzzwnyzxq="), "{token}");
    assert!(again.contains("authorization: bearer once"), "{again}");
}

#[test]
fn nothing_is_asked_without_tls_of_a_host_that_is_not_listed() {
    let realm = Server::start(|_, _| wants_token("http://registry.example.com/token"));
    assert!(matches!(realm.pull(), RegistryProblem::Token("it names an address without TLS")));
    let redirect = Server::start(|_, _| {
        let headers = "location: http://registry.example.com/v2/\r\ncontent-length: 0\r\n";
        answer("307 Temporary Redirect", headers, std::io::empty())
    });
    let problem = redirect.pull().to_string();
    assert!(problem.contains("a redirect leads away from TLS"), "{problem}");
}

#[test]
fn credentials_are_not_sent_on_to_where_a_redirect_leads() {
    let elsewhere = Server::start(|_, _| answer("404 Not Found", "content-length: 0\r\n", std::io::empty()));
    let target = elsewhere.host.clone();
    let server = Server::start(move |_, _| {
        let headers = format!("location: http://{target}/elsewhere\r\ncontent-length: 0\r\n");
        answer("307 Temporary Redirect", &headers, std::io::empty())
    });
    assert!(matches!(server.pull(), RegistryProblem::NotFound));
    let asked = elsewhere.requests.try_recv().unwrap();
    assert!(asked.starts_with("GET /elsewhere") && !asked.contains("uthorization"), "{asked}");
}
