//! `rank`: who can take a request, best first.

use std::time::SystemTime;

use runtime_signals::forms::RankForm;
use runtime_signals::rank::{Candidate, Ranked, Ranking, Request, Strategy, rank};
use runtime_signals::{Source, cache_source};

use super::context::{Context, provider_name};
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
    let service = context.service()?;
    let sources = match args.names.as_slice() {
        [] => context.known(&service)?,
        names => names.iter().map(|name| cache_source(name)).collect::<Result<Vec<Source>, _>>()?,
    };
    let request = Request { scope: args.size.scope(), need: args.size.need() };
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
