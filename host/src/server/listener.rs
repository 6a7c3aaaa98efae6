//! Connections: as many as may be at the same time, none of them longer idle than it may.

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use axum::{Extension, Router};
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_io_timeout::TimeoutStream;

use super::guard::Peer;
use super::state::AppState;

/// The largest head of a request, in bytes, and the most headers.
const MOST_HEAD: usize = 64 << 10;
const MOST_HEADERS: usize = 100;
/// After a connection that could not be accepted, for want of descriptors mostly.
const PAUSE: Duration = Duration::from_millis(50);

/// Where connections come from.
pub(super) enum Listener {
    Network(TcpListener),
    Socket(UnixListener, #[expect(dead_code, reason = "it goes with the listener")] SocketFile),
}

/// The file of a socket. It goes with it.
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // It may have been removed by somebody else.
        let _ = fs::remove_file(&self.0);
    }
}

impl Listener {
    pub(super) async fn network(address: SocketAddr) -> io::Result<(Self, SocketAddr)> {
        let listener = TcpListener::bind(address).await?;
        let bound = listener.local_addr()?;
        Ok((Self::Network(listener), bound))
    }

    /// A socket for its owner alone, in place of one that nobody listens on any more.
    pub(super) async fn socket(path: &Path) -> io::Result<Self> {
        if UnixStream::connect(path).await.is_ok() {
            return Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens on it"));
        }
        if fs::symlink_metadata(path).is_ok_and(|found| !is_socket(&found)) {
            return Err(io::Error::new(
                io::ErrorKind::AlreadyExists,
                "something else than a socket is there",
            ));
        }
        // Nobody else can open it before it has its permissions: it is made in a folder of our own.
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = tempfile::Builder::new().prefix(".").rand_bytes(4).tempdir_in(parent)?;
        let made = folder.path().join("s");
        let listener = UnixListener::bind(&made)?;
        fs::set_permissions(&made, fs::Permissions::from_mode(0o600))?;
        fs::rename(&made, path)?;
        Ok(Self::Socket(listener, SocketFile(path.to_owned())))
    }

    async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Network(listener) => {
                let (stream, from) = listener.accept().await?;
                stream.set_nodelay(true)?;
                Ok((Stream::Network(stream), Peer::Network(from.ip().to_canonical())))
            }
            Self::Socket(listener, _) => Ok((Stream::Socket(listener.accept().await?.0), Peer::Socket)),
        }
    }

    /// Accepts connections until the service ends.
    pub(super) async fn serve(
        self,
        state: AppState,
        router: Router,
        watcher: Arc<dyn Fn() -> Watcher + Send + Sync>,
    ) {
        let places = Arc::new(Semaphore::new(state.config().service.limits.connections));
        loop {
            let next = async {
                let place = places.clone().acquire_owned().await;
                (place, self.accept().await)
            };
            let (place, accepted) = tokio::select! {
                next = next => next,
                () = state.ended() => return,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let idle = state.config().service.limits.idle_timeout;
            let router = router.clone().layer(Extension(peer));
            let watcher = watcher();
            tokio::spawn(async move {
                let _place = place;
                match stream {
                    Stream::Network(stream) => connection(stream, router, idle, watcher).await,
                    Stream::Socket(stream) => connection(stream, router, idle, watcher).await,
                }
            });
        }
    }
}

enum Stream {
    Network(TcpStream),
    Socket(UnixStream),
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Send + 'static,
    router: Router,
    idle: Duration,
    watcher: Watcher,
) {
    let mut stream = TimeoutStream::new(stream);
    // Who takes nothing of what is sent to it does not hold it for long. Reads have bounds of their own.
    stream.set_write_timeout(Some(idle));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(idle)
        .max_buf_size(MOST_HEAD)
        .max_headers(MOST_HEADERS)
        // Calls that are passed on keep how they are written.
        .preserve_header_case(true)
        .serve_connection(TokioIo::new(Box::pin(stream)), TowerToHyperService::new(router));
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection broke off");
    }
}

fn is_socket(found: &fs::Metadata) -> bool {
    use std::os::unix::fs::FileTypeExt;
    found.file_type().is_socket()
}
