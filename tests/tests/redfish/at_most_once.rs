//! Promise P4 over Redfish: whatever is lost between a change and its answer, the change is carried out once.

use crate::rig::{Rig, attempts, simulator};
use drp_bmc_sim::{Counts, Effect, On, Op, Rule};
use serde_json::{Value, json};

type Count = fn(&Counts) -> u64;

/// Verb, machine on at the start, the request that changes, what counts it, params.
fn verbs() -> Vec<(&'static str, bool, Op, Count, Value)> {
    let url = json!({"ipmi/virtual-media-url": "http://127.0.0.1/a.iso", "ipmi/virtual-media-boot": false});
    vec![
        ("poweron", false, Op::Reset, |c| c.power_ups, json!({})),
        ("poweroff", true, Op::Reset, |c| c.power_downs, json!({})),
        ("powercycle", true, Op::Reset, |c| c.cycles, json!({})),
        ("powerreset", true, Op::Reset, |c| c.resets, json!({})),
        ("powersoft", true, Op::Reset, |c| c.softs, json!({})),
        ("nmi", true, Op::Reset, |c| c.interrupts, json!({})),
        ("nextbootpxe", true, Op::Boot, |c| c.boot_sets, json!({})),
        ("forcebootdisk", true, Op::Boot, |c| c.boot_sets, json!({})),
        ("nextboothttp", true, Op::Boot, |c| c.boot_sets, json!({})),
        ("identify", true, Op::Light, |c| c.identifies, json!({})),
        ("identifyoff", true, Op::Light, |c| c.identifies, json!({})),
        ("mountVirtualMedia", true, Op::Insert, |c| c.inserts, url.clone()),
        ("unmountVirtualMedia", true, Op::Eject, |c| c.ejects, url),
        ("selclear", true, Op::LogClear, |c| c.log_clears, json!({})),
        ("bmcreset", true, Op::BmcReset, |c| c.bmc_resets, json!({})),
    ]
}

/// Puts an image into the drive, so that there is something to take out.
async fn prepare(rig: &Rig, bmc: &drp_bmc_sim::Simulator, verb: &str, more: &Value) {
    if verb == "unmountVirtualMedia" {
        rig.on(bmc, "mountVirtualMedia", more.clone()).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_is_lost_late_or_garbled_makes_nothing_happen_twice() {
    let rig = &Rig::start().await;
    let effects = [
        Effect::LoseReply,
        Effect::SilentAfter,
        Effect::Late { ms: 1600 },
        Effect::Half,
        Effect::Garbage,
        Effect::Short { len: 7 },
        Effect::NoContent,
        Effect::Task { ms: 100, state: "Completed".to_owned() },
    ];
    let cases = verbs().into_iter().flat_map(|verb| effects.clone().map(|effect| (verb.clone(), effect)));
    let cases = cases.map(async |((verb, powered, op, count, more), effect)| {
        let bmc = simulator("generic", |config| config.powered = powered).await;
        prepare(rig, &bmc, verb, &more).await;
        bmc.set_faults([Rule::new(On::Redfish(op), effect.clone()).times(1)]);
        let mut params = more;
        params["ipmi/redfish-timeout"] = json!(1);
        let result = rig.on(&bmc, verb, params).await;
        assert_eq!(count(&bmc.counts()), 1, "{verb} with {effect:?}: {result:?}");
        let done = bmc.log().iter().filter(|entry| entry.done && entry.what == op_word(op)).count();
        assert_eq!(done, 1, "{verb} with {effect:?}: the log tells the same");
        match result {
            Ok(outcome) if outcome["verified"] == true && verb == "poweron" => assert!(bmc.power()),
            Ok(outcome) if outcome["verified"] == true && verb == "poweroff" => assert!(!bmc.power()),
            Ok(_) => {}
            Err(error) => {
                let kind = (error.code, error.r#type.as_str());
                assert_eq!(kind, (504, "UNCONFIRMED"), "{verb} {effect:?}: {error}");
                assert!(error.messages[0].contains("sent but not confirmed"), "{error}");
            }
        }
    });
    // Not all at once: each has a server and a plugin call.
    let mut cases: Vec<_> = cases.collect();
    while !cases.is_empty() {
        let some = cases.split_off(cases.len().saturating_sub(16));
        futures_util::future::join_all(some).await;
    }
}

#[tokio::test]
async fn whatever_the_question_for_a_task_is_answered_with_the_change_is_not_sent_again() {
    let rig = &Rig::start().await;
    let trouble = [
        Effect::Busy { retry_after: None },
        Effect::WrongState,
        Effect::Unauthorized,
        Effect::Http { status: 403, message: None, retry_after: None },
        Effect::Http { status: 500, message: None, retry_after: None },
    ];
    let verbs = verbs().into_iter().filter(|(verb, ..)| ["poweron", "powerreset", "selclear"].contains(verb));
    let cases = verbs.flat_map(|verb| trouble.clone().map(|effect| (verb.clone(), effect)));
    let cases = cases.map(async |((verb, powered, op, count, more), effect)| {
        let bmc = simulator("generic", |config| config.powered = powered).await;
        bmc.set_faults([
            Rule::new(On::Redfish(op), Effect::Task { ms: 100, state: "Completed".to_owned() }),
            Rule::new(On::Redfish(Op::Task), effect.clone()).times(2),
        ]);
        let result = rig.on(&bmc, verb, more).await;
        assert_eq!(count(&bmc.counts()), 1, "{verb} with {effect:?}: {result:?}");
        if let Err(error) = result {
            assert_eq!(
                (error.code, error.r#type.as_str()),
                (504, "UNCONFIRMED"),
                "{verb} {effect:?}: {error}"
            );
        }
        assert_eq!(bmc.counts().redfish_most_sessions, 1, "{verb} with {effect:?}");
    });
    futures_util::future::join_all(cases).await;
}

fn op_word(op: Op) -> &'static str {
    op.word()
}

#[tokio::test]
async fn what_can_be_read_back_ends_in_success_although_its_answer_was_lost() {
    let rig = Rig::start().await;
    let readable =
        ["poweron", "poweroff", "nextbootpxe", "identify", "mountVirtualMedia", "unmountVirtualMedia"];
    for (verb, powered, op, _, more) in verbs().into_iter().filter(|(verb, ..)| readable.contains(verb)) {
        let bmc = simulator("generic", |config| config.powered = powered).await;
        prepare(&rig, &bmc, verb, &more).await;
        bmc.set_faults([Rule::new(On::Redfish(op), Effect::LoseReply).times(1)]);
        let outcome = rig.on(&bmc, verb, more).await.unwrap_or_else(|e| panic!("{verb}: {e}"));
        assert_eq!(outcome["verified"], true, "{verb}: {outcome}");
        assert_eq!(attempts(&outcome).len(), 2, "{verb}: {outcome}");
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_lost_request_is_repeated_only_where_readings_prove_it_lost() {
    let rig = &Rig::start().await;
    let cases = verbs().into_iter().map(async |(verb, powered, op, count, more)| {
        let bmc = simulator("generic", |config| config.powered = powered).await;
        prepare(rig, &bmc, verb, &more).await;
        bmc.set_faults([Rule::new(On::Redfish(op), Effect::LoseRequest).times(1)]);
        let mut params = more;
        params["ipmi/verify-timeout"] = json!(12);
        let result = rig.on(&bmc, verb, params).await;
        let counted = count(&bmc.counts());
        match verb {
            "poweron" | "poweroff" | "nextbootpxe" | "forcebootdisk" | "nextboothttp" => {
                assert_eq!((counted, &result.unwrap()["verified"]), (1, &json!(true)), "{verb}");
            }
            // The hard one followed in its time.
            "powersoft" => assert_eq!((counted, &result.unwrap()["state"]), (0, &json!("off"))),
            // It reads off, which is what was asked for.
            "identifyoff" => assert_eq!((counted, &result.unwrap()["verified"]), (0, &json!(true))),
            _ => {
                assert_eq!(counted, 0, "{verb}");
                assert_eq!(result.unwrap_err().r#type, "UNCONFIRMED", "{verb}");
            }
        }
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn what_is_accepted_and_never_happens_is_not_a_success() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |_| {}).await;
    bmc.set_faults([Rule::new(On::Redfish(Op::Reset), Effect::Stuck)]);
    let error = rig.on(&bmc, "poweron", json!({"ipmi/verify-timeout": 1})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (504, "UNCONFIRMED"), "{error}");
    assert_eq!(bmc.counts().power_ups, 1);
    // A task that fails is a refusal that says so, and is not tried again.
    let failing = Effect::Task { ms: 50, state: "Exception".to_owned() };
    bmc.set_faults([Rule::new(On::Redfish(Op::Reset), failing)]);
    bmc.clear_log();
    let error = rig.on(&bmc, "poweron", json!({"ipmi/verify-timeout": 2})).await.unwrap_err();
    assert!(error.to_string().contains("Exception"), "{error}");
    assert_eq!(bmc.log().iter().filter(|entry| entry.what == "redfish-reset").count(), 1);
    rig.stop().await;
}
