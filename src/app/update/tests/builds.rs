//! Sources of builds: when they are followed, what their news changes, and the keys of their views.

use super::*;
use crate::app::builds::Wanted;
use crate::core::builds::deploy::{DeployRun, DeployState};
use crate::core::builds::samples::{build, record};
use crate::core::builds::{BuildNews, BuildRecord, SourceFailure};
use crate::core::samples::remote_image;
use crate::core::settings::{BuildOrigin, BuildSource, DeploySource};

fn source(name: &str, host: Option<&str>, deploys: bool) -> BuildSource {
    BuildSource {
        name: name.to_owned(),
        image: Some("ghcr.io/me/app".to_owned()),
        from: BuildOrigin::File {
            pattern: "/x/*.log".to_owned(),
            host: host.map(Into::into),
        },
        deploys: match deploys {
            true => vec![DeploySource {
                repository: None,
                workflow: "deploy.yml".to_owned(),
            }],
            false => Vec::new(),
        },
    }
}

fn bench(sources: Vec<BuildSource>) -> Bench {
    let hosts = vec![HostSpec::new("a".into(), "ssh://a".parse().unwrap())];
    let mut bench = Bench::with(Settings {
        hosts,
        builds: sources,
        ..Settings::default()
    });
    bench.model.builds.wanted = Wanted::Everything;
    bench
}

fn followed(effects: &Effects) -> Vec<String> {
    let names = effects.iter().filter_map(|effect| match effect {
        Effect::Look(Look::Builds { source }) => Some(source.to_string()),
        _ => None,
    });
    names.collect()
}

fn news(bench: &mut Bench, source: &str, news: BuildNews) -> Effects {
    let source = source.into();
    bench.tell(Msg::Builds { source, news })
}

fn blog(at: i64) -> BuildRecord {
    let steps = [("COPY a .", true, 0.0), ("RUN b", at % 2 == 0, 3.0)];
    record(at, build("alpine", &steps))
}

#[test]
fn a_source_is_followed_once_its_host_is_up_and_again_when_it_is_back() {
    let mut bench = bench(vec![
        source("here", None, false),
        source("there", Some("a"), false),
    ]);
    assert_eq!(followed(&bench.tick()), ["here"]);
    assert_eq!(followed(&bench.connect("a")), ["there"]);
    assert_eq!(followed(&bench.tick()), [""; 0]);
    bench.lose("a", HostTrouble::NoConnection);
    let failure = SourceFailure::new("the watch ended", "tried again by itself");
    news(&mut bench, "there", BuildNews::Failed(failure));
    assert_eq!(followed(&bench.tick()), [""; 0], "its host is away");
    assert_eq!(followed(&bench.connect("a")), ["there"]);
}

#[test]
fn a_source_that_fails_is_left_alone_for_longer_and_longer_and_as_long_as_it_asks() {
    let mut bench = bench(vec![source("here", None, false)]);
    bench.tick();
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let failed = bench.at;
        news(
            &mut bench,
            "here",
            BuildNews::Failed(SourceFailure::new("no", "")),
        );
        let again = bench.pass(600_000).into_iter();
        let mut again =
            again.filter(|(_, effect)| matches!(effect, Effect::Look(Look::Builds { .. })));
        pauses.push(again.next().unwrap().0 - failed);
    }
    assert!(pauses.is_sorted() && pauses[0] < pauses[4], "{pauses:?}");
    let mut asked = SourceFailure::new("the rate limit is used up", "");
    asked.retry_after = Some(1800);
    news(&mut bench, "here", BuildNews::Failed(asked));
    let early = bench.pass(1_790_000);
    assert!(
        !early
            .iter()
            .any(|(_, effect)| matches!(effect, Effect::Look(Look::Builds { .. })))
    );
    // Keys do not shorten what the other side asked for.
    bench.press("4");
    assert_eq!(followed(&bench.press("R")), [""; 0]);
}

#[test]
fn nothing_is_read_unless_it_is_wanted_and_watched_closely_only_while_somebody_looks() {
    let mut bench = bench(vec![source("here", None, false)]);
    bench.model.builds.wanted = Wanted::Deploys;
    assert_eq!(followed(&bench.tick()), [""; 0]);
    bench.model.builds.wanted = Wanted::Everything;
    bench.tick();
    let watch = |closely| Effect::Look(Look::WatchBuilds { closely });
    assert!(bench.press("4").contains(&watch(true)));
    assert_eq!(bench.press("j"), []);
    assert!(bench.press("esc").contains(&watch(false)));
}

#[test]
fn a_build_is_opened_left_and_compared_with_those_beside_it() {
    let mut bench = bench(vec![source("blog", None, false)]);
    bench.tick();
    let found = (1..=4).map(blog).collect();
    news(&mut bench, "blog", BuildNews::Found(found));
    bench.press("4 enter");
    let opened = |bench: &Bench| match &bench.model.screen.view {
        View::Build { build, .. } => build.1.to_string(),
        _ => String::new(),
    };
    assert_eq!(opened(&bench), "4");
    bench.press("left left");
    assert_eq!(opened(&bench), "2");
    bench.press("right");
    assert_eq!(opened(&bench), "3");
    // What is asked for above a build where it means nothing is refused in words.
    assert_eq!(bench.press("? y"), []);
    let said = bench.model.screen.notice.clone().map(|notice| notice.text);
    assert_eq!(said.as_deref(), Some("copy: it is not known yet"));
    bench.press("esc");
    news(&mut bench, "blog", BuildNews::Gone(vec!["3".into()]));
    bench.press("j k esc");
    assert!(matches!(bench.model.screen.view, View::Builds { .. }));
    bench.press("esc");
    assert_eq!(bench.model.screen.view, View::Fleet);
}

#[test]
fn a_source_keeps_its_newest_builds_only() {
    let mut bench = bench(vec![source("blog", None, false)]);
    bench.tick();
    let found = (1..=1000).map(blog).collect();
    news(&mut bench, "blog", BuildNews::Found(found));
    assert_eq!(bench.model.builds.records.len(), 300);
    let oldest = bench
        .model
        .builds
        .records
        .values()
        .map(|record| record.when())
        .min();
    assert_eq!(oldest.unwrap().unwrap().as_second(), 701);
}

#[test]
fn what_is_behind_says_what_became_of_its_deploy() {
    let mut bench = bench(vec![source("blog", None, true)]);
    bench.tick();
    let effects = bench.up("a", vec![plain("web")]);
    let asked = questions(&effects)[0].key.clone();
    let mut told = answer(11);
    let mut image = remote_image(11, 2, &[(21, 121)]);
    image.created = Some(day(50));
    told.image = Some(image);
    bench.resolved(&asked, Ok(told));
    assert_eq!(bench.verdict("a/-/web").0, Verdict::Behind);
    let top = bench.service("a/-/web").registry.digest.clone().unwrap();
    let mut pushed = blog(100);
    pushed.build.digest = Some(top.to_string());
    news(&mut bench, "blog", BuildNews::Found(vec![pushed]));
    let note = |bench: &Bench| bench.service("a/-/web").note.clone().unwrap_or_default();
    assert!(
        !note(&bench).contains("deploy"),
        "nothing is known of deploys yet"
    );
    news(&mut bench, "blog", BuildNews::CaughtUp);
    assert!(
        note(&bench).contains("pushed, not deployed yet"),
        "{}",
        note(&bench)
    );
    let run = DeployRun {
        source: "blog".into(),
        repository: "me/deployments".to_owned(),
        workflow: "deploy.yml".to_owned(),
        number: 7,
        state: DeployState::Failed("failure".to_owned()),
        same_repository: false,
        revision: None,
        created: day(120),
        ended: None,
        url: None,
    };
    news(&mut bench, "blog", BuildNews::Deploys(vec![run]));
    assert!(
        note(&bench).contains("deploy failed: deploy.yml #7"),
        "{}",
        note(&bench)
    );
}
