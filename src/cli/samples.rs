//! A small fleet for tests of the commands: one host up, one down and remembered, one never seen.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::time::Duration;

use crate::app::effect::Effect;
use crate::app::keymap::Keymap;
use crate::app::mode::Observing;
use crate::app::model::Model;
use crate::app::msg::{Msg, Now};
use crate::app::update::update;
use crate::core::digest::TopDigest;
use crate::core::engine::{ContainerFacts, ImageStore};
use crate::core::failure::{HostFailure, HostTrouble, RegistryFailure, RegistryTrouble};
use crate::core::files::{FilesState, Recipe};
use crate::core::host::HostSpec;
use crate::core::memory::{Memory, RememberedHost};
use crate::core::remote::{Answer, QuestionKey, Route};
use crate::core::samples::{container, day, digest, image, observation, platform, remote_image};
use crate::core::settings::Settings;

/// The moment of every report.
pub const NOW: i64 = 12;

/// Takes a message in.
pub fn tell(model: &mut Model, msg: Msg) {
    let now = Now {
        wall: day(NOW),
        since_start: Duration::from_secs(1),
    };
    let _: Vec<Effect<Observing>> = update(model, now, msg);
}

/// Makes a container of a compose service.
pub fn member(project: &str, service: &str, reference: &str, image: u8) -> ContainerFacts {
    let mut facts = container(&format!("{project}-{service}-1"), reference);
    facts.image_id = crate::core::digest::ImageId(digest(image));
    let folder = format!("/opt/{project}");
    for (name, value) in [
        ("com.docker.compose.project", project),
        ("com.docker.compose.service", service),
        ("com.docker.compose.project.working_dir", folder.as_str()),
        (
            "com.docker.compose.project.config_files",
            &format!("{folder}/compose.yaml"),
        ),
        ("com.docker.compose.version", "2.40.0"),
    ] {
        facts.labels.set(name, value);
    }
    facts
}

/// Makes the fleet.
pub fn fleet() -> Model {
    let hosts = ["vps=ssh://op@vps", "nas=ssh://nas", "new=tcp://127.0.0.1:1"];
    let hosts = hosts.iter().map(|text| {
        let (name, address) = text.split_once('=').unwrap();
        HostSpec::new(name.into(), address.parse().unwrap())
    });
    let settings = Settings {
        hosts: hosts.collect(),
        ..Settings::default()
    };
    let now = Now {
        wall: day(NOW),
        since_start: Duration::ZERO,
    };
    let mut model = Model::new(settings, Keymap::default(), now);
    let remembered = observation(
        ImageStore::Graph,
        vec![image(
            1,
            &["r.lan/me/old:1"],
            &[("r.lan/me/old", 0x21)],
            Some(0),
        )],
        vec![member("files", "samba", "r.lan/me/old:1", 1)],
    );
    let memory = Memory {
        hosts: vec![RememberedHost {
            name: "nas".into(),
            address: "ssh://nas".to_owned(),
            observation: remembered,
        }],
        ..Memory::default()
    };
    tell(&mut model, Msg::Restored(Box::new(memory)));
    connect(&mut model);
    for (name, trouble, what, remedy) in [
        (
            "nas",
            HostTrouble::NoConnection,
            "no route to nas:22",
            "is it switched on?",
        ),
        (
            "new",
            HostTrouble::EngineDown,
            "nothing listens on 127.0.0.1:1",
            "start the engine",
        ),
    ] {
        let failure = HostFailure::new(trouble, what, remedy);
        tell(
            &mut model,
            Msg::Disconnected {
                host: name.into(),
                failure,
            },
        );
    }
    model
}

fn connect(model: &mut Model) {
    let tag = "r.lan/me/web:latest";
    let images = vec![
        image(1, &[tag], &[("r.lan/me/web", 0x11)], Some(1)),
        image(
            2,
            &["r.lan/me/cache:7"],
            &[("r.lan/me/cache", 0x12)],
            Some(1),
        ),
        image(3, &["r.lan/me/lost:1"], &[("r.lan/me/lost", 0x13)], Some(1)),
    ];
    let mut hostile = container("evil\u{1b}[2J\u{202e}", "r.lan/me/lost:1");
    hostile.image_id = crate::core::digest::ImageId(digest(3));
    let containers = vec![
        member("blog", "web", tag, 1),
        member("blog", "cache", "r.lan/me/cache:7", 2),
        hostile,
    ];
    tell(
        model,
        Msg::Connected {
            host: "vps".into(),
            rtt_ms: 12,
            could_change: true,
        },
    );
    let generation = model.hosts[0].generation;
    tell(
        model,
        Msg::Observed {
            host: "vps".into(),
            generation,
            result: Ok(Box::new(observation(ImageStore::Graph, images, containers))),
        },
    );
    let mut newer = remote_image(0x77, 5, &[]);
    newer.created = Some(day(9));
    resolve(model, tag, Ok(answer(0x77, Some(newer))));
    resolve(model, "r.lan/me/cache:7", Ok(answer(0x12, None)));
    let refused = RegistryFailure::new(
        RegistryTrouble::Unauthorized,
        "r.lan refused the credentials of op",
        "run docker login r.lan",
    );
    resolve(model, "r.lan/me/lost:1", Err(refused));
    tell(
        model,
        Msg::Rendered {
            host: "vps".into(),
            project: "blog".into(),
            recipe: Recipe {
                working_dir: "/opt/blog".to_owned(),
                config_files: vec!["/opt/blog/compose.yaml".to_owned()],
                environment_files: Vec::new(),
            },
            state: FilesState::Unreadable("/opt/blog/compose.yaml is not there".to_owned()),
        },
    );
}

fn answer(top: u8, image: Option<crate::core::remote::RemoteImage>) -> Answer {
    Answer {
        at: day(10),
        top: TopDigest(digest(top)),
        image,
        examined: Vec::new(),
        requests: Vec::new(),
        credential: Some("op from docker's config".to_owned()),
        quota: None,
        remark: None,
    }
}

fn resolve(model: &mut Model, reference: &str, result: Result<Answer, RegistryFailure>) {
    let key = QuestionKey {
        route: Route::Here,
        reference: reference.parse().unwrap(),
        platform: platform(),
    };
    tell(
        model,
        Msg::Resolved {
            key,
            result: result.map(Box::new),
        },
    );
}
