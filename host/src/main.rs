//! The command line: can I send this request to this provider now; if not, when; and who can take it
//! instead?

mod cli;

fn main() -> std::process::ExitCode {
    cli::main()
}
