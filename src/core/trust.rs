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
        let predicate = layer.pointer("/annotations/in-toto.io~1predicate-type");
        Some(Part {
            predicate: predicate.and_then(Value::as_str).map(Predicate::of)?,
            digest: layer.get("digest")?.as_str()?.parse().ok()?,
            size: layer.get("size")?.as_u64()?,
        })
    };
    Ok(layers.iter().filter_map(part).collect())
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
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const COMMIT: &str = "9c1e2d4f00112233445566778899aabbccddeeff";

    fn read(statement_json: &Value) -> Provenance {
        match statement(statement_json.to_string().as_bytes()).unwrap() {
            Statement::Provenance(provenance) => *provenance,
            other => panic!("read as {other:?}"),
        }
    }

    #[test]
    fn buildx_version_0_2_from_a_workflow() {
        let told = read(&json!({
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "subject": [{"name": "pkg:docker/ghcr.io/me/blog@latest", "digest": {"sha256": "00"}}],
            "predicate": {
                "builder": {"id": "https://github.com/me/homelab/actions/runs/7/attempts/1"},
                "buildType": "https://mobyproject.org/buildkit@v1",
                "materials": [
                    {"uri": "pkg:docker/python@3.12-slim", "digest": {"sha256": "11"}},
                    {"uri": "https://github.com/me/homelab.git#refs/heads/main", "digest": {"sha1": COMMIT}}
                ],
                "invocation": {"configSource": {
                    "uri": "https://github.com/me/homelab.git#refs/heads/main",
                    "digest": {"sha1": COMMIT}, "entryPoint": "Dockerfile"
                }}
            }
        }));
        assert_eq!(
            told,
            Provenance {
                source: Some("https://github.com/me/homelab.git".into()),
                commit: Some(COMMIT.into()),
                dirty: false,
                workflow: Some("https://github.com/me/homelab/actions/runs/7/attempts/1".into()),
                builder: Some("https://github.com/me/homelab/actions/runs/7/attempts/1".into()),
            }
        );
    }

    #[test]
    fn a_local_build_tells_its_working_copy_without_credentials() {
        let told = read(&json!({
            "predicateType": "https://slsa.dev/provenance/v0.2",
            "predicate": {
                "builder": {"id": ""},
                "invocation": {"configSource": {"entryPoint": "Dockerfile"}},
                "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"vcs": {
                    "revision": format!("{COMMIT}-dirty"),
                    "source": "https://me:ghp_secret@github.com/me/homelab"
                }}}
            }
        }));
        assert_eq!(
            told.source.as_deref(),
            Some("https://github.com/me/homelab")
        );
        assert_eq!(told.commit.as_deref(), Some(COMMIT));
        assert!(told.dirty);
        assert_eq!(told.builder, None);
    }

    #[test]
    fn version_1_of_buildx_and_of_github() {
        let buildx = read(&json!({
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "buildType": "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md",
                    "externalParameters": {
                        "configSource": {"uri": "https://github.com/me/app.git#refs/heads/main", "digest": {"sha1": COMMIT}, "path": "Dockerfile"},
                        "request": {"frontend": "dockerfile.v0"}
                    },
                    "resolvedDependencies": []
                },
                "runDetails": {"builder": {"id": "https://builder.lan"}, "metadata": {}}
            }
        }));
        assert_eq!(buildx.commit.as_deref(), Some(COMMIT));
        assert_eq!(buildx.workflow, None);
        let github = read(&json!({
            "predicateType": "https://slsa.dev/provenance/v1",
            "predicate": {
                "buildDefinition": {
                    "externalParameters": {"workflow": {"ref": "refs/heads/main", "repository": "https://github.com/me/app", "path": ".github/workflows/build.yml"}},
                    "resolvedDependencies": [{"uri": "git+https://github.com/me/app@refs/heads/main", "digest": {"gitCommit": COMMIT}}]
                },
                "runDetails": {"builder": {"id": "https://github.com/me/app/.github/workflows/build.yml@refs/heads/main"}}
            }
        }));
        assert_eq!(github.source.as_deref(), Some("https://github.com/me/app"));
        assert_eq!(github.commit.as_deref(), Some(COMMIT));
        assert_eq!(
            github.workflow.as_deref(),
            Some(".github/workflows/build.yml")
        );
    }

    #[test]
    fn an_attestation_manifest_lists_its_statements() {
        let digest = format!("sha256:{}", "a".repeat(64));
        let layer = |kind: &str| {
            json!({"mediaType": "application/vnd.in-toto+json", "digest": digest, "size": 7,
                "annotations": {"in-toto.io/predicate-type": kind}})
        };
        let manifest = json!({"schemaVersion": 2, "layers": [
            layer("https://slsa.dev/provenance/v0.2"),
            layer("https://spdx.dev/Document"),
            layer("https://example.org/own"),
            {"digest": "junk"}
        ]});
        let kinds: Vec<Predicate> = parts(manifest.to_string().as_bytes())
            .unwrap()
            .into_iter()
            .map(|part| part.predicate)
            .collect();
        assert_eq!(
            kinds,
            [Predicate::Provenance, Predicate::Sbom, Predicate::Other]
        );
        assert_eq!(parts(b"{}"), Err(Unreadable::NoStatement));
        assert!(matches!(parts(b"\xff"), Err(Unreadable::Json(_))));
    }

    #[test]
    fn a_label_that_contradicts_the_provenance_is_told() {
        let told = Provenance {
            source: Some("https://github.com/me/app.git".into()),
            commit: Some(COMMIT.into()),
            ..Provenance::default()
        };
        let of = |revision, source| contradictions(revision, source, &told).len();
        assert_eq!(of(Some("9c1e2d4"), Some("https://github.com/Me/app")), 0);
        assert_eq!(of(Some(COMMIT), Some("git@github.com:me/app.git")), 0);
        assert_eq!(of(Some("v1.2.3"), None), 0);
        assert_eq!(of(None, Some("https://github.com/me/app/tree/main/web")), 0);
        assert_eq!(of(Some("b81f0aa"), Some("https://github.com/you/app")), 2);
        let words = contradictions(Some("b81f0aa"), None, &told);
        assert_eq!(
            words,
            ["the label says revision b81f0aa, the provenance says it was built from 9c1e2d4f0011"]
        );
    }

    proptest! {
        #[test]
        fn foreign_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,60}") {
            let _ = (statement(&bytes), parts(&bytes));
            let whole = json!({"predicateType": "https://slsa.dev/provenance/v1", "predicate": {
                "builder": {"id": text}, "invocation": {"configSource": {"uri": text, "digest": {"sha1": text}}}}});
            let told = read(&whole);
            let _ = contradictions(Some(&text), Some(&text), &told);
        }
    }
}
