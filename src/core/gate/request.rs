//! The head of a request, read more strictly than any engine reads it.
//!
//! What has two readings, or a body where none belongs, is no request here.

use std::fmt;

/// The longest head that is read.
pub const MOST_HEAD: usize = 16 * 1024;
const MOST_HEADERS: usize = 64;

/// The judged parts of a request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    pub method: String,
    pub target: String,
    pub body: Body,
    /// Whether the client wants no other answer on this stream.
    pub last: bool,
}

/// What follows a head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    Nothing,
    /// Something follows that the gate does not read: the stream ends with the refusal.
    Something,
}

/// Why bytes are no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadRequest(pub &'static str);

impl fmt::Display for BadRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Reads a head and its size from the beginning of the bytes; nothing while it is not complete.
pub fn read_head(bytes: &[u8]) -> Result<Option<(Head, usize)>, BadRequest> {
    let seen = &bytes[..bytes.len().min(MOST_HEAD)];
    let Some(end) = find_end(seen) else {
        // A client of another protocol is told at once, not when it has written enough.
        if seen
            .first()
            .is_some_and(|first| !first.is_ascii_uppercase())
        {
            return Err(BadRequest("this is no HTTP request"));
        }
        return match bytes.len() < MOST_HEAD {
            true => Ok(None),
            false => Err(BadRequest("the request's head is too long")),
        };
    };
    let text = std::str::from_utf8(&seen[..end])
        .map_err(|_| BadRequest("the request's head is no text"))?;
    let mut lines = text.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let (method, target) = request_line(first)?;
    let fields = Fields::read(lines)?;
    let head = Head {
        method: method.to_owned(),
        target: target.to_owned(),
        body: fields.body()?,
        last: fields.last,
    };
    Ok(Some((head, end + 4)))
}

fn find_end(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|four| four == b"\r\n\r\n")
}

fn request_line(line: &str) -> Result<(&str, &str), BadRequest> {
    let mut parts = line.split(' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(BadRequest("the request's first line has not three parts"));
    };
    if method.is_empty()
        || method.len() > 16
        || !method.bytes().all(|byte| byte.is_ascii_uppercase())
    {
        return Err(BadRequest("the request has no method"));
    }
    if version != "HTTP/1.1" {
        return Err(BadRequest("only HTTP/1.1 is spoken here"));
    }
    if !target.starts_with('/') || !target.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(BadRequest("the request names no path"));
    }
    Ok((method, target))
}

/// What the fields of a head say that matters here.
#[derive(Debug, Default)]
struct Fields {
    hosts: usize,
    lengths: Vec<String>,
    coded: bool,
    switches: bool,
    last: bool,
}

impl Fields {
    fn read<'a>(lines: impl Iterator<Item = &'a str>) -> Result<Self, BadRequest> {
        let mut fields = Self::default();
        for (number, line) in lines.enumerate() {
            if number >= MOST_HEADERS {
                return Err(BadRequest("the request has too many headers"));
            }
            let (name, value) = line
                .split_once(':')
                .ok_or(BadRequest("a header has no colon"))?;
            // Folded lines begin with a blank and fail here too.
            if name.is_empty() || !name.bytes().all(is_token) {
                return Err(BadRequest("a header has no proper name"));
            }
            if value.chars().any(|char| char.is_control() && char != '\t') {
                return Err(BadRequest("a header holds control characters"));
            }
            fields.take(&name.to_ascii_lowercase(), value.trim());
        }
        if fields.hosts > 1 {
            return Err(BadRequest("the request names two hosts"));
        }
        Ok(fields)
    }

    fn take(&mut self, name: &str, value: &str) {
        let says = |word: &str| {
            let mut words = value.split(',');
            words.any(|one| one.trim().eq_ignore_ascii_case(word))
        };
        match name {
            "host" => self.hosts += 1,
            "content-length" => self.lengths.push(value.to_owned()),
            "transfer-encoding" => self.coded = true,
            "upgrade" | "http2-settings" => self.switches = true,
            "connection" => {
                self.last |= says("close");
                self.switches |= says("upgrade");
            }
            _ => {}
        }
    }

    fn body(&self) -> Result<Body, BadRequest> {
        if self.lengths.len() > 1 || (self.coded && !self.lengths.is_empty()) {
            return Err(BadRequest("the request has two lengths"));
        }
        if let Some(length) = self.lengths.first() {
            if length.is_empty() || length.len() > 18 || !length.bytes().all(|b| b.is_ascii_digit())
            {
                return Err(BadRequest("the request's length is no number"));
            }
            return Ok(match length.bytes().all(|byte| byte == b'0') {
                true if !self.switches => Body::Nothing,
                _ => Body::Something,
            });
        }
        // After a change of protocol whatever follows is no HTTP.
        Ok(match self.coded || self.switches {
            true => Body::Something,
            false => Body::Nothing,
        })
    }
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Option<(Head, usize)>, BadRequest> {
        read_head(text.as_bytes())
    }

    #[test]
    fn a_plain_request_is_read_and_what_follows_is_left() {
        let text = "GET /_ping HTTP/1.1\r\nHost: docker\r\nUser-Agent: x\r\n\r\nGET /info";
        let (head, size) = read(text).unwrap().unwrap();
        assert_eq!(
            (head.method.as_str(), head.target.as_str()),
            ("GET", "/_ping")
        );
        assert_eq!((head.body, head.last), (Body::Nothing, false));
        assert_eq!(&text[size..], "GET /info");
        for cut in 1..size {
            assert_eq!(read(&text[..cut]), Ok(None), "{cut}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_no_request() {
        for head in [
            "GET /_ping HTTP/1.0\r\nHost: x",
            "GET /_ping HTTP/1.1\nHost: x",
            "GET /_ping  HTTP/1.1\r\nHost: x",
            "GET\t/_ping\tHTTP/1.1\r\nHost: x",
            "GET /_ping HTTP/1.1 \r\nHost: x",
            " GET /_ping HTTP/1.1\r\nHost: x",
            "\r\nGET /_ping HTTP/1.1\r\nHost: x",
            "get /_ping HTTP/1.1\r\nHost: x",
            "GET http://x/_ping HTTP/1.1\r\nHost: x",
            "CONNECT x:1 HTTP/1.1\r\nHost: x",
            "OPTIONS * HTTP/1.1\r\nHost: x",
            "GET /\u{e9} HTTP/1.1\r\nHost: x",
            "PRI * HTTP/2.0\r\n",
            "GET /_ping HTTP/1.1\r\nHost: x\r\nHost: y",
            "GET /_ping HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 1",
            "GET /_ping HTTP/1.1\r\nContent-Length: 0\r\ncontent-length: 5",
            "GET /_ping HTTP/1.1\r\nContent-Length: 0, 0",
            "GET /_ping HTTP/1.1\r\nContent-Length: +0",
            "GET /_ping HTTP/1.1\r\nContent-Length: 0x0",
            "GET /_ping HTTP/1.1\r\nContent-Length: ",
            "GET /_ping HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked",
            "GET /_ping HTTP/1.1\r\nTransfer-Encoding : chunked",
            "GET /_ping HTTP/1.1\r\n Transfer-Encoding: chunked",
            "GET /_ping HTTP/1.1\r\nA: b\r\n\tc: d",
            "GET /_ping HTTP/1.1\r\nA: b\nTransfer-Encoding: chunked",
            "GET /_ping HTTP/1.1\r\nA: b\rTransfer-Encoding: chunked",
            "GET /_ping HTTP/1.1\r\nA: b\0",
            "GET /_ping HTTP/1.1\r\nA",
            "GET /_ping HTTP/1.1\r\n: b",
        ] {
            let whole = format!("{head}\r\n\r\n");
            assert!(read(&whole).is_err(), "{head:?}: {:?}", read(&whole));
        }
        let many = "A: b\r\n".repeat(MOST_HEADERS + 1);
        assert!(read(&format!("GET / HTTP/1.1\r\n{many}\r\n")).is_err());
        let long = format!("GET /{} HTTP/1.1\r\n", "x".repeat(MOST_HEAD));
        assert!(read(&long).is_err());
        assert!(read("SSH-2.0-x").unwrap().is_none());
        assert!(read("\u{16}\u{3}\u{1}").is_err(), "TLS is told at once");
    }

    #[test]
    fn bodies_and_changes_of_protocol_are_seen() {
        for field in [
            "Content-Length: 1",
            "Content-Length: 000000000000000001",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: identity",
            "TRANSFER-ENCODING: gzip, chunked",
            "Upgrade: tcp",
            "Connection: keep-alive, Upgrade",
            "Content-Length: 0\r\nUpgrade: h2c",
            "HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA",
        ] {
            let (head, _) = read(&format!("GET / HTTP/1.1\r\n{field}\r\n\r\n"))
                .unwrap()
                .unwrap();
            assert_eq!(head.body, Body::Something, "{field}");
        }
        let (head, _) = read("GET / HTTP/1.1\r\nContent-Length: 0\r\nConnection: Close\r\n\r\n")
            .unwrap()
            .unwrap();
        assert_eq!((head.body, head.last), (Body::Nothing, true));
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = read_head(&bytes);
            let mut framed = b"GET /info HTTP/1.1\r\n".to_vec();
            framed.extend(&bytes);
            framed.extend(b"\r\n\r\n");
            if let Ok(Some((head, size))) = read_head(&framed) {
                prop_assert!(size <= framed.len());
                prop_assert_eq!(head.target, "/info");
                prop_assert_eq!(head.method, "GET");
            }
        }

        #[test]
        fn a_head_means_the_same_however_it_is_cut(cut in 0usize..80) {
            let text = b"GET /containers/json?all=1 HTTP/1.1\r\nHost: d\r\nContent-Length: 0\r\n\r\n";
            let whole = read_head(text).unwrap().unwrap();
            let part = read_head(&text[..cut.min(text.len())]).unwrap();
            prop_assert!(part.is_none() || part.unwrap() == whole);
        }
    }
}
