//! Conditional requests (RFC 9110, section 13): who has an answer already need not get it again.

use http::{HeaderMap, header};

/// Does `If-None-Match` name the tag?
pub(super) fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    asked.get_all(header::IF_NONE_MATCH).iter().any(|known| names(known.as_bytes(), tag))
}

/// Weak comparison.
fn names(condition: &[u8], tag: &str) -> bool {
    let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
    let condition = String::from_utf8_lossy(condition);
    condition.split(',').any(|known| known.trim() == "*" || opaque(known) == opaque(tag))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn tags_are_compared_weakly_and_in_lists() {
        let tag = "W/\"0123\"";
        for condition in ["*", "W/\"0123\"", "\"0123\"", "\"a\", W/\"0123\"", "\"a\",\"0123\""] {
            assert!(names(condition.as_bytes(), tag), "{condition}");
        }
        for condition in ["", "\"012\"", "0123", "W/\"01234\""] {
            assert!(!names(condition.as_bytes(), tag), "{condition}");
        }
    }
}
