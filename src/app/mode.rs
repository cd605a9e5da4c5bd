//! Read-only as a type: an observing session has no value that stands for a change.
//!
//! `update` is generic over the mode. In [`Observing`] the type of acts has no values, so an effect that changes
//! something cannot be built, let alone reach an adapter.

use std::convert::Infallible;
use std::fmt::Debug;

use super::effect::Act;

/// What a session may do.
pub trait Mode: Debug + Clone + Send + Sync + 'static {
    /// The changes that this session can ask for.
    type Act: Debug + Clone + PartialEq + Send + 'static;

    /// Whether the screen should say that nothing can be changed.
    const READ_ONLY: bool;

    /// Turns a wish into something that can be done, or says why it cannot.
    fn permit(act: Act) -> Result<Self::Act, ReadOnly>;

    /// Returns the wish behind something that can be done.
    fn wish(act: &Self::Act) -> &Act;
}

/// The refusal of a session that can only look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this session is read-only")]
pub struct ReadOnly;

/// A session that can only look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observing {}

/// A session that can also act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operating {}

impl Mode for Observing {
    type Act = Infallible;

    const READ_ONLY: bool = true;

    fn permit(_: Act) -> Result<Infallible, ReadOnly> {
        Err(ReadOnly)
    }

    fn wish(act: &Infallible) -> &Act {
        match *act {}
    }
}

impl Mode for Operating {
    type Act = Act;

    const READ_ONLY: bool = false;

    fn permit(act: Act) -> Result<Act, ReadOnly> {
        Ok(act)
    }

    fn wish(act: &Act) -> &Act {
        act
    }
}
