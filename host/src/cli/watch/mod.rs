//! `watch`: the providers as they change, on the whole terminal; as lines of JSON to a pipe.
//!
//! The model and the view are pure: what comes in are news, keys and the time.

mod feed;
mod lines;
mod model;
mod screen;
mod theme;
mod view;

use std::io::{self, IsTerminal};

use tokio::sync::mpsc;

use self::feed::Source;
use self::lines::Printed;
use self::model::Model;
use self::theme::Theme;
use super::context::{Context, block_on, interrupted};
use super::{Exit, tell};

/// News that waits to be shown.
const MOST_WAITING: usize = 1024;

/// Shows the providers until the user leaves.
pub(super) fn run(context: &Context) -> anyhow::Result<Exit> {
    let for_programs = context.output.is_json();
    let has_terminal = context.output.is_terminal && io::stdin().is_terminal();
    if !for_programs && !has_terminal {
        tell(format_args!(
            "runtime-signals: watch needs a terminal to draw on and to read keys from; `watch --json` prints each \
             change, `read --json` prints what is known now"
        ));
        return Ok(Exit::BAD_USAGE);
    }
    let (source, store) = match context.remote()? {
        Some(remote) => {
            let store = context.judge()?;
            (Source::Remote(Box::new(remote), store.clone()), store)
        }
        None => {
            let service = context.service()?;
            (Source::Cache(service.clone()), service.store().clone())
        }
    };
    let name = source.name();
    let model = Model::new(context.config()?.cache.ttl);
    let theme = Theme::new(context.output.colours);
    block_on(async {
        let (to, news) = mpsc::channel(MOST_WAITING);
        let fed = source.run(to);
        let mut printed = Printed::default();
        let shown = async {
            if for_programs {
                tokio::select! {
                    biased;
                    ended = interrupted() => ended,
                    followed = printed.follow(news, &store) => followed,
                }
            } else {
                screen::show(model, &name, theme, news).await
            }
        };
        tokio::select! {
            // What there is to tell has been told when the source ends.
            shown = shown => shown,
            Err(error) = fed => Err(error.into()),
        }
    })??;
    Ok(Exit::DONE)
}
