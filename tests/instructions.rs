//! How many instructions the hot calls execute in the sandbox. Time is noise on most machines; these counts are the same
//! on all of them, so that a change which makes a call dearer is seen.

#[allow(unused_imports)]
#[path = "../host/benches/support/mod.rs"]
mod support;

use support::bare::{Bare, Instant};
use support::{Case, Matcher, NOW};

/// Calls before the counted one: the first ones make room and unpack a profile.
const WARM_UP: usize = 200;
/// Observations that a batch records.
const BATCH: usize = 64;

/// Of a case: one record, one record of a batch, and a collect. Wasm instructions, with Debian's compiler.
const COUNTED: [(&str, [u64; 3]); 3] = [
    ("openai 20 headers, 6 limits", [3443, 3326, 4117]),
    ("anthropic 26 headers, 12 limits", [5351, 5039, 6459]),
    ("latency only", [1077, 957, 2139]),
];

fn count(case: &Case) -> [u64; 3] {
    let mut bare = Bare::counting();
    let provider = bare.add("p");
    let (mut frames, mut one, mut batch) = (Vec::new(), Vec::new(), Vec::new());
    let matcher = Matcher::new(case.provider_type);
    matcher.pack(&case.headers, provider, &mut frames, &mut one);
    (0..BATCH).for_each(|_| matcher.pack(&case.headers, provider, &mut frames, &mut batch));
    (0..WARM_UP).for_each(|_| bare.record(&one));
    let single = bare.instructions(|bare| bare.record(&one));
    let in_batch = bare.instructions(|bare| bare.record(&batch)) / BATCH as u64;
    let now = Instant { seconds: NOW, nanoseconds: 0 };
    // The first one after many records sorts their latencies.
    bare.collect(provider, now);
    bare.record(&one);
    let collect = bare.instructions(|bare| bare.collect(provider, now));
    [single, in_batch, collect]
}

#[test]
fn the_hot_calls_execute_no_more_instructions_than_they_did() {
    let counted = Case::all().map(|case| (case.name, count(&case)));
    println!("record, record in a batch, collect: {counted:?}");
    for ((name, counted), (of, known)) in counted.iter().zip(COUNTED) {
        assert_eq!(*name, of);
        for (counted, known) in counted.iter().zip(known) {
            // Another compiler differs by a few in a hundred.
            assert!(*counted <= known + known / 20, "{name}: {counted} instructions, {known} before");
        }
    }
}
