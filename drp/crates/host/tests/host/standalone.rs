//! A plugin without a daemon.

use crate::bench::{LONG, alive, limits, write_plugin};
use drp_host::{HostConfig, HostError, NoDaemon, PluginRun};
use drp_protocol::Action;
use serde_json::json;
use std::sync::{Arc, Mutex};

fn config(dir: &std::path::Path) -> HostConfig {
    HostConfig { limits: limits(), ..HostConfig::under(dir.join("run-here")) }
}

#[tokio::test]
async fn define_start_act_stop() {
    let dir = tempfile::tempdir().unwrap();
    write_plugin(dir.path(), "lamp", "", json!({}));
    let binary = dir.path().join("plugins/lamp");
    let definition = drp_host::define(&binary, &config(dir.path())).await.unwrap();
    assert_eq!(definition.available_actions[0].command, "echo");
    let tokens = std::fs::read_to_string(dir.path().join("lamp.defined")).unwrap();
    assert_eq!(tokens, "catalog\n", "the static definition");

    let lines = Arc::new(Mutex::new(Vec::new()));
    let kept = Arc::clone(&lines);
    let backend = Arc::new(NoDaemon::new(move |line| kept.lock().unwrap().push(line.message), |_| {}));
    let params = json!({"lamp/url": "http://l"}).as_object().unwrap().clone();
    let run = PluginRun::start(&binary, "desk-lamp", params, config(dir.path()), backend).await.unwrap();
    let pid = run.pid();
    let action = Action {
        command: "echo".into(),
        params: json!({"a": 1}).as_object().unwrap().clone(),
        ..Action::default()
    };
    assert_eq!(run.invoke(&action, LONG).await.unwrap(), "{\"a\":1}\n");
    run.stop().await;
    assert!(!alive(pid.into()));
    assert!(lines.lock().unwrap().contains(&"STOPPING".to_owned()));
    let calls = std::fs::read_to_string(dir.path().join("lamp.calls")).unwrap();
    assert!(
        calls.starts_with(r#"POST /api-plugin/v4/config unix {"Name":"desk-lamp","lamp/url":"http://l"}"#)
    );
}

#[tokio::test]
async fn a_refused_config_is_an_error_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_plugin(dir.path(), "lamp", "config-fails", json!({}));
    let backend = Arc::new(NoDaemon::new(|_| {}, |_| {}));
    let binary = dir.path().join("plugins/lamp");
    let failed = PluginRun::start(&binary, "lamp", Default::default(), config(dir.path()), backend).await;
    let Err(HostError::Plugin { error, .. }) = failed else { panic!("it started") };
    assert_eq!(error.messages, ["no such lamp"]);
    assert_eq!(std::fs::read_dir(dir.path().join("run-here/run/children")).unwrap().count(), 0);
}
