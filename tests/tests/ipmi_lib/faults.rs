//! Our client before our simulator, with every fault of the simulator.

use crate::{config, connect, connect_error, eventually, run, short, simulator, target, timeouts};
use drp_bmc_sim::{BmcConfig, Effect, On, Rule, Simulator};
use drp_ipmi::codec::command::Command;
use drp_ipmi::{
    BootDevice, ChassisControl, CipherSuite, CipherSuite::Suite3, CipherSuite::Suite17, Client, Error, Fault,
    RakpStatus, Refusal, Timeouts,
};
use std::time::Duration;

const CONTROL: On = On::Command(0x00, 0x02);
const STATUS: On = On::Command(0x00, 0x01);
const STEPS: [On; 4] = [On::Open, On::Rakp1, On::Rakp3, On::AnyCommand];

type Count = fn(&Simulator) -> u64;

/// The commands that must not run twice, and how often the simulator has carried each out.
const ONCE: [(ChassisControl, Count); 4] = [
    (ChassisControl::HardReset, |b| b.counts().resets),
    (ChassisControl::PowerCycle, |b| b.counts().cycles),
    (ChassisControl::PowerDown, |b| b.counts().power_downs),
    (ChassisControl::DiagnosticInterrupt, |b| b.counts().interrupts),
];

async fn powered() -> Simulator {
    let config = BmcConfig { powered: true, cycle_needs_power: false, ..config() };
    Simulator::start(config).await.unwrap()
}

#[test]
fn everything_works_with_both_suites() {
    run(async {
        for suite in [Suite3, Suite17] {
            let bmc = simulator().await;
            let mut s = connect(bmc.address(), suite).await;
            assert_eq!((s.suite(), s.peer()), (suite, bmc.address()));
            s.chassis_control(ChassisControl::PowerUp).await.unwrap();
            assert!(s.chassis_status().await.unwrap().power_on);
            s.set_boot(BootDevice::Pxe, true, true).await.unwrap();
            let flags = s.boot_flags().await.unwrap();
            assert!(flags.valid && flags.persistent && flags.efi && flags.device == BootDevice::Pxe);
            assert_eq!(s.device_id().await.unwrap().id, 0x20);
            let unknown = s.execute(&Command::idempotent("get self test", 0x06, 0x04, [])).await;
            assert!(matches!(unknown, Err(Error::Completion { code, .. }) if code.0 == 0xc1));
            s.close().await.unwrap();
            assert_eq!((bmc.sessions(), bmc.counts().closes, bmc.counts().discarded), (0, 1, 0));
        }
    });
}

#[test]
fn a_lost_packet_of_any_step_is_made_up_for() {
    run(async {
        for suite in [Suite3, Suite17] {
            for effect in [Effect::LoseRequest, Effect::LoseReply] {
                for on in STEPS {
                    let bmc = simulator().await;
                    bmc.set_faults([Rule::new(on, effect.clone()).times(1)]);
                    let mut s = connect(bmc.address(), suite).await;
                    assert!(!s.chassis_status().await.unwrap().power_on, "{on:?} {effect:?}");
                    assert_eq!(s.counters().repeated, 1, "{on:?} {effect:?}");
                    s.close().await.unwrap();
                    assert_eq!(bmc.sessions(), 0, "a repetition took no second slot: {on:?} {effect:?}");
                }
            }
        }
    });
}

#[test]
fn duplicates_strangers_and_rubbish_are_thrown_away_at_every_step() {
    run(async {
        for effect in [Effect::Duplicate, Effect::Foreign] {
            let bmc = simulator().await;
            bmc.set_faults([Rule::new(On::Any, effect.clone())]);
            for suite in [Suite3, Suite17] {
                let mut s = connect(bmc.address(), suite).await;
                for n in 0..70 {
                    let on = n % 2 == 0;
                    bmc.set_power(on);
                    assert_eq!(s.chassis_status().await.unwrap().power_on, on, "{effect:?}");
                    assert_eq!(s.device_id().await.unwrap().id, 0x20);
                }
                assert!(s.counters().discarded > 100, "{effect:?}: {:?}", s.counters());
                assert_eq!(s.counters().repeated, 0, "{effect:?}");
                s.close().await.unwrap();
            }
        }
    });
}

#[test]
fn reordered_answers_belong_to_their_questions() {
    run(async {
        for on in STEPS {
            let bmc = simulator().await;
            bmc.set_faults([Rule::new(on, Effect::Reorder).times(1)]);
            let mut s = connect(bmc.address(), Suite17).await;
            assert_eq!(s.device_id().await.unwrap().id, 0x20);
            bmc.set_power(true);
            assert!(s.chassis_status().await.unwrap().power_on);
            s.close().await.unwrap();
        }
    });
}

#[test]
fn a_late_answer_is_not_the_next_answer() {
    run(async {
        let bmc = simulator().await;
        let mut s = Client::connect(&target(bmc.address(), Suite17), short()).await.unwrap();
        // "Off", said late, after the machine went on.
        bmc.set_faults([Rule::new(STATUS, Effect::Late { ms: 700 })]);
        let e = s.chassis_status().await.unwrap_err();
        assert!(matches!(e, Error::Silent { step: "get chassis status", .. }), "{e:?}");
        bmc.clear_faults();
        bmc.set_power(true);
        // Slowly, so that the late answers are still inside the window of session sequence numbers.
        for _ in 0..12 {
            assert!(s.chassis_status().await.unwrap().power_on);
            tokio::time::sleep(Duration::from_millis(60)).await;
        }
        assert!(s.counters().discarded >= 1, "the late answers did arrive");
        s.close().await.unwrap();
    });
}

#[test]
fn what_must_not_run_twice_runs_once_whatever_is_lost() {
    run(async {
        for (control, count) in ONCE {
            for (effect, done) in [
                (Effect::LoseReply, 1),
                (Effect::LoseRequest, 0),
                (Effect::Late { ms: 3000 }, 1),
                (Effect::Garbage, 1),
            ] {
                let bmc = powered().await;
                let mut s = Client::connect(&target(bmc.address(), Suite17), short()).await.unwrap();
                bmc.set_faults([Rule::new(CONTROL, effect.clone()).times(1)]);
                let e = s.chassis_control(control).await.unwrap_err();
                assert!(e.maybe_done() && !e.retry_is_safe(), "{control:?} {effect:?}: {e:?}");
                assert!(e.to_string().contains("read the state back"), "{e}");
                assert_eq!(count(&bmc), done, "{control:?} {effect:?}");
                // The session goes on: the state can be read back.
                s.chassis_status().await.unwrap();
                assert_eq!(s.counters().repeated, 0);
                s.close().await.unwrap();
            }
            // A duplicated answer, a reordered one, bytes behind it: success, once.
            for effect in [Effect::Duplicate, Effect::Foreign, Effect::Trailing { len: 30 }] {
                let bmc = powered().await;
                let mut s = connect(bmc.address(), Suite3).await;
                bmc.set_faults([Rule::new(CONTROL, effect)]);
                s.chassis_control(control).await.unwrap();
                assert_eq!(count(&bmc), 1);
            }
        }
    });
}

#[test]
fn a_network_that_duplicates_requests_does_not_reset_twice() {
    // Between us and the BMC: each datagram of ours arrives twice.
    run(async {
        let bmc = powered().await;
        let between = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = between.local_addr().unwrap();
        let to = bmc.address();
        let task = tokio::spawn(async move {
            let upstream = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
            upstream.connect(to).await.unwrap();
            let (mut a, mut b, mut client) = ([0; 2048], [0; 2048], None);
            loop {
                tokio::select! {
                    r = between.recv_from(&mut a) => {
                        let (n, from) = r.unwrap();
                        client = Some(from);
                        upstream.send(&a[..n]).await.unwrap();
                        upstream.send(&a[..n]).await.unwrap();
                    }
                    r = upstream.recv(&mut b) => {
                        between.send_to(&b[..r.unwrap()], client.unwrap()).await.unwrap();
                    }
                }
            }
        });
        let mut s = connect(address, Suite17).await;
        s.chassis_control(ChassisControl::HardReset).await.unwrap();
        s.chassis_control(ChassisControl::HardReset).await.unwrap();
        assert_eq!(bmc.counts().resets, 2);
        s.close().await.unwrap();
        task.abort();
    });
}

#[test]
fn busy_is_said_and_may_be_tried_again() {
    run(async {
        let bmc = simulator().await;
        let mut s = connect(bmc.address(), Suite17).await;
        bmc.set_faults([Rule::new(CONTROL, Effect::Completion { code: 0xc0 }).times(1)]);
        let e = s.chassis_control(ChassisControl::PowerUp).await.unwrap_err();
        assert!(matches!(e, Error::Busy { command: "power up", .. }) && e.retry_is_safe(), "{e:?}");
        assert!(!e.ends_session() && e.to_string().contains("node busy"), "{e}");
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        assert!(bmc.power());
    });
}

#[test]
fn a_bmc_that_recognises_repetitions_is_asked_anew_for_what_may_be_repeated() {
    run(async {
        let bmc = simulator().await;
        let mut s = connect(bmc.address(), Suite17).await;
        bmc.set_faults([Rule::new(On::AnyCommand, Effect::Completion { code: 0xcf }).times(2)]);
        assert_eq!(s.device_id().await.map_err(|e| e.to_string()).map(|d| d.id).ok(), None);
        bmc.set_faults([Rule::new(On::AnyCommand, Effect::Completion { code: 0xcf }).times(1)]);
        assert_eq!(s.device_id().await.unwrap().id, 0x20);
        bmc.set_faults([Rule::new(CONTROL, Effect::Completion { code: 0xcf }).times(1)]);
        let e = s.chassis_control(ChassisControl::SoftShutdown).await.unwrap_err();
        assert!(e.maybe_done() && !e.ends_session(), "{e:?}");
    });
}

#[test]
fn every_completion_code_is_words() {
    run(async {
        let bmc = simulator().await;
        let mut s = connect(bmc.address(), Suite17).await;
        for code in 1..=255u8 {
            bmc.set_faults([Rule::new(STATUS, Effect::Completion { code })]);
            let e = s.chassis_status().await.unwrap_err();
            assert!(e.to_string().contains(&format!("(0x{code:02x})")), "{e}");
            assert_eq!(e.fault(), Fault::Hardware);
        }
        bmc.set_faults([Rule::new(On::Command(0, 8), Effect::Completion { code: 0x80 })]);
        let e = s.set_boot(BootDevice::Pxe, false, false).await.unwrap_err();
        assert!(e.to_string().contains("boot option parameter not supported"), "{e}");
    });
}

#[test]
fn refusals_of_the_handshake_keep_their_meaning() {
    run(async {
        for (on, code) in [(On::Open, 0x01), (On::Rakp1, 0x01), (On::Rakp3, 0x0b)] {
            let e = refused_with(on, code).await;
            assert!(matches!(e, Error::InsufficientResources { .. }) && e.retry_is_safe(), "{e:?}");
        }
        for (on, code) in [(On::Rakp1, 0x0d), (On::Rakp1, 0x09), (On::Rakp3, 0x0f), (On::Open, 0x0a)] {
            let e = refused_with(on, code).await;
            assert!(matches!(&e, Error::Refused { reason: Refusal::Status(s), .. } if s.0 == code), "{e:?}");
            assert!(e.fault() == Fault::User && !e.retry_is_safe());
        }
        for (on, code) in [(On::Open, 0x04), (On::Open, 0x11), (On::Open, 0x10), (On::Open, 0x05)] {
            let e = refused_with(on, code).await;
            assert!(matches!(e, Error::SuiteRefused { .. }) && e.fault() == Fault::User, "{e:?}");
        }
        for (on, code) in [(On::Rakp1, 0x02), (On::Rakp3, 0x08), (On::Open, 0x12), (On::Open, 0x77)] {
            let e = refused_with(on, code).await;
            assert!(matches!(e, Error::NotOpened { status: RakpStatus(c), .. } if c == code), "{e:?}");
        }
    });
}

async fn refused_with(on: On, code: u8) -> Error {
    let bmc = simulator().await;
    bmc.set_faults([Rule::new(on, Effect::Status { code })]);
    connect_error(&target(bmc.address(), Suite17)).await
}

#[test]
fn another_suite_than_asked_for_is_refused_both_ways_and_never_used() {
    run(async {
        for (asked, offered) in [(Suite17, 3), (Suite3, 17), (Suite17, 0), (Suite3, 0)] {
            let bmc = simulator().await;
            bmc.set_faults([Rule::new(On::Open, Effect::WrongSuite { suite: offered })]);
            let e = connect_error(&target(bmc.address(), asked)).await;
            assert!(matches!(e, Error::SuiteRefused { asked: a, .. } if a == asked), "{e:?}");
            // Not one packet more was sent: no user name, nothing to guess a password from.
            assert_eq!(bmc.log().len(), 1, "{:?}", bmc.log());
        }
        let bmc = Simulator::start(BmcConfig { suites: vec![Suite3], ..config() }).await.unwrap();
        let e = connect_error(&target(bmc.address(), Suite17)).await;
        assert!(e.to_string().contains("does not offer cipher suite 17"), "{e}");
        assert_eq!(bmc.counts().opens, 1, "no other suite was tried");
    });
}

#[test]
fn silence_has_an_end_at_every_step() {
    run(async {
        for on in [On::Open, On::Rakp1, On::Rakp3, On::Command(6, 0x3b)] {
            for effect in [Effect::LoseRequest, Effect::LoseReply] {
                let bmc = simulator().await;
                bmc.set_faults([Rule::new(on, effect)]);
                let e = connect_error(&target(bmc.address(), Suite17)).await;
                assert!(matches!(e, Error::Silent { .. }) && e.fault() == Fault::Network, "{on:?}: {e:?}");
            }
        }
    });
}

#[test]
fn rubbish_alone_is_named_as_rubbish() {
    run(async {
        let bmc = simulator().await;
        let mut s = Client::connect(&target(bmc.address(), Suite17), short()).await.unwrap();
        bmc.set_faults([Rule::new(STATUS, Effect::Garbage)]);
        assert!(matches!(s.chassis_status().await, Err(Error::Malformed { .. })));
        // Genuine and too short: unknown, never off.
        for len in 0..3 {
            bmc.set_faults([Rule::new(STATUS, Effect::Short { len })]);
            let e = s.chassis_status().await.unwrap_err();
            assert!(matches!(e, Error::Malformed { .. }) && !e.retry_is_safe(), "{e:?}");
        }
        for len in 0..20 {
            bmc.set_faults([Rule::new(On::AnyCommand, Effect::Short { len })]);
            let _ = (
                s.device_id().await,
                s.system_guid().await,
                s.boot_flags().await,
                s.auth_capabilities().await,
            );
        }
        bmc.set_faults([Rule::new(On::AnyCommand, Effect::Trailing { len: 40 })]);
        assert!(!s.chassis_status().await.unwrap().power_on);
        assert_eq!(s.device_id().await.unwrap().id, 0x20);
        assert!(!s.boot_flags().await.unwrap().valid);
    });
}

#[test]
fn a_bmc_that_forgets_its_sessions_is_silent_and_can_be_asked_anew() {
    run(async {
        let bmc = simulator().await;
        let mut s = Client::connect(&target(bmc.address(), Suite17), short()).await.unwrap();
        bmc.forget_sessions();
        let e = s.chassis_status().await.unwrap_err();
        assert!(matches!(e, Error::Silent { maybe_done: false, .. }) && e.ends_session(), "{e:?}");
        connect(bmc.address(), Suite17).await.close().await.unwrap();
    });
}

#[test]
fn a_power_command_that_does_nothing_is_seen_by_reading_back() {
    run(async {
        let bmc = simulator().await;
        bmc.set_faults([Rule::new(CONTROL, Effect::Stuck)]);
        let mut s = connect(bmc.address(), Suite17).await;
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        assert!(!s.chassis_status().await.unwrap().power_on);
        // Slow power: off now, on later.
        bmc.clear_faults();
        bmc.configure(|c| c.power_delay = Duration::from_millis(300));
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        assert!(!s.chassis_status().await.unwrap().power_on);
        eventually("on", || bmc.power()).await;
        assert!(s.chassis_status().await.unwrap().power_on);
    });
}

#[test]
fn a_kept_session_outlives_its_sequence_numbers_under_loss() {
    run(async {
        let bmc = simulator().await;
        let lossy = |n: u32| Rule::new(On::AnyCommand, Effect::LoseReply).skip(n).times(1);
        bmc.set_faults((0..12).map(|n| lossy(n * 9)));
        let quick = Timeouts { retransmit: Duration::from_millis(20), ..timeouts() };
        let mut s = Client::connect(&target(bmc.address(), CipherSuite::Suite17), quick).await.unwrap();
        for n in 0..500 {
            let on = n % 3 == 0;
            bmc.set_power(on);
            assert_eq!(s.chassis_status().await.unwrap().power_on, on);
        }
        assert!(s.counters().repeated >= 12);
        s.close().await.unwrap();
        assert_eq!((bmc.counts().opens, bmc.sessions()), (1, 0));
    });
}
