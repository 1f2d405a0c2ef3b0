//! Sensors, event log, users and LAN settings of BMCs that are not ours, beside what `ipmitool` and FreeIPMI say of the same.

use crate::rig::{Rig, simulator};
use drp_tests::daemon::Daemon;
use drp_tests::peers::{IpmiSim, Ipmitool, PASSWORD, PyghmiBmc, USER, find_program, skipped};
use serde_json::{Value, json};
use std::process::Command;

/// One of FreeIPMI's tools on a BMC; `None` (after saying SKIPPED) when it is absent.
fn freeipmi(tool: &str, bmc: &IpmiSim, words: &[&str]) -> Option<String> {
    let Some(program) = find_program(tool) else {
        skipped(tool, "apt-get install freeipmi-tools");
        return None;
    };
    // It keeps a cache of records in the home folder.
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new("timeout");
    command.arg("60").arg(program).env("HOME", home.path());
    command.args(["-D", "LAN_2_0", "-I", "3", "-W", "opensesspriv", "-u", USER, "-p", PASSWORD]);
    let output = command.args(["-h", &bmc.address().to_string()]).args(words).output().unwrap();
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// The columns of a line that begins so.
fn columns<'a>(table: &'a str, first: &str) -> Vec<&'a str> {
    let line = table.lines().find(|line| line.trim_start().starts_with(first));
    let line = line.unwrap_or_else(|| panic!("no line {first} in {table}"));
    line.split('|').map(str::trim).collect()
}

#[tokio::test]
async fn ipmi_sim_tells_its_sensor_to_all_clients_alike() {
    let Some(bmc) = IpmiSim::start() else { return };
    let Some(ipmitool) = Ipmitool::new(bmc.address(), 3) else { return };
    let rig = Rig::start().await;
    // It answers whole records with 0xCA, so they come in pieces.
    let answer = rig.good(bmc.address(), "sensors").await;
    assert_eq!(answer["details"]["missing"], Value::Null, "{answer}");
    let sensor = &answer["details"]["sensors"][0];
    let theirs = ipmitool.run("sdr list").good();
    let line = columns(&theirs, sensor["name"].as_str().unwrap());
    assert_eq!(
        line[1],
        format!("{} degrees {}", sensor["value"], sensor["unit"].as_str().unwrap()).replace(".0", "")
    );
    assert_eq!(theirs.lines().count(), answer["details"]["sensors"].as_array().unwrap().len());
    if let Some(table) = freeipmi("ipmi-sensors", &bmc, &["--quiet-cache", "--no-header-output"]) {
        let line = columns(&table, "1 ");
        assert_eq!(line[1], sensor["name"]);
        assert_eq!(line[2].to_lowercase(), sensor["kind"].as_str().unwrap());
        assert_eq!(line[3].parse::<f64>().unwrap(), sensor["value"].as_f64().unwrap());
        assert_eq!(line[4], sensor["unit"]);
    }
    let info = rig.good(bmc.address(), "bmcinfo").await;
    if let Some(text) = freeipmi("bmc-info", &bmc, &[]) {
        let of = |name: &str| {
            let line = text
                .lines()
                .find(|line| line.starts_with(name))
                .unwrap_or_else(|| panic!("{name} in {text}"));
            line.split(':').nth(1).unwrap().trim().to_owned()
        };
        // FreeIPMI writes the minor revision with two digits, as it is on the wire.
        assert_eq!(of("Firmware Revision"), info["details"]["firmware"].as_str().unwrap());
        assert!(of("Manufacturer ID").contains(&info["details"]["manufacturer_id"].to_string()), "{text}");
        assert_eq!(of("Product ID"), info["details"]["product_id"].to_string());
    }
    rig.stop().await;
}

#[tokio::test]
async fn ipmi_sim_tells_its_log_and_it_is_cleared_for_all_clients() {
    let Some(bmc) = IpmiSim::start() else { return };
    let Some(ipmitool) = Ipmitool::new(bmc.address(), 3) else { return };
    let rig = Rig::start().await;
    let answer = rig.good(bmc.address(), "sel").await;
    let theirs = ipmitool.run("sel elist").good();
    let entries = answer["details"]["entries"].as_array().unwrap();
    assert_eq!((entries.len(), theirs.lines().count()), (1, 1), "{answer} {theirs}");
    let line = columns(&theirs, "1 ");
    let entry = &entries[0];
    assert_eq!(entry["id"], "1");
    // Its time is from before the clock was set.
    assert!(line[1].contains("Pre-Init") && entry["time"].is_null(), "{theirs} {entry}");
    let words = |text: &str| text.to_lowercase().replace(" - ", " ");
    assert!(words(entry["event"].as_str().unwrap()).starts_with(&words(line[4])), "{theirs} {entry}");
    assert_eq!((line[5] == "Asserted", &entry["asserted"]), (true, &json!(true)));
    assert!(line[3].contains(entry["sensor"].as_str().unwrap()), "{theirs} {entry}");
    assert!(
        line[6].contains("Reading 42") && entry["event"].as_str().unwrap().contains("reading 42 C"),
        "{theirs}"
    );
    let cleared = rig.good(bmc.address(), "selclear").await;
    assert_eq!((&cleared["verified"], &cleared["observed"]), (&json!(true), &json!("empty")), "{cleared}");
    assert!(ipmitool.run("sel info").good().contains("Entries          : 0"));
    assert_eq!(rig.good(bmc.address(), "sel").await["details"]["total"], 0);
    rig.stop().await;
}

#[tokio::test]
async fn ipmi_sim_tells_its_users_and_its_network() {
    let Some(bmc) = IpmiSim::start() else { return };
    let Some(ipmitool) = Ipmitool::new(bmc.address(), 3) else { return };
    let rig = Rig::start().await;
    for words in
        ["user set name 4 reader", "user set password 4 reader-pw", "user priv 4 2 1", "user enable 4"]
    {
        ipmitool.run(words).good();
    }
    let answer = rig.good(bmc.address(), "users").await;
    let theirs = ipmitool.run("user list 1").good();
    for (id, name, privilege, limit) in
        [("2", USER, "administrator", "ADMINISTRATOR"), ("4", "reader", "user", "USER")]
    {
        let users = answer["details"]["users"].as_array().unwrap();
        let user = users.iter().find(|user| user["id"] == id).unwrap_or_else(|| panic!("{id} in {answer}"));
        assert_eq!((&user["name"], &user["privilege"]), (&json!(name), &json!(privilege)), "{user}");
        let line = theirs.lines().find(|line| line.split_whitespace().next() == Some(id)).unwrap();
        assert!(line.contains(name) && line.trim_end().ends_with(limit), "{line}");
    }
    // Its other slots were never used.
    assert_eq!(answer["details"]["users"].as_array().unwrap().len(), 2, "{answer}");
    assert!(!answer.to_string().contains("reader-pw") && !answer.to_string().contains(PASSWORD));

    let before = rig.good(bmc.address(), "lan").await;
    assert_eq!(before["details"]["interfaces"][0]["ipv4"], Value::Null, "{before}");
    for words in [
        "ipsrc static",
        "ipaddr 192.0.2.9",
        "netmask 255.255.255.0",
        "defgw ipaddr 192.0.2.1",
        "macaddr 02:00:5e:00:00:09",
    ] {
        ipmitool.run(&format!("lan set 1 {words}"));
    }
    let lan = rig.good(bmc.address(), "lan").await;
    let interface = &lan["details"]["interfaces"][0];
    let theirs = ipmitool.run("lan print 1").good();
    let of = |name: &str| {
        let line =
            theirs.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("{name}: {theirs}"));
        line.split_once(':').unwrap().1.trim().to_owned()
    };
    assert_eq!(interface["name"], "channel 1");
    assert_eq!(interface["ipv4"]["address"], json!(of("IP Address  ")));
    assert_eq!(interface["ipv4"]["address"], "192.0.2.9");
    assert_eq!(interface["ipv4"]["netmask"], json!(of("Subnet Mask")));
    assert_eq!(
        interface["ipv4"]["gateway"],
        json!(of("Default Gateway IP")).as_str().unwrap().replace("0.0.0.0", "")
    );
    assert!(
        of("IP Address Source").to_lowercase().contains(interface["ipv4"]["source"].as_str().unwrap()),
        "{theirs}"
    );
    assert_eq!((of("802.1q VLAN ID").as_str(), &interface["vlan"]), ("Disabled", &Value::Null));
    assert_eq!(interface["mac"].as_str().unwrap(), of("MAC Address").replace("00:00:00:00:00:00", ""));
    rig.stop().await;
}

/// What the simulator keeps is read by others as by us, so what is shown on it holds for BMCs.
#[tokio::test(flavor = "multi_thread")]
async fn the_simulator_tells_other_clients_the_same() {
    let bmc = simulator(|_| {}).await;
    let Some(ipmitool) = Ipmitool::new(bmc.address(), 17) else { return };
    let rig = Rig::start().await;
    let ours = rig.good(bmc.address(), "sensors").await;
    let theirs = ipmitool.run("sdr list full").good();
    let mut compared = 0;
    for sensor in ours["details"]["sensors"].as_array().unwrap() {
        let Some(value) = sensor["value"].as_f64() else { continue };
        let line = columns(&theirs, sensor["name"].as_str().unwrap());
        let number: f64 = line[1].split(' ').next().unwrap().parse().unwrap();
        assert!((number - value).abs() < 0.01, "{sensor} {line:?}");
        compared += 1;
    }
    assert_eq!(compared, 4, "{ours}");
    let table = ipmitool.run("sensor list").good();
    let limits = columns(&table, "CPU1 Temp").join(" ");
    assert!(limits.ends_with("0.000 5.000 10.000 70.000 80.000 90.000"), "{limits}");
    let ours = rig.good(bmc.address(), "sel").await;
    let theirs = ipmitool.run("sel elist").good();
    let lines: Vec<_> = theirs.lines().collect();
    assert_eq!(lines.len(), ours["details"]["entries"].as_array().unwrap().len(), "{theirs}");
    assert!(lines[1].contains("CPU1 Temp") && lines[1].contains("Upper Critical going high"), "{theirs}");
    assert!(lines[1].contains("Asserted") && lines[2].contains("Deasserted"), "{theirs}");
    assert!(
        ipmitool.run("user list 1").good().lines().any(|l| l.contains(USER) && l.contains("ADMINISTRATOR"))
    );
    let lan = ipmitool.run("lan print 1").good();
    assert!(
        lan.contains("127.0.0.1") && lan.contains("02:00:5e:10:00:01") && lan.contains("Static"),
        "{lan}"
    );
    assert!(ipmitool.run("sel clear").ok);
    assert_eq!(rig.good(bmc.address(), "sel").await["details"]["entries"][0]["clear_mark"], true);
    rig.stop().await;
}

/// It has none of it and says so, each in its own way (0xC1, 0xCC).
#[tokio::test]
async fn pyghmi_has_neither_sensors_nor_log_nor_users() {
    let Some(mut bmc) = PyghmiBmc::start() else { return };
    let rig = Rig::start().await;
    for verb in ["sensors", "sel", "selclear", "users", "lan"] {
        let error = rig.on(bmc.address(), verb, json!({})).await.unwrap_err();
        assert!(matches!(error.code, 501 | 502), "{verb}: {error}");
        assert!(error.messages[1].starts_with("Whose fault: "), "{verb}: {error}");
    }
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    assert!(bmc.alive(), "{}", bmc.output());
    rig.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_actions_of_machines() {
    let Some(bmc) = IpmiSim::start() else { return };
    let daemon = Daemon::builder().plugin("ipmi").start();
    daemon.wait_plugin("ipmi").await;
    let machine = json!({"Name": "node-1", "Params": {
        "ipmi/address": "127.0.0.1", "ipmi/username": USER, "ipmi/port-ipmitool": bmc.port(), "ipmi/verify-timeout": 30,
    }});
    daemon.expect(201, "POST", "machines", machine).await;
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(PASSWORD)).await;
    for (verb, shown) in [
        ("sensors", "1 sensor"),
        ("sel", "1 entry in the system event log"),
        ("users", "1 user"),
        ("lan", "channel 1: no address"),
        ("selclear", "1 entry was removed; the log reads empty"),
        ("sel", "the system event log is empty"),
    ] {
        let path = format!("machines/Name:node-1/actions/{verb}");
        let answer = daemon.expect(200, "POST", &path, json!({})).await;
        assert_eq!((&answer["text"], &answer["state"]), (&json!(shown), &json!("off")), "{verb}: {answer}");
    }
    daemon.stop();
}
