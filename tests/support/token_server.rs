//! The token server of the lab's token registry: gives signed tokens to whom the rules below let in.
//! A program of its own without dependencies, compiled by `tests/lab/up`; knows nothing of registries.
//!
//! usage: `token-server ADDRESS KEY.pem CERTIFICATE-BASE64-FILE`; one line per request on stdout:
//! `USER METHOD STATUS SCOPE...` (`-` for nobody).
//!
//! Rules: `lab`/`lab-secret` may do everything, `reader`/`reader-secret` may pull everything,
//! nobody may pull `public/...`. What is not allowed is left out of the token, which is given all the
//! same, as real servers do. A wrong password is refused. For repositories `alt/...` the token comes
//! as `access_token` alone and without `expires_in`.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    thread,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let mut args = env::args().skip(1);
    let mut arg = |what: &str| args.next().ok_or(format!("{what} is missing"));
    let listener = TcpListener::bind(arg("the address")?)?;
    let key = arg("the key's file")?;
    let certificate = fs::read_to_string(arg("the certificate's file")?)?;
    for stream in listener.incoming() {
        let (stream, key, certificate) = (stream?, key.clone(), certificate.clone());
        thread::spawn(move || {
            if let Err(error) = answer(stream, &key, certificate.trim()) {
                drop(writeln!(std::io::stderr(), "{error}"));
            }
        });
    }
    Ok(())
}

/// Answers the one request of a connection.
fn answer(stream: TcpStream, key: &str, certificate: &str) -> Result<(), Failure> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut reader = BufReader::new(stream.try_clone()?.take(64 * 1024));
    let mut first = String::new();
    if reader.read_line(&mut first)? == 0 {
        return Ok(());
    }
    let mut authorization = None;
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 || line.trim().is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or_default();
        match name.to_ascii_lowercase().as_str() {
            "authorization" => authorization = Some(value.trim().to_owned()),
            "content-length" => length = value.trim().parse()?,
            _ => {}
        }
    }
    // A body left unread would make the answer a reset connection.
    std::io::copy(&mut reader.by_ref().take(length), &mut std::io::sink())?;
    let mut words = first.split_whitespace();
    let method = words.next().unwrap_or("-");
    let (path, query) = words
        .next()
        .and_then(|t| t.split_once('?'))
        .unwrap_or_default();
    let pairs: Vec<(String, String)> = query
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (decode(name), decode(value)))
        .collect();
    let scopes: Vec<&str> = pairs
        .iter()
        .filter(|(name, _)| name == "scope")
        .flat_map(|(_, value)| value.split(' '))
        .filter(|scope| !scope.is_empty())
        .collect();
    let service = pairs
        .iter()
        .find(|(name, _)| name == "service")
        .map_or("", |(_, value)| value);

    let user = login(authorization.as_deref());
    let (status, body) = if method != "GET" || path != "/token" {
        ("405 Method Not Allowed", String::new())
    } else if let Some(user) = user {
        let alt = scopes
            .iter()
            .any(|scope| scope.starts_with("repository:alt/"));
        let token = sign(user, service, &scopes, key, certificate)?;
        let body = if alt {
            format!(r#"{{"access_token":"{token}"}}"#)
        } else {
            format!(r#"{{"token":"{token}","expires_in":300}}"#)
        };
        ("200 OK", body)
    } else {
        let words =
            r#"{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}"#;
        ("401 Unauthorized", words.to_owned())
    };
    let mut log = std::io::stdout();
    let who = user.filter(|user| !user.is_empty()).unwrap_or("-");
    writeln!(log, "{who} {method} {} {}", &status[..3], scopes.join(" "))?;
    let mut stream = stream;
    write!(
        stream,
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )?;
    Ok(())
}

/// The user's name, empty for nobody; `None` if the password is wrong.
fn login(authorization: Option<&str>) -> Option<&'static str> {
    let Some(value) = authorization else {
        return Some("");
    };
    let given = value.strip_prefix("Basic ")?;
    ["lab", "reader"]
        .into_iter()
        .find(|user| given == base64(format!("{user}:{user}-secret").as_bytes(), false))
}

/// The actions of one scope that the rules allow to a user.
fn allowed(user: &str, kind: &str, name: &str, actions: &str) -> Vec<String> {
    actions
        .split(',')
        .filter(|action| match (user, *action) {
            ("lab", _) => true,
            ("reader", "pull") => true,
            ("", "pull") => kind == "repository" && name.starts_with("public/"),
            _ => false,
        })
        .map(str::to_owned)
        .collect()
}

fn sign(
    user: &str,
    service: &str,
    scopes: &[&str],
    key: &str,
    certificate: &str,
) -> Result<String, Failure> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let access: Vec<String> = scopes
        .iter()
        .filter_map(|scope| {
            let (kind, rest) = scope.split_once(':')?;
            let (name, actions) = rest.rsplit_once(':')?;
            let actions = allowed(user, kind, name, actions);
            let actions = actions
                .iter()
                .map(|a| quoted(a))
                .collect::<Vec<_>>()
                .join(",");
            Some(format!(
                r#"{{"type":{},"name":{},"actions":[{actions}]}}"#,
                quoted(kind),
                quoted(name)
            ))
        })
        .collect();
    let header = format!(r#"{{"typ":"JWT","alg":"RS256","x5c":["{certificate}"]}}"#);
    let claims = format!(
        r#"{{"iss":"lab","sub":"{user}","aud":{},"iat":{iat},"nbf":{nbf},"exp":{exp},"jti":"{}","access":[{}]}}"#,
        quoted(service),
        now.as_nanos(),
        access.join(","),
        iat = now.as_secs(),
        nbf = now.as_secs() - 30,
        exp = now.as_secs() + 300,
    );
    let signed = format!(
        "{}.{}",
        base64(header.as_bytes(), true),
        base64(claims.as_bytes(), true)
    );
    let mut openssl = Command::new("openssl")
        .args(["dgst", "-sha256", "-sign", key])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    openssl
        .stdin
        .take()
        .ok_or("openssl has no input")?
        .write_all(signed.as_bytes())?;
    let output = openssl.wait_with_output()?;
    if !output.status.success() {
        return Err("openssl could not sign".into());
    }
    Ok(format!("{signed}.{}", base64(&output.stdout, true)))
}

fn quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c < ' ' => out.push_str(&format!("\\u{:04x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Base64, for URLs without padding.
fn base64(bytes: &[u8], url: bool) -> String {
    let last: &[u8] = if url { b"-_" } else { b"+/" };
    let table: Vec<u8> = (b'A'..=b'Z')
        .chain(b'a'..=b'z')
        .chain(b'0'..=b'9')
        .chain(last.iter().copied())
        .collect();
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let n = chunk.iter().fold(0u32, |n, b| n << 8 | u32::from(*b)) << (8 * (3 - chunk.len()));
        for i in 0..4 {
            if i <= chunk.len() {
                out.push(table[(n >> (18 - 6 * i) & 63) as usize] as char);
            } else if !url {
                out.push('=');
            }
        }
    }
    out
}

/// Undoes the escapes of a query's value.
fn decode(text: &str) -> String {
    let mut out = Vec::new();
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => b' ',
            b'%' => {
                let pair: Vec<u8> = bytes.by_ref().take(2).collect();
                let hex = String::from_utf8_lossy(&pair).into_owned();
                u8::from_str_radix(&hex, 16).unwrap_or(b'?')
            }
            other => other,
        });
    }
    String::from_utf8_lossy(&out).into_owned()
}
