//! What goes on besides: parsers are swapped, and the Redis server goes away and comes back.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::course::{Course, Schedule};
use crate::redis_server::RedisServer;
use crate::scene::Publisher;
use crate::served::Link;
use crate::tally::Meter;
use crate::versions::VERSIONS;

/// From one version of the parser to the next.
const SWAP: Duration = Duration::from_secs(10);
/// From one outage to the next, and how long each lasts.
const OUTAGE: Duration = Duration::from_secs(180);
const AWAY: Duration = Duration::from_secs(10);
/// Short runs have as many outages.
const OUTAGES: u32 = 3;

/// Publishes one version after the other. Each has to serve when the next one comes.
pub(crate) fn swaps(publisher: &Publisher, address: &str, course: &Course, meter: &Meter) {
    let mut schedule = Schedule::new(course.began + SWAP, SWAP);
    let mut version = 0;
    while schedule.next(course).is_some() {
        match serving(address) {
            Ok(Some(serving)) if serving == VERSIONS[version] => meter.tally().swaps += 1,
            Ok(other) => meter.error(format!("{other:?} serves in place of {}", VERSIONS[version])),
            Err(error) => meter.error(format!("GET /v1/providers: {error}")),
        }
        version = 1 - version;
        publisher.publish(version);
    }
}

/// The version of the parser that serves.
fn serving(address: &str) -> std::io::Result<Option<String>> {
    let told: Value = serde_json::from_str(&Link::to(address)?.try_get("/v1/providers")?)?;
    let providers = told["providers"].as_array().cloned().unwrap_or_default();
    let served = providers.iter().find(|provider| provider["type"] == "acme");
    Ok(served.and_then(|provider| provider["parser"]["version"].as_str()).map(str::to_owned))
}

/// The server is killed and started anew with nothing in it, or stands still, in turn.
pub(crate) fn outages(redis: &mut RedisServer, course: &Course, meter: &Meter) {
    let between = OUTAGE.min(course.lasts() / (OUTAGES + 1));
    let away = AWAY.min(between / 3);
    let mut schedule = Schedule::new(course.began + between, between);
    let mut is_killed = true;
    while schedule.next(course).is_some() {
        meter.tally().outages += 1;
        let back = Instant::now() + away;
        if is_killed {
            redis.kill();
            course.sleep_until(back);
            redis.run();
        } else {
            redis.pause();
            course.sleep_until(back);
            redis.resume();
        }
        is_killed = !is_killed;
    }
}
