//! Compares what is told of a fleet with what its scenario expects.

use crate::app::model::Model;

use super::scenario::{Expect, Scenario};

/// Returns each difference in words; none means that all is told as expected.
pub fn differences(model: &Model, scenario: &Scenario) -> Vec<String> {
    let mut found = Vec::new();
    let mut expected = 0;
    for (key, expect) in scenario.expectations() {
        expected += 1;
        match model.service(&key) {
            None => found.push(format!("{key}: not shown")),
            Some(service) => found.extend(
                of_service(service, expect)
                    .into_iter()
                    .map(|what| format!("{key}: {what}")),
            ),
        }
    }
    let shown = model.services().count();
    if shown != expected {
        found.push(format!("{shown} services are shown, {expected} expected"));
    }
    found
}

fn of_service(service: &crate::app::judge::ServiceView, expect: &Expect) -> Vec<String> {
    let mut found = Vec::new();
    let mut differ = |what: &str, told: String, expected: String| {
        if told != expected {
            found.push(format!("{what} is {told}, expected {expected}"));
        }
    };
    let word = |verdict: Option<crate::core::verdict::Verdict>| {
        verdict.map_or("none", |verdict| verdict.word()).to_owned()
    };
    differ(
        "the verdict",
        format!("{} ({})", service.verdict.word(), service.why),
        format!("{} ({})", expect.verdict.word(), service.why),
    );
    differ(
        "the last verdict",
        word(service.last.map(|(verdict, _)| verdict)),
        word(expect.last),
    );
    differ("mixed", service.mixed.to_string(), expect.mixed.to_string());
    differ(
        "unhealthy",
        service.is_unhealthy().to_string(),
        expect.unhealthy.to_string(),
    );
    if let Some(config) = expect.config {
        differ(
            "the config",
            service.config.word().to_owned(),
            config.word().to_owned(),
        );
    }
    if let Some(environment) = &expect.environment {
        differ(
            "the environment",
            service.environment.clone().unwrap_or_default(),
            environment.clone(),
        );
    }
    if let Some(says) = &expect.says {
        let told = format!(
            "{}; {}",
            service.why,
            service.note.as_deref().unwrap_or_default()
        );
        if !told.contains(says.as_str()) {
            found.push(format!("{says:?} is not said: {told}"));
        }
    }
    found
}
