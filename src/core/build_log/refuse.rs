//! Logs that look like builds and cannot be counted: moving screens, podman, kaniko; and files that are packed.

use super::model::Refused;

/// How packed files begin: gzip, zip, zstd, xz.
const PACKED: [&[u8]; 4] = [
    b"\x1f\x8b",
    b"PK\x03\x04",
    b"\x28\xb5\x2f\xfd",
    b"\xfd7zXZ\0",
];

/// Tells a source by its first line whose text is packed, as rotated logs and archives of CI runs are.
pub(super) fn is_packed(line: &[u8]) -> bool {
    PACKED.iter().any(|begin| line.starts_with(begin))
}

/// Tells a line of a log that is not counted.
///
/// `screen_lines` counts lines that only look like a copied screen; some of them must come together.
pub(super) fn refused(line: &[u8], screen_lines: &mut u8) -> Option<Refused> {
    match line.first()? {
        b'[' => {
            if is_screen_head(line) {
                return Some(Refused::Tty);
            }
            // `[1/2] STEP 3/14: RUN make`.
            let end = memchr::memchr(b']', &line[..line.len().min(12)])?;
            let places = line[1..end]
                .iter()
                .all(|byte| byte.is_ascii_digit() || *byte == b'/');
            (places && is_podman_step(line[end + 1..].trim_ascii_start()))
                .then_some(Refused::Podman)
        }
        b'S' => is_podman_step(line).then_some(Refused::Podman),
        b' ' | b'=' => {
            if !is_screen_line(line.trim_ascii()) {
                return None;
            }
            *screen_lines = screen_lines.saturating_add(1);
            (*screen_lines == 3).then_some(Refused::Tty)
        }
        b'I' | b't' | b'l' => is_kaniko(line).then_some(Refused::Kaniko),
        _ => None,
    }
}

/// `[+] Building 1.2s (12/19)`.
fn is_screen_head(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"[+] Building ") else {
        return false;
    };
    let digits = rest
        .iter()
        .take(12)
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'.')
        .count();
    digits > 0 && rest[digits..].starts_with(b"s (")
}

/// ` => CACHED [deps 2/4] WORKDIR /src      0.0s`.
fn is_screen_line(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"=> ") else {
        return false;
    };
    let Some(time) = rest
        .rsplit(|byte| *byte == b' ')
        .next()
        .and_then(|word| word.strip_suffix(b"s"))
    else {
        return false;
    };
    let timed = !time.is_empty()
        && time
            .iter()
            .all(|byte| byte.is_ascii_digit() || *byte == b'.');
    let word = [&b"CACHED "[..], b"ERROR ", b"CANCELED "]
        .iter()
        .find_map(|word| rest.strip_prefix(*word));
    timed && word.unwrap_or(rest).starts_with(b"[")
}

/// `STEP 3/14: RUN make`, `STEP 3: RUN make`.
fn is_podman_step(line: &[u8]) -> bool {
    let Some(rest) = line.strip_prefix(b"STEP ") else {
        return false;
    };
    let places = rest
        .iter()
        .take(9)
        .take_while(|byte| byte.is_ascii_digit() || **byte == b'/')
        .count();
    let Some(instruction) = rest[places..].strip_prefix(b": ") else {
        return false;
    };
    places > 0 && instruction.first().is_some_and(u8::is_ascii_uppercase)
}

/// `INFO[0005] Taking snapshot of full filesystem...`.
fn is_kaniko(line: &[u8]) -> bool {
    const WORDS: [&[u8]; 10] = [
        b"Retrieving image manifest",
        b"Resolved base name",
        b"Built cross stage deps",
        b"Executing 0 build triggers",
        b"Building stage ",
        b"Unpacking rootfs",
        b"Taking snapshot of",
        b"Using caching version of cmd",
        b"No cached layer found for cmd",
        b"Checking for cached layer",
    ];
    let text = match line.strip_prefix(b"INFO[") {
        Some(rest) => memchr::memchr(b']', &rest[..rest.len().min(12)])
            .map(|end| rest[end + 1..].trim_ascii_start()),
        // `time="…" level=info msg="Taking snapshot …"`.
        None => memchr::memmem::find(&line[..line.len().min(80)], b"level=info msg=\"")
            .map(|at| &line[at + 16..]),
    };
    let Some(text) = text else {
        return false;
    };
    WORDS.iter().any(|words| text.starts_with(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f20_forms_that_cannot_be_counted_are_known() {
        let once = |line: &str| refused(line.as_bytes(), &mut 0);
        assert_eq!(once("[+] Building 1.2s (12/19)"), Some(Refused::Tty));
        assert_eq!(
            once("[+] Building 12.3s (10/10) FINISHED          docker:default"),
            Some(Refused::Tty)
        );
        assert_eq!(once("STEP 3/14: RUN make"), Some(Refused::Podman));
        assert_eq!(once("STEP 3: RUN make"), Some(Refused::Podman));
        assert_eq!(
            once("[1/2] STEP 1/4: FROM x AS build"),
            Some(Refused::Podman)
        );
        assert_eq!(
            once("INFO[0005] Taking snapshot of full filesystem..."),
            Some(Refused::Kaniko)
        );
        for line in [
            "[+] Running 3/3",
            "[+] Building 1/1",
            "STEP 3",
            "STEP one: x",
            "STEP 3: done",
            "INFO[0005] listening on :80",
            "[1/2] Installing",
            " => [internal] load",
            "=> x",
            "[",
            "INFO[",
            "STEP ",
        ] {
            assert_eq!(once(line), None, "{line}");
        }
        let mut lines = 0;
        let line = b" => CACHED [deps 2/4] WORKDIR /src      0.0s";
        assert_eq!(
            [
                refused(line, &mut lines),
                refused(line, &mut lines),
                refused(line, &mut lines)
            ],
            [None, None, Some(Refused::Tty)]
        );
    }
}
