//! A set of profiles in one run of bytes, to be embedded: each text stands in it once, and each profile is
//! decoded when it is asked for.
//!
//! Writer and reader are the same version. The texts come first, then the profiles, each
//! behind its length. Numbers have seven bits a byte, lowest first. A profile whose headers and limits are
//! those of an earlier one names it instead, and one whose headers end with those of the profile [`COMMON`]
//! leaves them out.

mod parts;
mod strings;

use alloc::vec::Vec;

use crate::bounds::{MOST_HEADERS, MOST_ITEMS, MOST_LIMITS, MOST_REFUSALS};
use crate::model::{Header, LimitRule, Profile};
use parts::{
    load_flags, load_header, load_limit, load_refusal, save_flags, save_header, save_limit, save_refusal,
};
use strings::{Strings, StringsIn};

/// The handle of the profile `openai` in the built-in set.
pub const OPENAI: u16 = 0;
/// The handle of the profile that reads types that no profile names, in the built-in set.
pub const GENERIC: u16 = 1;
/// The handle of the profile whose refusal rules follow those of every other, in the built-in set.
pub const COMMON: u16 = 2;

/// A set, as it lies in memory.
#[derive(Clone, Copy, Debug)]
pub struct ProfileSet<'a> {
    strings: StringsIn<'a>,
    profiles: &'a [u8],
    count: u16,
}

/// Writes a set. The handle of a profile is its place. A profile within [`crate::bounds`] is read as it was.
#[must_use]
pub fn encode_set(profiles: &[Profile]) -> Vec<u8> {
    let strings = Strings::of(profiles);
    let mut bytes = strings.encode();
    save_number(profiles.len() as u64, &mut bytes);
    for (place, profile) in profiles.iter().enumerate() {
        let earlier = profiles.get(..place).unwrap_or_default();
        let record = encode_profile(profile, earlier, &strings);
        save_number(record.len() as u64, &mut bytes);
        bytes.extend(record);
    }
    bytes
}

fn encode_profile(profile: &Profile, earlier: &[Profile], strings: &Strings<'_>) -> Vec<u8> {
    let mut to = Vec::new();
    strings.save(&profile.name, &mut to);
    strings.save_all(&profile.aliases, &mut to);
    save_flags(profile, &mut to);
    let is_common = earlier.len() == usize::from(COMMON);
    // The first of equals has the parts itself, and so has the one whose headers others leave out.
    let same = earlier
        .iter()
        .position(|other| other.headers == profile.headers && other.limits == profile.limits)
        .filter(|_| !is_common)
        .map_or(0, |place| place as u64 + 1);
    save_number(same, &mut to);
    if same == 0 {
        let common = earlier.get(usize::from(COMMON)).map_or(&[][..], |common| &common.headers);
        let own = profile.headers.strip_suffix(common).filter(|_| !common.is_empty());
        to.push(u8::from(own.is_some()));
        save_list(own.unwrap_or(&profile.headers), &mut to, |header, to| save_header(header, strings, to));
        save_list(&profile.limits, &mut to, |limit, to| save_limit(limit, strings, to));
    }
    save_list(&profile.refusals, &mut to, |rule, to| save_refusal(rule, strings, to));
    to
}

impl<'a> ProfileSet<'a> {
    /// Takes in a set; `None` when the bytes are none.
    #[must_use]
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut rest = bytes;
        let strings = StringsIn::read(&mut rest)?;
        let count = u16::try_from(load_number(&mut rest)?).ok()?;
        let set = Self { strings, profiles: rest, count };
        let end = (0..count).try_fold(rest, |mut rest, _| take_record(&mut rest).map(|_| rest))?;
        end.is_empty().then_some(set)
    }

    /// How many profiles there are; their handles count from 0.
    #[must_use]
    pub const fn count(&self) -> u16 {
        self.count
    }

    /// The handle of the profile with that name or alias.
    #[must_use]
    pub fn find(&self, provider_type: &str) -> Option<u16> {
        let wanted = self.strings.position(provider_type)?;
        let mut rest = self.profiles;
        (0..self.count).find(|_| take_record(&mut rest).is_some_and(|record| is_named(record, wanted)))
    }

    /// Decodes a profile.
    #[must_use]
    pub fn profile(&self, handle: u16) -> Option<Profile> {
        let mut from = self.record(handle)?;
        let mut profile = self.named(&mut from)?;
        let same = load_number(&mut from)?;
        (profile.headers, profile.limits) = match same.checked_sub(1) {
            None => self.parts(&mut from)?,
            Some(earlier) => {
                let earlier = u16::try_from(earlier).ok().filter(|earlier| *earlier < handle)?;
                let mut from = self.record(earlier)?;
                self.named(&mut from)?;
                // One step and no more.
                (load_number(&mut from)? == 0).then_some(())?;
                self.parts(&mut from)?
            }
        };
        profile.refusals = load_list(&mut from, MOST_REFUSALS, |from| load_refusal(from, &self.strings))?;
        from.is_empty().then_some(profile)
    }

    fn record(&self, handle: u16) -> Option<&'a [u8]> {
        let mut rest = self.profiles;
        for _ in 0..handle.min(self.count) {
            take_record(&mut rest)?;
        }
        take_record(&mut rest).filter(|_| handle < self.count)
    }

    fn named(&self, from: &mut &[u8]) -> Option<Profile> {
        let name = self.strings.load(from)?;
        let aliases = self.strings.load_all(from)?;
        let mut profile = Profile { name, aliases, ..Profile::default() };
        load_flags(&mut profile, from)?;
        Some(profile)
    }

    fn parts(&self, from: &mut &[u8]) -> Option<(Vec<Header>, Vec<LimitRule>)> {
        let common = take_byte(from)? != 0;
        let mut headers = self.headers(from)?;
        if common {
            let mut from = self.record(COMMON)?;
            self.named(&mut from)?;
            // The common ones stand in full: neither another's nor without an end.
            (load_number(&mut from)? == 0 && take_byte(&mut from)? == 0).then_some(())?;
            headers.extend(self.headers(&mut from)?);
        }
        (headers.len() <= MOST_HEADERS).then_some(())?;
        let limits = load_list(from, MOST_LIMITS, |from| load_limit(from, &self.strings))?;
        Some((headers, limits))
    }

    fn headers(&self, from: &mut &[u8]) -> Option<Vec<Header>> {
        load_list(from, MOST_HEADERS, |from| load_header(from, &self.strings))
    }
}

/// Is the text of that place its name or an alias?
fn is_named(mut record: &[u8], wanted: u64) -> bool {
    if load_number(&mut record) == Some(wanted) {
        return true;
    }
    let count = load_number(&mut record).unwrap_or(0).min(MOST_ITEMS as u64);
    (0..count).any(|_| load_number(&mut record) == Some(wanted))
}

fn take_record<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(load_number(from)?).ok()?;
    let (record, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(record)
}

fn take_byte(from: &mut &[u8]) -> Option<u8> {
    crate::carry::byte(from)
}

fn save_number(mut number: u64, to: &mut Vec<u8>) {
    while number > 0x7f {
        to.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    to.push(number as u8);
}

fn load_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let part = take_byte(from)?;
        number |= u64::from(part & 0x7f) << shift;
        if part < 0x80 {
            return Some(number);
        }
    }
    None
}

fn save_list<T>(list: &[T], to: &mut Vec<u8>, save: impl Fn(&T, &mut Vec<u8>)) {
    save_number(list.len() as u64, to);
    list.iter().for_each(|item| save(item, to));
}

fn load_list<T>(
    from: &mut &[u8],
    most: usize,
    mut load: impl FnMut(&mut &[u8]) -> Option<T>,
) -> Option<Vec<T>> {
    let count = load_number(from)?;
    if count > most as u64 {
        return None;
    }
    (0..count).map(|_| load(from)).collect()
}

#[cfg(test)]
mod tests;
