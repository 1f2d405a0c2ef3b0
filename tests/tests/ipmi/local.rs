//! The local driver on a host without a BMC: what it says then, and that it never takes another machine for this host.
//! Its requests and answers are tested beside its code, and against a kernel and a BMC in `local_guest.rs`.

use crate::through::{act, bad, daemon, good};
use drp_tests::daemon::Daemon;
use drp_tests::peers::USER;
use serde_json::json;

/// The plugin object says that mode local is meant.
async fn allow(daemon: &Daemon) {
    daemon.expect(200, "POST", "plugins/ipmi/params/ipmi%2Flocal-allowed", json!(true)).await;
    daemon.wait_plugin("ipmi").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_plugin_object_opens_it() {
    let login = json!({"ipmi/address": "local", "ipmi/username": USER, "ipmi/mode": "local"});
    let daemon = daemon(Daemon::builder(), login).await;
    // Neither the machine nor the request can, and auto is no way round.
    let by_machine = "machines/Name:node-1/params/ipmi%2Flocal-allowed";
    daemon.expect(200, "POST", by_machine, json!(true)).await;
    for more in [
        json!({}),
        json!({"ipmi/local-allowed": true}),
        json!({"ipmi/mode": "auto", "ipmi/driver-order": ["local", "ipmi"]}),
    ] {
        for verb in ["powerstatus", "poweroff"] {
            let text = bad(&daemon, verb, more.clone(), 403, "FORBIDDEN").await;
            assert!(text.contains("ipmi/local-allowed") && text.contains("plugin object"), "{text}");
        }
    }
    // What sends nothing is open.
    good(&daemon, "powerplan", json!({"ipmi/plan-verb": "poweroff"})).await;
    allow(&daemon).await;
    let allowed = act(&daemon, "powerstatus", json!({})).await;
    assert!(!matches!(&allowed, Err((403, ..))), "{allowed:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn it_needs_a_device_and_an_address_that_says_so() {
    let params = json!({"ipmi/address": "local", "ipmi/username": USER, "ipmi/mode": "local"});
    let daemon = daemon(Daemon::builder(), params).await;
    allow(&daemon).await;
    let elsewhere = json!({"ipmi/address": "192.0.2.7"});
    let text = bad(&daemon, "poweroff", elsewhere, 400, "PARAM").await;
    assert!(text.contains("ipmi/address") && text.contains("own host"), "{text}");
    let plan = good(&daemon, "powerplan", json!({"ipmi/plan-verb": "nextbootpxe"})).await;
    let step = plan["details"]["verbs"]["nextbootpxe"][0]["request"].as_str().unwrap();
    assert!(step.starts_with("/dev/ipmi0 netfn 0x00 cmd 0x08"), "{step}");
    let text = bad(&daemon, "getBios", json!({}), 501, "UNSUPPORTED").await;
    assert!(text.contains("driver local cannot getBios"), "{text}");
    if ["/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0"]
        .iter()
        .any(|device| std::path::Path::new(device).exists())
    {
        // This host has a BMC: nothing more is asked of it than how it is.
        assert!(good(&daemon, "powerstatus", json!({})).await["state"] == "on");
        return;
    }
    let text = bad(&daemon, "powerstatus", json!({}), 501, "UNSUPPORTED").await;
    assert!(
        text.contains("/dev/ipmi0") && text.contains("ipmi_devintf") && text.contains("ipmi_si"),
        "{text}"
    );
}
