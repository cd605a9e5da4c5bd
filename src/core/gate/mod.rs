//! The gate in front of an engine: which requests only look, and what of the answers is kept back.
//!
//! Everything here is text in, value out. Nothing that a client wrote is handed on as it came: a request that is let
//! through is written anew from its judged parts, so that no two readers can understand it differently. The gate does
//! not know who asks; that is sshd's part.

mod blank;
mod list;
mod request;

pub use blank::{Blanker, Unblanked};
pub use list::{Allowed, Refused, judge};
pub use request::{BadRequest, Body, Head, MOST_HEAD, read_head};
