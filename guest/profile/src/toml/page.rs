//! `docs/providers.md`: what is read from each provider type.

use core::fmt::Write as _;
use std::format;
use std::string::String;
use std::vec::Vec;

use super::limit::{OF_ALL, OF_LIMIT};
use super::{COMMON_TYPE, ProfileError, Source, compile_builtin};
use crate::model::{BodyUse, Edge, Effect, Header, LimitRule, NameMatch, Profile, Refill, RefusalRule};

const HEAD: &str = "\
# What is read from each provider type

Generated from `guest/profile/types/`; `cargo xtask profiles` writes it anew.

A provider type that no profile names is read as `generic`. The headers of `common` belong to every \
profile, and its refusal rules follow those of every other. Of several names for one thing the first \
that is sent counts; a star stands for the name of a pool. Of the refusal rules the first that fits \
counts, by its status and by one of its words (codes and types in the body, values of marks) or texts \
(parts of the body or of a mark); the status 0 is an error within a success that states none.

How a limit fills again tells what its reset means: continuously, the time until it is full; at the \
window's edge, the time at which all of it returns; projected, the time at which a request of this size \
can pass.

The sources are where a provider speaks of its limits, or where its responses were seen. A day stands \
where the profile was compared with its source on that day; the others rest on captures and reports \
collected in autumn 2026.
";

/// The text of `docs/providers.md`.
///
/// # Errors
///
/// When a built-in profile is wrong, which the tests of this crate exclude.
pub fn page() -> Result<String, ProfileError> {
    let mut sources = compile_builtin()?;
    let common = sources.iter().find(|source| source.profile.name == COMMON_TYPE);
    let common = common.map(|common| common.profile.headers.clone()).unwrap_or_default();
    sources.sort_by(|a, b| a.profile.name.cmp(&b.profile.name));
    let mut page = String::from(HEAD);
    for source in &sources {
        let base = sources.iter().find(|base| Some(&base.profile.name) == source.extends.as_ref());
        page += &section(source, base.map(|base| &base.profile), &common);
    }
    Ok(page)
}

fn section(source: &Source, base: Option<&Profile>, common: &[Header]) -> String {
    let profile = &source.profile;
    let mut text = format!("\n## {}\n", profile.name);
    if !profile.aliases.is_empty() {
        text += &format!("\nAlso named {}.\n", code(&profile.aliases));
    }
    if !source.notes.is_empty() {
        text += &format!("\n{}\n", source.notes.trim());
    }
    text += match profile.body {
        BodyUse::Errors => "",
        BodyUse::Always => "\nThe body of every response is read: errors come with status 200 as well.\n",
        BodyUse::Usage => "\nThe body of every response is read: it is the answer of a usage endpoint.\n",
    };
    if profile.sentence_counts {
        text += "\nCounts in the sentence of a refusal tell what is left.\n";
    }
    if profile.doubts_hints {
        text +=
            "\nStated waits are doubted: a refusal lasts until what is used up resets, if that is later.\n";
    }
    match base.filter(|base| base.limits == profile.limits && base.headers == profile.headers) {
        Some(base) => text += &format!("\nHeaders and limits are those of [{0}](#{0}).\n", base.name),
        None => {
            text += &limits(profile);
            text += &headers(profile, common);
        }
    }
    text += &refusals(profile, base);
    let addresses: Vec<String> = source.source.iter().map(|address| format!("<{address}>")).collect();
    let _ = write!(text, "\nSource: {}", addresses.join(", "));
    if !source.verified.is_empty() {
        let _ = write!(text, "; verified on {}", source.verified);
    }
    text + ".\n"
}

fn limits(profile: &Profile) -> String {
    if profile.limits.is_empty() {
        return String::new();
    }
    let mut text = String::from(
        "\n| limit | window | fills again | used up | told by |\n| --- | --- | --- | --- | --- |\n",
    );
    for (place, limit) in profile.limits.iter().enumerate() {
        let of_limit = |header: &&Header| usize::from(header.meaning.limit) == place;
        let mut told: Vec<String> = OF_LIMIT
            .iter()
            .filter_map(|what| {
                let names =
                    profile.headers.iter().filter(of_limit).filter(|header| header.meaning.what == *what);
                named(&what.as_str().replace('_', " "), names)
            })
            .collect();
        if !limit.claims.is_empty() {
            told.push(format!("the name {}", code(&limit.claims)));
        }
        let row = [quantity(limit), window(limit), refill(limit), effect(limit), told.join("; ")];
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

fn headers(profile: &Profile, common: &[Header]) -> String {
    let mut text = String::new();
    for (key, what) in OF_ALL {
        let own = profile.headers.iter().filter(|header| header.meaning.what == *what);
        let own = own.filter(|header| {
            profile.name == COMMON_TYPE || !common.iter().any(|one| one.name == header.name)
        });
        if let Some(line) = named(&key.replace('_', " "), own) {
            text += &format!("- {line}\n");
        }
    }
    if text.is_empty() { text } else { format!("\nOther headers:\n\n{text}") }
}

fn refusals(profile: &Profile, base: Option<&Profile>) -> String {
    let inherited = |rule: &&RefusalRule| base.is_some_and(|base| base.refusals.contains(rule));
    let mut text = String::new();
    for rule in profile.refusals.iter().filter(|rule| !inherited(rule)) {
        let status: Vec<String> = rule.status.iter().map(|status| format!("{status}")).collect();
        let window = rule.window_s.map(length).unwrap_or_default();
        let ends = [window, edge(rule.edge).into()]
            .iter()
            .filter(|part| !part.is_empty())
            .cloned()
            .collect::<Vec<_>>();
        let class = rule.class.as_str().replace('_', " ");
        let row = [class, status.join(", "), code(&rule.words), code(&rule.texts), ends.join(", ")];
        text += &format!("| {} |\n", row.join(" | "));
    }
    if text.is_empty() {
        return text;
    }
    let after = base.filter(|base| !base.refusals.is_empty());
    let after = after.map_or(String::new(), |base| format!("\nThen those of [{0}](#{0}).\n", base.name));
    format!("\n| refusal | status | words | texts | window |\n| --- | --- | --- | --- | --- |\n{text}{after}")
}

/// What it is, and the names that tell it.
fn named<'a>(what: &str, headers: impl Iterator<Item = &'a Header>) -> Option<String> {
    let names: Vec<String> = headers
        .map(|header| match header.kind {
            NameMatch::Exact => header.name.clone(),
            NameMatch::Prefix => format!("{}*", header.name),
            NameMatch::Suffix => format!("*{}", header.name),
        })
        .collect();
    (!names.is_empty()).then(|| format!("{what} {}", code(&names)))
}

fn code(texts: &[String]) -> String {
    let texts: Vec<String> = texts.iter().map(|text| format!("`{}`", text.replace('\n', "\\n"))).collect();
    texts.join(", ")
}

fn quantity(limit: &LimitRule) -> String {
    let quantity = limit.quantity.as_str().replace('_', " ");
    match limit.pool.as_str() {
        "" if limit.overall => format!("{quantity}: whichever the claim names"),
        "" => quantity,
        pool => format!("{quantity}: {}", pool.replace('_', "\\_")),
    }
}

fn window(limit: &LimitRule) -> String {
    let parts = [limit.window_s.map(length).unwrap_or_default(), edge(limit.edge).into()];
    parts.iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join(", ")
}

fn length(window_s: u32) -> String {
    let (number, unit) = match window_s {
        _ if window_s.is_multiple_of(86_400) => (window_s / 86_400, "d"),
        _ if window_s.is_multiple_of(3600) => (window_s / 3600, "h"),
        _ if window_s.is_multiple_of(60) => (window_s / 60, "min"),
        _ => (window_s, "s"),
    };
    format!("{number} {unit}")
}

const fn edge(edge: Edge) -> &'static str {
    match edge {
        Edge::None => "",
        Edge::Minute => "to the full minute",
        Edge::UtcDay => "to midnight UTC",
        Edge::PacificDay => "to midnight Pacific time",
        Edge::UtcMonth => "to the end of the month UTC",
    }
}

fn refill(limit: &LimitRule) -> String {
    let refill = match limit.refill {
        Refill::Continuous => "continuously",
        Refill::WindowEdge => "at the window's edge",
        Refill::Projected => "projected",
    };
    refill.into()
}

fn effect(limit: &LimitRule) -> String {
    let effect = match limit.effect {
        Effect::Refuses => "refuses",
        Effect::RefusesSome => "refuses some",
        Effect::Informs => "informs",
    };
    effect.into()
}
