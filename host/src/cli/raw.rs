//! Raw HTTP responses, as `curl -i` prints them.

use runtime_signals::capture::Response as Seen;

use runtime_signals::forms::{BadLine, HeaderList, Response};

/// Does the input begin as a raw response does?
pub(super) fn is_http(input: &[u8]) -> bool {
    input.trim_ascii_start().starts_with(b"HTTP/")
}

/// Reads a raw response. Of several heads, as redirects, proxies and `100 Continue` bring, the last one counts.
pub(super) fn read(input: &[u8], provider_type: Option<&str>) -> Result<Response, BadLine> {
    let text = String::from_utf8_lossy(input.trim_ascii_start());
    let mut rest = &*text;
    let mut lines = 0;
    loop {
        let (status, is_tunnel, headers, body) = head(rest, &mut lines)?;
        let is_followed = is_tunnel || matches!(status, 100..200 | 300..400);
        if is_followed && is_http(body.as_bytes()) {
            rest = body;
            continue;
        }
        let seen = Seen {
            provider_type: provider_type.map(str::to_owned).ok_or(BadLine::NoType)?,
            status,
            headers,
            body: (!body.is_empty()).then(|| body.to_owned()),
        };
        return Ok(Response { seen, now: None });
    }
}

/// Status, whether it opens a tunnel through a proxy, headers, and what follows.
fn head<'a>(text: &'a str, lines: &mut usize) -> Result<(u16, bool, HeaderList, &'a str), BadLine> {
    let (status_line, mut rest) = line(text, lines);
    let mut words = status_line.splitn(3, ' ').skip(1);
    let status =
        words.next().and_then(|status| status.parse().ok()).filter(|status| (100..1000).contains(status));
    let status =
        status.ok_or(BadLine::Head(*lines, "no status line such as HTTP/1.1 429 Too Many Requests"))?;
    let is_tunnel = words.next().is_some_and(|reason| reason.eq_ignore_ascii_case("connection established"));
    let mut headers = HeaderList::new();
    while !rest.is_empty() {
        let (header, tail) = line(rest, lines);
        rest = tail;
        if header.is_empty() {
            break;
        }
        match (header.split_once(':'), headers.last_mut()) {
            (_, Some((_, value))) if header.starts_with([' ', '\t']) => {
                value.push(' ');
                value.push_str(header.trim());
            }
            (Some((name, value)), _) if !name.is_empty() => {
                headers.push((name.to_owned(), value.trim().to_owned()))
            }
            _ => return Err(BadLine::Head(*lines, "no header such as retry-after: 20")),
        }
    }
    Ok((status, is_tunnel, headers, rest))
}

/// The first line, without its end, and the rest.
fn line<'a>(text: &'a str, lines: &mut usize) -> (&'a str, &'a str) {
    *lines += 1;
    let (line, rest) = text.split_once('\n').unwrap_or((text, ""));
    (line.strip_suffix('\r').unwrap_or(line), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(text: &str) -> Seen {
        read(text.as_bytes(), Some("openai")).unwrap().seen
    }

    #[test]
    fn lines_may_end_either_way_and_the_body_is_left_as_it_is() {
        for text in [
            "HTTP/2 429 \r\nRetry-After: 7\r\nx-a:b: c\r\n\r\n{}\r\n\r\nz",
            "HTTP/1.1 429 Too Many Requests\nRetry-After:7\nx-a: b:\n  c\n\n{}\r\n\r\nz",
        ] {
            let seen = seen(text);
            assert_eq!((seen.status, seen.body.as_deref()), (429, Some("{}\r\n\r\nz")));
            let own = |name: &str, value: &str| (name.to_owned(), value.to_owned());
            assert_eq!(seen.headers, [own("Retry-After", "7"), own("x-a", "b: c")]);
        }
        assert_eq!(seen("HTTP/1.1 200 OK\n\n").body, None);
        assert_eq!(seen("HTTP/1.1 200").headers, []);
    }

    #[test]
    fn the_last_of_several_heads_counts() {
        for first in [
            "HTTP/1.1 100 Continue",
            "HTTP/1.1 302 Found\r\nlocation: /b",
            "HTTP/1.1 200 Connection established",
        ] {
            let seen = seen(&format!("{first}\r\n\r\nHTTP/1.1 503 Busy\r\na: b\r\n\r\nbody"));
            assert_eq!((seen.status, seen.body.as_deref()), (503, Some("body")), "{first}");
        }
        assert_eq!(seen("HTTP/1.1 200 OK\n\nHTTP/1.1 is old").body.unwrap(), "HTTP/1.1 is old");
    }

    #[test]
    fn what_is_wrong_is_told_by_its_line_and_not_repeated() {
        for (text, told) in [
            (
                "HTTP/1.1 SECRET",
                "line 1 of its head is no status line such as HTTP/1.1 429 Too Many Requests",
            ),
            (
                "HTTP/1.1 99 Low",
                "line 1 of its head is no status line such as HTTP/1.1 429 Too Many Requests",
            ),
            ("HTTP/1.1 200 OK\na: b\nSECRET\n", "line 3 of its head is no header such as retry-after: 20"),
        ] {
            assert_eq!(read(text.as_bytes(), Some("openai")).unwrap_err().to_string(), told);
        }
        assert!(matches!(read(b"HTTP/1.1 200 OK\n\n", None), Err(BadLine::NoType)));
    }
}
