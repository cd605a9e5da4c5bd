//! The columns of the list: where they stand depends on the width alone, so nothing jumps while facts arrive.

/// A column: its offset in the row and its width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub x: u16,
    pub width: u16,
}

/// All columns; those that found no room are absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Columns {
    pub name: Span,
    pub image: Option<Span>,
    pub running: Option<Span>,
    pub running_age: Option<Span>,
    pub registry: Option<Span>,
    pub registry_age: Option<Span>,
    pub verdict: Span,
    pub pull: Option<Span>,
}

/// The widths of digests, ages and sizes; none of these is ever cut.
const DIGEST: u16 = 12;
const AGE: u16 = 6;
const PULL: u16 = 8;

const MARK: u16 = 2;
const NAME: u16 = 14;
const VERDICT: u16 = 13;
const IMAGE: u16 = 10;
const SPARE: u16 = 6;

impl Columns {
    /// Lays the columns out; `paths` says that names are whole paths, `image` whether the image is shown at all.
    pub fn of(width: u16, paths: bool, image: bool) -> Self {
        let name = if paths { NAME * 2 } else { NAME };
        let mut left = width.saturating_sub(MARK + name + 1 + VERDICT);
        let running = take(&mut left, DIGEST + 2, 0);
        let registry = take(&mut left, DIGEST + 2, 0);
        let pull = take(&mut left, PULL + 1, 0);
        let image = image && take(&mut left, IMAGE + 1, 0);
        // An age is worth less than the room for what stands beside a verdict.
        let running_age = running && take(&mut left, AGE + 1, SPARE);
        let registry_age = registry && take(&mut left, AGE + 1, SPARE);
        let flags = if paths {
            part(&mut left, 8, 1)
        } else {
            part(&mut left, 16, 2)
        };
        let more_name = part(
            &mut left,
            if paths { 32 } else { 18 },
            if paths { 1 } else { 2 },
        );
        let more_image = if image { part(&mut left, 28, 1) } else { 0 };
        let flags = flags + part(&mut left, 12, 1);
        let name = (name + more_name).min(width.saturating_sub(MARK));

        let mut x = MARK;
        let mut next = |there: bool, width: u16, gap: u16| {
            let span = Span { x, width };
            if there {
                x += width + gap;
            }
            there.then_some(span)
        };
        let name = next(true, name, 1).unwrap_or(Span { x: 0, width: 0 });
        let image = next(image, IMAGE + more_image, 1);
        let gap = |age: bool| if age { 1 } else { 2 };
        let running = next(running, DIGEST, gap(running_age));
        let running_age = next(running_age, AGE, 2);
        let registry = next(registry, DIGEST, gap(registry_age));
        let registry_age = next(registry_age, AGE, 2);
        let verdict_width = (VERDICT + flags).min(width.saturating_sub(MARK + name.width + 1));
        let verdict = next(true, verdict_width, 1).unwrap_or(Span { x: 0, width: 0 });
        let pull = pull.then(|| Span {
            x: width - PULL,
            width: PULL,
        });
        Self {
            name,
            image,
            running,
            running_age,
            registry,
            registry_age,
            verdict,
            pull,
        }
    }
}

/// Takes a column's cost if it fits and leaves enough.
fn take(left: &mut u16, cost: u16, leave: u16) -> bool {
    let fits = *left >= cost + leave;
    if fits {
        *left -= cost;
    }
    fits
}

/// Takes up to `most` of a part of what is left.
fn part(left: &mut u16, most: u16, divisor: u16) -> u16 {
    let taken = (*left / divisor).min(most);
    *left -= taken;
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stay_inside_and_apart_at_every_width() {
        for width in 0..400 {
            for (paths, image) in [(false, true), (true, true), (true, false)] {
                let columns = Columns::of(width, paths, image);
                let mut end = 0;
                let spans = [
                    Some(columns.name),
                    columns.image,
                    columns.running,
                    columns.running_age,
                    columns.registry,
                    columns.registry_age,
                    Some(columns.verdict),
                    columns.pull,
                ];
                for span in spans.into_iter().flatten().filter(|span| span.width > 0) {
                    assert!(span.x >= end, "{width}: {columns:?}");
                    end = span.x + span.width;
                }
                assert!(end <= width.max(MARK), "{width}: {columns:?}");
            }
        }
    }

    #[test]
    fn columns_fall_from_the_right() {
        let at = |width| Columns::of(width, false, true);
        assert!(at(113).registry_age.is_some());
        let middle = at(80);
        assert!(middle.registry.is_some() && middle.image.is_some() && middle.pull.is_some());
        assert!(middle.registry_age.is_none() && middle.running_age.is_none());
        let small = at(40);
        assert!(small.verdict.width >= VERDICT && small.running.is_none());
    }
}
