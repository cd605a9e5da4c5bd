//! `discover`: which hosts could be added, with what has to be written for them.

use serde::Serialize;

use super::exit::Exit;
use super::output::{Failed, Output};
use super::table::Table;
use crate::core::offer::Offer;

#[derive(Debug, Serialize)]
struct Document<'a> {
    schema: u32,
    offers: Vec<Entry<'a>>,
}

#[derive(Debug, Serialize)]
struct Entry<'a> {
    name: &'a str,
    address: String,
    source: &'static str,
    online: Option<bool>,
}

fn entry(offer: &Offer) -> Entry<'_> {
    Entry {
        name: &offer.name,
        address: offer.address.to_string(),
        source: offer.source.word(),
        online: offer.online,
    }
}

/// Prints the offers.
pub fn report(offers: &[Offer], json: bool, output: &mut Output<'_>) -> Result<Exit, Failed> {
    if json {
        output.json(&Document {
            schema: 1,
            offers: offers.iter().map(entry).collect(),
        })?;
        return Ok(Exit::Done);
    }
    if offers.is_empty() {
        output.say("neither ssh's configuration nor docker's contexts nor a tailnet name a host that is not configured yet");
        return Ok(Exit::Done);
    }
    let mut table = Table::new(["NAME", "ADDRESS", "KNOWN BY", "TAILNET"]);
    for offer in offers {
        let online = match offer.online {
            Some(true) => "online",
            Some(false) => "offline",
            None => "",
        };
        table.row([
            offer.name.clone(),
            offer.address.to_string(),
            offer.source.word().to_owned(),
            online.to_owned(),
        ]);
    }
    output.text(&table.render())?;
    output.line("")?;
    output.line("try one:  homelab-tui -H NAME=ADDRESS status")?;
    output.line("keep it:  - {name: NAME, address: ADDRESS} under hosts: in the configuration (homelab-tui config path)")?;
    Ok(Exit::Done)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::core::offer::OfferSource;

    #[test]
    fn the_document_is_the_contracts() {
        let offers = [Offer {
            name: "nas".to_owned(),
            address: "ssh://nas.lab.test".parse().unwrap(),
            source: OfferSource::Tailnet,
            online: Some(false),
        }];
        let (mut out, mut err) = (Vec::new(), Vec::new());
        report(&offers, true, &mut Output::new(&mut out, &mut err)).unwrap();
        let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            document,
            serde_json::json!({"schema": 1, "offers": [
                {"name": "nas", "address": "ssh://nas.lab.test", "source": "tailnet", "online": false}
            ]})
        );
        let mut text = Vec::new();
        report(&offers, false, &mut Output::new(&mut text, &mut err)).unwrap();
        let text = String::from_utf8(text).unwrap();
        assert!(
            text.contains("nas   ssh://nas.lab.test  tailnet   offline"),
            "{text}"
        );
    }
}
