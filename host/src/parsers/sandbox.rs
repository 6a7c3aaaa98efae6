//! Where parser components run: compiled once, in warm instances, each call within limits.

use wasmtime::Store;
use wasmtime::component::{
    Component, ComponentExportIndex, ComponentNamedList, ComponentType, Instance as Linked, InstancePre,
    Lift, Linker, Lower, TypedFunc,
};

use super::error::ParserProblem;
use super::manifest::Manifest;
use super::wasi::{self, Wasi};
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

/// What belongs to one instance.
pub(super) struct Guest {
    usage: Usage,
    /// Does it import WASI? Its calls are made in a way of their own then.
    imports: bool,
    /// Made at the first call of WASI.
    wasi: Option<Box<Wasi>>,
}

impl Guest {
    pub(super) fn wasi(&mut self) -> &mut Wasi {
        self.wasi.get_or_insert_default()
    }
}

/// A component that is compiled and linked.
pub(super) struct Prepared {
    linked: InstancePre<Guest>,
    describe: ComponentExportIndex,
    parse: ComponentExportIndex,
    limits: Limits,
    imports: bool,
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
        let imports = !manifest.imports.is_empty();
        let linked = link(engine, &component, imports)?;
        Ok(Self { linked, describe, parse, limits, imports })
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
        let (description,) = call(&mut store, describe, ()).map_err(ParserProblem::Failed)?;
        Ok(description)
    }

    fn start(&self) -> Result<(Store<Guest>, Linked), ParserProblem> {
        let mut store = store(self.linked.engine(), self.limits, self.imports);
        let linked = if self.imports {
            wasi::run_at_once(self.linked.instantiate_async(&mut store))
        } else {
            self.linked.instantiate(&mut store)
        };
        match linked {
            Ok(linked) => Ok((store, linked)),
            Err(error) => Err(ParserProblem::Failed(store.data().usage.explain(&error))),
        }
    }
}

/// Links a component with nothing, or, where it may import, with a WASI that grants nothing.
fn link(
    engine: &wasmtime::Engine,
    component: &Component,
    may_import: bool,
) -> Result<InstancePre<Guest>, ParserProblem> {
    let mut linker = Linker::new(engine);
    if may_import {
        wasi::link(&mut linker).map_err(wrong_type)?;
    }
    linker.instantiate_pre(component).map_err(wrong_type)
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn wrong_type(error: wasmtime::Error) -> ParserProblem {
    ParserProblem::World(format!("{error:#}"))
}

pub(super) fn store(engine: &wasmtime::Engine, limits: Limits, imports: bool) -> Store<Guest> {
    let guest = Guest { usage: Usage::new(limits), imports, wasi: None };
    bounded(engine, limits, guest, |guest| &mut guest.usage)
}

/// Makes one call, within the limits of a call.
pub(super) fn call<P, R>(store: &mut Store<Guest>, function: TypedFunc<P, R>, arguments: P) -> Result<R, Stop>
where
    P: ComponentNamedList + Lower + Send + Sync,
    R: ComponentNamedList + Lift + Send + Sync + 'static,
{
    store.data_mut().usage.begin_call();
    store.set_epoch_deadline(1);
    let answer = if store.data().imports {
        wasi::run_at_once(function.call_async(&mut *store, arguments))
    } else {
        function.call(&mut *store, arguments)
    };
    answer.map_err(|error| store.data().usage.explain(&error))
}

/// A live instance.
pub(super) struct Instance {
    store: Store<Guest>,
    parse: Parse,
}

impl Instance {
    /// Memory and tables that it has, in bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        self.store.data().usage.memory_bytes()
    }

    /// Makes one call. After a stop the instance must not be used again.
    pub(super) fn parse(&mut self, response: Response) -> Result<Result<Reading, ParseError>, Stop> {
        let (answer,) = call(&mut self.store, self.parse, (response,))?;
        Ok(answer)
    }
}
