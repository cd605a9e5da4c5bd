//! The hosts that the user's ssh configuration names, with the files it includes.
//!
//! Only names are read; what ssh would make of them is ssh's own business.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// How deep includes may lie in each other, as in ssh itself.
const DEEPEST: usize = 16;
const LARGEST: u64 = 1024 * 1024;
const MOST_FILES: usize = 200;
const MOST_HOSTS: usize = 1000;

/// A host that is named without wildcards.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    pub alias: String,
    /// Where it leads, where its own block says so.
    pub host_name: Option<String>,
    user: Option<String>,
}

/// Reads the hosts of a configuration file, in the order in which they stand there.
pub fn hosts(file: &Path, home: &Path) -> Vec<Named> {
    let mut reader = Reader {
        home,
        found: Vec::new(),
        block: Vec::new(),
        files: 0,
    };
    reader.file(file, 0);
    let mut found = reader.found;
    // Logins of code hosts are no machines of anybody.
    found.retain(|named| named.user.as_deref() != Some("git"));
    found
}

struct Reader<'a> {
    home: &'a Path,
    found: Vec<Named>,
    /// The places in `found` that the present lines speak of.
    block: Vec<usize>,
    files: usize,
}

impl Reader<'_> {
    fn file(&mut self, path: &Path, depth: usize) {
        self.files += 1;
        if depth > DEEPEST || self.files > MOST_FILES || !path.is_file() {
            return;
        }
        let mut bytes = Vec::new();
        let Ok(file) = File::open(path) else {
            return;
        };
        if file.take(LARGEST).read_to_end(&mut bytes).is_err() {
            return;
        }
        for line in String::from_utf8_lossy(&bytes).lines() {
            self.line(line, depth);
        }
    }

    fn line(&mut self, line: &str, depth: usize) {
        let mut words = words(line).into_iter();
        let Some(keyword) = words.next() else {
            return;
        };
        match keyword.to_ascii_lowercase().as_str() {
            "host" => {
                self.block.clear();
                for alias in words.filter(|word| is_plain(word)) {
                    self.begin(alias);
                }
            }
            "match" => self.block.clear(),
            "hostname" => self.say(words.next(), |named| &mut named.host_name),
            "user" => self.say(words.next(), |named| &mut named.user),
            "include" => {
                let block = self.block.clone();
                for pattern in words {
                    for path in expand(&self.absolute(&pattern)) {
                        self.file(&path, depth + 1);
                    }
                }
                self.block = block;
            }
            _ => {}
        }
    }

    fn begin(&mut self, alias: String) {
        let known = self.found.iter().position(|named| named.alias == alias);
        let place = known.unwrap_or(self.found.len());
        if known.is_none() {
            if place == MOST_HOSTS {
                return;
            }
            self.found.push(Named {
                alias,
                ..Named::default()
            });
        }
        self.block.push(place);
    }

    /// Takes over a value; the first one counts, as for ssh.
    fn say(&mut self, value: Option<String>, field: fn(&mut Named) -> &mut Option<String>) {
        for place in &self.block {
            let field = field(&mut self.found[*place]);
            if field.is_none() {
                field.clone_from(&value);
            }
        }
    }

    fn absolute(&self, pattern: &str) -> PathBuf {
        match pattern.strip_prefix("~/") {
            Some(rest) => self.home.join(rest),
            // An absolute pattern takes the place of what it is joined to.
            None => self.home.join(".ssh").join(pattern),
        }
    }
}

/// Splits a line at spaces and the first `=`, with quotes; nothing for comments.
fn words(line: &str) -> Vec<String> {
    let line = line.trim();
    if line.starts_with('#') {
        return Vec::new();
    }
    let (keyword, rest) = line
        .split_once(|c: char| c.is_whitespace() || c == '=')
        .unwrap_or((line, ""));
    let rest = rest.trim_start();
    let rest = rest.strip_prefix('=').unwrap_or(rest);
    let mut words = vec![keyword.to_owned()];
    let mut word = String::new();
    let (mut quoted, mut begun) = (false, false);
    for c in rest.chars() {
        match c {
            '"' => {
                quoted = !quoted;
                begun = true;
            }
            '#' if !quoted && !begun => break,
            c if c.is_whitespace() && !quoted => {
                if begun {
                    words.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            c => {
                word.push(c);
                begun = true;
            }
        }
    }
    if begun {
        words.push(word);
    }
    words.retain(|word| !word.is_empty());
    words
}

fn is_plain(word: &str) -> bool {
    !word.contains(['*', '?', '!', '%', ','])
}

/// Finds the files that a pattern means, sorted.
fn expand(pattern: &Path) -> Vec<PathBuf> {
    let mut found = vec![PathBuf::new()];
    for part in pattern.components() {
        let text = part.as_os_str().to_string_lossy();
        if !text.contains(['*', '?']) {
            found.iter_mut().for_each(|path| path.push(part));
            continue;
        }
        let mut next = Vec::new();
        for folder in &found {
            let Ok(entries) = folder.read_dir() else {
                continue;
            };
            for entry in entries.flatten() {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                // A star does not mean hidden files.
                let hidden = name.starts_with('.') && !text.starts_with('.');
                if !hidden && fits(text.as_bytes(), name.as_bytes()) {
                    next.push(entry.path());
                }
            }
        }
        next.sort();
        next.truncate(MOST_FILES);
        found = next;
    }
    found
}

/// Matches `*` and `?`; on a mismatch the last star takes one more byte.
fn fits(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else {
                    return false;
                };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use super::*;
    use crate::adapters::paths::scratch::Scratch;

    #[test]
    fn hosts_are_read_with_includes_and_without_patterns() {
        let scratch = Scratch::create();
        let ssh = scratch.path().join(".ssh");
        std::fs::create_dir_all(ssh.join("conf.d")).unwrap();
        let write = |name: &str, text: &str| std::fs::write(ssh.join(name), text).unwrap();
        write(
            "config",
            "# comment\nInclude conf.d/*.conf ~/.ssh/more missing\nHost vps \"my box\" *.lan !x\n\
             \tHostName=vps.example # there\n  User deploy\nhost= nas\nMatch host a\nHostName no\n\
             Host github.com\n User git\nHost *\nHostName nowhere\nInclude config\n",
        );
        write("conf.d/b.conf", "HOST b\n");
        write(
            "conf.d/a.conf",
            "Host a\nHostName 100.64.0.2\nHostName later\n",
        );
        write("conf.d/.hidden.conf", "Host hidden\n");
        write("more", "Host more");
        let found = hosts(&ssh.join("config"), scratch.path());
        let names: Vec<&str> = found.iter().map(|named| named.alias.as_str()).collect();
        assert_eq!(names, ["a", "b", "more", "vps", "my box", "nas"]);
        assert_eq!(found[0].host_name.as_deref(), Some("100.64.0.2"));
        assert_eq!(found[3].host_name.as_deref(), Some("vps.example"));
        assert_eq!(found[5].host_name, None);
    }

    #[test]
    fn a_missing_or_strange_file_offers_nothing() {
        let scratch = Scratch::create();
        assert!(hosts(&scratch.path().join("x"), scratch.path()).is_empty());
        assert!(hosts(scratch.path(), scratch.path()).is_empty());
        let file = scratch.path().join("f");
        std::fs::write(&file, b"\xff\xfe\x00 Host\nHost\n=\nHost \"open\n").unwrap();
        assert_eq!(hosts(&file, scratch.path())[0].alias, "open");
    }
}
