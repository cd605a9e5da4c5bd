//! Names that a console folded onto several lines.
//!
//! A bracket that does not close, or a number that is not whole, shows the fold; nothing else does.

use super::lane::{Lane, Sink};
use super::name;
use super::open::cut;

/// Lines that one folded name may take.
const FOLDS: u8 = 6;

/// A name that a console folded, so far.
#[derive(Debug)]
pub(super) struct Fold {
    pub number: u32,
    pub name: Vec<u8>,
    pub lines: u8,
}

impl Lane {
    /// Gives up on the rest of a folded name.
    pub(super) fn flush_fold(&mut self, sink: &mut Sink<'_>) {
        let Some(fold) = self.fold.take() else { return };
        if !fold.name.is_empty()
            && let Some(open) = self.active.get_mut(self.current)
        {
            open.header(fold.number, fold.name.trim_ascii_end());
            if std::str::from_utf8(fold.name.trim_ascii_end())
                .map_or(true, |name| !name::is_whole(name))
            {
                self.unread(&fold.name, sink);
            }
        }
    }

    /// Joins a folded name; tells whether the line was its continuation.
    pub(super) fn unfold(&mut self, text: &[u8], sink: &mut Sink<'_>) -> bool {
        let Some(mut fold) = self.fold.take() else {
            return false;
        };
        fold.lines += 1;
        let name = join(&fold.name, text);
        fold.name = cut(&name).to_vec();
        let whole = std::str::from_utf8(fold.name.trim_ascii_end()).is_ok_and(name::is_whole);
        if whole {
            if let Some(open) = self.active.get_mut(self.current) {
                open.header(fold.number, fold.name.trim_ascii_end());
            }
        } else if fold.lines < FOLDS {
            self.fold = Some(fold);
        } else {
            self.fold = Some(fold);
            self.flush_fold(sink);
        }
        true
    }
}

/// Joins two parts of a folded name; where a blank was folded away, the numbers and words show it.
fn join(name: &[u8], text: &[u8]) -> Vec<u8> {
    const WORDS: [&[u8]; 6] = [b"", b"FROM", b"RUN", b"COPY", b"ADD", b"WORKDIR"];
    let joined = [name, text].concat();
    if name.is_empty() || name.last() == Some(&b' ') {
        return joined;
    }
    let spaced = [name, b" ", text].concat();
    let blank = match memchr::memchr(b']', name) {
        Some(at) => WORDS.contains(&name[at + 1..].trim_ascii()),
        None if name.first() == Some(&b'[') => places(&spaced) && !places(&joined),
        None => true,
    };
    if blank { spaced } else { joined }
}

/// Tells whether a bracket that is being unfolded ends in numbers or another word that names what it is.
fn places(name: &[u8]) -> bool {
    std::str::from_utf8(name).is_ok_and(|name| {
        name.contains(']') && !matches!(name::parse(name).kind, name::Kind::Other)
    })
}
