//! Plans and jobs: asking changes nothing, only a clear yes starts, and exactly what was shown.

use super::*;
use crate::app::effect::Act;
use crate::app::mode::Observing;
use crate::core::rollout::plan::{Plan, TargetPlan, sample};
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
        matches!(
            effects.as_slice(),
            [Effect::Look(Look::Pace { .. }), Effect::Look(Look::Plan(_))]
        ),
        "asking only looks: {effects:?}"
    );
    let mut plan = sample(Action::Update);
    plan.blocked = blocked.map(str::to_owned);
    let number = bench.model.asked;
    let result = Ok(Box::new(Plan::of_one(plan.clone())));
    assert_eq!(bench.tell(Msg::Planned { number, result }), []);
    (bench, plan)
}

fn started(effects: &Effects) -> Vec<&TargetPlan> {
    let plan = |effect| match effect {
        &Effect::Act(Act::Start(ref plan)) => Some(&plan.targets),
        _ => None,
    };
    effects.iter().filter_map(plan).flatten().collect()
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
    let result = Ok(Box::new(Plan::of_one(plan)));
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

/// Two hosts with a project of three services each; the second project's names are protected.
fn fleet() -> Bench {
    let specs = ["vps", "pi4"].map(|name| {
        let mut spec = HostSpec::new(name.into(), format!("ssh://{name}").parse().unwrap());
        spec.protect = name == "pi4";
        spec
    });
    let mut bench = Bench::with(Settings {
        hosts: specs.to_vec(),
        ..Settings::default()
    });
    for host in ["vps", "pi4"] {
        let services = ["api", "db", "web"].map(|name| {
            let mut facts = composed("blog", name);
            if name != "db" {
                let label = "com.docker.compose.depends_on";
                facts.labels.set(label, "db:service_started:false");
            }
            facts
        });
        bench.up(host, services.to_vec());
    }
    bench
}

fn wished(effects: &Effects) -> Vec<String> {
    let found = looks(effects).into_iter().find_map(|look| match look {
        Look::Plan(wish) => Some(wish.targets.iter().map(ToString::to_string).collect()),
        _ => None,
    });
    found.unwrap_or_default()
}

/// Answers the plan that was asked for last with one plan a target.
fn plan_of(bench: &mut Bench, targets: &[&str], blocked: Option<&str>) -> Vec<TargetPlan> {
    let plans: Vec<TargetPlan> = targets
        .iter()
        .map(|name| {
            let mut plan = sample(Action::Update);
            plan.target = key(name);
            plan.job = (*name).to_owned();
            plan.blocked = (blocked == Some(*name)).then(|| "full".to_owned());
            plan
        })
        .collect();
    let plan = Plan {
        targets: plans.clone(),
        unplanned: Vec::new(),
        order_why: None,
    };
    let (number, result) = (bench.model.asked, Ok(Box::new(plan)));
    bench.tell(Msg::Planned { number, result });
    plans
}

#[test]
fn space_marks_and_the_next_action_is_about_all_that_is_marked() {
    let mut bench = fleet();
    bench.model.screen.selected = Some(RowId::Service(key("vps/blog/api")));
    bench.press("space j");
    bench.model.screen.selected = Some(RowId::Service(key("pi4/blog/web")));
    bench.press("space");
    let effects = bench.press("r");
    assert_eq!(wished(&effects), ["vps/blog/api", "pi4/blog/web"]);
    bench.press("n");
    // Pressed again it takes the mark off; Esc drops what is left.
    bench.press("space");
    assert_eq!(wished(&bench.press("p")), ["vps/blog/api"]);
    bench.press("n esc");
    assert!(bench.model.screen.marked.is_empty());
    assert_eq!(wished(&bench.press("p")), ["pi4/blog/web"]);
}

#[test]
fn a_projects_row_stands_for_all_its_services_that_are_in_sight() {
    let mut bench = fleet();
    let project = RowId::Project("vps".into(), "blog".into());
    bench.model.screen.selected = Some(project.clone());
    let effects = bench.press("u");
    assert_eq!(wished(&effects).len(), 3);
    bench.press("n space");
    assert_eq!(bench.model.screen.marked.len(), 3);
    bench.press("space");
    assert!(bench.model.screen.marked.is_empty());
    bench.model.screen.filter = "api".to_owned();
    bench.model.screen.selected = Some(project);
    assert_eq!(wished(&bench.press("u")), ["vps/blog/api"]);
}

#[test]
fn what_nothing_can_be_done_to_is_said_and_can_be_left_out() {
    let mut bench = fleet();
    bench.model.screen.selected = Some(RowId::Project("vps".into(), "blog".into()));
    bench.press("space");
    bench.model.screen.selected = Some(RowId::Service(key("pi4/blog/db")));
    bench.press("space");
    bench.lose("pi4", HostTrouble::Offline);
    let effects = bench.press("u");
    assert_eq!(wished(&effects).len(), 3);
    let plans = plan_of(
        &mut bench,
        &["vps/blog/db", "vps/blog/api", "vps/blog/web"],
        Some("vps/blog/api"),
    );
    let Overlay::Plan(dialog) = &bench.model.screen.overlay else {
        panic!("no plan is shown");
    };
    assert_eq!(dialog.plan().unwrap().in_the_way(), 2);
    assert_eq!(bench.press("y"), [], "what is blocked holds up the rest");
    let effects = bench.press("x y");
    assert_eq!(started(&effects), [&plans[0], &plans[2]]);
}

#[test]
fn one_after_another_and_each_in_its_turn() {
    let mut bench = fleet();
    bench.model.screen.selected = Some(RowId::Project("vps".into(), "blog".into()));
    bench.press("space u");
    let names = ["vps/blog/db", "vps/blog/api", "vps/blog/web"];
    plan_of(&mut bench, &names, None);
    let effects = bench.press("y");
    assert_eq!(started(&effects).len(), 3);
    assert!(bench.model.screen.marked.is_empty(), "it is under way");
    let words =
        |bench: &Bench| -> Vec<&str> { bench.model.jobs.iter().map(|job| job.word()).collect() };
    assert_eq!(words(&bench), ["starting", "queued", "queued"]);
    let job = names[1].to_owned();
    bench.tell(Msg::JobBegun { job });
    assert_eq!(words(&bench), ["starting", "starting", "queued"]);
    let farewell = crate::app::jobs::farewell(&bench.model);
    assert!(farewell[2].contains("was not begun"), "{farewell:?}");
}

#[test]
fn protected_services_want_all_their_names_in_the_plans_order() {
    for (typed, starts) in [("db", 0), ("api db", 0), ("db api", 3)] {
        let mut bench = fleet();
        bench.model.screen.selected = Some(RowId::Service(key("vps/blog/web")));
        bench.press("space");
        for name in ["pi4/blog/db", "pi4/blog/api"] {
            bench.model.screen.selected = Some(RowId::Service(key(name)));
            bench.press("space");
        }
        bench.press("u");
        plan_of(
            &mut bench,
            &["vps/blog/web", "pi4/blog/db", "pi4/blog/api"],
            None,
        );
        bench.type_text(typed);
        let effects = bench.press("enter");
        assert_eq!(started(&effects).len(), starts, "{typed}");
    }
}

#[test]
fn the_detail_has_the_keys_until_tab_or_esc() {
    let mut bench = fleet();
    let service = RowId::Service(key("vps/blog/web"));
    bench.model.screen.selected = Some(service.clone());
    bench.press("space tab j j k");
    assert_eq!(bench.model.screen.in_detail, Some(1));
    assert_eq!(bench.selected(), Some(service));
    bench.press("esc");
    assert_eq!(bench.model.screen.in_detail, None);
    assert_eq!(bench.model.screen.marked.len(), 1, "one thing at a time");
    bench.press("tab tab j");
    assert_eq!(bench.model.screen.in_detail, None);
}

#[test]
fn an_observing_session_marks_to_no_end() {
    let mut bench = fleet();
    bench.model.read_only = true;
    bench.model.screen.selected = Some(RowId::Project("vps".into(), "blog".into()));
    bench.press("space");
    for key in ["u", "p", "r", "b"] {
        assert_eq!(bench.press(key), [], "{key}");
        assert_eq!(bench.model.screen.overlay, Overlay::None);
    }
}
