//! Counts of services by verdict, as the header and the rows above services show them.

use crate::app::explain::Tone;
use crate::app::judge::ServiceView;
use crate::core::verdict::Verdict;

/// How many services stand how.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    by_verdict: [usize; Verdict::ALL.len()],
    pub unhealthy: usize,
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
        [
            part(Verdict::Unknown),
            sick,
            part(Verdict::Gone),
            part(Verdict::Moved),
            part(Verdict::Behind),
            part(Verdict::Pulled),
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
        settled == self.total && self.unhealthy == 0
    }
}
