//! From a [`Parser`] to the exports of a component.

use alloc::borrow::ToOwned;
use alloc::string::ToString;

use runtime_signals_values::Time;

use crate::bindings::exports::runtime_signals::signals::header_parsing as wit;
use crate::{ParseError, Parser, Reading, Response};

/// Makes a crate the component of a parser. Its name and version are those of the crate.
///
/// `cases` are responses with what is to be read from them, as TOML; `include_str!` takes them from a file.
#[macro_export]
macro_rules! export {
    ($parser:ty, cases = $cases:expr) => {
        #[allow(unsafe_code, reason = "custom sections, and the symbols of the generated bindings")]
        const _: () = {
            struct Exported;

            impl $crate::bindings::exports::runtime_signals::signals::header_parsing::Guest for Exported {
                fn describe()
                -> $crate::bindings::exports::runtime_signals::signals::header_parsing::Description {
                    $crate::describe::<$parser>(env!("CARGO_PKG_NAME"), env!("CARGO_PKG_VERSION"))
                }

                fn parse(
                    response: $crate::bindings::exports::runtime_signals::signals::header_parsing::Response,
                ) -> Result<$crate::Reading, $crate::ParseError> {
                    $crate::parse::<$parser>(&response)
                }
            }

            const STATEMENT: &str = concat!(
                r#"{"interface":"0.1.0","name":""#,
                env!("CARGO_PKG_NAME"),
                r#"","version":""#,
                env!("CARGO_PKG_VERSION"),
                r#""}"#
            );
            const CASES: &str = $cases;

            #[cfg(target_arch = "wasm32")]
            #[unsafe(link_section = "runtime-signals:parser")]
            static STATEMENT_SECTION: [u8; STATEMENT.len()] = $crate::bytes(STATEMENT);
            #[cfg(target_arch = "wasm32")]
            #[unsafe(link_section = "runtime-signals:parser-cases")]
            static CASES_SECTION: [u8; CASES.len()] = $crate::bytes(CASES);
            #[cfg(target_arch = "wasm32")]
    $crate::bindings::export!(Exported with_types_in $crate::bindings);
        };
    };
}

/// The bytes of a text, for a static that becomes a custom section.
#[must_use]
pub const fn bytes<const N: usize>(text: &str) -> [u8; N] {
    match text.as_bytes().first_chunk::<N>() {
        Some(bytes) => *bytes,
        None => [0; N],
    }
}

/// The description of a parser.
#[must_use]
pub fn describe<P: Parser>(name: &str, version: &str) -> wit::Description {
    wit::Description {
        name: name.to_owned(),
        version: version.to_owned(),
        provider_types: P::PROVIDER_TYPES.iter().map(ToString::to_string).collect(),
        headers: P::HEADERS.iter().map(|header| header.wanted()).collect(),
        wants_body: P::WANTS_BODY,
    }
}

/// The reading of a response.
///
/// # Errors
/// That of the parser.
pub fn parse<P: Parser>(response: &wit::Response) -> Result<Reading, ParseError> {
    let wit::Response { status, headers, body, received_at } = response;
    let received_at = Time::new(received_at.seconds, received_at.nanoseconds).unwrap_or(Time::UNIX_EPOCH);
    P::parse(&Response::new(*status, headers, body.as_deref(), received_at))
}
