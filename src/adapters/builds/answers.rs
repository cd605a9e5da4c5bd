//! Answers that are kept to be asked for by their ETags, within a bound for all of them together.

use std::collections::VecDeque;

/// The answers of one source, those that were kept longest first.
pub(super) struct Answers {
    most: usize,
    held: usize,
    list: VecDeque<Answer>,
}

/// One answer.
pub(super) struct Answer {
    path: String,
    pub(super) tag: String,
    pub(super) body: Vec<u8>,
}

impl Answer {
    fn size(&self) -> usize {
        self.path.len() + self.tag.len() + self.body.len()
    }
}

impl Answers {
    /// Begins with none and keeps that many bytes.
    pub(super) fn new(most: usize) -> Self {
        Self {
            most,
            held: 0,
            list: VecDeque::new(),
        }
    }

    /// Returns the last answer to a path.
    pub(super) fn get(&self, path: &str) -> Option<&Answer> {
        self.list.iter().find(|answer| answer.path == path)
    }

    /// Keeps an answer; those that were kept longest make room, and one that is too large is not kept.
    pub(super) fn keep(&mut self, path: &str, tag: String, body: &[u8]) {
        if let Some(index) = self.list.iter().position(|answer| answer.path == path) {
            self.held -= self.list.remove(index).map_or(0, |old| old.size());
        }
        if path.len() + tag.len() + body.len() > self.most {
            return;
        }
        let answer = Answer {
            path: path.to_owned(),
            tag,
            body: body.to_owned(),
        };
        self.held += answer.size();
        self.list.push_back(answer);
        while self.held > self.most
            && let Some(oldest) = self.list.pop_front()
        {
            self.held -= oldest.size();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_answers_together_stay_below_the_bound() {
        let mut answers = Answers::new(100);
        for n in 0..20 {
            answers.keep(&format!("/{n:02}"), "t".to_owned(), &[0; 26]);
            let held: usize = answers.list.iter().map(Answer::size).sum();
            assert_eq!(held, answers.held);
            assert!(held <= 100);
        }
        assert_eq!(answers.list.len(), 3);
        assert!(answers.get("/19").is_some() && answers.get("/16").is_none());
    }

    #[test]
    fn a_newer_answer_takes_the_place_of_the_old_one() {
        let mut answers = Answers::new(100);
        answers.keep("/runs", "old".to_owned(), b"1");
        answers.keep("/runs", "new".to_owned(), b"2");
        assert_eq!(answers.list.len(), 1);
        assert!(
            answers
                .get("/runs")
                .is_some_and(|answer| answer.tag == "new")
        );
        answers.keep("/runs", "huge".to_owned(), &[0; 200]);
        assert!(answers.get("/runs").is_none(), "no tag without its body");
        assert_eq!(answers.held, 0);
    }
}
