//! What a component states about itself, read from its bytes before anything is compiled.

use semver::{Version, VersionReq};
use serde::Deserialize;
use wasmparser::{Encoding, Parser, Payload};

use super::error::ParserProblem;

/// Version of `wit/` that this program offers to parsers.
pub const INTERFACE: &str = "0.1.0";
/// The interface that a parser exports, without its version.
pub(super) const HEADER_PARSING: &str = "runtime-signals:signals/header-parsing";
/// The section that states what a component is.
const MANIFEST: &str = "runtime-signals:parser";
/// The section with its cases.
const CASES: &str = "runtime-signals:parser-cases";
const MOST_MANIFEST_BYTES: usize = 4 << 10;
const MOST_CASES_BYTES: usize = 256 << 10;
const LONGEST_NAME_BYTES: usize = 64;

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

/// The section's JSON. Other keys are of later versions.
#[derive(Deserialize)]
struct Stated {
    interface: Version,
    name: String,
    version: Version,
}

impl Manifest {
    /// Reads it, as far as it can be read.
    pub(super) fn read(component: &[u8]) -> Result<Self, ParserProblem> {
        let outer = Outer::read(component)?;
        let missing = |why: String| ParserProblem::NoManifest(why);
        let stated = outer.manifest.ok_or_else(|| missing(format!("the section `{MANIFEST}` is missing")))?;
        let bounded = Some(stated).filter(|stated| stated.len() <= MOST_MANIFEST_BYTES);
        let stated = bounded.ok_or_else(|| missing(format!("`{MANIFEST}` is too long")))?;
        let Stated { interface, name, version } = serde_json::from_slice(stated)
            .map_err(|error| missing(format!("`{MANIFEST}` is not understood, {error}")))?;
        let is_of_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if name.is_empty() || name.len() > LONGEST_NAME_BYTES || !name.bytes().all(is_of_name) {
            return Err(missing("its name is not `[a-z0-9-]{1,64}`".into()));
        }
        if version.to_string().len() > LONGEST_NAME_BYTES {
            return Err(missing("its version is too long".into()));
        }
        let cases = outer.cases.unwrap_or_default();
        if cases.len() > MOST_CASES_BYTES {
            return Err(ParserProblem::CaseForm(format!("they have more than {MOST_CASES_BYTES} bytes")));
        }
        let cases = str::from_utf8(cases)
            .map_err(|_| ParserProblem::CaseForm("they are no text in UTF-8".into()))?
            .to_owned();
        Ok(Self { interface, name, version, cases, imports: outer.imports, exports: outer.exports })
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
        let offers =
            Version::parse(INTERFACE).map_err(|error| ParserProblem::NoManifest(error.to_string()))?;
        let fits = VersionReq::parse(&format!("^{wants}")).is_ok_and(|wanted| wanted.matches(&offers));
        if fits { Ok(()) } else { Err(ParserProblem::Interface { wants: wants.clone(), offers }) }
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

/// The outermost layer of a component.
#[derive(Default)]
struct Outer<'a> {
    manifest: Option<&'a [u8]>,
    cases: Option<&'a [u8]>,
    imports: Vec<String>,
    exports: Vec<String>,
}

impl<'a> Outer<'a> {
    fn read(bytes: &'a [u8]) -> Result<Self, ParserProblem> {
        let mut outer = Self::default();
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload.map_err(not_a_component)? {
                Payload::Version { encoding: Encoding::Module, .. } if depth == 0 => {
                    return Err(ParserProblem::NotAComponent("it is a core module".into()));
                }
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                payload if depth == 0 => outer.take(&payload)?,
                _ => {}
            }
        }
        Ok(outer)
    }

    fn take(&mut self, payload: &Payload<'a>) -> Result<(), ParserProblem> {
        match payload {
            Payload::CustomSection(section) => {
                let place = match section.name() {
                    MANIFEST => &mut self.manifest,
                    CASES => &mut self.cases,
                    _ => return Ok(()),
                };
                if place.replace(section.data()).is_some() {
                    let twice = format!("it has the section `{}` twice", section.name());
                    return Err(ParserProblem::NoManifest(twice));
                }
            }
            Payload::ComponentImportSection(section) => {
                for import in section.clone() {
                    self.imports.push(import.map_err(not_a_component)?.name.name.to_owned());
                }
            }
            Payload::ComponentExportSection(section) => {
                for export in section.clone() {
                    self.exports.push(export.map_err(not_a_component)?.name.name.to_owned());
                }
            }
            _ => {}
        }
        Ok(())
    }
}

#[expect(clippy::needless_pass_by_value, reason = "for `map_err`")]
fn not_a_component(error: wasmparser::BinaryReaderError) -> ParserProblem {
    ParserProblem::NotAComponent(format!("{} at byte {}", error.message(), error.offset()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A component without anything but these custom sections.
    fn component(sections: &[(&str, &str)]) -> Vec<u8> {
        let mut bytes = b"\0asm\x0d\0\x01\0".to_vec();
        for (name, content) in sections {
            let mut section = vec![u8::try_from(name.len()).unwrap()];
            section.extend_from_slice(name.as_bytes());
            section.extend_from_slice(content.as_bytes());
            bytes.push(0);
            let length = section.len();
            bytes.extend([
                length as u8 & 0x7f | 0x80,
                (length >> 7) as u8 & 0x7f | 0x80,
                (length >> 14) as u8,
            ]);
            bytes.extend_from_slice(&section);
        }
        bytes
    }

    const STATED: &str = r#"{"interface":"0.1.0","name":"acme","version":"1.2.0","later":[]}"#;

    fn problem(sections: &[(&str, &str)]) -> String {
        Manifest::read(&component(sections)).unwrap_err().to_string()
    }

    #[test]
    fn the_interface_is_the_one_of_the_contract() {
        let wit = include_str!("../../../wit/types.wit");
        assert!(wit.contains(&format!("package runtime-signals:signals@{INTERFACE};")));
    }

    #[test]
    fn what_a_component_states_is_read() {
        let manifest =
            Manifest::read(&component(&[("other", "x"), (MANIFEST, STATED), (CASES, "# é")])).unwrap();
        assert_eq!((manifest.name.as_str(), manifest.version.to_string().as_str()), ("acme", "1.2.0"));
        assert_eq!(manifest.cases, "# é");
        let refused = manifest.check(false).unwrap_err().to_string();
        assert!(refused.contains("exports nothing instead of runtime-signals:signals/header-parsing@0.1.0"));
    }

    #[test]
    fn what_is_missing_twice_or_not_understood_is_refused() {
        assert!(problem(&[]).contains("`runtime-signals:parser` is missing"));
        assert!(problem(&[(MANIFEST, STATED), (MANIFEST, STATED)]).contains("twice"));
        let long = format!("{STATED}{}", " ".repeat(MOST_MANIFEST_BYTES));
        for wrong in ["", "{}", "[1]", "{\"interface\":\"0.1.0\"}", &long, &STATED.replace("acme", "A b")] {
            assert!(problem(&[(MANIFEST, wrong)]).starts_with("it does not state what it was made for: "));
        }
        let long = "#".repeat(MOST_CASES_BYTES + 1);
        assert!(problem(&[(MANIFEST, STATED), (CASES, &long)]).contains("more than 262144 bytes"));
    }

    #[test]
    fn a_skew_says_what_is_wanted_what_is_offered_and_what_to_do() {
        let of = |version: &str| {
            let stated = STATED.replace("0.1.0", version);
            let manifest = Manifest::read(&component(&[(MANIFEST, &stated)])).unwrap();
            manifest.check(false).unwrap_err().to_string()
        };
        assert_eq!(
            of("0.2.0"),
            "it was made for version 0.2.0 of the parser interface, and this program offers 0.1.0; update \
             runtime-signals"
        );
        assert!(of("0.0.9").ends_with("build it anew with the present SDK"));
        assert!(of("0.1.1").ends_with("update runtime-signals"));
        assert!(of("1.0.0").ends_with("update runtime-signals"));
    }

    #[test]
    fn no_bytes_crash_the_reader() {
        for bytes in [
            &b""[..],
            b"\0asm",
            b"\0asm\x01\0\0\0",
            b"\xff\xff",
            b"\0asm\x0d\0\x01\0\x00\xff\xff\xff\xff\x0f",
        ] {
            assert!(Manifest::read(bytes).is_err());
        }
        let whole = component(&[(MANIFEST, STATED)]);
        for cut in 8..whole.len() - 1 {
            assert!(Manifest::read(&whole[..cut]).is_err(), "{cut}");
        }
    }
}
