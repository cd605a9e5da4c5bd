//! From what was heard of a build to its figures and its end.

use super::decode::text;
use super::model::Status;
use super::model::{
    Base, Build, CacheSource, Format, PlatformSteps, Step, StepState, Steps, Vertices,
};
use super::name::{self, Kind, Name};
use super::open::{End, Evidence, Open, Vertex};
use super::stamp::{self, Moment};
use super::tail::{KILLED, TERMINATED, is_cancel};

/// How many targets, platforms and base images of one build are told apart.
const TARGETS: usize = 64;
const TEXT: usize = 4096;

/// What stands around a build when it is judged.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Around<'a> {
    /// The lane that it was heard in.
    pub job: &'a [u8],
    /// Something else follows, so no more can come.
    pub over: bool,
    /// The exit status of the command, where it is known.
    pub exit: Option<i32>,
}

/// Works the figures out.
pub(super) fn build(open: &Open, around: Around<'_>) -> Build {
    let names: Vec<String> = open
        .vertices
        .iter()
        .map(|vertex| text(open.text(vertex.name), TEXT))
        .collect();
    let parsed: Vec<Name<'_>> = names.iter().map(|name| parse(open.format, name)).collect();
    let facts = Facts::new(open, &parsed);
    let (status, error) = facts.end(around);
    let mut found = Build {
        status,
        format: open.format,
        job: job(around.job),
        line: open.line,
        images: images(open),
        digest: open.digest.as_ref().map(|(_, digest)| text(digest, 100)),
        revision: open
            .revision
            .as_ref()
            .map(|revision| text(revision, 100))
            .or_else(|| source_revision(&parsed)),
        warnings: open.warnings,
        warning_list: open
            .warning_list
            .iter()
            .map(|warning| text(warning, TEXT))
            .collect(),
        error,
        head_missing: open.format != Format::Rawjson && open.find(1).is_none(),
        interleaved: open.interleaved,
        unread: open.unread,
        unread_sample: open.samples.iter().map(|line| text(line, 200)).collect(),
        ..Build::begun(None)
    };
    times(open, &mut found);
    bytes(open, &parsed, &mut found);
    steps(open, &names, &parsed, &mut found);
    sources(open, &names, &parsed, &mut found);
    if open.format != Format::Classic {
        let count = |wanted: fn(&Vertex) -> bool| {
            open.vertices.iter().filter(|vertex| wanted(vertex)).count()
        };
        found.vertices = Some(Vertices {
            total: open.vertices.len(),
            cached: count(|vertex| vertex.cached),
            failed: count(|vertex| vertex.end == End::Error),
            cancelled: count(|vertex| vertex.end == End::Cancelled),
        });
    }
    found.first_miss = first_miss(&found.step_list);
    found.why_missed = why_missed(&found);
    found
}

/// Returns the name of the speaker, without what parts it from its words; a mere time is no name.
fn job(lane: &[u8]) -> Option<String> {
    let mut name = lane;
    while let [b' ' | b'|', rest @ ..] | [rest @ .., b' ' | b'|' | b':'] = name {
        name = rest;
    }
    let timed = memchr::memmem::find(name, b"0:0").is_some();
    (!name.is_empty() && !timed && name != b">").then(|| text(name, 200))
}

/// Returns the revision of a context that is a repository: `load git source https://host/name.git#REVISION`.
fn source_revision(parsed: &[Name<'_>]) -> Option<String> {
    parsed
        .iter()
        .filter(|name| name.kind == Kind::Internal)
        .find_map(|name| {
            let (_, revision) = name
                .instruction
                .strip_prefix("load git source ")?
                .rsplit_once('#')?;
            let revision = revision.split(':').next()?;
            let is_hash = matches!(revision.len(), 40 | 64)
                && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
            is_hash.then(|| revision.to_string())
        })
}

/// Reads a name; the classic builder's have no brackets.
fn parse(format: Format, name: &str) -> Name<'_> {
    let mut parsed = name::parse(name);
    if format == Format::Classic {
        parsed.instruction = name;
        parsed.kind = if name.len() >= 5 && name.as_bytes()[..5].eq_ignore_ascii_case(b"FROM ") {
            Kind::From
        } else {
            Kind::Step
        };
    }
    parsed
}

fn times(open: &Open, found: &mut Build) {
    let Some(first) = open.first.as_ref().and_then(stamp::Stamp::moment) else {
        return;
    };
    if let Moment::Absolute(started) = first {
        found.started = Some(started);
    }
    found.seconds = open
        .last
        .as_ref()
        .and_then(stamp::Stamp::moment)
        .and_then(|last| stamp::between(first, last));
}

fn bytes(open: &Open, parsed: &[Name<'_>], found: &mut Build) {
    for pull in &open.pulls {
        let Some(name) = parsed.get(pull.vertex as usize) else {
            continue;
        };
        match name.kind {
            _ if pull.push => *found.pushed.get_or_insert(0) += pull.bytes,
            Kind::From => found.fetched_base += pull.bytes,
            Kind::Step => found.fetched_cache += pull.bytes,
            Kind::Export | Kind::CacheExport => *found.pushed.get_or_insert(0) += pull.bytes,
            _ => {}
        }
    }
}

/// Returns the bytes fetched for each vertex.
fn fetched(open: &Open) -> Vec<u64> {
    let mut fetched = vec![0; open.vertices.len()];
    for pull in open.pulls.iter().filter(|pull| !pull.push) {
        if let Some(sum) = fetched.get_mut(pull.vertex as usize) {
            *sum += pull.bytes;
        }
    }
    fetched
}

fn steps(open: &Open, names: &[String], parsed: &[Name<'_>], found: &mut Build) {
    let fetched = fetched(open);
    let mut missed = 0.0;
    let mut before_from = true;
    let from_the_start = open.format == Format::Classic
        && open.vertices.first().is_some_and(|first| first.number == 1);
    for (at, (vertex, name)) in open.vertices.iter().zip(parsed).enumerate() {
        if let Some(target) = name.target
            && found.targets.len() < TARGETS
            && !found.targets.iter().any(|known| known == target)
        {
            found.targets.push(target.to_string());
        }
        before_from &= name.kind != Kind::From;
        if name.kind == Kind::From {
            if let Some(reference) = name::base_reference(name) {
                add_base(found, reference, fetched[at]);
            }
            continue;
        }
        // The classic builder also numbers the ARGs before the first FROM, which no cache can hit; where the log's
        // beginning is lost, what was before is not known.
        if name.kind != Kind::Step || (from_the_start && before_from) {
            continue;
        }
        let state = state(vertex);
        count(&mut found.steps, vertex);
        if let Some(platform) = name.target_platform() {
            let room = found.platforms.len() < TARGETS;
            match found
                .platforms
                .iter_mut()
                .find(|known| known.platform == platform)
            {
                Some(known) => count(&mut known.steps, vertex),
                None if room => {
                    let mut steps = Steps::default();
                    count(&mut steps, vertex);
                    found.platforms.push(PlatformSteps { platform, steps });
                }
                None => {}
            }
        }
        if state == StepState::Executed && vertex.seconds > 0.0 {
            missed += vertex.seconds;
        }
        found.step_list.push(Step {
            number: vertex.number,
            name: names[at].clone(),
            state,
            ran: vertex.ran,
            seconds: (vertex.seconds >= 0.0).then_some(vertex.seconds),
            fetched: fetched[at],
        });
    }
    found.step_list.sort_by_key(|step| step.number);
    if open.format != Format::Classic {
        // Tenths of seconds are all that plain logs tell; sums of them carry noise.
        found.missed_seconds = Some((missed * 1000.0).round() / 1000.0);
    }
}

fn add_base(found: &mut Build, reference: String, fetched: u64) {
    let room = found.bases.len() < TARGETS;
    match found
        .bases
        .iter_mut()
        .find(|base| base.reference == reference)
    {
        Some(base) => base.fetched += fetched,
        None if room => found.bases.push(Base { reference, fetched }),
        None => {}
    }
}

fn state(vertex: &Vertex) -> StepState {
    match vertex.end {
        End::Error => StepState::Failed,
        End::Cancelled => StepState::Cancelled,
        _ if vertex.cached => StepState::Cached,
        End::Done => StepState::Executed,
        End::Open => StepState::Open,
    }
}

fn count(steps: &mut Steps, vertex: &Vertex) {
    steps.total += 1;
    steps.cached += usize::from(vertex.cached);
    match vertex.end {
        End::Error => steps.failed += 1,
        End::Cancelled => steps.cancelled += 1,
        End::Done if !vertex.cached => steps.executed += 1,
        End::Done | End::Open => {}
    }
}

fn sources(open: &Open, names: &[String], parsed: &[Name<'_>], found: &mut Build) {
    for (at, vertex) in open.vertices.iter().enumerate() {
        if parsed[at].kind != Kind::CacheImport {
            continue;
        }
        let Some(reference) = name::cache_reference(&names[at]) else {
            continue;
        };
        let error = match vertex.end {
            End::Done => None,
            End::Error => Some(text(open.text(vertex.error), TEXT)),
            End::Cancelled => Some("cancelled".to_string()),
            End::Open => continue,
        };
        found.cache_sources.push(CacheSource {
            reference: reference.to_string(),
            error,
        });
    }
    for (reference, error) in &open.local_sources {
        found.cache_sources.push(CacheSource {
            reference: text(reference, TEXT),
            error: Some(text(error, TEXT)),
        });
    }
}

fn images(open: &Open) -> Vec<String> {
    let told = if open.images.is_empty() {
        &open.tags
    } else {
        &open.images
    };
    told.iter().map(|image| text(image, 600)).collect()
}

/// Finds the step that missed first: the lowest number, or what stands before it in its own stage.
fn first_miss(steps: &[Step]) -> Option<usize> {
    let missed = |step: &Step| match step.state {
        StepState::Executed | StepState::Failed => true,
        StepState::Open => step.ran,
        StepState::Cached | StepState::Cancelled => false,
    };
    let Some(first) = steps.iter().position(missed) else {
        return steps
            .iter()
            .position(|step| step.state == StepState::Cancelled);
    };
    let parts = steps[first].parts();
    let place = |step: &Step| {
        let other = step.parts();
        let same = (other.target, other.platform, other.stage)
            == (parts.target, parts.platform, parts.stage);
        other.place.filter(|_| same).map(|(place, _)| place)
    };
    let missed = steps.iter().enumerate().filter(|(_, step)| missed(step));
    let before = missed
        .filter_map(|(at, step)| Some((place(step)?, at)))
        .min();
    Some(before.map_or(first, |(_, at)| at))
}

fn why_missed(found: &Build) -> Option<String> {
    if found.steps.cached == found.steps.total {
        return None;
    }
    if let Some((source, error)) = found
        .cache_sources
        .iter()
        .find_map(|source| Some((source, source.error.as_ref()?)))
    {
        return Some(format!(
            "the cache could not be imported from {}: {error}",
            source.reference
        ));
    }
    let source = found.cache_sources.first()?;
    (found.steps.cached == 0).then(|| {
        format!(
            "the cache was imported from {}, but no step hit it: it may be empty",
            source.reference
        )
    })
}

/// What decides how a build ended.
struct Facts<'a> {
    open: &'a Open,
    parsed: &'a [Name<'a>],
    exported: bool,
    cache_exported: bool,
    quiet: bool,
    unfinished_stage: bool,
    /// Some targets were written, but not this one.
    missing_target: Option<&'a str>,
}

impl<'a> Facts<'a> {
    fn new(open: &'a Open, parsed: &'a [Name<'a>]) -> Self {
        let done = |kind: Kind| {
            open.vertices
                .iter()
                .zip(parsed)
                .any(|(vertex, name)| name.kind == kind && vertex.end == End::Done)
        };
        Self {
            open,
            parsed,
            exported: done(Kind::Export),
            cache_exported: done(Kind::CacheExport),
            quiet: open.is_quiet(),
            unfinished_stage: unfinished_stage(parsed),
            missing_target: missing_target(open, parsed),
        }
    }

    /// The result was written and nothing is under way.
    fn complete(&self) -> bool {
        // Among the lines of several builds the end of a vertex may have been taken for that of another.
        // What is told about results, as their provenance, comes when all of them are written.
        let written = self.exported && self.has_targets() && self.open.is_worked_off();
        (self.quiet || written || (self.open.interleaved && self.exported))
            && self.missing_target.is_none()
            && (self.cache_exported
                || (self.exported && !(self.unfinished_stage && self.has_targets())))
    }

    /// The tool that ran the build says that it was built, and nothing in the build speaks against it.
    fn is_told_built(&self, exit: Option<i32>, evidence: Evidence) -> bool {
        let whole = self.quiet && self.missing_target.is_none() && !self.open.is_cancelled();
        evidence == Evidence::Built && (exit == Some(0) || self.open.interleaved || whole)
    }

    fn has_targets(&self) -> bool {
        self.parsed.iter().any(|name| name.target.is_some())
    }

    fn end(&self, around: Around<'_>) -> (Status, Option<String>) {
        let open = self.open;
        let failed = |reason: &[u8]| (Status::Failed, Some(text(reason, TEXT)));
        let cancelled = |reason: &[u8]| (Status::Cancelled, Some(text(reason, TEXT)));
        let errors: Vec<&[u8]> = self.errors().collect();
        let real = errors.iter().find(|error| !is_cancel(error));
        if let Some(trailer) = &open.trailer {
            return match (is_cancel(trailer), real) {
                (true, None) => cancelled(trailer),
                (true, Some(error)) => failed(error),
                (false, _) => failed(trailer),
            };
        }
        if let Some(error) = real {
            return failed(error);
        }
        if let Some(error) = errors.first() {
            return cancelled(error);
        }
        let evidence = match around.exit {
            Some(0) => Evidence::Built,
            Some(130) => Evidence::Cancelled,
            Some(status) => Evidence::Exit(status),
            None => open.evidence,
        };
        let classic_built = open.format == Format::Classic && open.evidence == Evidence::Built;
        if self.complete() || classic_built || self.is_told_built(around.exit, evidence) {
            return (Status::Succeeded, None);
        }
        if evidence == Evidence::Cancelled
            || open
                .vertices
                .iter()
                .any(|vertex| vertex.end == End::Cancelled)
        {
            return cancelled(b"interrupted");
        }
        let worked = self
            .parsed
            .iter()
            .any(|name| matches!(name.kind, Kind::Step | Kind::From));
        if let Evidence::Exit(status) = evidence
            && status != 0
            && (!self.quiet
                || self.unfinished_stage
                || !worked
                || matches!(status, KILLED | TERMINATED))
        {
            return failed(format!("exit status {status}").as_bytes());
        }
        let over = around.over || !matches!(evidence, Evidence::None | Evidence::Built);
        let whole = !self.unfinished_stage || open.interleaved;
        match (self.quiet, over) {
            (false, true) => failed(self.stopped_in().as_bytes()),
            (false, false) => (Status::Running, None),
            (true, true) if worked && open.format != Format::Classic => {
                match self.missing_target.filter(|_| open.worked_on) {
                    _ if !whole => failed(b"the log of the build stops before its last step"),
                    Some(target) => failed(
                        format!("the log of the build stops before the result of {target}")
                            .as_bytes(),
                    ),
                    None if open.by_compose && !self.exported && evidence == Evidence::None => {
                        failed(b"the log of the build stops before its result")
                    }
                    None => (Status::Succeeded, None),
                }
            }
            (true, true) => failed(b"the log of the build stops before its result"),
            (true, false) if open.no_output && worked && !self.unfinished_stage => {
                (Status::Succeeded, None)
            }
            (true, false) => (Status::Running, None),
        }
    }

    /// The errors that make a build fail.
    fn errors(&self) -> impl Iterator<Item = &'a [u8]> {
        let open = self.open;
        // An optional cache export may fail without the build: then no trailer says so and the result is there.
        let forgiven = self.exported && self.quiet && open.evidence != Evidence::None;
        open.vertices
            .iter()
            .zip(self.parsed)
            .filter_map(move |(vertex, name)| {
                let counts = match name.kind {
                    Kind::CacheImport | Kind::Auth => false,
                    Kind::CacheExport => !forgiven,
                    _ => true,
                };
                (counts && vertex.end == End::Error).then(|| open.text(vertex.error))
            })
    }

    fn stopped_in(&self) -> String {
        let last = self
            .open
            .vertices
            .iter()
            .rfind(|vertex| vertex.end == End::Open);
        let name = last
            .map(|vertex| text(self.open.text(vertex.name), 200))
            .unwrap_or_default();
        format!("the log of the build stops inside {name}")
    }
}

/// Finds a target that has no result, where the results of others are written.
fn missing_target<'a>(open: &Open, parsed: &[Name<'a>]) -> Option<&'a str> {
    let mut written = Vec::new();
    for (vertex, name) in open.vertices.iter().zip(parsed) {
        if name.kind == Kind::Export && vertex.end == End::Done {
            // A result that names no target may be that of all of them.
            let target = name.target?;
            if written.len() < TARGETS && !written.contains(&target) {
                written.push(target);
            }
        }
    }
    // Among the lines of several builds a result may have been taken for that of another.
    if open.shared_result || open.interleaved || written.is_empty() || written.len() >= TARGETS {
        return None;
    }
    let mut targets = parsed.iter().filter_map(|name| name.target);
    targets.find(|target| !written.contains(target))
}

/// Tells whether a build under way has shown steps of a stage, but not its last.
pub(super) fn has_unfinished_stage(open: &Open) -> bool {
    let steps = open
        .vertices
        .iter()
        .filter(|vertex| vertex.kind == Kind::Step);
    let names = steps.filter_map(|vertex| std::str::from_utf8(open.text(vertex.name)).ok());
    unfinished_stage(&names.map(name::parse).collect::<Vec<_>>())
}

/// Tells whether some stage has shown an instruction, but not its last.
///
/// Targets and platforms are taken together, as a step that two of them share is shown for one only.
fn unfinished_stage(parsed: &[Name<'_>]) -> bool {
    let mut places: Vec<(&str, u32, u32)> = parsed
        .iter()
        .filter_map(|name| {
            name.place
                .map(|(place, of)| (name.stage.unwrap_or_default(), of, place))
        })
        .collect();
    places.sort_unstable();
    let last = |(at, (stage, of, _)): &(usize, &(&str, u32, u32))| {
        places
            .get(at + 1)
            .is_none_or(|next| (next.0, next.1) != (*stage, *of))
    };
    places
        .iter()
        .enumerate()
        .filter(last)
        .any(|(_, (_, of, place))| place < of)
}
