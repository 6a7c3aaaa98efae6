//! Keys: what they mean, whoever writes them.

use super::table::{LONGEST, Table, table};

/// Longest key that is kept as a name, in bytes.
const NAME_BYTES: usize = 64;

/// What the value of a key is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Nothing about limits.
    Other,
    /// What a model has read or written: whatever it says, the provider does not say it.
    Generated,
    /// An object of headers.
    Headers,
    /// A header.
    Header,
    /// Words and texts: the bits of [`say`].
    Say(u8),
    /// The provider behind a gateway.
    Upstream,
    /// A wait of that rank: the lower, the more exact.
    Wait(u8),
    /// When something resets.
    Reset,
    /// In how many seconds something resets.
    ResetIn,
    /// When something resets, or how often.
    Period,
    /// A figure of a limit.
    Figure(Figure),
    /// The name of a limit.
    Name,
    /// What a quota counts that was exceeded.
    QuotaMetric,
    /// The allowance of a quota that was exceeded.
    QuotaValue,
    /// The name of a pool.
    Pool,
    /// The name of a pool for people.
    PoolName,
    /// A model.
    Model,
    /// An object whose members belong to the one around it.
    Part,
    /// A limit was reached, if true.
    Reached,
    /// A limit was reached, if false.
    Allowed,
    /// There is no limit, if true.
    Unlimited,
}

/// What a word or a text is.
pub(super) mod say {
    /// A code, type, status or reason.
    pub(in crate::body) const WORD: u8 = 1;
    /// A text for people.
    pub(in crate::body) const TEXT: u8 = 2;
    /// Only within an error.
    pub(in crate::body) const IN_ERROR: u8 = 4;
    /// An error, or a list of them.
    pub(in crate::body) const ERROR: u8 = 8;
    /// It may be the word `error`.
    pub(in crate::body) const TYPE: u8 = 16;
    /// It may be an HTTP status.
    pub(in crate::body) const CODE: u8 = 32;
    /// An identifier, which is a word if it is made of words.
    pub(in crate::body) const ID: u8 = 64;
}

/// A figure of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Figure {
    /// The allowance.
    Limit,
    /// What was used.
    Used,
    /// What was asked for.
    Asked,
    /// What is left.
    Left,
    /// What was used; beside a unit of time, the allowance.
    Usage,
    /// The share used, in percent.
    UsedPercent,
    /// The share left, in percent.
    LeftPercent,
    /// Length of a window in seconds.
    Seconds,
    /// Length of a window in minutes.
    Minutes,
    /// A unit of time, as a number.
    Unit,
    /// How many units of time.
    Number,
}

/// How many figures there are.
pub(super) const FIGURES: usize = 11;

/// Rank of a wait in milliseconds.
pub(super) const MS_RANK: u8 = 0;
/// Rank of the time until a reset.
pub(super) const RESET_RANK: u8 = 6;
/// Rank of a `Retry-After` inside the body.
pub(super) const HEADER_RANK: u8 = 7;
/// Rank of a sentence.
pub(super) const SENTENCE_RANK: u8 = 8;

const TEXT: Key = Key::Say(say::TEXT);
const WORD: Key = Key::Say(say::WORD);
const TYPE: Key = Key::Say(say::WORD | say::TYPE);
const CODE: Key = Key::Say(say::WORD | say::CODE);
const ERROR: Key = Key::Say(say::WORD | say::TEXT | say::ERROR);

/// Keys in lower case without `_` and `-`.
#[rustfmt::skip]
#[expect(clippy::indexing_slicing, reason = "by the compiler")]
const KEYS: Table<Key> = table!(&[
    ("args", Key::Generated), ("arguments", Key::Generated), ("content", Key::Generated),
    ("delta", Key::Generated), ("embedding", Key::Generated), ("functioncall", Key::Generated),
    ("input", Key::Generated), ("logprobs", Key::Generated), ("output", Key::Generated),
    ("parts", Key::Generated), ("toolcalls", Key::Generated),
    ("error", ERROR), ("errors", ERROR),
    ("message", TEXT), ("msg", TEXT), ("detail", TEXT), ("details", TEXT), ("raw", TEXT), ("uimessage", TEXT),
    ("errormessage", TEXT), ("errormsg", TEXT), ("errordescription", TEXT),
    ("description", Key::Say(say::TEXT | say::IN_ERROR)), ("title", Key::Say(say::WORD | say::TEXT)),
    ("errorcode", WORD), ("errortype", WORD), ("reason", WORD), ("param", WORD), ("domain", WORD),
    ("limitsource", WORD), ("plantype", WORD), ("ratelimitreachedtype", WORD),
    ("type", TYPE), ("object", TYPE), ("code", CODE), ("status", CODE), ("statuscode", CODE),
    ("id", Key::Say(say::WORD | say::ID)),
    ("headers", Key::Headers), ("providername", Key::Upstream),
    ("retryafterms", Key::Wait(MS_RANK)), ("retrydelay", Key::Wait(1)), ("quotaresetdelay", Key::Wait(2)),
    ("retryafterseconds", Key::Wait(3)), ("retryafter", Key::Wait(4)), ("retryaftersecondsraw", Key::Wait(5)),
    ("resetinseconds", Key::ResetIn), ("resetsinseconds", Key::ResetIn),
    ("resetafterseconds", Key::ResetIn), ("resetseconds", Key::ResetIn),
    ("reset", Key::Reset), ("resetat", Key::Reset), ("resetsat", Key::Reset), ("resettime", Key::Reset),
    ("nextresettime", Key::Reset), ("quotaresettimestamp", Key::Reset), ("quotaresetdate", Key::Reset),
    ("quotaresetdateutc", Key::Reset), ("limitreset", Key::Period),
    ("limit", Key::Figure(Figure::Limit)), ("entitlement", Key::Figure(Figure::Limit)),
    ("remaining", Key::Figure(Figure::Left)), ("limitremaining", Key::Figure(Figure::Left)),
    ("used", Key::Figure(Figure::Used)), ("current", Key::Figure(Figure::Used)),
    ("currentvalue", Key::Figure(Figure::Used)), ("requested", Key::Figure(Figure::Asked)),
    ("usage", Key::Figure(Figure::Usage)),
    ("usedpercent", Key::Figure(Figure::UsedPercent)), ("usedpercentage", Key::Figure(Figure::UsedPercent)),
    ("utilization", Key::Figure(Figure::UsedPercent)), ("percent", Key::Figure(Figure::UsedPercent)),
    ("percentage", Key::Figure(Figure::UsedPercent)),
    ("percentremaining", Key::Figure(Figure::LeftPercent)),
    ("remainingpercent", Key::Figure(Figure::LeftPercent)),
    ("windowseconds", Key::Figure(Figure::Seconds)), ("limitwindowseconds", Key::Figure(Figure::Seconds)),
    ("windowminutes", Key::Figure(Figure::Minutes)), ("limitwindowminutes", Key::Figure(Figure::Minutes)),
    ("windowdurationmins", Key::Figure(Figure::Minutes)),
    ("unit", Key::Figure(Figure::Unit)), ("number", Key::Figure(Figure::Number)),
    ("name", Key::Name), ("kind", Key::Name), ("quotaid", Key::Name), ("quotalimit", Key::Name),
    ("quotametric", Key::QuotaMetric), ("quotavalue", Key::QuotaValue), ("quotalimitvalue", Key::QuotaValue),
    ("quotadimensions", Key::Part), ("model", Key::Model),
    ("limitid", Key::Pool), ("meteredfeature", Key::Pool), ("limitname", Key::PoolName),
    ("limitreached", Key::Reached), ("allowed", Key::Allowed), ("unlimited", Key::Unlimited),
], Key);

impl Key {
    /// What a key means, whatever its case and however its words are joined.
    pub(super) fn of(key: &[u8]) -> Self {
        let mut plain = [0; LONGEST];
        let mut length = 0;
        for byte in key.iter().filter(|byte| !matches!(byte, b'_' | b'-')) {
            let Some(place) = plain.get_mut(length) else { return Self::Other };
            *place = byte.to_ascii_lowercase();
            length += 1;
        }
        plain.get(..length).and_then(|plain| KEYS.get(plain)).unwrap_or(Self::Other)
    }

    /// Is it an error, or a list of them?
    pub(super) const fn is_error(self) -> bool {
        matches!(self, Self::Say(bits) if bits & say::ERROR != 0)
    }
}

/// A key as it is written, as far as it is kept.
#[derive(Clone, Copy)]
pub(super) struct Name {
    bytes: [u8; NAME_BYTES],
    length: usize,
}

impl Name {
    pub(super) const NONE: Self = Self { bytes: [0; NAME_BYTES], length: 0 };

    /// A key, or none where it is too long for a name.
    pub(super) fn of(key: &[u8]) -> Self {
        let mut name = Self::NONE;
        if let Some(place) = name.bytes.get_mut(..key.len()) {
            place.copy_from_slice(key);
            name.length = key.len();
        }
        name
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_known_in_any_case() {
        for (text, expected) in [
            ("retryDelay", Key::Wait(1)),
            ("retry_delay", Key::Wait(1)),
            ("Retry-After", Key::Wait(4)),
            ("quotaResetTimeStamp", Key::Reset),
            ("retry_after_seconds_raw", Key::Wait(5)),
            ("@type", Key::Other),
            ("", Key::Other),
            ("retry_after_seconds_raw_and_more", Key::Other),
        ] {
            assert_eq!(Key::of(text.as_bytes()), expected, "{text:?}");
        }
    }

    #[test]
    fn every_figure_has_its_place() {
        assert_eq!(Figure::Number as usize + 1, FIGURES);
    }
}
