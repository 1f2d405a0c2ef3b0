//! Our simulator before independent clients: `ipmitool` with suites 3 and 17, FreeIPMI.

use crate::{config, run, simulator};
use drp_bmc_sim::{BmcConfig, Simulator};
use drp_ipmi::{BootDevice, ChassisControl, CipherSuite, Identify};
use drp_tests::peers::{Ipmipower, Ipmitool};
use std::time::Duration;

/// Everything `ipmitool` can ask of it, with one suite.
fn with_ipmitool(suite: u8) {
    run(async move {
        let suites = CipherSuite::from_id(suite).into_iter().collect();
        let bmc = Simulator::start(BmcConfig { suites, ..config() }).await.unwrap();
        let Some(tool) = Ipmitool::new(bmc.address(), suite) else { return };
        tokio::task::spawn_blocking(move || {
            power(&bmc, &tool);
            boot(&bmc, &tool);
            identify(&bmc, &tool);
            who(&tool);
            // Every call of the tool was a session of its own, and each is closed.
            let counts = bmc.counts();
            assert_eq!((counts.logins, bmc.sessions()), (counts.closes, 0));
            assert!(counts.logins > 20, "{counts:?}");
            assert_eq!(counts.discarded, 0, "every packet of the tool was understood");
            wrong_password(&bmc, &tool);
        })
        .await
        .unwrap();
    });
}

fn power(bmc: &Simulator, tool: &Ipmitool) {
    let status = || tool.run("chassis power status").good();
    assert!(status().contains("is off"));
    tool.run("chassis power on").good();
    assert!(bmc.power());
    assert!(status().contains("is on"));
    tool.run("chassis power reset").good();
    tool.run("chassis power diag").good();
    assert!(bmc.power());
    // Cycle: off for a moment, then on.
    bmc.configure(|c| c.cycle_off = Duration::from_millis(400));
    tool.run("chassis power cycle").good();
    assert!(drp_tests::peers::wait_until(Duration::from_secs(5), || bmc.power()));
    tool.run("chassis power soft").good();
    assert!(drp_tests::peers::wait_until(Duration::from_secs(5), || !bmc.power()));
    // Reset and cycle of a machine that is off: 0xD5.
    let refused = tool.run("chassis power reset");
    assert!(!refused.ok && refused.text.contains("not supported in present state"), "{refused:?}");
    tool.run("chassis power on").good();
    tool.run("chassis power off").good();
    assert!(!bmc.power());
    let c = bmc.counts();
    assert_eq!((c.power_ups, c.power_downs, c.cycles, c.resets, c.softs, c.interrupts), (2, 1, 1, 1, 1, 1));
    assert!(tool.run("chassis status").good().contains("System Power         : off"));
}

fn boot(bmc: &Simulator, tool: &Ipmitool) {
    for (words, device, persistent, efi) in [
        ("pxe", BootDevice::Pxe, false, false),
        ("disk", BootDevice::Disk, false, false),
        ("cdrom", BootDevice::Cdrom, false, false),
        ("bios", BootDevice::BiosSetup, false, false),
        ("pxe options=efiboot", BootDevice::Pxe, false, true),
        ("disk options=persistent", BootDevice::Disk, true, false),
        ("cdrom options=persistent,efiboot", BootDevice::Cdrom, true, true),
    ] {
        tool.run(&format!("chassis bootdev {words}")).good();
        let flags = bmc.boot_flags();
        assert_eq!((flags.valid, flags.device), (true, device), "{words}");
        assert_eq!((flags.persistent, flags.efi), (persistent, efi), "{words}");
        let shown = tool.run("chassis bootparam get 5").good();
        assert!(shown.contains("Boot Flag Valid"), "{shown}");
        assert_eq!(shown.contains("apply to all future boots"), persistent, "{shown}");
        assert_eq!(shown.contains("BIOS EFI boot"), efi, "{shown}");
        let name = match device {
            BootDevice::Pxe => "Force PXE",
            BootDevice::Disk => "Force Boot from default Hard-Drive",
            BootDevice::Cdrom => "Force Boot from CD/DVD",
            _ => "Force Boot into BIOS Setup",
        };
        assert!(shown.contains(name), "{shown}");
    }
    // The raw form of "forcebootpxe" for UEFI (plugins §1.1).
    tool.run("raw 0x00 0x08 0x05 0xe0 0x04 0x00 0x00 0x00").good();
    let flags = bmc.boot_flags();
    assert_eq!((flags.device, flags.persistent, flags.efi), (BootDevice::Pxe, true, true));
    // Persistent flags outlive a boot, those for one boot do not.
    tool.run("chassis power on").good();
    assert!(bmc.boot_flags().valid);
    tool.run("chassis bootdev cdrom").good();
    tool.run("chassis power reset").good();
    assert_eq!(bmc.boots().last(), Some(&BootDevice::Cdrom));
    assert!(!bmc.boot_flags().valid);
}

fn identify(bmc: &Simulator, tool: &Ipmitool) {
    tool.run("chassis identify 200").good();
    assert_eq!(bmc.identify(), Some(Identify::Seconds(200)));
    tool.run("chassis identify force").good();
    assert_eq!(bmc.identify(), Some(Identify::Forever));
    tool.run("chassis identify 0").good();
    assert_eq!(bmc.identify(), None);
}

fn who(tool: &Ipmitool) {
    let info = tool.run("mc info").good();
    assert!(
        info.contains("Device ID                 : 32") && info.contains("IPMI Version              : 2.0"),
        "{info}"
    );
    assert!(tool.run("mc guid").good().contains("44525020-5349-4d42-8d43-000000000000"));
}

fn wrong_password(bmc: &Simulator, tool: &Ipmitool) {
    let before = bmc.counts().logins;
    let answer = tool.clone().password("not the one").run("chassis power status");
    assert!(!answer.ok && answer.text.contains("Unable to establish"), "{answer:?}");
    assert_eq!(bmc.counts().logins, before);
}

#[test]
fn ipmitool_with_suite_3() {
    with_ipmitool(3);
}

#[test]
fn ipmitool_with_suite_17() {
    with_ipmitool(17);
}

#[test]
fn ipmitool_is_refused_a_suite_that_is_not_offered() {
    run(async {
        let bmc =
            Simulator::start(BmcConfig { suites: vec![CipherSuite::Suite17], ..config() }).await.unwrap();
        let Some(tool) = Ipmitool::new(bmc.address(), 3) else { return };
        let (answer, none) = tokio::task::spawn_blocking(move || {
            // Suite 0 is the one without any password.
            let none = Ipmitool::new(tool.address(), 0).unwrap().run("chassis power status");
            (tool.run("chassis power status"), none)
        })
        .await
        .unwrap();
        assert!(!answer.ok && !none.ok, "{answer:?} {none:?}");
        assert_eq!(bmc.counts().logins, 0);
    });
}

#[test]
fn freeipmi_with_both_suites() {
    run(async {
        let bmc = simulator().await;
        for suite in [3, 17] {
            let Some(tool) = Ipmipower::new(bmc.address(), suite) else { return };
            let ask = |words: &'static str| {
                let tool = tool.clone();
                async move { tokio::task::spawn_blocking(move || tool.run(words).good()).await.unwrap() }
            };
            assert!(ask("--on").await.contains("ok"));
            assert!(ask("--stat").await.contains(": on"));
            assert!(ask("--off").await.contains("ok"));
            assert!(ask("--stat").await.contains(": off"));
            assert!(!bmc.power());
        }
    });
}

#[test]
fn ipmitool_reads_what_our_client_has_done() {
    run(async {
        let bmc = simulator().await;
        let Some(tool) = Ipmitool::new(bmc.address(), 17) else { return };
        let mut session = crate::connect(bmc.address(), CipherSuite::Suite17).await;
        session.chassis_control(ChassisControl::PowerUp).await.unwrap();
        session.set_boot(BootDevice::Cdrom, true, true).await.unwrap();
        let (power, boot) = tokio::task::spawn_blocking(move || {
            (tool.run("chassis power status").good(), tool.run("chassis bootparam get 5").good())
        })
        .await
        .unwrap();
        assert!(power.contains("is on"));
        assert!(boot.contains("CD/DVD") && boot.contains("EFI") && boot.contains("all future"), "{boot}");
        session.close().await.unwrap();
    });
}
