//! Colours, or none where the user wants none.

use ratatui::style::{Color, Modifier, Style};
use runtime_signals::ModelStatus;

/// How things are set off from each other.
#[derive(Clone, Copy)]
pub(super) struct Theme {
    pub(super) plain: Style,
    pub(super) heading: Style,
    pub(super) selected: Style,
    pub(super) faint: Style,
    pub(super) good: Style,
    pub(super) fair: Style,
    pub(super) bad: Style,
}

impl Theme {
    pub(super) const fn new(colours: bool) -> Self {
        if colours { Self::coloured() } else { Self::plain() }
    }

    pub(super) const fn coloured() -> Self {
        Self {
            good: Style::new().fg(Color::Green),
            fair: Style::new().fg(Color::Yellow),
            bad: Style::new().fg(Color::Red),
            ..Self::plain()
        }
    }

    /// Without colours; bold, dim and reversed remain.
    pub(super) const fn plain() -> Self {
        Self {
            plain: Style::new(),
            heading: Style::new().add_modifier(Modifier::BOLD),
            selected: Style::new().add_modifier(Modifier::REVERSED),
            faint: Style::new().add_modifier(Modifier::DIM),
            good: Style::new(),
            fair: Style::new(),
            bad: Style::new().add_modifier(Modifier::BOLD),
        }
    }

    /// Of a status.
    pub(super) const fn of(self, status: ModelStatus) -> Style {
        match status {
            ModelStatus::Available => self.good,
            ModelStatus::Degraded => self.fair,
            ModelStatus::Exhausted => self.bad,
            ModelStatus::Unknown => self.faint,
        }
    }
}
