use semver::Version;

use super::*;

const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn statement() -> Statement {
    Statement::new("acme", Version::new(1, 2, 3)).unwrap()
}

fn with(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut component = EMPTY.to_vec();
    sections.iter().for_each(|(name, data)| sections::append(&mut component, name, data));
    component
}

fn refused(sections: &[(&str, &[u8])]) -> String {
    stated(&with(sections)).unwrap_err().to_string()
}

#[test]
fn what_is_stated_can_be_read() {
    let cases = "[[case]]\n".repeat(100);
    let component = state(EMPTY, &statement(), &cases).unwrap();
    let found = stated(&component).unwrap();
    assert_eq!(found, Stated { statement: Some(statement()), cases: Some(cases) });
    assert_eq!(stated(EMPTY).unwrap(), Stated::default());
}

#[test]
fn a_new_statement_replaces_the_old_one_and_all_other_notes() {
    let old = with(&[("producers", b"me"), (STATEMENT_SECTION, b"old"), (CASES_SECTION, b"old")]);
    let new = state(&old, &statement(), "").unwrap();
    let json = br#"{"interface":"0.1.0","name":"acme","version":"1.2.3"}"#;
    assert_eq!(new, with(&[(STATEMENT_SECTION, json)]));
}

#[test]
fn the_sections_of_inner_modules_state_nothing() {
    let mut inner = b"\0asm\x01\0\0\0".to_vec();
    sections::append(&mut inner, STATEMENT_SECTION, b"{}");
    let mut component = EMPTY.to_vec();
    component.extend_from_slice(&[1, u8::try_from(inner.len()).unwrap()]);
    component.extend_from_slice(&inner);
    assert_eq!(stated(&component).unwrap(), Stated::default());
}

#[test]
fn what_cannot_be_understood_is_refused_with_the_reason() {
    assert!(refused(&[(STATEMENT_SECTION, b"{}")]).contains("missing field `interface`"));
    assert!(refused(&[(STATEMENT_SECTION, b"{}"), (STATEMENT_SECTION, b"{}")]).contains("more than once"));
    let long = vec![b' '; MOST_STATEMENT_BYTES + 1];
    assert!(refused(&[(STATEMENT_SECTION, &long)]).contains("at most 4096"));
    assert!(refused(&[(CASES_SECTION, b"\xff")]).contains("not UTF-8"));
    for (name, version) in [("A", "1.0.0"), ("", "1.0.0"), ("a\\n", "1.0.0"), ("a", "1.0"), ("a", "one")] {
        let json = format!(r#"{{"interface":"0.1.0","name":"{name}","version":"{version}"}}"#);
        let message = refused(&[(STATEMENT_SECTION, json.as_bytes())]);
        assert!(message.contains("its name is") || message.contains("its statement is"), "{message}");
    }
}

#[test]
fn bytes_that_are_no_webassembly_are_refused() {
    for bytes in [&b""[..], b"\0asm", b"#!/bin/sh", b"\0asm\x02\0\0\0"] {
        assert!(matches!(stated(bytes), Err(ComponentError::NoWasm)), "{bytes:?}");
        assert!(matches!(encode(bytes), Err(ComponentError::NoWasm)), "{bytes:?}");
    }
    let whole = state(EMPTY, &statement(), "cases").unwrap();
    for length in EMPTY.len() + 1..whole.len() {
        let cut = whole.get(..length).unwrap();
        let statement_ends = length == whole.len() - CASES_SECTION.len() - 8;
        assert_eq!(stated(cut).is_ok(), statement_ends, "{length} of {} bytes", whole.len());
    }
}

#[test]
fn a_module_that_wants_what_its_world_does_not_have_is_no_component() {
    let imports_a_function = b"\0asm\x01\0\0\0\x01\x04\x01\x60\0\0\x02\x09\x01\x03env\x01f\0\0";
    let error = encode(imports_a_function).unwrap_err().to_string();
    assert!(error.starts_with("the module cannot be made a component: ") && error.contains("env"), "{error}");
}
