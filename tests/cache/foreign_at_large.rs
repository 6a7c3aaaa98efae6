//! Beside a program that shares the directory and not our code, while both write as fast as they can, and that is
//! killed again and again.
//!
//! `RUNTIME_SIGNALS_TEST_SECONDS` sets how long, `RUNTIME_SIGNALS_TEST_SEED` repeats the choices of a run.

use std::time::{Duration, Instant};

use runtime_signals::cache::{LOCK_TIMEOUT, cache_source};

use super::child::COOL_DOWN;
use super::support::{Child, Heard, LONG, Root};
use super::worker::Ledger;
use crate::support::{number_from, seed};

const SECONDS: u64 = 5;
const WORKERS: usize = 3;
/// Operations between two reports.
const OPERATIONS: u64 = 40;
/// What a machine may take on which many others work as well.
const ALLOWANCE: Duration = Duration::from_secs(10);
/// Of these the other program writes only what it refreshed under its marker: there we look again.
const MARKED: [&str; 2] = ["marked-1", "marked-2"];
/// Of this one it may replace a newer signal by an older one behind our back.
const PLAIN: &str = "plain";

#[test]
fn beside_a_foreign_writer_nothing_is_torn_no_one_is_held_up_and_the_newest_is_put_back() {
    let mut random = fastrand::Rng::with_seed(seed());
    let root = Root::in_memory();
    std::fs::create_dir(root.path().join("runtime")).unwrap();
    let start = || root.child().set("FIZ_LOCK_TIMEOUT", "100ms").set(COOL_DOWN, "1").start();
    let mut workers: Vec<_> = (0..WORKERS).map(|_| start()).collect();
    let mut foreign = Foreign { child: start(), written: 0, dropped: 0, kills: 0 };
    let names = [MARKED.as_slice(), &[PLAIN]].concat();
    let (marked, plain) = (MARKED.map(|name| cache_source(name).unwrap()), cache_source(PLAIN).unwrap());
    let names = names.join(" ");
    let go = |child: &mut Child, what: &str| {
        child.say(&format!("{what} {names}"));
    };
    for worker in &mut workers {
        go(worker, &format!("work {} {OPERATIONS} beside", random.u64(..)));
    }
    go(&mut foreign.child, &format!("foreign run {} {OPERATIONS}", random.u64(..)));

    let cache = root.cache();
    let mut ledger = Ledger::default();
    let lasts = Duration::from_secs(number_from("RUNTIME_SIGNALS_TEST_SECONDS").unwrap_or(SECONDS));
    let began = Instant::now();
    let mut next_kill = Duration::from_millis(200);
    let mut at_work: Vec<_> = (0..WORKERS).collect();
    let mut foreign_at_work = true;
    while !at_work.is_empty() || foreign_at_work {
        let goes_on = began.elapsed() < lasts;
        at_work.retain(|index| {
            let worker = &mut workers[*index];
            let rests = match worker.hear_or_end() {
                Heard::Line(line) => ledger.enter(&line),
                Heard::Nothing => false,
                Heard::End(status) => panic!("a worker ended: {status}"),
            };
            if rests && goes_on {
                go(worker, &format!("work {} {OPERATIONS} beside", random.u64(..)));
            }
            goes_on || !rests
        });
        if foreign_at_work && foreign.has_run() {
            foreign_at_work = goes_on;
            if goes_on {
                go(&mut foreign.child, &format!("foreign run {} {OPERATIONS}", random.u64(..)));
            }
        }
        if goes_on && began.elapsed() > next_kill {
            next_kill = began.elapsed() + Duration::from_millis(random.u64(20..800));
            std::mem::replace(&mut foreign.child, start()).kill();
            foreign.kills += 1;
            go(&mut foreign.child, &format!("foreign run {} {OPERATIONS}", random.u64(..)));
        }
        for source in marked.iter().chain([&plain]) {
            ledger.whole(&cache, source);
        }
        assert!(began.elapsed() < lasts + LONG * 4, "the processes do not end their work");
    }
    println!(
        "{} writes acknowledged, {} refused, {} reads, slowest operation {:?}; the foreign program wrote {} times, \
         gave up {} times, was killed {} times",
        ledger.stored,
        ledger.refused,
        ledger.reads,
        ledger.slowest,
        foreign.written,
        foreign.dropped,
        foreign.kills
    );
    ledger.compare(&cache, &marked);
    assert!(foreign.written > 0 && foreign.kills > 0 && ledger.stored > 0);
    assert!(ledger.slowest < LOCK_TIMEOUT * 2 + ALLOWANCE, "held up for {:?}", ledger.slowest);
    assert!(ledger.refused < ledger.stored / 10, "{} refused, {} stored", ledger.refused, ledger.stored);
}

struct Foreign {
    child: Child,
    written: u64,
    dropped: u64,
    kills: u64,
}

impl Foreign {
    /// Whether it has done what it was told.
    fn has_run(&mut self) -> bool {
        let line = match self.child.hear_or_end() {
            Heard::Line(line) => line,
            Heard::Nothing => return false,
            Heard::End(status) => panic!("the foreign program ended: {status}"),
        };
        let Some((written, dropped)) = line.strip_prefix("ran ").and_then(|counts| counts.split_once(' '))
        else {
            panic!("{line}")
        };
        self.written += written.parse::<u64>().unwrap();
        self.dropped += dropped.parse::<u64>().unwrap();
        true
    }
}
