//! Whether what is to outlive the session reaches this machine's disk.
//!
//! A disk that is full or read-only stops nothing: the console goes on from memory, says so as long as it is so, and
//! tries again.

use super::super::model::Model;
use super::super::msg::Kept;
use super::fleet;

/// Something was written down, or could not be.
pub fn told(model: &mut Model, what: Kept, result: Result<(), String>) {
    match result {
        Ok(()) => model.dirty |= model.unkept.remove(&what).is_some(),
        Err(why) => {
            let before = model.unkept.insert(what, why.clone());
            model.dirty |= before != Some(why);
            fleet::remember_later(model);
        }
    }
}
