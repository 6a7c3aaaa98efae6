//! End-to-end and conformance tests: one file a theme.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod cache;
mod cli;
mod cli_capture;
mod cli_demo;
mod cli_doctor;
mod cli_ingest;
mod cli_pace;
mod cli_parse;
mod cli_parser;
mod cli_parser_add;
mod cli_profile;
mod cli_service;
mod cli_wait;
mod cli_watch;
mod collector;
mod config;
mod conformance;
mod dashboard;
mod embedding;
mod equality;
mod fleet;
mod parser_languages;
mod parser_misdeeds;
mod parser_project;
mod parser_sources;
mod parsers;
mod probe;
mod probe_readiness;
mod profiles;
mod quota;
mod sandbox;
mod serve;
mod service;
mod support;
