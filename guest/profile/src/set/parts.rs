//! The parts of a profile within a set.

use alloc::vec::Vec;

use super::strings::{Strings, StringsIn};
use super::{load_list, load_number, save_list, save_number, take_byte};
use crate::bounds::MOST_ITEMS;
use crate::carry::State;
use crate::model::{Header, LimitRule, Meaning, Profile, RefusalRule};

/// The number of an enumeration's case.
fn number_of<T: State>(case: T) -> u64 {
    let mut byte = Vec::new();
    case.save(&mut byte);
    byte.first().copied().map_or(0, u64::from)
}

/// The case of a number, from as many bits of it.
fn take_case<T: State>(bits: &mut u64, width: u32) -> Option<T> {
    let case = (*bits & ((1 << width) - 1)) as u8;
    *bits >>= width;
    T::load(&mut &[case][..])
}

pub(super) fn save_flags(profile: &Profile, to: &mut Vec<u8>) {
    let bits = number_of(profile.body)
        | u64::from(profile.sentence_counts) << 2
        | u64::from(profile.doubts_hints) << 3;
    save_number(bits, to);
}

pub(super) fn load_flags(profile: &mut Profile, from: &mut &[u8]) -> Option<()> {
    let mut bits = load_number(from)?;
    profile.body = take_case(&mut bits, 2)?;
    profile.sentence_counts = take_case(&mut bits, 1)?;
    profile.doubts_hints = take_case(&mut bits, 1)?;
    Some(())
}

pub(super) fn save_header(header: &Header, strings: &Strings<'_>, to: &mut Vec<u8>) {
    strings.save(&header.name, to);
    save_number(number_of(header.meaning.what) | number_of(header.kind) << 5, to);
    to.extend([header.meaning.limit, header.meaning.rank]);
}

pub(super) fn load_header(from: &mut &[u8], strings: &StringsIn<'_>) -> Option<Header> {
    let name = strings.load(from)?;
    let mut bits = load_number(from)?;
    let what = take_case(&mut bits, 5)?;
    let kind = take_case(&mut bits, 2)?;
    let meaning = Meaning { what, limit: take_byte(from)?, rank: take_byte(from)? };
    Some(Header { name, kind, meaning })
}

pub(super) fn save_limit(limit: &LimitRule, strings: &Strings<'_>, to: &mut Vec<u8>) {
    let bits = number_of(limit.quantity)
        | number_of(limit.refill) << 3
        | number_of(limit.edge) << 5
        | number_of(limit.effect) << 8
        | u64::from(limit.overall) << 10;
    save_number(bits, to);
    strings.save(&limit.pool, to);
    save_window(limit.window_s, to);
    strings.save_all(&limit.claims, to);
    // An allowance of nothing declares nothing.
    save_number(limit.declared.unwrap_or_default(), to);
}

pub(super) fn load_limit(from: &mut &[u8], strings: &StringsIn<'_>) -> Option<LimitRule> {
    let mut bits = load_number(from)?;
    Some(LimitRule {
        quantity: take_case(&mut bits, 3)?,
        refill: take_case(&mut bits, 2)?,
        edge: take_case(&mut bits, 3)?,
        effect: take_case(&mut bits, 2)?,
        overall: take_case(&mut bits, 1)?,
        pool: strings.load(from)?,
        window_s: load_window(from)?,
        claims: strings.load_all(from)?,
        declared: Some(load_number(from)?).filter(|allowance| *allowance > 0),
    })
}

pub(super) fn save_refusal(rule: &RefusalRule, strings: &Strings<'_>, to: &mut Vec<u8>) {
    save_number(number_of(rule.class) | number_of(rule.edge) << 4, to);
    save_list(&rule.status, to, |status, to| save_number((*status).into(), to));
    strings.save_all(&rule.words, to);
    strings.save_all(&rule.texts, to);
    save_window(rule.window_s, to);
}

pub(super) fn load_refusal(from: &mut &[u8], strings: &StringsIn<'_>) -> Option<RefusalRule> {
    let mut bits = load_number(from)?;
    Some(RefusalRule {
        class: take_case(&mut bits, 4)?,
        edge: take_case(&mut bits, 3)?,
        status: load_list(from, MOST_ITEMS, |from| u16::try_from(load_number(from)?).ok())?,
        words: strings.load_all(from)?,
        texts: strings.load_all(from)?,
        window_s: load_window(from)?,
    })
}

/// One more than the length; 0 where none is known.
fn save_window(window_s: Option<u32>, to: &mut Vec<u8>) {
    save_number(window_s.map_or(0, |window_s| u64::from(window_s) + 1), to);
}

fn load_window(from: &mut &[u8]) -> Option<Option<u32>> {
    let number = load_number(from)?;
    number.checked_sub(1).map(u32::try_from).transpose().ok()
}
