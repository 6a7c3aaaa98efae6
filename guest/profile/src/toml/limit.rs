//! `[[limit]]` and `[headers]`: names, and what each means.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use super::table::{Table, Value};
use super::{ProfileError, listed};
use crate::bounds::{MOST_HEADERS, MOST_LIMITS};
use crate::model::{Edge, Effect, Header, LimitRule, Meaning, NameMatch, Quantity, Refill, What};

/// The keys of a limit that name headers.
pub(super) const OF_LIMIT: &[What] = &[
    What::Limit,
    What::LimitWithPolicies,
    What::Remaining,
    What::Reset,
    What::ResetDelta,
    What::WindowSeconds,
    What::WindowMinutes,
    What::UsedPercent,
    What::UsedShare,
    What::Verdict,
    What::PercentPairs,
    What::IetfLimits,
];
/// The keys of a limit that say what it is.
const KEYS: &[&str] =
    &["quantity", "pool", "window", "refill", "edge", "effect", "claims", "overall", "declared"];
/// The keys of `[headers]`.
pub(super) const OF_ALL: &[(&str, What)] = &[
    ("wait_ms", What::WaitMillis),
    ("wait", What::WaitSeconds),
    ("mark", What::Mark),
    ("claim", What::Claim),
    ("date", What::Date),
    ("embedded", What::Embedded),
    ("ietf_policies", What::IetfPolicies),
];
pub(super) const EDGES: &[&str] = &["none", "minute", "utc_day", "pacific_day", "utc_month"];
const QUANTITIES: &[&str] = &["requests", "tokens", "input_tokens", "output_tokens", "other"];
const LONGEST_HEADER_BYTES: usize = 80;
/// What a pattern must have beside its star: shorter ones would match too much.
const SHORTEST_PATTERN_BYTES: usize = 6;
const LONGEST_WINDOW_S: u32 = 366 * 86_400;

/// Where several headers tell the same, in different forms, they are ranked together.
pub(super) fn told_by(what: What) -> What {
    match what {
        What::LimitWithPolicies => What::Limit,
        What::ResetDelta => What::Reset,
        What::WindowMinutes => What::WindowSeconds,
        What::UsedShare => What::UsedPercent,
        What::WaitSeconds => What::WaitMillis,
        other => other,
    }
}

/// Is it about one limit?
pub(super) fn is_of_limit(what: What) -> bool {
    OF_LIMIT.contains(&what)
}

/// The headers of a file.
#[derive(Default)]
pub(super) struct Headers(Vec<Header>);

impl Headers {
    pub(super) fn into_list(self) -> Vec<Header> {
        self.0
    }

    /// Takes the names that one key has for one thing.
    fn add(&mut self, names: Vec<Value<'_>>, what: What, limit: u8) -> Result<(), ProfileError> {
        for value in names {
            let (name, kind) = header_name(&value)?;
            if self.0.iter().any(|header| header.name == name && header.kind == kind) {
                return Err(value.error(
                    format!("the header `{}` stands here twice", value.text()?),
                    "give each header one meaning",
                ));
            }
            if self.0.len() >= MOST_HEADERS {
                return Err(value.error("there are too many headers", format!("name at most {MOST_HEADERS}")));
            }
            let same = |header: &&Header| {
                header.meaning.limit == limit && told_by(header.meaning.what) == told_by(what)
            };
            let rank = self.0.iter().filter(same).count() as u8;
            self.0.push(Header { name, kind, meaning: Meaning { what, limit, rank } });
        }
        Ok(())
    }
}

/// Reads each `[[limit]]`.
pub(super) fn read_limits(table: &Table<'_>) -> Result<(Vec<LimitRule>, Headers), ProfileError> {
    let header_keys = OF_LIMIT.iter().map(|what| what.as_str());
    let keys: Vec<&str> = KEYS.iter().copied().chain(header_keys).collect();
    let mut limits = Vec::new();
    let mut headers = Headers::default();
    for (limit, table) in (0..).zip(table.tables("limit", &keys, MOST_LIMITS)?) {
        let before = headers.0.len();
        for what in OF_LIMIT {
            headers.add(table.items(what.as_str())?, *what, limit)?;
        }
        let rule = read_limit(&table)?;
        if headers.0.len() == before && rule.claims.is_empty() && rule.declared.is_none() {
            return Err(table.error(
                "remaining",
                "nothing tells of this limit",
                "name its headers or its claims, or declare its allowance",
            ));
        }
        limits.push(rule);
    }
    Ok((limits, headers))
}

fn read_limit(table: &Table<'_>) -> Result<LimitRule, ProfileError> {
    let quantity = table.need("quantity", &format!("write one of {}", listed(QUANTITIES)))?;
    let quantity = quantity.word(Quantity::from_word, QUANTITIES)?;
    let refill =
        table.need("refill", "say how it fills again: `continuous`, `window_edge` or `projected`")?;
    let refill = refill.word(Refill::from_word, &["continuous", "window_edge", "projected"])?;
    let effect = table
        .get("effect")
        .map(|effect| effect.word(Effect::from_word, &["refuses", "refuses_some", "informs"]));
    let pool = table.get("pool").map(|pool| lower_case(&pool)).transpose()?;
    let claims = table.items("claims")?.iter().map(lower_case).collect::<Result<_, _>>()?;
    let overall = table.get("overall").map(|overall| overall.flag()).transpose()?;
    let window_s = window(table)?;
    let declared =
        table.get("declared").map(|declared| allowance(&declared, quantity, window_s)).transpose()?;
    Ok(LimitRule {
        quantity,
        pool: pool.unwrap_or_default(),
        window_s,
        refill,
        edge: edge(table)?,
        effect: effect.transpose()?.unwrap_or(Effect::Refuses),
        claims,
        overall: overall.unwrap_or_default(),
        declared,
    })
}

/// An allowance that the provider does not tell: calls can be counted against it, tokens cannot.
fn allowance(value: &Value<'_>, quantity: Quantity, window_s: Option<u32>) -> Result<u64, ProfileError> {
    if quantity != Quantity::Requests || window_s.is_none() {
        let problem = "only requests within a window can be counted";
        return Err(value.error(problem, "write `quantity = \"requests\"` and a `window` beside it"));
    }
    let allowance = value.number()?;
    if allowance == 0 {
        return Err(value.error("an allowance of 0 declares nothing", "write how many requests are allowed"));
    }
    Ok(allowance)
}

/// Reads `[headers]`.
pub(super) fn read_headers(table: &Table<'_>, headers: &mut Headers) -> Result<(), ProfileError> {
    let Some(value) = table.get("headers") else { return Ok(()) };
    let keys: Vec<&str> = OF_ALL.iter().map(|(key, _)| *key).collect();
    let table = value.table(&keys)?;
    // Limits have ranks of their own, so 0 stands for none here.
    OF_ALL.iter().try_for_each(|(key, what)| headers.add(table.items(key)?, *what, 0))
}

/// A header's name, and how it is matched.
fn header_name(value: &Value<'_>) -> Result<(String, NameMatch), ProfileError> {
    let name = value.text()?;
    let (part, kind) = match (name.strip_suffix('*'), name.strip_prefix('*')) {
        (Some(part), _) => (part, NameMatch::Prefix),
        (_, Some(part)) => (part, NameMatch::Suffix),
        _ => (name, NameMatch::Exact),
    };
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte);
    if part.is_empty() || part.len() > LONGEST_HEADER_BYTES || !part.bytes().all(fits) {
        let remedy = format!(
            "write at most {LONGEST_HEADER_BYTES} of a-z, 0-9, -, _ and ., with a star at one end at most"
        );
        return Err(value.error(format!("`{name}` is no name of a header"), remedy));
    }
    if kind != NameMatch::Exact && part.len() < SHORTEST_PATTERN_BYTES {
        let remedy = format!("write at least {SHORTEST_PATTERN_BYTES} characters beside the star");
        return Err(value.error(format!("`{name}` matches too much"), remedy));
    }
    Ok((part.to_string(), kind))
}

/// A text that is compared with texts in lower case.
pub(super) fn lower_case(value: &Value<'_>) -> Result<String, ProfileError> {
    let text = value.text()?;
    let lower = text.to_lowercase();
    if lower != text {
        return Err(value.error(format!("`{text}` is compared in lower case"), format!("write `{lower}`")));
    }
    Ok(lower)
}

/// The length of a window in seconds.
pub(super) fn window(table: &Table<'_>) -> Result<Option<u32>, ProfileError> {
    let Some(value) = table.get("window") else { return Ok(None) };
    let text = value.text()?;
    let unit_s = match text.as_bytes().last() {
        Some(b's') => 1,
        Some(b'm') => 60,
        Some(b'h') => 3600,
        Some(b'd') => 86_400,
        _ => 0,
    };
    let number = text.get(..text.len() - 1).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let length_s =
        number.and_then(|digits| digits.parse::<u32>().ok()).and_then(|number| number.checked_mul(unit_s));
    match length_s {
        Some(length_s @ 1..=LONGEST_WINDOW_S) => Ok(Some(length_s)),
        _ => Err(value.error(
            format!("`{text}` is no window"),
            "write a whole number with s, m, h or d, of 366 days at most, as \"1m\", \"5h\" or \"30d\"",
        )),
    }
}

/// An edge of the wall clock.
pub(super) fn edge(table: &Table<'_>) -> Result<Edge, ProfileError> {
    table.get("edge").map_or(Ok(Edge::None), |edge| edge.word(Edge::from_word, EDGES))
}
