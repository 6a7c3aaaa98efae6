//! The vocabulary of quota facts, and its JSON form.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// What the evidence says about an account or about one window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QuotaState {
    /// Requests can be sent.
    Ok,
    /// There is evidence, but it is too old to judge by.
    Stale,
    /// A window is used up and has not been reset.
    Blocked,
    /// There is no evidence.
    Unavailable,
    /// The account is not logged in.
    Unauthenticated,
    /// There is evidence, but it does not say.
    Unknown,
}

/// What a window limits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WindowScope {
    /// Every request of the account.
    #[default]
    Account,
    /// One model or model family; the others still pass.
    Model,
    /// Usage beyond the plan, which never stops the plan itself.
    Extra,
}

impl WindowScope {
    fn is_account(&self) -> bool {
        *self == Self::Account
    }
}

/// One quota window as the source states it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaWindow {
    /// `five_hour`, `weekly` and so on by its length, or as the source names it.
    pub name: String,
    /// The source's identifier of the limit; empty when it gives none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub limit_id: String,
    /// Length in minutes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window_minutes: Option<u64>,
    /// Share used in percent: 0 and more, above 100 when overdrawn. Absent when not known, and when the
    /// window that was measured has ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_percent: Option<f64>,
    /// When it is reset. Absent when not known, and when that has passed.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    pub resets_at: Option<SystemTime>,
    /// What it limits; left out of the JSON form for the account.
    #[serde(default, skip_serializing_if = "WindowScope::is_account")]
    pub scope: WindowScope,
    /// `Blocked` with nothing left, `Stale` with stale evidence, otherwise `Ok`.
    pub state: QuotaState,
}

/// What is known about the quota of one back end at a given time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct QuotaStatus {
    /// Where it comes from: as a file states it (`pty`, `statusline`), `codex_sessions`, `command`.
    pub source: String,
    /// When the source measured it.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "rfc3339")]
    pub captured_at: Option<SystemTime>,
    /// Is it recent enough to judge by?
    pub fresh: bool,
    /// How old the evidence is, in nanoseconds in the JSON form; 0 when it is from the future.
    #[serde(default, skip_serializing_if = "Option::is_none", rename = "age_ns", with = "nanoseconds")]
    pub age: Option<Duration>,
    /// The verdict for the account.
    pub state: QuotaState,
    /// All windows that say something. When the account is blocked, the window that decides when it is
    /// free again comes first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<QuotaWindow>,
    /// A label of the account: its address, organisation or plan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// Why the state is what it is, for people. Absent when it is `Ok`, and where the source gives a state other than
    /// `Blocked` and no reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl QuotaStatus {
    /// The window whose reset ends the blockade; none when the account is not blocked, or when the source
    /// says that it is without naming a window.
    pub fn blocking_window(&self) -> Option<&QuotaWindow> {
        let blocks = |window: &QuotaWindow| window.state == QuotaState::Blocked;
        let first = self.windows.first().filter(|first| blocks(first))?;
        let of_models_only = || {
            let mut limiting = self.windows.iter().filter(|window| window.scope != WindowScope::Extra);
            limiting.all(|window| window.scope == WindowScope::Model && blocks(window))
        };
        let binds = first.scope.is_account() || of_models_only();
        (self.state == QuotaState::Blocked && binds).then_some(first)
    }

    /// The windows that limit the account as a whole, the blocking window first.
    ///
    /// Windows of one model and usage beyond the plan are left out, except where a window of a model blocks
    /// the account because all models are blocked.
    pub fn account_windows(&self) -> impl Iterator<Item = &QuotaWindow> {
        let (blocking, others) = self.windows.split_at(self.blocking_window().map_or(0, |_| 1));
        blocking.iter().chain(others.iter().filter(|window| window.scope.is_account()))
    }

    /// The status of a source that has nothing to say.
    pub(super) fn unavailable(source: &str, reason: String) -> Self {
        Self {
            source: source.to_owned(),
            captured_at: None,
            fresh: false,
            age: None,
            state: QuotaState::Unavailable,
            windows: Vec::new(),
            account: None,
            reason: Some(reason),
        }
    }
}

/// Times as RFC 3339 text.
mod rfc3339 {
    use std::time::SystemTime;

    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer, de, ser};

    pub(super) fn serialize<S: Serializer>(
        time: &Option<SystemTime>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        match time {
            None => serializer.serialize_none(),
            Some(time) => {
                let time = Timestamp::try_from(*time).map_err(ser::Error::custom)?;
                serializer.collect_str(&time)
            }
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SystemTime>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        text.map(|text| text.parse::<Timestamp>()?.try_into())
            .transpose()
            .map_err(|error: jiff::Error| de::Error::custom(error))
    }
}

/// Durations as whole nanoseconds.
mod nanoseconds {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
        age.map(|age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Duration>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(Duration::from_nanos))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_survives_the_way_to_json_and_back() {
        let at = |text: &str| {
            let time = text.parse::<jiff::Timestamp>().unwrap();
            Some(SystemTime::try_from(time).unwrap())
        };
        let status = QuotaStatus {
            source: "statusline".to_owned(),
            captured_at: at("2026-05-01T12:00:00.25Z"),
            fresh: true,
            age: Some(Duration::from_millis(1500)),
            state: QuotaState::Blocked,
            windows: vec![QuotaWindow {
                name: "five_hour".to_owned(),
                limit_id: "session".to_owned(),
                window_minutes: Some(300),
                used_percent: Some(100.5),
                resets_at: at("2026-05-01T14:30:00Z"),
                scope: WindowScope::Account,
                state: QuotaState::Blocked,
            }],
            account: Some("Claude Max".to_owned()),
            reason: Some("five_hour is used up".to_owned()),
        };

        let json = serde_json::to_string(&status).unwrap();

        assert_eq!(
            json,
            r#"{"source":"statusline","captured_at":"2026-05-01T12:00:00.25Z","fresh":true,"age_ns":1500000000,"state":"blocked","windows":[{"name":"five_hour","limit_id":"session","window_minutes":300,"used_percent":100.5,"resets_at":"2026-05-01T14:30:00Z","state":"blocked"}],"account":"Claude Max","reason":"five_hour is used up"}"#
        );
        assert_eq!(serde_json::from_str::<QuotaStatus>(&json).unwrap(), status);
    }

    #[test]
    fn what_is_not_known_is_left_out() {
        let status = QuotaStatus::unavailable("snapshot", "no file".to_owned());

        let json = serde_json::to_string(&status).unwrap();

        assert_eq!(json, r#"{"source":"snapshot","fresh":false,"state":"unavailable","reason":"no file"}"#);
        assert_eq!(serde_json::from_str::<QuotaStatus>(&json).unwrap(), status);
    }
}
