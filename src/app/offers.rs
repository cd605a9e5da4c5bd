//! The tick list of hosts that could be added: what is on offer, what is ticked, what was tested.

use crate::core::failure::HostFailure;
use crate::core::offer::Offer;

/// The list as it is on the screen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TickList {
    /// Nothing until the places were looked at.
    pub rows: Option<Vec<Row>>,
    pub selected: usize,
    /// Whether it came up by itself, as nothing is configured yet.
    pub first: bool,
    pub ending: Option<Ending>,
}

/// One host on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    pub offer: Offer,
    pub ticked: bool,
    pub trial: Trial,
}

/// What is known of the way to a host on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trial {
    Untried,
    Trying,
    /// Its engine answers, in these words.
    Works(String),
    Fails(HostFailure),
}

/// What came of the writing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    Writing,
    /// So many hosts stand in the file of this name now.
    Written(usize, String),
    /// The file was left alone: why, and the lines that a person may put there.
    LeftAlone(String, Vec<String>),
}

impl TickList {
    /// Takes the offers in; the names of two hosts must differ.
    pub fn fill(&mut self, offers: Vec<Offer>, taken: &[String]) {
        let mut taken = taken.to_vec();
        let rows = offers.into_iter().map(|mut offer| {
            let stem = offer.name.clone();
            let mut number = 2;
            while taken.contains(&offer.name) {
                offer.name = format!("{stem}-{number}");
                number += 1;
            }
            taken.push(offer.name.clone());
            Row {
                offer,
                ticked: false,
                trial: Trial::Untried,
            }
        });
        self.rows = Some(rows.collect());
    }

    /// Returns the selected row.
    pub fn row(&mut self) -> Option<&mut Row> {
        self.rows.as_mut()?.get_mut(self.selected)
    }

    /// Returns what is ticked.
    pub fn ticked(&self) -> Vec<Offer> {
        let rows = self.rows.iter().flatten();
        rows.filter(|row| row.ticked)
            .map(|row| row.offer.clone())
            .collect()
    }
}
