//! The JSON of a pace.

use std::time::SystemTime;

use serde::Serialize;

use super::reading::LimitForm;
use crate::pace::{Forecast, Untold, of_signal};
use crate::signal::{Limit, Signal};
use crate::time::rfc3339;

/// The limits of a provider, and when each will be used up.
#[derive(Debug, Serialize)]
pub struct PaceForm<'a> {
    provider: &'a str,
    limits: Vec<PacedForm<'a>>,
}

#[derive(Debug, Serialize)]
struct PacedForm<'a> {
    #[serde(flatten)]
    limit: LimitForm<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pace: Option<ForecastForm>,
    /// Why there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    untold: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct ForecastForm {
    basis: &'static str,
    left: f64,
    per_hour: f64,
    lasts: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    runs_out_at: Option<String>,
    lasting_per_hour: f64,
}

impl<'a> PaceForm<'a> {
    /// Of a signal, with an earlier look at the same provider where there was one.
    #[must_use]
    pub fn new(signal: &'a Signal, earlier: Option<&Signal>, now: SystemTime) -> Self {
        let limits = of_signal(signal, earlier, now).into_iter().map(PacedForm::from);
        Self { provider: &signal.provider, limits: limits.collect() }
    }
}

impl<'a> From<(&'a Limit, Result<Forecast, Untold>)> for PacedForm<'a> {
    fn from((limit, forecast): (&'a Limit, Result<Forecast, Untold>)) -> Self {
        let untold = forecast.err().map(Untold::as_str);
        let pace = forecast.ok().map(|forecast| ForecastForm {
            basis: forecast.basis.as_str(),
            left: forecast.left,
            per_hour: forecast.per_hour,
            lasts: forecast.runs_out_at.is_none(),
            runs_out_at: forecast.runs_out_at.map(rfc3339),
            lasting_per_hour: forecast.lasting_per_hour,
        });
        Self { limit: LimitForm::from(limit), pace, untold }
    }
}
