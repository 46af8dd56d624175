//! `/metrics`, `/healthz` and `/readyz` by HTTP, for those who look after the agent.
//!
//! Nothing that comes is trusted: it is read as far as a short request goes, for a few seconds, from a few connections at a time, and
//! nothing can be changed by it. What cannot be opened is told and tried again: the agent goes on without.
use std::{
    convert::Infallible,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use hyper::{
    Method, Request, Response, StatusCode,
    body::{Body, Bytes, Frame, Incoming, SizeHint},
    header::{ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot},
    time::{sleep, timeout},
};
use tokio_util::sync::CancellationToken;

use super::text::Form;
use crate::{
    agent::{Control, Shared, log},
    runtime::off_task,
};

/// Connections at a time.
const SEATS: usize = 16;
/// How long a request may take to come, which is also how long a connection without one stays open.
const REQUEST: Duration = Duration::from_secs(10);
/// Bytes that the head of a request has at most, and its lines.
const HEAD: (usize, usize) = (16 << 10, 64);
/// The longest that a connection lives: who reads no answer holds a seat no longer.
const LONGEST: Duration = Duration::from_secs(120);
/// How long the supervisor has to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// How long it is waited before what cannot be opened is tried again.
const AGAIN: Duration = Duration::from_secs(5);

/// An open address. Dropped, it is closed.
pub struct Door {
    /// Where it is.
    pub at: SocketAddr,
    stop: CancellationToken,
}

impl Door {
    /// Opens one.
    pub fn open(at: SocketAddr, shared: Arc<Shared>) -> Door {
        let stop = CancellationToken::new();
        let until = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = until.cancelled() => {}
                () = listen(at, shared, &until) => {}
            }
        });
        Door { at, stop }
    }
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn listen(at: SocketAddr, shared: Arc<Shared>, stop: &CancellationToken) {
    let mut told = String::new();
    loop {
        match TcpListener::bind(at).await {
            Ok(listener) => {
                // The port that the system chose, where none was said.
                let at = listener.local_addr().unwrap_or(at);
                log(format_args!("metrics: http://{at}/metrics, and /healthz and /readyz there"));
                accept(&listener, &shared, stop).await;
            }
            Err(e) if e.to_string() != told => {
                told = e.to_string();
                crate::log::warn(format_args!(
                    "metrics: {at} cannot be opened: {told}; it is tried again every {} s: another program has the port, or metrics.listen names an address that is not of this machine",
                    AGAIN.as_secs()
                ));
            }
            Err(_) => {}
        }
        sleep(AGAIN).await;
    }
}

/// Lets connections in. Comes back only where nobody can be let in any more.
async fn accept(listener: &TcpListener, shared: &Arc<Shared>, stop: &CancellationToken) {
    let seats = Arc::new(Semaphore::new(SEATS));
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(e) => {
                crate::log::warn(format_args!("metrics: a connection cannot be taken: {e}"));
                return;
            }
        };
        // One too many is closed: who asks again finds a seat.
        if let Ok(seat) = seats.clone().try_acquire_owned() {
            tokio::spawn(serve(stream, shared.clone(), stop.clone(), seat));
        }
    }
}

async fn serve(stream: TcpStream, shared: Arc<Shared>, stop: CancellationToken, _seat: OwnedSemaphorePermit) {
    let service = service_fn(move |request| {
        let shared = shared.clone();
        async move { Ok::<_, Infallible>(answer(&request, &shared).await) }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(REQUEST).max_buf_size(HEAD.0).max_headers(HEAD.1);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let is_over = tokio::select! {
        _ = connection.as_mut() => true,
        () = stop.cancelled() => false,
        () = sleep(LONGEST) => false,
    };
    if !is_over {
        connection.as_mut().graceful_shutdown();
        let _ = timeout(ANSWER, connection).await;
    }
}

async fn answer(request: &Request<Incoming>, shared: &Arc<Shared>) -> Response<Text> {
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        let mut response = plain(StatusCode::METHOD_NOT_ALLOWED, "GET and HEAD only\n".to_owned());
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        return response;
    }
    match request.uri().path() {
        "/metrics" => {
            // As in HTTP: several lines are one list.
            let accept: Vec<&str> = request.headers().get_all(ACCEPT).iter().filter_map(|v| v.to_str().ok()).collect();
            metrics(Form::accepted(&accept.join(",")), shared).await
        }
        "/healthz" => healthz(shared).await,
        "/readyz" => readyz(shared).await,
        _ => plain(StatusCode::NOT_FOUND, "qaudjrn: /metrics, /healthz, /readyz\n".to_owned()),
    }
}

/// The size of the spool is asked of the disk, which may hang.
async fn metrics(form: Form, shared: &Arc<Shared>) -> Response<Text> {
    let of = shared.clone();
    let made = timeout(ANSWER, off_task(move || of.metrics(of.totals(), form).ok())).await;
    match made.ok().flatten().flatten() {
        Some(text) => with(StatusCode::OK, form.content_type(), text),
        None => plain(StatusCode::SERVICE_UNAVAILABLE, "the figures cannot be had at present\n".to_owned()),
    }
}

/// Whether the process lives: its supervisor answers.
async fn healthz(shared: &Shared) -> Response<Text> {
    let (tell, told) = oneshot::channel();
    shared.handle.say(Control::Ping(tell));
    match timeout(ANSWER, told).await {
        Ok(Ok(())) => plain(StatusCode::OK, "ok\n".to_owned()),
        _ => plain(StatusCode::SERVICE_UNAVAILABLE, "the supervisor does not answer\n".to_owned()),
    }
}

/// Whether it does its work.
async fn readyz(shared: &Arc<Shared>) -> Response<Text> {
    let of = shared.clone();
    let lines = timeout(ANSWER, off_task(move || of.not_ready())).await.ok().flatten();
    let lines = lines.unwrap_or_else(|| vec!["spool: the disk does not answer".to_owned()]);
    if lines.is_empty() {
        return plain(StatusCode::OK, "ready\n".to_owned());
    }
    plain(StatusCode::SERVICE_UNAVAILABLE, lines.join("\n") + "\n")
}

fn plain(status: StatusCode, text: String) -> Response<Text> {
    with(status, "text/plain; charset=utf-8", text)
}

fn with(status: StatusCode, kind: &'static str, text: String) -> Response<Text> {
    let mut response = Response::new(Text(Some(Bytes::from(text))));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// An answer in one piece.
struct Text(Option<Bytes>);

impl Body for Text {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.take().map(|text| Ok(Frame::data(text))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |text| text.len() as u64))
    }
}
