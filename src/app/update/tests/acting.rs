//! Plans and jobs: asking changes nothing, only a clear yes starts, and exactly what was shown.

use super::*;
use crate::app::effect::Act;
use crate::app::mode::Observing;
use crate::core::rollout::plan::{TargetPlan, sample};
use crate::core::rollout::{Action, Outcome};

fn shown(protect: bool, blocked: Option<&str>) -> (Bench, TargetPlan) {
    let mut spec = HostSpec::new("vps".into(), "ssh://vps".parse().unwrap());
    spec.protect = protect;
    let mut bench = Bench::with(Settings {
        hosts: vec![spec],
        ..Settings::default()
    });
    bench.up("vps", vec![composed("blog", "web")]);
    bench.model.screen.selected = Some(RowId::Service(key("vps/blog/web")));
    let effects = bench.press("u");
    assert!(
        matches!(effects.as_slice(), [Effect::Look(Look::Plan(_))]),
        "asking only looks: {effects:?}"
    );
    let mut plan = sample(Action::Update);
    plan.blocked = blocked.map(str::to_owned);
    let number = bench.model.asked;
    let result = Ok(Box::new(plan.clone()));
    assert_eq!(bench.tell(Msg::Planned { number, result }), []);
    (bench, plan)
}

fn started(effects: &Effects) -> Vec<&TargetPlan> {
    let plan = |effect| match effect {
        &Effect::Act(Act::Start(ref plan)) => Some(&**plan),
        _ => None,
    };
    effects.iter().filter_map(plan).collect()
}

#[test]
fn only_y_starts_and_exactly_the_shown_plan() {
    for no in ["n", "esc", "enter"] {
        let (mut bench, _) = shown(false, None);
        assert_eq!(bench.press(no), [], "{no} means no");
        assert_eq!(bench.model.screen.overlay, Overlay::None);
        assert!(bench.model.jobs.is_empty());
    }
    let (mut bench, plan) = shown(false, None);
    let effects = bench.press("s s y");
    assert_eq!(started(&effects), [&plan]);
    let end = Msg::JobEnded {
        job: plan.job,
        outcome: Outcome::Succeeded,
        why: String::new(),
    };
    let effects = bench.tell(end);
    let looks = effects
        .iter()
        .any(|effect| matches!(effect, Effect::Look(Look::Observe { .. })));
    assert!(looks, "the host is read again: {effects:?}");
    assert!(bench.model.jobs.is_empty());
}

#[test]
fn a_blocked_plan_and_one_that_was_left_never_start() {
    let (mut bench, _) = shown(false, Some("full"));
    assert_eq!(bench.press("y"), []);
    let (mut bench, plan) = shown(false, None);
    bench.press("n");
    let number = bench.model.asked;
    let result = Ok(Box::new(plan));
    bench.tell(Msg::Planned { number, result });
    assert_eq!(bench.model.screen.overlay, Overlay::None);
}

#[test]
fn a_protected_service_wants_its_exact_name() {
    for typed in ["", "y", "we", "Web", "web "] {
        let (mut bench, _) = shown(true, None);
        bench.type_text(typed);
        assert_eq!(bench.press("enter"), [], "{typed:?} is not its name");
    }
    let (mut bench, plan) = shown(true, None);
    bench.type_text("web");
    let effects = bench.press("enter");
    assert_eq!(started(&effects), [&plan]);
}

#[test]
fn an_observing_session_starts_nothing() {
    let (mut bench, _) = shown(false, None);
    let effects = update::<Observing>(&mut bench.model, moment(0), Msg::Key(Key::char('y')));
    assert!(effects.is_empty());
    assert!(bench.model.jobs.is_empty());
}
