//! Counts of services by verdict, as the header and the rows above services show them.

use crate::app::explain::Tone;
use crate::app::judge::ServiceView;
use crate::core::age;
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
        let undone = (self.pins_undone > 0).then(|| {
            (
                format!("{} undone", age::count(self.pins_undone, "pin")),
                Tone::Danger,
            )
        });
        let pinned = (self.pinned > 0).then(|| (format!("{} pinned", self.pinned), Tone::Accent));
        let worst_first = || Verdict::ALL.into_iter().rev();
        let untold = worst_first().filter(|verdict| !verdict.is_told());
        let waiting = worst_first().filter(|verdict| verdict.is_told() && !verdict.is_settled());
        let settled = worst_first().filter(|verdict| verdict.is_settled());
        untold
            .map(part)
            .chain([sick, undone])
            .chain(waiting.map(part))
            .chain([pinned])
            .chain(settled.map(part))
            .flatten()
            .collect()
    }

    /// Tells whether nothing has to be looked at.
    pub fn is_calm(&self) -> bool {
        let settled: usize = Verdict::ALL
            .into_iter()
            .filter(|verdict| verdict.is_settled())
            .map(|verdict| self.by_verdict[verdict as usize])
            .sum();
        settled == self.total && self.unhealthy == 0 && self.pins_undone == 0
    }
}
