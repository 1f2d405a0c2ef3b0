//! Our client before OpenIPMI's `ipmi_sim`.

use crate::{connect, connect_error, eventually, run, short, target, timeouts};
use drp_ipmi::{
    BootDevice, BootFlags, ChassisControl, CipherSuite::Suite3, CipherSuite::Suite17, Client, Error, Fault,
    Identify, Privilege, Refusal, Target,
};
use drp_tests::peers::{IpmiSim, Ipmipower, Ipmitool, PASSWORD};
use std::time::Duration;

#[test]
fn every_command_reaches_the_chassis() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        let mut s = connect(bmc.address(), Suite3).await;
        assert!(!s.chassis_status().await.unwrap().power_on);
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        assert!(s.chassis_status().await.unwrap().power_on);
        s.chassis_control(ChassisControl::HardReset).await.unwrap();
        s.chassis_control(ChassisControl::SoftShutdown).await.unwrap();
        assert!(!s.chassis_status().await.unwrap().power_on);
        // A cycle of a machine that is off turns it on here, a second later.
        s.chassis_control(ChassisControl::PowerCycle).await.unwrap();
        eventually("power on after a cycle", || bmc.chassis_file("power").as_deref() == Some("1")).await;
        s.chassis_control(ChassisControl::PowerDown).await.unwrap();
        assert!(!s.chassis_status().await.unwrap().power_on);
        for device in [BootDevice::Pxe, BootDevice::Cdrom, BootDevice::BiosSetup] {
            s.set_boot(device, false, true).await.unwrap();
            // It keeps the device alone and calls it not valid: what is read back says what it says.
            let flags = s.boot_flags().await.unwrap();
            assert_eq!((flags.device, flags.valid, flags.efi), (device, false, false));
        }
        // Its answer to identify has trailing rubbish.
        s.identify(Identify::Seconds(5)).await.unwrap();
        s.identify(Identify::Off).await.unwrap();
        let id = s.device_id().await.unwrap();
        assert_eq!((id.ipmi_version, id.manufacturer, id.product), ((2, 0), Some(0x1291), Some(0xf02)));
        assert_eq!(s.system_guid().await.unwrap().0[..2], [0xa1, 0x23]);
        // It answers this outside a session only.
        let inside = s.auth_capabilities().await;
        assert!(matches!(inside, Err(Error::Completion { code, .. }) if code.0 == 0xd5), "{inside:?}");
        let refused = s.chassis_control(ChassisControl::DiagnosticInterrupt).await.unwrap_err();
        assert!(matches!(refused, Error::Completion { code, .. } if code.0 == 0xcc), "{refused:?}");
        assert!(!refused.ends_session() && refused.fault() == Fault::Hardware);
        s.close().await.unwrap();
    });
    for (line, times) in [
        ("set power 1", 2),
        ("set reset 1", 1),
        ("set shutdown 1", 1),
        ("set boot pxe", 1),
        ("set boot cdrom", 1),
        ("set boot bios", 1),
    ] {
        assert_eq!(bmc.chassis_calls(line), times, "{line}: {:?}", bmc.chassis_log());
    }
    assert!(!bmc.output().contains(PASSWORD));
}

#[test]
fn other_clients_read_the_same() {
    let Some(bmc) = IpmiSim::start() else { return };
    let (Some(tool), Some(power)) = (Ipmitool::new(bmc.address(), 3), Ipmipower::new(bmc.address(), 3))
    else {
        return;
    };
    run(async {
        let mut s = connect(bmc.address(), Suite3).await;
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        s.set_boot(BootDevice::Pxe, false, false).await.unwrap();
        s.close().await.unwrap();
    });
    assert!(tool.run("chassis power status").good().contains("is on"));
    assert!(tool.run("chassis bootparam get 5").good().contains("Force PXE"));
    assert!(power.run("--stat").good().contains(": on"));
}

#[test]
fn wrong_credentials_are_refused_at_once_and_named() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        let good = target(bmc.address(), Suite3);
        let e = connect_error(&Target { password: "wrong".to_owned().into(), ..good.clone() }).await;
        assert!(matches!(e, Error::Refused { reason: Refusal::Password, .. }), "{e:?}");
        assert!(e.fault() == Fault::User && !e.retry_is_safe());
        let e = connect_error(&Target { user: "nobody".into(), ..good.clone() }).await;
        assert!(matches!(e, Error::Refused { reason: Refusal::Status(_), .. }), "{e:?}");
        assert!(e.to_string().contains("unauthorized name"), "{e}");
        let e = connect_error(&Target { suite: Suite17, ..good.clone() }).await;
        assert!(matches!(e, Error::SuiteRefused { asked: Suite17, .. }), "{e:?}");
        // None of that has spoiled anything.
        connect(bmc.address(), Suite3).await.close().await.unwrap();
    });
}

#[test]
fn operator_is_enough_for_power_and_user_is_not() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        for (privilege, may) in [(Privilege::User, false), (Privilege::Operator, true)] {
            let target = Target { privilege, ..target(bmc.address(), Suite3) };
            let mut s = Client::connect(&target, timeouts()).await.unwrap();
            assert!(s.chassis_status().await.is_ok());
            let done = s.chassis_control(ChassisControl::PowerUp).await;
            assert_eq!(done.is_ok(), may, "{privilege}: {done:?}");
            s.close().await.unwrap();
        }
    });
}

#[test]
fn two_hundred_sessions_do_not_fill_its_63_slots() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        for n in 0..200u64 {
            let mut s = connect(bmc.address(), Suite3).await;
            s.chassis_status().await.unwrap();
            match n % 4 {
                // Closed, dropped, dropped in the middle of a call, dropped in the middle of opening.
                0 => s.close().await.unwrap(),
                1 => drop(s),
                2 => {
                    let call = s.device_id();
                    let _ = tokio::time::timeout(Duration::from_micros(50), call).await;
                }
                _ => {
                    drop(s);
                    let target = target(bmc.address(), Suite3);
                    let opening = Client::connect(&target, timeouts());
                    let _ = tokio::time::timeout(Duration::from_micros(n % 7 * 200), opening).await;
                }
            }
        }
        connect(bmc.address(), Suite3).await.close().await.unwrap();
    });
}

#[test]
fn full_slots_are_named_and_come_free_again() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        let mut open = Vec::new();
        let error = loop {
            match Client::connect(&target(bmc.address(), Suite3), short()).await {
                Ok(s) => open.push(s),
                Err(e) => break e,
            }
            assert!(open.len() <= 64, "it has 63 slots");
        };
        assert!(matches!(error, Error::InsufficientResources { .. }), "{error:?}");
        assert!(error.retry_is_safe() && error.to_string().contains("close other sessions"));
        drop(open.pop());
        for _ in 0..100 {
            if let Ok(s) = Client::connect(&target(bmc.address(), Suite3), short()).await {
                return s.close().await.unwrap();
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("the slot of a dropped session did not come free");
    });
}

#[test]
fn a_late_answer_is_not_taken_for_the_next_one() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        let mut slow = Client::connect(&target(bmc.address(), Suite3), short()).await.unwrap();
        bmc.set_chassis_file("delay", "1.2");
        let e = slow.chassis_control(ChassisControl::HardReset).await.unwrap_err();
        assert!(matches!(e, Error::Silent { maybe_done: true, .. }) && !e.retry_is_safe(), "{e:?}");
        bmc.set_chassis_file("delay", "");
        tokio::time::sleep(Duration::from_millis(1500)).await;
        // The late answer to the reset is in the socket now; this must be the answer to this question.
        assert!(!slow.chassis_status().await.unwrap().power_on);
        assert_eq!(slow.device_id().await.unwrap().product, Some(0xf02));
        assert!(slow.counters().discarded >= 1);
        slow.close().await.unwrap();
    });
    assert_eq!(bmc.chassis_calls("set reset 1"), 1, "{:?}", bmc.chassis_log());
}

#[test]
fn a_bmc_that_stops_answering_is_silent_not_off() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(async {
        let mut s = Client::connect(&target(bmc.address(), Suite3), short()).await.unwrap();
        bmc.pause(true);
        let e = s.chassis_status().await.unwrap_err();
        assert!(matches!(e, Error::Silent { maybe_done: false, .. }) && e.retry_is_safe(), "{e:?}");
        assert!(s.counters().repeated >= 1);
        let e = connect_error(&target(bmc.address(), Suite3)).await;
        assert!(matches!(e, Error::Silent { .. }), "{e:?}");
        bmc.pause(false);
        assert!(!s.chassis_status().await.unwrap().power_on);
    });
}

#[test]
fn a_failing_chassis_is_an_error_with_the_code_in_words() {
    let Some(bmc) = IpmiSim::start() else { return };
    bmc.set_chassis_file("fail", "no such machine");
    run(async {
        let mut s = connect(bmc.address(), Suite3).await;
        let e = s.chassis_control(ChassisControl::PowerUp).await.unwrap_err();
        assert!(matches!(e, Error::Completion { .. }), "{e:?}");
        assert!(!s.chassis_status().await.unwrap().power_on);
        s.set_boot_flags(BootFlags::new(BootDevice::None, false, false)).await.unwrap();
    });
}
