//! Hosts on offer, carried out: looked for, tested, written into the configuration.

use crate::adapters::config::append;
use crate::adapters::discover::{self, Places};
use crate::app::msg::Msg;
use crate::app::offers::Ending;
use crate::core::age::count;
use crate::core::failure::HostFailure;
use crate::core::host::HostSpec;
use crate::core::offer::Offer;
use crate::core::watch::Scope;

use super::Live;

impl Live {
    /// Gathers hosts that could be added; none of them is contacted.
    pub(super) fn look_for_offers(&self) {
        let (settings, queue) = (self.settings.clone(), self.queue.clone());
        tokio::spawn(async move {
            let places = Places::of_user(&settings);
            let offers = discover::offers(places.as_ref(), &settings).await;
            let _ = queue.send(Msg::Offered(offers));
        });
    }

    /// Tests whether an engine answers at an offer's address, and hangs up.
    pub(super) fn try_offer(&self, offer: Offer) {
        let (hosts, queue) = (self.hosts.clone(), self.queue.clone());
        tokio::spawn(async move {
            let address = offer.address;
            let spec = HostSpec::new(offer.name.as_str().into(), address.clone());
            let waits = {
                let (queue, address) = (queue.clone(), address.clone());
                move |failure: HostFailure| {
                    let (address, result) = (address.clone(), Err(failure));
                    let _ = queue.send(Msg::Tried { address, result });
                }
            };
            let result = match hosts.connect(&spec, &waits).await {
                Ok(session) => {
                    let seen = session.observe(&Scope::All).await;
                    session.close().await;
                    seen.map(|seen| {
                        let containers = count(seen.containers.len(), "container");
                        format!("docker {}, {containers}", seen.engine.version)
                    })
                }
                Err(failure) => Err(failure),
            };
            let _ = queue.send(Msg::Tried { address, result });
        });
    }

    /// Writes hosts into the configuration.
    pub(super) fn write_hosts(&self, offers: Vec<Offer>) {
        let (file, queue) = (self.config.clone(), self.queue.clone());
        tokio::task::spawn_blocking(move || {
            let ending = match file {
                Some(file) => match append::append(&file, &offers) {
                    Ok(()) => Ending::Written(offers.len(), file.display().to_string()),
                    Err(left) => Ending::LeftAlone(left.why, left.lines),
                },
                None => Ending::LeftAlone(
                    "this user has no home for a configuration".to_owned(),
                    append::lines(&offers, "  "),
                ),
            };
            let _ = queue.send(Msg::HostsWritten(ending));
        });
    }
}
