//! What a plan says of a service that does not run as it should, and of those that share its network.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use super::*;
use crate::core::digest::{ManifestDigest, TopDigest};
use crate::core::engine::{ContainerFacts, Health};
use crate::core::inventory;
use crate::core::rollout::dossier::{Rendered, RunningContainer, Variable};
use crate::core::rollout::guard::Shape;
use crate::core::samples::{container, day, digest, image, observation, remote_image};

const TAG: &str = "registry.lan:5000/blog:latest";

fn of_service(name: &str, service: &str, image: u8, state: ContainerState) -> ContainerFacts {
    let mut one = container(name, TAG);
    one.image_id = ImageId(digest(image));
    one.state = state;
    for (key, value) in [("project", "blog"), ("service", service)] {
        let key = format!("com.docker.compose.{key}");
        one.labels.set(&key, value);
    }
    one
}

fn shape() -> Shape {
    Shape {
        image: TAG.to_owned(),
        ..Shape::default()
    }
}

/// Plans an update of `web` from a build of day 3 to one of the given day, as the containers are.
fn planned(containers: Vec<ContainerFacts>, to: i64, change: impl Fn(&mut Dossier)) -> TargetPlan {
    let web = |one: &&ContainerFacts| {
        inventory::compose_place(one).is_some_and(|(_, service)| service.as_str() == "web")
    };
    let mut dossier = Dossier {
        compose_version: Some("2.40.3".to_owned()),
        rendered: Some(Rendered {
            shape: shape(),
            ..Rendered::default()
        }),
        hashes: vec!["1".to_owned()],
        lock_is_shared: true,
        containers: containers
            .iter()
            .filter(web)
            .map(|one| {
                let running = RunningContainer {
                    image: Some(one.image_id.clone()),
                    shape: shape(),
                    ..RunningContainer::default()
                };
                (one.id.clone(), running)
            })
            .collect(),
        ..Dossier::default()
    };
    change(&mut dossier);
    let images = vec![image(1, &[TAG], &[], Some(3)), image(7, &[], &[], Some(1))];
    let seen = observation(ImageStore::Graph, images, containers);
    let mut remote = remote_image(20, 21, &[(1, 1)]);
    remote.created = Some(day(to));
    let running = ImageState {
        reference: TAG.to_owned(),
        digest: Some(TopDigest(digest(10))),
        manifest: Some(ManifestDigest(digest(11))),
        image_id: Some(ImageId(digest(1))),
        created: Some(day(3)),
        revision: None,
    };
    let wish = Wish {
        job: "7c1".to_owned(),
        action: Action::Update,
        target: ServiceKey {
            host: "vps".into(),
            project: "blog".into(),
            service: "web".into(),
        },
        by: "op@laptop".to_owned(),
        reason: None,
        take_environment: false,
        timeout_seconds: None,
        at: day(9),
        goal: Goal::Tag(Some(&remote)),
    };
    target(
        &wish,
        &Known {
            observation: &seen,
            dossier: &dossier,
            reference: TAG,
            recipe: None,
            pin_undone: false,
            compose_label: Some("2.40.3"),
            config_hash: Some("1"),
            running: &running,
            docker: &["docker".to_owned()],
            fetch_bytes: None,
            settings: RollbackSettings::default(),
            off_limits: None,
            changed_by_others: None,
        },
    )
}

fn one(state: ContainerState, code: Option<i64>) -> Vec<ContainerFacts> {
    let mut one = of_service("c1", "web", 1, state);
    one.exit_code = code;
    vec![one]
}

#[test]
fn what_does_not_run_is_said_to_be_started() {
    use ContainerState as S;
    for (containers, words) in [
        (one(S::Running, None), None),
        (
            one(S::Exited, Some(143)),
            Some("it is stopped: the update starts it"),
        ),
        (
            one(S::Exited, Some(0)),
            Some("it is stopped: the update starts it"),
        ),
        (
            one(S::Created, None),
            Some("it is not started yet: the update starts it"),
        ),
        (
            one(S::Paused, None),
            Some("it is paused: the update starts it"),
        ),
    ] {
        let plan = planned(containers, 5, |_| {});
        assert_eq!(plan.blocked, None);
        assert_eq!(plan.warnings.first().map(String::as_str), words);
    }
    let mut three: Vec<ContainerFacts> = ["c1", "c2", "c3"]
        .map(|name| of_service(name, "web", 1, S::Running))
        .into();
    three[1].state = S::Exited;
    let plan = planned(three.clone(), 5, |_| {});
    assert_eq!(
        plan.warnings,
        ["1 of 3 replicas is stopped: the update starts it"]
    );
    three[2].state = S::Exited;
    let plan = planned(three.clone(), 5, |_| {});
    assert_eq!(
        plan.warnings,
        ["2 of 3 replicas are stopped: the update starts them"]
    );
    three[0].state = S::Exited;
    let plan = planned(three, 5, |_| {});
    assert_eq!(
        plan.warnings,
        ["all 3 replicas are stopped: the update starts them"]
    );
}

#[test]
fn what_fails_already_is_said_to_be_beyond_proof() {
    use ContainerState as S;
    let mut sick = one(S::Running, None);
    sick[0].health = Health::Unhealthy;
    for (containers, how) in [
        (one(S::Exited, Some(3)), "it exited (3)"),
        (one(S::Restarting, Some(1)), "it restarts again and again"),
        (sick, "it is unhealthy"),
    ] {
        let plan = planned(containers, 5, |_| {});
        let [words] = plan.warnings.as_slice() else {
            panic!("{:?}", plan.warnings);
        };
        assert!(words.contains(how), "{words}");
    }
}

#[test]
fn a_tag_that_went_back_in_time_is_said_to() {
    let plan = planned(one(ContainerState::Running, None), 2, |_| {});
    assert_eq!(
        plan.warnings,
        [
            "the tag names an image built before the running one: 2026-01-03 00:00 against 2026-01-04 00:00"
        ]
    );
}

#[test]
fn who_shares_the_network_keeps_its_image_or_holds_the_plan_up() {
    use ContainerState as S;
    let with = |image, state, asked: &str| {
        let containers = vec![
            of_service("c1", "web", 1, S::Running),
            of_service("c2", "side", image, state),
        ];
        planned(containers, 5, |dossier| {
            dossier.dependents = vec!["side".to_owned()];
            let images = [("side".to_owned(), asked.to_owned())];
            dossier.dependent_images = images.into();
        })
    };
    let plan = with(1, S::Running, TAG);
    assert_eq!((plan.blocked, plan.warnings), (None, Vec::new()));
    let plan = with(1, S::Exited, TAG);
    assert!(plan.warnings[0].contains("the update starts it too"));
    let plan = with(7, S::Running, TAG);
    assert_eq!(plan.blocked, None);
    assert!(
        plan.warnings[0].contains("restarts with the image that it runs"),
        "{:?}",
        plan.warnings
    );
    let gone = with(8, S::Running, TAG).blocked.unwrap();
    assert!(gone.contains("no longer holds"), "{gone}");
    let other = with(1, S::Running, "registry.lan:5000/other:1");
    let other = other.blocked.unwrap();
    assert!(other.contains("its files name registry.lan:5000/other:1"));
}

#[test]
fn one_variable_was_given_and_several_were() {
    let words = |names: &[&str]| {
        let plan = planned(one(ContainerState::Running, None), 5, |dossier| {
            dossier.hashes.clear();
            let rendered = dossier.rendered.as_mut().unwrap();
            rendered.shape.user = Some("other".to_owned());
            rendered.variables = names
                .iter()
                .map(|name| Variable {
                    name: (*name).to_owned(),
                    value: None,
                    on_host: false,
                    in_image: false,
                })
                .collect();
        });
        plan.blocked.unwrap()
    };
    let alone = words(&["A"]);
    assert!(
        alone.starts_with("A was given by whoever deployed and is not"),
        "{alone}"
    );
    assert!(words(&["A", "B"]).starts_with("A, B were given by whoever deployed and are not"));
}

#[test]
fn who_shares_its_network_from_elsewhere_is_told_beforehand() {
    let leaning = |name: &str, labels: &[(&str, &str)]| {
        let mut one = container(name, TAG);
        one.network_mode = "container:c1".to_owned();
        let labels = labels
            .iter()
            .map(|(key, value)| (format!("com.docker.compose.{key}"), (*value).to_owned()));
        one.labels = labels.collect();
        one
    };
    let warnings = |containers: Vec<ContainerFacts>| {
        let mut all = vec![of_service("c1", "web", 1, ContainerState::Running)];
        all.extend(containers);
        let dependents = |dossier: &mut Dossier| dossier.dependents = vec!["side".to_owned()];
        planned(all, 5, dependents).warnings
    };
    let asking = |dossier: &mut Dossier| dossier.ask_for_a_restart = vec!["api".to_owned()];
    let own = of_service("c1", "web", 1, ContainerState::Running);
    let told = planned(vec![own], 5, asking).warnings;
    assert!(told[0].contains("`docker compose restart api`"), "{told:?}");
    let other = leaning("torrent", &[("project", "arr"), ("service", "torrent")]);
    let plain = leaning("by-hand", &[]);
    let own = of_service("c2", "side", 1, ContainerState::Running);
    let own = ContainerFacts {
        network_mode: "container:c1".to_owned(),
        ..own
    };
    assert_eq!(warnings(vec![own]), Vec::<String>::new());
    let told = warnings(vec![other, plain]);
    assert!(
        told[0].contains("torrent") && told[0].contains("/arr/torrent`"),
        "{told:?}"
    );
    assert!(told[1].contains("by hand"), "{told:?}");
}
