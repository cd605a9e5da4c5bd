//! A way between the console and a host that delays, holds back, or cuts: what a bad network does, without one.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

/// A port of the loopback that leads to a place.
#[derive(Clone)]
pub struct Proxy {
    pub port: u16,
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    /// Milliseconds that each piece takes, one way.
    delay: AtomicU64,
    /// Whether nothing gets through, as with dropped packets.
    held: AtomicBool,
    /// Whether new connections are closed at once.
    shut: AtomicBool,
    accepted: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    pub fn to(place: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let inner = Arc::new(Inner::default());
        let (shared, place) = (Arc::clone(&inner), place.to_owned());
        thread::spawn(move || {
            for here in listener.incoming().flatten() {
                if shared.shut.load(Ordering::Relaxed) {
                    continue;
                }
                let Ok(there) = TcpStream::connect(&place) else {
                    continue;
                };
                shared.accepted.fetch_add(1, Ordering::Relaxed);
                let _ = (here.set_nodelay(true), there.set_nodelay(true));
                let copies = [here.try_clone().unwrap(), there.try_clone().unwrap()];
                shared.open.lock().unwrap().extend(copies);
                let back = (there.try_clone().unwrap(), here.try_clone().unwrap());
                for (from, to) in [(here, there), back] {
                    carry(from, to, &shared);
                }
            }
        });
        Self { port, inner }
    }

    /// Lets every piece take so long, one way.
    pub fn delay(&self, one_way: Duration) {
        let milliseconds = u64::try_from(one_way.as_millis()).unwrap();
        self.inner.delay.store(milliseconds, Ordering::Relaxed);
    }

    /// Holds everything back, or lets it through again.
    pub fn hold(&self, held: bool) {
        self.inner.held.store(held, Ordering::Relaxed);
    }

    /// Closes new connections at once, or takes them again.
    pub fn shut(&self, shut: bool) {
        self.inner.shut.store(shut, Ordering::Relaxed);
    }

    /// Cuts every connection that is open.
    pub fn cut(&self) {
        for stream in self.inner.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// How many connections were taken.
    pub fn accepted(&self) -> usize {
        self.inner.accepted.load(Ordering::Relaxed)
    }
}

/// Carries one direction: what is read is written when its time has come.
fn carry(mut from: TcpStream, mut to: TcpStream, inner: &Arc<Inner>) {
    let (sender, pieces) = mpsc::channel::<(Instant, Vec<u8>)>();
    let reading = Arc::clone(inner);
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count) = from.read(&mut buffer) {
            let delay = Duration::from_millis(reading.delay.load(Ordering::Relaxed));
            let piece = buffer[..count].to_vec();
            if sender.send((Instant::now() + delay, piece)).is_err() || count == 0 {
                return;
            }
        }
    });
    let writing = Arc::clone(inner);
    thread::spawn(move || {
        for (due, piece) in pieces {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            while writing.held.load(Ordering::Relaxed) {
                thread::sleep(Duration::from_millis(20));
            }
            if piece.is_empty() || to.write_all(&piece).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
