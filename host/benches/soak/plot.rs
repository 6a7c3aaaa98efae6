//! The samples of a run as small multiples over one axis of time.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::samples::Samples;
use crate::verdict::{Fit, settled, settled_from};

const SIZE: (u32, u32) = (1200, 1240);
/// The height of a panel's head, and the width of its numbers.
const HEAD: u32 = 34;
const Y_LABELS: u32 = 62;
/// The width of a letter of the head's small text, about.
const LETTER: i32 = 8;
const BLUE: RGBColor = RGBColor(31, 97, 160);
const ORANGE: RGBColor = RGBColor(208, 100, 20);
const DARK: RGBColor = RGBColor(40, 40, 40);
const LIGHT: RGBColor = RGBColor(228, 228, 228);
const OUTAGE: RGBColor = RGBColor(236, 222, 214);

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;

/// One of the multiples.
struct Panel {
    title: &'static str,
    /// In powers of ten; else from zero on.
    is_log: bool,
    lines: Vec<(&'static str, RGBColor, Vec<f64>)>,
    fit: Option<Fit>,
}

impl Panel {
    fn new(title: &'static str, lines: Vec<(&'static str, RGBColor, Vec<f64>)>) -> Self {
        Self { title, is_log: false, lines, fit: None }
    }

    fn latency(title: &'static str, samples: &Samples, median: &str, tail: &str) -> Self {
        let of = |name| samples.column(name).to_vec();
        let lines = vec![("p99", ORANGE, of(tail)), ("p50", BLUE, of(median))];
        Self { is_log: true, ..Self::new(title, lines) }
    }

    /// The value as it stands on the axis.
    fn place(&self, value: f64) -> f64 {
        if self.is_log { value.log10() } else { value }
    }

    /// The ends of the axis, and how many numbers stand on it.
    fn range(&self) -> (f64, f64, usize) {
        let values = self.lines.iter().flat_map(|(_, _, values)| values).map(|value| self.place(*value));
        let (low, high) = values
            .filter(|value| value.is_finite())
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        if !low.is_finite() {
            return (0.0, 1.0, 2);
        }
        if self.is_log {
            let (low, high) = (low.floor(), high.ceil().max(low.floor() + 1.0));
            return (low, high, (high - low) as usize + 1);
        }
        (0.0, if high > 0.0 { high * 1.12 } else { 1.0 }, 6)
    }

    fn number(&self, place: f64) -> String {
        let value = if self.is_log { 10_f64.powf(place) } else { place };
        match value {
            _ if value == value.trunc() => format!("{value:.0}"),
            _ if value >= 1.0 => format!("{value:.1}"),
            _ => format!("{value:.2}"),
        }
    }
}

fn panels(samples: &Samples) -> Vec<Panel> {
    let column = |name| samples.column(name).to_vec();
    let resident = samples.column("resident_mib");
    let memory = Panel {
        fit: Some(Fit::of(&settled(samples, resident))),
        ..Panel::new(
            "Memory, MiB",
            vec![("resident", BLUE, resident.to_vec()), ("anonymous", ORANGE, column("anonymous_mib"))],
        )
    };
    vec![
        memory,
        Panel::new(
            "Open descriptors and threads",
            vec![("descriptors", BLUE, column("descriptors")), ("threads", ORANGE, column("threads"))],
        ),
        Panel::new(
            "Observations and events, a second",
            vec![
                ("observations", BLUE, samples.rate("accepted")),
                ("events", ORANGE, samples.rate("events")),
            ],
        ),
        Panel::new("Processor time, cores", vec![("cores", BLUE, samples.per_second("cpu_s"))]),
        Panel::latency("POST of 100 observations, ms", samples, "post_p50_ms", "post_p99_ms"),
        Panel::latency("GET about one provider, ms", samples, "read_p50_ms", "read_p99_ms"),
        // There are one or two in a sample.
        Panel {
            is_log: true,
            ..Panel::new(
                "GET about all providers, the longest, ms",
                vec![("longest", BLUE, column("list_p99_ms"))],
            )
        },
        Panel::new("Written, MiB a second", vec![("written", BLUE, samples.per_second("written_mib"))]),
    ]
}

/// Draws to a file.
pub(crate) fn draw(samples: &Samples, to: &Path) {
    let root = SVGBackend::new(to, SIZE).into_drawing_area();
    root.fill(&WHITE).unwrap();
    let (body, note) = root.split_vertically(SIZE.1 - 30);
    for (area, panel) in body.split_evenly((4, 2)).iter().zip(panels(samples)) {
        draw_panel(area, &panel, samples);
    }
    let text = "Each point is a sample of two seconds. Left of the dotted line: warm-up. Shaded: no connection to Redis.";
    note.draw_text(text, &("sans-serif", 18).into_font().color(&DARK), (16, 4)).unwrap();
    root.present().unwrap();
}

/// The title, and at the right what each line is.
fn draw_head(head: &Area<'_>, panel: &Panel) {
    let font = |size| ("sans-serif", size).into_font().color(&DARK);
    head.draw_text(panel.title, &font(21), (Y_LABELS as i32, 12)).unwrap();
    let fit = panel.fit.as_ref().map(|_| ("least squares", DARK));
    let lines = panel.lines.iter().map(|(name, color, _)| (*name, *color));
    let mut keys: Vec<_> = lines.chain(fit).collect();
    if keys.len() == 1 {
        keys.clear();
    }
    let mut right = head.dim_in_pixel().0 as i32 - 18;
    for (name, color) in keys.into_iter().rev() {
        let left = right - LETTER * name.len() as i32;
        head.draw_text(name, &font(17), (left, 14)).unwrap();
        let stroke = PathElement::new([(left - 24, 21), (left - 5, 21)], color.stroke_width(3));
        head.draw(&stroke).unwrap();
        right = left - 38;
    }
}

fn draw_panel(area: &Area<'_>, panel: &Panel, samples: &Samples) {
    let times: Vec<f64> = samples.column("time_s").iter().map(|seconds| seconds / 60.0).collect();
    let end = times.last().copied().unwrap_or(1.0);
    let (low, high, numbers) = panel.range();
    let (head, body) = area.split_vertically(HEAD);
    draw_head(&head, panel);
    let mut chart = ChartBuilder::on(&body)
        .margin(6)
        .margin_right(18)
        .x_label_area_size(42)
        .y_label_area_size(Y_LABELS)
        .build_cartesian_2d(0.0..end, low..high)
        .unwrap();
    chart
        .draw_series(
            outages(&times, samples)
                .map(|(from, to)| Rectangle::new([(from, low), (to, high)], OUTAGE.filled())),
        )
        .unwrap();
    let minutes = |time: &f64| if end < 6.0 { format!("{time:.1}") } else { format!("{time:.0}") };
    chart
        .configure_mesh()
        .max_light_lines(0)
        .bold_line_style(LIGHT)
        .axis_style(DARK)
        .x_labels(9)
        .y_labels(numbers)
        .x_desc("minutes")
        .label_style(("sans-serif", 17).into_font().color(&DARK))
        .axis_desc_style(("sans-serif", 17).into_font().color(&DARK))
        .x_label_formatter(&minutes)
        .y_label_formatter(&|place| panel.number(*place))
        .draw()
        .unwrap();
    let settled = settled_from(samples) / 60.0;
    chart.draw_series(DashedLineSeries::new([(settled, low), (settled, high)], 2, 4, DARK.into())).unwrap();
    for (_, color, values) in &panel.lines {
        let points = times.iter().zip(values).map(|(time, value)| (*time, panel.place(*value)));
        let points = points.filter(|(_, place)| place.is_finite());
        let color = *color;
        chart.draw_series(LineSeries::new(points, color)).unwrap();
    }
    if let Some(fit) = &panel.fit {
        let ends = [settled, end].map(|minutes| (minutes, fit.at(minutes * 60.0)));
        chart.draw_series(DashedLineSeries::new(ends, 8, 4, DARK.stroke_width(2))).unwrap();
    }
}

/// When the service had no connection to the server that it shares signals by.
fn outages(times: &[f64], samples: &Samples) -> impl Iterator<Item = (f64, f64)> {
    let away = samples.column("shared_connected").windows(2).zip(times.windows(2));
    let away = away.filter(|(connected, _)| connected[1] == 0.0);
    away.map(|(_, time)| (time[0], time[1])).collect::<Vec<_>>().into_iter()
}
