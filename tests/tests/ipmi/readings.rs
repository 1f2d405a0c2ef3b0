//! Sensors, event log, users, LAN settings and the restart of the BMC over IPMI, against the simulator.

use crate::rig::{Rig, simulator};
use drp_bmc_sim::{Effect, On, Rule};
use drp_ipmi::Privilege;
use drp_tests::peers::USER;
use serde_json::{Value, json};

/// Commands that faults strike.
const GET_SDR: On = On::Command(0x0a, 0x23);
const GET_READING: On = On::Command(0x04, 0x2d);
const GET_ENTRY: On = On::Command(0x0a, 0x43);
const CLEAR: On = On::Command(0x0a, 0x47);

fn sensor<'a>(answer: &'a Value, name: &str) -> &'a Value {
    let list = answer["details"]["sensors"].as_array().unwrap();
    list.iter().find(|sensor| sensor["name"] == name).unwrap_or_else(|| panic!("no {name} in {answer}"))
}

#[tokio::test]
async fn sensors_of_every_kind_are_read_in_words_and_units() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let answer = rig.good(bmc.address(), "sensors").await;
    assert_eq!((&answer["verified"], &answer["driver"]), (&json!(true), &json!("ipmi")), "{answer}");
    assert_eq!(answer["details"]["missing"], Value::Null, "{answer}");
    assert_eq!(
        *sensor(&answer, "CPU1 Temp"),
        json!({
            "id": "0x01", "name": "CPU1 Temp", "kind": "temperature", "value": 42.0, "unit": "C", "status": "ok",
            "thresholds": {
                "lower_warning": 10.0, "lower_critical": 5.0, "lower_unrecoverable": 0.0,
                "upper_warning": 70.0, "upper_critical": 80.0, "upper_unrecoverable": 90.0,
            },
        })
    );
    for (name, value, unit) in [("Inlet Temp", -5.0, "C"), ("12V", 12.033, "V"), ("FAN1", 5400.0, "rpm")] {
        let sensor = sensor(&answer, name);
        assert_eq!((&sensor["value"], &sensor["unit"]), (&json!(value), &json!(unit)), "{sensor}");
    }
    assert_eq!(sensor(&answer, "PS1 Status")["states"], json!(["Presence detected"]));
    assert_eq!(sensor(&answer, "Drive A")["states"], json!(["Drive Presence"]));
    for (name, why) in [
        ("FAN2", "scanning is off"),
        ("Drive B", "no reading at the moment"),
        ("ME Power", "it belongs to controller 0x2c, not to the BMC"),
    ] {
        let sensor = sensor(&answer, name);
        assert_eq!(
            (&sensor["status"], &sensor["why"], &sensor["value"]),
            (&json!("unreadable"), &json!(why), &Value::Null)
        );
    }
    // What only logs events is no sensor that can be read.
    assert_eq!(answer["details"]["sensors"].as_array().unwrap().len(), 9, "{answer}");
    assert_eq!(answer["text"], "9 sensors, 3 unreadable");
    // The records did not change, so the second time only the readings are asked for.
    let records = bmc.log().iter().filter(|entry| entry.what == String::from(GET_SDR)).count();
    bmc.shelf(|shelf| shelf.readings.insert(1, vec![85, 0xc0, 0xd8]));
    let hot = rig.good(bmc.address(), "sensors").await;
    let hot = sensor(&hot, "CPU1 Temp");
    assert_eq!((&hot["value"], &hot["status"]), (&json!(85.0), &json!("critical")), "{hot}");
    assert_eq!(bmc.log().iter().filter(|entry| entry.what == String::from(GET_SDR)).count(), records);
    rig.stop().await;
}

#[tokio::test]
async fn records_come_in_pieces_whatever_the_bmc_can_return_and_whoever_takes_the_reservation() {
    let rig = Rig::start().await;
    for piece in [255, 16, 9] {
        let bmc = simulator(|_| {}).await;
        bmc.shelf(|shelf| shelf.piece = piece);
        // The reservation is lost in the middle of a record, three times.
        bmc.set_faults([Rule::new(GET_SDR, Effect::Completion { code: 0xc5 }).skip(7).times(3)]);
        let answer = rig.good(bmc.address(), "sensors").await;
        assert_eq!(answer["details"]["missing"], Value::Null, "{answer}");
        assert_eq!(answer["details"]["sensors"].as_array().unwrap().len(), 9, "{answer}");
    }
    // A BMC that returns fewer bytes than any record needs says so, record by record.
    let bmc = simulator(|_| {}).await;
    bmc.shelf(|shelf| shelf.piece = 5);
    let answer = rig.good(bmc.address(), "sensors").await;
    assert!(answer["details"]["missing"].as_str().unwrap().contains("would not give all of it"), "{answer}");
    // A reservation that never holds ends, with the reason.
    let bmc = simulator(|_| {}).await;
    bmc.set_faults([Rule::new(GET_SDR, Effect::Completion { code: 0xc5 })]);
    let answer = rig.good(bmc.address(), "sensors").await;
    assert!(answer["details"]["missing"].as_str().unwrap().contains("reservation"), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn one_bad_sensor_does_not_hide_the_others() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    // One after the other.
    bmc.set_faults([
        Rule::new(GET_READING, Effect::Completion { code: 0xcb }).times(1),
        Rule::new(GET_READING, Effect::Short { len: 1 }).times(1),
        // Busy twice, then it answers.
        Rule::new(GET_READING, Effect::Completion { code: 0xc0 }).times(2),
    ]);
    let answer = rig.good(bmc.address(), "sensors").await;
    let list = answer["details"]["sensors"].as_array().unwrap();
    assert_eq!(list.len(), 9, "{answer}");
    assert!(list[0]["why"].as_str().unwrap().contains("not present"), "{answer}");
    assert_eq!(list[1]["status"], "unreadable", "{answer}");
    assert_eq!(list[2]["value"], 12.033, "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn the_log_is_told_with_times_names_and_words() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let answer = rig.good(bmc.address(), "sel").await;
    let log = &answer["details"];
    assert_eq!((&log["total"], &log["more"], &log["overflow"]), (&json!(4), &json!(false), &json!(false)));
    assert_eq!(
        log["entries"][1],
        json!({
            "id": "2", "time": "2026-01-02T03:04:05", "sensor": "CPU1 Temp", "kind": "temperature",
            "event": "Upper Critical - going high (reading 85 C, threshold 80 C)",
            "asserted": true, "severity": "critical",
        })
    );
    assert_eq!(
        (&log["entries"][0]["time"], &log["entries"][0]["sensor"]),
        (&Value::Null, &json!("PS1 Status"))
    );
    assert_eq!(
        (&log["entries"][2]["asserted"], &log["entries"][2]["severity"]),
        (&json!(false), &json!("ok"))
    );
    let oem = log["entries"][3]["event"].as_str().unwrap();
    assert!(oem.contains("0xc1") && oem.contains("manufacturer 674"), "{oem}");
    assert_eq!(answer["text"], "4 entries in the system event log");
    rig.stop().await;
}

#[tokio::test]
async fn of_a_long_log_the_newest_entries_are_told_and_that_there_are_more() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    bmc.shelf(|shelf| {
        let first = shelf.log[0];
        shelf.log = (1..=1200u16)
            .map(|id| [&id.to_le_bytes()[..], &first[2..]].concat().try_into().unwrap())
            .collect();
    });
    let answer = rig.on(bmc.address(), "sel", json!({"ipmi/timeout": 20})).await.unwrap();
    let log = &answer["details"];
    let entries = log["entries"].as_array().unwrap();
    assert_eq!((&log["total"], &log["more"], entries.len()), (&json!(1200), &json!(true), 1000));
    assert_eq!((&entries[0]["id"], &entries[999]["id"]), (&json!("201"), &json!("1200")));
    assert!(answer["text"].as_str().unwrap().contains("newest 1000"), "{}", answer["text"]);
    // It began where they begin, and not at the oldest one.
    assert!(bmc.log().iter().filter(|entry| entry.what == String::from(GET_ENTRY)).count() < 1010);
    // Ids that leave gaps: it begins at the first one, and still ends with the newest.
    bmc.shelf(|shelf| {
        shelf.log.iter_mut().for_each(|entry| {
            let id = u16::from_le_bytes([entry[0], entry[1]]) * 3;
            entry[..2].copy_from_slice(&id.to_le_bytes());
        })
    });
    let answer = rig.on(bmc.address(), "sel", json!({"ipmi/timeout": 20})).await.unwrap();
    let entries = answer["details"]["entries"].as_array().unwrap();
    assert_eq!((entries.len(), &entries[999]["id"]), (1000, &json!("3600")), "{}", answer["text"]);
    // A list that runs in a circle ends.
    bmc.shelf(|shelf| shelf.log = vec![shelf.log[0], shelf.log[1], shelf.log[0]]);
    let answer = rig.good(bmc.address(), "sel").await;
    assert!(answer["details"]["missing"].as_str().unwrap().contains("does not end"), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn the_log_is_cleared_once_waited_for_and_read_back() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    bmc.shelf(|shelf| shelf.erasing = 3);
    // The reservation is lost before the erasing begins, so it is made anew and nothing was erased.
    bmc.set_faults([Rule::new(CLEAR, Effect::Completion { code: 0xc5 }).times(1)]);
    let answer = rig.good(bmc.address(), "selclear").await;
    assert_eq!((&answer["verified"], &answer["requested"]), (&json!(true), &json!("empty")), "{answer}");
    assert_eq!(answer["details"], json!({"removed": 4, "new": 1}), "{answer}");
    assert_eq!(bmc.shelf(|shelf| shelf.clears), 1);
    let log = rig.good(bmc.address(), "sel").await;
    assert_eq!(log["details"]["entries"][0]["clear_mark"], true, "{log}");
    assert_eq!(log["details"]["entries"][0]["event"], "Log Area Reset/Cleared");
    bmc.shelf(|shelf| shelf.log.clear());
    assert!(rig.good(bmc.address(), "selclear").await["text"].as_str().unwrap().contains("nothing was sent"));
    assert_eq!(bmc.shelf(|shelf| shelf.clears), 1);
    assert_eq!(rig.good(bmc.address(), "sel").await["text"], "the system event log is empty");
    rig.stop().await;
}

#[tokio::test]
async fn a_log_is_cleared_again_although_its_mark_is_the_same() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for removed in [4, 1] {
        let answer = rig.good(bmc.address(), "selclear").await;
        assert_eq!(
            (&answer["verified"], &answer["observed"]),
            (&json!(true), &json!("1 new entry")),
            "{answer}"
        );
        assert_eq!(answer["details"], json!({"removed": removed, "new": 1}), "{answer}");
    }
    assert_eq!(bmc.shelf(|shelf| shelf.clears), 2);
    rig.stop().await;
}

#[tokio::test]
async fn a_lost_answer_to_clearing_never_clears_twice() {
    let rig = Rig::start().await;
    let bmc = simulator(|_| {}).await;
    bmc.set_faults([Rule::new(CLEAR, Effect::LoseReply).times(1)]);
    let answer = rig.on(bmc.address(), "selclear", json!({"ipmi/timeout": 1})).await.unwrap();
    assert_eq!((&answer["verified"], bmc.shelf(|shelf| shelf.clears)), (&json!(true), 1), "{answer}");
    // Busy for longer than one question is repeated, after the erasing was begun.
    let bmc = simulator(|_| {}).await;
    bmc.shelf(|shelf| shelf.erasing = 2);
    bmc.set_faults([Rule::new(CLEAR, Effect::Busy { retry_after: None }).skip(1).times(8)]);
    let answer = rig.good(bmc.address(), "selclear").await;
    assert_eq!((&answer["verified"], bmc.shelf(|shelf| shelf.clears)), (&json!(true), 1), "{answer}");
    let bmc = simulator(|_| {}).await;
    bmc.set_faults([Rule::new(CLEAR, Effect::LoseRequest).times(1)]);
    let params = json!({"ipmi/timeout": 1, "ipmi/verify-timeout": 1});
    let error = rig.on(bmc.address(), "selclear", params).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (504, "UNCONFIRMED"), "{error}");
    assert_eq!(bmc.shelf(|shelf| (shelf.clears, shelf.log.len())), (0, 4));
    rig.stop().await;
}

#[tokio::test]
async fn users_are_listed_without_anything_secret() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| {
        let mut reader = config.users[0].clone();
        (reader.name, reader.privilege) = ("reader".to_owned(), Privilege::User);
        config.users.push(reader);
    })
    .await;
    let answer = rig.good(bmc.address(), "users").await;
    assert_eq!(
        answer["details"],
        json!({"users": [
            {"id": "2", "name": USER, "enabled": true, "privilege": "administrator",
             "access": [{"channel": 1, "privilege": "administrator", "login": true}]},
            {"id": "3", "name": "reader", "enabled": true, "privilege": "user",
             "access": [{"channel": 1, "privilege": "user", "login": true}]},
        ]})
    );
    assert_eq!(answer["text"], "2 users, 2 enabled");
    assert!(!answer.to_string().contains(drp_tests::peers::PASSWORD));
    rig.stop().await;
}

#[tokio::test]
async fn the_network_settings_are_those_of_the_channel_that_is_there() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let answer = rig.good(bmc.address(), "lan").await;
    assert_eq!(
        answer["details"]["interfaces"],
        json!([{
            "name": "channel 1", "mac": "02:00:5e:10:00:01", "vlan": null,
            "ipv4": {"address": "127.0.0.1", "netmask": "255.255.255.0", "gateway": "192.0.2.1", "source": "static"},
            "ipv6": [
                {"address": "2001:db8::7", "prefix": 64, "source": "static"},
                {"address": "2001:db8::77", "prefix": 64, "source": "slaac"},
            ],
        }])
    );
    assert_eq!(answer["text"], "channel 1: 127.0.0.1 (static)");
    bmc.shelf(|shelf| {
        shelf.lan.insert((20, 0), vec![0x2a, 0x80]);
        shelf.lan.insert((4, 0), vec![2]);
        // No IPv6, and a gateway that is not told.
        shelf.lan.retain(|(parameter, _), _| *parameter < 50 && *parameter != 12);
    });
    let answer = rig.good(bmc.address(), "lan").await;
    let lan = &answer["details"]["interfaces"][0];
    assert_eq!(
        (&lan["vlan"], &lan["ipv4"]["source"], &lan["ipv4"]["gateway"]),
        (&json!(42), &json!("dhcp"), &json!(""))
    );
    assert_eq!(lan["ipv6"], json!([]));
    rig.stop().await;
}

/// Cold Reset needs an administrator (IPMI 2.0 Appendix G); everything else is done as operator.
#[tokio::test]
async fn the_bmc_is_restarted_once_as_administrator_and_nothing_else_is() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    rig.good(bmc.address(), "powerstatus").await;
    let answer = rig.good(bmc.address(), "bmcreset").await;
    assert_eq!(
        (&answer["verified"], &answer["requested"]),
        (&json!(false), &json!("restart the BMC")),
        "{answer}"
    );
    assert_eq!((bmc.counts().bmc_resets, bmc.counts().most_sessions), (1, 1));
    // It forgot its sessions, so the next reading logs in anew.
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    // A user who may not is told so, and the password is not taken for a wrong one.
    bmc.configure(|config| config.users[0].privilege = Privilege::Operator);
    let refused = rig.on(bmc.address(), "bmcreset", json!({})).await.unwrap_err();
    assert_eq!((refused.code, refused.r#type.as_str()), (502, "REFUSED"), "{refused}");
    assert!(refused.to_string().contains("insufficient privilege"), "{refused}");
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    assert_eq!((bmc.counts().bmc_resets, bmc.counts().most_sessions), (1, 1));
    // The first one is the refusal that asks for an administrator.
    bmc.set_faults([Rule::new(On::Command(0x06, 0x02), Effect::LoseReply).skip(1)]);
    bmc.configure(|config| config.users[0].privilege = Privilege::Administrator);
    let error = rig.on(bmc.address(), "bmcreset", json!({"ipmi/timeout": 1})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (504, "UNCONFIRMED"), "{error}");
    assert_eq!(bmc.counts().bmc_resets, 2);
    rig.stop().await;
}

#[tokio::test]
async fn what_a_bmc_does_not_have_is_501() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for (verb, netfn, cmd) in [
        ("sensors", 0x0a, 0x20),
        ("sel", 0x0a, 0x40),
        ("selclear", 0x0a, 0x40),
        ("users", 0x06, 0x44),
        ("lan", 0x06, 0x42),
    ] {
        bmc.set_faults([Rule::new(On::Command(netfn, cmd), Effect::Completion { code: 0xc1 })]);
        let error = rig.on(bmc.address(), verb, json!({})).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (501, "UNSUPPORTED"), "{verb}: {error}");
    }
    rig.stop().await;
}
