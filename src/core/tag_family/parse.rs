//! One tag's name read alone: what it is for certain, and what it could be in company.

use super::{Family, Helper, Version};

/// What one name tells.
pub(super) struct Parsed {
    pub family: Family,
    /// The shape of the revision that it undoubtedly holds.
    pub strong: Option<Shape>,
    /// The shape of the revision that it could be.
    pub weak: Option<Shape>,
}

/// The words around a revision, and its length.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shape {
    prefix: Box<str>,
    suffix: Box<str>,
    length: usize,
}

impl Shape {
    /// Reads a tag of this shape as a revision.
    pub(super) fn revision(&self, tag: &str) -> Family {
        let inner = tag.strip_prefix(&*self.prefix).unwrap_or(tag);
        Family::Revision {
            prefix: self.prefix.clone(),
            revision: inner.strip_suffix(&*self.suffix).unwrap_or(inner).into(),
            suffix: self.suffix.clone(),
        }
    }
}

/// Names that are meant to move, whatever follows them.
const MOVING: [&str; 28] = [
    "latest",
    "dev",
    "edge",
    "stable",
    "nightly",
    "beta",
    "alpha",
    "rc",
    "canary",
    "unstable",
    "testing",
    "test",
    "next",
    "current",
    "lts",
    "mainline",
    "release",
    "snapshot",
    "prod",
    "production",
    "staging",
    "rolling",
    "experimental",
    "preview",
    "development",
    "insiders",
    "bleeding",
    "daily",
];

const BRANCHES: [&str; 4] = ["main", "master", "develop", "trunk"];

/// First words of branches that people and robots make.
const BRANCH_STEMS: [&str; 8] = [
    "feature",
    "feat",
    "fix",
    "bugfix",
    "hotfix",
    "renovate",
    "dependabot",
    "chore",
];

/// Words that say that a revision follows, so that any hex digits are one.
const REVISION_WORDS: [&str; 5] = ["sha", "git", "commit", "rev", "ref"];

/// Reads one name.
pub(super) fn parse(tag: &str) -> Parsed {
    let certain = |family| Parsed {
        family,
        strong: None,
        weak: None,
    };
    if let Some(family) = helper(tag) {
        return certain(family);
    }
    if let Some(number) = pull_request(tag) {
        return certain(Family::PullRequest(number));
    }
    let (shape, strong) = match revision(tag) {
        Some((shape, strong)) => (Some(shape), strong),
        None => (None, false),
    };
    if let (Some(shape), true) = (&shape, strong) {
        return Parsed {
            family: shape.revision(tag),
            strong: Some(shape.clone()),
            weak: None,
        };
    }
    if let Some(family) = date(tag) {
        return certain(family);
    }
    let family = version(tag)
        .or_else(|| number(tag))
        .unwrap_or_else(|| name(tag));
    Parsed {
        family,
        strong: None,
        weak: shape,
    }
}

fn helper(tag: &str) -> Option<Family> {
    if let Some(rest) = tag.strip_prefix("sha256-") {
        let (hex, kind) = rest.split_once('.').unwrap_or((rest, ""));
        if hex.len() == 64 && is_hex(hex) {
            return Some(Family::Helper(match kind {
                "" => Helper::Referrers,
                "sig" => Helper::Signature,
                "att" => Helper::Attestation,
                "sbom" => Helper::Sbom,
                _ => Helper::Other,
            }));
        }
    }
    for (ending, kind) in [
        (".sig", Helper::Signature),
        (".att", Helper::Attestation),
        (".sbom", Helper::Sbom),
    ] {
        if tag.ends_with(ending) {
            return Some(Family::Helper(kind));
        }
    }
    if tag.starts_with("htui-keep-") {
        return Some(Family::Keep);
    }
    let is_cache = |word: &str| {
        matches!(
            word.to_ascii_lowercase().as_str(),
            "cache" | "buildcache" | "buildkitcache"
        )
    };
    let words: Vec<&str> = tag.split(['-', '_', '.']).collect();
    let edge = words.first().is_some_and(|word| is_cache(word))
        || words.last().is_some_and(|word| is_cache(word));
    edge.then_some(Family::Cache)
}

fn pull_request(tag: &str) -> Option<u64> {
    let lower = tag.to_ascii_lowercase();
    let rest = ["pr-", "pr", "pull-", "mr-"]
        .iter()
        .find_map(|word| lower.strip_prefix(word))?;
    let digits = rest.split(['-', '_', '.']).next()?;
    digits.parse().ok()
}

fn is_hex(text: &str) -> bool {
    let lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.bytes().all(lower)
}

/// Finds the words that could be a revision; true where there is no doubt.
fn revision(tag: &str) -> Option<(Shape, bool)> {
    let mut end = tag.len();
    // From the right: what is nearest the end is the revision, what stands before it describes it.
    for word in tag.rsplit(['-', '_']) {
        let start = end.checked_sub(word.len())?;
        let (hex, described) = match word.strip_prefix('g') {
            Some(hex) if start > 0 => (hex, true),
            _ => (word, false),
        };
        if (7..=40).contains(&hex.len()) && is_hex(hex) {
            let prefix = tag.get(..end.checked_sub(hex.len())?)?;
            let digits = hex.bytes().filter(u8::is_ascii_digit).count();
            let mixed = digits > 0 && digits < hex.len();
            let named = REVISION_WORDS.contains(&prefix.trim_end_matches(['-', '_']));
            // After a version a `g` is git's own mark.
            let marked = described && prefix.starts_with(|c: char| c.is_ascii_digit() || c == 'v');
            let shape = Shape {
                prefix: prefix.into(),
                suffix: tag.get(end..)?.into(),
                length: hex.len(),
            };
            return Some((shape, mixed || named || marked || hex.len() == 40));
        }
        end = start.saturating_sub(1);
    }
    None
}

/// Reads a day, with or without a time, with words before and after it.
fn date(tag: &str) -> Option<Family> {
    let start = tag.find(|c: char| c.is_ascii_digit())?;
    let (prefix, rest) = tag.split_at_checked(start)?;
    if !(prefix.is_empty() || prefix.ends_with(['-', '_', '.'])) {
        return None;
    }
    let run = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let (day, mut rest) = match run(rest) {
        8 | 12 | 14 => {
            let (digits, rest) = rest.split_at_checked(run(rest))?;
            (digits.to_owned(), rest)
        }
        4 => {
            // 2024-06-28; with dots and without padding it is rather a version by calendar.
            let (year, rest) = rest.split_at_checked(4)?;
            let separator = rest
                .chars()
                .next()
                .filter(|c| matches!(c, '-' | '.' | '_'))?;
            let rest = rest.strip_prefix(separator)?;
            let (month, rest) = rest.split_at_checked(run(rest))?;
            let rest = rest.strip_prefix(separator)?;
            let (day, rest) = rest.split_at_checked(run(rest))?;
            if month.len() != 2 || day.len() != 2 {
                return None;
            }
            (format!("{year}{month}{day}"), rest)
        }
        _ => return None,
    };
    let whole_day = is_day(day.get(..8)?) && is_time(day.get(8..)?);
    if !whole_day {
        return None;
    }
    let mut stamp = day;
    // The time follows after one separator: -143022, T1430, T14-30-22Z.
    if stamp.len() == 8
        && let Some(after) = rest.strip_prefix(['-', '_', '.', 'T', 't'])
    {
        let digits: String = after
            .chars()
            .take_while(|c| c.is_ascii_digit() || matches!(c, '-' | ':'))
            .filter(char::is_ascii_digit)
            .collect();
        let plain = run(after);
        if matches!(digits.len(), 4 | 6)
            && is_time(&digits)
            && (plain == digits.len() || plain == 2)
        {
            let used = after
                .bytes()
                .take_while(|byte| byte.is_ascii_digit() || matches!(byte, b'-' | b':'))
                .count();
            stamp.push_str(&digits);
            rest = after.get(used..)?.trim_start_matches(['Z', 'z']);
        }
    }
    if !(rest.is_empty() || rest.starts_with(['-', '_', '.'])) {
        return None;
    }
    Some(Family::Date {
        prefix: prefix.into(),
        stamp: stamp.into(),
        suffix: rest.into(),
    })
}

fn is_day(digits: &str) -> bool {
    let part = |range| {
        digits
            .get(range)
            .and_then(|text: &str| text.parse::<u32>().ok())
    };
    let (Some(year), Some(month), Some(day)) = (part(0..4), part(4..6), part(6..8)) else {
        return false;
    };
    (1990..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)
}

fn is_time(digits: &str) -> bool {
    let part = |range| {
        digits
            .get(range)
            .and_then(|text: &str| text.parse::<u32>().ok())
    };
    match digits.len() {
        0 => true,
        4 | 6 => {
            part(0..2).is_some_and(|hour| hour < 24)
                && part(2..4).is_some_and(|minute| minute < 60)
                && (digits.len() == 4 || part(4..6).is_some_and(|second| second < 61))
        }
        _ => false,
    }
}

/// Reads a version: `1`, `v1.2.3`, `1.2.3-alpine`, `release-1.2`, `3.13.0rc1`.
fn version(tag: &str) -> Option<Family> {
    let start = tag.find(|c: char| c.is_ascii_digit())?;
    let (prefix, rest) = tag.split_at_checked(start)?;
    let stem = prefix.strip_suffix(['v', 'V']).unwrap_or(prefix);
    if !(stem.is_empty() || stem.ends_with(['-', '_'])) {
        return None;
    }
    let end = rest
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(rest.len());
    let (dotted, suffix) = rest.split_at_checked(end)?;
    let dotted = dotted.trim_end_matches('.');
    let suffix = rest.get(dotted.len()..).unwrap_or(suffix);
    let numbers: Option<Vec<u64>> = dotted.split('.').map(|part| part.parse().ok()).collect();
    let numbers = numbers.filter(|numbers| numbers.len() <= 4)?;
    let marked = prefix != stem;
    if numbers.len() == 1 {
        // A bare number of many digits counts something; words before a single number make it no version.
        let small = dotted.len() <= 3;
        if !(small && (stem.is_empty() || marked)) {
            return None;
        }
    }
    // What follows is an ending such as -alpine or rc1; another run of numbers is no version any more.
    let plain_ending = suffix.is_empty()
        || suffix.starts_with(['-', '_', '+'])
        || suffix.starts_with("rc")
        || suffix.starts_with(['a', 'b']) && suffix.bytes().skip(1).all(|b| b.is_ascii_digit());
    plain_ending.then(|| {
        Family::Version(Version {
            prefix: prefix.into(),
            numbers,
            suffix: suffix.into(),
            floating: false,
        })
    })
}

/// Reads a counter: `482`, `build-482`, `main-17`.
fn number(tag: &str) -> Option<Family> {
    let digits = tag.bytes().rev().take_while(u8::is_ascii_digit).count();
    let (prefix, number) = tag.split_at_checked(tag.len().checked_sub(digits)?)?;
    if digits == 0 || !(prefix.is_empty() || prefix.ends_with(['-', '_', '.'])) {
        return None;
    }
    Some(Family::Number {
        prefix: prefix.into(),
        number: number.parse().ok()?,
    })
}

fn name(tag: &str) -> Family {
    let lower = tag.to_ascii_lowercase();
    let first = lower.split(['-', '_', '.']).next().unwrap_or_default();
    if BRANCHES.contains(&lower.as_str()) {
        Family::Branch
    } else if MOVING.contains(&first) {
        Family::Moving
    } else if first.len() < lower.len() && BRANCH_STEMS.contains(&first) {
        Family::Branch
    } else {
        Family::Named
    }
}
