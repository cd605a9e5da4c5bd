//! What the tailnet says decides which hosts are dialled, and when.

use super::*;
use crate::app::tailnet::Watch;
use crate::core::tailnet::{Own, Peer, PeerId, PeerPath, Standing, Tailnet};

const ONLINE: Standing = Standing::Online(PeerPath::Unknown);

fn tailnet(own: Own, standing: Standing) -> Msg {
    Msg::Tailnet(Box::new(Tailnet {
        own,
        routed: true,
        suffix: "lab.test".to_owned(),
        key_expiry: None,
        peers: vec![Peer {
            id: PeerId("1".to_owned()),
            name: "nas.lab.test".to_owned(),
            addresses: vec!["100.64.0.1".parse().unwrap()],
            os: "linux".to_owned(),
            tags: Vec::new(),
            standing,
            last_seen: None,
            key_expiry: None,
            ssh_host_keys: Vec::new(),
        }],
    }))
}

/// A host of the tailnet and one that is not, with the tailnet to be asked.
fn bench() -> Bench {
    let mut bench = Bench::new(&[("nas", "ssh://nas.lab.test"), ("vps", "ssh://vps.example")]);
    bench.model.watch_tailnet();
    bench
}

fn dialled(effects: &[Effect<Operating>]) -> Vec<&str> {
    let looks = looks(effects).into_iter();
    looks
        .filter_map(|look| match look {
            Look::Connect { host } => Some(host.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn dials_wait_for_the_tailnets_first_word_but_not_for_long() {
    let mut bench = bench();
    assert_eq!(bench.tick(), [Effect::Look(Look::WatchTailnet)]);
    assert!(bench.tick().is_empty(), "asked once, and nothing dialled");
    let effects = bench.tell(tailnet(Own::Running, ONLINE));
    assert_eq!(dialled(&effects), ["nas", "vps"]);

    let mut silent = self::bench();
    silent.tick();
    let done: Vec<Effect<Operating>> = silent.pass(3000).into_iter().map(|(_, e)| e).collect();
    assert_eq!(dialled(&done), ["nas", "vps"]);
}

#[test]
fn d7_an_offline_host_is_not_dialled_until_it_is_back() {
    for (standing, words) in [
        (Standing::Offline, "offline on the tailnet"),
        (Standing::KeyExpired, "key expired on the tailnet"),
    ] {
        let mut bench = bench();
        bench.tick();
        let effects = bench.tell(tailnet(Own::Running, standing));
        assert_eq!(dialled(&effects), ["vps"]);
        assert_eq!(bench.host("nas").state(), HostState::Offline);
        assert_eq!(bench.host("nas").failure().unwrap().what, words);
        let later = bench.pass(3_600_000);
        assert!(later.is_empty(), "{later:?}");
        let back = bench.tell(tailnet(Own::Running, ONLINE));
        assert_eq!(dialled(&back), ["nas"]);
    }
}

#[test]
fn d8_a_living_connection_counts_for_more_and_a_lost_one_is_explained() {
    let mut bench = bench();
    bench.tick();
    bench.tell(tailnet(Own::Running, ONLINE));
    bench.connect("nas");
    bench.observed("nas", Ok(seen(Vec::new())));
    bench.tell(tailnet(Own::Running, Standing::Offline));
    assert_eq!(bench.host("nas").state(), HostState::Up);
    bench.lose("nas", HostTrouble::NoConnection);
    assert_eq!(bench.host("nas").state(), HostState::Offline);
    let done: Vec<Effect<Operating>> = bench.pass(60_000).into_iter().map(|(_, e)| e).collect();
    assert!(dialled(&done).is_empty());
}

#[test]
fn a_dial_under_way_takes_over_the_tailnets_word_and_gives_it_back() {
    let mut bench = bench();
    bench.tick();
    bench.tell(tailnet(Own::Running, ONLINE));
    bench.tell(tailnet(Own::Running, Standing::Offline));
    assert_eq!(bench.host("nas").state(), HostState::Offline);
    bench.tell(tailnet(Own::Running, ONLINE));
    assert_eq!(bench.host("nas").link, Link::Dialling(None));
}

#[test]
fn d13_a_stopped_tailnet_holds_back_its_own_names_and_shows_no_peer() {
    let mut bench = bench();
    bench.tick();
    let effects = bench.tell(tailnet(Own::Stopped, ONLINE));
    assert_eq!(dialled(&effects), ["vps"]);
    let nas = bench.host("nas");
    assert_eq!(nas.tailnet.peer, None);
    assert!(nas.failure().unwrap().what.contains("stopped"));
    let up = bench.tell(tailnet(Own::Running, ONLINE));
    assert_eq!(dialled(&up), ["nas"]);
    assert!(bench.host("nas").tailnet.peer.is_some());
}

#[test]
fn a_short_name_that_failed_is_explained_by_the_tailnet_that_is_off() {
    let mut bench = Bench::new(&[("short", "ssh://nas")]);
    bench.model.watch_tailnet();
    bench.tick();
    bench.tell(Msg::Destination {
        host: "short".into(),
        name: Some("nas".to_owned()),
    });
    let effects = bench.tell(tailnet(Own::Stopped, ONLINE));
    assert_eq!(dialled(&effects), ["short"], "it may mean another machine");
    bench.lose("short", HostTrouble::NoSuchName);
    assert_eq!(bench.host("short").state(), HostState::Offline);
    assert!(
        bench
            .host("short")
            .failure()
            .unwrap()
            .what
            .contains("stopped")
    );
    let up = bench.tell(tailnet(Own::Running, ONLINE));
    assert_eq!(dialled(&up), ["short"]);
}

#[test]
fn an_alias_is_what_it_leads_to() {
    let mut bench = Bench::new(&[("box", "ssh://alias"), ("far", "ssh://nas")]);
    bench.model.watch_tailnet();
    bench.tick();
    let mut told = |host: &str, name: Option<&str>| {
        bench.tell(Msg::Destination {
            host: host.into(),
            name: name.map(str::to_owned),
        })
    };
    assert!(told("box", Some("100.64.0.1")).is_empty());
    let far = told("far", None);
    assert_eq!(dialled(&far), ["far"], "behind another host");
    let effects = bench.tell(tailnet(Own::Running, Standing::Offline));
    assert!(dialled(&effects).is_empty());
    assert_eq!(bench.host("box").state(), HostState::Offline);
}

#[test]
fn a_renamed_peer_is_told_when_its_old_name_fails() {
    let mut bench = bench();
    bench.tick();
    bench.tell(tailnet(Own::Running, ONLINE));
    let Msg::Tailnet(mut renamed) = tailnet(Own::Running, ONLINE) else {
        unreachable!("made above");
    };
    renamed.peers[0].name = "storage.lab.test".to_owned();
    bench.tell(Msg::Tailnet(renamed));
    bench.lose("nas", HostTrouble::NoSuchName);
    let failure = bench.host("nas").failure().unwrap();
    assert!(failure.what.contains("now called storage.lab.test"));
    bench.lose("vps", HostTrouble::NoSuchName);
    assert_eq!(bench.host("vps").failure().unwrap().what, "gone");
}

#[test]
fn where_nothing_could_be_on_a_tailnet_it_is_not_asked() {
    let mut bench = Bench::new(&[("here", "local")]);
    bench.model.watch_tailnet();
    assert_eq!(bench.model.tailnet.watch, Watch::Absent);
    assert_eq!(dialled(&bench.tick()), ["here"]);
}
