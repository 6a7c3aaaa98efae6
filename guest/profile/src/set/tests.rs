use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::*;
use crate::carry::State;
use crate::model::{Meaning, RefusalRule};

/// Numbers from a seed: the same in every run.
struct Random(u64);

impl Random {
    fn next(&mut self, below: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % below
    }

    fn case<T: State>(&mut self, cases: u64) -> T {
        T::load(&mut &[self.next(cases) as u8][..]).unwrap()
    }

    fn list<T>(&mut self, most: u64, mut item: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.next(most + 1)).map(|_| item(self)).collect()
    }

    fn text(&mut self) -> String {
        let beginning = ["", "x-ratelimit-", "x-ratelimit-limit-", "grün"][self.next(4) as usize];
        let end: String = self.list(8, |random| (b'a' + random.next(26) as u8) as char).into_iter().collect();
        format!("{beginning}{end}")
    }

    fn window(&mut self) -> Option<u32> {
        [None, Some(0), Some(60), Some(86_400), Some(u32::MAX)][self.next(5) as usize]
    }

    fn profile(&mut self) -> Profile {
        Profile {
            name: self.text(),
            aliases: self.list(3, Self::text),
            headers: self.list(20, |random| Header {
                name: random.text(),
                kind: random.case(3),
                meaning: Meaning {
                    what: random.case(19),
                    limit: random.next(256) as u8,
                    rank: random.next(256) as u8,
                },
            }),
            limits: self.list(5, |random| LimitRule {
                quantity: random.case(5),
                pool: random.text(),
                window_s: random.window(),
                refill: random.case(3),
                edge: random.case(5),
                effect: random.case(3),
                claims: random.list(3, Self::text),
                overall: random.case(2),
                declared: None,
            }),
            refusals: self.list(5, |random| RefusalRule {
                class: random.case(8),
                status: random.list(3, |random| random.next(600) as u16),
                words: random.list(3, Self::text),
                texts: random.list(3, Self::text),
                window_s: random.window(),
                edge: random.case(5),
            }),
            body: self.case(3),
            sentence_counts: self.case(2),
            doubts_hints: self.case(2),
        }
    }

    /// Profiles, some of which share what such profiles share.
    fn profiles(&mut self) -> Vec<Profile> {
        let mut profiles = self.list(12, Self::profile);
        for place in 1..profiles.len() {
            let other = profiles[self.next(place as u64) as usize].clone();
            let common = profiles.get(usize::from(COMMON)).filter(|_| place > usize::from(COMMON)).cloned();
            let profile = &mut profiles[place];
            match self.next(4) {
                0 => (profile.headers, profile.limits) = (other.headers, other.limits),
                1 => profile.headers.extend(common.into_iter().flat_map(|common| common.headers)),
                _ => {}
            }
        }
        profiles
    }
}

#[test]
fn every_profile_of_a_set_is_read_as_it_was_and_found_by_all_its_names() {
    let mut random = Random(0x5eed);
    for _ in 0..150 {
        let profiles = random.profiles();
        let bytes = encode_set(&profiles);
        let set = ProfileSet::read(&bytes).unwrap();
        assert_eq!(usize::from(set.count()), profiles.len());
        for (handle, profile) in (0..).zip(&profiles) {
            assert_eq!(set.profile(handle).as_ref(), Some(profile));
            for name in profile.aliases.iter().chain([&profile.name]) {
                let first = profiles.iter().position(|one| one.name == *name || one.aliases.contains(name));
                assert_eq!(set.find(name).map(usize::from), first);
            }
        }
        assert_eq!(set.profile(set.count()), None);
        assert_eq!(set.find("not there"), None);
    }
}

#[test]
fn what_is_no_set_is_none_and_never_a_panic() {
    let mut random = Random(0xbad);
    let look = |bytes: &[u8]| {
        let Some(set) = ProfileSet::read(bytes) else { return };
        for handle in (0..set.count().min(20)).chain([u16::MAX]) {
            let _ = set.profile(handle);
        }
        let _ = (set.find(""), set.find("x-ratelimit-a"));
    };
    for _ in 0..5_000 {
        look(&random.list(60, |random| random.next(256) as u8));
    }
    for _ in 0..8 {
        let profiles = random.profiles();
        let bytes = encode_set(&profiles);
        (0..bytes.len()).for_each(|length| assert!(ProfileSet::read(&bytes[..length]).is_none()));
        for _ in 0..200 {
            let mut bytes = bytes.clone();
            let place = random.next(bytes.len() as u64) as usize;
            bytes[place] = random.next(256) as u8;
            look(&bytes);
        }
    }
}

#[test]
fn a_set_that_refers_to_itself_ends() {
    // A text "a", and one profile of that name whose parts are those of another, which is itself.
    let set = |same: u8| [&[3, 2, 1, b'a', 1, 5, 0, 0, 0, same, 0][..]].concat();
    let own = set(0);
    assert_eq!(ProfileSet::read(&own).map(|set| set.count()), Some(1));
    let bytes = set(1);
    assert_eq!(ProfileSet::read(&bytes).unwrap().profile(0), None);
}

#[test]
fn a_profile_beyond_the_bounds_is_not_read() {
    let long = Profile { name: "a".repeat(121), ..Profile::default() };
    let many = Profile { aliases: vec!["a".to_string(); 33], ..Profile::default() };
    let bytes = encode_set(&[long, many]);
    let set = ProfileSet::read(&bytes).unwrap();
    assert_eq!((set.profile(0), set.profile(1)), (None, None));
}
