//! What a component states about itself, read from its bytes before anything is compiled.

use runtime_signals_component::{ComponentError, Stated, stated};
use semver::{Version, VersionReq};
use wasmparser::{Encoding, Parser, Payload};

use super::error::ParserProblem;

/// Version of `wit/` that this program offers to parsers.
pub use runtime_signals_component::INTERFACE;

/// The interface that a parser exports, without its version.
const HEADER_PARSING: &str = "runtime-signals:signals/header-parsing";
const LONGEST_VERSION_BYTES: usize = 64;

/// What a component is, by its own statement and by its outer form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// The version of the interface that it was made for.
    pub(super) interface: Version,
    pub(super) name: String,
    pub(super) version: Version,
    /// The text of its cases; empty where it has none.
    pub(super) cases: String,
    pub(super) imports: Vec<String>,
    pub(super) exports: Vec<String>,
}

impl Manifest {
    /// Reads it, as far as it can be read.
    pub(super) fn read(component: &[u8]) -> Result<Self, ParserProblem> {
        let Stated { statement, cases } = stated(component).map_err(|error| match error {
            ComponentError::NoWasm | ComponentError::Broken(_) => {
                ParserProblem::NotAComponent(error.to_string())
            }
            error => ParserProblem::NoManifest(error.to_string()),
        })?;
        let Outer { imports, exports } = Outer::read(component)?;
        let missing = |why: &str| ParserProblem::NoManifest(why.to_owned());
        let statement = statement.ok_or_else(|| missing("it has no statement"))?;
        if statement.version.to_string().len() > LONGEST_VERSION_BYTES {
            return Err(missing("its version is too long"));
        }
        Ok(Self {
            interface: statement.interface,
            name: statement.name,
            version: statement.version,
            cases: cases.unwrap_or_default(),
            imports,
            exports,
        })
    }

    /// Can this program run it? The version is looked at first, then the world, then what it imports.
    pub(super) fn check(&self, allow_wasi: bool) -> Result<(), ParserProblem> {
        self.check_interface()?;
        self.check_world()?;
        let foreign: Vec<String> =
            self.imports.iter().filter(|import| !import.starts_with("wasi:")).cloned().collect();
        match (self.imports.is_empty(), foreign.is_empty()) {
            (true, _) => Ok(()),
            (false, true) if allow_wasi => Ok(()),
            (false, true) => Err(ParserProblem::Wasi),
            (false, false) => Err(ParserProblem::Imports(foreign)),
        }
    }

    pub(super) fn check_interface(&self) -> Result<(), ParserProblem> {
        let wants = &self.interface;
        let fits = VersionReq::parse(&format!("^{wants}")).is_ok_and(|wanted| wanted.matches(&INTERFACE));
        if fits { Ok(()) } else { Err(ParserProblem::Interface { wants: wants.clone(), offers: INTERFACE }) }
    }

    fn check_world(&self) -> Result<(), ParserProblem> {
        let wanted = self.export_name();
        if self.exports.contains(&wanted) {
            return Ok(());
        }
        let has = match self.exports.is_empty() {
            true => "nothing".to_owned(),
            false => self.exports.join(", "),
        };
        Err(ParserProblem::World(format!("it exports {has} instead of {wanted}")))
    }

    /// The name under which it exports its functions.
    pub(super) fn export_name(&self) -> String {
        format!("{HEADER_PARSING}@{}", self.interface)
    }
}

/// What the outermost layer of a component takes and gives.
#[derive(Default)]
struct Outer {
    imports: Vec<String>,
    exports: Vec<String>,
}

impl Outer {
    fn read(bytes: &[u8]) -> Result<Self, ParserProblem> {
        let mut outer = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(not_a_component)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(ParserProblem::NotAComponent("it is a core module".into()));
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        outer.imports.push(import.map_err(not_a_component)?.name.name.to_owned());
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        outer.exports.push(export.map_err(not_a_component)?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(outer)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn not_a_component(error: wasmparser::BinaryReaderError) -> ParserProblem {
    ParserProblem::NotAComponent(format!("{} at byte {}", error.message(), error.offset()))
}

#[cfg(test)]
mod tests {
    use runtime_signals_component::{Statement, state};

    use super::*;

    /// A component without anything but this statement.
    fn component(interface: &str) -> Vec<u8> {
        let empty = b"\0asm\x0d\0\x01\0";
        let interface = interface.parse().unwrap();
        let statement = Statement { interface, name: "acme".into(), version: Version::new(1, 2, 0) };
        state(empty, &statement, "# a case").unwrap()
    }

    #[test]
    fn the_interface_is_the_one_of_the_contract() {
        let wit = include_str!("../../../wit/types.wit");
        assert!(wit.contains(&format!("package runtime-signals:signals@{INTERFACE};")));
    }

    #[test]
    fn what_a_component_states_is_read() {
        let manifest = Manifest::read(&component("0.1.0")).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version), ("acme", Version::new(1, 2, 0)));
        assert_eq!(manifest.cases, "# a case");
    }

    #[test]
    fn a_skew_says_what_is_wanted_what_is_offered_and_what_to_do() {
        let of = |version: &str| {
            Manifest::read(&component(version)).unwrap().check(false).unwrap_err().to_string()
        };
        assert_eq!(
            of("0.2.0"),
            "it was made for version 0.2.0 of the parser interface, and this program offers 0.1.0; update \
             runtime-signals"
        );
        assert!(of("0.0.9").ends_with("build it anew with the present SDK"));
        assert!(of("0.1.1").ends_with("update runtime-signals"));
        assert!(of("1.0.0").ends_with("update runtime-signals"));
        assert!(
            of("0.1.0").contains("exports nothing instead of runtime-signals:signals/header-parsing@0.1.0")
        );
    }

    #[test]
    fn what_is_no_component_is_refused_whatever_it_is() {
        for bytes in [&b""[..], b"\0asm", b"\0asm\x01\0\0\0", b"\xff\xff", b"\0asm\x0d\0\x01\0"] {
            assert!(Manifest::read(bytes).is_err());
        }
        let module = state(b"\0asm\x01\0\0\0", &Statement::new("acme", Version::new(1, 2, 0)).unwrap(), "");
        let refused = Manifest::read(&module.unwrap()).unwrap_err().to_string();
        assert!(refused.contains("it is a core module"), "{refused}");
        let whole = component("0.1.0");
        for cut in 0..whole.len() {
            // A cut between sections leaves a component without cases.
            let read = Manifest::read(&whole[..cut]);
            assert!(read.is_err() || read.unwrap().cases.is_empty(), "{cut}");
        }
    }
}
