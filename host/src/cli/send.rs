//! `ingest` to a service: the lines that were understood, in requests of a bounded size.

use std::collections::BTreeSet;

use runtime_signals::forms::{BadLine, Call};
use serde::Deserialize;
use tokio::runtime::Handle;

use super::lines::{Input, Line, Tally, for_each_batch};
use super::remote::{Refusal, Remote};

/// Most lines of a request: a service lists so many refusals.
const MOST_LINES: usize = 100;
/// A request is sent when it has so many bytes; one line more may be in it.
const ENOUGH_BYTES: usize = 4 << 20;

/// Sends lines, and notes of which providers they are.
pub(super) struct Sender {
    pub(super) remote: Remote,
    pub(super) providers: BTreeSet<String>,
}

/// A line that was understood.
struct Observed {
    provider: String,
    line: Vec<u8>,
}

/// What the service answers.
#[derive(Deserialize)]
struct Taken {
    #[serde(default)]
    refusals: Vec<Refusal>,
}

impl Sender {
    /// Reads the input to its end, on a thread that may block.
    pub(super) fn read(
        mut self,
        input: &Input,
        runtime: &Handle,
    ) -> (anyhow::Result<Tally>, BTreeSet<String>) {
        let tally = for_each_batch(input, observed, |batch, tally| self.send(batch, tally, runtime));
        (tally, self.providers)
    }

    fn send(
        &mut self,
        batch: Vec<Line<Observed>>,
        tally: &mut Tally,
        runtime: &Handle,
    ) -> anyhow::Result<()> {
        let mut waiting = Vec::new();
        let mut bytes = 0;
        for line in batch {
            bytes += line.content.line.len();
            waiting.push(line);
            if waiting.len() >= MOST_LINES || bytes >= ENOUGH_BYTES {
                runtime.block_on(self.post(std::mem::take(&mut waiting), tally))?;
                bytes = 0;
            }
        }
        if waiting.is_empty() { Ok(()) } else { runtime.block_on(self.post(waiting, tally)) }
    }

    async fn post(&mut self, batch: Vec<Line<Observed>>, tally: &mut Tally) -> anyhow::Result<()> {
        let mut body = Vec::new();
        for line in &batch {
            body.extend_from_slice(&line.content.line);
            body.push(b'\n');
        }
        let answer = self.remote.post_lines("v1/observations", body).await?;
        let Some(Taken { refusals }) = answer.read()? else {
            anyhow::bail!("the service at {} takes no observations", self.remote.address());
        };
        for (position, line) in (1..).zip(batch) {
            match refusals.iter().find(|refusal| refusal.line == position) {
                Some(refusal) => tally.reject(line.number, super::printable(&refusal.reason)),
                None => {
                    self.providers.insert(line.content.provider);
                }
            }
        }
        Ok(())
    }
}

fn observed(line: &[u8]) -> Result<Observed, BadLine> {
    let call = Call::read(line)?;
    Ok(Observed { provider: call.provider, line: line.to_owned() })
}
