#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use tokio::io::{DuplexStream, duplex};

use super::*;

const SHORT: Patience = Patience {
    idle: Duration::from_millis(200),
    head: Duration::from_millis(150),
    answer: Duration::from_millis(300),
    endless: Duration::from_millis(600),
    write: Duration::from_millis(300),
    drain: Duration::from_millis(100),
};

type Heard = Arc<Mutex<Vec<String>>>;

/// An engine that notes each request's first line and answers with the bytes that the test gives for its path.
async fn engine(mut stream: DuplexStream, heard: Heard, answer: fn(&str) -> Vec<u8>) {
    let mut buffer = BytesMut::new();
    loop {
        while let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = buffer.split_to(end + 4);
            let head = String::from_utf8(head.to_vec()).unwrap();
            let first = head.lines().next().unwrap().to_owned();
            assert_eq!(
                head,
                format!("{first}\r\nHost: docker\r\n\r\n"),
                "the engine hears nothing that a client wrote"
            );
            let mut bytes = answer(first.split(' ').nth(1).unwrap());
            if first.starts_with("HEAD ") {
                let end = bytes
                    .windows(4)
                    .position(|four| four == b"\r\n\r\n")
                    .unwrap();
                bytes.truncate(end + 4);
            }
            heard.lock().unwrap().push(first);
            if stream.write_all(&bytes).await.is_err() {
                return;
            }
        }
        if !matches!(stream.read_buf(&mut buffer).await, Ok(1..)) {
            return;
        }
    }
}

fn usual(path: &str) -> Vec<u8> {
    let body = match path {
        "/v1.41/containers/web/json" => r#"{"Config":{"Env":["A=secret"]},"Id":"1"}"#,
        "/events" => "",
        _ => "OK",
    };
    let text = format!(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nX-Other: 1\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    text.into_bytes()
}

/// Sends bytes, in pieces, through a gate; returns what came back and what the engine heard.
fn talk(pieces: &[&[u8]], answer: fn(&str) -> Vec<u8>) -> (String, Vec<String>) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(async {
        let (engine_side, far) = duplex(8192);
        let heard = Heard::default();
        let engine = tokio::spawn(engine(far, heard.clone(), answer));
        let (mut near, client) = duplex(1 << 20);
        let (out, mut answers) = duplex(1 << 20);
        let gate = tokio::spawn(async move { serve(client, out, engine_side, SHORT).await });
        for piece in pieces {
            near.write_all(piece).await.unwrap();
            tokio::task::yield_now().await;
        }
        near.shutdown().await.unwrap();
        let mut text = Vec::new();
        let _ = answers.read_to_end(&mut text).await;
        let _ = gate.await.unwrap();
        engine.abort();
        let heard = heard.lock().unwrap().clone();
        (String::from_utf8_lossy(&text).into_owned(), heard)
    })
}

fn statuses(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in text.match_indices("HTTP/1.1 ") {
        let status = &text[at + 9..at + 12];
        if status.parse::<u16>().is_ok() {
            found.push(status);
        }
    }
    found
}

#[test]
fn requests_sent_together_are_answered_in_turn_and_refusals_do_not_end_the_stream() {
    let all = b"HEAD /_ping HTTP/1.1\r\nHost: x\r\nX-Registry-Auth: s\r\n\r\nDELETE /v1.41/containers/web HTTP/1.1\r\nHost: x\r\n\r\nGET /v1.41/containers/web/json HTTP/1.1\r\n\r\n";
    let (text, heard) = talk(&[all], usual);
    assert_eq!(statuses(&text), ["200", "403", "200"]);
    assert_eq!(
        heard,
        [
            "HEAD /_ping HTTP/1.1",
            "GET /v1.41/containers/web/json HTTP/1.1"
        ]
    );
    assert!(text.contains("Api-Version: 1.41") && !text.contains("X-Other"));
    assert!(
        text.contains(r#""Env":["A="]"#) && !text.contains("secret"),
        "{text}"
    );
    assert!(text.contains("this gate only lets through what looks; not DELETE requests"));
    assert!(text.ends_with("0\r\n\r\n"));
    for cut in 1..all.len() {
        let (again, _) = talk(&[&all[..cut], &all[cut..]], usual);
        assert_eq!(statuses(&again), ["200", "403", "200"], "{cut}");
    }
}

#[test]
fn what_stands_behind_a_refused_body_is_never_read_as_a_request() {
    for smuggled in [
        &b"POST /containers/create HTTP/1.1\r\nContent-Length: 44\r\n\r\nGET /info HTTP/1.1\r\nHost: x\r\n\r\n"[..],
        b"POST /build HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.1\r\nContent-Length: 40\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.1\r\nContent-Length: 0\r\nContent-Length: 40\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.1\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET http://x/info HTTP/1.1\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.0\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"POST /session HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\nPRI * HTTP/2.0\r\n\r\nGET /info HTTP/1.1\r\n\r\n",
        b"GET /info HTTP/1.1\nHost: x\n\nGET /info HTTP/1.1\r\n\r\n",
    ] {
        let (text, heard) = talk(&[smuggled], usual);
        let shown = String::from_utf8_lossy(smuggled);
        assert_eq!(heard, [""; 0], "{shown}");
        assert_eq!(statuses(&text).len(), 1, "{shown}: {text}");
        assert!(text.contains("Connection: close"), "{text}");
    }
}

#[test]
fn the_engine_s_answer_is_bounded_and_never_changes_the_protocol() {
    for (answer, status) in [
        (
            (|_| b"HTTP/1.1 101 UPGRADED\r\nUpgrade: tcp\r\n\r\nraw".to_vec())
                as fn(&str) -> Vec<u8>,
            "502",
        ),
        (|_| b"nothing of that kind\r\n\r\n".to_vec(), "502"),
        (|_| Vec::new(), "504"),
        (
            |_| format!("HTTP/1.1 200 OK\r\nA: {}", "x".repeat(70_000)).into_bytes(),
            "502",
        ),
        (
            |_| b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nx".to_vec(),
            "502",
        ),
    ] {
        let (text, _) = talk(&[b"GET /info HTTP/1.1\r\n\r\n"], answer);
        assert_eq!(statuses(&text), [status], "{text}");
    }
    // An answer that is cut off ends without the sign of a whole one.
    let (text, _) = talk(&[b"GET /info HTTP/1.1\r\n\r\n"], |_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab".to_vec()
    });
    assert!(!text.ends_with("0\r\n\r\n"), "{text}");
    // Of one that cannot be blanked, nothing more passes.
    let (text, _) = talk(&[b"GET /containers/web/json HTTP/1.1\r\n\r\n"], |_| {
        b"HTTP/1.1 200 OK\r\nContent-Length: 18\r\n\r\n{\"Env\"(\"A=secret\")".to_vec()
    });
    assert!(
        !text.contains("secret") && !text.ends_with("0\r\n\r\n"),
        "{text}"
    );
}

#[tokio::test]
async fn a_silent_client_is_left_and_events_end_with_their_client() {
    let gate = |client, engine| async move {
        let (out, answers) = duplex(4096);
        let started = Instant::now();
        let _ = serve(client, out, engine, SHORT).await;
        drop(answers);
        started.elapsed()
    };
    // Nothing is asked; then half a head.
    for said in [&b""[..], b"GET /in"] {
        let (mut near, client) = duplex(64);
        let (engine, _far) = duplex(64);
        near.write_all(said).await.unwrap();
        assert!(gate(client, engine).await < Duration::from_secs(2));
    }
    // Events: the engine says nothing for long, the client goes.
    let (mut near, client) = duplex(256);
    let (engine_side, far) = duplex(256);
    let silent = tokio::spawn(engine(far, Heard::default(), |_| {
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec()
    }));
    near.write_all(b"GET /events?filters=%7B%22type%22%3A%5B%22image%22%5D%7D HTTP/1.1\r\n\r\n")
        .await
        .unwrap();
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        drop(near);
    });
    assert!(gate(client, engine_side).await < Duration::from_millis(400));
    silent.abort();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Whatever bytes come, the engine hears only whole requests of the list.
    #[test]
    fn the_engine_hears_only_what_is_on_the_list(
        parts in proptest::collection::vec(prop_oneof![
            Just(b"GET /info HTTP/1.1\r\n".to_vec()),
            Just(b"POST /containers/create HTTP/1.1\r\n".to_vec()),
            Just(b"DELETE /containers/web HTTP/1.1\r\n".to_vec()),
            Just(b"GET /containers/web/export HTTP/1.1\r\n".to_vec()),
            Just(b"Content-Length: 25\r\n".to_vec()),
            Just(b"Content-Length: 0\r\n".to_vec()),
            Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"Connection: upgrade\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"0\r\n\r\n".to_vec()),
            Just(b"\n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..12),
        ], 0..12),
    ) {
        let bytes = parts.concat();
        let (_, heard) = talk(&[&bytes], usual);
        for line in heard {
            prop_assert_eq!(line, "GET /info HTTP/1.1");
        }
    }
}
