//! A set of layer chains: which sequences of unpacked layers, from the bottom, exist on a host.

use std::collections::HashMap;

use crate::core::digest::DiffId;

/// All prefixes of the sequences that were added, as a tree whose edges are unpacked layers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chains {
    edges: HashMap<(usize, DiffId), usize>,
}

/// The bottom, below the first layer.
const ROOT: usize = 0;

impl Chains {
    /// Adds a sequence with all its prefixes.
    pub fn add(&mut self, diff_ids: &[DiffId]) {
        let mut node = ROOT;
        for diff_id in diff_ids {
            let next = self.edges.len() + 1;
            node = *self.edges.entry((node, diff_id.clone())).or_insert(next);
        }
    }

    /// Returns how many layers, from the bottom, form a chain that exists.
    pub fn depth(&self, diff_ids: &[DiffId]) -> usize {
        let mut node = ROOT;
        for (depth, diff_id) in diff_ids.iter().enumerate() {
            match self.edges.get(&(node, diff_id.clone())) {
                Some(next) => node = *next,
                None => return depth,
            }
        }
        diff_ids.len()
    }
}
