//! What a pull would really fetch on one host, layer by layer, before anything is fetched.
//!
//! Two questions with two owners: [`Holdings`] gathers what the host holds, [`predict`] compares an image with it.
//! This module does not know where manifests come from; [`needed`] lists those that would make the answer exact.
//! What engines do not tell (build cache, half-fetched blobs, the graph store's memory of digests whose images are
//! gone) is not guessed: the estimate's word says so.

mod chains;
mod holdings;
mod prediction;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tables;

pub use holdings::{Holdings, Manifests, Needed, needed};
pub use prediction::{ConfigPart, Estimate, LayerPart, PartState, Prediction, Warning, predict};
