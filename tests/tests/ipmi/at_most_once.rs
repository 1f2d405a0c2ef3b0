//! Promise P4: whatever is lost between command and answer, a command that changes something is carried out once,
//! and success means read back. The simulator remembers no sequence numbers: what arrives twice is done twice.

use crate::rig::{Rig, attempts, simulator};
use drp_bmc_sim::{Counts, Effect, On, Rule};
use serde_json::json;

const CONTROL: On = On::Command(0x00, 0x02);
const IDENTIFY: On = On::Command(0x00, 0x04);
const SET_BOOT: On = On::Command(0x00, 0x08);

type Count = fn(&Counts) -> u64;

fn verbs() -> Vec<(&'static str, bool, On, Count)> {
    vec![
        ("poweron", false, CONTROL, |c| c.power_ups),
        ("poweroff", true, CONTROL, |c| c.power_downs),
        ("powercycle", true, CONTROL, |c| c.cycles),
        ("powerreset", true, CONTROL, |c| c.resets),
        ("powersoft", true, CONTROL, |c| c.softs),
        ("nextbootpxe", true, SET_BOOT, |c| c.boot_sets),
        ("forcebootdisk", true, SET_BOOT, |c| c.boot_sets),
        ("identify", true, IDENTIFY, |c| c.identifies),
        ("identifyoff", true, IDENTIFY, |c| c.identifies),
    ]
}

#[tokio::test]
async fn an_answer_that_is_lost_late_doubled_or_garbled_makes_nothing_happen_twice() {
    let rig = &Rig::start().await;
    let effects =
        [Effect::LoseReply, Effect::Late { ms: 1600 }, Effect::Duplicate, Effect::Garbage, Effect::Reorder];
    let cases = verbs().into_iter().flat_map(|verb| effects.clone().map(|effect| (verb, effect)));
    let cases = cases.map(async |((verb, powered, on, count), effect)| {
        let bmc = simulator(|config| config.powered = powered).await;
        // The acknowledgement of boot info (parameter 4) goes before the flags and may be repeated.
        bmc.set_faults([Rule::new(on, effect.clone()).skip(u32::from(on == SET_BOOT)).times(1)]);
        let result = rig.on(bmc.address(), verb, json!({"ipmi/timeout": 1})).await;
        assert_eq!(count(&bmc.counts()), 1, "{verb} with {effect:?}: {result:?}");
        match result {
            Ok(outcome) if outcome["verified"] == true && verb == "poweron" => assert!(bmc.power()),
            Ok(outcome) if outcome["verified"] == true && verb == "poweroff" => assert!(!bmc.power()),
            Ok(_) => {}
            Err(error) => {
                assert_eq!(
                    (error.code, error.r#type.as_str()),
                    (504, "UNCONFIRMED"),
                    "{verb} {effect:?}: {error}"
                );
                assert!(error.messages[0].contains("sent but not confirmed"), "{error}");
            }
        }
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_lost_answer_to_power_on_or_off_ends_in_success_by_reading() {
    let rig = Rig::start().await;
    for (verb, powered) in [("poweron", false), ("poweroff", true), ("nextbootdisk", true)] {
        let bmc = simulator(|config| config.powered = powered).await;
        let on = if verb == "nextbootdisk" { SET_BOOT } else { CONTROL };
        bmc.set_faults([Rule::new(on, Effect::LoseReply).skip(u32::from(on == SET_BOOT)).times(1)]);
        let outcome = rig.on(bmc.address(), verb, json!({"ipmi/timeout": 1})).await.unwrap();
        assert_eq!(outcome["verified"], true);
        assert_eq!(attempts(&outcome).len(), 2, "{outcome}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_lost_request_is_repeated_for_on_and_off_only() {
    let rig = &Rig::start().await;
    let cases = verbs().into_iter().map(async |(verb, powered, on, count)| {
        let bmc = simulator(|config| config.powered = powered).await;
        let skip = u32::from(on == SET_BOOT);
        bmc.set_faults([Rule::new(on, Effect::LoseRequest).skip(skip).times(1)]);
        let params = json!({"ipmi/timeout": 1, "ipmi/verify-timeout": 10});
        let result = rig.on(bmc.address(), verb, params).await;
        match verb {
            "poweron" | "poweroff" | "nextbootpxe" | "forcebootdisk" => {
                assert_eq!((count(&bmc.counts()), &result.unwrap()["verified"]), (1, &json!(true)), "{verb}");
            }
            // The soft shutdown got lost, so the hard one followed in its time.
            "powersoft" => assert_eq!((count(&bmc.counts()), &result.unwrap()["state"]), (0, &json!("off"))),
            // It reads off, which is what was asked for.
            "identifyoff" => {
                assert_eq!((count(&bmc.counts()), &result.unwrap()["verified"]), (0, &json!(true)))
            }
            _ => {
                assert_eq!(count(&bmc.counts()), 0, "{verb}");
                assert_eq!(result.unwrap_err().r#type, "UNCONFIRMED", "{verb}");
            }
        }
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn what_is_accepted_and_never_happens_is_not_a_success() {
    let rig = Rig::start().await;
    let bmc = simulator(|_| {}).await;
    bmc.set_faults([Rule::new(CONTROL, Effect::Stuck)]);
    let error = rig.on(bmc.address(), "poweron", json!({"ipmi/verify-timeout": 1})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (504, "UNCONFIRMED"));
    let evidence = error.messages.iter().find_map(|m| m.strip_prefix("Evidence: ")).unwrap();
    let evidence: serde_json::Value = serde_json::from_str(evidence).unwrap();
    assert_eq!((&evidence["state"], &evidence["verified"]), (&json!("off"), &json!(false)));
    assert_eq!((&evidence["requested"], &evidence["observed"]), (&json!("on"), &json!("off")));
    assert_eq!(bmc.counts().power_ups, 1);
    rig.stop().await;
}
