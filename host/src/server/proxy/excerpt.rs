//! The start of the body of a refusal, which says why: it is read before the refusal is passed on, so that the signal
//! knows of it when the client does.

use std::io::Read;
use std::time::Duration;

use axum::body::Bytes;
use flate2::read::MultiGzDecoder;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Incoming};
use tokio::time::{Instant, timeout_at};

/// What is read, in bytes, as it is sent and as it is unpacked: what a profile looks at.
const MOST: usize = 64 << 10;
/// How long a refusal is held back for it.
const WAIT: Duration = Duration::from_millis(250);

/// Reads parts of the body until it ends, or there is enough, or it takes too long. What went wrong shows again when the
/// body is passed on.
pub(super) async fn read(body: &mut Incoming) -> Vec<Bytes> {
    let (mut parts, mut length) = (Vec::new(), 0);
    let until = Instant::now() + WAIT;
    while length < MOST && !body.is_end_stream() {
        let Ok(Some(Ok(frame))) = timeout_at(until, body.frame()).await else { break };
        let Ok(part) = frame.into_data() else { break };
        length += part.len();
        parts.push(part);
    }
    parts
}

/// The start of the text that these parts of a body are; `None` where it is packed in a way that is not read here.
pub(super) fn text(parts: &[Bytes], headers: &HeaderMap) -> Option<Vec<u8>> {
    let mut text = parts.concat();
    let encoding = headers.get(header::CONTENT_ENCODING).map(|encoding| encoding.as_bytes().trim_ascii());
    match encoding {
        None | Some(b"" | b"identity") => {}
        Some(b"gzip" | b"x-gzip") => {
            let packed = std::mem::take(&mut text);
            let limit = u64::try_from(MOST).unwrap_or(u64::MAX);
            // Of a body that is cut off, its start is unpacked.
            let _ = MultiGzDecoder::new(packed.as_slice()).take(limit).read_to_end(&mut text);
        }
        Some(_) => return None,
    }
    text.truncate(MOST);
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::HeaderValue;

    use super::*;

    fn told(body: &[u8], encoding: Option<&'static str>) -> Option<Vec<u8>> {
        let (start, end) = body.split_at(body.len() / 2);
        let parts = [Bytes::copy_from_slice(start), Bytes::copy_from_slice(end)];
        let encoding =
            encoding.map(|encoding| (header::CONTENT_ENCODING, HeaderValue::from_static(encoding)));
        text(&parts, &encoding.into_iter().collect())
    }

    fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_text_is_told_packed_or_not_and_never_more_than_its_start() {
        assert_eq!(told(b"{}", None).as_deref(), Some(&b"{}"[..]));
        assert_eq!(told(&gzip(b"{}"), Some("gzip")).as_deref(), Some(&b"{}"[..]));
        assert_eq!(told(&gzip(&vec![0; 1 << 20]), Some("gzip")).unwrap().len(), MOST);
        assert_eq!(told(&vec![0; 1 << 20], None).unwrap().len(), MOST);
        let cut = gzip(b"a text that is longer than nothing");
        assert!(told(&cut[..cut.len() - 8], Some("gzip")).unwrap().starts_with(b"a text"));
    }

    #[test]
    fn what_cannot_be_unpacked_is_not_told() {
        assert_eq!(told(b"packed", Some("br")), None);
        assert_eq!(told(b"no gzip", Some("gzip")), None);
        assert_eq!(told(b"", None), None);
    }
}
