//! Lines that mean nothing, told by their first bytes: most of a long log.

use super::decode;
use super::stamp::{Stamp, clock_len, date_len};
use super::unwrap::{Unwrapped, gitlab_stream};

/// What most of the next lines begin with.
#[derive(Debug, Default)]
pub(super) struct Quick {
    pub mode: Mode,
    /// Bytes that are the same in every line: columns and the time down to the minute.
    head: Vec<u8>,
    /// How many bytes then differ: seconds and their fraction.
    varying: usize,
    /// Bytes that follow: the end of the time, and the number of the running vertex.
    tail: Vec<u8>,
    /// Where in the time the varying bytes stand, and the time of the last line.
    patch: usize,
    pub stamp: Option<Stamp>,
    /// Lines that were passed over since the lane was last told.
    pub passed: u64,
    /// Those of them that are blank, which are nobody's.
    pub blank: u64,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Every line is looked at.
    #[default]
    Off,
    /// A running vertex shows its output: such a line begins with its number and a time.
    Output,
    /// No build is under way: only a line that may begin one, or end a job, is looked at.
    Idle,
}

impl Quick {
    /// Learns the form of a line.
    pub(super) fn learn(&mut self, line: &[u8], found: &Unwrapped<'_>, number: Option<u32>) {
        let text_at = line.len() - found.text.len();
        self.head.clear();
        self.tail.clear();
        self.varying = 0;
        self.stamp = None;
        if let Some((at, time)) = found.time {
            // A line whose text is missing, and with it the blank before it, shows too little.
            if text_at <= at + time.len() {
                self.mode = Mode::Off;
                return;
            }
            let fixed = if date_len(time) == Some(time.len()) {
                17
            } else {
                6
            };
            let fixed = if fixed == 6 && clock_len(time) != Some(time.len()) {
                time.len()
            } else {
                fixed
            };
            let zone = time
                .iter()
                .rev()
                .take_while(|byte| !byte.is_ascii_digit())
                .count();
            let zone = if time[fixed.min(time.len())..]
                .iter()
                .any(|byte| matches!(byte, b'+' | b'-'))
            {
                6.min(time.len() - fixed)
            } else {
                zone
            };
            self.head.extend_from_slice(&line[..at + fixed]);
            self.varying = time.len() - fixed - zone.min(time.len() - fixed);
            self.patch = fixed;
            self.stamp = Stamp::new(time);
            self.tail
                .extend_from_slice(&line[at + fixed + self.varying..text_at]);
        } else {
            // Columns without the time that follows them are damaged: what they mean hangs on the text itself.
            if line[..text_at].contains(&b'\t') {
                self.mode = Mode::Off;
                return;
            }
            self.head.extend_from_slice(&line[..text_at]);
        }
        if let Some(number) = number {
            self.tail.push(b'#');
            self.tail.extend_from_slice(number.to_string().as_bytes());
            self.tail.push(b' ');
        }
    }

    /// Tells a line that changes nothing but the time.
    #[inline]
    pub(super) fn passes(&mut self, line: &[u8]) -> bool {
        let varying_end = self.head.len() + self.varying;
        let tail_end = varying_end + self.tail.len();
        if line.len() < tail_end
            || !decode::same(&line[..self.head.len()], &self.head)
            || !decode::same(&line[varying_end..tail_end], &self.tail)
        {
            return false;
        }
        // Seconds, a point, a fraction: anything else, as a time that lost its point, is for a closer look.
        let varying = &line[self.head.len()..varying_end];
        let fits = |(at, byte): (usize, &u8)| {
            (at == 2 && *byte == b'.') || (at != 2 && byte.is_ascii_digit())
        };
        if !varying.iter().enumerate().all(fits) {
            return false;
        }
        let rest = &line[tail_end..];
        match self.mode {
            Mode::Off => false,
            Mode::Output => {
                // A tab may stand between columns: two lines that were glued together are for a closer look.
                if !rest.first().is_some_and(u8::is_ascii_digit)
                    || memchr::memchr(b'\t', rest).is_some()
                {
                    return false;
                }
                if let Some(stamp) = &mut self.stamp {
                    stamp.patch(self.patch, varying);
                }
                true
            }
            Mode::Idle => {
                let dull = is_dull(rest);
                self.blank += u64::from(dull && rest.trim_ascii_start().is_empty());
                dull
            }
        }
    }
}

/// Tells a line that means nothing where no build is under way.
///
/// Such a line begins no build, starts no command that does, is of no other builder and ends no group of lines; and
/// it holds nothing that a wrapper of an unknown form may stand before.
fn is_dull(text: &[u8]) -> bool {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    let second = text.get(1).copied().unwrap_or(b'\n');
    let dull = match text.first() {
        None => return true,
        // `Step`, `STEP`, `Successfully`.
        Some(b'S') => !matches!(second, b't' | b'T' | b'u'),
        // `docker build`.
        Some(b'd') => second != b'o',
        // `INFO[0005]`.
        Some(b'I') => second != b'N',
        // `WARNING: local cache …`, `time="…" level=warning …`.
        Some(b'W') => second != b'A',
        Some(b't') => second != b'i',
        // `level=info msg=…`.
        Some(b'l') => second != b'e',
        Some(b'+' | b'$') => second != b' ',
        Some(b'-') => second != b'-',
        // Screens, members of a JSON object, compose's `image  Built`, commands of a script.
        Some(b' ') => {
            let inner = text.trim_ascii_start();
            !matches!(inner.first(), Some(b'=' | b'"'))
                && !inner.trim_ascii_end().ends_with(b" Built")
                && is_dull(inner)
        }
        // A time of day or a date.
        Some(b'0'..=b'9') => text.get(2) != Some(&b':') && text.get(4) != Some(&b'-'),
        // `[12/345] Compiling`, but not `[1/2] STEP 3/4`.
        Some(b'[') if second.is_ascii_digit() => {
            let digits = text[1..]
                .iter()
                .take_while(|byte| byte.is_ascii_digit())
                .count();
            text.get(1 + digits) == Some(&b'/') && memchr::memmem::find(text, b"] STEP ").is_none()
        }
        Some(
            b'#' | b'{' | b'"' | b'[' | b'=' | b'>' | b'^' | b':' | 0 | 0x1b | 0xef | 0xff | 0xfe,
        ) => false,
        Some(_) => second != 0,
    };
    dull && gitlab_stream(text).is_none()
        && memchr::memchr3(b'#', b'\t', 0x1b, text).is_none()
        // The classic builder's first step is looked for in the same pass as what is no end of a line.
        && memchr::memchr2_iter(b'\r', b'S', text)
            .all(|at| text[at] == b'S' && !text[at..].starts_with(b"Step 1/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_that_may_begin_something_are_looked_at() {
        for line in [
            "#1 [internal] load build definition",
            "##[group]Run x",
            "{\"vertexes\":[]}",
            "Step 1/3 : FROM x",
            "STEP 1/3: FROM x",
            "Successfully tagged x",
            "[+] Building 1.2s (1/2)",
            "[1/2] STEP 1/4: FROM x",
            "[2026-03-14T09:26:50Z] x",
            "[CI/build]   | x",
            " => [internal] load x 0.0s",
            " sem/app:1  Built",
            "INFO[0000] Retrieving image manifest x",
            "docker build .",
            "+ docker build .",
            "  docker build .",
            "WARNING: local cache import at x",
            "time=\"x\" level=warning",
            "09:26:50  x",
            "2026-03-14T09:26:50Z x",
            "build\tstep\t2026-03-14T09:26:50Z x",
            "web:docker: #1 [internal] load",
            "Mar 01 10:00:00 pi docker[123]: Step 1/12 : FROM a",
            "01O docker build -t x .",
            "\u{1b}[36mINFO",
            "\u{feff}x",
            "------",
        ] {
            assert!(!is_dull(line.as_bytes()), "{line}");
        }
        for line in [
            "",
            "compiling",
            "Downloading x",
            "[12/345] Building CXX object",
            "   Compiling x v1",
            "1234 packages",
            "error: no",
            "Setting up x",
        ] {
            assert!(is_dull(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn a_wrong_time_is_looked_at_where_no_build_is_under_way_too() {
        let line = |seconds: &str, text: &str| {
            format!("STEP 1/3: FROM x\tBuild\t2026-03-14T09:26:{seconds}Z {text}\n")
        };
        let log = [
            line("50.0000000", "with:"),
            line("50.1000000", "  push: true"),
            line("50.2000000", "  push: true"),
            line("5e.3000000", "  push: true"),
        ]
        .concat();
        let refused = |mut reader: super::super::BuildLog| {
            reader.feed(log.as_bytes());
            let _ = reader.finish(None);
            reader.reading().refused.clone()
        };
        let careful = refused(super::super::BuildLog::careful());
        assert_eq!(careful.len(), 1, "the wrong time leaves a line of podman");
        assert_eq!(refused(super::super::BuildLog::new()), careful);
    }

    #[test]
    fn columns_whose_time_is_damaged_teach_nothing() {
        let log = "#0 building with \"default\" instance using docker driver\n\n\
            #1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n\
            build\tBuild and push\t2026-03-14T09:26:52.1404577Z ##[endgroup]\n\
            build\tBuild and push\t2026-03-14T09:26:52.##[group]Run docker build -t x .1534063Z ##[group]Metadata\n\
            build\tBuild and push\t2020s done\n#1 DONE2026 0.0s\n";
        let unread = |mut reader: super::super::BuildLog| {
            reader.feed(log.as_bytes());
            reader.finish(None)[0].unread
        };
        let careful = unread(super::super::BuildLog::careful());
        assert_eq!(unread(super::super::BuildLog::new()), careful);
    }

    #[test]
    fn blank_lines_are_no_other_work() {
        let log = [
            "#0 building with \"default\" instance using docker driver\n\n\
             #1 [api internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n\
             #2 [assets 1/2] FROM a\n#2 DONE 0.0s\n\n#3 [api 1/2] FROM a\n#3 DONE 0.0s\n\n#4 [api 2/2] RUN b\n#4 CACHED\n\n\
             #5 [api] exporting to image\n#5 DONE 0.1s\n\ncompiling\n",
            &"\n".repeat(2000),
        ]
        .concat();
        let told = |mut reader: super::super::BuildLog| {
            reader.feed(log.as_bytes());
            reader
                .open()
                .into_iter()
                .map(|build| build.status)
                .collect::<Vec<_>>()
        };
        let careful = told(super::super::BuildLog::careful());
        assert_eq!(told(super::super::BuildLog::new()), careful);
    }

    #[test]
    fn a_time_that_lost_its_point_is_looked_at() {
        let line = |time: &str, text: &str| format!("2026-03-14T09:26:{time}Z {text}\n");
        let log = [
            line("50.0000000", "#1 [1/2] FROM a"),
            line("50.0000000", "#1 DONE 0.0s"),
            line("51.0000000", "#2 [2/2] RUN b"),
            line("51.1000000", "#2 0.1 x"),
            line("51.2000000", "#2 0.2 x"),
            line("5113000000", "#2 0.3 x"),
        ]
        .concat();
        let unread = |mut reader: super::super::BuildLog| {
            reader.feed(log.as_bytes());
            reader.finish(None)[0].unread
        };
        let careful = unread(super::super::BuildLog::careful());
        assert_eq!(unread(super::super::BuildLog::new()), careful);
    }
}
