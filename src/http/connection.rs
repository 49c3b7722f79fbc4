//! One connection: TLS, if the site has a certificate; then HTTP/1.1 or HTTP/2.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Version;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

use super::activity::Activity;
use super::pace::{Paced, WRITE_WAIT};
use super::site::{Peer, Site};
use super::upgrade::Successor;

/// The longest head of a request in bytes: the request line and the header fields.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// The most header fields of a request.
const HEADERS_MAX: usize = 64;
/// The most requests at a time on one connection of HTTP/2.
const STREAMS_MAX: u32 = 16;
/// The output of one stream of HTTP/2 that waits for its client.
const STREAM_OUTPUT_BYTES_MAX: usize = 32 * 1024;
/// The input of one connection of HTTP/2, and of one of its streams, that waits to be read.
const INPUT_BYTES_MAX: u32 = 256 * 1024;
const STREAM_INPUT_BYTES_MAX: u32 = 64 * 1024;
/// How long a TLS handshake may take.
const HANDSHAKE_WAIT: Duration = Duration::from_secs(10);

/// A connection that was accepted.
pub(super) struct Arrived {
    pub(super) stream: TcpStream,
    pub(super) address: SocketAddr,
}

/// Serves a connection until its end.
pub(super) async fn serve(
    arrived: Arrived,
    site: Arc<Site>,
    activity: Arc<Activity>,
    stop: watch::Receiver<bool>,
) {
    let Arrived { stream, address } = arrived;
    let peer = Peer { address, is_encrypted: site.identity.is_some() };
    let Some(identity) = &site.identity else {
        return speak(stream, site, peer, activity, stop).await;
    };
    let handshake = TlsAcceptor::from(identity.http_config()).accept(stream);
    match tokio::time::timeout(HANDSHAKE_WAIT, handshake).await {
        Ok(Ok(stream)) => speak(stream, site, peer, activity, stop).await,
        Ok(Err(error)) => tracing::debug!(%error, %address, "no TLS"),
        Err(_) => tracing::debug!(%address, "a TLS handshake took too long"),
    }
}

async fn speak<S>(
    stream: S,
    site: Arc<Site>,
    peer: Peer,
    activity: Arc<Activity>,
    stop: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let successor = Successor::default();
    let spoken = speak_http(stream, site, peer, &activity, successor.clone(), stop).await;
    if let Err(error) = spoken {
        tracing::debug!(error, address = %peer.address, "an HTTP connection was cut");
    } else if let Some(next) = successor.take() {
        // It counts as a request, so that no new connection takes its place.
        let _in_progress = activity.begin(false);
        next.await;
    }
}

/// Serves requests, until the connection ends or another protocol begins.
async fn speak_http<S>(
    stream: S,
    site: Arc<Site>,
    peer: Peer,
    activity: &Arc<Activity>,
    successor: Successor,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let socket = TokioIo::new(Paced::new(stream, Arc::clone(activity)));
    let requests = Arc::clone(activity);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        successor.offer(&mut request);
        let in_progress = requests.begin(request.version() == Version::HTTP_2);
        let site = Arc::clone(&site);
        async move {
            let response = site.answer(request.map(Body::new), peer).await;
            Ok::<_, Infallible>(response.map(|body| in_progress.until_the_end_of(body)))
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        // `Paced` has the deadlines.
        .header_read_timeout(None);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .initial_connection_window_size(INPUT_BYTES_MAX)
        .initial_stream_window_size(STREAM_INPUT_BYTES_MAX)
        .max_header_list_size(HEAD_BYTES_MAX as u32)
        .max_send_buf_size(STREAM_OUTPUT_BYTES_MAX);
    let mut connection = pin!(builder.serve_connection_with_upgrades(socket, service));
    let mut unread = pin!(activity.unread_for(WRITE_WAIT));
    let mut is_stopping = false;
    loop {
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = unread.as_mut() => return Err("the client does not read a response".into()),
            () = async { drop(stop.wait_for(|stopping| *stopping).await) }, if !is_stopping => {
                is_stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
