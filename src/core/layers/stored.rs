//! Which layers of a half-stored image lie in the store, told from how many bytes of it do.
//!
//! A containerd store does not fetch a layer whose unpacked form is there already, so the packed one is missing from
//! then on. Engines tell how much of a manifest's content lies there, and not which part of it.

/// How many choices are tried; images of equal layers would otherwise have too many.
const MOST_STEPS: usize = 20_000;

/// Tells of each layer whether it lies there; absent where the bytes allow both.
pub(super) fn held(sizes: &[u64], bytes: u64) -> Vec<Option<bool>> {
    let mut search = Search {
        sizes,
        taken: vec![false; sizes.len()],
        always: vec![true; sizes.len()],
        ever: vec![false; sizes.len()],
        found: false,
        steps: 0,
    };
    let all = sizes.iter().map(|size| u128::from(*size)).sum();
    search.go(0, bytes, all);
    if !search.found || search.steps > MOST_STEPS {
        return vec![None; sizes.len()];
    }
    let both = search.always.iter().zip(&search.ever);
    both.map(|(always, ever)| match (always, ever) {
        (true, _) => Some(true),
        (_, false) => Some(false),
        (false, true) => None,
    })
    .collect()
}

/// Looks through all choices of layers whose sizes make up what is there.
struct Search<'a> {
    sizes: &'a [u64],
    taken: Vec<bool>,
    /// Layers that every choice has, and those that at least one has.
    always: Vec<bool>,
    ever: Vec<bool>,
    found: bool,
    steps: usize,
}

impl Search<'_> {
    /// Goes on at a layer: `left` has still to be made up, `rest` is what this and all later layers come to.
    fn go(&mut self, index: usize, left: u64, rest: u128) {
        self.steps += 1;
        if u128::from(left) > rest || self.steps > MOST_STEPS {
            return;
        }
        let Some(size) = self.sizes.get(index).copied() else {
            if left == 0 {
                self.note();
            }
            return;
        };
        let rest = rest.saturating_sub(u128::from(size));
        self.go(index + 1, left, rest);
        if let Some(left) = left.checked_sub(size) {
            self.taken[index] = true;
            self.go(index + 1, left, rest);
            self.taken[index] = false;
        }
    }

    fn note(&mut self) {
        self.found = true;
        for (index, taken) in self.taken.iter().enumerate() {
            self.always[index] &= taken;
            self.ever[index] |= taken;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_tell_which_layers_lie_there() {
        let (yes, no) = (Some(true), Some(false));
        type Row<'a> = (&'a [u64], u64, &'a [Option<bool>]);
        let rows: [Row<'_>; 8] = [
            (&[10, 20, 40], 60, &[no, yes, yes]),
            (&[10, 20, 40], 0, &[no, no, no]),
            (&[10, 20, 40], 70, &[yes, yes, yes]),
            // Either the first two or the last.
            (&[10, 20, 30], 30, &[None, None, None]),
            // Two of one size: one of them lies there, and the third for sure.
            (&[10, 10, 25], 35, &[None, None, yes]),
            // No choice comes to this: the engine counts something else.
            (&[10, 20], 5, &[None, None]),
            (&[10, 20], 99, &[None, None]),
            (&[], 0, &[]),
        ];
        for (sizes, bytes, told) in rows {
            assert_eq!(held(sizes, bytes), told, "{sizes:?} {bytes}");
        }
    }

    #[test]
    fn a_hundred_equal_layers_end_undecided_and_soon() {
        let sizes = vec![7; 100];
        assert_eq!(held(&sizes, 350), vec![None; 100]);
        let (all, no) = (u64::MAX, Some(false));
        assert_eq!(held(&[all, all, 1], all), [None, None, no]);
    }
}
