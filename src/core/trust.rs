//! Where an image says it comes from: provenance, bill of materials, signature, and whether its words agree.
//!
//! Statements are read as builders write them; nothing is verified by cryptography here, and the words say so:
//! a mark is `present`, never `trusted`.

use serde_json::Value;

use super::digest::Digest;
use super::text::clean_within;

/// Whether a mark was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mark {
    Present,
    Absent,
    /// Nobody could look.
    #[default]
    Unknown,
}

impl Mark {
    /// Returns the word for people and for the JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Absent => "absent",
            Self::Unknown => "unknown",
        }
    }
}

/// The marks of one image.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Trust {
    pub provenance: Mark,
    pub sbom: Mark,
    pub signature: Mark,
    pub told: Option<Provenance>,
    /// Where labels and provenance contradict each other.
    pub contradictions: Vec<String>,
    /// Why a mark is not known.
    pub trouble: Option<String>,
}

impl Trust {
    /// Says what was found, in words that fit a line.
    pub fn words(&self) -> String {
        let mark = |what: &str, mark: Mark| match mark {
            Mark::Present => what.to_owned(),
            Mark::Absent => format!("no {what}"),
            Mark::Unknown => format!("{what} not known"),
        };
        let told = self.told.as_ref().map(Provenance::words);
        let provenance = match told.filter(|told| !told.is_empty()) {
            Some(told) => format!("provenance {told}"),
            None => mark("provenance", self.provenance),
        };
        let sbom = mark("SBOM", self.sbom);
        let signature = mark("signature", self.signature);
        format!("{provenance} · {sbom} · {signature}")
    }
}

/// Helper tags that stand beside an image in a list of tags.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Beside {
    pub signature: bool,
    pub attestation: bool,
    pub sbom: bool,
    /// Whether a tag stands in for the list of referrers.
    pub referrers: bool,
}

impl Beside {
    /// Looks for helper tags of a digest in a whole list.
    pub fn of<'a>(top: &Digest, tags: impl IntoIterator<Item = &'a str>) -> Self {
        let name = helper(top);
        let mut beside = Self::default();
        for tag in tags {
            match tag.strip_prefix(name.as_str()) {
                Some("") => beside.referrers = true,
                Some(".sig") => beside.signature = true,
                Some(".att") => beside.attestation = true,
                Some(".sbom") => beside.sbom = true,
                _ => {}
            }
        }
        beside
    }
}

/// Returns the name that helper tags of a digest begin with.
pub fn helper(top: &Digest) -> String {
    top.to_string().replacen(':', "-", 1)
}

/// What a provenance statement says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Provenance {
    /// The source repository, without credentials and without the branch.
    pub source: Option<String>,
    pub commit: Option<String>,
    /// Whether the working copy had changes that no commit holds.
    pub dirty: bool,
    /// The workflow's file or the run that built it.
    pub workflow: Option<String>,
    pub builder: Option<String>,
}

impl Provenance {
    /// Says from where it says it comes: `github.com/me/app at 9c1e2d4f0011 by build.yml`.
    pub fn words(&self) -> String {
        let mut parts: Vec<String> = Vec::new();
        parts.extend(self.source.as_deref().map(place));
        parts.extend(self.commit.as_deref().map(|commit| {
            let changed = if self.dirty { ", changed" } else { "" };
            format!("at {}{changed}", short(commit))
        }));
        let workflow = self.workflow.as_deref();
        let file = |path: &str| path.rsplit('/').next().unwrap_or(path).to_owned();
        parts.extend(
            workflow.map(|path| match path.split_once("/actions/runs/") {
                Some((_, run)) => format!("by run {}", run.split('/').next().unwrap_or(run)),
                None => format!("by {}", file(without_branch(path))),
            }),
        );
        parts.join(" ")
    }
}

/// What an attestation is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Statement {
    Provenance(Box<Provenance>),
    Sbom,
    Other(String),
}

/// One statement that an attestation manifest holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub predicate: Predicate,
    pub digest: Digest,
    pub size: u64,
}

/// The kind of a statement, as its predicate type tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Predicate {
    Provenance,
    Sbom,
    Other,
}

impl Predicate {
    /// Reads a predicate type such as `https://slsa.dev/provenance/v1`.
    pub fn of(predicate_type: &str) -> Self {
        if predicate_type.starts_with("https://slsa.dev/provenance") {
            Self::Provenance
        } else if [
            "https://spdx.dev/",
            "https://cyclonedx.org/",
            "https://syft.dev/",
        ]
        .iter()
        .any(|known| predicate_type.starts_with(known))
        {
            Self::Sbom
        } else {
            Self::Other
        }
    }
}

/// The reason why a statement says nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("the attestation is no JSON: {0}")]
    Json(String),
    #[error("the attestation is no in-toto statement")]
    NoStatement,
}

/// The longest text that is kept of a statement.
const TEXT: usize = 300;

/// Lists the statements of an attestation manifest.
pub fn parts(manifest: &[u8]) -> Result<Vec<Part>, Unreadable> {
    let manifest = json(manifest)?;
    let layers = manifest.get("layers").and_then(Value::as_array);
    let layers = layers.ok_or(Unreadable::NoStatement)?;
    let part = |layer: &Value| {
        // Builders write the first, cosign the second.
        let annotation = |name: &str| layer.pointer(&format!("/annotations/{name}"));
        let predicate = annotation("in-toto.io~1predicate-type");
        let predicate = predicate.or_else(|| annotation("predicateType"));
        Some(Part {
            predicate: predicate.and_then(Value::as_str).map(Predicate::of)?,
            digest: layer.get("digest")?.as_str()?.parse().ok()?,
            size: layer.get("size")?.as_u64()?,
        })
    };
    Ok(layers.iter().filter_map(part).collect())
}

/// What the referrers of an image say of it: kinds alone, nothing of them is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Referred {
    pub provenance: bool,
    pub sbom: bool,
    pub signature: bool,
}

/// Reads a list of referrers: artifacts that name the image as their subject.
pub fn referrers(index: &[u8]) -> Result<Referred, Unreadable> {
    let index = json(index)?;
    let list = index.get("manifests").and_then(Value::as_array);
    let list = list.ok_or(Unreadable::NoStatement)?;
    let mut found = Referred::default();
    for entry in list {
        let kind = entry.get("artifactType").and_then(Value::as_str);
        let kind = kind.unwrap_or_default();
        let predicate = entry.pointer("/annotations/dev.sigstore.bundle.predicateType");
        let predicate = predicate.and_then(Value::as_str).unwrap_or_default();
        let bundle = kind.starts_with("application/vnd.dev.sigstore.bundle");
        match Predicate::of(predicate) {
            Predicate::Provenance if bundle => found.provenance = true,
            Predicate::Sbom if bundle => found.sbom = true,
            _ if bundle => found.signature = true,
            _ => {}
        }
        found.signature |= kind == "application/vnd.dev.cosign.artifact.sig.v1+json"
            || kind.starts_with("application/vnd.cncf.notary.signature");
        found.sbom |= kind.contains("spdx") || kind.contains("cyclonedx");
    }
    Ok(found)
}

/// Reads one in-toto statement.
pub fn statement(bytes: &[u8]) -> Result<Statement, Unreadable> {
    let whole = json(bytes)?;
    let kind = whole.get("predicateType").and_then(Value::as_str);
    let kind = kind.ok_or(Unreadable::NoStatement)?;
    let predicate = whole.get("predicate").unwrap_or(&Value::Null);
    Ok(match Predicate::of(kind) {
        Predicate::Provenance => Statement::Provenance(Box::new(provenance(predicate))),
        Predicate::Sbom => Statement::Sbom,
        Predicate::Other => Statement::Other(clean_within(kind, TEXT)),
    })
}

/// Says where labels and provenance contradict each other.
pub fn contradictions(
    revision_label: Option<&str>,
    source_label: Option<&str>,
    provenance: &Provenance,
) -> Vec<String> {
    let mut list = Vec::new();
    if let (Some(label), Some(commit)) = (revision_label, &provenance.commit) {
        let (label, commit) = (label.to_ascii_lowercase(), commit.to_ascii_lowercase());
        let hex = label.len() >= 7 && label.bytes().all(|byte| byte.is_ascii_hexdigit());
        // A label that is no revision at all (a tag, a word) proves nothing.
        if hex && !label.starts_with(&commit) && !commit.starts_with(&label) {
            list.push(format!(
                "the label says revision {}, the provenance says it was built from {}",
                short(&label),
                short(&commit)
            ));
        }
    }
    if let (Some(label), Some(source)) = (source_label, &provenance.source)
        && place(label) != place(source)
    {
        list.push(format!(
            "the label says source {}, the provenance says {}",
            clean_within(&without_credentials(label), TEXT),
            source
        ));
    }
    list
}

fn json(bytes: &[u8]) -> Result<Value, Unreadable> {
    serde_json::from_slice(bytes).map_err(|error| Unreadable::Json(error.to_string()))
}

/// Reads the predicate of SLSA v0.2 or v1, as buildx and GitHub write them.
fn provenance(predicate: &Value) -> Provenance {
    let text = |paths: &[&str]| {
        let found = paths
            .iter()
            .find_map(|path| predicate.pointer(path)?.as_str());
        found.filter(|text| !text.is_empty()).map(str::to_owned)
    };
    let dependencies = ["/materials", "/buildDefinition/resolvedDependencies"]
        .iter()
        .find_map(|path| predicate.pointer(path)?.as_array());
    // Base images are dependencies too; the source is the one that names a git commit.
    let dependency = dependencies.and_then(|list| {
        let commit = |entry: &Value| {
            let digest = entry.get("digest")?;
            let commit = digest.get("gitCommit").or_else(|| digest.get("sha1"))?;
            Some((
                entry.get("uri")?.as_str()?.to_owned(),
                commit.as_str()?.to_owned(),
            ))
        };
        list.iter().find_map(commit)
    });
    let (dependency_uri, dependency_commit) = dependency.unzip();
    let source = text(&[
        "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata/vcs/source",
        "/runDetails/metadata/buildkit_metadata/vcs/source",
        "/invocation/configSource/uri",
        "/buildDefinition/externalParameters/configSource/uri",
        "/buildDefinition/externalParameters/workflow/repository",
    ])
    .or(dependency_uri);
    let commit = text(&[
        "/metadata/https:~1~1mobyproject.org~1buildkit@v1#metadata/vcs/revision",
        "/runDetails/metadata/buildkit_metadata/vcs/revision",
        "/invocation/configSource/digest/sha1",
        "/buildDefinition/externalParameters/configSource/digest/sha1",
    ])
    .or(dependency_commit);
    let builder = text(&["/builder/id", "/runDetails/builder/id"]);
    let workflow = text(&["/buildDefinition/externalParameters/workflow/path"]).or_else(|| {
        builder
            .clone()
            .filter(|id| id.contains("/actions/runs/") || id.contains("/workflows/"))
    });
    let (commit, dirty) = match commit {
        Some(commit) => match commit.strip_suffix("-dirty") {
            Some(clean) => (Some(clean.to_owned()), true),
            None => (Some(commit), false),
        },
        None => (None, false),
    };
    let fit = |text: String| clean_within(&without_credentials(&text), TEXT);
    Provenance {
        source: source.map(|source| fit(without_branch(&source).to_owned())),
        commit: commit.map(fit),
        dirty,
        workflow: workflow.map(fit),
        builder: builder.map(fit),
    }
}

/// Cuts `#refs/heads/main` and `@refs/heads/main` off an address.
fn without_branch(address: &str) -> &str {
    let address = address.split('#').next().unwrap_or(address);
    address.split("@refs/").next().unwrap_or(address)
}

/// Cuts `user:password@` out of an address: builders record the remote as they were given it.
fn without_credentials(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, Some(path)),
        None => (rest, None),
    };
    let host = authority.rsplit('@').next().unwrap_or(authority);
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}

/// Reduces an address to host and path, so that spellings of one repository are equal.
fn place(address: &str) -> String {
    let address = without_credentials(without_branch(address.trim()));
    let address = match address.split_once("://") {
        Some((_, rest)) => rest.to_owned(),
        // git@github.com:me/app
        None => match address.split_once('@') {
            Some((_, rest)) => rest.replacen(':', "/", 1),
            None => address,
        },
    };
    let lower = address.to_ascii_lowercase();
    let lower = lower.split(['?', '#']).next().unwrap_or_default();
    // A link into the tree names the same repository.
    let lower = lower.split("/tree/").next().unwrap_or(lower);
    lower
        .trim_end_matches('/')
        .trim_end_matches(".git")
        .to_owned()
}

fn short(revision: &str) -> String {
    clean_within(revision, TEXT).chars().take(12).collect()
}

#[cfg(test)]
mod tests;
