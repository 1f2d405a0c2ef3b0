//! The local driver on a host that has a BMC: a Linux guest of QEMU whose kernel drives a KCS interface. The BMC is
//! QEMU's (hw/ipmi/ipmi_bmc_sim.c): it has chassis status, off, reset and soft shutdown, and refuses power cycle with
//! 0xD5 and boot device and identify with 0xC1. Its number for Get System Restart Cause is that of Get System Boot
//! Options, so that it answers the latter with the former's two bytes.

use drp_tests::daemon::binary;
use drp_tests::peers::{Ended, Guest};
use serde_json::Value;
use std::time::Duration;

/// On a loaded machine; a quiet one needs a fourth of it.
const LIMIT: Duration = Duration::from_secs(170);

/// First process of the guest: `verb NAME` runs one, with its output and exit code on the second serial line.
const INIT: &str = r#"#!/bin/busybox sh
b=/bin/busybox
$b mount -t devtmpfs dev /dev
$b mount -t proc proc /proc
$b mount -t sysfs sys /sys
exec >/dev/ttyS1 2>&1 </dev/null
export NO_COLOR=1
verb() {
  echo "@ $1"
  echo '""' | /drp plugin run /ipmi -F json --action "$1" --param ipmi/mode=local --param ipmi/address=local \
    --param ipmi/username=none --param ipmi/password=- --param ipmi/soft-timeout=1 \
    --config ipmi/local-allowed=true
  echo "@exit $?"
}
load() {
  for m in ipmi_msghandler ipmi_si ipmi_devintf; do $b insmod /$m.ko; done
  n=0
  while [ ! -e /dev/ipmi0 ] && [ $n -lt 300 ]; do $b sleep 0.1; n=$((n+1)); done
}
"#;

/// Runs verbs in a guest, and these steps of its first process, which then waits.
fn run(steps: &str, boots: usize) -> Option<Ended> {
    let guest = Guest::find()?;
    let init = format!("{INIT}{steps}\necho '@ after'\n$b sleep 1000\n");
    Some(guest.run(&init, &[binary("drp"), binary("ipmi")], boots, LIMIT))
}

/// What each verb said and its exit code, in order. The code is absent when it did not come back.
fn verbs(ended: &Ended) -> Vec<(&str, &str, Option<i32>)> {
    let parts = ended.results.split("@ ").skip(1);
    parts
        .map(|part| {
            let (name, rest) = part.split_once('\n').unwrap_or((part, ""));
            let (text, code) = rest.split_once("@exit ").unwrap_or((rest, ""));
            (name.trim(), text, code.trim().parse().ok())
        })
        .collect()
}

#[test]
fn a_real_kernel_and_its_bmc_are_read_and_switched_off() {
    let steps = "verb powerstatus; load
        for v in powerstatus bmcinfo bootstatus nextbootpxe powercycle sel bmcreset poweron poweroff; do verb $v; done";
    let Some(ended) = run(steps, 2) else { return };
    let verbs = verbs(&ended);
    let all = format!("{}\n{}", ended.console, ended.results);
    let names: Vec<_> = verbs.iter().map(|verb| verb.0).collect();
    assert_eq!(
        names,
        [
            "powerstatus",
            "powerstatus",
            "bmcinfo",
            "bootstatus",
            "nextbootpxe",
            "powercycle",
            "sel",
            "bmcreset",
            "poweron",
            "poweroff"
        ],
        "{all}"
    );
    let good = |index: usize| -> Value {
        let (name, text, code) = verbs[index];
        assert_eq!(code, Some(0), "{name}: {text}");
        serde_json::from_str(text).unwrap_or_else(|why| panic!("{name}: {why}: {text}"))
    };
    let bad = |index: usize, words: &[&str]| {
        let (name, text, code) = verbs[index];
        assert_eq!(code, Some(1), "{name}: {text}");
        assert!(words.iter().all(|word| text.contains(word)), "{name}: no {words:?} in {text}");
    };
    // Before the modules are loaded the host has no device.
    bad(0, &["UNSUPPORTED", "/dev/ipmi0", "ipmi_devintf"]);
    let status = good(1);
    assert_eq!((&status["state"], &status["driver"]), (&"on".into(), &"local".into()), "{status}");
    // What the kernel says of it: dev_id 0x20.
    let info = &good(2)["details"];
    assert!(ended.console.contains("dev_id: 0x20"), "{}", ended.console);
    assert_eq!((&info["device_id"], &info["session"]), (&32.into(), &"in-band".into()), "{info}");
    assert_eq!(info["protocol_version"], "2.0", "{info}");
    bad(3, &["PROTOCOL", "read boot options was answered with 2 bytes"]);
    bad(4, &["UNSUPPORTED", "set boot flags", "0xc1"]);
    bad(5, &["REFUSED", "power cycle", "0xd5"]);
    bad(6, &["UNSUPPORTED", "driver local cannot sel"]);
    assert_eq!(good(7)["observed"], "accepted");
    // Also the way to see that the BMC is back after its reset.
    let on = good(8);
    assert_eq!((&on["state"], &on["verified"]), (&"on".into(), &true.into()), "{on}");
    // The host is off before there is an answer.
    assert_eq!(verbs[9].2, None, "{all}");
    assert!(ended.off && ended.boots == 1, "{} boots, off: {}: {all}", ended.boots, ended.off);
}

#[test]
fn a_real_kernel_is_reset_by_its_bmc() {
    let Some(ended) = run("load; verb powerreset", 2) else { return };
    let all = format!("{}\n{}", ended.console, ended.results);
    assert!(ended.boots == 2 && !ended.off, "{} boots, off: {}: {all}", ended.boots, ended.off);
    assert_eq!(verbs(&ended), [("powerreset", "", None)], "{all}");
}

#[test]
fn a_real_kernel_that_ignores_a_soft_shutdown_is_switched_off() {
    let Some(ended) = run("load; verb powersoft", 2) else { return };
    let all = format!("{}\n{}", ended.console, ended.results);
    assert!(ended.off && ended.boots == 1, "{} boots, off: {}: {all}", ended.boots, ended.off);
    assert_eq!(verbs(&ended), [("powersoft", "", None)], "{all}");
}
