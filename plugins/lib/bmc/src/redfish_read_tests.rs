//! What services tell, in the shapes that they have, and in shapes that they should not have.

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn members(list: Value) -> Members {
    let list = list.as_array().unwrap().clone();
    Members { total: list.len() as u64, list, missing: None }
}

#[test]
fn old_and_new_sensors_have_one_form() {
    let new = members(json!([{
        "@odata.id": "/redfish/v1/Chassis/1/Sensors/cpu", "Id": "cpu", "Name": "CPU1 Temp", "ReadingType": "Temperature",
        "Reading": 42.5, "ReadingUnits": "Cel", "Status": {"State": "Enabled", "Health": "OK"},
        "Thresholds": {"UpperCritical": {"Reading": 90}},
    }, {"Id": "fan", "Name": "FAN1", "ReadingType": "Rotational", "Reading": 5400, "ReadingUnits": "RPM",
        "Status": {"State": "Enabled", "Health": "Warning"}}]));
    let thermal = json!({
        "Temperatures": [{"MemberId": "0", "Name": "Inlet", "ReadingCelsius": 21, "UpperThresholdCritical": 42,
                          "Status": {"State": "Enabled", "Health": "OK"}},
                         {"Name": "CPU2 Temp", "ReadingCelsius": null, "Status": {"State": "Absent"}}],
        "Fans": [{"FanName": "Fan 1", "Reading": 30, "ReadingUnits": "Percent", "Status": {"Health": "Critical"}}],
    });
    let power = json!({
        "Voltages": [{"Name": "12V", "ReadingVolts": 12.03, "Status": {"Health": "OK"}}],
        "PowerControl": [{"Name": "System Power", "PowerConsumedWatts": 210}],
        "PowerSupplies": [{"Name": "PS1", "Status": {"State": "Enabled", "Health": "OK"}}, {"Name": "PS2"}],
    });
    let sources = [SensorSource::Sensors(new), SensorSource::Thermal(thermal), SensorSource::Power(power)];
    let all = sensors(&sources);
    let of =
        |name: &str| all.sensors.iter().find(|s| s.name == name).unwrap_or_else(|| panic!("{name}")).clone();
    let cpu = of("CPU1 Temp");
    assert_eq!((cpu.kind.as_str(), cpu.value, cpu.unit.as_str()), ("temperature", Some(42.5), "C"));
    assert_eq!((cpu.status, cpu.thresholds.upper_critical), (Status::Ok, Some(90.0)));
    assert_eq!(
        (of("FAN1").kind.as_str(), of("FAN1").unit.as_str(), of("FAN1").status),
        ("fan", "rpm", Status::Warning)
    );
    assert_eq!((of("Inlet").id.as_str(), of("Inlet").thresholds.upper_critical), ("0", Some(42.0)));
    assert_eq!((of("CPU2 Temp").status, of("CPU2 Temp").why.as_str()), (Status::Unreadable, "absent"));
    assert_eq!((of("Fan 1").unit.as_str(), of("Fan 1").status), ("%", Status::Critical));
    assert_eq!((of("12V").value, of("System Power").status), (Some(12.03), Status::Unknown));
    assert_eq!((of("PS1").status, of("PS2").status), (Status::Ok, Status::Unreadable));
}

#[test]
fn the_newest_entries_are_kept_whatever_order_they_come_in() {
    let at = |n: usize| {
        json!({"Id": n.to_string(), "Created": format!("2026-01-01T00:{:02}:{:02}Z", n / 60, n % 60),
                               "Message": "m", "Severity": "Critical", "EntryCode": "Assert",
                               "Links": {"OriginOfCondition": {"@odata.id": "/redfish/v1/Chassis/1/Sensors/cpu"}}})
    };
    let mut list: Vec<_> = (0..1100).map(at).collect();
    for _ in 0..2 {
        list.reverse();
        let log = sel(&members(Value::Array(list.clone())));
        assert_eq!((log.total, log.more, log.entries.len()), (1100, true, 1000));
        assert_eq!((log.entries[0].id.as_str(), log.entries[999].id.as_str()), ("100", "1099"));
        let last = &log.entries[999];
        assert_eq!(
            (last.sensor.as_str(), last.asserted, last.severity),
            ("cpu", Some(true), Status::Critical)
        );
    }
}

#[test]
fn accounts_and_interfaces_have_one_form() {
    let accounts = json!([
        {"Id": "1", "UserName": "", "Enabled": false, "RoleId": "None"},
        {"Id": "2", "UserName": "root", "Enabled": true, "RoleId": "Administrator", "Locked": false, "Password": null},
        {"Id": "3", "UserName": "ro", "Enabled": false, "RoleId": "ReadOnly"},
    ]);
    let users = users(&members(accounts)).users;
    assert_eq!(users.len(), 2);
    assert_eq!((users[0].privilege.as_str(), users[0].locked), ("administrator", Some(false)));
    assert_eq!((users[1].privilege.as_str(), users[1].enabled), ("user", Some(false)));
    let interfaces = json!([{
        "Id": "eth0", "MACAddress": "00:5C:52:31:3A:9C", "HostName": "bmc-1", "FQDN": null,
        "VLAN": {"VLANEnable": true, "VLANId": 42},
        "IPv4Addresses": [{"Address": "192.0.2.7", "SubnetMask": "255.255.255.0", "Gateway": "192.0.2.1",
                           "AddressOrigin": "DHCP"}],
        "IPv6Addresses": [{"Address": "fe80::1", "PrefixLength": 64, "AddressOrigin": "LinkLocal"}, {"Address": "::"}],
    }, {"Id": "eth1", "VLAN": {"VLANEnable": false, "VLANId": 1}, "IPv4Addresses": [{"Address": "0.0.0.0"}]}]);
    let lan = lan(&members(interfaces)).interfaces;
    assert_eq!(
        (lan[0].mac.as_str(), lan[0].vlan, lan[0].hostname.as_str()),
        ("00:5c:52:31:3a:9c", Some(42), "bmc-1")
    );
    let ipv4 = lan[0].ipv4.as_ref().unwrap();
    assert_eq!((ipv4.address.as_str(), ipv4.source.as_str()), ("192.0.2.7", "dhcp"));
    assert_eq!((lan[0].ipv6.len(), lan[0].ipv6[0].source.as_str()), (1, "linklocal"));
    assert_eq!((lan[1].vlan, lan[1].ipv4.is_none()), (None, true));
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_map(|n| json!(n)),
        "[a-zA-Z0-9:\u{1b} ]{0,12}".prop_map(Value::String),
    ];
    let names = prop::sample::select(vec![
        "Name",
        "Status",
        "State",
        "Health",
        "Thresholds",
        "UpperCritical",
        "Reading",
        "Temperatures",
        "Fans",
        "Voltages",
        "PowerSupplies",
        "Created",
        "Links",
        "OriginOfCondition",
        "@odata.id",
        "IPv4Addresses",
        "IPv6Addresses",
        "VLAN",
        "VLANEnable",
        "VLANId",
        "UserName",
        "Enabled",
        "Id",
        "Message",
    ]);
    leaf.prop_recursive(4, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::Array),
            prop::collection::vec((names.clone(), inner), 0..8).prop_map(|pairs| {
                Value::Object(pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn whatever_a_service_says_it_is_read(body in value(), list in prop::collection::vec(value(), 0..4)) {
        let members = Members { total: 3, list, missing: None };
        let sources = [
            SensorSource::Sensors(members.clone()), SensorSource::Thermal(body.clone()), SensorSource::Power(body),
        ];
        let out = json!([sensors(&sources), sel(&members), users(&members), lan(&members)]);
        prop_assert!(!out.to_string().contains("\\u001b"), "{out}");
    }
}
