//! The answers of the scripts.

use redis::Value;

/// What became of a signal that was to be published.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Published {
    /// It is there.
    Done,
    /// There are as many as may be.
    Full,
    /// This is there instead (empty: nothing), and it is not what was seen.
    Conflict(Vec<u8>),
}

/// Some of all signals.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Page {
    /// Where the next one begins; `None` behind the last.
    pub(super) next: Option<String>,
    /// Signals that were left out for their size.
    pub(super) left_out: usize,
    /// Providers and values.
    pub(super) signals: Vec<(String, Vec<u8>)>,
}

pub(super) fn published(value: Value) -> Option<Vec<Published>> {
    let Value::Array(answers) = value else { return None };
    let answers = answers.into_iter().map(|answer| match answer {
        Value::Int(1) => Some(Published::Done),
        Value::Int(0) => Some(Published::Full),
        Value::BulkString(stored) => Some(Published::Conflict(stored)),
        _ => None,
    });
    answers.collect()
}

pub(super) fn values(value: Value) -> Option<Vec<Vec<u8>>> {
    let Value::Array(values) = value else { return None };
    values.into_iter().map(bytes).collect()
}

pub(super) fn page(value: Value) -> Option<Page> {
    let Value::Array(answer) = value else { return None };
    let mut parts = answer.into_iter();
    let cursor = String::from_utf8(bytes(parts.next()?)?).ok()?;
    let Value::Int(left_out) = parts.next()? else { return None };
    let mut left_out = usize::try_from(left_out).ok()?;
    let mut signals = Vec::new();
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        match String::from_utf8(bytes(name)?) {
            Ok(name) => signals.push((name, bytes(value)?)),
            Err(_) => left_out += 1,
        }
    }
    Some(Page { next: (cursor != "0").then_some(cursor), left_out, signals })
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Value {
        Value::BulkString(text.into())
    }

    #[test]
    fn answers_are_read_and_others_are_none() {
        let answers = vec![Value::Int(1), text("{}"), Value::Int(0), text("")];
        let expected = [
            Published::Done,
            Published::Conflict(b"{}".into()),
            Published::Full,
            Published::Conflict(vec![]),
        ];
        assert_eq!(published(Value::Array(answers)).unwrap(), expected);
        assert_eq!(published(Value::Array(vec![Value::Nil])), None);
        assert_eq!(published(Value::Okay), None);
        assert_eq!(values(Value::Array(vec![text("a"), Value::Int(1)])), None);
    }

    #[test]
    fn a_page_tells_the_next_one_and_what_it_leaves_out() {
        let answer =
            vec![text("7"), Value::Int(1), text("a"), text("{}"), Value::BulkString(vec![255]), text("")];
        let page = page(Value::Array(answer)).unwrap();
        assert_eq!((page.next.as_deref(), page.left_out), (Some("7"), 2));
        assert_eq!(page.signals, [("a".to_owned(), b"{}".to_vec())]);
        assert_eq!(super::page(Value::Array(vec![text("0"), Value::Int(0)])).unwrap().next, None);
        assert_eq!(super::page(Value::Array(vec![text("0")])), None);
    }
}
