#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;
use crate::adapters::paths::scratch::Scratch;
use crate::core::checkup::Login;
use crate::core::failure::RegistryTrouble;

const SECRET: &str = "pa\"ss:w\\rd";

/// A docker that takes one login for granted, keeps what it was asked, and looks for the secret where others see it.
const DOCKER: &str = r#"#!/bin/sh
cd "$(dirname "$0")" || exit 1
grep -alF -f pattern /proc/[0-9]*/cmdline 2>/dev/null | while read -r f; do echo "$f" >>leaks; done
cat >asked.$$
if grep -q '^POST /auth' asked.$$; then echo 'HTTP/1.1 200 OK'
elif grep -q '^GET /distribution/open' asked.$$; then printf 'HTTP/1.1 200 OK\r\n\r\n{"Descriptor":{}}\n'
elif grep -q '^GET /distribution/plain' asked.$$; then
  printf 'HTTP/1.1 500 Internal Server Error\r\n\r\n{"message":"http: server gave HTTP response to HTTPS client"}\n'
elif grep -q '^X-Registry-Auth' asked.$$; then printf 'HTTP/1.1 200 OK\r\n\r\n{}\n'
else printf 'HTTP/1.1 500 Internal Server Error\r\n\r\n{"message":"Head \"https://x\": no basic auth credentials"}\n'
fi
"#;

fn executable(path: &Path, text: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn patient(folder: &Path, references: &[&str]) -> Patient {
    let reference = |text: &&str| {
        let reference: ImageRef = text.parse().unwrap();
        (reference.repository.registry.clone(), reference)
    };
    Patient {
        docker: vec![folder.join("docker").to_str().unwrap().to_owned()],
        socket: None,
        registries: references.iter().map(reference).collect(),
    }
}

async fn look(scratch: &Scratch, config: &str, references: &[&str], github: &str) -> Puller {
    let folder = scratch.path();
    executable(&folder.join("docker"), DOCKER);
    std::fs::write(folder.join("config.json"), config).unwrap();
    std::fs::write(folder.join("pattern"), "w\\rd\n").unwrap();
    let user = ("me", "me".to_owned(), "ssh".to_owned());
    let folder_name = folder.to_str();
    let patient = patient(folder, references);
    logins(&Place::Here, &patient, user, folder_name, github).await
}

fn asked(folder: &Path, line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in folder.read_dir().unwrap().flatten() {
        if entry.file_name().to_string_lossy().starts_with("asked.") {
            let text = std::fs::read_to_string(entry.path()).unwrap();
            found.extend(
                text.lines()
                    .filter(|asked| asked.contains(line))
                    .map(str::to_owned),
            );
        }
    }
    found
}

#[tokio::test]
async fn each_login_is_found_used_and_kept_secret() {
    let scratch = Scratch::create();
    let auth = STANDARD.encode(format!("deploy:{SECRET}"));
    let config = format!(
        r#"{{"auths": {{"https://held.lan/v2/": {{"auth": "{auth}"}}, "https://index.docker.io/v1/": {{"auth": "{auth}"}},
           "empty.lan": {{}}, "token.lan:5000": {{"identitytoken": "x\"y"}}}},
           "credHelpers": {{"gone.lan": "no-such-helper"}}, "HttpHeaders": {{"a": ["b"]}}}}"#
    );
    let references = [
        "held.lan/app:1",
        "nginx:1",
        "empty.lan/app:1",
        "token.lan:5000/app:1",
        "gone.lan/app:1",
        "open.lan/app:1",
        "plain.lan/app:1",
    ];
    let puller = look(&scratch, &config, &references, "http://127.0.0.1:9").await;
    assert_eq!(puller.trouble, None);
    let told: Vec<(String, &Login, Option<RegistryTrouble>)> = puller
        .logins
        .iter()
        .map(|check| {
            let trouble = check
                .answer
                .as_ref()
                .and_then(|answer| answer.as_ref().err());
            let trouble = trouble.map(|failure| failure.trouble);
            (check.registry.to_string(), &check.login, trouble)
        })
        .collect();
    let missing = Login::HelperMissing("no-such-helper".to_owned());
    use RegistryTrouble as T;
    assert_eq!(
        told,
        [
            ("held.lan".to_owned(), &Login::File, None),
            ("docker.io".to_owned(), &Login::File, None),
            ("empty.lan".to_owned(), &Login::None, Some(T::Unauthorized)),
            ("token.lan:5000".to_owned(), &Login::File, None),
            ("gone.lan".to_owned(), &missing, Some(T::Unauthorized)),
            ("open.lan".to_owned(), &Login::None, None),
            ("plain.lan".to_owned(), &Login::None, Some(T::PlainHttp)),
        ]
    );
    let sent: Vec<serde_json::Value> = asked(scratch.path(), "X-Registry-Auth")
        .iter()
        .map(|line| {
            URL_SAFE
                .decode(line.trim().rsplit(' ').next().unwrap())
                .unwrap()
        })
        .map(|json| serde_json::from_slice(&json).unwrap())
        .collect();
    let held = sent
        .iter()
        .find(|json| json["serveraddress"] == "held.lan")
        .unwrap();
    assert_eq!(
        (&held["username"], &held["password"]),
        (&"deploy".into(), &SECRET.into())
    );
    assert!(sent.iter().any(|json| json["identitytoken"] == "x\"y"));
    let hub = asked(scratch.path(), "index.docker.io");
    assert_eq!(hub.len(), 1, "asked at the door, not for a manifest");
    assert!(
        !scratch.path().join("leaks").exists(),
        "the secret was an argument"
    );
    assert!(!format!("{puller:?}").contains("ss:w"), "{puller:?}");
}

#[tokio::test]
async fn a_helper_s_login_is_used_where_it_is_kept() {
    let scratch = Scratch::create();
    executable(
        &scratch.path().join("docker-credential-box"),
        "#!/bin/sh\nread -r server\ncase $server in held.lan) echo '{\"Username\":\"me\",\"Secret\":\"s\\\"t\"}' ;;\n\
         locked.lan) echo 'pass not initialized'; exit 1 ;;\n*) echo 'credentials not found in native keychain'; exit 1 ;; esac\n",
    );
    let path = format!("{}:/usr/bin:/bin", scratch.path().display());
    let config = r#"{"credsStore":"box","auths":{"held.lan":{}}}"#;
    executable(&scratch.path().join("docker"), DOCKER);
    std::fs::write(scratch.path().join("config.json"), config).unwrap();
    let patient = patient(
        scratch.path(),
        &["held.lan/a:1", "locked.lan/a:1", "none.lan/a:1"],
    );
    let mut script = format!(
        "PATH={path}\n{}config={}\ngithub=x\nflatten={}\n{LOGINS}\n",
        patient.head(true),
        scratch.path().display(),
        quote(FLATTEN)
    );
    for (registry, reference) in &patient.registries {
        script.push_str(&format!("check {registry} {reference}\n"));
    }
    let (text, errors) = run(&Place::Here, &script, 20).await.unwrap();
    let mut puller = Puller {
        user: String::new(),
        because: String::new(),
        trouble: None,
        logins: Vec::new(),
    };
    let registries: Vec<_> = patient.registries.iter().collect();
    read::logins(&text, &errors, &registries, &mut puller);
    let told: Vec<&Login> = puller.logins.iter().map(|check| &check.login).collect();
    let name = || "box".to_owned();
    assert_eq!(
        told,
        [
            &Login::Helper(name()),
            &Login::HelperSilent(name()),
            &Login::None
        ],
        "{text}{errors}"
    );
    assert_eq!(puller.logins[0].answer, Some(Ok(())));
    assert!(!text.contains("s\\\"t"), "{text}");
}

#[tokio::test]
async fn a_token_of_github_s_is_told_by_its_headers_on_the_host() {
    let has_curl = std::process::Command::new("curl")
        .arg("--version")
        .output()
        .is_ok();
    if !has_curl {
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let api = format!("http://{}", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = Vec::new();
        while !asked.ends_with(b"\r\n\r\n") {
            asked.push(stream.read_u8().await.unwrap());
        }
        let answer = "HTTP/1.1 200 OK\r\nX-OAuth-Scopes: repo\r\ncontent-length: 2\r\n\
            github-authentication-token-expiration: 2026-12-01 09:00:00 UTC\r\n\r\n{}";
        stream.write_all(answer.as_bytes()).await.unwrap();
        String::from_utf8(asked).unwrap()
    });
    let scratch = Scratch::create();
    let auth = STANDARD.encode("me:ghp_verysecret");
    let config = format!(r#"{{"auths":{{"ghcr.io":{{"auth":"{auth}"}}}}}}"#);
    let puller = look(&scratch, &config, &["ghcr.io/me/app:1"], &api).await;
    let token = puller.logins[0].token.clone().unwrap();
    assert_eq!((token.status, token.reads_packages()), (200, Some(false)));
    assert!(token.expires.is_some());
    assert!(server.await.unwrap().contains("Bearer ghp_verysecret"));
    assert!(!format!("{puller:?}").contains("verysecret"));
}

#[test]
fn units_and_registries_of_a_host_are_read() {
    let told = read::host(
        "noise\n@user ops\n@unit blog.service deploy /srv/conf\n@unit x.service root \n@unit bad.service %i \n@daemon\n\
         @registries {\"InsecureRegistryCIDRs\":[\"127.0.0.0/8\",\"10.0.0.0/8\"],\"IndexConfigs\":{\"docker.io\":{\"Secure\":true},\"r.lan:5000\":{\"Secure\":false}}}\n",
    );
    assert_eq!((told.user.as_str(), told.has_daemon_file), ("ops", true));
    assert_eq!(told.insecure, ["r.lan:5000", "10.0.0.0/8"]);
    let units: Vec<_> = told
        .units
        .iter()
        .map(|unit| {
            (
                unit.name.as_str(),
                unit.user.as_str(),
                unit.config.as_deref(),
            )
        })
        .collect();
    assert_eq!(
        units,
        [
            ("blog.service", "deploy", Some("/srv/conf")),
            ("x.service", "root", None)
        ]
    );
}

#[test]
fn last_words_are_read_and_bounded() {
    let ended = read::engine(
        "@manager systemd docker\n@state ActiveState=failed\n@state Result=exit-code\n@state ExecMainStatus=1\n\
         @line one\n@line two\n@line three\n@line \u{1b}[31mfailed to start daemon\n",
    );
    let ended = ended.unwrap();
    assert_eq!((ended.state.as_str(), ended.code), ("failed", Some(1)));
    assert_eq!(
        ended.lines,
        ["two", "three", "^[[31mfailed to start daemon"]
    );
    assert!(ended.read.contains("journalctl -u docker"));
    let fallen = read::fallen("@fallen exited 137 true registry-1 registry:2\n@line level=fatal\n");
    assert_eq!((fallen[0].code, fallen[0].out_of_memory), (Some(137), true));
    assert_eq!(fallen[0].read, "docker logs --tail 50 registry-1");
}
