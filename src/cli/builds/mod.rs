//! `builds`: cache statistics of sources (`list`), and of logs that are read as a stream (`builds parse`).

mod json;
pub mod list;
mod text;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use serde_json::{Value, json};

use super::arguments::BuildsCommand;
use super::exit::Exit;
use super::output::{Failed, Output};
use crate::core::age;
use crate::core::build_log::{Build, BuildLog, Reading, Refused};
use crate::core::builds::repository;
use crate::core::text::{clean, clean_within};

pub use self::json::to_json;
use self::text::describe;

/// How much of a log is read at a time.
const PORTION: usize = 256 << 10;

/// A log to read, or why it cannot be opened.
pub struct Input {
    /// What it is called in the answer: its path, or `-`.
    pub source: String,
    pub reader: io::Result<Box<dyn Read>>,
}

/// Runs `builds parse`.
pub fn run(command: &BuildsCommand, output: &mut Output<'_>) -> Result<Exit, Failed> {
    let BuildsCommand::Parse { files, json } = command;
    let mut exit = Exit::Done;
    output.stream(|out| {
        exit = parse(files.iter().map(|file| open(file)), out, *json)?;
        Ok(())
    })?;
    Ok(exit)
}

fn open(file: &Path) -> Input {
    let reader: io::Result<Box<dyn Read>> = if file == Path::new("-") {
        Ok(Box::new(io::stdin()))
    } else {
        File::open(file).map(|file| Box::new(file) as Box<dyn Read>)
    };
    Input {
        source: file.to_string_lossy().into_owned(),
        reader,
    }
}

/// Reads the logs and writes what they say; returns how it went.
///
/// Nothing is held but the build under way, so logs may be of any size and may still be written.
pub fn parse(
    inputs: impl IntoIterator<Item = Input>,
    out: &mut dyn Write,
    json: bool,
) -> io::Result<Exit> {
    let mut answer = Answer {
        out,
        json,
        builds: 0,
        refused: Vec::new(),
        sources: Vec::new(),
    };
    if json {
        answer.out.write_all(b"{\"schema\":1,\"builds\":[")?;
    }
    let mut status = Exit::Done;
    for input in inputs {
        status = worse(status, read(input, &mut answer)?);
    }
    answer.finish()?;
    Ok(status)
}

/// Returns what a build is called where no configuration names it: image, targets, job, else the log itself.
pub fn name(build: &Build, source: &str) -> String {
    if let Some(image) = build.image() {
        return repository(image).to_string();
    }
    if !build.targets.is_empty() {
        return build.targets.join("+");
    }
    if let Some(job) = &build.job {
        return job.clone();
    }
    let file = source.rsplit(['/', '\\']).next().unwrap_or(source);
    file.strip_suffix(".log")
        .or_else(|| file.strip_suffix(".txt"))
        .unwrap_or(file)
        .to_string()
}

/// What is being written.
struct Answer<'a> {
    out: &'a mut dyn Write,
    json: bool,
    builds: usize,
    refused: Vec<(String, String, String)>,
    sources: Vec<(String, usize, Reading)>,
}

fn read(input: Input, answer: &mut Answer<'_>) -> io::Result<Exit> {
    let Input { source, reader } = input;
    let mut reader = match reader {
        Ok(reader) => reader,
        Err(error) => return answer.unreadable(&source, "cannot be opened", &error),
    };
    let mut log = BuildLog::new();
    let mut portion = vec![0; PORTION];
    let mut number = 0;
    let mut status = Exit::Done;
    loop {
        match reader.read(&mut portion) {
            Ok(0) => break,
            Ok(len) => {
                log.feed(&portion[..len]);
                answer.builds(&log.take(), &source, &mut number)?;
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                status = answer.unreadable(&source, "cannot be read to its end", &error)?;
                break;
            }
        }
    }
    answer.builds(&log.finish(None), &source, &mut number)?;
    for refused in log.reading().refused.clone() {
        status = worse(status, answer.refused(&source, refused)?);
    }
    answer.source(source, number, log.reading().clone())?;
    Ok(status)
}

/// Returns the worse of two ends: a log that cannot be read weighs more than one that is refused.
fn worse(one: Exit, other: Exit) -> Exit {
    let weight = |exit: Exit| match exit {
        Exit::Done => 0,
        Exit::Unknown => 1,
        _ => 2,
    };
    if weight(one) >= weight(other) {
        one
    } else {
        other
    }
}

impl Answer<'_> {
    fn builds(&mut self, builds: &[Build], source: &str, number: &mut usize) -> io::Result<()> {
        for build in builds {
            *number += 1;
            let id = format!("{source}#{number}");
            let name = name(build, source);
            if self.json {
                if self.builds > 0 {
                    self.out.write_all(b",")?;
                }
                self.out.write_all(b"\n")?;
                serde_json::to_writer(&mut *self.out, &to_json(build, &name, source, &id))?;
            } else {
                describe(build, &name, &id, self.out)?;
            }
            self.builds += 1;
        }
        Ok(())
    }

    fn refused(&mut self, source: &str, refused: Refused) -> io::Result<Exit> {
        self.refuse(source, refused.why(), refused.remedy())?;
        Ok(Exit::Unknown)
    }

    fn unreadable(&mut self, source: &str, what: &str, error: &io::Error) -> io::Result<Exit> {
        self.refuse(
            source,
            &format!("{what}: {error}"),
            "check the path and who may read it",
        )?;
        Ok(Exit::Usage)
    }

    fn refuse(&mut self, source: &str, why: &str, remedy: &str) -> io::Result<()> {
        if self.json {
            self.refused
                .push((source.to_string(), why.to_string(), remedy.to_string()));
            return Ok(());
        }
        writeln!(
            self.out,
            "{}: refused: {}\n  try: {remedy}",
            clean(source),
            clean(why)
        )
    }

    fn source(&mut self, source: String, builds: usize, reading: Reading) -> io::Result<()> {
        if self.json {
            self.sources.push((source, builds, reading));
            return Ok(());
        }
        if builds == 0 && reading.refused.is_empty() {
            let lines = age::count(usize::try_from(reading.lines).unwrap_or(usize::MAX), "line");
            writeln!(self.out, "{}: no build in {lines}", clean(&source))?;
        }
        if reading.unread > 0 || reading.cut > 0 {
            writeln!(
                self.out,
                "{}: {} inside builds not understood, {} too long",
                clean(&source),
                age::count(
                    usize::try_from(reading.unread).unwrap_or(usize::MAX),
                    "line"
                ),
                reading.cut
            )?;
            for line in &reading.sample {
                writeln!(self.out, "  | {}", clean_within(line, 120))?;
            }
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        if !self.json {
            return self.out.flush();
        }
        let refused: Vec<Value> = self
            .refused
            .iter()
            .map(|(source, why, remedy)| json!({"source": source, "why": why, "remedy": remedy}))
            .collect();
        let sources: Vec<Value> = self
            .sources
            .iter()
            .map(|(source, builds, of)| {
                json!({"source": source, "builds": builds, "bytes": of.bytes, "lines": of.lines, "unread": of.unread,
                    "too_long": of.cut, "sample": of.sample})
            })
            .collect();
        self.out.write_all(b"],\"refused\":")?;
        serde_json::to_writer(&mut *self.out, &refused)?;
        self.out.write_all(b",\"sources\":")?;
        serde_json::to_writer(&mut *self.out, &sources)?;
        self.out.write_all(b"}\n")?;
        self.out.flush()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::text::duration;
    use super::*;

    fn answer(logs: &[(&str, &str)], json: bool) -> (u8, String) {
        let inputs = logs.iter().map(|(source, text)| Input {
            source: (*source).to_string(),
            reader: Ok(Box::new(io::Cursor::new(text.as_bytes().to_vec())) as Box<dyn Read>),
        });
        let mut out = Vec::new();
        let status = parse(inputs.collect::<Vec<_>>(), &mut out, json).unwrap();
        (status.code(), String::from_utf8(out).unwrap())
    }

    const LOG: &str = "#1 [internal] load build definition from Dockerfile\n#1 DONE 0.0s\n\n\
        #2 [1/3] FROM docker.io/library/alpine\n#2 DONE 0.1s\n\n#3 [2/3] RUN a\n#3 CACHED\n\n\
        #4 [3/3] RUN b\n#4 0.1 x\n#4 DONE 2.5s\n\n#5 exporting to image\n#5 naming to docker.io/library/app:1 done\n#5 DONE 0.1s\n";

    #[test]
    fn json_is_one_document_of_the_contracts_shape() {
        let (status, text) = answer(&[("a/b.log", LOG), ("-", "nothing here\n")], true);
        assert_eq!(status, 0);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["schema"], 1);
        assert_eq!(value["refused"], json!([]));
        let builds = value["builds"].as_array().unwrap();
        assert_eq!(builds.len(), 1);
        let build = &builds[0];
        let keys: Vec<&String> = build.as_object().unwrap().keys().collect();
        let contract = [
            "name",
            "source",
            "id",
            "status",
            "started",
            "seconds",
            "steps",
            "vertices",
            "hit_rate",
            "missed_seconds",
            "first_miss",
            "cache_sources",
            "image",
            "revision",
            "error",
        ];
        assert_eq!(keys[..contract.len()], contract);
        assert_eq!(build["name"], "app");
        assert_eq!(build["id"], "a/b.log#1");
        assert_eq!(build["image"], "docker.io/library/app:1");
        assert_eq!(
            build["steps"],
            json!({"total": 2, "cached": 1, "executed": 1, "failed": 0, "cancelled": 0})
        );
        assert_eq!(
            (
                build["vertices"]["total"].as_u64(),
                build["vertices"]["cached"].as_u64()
            ),
            (Some(5), Some(1))
        );
        assert_eq!(
            (&build["hit_rate"], &build["missed_seconds"]),
            (&json!(0.5), &json!(2.5))
        );
        assert_eq!(
            (&build["seconds"], &build["started"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(build["first_miss"], "[3/3] RUN b");
        assert_eq!(value["sources"][1]["builds"], 0);
    }

    #[test]
    fn f20_a_refused_log_is_told_with_its_remedy_and_exit_4() {
        let (status, text) = answer(
            &[
                (
                    "tty",
                    "[+] Building 1.2s (3/4)\n => [internal] load x   0.0s\n",
                ),
                ("ok", LOG),
            ],
            true,
        );
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, value["builds"].as_array().unwrap().len()), (4, 1));
        assert_eq!(value["refused"][0]["source"], "tty");
        assert!(
            value["refused"][0]["remedy"]
                .as_str()
                .unwrap()
                .contains("--progress=plain")
        );
        let (status, text) = answer(&[("tty", "[+] Building 1.2s (3/4)\n")], false);
        assert_eq!(status, 4);
        assert!(
            text.contains("tty: refused: ") && text.contains("try: build with --progress=plain"),
            "{text}"
        );
    }

    #[test]
    fn text_tells_rate_first_miss_and_what_could_not_be_read() {
        let (status, text) = answer(&[("b.log", LOG)], false);
        assert_eq!(status, 0);
        assert!(
            text.starts_with("app  succeeded  50 % hit (1 of 2 steps)  b.log#1\n"),
            "{text}"
        );
        assert!(
            text.contains("first miss  [3/3] RUN b") && text.contains("2.5 s in missed steps"),
            "{text}"
        );
        let broken = LOG.replace("#3 CACHED", "\u{1b}]0;evil\u{7}huh\u{202e}\n#3 CACHED");
        let (_, text) = answer(&[("b.log", &broken)], false);
        assert!(
            text.contains("1 line inside builds not understood") && text.contains("| huh?"),
            "{text}"
        );
        assert!(!text.contains('\u{1b}') && !text.contains('\u{202e}'));
        assert_eq!(
            answer(&[("x", "words\n")], false).1,
            "x: no build in 1 line\n"
        );
    }

    #[test]
    fn a_log_that_cannot_be_opened_is_told_and_the_others_are_read() {
        let inputs = vec![
            Input {
                source: "gone".into(),
                reader: Err(io::Error::from(io::ErrorKind::NotFound)),
            },
            Input {
                source: "b".into(),
                reader: Ok(Box::new(io::Cursor::new(LOG.as_bytes().to_vec()))),
            },
        ];
        let mut out = Vec::new();
        assert_eq!(parse(inputs, &mut out, true).unwrap(), Exit::Usage);
        let value: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(value["builds"].as_array().unwrap().len(), 1);
        assert!(
            value["refused"][0]["why"]
                .as_str()
                .unwrap()
                .starts_with("cannot be opened: ")
        );
    }

    #[test]
    fn names_come_from_what_is_told() {
        for (image, name) in [
            ("docker.io/library/app:1", "app"),
            ("ghcr.io/me/app:1", "ghcr.io/me/app"),
            ("registry.lan:5000/api", "registry.lan:5000/api"),
            ("registry.lan:5000/api:2@sha256:ab", "registry.lan:5000/api"),
            ("app", "app"),
        ] {
            assert_eq!(repository(image), name, "{image}");
        }
        assert_eq!(
            [duration(9.94), duration(754.2), duration(7300.0)],
            ["9.9 s", "12 min 34 s", "2 h 1 min"]
        );
    }
}
