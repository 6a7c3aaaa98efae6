//! When an allowance will be used up at the present pace, and which pace would last.
//!
//! Pure: limits and the time come in as values. Where it cannot be told, the reason is.

use std::time::{Duration, SystemTime};

use runtime_signals_profile::words;

use crate::signal::{Effect, Limit, Refill, Signal};

const HOUR: f64 = 3600.0;
/// The part of a window of which nothing is said before it is over: a few calls would count as a flood.
const TOO_EARLY: u32 = 100;
/// Two looks that are closer than this tell nothing.
pub const CLOSEST_LOOKS: Duration = Duration::from_secs(10);
/// Ends of a window that are so far apart are the same one's: providers round them.
const SAME_END: Duration = Duration::from_secs(2);

/// What is to be expected of a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Forecast {
    /// The share that is left, 0 to 1, as of `captured_at`.
    pub left: f64,
    /// When it was so.
    pub captured_at: SystemTime,
    /// What the pace is taken from.
    pub basis: Basis,
    /// The share of the allowance that is used in an hour at the present pace.
    pub per_hour: f64,
    /// When nothing will be left at that pace; `None` where it lasts until the reset.
    pub runs_out_at: Option<SystemTime>,
    /// When the window ends.
    pub resets_at: SystemTime,
    /// The share that may be used in an hour from now on, so that it lasts until the reset.
    pub lasting_per_hour: f64,
}

/// What a pace is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Basis {
    /// All use since the window began, evenly.
    Window,
    /// The use between two looks.
    Looks,
}

words!(Basis { Window => "window", Looks => "looks" });

/// Why nothing can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Untold {
    /// It fills again all the time: there is no end that it has to last for.
    Refills,
    /// It is not known how much of it is left.
    NoShare,
    /// It is not known when it resets.
    NoReset,
    /// It is not known how long its window is, and there was only one look at it.
    NoWindow,
    /// Its window has only begun.
    TooEarly,
    /// Its window is over, and there is no news of the next one.
    Over,
}

words!(Untold {
    Refills => "refills", NoShare => "no_share", NoReset => "no_reset", NoWindow => "no_window",
    TooEarly => "too_early", Over => "over",
});

impl Untold {
    /// The same in words.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Refills => "it fills again all the time",
            Self::NoShare => "how much is left is not known",
            Self::NoReset => "its reset is not known",
            Self::NoWindow => "the length of its window is not known; look twice with --over",
            Self::TooEarly => "its window has only begun",
            Self::Over => "its window is over, and there is no news since",
        }
    }
}

/// The limits of a signal that can refuse a request, each with its forecast. `earlier` is an earlier look at the
/// same provider, where there was one.
#[must_use]
pub fn of_signal<'a>(
    signal: &'a Signal,
    earlier: Option<&Signal>,
    now: SystemTime,
) -> Vec<(&'a Limit, Result<Forecast, Untold>)> {
    let counts = |limit: &&Limit| limit.effect != Effect::Informs;
    let forecasts = signal.limits.iter().filter(counts).map(|limit| {
        let before =
            earlier.and_then(|signal| signal.limits.iter().find(|other| is_same_window(limit, other)));
        (limit, forecast(limit, before, now))
    });
    forecasts.collect()
}

/// What is to be expected of a limit, by an earlier look at the same window if there was one that tells anything,
/// else by the whole window.
///
/// # Errors
/// Why it cannot be told.
pub fn forecast(limit: &Limit, earlier: Option<&Limit>, now: SystemTime) -> Result<Forecast, Untold> {
    if limit.refill != Refill::WindowEdge {
        return Err(Untold::Refills);
    }
    let left = limit.share_left().filter(|left| left.is_finite()).ok_or(Untold::NoShare)?;
    let resets_at = limit.resets_at.ok_or(Untold::NoReset)?;
    let to_reset = resets_at.duration_since(now).ok().filter(|wait| !wait.is_zero()).ok_or(Untold::Over)?;
    let between = earlier.filter(|earlier| is_same_window(limit, earlier));
    let (basis, per_second) = match between.and_then(|earlier| pace_between(earlier, limit)) {
        Some(pace) => (Basis::Looks, pace),
        None => (Basis::Window, pace_of_window(limit, left, resets_at)?),
    };
    let captured_at = limit.captured_at;
    Ok(Forecast {
        left,
        captured_at,
        basis,
        per_hour: per_second * HOUR,
        runs_out_at: runs_out(left, per_second, captured_at).filter(|at| *at < resets_at),
        resets_at,
        lasting_per_hour: left / to_reset.as_secs_f64() * HOUR,
    })
}

/// When nothing is left; `None` where that is never, or later than any time.
fn runs_out(left: f64, per_second: f64, from: SystemTime) -> Option<SystemTime> {
    if left <= 0.0 {
        return Some(from);
    }
    // Without any pace it is infinite, which is no duration.
    from.checked_add(Duration::try_from_secs_f64(left / per_second).ok()?)
}

/// The share that was used in a second since the window began.
fn pace_of_window(limit: &Limit, left: f64, resets_at: SystemTime) -> Result<f64, Untold> {
    let window = limit.window.filter(|window| !window.is_zero()).ok_or(Untold::NoWindow)?;
    let began_at = resets_at.checked_sub(window).ok_or(Untold::NoWindow)?;
    let elapsed = limit.captured_at.duration_since(began_at).map_err(|_| Untold::TooEarly)?;
    // What is used up by then is used up all the same.
    if elapsed.is_zero() || (elapsed < window / TOO_EARLY && left > 0.0) {
        return Err(Untold::TooEarly);
    }
    Ok((1.0 - left) / elapsed.as_secs_f64())
}

/// The share that was used in a second between two looks; `None` where they tell nothing.
fn pace_between(earlier: &Limit, later: &Limit) -> Option<f64> {
    let span = later.captured_at.duration_since(earlier.captured_at).ok()?;
    let used = earlier.share_left()? - later.share_left()?;
    (span >= CLOSEST_LOOKS && used >= 0.0).then(|| used / span.as_secs_f64())
}

/// Are both looks at the same window of the same limit?
fn is_same_window(a: &Limit, b: &Limit) -> bool {
    let ends_with = |a: SystemTime, b: SystemTime| {
        a.duration_since(b).or_else(|_| b.duration_since(a)).is_ok_and(|apart| apart <= SAME_END)
    };
    let (Some(a_end), Some(b_end)) = (a.resets_at, b.resets_at) else { return false };
    (&a.quantity, &a.scope, &a.pool, a.window, a.limit) == (&b.quantity, &b.scope, &b.pool, b.window, b.limit)
        && ends_with(a_end, b_end)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::signal::{Quantity, Scope};

    const START: SystemTime = SystemTime::UNIX_EPOCH;

    fn at(seconds: u64) -> SystemTime {
        START + Duration::from_secs(seconds)
    }

    /// Of a window of ten hours that begins with the epoch.
    fn limit(remaining: u64, captured: u64) -> Limit {
        Limit {
            quantity: Quantity::Requests,
            scope: Scope::default(),
            pool: String::new(),
            window: Some(Duration::from_secs(36_000)),
            limit: Some(100),
            remaining: Some(remaining),
            utilization: None,
            resets_at: Some(at(36_000)),
            captured_at: at(captured),
            refill: Refill::WindowEdge,
            effect: Effect::Refuses,
        }
    }

    #[test]
    fn what_is_spent_too_fast_runs_out_before_the_reset() {
        let forecast = forecast(&limit(20, 18_000), None, at(18_000)).unwrap();
        // 80 % in five hours: the rest lasts for 75 minutes.
        assert_eq!(forecast.runs_out_at, Some(at(18_000 + 4500)));
        assert_eq!((forecast.basis, (forecast.per_hour * 1000.0).round()), (Basis::Window, 160.0));
        assert_eq!((forecast.lasting_per_hour * 1000.0).round(), 40.0);
    }

    #[test]
    fn what_is_spent_slowly_lasts() {
        assert_eq!(forecast(&limit(60, 18_000), None, at(18_000)).unwrap().runs_out_at, None);
        // Evenly spent to the very end is enough, and so is nothing.
        assert_eq!(forecast(&limit(50, 18_000), None, at(18_000)).unwrap().runs_out_at, None);
        assert_eq!(forecast(&limit(100, 18_000), None, at(18_000)).unwrap().per_hour, 0.0);
    }

    #[test]
    fn what_is_used_up_has_run_out_already() {
        let forecast = forecast(&limit(0, 7200), None, at(8000)).unwrap();
        assert_eq!((forecast.runs_out_at, forecast.lasting_per_hour), (Some(at(7200)), 0.0));
    }

    #[test]
    fn two_looks_tell_the_present_pace() {
        let (before, after) = (limit(60, 17_640), limit(50, 18_000));
        let forecast = forecast(&after, Some(&before), at(18_000)).unwrap();
        assert_eq!(forecast.basis, Basis::Looks);
        // A tenth in six minutes: half of it in half an hour.
        assert_eq!(forecast.runs_out_at, Some(at(18_000 + 1800)));
        let without_window = Limit { window: None, ..after.clone() };
        let before = Limit { window: None, ..before };
        assert!(super::forecast(&without_window, Some(&before), at(18_000)).is_ok());
    }

    #[test]
    fn looks_at_other_windows_and_looks_that_are_too_close_do_not_count() {
        let after = limit(50, 18_000);
        for before in [
            limit(60, 17_995),
            limit(60, 18_001),
            limit(40, 17_000),
            Limit { resets_at: Some(at(18_001)), ..limit(60, 17_000) },
            Limit { pool: "other".to_owned(), ..limit(60, 17_000) },
        ] {
            assert_eq!(
                forecast(&after, Some(&before), at(18_000)).unwrap().basis,
                Basis::Window,
                "{before:?}"
            );
        }
    }

    #[test]
    fn what_cannot_be_told_is_not_guessed() {
        let early = |captured| forecast(&limit(99, captured), None, at(captured));
        let with = |change: &dyn Fn(&mut Limit)| {
            let mut limit = limit(50, 18_000);
            change(&mut limit);
            forecast(&limit, None, at(18_000))
        };
        for (told, why) in [
            (early(0), Untold::TooEarly),
            (early(359), Untold::TooEarly),
            (forecast(&limit(50, 18_000), None, at(36_000)), Untold::Over),
            (with(&|limit| limit.refill = Refill::Continuous), Untold::Refills),
            (with(&|limit| limit.refill = Refill::Projected), Untold::Refills),
            (with(&|limit| limit.resets_at = None), Untold::NoReset),
            (with(&|limit| limit.window = None), Untold::NoWindow),
            (with(&|limit| limit.window = Some(Duration::MAX)), Untold::NoWindow),
            (with(&|limit| limit.limit = Some(0)), Untold::NoShare),
            (with(&|limit| limit.utilization = Some(f64::NAN)), Untold::NoShare),
            (with(&|limit| limit.captured_at = START - Duration::from_secs(60)), Untold::TooEarly),
        ] {
            assert_eq!(told, Err(why));
        }
        assert!(early(360).is_ok());
    }

    proptest! {
        #[test]
        fn nothing_runs_out_before_it_was_looked_at_or_after_the_reset(
            remaining in 0_u64..=200, captured in any::<u32>(), resets in any::<u32>(), window in any::<u32>(),
            now in any::<u32>(), whole in prop::option::of(0_u64..=100), share in prop::option::of(-1.0..2.0_f64),
        ) {
            let limit = Limit {
                window: Some(Duration::from_secs(window.into())),
                limit: whole,
                utilization: share,
                resets_at: Some(at(resets.into())),
                ..limit(remaining, captured.into())
            };
            if let Ok(forecast) = forecast(&limit, None, at(now.into())) {
                prop_assert!((0.0..=1.0).contains(&forecast.left));
                prop_assert!(forecast.per_hour >= 0.0 && forecast.per_hour.is_finite());
                prop_assert!(forecast.lasting_per_hour >= 0.0 && forecast.lasting_per_hour.is_finite());
                if let Some(out) = forecast.runs_out_at {
                    prop_assert!(limit.captured_at <= out && out < forecast.resets_at);
                }
            }
        }

        #[test]
        fn who_spends_more_runs_out_no_later(captured in 360_u64..36_000, a in 0_u64..=100, b in 0_u64..=100) {
            let out = |left| {
                let forecast = forecast(&limit(left, captured), None, at(captured)).unwrap();
                forecast.runs_out_at.unwrap_or(forecast.resets_at)
            };
            prop_assert!(out(a.min(b)) <= out(a.max(b)));
        }

        #[test]
        fn the_pace_that_lasts_ends_with_the_reset(captured in 360_u64..35_000, left in 1_u64..=100) {
            let forecast = forecast(&limit(left, captured), None, at(captured)).unwrap();
            let hours = forecast.left / forecast.lasting_per_hour;
            prop_assert!((hours * 3600.0 - (36_000 - captured) as f64).abs() < 0.01);
            prop_assert_eq!(forecast.runs_out_at.is_some(), forecast.per_hour > forecast.lasting_per_hour * (1.0 + 1e-9));
        }
    }
}
