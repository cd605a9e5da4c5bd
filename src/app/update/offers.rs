//! The tick list of hosts on offer: looked for, ticked, tested one by one, written down.

use crate::core::failure::HostFailure;
use crate::core::host::Address;
use crate::core::offer::{Offer, OfferSource};

use super::super::effect::{Console, Effect, Look};
use super::super::keys::{Code, Key};
use super::super::mode::Mode;
use super::super::model::Model;
use super::super::offers::{Ending, TickList, Trial};
use super::super::screen::Overlay;
use super::keys;

/// Opens the list and looks for hosts; nothing is contacted.
pub fn open<M: Mode>(model: &mut Model, first: bool, effects: &mut Vec<Effect<M>>) {
    let list = TickList {
        first,
        ..TickList::default()
    };
    model.screen.overlay = Overlay::Offers(Box::new(list));
    model.dirty = true;
    effects.push(Effect::Look(Look::Offers));
}

/// Takes in what is on offer.
pub fn offered(model: &mut Model, mut offers: Vec<Offer>) {
    let names = model.hosts.iter().map(|host| host.spec.name.to_string());
    let mut taken: Vec<String> = names.collect();
    let Overlay::Offers(list) = &mut model.screen.overlay else {
        return;
    };
    model.dirty = true;
    if list.first && !offers.is_empty() {
        // What is shown without a configuration would be gone with one that does not name it.
        offers.retain(|offer| !taken.contains(&offer.name));
        let shown = model.hosts.iter().map(|host| Offer {
            name: host.spec.name.to_string(),
            address: host.spec.address.clone(),
            source: OfferSource::Context,
            online: None,
        });
        offers.splice(0..0, shown);
        taken.clear();
    }
    // A first start without anything on offer has its own words in place of the list.
    if list.first && offers.is_empty() {
        model.screen.overlay = Overlay::None;
    } else {
        list.fill(offers, &taken);
    }
}

/// Takes in how a test ended.
pub fn tried(model: &mut Model, address: &Address, result: Result<String, HostFailure>) {
    let Overlay::Offers(list) = &mut model.screen.overlay else {
        return;
    };
    let rows = list.rows.iter_mut().flatten();
    if let Some(row) = rows.into_iter().find(|row| row.offer.address == *address) {
        row.trial = match result {
            Ok(words) => Trial::Works(words),
            Err(failure) => Trial::Fails(failure),
        };
        model.dirty = true;
    }
}

/// Takes in what came of the writing.
pub fn written(model: &mut Model, ending: Ending) {
    if let Overlay::Offers(list) = &mut model.screen.overlay {
        list.ending = Some(ending);
        model.dirty = true;
    }
}

/// Handles a key of the list.
pub fn key<M: Mode>(model: &mut Model, key: Key, effects: &mut Vec<Effect<M>>) {
    let page = keys::page_lines(model);
    let Overlay::Offers(list) = &mut model.screen.overlay else {
        return;
    };
    match (&list.ending, key.code) {
        (Some(Ending::Writing), _) => return,
        // Everything begins anew with the hosts that stand there now.
        (Some(Ending::Written(..)), Code::Enter) => {
            effects.push(Effect::Console(Console::Again));
            return;
        }
        (Some(_), _) => {
            model.screen.overlay = Overlay::None;
            return;
        }
        (None, _) => {}
    }
    let last = list
        .rows
        .as_ref()
        .map_or(0, |rows| rows.len().saturating_sub(1));
    match key.code {
        Code::Esc | Code::Char('q') => model.screen.overlay = Overlay::None,
        Code::Down | Code::Char('j') => list.selected = (list.selected + 1).min(last),
        Code::Up | Code::Char('k') => list.selected = list.selected.saturating_sub(1),
        Code::PageDown => list.selected = list.selected.saturating_add(page).min(last),
        Code::PageUp => list.selected = list.selected.saturating_sub(page),
        Code::Char(' ') => {
            if let Some(row) = list.row() {
                row.ticked = !row.ticked;
            }
        }
        Code::Char('t') => {
            if let Some(row) = list.row()
                && row.trial != Trial::Trying
            {
                row.trial = Trial::Trying;
                effects.push(Effect::Look(Look::Try(row.offer.clone())));
            }
        }
        Code::Enter => {
            let ticked = list.ticked();
            if ticked.is_empty() {
                keys::notice(
                    model,
                    "nothing is ticked; Space ticks the selected host".to_owned(),
                );
            } else {
                list.ending = Some(Ending::Writing);
                effects.push(Effect::Console(Console::AddHosts(ticked)));
            }
        }
        _ => {}
    }
}
