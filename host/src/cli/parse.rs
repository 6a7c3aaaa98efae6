//! `parse`: what responses say about limits.

use runtime_signals::forms::{ReadingForm, Response};

use super::context::Context;
use super::lines::{Input, for_each_batch};
use super::{Exit, output};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Provider type of the lines that name none
    #[arg(long = "type", value_name = "TYPE")]
    provider_type: Option<String>,
    #[command(flatten)]
    input: Input,
}

/// Prints a reading for each response, in order, as JSON: there is no other form of it.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let store = context.store()?;
    let understand = |line: &[u8]| Response::read(line, args.provider_type.as_deref());
    let tally = for_each_batch(&args.input, understand, |batch, tally| {
        let mut out = Vec::new();
        for line in batch {
            match store.parse(&line.content.observation()) {
                Ok(reading) => {
                    serde_json::to_writer(&mut out, &ReadingForm::from(&reading))?;
                    out.push(b'\n');
                }
                Err(error) => tally.reject(line.number, error),
            }
        }
        Ok(output::write(&out)?)
    })?;
    Ok(tally.exit())
}
