//! The texts of a set: sorted, in blocks of 16, each text but a block's first told by how much of the one
//! before it is shared and what follows.

use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

use super::{load_list, load_number, save_list, save_number, take_record};
use crate::bounds::{LONGEST_TEXT_BYTES, MOST_ITEMS};
use crate::model::Profile;

/// How many texts are decoded at most to reach one.
const BLOCK: usize = 16;

/// The texts of profiles that are to be written.
pub(super) struct Strings<'a>(Vec<&'a str>);

impl<'a> Strings<'a> {
    pub(super) fn of(profiles: &'a [Profile]) -> Self {
        let mut texts = BTreeSet::new();
        for profile in profiles {
            texts.insert(profile.name.as_str());
            texts.extend(profile.aliases.iter().map(String::as_str));
            texts.extend(profile.headers.iter().map(|header| header.name.as_str()));
            for limit in &profile.limits {
                texts.insert(limit.pool.as_str());
                texts.extend(limit.claims.iter().map(String::as_str));
            }
            for rule in &profile.refusals {
                texts.extend(rule.words.iter().chain(&rule.texts).map(String::as_str));
            }
        }
        Self(texts.into_iter().collect())
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let mut blocks = Vec::new();
        for block in self.0.chunks(BLOCK) {
            let mut bytes = Vec::new();
            let mut before = "";
            for (place, text) in block.iter().enumerate() {
                let shared = before.bytes().zip(text.bytes()).take_while(|(a, b)| a == b).count();
                if place > 0 {
                    save_number(shared as u64, &mut bytes);
                }
                let own = text.as_bytes().get(shared..).unwrap_or_default();
                save_number(own.len() as u64, &mut bytes);
                bytes.extend_from_slice(own);
                before = text;
            }
            save_number(bytes.len() as u64, &mut blocks);
            blocks.extend(bytes);
        }
        let mut bytes = Vec::new();
        save_number(blocks.len() as u64, &mut bytes);
        bytes.extend(blocks);
        bytes
    }

    pub(super) fn save(&self, text: &str, to: &mut Vec<u8>) {
        let place = self.0.binary_search(&text).unwrap_or(self.0.len());
        save_number(place as u64, to);
    }

    pub(super) fn save_all(&self, texts: &[String], to: &mut Vec<u8>) {
        save_list(texts, to, |text, to| self.save(text, to));
    }
}

/// The texts of a set that is read.
#[derive(Clone, Copy, Debug)]
pub(super) struct StringsIn<'a>(&'a [u8]);

impl<'a> StringsIn<'a> {
    pub(super) fn read(from: &mut &'a [u8]) -> Option<Self> {
        take_record(from).map(Self)
    }

    /// The text whose place stands at the front.
    pub(super) fn load(&self, from: &mut &[u8]) -> Option<String> {
        let place = usize::try_from(load_number(from)?).ok()?;
        let mut blocks = self.0;
        for _ in 0..place / BLOCK {
            take_record(&mut blocks)?;
        }
        let text = Block::take(&mut blocks)?.nth(place % BLOCK)?;
        String::from_utf8(text).ok()
    }

    pub(super) fn load_all(&self, from: &mut &[u8]) -> Option<Vec<String>> {
        load_list(from, MOST_ITEMS, |from| self.load(from))
    }

    /// The place of a text.
    pub(super) fn position(&self, text: &str) -> Option<u64> {
        let mut rest = self.0;
        let blocks = core::iter::from_fn(|| Block::take(&mut rest));
        (0..).zip(blocks).find_map(|(number, mut block)| {
            let place = block.position(|found| found == text.as_bytes())?;
            Some(number * BLOCK as u64 + place as u64)
        })
    }
}

/// The texts of one block, one after the other.
struct Block<'a> {
    rest: &'a [u8],
    before: Option<Vec<u8>>,
}

impl<'a> Block<'a> {
    fn take(from: &mut &'a [u8]) -> Option<Self> {
        Some(Self { rest: take_record(from)?, before: None })
    }
}

impl Iterator for Block<'_> {
    type Item = Vec<u8>;

    fn next(&mut self) -> Option<Vec<u8>> {
        let mut text = match self.before.take() {
            None => Vec::new(),
            Some(mut before) => {
                let shared = usize::try_from(load_number(&mut self.rest)?).ok()?;
                (shared <= before.len()).then(|| before.truncate(shared))?;
                before
            }
        };
        text.extend_from_slice(take_record(&mut self.rest)?);
        (text.len() <= LONGEST_TEXT_BYTES).then_some(())?;
        self.before = Some(text.clone());
        Some(text)
    }
}
