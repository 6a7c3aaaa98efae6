//! Posting to the user's address: no redirects, no proxy of the system, a few attempts.

use std::sync::OnceLock;
use std::time::Duration;

use http::{StatusCode, header};
use reqwest::{Certificate, Client, ClientBuilder, redirect};

use super::Job;
use crate::cause;
use crate::config::WebhookUrl;

/// How often it is tried at most.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; doubled before each further one, and moved at random by up to a half.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// Why a post was not taken. Nothing of it shows the address, which may hold a key.
#[derive(Debug, thiserror::Error)]
pub(super) enum WebhookError {
    #[error("there is no HTTP client: {0}")]
    Client(reqwest::Error),
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    #[error("it did not answer in time")]
    Timeout,
    #[error("it answered {0}")]
    Refused(StatusCode),
}

impl WebhookError {
    /// May it be taken later?
    fn may_pass(&self) -> bool {
        match self {
            Self::Client(_) => false,
            Self::Unreachable(_) | Self::Timeout => true,
            Self::Refused(status) => {
                status.is_server_error()
                    || matches!(*status, StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT)
            }
        }
    }
}

/// The clients.
#[derive(Default)]
pub(super) struct Webhooks {
    http: OnceLock<Client>,
    /// Made at the first https address: the certificates of the system take milliseconds to load.
    https: OnceLock<Client>,
}

impl Webhooks {
    /// Posts a change, again where that may help.
    pub(super) async fn post(&self, webhook: &WebhookUrl, job: &Job) -> Result<(), WebhookError> {
        let client = self.client(webhook).map_err(WebhookError::Client)?;
        let (mut attempt, mut pause) = (1, FIRST_PAUSE);
        loop {
            match once(client, webhook, job).await {
                Err(error) if attempt < ATTEMPTS && error.may_pass() => {
                    tokio::time::sleep(pause.mul_f64(0.5 + fastrand::f64())).await;
                    attempt += 1;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
    }

    fn client(&self, webhook: &WebhookUrl) -> reqwest::Result<&Client> {
        let is_encrypted = webhook.url().scheme() == "https";
        let (place, builder) = if is_encrypted {
            (&self.https, builder())
        } else {
            (&self.http, builder().tls_certs_only(std::iter::empty::<Certificate>()))
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let client = builder.build()?;
        Ok(place.get_or_init(|| client))
    }
}

fn builder() -> ClientBuilder {
    Client::builder()
        .user_agent(concat!("runtime-signals/", env!("CARGO_PKG_VERSION")))
        .referer(false)
        .no_proxy()
        .redirect(redirect::Policy::none())
}

async fn once(client: &Client, webhook: &WebhookUrl, job: &Job) -> Result<(), WebhookError> {
    let request = client
        .post(webhook.url().clone())
        .header(header::CONTENT_TYPE, "application/json")
        .timeout(job.rule.timeout)
        .body(job.json.clone());
    // What it answers beyond the status is of no interest, and is not read.
    match request.send().await {
        Ok(answer) if answer.status().is_success() => Ok(()),
        Ok(answer) => Err(WebhookError::Refused(answer.status())),
        Err(error) if error.is_timeout() => Err(WebhookError::Timeout),
        Err(error) => Err(WebhookError::Unreachable(cause::in_words(&error))),
    }
}
