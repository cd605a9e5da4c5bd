//! Counts of services by verdict, as the header and the rows above services show them.

use crate::app::explain::Tone;
use crate::app::judge::ServiceView;
use crate::core::verdict::Verdict;

/// How many services stand how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    by_verdict: [usize; Verdict::ALL.len()],
    pub unhealthy: usize,
    pub pinned: usize,
    pub pins_undone: usize,
    pub total: usize,
}

impl Summary {
    /// Counts services.
    pub fn of<'a>(services: impl Iterator<Item = &'a ServiceView>) -> Self {
        let mut summary = Self::default();
        for service in services {
            summary.by_verdict[service.verdict as usize] += 1;
            summary.unhealthy += usize::from(service.is_unhealthy());
            summary.total += 1;
            if let Some(pin) = &service.pinned {
                summary.pinned += usize::from(pin.holds());
                summary.pins_undone += usize::from(!pin.holds());
            }
        }
        summary
    }

    /// Returns the words, what is wrong first.
    pub fn parts(&self) -> Vec<(String, Tone)> {
        let count = |verdict: Verdict| self.by_verdict[verdict as usize];
        let part = |verdict: Verdict| {
            let text = format!("{} {}", count(verdict), verdict.word());
            (count(verdict) > 0).then_some((text, Tone::of(verdict)))
        };
        let sick =
            (self.unhealthy > 0).then(|| (format!("{} unhealthy", self.unhealthy), Tone::Danger));
        let undone = (self.pins_undone > 0)
            .then(|| (format!("{} pins undone", self.pins_undone), Tone::Danger));
        let pinned = (self.pinned > 0).then(|| (format!("{} pinned", self.pinned), Tone::Accent));
        [
            part(Verdict::Unknown),
            sick,
            undone,
            part(Verdict::Gone),
            part(Verdict::Moved),
            part(Verdict::Behind),
            part(Verdict::Pulled),
            pinned,
            part(Verdict::Local),
            part(Verdict::Current),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Tells whether nothing has to be looked at.
    pub fn is_calm(&self) -> bool {
        let settled =
            self.by_verdict[Verdict::Current as usize] + self.by_verdict[Verdict::Local as usize];
        settled == self.total && self.unhealthy == 0 && self.pins_undone == 0
    }
}
