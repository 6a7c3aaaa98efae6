//! Looks at the service's process every two seconds.

use std::fs;
use std::time::Duration;

use serde_json::Value;

use crate::course::{Course, Schedule};
use crate::percentile::percentile;
use crate::samples::Writer;
use crate::scene::runtime_folder;
use crate::served::{Link, Served};
use crate::tally::Meter;

/// From one sample to the next.
const EACH: Duration = Duration::from_secs(2);
/// Samples from one line of progress to the next.
const TELL: usize = 15;
const MIB: f64 = 1024.0 * 1024.0;

/// Samples until the load is over; a service that ends by itself ends the load.
pub(crate) fn sample(served: &Served, course: &Course, meter: &Meter, writer: &mut Writer) {
    let mut schedule = Schedule::new(course.began + EACH, EACH);
    let mut number = 0_usize;
    while schedule.next(course).is_some() {
        if !served.is_running() {
            meter.error("the service has ended by itself".to_owned());
            return course.break_off();
        }
        let row = row(served, course, meter);
        if number.is_multiple_of(TELL) {
            println!("{}", Writer::told(&row));
        }
        number += 1;
        writer.write(&row);
    }
}

/// The values of one sample, in the order of the columns.
fn row(served: &Served, course: &Course, meter: &Meter) -> Vec<(&'static str, f64)> {
    let shared = match Link::to(served.address()).and_then(|mut link| link.try_get("/readyz")) {
        Ok(told) => serde_json::from_str::<Value>(&told).unwrap_or_default()["shared"].take(),
        Err(error) => {
            meter.error(format!("GET /readyz: {error}"));
            Value::Null
        }
    };
    let mut tally = meter.take();
    let mut row = vec![
        ("time_s", course.began.elapsed().as_secs_f64()),
        ("resident_mib", served.resident_mib()),
        ("anonymous_mib", served.kib_of("RssAnon:") / 1024.0),
        ("descriptors", entries(&served.told_of("fd"))),
        ("threads", entries(&served.told_of("task"))),
        ("cpu_s", served.cpu_time().as_secs_f64()),
        ("written_mib", written(served) / MIB),
        ("cache_files", entries(&runtime_folder(served))),
        ("accepted", tally.accepted.into()),
        ("refused", tally.refused.into()),
        ("errors", tally.errors.into()),
    ];
    let times = [
        ("post_p50_ms", "post_p99_ms", &mut tally.posts),
        ("read_p50_ms", "read_p99_ms", &mut tally.reads),
        ("list_p50_ms", "list_p99_ms", &mut tally.lists),
    ];
    for (median, tail, times) in times {
        times.sort();
        let at =
            |part| if times.is_empty() { f64::NAN } else { percentile(times, part).as_secs_f64() * 1000.0 };
        row.extend([(median, at(0.5)), (tail, at(0.99))]);
    }
    row.extend([
        ("events", tally.events.into()),
        ("resyncs", tally.resyncs.into()),
        ("swaps", tally.swaps.into()),
        ("outages", tally.outages.into()),
        ("shared_connected", f64::from(u8::from(shared["state"] == "connected"))),
        ("shared_published", shared["published"].as_f64().unwrap_or(f64::NAN)),
    ]);
    row
}

fn entries(folder: &std::path::Path) -> f64 {
    fs::read_dir(folder).map_or(f64::NAN, |entries| entries.count() as f64)
}

/// What the process has had written to disk, in bytes.
fn written(served: &Served) -> f64 {
    let told = fs::read_to_string(served.told_of("io")).unwrap_or_default();
    let line = told.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    line.and_then(|bytes| bytes.parse().ok()).unwrap_or(f64::NAN)
}
