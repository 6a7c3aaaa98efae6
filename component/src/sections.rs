//! The custom sections that lie outside of all modules of a component.

use std::ops::Range;

use wasmparser::{BinaryReader, Parser};

use crate::ComponentError;

/// Magic number, version and layer.
const PREAMBLE_BYTES: usize = 8;
/// The number of custom sections.
const CUSTOM: u8 = 0;

/// The outer custom sections of a module or component.
pub(crate) struct Sections<'a> {
    wasm: &'a [u8],
    custom: Vec<Custom<'a>>,
}

struct Custom<'a> {
    name: &'a str,
    data: &'a [u8],
    /// Where all of it lies, its number and length included.
    range: Range<usize>,
}

impl<'a> Sections<'a> {
    /// Finds them, by the lengths of all sections: the contents of the others are not looked at.
    pub(crate) fn of(wasm: &'a [u8]) -> Result<Self, ComponentError> {
        if !Parser::is_component(wasm) && !Parser::is_core_wasm(wasm) {
            return Err(ComponentError::NoWasm);
        }
        let mut reader = BinaryReader::new(wasm, 0);
        reader.read_bytes(PREAMBLE_BYTES)?;
        let mut custom = Vec::new();
        while !reader.eof() {
            let start = reader.original_position();
            let (number, length) = (reader.read_u8()?, reader.read_var_u32()?);
            let contents = reader.read_bytes(length as usize)?;
            if number == CUSTOM {
                let mut inside = BinaryReader::new(contents, 0);
                let name = inside.read_string()?;
                let data = inside.read_bytes(inside.bytes_remaining())?;
                custom.push(Custom { name, data, range: start..reader.original_position() });
            }
        }
        Ok(Self { wasm, custom })
    }

    /// The data of a section that may be there once.
    pub(crate) fn only(&self, name: &'static str) -> Result<Option<&'a [u8]>, ComponentError> {
        let mut named = self.custom.iter().filter(|section| section.name == name);
        match (named.next(), named.next()) {
            (_, Some(_)) => Err(ComponentError::Twice(name)),
            (first, None) => Ok(first.map(|section| section.data)),
        }
    }

    /// The bytes without some of these sections.
    pub(crate) fn without(&self, goes: impl Fn(&str) -> bool) -> Vec<u8> {
        let mut kept = Vec::with_capacity(self.wasm.len());
        let mut next = 0;
        for section in self.custom.iter().filter(|section| goes(section.name)) {
            kept.extend_from_slice(self.wasm.get(next..section.range.start).unwrap_or_default());
            next = section.range.end;
        }
        kept.extend_from_slice(self.wasm.get(next..).unwrap_or_default());
        kept
    }
}

/// Appends a custom section.
pub(crate) fn append(wasm: &mut Vec<u8>, name: &str, data: &[u8]) {
    let mut contents = Vec::with_capacity(name.len() + data.len() + 5);
    leb128(name.len(), &mut contents);
    contents.extend_from_slice(name.as_bytes());
    contents.extend_from_slice(data);
    wasm.push(CUSTOM);
    leb128(contents.len(), wasm);
    wasm.extend_from_slice(&contents);
}

/// Appends a number, seven bits a byte, lowest first.
fn leb128(mut number: usize, to: &mut Vec<u8>) {
    while number > 0x7f {
        to.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    to.push(number as u8);
}
