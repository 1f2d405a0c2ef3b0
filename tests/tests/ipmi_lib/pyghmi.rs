//! Our client before pyghmi's fake BMC.

use crate::{connect, connect_error, run, target};
use drp_ipmi::{
    BootDevice, ChassisControl, CipherSuite::Suite3, CipherSuite::Suite17, Error, Identify, Refusal, Target,
};
use drp_tests::peers::PyghmiBmc;

#[test]
fn power_boot_and_identity() {
    let Some(mut bmc) = PyghmiBmc::start() else { return };
    run(async {
        let mut s = connect(bmc.address(), Suite3).await;
        assert!(!s.chassis_status().await.unwrap().power_on);
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        assert!(s.chassis_status().await.unwrap().power_on);
        s.chassis_control(ChassisControl::HardReset).await.unwrap();
        s.chassis_control(ChassisControl::SoftShutdown).await.unwrap();
        assert!(!s.chassis_status().await.unwrap().power_on);
        s.set_boot(BootDevice::Pxe, false, false).await.unwrap();
        let flags = s.boot_flags().await.unwrap();
        assert_eq!((flags.valid, flags.device), (true, BootDevice::Pxe));
        // Its device id ends before the auxiliary revision.
        assert_eq!(s.device_id().await.unwrap().aux, None);
        for (done, code) in [
            (s.chassis_control(ChassisControl::PowerCycle).await, 0xcc),
            (s.identify(Identify::Seconds(5)).await, 0xc1),
        ] {
            assert!(matches!(done, Err(Error::Completion { code: c, .. }) if c.0 == code), "{done:?}");
        }
        s.close().await.unwrap();
    });
    assert!(bmc.alive(), "{}", bmc.output());
}

#[test]
fn it_answers_another_suite_than_asked_and_we_notice() {
    let Some(mut bmc) = PyghmiBmc::start() else { return };
    run(async {
        let e = connect_error(&target(bmc.address(), Suite17)).await;
        assert!(matches!(e, Error::SuiteRefused { asked: Suite17, .. }), "{e:?}");
        assert!(e.to_string().contains("answered with suite 3"), "{e}");
        connect(bmc.address(), Suite3).await.close().await.unwrap();
    });
    assert!(bmc.alive(), "{}", bmc.output());
}

#[test]
fn a_wrong_password_is_refused_and_it_lives_on() {
    let Some(mut bmc) = PyghmiBmc::start() else { return };
    run(async {
        let wrong = Target { password: "wrong".to_owned().into(), ..target(bmc.address(), Suite3) };
        let e = connect_error(&wrong).await;
        assert!(matches!(e, Error::Refused { reason: Refusal::Password, .. }), "{e:?}");
        connect(bmc.address(), Suite3).await.close().await.unwrap();
    });
    assert!(bmc.alive(), "{}", bmc.output());
}

#[test]
fn its_session_survives_many_calls() {
    let Some(bmc) = PyghmiBmc::start() else { return };
    run(async {
        let mut s = connect(bmc.address(), Suite3).await;
        // More than the 64 request sequence numbers there are.
        for n in 0..200 {
            let on = n % 2 == 0;
            let control = if on { ChassisControl::PowerUp } else { ChassisControl::PowerDown };
            s.chassis_control(control).await.unwrap();
            assert_eq!(s.chassis_status().await.unwrap().power_on, on);
        }
        s.close().await.unwrap();
    });
}
