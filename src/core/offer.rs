//! A host that could be added to the configuration, found without contacting it.

use super::host::Address;

/// One host on offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub name: String,
    pub address: Address,
    pub source: OfferSource,
    /// What the tailnet says, where it knows the host.
    pub online: Option<bool>,
}

/// Who knows of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OfferSource {
    Ssh,
    Context,
    Tailnet,
}

impl OfferSource {
    /// Returns the word of the contract.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ssh => "ssh",
            Self::Context => "context",
            Self::Tailnet => "tailnet",
        }
    }
}
