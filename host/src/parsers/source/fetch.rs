//! Requests to one registry: authorised when it asks for it, and bounded whatever it answers.
//!
//! The usual client library keeps manifests, tokens and the texts of failures in memory whatever their size. A
//! registry is not trusted here, so the two requests that a pull needs are made with the HTTP client itself.

use std::path::PathBuf;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{Client, Response, StatusCode, Url};

use super::challenge::{Challenge, Token};
use super::credentials::{self, Credentials};
use super::reference::Reference;
use super::registry::RegistryProblem;
use super::transport::{PlainHosts, leads_inside};
use crate::cause;

/// Largest answer with a token, in bytes.
const MOST_TOKEN_BYTES: u64 = 64 << 10;

/// What is asked of one registry for one component.
pub(super) struct Session<'a> {
    client: Client,
    hosts: &'a PlainHosts,
    reference: &'a Reference,
    docker_config: Option<PathBuf>,
    authorization: Option<HeaderValue>,
}

impl<'a> Session<'a> {
    pub(super) fn new(
        hosts: &'a PlainHosts,
        reference: &'a Reference,
        docker_config: Option<PathBuf>,
    ) -> Result<Self, RegistryProblem> {
        let client = hosts.client(hosts.scheme(reference.api_host()));
        let client = client.map_err(|error| RegistryProblem::Client(cause::in_words(&error)))?;
        Ok(Self { client, hosts, reference, docker_config, authorization: None })
    }

    /// What stands in the repository at this path, at most `most` bytes.
    pub(super) async fn get(
        &mut self,
        path: &str,
        accept: &'static str,
        most: u64,
    ) -> Result<Vec<u8>, RegistryProblem> {
        let host = self.reference.api_host();
        let url = format!("{}://{host}/v2/{}/{path}", self.hosts.scheme(host), self.reference.repository());
        let mut response = self.send(&url, accept).await?;
        if response.status() == StatusCode::UNAUTHORIZED && self.authorization.is_none() {
            self.authorization = Some(self.authorize(&response).await?);
            response = self.send(&url, accept).await?;
        }
        match response.status() {
            StatusCode::OK => read(response, most).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(self.unauthorized()),
            StatusCode::NOT_FOUND => Err(RegistryProblem::NotFound),
            other => Err(RegistryProblem::Status(other.as_u16())),
        }
    }

    async fn send(&self, url: &str, accept: &'static str) -> Result<Response, RegistryProblem> {
        let mut request = self.client.get(url).header(ACCEPT, accept);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        request.send().await.map_err(unreachable)
    }

    /// Answers a registry that has refused: with a user and a password, or with a token that is fetched first.
    async fn authorize(&self, refusal: &Response) -> Result<HeaderValue, RegistryProblem> {
        let values =
            refusal.headers().get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        let scope = format!("repository:{}:pull", self.reference.repository());
        match Challenge::read(values, &scope) {
            Some(Challenge::Basic) => {
                let known = self.credentials().await?.ok_or_else(|| self.unauthorized())?;
                let request = self.client.get(refusal.url().clone());
                let request = request.basic_auth(known.user, Some(known.password)).build();
                let request = request.map_err(unreachable)?;
                request.headers().get(AUTHORIZATION).cloned().ok_or_else(|| self.unauthorized())
            }
            Some(Challenge::Bearer(url)) if leads_inside(refusal.url(), &url) => {
                Err(RegistryProblem::Token("it names an address on this machine"))
            }
            Some(Challenge::Bearer(url)) => self.token(url).await,
            None => Err(self.unauthorized()),
        }
    }

    async fn token(&self, url: Url) -> Result<HeaderValue, RegistryProblem> {
        if !self.hosts.allow(&url) {
            return Err(RegistryProblem::Token("it names an address without TLS"));
        }
        let mut request = self.client.get(url);
        if let Some(Credentials { user, password }) = self.credentials().await? {
            request = request.basic_auth(user, Some(password));
        }
        let response = request.send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => return Err(self.unauthorized()),
            other => return Err(RegistryProblem::Status(other.as_u16())),
        }
        let answer = read(response, MOST_TOKEN_BYTES).await?;
        let token = Token::read(&answer).ok_or(RegistryProblem::Token("its answer has none"))?;
        let value = HeaderValue::from_str(&format!("Bearer {token}"));
        let mut value = value.map_err(|_| RegistryProblem::Token("it has characters that none may have"))?;
        value.set_sensitive(true);
        Ok(value)
    }

    /// Who we are there. A helper may take its time, and is not waited for when the time of all is over.
    async fn credentials(&self) -> Result<Option<Credentials>, RegistryProblem> {
        let Some(config) = self.docker_config.clone().or_else(credentials::user_config) else {
            return Ok(None);
        };
        let key = self.reference.credentials_key().to_owned();
        let looked_up = tokio::task::spawn_blocking(move || credentials::look_up(&config, &key)).await;
        looked_up.unwrap_or(Ok(None))
    }

    fn unauthorized(&self) -> RegistryProblem {
        RegistryProblem::Unauthorized { registry: self.reference.registry().to_owned() }
    }
}

/// The body of a response that has at most `most` bytes.
async fn read(mut response: Response, most: u64) -> Result<Vec<u8>, RegistryProblem> {
    let mut body = Vec::new();
    let mut announced = response.content_length();
    loop {
        if announced.unwrap_or_default().max(body.len() as u64) > most {
            return Err(RegistryProblem::TooLarge { most });
        }
        announced = None;
        match response.chunk().await.map_err(unreachable)? {
            Some(chunk) => body.extend_from_slice(&chunk),
            None => return Ok(body),
        }
    }
}

fn unreachable(error: reqwest::Error) -> RegistryProblem {
    RegistryProblem::Unreachable(cause::in_words(&error))
}
