//! What a source states, and the one judgement that turns it into a status.

use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::figure::{Figure, stated};
use super::{CLOCK_SKEW, FRESHNESS, QuotaState, QuotaStatus, WindowScope, claude, lenient};

/// Most windows that are taken from one source.
pub(super) const MAX_WINDOWS: usize = 64;

/// What one source states, before it is judged at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    pub(super) source: String,
    pub(super) captured_at: Option<SystemTime>,
    pub(super) account: Option<String>,
    /// The source's own verdict, if it gives one.
    pub(super) stated: Option<QuotaState>,
    pub(super) reason: Option<String>,
    pub(super) figures: Vec<Figure>,
}

impl Evidence {
    /// Reads a snapshot of harness `harness`, or what a command printed. Missing and unreadable keys are
    /// passed over.
    pub(super) fn from_json(harness: &str, document: &Map<String, Value>) -> Self {
        let captured_at = lenient::instant(document.get("captured_at"));
        let windows = document.get("windows").and_then(Value::as_array);
        let mut figures: Vec<Figure> = windows
            .into_iter()
            .flatten()
            .filter_map(Value::as_object)
            .filter_map(|window| Figure::from_json(harness, window, captured_at))
            .take(MAX_WINDOWS)
            .collect();
        if harness == "claude" {
            claude::add_counts(document, &mut figures);
        }
        Self {
            source: lenient::text(document.get("source")).unwrap_or_else(|| "snapshot".to_owned()),
            captured_at,
            account: account(document.get("account")),
            stated: lenient::text(document.get("state")).and_then(|state| stated(&state)),
            reason: lenient::text(document.get("reason").or_else(|| document.get("detail"))),
            figures,
        }
    }

    /// What the evidence says at `now`.
    pub(super) fn judge(self, now: SystemTime) -> QuotaStatus {
        let age = self.captured_at.map(|captured_at| age(captured_at, now));
        let staleness = staleness(self.captured_at, now);
        let fresh = staleness.is_none();
        let mut figures = self.figures;
        if fresh {
            figures.retain(|figure| figure.is_fresh(now));
        }
        let over = figures.iter().any(|figure| figure.blocks_account() && figure.has_ended(now));
        for figure in figures.iter_mut().filter(|figure| figure.has_ended(now)) {
            figure.clear();
        }
        let blocked = put_binding_first(&mut figures);
        let (state, reason) = match (staleness, self.stated) {
            (Some(staleness), _) => (QuotaState::Stale, Some(staleness)),
            (None, Some(state)) if !matches!(state, QuotaState::Ok | QuotaState::Blocked) => {
                (state, self.reason)
            }
            (None, _) if blocked => {
                let window = figures.first().map(|figure| figure.name.as_str());
                let reason = format!("{} is used up", window.unwrap_or("the quota"));
                (QuotaState::Blocked, Some(self.reason.unwrap_or(reason)))
            }
            (None, Some(QuotaState::Blocked)) if !over => {
                let reason = "the source states that the quota is used up".to_owned();
                (QuotaState::Blocked, Some(self.reason.unwrap_or(reason)))
            }
            (None, stated) if stated.is_some() || figures.iter().any(Figure::limits) => {
                (QuotaState::Ok, None)
            }
            (None, _) => {
                let reason = "the source states no current window".to_owned();
                (QuotaState::Unknown, Some(self.reason.unwrap_or(reason)))
            }
        };
        QuotaStatus {
            source: self.source,
            captured_at: self.captured_at,
            fresh,
            age,
            state,
            windows: figures.into_iter().map(|figure| figure.window(fresh)).collect(),
            account: self.account,
            reason,
        }
    }
}

/// Is the account blocked? If so, the window that decides when it is free again comes first.
///
/// A used-up window of the account blocks it, and of several the one that is reset last counts. Where there
/// are windows of models only, the account is blocked when all of them are, until the first is reset.
fn put_binding_first(figures: &mut [Figure]) -> bool {
    let limiting = || figures.iter().enumerate().filter(|(_, figure)| figure.limits());
    let blocks_model = |figure: &Figure| figure.used_up && figure.scope == WindowScope::Model;
    let account =
        limiting().filter(|(_, figure)| figure.blocks_account()).max_by_key(|(_, figure)| figure.resets_at);
    let binding = account.or_else(|| {
        limiting()
            .all(|(_, figure)| blocks_model(figure))
            .then(|| limiting().min_by_key(|(_, f)| (f.resets_at.is_none(), f.resets_at)))
            .flatten()
    });
    let Some((index, _)) = binding else {
        return false;
    };
    if let Some(up_to_it) = figures.get_mut(..=index) {
        up_to_it.rotate_right(1);
    }
    true
}

/// Why evidence of this time cannot be judged by; none when it can.
pub(super) fn staleness(captured_at: Option<SystemTime>, now: SystemTime) -> Option<String> {
    let Some(captured_at) = captured_at else {
        return Some("the evidence does not say when it was captured".to_owned());
    };
    if is_ahead(captured_at, now) {
        return Some(
            "the evidence was captured in the future: check the clocks of its source and of this machine"
                .to_owned(),
        );
    }
    let age = age(captured_at, now);
    (age > FRESHNESS).then(|| {
        format!(
            "the evidence is {} min old and counts for {} min",
            age.as_secs() / 60,
            FRESHNESS.as_secs() / 60
        )
    })
}

/// Is this time further in the future than clocks differ?
pub(super) fn is_ahead(captured_at: SystemTime, now: SystemTime) -> bool {
    captured_at.duration_since(now).is_ok_and(|ahead| ahead > CLOCK_SKEW)
}

fn age(captured_at: SystemTime, now: SystemTime) -> Duration {
    now.duration_since(captured_at).unwrap_or_default()
}

/// A label for an account that is given as text or as an object.
fn account(value: Option<&Value>) -> Option<String> {
    let Some(object) = value.and_then(Value::as_object) else {
        return lenient::text(value);
    };
    ["email", "org_name", "plan_type"].into_iter().find_map(|key| lenient::text(object.get(key)))
}
