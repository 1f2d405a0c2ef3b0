//! Our client before a real machine: QEMU behind `ipmi_sim`.

use crate::{connect, eventually, run};
use drp_ipmi::{BootDevice, ChassisControl, CipherSuite::Suite3};
use drp_tests::peers::IpmiSim;

#[test]
fn a_real_machine_goes_on_is_reset_and_goes_off() {
    let Some(bmc) = IpmiSim::start_vm(None) else { return };
    run(async {
        let mut s = connect(bmc.address(), Suite3).await;
        assert!(!s.chassis_status().await.unwrap().power_on);
        assert_eq!(bmc.vm_pid(), None);

        s.set_boot(BootDevice::Pxe, false, false).await.unwrap();
        assert_eq!(bmc.chassis_file("boot").as_deref(), Some("pxe"));
        s.chassis_control(ChassisControl::PowerUp).await.unwrap();
        assert!(s.chassis_status().await.unwrap().power_on);
        let first = bmc.vm_pid().expect("a QEMU process");

        s.chassis_control(ChassisControl::HardReset).await.unwrap();
        let second = bmc.vm_pid().expect("a QEMU process after the reset");
        assert_ne!(first, second, "vm.sh resets by starting anew");
        assert!(s.chassis_status().await.unwrap().power_on);

        // Off, then on a second later.
        s.chassis_control(ChassisControl::PowerCycle).await.unwrap();
        eventually("a new QEMU after the cycle", || bmc.vm_pid().is_some_and(|pid| pid != second)).await;

        s.chassis_control(ChassisControl::PowerDown).await.unwrap();
        assert!(!s.chassis_status().await.unwrap().power_on);
        assert_eq!(bmc.vm_pid(), None);
        s.close().await.unwrap();
    });
    let starts = bmc.chassis_log().iter().filter(|l| l.starts_with("start ")).count();
    assert_eq!(starts, 3, "{:?}", bmc.chassis_log());
}
