//! An HTTP server on loopback for each simulated provider.

use std::convert::Infallible;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::providers::Provider;
use crate::clock::Clock;

/// After a connection could not be accepted, as when there are too many open files.
const PAUSE: Duration = Duration::from_millis(50);

/// A running server. It ends, with all its connections, when it is dropped.
pub(super) struct Server {
    pub(super) base_url: String,
    /// Only held: dropping the set ends its tasks.
    _tasks: JoinSet<()>,
}

impl Server {
    /// Serves a provider on a free port of the loopback address.
    pub(super) async fn start(provider: Provider, clock: Arc<dyn Clock>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let provider = Arc::new(Mutex::new(provider));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, provider, clock));
        Ok(Self { base_url, _tasks: tasks })
    }
}

async fn accept(listener: TcpListener, provider: Arc<Mutex<Provider>>, clock: Arc<dyn Clock>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(talk(stream, provider.clone(), clock.clone()));
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection was not accepted");
                    tokio::time::sleep(PAUSE).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn talk(stream: TcpStream, provider: Arc<Mutex<Provider>>, clock: Arc<dyn Clock>) {
    let service = service_fn(|request| respond(request, &provider, &*clock));
    if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
        tracing::debug!(%error, "a connection ended early");
    }
}

async fn respond(
    request: Request<Incoming>,
    provider: &Mutex<Provider>,
    clock: &dyn Clock,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let reply = {
        let mut provider = provider.lock().unwrap_or_else(PoisonError::into_inner);
        provider.reply(request.uri().path(), clock.now())
    };
    let Some(reply) = reply else { std::future::pending().await };
    tokio::time::sleep(reply.after).await;
    let mut response = Response::builder().status(reply.status).header("content-type", "application/json");
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    Ok(response.body(Full::new(reply.body.into())).unwrap_or_default())
}
