//! Engines over plain tcp, by a proxy that lets only some requests through.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use homelab_tui::core::failure::HostTrouble;
use homelab_tui::core::files::{FilesState, Recipe};
use homelab_tui::core::watch::Scope;

use super::hosts::{connect, hosts, open, run, spec};
use crate::support::Lab;

/// A proxy of an engine's socket; it refuses what `allows` does not, as socket proxies do.
pub fn proxy(socket: PathBuf, allows: impl Fn(&str) -> bool + Send + Sync + 'static) -> String {
    let allows = Arc::new(allows);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("tcp://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (socket, allows) = (socket.clone(), allows.clone());
            thread::spawn(move || serve(stream, &socket, &*allows));
        }
    });
    address
}

/// Answers one request and closes, so that every answer of the engine can be passed on as it is.
fn serve(mut stream: TcpStream, socket: &Path, allows: &dyn Fn(&str) -> bool) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let mut head: Vec<String> = Vec::new();
    while let Some(Ok(line)) = lines.next() {
        if line.is_empty() {
            break;
        }
        head.push(line);
    }
    let Some(first) = head.first().cloned() else {
        return;
    };
    if !allows(&first) {
        let refusal = "<html><body><h1>403 Forbidden</h1></body></html>";
        let _ = write!(
            stream,
            "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{refusal}",
            refusal.len()
        );
        return;
    }
    let mut engine = UnixStream::connect(socket).unwrap();
    write!(engine, "{}\r\nConnection: close\r\n\r\n", head.join("\r\n")).unwrap();
    let mut piece = [0; 4096];
    while let Ok(count @ 1..) = engine.read(&mut piece) {
        if stream.write_all(&piece[..count]).is_err() {
            return;
        }
    }
}

#[test]
fn a_read_only_proxy_is_enough_to_look() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        for host in lab.hosts() {
            let socket = host.dir().join("docker.sock");
            let address = proxy(socket, |first| {
                first.starts_with("GET ") || first.starts_with("HEAD ")
            });
            let session = open(&hosts(&lab), &address).await;
            assert!(!session.could_change(), "{}", host.name);
            let seen = session.observe(&Scope::All).await.unwrap();
            assert!(!seen.engine.version.is_empty());
            let recipe = Recipe {
                working_dir: "/srv".to_owned(),
                config_files: vec!["/srv/compose.yaml".to_owned()],
                environment_files: Vec::new(),
            };
            let state = session.render(&recipe, &"x".into()).await;
            let expected = "files cannot be read over tcp".to_owned();
            assert_eq!(state, FilesState::Unknown(expected));
        }
    });
}

#[test]
fn a_proxy_that_changes_nothing_in_between_could_change() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let address = proxy(lab.host("new").dir().join("docker.sock"), |_| true);
        assert!(open(&hosts(&lab), &address).await.could_change());
    });
}

#[test]
fn a_proxy_that_lets_too_little_through_says_what() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let socket = lab.host("old").dir().join("docker.sock");
        let closed = proxy(socket.clone(), |_| false);
        let failure = connect(&hosts(&lab), &spec(&closed)).await.unwrap_err();
        assert_eq!(failure.trouble, HostTrouble::NoPermission);
        let narrow = proxy(socket, |first| !first.contains("/images"));
        let session = open(&hosts(&lab), &narrow).await;
        let failure = session.observe(&Scope::All).await.unwrap_err();
        assert_eq!(failure.trouble, HostTrouble::NoPermission);
        assert!(failure.what.contains("/images/json"), "{failure}");
        let nobody = connect(&hosts(&lab), &spec("tcp://127.0.0.1:9")).await;
        assert_eq!(nobody.unwrap_err().trouble, HostTrouble::NoConnection);
    });
}
