//! The engine's answers, taken apart so that they can be written anew.

use std::io;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::bad;

const MOST_HEAD: usize = 64 * 1024;
const MOST_HEADERS: usize = 64;
/// How much of an answer is held at a time.
const MOST_PIECE: usize = 64 * 1024;

/// The fields of an answer that a client needs.
const KEPT: [&str; 8] = [
    "content-type",
    "api-version",
    "ostype",
    "docker-experimental",
    "builder-version",
    "swarm",
    "server",
    "date",
];

/// The head of an answer.
#[derive(Debug)]
pub struct AnswerHead {
    status: u16,
    fields: String,
    pub goes_on: bool,
}

impl AnswerHead {
    /// Tells whether a body follows what is written.
    pub fn has_body(&self, to_head: bool) -> bool {
        !to_head && !matches!(self.status, 204 | 304)
    }

    /// Writes the head anew; a body will follow in chunks.
    pub fn rewritten(&self, to_head: bool, last: bool) -> Vec<u8> {
        let length = match self.has_body(to_head) {
            true => "Transfer-Encoding: chunked\r\n",
            false if to_head => "Content-Length: 0\r\n",
            false => "",
        };
        let close = if last { "Connection: close\r\n" } else { "" };
        let reason = http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Answer");
        format!(
            "HTTP/1.1 {} {reason}\r\n{}{length}{close}\r\n",
            self.status, self.fields
        )
        .into_bytes()
    }
}

/// What is next of an answer's body.
#[derive(Debug)]
pub enum Step {
    Piece(Bytes),
    /// More must be read first.
    Wanting,
    End,
}

/// What is left of the body at hand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Left {
    Bytes(u64),
    ChunkSize,
    Chunk(u64),
    ChunkEnd,
    Trailers,
    UntilTheEnd,
    Nothing,
}

/// The engine's side of a gate.
#[derive(Debug)]
pub struct Answers<E> {
    engine: E,
    buffer: BytesMut,
    left: Left,
    ended: bool,
}

impl<E: AsyncRead + AsyncWrite + Unpin> Answers<E> {
    pub fn new(engine: E) -> Self {
        Self {
            engine,
            buffer: BytesMut::new(),
            left: Left::Nothing,
            ended: false,
        }
    }

    pub async fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.engine.write_all(request).await?;
        self.engine.flush().await
    }

    /// Reads the head of the next answer.
    pub async fn head(&mut self, to_head: bool) -> io::Result<AnswerHead> {
        loop {
            match parse(&self.buffer)? {
                Some((head, size, _))
                    if (102..200).contains(&head.status) || head.status == 100 =>
                {
                    self.buffer.advance(size);
                }
                Some((head, size, left)) => {
                    if head.status == 101 {
                        return Err(bad("it changed the protocol"));
                    }
                    self.buffer.advance(size);
                    self.left = match head.has_body(to_head) {
                        true => left,
                        false => Left::Nothing,
                    };
                    return Ok(head);
                }
                None if self.buffer.len() > MOST_HEAD => return Err(bad("its head is too long")),
                None if self.ended => return Err(io::ErrorKind::UnexpectedEof.into()),
                None => self.fill().await?,
            }
        }
    }

    /// Reads more from the engine; giving this up half-way loses nothing.
    pub async fn fill(&mut self) -> io::Result<()> {
        self.buffer.reserve(4096);
        let count = self.engine.read_buf(&mut self.buffer).await?;
        self.ended |= count == 0;
        Ok(())
    }

    /// Returns what is next of the body.
    pub fn take(&mut self) -> io::Result<Step> {
        loop {
            match self.left {
                Left::Nothing => return Ok(Step::End),
                Left::Bytes(0) => self.left = Left::Nothing,
                Left::Chunk(0) => self.left = Left::ChunkEnd,
                Left::Bytes(count) => {
                    let Some(piece) = self.piece(count)? else {
                        return Ok(Step::Wanting);
                    };
                    self.left = Left::Bytes(count - piece.len() as u64);
                    return Ok(Step::Piece(piece));
                }
                Left::Chunk(count) => {
                    let Some(piece) = self.piece(count)? else {
                        return Ok(Step::Wanting);
                    };
                    self.left = Left::Chunk(count - piece.len() as u64);
                    return Ok(Step::Piece(piece));
                }
                Left::UntilTheEnd if self.buffer.is_empty() && self.ended => {
                    self.left = Left::Nothing;
                }
                Left::UntilTheEnd => {
                    return Ok(self.piece(u64::MAX)?.map_or(Step::Wanting, Step::Piece));
                }
                Left::ChunkSize | Left::ChunkEnd | Left::Trailers => {
                    let Some(line) = self.line()? else {
                        return Ok(Step::Wanting);
                    };
                    self.left = self.after(&line)?;
                }
            }
        }
    }

    /// Returns what follows a line between chunks.
    fn after(&self, line: &str) -> io::Result<Left> {
        match self.left {
            Left::ChunkEnd if line.is_empty() => Ok(Left::ChunkSize),
            Left::ChunkEnd => Err(bad("a chunk is longer than its size")),
            Left::Trailers if line.is_empty() => Ok(Left::Nothing),
            Left::Trailers => Ok(Left::Trailers),
            _ => {
                let digits = line.split(';').next().unwrap_or_default().trim();
                let size =
                    u64::from_str_radix(digits, 16).map_err(|_| bad("a chunk has no size"))?;
                Ok(match size {
                    0 => Left::Trailers,
                    size => Left::Chunk(size),
                })
            }
        }
    }

    fn piece(&mut self, most: u64) -> io::Result<Option<Bytes>> {
        if self.buffer.is_empty() {
            return match self.ended {
                true => Err(io::ErrorKind::UnexpectedEof.into()),
                false => Ok(None),
            };
        }
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let count = self.buffer.len().min(most).min(MOST_PIECE);
        Ok(Some(self.buffer.split_to(count).freeze()))
    }

    fn line(&mut self) -> io::Result<Option<String>> {
        if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
            let line = self.buffer.split_to(end + 1);
            let line = String::from_utf8_lossy(&line);
            return Ok(Some(line.trim_end_matches(['\r', '\n']).to_owned()));
        }
        if self.buffer.len() > MOST_HEAD {
            return Err(bad("a line is too long"));
        }
        match self.ended {
            true => Err(io::ErrorKind::UnexpectedEof.into()),
            false => Ok(None),
        }
    }
}

fn parse(bytes: &[u8]) -> io::Result<Option<(AnswerHead, usize, Left)>> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let size = match response.parse(bytes) {
        Ok(httparse::Status::Complete(size)) => size,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(bad(&format!("it is no HTTP: {error}"))),
    };
    let mut fields = String::new();
    let mut left = Left::UntilTheEnd;
    let mut goes_on = response.version == Some(1);
    for header in response.headers.iter() {
        let name = header.name.to_ascii_lowercase();
        let value = String::from_utf8_lossy(header.value);
        let value = value.trim();
        match name.as_str() {
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => left = Left::ChunkSize,
            "transfer-encoding" => return Err(bad("its coding is not known")),
            "content-length" if left != Left::ChunkSize => {
                left = Left::Bytes(value.parse().map_err(|_| bad("its length is no number"))?);
            }
            "connection" => goes_on &= !value.eq_ignore_ascii_case("close"),
            name if KEPT.contains(&name) && !value.contains(|char: char| char.is_control()) => {
                fields.push_str(&format!("{}: {value}\r\n", header.name));
            }
            _ => {}
        }
    }
    goes_on &= left != Left::UntilTheEnd;
    let head = AnswerHead {
        status: response.code.unwrap_or_default(),
        fields,
        goes_on,
    };
    Ok(Some((head, size, left)))
}
