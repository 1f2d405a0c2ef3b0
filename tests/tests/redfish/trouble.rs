//! A service that is busy, booting, broken or short of something: what the plugin makes of it, with the codes of plugins §2.1.

use crate::rig::{Rig, attempts, client, simulator};
use drp_bmc_sim::{Effect, On, Op, Rule};
use drp_redfish::{Error, Part};
use serde_json::json;
use std::time::Duration;

fn rule(op: Op, effect: Effect) -> Rule {
    Rule::new(On::Redfish(op), effect)
}

fn http(status: u16, message: &str) -> Effect {
    Effect::Http { status, message: Some(message.to_owned()), retry_after: None }
}

#[tokio::test]
async fn busy_is_retried_within_bounds_and_then_reported() {
    let rig = &Rig::start().await;
    let busy = [
        http(409, "ResourceInUse"),
        Effect::WrongState,
        Effect::Busy { retry_after: Some(1) },
        Effect::Busy { retry_after: None },
        Effect::Http { status: 429, message: None, retry_after: Some(1) },
    ];
    let cases = busy.into_iter().map(async |effect| {
        let bmc = simulator("generic", |_| {}).await;
        bmc.set_faults([rule(Op::Reset, effect.clone()).times(2)]);
        let on = rig.on(&bmc, "poweron", json!({})).await.unwrap_or_else(|e| panic!("{effect:?}: {e}"));
        assert_eq!((&on["verified"], bmc.counts().power_ups), (&json!(true), 1), "{effect:?}");
        assert_eq!(attempts(&on).len(), 3, "{effect:?}: {on}");
        // For ever: reported, and not tried for ever.
        bmc.set_faults([rule(Op::Reset, effect.clone())]);
        bmc.clear_log();
        let error = rig.on(&bmc, "poweroff", json!({})).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (502, "BMC_BUSY"), "{effect:?}: {error}");
        let tries = bmc.log().iter().filter(|entry| entry.what == "redfish-reset").count();
        assert!((2..=4).contains(&tries) && bmc.counts().power_downs == 0, "{effect:?}: {tries}");
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_machine_in_transition_is_waited_for() {
    let rig = Rig::start().await;
    for profile in ["generic", "idrac"] {
        let bmc = simulator(profile, |config| {
            config.power_delay = Duration::from_millis(1500);
            config.busy_in_transition = true;
        })
        .await;
        // Somebody else has begun; the machine reads neither on nor off, or still off.
        let mut other = client(&bmc).await;
        let system = other.find_system().await.unwrap();
        let reset = other.reset_type(&system, drp_redfish::Wish::Up).await.unwrap();
        other.reset(&system, reset).await.unwrap();
        match rig.on(&bmc, "poweron", json!({})).await {
            Ok(on) => {
                assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)), "{profile}: {on}")
            }
            // What is on its way is not acted on.
            Err(error) => {
                assert_eq!((error.code, error.r#type.as_str()), (502, "POWER_UNKNOWN"), "{profile}: {error}")
            }
        }
        assert_eq!(bmc.counts().power_ups, 1, "{profile}");
        other.close().await.unwrap();
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_bmc_that_boots_is_waited_for_as_long_as_it_asks() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |config| config.boot_time = Duration::from_secs(2)).await;
    rig.good(&bmc, "powerstatus").await;
    assert_eq!(rig.good(&bmc, "bmcreset").await["observed"], "accepted");
    assert_eq!(rig.good(&bmc, "poweron").await["verified"], true);
    assert!(bmc.log().iter().any(|entry| entry.status == Some(503)), "it was away for a while");
    let counts = bmc.counts();
    assert_eq!((counts.power_ups, counts.bmc_resets, counts.redfish_most_sessions), (1, 1, 1));
    // Longer than anybody waits.
    bmc.configure(|config| config.boot_time = Duration::from_secs(600));
    rig.good(&bmc, "bmcreset").await;
    let error = rig.on(&bmc, "poweroff", json!({})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (502, "BMC_BUSY"), "{error}");
    let text = error.to_string();
    assert!(text.contains("ServiceTemporarilyUnavailable") && text.contains("left alone for"), "{error}");
    let asked = bmc.log().iter().filter(|entry| entry.status == Some(503)).count();
    assert!(asked < 12, "it is not asked again while it is away: {asked}");
    rig.stop().await;
}

#[tokio::test]
async fn what_a_service_lacks_is_named() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |_| {}).await;
    let without =
        |names: &[&str]| Effect::Without { properties: names.iter().map(|n| (*n).to_owned()).collect() };
    let cases = [
        (
            "poweron",
            vec![rule(Op::System, without(&["Actions"])), rule(Op::Reset, http(404, "ResourceMissingAtURI"))],
            "Reset",
        ),
        ("nmi", vec![rule(Op::Reset, http(400, "ActionNotSupported"))], "ActionNotSupported"),
        ("getBios", vec![rule(Op::System, without(&["Bios"]))], "Bios"),
        ("getMemory", vec![rule(Op::System, without(&["Memory"]))], "Memory"),
        ("bmcreset", vec![rule(Op::Read, without(&["Actions"])).path("/redfish/v1/Managers/1")], "reset"),
        ("bmcinfo", vec![rule(Op::System, without(&["Links"]))], "manager"),
        (
            "statusVirtualMedia",
            vec![rule(Op::Read, without(&["VirtualMedia"])).path("/redfish/v1/Managers/1")],
            "CD",
        ),
        ("nextbootpxe", vec![rule(Op::Boot, http(400, "PropertyUnknown"))], "PropertyUnknown"),
        ("identify", vec![rule(Op::Light, http(405, "OperationNotAllowed"))], "OperationNotAllowed"),
    ];
    for (verb, rules, word) in cases {
        let on = json!(verb == "nmi");
        bmc.set_faults([]);
        bmc.set_power(on == json!(true));
        bmc.set_faults(rules);
        let error = rig.on(&bmc, verb, json!({})).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (501, "UNSUPPORTED"), "{verb}: {error}");
        assert!(error.to_string().contains(word), "{verb}: {error}");
    }
    // A machine that does not say whether it is on gets no power command.
    bmc.set_faults([rule(Op::System, without(&["PowerState"]))]);
    bmc.clear_log();
    for verb in ["poweron", "poweroff", "powercycle", "powersoft"] {
        let error = rig.on(&bmc, verb, json!({})).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (502, "POWER_UNKNOWN"), "{verb}: {error}");
    }
    assert!(bmc.log().iter().all(|entry| entry.what != "redfish-reset"), "nothing was sent");
    assert_eq!(rig.good(&bmc, "powerstatus").await["state"], "unknown");
    rig.stop().await;
}

#[tokio::test]
async fn broken_answers_are_errors_and_never_crashes() {
    let rig = &Rig::start().await;
    let effects = [
        Effect::Garbage,
        Effect::Short { len: 20 },
        Effect::Short { len: 0 },
        Effect::Half,
        Effect::Trailing { len: 3 },
        Effect::Huge { bytes: 6 << 20 },
        Effect::NoContent,
        Effect::OddTypes,
        Effect::LoseRequest,
        Effect::LoseReply,
        Effect::Http { status: 500, message: None, retry_after: None },
        Effect::Http { status: 302, message: None, retry_after: None },
        http(400, "GeneralError"),
    ];
    let cases = effects.into_iter().map(async |effect| {
        let bmc = simulator("generic", |_| {}).await;
        for op in [Op::Read, Op::System] {
            bmc.set_faults([rule(op, effect.clone())]);
            for verb in ["powerstatus", "poweron", "getInfo", "bmcinfo", "bootstatus", "status"] {
                match rig.on(&bmc, verb, json!({"ipmi/redfish-timeout": 2})).await {
                    // Odd types, or a resource whose lack does not matter.
                    Ok(outcome) => assert!(outcome["state"] != "on", "{verb} {effect:?}: {outcome}"),
                    Err(error) => {
                        assert!(
                            matches!(error.code, 501 | 502 | 504),
                            "{verb} {effect:?}: {} {}: {error}",
                            error.code,
                            error.r#type
                        );
                        assert_eq!(error.messages.len(), 3, "{error}");
                    }
                }
            }
        }
        // And well again afterwards.
        bmc.set_faults([]);
        assert_eq!(rig.good(&bmc, "poweron").await["verified"], true, "{effect:?}");
        assert_eq!(bmc.counts().power_ups, 1, "{effect:?}");
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_silent_service_is_given_up_in_time() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |_| {}).await;
    bmc.set_faults([rule(Op::Any, Effect::Silent)]);
    let error = rig.on(&bmc, "powerstatus", json!({"ipmi/redfish-timeout": 1})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (504, "SILENT"), "{error}");
    bmc.set_faults([]);
    assert_eq!(rig.good(&bmc, "powerstatus").await["state"], "off");
    rig.stop().await;
}

#[tokio::test]
async fn a_tag_that_is_old_is_read_again_and_no_change_is_lost_or_doubled() {
    let bmc = simulator("supermicro", |_| {}).await;
    let (mut one, mut two) = (client(&bmc).await, client(&bmc).await);
    let system = one.find_system().await.unwrap();
    let stale = two.find_system().await.unwrap();
    one.identify(&system, true).await.unwrap();
    let pxe = drp_redfish::Override {
        source: drp_redfish::Source::Pxe,
        enabled: true,
        persistent: false,
        uefi: None,
    };
    two.set_boot(&stale, &pxe).await.unwrap();
    let now = one.system(&system.resource.path).await.unwrap();
    assert_eq!((now.identifies(), now.boot().source), (Some(true), drp_redfish::Source::Pxe));
    let statuses: Vec<_> =
        bmc.log().iter().filter(|e| e.method == "PATCH").map(|e| (e.status, e.done)).collect();
    assert_eq!(statuses, [(Some(200), true), (Some(412), false), (Some(200), true)]);
    for client in [one, two] {
        client.close().await.unwrap();
    }
}

#[tokio::test]
async fn types_that_are_wrong_do_not_mislead_the_client() {
    let bmc = simulator("generic", |config| config.powered = true).await;
    let mut client = client(&bmc).await;
    bmc.set_faults([rule(Op::Read, Effect::OddTypes)]);
    let system = client.system("/redfish/v1/Systems/1").await.unwrap();
    assert_eq!((system.power(), system.identifies()), (drp_redfish::PowerState::Other, None));
    assert!(!system.boot().enabled || system.boot().source == drp_redfish::Source::None);
    let memory = client.part(&system, Part::Memory).await;
    assert!(
        memory.is_ok() || matches!(memory, Err(Error::Unsupported { .. } | Error::Protocol { .. })),
        "{memory:?}"
    );
    bmc.set_faults([]);
    client.close().await.unwrap();
}
