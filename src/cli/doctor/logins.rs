//! The logins of those who pull on a host, as its engine fared with them, and GitHub's word on tokens.

use jiff::{SignedDuration, Timestamp};

use super::{Check, Link, State, check};
use crate::core::age::span;
use crate::core::checkup::{Checkup, Login, LoginCheck, Puller, TokenFacts};
use crate::core::failure::{RegistryFailure, RegistryTrouble};
use crate::core::names::HostName;

/// How long before its end a token or key is worth a word.
pub const SOON: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Tells how the pulls of a host fare.
pub fn of_host(host: &HostName, checkup: &Checkup, now: Timestamp) -> Vec<Check> {
    let mut checks = Vec::new();
    if let Some(trouble) = &checkup.trouble {
        let detail = format!("the logins on the host could not be looked at: {trouble}");
        checks.push(check(
            Some(host),
            Link::Credentials,
            State::Unknown,
            detail,
            "",
        ));
    }
    for puller in &checkup.pullers {
        checks.extend(of_puller(host, checkup, puller, now));
    }
    // Several users meet the same engine; what concerns it is said once.
    let mut seen: Vec<Check> = Vec::new();
    checks.retain(|check| {
        let is_new = !seen.contains(check);
        seen.push(check.clone());
        is_new
    });
    checks
}

fn of_puller(host: &HostName, checkup: &Checkup, puller: &Puller, now: Timestamp) -> Vec<Check> {
    let who = match puller.because.as_str() {
        "ssh" => puller.user.clone(),
        "sudo" => format!("{} by sudo", puller.user),
        unit => format!("{} in {unit}", puller.user),
    };
    if let Some(trouble) = &puller.trouble {
        let remedy = match puller.logins.first() {
            Some(login) => format!(
                "as {} on {host}: docker pull {}",
                puller.user,
                login.reference.familiar()
            ),
            None => format!(
                "as {} on {host}, pull one of its images by hand",
                puller.user
            ),
        };
        let detail = format!("{who}: not tested: {trouble}");
        return vec![check(
            Some(host),
            Link::Credentials,
            State::Unknown,
            detail,
            &remedy,
        )];
    }
    let mut checks = Vec::new();
    for login in &puller.logins {
        checks.push(of_login(host, checkup, &who, puller, login));
        if let Some(token) = &login.token {
            let name = format!("{who}: the token for ghcr.io");
            checks.push(of_token(Some(host), &name, token, true, now));
        }
    }
    checks
}

fn of_login(
    host: &HostName,
    checkup: &Checkup,
    who: &str,
    puller: &Puller,
    login: &LoginCheck,
) -> Check {
    use RegistryTrouble as T;
    let registry = &login.registry;
    let image = login.reference.familiar();
    let credentials = |state, detail: String, remedy: &str| {
        check(
            Some(host),
            Link::Credentials,
            state,
            format!("{who}: {registry}: {detail}"),
            remedy,
        )
    };
    let held = match held(host, puller, login) {
        Ok(held) => held,
        Err((detail, remedy)) => return credentials(State::Failed, detail, &remedy),
    };
    let log_in = format!(
        "as {} on {host}: docker login {}",
        puller.user,
        named(registry.as_str())
    );
    let failure = match (&login.answer, &held) {
        (None, None) => {
            return credentials(State::Ok, "no login; pulls are anonymous".to_owned(), "");
        }
        (None, Some(held)) => {
            return credentials(State::Unknown, format!("{held} was not tried"), "");
        }
        (Some(Ok(())), None) => {
            return credentials(State::Ok, "no login, and none needed".to_owned(), "");
        }
        (Some(Ok(())), Some(held)) => {
            return credentials(State::Ok, format!("{held} is accepted"), "");
        }
        (Some(Err(failure)), _) => failure,
    };
    match (failure.trouble, held) {
        (T::Unauthorized, None) => credentials(
            State::Failed,
            format!("no login, and {image} wants one"),
            &log_in,
        ),
        (T::Unauthorized, Some(held)) => {
            let detail = format!("{held} is refused: wrong, withdrawn or expired");
            credentials(State::Failed, detail, &log_in)
        }
        (T::Denied, None) => {
            let detail = format!("no login, and {image} is denied (403)");
            credentials(State::Failed, detail, &log_in)
        }
        (T::Denied, Some(held)) => {
            let detail = format!("{held} may not read {image} (403)");
            credentials(
                State::Failed,
                detail,
                "give that account or token the right to read it",
            )
        }
        // The registry got as far as looking for it.
        (T::Gone | T::NotFound | T::NoPlatform, held) => {
            let held = held.unwrap_or_else(|| "no login".to_owned());
            credentials(
                State::Ok,
                format!("{held}; asked for {image}, which is not found (404)"),
                "",
            )
        }
        (T::RateLimited, held) => {
            let held = held.unwrap_or_else(|| "no login".to_owned());
            let detail = format!("{held}; the registry's limit is reached (429)");
            credentials(State::Unknown, detail, &failure.remedy)
        }
        (T::PlainHttp, _) => missing_line(host, checkup, login),
        (T::Certificate, _) => {
            let detail = format!("the engine does not trust the certificate of {registry}");
            let remedy = format!("put its CA into /etc/docker/certs.d/{registry}/ca.crt on {host}");
            check(Some(host), Link::Engine, State::Failed, detail, &remedy)
        }
        (_, _) => unreachable_registry(host, registry.as_str(), failure),
    }
}

/// Names the login that is used, if there is one.
///
/// # Errors
/// If the store that should have it gives none: what is wrong, and what to do.
fn held(
    host: &HostName,
    puller: &Puller,
    login: &LoginCheck,
) -> Result<Option<String>, (String, String)> {
    match &login.login {
        Login::None => Ok(None),
        Login::File => Ok(Some("the login of its docker config".to_owned())),
        Login::Helper(name) => Ok(Some(format!("the login in docker-credential-{name}"))),
        Login::HelperMissing(name) => Err((
            format!("docker-credential-{name}, which its docker config names, is not installed"),
            format!(
                "install it on {host}, or take it out of the config of {}",
                puller.user
            ),
        )),
        Login::HelperSilent(name) => Err((
            format!("docker-credential-{name} gave no login"),
            "is its store locked, or made for a desktop session?".to_owned(),
        )),
    }
}

fn unreachable_registry(host: &HostName, registry: &str, failure: &RegistryFailure) -> Check {
    let detail = format!("the engine does not reach {registry}: {}", failure.what);
    check(
        Some(host),
        Link::Registry,
        State::Failed,
        detail,
        &failure.remedy,
    )
}

/// Says which line is missing for a registry without TLS.
fn missing_line(host: &HostName, checkup: &Checkup, login: &LoginCheck) -> Check {
    let mut names = checkup.insecure.clone();
    names.push(login.registry.to_string());
    let names: Vec<String> = names.iter().map(|name| format!("{name:?}")).collect();
    let line = format!("\"insecure-registries\": [{}]", names.join(", "));
    let what = if checkup.has_daemon_file {
        format!("in /etc/docker/daemon.json on {host} have {line}")
    } else {
        format!("write {{{line}}} to /etc/docker/daemon.json on {host}")
    };
    check(
        Some(host),
        Link::Engine,
        State::Failed,
        format!(
            "the engine wants TLS of {}, which speaks plain http",
            login.registry
        ),
        &format!("{what}, then run `sudo systemctl reload docker`"),
    )
}

/// Says how long a token of GitHub's holds, and for what.
pub fn of_token(
    host: Option<&HostName>,
    name: &str,
    token: &TokenFacts,
    for_packages: bool,
    now: Timestamp,
) -> Check {
    let row = |state, detail: String, remedy: &str| {
        check(
            host,
            Link::Credentials,
            state,
            format!("{name}: {detail}"),
            remedy,
        )
    };
    const RENEW: &str = "make a new one at github.com/settings/tokens";
    if token.status == 401 {
        return row(
            State::Failed,
            "GitHub refuses it: withdrawn or expired (401)".to_owned(),
            RENEW,
        );
    }
    if let Some(end) = token.expires.filter(|end| *end <= now) {
        return row(
            State::Failed,
            format!("expired {} ago", span(now.duration_since(end))),
            RENEW,
        );
    }
    if for_packages && token.reads_packages() == Some(false) {
        let scopes = token.scopes.clone().unwrap_or_default().join(", ");
        let detail = format!("its scopes ({scopes}) do not let it read packages");
        return row(State::Failed, detail, "give it the scope read:packages");
    }
    let mut detail = match &token.scopes {
        Some(scopes) => format!("accepted, with the scopes {}", scopes.join(", ")),
        None => "accepted; GitHub names no scopes".to_owned(),
    };
    match token.expires {
        Some(end) => {
            let left = end.duration_since(now);
            detail.push_str(&format!(", expires in {}", span(left)));
            row(State::Ok, detail, if left < SOON { RENEW } else { "" })
        }
        None => row(State::Ok, detail, ""),
    }
}

/// Returns a registry's name as `docker login` takes it; Docker Hub has none.
fn named(registry: &str) -> &str {
    if registry == "docker.io" {
        ""
    } else {
        registry
    }
}
