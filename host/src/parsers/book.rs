//! Which parser serves which provider type, and which one did before.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::candidate::Digest;

/// Components that failed and are remembered.
const MOST_WITHDRAWN: usize = 64;

/// Which parser serves what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Book {
    /// By provider type.
    pub(super) types: BTreeMap<String, Places>,
    /// By digest: where a component is from.
    pub(super) origins: BTreeMap<Digest, String>,
    /// By digest: those that failed.
    pub(super) withdrawn: BTreeMap<Digest, Withdrawal>,
}

/// What serves one provider type; the built-in parser where nothing does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Places {
    /// What serves.
    pub(super) current: Option<Digest>,
    /// What served before.
    pub(super) previous: Option<Digest>,
}

/// Why a parser was taken out of service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Withdrawal {
    /// RFC 3339.
    pub(super) at: String,
    pub(super) why: String,
}

impl Places {
    fn replace(&mut self, digest: Option<Digest>) {
        if self.current != digest {
            self.previous = self.current.take();
            self.current = digest;
        }
    }
}

impl Book {
    /// Every component that is named.
    pub(super) fn digests(&self) -> impl Iterator<Item = Digest> {
        self.types.values().flat_map(|places| [places.current, places.previous]).flatten()
    }

    /// Puts a component into service for these types, and out of it what it replaces elsewhere: earlier versions of
    /// itself, for types that it no longer serves.
    pub(super) fn install(
        &mut self,
        digest: Digest,
        types: &[String],
        origin: &str,
        is_earlier: impl Fn(Digest) -> bool,
    ) {
        for (name, places) in &mut self.types {
            if !types.contains(name) && places.current.is_some_and(&is_earlier) {
                places.replace(None);
            }
        }
        for name in types {
            self.types.entry(name.clone()).or_default().replace(Some(digest));
        }
        self.withdrawn.remove(&digest);
        self.origins.insert(digest, origin.to_owned());
        self.tidy();
    }

    /// Takes a component out of service for having failed: what served before serves again, else the built-in.
    pub(super) fn withdraw(&mut self, digest: Digest, withdrawal: Withdrawal) {
        for places in self.types.values_mut() {
            if places.current == Some(digest) {
                places.current = places.previous.take();
            } else if places.previous == Some(digest) {
                places.previous = None;
            }
        }
        self.withdrawn.insert(digest, withdrawal);
        while self.withdrawn.len() > MOST_WITHDRAWN {
            let oldest = self.withdrawn.iter().min_by(|(_, a), (_, b)| a.at.cmp(&b.at));
            let Some(oldest) = oldest.map(|(digest, _)| *digest) else { break };
            self.withdrawn.remove(&oldest);
        }
        self.tidy();
    }

    /// Takes a component out of service; a rollback brings it back. Tells for which types it served.
    pub(super) fn remove(&mut self, digest: Digest) -> Vec<String> {
        let mut served = Vec::new();
        for (name, places) in &mut self.types {
            if places.current == Some(digest) {
                places.replace(None);
                served.push(name.clone());
            }
        }
        served
    }

    /// Exchanges what serves and what served before. Tells for which types.
    pub(super) fn roll_back(&mut self, is_meant: impl Fn(&str, &Places) -> bool) -> Vec<String> {
        let mut types = Vec::new();
        for (name, places) in &mut self.types {
            if (places.current.is_some() || places.previous.is_some()) && is_meant(name, places) {
                std::mem::swap(&mut places.current, &mut places.previous);
                types.push(name.clone());
            }
        }
        types
    }

    /// Forgets what is named nowhere.
    fn tidy(&mut self) {
        self.types.retain(|_, places| places.current.is_some() || places.previous.is_some());
        let named: Vec<Digest> = self.digests().collect();
        self.origins.retain(|digest, _| named.contains(digest));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(name: &str) -> Digest {
        Digest::of(name.as_bytes())
    }

    fn install(book: &mut Book, name: &str, types: &[&str], earlier: &str) {
        let types: Vec<String> = types.iter().map(|name| (*name).to_owned()).collect();
        book.install(digest(name), &types, name, |other| other == digest(earlier));
    }

    fn places(book: &Book, provider_type: &str) -> (Option<Digest>, Option<Digest>) {
        let places = book.types.get(provider_type).copied().unwrap_or_default();
        (places.current, places.previous)
    }

    fn failed() -> Withdrawal {
        Withdrawal { at: "2026-01-15T12:00:00Z".into(), why: "it trapped".into() }
    }

    #[test]
    fn what_is_replaced_is_kept_as_the_one_before() {
        let mut book = Book::default();
        install(&mut book, "a1", &["x", "y"], "");
        install(&mut book, "a2", &["x"], "a1");
        install(&mut book, "a2", &["x"], "a2");
        assert_eq!(places(&book, "x"), (Some(digest("a2")), Some(digest("a1"))));
        assert_eq!(places(&book, "y"), (None, Some(digest("a1"))));
        assert_eq!(book.origins.len(), 2);
    }

    #[test]
    fn one_that_failed_gives_way_to_the_one_before_and_that_to_the_built_in() {
        let mut book = Book::default();
        install(&mut book, "a1", &["x"], "");
        install(&mut book, "a2", &["x"], "a1");
        book.withdraw(digest("a2"), failed());
        assert_eq!(places(&book, "x"), (Some(digest("a1")), None));
        book.withdraw(digest("a1"), failed());
        assert_eq!((places(&book, "x"), book.types.len(), book.origins.len()), ((None, None), 0, 0));
        assert_eq!(book.withdrawn.len(), 2);
        install(&mut book, "a2", &["x"], "");
        assert_eq!(book.withdrawn.len(), 1);
    }

    #[test]
    fn the_failed_are_remembered_within_bounds() {
        let mut book = Book::default();
        for number in 0..=MOST_WITHDRAWN {
            let at = format!("2026-01-15T12:00:{number:02}Z");
            book.withdraw(digest(&number.to_string()), Withdrawal { at, ..failed() });
        }
        assert_eq!(book.withdrawn.len(), MOST_WITHDRAWN);
        assert!(!book.withdrawn.contains_key(&digest("0")));
    }

    #[test]
    fn what_is_removed_comes_back_by_a_rollback_and_goes_by_another() {
        let mut book = Book::default();
        install(&mut book, "a1", &["x"], "");
        assert_eq!(book.remove(digest("a1")), ["x"]);
        assert_eq!(book.remove(digest("a1")), [] as [&str; 0]);
        assert_eq!(places(&book, "x"), (None, Some(digest("a1"))));
        assert_eq!(book.roll_back(|name, _| name == "x"), ["x"]);
        assert_eq!(places(&book, "x"), (Some(digest("a1")), None));
        assert_eq!(book.roll_back(|name, _| name == "y"), [] as [&str; 0]);
        assert_eq!(book.roll_back(|_, _| true), ["x"]);
        assert_eq!(places(&book, "x"), (None, Some(digest("a1"))));
    }
}
