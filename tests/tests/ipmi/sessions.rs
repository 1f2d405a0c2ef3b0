//! Sessions and bounds: one per BMC, closed on stop.

use crate::rig::{Rig, simulator};
use serde_json::json;

#[tokio::test]
async fn two_hundred_actions_use_one_session_which_is_closed_on_stop() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for round in 0..200 {
        let verb = ["powerstatus", "bootstatus", "bmcinfo", "nextbootpxe"][round % 4];
        rig.good(bmc.address(), verb).await;
    }
    let counts = bmc.counts();
    assert_eq!((counts.logins, counts.most_sessions), (1, 1));
    assert_eq!(bmc.active_sessions(), 1);
    rig.stop().await;
    assert_eq!((bmc.active_sessions(), bmc.counts().closes), (0, 1));
}

#[tokio::test]
async fn a_hundred_callers_share_one_session() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let calls = (0..30).map(|_| rig.on(bmc.address(), "powerstatus", json!({})));
    for result in futures_util::future::join_all(calls).await {
        assert_eq!(result.unwrap()["state"], "off");
    }
    assert_eq!((bmc.counts().logins, bmc.counts().most_sessions), (1, 1));
    let calls = (0..100).map(|_| rig.on(bmc.address(), "powerstatus", json!({})));
    let results = futures_util::future::join_all(calls).await;
    for error in results.into_iter().filter_map(Result::err) {
        assert_eq!((error.code, error.r#type.as_str()), (409, "QUEUE_FULL"), "{error}");
    }
    assert_eq!(bmc.counts().logins, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_bmc_that_restarted_is_logged_in_to_again() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    rig.good(bmc.address(), "powerstatus").await;
    bmc.forget_sessions();
    assert_eq!(rig.on(bmc.address(), "poweron", json!({"ipmi/timeout": 1})).await.unwrap()["verified"], true);
    assert_eq!((bmc.counts().logins, bmc.counts().power_ups), (2, 1));
    rig.stop().await;
}

#[tokio::test]
async fn stop_in_the_middle_of_a_verb_closes_the_session() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| config.power_delay = std::time::Duration::from_secs(60)).await;
    let address = bmc.address();
    let Rig { daemon: _daemon, mut plugin } = rig;
    {
        let params = crate::rig::login(address);
        let running = plugin.action_on("machines", json!({"Name": "m1"}), "poweron", params);
        tokio::pin!(running);
        tokio::select! {
            early = &mut running => panic!("{early:?}"),
            () = async {
                while bmc.counts().power_ups == 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
                }
            } => {}
        }
    }
    assert!(plugin.stop().await.unwrap().success());
    assert_eq!((bmc.active_sessions(), bmc.counts().power_ups), (0, 1));
}
