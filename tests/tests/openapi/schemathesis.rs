//! schemathesis against the document and the daemon that serves it.

use drp_tests::daemon::Daemon;
use drp_tests::peers::Schemathesis;
use serde_json::{Value, json};

/// Seconds of a usual run; `DRP_SCHEMATHESIS_SECONDS` makes it longer, as `make soak` does.
const SECONDS: u32 = 120;
/// Requests for each operation in a usual run: few enough that the time does not decide how far it comes.
const EXAMPLES: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn schemathesis_finds_no_5xx_and_nothing_undocumented() {
    let Some(schemathesis) = Schemathesis::find() else { return };
    let given = std::env::var("DRP_SCHEMATHESIS_SECONDS").ok();
    let seconds = given.map_or(SECONDS, |text| text.parse().expect("DRP_SCHEMATHESIS_SECONDS is a number"));
    // It tries wrong passwords by the hundred; 429 is looked at by the tests of logins.
    let limits = ["--login-failures=0", "--login-failures-source=0", "--login-failures-user=0"];
    let builder =
        limits.into_iter().fold(Daemon::builder().plugin("incrementer"), |builder, arg| builder.arg(arg));
    let daemon = builder.start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "incrementer", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incrementer").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let token = daemon.get("users/rocketskates/token?ttl=7200").await["Token"].as_str().unwrap().to_owned();
    let api = daemon.api.clone();
    let run =
        move || schemathesis.run(&api, &token, seconds, if seconds > SECONDS { 1_000 } else { EXAMPLES });
    let report = tokio::task::spawn_blocking(run).await.unwrap();
    let said = report.unwrap_or_else(|report| panic!("{report}\n{}", daemon.log()));
    // "… Test cases:\n  2756 generated, …": a run that hardly asks anything finds nothing.
    let generated =
        said.split("Test cases:").nth(1).and_then(|rest| rest.split_whitespace().next()?.parse().ok());
    assert!(generated.is_some_and(|count: u32| count > 500), "{said}");
    assert_eq!(daemon.expect(200, "GET", "whoami", Value::Null).await["Principal"], "user:rocketskates");
}
