//! What a request is, where it is told on the command line before it is sent.

use runtime_signals::{Need, Scope};

/// How large a request is, by whom it is sent and to which model.
#[derive(Debug, clap::Args)]
pub(super) struct Size {
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

impl Size {
    pub(super) fn scope(&self) -> Scope {
        Scope { account: self.account.clone(), model: self.model.clone() }
    }

    pub(super) fn need(&self) -> Need {
        Need { requests: self.requests, tokens: self.tokens }
    }

    /// The same as the query of a request to a service.
    pub(super) fn query(&self) -> Vec<(&'static str, String)> {
        let texts = [("model", &self.model), ("account", &self.account)];
        let texts = texts.into_iter().filter_map(|(key, text)| Some((key, text.clone()?)));
        let numbers = [("requests", self.requests), ("tokens", self.tokens)];
        texts.chain(numbers.map(|(key, number)| (key, number.to_string()))).collect()
    }
}
