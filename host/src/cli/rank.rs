//! `rank`: who can take a request, best first.

use std::time::{Duration, SystemTime};

use anyhow::anyhow;
use runtime_signals::forms::{RankAnswer, RankForm, RankedAnswer};
use runtime_signals::rank::{Candidate, Request, Strategy, rank};
use runtime_signals::{Source, cache_source};

use super::context::{Context, block_on, provider_name};
use super::remote::Remote;
use super::size::Size;
use super::{Exit, human, output, table};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who may be asked; all that are cached or configured if not given
    #[arg(value_name = "NAME", value_parser = provider_name)]
    names: Vec<String>,
    /// What is best: headroom, soonest-reset, latency or order
    #[arg(long, default_value_t = Strategy::Headroom, value_name = "STRATEGY")]
    strategy: Strategy,
    #[command(flatten)]
    size: Size,
}

/// Prints the ranking.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let line = match context.remote()? {
        Some(remote) => block_on(args.ask(&remote))??,
        None => args.rank(context)?,
    };
    let ranking: RankAnswer = serde_json::from_slice(&line)?;
    if context.output.is_json() {
        output::write(&line)?;
    } else {
        output::write(in_columns(&ranking, context.output.colours).as_bytes())?;
    }
    Ok(if ranking.providers.is_empty() { Exit::NOT_YET } else { Exit::DONE })
}

impl Args {
    /// By the cache, as a line of JSON.
    fn rank(&self, context: &Context) -> anyhow::Result<Vec<u8>> {
        let service = context.service()?;
        let sources = match self.names.as_slice() {
            [] => context.known(&service)?,
            names => names.iter().map(|name| cache_source(name)).collect::<Result<Vec<Source>, _>>()?,
        };
        let request = Request { scope: self.size.scope(), need: self.size.need() };
        let mut candidates = Vec::new();
        for source in sources {
            let name = source.name();
            let wait = service.wait_for(name, &request.scope, request.need)?;
            let order = context.config()?.order(name);
            candidates.push(Candidate { signal: service.recorded(name)?, wait, order });
        }
        let now = SystemTime::now();
        let ranking = rank(candidates, &request, self.strategy, now);
        let mut line = serde_json::to_vec(&RankForm::new(&ranking, self.strategy, now))?;
        line.push(b'\n');
        Ok(line)
    }

    /// By a service, as a line of JSON.
    async fn ask(&self, remote: &Remote) -> anyhow::Result<Vec<u8>> {
        let mut query = self.size.query();
        query.push(("strategy", self.strategy.to_string()));
        if !self.names.is_empty() {
            query.push(("providers", self.names.join(",")));
        }
        let answer = remote.get("v1/rank", &query).await?;
        // What it says of the ranking is read where it is shown.
        answer.read::<RankAnswer>()?;
        answer.line().ok_or_else(|| anyhow!("the service at {} does not rank", remote.address()))
    }
}

fn in_columns(ranking: &RankAnswer, colours: bool) -> String {
    let when = |ranked: &RankedAnswer| match ranked.wait_ms {
        Some(0) => "now".to_owned(),
        Some(wait) => human::wait(Duration::from_millis(wait)),
        None => "-".to_owned(),
    };
    let all = ranking.providers.iter().chain(&ranking.cooling);
    let rows = all.map(|ranked| [ranked.provider.clone(), when(ranked), ranked.why.clone()]);
    table::texts(["PROVIDER", "WHEN", "WHY"], rows, colours)
}
