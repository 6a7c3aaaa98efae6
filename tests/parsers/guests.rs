//! Parsers for tests, written as small core modules in text form: each does one thing, well or badly.

use std::path::Path;
use std::sync::LazyLock;

use runtime_signals_component::{Statement, Version, encode, state};
use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::{PackageId, Resolve, WorldId};

/// Where a module has what, in bytes.
const TEXTS: usize = 1024;
const DESCRIPTION: usize = 2048;
const LISTS: usize = 2304;
/// The answer of `parse`.
pub(crate) const ANSWER: usize = 4096;
/// Where the host puts arguments.
const ARGUMENTS: usize = 16_384;

/// A world of parsers that import something of WASI.
const WITH_WASI: &str = "package test:worlds;
world with-wasi {
    import wasi:random/random@0.2.0;
    include runtime-signals:signals/header-parser@0.1.0;
}";
const WASI: &str = "package wasi:random@0.2.0;
interface random {
    get-random-u64: func() -> u64;
}";

/// The contract, with the world of that name.
fn world(name: &str) -> (Resolve, WorldId) {
    static CONTRACT: LazyLock<(Resolve, [PackageId; 2])> = LazyLock::new(|| {
        let mut resolve = Resolve::default();
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("../wit");
        let (contract, _) = resolve.push_path(wit).unwrap();
        resolve.push_str("wasi.wit", WASI).unwrap();
        let worlds = resolve.push_str("worlds.wit", WITH_WASI).unwrap();
        (resolve, [contract, worlds])
    });
    let (resolve, packages) = &*CONTRACT;
    let worlds = packages.iter().find_map(|package| resolve.packages[*package].worlds.get(name).copied());
    (resolve.clone(), worlds.unwrap())
}

/// A parser to be built.
#[derive(Clone)]
pub(crate) struct Guest {
    pub(crate) name: &'static str,
    pub(crate) version: &'static str,
    pub(crate) provider_type: &'static str,
    pub(crate) header: &'static str,
    /// 0 exact, 1 prefix, 2 suffix.
    pub(crate) kind: u8,
    pub(crate) wants_body: bool,
    /// What `parse` does before it hands out the answer, with `$status`, `$headers`, `$length`, `$calls` and `$i`.
    pub(crate) parse: String,
    /// What `describe` does before.
    pub(crate) describe: &'static str,
    /// What the allocator does before.
    pub(crate) allocate: &'static str,
    /// Does it import a function of WASI, `$wasi`?
    pub(crate) wasi: bool,
    /// Further parts of the module.
    pub(crate) parts: &'static str,
    /// What its file states, if it is something else than what it says.
    pub(crate) stated: Option<Statement>,
    pub(crate) cases: &'static str,
}

impl Guest {
    /// One that reads nothing, of provider type `acme`.
    pub(crate) fn new(version: &'static str) -> Self {
        Self {
            name: "hostile",
            version,
            provider_type: "acme",
            header: "x-left",
            kind: 0,
            wants_body: false,
            parse: String::new(),
            describe: "",
            allocate: "",
            wasi: false,
            parts: "",
            stated: None,
            cases: "",
        }
    }

    /// One that always reads this many requests left.
    pub(crate) fn reads(version: &'static str, requests: u64) -> Self {
        Self::new(version).parse(remaining_requests(requests))
    }

    pub(crate) fn parse(self, parse: impl Into<String>) -> Self {
        Self { parse: parse.into(), ..self }
    }

    /// The component.
    pub(crate) fn build(&self) -> Vec<u8> {
        let version = Version::parse(self.version).unwrap();
        let statement = || Statement::new(self.name, version).unwrap();
        let statement = self.stated.clone().unwrap_or_else(statement);
        state(
            &component(&self.module(), if self.wasi { "with-wasi" } else { "header-parser" }),
            &statement,
            self.cases,
        )
        .unwrap()
    }

    fn module(&self) -> String {
        let Self { name, version, provider_type, header, .. } = self;
        let mut texts = String::new();
        let mut place = |text: &str| {
            let at = TEXTS + texts.len();
            texts.push_str(text);
            [at, text.len()]
        };
        let [name, version, provider_type, header] =
            [*name, *version, *provider_type, *header].map(&mut place);
        let wanted = LISTS + 8;
        let description =
            [name, version, [LISTS, 1], [wanted, 1], [usize::from(self.wants_body), 0]].map(words).concat();
        let first_header = [words([16 | usize::from(self.kind) << 8, header[0]]), word(header[1])].concat();
        let lists = [words(provider_type), first_header].concat();
        let Self { parse, describe, allocate, parts, .. } = self;
        let import = match self.wasi {
            true => r#"(import "wasi:random/random@0.2.0" "get-random-u64" (func $wasi (result i64)))"#,
            false => "",
        };
        format!(
            r#"(module
              {import}
              (memory (export "memory") 2)
              (data (i32.const {TEXTS}) "{texts}")
              (data (i32.const {DESCRIPTION}) "{description}")
              (data (i32.const {LISTS}) "{lists}")
              (global $calls (mut i32) (i32.const 0))
              (global $next (mut i32) (i32.const {ARGUMENTS}))
              {parts}
              (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
                {allocate}
                (global.get $next)
                (global.set $next (i32.add (global.get $next)
                  (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8)))))
              (func (export "runtime-signals:signals/header-parsing@0.1.0#describe") (result i32)
                {describe}
                (i32.const {DESCRIPTION}))
              (func (export "runtime-signals:signals/header-parsing@0.1.0#parse")
                (param $status i32) (param $headers i32) (param $length i32) (param i32 i32 i32 i64 i32)
                (result i32)
                (local $i i32)
                (global.set $next (i32.const {ARGUMENTS}))
                (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
                (memory.fill (i32.const {ANSWER}) (i32.const 0) (i32.const 96))
                {parse}
                (i32.const {ANSWER}))
            )"#
        )
    }
}

/// A component of a module in text form.
pub(crate) fn component(module: &str, world_name: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).unwrap();
    let (resolve, world) = world(world_name);
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    encode(&module).unwrap()
}

/// Instructions for a reading with so many requests left.
pub(crate) fn remaining_requests(requests: u64) -> String {
    requests_left(&format!("(i64.const {requests})"))
}

/// The same for as many as an expression says.
pub(crate) fn requests_left(requests: &str) -> String {
    let (is_some, value) = (ANSWER + 8, ANSWER + 16);
    format!("(i32.store8 (i32.const {is_some}) (i32.const 1)) (i64.store (i32.const {value}) {requests})")
}

/// Instructions for a list of limits that stands there.
pub(crate) fn limits(at: usize, count: usize) -> String {
    let (pointer, length) = (ANSWER + 84, ANSWER + 88);
    format!(
        "(i32.store (i32.const {pointer}) (i32.const {at})) (i32.store (i32.const {length}) (i32.const {count}))"
    )
}

/// Instructions for the error `malformed` with the text that stands there.
pub(crate) fn malformed(at: usize, length: usize) -> String {
    let [error, case, pointer, bytes] = [0, 8, 12, 16].map(|offset| ANSWER + offset);
    format!(
        "(i32.store8 (i32.const {error}) (i32.const 1)) (i32.store8 (i32.const {case}) (i32.const 1))
         (i32.store (i32.const {pointer}) (i32.const {at})) (i32.store (i32.const {bytes}) (i32.const {length}))"
    )
}

fn words(words: [usize; 2]) -> String {
    words.map(word).concat()
}

/// A number as the bytes of a data segment.
fn word(word: usize) -> String {
    u32::try_from(word).unwrap().to_le_bytes().map(|byte| format!("\\{byte:02x}")).concat()
}
