//! Logging in and leaving: credentials, Kg, privileges, slots, addresses, closing on every path.

use crate::{config, connect, connect_error, eventually, run, short, simulator, target, timeouts};
use drp_bmc_sim::{BmcConfig, Effect, On, Rule, Simulator, User};
use drp_ipmi::{
    ChassisControl, CipherSuite::Suite3, CipherSuite::Suite17, Client, Error, Fault, Privilege, Refusal,
    Target,
};
use drp_protocol::Secret;
use drp_tests::peers::{PASSWORD, USER};
use std::time::Duration;

#[test]
fn a_wrong_password_is_found_out_before_we_say_anything_that_depends_on_it() {
    run(async {
        for suite in [Suite3, Suite17] {
            let bmc = simulator().await;
            let wrong = Target { password: "wrong".to_owned().into(), ..target(bmc.address(), suite) };
            let e = connect_error(&wrong).await;
            assert!(matches!(e, Error::Refused { reason: Refusal::Password, .. }), "{e:?}");
            assert!(e.fault() == Fault::User && !e.retry_is_safe());
            assert!(!format!("{e:?} {e} {wrong:?}").contains("wrong\""), "the password is shown");
            // One attempt, and its slot is given back.
            eventually("the slot is free", || bmc.sessions() == 0).await;
            assert_eq!((bmc.counts().opens, bmc.counts().refused, bmc.counts().logins), (1, 1, 0));
        }
    });
}

#[test]
fn nothing_that_can_be_printed_holds_the_password() {
    run(async {
        let bmc = simulator().await;
        let target = target(bmc.address(), Suite17);
        let mut s = Client::connect(&target, timeouts()).await.unwrap();
        s.chassis_status().await.unwrap();
        let shown = format!("{target:?} {s:?} {bmc:?} {:?} {:?}", config(), bmc.log());
        assert!(!shown.contains(PASSWORD) && shown.contains(USER), "{shown}");
    });
}

#[test]
fn lengths_are_errors_and_never_cut() {
    run(async {
        let bmc = simulator().await;
        let good = target(bmc.address(), Suite17);
        for (bad, names) in [
            (Target { user: "u".repeat(17), ..good.clone() }, "17 bytes"),
            (Target { password: "p".repeat(21).into(), ..good.clone() }, "password is longer than 20"),
            (Target { kg: Some(Secret::new(vec![1; 21])), ..good.clone() }, "(Kg)"),
            (Target { host: String::new(), ..good.clone() }, "address is empty"),
            (Target { port: 0, ..good.clone() }, "port is 0"),
        ] {
            let e = connect_error(&bad).await;
            assert!(matches!(e, Error::BadTarget { .. }) && e.to_string().contains(names), "{e}");
        }
        assert_eq!(bmc.counts().datagrams, 0, "nothing was sent");
        // The longest that are allowed work, and a password that differs in the last byte does not.
        let (name, password) = ("u".repeat(16), "p".repeat(20));
        let bmc = Simulator::start(BmcConfig::new(name.clone(), password.clone())).await.unwrap();
        let long = Target { user: name, password: password.clone().into(), ..target(bmc.address(), Suite17) };
        Client::connect(&long, timeouts()).await.unwrap().close().await.unwrap();
        let other = Target { password: format!("{}q", &password[..19]).into(), ..long };
        assert!(matches!(connect_error(&other).await, Error::Refused { .. }));
    });
}

#[test]
fn the_bmc_key_counts() {
    run(async {
        for suite in [Suite3, Suite17] {
            let kg = || Some(Secret::new(b"a BMC key, Kg".to_vec()));
            let bmc = Simulator::start(BmcConfig { kg: kg(), ..config() }).await.unwrap();
            let right = Target { kg: kg(), ..target(bmc.address(), suite) };
            let mut s = Client::connect(&right, timeouts()).await.unwrap();
            s.chassis_status().await.unwrap();
            s.close().await.unwrap();
            for wrong in [None, Some(Secret::new(b"another".to_vec()))] {
                let e = connect_error(&Target { kg: wrong, ..right.clone() }).await;
                assert!(matches!(e, Error::Refused { reason: Refusal::BmcKey, .. }), "{e:?}");
                assert!(e.to_string().contains("Kg"), "{e}");
            }
        }
    });
}

#[test]
fn privileges_are_explicit_and_not_exceeded() {
    run(async {
        let operator =
            User { name: "op".into(), password: PASSWORD.to_owned().into(), privilege: Privilege::Operator };
        let bmc = Simulator::start(BmcConfig { users: vec![operator], ..config() }).await.unwrap();
        let target = Target { user: "op".into(), ..target(bmc.address(), Suite17) };
        let e = connect_error(&target).await;
        assert!(e.to_string().contains("unauthorized role or privilege"), "{e}");
        let target = Target { privilege: Privilege::Operator, ..target };
        let mut s = Client::connect(&target, timeouts()).await.unwrap();
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        // And when the BMC lets us in and then refuses the level.
        bmc.set_faults([Rule::new(On::Command(6, 0x3b), Effect::Completion { code: 0x81 })]);
        let e = connect_error(&target).await;
        assert!(matches!(e, Error::Refused { reason: Refusal::Privilege(_), .. }), "{e:?}");
        eventually("that session is closed", || bmc.active_sessions() == 1).await;
        s.close().await.unwrap();
    });
}

#[test]
fn exhausted_sessions_are_said_and_freed() {
    run(async {
        let bmc = Simulator::start(BmcConfig { sessions: 4, ..config() }).await.unwrap();
        let mut kept = Vec::new();
        for _ in 0..4 {
            kept.push(connect(bmc.address(), Suite17).await);
        }
        let e = connect_error(&target(bmc.address(), Suite17)).await;
        assert!(matches!(e, Error::InsufficientResources { .. }) && e.fault() == Fault::Hardware, "{e:?}");
        drop(kept.pop());
        eventually("a slot", || bmc.sessions() == 3).await;
        connect(bmc.address(), Suite17).await.close().await.unwrap();
    });
}

#[test]
fn a_session_is_closed_on_every_path() {
    run(async {
        let bmc = simulator().await;
        // Dropped.
        drop(connect(bmc.address(), Suite17).await);
        eventually("closed after drop", || bmc.sessions() == 0).await;
        // Dropped in the middle of a call, and in the middle of closing.
        let mut s = connect(bmc.address(), Suite17).await;
        bmc.set_faults([Rule::new(On::Command(0, 1), Effect::LoseReply)]);
        assert!(tokio::time::timeout(Duration::from_millis(30), s.chassis_status()).await.is_err());
        drop(s);
        eventually("closed after a cancelled call", || bmc.sessions() == 0).await;
        bmc.set_faults([Rule::new(On::Command(6, 0x3c), Effect::LoseRequest).times(1)]);
        let s = connect(bmc.address(), Suite17).await;
        assert!(tokio::time::timeout(Duration::from_millis(10), s.close()).await.is_err());
        eventually("closed after a cancelled closing", || bmc.sessions() == 0).await;
        // The closing of a dropped session is repeated when it is lost.
        bmc.set_faults([Rule::new(On::Command(6, 0x3c), Effect::LoseRequest).times(2)]);
        drop(connect(bmc.address(), Suite17).await);
        eventually("closed although two closings were lost", || bmc.sessions() == 0).await;
        // Cancelled at the last step of opening: the BMC has it open, we have not heard so.
        for on in [On::Rakp3, On::Command(6, 0x3b)] {
            bmc.set_faults([Rule::new(on, Effect::LoseReply)]);
            let target = target(bmc.address(), Suite17);
            let opening = Client::connect(&target, timeouts());
            assert!(tokio::time::timeout(Duration::from_millis(60), opening).await.is_err());
            eventually("closed after a cancelled opening", || bmc.sessions() == 0).await;
        }
        assert_eq!(bmc.counts().expired, 0);
    });
}

#[test]
fn a_session_is_closed_when_the_runtime_ends_with_it() {
    let (bmc, keeper) = {
        let keeper =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        (keeper.block_on(simulator()), keeper)
    };
    let ending = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let session = ending.block_on(connect(bmc.address(), Suite17));
    ending.block_on(async move { drop(session) });
    drop(ending);
    keeper.block_on(eventually("closed", || bmc.sessions() == 0));
    keeper.block_on(async move { drop(bmc) });
}

#[test]
fn two_hundred_sessions_leave_nothing() {
    run(async {
        let bmc = simulator().await;
        for n in 0..200 {
            let mut s = connect(bmc.address(), if n % 2 == 0 { Suite3 } else { Suite17 }).await;
            s.chassis_status().await.unwrap();
            if n % 3 == 0 {
                drop(s);
                eventually("closed", || bmc.sessions() == 0).await;
            } else {
                s.close().await.unwrap();
            }
        }
        let counts = bmc.counts();
        assert_eq!((counts.logins, counts.closes, counts.most_sessions), (200, 200, 1));
    });
}

#[test]
fn names_and_both_families_are_addresses() {
    run(async {
        let bmc = simulator().await;
        let by_name = Target { host: "localhost".into(), ..target(bmc.address(), Suite17) };
        Client::connect(&by_name, timeouts()).await.unwrap().close().await.unwrap();
        let e = connect_error(&Target { host: "no-such-bmc.invalid".into(), ..by_name.clone() }).await;
        assert!(matches!(e, Error::Resolve { .. } | Error::Silent { .. }), "{e:?}");
        assert!(e.to_string().contains("no-such-bmc.invalid"), "{e}");

        match Simulator::start(BmcConfig { listen: "[::1]:0".parse().unwrap(), ..config() }).await {
            Err(e) => {
                drp_tests::peers::skipped(&format!("IPv6 ({e})"), "enable it on the loopback interface")
            }
            Ok(bmc) => {
                for host in ["::1", "[::1]"] {
                    let target = Target { host: host.into(), ..target(bmc.address(), Suite17) };
                    let s = Client::connect(&target, timeouts()).await.unwrap();
                    assert!(s.peer().is_ipv6());
                    s.close().await.unwrap();
                }
            }
        }
    });
}

#[test]
fn nobody_there_is_said_at_once() {
    run(async {
        let port = drp_tests::peers::free_udp_port();
        let dead = Target { port, ..target(([127, 0, 0, 1], port).into(), Suite17) };
        let e = Client::connect(&dead, timeouts()).await.map(|s| s.peer()).unwrap_err();
        assert!(matches!(e, Error::Unreachable { maybe_done: false, .. }) && e.retry_is_safe(), "{e:?}");
        // And in the middle of a session.
        let bmc = simulator().await;
        let mut s = Client::connect(&target(bmc.address(), Suite17), short()).await.unwrap();
        drop(bmc);
        tokio::time::sleep(Duration::from_millis(50)).await;
        let e = s.chassis_control(ChassisControl::HardReset).await.unwrap_err();
        assert!(matches!(e, Error::Unreachable { .. } | Error::Silent { .. }) && e.ends_session(), "{e:?}");
    });
}
