//! Numbers by chance that are the same again for the same seed.

/// A row of such numbers.
pub struct Dice(u64);

impl Dice {
    /// Begins a row; any seed will do.
    pub fn new(seed: u64) -> Self {
        // Spread, so that seeds which lie side by side begin unlike rows; the row of 0 would be zeros only.
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn number(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// The next number, below this one.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::try_from((self.number() >> 11) % bound.max(1) as u64).unwrap()
    }

    pub fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == 0
    }

    pub fn pick<'a, T>(&mut self, list: &'a [T]) -> &'a T {
        &list[self.below(list.len())]
    }
}
