//! A service under load for a long time: does it keep its memory, descriptors, threads and speed, and all that it has
//! acknowledged?
//!
//! The service is the real binary, a process of its own; so is the Redis server by which it shares signals. This process
//! is everybody else: clients that observe, read and listen, the providers that are looked at, a publisher of parsers, and
//! whoever pulls the plug of Redis. Samples go to a file while it runs; they are drawn and judged at the end, or later
//! with `--plot`.
#![allow(missing_docs, clippy::expect_used, clippy::unwrap_used, clippy::indexing_slicing, clippy::panic)]

mod course;
mod disturbances;
mod load;
mod mocks;
mod plot;
mod reading;
mod sampler;
mod samples;
mod scene;
mod tally;
mod verdict;

#[allow(dead_code, unreachable_pub)]
#[path = "../support/headers.rs"]
mod headers;
#[path = "../support/percentile.rs"]
mod percentile;
#[allow(dead_code)]
#[path = "../../../tests/fleet/redis_server.rs"]
mod redis_server;
#[allow(dead_code)]
#[path = "../support/served.rs"]
mod served;
#[allow(dead_code)]
#[path = "../../../tests/support.rs"]
mod support;
#[path = "../support/versions.rs"]
mod versions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;

use course::Course;
use load::Poster;
use samples::{End, Samples};
use scene::Scene;
use tally::Meter;

/// Connections that observe, and connections that read.
const POSTERS: usize = 2;
const READERS: u32 = 2;

/// Runs a service under load, and judges how it fares.
#[derive(Parser)]
struct Options {
    /// How long the load lasts; without it there is none
    #[arg(long, value_name = "MINUTES", value_parser = minutes)]
    minutes: Option<Duration>,
    /// Observations a second
    #[arg(long, default_value_t = 5000, value_parser = clap::value_parser!(u32).range(200..=100_000))]
    rate: u32,
    /// Where the samples go; paths are from the root of the workspace
    #[arg(long, value_name = "FILE", default_value = "target/soak.csv")]
    csv: PathBuf,
    /// Where the plot goes; beside the samples if not given
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Draws and judges the samples of an earlier run
    #[arg(long, value_name = "FILE", conflicts_with = "minutes")]
    plot: Option<PathBuf>,
    /// What cargo says to every benchmark
    #[arg(long, hide = true)]
    bench: bool,
}

fn minutes(text: &str) -> Result<Duration, String> {
    let minutes: f64 = text.parse().map_err(|_| "it is no number".to_owned())?;
    let is_possible = (0.2..=100_000.0).contains(&minutes);
    is_possible
        .then(|| Duration::from_secs_f64(minutes * 60.0))
        .ok_or_else(|| "from 0.2 to 100000".to_owned())
}

fn from_root(path: &Path) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn main() -> ExitCode {
    let options = Options::parse();
    let file = match (&options.plot, options.minutes) {
        (Some(file), _) => from_root(file),
        (None, Some(lasts)) => {
            let file = from_root(&options.csv);
            soak(lasts, options.rate, &file);
            file
        }
        (None, None) => {
            println!("nothing is run without --minutes; `cargo bench --bench soak -- --help` tells more");
            return ExitCode::SUCCESS;
        }
    };
    let samples = Samples::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let verdict = verdict::of(&samples);
    let svg = options.svg.map_or_else(|| file.with_extension("svg"), |svg| from_root(&svg));
    plot::draw(&samples, &svg);
    println!("{verdict}\nsamples: {}\nplot: {}", file.display(), svg.display());
    if verdict.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Runs the load, and writes what was measured.
fn soak(lasts: Duration, rate: u32, file: &Path) {
    let mut scene = Scene::start();
    let mut posters: Vec<_> =
        (0..POSTERS).map(|index| Poster::new(scene.served.address(), index, POSTERS, rate)).collect();
    let meter = Meter::default();
    // Readers find everybody.
    posters.iter_mut().for_each(|poster| poster.round(&meter));
    println!("the service runs at {} in {}", scene.served.address(), scene.served.home().display());
    let course = Course::new(lasts);
    let mut writer = Samples::create(file);
    let address = scene.served.address().to_owned();
    let (status, stop_s) = thread::scope(|threads| {
        let (course, meter, address) = (&course, &meter, address.as_str());
        let mut clients = Vec::new();
        for poster in &mut posters {
            clients.push(threads.spawn(move || poster.run(course, meter)));
        }
        for index in 0..READERS {
            clients.push(threads.spawn(move || reading::read(address, index, READERS, course, meter)));
        }
        let (redis, publisher) = (&mut scene.redis, &scene.publisher);
        clients.push(threads.spawn(move || disturbances::swaps(publisher, address, course, meter)));
        threads.spawn(move || disturbances::outages(redis, course, meter));
        threads.spawn(move || reading::listen(address, course, meter));
        sampler::sample(&scene.served, course, meter, &mut writer);
        clients.into_iter().for_each(|client| client.join().unwrap());
        // What came last is not written yet: that is for the service to do.
        let began = Instant::now();
        (scene.served.end(), began.elapsed().as_secs_f64())
    });
    let log = scene.log();
    let mut lost: Vec<String> =
        posters.iter().flat_map(|poster| poster.lost(&scene.runtime_folder())).collect();
    lost.sort();
    let end = End {
        rate,
        exit: status.to_string(),
        is_graceful: status.success(),
        stop_s,
        providers: posters.iter().map(Poster::providers).sum(),
        lost,
        left_over: scene.left_over(),
        warnings: log.warnings,
        log_errors: log.errors,
        messages: meter.messages(),
    };
    writer.end(&end);
}
