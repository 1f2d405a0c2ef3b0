//! Validation of what is there, and commands of one's own.

use crate::machine::Machine;
use drp_tests::agent::End;
use drp_tests::peers::{Access, PASSWORD, Sushy, USER};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_network_is_good_when_its_parts_share_a_subnet() {
    let Some(machine) = Machine::start().await else { return };
    let said = machine.bad("ipmi-network-validation").await;
    assert!(said.contains("ipmi/address is not set"), "{said}");
    for (address, gateway, netmask, wanted) in [
        ("10.1.2.3", "10.1.2.1", "255.255.255.0", ""),
        ("10.1.2.3", "10.1.3.1", "255.255.252.0", ""),
        ("10.1.2.3", "10.1.3.1", "23", ""),
        ("2001:db8::17", "2001:DB8:0:0::1", "64", ""),
        ("2001:db8::17", "2001:db8::1", "ffff:ffff:ffff:ffff::", ""),
        ("10.1.2.3", "10.1.3.1", "255.255.255.0", "are not in one subnet of /24"),
        ("2001:db8::17", "2001:db9::1", "64", "are not in one subnet of /64"),
        ("2001:db8::17", "10.1.2.1", "64", "different families"),
        ("10.1.2.3", "10.1.2.1", "255.0.255.0", "has holes"),
        ("10.1.2.3", "10.1.2.1", "0", "leaves no network"),
        ("10.1.2.3", "10.1.2.1", "33", "leaves no network"),
        ("10.1.2.3", "10.1.2.1", "wide", "neither a netmask nor a prefix length"),
        ("10.1.2.3", "10.1.2.1", "", "ipmi/netmask is not set"),
        ("10.1.2.3", "", "24", "ipmi/gateway is not set"),
        ("10.1.2.3", "0.0.0.0", "24", "ipmi/gateway is 0.0.0.0"),
        ("0.0.0.0", "10.1.2.1", "24", "ipmi/address is 0.0.0.0"),
        ("10.1.2.256", "10.1.2.1", "24", "ipmi/address is not an IP address"),
        ("1:2:3:4:5:6:7", "::1", "64", "ipmi/address is not an IP address"),
        ("1::2::3", "::1", "64", "ipmi/address is not an IP address"),
        ("bmc-1", "10.1.2.1", "24", "ipmi/address is not an IP address"),
    ] {
        machine
            .set_all(json!({"ipmi/address": address, "ipmi/gateway": gateway, "ipmi/netmask": netmask}))
            .await;
        let (end, said) = machine.run(&["ipmi-network-validation"]).await;
        let end_wanted = if wanted.is_empty() { End::Complete } else { End::Stopped };
        assert!(end == end_wanted && said.contains(wanted), "{address} {gateway} {netmask}: {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_health_fails_a_machine_that_asks_for_it() {
    let Some(machine) = Machine::start().await else { return };
    assert!(machine.good("ipmi-status-validation").await.contains("skipped"));
    machine.set("ipmi/skip-status-validation", json!(false)).await;
    // Without a BMC the action is not even there.
    assert!(machine.bad("ipmi-status-validation").await.contains("the action status failed"));
    let Some(sushy) = Sushy::start(Access::Basic, 1) else { return };
    machine
        .set_all(json!({
            "ipmi/address": "127.0.0.1", "ipmi/username": USER, "ipmi/password": PASSWORD,
            "ipmi/port-redfish": sushy.address().port(), "ipmi/tls-verify": "plain",
        }))
        .await;
    let said = machine.good("ipmi-status-validation").await;
    assert!(said.contains("health: OK"), "{said}");
    // A machine that is ill: sushy-tools has none, so this one is a few resources of DSP0266.
    let ill = |path: String| match path.trim_end_matches('/') {
        "" => {
            json!({"@odata.id": "/redfish/v1", "RedfishVersion": "1.6.0", "Systems": {"@odata.id": "/redfish/v1/Systems"},
            "Managers": {"@odata.id": "/redfish/v1/Managers"}})
        }
        "Systems" => json!({"Members": [{"@odata.id": "/redfish/v1/Systems/1"}]}),
        "Managers" => json!({"Members": []}),
        "Systems/1" => json!({"@odata.id": "/redfish/v1/Systems/1", "Id": "1", "PowerState": "On",
            "Status": {"State": "Enabled", "Health": "Critical", "HealthRollup": "Critical"},
            "ProcessorSummary": {"Status": {"Health": "OK"}}}),
        _ => json!({}),
    };
    let whole = ill;
    let routes = axum::Router::new()
        .route(
            "/redfish/v1",
            axum::routing::get(move || std::future::ready(axum::Json(whole(String::new())))),
        )
        .route(
            "/redfish/v1/",
            axum::routing::get(move || std::future::ready(axum::Json(whole(String::new())))),
        )
        .route(
            "/redfish/v1/{*path}",
            axum::routing::get(move |axum::extract::Path(path): axum::extract::Path<String>| {
                std::future::ready(axum::Json(ill(path)))
            }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    machine.set("ipmi/port-redfish", json!(listener.local_addr().unwrap().port())).await;
    tokio::spawn(axum::serve(listener, routes).into_future());
    let said = machine.bad("ipmi-status-validation").await;
    assert!(said.contains("the BMC reports Critical"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_of_ones_own_run_one_by_one_until_one_fails() {
    let Some(machine) = Machine::start().await else { return };
    assert!(machine.good("ipmi-run-commands").await.contains("is empty"));
    let at = machine.file("out", "").display().to_string();
    machine
        .set(
            "ipmi/extra-ipmi-commands",
            json!([
                "ipmitool mc guid",
                format!("echo 'it'\"'\"'s' \"$(echo \"quoted\")\" >>{at}"),
                format!("cat >>{at}; exit 0; echo never >>{at}"),
                "here=1",
                format!("echo \"${{here:-each has its own shell}}\" >>{at}"),
            ]),
        )
        .await;
    let said = machine.good("ipmi-run-commands").await;
    assert!(said.contains("System GUID") && said.contains("command 5 of 5"), "{said}");
    assert!(!said.contains("each has its own"), "the lines themselves are not in the log: {said}");
    assert_eq!(machine.read("out"), "it's quoted\neach has its own shell\n");
    machine.set("ipmi/extra-ipmi-commands", json!(["true", "exit 3", format!("echo late >>{at}")])).await;
    let said = machine.bad("ipmi-run-commands").await;
    assert!(said.contains("command 2 of ipmi/extra-ipmi-commands failed with status 3"), "{said}");
    assert!(!machine.read("out").contains("late"));
    // The stage runs them after the configuration.
    machine.set("ipmi/extra-ipmi-commands", json!([format!("echo last >>{at}")])).await;
    let (end, said) = machine.run(&["stage:ipmi-configure", "ipmi-configure", "ipmi-run-commands"]).await;
    assert!(end == End::Complete && machine.read("out").ends_with("last\n"), "{said}");
}
