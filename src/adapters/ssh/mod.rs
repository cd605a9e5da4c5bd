//! One system-OpenSSH connection per host, started and watched by this process.
//!
//! The user's own ssh configuration, agent and known hosts decide how a host is reached; nothing here asks a person
//! anything. What ssh says on its standard error is read and turned into words by [`words`].

pub mod channel;
pub mod destination;
pub mod folder;
pub mod forward;
pub mod master;
pub mod resolved;
pub mod words;

pub use destination::Destination;
pub use folder::ControlFolder;
pub use forward::Dialled;
pub use master::Master;
pub use resolved::Resolved;
