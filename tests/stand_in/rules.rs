//! How the registry answers: its rules of identification, its faults, its pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::State;

/// How the registry wants to know who asks.
#[derive(Default, Clone)]
pub enum Auth {
    #[default]
    Open,
    Basic {
        user: &'static str,
        password: &'static str,
    },
    Tokens(Tokens),
}

/// The rules of a registry with a token server.
#[derive(Clone)]
pub struct Tokens {
    /// Where clients are sent for tokens, without the path.
    pub realm: String,
    pub user: &'static str,
    pub password: &'static str,
    /// Everybody gets a token, which reads public repositories.
    pub anonymous: bool,
    /// `token` or `access_token`.
    pub field: &'static str,
    pub expires_in: Option<u64>,
    /// What a token that does not reach is answered with: GHCR says 403, Docker Hub 401.
    pub not_reaching: u16,
    /// So many tokens are declared invalid when they are used first.
    pub invalid: u64,
    pub identity: Option<&'static str>,
}

impl Tokens {
    /// Makes the rules with the token server at the same address.
    pub fn at(realm: &str) -> Self {
        Self {
            realm: realm.to_owned(),
            user: "deploy",
            password: "pat",
            anonymous: true,
            field: "token",
            expires_in: None,
            not_reaching: 401,
            invalid: 0,
            identity: None,
        }
    }
}

/// What HEAD is good for.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
pub enum Head {
    #[default]
    Full,
    NoDigest,
    Unsupported,
}

/// How tags are listed.
#[derive(Default, Clone)]
pub enum Paging {
    #[default]
    Whole,
    /// So many names on each page.
    Pages(usize),
    /// There is always a next page.
    Endless,
    /// The next page is said to lie at this address.
    Elsewhere(String),
    /// The next page is this one.
    Circle,
}

/// A bad day.
#[derive(Clone)]
pub enum Fault {
    /// A status with headers and a body.
    Status(u16, Vec<(&'static str, String)>, String),
    /// No answer, ever.
    Hang,
    /// The connection ends in the middle of the body.
    CloseMidBody,
    /// A body that never ends.
    Endless,
    /// A body of that size, announced.
    Big(u64),
    /// Other bytes than the digest names.
    WrongBytes,
    /// A digest in the header that is not that of the bytes.
    WrongDigest(String),
    /// A redirect.
    Redirect(String),
}

impl Fault {
    /// A status without headers or body.
    pub fn status(status: u16) -> Self {
        Self::Status(status, Vec::new(), String::new())
    }
}

/// A request, parsed.
pub struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub authorization: Option<String>,
    pub accept: String,
    pub if_none_match: Option<String>,
    pub body: String,
}

/// An answer, ready to be written.
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    pub fault: Option<Fault>,
}

impl Reply {
    fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            fault: None,
        }
    }

    fn error(status: u16, code: &str, message: &str) -> Self {
        let body = json!({"errors": [{"code": code, "message": message, "detail": {}}]});
        Self::new(status, body.to_string()).with("content-type", "application/json")
    }

    fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }
}

/// Answers a request.
pub fn answer(state: &mut State, request: &Request) -> Reply {
    let target = format!("{}?{}", request.path, request.query);
    let fault = state
        .faults
        .iter()
        .find(|(part, _)| {
            let (method, part) = part.split_once(' ').unwrap_or((&request.method, part));
            method == request.method && target.contains(part)
        })
        .map(|(_, fault)| fault.clone());
    match fault {
        Some(Fault::Status(status, headers, body)) => {
            let mut reply = Reply::new(status, body);
            for (name, value) in headers {
                reply = reply.with(name, value);
            }
            return reply;
        }
        Some(Fault::Redirect(to)) => return Reply::new(307, "").with("location", to),
        _ => {}
    }
    let mut reply = route(state, request);
    match &fault {
        Some(Fault::WrongBytes) => reply.body = b"{\"schemaVersion\":2,\"layers\":[]}".to_vec(),
        Some(Fault::WrongDigest(digest)) => {
            reply
                .headers
                .retain(|(name, _)| name != "docker-content-digest");
            reply = reply.with("docker-content-digest", digest.as_str());
        }
        _ => {}
    }
    reply.fault = fault;
    reply
}

fn route(state: &mut State, request: &Request) -> Reply {
    if request.path == "/token" {
        return token(state, request);
    }
    let Some(rest) = request.path.strip_prefix("/v2/") else {
        return Reply::new(404, "404 page not found");
    };
    let (name, kind, key) = if rest == "_catalog" {
        ("", "catalog", "")
    } else if let Some(name) = rest.strip_suffix("/tags/list") {
        (name, "tags", "")
    } else if let Some((name, key)) = rest.split_once("/manifests/") {
        (name, "manifests", key)
    } else if let Some((name, key)) = rest.split_once("/blobs/") {
        (name, "blobs", key)
    } else {
        return Reply::new(404, "404 page not found");
    };
    if let Some(refusal) = refusal(state, request, name, kind) {
        return refusal;
    }
    match kind {
        "catalog" => {
            let names: Vec<String> = state.repos.keys().cloned().collect();
            list(state, request, "repositories", &names)
        }
        "tags" => match state.repos.get(name) {
            None => Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry"),
            Some(repo) => {
                let names: Vec<String> = repo.tags.keys().cloned().collect();
                list(state, request, "tags", &names)
            }
        },
        "blobs" => match state.repos.get(name).and_then(|repo| repo.blobs.get(key)) {
            Some(bytes) => Reply::new(200, bytes.clone()),
            None => Reply::error(404, "BLOB_UNKNOWN", "blob unknown to registry"),
        },
        _ => manifest(state, request, name, key),
    }
}

fn manifest(state: &mut State, request: &Request, name: &str, key: &str) -> Reply {
    let Some(repo) = state.repos.get(name) else {
        return Reply::error(404, "NAME_UNKNOWN", "repository name not known to registry");
    };
    let digest = repo.tags.get(key).map_or(key, String::as_str).to_owned();
    let Some((media_type, bytes)) = repo.manifests.get(&digest).cloned() else {
        return Reply::error(404, "MANIFEST_UNKNOWN", "manifest unknown");
    };
    if request.method == "HEAD" && state.head == Head::Unsupported {
        return Reply::new(405, "");
    }
    if !request.accept.contains(&media_type) {
        // As registry 2.8 does: OCI is not shown, the rest is converted to another document.
        if media_type.contains("oci") {
            return Reply::error(
                404,
                "MANIFEST_UNKNOWN",
                "OCI manifest found, but accept header does not support OCI manifests",
            );
        }
        let old = br#"{"schemaVersion":1,"fsLayers":[],"history":[]}"#.to_vec();
        return Reply::new(200, old.clone())
            .with("docker-content-digest", super::images::digest(&old));
    }
    let etag = format!("\"{digest}\"");
    if state.etags && request.if_none_match.as_deref() == Some(&etag) {
        return Reply::new(304, "").with("etag", etag);
    }
    if let Some((remaining, _)) = &mut state.quota
        && request.method == "GET"
    {
        if *remaining == 0 {
            return Reply::error(
                429,
                "TOOMANYREQUESTS",
                "You have reached your pull rate limit.",
            );
        }
        *remaining -= 1;
    }
    let mut reply = Reply::new(200, bytes).with("content-type", media_type);
    if state.head == Head::Full {
        reply = reply.with("docker-content-digest", digest);
    }
    if state.etags {
        reply = reply.with("etag", etag);
    }
    if let Some((remaining, limit)) = state.quota {
        reply = reply
            .with("ratelimit-limit", format!("{limit};w=21600"))
            .with("ratelimit-remaining", format!("{remaining};w=21600"));
    }
    reply
}

fn list(state: &State, request: &Request, member: &str, names: &[String]) -> Reply {
    let param = |name: &str| {
        request
            .query
            .split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
    };
    let after: usize = param("after")
        .and_then(|text| text.parse().ok())
        .unwrap_or(0);
    let page = |names: &[String]| Reply::new(200, json!({"name": "x", member: names}).to_string());
    let next = |after: usize| format!("<{}?after={after}>; rel=\"next\"", request.path);
    match &state.paging {
        Paging::Whole => page(names),
        Paging::Pages(size) => {
            let end = (after + size).min(names.len());
            let reply = page(&names[after.min(end)..end]);
            if end < names.len() {
                reply.with("link", next(end))
            } else {
                reply
            }
        }
        Paging::Endless => {
            let names: Vec<String> = (after..after + 100).map(|at| format!("v{at}")).collect();
            page(&names).with("link", next(after + 100))
        }
        Paging::Elsewhere(address) => {
            page(names).with("link", format!("<{address}>; rel=\"next\""))
        }
        Paging::Circle => page(names).with(
            "link",
            format!("<{}?{}>; rel=\"next\"", request.path, request.query),
        ),
    }
}

/// Returns the refusal that the rules demand, if any.
fn refusal(state: &mut State, request: &Request, name: &str, kind: &str) -> Option<Reply> {
    let readers = state
        .repos
        .get(name)
        .map(|repo| repo.readers.clone())
        .unwrap_or_default();
    match state.auth.clone() {
        Auth::Open => None,
        Auth::Basic { user, password } => {
            let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            (request.authorization.as_deref() != Some(&expected)).then(|| {
                Reply::error(401, "UNAUTHORIZED", "authentication required")
                    .with("www-authenticate", "Basic realm=\"stand-in\"")
            })
        }
        Auth::Tokens(rules) => {
            let scope = match kind {
                "catalog" => "registry:catalog:*".to_owned(),
                _ => format!("repository:{name}:pull"),
            };
            let challenge = |error: &str| {
                let error = match error {
                    "" => String::new(),
                    error => format!(",error=\"{error}\""),
                };
                format!(
                    "Bearer realm=\"{}/token\",service=\"stand-in\",scope=\"{scope}\"{error}",
                    rules.realm
                )
            };
            let Some(token) = request
                .authorization
                .as_deref()
                .and_then(|text| text.strip_prefix("Bearer "))
            else {
                return Some(
                    Reply::error(401, "UNAUTHORIZED", "authentication required")
                        .with("www-authenticate", challenge("")),
                );
            };
            // A token names its user, scope and number, as no real one would.
            let parts: Vec<&str> = token.split('|').collect();
            let [user, token_scope, number] = parts[..] else {
                return Some(
                    Reply::error(401, "UNAUTHORIZED", "bad token")
                        .with("www-authenticate", challenge("invalid_token")),
                );
            };
            if number.parse::<u64>().unwrap() < rules.invalid {
                return Some(
                    Reply::error(401, "UNAUTHORIZED", "token is expired")
                        .with("www-authenticate", challenge("invalid_token")),
                );
            }
            let reaches = token_scope == scope
                && (readers.is_empty() || readers.iter().any(|reader| reader == user));
            (!reaches).then(|| match rules.not_reaching {
                403 => Reply::error(403, "DENIED", "requested access to the resource is denied"),
                _ => Reply::error(401, "UNAUTHORIZED", "authentication required")
                    .with("www-authenticate", challenge("insufficient_scope")),
            })
        }
    }
}

fn token(state: &mut State, request: &Request) -> Reply {
    let Auth::Tokens(rules) = state.auth.clone() else {
        return Reply::new(404, "");
    };
    let form = if request.method == "POST" {
        &request.body
    } else {
        &request.query
    };
    let param = |name: &str| {
        form.split('&')
            .find_map(|pair| pair.strip_prefix(&format!("{name}=")))
            .map(|text| {
                text.replace("%3A", ":")
                    .replace("%2F", "/")
                    .replace("%2C", ",")
                    .replace("%2A", "*")
            })
    };
    let good = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}", rules.user, rules.password))
    );
    let refused = Reply::error(403, "DENIED", "denied");
    let user = if request.method == "POST" {
        if param("refresh_token").as_deref() != rules.identity {
            return refused;
        }
        rules.user
    } else {
        match &request.authorization {
            None if rules.anonymous => "nobody",
            Some(own) if *own == good => rules.user,
            _ => return refused,
        }
    };
    let number = state.tokens_given;
    state.tokens_given += 1;
    let text = format!("{user}|{}|{number}", param("scope").unwrap_or_default());
    let mut body = json!({ rules.field: text });
    if let Some(seconds) = rules.expires_in {
        body["expires_in"] = json!(seconds);
    }
    Reply::new(200, body.to_string())
}
