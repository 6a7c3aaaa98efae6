//! Where parser components run: compiled once, in warm instances, each call within limits.

use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentType, Instance as Linked, InstancePre, Lift, Linker, Lower,
    TypedFunc,
};

use super::error::ParserProblem;
use super::manifest::Manifest;
use crate::engine::wit::{Instant, Reading, WantedHeader};
use crate::engine::{CodeCache, EngineError, Limits, Usage, bounded, load_component};

pub use crate::engine::Stop;

/// Names of the world's functions.
const DESCRIBE: &str = "describe";
const PARSE: &str = "parse";

/// `header-parsing.description`.
#[derive(Clone, Debug, ComponentType, Lift)]
#[component(record)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) version: String,
    #[component(name = "provider-types")]
    pub(super) provider_types: Vec<String>,
    pub(super) headers: Vec<WantedHeader>,
    #[component(name = "wants-body")]
    pub(super) wants_body: bool,
}

/// `header-parsing.response`.
#[derive(Clone, Debug, ComponentType, Lower)]
#[component(record)]
pub(super) struct Response {
    pub(super) status: u16,
    /// Frames.
    pub(super) headers: Vec<u8>,
    pub(super) body: Option<Vec<u8>>,
    #[component(name = "received-at")]
    pub(super) received_at: Instant,
}

/// `header-parsing.parse-error`.
#[derive(Clone, Debug, ComponentType, Lift)]
#[component(variant)]
pub(super) enum ParseError {
    #[component(name = "not-mine")]
    NotMine,
    #[component(name = "malformed")]
    Malformed(String),
}

type Parse = TypedFunc<(Response,), (Result<Reading, ParseError>,)>;

/// A component that is compiled and linked.
pub(super) struct Prepared {
    linked: InstancePre<Usage>,
    describe: ComponentExportIndex,
    parse: ComponentExportIndex,
    limits: Limits,
}

impl Prepared {
    /// Compiles a component, or takes its compiled code from disk.
    pub(super) fn new(
        engine: &wasmtime::Engine,
        bytes: &[u8],
        manifest: &Manifest,
        limits: Limits,
        cache: &CodeCache,
    ) -> Result<Self, ParserProblem> {
        let component = load_component(engine, bytes, cache).map_err(|error| match error {
            EngineError::Load(why) => ParserProblem::Compile(why),
            error => ParserProblem::Compile(error.to_string()),
        })?;
        let name = manifest.export_name();
        let function = |function| {
            let (_, interface) = component.get_export(None, &name)?;
            component.get_export_index(Some(&interface), function)
        };
        let missing = |function| ParserProblem::World(format!("it does not export `{function}`"));
        let describe = function(DESCRIBE).ok_or_else(|| missing(DESCRIBE))?;
        let parse = function(PARSE).ok_or_else(|| missing(PARSE))?;
        // What it imports was looked at before it was compiled.
        let linked = link(engine, &component, !manifest.imports.is_empty())?;
        Ok(Self { linked, describe, parse, limits })
    }

    /// Makes an instance.
    pub(super) fn instantiate(&self) -> Result<Instance, ParserProblem> {
        let (mut store, linked) = self.start()?;
        let parse = linked.get_typed_func(&mut store, self.parse).map_err(wrong_type)?;
        Ok(Instance { store, parse })
    }

    /// What the component says of itself.
    pub(super) fn describe(&self) -> Result<Description, ParserProblem> {
        let (mut store, linked) = self.start()?;
        let describe: TypedFunc<(), (Description,)> =
            linked.get_typed_func(&mut store, self.describe).map_err(wrong_type)?;
        begin(&mut store);
        let (description,) = describe
            .call(&mut store, ())
            .map_err(|error| ParserProblem::Failed(store.data().explain(&error)))?;
        Ok(description)
    }

    fn start(&self) -> Result<(Store<Usage>, Linked), ParserProblem> {
        let usage = Usage::new(self.limits);
        let mut store = bounded(self.linked.engine(), self.limits, usage, |usage| usage);
        let linked = self.linked.instantiate(&mut store);
        match linked {
            Ok(linked) => Ok((store, linked)),
            Err(error) => Err(ParserProblem::Failed(store.data().explain(&error))),
        }
    }
}

/// Links a component with nothing. Where it may import, each function that it imports is there and traps when it is
/// called: no clock, no randomness, no environment, nothing to wait in.
fn link(
    engine: &wasmtime::Engine,
    component: &Component,
    may_import: bool,
) -> Result<InstancePre<Usage>, ParserProblem> {
    let mut linker = Linker::new(engine);
    if may_import {
        linker.define_unknown_imports_as_traps(component).map_err(wrong_type)?;
    }
    linker.instantiate_pre(component).map_err(wrong_type)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn wrong_type(error: wasmtime::Error) -> ParserProblem {
    ParserProblem::World(format!("{error:#}"))
}

fn begin(store: &mut Store<Usage>) {
    store.data_mut().begin_call();
    store.set_epoch_deadline(1);
}

/// A live instance.
pub(super) struct Instance {
    store: Store<Usage>,
    parse: Parse,
}

impl Instance {
    /// Memory and tables that it has, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().memory_bytes()
    }

    /// Makes one call. After a stop the instance must not be used again.
    pub(super) fn parse(&mut self, response: Response) -> Result<Result<Reading, ParseError>, Stop> {
        begin(&mut self.store);
        match self.parse.call(&mut self.store, (response,)) {
            Ok((answer,)) => Ok(answer),
            Err(error) => Err(self.store.data().explain(&error)),
        }
    }
}
