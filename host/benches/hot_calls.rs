//! What a call costs: natively, on bare wasmtime, through the product.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing)]

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use runtime_signals::Store;
use runtime_signals_core::evidence::Evidence;
use runtime_signals_core::json;
use runtime_signals_core::time::Time;

mod support;

use support::bare::{Bare, Instant, Pairs};
use support::{Case, Matcher, NOW, store};

const BATCH: usize = 64;

/// A call about one response, in three layers.
fn one_response(
    criterion: &mut Criterion,
    name: &str,
    on_native: impl Fn(&mut runtime_signals_core::Store, &[u8], u32),
    on_bare: impl Fn(&mut Bare, &[u8], u32),
    on_product: impl Fn(&Store, &Case),
) {
    for case in Case::all() {
        let mut group = criterion.benchmark_group(format!("{name}, {}", case.name));
        let matcher = Matcher::new(case.provider_type);
        let (mut frames, mut packed) = (Vec::new(), Vec::new());

        let mut native = runtime_signals_core::Store::new(0);
        let handle = native.add_provider("p");
        group.bench_function("native", |bencher| {
            bencher.iter(|| {
                packed.clear();
                matcher.pack(black_box(&case.headers), handle, &mut frames, &mut packed);
                on_native(&mut native, &packed, handle);
            });
        });
        let mut bare = Bare::new();
        let handle = bare.add("p");
        group.bench_function("bare wasmtime", |bencher| {
            bencher.iter(|| {
                packed.clear();
                matcher.pack(black_box(&case.headers), handle, &mut frames, &mut packed);
                on_bare(&mut bare, &packed, handle);
            });
        });
        let product = store();
        group.bench_function("product", |bencher| bencher.iter(|| on_product(&product, black_box(&case))));
        group.finish();
    }
}

fn record(criterion: &mut Criterion) {
    one_response(
        criterion,
        "record",
        |native, packed, _| native.record(packed).unwrap(),
        |bare, packed, _| bare.record(packed),
        |product, case| product.record(&case.observation("p")).unwrap(),
    );
    let [case, ..] = Case::all();
    let mut pairs = Pairs::new();
    let mut group = criterion.benchmark_group(format!("record, {}", case.name));
    group.bench_function("bare wasmtime, list of pairs", |bencher| {
        bencher.iter(|| pairs.record(black_box(&case.headers), NOW));
    });
    group.finish();
}

fn record_batches(criterion: &mut Criterion) {
    for case in Case::all() {
        let mut group = criterion.benchmark_group(format!("record 64 at once, {}", case.name));
        group.throughput(Throughput::Elements(BATCH as u64));
        let matcher = Matcher::new(case.provider_type);
        let (mut frames, mut packed) = (Vec::new(), Vec::new());

        let mut native = runtime_signals_core::Store::new(0);
        let handle = native.add_provider("p");
        group.bench_function("native", |bencher| {
            bencher.iter(|| {
                packed.clear();
                (0..BATCH).for_each(|_| matcher.pack(&case.headers, handle, &mut frames, &mut packed));
                native.record(&packed).unwrap();
            });
        });
        let mut bare = Bare::new();
        let handle = bare.add("p");
        group.bench_function("bare wasmtime", |bencher| {
            bencher.iter(|| {
                packed.clear();
                (0..BATCH).for_each(|_| matcher.pack(&case.headers, handle, &mut frames, &mut packed));
                bare.record(&packed);
            });
        });
        let product = store();
        let batch: Vec<_> = (0..BATCH).map(|_| case.observation("p")).collect();
        group.bench_function("product", |bencher| {
            bencher.iter(|| product.record_batch(black_box(&batch)));
        });
        group.finish();
    }
}

fn collect(criterion: &mut Criterion) {
    let [case, ..] = Case::all();
    let matcher = Matcher::new(case.provider_type);
    let (mut frames, mut packed) = (Vec::new(), Vec::new());
    let mut group = criterion.benchmark_group("collect, nothing told since");

    let mut native = runtime_signals_core::Store::new(0);
    let handle = native.add_provider("p");
    (0..100).for_each(|_| matcher.pack(&case.headers, handle, &mut frames, &mut packed));
    native.record(&packed).unwrap();
    let now = Time::new(NOW, 1).unwrap();
    group.bench_function("native", |bencher| {
        bencher.iter(|| native.collect(handle, &Evidence::None, black_box(now)).unwrap());
    });
    let mut bare = Bare::new();
    let handle = bare.add("p");
    packed.clear();
    (0..100).for_each(|_| matcher.pack(&case.headers, handle, &mut frames, &mut packed));
    bare.record(&packed);
    group.bench_function("bare wasmtime", |bencher| {
        bencher.iter(|| bare.collect(handle, black_box(Instant { seconds: NOW, nanoseconds: 1 })));
    });
    let product = store();
    (0..100).for_each(|_| product.record(&case.observation("p")).unwrap());
    group.bench_function("product", |bencher| {
        bencher.iter(|| product.recorded(black_box("p")).unwrap());
    });
    group.finish();
}

/// A record and the signal after it, by one call.
fn observe(criterion: &mut Criterion) {
    let (now, instant) = (Time::new(NOW, 1).unwrap(), Instant { seconds: NOW, nanoseconds: 1 });
    one_response(
        criterion,
        "observe",
        |native, packed, handle| drop(black_box(native.observe(packed, handle, now).unwrap())),
        |bare, packed, handle| bare.observe(packed, handle, instant),
        |product, case| drop(black_box(product.observe(&case.observation("p")).unwrap())),
    );
}

fn code(criterion: &mut Criterion) {
    let [case, ..] = Case::all();
    let product = store();
    product.record(&case.observation("p")).unwrap();
    let signal = product.recorded("p").unwrap();
    let text = product.encode(&signal).unwrap();
    let native = json::decode("p", &text).unwrap();

    let mut group = criterion.benchmark_group("encode");
    group.bench_function("native", |bencher| bencher.iter(|| json::encode(black_box(&native))));
    group.bench_function("product", |bencher| bencher.iter(|| product.encode(black_box(&signal)).unwrap()));
    group.finish();
    let mut group = criterion.benchmark_group("decode");
    group.bench_function("native", |bencher| bencher.iter(|| json::decode("p", black_box(&text)).unwrap()));
    group
        .bench_function("product", |bencher| bencher.iter(|| product.decode("p", black_box(&text)).unwrap()));
    group.finish();
}

/// Records over 1,000 providers, by one thread and by two: of two, each about providers of its own, or both about the
/// same. The floor is that of threads that share nothing: each has a native store of its own.
fn two_threads(criterion: &mut Criterion) {
    const CALLS: usize = 20_000;
    const PROVIDERS: usize = 1000;
    let [case, ..] = Case::all();
    let names: Vec<String> = (0..2 * PROVIDERS).map(|index| format!("provider-{index}")).collect();
    // Two threads are half a round apart.
    let order = |thread: usize| (0..CALLS).map(move |index| (index * 7 + thread * 500) % PROVIDERS);
    let matcher = Matcher::new(case.provider_type);
    let on_native = |thread: usize| {
        let mut native = runtime_signals_core::Store::new(0);
        let handles: Vec<u32> = names[..PROVIDERS].iter().map(|name| native.add_provider(name)).collect();
        let (mut frames, mut packed) = (Vec::new(), Vec::new());
        for provider in order(thread) {
            packed.clear();
            matcher.pack(&case.headers, handles[provider], &mut frames, &mut packed);
            native.record(&packed).unwrap();
        }
    };
    let product = store();
    let on_product = |thread: usize, names: &[String]| {
        order(thread).for_each(|provider| product.record(&case.observation(&names[provider])).unwrap());
    };
    let on_own = |thread: usize| on_product(thread, &names[thread * PROVIDERS..][..PROVIDERS]);
    let on_same = |thread: usize| on_product(thread, &names[..PROVIDERS]);
    let layers: [(&str, &(dyn Fn(usize) + Sync)); 3] = [
        ("native, nothing shared", &on_native),
        ("product, providers of its own", &on_own),
        ("product, the same providers", &on_same),
    ];
    let mut group = criterion.benchmark_group("20,000 records a thread over 1,000 providers");
    group.sample_size(20);
    for (layer, record) in layers {
        for threads in [1, 2] {
            group.throughput(Throughput::Elements((threads * CALLS) as u64));
            group.bench_function(format!("{layer}, {threads} threads"), |bencher| {
                bencher.iter(|| {
                    std::thread::scope(|scope| {
                        (0..threads).for_each(|thread| drop(scope.spawn(move || record(thread))));
                    });
                });
            });
        }
    }
    group.finish();
}

criterion_group!(benches, record, record_batches, collect, observe, code, two_threads);
criterion_main!(benches);
