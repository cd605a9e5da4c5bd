//! What the lines before a build tell about it: the command that starts it, the revision that was checked out.

use std::collections::VecDeque;

use super::open::{Open, add};

/// Commands remembered before their builds appear.
const COMMANDS: usize = 32;
/// How much of a command line is read.
const COMMAND: usize = 16 << 10;

/// What a command line says about the build that it starts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Command {
    tags: Vec<Vec<u8>>,
    revision: Option<Vec<u8>>,
}

/// What is known about the builds to come in one lane.
#[derive(Debug, Default)]
pub(super) struct Hints {
    commands: VecDeque<Command>,
    /// The revision that the job checked out.
    revision: Option<Vec<u8>>,
    /// The next line is the answer to a question for the revision.
    asked: bool,
    no_output: bool,
    local_sources: Vec<(Vec<u8>, Vec<u8>)>,
    /// The heading of the group of lines that the build action writes after a build.
    group: Group,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Group {
    #[default]
    None,
    Digest,
    Metadata,
}

impl Hints {
    /// Tells whether the next lines are an answer that is waited for.
    pub(super) fn is_waiting(&self) -> bool {
        self.asked || self.group != Group::None
    }

    /// Hands what is known to a build that begins.
    pub(super) fn give(&mut self, open: &mut Open) {
        if let Some(command) = self.commands.pop_front() {
            open.tags = command.tags;
            open.revision = command.revision;
        }
        if open.revision.is_none() {
            open.revision.clone_from(&self.revision);
        }
        open.no_output = std::mem::take(&mut self.no_output);
        open.local_sources = std::mem::take(&mut self.local_sources);
    }

    /// Hears a line outside a build; `open` is the build that it follows.
    pub(super) fn hear(&mut self, line: &[u8], open: Option<&mut Open>) {
        let first = line.first().copied().unwrap_or(b' ');
        if self.group != Group::None && first != b'#' {
            if let Some(open) = open {
                metadata(line, self.group, open);
            }
            return;
        }
        if std::mem::take(&mut self.asked) {
            let hash = line.trim_ascii().trim_ascii_start();
            let hash = hash
                .strip_prefix(b"'")
                .and_then(|hash| hash.strip_suffix(b"'"))
                .unwrap_or(hash);
            if is_revision(hash) {
                self.revision = Some(hash.to_vec());
            }
            return;
        }
        match first {
            b'#' => self.github(line),
            b'[' if line.starts_with(b"[command]") => self.command(line),
            b'+' | b'$' if line.get(1) == Some(&b' ') => self.command(line),
            b'd' if line.starts_with(b"docker") => self.command(line),
            b' ' if line.trim_ascii_start().starts_with(b"docker") => self.command(line),
            b'W' if line.starts_with(b"WARN") => self.warning(line, open),
            b't' if line.starts_with(b"time=") => self.warning(line, open),
            _ => {}
        }
    }

    fn github(&mut self, line: &[u8]) {
        self.group = Group::None;
        if let Some(command) = line.strip_prefix(b"##[command]") {
            self.command(command);
        } else if let Some(title) = line.strip_prefix(b"##[group]") {
            match title.trim_ascii_end() {
                b"Digest" => self.group = Group::Digest,
                b"Metadata" => self.group = Group::Metadata,
                _ => {}
            }
            if let Some(command) = title.strip_prefix(b"Run ") {
                self.commands.clear();
                self.command(command);
            }
        }
    }

    fn command(&mut self, line: &[u8]) {
        let line = &line[..line.len().min(COMMAND)];
        let Some(at) = memchr::memmem::find(line, b"docker")
            .or_else(|| memchr::memmem::find(line, b"git log -1"))
        else {
            return;
        };
        if line[at..].starts_with(b"git log -1") {
            self.asked = memchr::memmem::find(line, b"--format=").is_some();
            return;
        }
        let Some(command) = command(&line[at..]) else {
            return;
        };
        // A command that the shell echoes as it runs it is the one whose build comes next.
        if line.starts_with(b"+ ") || line.starts_with(b"[command]") || line.starts_with(b"$ ") {
            self.commands.clear();
        }
        if self.commands.back() != Some(&command) && self.commands.len() < COMMANDS {
            self.commands.push_back(command);
        }
    }

    fn warning(&mut self, line: &[u8], open: Option<&mut Open>) {
        if memchr::memmem::find(line, b"No output specified ").is_some() {
            match open {
                Some(open) => open.no_output = true,
                None => self.no_output = true,
            }
        } else if let Some(at) = memchr::memmem::find(line, b"local cache import at ") {
            let rest = &line[at + 22..];
            let end = memchr::memmem::find(rest, b" not found").unwrap_or(rest.len());
            let error = memchr::memmem::find(rest, b"due to err: ")
                .map_or(&b"not found"[..], |at| &rest[at + 12..]);
            let source = (
                super::open::cut(&rest[..end]).to_vec(),
                super::open::cut(error.strip_suffix(b"\"").unwrap_or(error)).to_vec(),
            );
            let list = match open {
                Some(open) => &mut open.local_sources,
                None => &mut self.local_sources,
            };
            if list.len() < COMMANDS && !list.contains(&source) {
                list.push(source);
            }
        }
    }
}

/// Reads the lines that the build action prints after a build.
fn metadata(line: &[u8], group: Group, open: &mut Open) {
    let text = line.trim_ascii();
    match group {
        Group::Digest if text.starts_with(b"sha256:") && text.len() == 71 => open.result(5, text),
        Group::Metadata => {
            let Some((key, value)) = member(text) else {
                return;
            };
            match key {
                b"containerimage.digest" if value.starts_with(b"sha256:") => open.result(5, value),
                b"image.name" => {
                    for name in value.split(|byte| *byte == b',') {
                        open.image(name.trim_ascii());
                    }
                }
                b"revision" | b"vcs:revision" if is_revision(value) => {
                    open.revision = Some(value.to_vec())
                }
                _ => {}
            }
        }
        _ => {}
    }
}

/// Reads `"key": "value",`.
fn member(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let rest = text.strip_prefix(b"\"")?;
    let end = memchr::memchr(b'"', rest)?;
    let value = rest[end + 1..].strip_prefix(b": \"")?;
    let close = memchr::memchr(b'"', value)?;
    Some((&rest[..end], &value[..close]))
}

fn is_revision(text: &[u8]) -> bool {
    matches!(text.len(), 40 | 64) && text.iter().all(u8::is_ascii_hexdigit)
}

/// Reads the arguments of `docker build`, `docker buildx build` and the like; nothing for other commands.
fn command(line: &[u8]) -> Option<Command> {
    let mut words = line
        .split(|byte| matches!(byte, b' ' | b'\t'))
        .filter(|word| !word.is_empty());
    let program = words.next()?;
    if !matches!(program, b"docker" | b"docker.exe" | b"docker\"") {
        return None;
    }
    let mut verb = words.next()?;
    while matches!(verb, b"buildx" | b"image" | b"builder") || verb.starts_with(b"--") {
        verb = words.next()?;
    }
    if !matches!(verb, b"build" | b"b") {
        return None;
    }
    let mut found = Command::default();
    while let Some(word) = words.next() {
        let (option, value) = match word.iter().position(|byte| *byte == b'=') {
            Some(at) if word.starts_with(b"--") => (&word[..at], Some(&word[at + 1..])),
            _ => (word, None),
        };
        match option {
            b"-t" | b"--tag" => {
                let tag = unquoted(value.or_else(|| words.next())?);
                if !tag
                    .iter()
                    .any(|byte| matches!(byte, b'$' | b'{' | b'"' | b'\''))
                {
                    add(&mut found.tags, tag, COMMANDS);
                }
            }
            b"--label" | b"--build-arg" => {
                let value = unquoted(value.or_else(|| words.next())?);
                if let Some(at) = value.iter().position(|byte| *byte == b'=')
                    && is_revision(&value[at + 1..])
                    && names_revision(&value[..at])
                {
                    found.revision = Some(value[at + 1..].to_vec());
                }
            }
            b"&&" | b";" | b"||" | b"|" => break,
            _ if found.revision.is_none() => {
                // A build straight from a repository: `https://host/owner/name.git#REVISION`.
                if let Some(at) = memchr::memmem::find(word, b".git#") {
                    let hash = &word[at + 5..];
                    let hash = &hash[..hash
                        .iter()
                        .position(|byte| *byte == b':')
                        .unwrap_or(hash.len())];
                    if is_revision(hash) {
                        found.revision = Some(hash.to_vec());
                    }
                }
            }
            _ => {}
        }
    }
    Some(found)
}

fn names_revision(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name == b"org.opencontainers.image.revision"
        || [
            &b"revision"[..],
            b"commit",
            b"git_sha",
            b"github_sha",
            b"vcs_ref",
            b"git_hash",
            b"git_rev",
        ]
        .iter()
        .any(|part| memchr::memmem::find(&name, part).is_some())
}

fn unquoted(word: &[u8]) -> &[u8] {
    let quoted = |quote: &[u8]| {
        word.strip_prefix(quote)
            .and_then(|word| word.strip_suffix(quote))
    };
    quoted(b"\"").or_else(|| quoted(b"'")).unwrap_or(word)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(lines: &[&str]) -> Open {
        let mut hints = Hints::default();
        for line in lines {
            hints.hear(line.as_bytes(), None);
        }
        let mut open = Open::default();
        hints.give(&mut open);
        open
    }

    const HASH: &str = "c6bc9192477235443d6e4f6087a0037fb3636b5f";

    #[test]
    fn the_command_tells_tag_and_revision() {
        let open = given(&[&format!(
            "[command]/usr/bin/docker buildx build --cache-from type=gha --tag ghcr.io/a/b:1 --label org.opencontainers.image.revision={HASH} --push ."
        )]);
        assert_eq!(open.tags, [b"ghcr.io/a/b:1".to_vec()]);
        assert_eq!(open.revision.as_deref(), Some(HASH.as_bytes()));
        let open = given(&[&format!(
            "+ docker build -t a:1 -t \"b:2\" https://github.com/o/r.git#{HASH}"
        )]);
        assert_eq!(open.tags, [b"a:1".to_vec(), b"b:2".to_vec()]);
        assert_eq!(open.revision.as_deref(), Some(HASH.as_bytes()));
        assert!(given(&["docker build -t $IMAGE ."]).tags.is_empty());
        assert!(given(&["docker push -t x", "docker"]).tags.is_empty());
    }

    #[test]
    fn several_commands_of_one_script_meet_their_builds_in_order() {
        let mut hints = Hints::default();
        for line in [
            "##[group]Run docker build -t a .",
            "docker build -t a .",
            "docker build -t b .",
        ] {
            hints.hear(line.as_bytes(), None);
        }
        let mut tags = || {
            let mut open = Open::default();
            hints.give(&mut open);
            open.tags.concat()
        };
        assert_eq!(
            [tags(), tags(), tags()],
            [b"a".to_vec(), b"b".to_vec(), b"".to_vec()]
        );
    }

    #[test]
    fn the_checkout_and_the_metadata_tell_the_revision() {
        let open = given(&["[command]/usr/bin/git log -1 --format=%H", HASH]);
        assert_eq!(open.revision.as_deref(), Some(HASH.as_bytes()));
        let open = given(&[
            "[command]/usr/bin/git log -1 --format='%H'",
            &format!("'{HASH}'"),
        ]);
        assert_eq!(open.revision.as_deref(), Some(HASH.as_bytes()));
        assert_eq!(
            given(&["[command]/usr/bin/git log -1 --format=%H", "none"]).revision,
            None
        );
        let mut hints = Hints::default();
        let mut open = Open::default();
        for line in [
            "##[group]Metadata",
            "  \"containerimage.digest\": \"sha256:abc\",",
            "  \"image.name\": \"a:1,b:2\"",
            &format!("\"revision\": \"{HASH}\""),
        ] {
            hints.hear(line.as_bytes(), Some(&mut open));
        }
        assert_eq!(open.images, [b"a:1".to_vec(), b"b:2".to_vec()]);
        assert_eq!(open.digest, Some((5, b"sha256:abc".to_vec())));
        assert_eq!(open.revision.as_deref(), Some(HASH.as_bytes()));
    }

    #[test]
    fn a_local_cache_that_is_not_there_is_a_failed_source() {
        let open = given(&[
            "WARNING: local cache import at /tmp/.buildx-cache not found due to err: could not read /tmp/x",
        ]);
        assert_eq!(
            open.local_sources,
            [(
                b"/tmp/.buildx-cache".to_vec(),
                b"could not read /tmp/x".to_vec()
            )]
        );
        assert!(given(&["WARNING: No output specified with docker-container driver."]).no_output);
    }
}
