//! The SDK against a scripted daemon: every row of wire-protocol §1 that a plugin must keep.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod command_line;
mod events;
mod life;
mod probe;
mod requests;
mod scripted;

use drp_plugin_testkit::{FakeDaemon, RunningPlugin, install_this_binary, plugin_arguments};
use serde_json::json;
use std::path::PathBuf;

/// This test binary becomes the plugin here.
#[test]
fn probe_plugin() {
    if let Some(arguments) = plugin_arguments() {
        // Ends the process: the test runner has nothing to say about it.
        let code = probe::run(arguments);
        std::process::exit(i32::from(code != std::process::ExitCode::SUCCESS));
    }
}

#[test]
fn scripted_plugin() {
    drp_plugin_testkit::run_if_scripted();
}

fn binary(daemon: &FakeDaemon) -> PathBuf {
    install_this_binary(daemon.scratch(), "probe", "probe_plugin").unwrap()
}

async fn launch(daemon: &FakeDaemon) -> RunningPlugin {
    daemon.launch(binary(daemon), "p1").await.unwrap()
}

async fn configured(daemon: &FakeDaemon) -> RunningPlugin {
    let plugin = launch(daemon).await;
    plugin.config(json!({})).await.unwrap().success().unwrap();
    plugin
}
