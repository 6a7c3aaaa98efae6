//! The component on a bare wasmtime loop: what the sandbox itself costs.

use runtime_signals::engine::COMPONENT;
use wasmtime::component::{Component, Linker, ResourceAny};
use wasmtime::{Config, Engine, Store};

mod engine_world {
    wasmtime::component::bindgen!({ path: "../wit", world: "engine" });
}

mod pairs_world {
    wasmtime::component::bindgen!({ path: "../tests/guests/pairs/wit", world: "pairs" });
}

pub use engine_world::exports::runtime_signals::signals::runtime_signals::Evidence;
pub use engine_world::exports::runtime_signals::signals::types::Instant;

fn engine(counts: bool) -> Engine {
    let mut config = Config::new();
    config.concurrency_support(false).epoch_interruption(true).consume_fuel(counts);
    Engine::new(&config).unwrap()
}

/// One instance, no limits but the epoch's checks.
pub struct Bare {
    pub store: Store<()>,
    world: engine_world::Engine,
    providers: ResourceAny,
}

impl Bare {
    pub fn new() -> Self {
        Self::on(&engine(false), |_| ())
    }

    /// One that counts the instructions that it executes.
    pub fn counting() -> Self {
        Self::on(&engine(true), |store| store.set_fuel(u64::MAX).unwrap())
    }

    fn on(engine: &Engine, prepare: impl FnOnce(&mut Store<()>)) -> Self {
        let component = Component::from_binary(engine, COMPONENT).unwrap();
        let mut store = Store::new(engine, ());
        store.set_epoch_deadline(1);
        prepare(&mut store);
        let world = engine_world::Engine::instantiate(&mut store, &component, &Linker::new(engine)).unwrap();
        let providers =
            world.runtime_signals_signals_runtime_signals().store().call_constructor(&mut store, 0).unwrap();
        Self { store, world, providers }
    }

    /// The instructions of a call, by one that counts.
    pub fn instructions(&mut self, call: impl FnOnce(&mut Self)) -> u64 {
        let before = self.store.get_fuel().unwrap();
        call(self);
        before - self.store.get_fuel().unwrap()
    }

    pub fn add(&mut self, name: &str) -> u32 {
        let api = self.world.runtime_signals_signals_runtime_signals();
        api.store().call_add_provider(&mut self.store, self.providers, name).unwrap()
    }

    pub fn record(&mut self, packed: &[u8]) {
        let api = self.world.runtime_signals_signals_runtime_signals();
        api.store().call_record(&mut self.store, self.providers, packed).unwrap().unwrap();
    }

    pub fn observe(&mut self, packed: &[u8], provider: u32, now: Instant) {
        let api = self.world.runtime_signals_signals_runtime_signals();
        let judged = api.store().call_observe(&mut self.store, self.providers, packed, provider, now);
        std::hint::black_box(judged.unwrap().unwrap());
    }

    pub fn collect(&mut self, provider: u32, now: Instant) {
        let api = self.world.runtime_signals_signals_runtime_signals();
        let signal =
            api.store().call_collect(&mut self.store, self.providers, provider, &Evidence::None, now);
        std::hint::black_box(signal.unwrap().unwrap());
    }
}

/// The shape that was not chosen: a list of pairs.
pub struct Pairs {
    store: Store<()>,
    world: pairs_world::Pairs,
}

impl Pairs {
    pub fn new() -> Self {
        let engine = engine(false);
        let file = std::path::Path::new(env!("RUNTIME_SIGNALS_ENGINE_WASM")).with_file_name("pairs.wasm");
        let component = Component::from_file(&engine, file).unwrap();
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(1);
        let world = pairs_world::Pairs::instantiate(&mut store, &component, &Linker::new(&engine)).unwrap();
        Self { store, world }
    }

    pub fn record(&mut self, headers: &http::HeaderMap, now: i64) {
        let pairs: Vec<(String, String)> = headers
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.to_str().unwrap().to_owned()))
            .collect();
        self.world.call_record_pairs(&mut self.store, "openai", &pairs, 840_000_000, now).unwrap();
    }
}
