//! Is there a BMC, and where.

use crate::machine::Machine;
use drp_tests::agent::End;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_without_device_has_no_bmc_and_does_not_fail() {
    let Some(machine) = Machine::start().await else { return };
    machine.remove("host/dev/ipmi0");
    machine.set("ipmi/address", json!("192.0.2.9")).await;
    let said = machine.good("ipmi-discover").await;
    assert!(said.contains("ipmitool is there") && said.contains("no device node"), "{said}");
    assert_eq!(machine.param("ipmi/enabled").await, json!(false));
    assert_eq!(machine.param("ipmi/address").await, Value::Null, "an address that leads nowhere is dropped");
    assert_eq!(machine.calls("modprobe"), ["ipmi_devintf", "ipmi_si", "ipmi_ssif"]);
    assert!(machine.calls("ipmitool").is_empty());
    // It is believed from then on, until somebody takes the param away.
    machine.file("host/dev/ipmi0", "");
    assert!(machine.good("ipmi-discover").await.contains("nothing is looked for"));
    assert!(machine.calls("modprobe").is_empty());
    // Configuration and inventory say the same, and do not fail either, whatever no-bmc-fatal says.
    machine.remove("host/dev/ipmi0");
    machine.set("ipmi/configure/no-bmc-fatal", json!(true)).await;
    for task in ["ipmi-configure", "ipmi-inventory", "reset-bmc"] {
        assert!(machine.good(task).await.contains("no device node"), "{task}");
    }
    assert!(machine.calls("ipmitool").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bmc_that_does_not_answer_is_reset_once() {
    let Some(machine) = Machine::start().await else { return };
    machine.file("silent", "");
    let said = machine.good("ipmi-discover").await;
    assert!(said.contains("it is reset next") && said.contains("answers after try"), "{said}");
    assert_eq!(machine.param("ipmi/enabled").await, json!(true));
    let calls = machine.calls("ipmitool");
    assert_eq!(calls.iter().filter(|call| *call == "mc info").count(), 6, "{calls:?}");
    assert_eq!(calls.iter().filter(|call| *call == "mc reset cold").count(), 1, "{calls:?}");
    // It answers: nothing is reset.
    assert!(machine.good("ipmi-discover").await.contains("Device ID"));
    assert_eq!(machine.calls("ipmitool"), ["mc info"]);
    // One that a reset does not help is no BMC.
    machine.program("ipmitool", "exit 1");
    let said = machine.good("reset-bmc").await;
    assert!(said.contains("does not answer, five minutes after its reset"), "{said}");
    assert_eq!(machine.param("ipmi/enabled").await, json!(false));
    machine.set("ipmi/enabled", json!(true)).await;
    machine.set("ipmi/configure/no-bmc-fatal", json!(true)).await;
    assert!(machine.bad("ipmi-configure").await.contains("ipmi/configure/no-bmc-fatal is true"));
}

#[tokio::test(flavor = "multi_thread")]
async fn ipmitool_is_installed_where_it_is_absent() {
    let Some(machine) = Machine::start().await else { return };
    // A PATH with nothing but this.
    for program in ["bash", "env", "mktemp", "rm", "base64", "drpcli"] {
        machine.link(program, "bare");
    }
    let (end, said) = machine.run_with_path(&["ipmi-install"], "bare").await;
    assert_eq!(end, End::Complete, "{said}");
    assert!(said.contains("this platform is left alone"), "{said}");
    assert_eq!(machine.param("ipmi/enabled").await, json!(false));
    machine.program("../bare/yum", "");
    let (end, said) = machine.run_with_path(&["ipmi-install"], "bare").await;
    assert_eq!(end, End::Complete, "{said}");
    assert_eq!(machine.calls("yum"), ["install -y -q ipmitool"]);
    machine.program("../bare/apt-get", "exit 100");
    let (end, _) = machine.run_with_path(&["ipmi-install"], "bare").await;
    assert_eq!(end, End::Stopped, "an installation that fails is a failure");
}

#[tokio::test(flavor = "multi_thread")]
async fn inventory_writes_what_the_bmc_says() {
    let Some(machine) = Machine::start().await else { return };
    let said = machine.good("ipmi-inventory").await;
    assert!(said.contains("the BMC has no address yet"), "{said}");
    assert_eq!(machine.param("ipmi/address").await, Value::Null);
    for words in ["ipsrc static", "ipaddr 10.1.2.3", "netmask 255.255.255.0", "defgw ipaddr 10.1.2.1"] {
        machine.outside().run(&format!("lan set 1 {words}")).good();
    }
    machine.calls("ipmitool");
    machine.good("ipmi-inventory").await;
    let wanted = |v6: bool| {
        json!({
            "ipmi/enabled": true, "ipmi/macaddr": "00:00:00:00:00:00",
            "ipmi/address": "10.1.2.3", "ipmi/netmask": "255.255.255.0", "ipmi/gateway": "10.1.2.1", "ipmi/ipsrc": "Static Address",
            "ipmi/address-v4": "10.1.2.3", "ipmi/netmask-v4": "255.255.255.0", "ipmi/gateway-v4": "10.1.2.1",
            "ipmi/ipsrc-v4": "Static Address",
            "ipmi/address-v6": if v6 { "2001:db8::17" } else { "::" }, "ipmi/netmask-v6": if v6 { "64" } else { "128" },
            "ipmi/gateway-v6": if v6 { "fe80::1" } else { "::" }, "ipmi/ipsrc-v6": if v6 { "DHCPv6" } else { "" },
        })
    };
    let has = async |wanted: Value| {
        for (name, value) in wanted.as_object().unwrap() {
            assert_eq!(machine.param(name).await, *value, "{name}");
        }
    };
    has(wanted(false)).await;
    assert_eq!(machine.calls("ipmitool"), ["mc info", "mc info", "lan print 1", "lan6 print 1"]);

    // ipmi_sim has no IPv6: these are the lines of ipmitool 1.8.19 for a BMC that has.
    machine.says("lan6 print 1", LAN6);
    machine.good("ipmi-inventory").await;
    has(wanted(true)).await;
    // Both have a gateway: the preference decides.
    machine.set("ipmi/prefer-v6", json!(true)).await;
    machine.good("ipmi-inventory").await;
    let v6 = json!({"ipmi/address": "2001:db8::17", "ipmi/netmask": "64", "ipmi/gateway": "fe80::1", "ipmi/ipsrc": "DHCPv6"});
    has(v6.clone()).await;
    // Only one has: that one counts.
    machine.outside().run("lan set 1 defgw ipaddr 0.0.0.0").good();
    machine.set("ipmi/prefer-v6", json!(false)).await;
    machine.good("ipmi-inventory").await;
    has(v6).await;
    // What is forced wins.
    machine.set("ipmi/force-protocol", json!("v4")).await;
    machine.good("ipmi-inventory").await;
    has(json!({"ipmi/address": "10.1.2.3", "ipmi/gateway": "0.0.0.0"})).await;
    // A BMC that must not be asked for IPv6 is not.
    machine.set("ipmi/quirks", json!(["ipmi-no-ipv6"])).await;
    machine.calls("ipmitool");
    machine.good("ipmi-inventory").await;
    assert!(!machine.calls("ipmitool").iter().any(|call| call.starts_with("lan6")));
    has(json!({"ipmi/address-v6": "::"})).await;
    // The channel is looked for, or forced.
    machine.says("lan print 1", "IP Header : TTL=0x00\n");
    machine.set("ipmi/force-lan-chan", json!(1)).await;
    assert!(machine.bad("ipmi-inventory").await.contains("ipmi/force-lan-chan"));
    machine.says("lan print 8", "IP Address Source : DHCP Address\nIP Address : 10.8.8.8\n");
    machine.set("ipmi/force-lan-chan", json!(8)).await;
    machine.good("ipmi-inventory").await;
    has(json!({"ipmi/address": "10.8.8.8"})).await;
}

const LAN6: &str = "IPv6/IPv4 Support:
    IPv6 only: no
    IPv4 and IPv6: yes
    IPv6 Destination Addresses for LAN alerting: no
IPv6/IPv4 Addressing Enables: both
IPv6 Status:
    Static address max:  1
    Dynamic address max: 3
    DHCPv6 support:      yes
    SLAAC support:       yes
IPv6 Static Address 0:
    Enabled:        no
    Address:        2001:db8::99/64
    Status:         disabled
IPv6 Dynamic Address 0:
    Source/Type:    SLAAC
    Address:        fe80::5054:ff:fe12:3456/64
    Status:         active
IPv6 Dynamic Address 1:
    Source/Type:    DHCPv6
    Address:        2001:db8::17/64
    Status:         active
IPv6 Dynamic Router 0:
    Address: fe80::1
    MAC:     00:00:5e:00:01:01
";
