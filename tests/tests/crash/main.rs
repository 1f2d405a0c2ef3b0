//! The daemon is killed with SIGKILL in a loop while clients write and plugins work: no acknowledged write is
//! lost, no plugin process outlives it, and every start succeeds (promises P1 and P2).
//!
//! `DRP_KILLS` sets the number of kills; the default is small enough for every run of the suite.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use drp_tests::daemon::{Daemon, USER, processes_under};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

const WRITERS: usize = 8;

fn kills() -> u32 {
    std::env::var("DRP_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(8)
}

fn start(base: &Path) -> Daemon {
    Daemon::builder().base(base).plugin("echo").plugin("incrementer").start()
}

/// One client: creates machines until the daemon is gone, and remembers every name that was acknowledged.
async fn write_until_killed(http: reqwest::Client, api: String, round: u32, writer: usize) -> Vec<String> {
    let mut acknowledged = Vec::new();
    for n in 0.. {
        let name = format!("m{round}-{writer}-{n}");
        let answer = http
            .post(format!("{api}/api/v3/machines"))
            .basic_auth(USER.0, Some(USER.1))
            .json(&json!({"Name": name, "Params": {"crash/round": round}}))
            .send()
            .await;
        match answer {
            Ok(answer) if answer.status() == 201 => acknowledged.push(name),
            Ok(answer) => panic!("{name}: {}: {}", answer.status(), answer.text().await.unwrap_or_default()),
            Err(_) => break,
        }
    }
    acknowledged
}

/// What a client that changes and deletes knows at the end: the last acknowledged text of each machine that is
/// still there, the text that may have come after it, and the machines that are gone.
#[derive(Default)]
struct Changes {
    last: BTreeMap<String, u64>,
    deleted: BTreeSet<String>,
    unsure: BTreeSet<String>,
}

/// A third client: changes its own machines over and over, and deletes some of them.
async fn change_until_killed(http: reqwest::Client, api: String, round: u32) -> Changes {
    let mut changes = Changes::default();
    let send = async |method: reqwest::Method, path: &str, body: Value| {
        let url = format!("{api}/api/v3/{path}");
        let answer =
            http.request(method, url).basic_auth(USER.0, Some(USER.1)).json(&body).send().await.ok()?;
        assert!(answer.status().is_success(), "{path}: {}", answer.text().await.unwrap_or_default());
        Some(())
    };
    for n in 0u64.. {
        let name = format!("c{round}-{}", n % 5);
        // In doubt from here until the answer.
        changes.unsure.insert(name.clone());
        let path = format!("machines/Name:{name}");
        let done = if !changes.last.contains_key(&name) {
            send(reqwest::Method::POST, "machines", json!({"Name": name, "Params": {"crash/n": n}})).await
        } else if n % 3 == 0 {
            send(reqwest::Method::DELETE, &path, json!({})).await
        } else {
            send(reqwest::Method::POST, &format!("{path}/params/crash%2Fn"), json!(n)).await
        };
        if done.is_none() {
            return changes;
        }
        changes.unsure.remove(&name);
        if n % 3 == 0 && changes.last.remove(&name).is_some() {
            changes.deleted.insert(name);
        } else {
            changes.deleted.remove(&name);
            changes.last.insert(name, n);
        }
    }
    changes
}

/// Another client: counts up through the incrementer plugin and remembers the last acknowledged value.
async fn count_until_killed(http: reqwest::Client, api: String) -> u64 {
    let mut last = 0;
    loop {
        let answer = http
            .post(format!("{api}/api/v3/machines/Name:counter/actions/increment"))
            .basic_auth(USER.0, Some(USER.1))
            .json(&json!({}))
            .send()
            .await;
        let Ok(answer) = answer else { return last };
        // The kill may cut the plugin's own call first; only a number acknowledges.
        if answer.status() == 200
            && let Ok(Value::Number(n)) = answer.json::<Value>().await
        {
            last = n.as_u64().unwrap_or(last);
        }
    }
}

async fn nothing_left(base: &Path) {
    let end = Instant::now() + Duration::from_secs(2);
    loop {
        let left = processes_under(base);
        if left.is_empty() {
            return;
        }
        assert!(Instant::now() < end, "2 s after the kill there is still {left:#?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

async fn names(daemon: &Daemon) -> BTreeSet<String> {
    let list = daemon.get("machines?slim=Meta,Params").await;
    list.as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_under_load_it_loses_no_acknowledged_write_and_leaves_no_orphan() {
    let temp = tempfile::Builder::new().prefix("drpk").tempdir_in("/tmp").unwrap();
    let base = temp.path();
    let mut expected = BTreeSet::new();
    let mut counted = 0;
    let mut changed = Vec::new();
    let daemon = start(base);
    daemon.expect(201, "POST", "machines", json!({"Name": "counter"})).await;
    daemon.expect(201, "POST", "plugins", json!({"Name": "incr", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incr").await;
    assert!(daemon.stop().0.success());
    expected.insert("counter".to_owned());

    for round in 0..kills() {
        let daemon = start(base);
        daemon.wait_plugin("incr").await;
        let writers: Vec<_> = (0..WRITERS)
            .map(|w| tokio::spawn(write_until_killed(daemon.http.clone(), daemon.api.clone(), round, w)))
            .collect();
        let counter = tokio::spawn(count_until_killed(daemon.http.clone(), daemon.api.clone()));
        let changer = tokio::spawn(change_until_killed(daemon.http.clone(), daemon.api.clone(), round));
        // A different moment each time, spread over start-up of the load and its middle.
        tokio::time::sleep(Duration::from_millis(40 + u64::from(round * 97 % 400))).await;
        daemon.kill9();
        nothing_left(base).await;
        for writer in writers {
            expected.extend(writer.await.unwrap());
        }
        counted = counted.max(counter.await.unwrap());
        changed.push(changer.await.unwrap());
    }

    let daemon = start(base);
    let found = names(&daemon).await;
    let lost: Vec<_> = expected.difference(&found).collect();
    assert!(lost.is_empty(), "{} of {} acknowledged machines are gone: {lost:?}", lost.len(), expected.len());
    let stored = daemon.get("machines/Name:counter/params/incrementer%2Fdefault").await;
    assert!(
        stored.as_u64().unwrap_or_default() >= counted,
        "counter acknowledged {counted}, stored {stored}"
    );
    for Changes { last, deleted, unsure } in changed {
        for (name, n) in last.iter().filter(|(name, _)| !unsure.contains(*name)) {
            let stored = daemon.get(&format!("machines/Name:{name}/params/crash%2Fn")).await;
            assert_eq!(stored, *n, "the last acknowledged change of {name}");
        }
        for name in deleted.difference(&unsure) {
            assert!(!found.contains(name), "{name} is back after its acknowledged deletion");
        }
    }
    assert!(expected.len() > 1, "the writers wrote nothing, so nothing was shown");
    drop(daemon);
    nothing_left(base).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_daemon_starts_again_beside_its_own_remains() {
    let temp = tempfile::Builder::new().prefix("drpk").tempdir_in("/tmp").unwrap();
    let base = temp.path();
    for _ in 0..3 {
        let daemon = start(base);
        // No waiting: the kill hits the daemon while it scans, unpacks and starts plugins.
        daemon.kill9();
        nothing_left(base).await;
    }
    let daemon = start(base);
    assert_eq!(daemon.get("plugin_providers/incrementer").await["Name"], "incrementer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn content_is_there_after_a_kill_right_behind_its_acknowledgement() {
    let temp = tempfile::Builder::new().prefix("drpk").tempdir_in("/tmp").unwrap();
    let base = temp.path();
    let lamps = |version: u32| {
        let profile = json!({"Name": "hall", "Description": version.to_string()});
        json!({"meta": {"Name": "lamps"}, "sections": {"profiles": {"hall": profile}}})
    };
    let daemon = Daemon::builder().base(base).start();
    daemon.expect(201, "POST", "contents", lamps(0)).await;
    daemon.kill9();
    for version in 1..4 {
        let daemon = Daemon::builder().base(base).start();
        assert_eq!(daemon.get("profiles/hall").await["Description"], (version - 1).to_string());
        daemon.expect(200, "PUT", "contents/lamps", lamps(version)).await;
        daemon.kill9();
    }
    let daemon = Daemon::builder().base(base).start();
    assert_eq!(daemon.get("profiles/hall").await["Description"], "3");
    assert_eq!(daemon.call("DELETE", "/api/v3/contents/lamps", Value::Null).await.status, 204);
    daemon.kill9();
    let daemon = Daemon::builder().base(base).start();
    assert_eq!(daemon.call("GET", "/api/v3/contents/lamps", Value::Null).await.status, 404);
}
