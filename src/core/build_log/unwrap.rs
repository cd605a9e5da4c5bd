//! What other programs put before the lines of a build: times, job and step columns, brackets, prefixes.
//!
//! Several may be nested. Each is taken off only where its form is certain; what is left is the builder's line.

use super::decode::without_mark;
use super::prefix::match_shape;
use super::stamp::{clock_len, date_len, epoch_len};

/// How many wrappers may be nested.
const DEPTH: usize = 6;
/// How far into a line a wrapper may reach.
pub(super) const REACH: usize = 240;

/// One line without its wrappers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unwrapped<'a> {
    /// Who speaks, where several speak in turns: the job, the branch, the service. Up to two nested names.
    pub lane: [&'a [u8]; 2],
    /// The step of the job.
    pub step: &'a [u8],
    /// The time and where in the line it stands.
    pub time: Option<(usize, &'a [u8])>,
    /// What the builder wrote, at the end of the line.
    pub text: &'a [u8],
    /// It was the first line of an error record, whose next line says where in a script that was.
    pub record: bool,
    /// Nothing but times and columns was taken off, so the next line can be told by the same bytes.
    pub simple: bool,
}

pub(super) fn bare(line: &[u8]) -> Unwrapped<'_> {
    Unwrapped {
        lane: [b"", b""],
        step: b"",
        time: None,
        text: line,
        record: false,
        simple: true,
    }
}

pub(super) fn take<'a>(line: &'a [u8], shapes: &'a [Box<[u8]>]) -> (Unwrapped<'a>, usize) {
    let mut found = bare(line);
    let mut taken = 0;
    while taken < DEPTH && peel(line.len(), &mut found, shapes) {
        taken += 1;
    }
    (found, taken)
}

/// Takes one wrapper off; tells whether there was one.
fn peel<'a>(whole: usize, found: &mut Unwrapped<'a>, shapes: &'a [Box<[u8]>]) -> bool {
    let rest = found.text;
    let Some(&first) = rest.first() else {
        return false;
    };
    if first == b'#' || first == b'{' {
        return false;
    }
    if first == 0xef && without_mark(rest).len() < rest.len() {
        found.text = without_mark(rest);
        return true;
    }
    if found.step.is_empty()
        && let Some((job, step, after)) = columns(rest)
    {
        add_lane(found, job);
        found.step = step;
        found.text = after;
        return true;
    }
    let peeled = match first {
        b'0'..=b'9' => time(whole, found),
        b'[' => bracket(whole, found),
        b'S' => cloud_build(found),
        b' ' | b'\t' | b'>' => indented(found),
        _ => powershell(found),
    };
    peeled || learned(whole, found, shapes)
}

/// The columns of `gh run view --log`: job, step, time and text.
fn columns(line: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let first = memchr::memchr(b'\t', line.get(..REACH.min(line.len()))?)?;
    let tail = &line[first + 1..];
    let second = memchr::memchr(b'\t', tail.get(..REACH.min(tail.len()))?)?;
    let rest = without_mark(&tail[second + 1..]);
    date_len(rest)?;
    Some((&line[..first], &tail[..second], rest))
}

fn time<'a>(whole: usize, found: &mut Unwrapped<'a>) -> bool {
    let rest = found.text;
    if let Some(len) = date_len(rest) {
        let after = match rest.get(len) {
            None => &rest[len..],
            Some(b' ' | b'\t') => &rest[len + 1..],
            Some(_) => return false,
        };
        found.time = Some((whole - rest.len(), &rest[..len]));
        found.text = gitlab_stream(after).unwrap_or(after);
        found.simple &= found.text.len() == after.len();
        return true;
    }
    if let Some(len) = clock_len(rest) {
        let spaces = rest[len..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        if spaces > 0 {
            found.time = Some((whole - rest.len(), &rest[..len]));
            found.text = &rest[len + spaces..];
            found.simple = false;
            return true;
        }
    }
    false
}

/// GitLab's stream marks after the time: `00O `, `01E+`.
pub(super) fn gitlab_stream(text: &[u8]) -> Option<&[u8]> {
    let mark = text.get(..4)?;
    let is_mark = mark[0].is_ascii_hexdigit()
        && mark[1].is_ascii_hexdigit()
        && matches!(mark[2], b'O' | b'E')
        && matches!(mark[3], b' ' | b'+');
    is_mark.then_some(&text[4..])
}

fn bracket<'a>(whole: usize, found: &mut Unwrapped<'a>) -> bool {
    let rest = found.text;
    // What is left of a colour whose escape byte was lost.
    let digits = rest[1..]
        .iter()
        .take(12)
        .take_while(|byte| byte.is_ascii_digit() || **byte == b';')
        .count();
    if rest.get(1 + digits) == Some(&b'm') {
        let text = &rest[2 + digits..];
        found.text = text
            .strip_suffix(b"[0m")
            .or_else(|| text.strip_suffix(b"[m"))
            .unwrap_or(text);
        found.simple = false;
        return true;
    }
    let Some(end) = memchr::memchr(b']', &rest[..REACH.min(rest.len())]) else {
        return false;
    };
    let inside = rest[1..end].trim_ascii();
    let after = &rest[end + 1..];
    if inside == b"command" || inside == b"+" {
        return false;
    }
    if date_len(inside) == Some(inside.len()) || clock_len(inside) == Some(inside.len()) {
        // TeamCity puts a letter or a blank, and a colon, behind the time.
        let colon = trim_start(after);
        let after = if colon.starts_with(b":") {
            colon
        } else {
            after
        };
        let letters = after
            .iter()
            .take_while(|byte| byte.is_ascii_alphabetic())
            .count();
        let after = if letters <= 1 && after.get(letters) == Some(&b':') {
            &after[letters + 1..]
        } else {
            after
        };
        found.time = Some((whole - rest.len() + 1, inside));
        found.text = trim_start(after);
        found.simple = false;
        return true;
    }
    if inside
        .strip_suffix(b" ms")
        .is_some_and(|number| number.iter().all(u8::is_ascii_digit))
    {
        found.text = trim_start(after);
        found.simple = false;
        return true;
    }
    let text = trim_start(after);
    // TeamCity's step of a build: `[Step 1/2] text`.
    let count = |byte: &u8| byte.is_ascii_digit() || *byte == b'/';
    if inside
        .strip_prefix(b"Step ")
        .is_some_and(|step| step.iter().all(count))
    {
        found.text = after.strip_prefix(b" ").unwrap_or(after);
        found.simple = false;
        return true;
    }
    // act: `[workflow/job]   | text`, and its own lines: `[workflow/job] ⭐ Run Main docker build`.
    if let Some(text) = text.strip_prefix(b"|") {
        add_lane(found, inside);
        found.text = text.strip_prefix(b" ").unwrap_or(text);
        found.simple = false;
        return true;
    }
    let speaks = is_vertex_line(text)
        || text.starts_with(b"ERROR: ")
        || text == b"------"
        || (inside.contains(&b'/') && text.first().is_some_and(|byte| *byte >= 0x80));
    if after.first() == Some(&b' ') && speaks && !inside.is_empty() {
        // Drone: `[name:L12:3s]`.
        let name = inside
            .iter()
            .position(|byte| *byte == b':')
            .map_or(inside, |colon| &inside[..colon]);
        add_lane(found, name);
        found.text = text;
        found.simple = false;
        return true;
    }
    false
}

/// Cloud Build: `Step #0: text`, `Step #0 - "name": text`.
fn cloud_build(found: &mut Unwrapped<'_>) -> bool {
    let rest = found.text;
    let Some(after) = rest.strip_prefix(b"Step #") else {
        return false;
    };
    let digits = after
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let named = &after[digits..];
    let name = match named.strip_prefix(b" - \"") {
        Some(quoted) => match memchr::memchr(b'"', quoted) {
            Some(end) => 4 + end + 1,
            None => return false,
        },
        None => 0,
    };
    let Some(text) = named[name..].strip_prefix(b":") else {
        return false;
    };
    if digits == 0 {
        return false;
    }
    let len = rest.len() - text.len() - 1;
    add_lane(found, &rest[..len]);
    found.text = text.strip_prefix(b" ").unwrap_or(text);
    found.simple = false;
    true
}

/// Indented or quoted lines: a lane of their own, so that a quotation cannot disturb the build it quotes.
fn indented(found: &mut Unwrapped<'_>) -> bool {
    let rest = found.text;
    let len = rest
        .iter()
        .take(40)
        .take_while(|byte| matches!(byte, b' ' | b'\t' | b'>'))
        .count();
    if !is_vertex_line(&rest[len..]) && date_len(&rest[len..]).is_none() {
        return false;
    }
    add_lane(found, &rest[..len]);
    found.text = &rest[len..];
    found.simple = false;
    true
}

/// The first line of a PowerShell error record: `docker : #0 building with …`.
fn powershell(found: &mut Unwrapped<'_>) -> bool {
    let rest = found.text;
    let word = |byte: &&u8| {
        byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_' | b'\\' | b'/')
    };
    let len = rest.iter().take(80).take_while(word).count();
    let Some(text) = rest[len..].strip_prefix(b" : ") else {
        return false;
    };
    if len == 0
        || !(is_vertex_line(text)
            || text.starts_with(b"ERROR: ")
            || text.starts_with(b"failed to "))
    {
        return false;
    }
    found.text = text;
    found.record = true;
    found.simple = false;
    true
}

fn learned<'a>(whole: usize, found: &mut Unwrapped<'a>, shapes: &'a [Box<[u8]>]) -> bool {
    for shape in shapes {
        if let Some(len) = match_shape(shape, found.text) {
            let speaker = speaker(&found.text[..len]).unwrap_or(shape);
            add_lane(found, speaker);
            if found.time.is_none() {
                let at = whole - found.text.len();
                found.time =
                    time_within(&found.text[..len]).map(|(inside, time)| (at + inside, time));
            }
            found.text = &found.text[len..];
            found.simple = false;
            return true;
        }
    }
    false
}

/// Finds who speaks in a prefix: the longest part of it whose words begin with letters, as times and counts do not.
///
/// The digits in it tell `web-1` from `web-2`; a word with `=`, `+` or a colon before a digit
/// may hold a count or a time.
fn speaker(prefix: &[u8]) -> Option<&[u8]> {
    const DATES: [&[u8]; 19] = [
        b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov",
        b"Dec", b"Mon", b"Tue", b"Wed", b"Thu", b"Fri", b"Sat", b"Sun",
    ];
    let mut best: &[u8] = b"";
    let mut from = 0;
    let mut at = 0;
    let mut named = false;
    while at < prefix.len() {
        let word = prefix[at..]
            .iter()
            .take_while(|byte| !matches!(byte, b' ' | b'\t'))
            .count();
        let blanks = prefix[at + word..]
            .iter()
            .take_while(|byte| matches!(byte, b' ' | b'\t'))
            .count();
        let text = &prefix[at..at + word];
        let first = text.iter().find(|byte| byte.is_ascii_alphanumeric());
        let other = first.is_some_and(u8::is_ascii_digit)
            || text.iter().any(|byte| matches!(byte, b'=' | b'+'))
            || text
                .windows(2)
                .any(|pair| pair[0] == b':' && pair[1].is_ascii_digit())
            || DATES.contains(&text.trim_ascii_end());
        at += word + blanks;
        if other {
            (from, named) = (at, false);
            continue;
        }
        named |= first.is_some();
        if named && at - from > best.len() {
            best = &prefix[from..at];
        }
    }
    (!best.is_empty()).then_some(best)
}

/// Finds the time in a prefix of an unknown form: a date, else a time of day, else seconds since 1970.
fn time_within(prefix: &[u8]) -> Option<(usize, &[u8])> {
    let begins = |at: usize| at == 0 || matches!(prefix[at - 1], b' ' | b'\t' | b'[' | b'|');
    let find = |length: fn(&[u8]) -> Option<usize>| {
        let mut places = (0..prefix.len()).filter(|at| begins(*at));
        places.find_map(|at| Some((at, &prefix[at..at + length(&prefix[at..])?])))
    };
    find(date_len)
        .or_else(|| find(clock_len))
        .or_else(|| find(epoch_len))
}

fn add_lane<'a>(found: &mut Unwrapped<'a>, name: &'a [u8]) {
    let place = usize::from(!found.lane[0].is_empty());
    found.lane[place] = name;
}

/// Tells `#12 ` at the beginning.
pub(super) fn is_vertex_line(text: &[u8]) -> bool {
    let Some(after) = text.strip_prefix(b"#") else {
        return false;
    };
    let digits = after
        .iter()
        .take(7)
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    digits > 0 && matches!(after.get(digits), Some(b' ') | None)
}

fn trim_start(text: &[u8]) -> &[u8] {
    let len = text
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    &text[len..]
}

#[cfg(test)]
mod tests {
    use crate::core::build_log::prefix::Unwrapper;

    fn unwrapped(line: &str) -> (String, String, Option<String>, String) {
        let mut unwrapper = Unwrapper::default();
        unwrapper.learn(line.as_bytes());
        let found = unwrapper.unwrap(line.as_bytes());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let lane = found.lane.map(text).join("+");
        (
            lane,
            text(found.step),
            found.time.map(|(_, time)| text(time)),
            text(found.text),
        )
    }

    #[test]
    fn f18_every_known_wrapping_is_taken_off() {
        let table = [
            (
                "2026-03-14T09:26:50.0150247Z #1 DONE 0.0s",
                "+",
                "2026-03-14T09:26:50.0150247Z",
                "#1 DONE 0.0s",
            ),
            (
                "2026-03-14T09:26:50.0150247Z",
                "+",
                "2026-03-14T09:26:50.0150247Z",
                "",
            ),
            (
                "\u{feff}2026-03-14T09:26:50.0150247Z #1 DONE",
                "+",
                "2026-03-14T09:26:50.0150247Z",
                "#1 DONE",
            ),
            (
                "build (amd64, 1)\tUNKNOWN STEP\t\u{feff}2026-03-14T09:26:50Z #1 DONE",
                "build (amd64, 1)+",
                "2026-03-14T09:26:50Z",
                "#1 DONE",
            ),
            (
                "2026-03-14T09:26:50.015024Z 00O #1 DONE",
                "+",
                "2026-03-14T09:26:50.015024Z",
                "#1 DONE",
            ),
            (
                "2026-03-14T09:26:50.015024Z 01E+#1 DONE",
                "+",
                "2026-03-14T09:26:50.015024Z",
                "#1 DONE",
            ),
            (
                "[2026-03-14T09:26:50.015Z] #1 DONE",
                "+",
                "2026-03-14T09:26:50.015Z",
                "#1 DONE",
            ),
            (
                "[09:26:50]W:\t [Build image] #1 DONE",
                "Build image+",
                "09:26:50",
                "#1 DONE",
            ),
            ("09:26:50  #1 DONE", "+", "09:26:50", "#1 DONE"),
            ("[CI/build ]   | #1 DONE", "CI/build+", "", "#1 DONE"),
            ("[CI/build ]   | ", "CI/build+", "", ""),
            (
                "[S16 CI - x/Image  ] ⭐ Run Main docker build",
                "S16 CI - x/Image+",
                "",
                "⭐ Run Main docker build",
            ),
            ("Step #0: #1 DONE", "Step #0+", "", "#1 DONE"),
            (
                "Step #2 - \"build image\": #1 DONE",
                "Step #2 - \"build image\"+",
                "",
                "#1 DONE",
            ),
            ("[1234 ms] #1 DONE", "+", "", "#1 DONE"),
            ("[build:L12:3s] #1 DONE", "build+", "", "#1 DONE"),
            (
                "[36m#1 [internal] load x[0m",
                "+",
                "",
                "#1 [internal] load x",
            ),
            (
                "docker : #0 building with \"default\"",
                "+",
                "",
                "#0 building with \"default\"",
            ),
            (
                "docker.exe : #1 [internal] load build definition",
                "+",
                "",
                "#1 [internal] load build definition",
            ),
            ("    #1 DONE", "    +", "", "#1 DONE"),
            (
                "web:docker: #1 [internal] load build definition from x",
                "web:docker: +",
                "",
                "#1 [internal] load build definition from x",
            ),
            (
                "Mar 14 09:26:50 nas docker[12]: #1 [api internal] load build definition",
                "nas docker[12]: +",
                "09:26:50",
                "#1 [api internal] load build definition",
            ),
            (
                "00:32:45 | DEBUG | #0 building with \"default\" instance",
                "| DEBUG | +",
                "00:32:45",
                "#0 building with \"default\" instance",
            ),
            (
                "2026-03-14T09:26:50Z [CI/a]   | x | #1 [internal] load metadata for y",
                "CI/a+x | ",
                "2026-03-14T09:26:50Z",
                "#1 [internal] load metadata for y",
            ),
        ];
        for (line, lane, time, text) in table {
            let found = unwrapped(line);
            assert_eq!(
                (
                    found.0.as_str(),
                    found.2.as_deref().unwrap_or(""),
                    found.3.as_str()
                ),
                (lane, time, text),
                "{line}"
            );
        }
        assert_eq!(
            unwrapped("a\tUNKNOWN STEP\t2026-03-14T09:26:50Z x").1,
            "UNKNOWN STEP"
        );
    }

    #[test]
    fn what_only_looks_like_a_wrapping_stays() {
        for line in [
            "#1 [internal] load build definition",
            "[+] Building 1.2s (3/4)",
            "[command]/usr/bin/docker buildx build .",
            "[1/2] STEP 1/4: FROM x",
            "Step 1/8 : FROM x",
            "echo \"#1 [internal] load build definition\"",
            "    + CategoryInfo          : NotSpecified: (#0 building with \"default\" instance:String) []",
            "api-1  | #0 /app/index.php(12): run()",
            "12:30 #1 DONE",
            "",
        ] {
            let found = unwrapped(line);
            assert_eq!(found.3, line);
        }
    }
}
