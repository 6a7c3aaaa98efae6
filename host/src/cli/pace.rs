//! `pace`: when allowances will be used up at the present pace, and which pace would last.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, SystemTime};

use jiff::tz::TimeZone;
use runtime_signals::forms::PaceForm;
use runtime_signals::pace::{Basis, CLOSEST_LOOKS, Forecast, Untold, of_signal};
use runtime_signals::{Limit, Signal};

use super::context::{Context, block_on, provider_name};
use super::{Exit, human, output, remote, status, table, tell, wait};

/// Times that are further away are told with their day.
const SAME_DAY: Duration = Duration::from_secs(20 * 60 * 60);

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The provider's name; all that are known if not given
    #[arg(value_parser = provider_name)]
    name: Option<String>,
    /// Look twice, so far apart, and tell the pace between; at least 10s
    #[arg(long, value_name = "DURATION", value_parser = wait::duration)]
    over: Option<Duration>,
}

/// Prints the pace of each limit.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    if args.over.is_some_and(|over| over < CLOSEST_LOOKS) {
        tell(format_args!(
            "runtime-signals: looks less than 10s apart tell nothing; give --over 10s or more"
        ));
        return Ok(Exit::BAD_USAGE);
    }
    let mut earlier = BTreeMap::new();
    if let Some(over) = args.over {
        earlier = look(args, context)?;
        thread::sleep(over);
    }
    let signals = look(args, context)?;
    if let (Some(name), true) = (&args.name, signals.is_empty()) {
        tell(format_args!(
            "runtime-signals: nothing is known of {name}; `runtime-signals warmup` it, or call it"
        ));
        return Ok(Exit::NOTHING_STORED);
    }
    let now = SystemTime::now();
    let before = |signal: &Signal| earlier.get(&signal.provider);
    let mut text = String::new();
    if context.output.is_json() {
        for signal in signals.values() {
            text += &serde_json::to_string(&PaceForm::new(signal, before(signal), now))?;
            text.push('\n');
        }
    } else {
        let rows = signals.values().flat_map(|signal| {
            let told = of_signal(signal, before(signal), now);
            told.into_iter().map(|(limit, forecast)| row(signal, limit, forecast, now))
        });
        let rows = Vec::from_iter(rows);
        let heading = ["PROVIDER", "LIMIT", "LEFT", "PACE", "OUTLOOK"];
        text = match rows.is_empty() {
            true => "no limits are known\n".to_owned(),
            false => table::texts(heading, rows, context.output.colours),
        };
    }
    output::write(text.as_bytes())?;
    Ok(Exit::DONE)
}

/// The signals as of now, by name.
fn look(args: &Args, context: &Context) -> anyhow::Result<BTreeMap<String, Signal>> {
    let found = match context.remote()? {
        Some(remote) => block_on(remote::entries(&remote, &context.judge()?))??,
        None => status::found(&context.service()?)?,
    };
    let signals = found.into_iter().map(|entry| (entry.signal.provider.clone(), entry.signal));
    Ok(signals.filter(|(name, _)| args.name.as_ref().is_none_or(|wanted| wanted == name)).collect())
}

fn row(signal: &Signal, limit: &Limit, forecast: Result<Forecast, Untold>, now: SystemTime) -> [String; 5] {
    let left = limit.share_left().map(percent);
    let pace = forecast.map(|forecast| {
        let basis = if forecast.basis == Basis::Looks { " just now" } else { "" };
        format!("{}/h{basis}", percent(forecast.per_hour))
    });
    [
        signal.provider.clone(),
        human::limit(limit),
        left.unwrap_or_default(),
        pace.unwrap_or_default(),
        forecast.map_or_else(
            |untold| untold.in_words().to_owned(),
            |forecast| outlook(&forecast, now, &TimeZone::system()),
        ),
    ]
}

fn outlook(forecast: &Forecast, now: SystemTime, zone: &TimeZone) -> String {
    let to_reset = human::wait(forecast.resets_at.duration_since(now).unwrap_or_default());
    let Some(out) = forecast.runs_out_at else { return format!("lasts until the reset in {to_reset}") };
    if forecast.left <= 0.0 {
        return format!("used up until the reset in {to_reset}");
    }
    let before = human::span(forecast.resets_at.duration_since(out).unwrap_or_default());
    let lasting = percent(forecast.lasting_per_hour);
    let runs_out = if out > now { "runs out" } else { "ran out" };
    format!("{runs_out} at {}, {before} before the reset; at most {lasting}/h lasts", clock(out, now, zone))
}

/// The time of the day, with the day where it is not about today.
fn clock(at: SystemTime, now: SystemTime, zone: &TimeZone) -> String {
    let apart = at.duration_since(now).or_else(|_| now.duration_since(at)).unwrap_or_default();
    let format = if apart < SAME_DAY { "%H:%M" } else { "%a %-d %b, %H:%M" };
    match jiff::Timestamp::try_from(at) {
        Ok(time) => zone.to_datetime(time).strftime(format).to_string(),
        Err(_) => "a time far away".to_owned(),
    }
}

/// A share in percent: with a decimal where it is small.
fn percent(share: f64) -> String {
    let percent = share * 100.0;
    if percent > 0.0 && percent < 10.0 { format!("{percent:.1}%") } else { format!("{percent:.0}%") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(hours: f64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs_f64(hours * 3600.0)
    }

    fn forecast(left: f64, runs_out: Option<f64>, resets: f64) -> Forecast {
        Forecast {
            left,
            captured_at: at(0.0),
            basis: Basis::Window,
            per_hour: 0.3,
            runs_out_at: runs_out.map(at),
            resets_at: at(resets),
            lasting_per_hour: left / resets,
        }
    }

    #[test]
    fn what_is_to_be_expected_is_told_in_words() {
        for (forecast, words) in [
            (forecast(0.5, None, 2.0), "lasts until the reset in 2h"),
            (forecast(0.0, Some(0.0), 2.0), "used up until the reset in 2h"),
            (forecast(0.5, Some(3.5), 5.0), "runs out at 03:30, 1h30m before the reset; at most 10%/h lasts"),
            (
                forecast(0.5, Some(48.0), 100.0),
                "runs out at Sat 3 Jan, 00:00, 2d4h before the reset; at most 0.5%/h lasts",
            ),
        ] {
            assert_eq!(outlook(&forecast, at(0.0), &TimeZone::UTC), words);
        }
        let late = outlook(&forecast(0.5, Some(1.0), 5.0), at(2.0), &TimeZone::UTC);
        assert!(late.starts_with("ran out at 01:00, 4h before"), "{late}");
    }
}
