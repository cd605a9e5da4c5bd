//! Bytes in, bytes out: HTTP/1.1 by hand, with and without TLS.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::rules::{Fault, Reply, Request, answer};
use super::{Asked, State};

/// Makes the acceptor with the certificate of this folder, signed by the authority beside it.
pub fn acceptor() -> TlsAcceptor {
    let chain = CertificateDer::pem_slice_iter(include_bytes!("tls/server.pem"))
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("tls/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

/// Serves one connection to its end.
pub async fn serve(stream: TcpStream, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    // Head and body are written apart; waiting for an acknowledgement between them would only cost time.
    let _ = stream.set_nodelay(true);
    let _ = match tls {
        None => requests(stream, state).await,
        Some(tls) => match tls.accept(stream).await {
            Ok(stream) => requests(stream, state).await,
            Err(_) => None,
        },
    };
}

async fn requests(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    state: Arc<Mutex<State>>,
) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let request = read(&mut stream, &mut buffer).await?;
        let Some(request) = request else {
            // Somebody speaks TLS: the words of Go's server.
            let words = b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n400 Bad Request";
            stream.write_all(words).await.ok()?;
            return None;
        };
        let (reply, delay) = {
            let mut state = state.lock().unwrap();
            state.open_now += 1;
            state.open_most = state.open_most.max(state.open_now);
            let reply = answer(&mut state, &request);
            let target = match request.query.as_str() {
                "" => request.path.clone(),
                query => format!("{}?{query}", request.path),
            };
            state.log.push(Asked {
                method: request.method.clone(),
                target,
                authorization: request.authorization.clone(),
                accept: Some(request.accept.clone()).filter(|text| !text.is_empty()),
                if_none_match: request.if_none_match.clone(),
                body: request.body.clone(),
                status: reply.status,
            });
            (reply, state.delay)
        };
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let written = write(&mut stream, &request, &reply).await;
        state.lock().unwrap().open_now -= 1;
        written?;
    }
}

/// Reads a request; nothing inside says that it is no HTTP, nothing at all that the connection ended.
async fn read(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
) -> Option<Option<Request>> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            break at + 4;
        }
        if buffer.first() == Some(&0x16) {
            return Some(None);
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer.drain(..head_end).collect()).ok()?;
    let mut lines = head.lines();
    let mut first = lines.next()?.split(' ');
    let method = first.next()?.to_owned();
    let target = first.next()?.to_owned();
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
        .collect();
    let header = |name: &str| {
        headers
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.clone())
    };
    let length: usize = header("content-length").map_or(0, |text| text.parse().unwrap());
    while buffer.len() < length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(buffer.drain(..length).collect()).ok()?;
    let (path, query) = target.split_once('?').unwrap_or((&target, ""));
    Some(Some(Request {
        method,
        path: path.to_owned(),
        query: query.to_owned(),
        authorization: header("authorization"),
        accept: header("accept").unwrap_or_default(),
        if_none_match: header("if-none-match"),
        body,
    }))
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    request: &Request,
    reply: &Reply,
) -> Option<()> {
    let mut head = format!("HTTP/1.1 {} Stand-In\r\n", reply.status);
    for (name, value) in &reply.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let announced = match &reply.fault {
        Some(Fault::Hang) => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            return None;
        }
        Some(Fault::Endless) => None,
        Some(Fault::Big(size)) => Some(*size),
        _ => Some(reply.body.len() as u64),
    };
    match announced {
        Some(length) => head.push_str(&format!("content-length: {length}\r\n\r\n")),
        None => head.push_str("connection: close\r\n\r\n"),
    }
    stream.write_all(head.as_bytes()).await.ok()?;
    if request.method == "HEAD" {
        return announced.map(|_| ());
    }
    match &reply.fault {
        Some(Fault::CloseMidBody) => {
            let half = &reply.body[..reply.body.len() / 2];
            stream.write_all(half).await.ok()?;
            stream.flush().await.ok()?;
            None
        }
        Some(Fault::Endless | Fault::Big(_)) => {
            let piece = vec![b' '; 64 << 10];
            loop {
                stream.write_all(&piece).await.ok()?;
            }
        }
        _ => {
            stream.write_all(&reply.body).await.ok()?;
            stream.flush().await.ok()
        }
    }
}
