//! The tick list: nothing is contacted before it is asked for, and only what is ticked is written.

use super::*;
use crate::app::offers::{Ending, Trial};
use crate::core::host::Address;
use crate::core::offer::{Offer, OfferSource};

fn offer(name: &str) -> Offer {
    Offer {
        name: name.to_owned(),
        address: Address::ssh(name),
        source: OfferSource::Ssh,
        online: None,
    }
}

fn list(bench: &Bench) -> &crate::app::offers::TickList {
    match &bench.model.screen.overlay {
        Overlay::Offers(list) => list,
        other => panic!("no list: {other:?}"),
    }
}

#[test]
fn only_what_is_ticked_is_written_and_only_what_is_asked_for_is_contacted() {
    let mut bench = Bench::new(&[("nas", "ssh://other")]);
    bench.press(":");
    bench.type_text("discover");
    let effects = bench.press("enter");
    assert!(effects.contains(&Effect::Look(Look::Offers)), "{effects:?}");
    let effects = bench.tell(Msg::Offered(vec![offer("nas"), offer("pi"), offer("vps")]));
    assert_eq!(effects, [], "nothing is contacted by itself");
    let names: Vec<_> = list(&bench)
        .rows
        .iter()
        .flatten()
        .map(|row| row.offer.name.clone())
        .collect();
    assert_eq!(
        names,
        ["nas-2", "pi", "vps"],
        "names differ from those in use"
    );
    assert_eq!(bench.press("enter"), [], "nothing is ticked");
    bench.press("j");
    let effects = bench.press("t");
    assert_eq!(effects, [Effect::Look(Look::Try(offer("pi")))]);
    assert_eq!(bench.press("t"), [], "one test at a time");
    let result = Ok("docker 28.5.2".to_owned());
    bench.tell(Msg::Tried {
        address: Address::ssh("pi"),
        result,
    });
    let rows = list(&bench).rows.clone().unwrap();
    assert_eq!(rows[1].trial, Trial::Works("docker 28.5.2".to_owned()));
    assert_eq!(rows[0].trial, Trial::Untried);
    bench.tell(Msg::Key(Key::char(' ')));
    let effects = bench.press("enter");
    assert_eq!(
        effects,
        [Effect::Console(Console::AddHosts(vec![offer("pi")]))]
    );
    assert_eq!(bench.press("esc"), [], "while it is written");
    bench.tell(Msg::HostsWritten(Ending::Written(1, "c.yaml".to_owned())));
    assert_eq!(bench.press("enter"), [Effect::Console(Console::Again)]);
}

#[test]
fn a_first_start_offers_hosts_beside_the_engine_that_it_shows() {
    let mut bench = Bench::new(&[("local", "local")]);
    bench.tell(Msg::FirstStart);
    bench.tell(Msg::Offered(vec![offer("pi")]));
    let names: Vec<_> = list(&bench)
        .rows
        .iter()
        .flatten()
        .map(|row| row.offer.address.to_string())
        .collect();
    assert_eq!(names, ["local", "ssh://pi"]);
    bench.press("esc");
    assert_eq!(bench.model.screen.overlay, Overlay::None);
    bench.tell(Msg::FirstStart);
    bench.tell(Msg::Offered(Vec::new()));
    assert_eq!(
        bench.model.screen.overlay,
        Overlay::None,
        "nothing on offer is no matter"
    );
}

#[test]
fn d6_after_a_sleep_failed_hosts_are_dialled_and_open_ways_prove_themselves() {
    let mut bench = Bench::new(&[("a", "ssh://a"), ("b", "ssh://b")]);
    bench.up("a", vec![]);
    bench.connect("b");
    let lost = HostFailure::new(HostTrouble::NoConnection, "lost", "");
    for _ in 0..6 {
        bench.tell(Msg::Disconnected {
            host: "b".into(),
            failure: lost.clone(),
        });
    }
    let effects = bench.tell(Msg::Woke);
    let host = |name: &str| HostName::from(name);
    assert!(
        effects.contains(&Effect::Look(Look::Recheck { host: host("a") })),
        "{effects:?}"
    );
    assert!(
        effects.contains(&Effect::Look(Look::Connect { host: host("b") })),
        "{effects:?}"
    );
}
