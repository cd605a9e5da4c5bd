//! Hosts reached for real: what is seen there, how it is followed, and each way in which it fails.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use homelab_tui::adapters::hosts::{HostSession, Hosts};
use homelab_tui::core::engine::{ContainerState, ImageStore};
use homelab_tui::core::failure::{HostFailure, HostTrouble};
use homelab_tui::core::host::HostSpec;
use homelab_tui::core::settings::SshSettings;
use homelab_tui::core::watch::{EngineEvent, Scope};

use crate::support::{Host, Image, Lab, Layer, fresh_seed, unique};

/// Hosts by the lab's ssh configuration.
pub fn hosts(lab: &Lab) -> Hosts {
    hosts_by(&lab.fact("ssh_config"))
}

pub fn hosts_by(config_file: &str) -> Hosts {
    Hosts::new(SshSettings {
        config_file: Some(config_file.to_owned()),
        connect_timeout: Duration::from_secs(5),
    })
}

pub fn spec(address: &str) -> HostSpec {
    HostSpec::new("x".into(), address.parse().unwrap())
}

pub async fn open(hosts: &Hosts, address: &str) -> HostSession {
    connect(hosts, &spec(address)).await.unwrap()
}

pub async fn connect(hosts: &Hosts, spec: &HostSpec) -> Result<HostSession, HostFailure> {
    let heard = Mutex::new(Vec::new());
    let result = hosts
        .connect(spec, &|failure| heard.lock().unwrap().push(failure))
        .await;
    assert_eq!(*heard.lock().unwrap(), [], "no login of the lab waits");
    result
}

/// An ssh configuration with lines before the lab's own.
pub fn config_with(lab: &Lab, lines: &str) -> String {
    let file = lab.folder("ssh").join("config");
    let text = format!("{lines}\nMatch all\nInclude {}\n", lab.fact("ssh_config"));
    std::fs::write(&file, text).unwrap();
    file.to_str().unwrap().to_owned()
}

pub fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
        .block_on(work)
}

#[test]
fn what_is_seen_is_what_the_engines_hold() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let hosts = hosts(&lab);
        for host in lab.hosts() {
            let name = unique("seen");
            let image = Image::busybox(&lab)
                .label("org.opencontainers.image.revision", &name)
                .build();
            let registry = lab.registry("plain");
            registry.push(&name, "1", &image);
            let reference = registry.reference(&name, "1");
            host.docker(&["run", "-d", "--name", &name, "-p", "80", &reference]);
            let session = open(&hosts, &format!("ssh://{}", host.name)).await;
            let seen = session.observe(&Scope::All).await.unwrap();
            let truth = host.inspect("container", &name);
            host.docker(&["rm", "-f", &name]);

            let store = if host.is_containerd() {
                ImageStore::Containerd
            } else {
                ImageStore::Graph
            };
            assert_eq!(seen.engine.store, store, "{}", host.name);
            let container = seen.containers.iter().find(|one| one.name == name).unwrap();
            assert_eq!(container.id.as_str(), truth["Id"].as_str().unwrap());
            assert_eq!(
                container.image_id.to_string(),
                truth["Image"].as_str().unwrap()
            );
            assert_eq!(container.reference, reference);
            assert_eq!(container.state, ContainerState::Running);
            assert_eq!(container.ports.len(), 1);
            assert_eq!(container.manifest.is_some(), host.name == "ctd28");
            let held = &seen.images[&container.image_id];
            assert!(held.complete);
            assert_eq!(held.revision.as_deref(), Some(name.as_str()));
            assert_eq!(held.tags, [reference.parse().unwrap()]);
            assert!(!held.diff_ids.is_empty());
            assert!(session.could_change());
            session.close().await;
        }
    });
}

#[test]
fn a_stopped_container_is_told_within_a_second() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let hosts = hosts(&lab);
        for name in ["old", "ctd28"] {
            let host = lab.host(name);
            let container = unique("event");
            let image = Image::busybox(&lab).label("of", &container).build();
            let registry = lab.registry("plain");
            registry.push(&container, "1", &image);
            let id = host.docker(&[
                "run",
                "-d",
                "--name",
                &container,
                &registry.reference(&container, "1"),
            ]);
            let session = open(&hosts, &format!("ssh://{name}")).await;
            let mut events = session.events();
            let before = session.observe(&Scope::All).await.unwrap();
            let stopper = {
                let (host, container) = (host.clone(), container.clone());
                move || {
                    host.docker(&["kill", &container]);
                    Instant::now()
                }
            };
            let stopped = tokio::task::spawn_blocking(stopper);
            let died = async {
                loop {
                    match events.next().await.unwrap().unwrap() {
                        EngineEvent::Container {
                            id: about,
                            action,
                            exit_code,
                        } if about.as_str() == id && action == "die" => {
                            assert_eq!(exit_code, Some(137));
                            return Scope::Containers([about].into());
                        }
                        _ => {}
                    }
                }
            };
            let scope = tokio::time::timeout(Duration::from_secs(20), died)
                .await
                .unwrap();
            let after = session.observe(&scope).await.unwrap();
            let took = stopped.await.unwrap().elapsed();
            assert!(took < Duration::from_secs(1), "{name}: {took:?}");
            let state = |seen: &homelab_tui::core::engine::Observation| {
                seen.containers
                    .iter()
                    .find(|one| one.name == container)
                    .unwrap()
                    .state
            };
            assert_eq!(
                (state(&before), state(&after)),
                (ContainerState::Running, ContainerState::Exited)
            );
            host.docker(&["rm", "-f", &container]);
            session.close().await;
        }
    });
}

#[test]
fn d1_d11_noisy_profiles_and_gates_let_the_engine_through() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let hosts = hosts(&lab);
        for (user, could_change) in [("ops", true), ("fishy", true), ("gate", false)] {
            let session = open(&hosts, &format!("ssh://old-{user}")).await;
            assert_eq!(session.could_change(), could_change, "{user}");
            assert_eq!(session.place().is_some(), could_change, "{user}");
            assert_eq!(
                session.observe(&Scope::All).await.unwrap().engine.api,
                "1.41"
            );
            session.close().await;
        }
    });
}

#[test]
fn d4_another_command_and_socket_are_used_as_configured() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let hosts = hosts(&lab);
        let mut spec = spec("ssh://new");
        spec.socket = Some("/run/docker.sock".to_owned());
        spec.docker_command = vec!["env".to_owned(), "A=a b".to_owned(), "docker".to_owned()];
        let session = connect(&hosts, &spec).await.unwrap();
        session.observe(&Scope::All).await.unwrap();
        session.close().await;
        spec.socket = Some("/run/nothing here.sock".to_owned());
        let failure = connect(&hosts, &spec).await.unwrap_err();
        assert_eq!(failure.trouble, HostTrouble::EngineDown);
        assert!(failure.what.contains("/run/nothing here.sock"), "{failure}");
    });
}

#[test]
fn sockets_of_this_machine_are_used() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        for host in lab.hosts() {
            let session = open(&hosts(&lab), &unix(&host)).await;
            session.observe(&Scope::All).await.unwrap();
            let mut local = spec("local");
            local.socket = Some(host.dir().join("docker.sock").display().to_string());
            connect(&hosts(&lab), &local).await.unwrap();
        }
        let gone = connect(&hosts(&lab), &spec("unix:///nowhere/docker.sock")).await;
        assert_eq!(gone.unwrap_err().trouble, HostTrouble::EngineDown);
        assert!(!Path::new("/nowhere").exists());
    });
}

#[test]
fn an_engine_asks_a_registry_in_our_place() {
    let Some(lab) = Lab::here() else { return };
    run(async {
        let registry = lab.registry("plain");
        let repo = unique("told");
        let image = Image::busybox(&lab)
            .layer(Layer::random(fresh_seed(), 100))
            .build();
        let pushed = registry.push(&repo, "1", &image);
        let reference = registry.reference(&repo, "1").parse().unwrap();
        let missing = registry.reference(&repo, "2").parse().unwrap();
        for host in lab.hosts() {
            let session = open(&hosts(&lab), &format!("ssh://{}", host.name)).await;
            let told = session.distribution(&reference, None).await.unwrap();
            assert_eq!(told.top.to_string(), pushed, "{}", host.name);
            assert_eq!(told.platforms.len(), 1);
            let gone = session.distribution(&missing, None).await.unwrap_err();
            assert_eq!(
                gone.trouble,
                homelab_tui::core::failure::RegistryTrouble::Gone,
                "{gone}"
            );
            session.close().await;
        }
    });
}

#[test]
fn an_engine_takes_a_credential_along_to_a_registry_with_a_password() {
    use homelab_tui::adapters::credentials::{Credential, CredentialKind};
    use homelab_tui::adapters::registry::EngineAuth;
    use homelab_tui::adapters::secret::Secret;
    use homelab_tui::core::failure::RegistryTrouble;
    let Some(lab) = Lab::here() else { return };
    run(async {
        let registry = lab.registry("basic");
        let repo = unique("locked");
        let image = Image::busybox(&lab).label("of", &repo).build();
        let pushed = registry.push(&repo, "1", &image);
        let reference = registry.reference(&repo, "1").parse().unwrap();
        let auth = |password: &str| {
            let credential = Credential {
                name: "lab".to_owned(),
                kind: CredentialKind::Password {
                    user: "lab".to_owned(),
                    password: Secret::new(password.to_owned()),
                },
            };
            EngineAuth::new(&credential, &registry.address.as_str().into()).header
        };
        for host in lab.hosts() {
            let session = open(&hosts(&lab), &unix(&host)).await;
            // The wrong one holds the signs in which plain and url-safe base64 differ.
            let own = auth("lab-secret");
            let right = session.distribution(&reference, Some(&own));
            assert_eq!(
                right.await.unwrap().top.to_string(),
                pushed,
                "{}",
                host.name
            );
            for wrong in [Some(auth(">>>???~~~")), None] {
                let refused = session.distribution(&reference, wrong.as_ref()).await;
                let refused = refused.unwrap_err();
                let told = matches!(
                    refused.trouble,
                    RegistryTrouble::Unauthorized | RegistryTrouble::Denied
                );
                assert!(told, "{}: {refused}", host.name);
            }
            session.close().await;
        }
    });
}

pub fn unix(host: &Host) -> String {
    format!("unix://{}", host.dir().join("docker.sock").display())
}
