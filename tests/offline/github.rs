//! GitHub Actions against a stand-in: not GitHub, but a server of this test that answers as its documentation says.
//!
//! It gives runs and jobs as JSON with ETags, logs by a redirection to another address that is its own key, 404 for a
//! log that is not given yet, and a rate limit that counts what was not asked for by its ETag.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use homelab_tui::adapters::builds::{Site, Source};
use homelab_tui::adapters::shell::Place;
use homelab_tui::core::build_log::Status;
use homelab_tui::core::builds::deploy::{DeployRun, DeployState};
use homelab_tui::core::builds::{BuildNews, BuildRecord, SourceFailure};
use homelab_tui::core::settings::{BuildOrigin, BuildSource, DeploySource};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch::{Sender, channel};

const LOG: &str = "2026-11-20T10:00:00.0000000Z ##[group]Run docker/build-push-action@v6\n\
2026-11-20T10:00:01.0000000Z #1 [internal] load build definition from Dockerfile\n\
2026-11-20T10:00:01.0000000Z #1 DONE 0.0s\n\
2026-11-20T10:00:02.0000000Z #2 [1/3] FROM docker.io/library/alpine\n\
2026-11-20T10:00:02.0000000Z #2 DONE 0.1s\n\
2026-11-20T10:00:03.0000000Z #3 [2/3] RUN a\n\
2026-11-20T10:00:03.0000000Z #3 CACHED\n\
2026-11-20T10:00:04.0000000Z #4 [3/3] RUN b\n\
2026-11-20T10:00:09.0000000Z #4 DONE 5.0s\n\
2026-11-20T10:00:10.0000000Z #5 exporting to image\n\
2026-11-20T10:00:10.0000000Z #5 naming to ghcr.io/me/blog:latest done\n\
2026-11-20T10:00:11.0000000Z #5 DONE 1.0s\n";

/// One request as it came.
#[derive(Debug, Clone)]
struct Asked {
    path: String,
    authorization: Option<String>,
    status: u16,
}

#[derive(Default)]
struct State {
    /// Documents by path.
    documents: BTreeMap<String, Value>,
    /// Logs by job; a job without one gives 404.
    logs: BTreeMap<u64, String>,
    gone: Vec<u64>,
    /// Requests that are left; none means no limit.
    left: Option<i64>,
    reset: i64,
    asked: Vec<Asked>,
}

struct StandIn {
    address: String,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let state: Arc<Mutex<State>> = Arc::default();
        let (own, kept) = (address.clone(), state.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (own, state) = (own.clone(), kept.clone());
                tokio::spawn(async move { serve(stream, &own, &state).await });
            }
        });
        Self { address, state }
    }

    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap());
    }

    fn asked(&self) -> Vec<Asked> {
        self.state.lock().unwrap().asked.clone()
    }
}

async fn serve(mut stream: TcpStream, own: &str, state: &Mutex<State>) -> Option<()> {
    let mut buffer = Vec::new();
    loop {
        let end = loop {
            if let Some(at) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                break at + 4;
            }
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        };
        let head = String::from_utf8(buffer.drain(..end).collect()).ok()?;
        let path = head.split(' ').nth(1)?.to_owned();
        let header = |name: &str| {
            head.lines()
                .filter_map(|line| line.split_once(": "))
                .find(|(own, _)| own.eq_ignore_ascii_case(name))
                .map(|(_, value)| value.to_owned())
        };
        let (status, headers, body) = answer(
            &mut state.lock().unwrap(),
            own,
            &path,
            header("if-none-match").as_deref(),
        );
        state.lock().unwrap().asked.push(Asked {
            path,
            authorization: header("authorization"),
            status,
        });
        let mut out = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n", body.len());
        for (name, value) in headers {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        stream.write_all(out.as_bytes()).await.ok()?;
        stream.write_all(body.as_bytes()).await.ok()?;
    }
}

type Answer = (u16, Vec<(&'static str, String)>, String);

fn answer(state: &mut State, own: &str, path: &str, etag: Option<&str>) -> Answer {
    let bare = path.split('?').next().unwrap();
    if let Some(job) = bare.strip_prefix("/blobs/") {
        assert!(path.contains("sig="), "the key of the log is missing");
        return (
            200,
            Vec::new(),
            state.logs[&job.parse::<u64>().unwrap()].clone(),
        );
    }
    let mut headers = Vec::new();
    let document = state.documents.get(bare).map(Value::to_string);
    let tag = document.as_ref().map(|text| {
        format!(
            "W/\"{:x}-{}\"",
            text.len(),
            text.bytes().map(u64::from).sum::<u64>()
        )
    });
    let unchanged = tag.is_some() && tag.as_deref() == etag;
    if let Some(left) = &mut state.left {
        if *left <= 0 {
            headers.push(("x-ratelimit-remaining", "0".to_owned()));
            headers.push(("x-ratelimit-reset", state.reset.to_string()));
            return (
                403,
                headers,
                json!({"message": "API rate limit exceeded"}).to_string(),
            );
        }
        if !unchanged {
            *left -= 1;
        }
        headers.push(("x-ratelimit-remaining", left.to_string()));
        headers.push(("x-ratelimit-reset", state.reset.to_string()));
    }
    if let Some(job) = bare
        .strip_prefix("/repos/me/homelab/actions/jobs/")
        .and_then(|rest| rest.strip_suffix("/logs"))
    {
        let job: u64 = job.parse().unwrap();
        if state.gone.contains(&job) {
            return (410, headers, json!({"message": "Gone"}).to_string());
        }
        if !state.logs.contains_key(&job) {
            return (404, headers, json!({"message": "Not Found"}).to_string());
        }
        headers.push(("Location", format!("http://{own}/blobs/{job}?sig=secret")));
        return (302, headers, String::new());
    }
    headers.extend(tag.map(|tag| ("ETag", tag)));
    match document {
        Some(_) if unchanged => (304, headers, String::new()),
        Some(text) => (200, headers, text),
        None => (404, headers, json!({"message": "Not Found"}).to_string()),
    }
}

const RUNS: &str = "/repos/me/homelab/actions/workflows/build.yml/runs";
const DEPLOYS: &str = "/repos/me/deployments/actions/workflows/deploy.yml/runs";

fn run(id: u64, status: &str, conclusion: Option<&str>) -> Value {
    json!({"id": id, "run_number": id + 400, "run_attempt": 1, "event": "push", "status": status, "conclusion": conclusion,
        "head_branch": "main", "head_sha": format!("{id:040x}"), "html_url": format!("https://github.com/me/homelab/actions/runs/{id}"),
        "path": ".github/workflows/build.yml", "name": "Build", "created_at": "2026-11-20T09:59:00Z", "updated_at": "2026-11-20T10:01:00Z"})
}

fn job(id: u64, status: &str, conclusion: Option<&str>) -> Value {
    json!({"id": id, "name": "build", "status": status, "conclusion": conclusion, "started_at": "2026-11-20T10:00:00Z",
        "completed_at": conclusion.map(|_| "2026-11-20T10:00:12Z"),
        "steps": [{"name": "Set up job", "status": "completed"}, {"name": "Build and push", "status": status}]})
}

/// A source that is followed in this test.
struct Followed {
    news: Arc<Mutex<Vec<BuildNews>>>,
    closely: Sender<bool>,
    task: tokio::task::JoinHandle<SourceFailure>,
}

impl Followed {
    fn new(stand_in: &StandIn, token_env: Option<&str>) -> Self {
        Self::with_cache(stand_in, token_env, None)
    }

    fn with_cache(stand_in: &StandIn, token_env: Option<&str>, cache: Option<&Path>) -> Self {
        let spec = BuildSource {
            name: "blog".to_owned(),
            image: Some("ghcr.io/me/blog".to_owned()),
            from: BuildOrigin::GitHub {
                repository: "me/homelab".to_owned(),
                workflow: Some("build.yml".to_owned()),
                api: Some(format!("http://{}", stand_in.address)),
                token_env: token_env.map(str::to_owned),
            },
            deploys: vec![DeploySource {
                repository: Some("me/deployments".to_owned()),
                workflow: "deploy.yml".to_owned(),
            }],
        };
        let source = Source::new(spec, cache);
        let news: Arc<Mutex<Vec<BuildNews>>> = Arc::default();
        let kept = news.clone();
        let (closely, receiver) = channel(true);
        let site = Site {
            place: Place::Here,
            docker: Vec::new(),
            closely: receiver,
            pause: Duration::from_secs(600),
            report: Arc::new(move |one| kept.lock().unwrap().push(one)),
        };
        let task = tokio::spawn(async move { source.follow(&site).await });
        Self {
            news,
            closely,
            task,
        }
    }

    async fn until<T>(
        &self,
        what: &str,
        find: impl Fn(&BTreeMap<String, BuildRecord>, &[DeployRun]) -> Option<T>,
    ) -> T {
        for _ in 0..500 {
            let mut records: BTreeMap<String, BuildRecord> = BTreeMap::new();
            let mut deploys = Vec::new();
            for one in self.news.lock().unwrap().iter() {
                match one {
                    BuildNews::Found(found) => records.extend(
                        found
                            .iter()
                            .map(|record| (record.id.to_string(), record.clone())),
                    ),
                    BuildNews::Gone(ids) => {
                        records.retain(|id, _| !ids.iter().any(|gone| **gone == **id))
                    }
                    BuildNews::Deploys(runs) => deploys.clone_from(runs),
                    _ => {}
                }
            }
            if let Some(found) = find(&records, &deploys) {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{what}: {:?}", self.news.lock().unwrap());
    }
}

/// The variable that holds the token; `PATH` is set everywhere, and its value is as good as any.
const TOKEN: &str = "PATH";

#[tokio::test]
async fn a_running_job_is_shown_and_its_log_read_as_soon_as_it_is_given() {
    let stand_in = StandIn::start().await;
    stand_in.set(|state| {
        state.documents.insert(RUNS.to_owned(), json!({"workflow_runs": [run(2, "in_progress", None), run(1, "completed", Some("success"))]}));
        state.documents.insert("/repos/me/homelab/actions/runs/1/jobs".to_owned(), json!({"jobs": [job(11, "completed", Some("success"))]}));
        state.documents.insert("/repos/me/homelab/actions/runs/2/jobs".to_owned(), json!({"jobs": [job(21, "in_progress", None)]}));
        state.documents.insert(DEPLOYS.to_owned(), json!({"workflow_runs": [run(7, "completed", Some("failure"))]}));
        state.logs.insert(11, LOG.to_owned());
    });
    let followed = Followed::new(&stand_in, Some(TOKEN));
    let (records, deploys) = followed
        .until("both runs", |records, deploys| {
            (records.len() == 2 && !deploys.is_empty()).then(|| (records.clone(), deploys.to_vec()))
        })
        .await;
    let ended = records
        .values()
        .find(|record| record.build.status == Status::Succeeded)
        .unwrap();
    assert_eq!((ended.build.steps.cached, ended.build.steps.total), (1, 2));
    assert_eq!(
        (ended.short().as_str(), ended.build.seconds),
        ("#401", Some(10.0))
    );
    assert_eq!(ended.lineage().road.as_deref(), Some("main"));
    let running = records.values().find(|record| record.is_running()).unwrap();
    assert_eq!(
        running.run.as_ref().unwrap().doing.as_deref(),
        Some("Build and push")
    );
    assert_eq!(deploys[0].state, DeployState::Failed("failure".to_owned()));
    assert!(!deploys[0].same_repository);
    // The job ends; its log comes a moment later.
    stand_in.set(|state| {
        state.documents.insert(RUNS.to_owned(), json!({"workflow_runs": [run(2, "completed", Some("success")), run(1, "completed", Some("success"))]}));
        let mut late = job(21, "completed", Some("success"));
        late["completed_at"] = json!(jiff::Timestamp::now().to_string());
        state.documents.insert("/repos/me/homelab/actions/runs/2/jobs".to_owned(), json!({"jobs": [late]}));
    });
    followed
        .until("the log is waited for", |records, _| {
            records
                .values()
                .find_map(|record| record.run.as_ref()?.doing.clone())
                .filter(|doing| doing.contains("not given yet"))
        })
        .await;
    stand_in.set(|state| {
        state.logs.insert(21, LOG.to_owned());
    });
    followed
        .until("both have ended", |records, _| {
            (records.len() == 2 && records.values().all(|record| record.build.steps.total == 2))
                .then_some(())
        })
        .await;
    for asked in stand_in.asked() {
        // The token is for the API alone.
        assert_eq!(
            asked.authorization.is_some(),
            !asked.path.starts_with("/blobs/"),
            "{asked:?}"
        );
    }
    // A log is read once.
    let reads = stand_in
        .asked()
        .iter()
        .filter(|asked| asked.path.starts_with("/blobs/11"))
        .count();
    assert_eq!(reads, 1);
}

#[tokio::test]
async fn what_did_not_change_costs_nothing_and_a_limit_that_is_used_up_is_waited_for() {
    let stand_in = StandIn::start().await;
    stand_in.set(|state| {
        state.documents.insert(
            RUNS.to_owned(),
            json!({"workflow_runs": [run(1, "in_progress", None)]}),
        );
        state.documents.insert(
            "/repos/me/homelab/actions/runs/1/jobs".to_owned(),
            json!({"jobs": []}),
        );
        state
            .documents
            .insert(DEPLOYS.to_owned(), json!({"workflow_runs": []}));
        state.left = Some(5);
        state.reset = jiff::Timestamp::now().as_second() + 1800;
    });
    let followed = Followed::new(&stand_in, Some(TOKEN));
    for _ in 0..400 {
        if stand_in.asked().len() >= 6 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let asked = stand_in.asked();
    let counted = asked.iter().filter(|asked| asked.status != 304).count();
    assert_eq!((counted, asked.len() >= 6), (3, true), "{asked:?}");
    followed.task.abort();
    // A new look with nothing left says how long it waits, and asks nothing more.
    stand_in.set(|state| state.left = Some(0));
    let again = Followed::new(&stand_in, Some(TOKEN));
    let failure = tokio::time::timeout(Duration::from_secs(10), again.task)
        .await
        .unwrap()
        .unwrap();
    assert!(
        failure.what.contains("rate limit") && failure.retry_after.unwrap() > 1700,
        "{failure:?}"
    );
    drop(again.closely);
}

#[tokio::test]
async fn a_log_that_is_kept_no_longer_and_a_repository_that_is_not_there_are_told() {
    let stand_in = StandIn::start().await;
    stand_in.set(|state| {
        state.documents.insert(
            RUNS.to_owned(),
            json!({"workflow_runs": [run(1, "completed", Some("success"))]}),
        );
        state.documents.insert(
            "/repos/me/homelab/actions/runs/1/jobs".to_owned(),
            json!({"jobs": [job(11, "completed", Some("success"))]}),
        );
        state
            .documents
            .insert(DEPLOYS.to_owned(), json!({"workflow_runs": []}));
        state.gone = vec![11];
    });
    let followed = Followed::new(&stand_in, Some(TOKEN));
    for _ in 0..300 {
        if followed.news.lock().unwrap().contains(&BuildNews::CaughtUp) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let told = |one: &BuildNews| matches!(one, BuildNews::Refused(refused) if refused.why.contains("no longer"));
    assert!(
        followed.news.lock().unwrap().iter().any(told),
        "{:?}",
        followed.news.lock().unwrap()
    );
    followed.task.abort();
    stand_in.set(|state| state.documents.clear());
    let absent = Followed::new(&stand_in, None);
    let failure = tokio::time::timeout(Duration::from_secs(10), absent.task)
        .await
        .unwrap()
        .unwrap();
    assert!(
        failure.what.contains("404") && failure.remedy.contains("needs a token"),
        "{failure:?}"
    );
    assert!(stand_in.asked().last().unwrap().authorization.is_none());
}

#[tokio::test]
async fn the_next_start_asks_only_for_the_list_of_runs() {
    let stand_in = StandIn::start().await;
    stand_in.set(|state| {
        state.documents.insert(RUNS.to_owned(), json!({"workflow_runs": [run(2, "completed", Some("success")), run(1, "completed", Some("failure"))]}));
        for (run, job_id) in [(1, 11), (2, 21)] {
            state.documents.insert(format!("/repos/me/homelab/actions/runs/{run}/jobs"), json!({"jobs": [job(job_id, "completed", Some("success"))]}));
            state.logs.insert(job_id, LOG.to_owned());
        }
        state.documents.insert(DEPLOYS.to_owned(), json!({"workflow_runs": []}));
    });
    let cache = std::env::temp_dir().join(format!("homelab-tui-github-{}", std::process::id()));
    let two = |records: &BTreeMap<String, BuildRecord>, _: &[DeployRun]| {
        (records.len() == 2).then(|| records.clone())
    };
    let first = Followed::with_cache(&stand_in, Some(TOKEN), Some(&cache));
    let before = first.until("both runs", two).await;
    // A run is kept when all of it was told; the end of the look says so.
    let caught_up = |followed: &Followed| {
        let news = followed.news.lock().unwrap();
        news.iter().any(|news| matches!(news, BuildNews::CaughtUp))
    };
    while !caught_up(&first) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    first.task.abort();
    stand_in.set(|state| state.asked.clear());
    let second = Followed::with_cache(&stand_in, Some(TOKEN), Some(&cache));
    let after = second.until("both runs again", two).await;
    assert_eq!(after, before);
    while !caught_up(&second) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    second.task.abort();
    let asked: Vec<String> = stand_in
        .asked()
        .into_iter()
        .map(|asked| asked.path)
        .collect();
    assert_eq!(asked.len(), 2, "runs and deploys alone: {asked:?}");
    std::fs::remove_dir_all(&cache).unwrap();
}
