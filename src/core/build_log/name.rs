//! The names of vertices: what kind of work it is, for which target, platform and stage.
//!
//! Does not know the build around the name: `[web 2/5]` may be the stage or the service `web`.

/// What a vertex does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A numbered instruction of the Dockerfile, other than FROM.
    Step,
    /// A base image.
    From,
    /// Work of the builder itself: the Dockerfile, the context, metadata.
    Internal,
    /// A token fetched from a registry.
    Auth,
    /// A named context.
    Context,
    /// A cache asked for layers.
    CacheImport,
    CacheExport,
    /// The result written, loaded or pushed.
    Export,
    Other,
}

/// The parts of a vertex name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name<'a> {
    pub kind: Kind,
    pub target: Option<&'a str>,
    /// As written: `linux/amd64`, or `linux/amd64->arm64` where one platform builds for another.
    pub platform: Option<&'a str>,
    pub stage: Option<&'a str>,
    /// The place of the instruction in its stage, and how many there are.
    pub place: Option<(u32, u32)>,
    /// What follows the bracket, or the whole name where there is none.
    pub instruction: &'a str,
}

impl Name<'_> {
    /// Returns the platform that the work is for, `os/arch[/variant]`.
    pub fn target_platform(&self) -> Option<String> {
        let platform = self.platform?;
        let Some((from, to)) = platform.split_once("->") else {
            return Some(platform.to_string());
        };
        if to.contains('/') && to.split('/').next().is_some_and(is_os) {
            return Some(to.to_string());
        }
        Some(format!("{}/{to}", from.split('/').next().unwrap_or(from)))
    }
}

/// Reads a vertex name.
pub fn parse(name: &str) -> Name<'_> {
    let bare = Name {
        kind: Kind::Other,
        target: None,
        platform: None,
        stage: None,
        place: None,
        instruction: name,
    };
    let Some((inside, rest)) = bracket(name) else {
        return Name {
            kind: plain_kind(name),
            ..bare
        };
    };
    let instruction = rest.trim_start();
    let mut tokens = [""; 4];
    let mut count = 0;
    for token in inside.split_ascii_whitespace() {
        if count == tokens.len() {
            return Name {
                kind: Kind::Other,
                instruction,
                ..bare
            };
        }
        tokens[count] = token;
        count += 1;
    }
    let tokens = &tokens[..count];
    let Some((&last, before)) = tokens.split_last() else {
        return Name {
            kind: Kind::Other,
            instruction,
            ..bare
        };
    };
    let place = place(last);
    let (kind, words) = if place.is_some() {
        (
            if is_from(instruction) {
                Kind::From
            } else {
                Kind::Step
            },
            before,
        )
    } else if last == "internal" && !(before.is_empty() && instruction.starts_with("exporting ")) {
        (Kind::Internal, before)
    } else if last == "auth" {
        (Kind::Auth, before)
    } else if let Some(at) = tokens.iter().position(|token| *token == "context") {
        (Kind::Context, &tokens[..at])
    } else if is_from(instruction) {
        (Kind::From, tokens)
    } else {
        (plain_kind(instruction), tokens)
    };
    let mut found = Name {
        kind,
        place,
        instruction,
        ..bare
    };
    let mut others = [""; 4];
    let mut other_count = 0;
    for word in words {
        if found.platform.is_none() && is_platform(word) {
            found.platform = Some(word);
        } else {
            others[other_count] = word;
            other_count += 1;
        }
    }
    match (&others[..other_count], place.is_some()) {
        ([target, stage, ..], _) => {
            found.target = Some(target);
            found.stage = Some(stage);
        }
        ([stage], true) => found.stage = Some(stage),
        ([target], false) => found.target = Some(target),
        ([], _) => {}
    }
    found
}

/// Tells whether a name in brackets is complete enough to be judged, for lines folded by a console.
pub(super) fn is_whole(name: &str) -> bool {
    if !name.starts_with('[') {
        let cut = name.starts_with("importing cache manifest") && cache_reference(name).is_none();
        return !name.is_empty() && !cut;
    }
    let Some((inside, rest)) = bracket(name) else {
        return false;
    };
    let numbered = inside
        .split_ascii_whitespace()
        .next_back()
        .is_some_and(|last| place(last).is_some());
    // Of an instruction at least the first word must be there: `FR` may be the beginning of FROM.
    let rest = rest.trim_start();
    !numbered || rest.contains(' ') || (rest.len() >= 4 && rest != "FROM")
}

/// Returns the reference of a cache import.
pub(super) fn cache_reference(name: &str) -> Option<&str> {
    let instruction = parse_bracketed(name);
    let reference = instruction
        .strip_prefix("importing cache manifest from ")?
        .trim();
    (!reference.is_empty()).then_some(reference)
}

/// Returns the reference of a base image.
pub(super) fn base_reference(name: &Name<'_>) -> Option<String> {
    let rest = name.instruction.get(4..)?.trim();
    let reference = rest.split_ascii_whitespace().next()?;
    Some(reference.to_string())
}

/// Splits `[inside] rest`.
fn bracket(name: &str) -> Option<(&str, &str)> {
    let after = name.strip_prefix('[')?;
    let end = memchr::memchr(b']', after.as_bytes())?;
    Some((&after[..end], &after[end + 1..]))
}

/// Tells work that only the build of a Dockerfile has.
pub(super) fn is_of_dockerfile(name: &Name<'_>) -> bool {
    const WORK: [&str; 4] = [
        "load build definition",
        "load remote build context",
        "load git source",
        "load metadata",
    ];
    match name.kind {
        Kind::Step | Kind::From => true,
        Kind::Internal => WORK.iter().any(|work| name.instruction.starts_with(work)),
        _ => false,
    }
}

fn parse_bracketed(name: &str) -> &str {
    match bracket(name) {
        Some((_, rest)) => rest.trim_start(),
        None => name,
    }
}

fn is_from(instruction: &str) -> bool {
    instruction == "FROM" || instruction.starts_with("FROM ")
}

fn plain_kind(name: &str) -> Kind {
    if name.starts_with("importing cache manifest") {
        Kind::CacheImport
    } else if name.starts_with("exporting cache")
        || name.starts_with("exporting to GitHub Actions Cache")
    {
        Kind::CacheExport
    } else if name.starts_with("exporting ") || name.starts_with("importing to ") || is_push(name) {
        Kind::Export
    } else {
        Kind::Other
    }
}

/// Tells `pushing ghcr.io/me/app with docker`, where the engine pushes after the build.
pub(super) fn is_push(name: &str) -> bool {
    name.starts_with("pushing ") && name.ends_with(" with docker")
}

/// Reads `4/12`; a number that a job hides (`***/12`) is taken for the other.
fn place(token: &str) -> Option<(u32, u32)> {
    let (at, of) = token.split_once('/')?;
    let number = |text: &str| match text {
        "" => None,
        text if text.len() <= 6 && text.bytes().all(|byte| byte.is_ascii_digit()) => {
            text.parse().ok().map(Some)
        }
        text if text.contains("***")
            && text
                .bytes()
                .all(|byte| byte.is_ascii_digit() || byte == b'*') =>
        {
            Some(None)
        }
        _ => None,
    };
    match (number(at)?, number(of)?) {
        (Some(at), Some(of)) => Some((at, of)),
        (known, other) => known
            .or(other)
            .or(Some(1))
            .map(|number: u32| (number, number)),
    }
}

fn is_os(word: &str) -> bool {
    matches!(
        word,
        "linux"
            | "windows"
            | "darwin"
            | "freebsd"
            | "netbsd"
            | "openbsd"
            | "solaris"
            | "illumos"
            | "android"
            | "dragonfly"
            | "plan9"
            | "aix"
            | "ios"
            | "js"
            | "wasi"
            | "wasip1"
    )
}

fn is_platform(word: &str) -> bool {
    word.split_once('/')
        .is_some_and(|(os, rest)| is_os(os) && !rest.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f13_kinds_are_told_apart() {
        let kind = |name| parse(name).kind;
        assert_eq!(kind("[ 4/12] COPY . ."), Kind::Step);
        assert_eq!(kind("[stage-0  9/17] RUN make"), Kind::Step);
        assert_eq!(kind("[1/3] FROM docker.io/library/alpine"), Kind::From);
        assert_eq!(kind("[svc] FROM docker.io/library/alpine"), Kind::From);
        assert_eq!(parse("[svc] FROM docker.io/library/alpine").place, None);
        assert_eq!(kind("[svc internal] load .dockerignore"), Kind::Internal);
        assert_eq!(
            kind("[linux/amd64 internal] load metadata for x"),
            Kind::Internal
        );
        assert_eq!(kind("[context base] OCI load from client"), Kind::Context);
        assert_eq!(
            kind("[web context base] load metadata for x"),
            Kind::Context
        );
        assert_eq!(
            kind("[auth] library/alpine:pull token for registry-1.docker.io"),
            Kind::Auth
        );
        assert_eq!(kind("[web] exporting to image"), Kind::Export);
        assert_eq!(kind("[internal] exporting to image"), Kind::Export);
        assert_eq!(kind("exporting to docker image format"), Kind::Export);
        assert_eq!(kind("importing to docker"), Kind::Export);
        assert_eq!(
            kind("exporting cache to GitHub Actions Cache"),
            Kind::CacheExport
        );
        assert_eq!(
            kind("[web] importing cache manifest from ghcr.io/a/b"),
            Kind::CacheImport
        );
        assert_eq!(
            kind("[linux/arm64] generating sbom using docker.io/x"),
            Kind::Other
        );
        assert_eq!(
            kind("docker-image://docker.io/docker/dockerfile:1"),
            Kind::Other
        );
        assert_eq!(kind("[a b c d e 1/2] RUN"), Kind::Other);
        assert_eq!(kind("[a 1/2 3/x] RUN"), Kind::Other);
        // A job hides whatever looks like a secret.
        assert_eq!(parse("[deps ***/6] RUN x").place, Some((6, 6)));
        assert_eq!(kind("[deps 1***/***] RUN x"), Kind::Step);
    }

    #[test]
    fn target_platform_stage_and_place_are_told() {
        let name = parse("[web linux/amd64->arm64 build 2/10] RUN make");
        assert_eq!(name.target, Some("web"));
        assert_eq!(name.platform, Some("linux/amd64->arm64"));
        assert_eq!(name.target_platform().as_deref(), Some("linux/arm64"));
        assert_eq!(name.stage, Some("build"));
        assert_eq!(name.place, Some((2, 10)));
        assert_eq!(name.instruction, "RUN make");
        let name = parse("[linux/arm/v7 1/2] COPY a b");
        assert_eq!(name.target_platform().as_deref(), Some("linux/arm/v7"));
        assert_eq!((name.stage, name.target), (None, None));
        assert_eq!(
            parse("[linux/amd64->linux/arm64 1/2] RUN")
                .target_platform()
                .as_deref(),
            Some("linux/arm64")
        );
    }

    #[test]
    fn f9_a_name_cut_by_a_console_is_seen_as_cut() {
        for cut in [
            "[frontend-builder",
            "[frontend-builder 4/",
            "[1/9] FROM",
            "[1/9] FR",
            "[1/9]",
            "",
            "importing cache manifest from",
        ] {
            assert!(!is_whole(cut), "{cut}");
        }
        for whole in [
            "[1/9] RUN x",
            "[1/9] FROM a",
            "[internal] load",
            "exporting to image",
            "[2/2] WORKDIR",
        ] {
            assert!(is_whole(whole), "{whole}");
        }
    }
}
