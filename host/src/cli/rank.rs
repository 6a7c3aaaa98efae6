//! `rank`: who can take a request, best first.

use std::time::SystemTime;

use runtime_signals::forms::RankForm;
use runtime_signals::rank::{Candidate, Ranked, Ranking, Request, Strategy, rank};
use runtime_signals::{Need, Scope, Source, cache_source};

use super::context::{Context, provider_name};
use super::{Exit, human, output, table};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Who may be asked; all that are cached or configured if not given
    #[arg(value_name = "NAME", value_parser = provider_name)]
    names: Vec<String>,
    /// What is best: headroom, soonest-reset, latency or order
    #[arg(long, default_value_t = Strategy::Headroom, value_name = "STRATEGY")]
    strategy: Strategy,
    /// The model that is to be called
    #[arg(long)]
    model: Option<String>,
    /// The account that is to call
    #[arg(long)]
    account: Option<String>,
    /// How many requests are to be sent
    #[arg(long, default_value_t = 1, value_name = "N")]
    requests: u64,
    /// How many tokens they take, sent and generated
    #[arg(long, default_value_t = 0, value_name = "N")]
    tokens: u64,
}

/// Prints the ranking.
pub(super) fn run(args: &Args, context: &Context) -> anyhow::Result<Exit> {
    let service = context.service()?;
    let sources = match args.names.as_slice() {
        [] => context.known(&service)?,
        names => names.iter().map(|name| cache_source(name)).collect::<Result<Vec<Source>, _>>()?,
    };
    let request = Request {
        scope: Scope { account: args.account.clone(), model: args.model.clone() },
        need: Need { requests: args.requests, tokens: args.tokens },
    };
    let mut candidates = Vec::new();
    for source in sources {
        let name = source.name();
        let wait = service.wait_for(name, &request.scope, request.need)?;
        let order = context.config()?.order(name);
        candidates.push(Candidate { signal: service.recorded(name)?, wait, order });
    }
    let now = SystemTime::now();
    let ranking = rank(candidates, &request, args.strategy, now);
    let text = if context.output.is_json() {
        serde_json::to_string(&RankForm::new(&ranking, args.strategy, now))? + "\n"
    } else {
        in_columns(&ranking, now, context.output.colours)
    };
    output::write(text.as_bytes())?;
    Ok(if ranking.able.is_empty() { Exit::NOT_YET } else { Exit::DONE })
}

fn in_columns(ranking: &Ranking, now: SystemTime, colours: bool) -> String {
    let when = |ranked: &Ranked| match ranked.wait.duration(now) {
        Some(wait) if wait.is_zero() => "now".to_owned(),
        Some(wait) => human::wait(wait),
        None => "-".to_owned(),
    };
    let all = ranking.able.iter().chain(&ranking.cooling);
    let rows = all.map(|ranked| [ranked.provider.clone(), when(ranked), ranked.why(now)]);
    table::texts(["PROVIDER", "WHEN", "WHY"], rows, colours)
}
