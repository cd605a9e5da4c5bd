//! HTTP answers read one after another from a stream on which several requests were sent at once.
//!
//! Only what engines and their proxies send is understood: bodies with a length, in chunks, or up to the end.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest head of an answer.
const MOST_HEAD: usize = 64 * 1024;
/// The largest body.
pub const MOST_BODY: usize = 64 * 1024 * 1024;
const MOST_HEADERS: usize = 64;

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub status: u16,
    pub api_version: Option<String>,
    pub date: Option<String>,
    pub body: Bytes,
    /// Whether another answer can follow on the same stream.
    pub goes_on: bool,
}

/// How long the body of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Bytes(usize),
    Chunks,
    UntilTheEnd,
}

/// The head of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Head {
    reply: Reply,
    length: Length,
}

/// Reads answers from a stream.
#[derive(Debug, Default)]
pub struct Replies {
    buffer: BytesMut,
}

impl Replies {
    /// Reads the next answer; `to_head` says that the request was a HEAD, whose answer has no body.
    ///
    /// Nothing is returned where the stream ends before the answer's first byte.
    pub async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        to_head: bool,
    ) -> io::Result<Option<Reply>> {
        let mut head = loop {
            match parse_head(&self.buffer)? {
                // Interim answers are followed by the real one.
                Some((head, size)) if (100..200).contains(&head.reply.status) => {
                    self.buffer.advance(size);
                }
                Some((head, size)) => {
                    self.buffer.advance(size);
                    break head;
                }
                None if self.buffer.len() > MOST_HEAD => return Err(bad("the head is too long")),
                None => {
                    if stream.read_buf(&mut self.buffer).await? == 0 {
                        return match self.buffer.is_empty() {
                            true => Ok(None),
                            false => Err(io::ErrorKind::UnexpectedEof.into()),
                        };
                    }
                }
            }
        };
        let none = to_head || matches!(head.reply.status, 204 | 304);
        head.reply.body = match head.length {
            _ if none => Bytes::new(),
            Length::Bytes(size) => self.exactly(stream, size).await?,
            Length::Chunks => self.chunks(stream).await?,
            Length::UntilTheEnd => {
                head.reply.goes_on = false;
                self.rest(stream).await?
            }
        };
        Ok(Some(head.reply))
    }

    async fn exactly(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        size: usize,
    ) -> io::Result<Bytes> {
        if size > MOST_BODY {
            return Err(too_large());
        }
        while self.buffer.len() < size {
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(self.buffer.split_to(size).freeze())
    }

    async fn chunks(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
        let mut body = BytesMut::new();
        loop {
            let line = self.line(stream).await?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let size = usize::from_str_radix(digits, 16).map_err(|_| bad("a chunk has no size"))?;
            if size == 0 {
                // Trailers, up to an empty line.
                while !self.line(stream).await?.is_empty() {}
                return Ok(body.freeze());
            }
            if size > MOST_BODY - body.len() {
                return Err(too_large());
            }
            body.extend_from_slice(&self.exactly(stream, size).await?);
            if !self.line(stream).await?.is_empty() {
                return Err(bad("a chunk is longer than its size"));
            }
        }
    }

    async fn rest(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
        while stream.read_buf(&mut self.buffer).await? != 0 {
            if self.buffer.len() > MOST_BODY {
                return Err(too_large());
            }
        }
        Ok(self.buffer.split().freeze())
    }

    async fn line(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line = self.buffer.split_to(end + 1);
                let line = String::from_utf8_lossy(&line);
                return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
            }
            if self.buffer.len() > MOST_HEAD {
                return Err(bad("a line is too long"));
            }
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// Reads a head and its size; nothing while it is not complete.
fn parse_head(bytes: &[u8]) -> io::Result<Option<(Head, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let size = match response.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(bad(&format!("it is no HTTP: {error}"))),
    };
    let header = |name: &str| {
        let found = response.headers.iter();
        let mut found = found.filter(|header| header.name.eq_ignore_ascii_case(name));
        let value = found.next()?.value;
        Some(String::from_utf8_lossy(value).trim().to_owned())
    };
    let says = |name: &str, word: &str| {
        header(name).is_some_and(|value| value.to_ascii_lowercase().contains(word))
    };
    let length = if says("transfer-encoding", "chunked") {
        Length::Chunks
    } else if let Some(length) = header("content-length") {
        let length = length.parse().map_err(|_| bad("its length is no number"))?;
        Length::Bytes(length)
    } else {
        Length::UntilTheEnd
    };
    let goes_on = match response.version {
        Some(1) => !says("connection", "close"),
        _ => says("connection", "keep-alive"),
    };
    let reply = Reply {
        status: response.code.unwrap_or_default(),
        api_version: header("api-version"),
        date: header("date"),
        body: Bytes::new(),
        goes_on,
    };
    Ok(Some((Head { reply, length }, size)))
}

fn bad(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

fn too_large() -> io::Error {
    bad("it is larger than 64 MB")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use proptest::prelude::*;

    use super::*;

    fn read(bytes: &[u8], heads: &[bool]) -> Vec<io::Result<Option<Reply>>> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut replies = Replies::default();
            let mut stream = bytes;
            let mut out = Vec::new();
            for to_head in heads {
                out.push(replies.next(&mut stream, *to_head).await);
            }
            out
        })
    }

    fn bodies(bytes: &[u8], count: usize) -> Vec<(u16, String, bool)> {
        read(bytes, &vec![false; count])
            .into_iter()
            .map(|reply| reply.unwrap().unwrap())
            .map(|reply| {
                let body = String::from_utf8(reply.body.to_vec()).unwrap();
                (reply.status, body, reply.goes_on)
            })
            .collect()
    }

    #[test]
    fn answers_of_every_length_follow_each_other() {
        let text = b"HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Length: 3\r\n\r\nabc\
            HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nde\r\n1;x=y\r\nf\r\n0\r\nTrailer: x\r\n\r\n\
            HTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\nto the end";
        assert_eq!(
            bodies(text, 4),
            [
                (200, "abc".to_owned(), true),
                (404, "def".to_owned(), true),
                (204, String::new(), true),
                (200, "to the end".to_owned(), false),
            ]
        );
    }

    #[test]
    fn an_answer_to_head_has_no_body_whatever_its_length() {
        let text =
            b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nApi-Version: 1.51\r\nDate: now\r\n\r\n";
        let replies = read(text, &[true, true]);
        let first = replies[0].as_ref().unwrap().as_ref().unwrap();
        assert_eq!(first.api_version.as_deref(), Some("1.51"));
        assert_eq!(first.date.as_deref(), Some("now"));
        assert!(replies[1].as_ref().unwrap().is_none());
    }

    #[test]
    fn b4_what_is_too_large_or_cut_off_is_refused() {
        for text in [
            "HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nabc",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            "HTTP/1.1 200 OK\r\nA: b",
            "SSH-2.0-OpenSSH_9.2\r\n\r\n",
        ] {
            assert!(read(text.as_bytes(), &[false])[0].is_err(), "{text}");
        }
        let endless = format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(MOST_HEAD));
        assert!(read(endless.as_bytes(), &[false])[0].is_err());
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read(&bytes, &[false, true]);
            let mut framed = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
            framed.extend(&bytes);
            let _ = read(&framed, &[false]);
        }
    }
}
