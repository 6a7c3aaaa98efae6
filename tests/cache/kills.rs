//! Processes that are killed between any two steps of the protocol, while others go on.
//!
//! `RUNTIME_SIGNALS_TEST_ROUNDS` sets the number of rounds, `RUNTIME_SIGNALS_TEST_SEED` repeats the choices of a run.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::time::{Duration, Instant};

use runtime_signals::cache::{
    CacheOptions, Committed, FAULT_POINTS, LOCK_TIMEOUT, RefreshError, RefreshFailure, Refreshed,
    SignalCache, Source, cache_source,
};

use super::child::COOL_DOWN;
use super::support::{Child, Heard, LONG, Root, commit_version_of, dead_pid, refresh_of_behind, write};
use super::worker::{Ledger, next_version};
use crate::support::{rounds, seed};

const PROCESSES: usize = 8;
const ROUNDS: u64 = 40;
/// Operations of each process in a round.
const OPERATIONS: u64 = 25;
/// What a machine may take on which many others work as well.
const ALLOWANCE: Duration = Duration::from_secs(10);
const GUARD_MADE: &str = "guard: file made";

#[test]
fn processes_killed_at_any_step_lose_no_acknowledged_write_and_hold_no_one_up() {
    let mut random = fastrand::Rng::with_seed(seed());
    let mut trial = Trial::new();
    let rounds = rounds(ROUNDS);
    for round in 0..rounds {
        trial.round(round, &mut random);
    }
    // Chance may have left a point out.
    for round in rounds..rounds + ROUNDS {
        if trial.kills.values().all(|kills| *kills > 0) {
            break;
        }
        trial.round(round, &mut random);
    }
    let Trial { root, ledger, kills, .. } = trial;
    println!(
        "{} kills, {} writes acknowledged, {} refused, {} reads, slowest operation {:?}\n{kills:#?}",
        kills.values().sum::<u64>(),
        ledger.stored,
        ledger.refused,
        ledger.reads,
        ledger.slowest,
    );
    assert!(kills.values().all(|kills| *kills > 0), "no process was killed at some point: {kills:?}");
    assert!(ledger.slowest < LOCK_TIMEOUT + ALLOWANCE, "held up for {:?}", ledger.slowest);
    assert!(ledger.refused < ledger.stored / 10, "{} refused, {} stored", ledger.refused, ledger.stored);
    root.cache().prune::<&str>(&[]).unwrap();
    assert_eq!(root.names(), [".guard"]);
}

struct Trial {
    root: Root,
    children: Vec<Child>,
    ledger: Ledger,
    /// How often a process was killed at each point.
    kills: BTreeMap<&'static str, u64>,
}

impl Trial {
    fn new() -> Self {
        let root = Root::in_memory();
        std::fs::create_dir(root.path().join("runtime")).unwrap();
        let children = (0..PROCESSES).map(|_| start(&root)).collect();
        let kills = FAULT_POINTS.iter().map(|point| (*point, 0)).collect();
        Self { root, children, ledger: Ledger::default(), kills }
    }

    fn round(&mut self, round: u64, random: &mut fastrand::Rng) {
        // Some stay for all rounds, some are new in each.
        let sources: Vec<_> = [
            "always-1".to_owned(),
            "always-2".to_owned(),
            format!("round-{round}-1"),
            format!("round-{round}-2"),
        ]
        .iter()
        .map(|name| cache_source(name).unwrap())
        .collect();
        self.litter(&sources);
        let mut points: Vec<_> = (0..random.usize(1..=3)).map(|_| self.choose(random)).collect();
        if points.contains(&GUARD_MADE) {
            std::fs::remove_file(self.root.file(".guard")).unwrap_or_default();
        }
        let names: Vec<_> = sources.iter().map(Source::name).collect();
        let names = names.join(" ");
        let mut victims = BTreeMap::new();
        for (index, child) in self.children.iter_mut().enumerate() {
            let point = points.pop();
            let is_due = point.is_some_and(|point| self.kills[point] == 0);
            let passing = if is_due || point == Some(GUARD_MADE) { 1 } else { random.u32(1..=4) };
            match point {
                Some(point) => {
                    victims.insert(index, point);
                    child.say(&format!("die-at {passing} {point}"));
                }
                None => child.say("die-at 0 never"),
            }
            child.say(&format!("work {} {OPERATIONS} alone {names}", random.u64(..)));
        }
        // Which ones are killed changes with the round.
        self.watch(&victims, &sources);
        self.children.rotate_left(1);
        self.clear_up(&sources);
    }

    /// A point at which none was killed yet, if there is one, or any.
    fn choose(&self, random: &mut fastrand::Rng) -> &'static str {
        let due: Vec<_> =
            self.kills.iter().filter(|(_, kills)| **kills == 0).map(|(point, _)| *point).collect();
        let among = if due.is_empty() || random.bool() { FAULT_POINTS } else { due.as_slice() };
        among[random.usize(..among.len())]
    }

    /// What killed processes of an earlier time may have left.
    fn litter(&self, sources: &[Source]) {
        let dead = format!(r#"{{"pid":{},"nonce":"n"}}"#, dead_pid());
        for source in sources {
            self.root.plant(&format!("{source}.lock"), &dead);
            self.root.plant(&format!("{source}.refreshing"), &dead);
        }
    }

    /// Reads on until all rest or are dead, and starts anew those that died.
    fn watch(&mut self, victims: &BTreeMap<usize, &'static str>, sources: &[Source]) {
        let cache = self.root.cache();
        let mut active: Vec<_> = (0..PROCESSES).collect();
        let began = Instant::now();
        while !active.is_empty() {
            active.retain(|index| {
                let child = &mut self.children[*index];
                loop {
                    match child.hear_or_end() {
                        Heard::Nothing => return true,
                        Heard::Line(line) if self.ledger.enter(&line) => return false,
                        Heard::Line(_) => {}
                        Heard::End(status) => {
                            assert_eq!(status.signal(), Some(9), "{status}");
                            *self.kills.get_mut(victims[index]).unwrap() += 1;
                            *child = start(&self.root);
                            return false;
                        }
                    }
                }
            });
            self.ledger.compare(&cache, sources);
            assert!(began.elapsed() < LONG * 4, "{} processes do not end their work", active.len());
        }
    }

    /// Nobody works now: whatever the dead have left holds up no one, and goes.
    fn clear_up(&mut self, sources: &[Source]) {
        // With the least patience: the dead are not waited for.
        let options = CacheOptions { lock_timeout: Duration::from_millis(1), ..CacheOptions::default() };
        let cache = self.root.cache_with(options);
        self.ledger.compare(&cache, sources);
        for source in sources {
            let version = next_version();
            assert_eq!(write(&cache, source, version).unwrap(), Committed::Written, "{source}");
            refresh(&cache, source, version + 1);
            assert_eq!(self.ledger.whole(&cache, source), Some(version + 1));
        }
        let always: Vec<_> =
            sources.iter().map(Source::name).filter(|name| name.starts_with("always")).collect();
        let report = cache.prune(&always).unwrap();
        assert!(report.failed.is_empty() && report.refreshing.is_empty(), "{report:?}");
        assert_eq!(self.root.names(), [".guard", "always-1.json", "always-2.json"]);
    }
}

/// A failure of a moment ago is waited for, and what a process that lives has still to clear away; nothing else.
fn refresh(cache: &SignalCache, source: &Source, version: u64) {
    let began = Instant::now();
    loop {
        let work = commit_version_of(cache.clone(), source.clone(), version);
        match refresh_of_behind(cache, source, work).join().unwrap() {
            Ok(Refreshed::Here(_)) => return,
            Ok(Refreshed::Elsewhere { finished: true, .. }) if began.elapsed() < LONG => {}
            Ok(refreshed) => panic!("{source}: {refreshed:?}"),
            Err(RefreshFailure { error: RefreshError::CoolingDown { .. }, .. }) if began.elapsed() < LONG => {
            }
            Err(failure) => panic!("{source}: {failure}"),
        }
    }
}

fn start(root: &Root) -> Child {
    root.child().set("FIZ_LOCK_TIMEOUT", "100ms").set(COOL_DOWN, "1").start()
}
