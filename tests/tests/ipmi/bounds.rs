//! The rules of the BMC library on real sockets: the rest between commands, sessions on a BMC with few slots, slow and failing
//! power, cipher suite 0, replies that come late.

use crate::rig::{Rig, attempts, simulator};
use drp_bmc_sim::{Effect, On, Rule};
use drp_ipmi::codec::handshake::OpenRequest;
use drp_ipmi::codec::packet::{Packet, PayloadType};
use drp_tests::peers::IpmiSim;
use serde_json::json;
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;

#[tokio::test]
async fn between_two_commands_there_is_a_rest() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for _ in 0..4 {
        rig.on(bmc.address(), "powerstatus", json!({"ipmi/min-gap": 200})).await.unwrap();
    }
    let times: Vec<_> =
        bmc.log().iter().filter(|entry| entry.what == "chassis-status").map(|entry| entry.at_ms).collect();
    assert_eq!(times.len(), 4);
    // At least the gap; more on a busy host. One millisecond for rounding.
    assert!(times.windows(2).all(|pair| pair[1] - pair[0] >= 199), "{times:?}");
    rig.stop().await;
}

/// `ipmi_sim` has 63 slots and gives them back after 30 to 60 s of silence: a plugin that leaks one per start fills them.
#[tokio::test]
async fn seventy_starts_of_the_plugin_leave_no_session_behind() {
    let Some(bmc) = IpmiSim::start() else { return };
    for round in 0..70 {
        let rig = Rig::start().await;
        let suite = json!({"ipmi/cipher-suite": 3});
        let status = rig.on(bmc.address(), "powerstatus", suite).await;
        assert_eq!(status.unwrap_or_else(|e| panic!("start {round}: {e}"))["state"], "off");
        rig.stop().await;
    }
}

/// A session of its own for each: other credentials each time, so the kept one is closed and another opened.
#[tokio::test]
async fn two_hundred_sessions_one_after_the_other_never_fill_the_slots() {
    let Some(bmc) = IpmiSim::start() else { return };
    let rig = Rig::start().await;
    for round in 0..200 {
        let suite = if round % 2 == 0 { json!(3) } else { json!("auto") };
        let verb = ["powerstatus", "sensors", "users", "bootstatus"][round % 4];
        let answer = rig.on(bmc.address(), verb, json!({"ipmi/cipher-suite": suite})).await;
        let answer = answer.unwrap_or_else(|error| panic!("round {round}, {verb}: {error}"));
        assert!(!attempts(&answer).iter().any(|error| error.contains("no free session")), "{answer}");
    }
    rig.stop().await;
}

/// A real machine's power off took 1.8 s, in which `ipmi_sim` answers nobody.
#[tokio::test]
async fn a_power_off_of_almost_two_seconds_is_one_command() {
    let Some(bmc) = IpmiSim::start() else { return };
    let rig = Rig::start().await;
    rig.good(bmc.address(), "poweron").await;
    bmc.set_chassis_file("delay", "1.8");
    let params = json!({"ipmi/timeout": 8, "ipmi/verify-timeout": 30});
    let off = rig.on(bmc.address(), "poweroff", params).await.unwrap();
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)), "{off}");
    assert_eq!(bmc.chassis_calls("set power 0"), 1);
    // A timeout shorter than that: the late answer is nobody's, and the reading tells.
    bmc.set_chassis_file("delay", "");
    rig.good(bmc.address(), "poweron").await;
    bmc.set_chassis_file("delay", "1.8");
    let off = rig
        .on(bmc.address(), "poweroff", json!({"ipmi/timeout": 1, "ipmi/verify-timeout": 30}))
        .await
        .unwrap();
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)), "{off}");
    assert_eq!(bmc.chassis_calls("set power 0"), 2);
    rig.stop().await;
}

/// 0xC0: the BMC is busy and did not do it. Every verb tries a few times, and then says so.
#[tokio::test]
async fn a_busy_bmc_is_asked_a_few_times_by_every_kind_of_verb() {
    let rig = &Rig::start().await;
    let verbs =
        [("poweroff", 0x00, 0x02), ("powerstatus", 0x00, 0x01), ("sel", 0x0a, 0x40), ("users", 0x06, 0x44)];
    let cases = verbs.map(async |(verb, netfn, cmd)| {
        let bmc = simulator(|config| config.powered = true).await;
        bmc.set_faults([Rule::new(On::Command(netfn, cmd), Effect::Completion { code: 0xc0 }).times(2)]);
        assert_eq!(rig.on(bmc.address(), verb, json!({})).await.unwrap()["verified"], true, "{verb}");
        bmc.set_faults([Rule::new(On::Command(netfn, cmd), Effect::Completion { code: 0xc0 })]);
        bmc.set_power(true);
        let error = rig.on(bmc.address(), verb, json!({})).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (502, "BMC_BUSY"), "{verb}: {error}");
    });
    futures_util::future::join_all(cases).await;
}

/// Answers that come after their deadline belong to nobody: every reading is of its own question.
#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_one() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for round in 0..3 {
        bmc.set_power(false);
        bmc.set_faults([Rule::new(On::Command(0, 1), Effect::Late { ms: 1300 }).times(2)]);
        let late = rig.on(bmc.address(), "powerstatus", json!({"ipmi/timeout": 1})).await;
        bmc.set_power(true);
        bmc.clear_faults();
        // "off" is on its way while this is asked.
        let now = rig.on(bmc.address(), "powerstatus", json!({"ipmi/timeout": 4})).await.unwrap();
        assert_eq!(now["state"], "on", "round {round} after {late:?}");
    }
    rig.stop().await;
}

/// Records what leaves us for a BMC, and hands everything on.
async fn between(bmc: std::net::SocketAddr) -> (std::net::SocketAddr, Arc<Mutex<Vec<Vec<u8>>>>) {
    let (front, back) =
        (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    back.connect(bmc).await.unwrap();
    let (at, seen) = (front.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
    let record = Arc::clone(&seen);
    tokio::spawn(async move {
        let (mut ours, mut theirs, mut client) = ([0; 2048], [0; 2048], None);
        loop {
            tokio::select! {
                Ok((len, from)) = front.recv_from(&mut ours) => {
                    client = Some(from);
                    record.lock().unwrap().push(ours[..len].to_vec());
                    let _ = back.send(&ours[..len]).await;
                }
                Ok(len) = back.recv(&mut theirs) => {
                    if let Some(client) = client {
                        let _ = front.send_to(&theirs[..len], client).await;
                    }
                }
            }
        }
    });
    (at, seen)
}

/// `ipmi_sim` lets anybody in with cipher suite 0. It is never offered, nor any other without encryption.
#[tokio::test]
async fn cipher_suite_0_is_never_offered() {
    let Some(bmc) = IpmiSim::start() else { return };
    let (at, seen) = between(bmc.address()).await;
    let rig = Rig::start().await;
    rig.good(at, "powerstatus").await;
    for suite in [0, 1, 2] {
        let error = rig.on(at, "powerstatus", json!({"ipmi/cipher-suite": suite})).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (400, "PARAM"), "{error}");
    }
    let wrong = rig.on(at, "powerstatus", json!({"ipmi/password": "wrong"})).await.unwrap_err();
    assert_eq!(wrong.code, 401, "{wrong}");
    let datagrams = seen.lock().unwrap().clone();
    let mut offered = Vec::new();
    for datagram in &datagrams {
        let Ok(Packet::V20(packet)) = Packet::parse(datagram) else { continue };
        if packet.kind == PayloadType::OpenRequest {
            let request = OpenRequest::decode(packet.plain().unwrap()).unwrap();
            let a = request.algorithms;
            offered.push((a.authentication, a.integrity, a.confidentiality));
        }
        assert!(
            packet.session_id == 0 || (packet.encrypted && packet.authenticated),
            "a command left in the open"
        );
    }
    assert!(offered.len() >= 4, "{offered:?}");
    // Suite 17 is (3, 4, 1), suite 3 is (1, 1, 1).
    assert!(offered.iter().all(|suite| [(3, 4, 1), (1, 1, 1)].contains(suite)), "{offered:?}");
    rig.stop().await;
}
