//! What the doctor found, line by line.

use anstyle::{AnsiColor, Style};
use serde::Serialize;

use crate::cli::printable;

/// How a finding is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Level {
    /// As it should be.
    Ok,
    /// Nothing is wrong, but it may explain something.
    Note,
    /// Something is wrong.
    Problem,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    area: &'static str,
    level: Level,
    text: String,
    /// What to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// All findings, in the order in which things were looked at.
#[derive(Debug, Default)]
pub(super) struct Report(Vec<Finding>);

impl Report {
    pub(super) fn ok(&mut self, area: &'static str, text: impl Into<String>) {
        self.add(area, Level::Ok, text.into(), None);
    }

    pub(super) fn note(&mut self, area: &'static str, text: impl Into<String>) {
        self.add(area, Level::Note, text.into(), None);
    }

    /// An error's own text says what to do as well.
    pub(super) fn error(&mut self, area: &'static str, error: impl ToString) {
        self.add(area, Level::Problem, error.to_string(), None);
    }

    pub(super) fn problem(&mut self, area: &'static str, text: impl Into<String>, remedy: impl Into<String>) {
        self.add(area, Level::Problem, text.into(), Some(remedy.into()));
    }

    fn add(&mut self, area: &'static str, level: Level, text: String, remedy: Option<String>) {
        // Names and texts come from files of others.
        let (text, remedy) = (printable(&text), remedy.map(|remedy| printable(&remedy)));
        self.0.push(Finding { area, level, text, remedy });
    }

    /// How many things are wrong.
    pub(super) fn problems(&self) -> usize {
        self.0.iter().filter(|finding| finding.level == Level::Problem).count()
    }

    /// A line of JSON for each.
    pub(super) fn to_json(&self) -> serde_json::Result<String> {
        let mut text = String::new();
        for finding in &self.0 {
            text += &serde_json::to_string(finding)?;
            text.push('\n');
        }
        Ok(text)
    }

    /// A line for each, and one for its remedy.
    pub(super) fn to_text(&self, colours: bool) -> String {
        let mut text = String::new();
        for Finding { area, level, text: what, remedy } in &self.0 {
            let (word, colour) = match level {
                Level::Ok => ("ok", AnsiColor::Green),
                Level::Note => ("note", AnsiColor::Cyan),
                Level::Problem => ("problem", AnsiColor::Red),
            };
            let style = if colours { colour.on_default() } else { Style::new() };
            text += &format!("{style}{word:<7}{style:#}  {area:<13}  {what}\n");
            if let Some(remedy) = remedy {
                text += &format!("{:<7}  {:<13}  -> {remedy}\n", "", "");
            }
        }
        text + &match self.problems() {
            0 => "nothing is wrong\n".to_owned(),
            1 => "1 problem\n".to_owned(),
            problems => format!("{problems} problems\n"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_counted_and_have_a_remedy_below_them() {
        let mut report = Report::default();
        report.ok("clock", "it is now");
        assert!(report.to_text(false).ends_with("nothing is wrong\n"));
        report.problem("cache", "a\u{1b}[2Jb", "remove it");
        let text = report.to_text(false);
        assert!(
            text.contains(
                "problem  cache          a [2Jb\n                        -> remove it\n1 problem\n"
            ),
            "{text}"
        );
        assert_eq!(report.to_json().unwrap().lines().count(), 2);
    }
}
