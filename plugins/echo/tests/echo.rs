//! The smallest plugin, driven by a scripted daemon.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{Example, FakeDaemon, check_page, define, run};
use serde_json::{Value, json};

const ECHO: &str = env!("CARGO_BIN_EXE_echo");

#[tokio::test]
async fn define_is_golden() {
    let printed = run(ECHO, &["define"], &[]).await.unwrap();
    assert_eq!((printed.code, printed.stderr.as_str()), (Some(0), ""));
    let golden = include_str!("golden/define.json");
    assert_eq!(printed.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION"), golden);
    let content: Value = serde_json::from_str(&define(ECHO).await.unwrap().content).unwrap();
    assert_eq!(content["sections"]["params"]["echo/text"]["Schema"], json!({"type": "string"}));
}

#[tokio::test]
async fn examples_of_the_guide() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut echo = daemon.launch(ECHO, "echo-1").await.unwrap();
    Example::system("echogreeting").gives(Value::Null).run(&echo).await.unwrap();
    echo.config(json!({"echo/greeting": "hi"})).await.unwrap().success().unwrap();
    let machine = json!({"Uuid": "7d0f", "Name": "m1"});
    for example in [
        Example::system("echogreeting").gives("hi"),
        Example::on("machines", machine.clone(), "echo").param("echo/text", "ho").gives("ho"),
        Example::on("machines", machine, "echo").gives(Value::Null),
        Example::system("echo").param("echo/text", 4).fails(400, "echo/text"),
        Example::system("dance").fails(404, "Unknown command: dance"),
    ] {
        example.run(&echo).await.unwrap();
    }
    let error = echo.config(json!({"echo/greeting": []})).await.unwrap().nested_error().unwrap();
    assert!(error.messages[0].contains("echo/greeting"), "{error}");
    daemon
        .log_line("its log line", |line| line.message == "ready to echo" && line.service == "echo")
        .await
        .unwrap();
    assert!(echo.stop().await.unwrap().success());
}

#[tokio::test]
async fn without_the_hook_unpack_makes_nothing() {
    let daemon = FakeDaemon::start().await.unwrap();
    let dir = daemon.path("files");
    let output = run(ECHO, &["unpack", dir.to_str().unwrap()], &[]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""));
    assert!(!dir.exists());
}

#[test]
fn it_fits_on_one_screen_and_is_the_listing_of_the_guide() {
    let source = include_str!("../src/main.rs");
    assert!(source.lines().count() <= 60, "echo is the smallest plugin: at most 60 lines");
    let guide = include_str!("../../../docs/writing-a-plugin.md");
    assert!(
        guide.contains(&format!("```rust\n{source}```\n")),
        "the listing in docs/writing-a-plugin.md differs"
    );
}

#[tokio::test]
async fn the_generated_parts_of_the_page_are_what_define_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/echo.md");
    check_page(page, &define(ECHO).await.unwrap()).unwrap();
}
