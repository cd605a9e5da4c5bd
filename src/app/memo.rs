//! A value that is worked out from the model when it is first wanted, and kept until what it is made of changes.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The last value with all that it was made of.
pub struct Memo<K, T>(Mutex<Option<(K, Arc<T>)>>);

impl<K, T> Memo<K, T> {
    /// Returns the kept value if it still holds, else a new one.
    pub fn get(&self, holds: impl FnOnce(&K) -> bool, make: impl FnOnce() -> (K, T)) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((key, value)) = &*kept
            && holds(key)
        {
            return Arc::clone(value);
        }
        let (key, value) = make();
        let value = Arc::new(value);
        *kept = Some((key, Arc::clone(&value)));
        value
    }
}

impl<K, T> Default for Memo<K, T> {
    fn default() -> Self {
        Self(Mutex::new(None))
    }
}

/// A copy begins empty: what was worked out belongs to the model that it was worked out from.
impl<K, T> Clone for Memo<K, T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<K, T> fmt::Debug for Memo<K, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_made_once_until_it_no_longer_holds() {
        let memo = Memo::default();
        let get = |key: u8| *memo.get(|kept| *kept == key, || (key, key * 2));
        assert_eq!((get(1), get(1), get(2)), (2, 2, 4));
        assert_eq!(
            *memo.get(|_| true, || (3, 9)),
            4,
            "it holds, so it is not made again"
        );
        assert_eq!(*memo.clone().get(|_| true, || (3, 9)), 9);
    }
}
