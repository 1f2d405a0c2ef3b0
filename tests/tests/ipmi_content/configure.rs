//! Network, users and their passwords.

use crate::machine::Machine;
use crate::pack::HOSTILE;
use drp_tests::peers::{PASSWORD, USER};
use serde_json::{Value, json};

/// Calls of `ipmitool` that change something.
fn changes(calls: &[String]) -> Vec<&String> {
    let reads =
        ["mc info", "lan print", "lan6 print", "-c user list", "channel getaccess", "delloem lan get"];
    calls.iter().filter(|call| !reads.iter().any(|read| call.starts_with(read))).collect()
}

/// Makes the BMC reachable for the daemon after configuration.
fn loopback() -> Value {
    json!({
        "ipmi/configure/network": true, "ipmi/configure/ip-mode": "static", "ipmi/configure/address": "127.0.0.1",
        "ipmi/configure/netmask": "255.0.0.0", "ipmi/configure/gateway": "127.0.0.254",
        "ipmi/configure/reserve-ip": false,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_static_network_and_a_user_with_a_random_password_that_can_log_in() {
    let Some(machine) = Machine::start().await else { return };
    machine.set_all(loopback()).await;
    machine.set_all(json!({
        "ipmi/configure/user": true, "ipmi/configure/username": "ops,team", "ipmi/configure/generate-random-password": true,
    })).await;
    let said = machine.good("ipmi-configure").await;
    let lan = machine.outside().run("lan print 1").good();
    for line in ["Static Address", "127.0.0.1", "255.0.0.0", "127.0.0.254"] {
        assert!(lan.contains(line), "{line} is not in\n{lan}");
    }
    assert_eq!(machine.param("ipmi/address").await, json!("127.0.0.1"));
    assert_eq!(machine.param("ipmi/username").await, json!("ops,team"));
    let password = machine.param("ipmi/password").await.as_str().unwrap().to_owned();
    assert_eq!(machine.param("ipmi/configure/password").await, json!(password));
    let count = |of: fn(&char) -> bool| password.chars().filter(of).count();
    assert!(
        password.len() == 16
            && count(char::is_ascii_lowercase) >= 2
            && count(char::is_ascii_uppercase) >= 2
            && count(char::is_ascii_digit) >= 2
            && count(|c| !c.is_ascii_alphanumeric()) >= 1,
        "it does not keep the rules"
    );
    // The new user gets in, through our plugin and through ipmitool.
    let status = format!("machines/{}/actions/powerstatus", machine.uuid);
    let status_of = async || machine.daemon.expect(200, "POST", &status, json!({})).await;
    assert_eq!(status_of().await["state"], "off");
    let guest = machine.outside().user("ops,team").password(&password);
    assert!(
        guest
            .run("user list 1")
            .good()
            .contains("ops,team         true    true       true       ADMINISTRATOR")
    );
    assert!(!guest.password("wrong").run("mc info").ok);
    // No secret was an argument, and none is in a log.
    let calls = machine.calls("ipmitool");
    let hex = |text: &str| text.bytes().map(|b| format!("0x{b:02x}")).collect::<Vec<_>>().join(" ");
    for secret in [password.clone(), PASSWORD.to_owned(), hex(&password)] {
        assert!(!calls.join("\n").contains(&secret) && !said.contains(&secret), "a secret was shown");
        assert!(!machine.daemon.log().contains(&secret), "a secret is in the daemon's log");
    }
    assert!(!said.contains("0x06"), "{said}");

    // A second run changes nothing.
    let said = machine.good("ipmi-configure").await;
    assert!(said.contains("the user ops,team works as it is"), "{said}");
    let calls = machine.calls("ipmitool");
    assert!(changes(&calls).is_empty(), "{calls:?}");
    assert_eq!(machine.param("ipmi/password").await, json!(password));
    // And after a change, only what differs is set.
    machine.set("ipmi/configure/gateway", json!("127.0.0.253")).await;
    machine.good("ipmi-configure").await;
    assert_eq!(changes(&machine.calls("ipmitool")), ["lan set 1 defgw ipaddr 127.0.0.253"]);
    // A password that the BMC lost is set again, and the lock of refused credentials is opened.
    machine.outside().run("user set password 3 something-else 16").good();
    machine.good("ipmi-configure").await;
    assert_eq!(status_of().await["state"], "off");
    assert_eq!(machine.param("ipmi/password").await, json!(password));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_gets_a_user_of_its_own() {
    let Some(machine) = Machine::start().await else { return };
    machine.set_all(loopback()).await;
    machine
        .set_all(json!({
            "ipmi/configure/user": true, "ipmi/configure/username": "people", "ipmi/configure/userid": 7,
            "ipmi/configure/password": "17 bytes 'n \"more", "ipmi/service-user": true,
        }))
        .await;
    // ipmi_sim keeps no more than 16 bytes of a password, so this one is only sent.
    machine.good("ipmi-configure").await;
    assert_eq!(machine.param("ipmi/username").await, json!("dr-provision"));
    let own = machine.param("ipmi/password").await;
    assert_ne!(own, json!("17 bytes 'n \"more"));
    let users = machine.outside().run("-c user list 1").good();
    assert!(users.contains("7,people,true,true,true,ADMINISTRATOR"), "{users}");
    assert!(users.contains("3,dr-provision,true,true,true,ADMINISTRATOR"), "{users}");
    let guest = machine.outside().user("dr-provision").password(own.as_str().unwrap());
    guest.run("chassis power status").good();
    // Again: the password stays.
    machine.calls("ipmitool");
    machine.set("ipmi/configure/user", json!(false)).await;
    machine.good("ipmi-configure").await;
    let calls = machine.calls("ipmitool");
    assert!(changes(&calls).is_empty(), "{calls:?}");
    assert_eq!(machine.param("ipmi/password").await, own);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_existing_user_is_taken_and_wrong_wishes_are_refused_by_name() {
    let Some(machine) = Machine::start().await else { return };
    machine.set("ipmi/configure/user", json!(true)).await;
    let said = machine.bad("ipmi-configure").await;
    assert!(said.contains("needs ipmi/configure/password") && said.contains("there is no default"), "{said}");
    // The one that is there: nothing but its password is set.
    machine.set_all(json!({"ipmi/configure/username": USER, "ipmi/configure/password": PASSWORD})).await;
    machine.calls("ipmitool");
    machine.good("ipmi-configure").await;
    let calls = machine.calls("ipmitool");
    assert!(changes(&calls).iter().all(|call| !call.contains("name") && !call.contains("priv")), "{calls:?}");
    for (params, why) in [
        (json!({"ipmi/configure/username": "a-name-of-17-byte"}), "names of 1 to 16 bytes"),
        (
            json!({"ipmi/configure/username": "x", "ipmi/configure/password": "a password of 21 byte"}),
            "at most 20 bytes",
        ),
        (
            json!({"ipmi/configure/password": "good one", "ipmi/configure/userid": 1}),
            "user 1 of a BMC has no name",
        ),
        (json!({"ipmi/configure/userid": 99}), "no place for the user x at 99"),
        (
            json!({"ipmi/configure/userid": 2, "ipmi/quirks": ["ipmi-immutable-rootname"]}),
            "cannot be renamed",
        ),
    ] {
        machine.set_all(params).await;
        let said = machine.bad("ipmi-configure").await;
        assert!(said.contains(why), "{why}: {said}");
        assert_eq!(machine.param("ipmi/username").await, json!(USER), "only what works is recorded");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn networks_that_cannot_be_are_refused_and_dhcp_reserves() {
    let Some(machine) = Machine::start().await else { return };
    machine.set_all(json!({"ipmi/configure/network": true, "ipmi/configure/ip-mode": "static"})).await;
    assert!(machine.bad("ipmi-configure").await.contains("address in ipmi/configure/address"));
    machine.set("ipmi/configure/address", json!("10.9.9.9")).await;
    assert!(machine.bad("ipmi-configure").await.contains("netmask in ipmi/configure/netmask"));
    machine
        .set_all(json!({"ipmi/configure/netmask": "255.255.255.0", "ipmi/configure/gateway": "nowhere"}))
        .await;
    assert!(machine.bad("ipmi-configure").await.contains("ipmi/configure/gateway is not an IPv4 address"));
    assert!(changes(&machine.calls("ipmitool")).is_empty(), "nothing was set by halves");
    // The address is kept for the BMC, once.
    machine.outside().run("lan set 1 macaddr 02:00:5e:10:20:30").good();
    machine.set("ipmi/configure/gateway", json!("10.9.9.1")).await;
    for said in ["reserved 10.9.9.9 for 02:00:5e:10:20:30", "10.9.9.9 is reserved already"] {
        let log = machine.good("ipmi-configure").await;
        assert!(log.contains(said), "{log}");
    }
    let reserved = machine.daemon.get("reservations/10.9.9.9").await;
    assert_eq!((&reserved["Token"], &reserved["Strategy"]), (&json!("02:00:5e:10:20:30"), &json!("MAC")));
    // DHCP: the one it has is left alone; a BMC that had another mode is changed, and what it gets is reserved.
    machine.set_all(json!({"ipmi/configure/ip-mode": "dhcp", "ipmi/configure/address": "10.9.9.10"})).await;
    machine.calls("ipmitool");
    let log = machine.good("ipmi-configure").await;
    assert!(log.contains("reserved 10.9.9.10"), "{log}");
    assert_eq!(changes(&machine.calls("ipmitool")), ["lan set 1 ipsrc dhcp"]);
    assert!(machine.outside().run("lan print 1").good().contains("DHCP Address"));
    machine.good("ipmi-configure").await;
    assert!(changes(&machine.calls("ipmitool")).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn quirks_do_what_they_say() {
    let Some(machine) = Machine::start().await else { return };
    machine.set_all(loopback()).await;
    machine
        .set_all(json!({"ipmi/configure/port": "dedicated", "ipmi/configure/user": true,
        "ipmi/configure/username": "bob", "ipmi/configure/password": "simple-pass"}))
        .await;
    // Dell by its numbers: both quirks of the row apply.
    machine.says("mc info", "Device ID : 32\nManufacturer ID : 674\nProduct ID : 256 (0x0100)\n");
    machine.says("delloem lan get", "shared with lom1\n");
    machine.says("delloem lan set dedicated", "done\n");
    let said = machine.good("ipmi-configure").await;
    assert!(said.contains("quirks: ipmi-nodelay ipmi-dell-dedicated-nic"), "{said}");
    let calls = machine.calls("ipmitool");
    assert!(calls.contains(&"delloem lan set dedicated".to_owned()), "{calls:?}");
    machine.says("delloem lan get", "dedicated\n");
    machine.good("ipmi-configure").await;
    assert!(changes(&machine.calls("ipmitool")).is_empty());
    // HP: a cold reset at the end.
    machine.says("mc info", "Device ID : 19\nManufacturer ID : 11\nProduct ID : 8192\n");
    let said = machine.good("ipmi-configure").await;
    assert!(said.contains("takes its settings only after a cold reset"), "{said}");
    assert_eq!(changes(&machine.calls("ipmitool")), ["mc reset cold"]);
    // What the param says counts in place of the table.
    machine.set("ipmi/quirks", json!([])).await;
    machine.good("ipmi-configure").await;
    assert!(changes(&machine.calls("ipmitool")).is_empty());
    // Access on the other channels, and user 2 stays free.
    machine.set_all(json!({
        "ipmi/quirks": ["ipmi-crossed-access-channels", "ipmi-immutable-root"], "ipmi/configure/username": "carol",
    })).await;
    let free = |id: u8| format!("{id},,true,false,false,NO ACCESS\n");
    machine.says("-c user list 1", &(free(1) + &free(2) + &free(3)));
    let access = |channel: u8| format!("channel setaccess {channel} 3 callin=on ipmi=on link=on privilege=4");
    machine.says(&access(2), "");
    machine.good("ipmi-configure").await;
    let calls = machine.calls("ipmitool");
    for call in ["user set name 3 carol".to_owned(), access(1), access(2)] {
        assert!(calls.contains(&call), "{call}: {calls:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_values_are_text() {
    let Some(machine) = Machine::start().await else { return };
    let mut params = crate::pack::everything(HOSTILE);
    for (name, value) in [
        ("ipmi/configure/user", json!(false)),
        ("ipmi/configure/network", json!(false)),
        ("ipmi/service-user", json!(false)),
        ("ipmi/extra-ipmi-commands", json!([])),
    ] {
        params[name] = value;
    }
    machine.set_all(params).await;
    assert!(machine.bad("ipmi-configure").await.contains("holds control characters"));
    // Without line ends they get further, to each check in turn.
    let one_line = HOSTILE.replace('\n', " ");
    for name in [
        "hostname",
        "domain",
        "timezone",
        "cert-country",
        "cert-province",
        "cert-locality",
        "cert-org",
        "cert-org-unit",
    ] {
        machine.set(&format!("ipmi/configure/{name}"), json!(one_line)).await;
    }
    machine
        .set_all(json!({
            "ipmi/configure/dns-servers": [one_line], "ipmi/configure/ntp-servers": [one_line],
            "ipmi/configure/network": true, "ipmi/configure/user": true,
        }))
        .await;
    assert!(machine.bad("ipmi-configure").await.contains("ipmi/configure/address"));
    machine.set("ipmi/configure/network", json!(false)).await;
    assert!(machine.bad("ipmi-configure").await.contains("1 to 16 bytes"));
    machine
        .set_all(
            json!({"ipmi/configure/username": "$(id)`x`'\"", "ipmi/configure/password": "'\"$(id)`x`\\%s#"}),
        )
        .await;
    machine.set_all(json!({"ipmi/configure/userid": 4, "ipmi/configure/certificate": one_line})).await;
    assert!(machine.bad("ipmi-configure").await.contains("not a certificate in PEM"));
    assert_eq!(machine.param("ipmi/username").await, json!("$(id)`x`'\""));
    let guest = machine.outside().user("$(id)`x`'\"").password("'\"$(id)`x`\\%s#");
    guest.run("mc info").good();
    machine
        .set_all(json!({"ipmi/address": "10.0.0.1", "ipmi/gateway": HOSTILE, "ipmi/netmask": HOSTILE}))
        .await;
    assert!(machine.bad("ipmi-network-validation").await.contains("ipmi/gateway is not an IP address"));
    machine.good("ipmi-inventory").await;
    assert!(machine.bad("ipmi-install-cert-or-key").await.contains("not a certificate in PEM"));
}
