//! The right to change something on a host, as a value that only an operating session holds.
//!
//! Adapters ask for it where they build a handle that can mutate; an observing session never has one to give.

/// Proof that this session may change hosts.
#[derive(Debug)]
pub struct Operating(());

impl Operating {
    /// Grants the right to change hosts.
    ///
    /// Called once, in `main`, for a session that the operator did not ask to be read-only.
    pub fn by_operator() -> Self {
        Self(())
    }
}
