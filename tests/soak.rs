//! What the soak (`host/benches/soak/`) says of samples: it has to notice what it is for.

#[path = "../host/benches/soak/samples.rs"]
#[allow(dead_code, unreachable_pub)]
mod samples;
#[path = "../host/benches/soak/verdict.rs"]
#[allow(dead_code, unreachable_pub)]
mod verdict;

use std::collections::BTreeMap;

use samples::{End, Samples};

/// A value by the minute.
type Value = fn(f64) -> f64;

/// A run of an hour with a sample a minute.
struct Run {
    columns: Vec<(&'static str, Value)>,
    end: Option<End>,
}

impl Run {
    /// One in which all is as it should be: what grows does so at first.
    fn steady() -> Self {
        let end = End {
            rate: 5000,
            exit: "exit status: 0".into(),
            is_graceful: true,
            stop_s: 0.2,
            providers: 10,
            lost: Vec::new(),
            left_over: Vec::new(),
            warnings: 0,
            log_errors: 0,
            messages: BTreeMap::new(),
        };
        let columns: Vec<(_, Value)> = vec![
            ("time_s", |minute| minute * 60.0),
            ("resident_mib", |minute| 100.0 - 50.0 / minute.powi(2) + minute % 3.0),
            ("descriptors", |minute| 50.0 + minute % 4.0),
            ("threads", |minute| 12.0 + minute % 2.0),
            ("accepted", |_| 300_000.0),
            ("refused", |_| 0.0),
            ("errors", |_| 0.0),
            ("post_p99_ms", |_| 3.0),
        ];
        Self { columns, end: Some(end) }
    }

    /// With another column in place of the one of this name.
    fn with(mut self, name: &str, value: Value) -> Self {
        self.columns.iter_mut().find(|(other, _)| *other == name).unwrap().1 = value;
        self
    }

    fn ending(mut self, change: impl FnOnce(&mut End)) -> Self {
        change(self.end.as_mut().unwrap());
        self
    }

    /// What is said of it, by way of a file.
    fn failures(&self) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("soak.csv");
        let mut writer = Samples::create(&file);
        for minute in 1..=60 {
            let row: Vec<_> =
                self.columns.iter().map(|(name, value)| (*name, value(f64::from(minute)))).collect();
            writer.write(&row);
        }
        if let Some(end) = &self.end {
            writer.end(end);
        }
        verdict::of(&Samples::read(&file).unwrap()).failures
    }
}

#[test]
fn a_run_that_keeps_what_it_has_after_a_warm_up_passes() {
    assert_eq!(Run::steady().failures(), [""; 0]);
}

#[test]
fn memory_that_goes_on_growing_fails() {
    let growing = Run::steady().with("resident_mib", |minute| 100.0 + minute * 0.25);
    assert_eq!(growing.failures(), ["memory grew by more than 10 %"]);
    let growing_slowly = Run::steady().with("resident_mib", |minute| 100.0 + minute * 0.15);
    assert_eq!(growing_slowly.failures(), [""; 0]);
}

#[test]
fn descriptors_and_threads_that_become_more_fail() {
    let growing: Value = |minute| 50.0 + (minute / 10.0).floor();
    assert_eq!(Run::steady().with("descriptors", growing).failures(), ["descriptors became more"]);
    assert_eq!(Run::steady().with("threads", growing).failures(), ["threads became more"]);
}

#[test]
fn a_single_error_or_refusal_fails() {
    let once: Value = |minute| f64::from(u8::from(minute == 30.0));
    assert_eq!(Run::steady().with("errors", once).failures(), ["errors: 1"]);
    assert_eq!(Run::steady().with("refused", once).failures(), ["refused: 1"]);
}

#[test]
fn a_load_that_was_not_borne_fails() {
    let slow = Run::steady().with("accepted", |_| 290_000.0);
    assert_eq!(slow.failures(), ["the service did not keep up with 5000 observations a second"]);
}

#[test]
fn what_was_acknowledged_and_is_not_on_disk_fails() {
    let lost = Run::steady().ending(|end| end.lost.push("observed-0007".into()));
    assert_eq!(lost.failures(), ["acknowledged and not on disk: observed-0007 …"]);
}

#[test]
fn an_end_that_is_not_graceful_or_not_reached_fails() {
    let killed = Run::steady().ending(|end| (end.exit, end.is_graceful) = ("signal: 6".into(), false));
    assert_eq!(killed.failures(), ["the service ended with signal: 6"]);
    let broken_off = Run { end: None, ..Run::steady() };
    assert_eq!(broken_off.failures(), ["the run did not come to its end"]);
}

#[test]
fn a_run_that_is_over_at_once_fails_with_what_came_of_it() {
    let mut samples = Samples::parse("time_s,resident_mib\n2,100\n").unwrap();
    samples.end = Run::steady().ending(|end| end.lost.push("observed-0007".into())).end;
    let failures = verdict::of(&samples).failures;
    assert_eq!(failures, ["there are too few samples", "acknowledged and not on disk: observed-0007 …"]);
}

#[test]
fn a_file_that_holds_no_samples_is_refused() {
    for text in ["", "time_s,resident_mib\n1\n", "time_s,resident_mib\n1,x\n"] {
        assert!(Samples::parse(text).is_err(), "{text:?}");
    }
}
