//! Hosts of a fleet whose shared server is something else, or misbehaves: they go on alone, and say why.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use serde_json::json;

use super::peer::{Peer, drip, keep_silent, pour};
use crate::fleet::{OPENAI, refusal, sharing, status};
use crate::serve::client::{Service, eventually};

/// Reads the words of the next request, as far as they come.
fn request(reader: &mut impl BufRead) -> Option<Vec<String>> {
    let mut line = || {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|length| *length > 0)?;
        Some(line.trim_end().to_owned())
    };
    let count: usize = line()?.strip_prefix('*')?.parse().ok()?;
    (0..count).map(|_| line().and_then(|_| line())).collect()
}

/// A server that greets as it should, subscribes, and then does as it likes.
fn after_the_greeting(deed: impl Fn(&mut TcpStream) -> usize + Send + Sync + 'static) -> Peer {
    Peer::misbehaving(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        while let Some(words) = request(&mut reader) {
            let word = words[0].to_ascii_uppercase();
            let answer: &[u8] = match word.as_str() {
                "HELLO" => b"%1\r\n$5\r\nproto\r\n:3\r\n",
                "CLIENT" => b"+OK\r\n",
                "SUBSCRIBE" => b">3\r\n$9\r\nsubscribe\r\n$7\r\nchannel\r\n:1\r\n",
                _ => return deed(stream),
            };
            if stream.write_all(answer).is_err() {
                return 0;
            }
        }
        0
    })
}

fn host(peer: &Peer) -> Service {
    let url = format!("redis://user:hunter2@{}", peer.address);
    Service::configured(&sharing(&url, OPENAI))
}

/// It is tried again and again, and what is asked meanwhile is answered from memory and disk.
fn goes_on_alone(what: &str, peer: &Peer) {
    let host = host(peer);
    let told = eventually(|| Some(status(&host)).filter(|status| status["error"].is_string()));
    assert_eq!(told["state"], json!("away"), "{what}: {told}");
    assert!(told["error"].as_str().unwrap().contains(&peer.address.to_string()), "{what}: {told}");
    assert!(told["error"].as_str().unwrap().len() < 1_000, "{what}: {told}");
    eventually(|| (peer.asked() > 2).then_some(()));
    host.observe(&[refusal("openai", "gpt-5")]);
    assert_eq!(host.signal("openai")["status"], json!("exhausted"), "{what}");
    // What was held of an answer is given back.
    eventually(|| (host.resident_kib() < 256 << 10).then_some(()));
    let log = host.end();
    assert!(!log.contains("hunter2") && !told.to_string().contains("hunter2"), "{what}: {log}");
}

#[test]
fn what_is_no_such_server_is_told_and_tried_again() {
    goes_on_alone("it says nothing", &Peer::misbehaving(keep_silent));
    goes_on_alone("it hangs up", &Peer::misbehaving(|_| 0));
    goes_on_alone("it drips", &Peer::misbehaving(|stream| drip(stream, b"+", b"a")));
    let http: &[u8] = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    goes_on_alone(
        "it speaks HTTP",
        &Peer::misbehaving(move |stream| stream.write_all(http).map_or(0, |()| keep_silent(stream))),
    );
}

#[test]
fn answers_that_nobody_asked_for_break_the_connection_off_and_nothing_else() {
    let saying = |bytes: &'static [u8]| {
        after_the_greeting(move |stream| stream.write_all(bytes).map_or(0, |()| keep_silent(stream)))
    };
    goes_on_alone("garbage", &saying(b"\0\x01\x02 what is this?\r\n"));
    goes_on_alone("a cluster", &saying(b"-MOVED 3999 127.0.0.1:9\r\n-MOVED 3999 127.0.0.1:9\r\n"));
    goes_on_alone("a huge list", &saying(b"*9223372036854775807\r\n"));
    goes_on_alone("a huge map", &saying(b"%4611686018427387904\r\n"));
    goes_on_alone("a negative map", &saying(b"%-1\r\n|-1\r\n"));
    goes_on_alone(
        "half an answer",
        &after_the_greeting(|stream| stream.write_all(b"$100\r\nabc").map_or(0, |()| 0)),
    );
    goes_on_alone("a drip", &after_the_greeting(|stream| drip(stream, b"$1000000\r\n", b"a")));
    let deep = "*1\r\n".repeat(100_000).leak().as_bytes();
    goes_on_alone("a deep list", &saying(deep));
}

#[test]
fn answers_without_end_are_given_up() {
    for (what, start, again) in [
        ("a text", &b"$9223372036854775000\r\n"[..], &b"aaaaaaaaaaaaaaaa"[..]),
        ("a line", b"+", b"aaaaaaaaaaaaaaaa"),
        ("a list", b"*9223372036854775000\r\n", b":1\r\n:1\r\n:1\r\n:1\r\n"),
        ("news", b"", b">3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$10\r\nstranger x\r\n"),
    ] {
        let again = again.repeat(1 << 12);
        let peer = after_the_greeting(move |stream| pour(stream, start, &again));
        goes_on_alone(what, &peer);
        println!("{what}: {} bytes", peer.poured());
    }
}
