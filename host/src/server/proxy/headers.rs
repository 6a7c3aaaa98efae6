//! Which headers are passed on: all but those of one connection, and our own token.

use std::collections::HashSet;

use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::super::guard::TOKEN_HEADER;

/// The headers of a request, as they are passed on to `host`.
pub(super) fn of_request(headers: &HeaderMap, host: HeaderValue) -> HeaderMap {
    let mut passed = end_to_end(headers);
    passed.insert(header::HOST, host);
    passed
}

/// The headers without those that are meant for the other end of one connection (RFC 9110, section 7.6.1), in their
/// order.
pub(super) fn end_to_end(headers: &HeaderMap) -> HeaderMap {
    let named = named_by_connection(headers);
    // A length beside it would be wrong (RFC 9112, section 6.3).
    let is_chunked = headers.contains_key(header::TRANSFER_ENCODING);
    let mut passed = HeaderMap::with_capacity(headers.len());
    for (name, value) in headers {
        let stays = is_hop_by_hop(name)
            || named.contains(name)
            || is_chunked && name == header::CONTENT_LENGTH
            || name.as_str() == TOKEN_HEADER;
        if !stays {
            passed.append(name, value.clone());
        }
    }
    passed
}

fn is_hop_by_hop(name: &HeaderName) -> bool {
    matches!(
        *name,
        header::CONNECTION | header::TE | header::TRAILER | header::TRANSFER_ENCODING | header::UPGRADE
    ) || name.as_str() == "keep-alive"
        || name.as_str().starts_with("proxy-")
}

fn named_by_connection(headers: &HeaderMap) -> HashSet<HeaderName> {
    let values = headers.get_all(header::CONNECTION).iter();
    let names = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let names = names.filter_map(|name| HeaderName::from_bytes(name.trim_ascii()).ok());
    // What every message needs is of no single connection, whatever it says.
    names.filter(|name| *name != header::HOST && *name != header::CONTENT_LENGTH).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn what_is_for_one_connection_stays_and_all_else_goes_on_in_its_order() {
        let headers = map(&[
            ("host", "127.0.0.1:7433"),
            ("authorization", "Bearer SECRET"),
            ("connection", "Keep-Alive, x-private"),
            ("connection", "close, content-length, (?)"),
            ("keep-alive", "timeout=5"),
            ("proxy-authorization", "Basic SECRET"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("upgrade", "websocket"),
            ("x-private", "1"),
            ("x-runtime-signals-token", "SECRET"),
            ("accept", "a"),
            ("accept", "b"),
            ("content-length", "7"),
        ]);
        let passed = of_request(&headers, HeaderValue::from_static("api.example"));
        let passed: Vec<_> =
            passed.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(
            passed,
            [
                ("host", "api.example"),
                ("authorization", "Bearer SECRET"),
                ("accept", "a"),
                ("accept", "b"),
                ("content-length", "7")
            ]
        );
    }

    #[test]
    fn a_length_beside_chunks_is_left_out() {
        let headers = map(&[("content-length", "7"), ("transfer-encoding", "chunked")]);
        assert!(end_to_end(&headers).is_empty());
    }
}
