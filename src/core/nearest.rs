//! The known word that a mistyped one was meant to be.

/// Returns the candidate that is near enough to be meant, if there is one.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(distance, candidate)| {
            let longer = length.max(candidate.chars().count());
            *distance <= (longer / 3).clamp(1, 3) && *distance < longer
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Counts the letters to insert, delete, replace or swap, without regard to case.
fn distance(a: &str, b: &str) -> usize {
    // Words longer than any of ours are no typing errors, and would cost time.
    let letters = |text: &str| -> Vec<char> { text.to_lowercase().chars().take(64).collect() };
    let (a, b) = (letters(a), letters(b));
    let mut before = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let other = usize::from(a[i - 1] != b[j - 1]);
            let mut least = (last[j] + 1).min(row[j - 1] + 1).min(last[j - 1] + other);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                let swapped: usize = before[j - 2];
                least = least.min(swapped + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typing_error_finds_its_word_and_another_word_does_not() {
        let words = ["address", "name", "environment", "read_only", "via"];
        for (typed, meant) in [
            ("adress", Some("address")),
            ("addres", Some("address")),
            ("nmae", Some("name")),
            ("enviroment", Some("environment")),
            ("read-only", Some("read_only")),
            ("Name", Some("name")),
            ("vai", Some("via")),
            ("x", None),
            ("", None),
            ("password", None),
        ] {
            assert_eq!(nearest(typed, words), meant, "{typed}");
        }
    }
}
