//! The parts of a profile.

use alloc::string::String;
use alloc::vec::Vec;

use crate::words;

/// How one provider type is read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// The provider type.
    pub name: String,
    /// Other names of it.
    pub aliases: Vec<String>,
    /// The headers that matter; the frame id of each is 16 more than its place.
    pub headers: Vec<Header>,
    /// The limits that headers and bodies speak of, at most 24.
    pub limits: Vec<LimitRule>,
    /// How its refusals are told apart: the first rule that fits counts. The rules of the profile `common`
    /// follow.
    pub refusals: Vec<RefusalRule>,
    /// When the body is read.
    pub body: BodyUse,
    /// Do counts in an error's sentence ("Limit 8000, Used 2591") say what is left? Else only the share used
    /// is taken from them.
    pub sentence_counts: bool,
    /// Are stated waits doubted? Then a refusal lasts until what is used up resets, where that is later.
    pub doubts_hints: bool,
}

/// A header that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Its name, or the part that is matched, in lower case.
    pub name: String,
    /// How the name is matched.
    pub kind: NameMatch,
    /// What it means.
    pub meaning: Meaning,
}

/// How a name is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameMatch {
    /// The whole name.
    Exact,
    /// Names that begin so; the rest names the pool.
    Prefix,
    /// Names that end so; the beginning names the pool.
    Suffix,
}

words!(NameMatch { Exact => "exact", Prefix => "prefix", Suffix => "suffix" });

/// What a header means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meaning {
    /// What it tells.
    pub what: What,
    /// Of which limit, by its place; 0 where `what` is about none.
    pub limit: u8,
    /// Where several headers tell the same, the lowest rank counts.
    pub rank: u8,
}

/// What a header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// The allowance of one window.
    Limit,
    /// What is left of it.
    Remaining,
    /// When it resets, in any encoding: duration, seconds, Unix seconds or milliseconds, RFC 3339.
    Reset,
    /// When it resets, as seconds from now, whatever the magnitude.
    ResetDelta,
    /// The length of the window in seconds.
    WindowSeconds,
    /// The length of the window in minutes.
    WindowMinutes,
    /// Percent used, 0 to 100 and beyond.
    UsedPercent,
    /// Share used, 0 to 1 and beyond.
    UsedShare,
    /// A verdict on the limit: `rejected` means that it is used up.
    Verdict,
    /// GitHub Copilot's pairs: `ent` (allowance), `rem` (percent left), `rst` (reset).
    PercentPairs,
    /// An allowance, followed by policies in the form of the IETF drafts -00 to -02: `10, 10;w=1, 50;w=60`.
    LimitWithPolicies,
    /// `RateLimit` in the forms of the IETF drafts from -07 on: one limit an item.
    IetfLimits,
    /// `RateLimit-Policy`, beside either form: `100;w=60` or `"burst";q=100;w=60`.
    IetfPolicies,
    /// A wait in seconds, or until an HTTP date.
    WaitSeconds,
    /// A wait in milliseconds.
    WaitMillis,
    /// A word that tells why a call was refused, as those in bodies do.
    Mark,
    /// Names the limit that binds, by one of its `claims`.
    Claim,
    /// The provider's clock, as an HTTP date.
    Date,
    /// Stands before the name of another header of this profile.
    Embedded,
}

words!(What {
    Limit => "limit", Remaining => "remaining", Reset => "reset", ResetDelta => "reset_delta",
    WindowSeconds => "window_seconds", WindowMinutes => "window_minutes", UsedPercent => "used_percent",
    UsedShare => "used_share", Verdict => "verdict", PercentPairs => "percent_pairs",
    LimitWithPolicies => "limit_with_policies", IetfLimits => "ietf_limits",
    IetfPolicies => "ietf_policies", WaitSeconds => "wait_seconds", WaitMillis => "wait_millis",
    Mark => "mark", Claim => "claim", Date => "date", Embedded => "embedded",
});

/// A limited quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitRule {
    /// What it counts.
    pub quantity: Quantity,
    /// Which of several allowances of one quantity it is; empty for the main one.
    pub pool: String,
    /// Length of its window in seconds, where it is known beforehand.
    pub window_s: Option<u32>,
    /// How it fills again.
    pub refill: Refill,
    /// At which edge of the wall clock it fills, where the provider does not say.
    pub edge: Edge,
    /// Whom it refuses when it is used up.
    pub effect: Effect,
    /// Words by which the provider names it in a refusal or a claim.
    pub claims: Vec<String>,
    /// Does it stand for whichever limit the claim names, or for the whole where there is no claim?
    pub overall: bool,
    /// The allowance of a window, where the provider says nothing: calls are counted here against it.
    pub declared: Option<u64>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Quantity {
    /// Requests.
    Requests,
    /// Tokens of any kind.
    Tokens,
    /// Tokens sent.
    InputTokens,
    /// Tokens generated.
    OutputTokens,
    /// Anything else.
    Other,
}

impl Quantity {
    /// Does it count tokens?
    #[must_use]
    pub const fn is_tokens(self) -> bool {
        matches!(self, Self::Tokens | Self::InputTokens | Self::OutputTokens)
    }
}

words!(Quantity {
    Requests => "requests", Tokens => "tokens", InputTokens => "input_tokens",
    OutputTokens => "output_tokens", Other => "other",
} else Other);

/// How an allowance fills again, and with it what a reset means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refill {
    /// At a constant rate; the reset tells when it is full.
    Continuous,
    /// All of it at the end of the window.
    WindowEdge,
    /// At a constant rate; the reset tells when a request of this size can pass.
    Projected,
}

words!(Refill { Continuous => "continuous", WindowEdge => "window_edge", Projected => "projected" });

/// An edge of the wall clock at which a window ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// None that is known.
    None,
    /// The next full minute.
    Minute,
    /// Midnight UTC.
    UtcDay,
    /// Midnight in the Pacific time zone of the United States.
    PacificDay,
    /// The first day of the next month, midnight UTC.
    UtcMonth,
}

words!(Edge {
    None => "none", Minute => "minute", UtcDay => "utc_day", PacificDay => "pacific_day",
    UtcMonth => "utc_month",
});

/// Whom a limit refuses when it is used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Every request in its scope.
    Refuses,
    /// Requests of one kind only: a model family, a mode, images.
    RefusesSome,
    /// Nobody: another allowance takes over.
    Informs,
}

words!(Effect { Refuses => "refuses", RefusesSome => "refuses_some", Informs => "informs" });

/// How refusals are told apart: what a rule asks for must all be there, and of each list one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusalRule {
    /// What kind of refusal it is.
    pub class: RefusalClass,
    /// The HTTP status; empty for any.
    pub status: Vec<u16>,
    /// Codes, types and other words of the body and of headers that are marks, whole, in lower case.
    pub words: Vec<String>,
    /// Parts of the body's text or of a mark, in lower case.
    pub texts: Vec<String>,
    /// Length in seconds of the window that refuses, where the rule tells.
    pub window_s: Option<u32>,
    /// At which edge of the wall clock the refusal ends, where the response does not say.
    pub edge: Edge,
}

/// What kind of refusal a response was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RefusalClass {
    /// Heals by waiting seconds.
    Rate,
    /// Heals by waiting hours, or at a plan's renewal.
    Quota,
    /// Heals by paying.
    Money,
    /// Heals when the caller's own calls finish.
    Concurrency,
    /// The provider's own shortage.
    Capacity,
    /// This request was too large.
    Oversize,
    /// One model or model family only.
    ModelScoped,
    /// A class of a later version.
    Other,
}

impl RefusalClass {
    /// Does it use up the caller's allowance for everything behind the provider?
    #[must_use]
    pub const fn exhausts_provider(self) -> bool {
        self.exhausts_scope() && !matches!(self, Self::ModelScoped)
    }

    /// Does it use up the caller's allowance within its own scope?
    #[must_use]
    pub const fn exhausts_scope(self) -> bool {
        !matches!(self, Self::Capacity | Self::Oversize)
    }
}

words!(RefusalClass {
    Rate => "rate", Quota => "quota", Money => "money", Concurrency => "concurrency",
    Capacity => "capacity", Oversize => "oversize", ModelScoped => "model_scoped", Other => "other",
} else Other);

/// When the body is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BodyUse {
    /// Of responses with an error status.
    #[default]
    Errors,
    /// Of every response: errors come with status 200 as well.
    Always,
    /// Of every response: it is the answer of a usage endpoint.
    Usage,
}

words!(BodyUse { Errors => "errors", Always => "always", Usage => "usage" });
