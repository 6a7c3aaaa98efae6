//! `doctor`: what was found, what is missing, and what to do about it.
//!
//! It changes nothing but for compiled code, which every command keeps, and asks loopback addresses alone, besides the
//! service that is named.

mod evidence;
mod places;
mod report;
mod service;

use self::report::Report;
use super::context::Context;
use super::{Exit, output};

/// Looks at everything and tells of it.
pub(super) fn run(context: &Context) -> anyhow::Result<Exit> {
    let mut report = Report::default();
    report.ok("version", format!("runtime-signals {}", env!("CARGO_PKG_VERSION")));
    if let Err(error) = examine(context, &mut report) {
        report.error("doctor", format!("the rest cannot be looked at: {error}"));
    }
    let text =
        if context.output.is_json() { report.to_json()? } else { report.to_text(context.output.colours) };
    output::write(text.as_bytes())?;
    Ok(if report.problems() == 0 { Exit::DONE } else { Exit::FAILED })
}

fn examine(context: &Context, report: &mut Report) -> anyhow::Result<()> {
    let by_default;
    let is_taken = places::configuration(context.config_file(), report);
    let context = if is_taken {
        context
    } else {
        by_default = context.by_default()?;
        &by_default
    };
    let config = context.config()?;
    places::cache(&context.cache()?, report);
    places::code(report);
    let service = context.service()?;
    evidence::profiles(&service, report);
    if config.parsers.is_enabled() {
        match context.parsers() {
            Ok(parsers) => evidence::parsers(&parsers, report),
            Err(error) => report.error("parsers", error),
        }
    } else {
        report.ok("parsers", "none are configured: the built-in one reads all responses");
    }
    evidence::signals(&service, config, report)?;
    evidence::discovered(config, report)?;
    service::look(context, config, report)
}
