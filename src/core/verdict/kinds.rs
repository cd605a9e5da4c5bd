//! The verdicts, and all that the program says of each.
//!
//! A new variant does not compile until its entry stands here; lists, colours, exit codes, the closer look and the
//! README's table follow from the entry. How a service comes to its verdict stands in `core::verdict`. What hangs on
//! single verdicts asks for them by name: what is missed and noted (`app::judge`), what the wall puts first
//! (`app::wall`), what is fetched ahead (`app::update::preview`), which services `status` counts as open
//! (`cli::status::counting`) and what stands beside the word (`app::explain`, `ui::list::verdict`).

use serde::{Deserialize, Serialize};

/// How a service stands, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// What runs is what the tag names for this platform.
    Current,
    /// The image was built on the host and never came from a registry.
    Local,
    /// The host holds the tag's image already; only a recreate is missing.
    Pulled,
    /// The tag names another image, not older than the running one.
    Behind,
    /// The tag names an image that was built before the running one.
    Moved,
    /// The registry says that it does not have the tag.
    Gone,
    /// It cannot be told.
    Unknown,
}

/// What a verdict means for whoever looks after the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It is as it should be.
    Good,
    /// It has nothing to do with a registry.
    Aside,
    /// An action would change it.
    Waits,
    /// No action of ours mends it.
    Broken,
    /// It was not judged.
    Untold,
}

/// What a pull would fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fetch {
    /// The host holds all of it.
    Nothing,
    /// What the host lacks of the tag's image.
    Image,
    /// There is nothing to pull, or it cannot be told what.
    Untold,
}

/// All that is said of a verdict as such.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub word: &'static str,
    /// The character before the word: in Unicode, on a console's font, in ASCII.
    pub marks: [char; 3],
    pub standing: Standing,
    pub fetch: Fetch,
    /// What it means, for the README.
    pub meaning: &'static str,
    /// What helps, for the README.
    pub helps: &'static str,
    /// What the closer look says of a service that stands so; absent where it has nothing to say.
    pub symptom: Option<Symptom>,
}

/// What keeps a service from running what its tag names.
#[derive(Debug, Clone, Copy)]
pub struct Symptom {
    pub seat: Seat,
    /// Stands behind the service's name.
    pub says: Option<&'static str>,
    /// Whether the verdict's own reason follows.
    pub with_why: bool,
    /// Whether a link of the chain is broken.
    pub broken: bool,
    /// What to do; `{target}` is the service.
    pub remedy: &'static str,
}

/// Where a symptom is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seat {
    Compose,
    Registry,
}

const COUNT: usize = Verdict::Unknown as usize + 1;

impl Verdict {
    /// All verdicts, from good to bad.
    pub const ALL: [Self; COUNT] = [
        Self::Current,
        Self::Local,
        Self::Pulled,
        Self::Behind,
        Self::Moved,
        Self::Gone,
        Self::Unknown,
    ];

    /// Returns all that is said of it.
    pub const fn entry(self) -> Entry {
        match self {
            Self::Current => Entry {
                word: "current",
                marks: ['✓', '+', '+'],
                standing: Standing::Good,
                fetch: Fetch::Nothing,
                meaning: "what runs is what the tag names",
                helps: "nothing to do",
                symptom: None,
            },
            Self::Local => Entry {
                word: "local",
                marks: ['•', '•', 'o'],
                standing: Standing::Aside,
                fetch: Fetch::Untold,
                meaning: "the image was built on the host and never came from a registry",
                helps: "nothing to do",
                symptom: None,
            },
            Self::Pulled => Entry {
                word: "pulled",
                marks: ['↓', '↓', 'v'],
                standing: Standing::Waits,
                fetch: Fetch::Nothing,
                meaning: "the host holds the tag's image already, the container still runs another",
                helps: "recreate the container",
                symptom: Some(Symptom {
                    seat: Seat::Compose,
                    says: Some("the image was pulled, the container was never recreated"),
                    with_why: false,
                    broken: false,
                    remedy: "homelab-tui recreate {target}",
                }),
            },
            Self::Behind => Entry {
                word: "behind",
                marks: ['↑', '↑', '^'],
                standing: Standing::Waits,
                fetch: Fetch::Image,
                meaning: "the tag names another image, not older than the running one",
                helps: "pull and recreate",
                symptom: Some(Symptom {
                    seat: Seat::Registry,
                    says: Some("nothing has pulled what its tag names"),
                    with_why: true,
                    broken: false,
                    remedy: "homelab-tui update {target}",
                }),
            },
            Self::Moved => Entry {
                word: "moved",
                marks: ['←', '←', '<'],
                standing: Standing::Waits,
                fetch: Fetch::Image,
                meaning: "the tag names an image that was built *before* the running one",
                helps: "look why: a tag was put back",
                symptom: Some(Symptom {
                    seat: Seat::Registry,
                    says: Some("its tag went back to an older image"),
                    with_why: true,
                    broken: false,
                    remedy: "homelab-tui tags {target} shows what there is",
                }),
            },
            Self::Gone => Entry {
                word: "gone",
                marks: ['✗', 'x', 'x'],
                standing: Standing::Broken,
                fetch: Fetch::Untold,
                meaning: "the registry itself says that it does not have the tag",
                helps: "look for the image's new place",
                symptom: Some(Symptom {
                    seat: Seat::Registry,
                    says: None,
                    with_why: true,
                    broken: true,
                    remedy: "name another tag in its compose file, or push it again",
                }),
            },
            Self::Unknown => Entry {
                word: "unknown",
                marks: ['?', '?', '?'],
                standing: Standing::Untold,
                fetch: Fetch::Untold,
                meaning: "it cannot be told: refused, limited, away, timed out",
                helps: "the reason says what to try",
                // The broken link itself is told by whoever tried it.
                symptom: None,
            },
        }
    }

    /// Returns the word of the contract.
    pub const fn word(self) -> &'static str {
        self.entry().word
    }

    /// Returns what it means for whoever looks after the service.
    pub const fn standing(self) -> Standing {
        self.entry().standing
    }

    /// Tells whether nothing has to be done about it.
    pub fn is_settled(self) -> bool {
        matches!(self.standing(), Standing::Good | Standing::Aside)
    }

    /// Tells whether the service was judged at all.
    pub fn is_told(self) -> bool {
        self.standing() != Standing::Untold
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_verdicts_are_listed_once_from_good_to_bad() {
        for (index, verdict) in Verdict::ALL.into_iter().enumerate() {
            assert_eq!(verdict as usize, index);
        }
    }

    #[test]
    fn the_word_is_the_word_of_the_documents() {
        for verdict in Verdict::ALL {
            let json = serde_json::to_value(verdict).expect("a word");
            assert_eq!(json, verdict.word());
        }
    }

    #[test]
    fn what_is_settled_is_better_than_what_waits_and_that_than_what_is_untold() {
        let rank = |verdict: &Verdict| match verdict.standing() {
            Standing::Good => 0,
            Standing::Aside => 1,
            Standing::Waits => 2,
            Standing::Broken => 3,
            Standing::Untold => 4,
        };
        assert!(Verdict::ALL.iter().map(rank).is_sorted());
    }
}
