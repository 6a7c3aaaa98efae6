//! What a profile takes over from another.

use std::vec::Vec;

use super::limit::{is_of_limit, told_by};
use crate::model::{Header, Profile};

/// Appends the headers, limits and refusals of another profile.
///
/// Its own headers win. A limit of the other is left out, with all its headers, where one of them has a
/// meaning here, or where a limit here has one of its claims.
pub(super) fn extend(profile: &mut Profile, base: Profile) {
    let own = profile.headers.clone();
    let is_own = |header: &Header| own.iter().any(|own| own.name == header.name && own.kind == header.kind);
    let claims: Vec<_> = profile.limits.iter().flat_map(|limit| limit.claims.clone()).collect();
    // The new place of each limit of the other.
    let mut places = Vec::new();
    for (place, limit) in base.limits.into_iter().enumerate() {
        let tells =
            |header: &&Header| is_of_limit(header.meaning.what) && usize::from(header.meaning.limit) == place;
        let replaced = base.headers.iter().filter(tells).any(is_own)
            || limit.claims.iter().any(|claim| claims.contains(claim));
        places.push((!replaced).then_some(profile.limits.len() as u8));
        if !replaced {
            profile.limits.push(limit);
        }
    }
    for mut header in base.headers {
        let what = header.meaning.what;
        if is_own(&header) {
            continue;
        }
        if is_of_limit(what) {
            let Some(Some(place)) = places.get(usize::from(header.meaning.limit)) else { continue };
            header.meaning.limit = *place;
        } else {
            // What it names itself is asked first.
            let same = |own: &&Header| told_by(own.meaning.what) == told_by(what);
            let before = own.iter().filter(same).count() as u8;
            header.meaning.rank = header.meaning.rank.saturating_add(before);
        }
        profile.headers.push(header);
    }
    for rule in base.refusals {
        if !profile.refusals.contains(&rule) {
            profile.refusals.push(rule);
        }
    }
}
