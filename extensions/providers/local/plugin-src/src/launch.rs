//! Starting the QEMU of a server, detached from the plugin: it goes on when plugin and daemon end.

use crate::failure::Failure;
use crate::firewall::{Forward, Protocol, wanted};
use crate::image::Seed;
use crate::probe::{Probe, SANDBOX, bare, last_line};
use crate::process::{self, Process, pid_file};
use crate::qmp::Qmp;
use crate::record::{Record, Run};
use crate::seed;
use serde_json::json;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// How long QEMU may take to set a machine up.
const START_LIMIT: Duration = Duration::from_secs(60);
/// How long one talk with its monitor may take.
pub(crate) const TALK_LIMIT: Duration = Duration::from_secs(15);
/// Tells the daemon's host that the process is to outlive it.
const STAYS: &str = drp_plugin_sdk::protocol::wire::ENV_STAYS;
/// What QEMU says when the port of a forward is taken.
const NO_FORWARD: &str = "host forwarding rule";

/// The socket of a server's monitor.
pub(crate) fn monitor(dir: &Path) -> PathBuf {
    dir.join("qmp.sock")
}

/// The socket of its serial console.
pub(crate) fn console(dir: &Path) -> PathBuf {
    dir.join("console.sock")
}

/// Its disk.
pub(crate) fn disk(dir: &Path) -> PathBuf {
    dir.join("disk")
}

/// A path inside an option of QEMU, where a comma ends a value unless it is doubled.
fn escaped(path: &Path) -> String {
    path.to_string_lossy().replace(',', ",,")
}

/// QEMU's arguments for a server. Nothing that a caller of the API chose becomes part of them but numbers.
pub(crate) fn arguments(record: &Record, dir: &Path, probe: &Probe) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    let accel = probe.accel();
    add(&["-name", &record.server_id, "-nodefaults", "-no-user-config", "-display", "none"]);
    add(&["-machine", &format!("pc,accel={accel}"), "-cpu", if accel == "kvm" { "host" } else { "max" }]);
    add(&["-smp", &record.plan.cpus.to_string(), "-m", &format!("{}M", record.plan.memory_mb)]);
    add(&["-daemonize", "-pidfile", &pid_file(dir).to_string_lossy()]);
    // A machine that switches itself off stays as a process, so that this is told from one whose QEMU died.
    add(&["-no-shutdown", "-D", &dir.join("qemu.log").to_string_lossy()]);
    if probe.sandbox {
        add(&["-sandbox", SANDBOX]);
    }
    let socket = |id: &str, path: &Path| format!("socket,id={id},path={},server=on,wait=off", escaped(path));
    add(&["-chardev", &socket("qmp0", &monitor(dir)), "-mon", "chardev=qmp0,mode=control"]);
    add(&["-chardev", &socket("console0", &console(dir)), "-serial", "chardev:console0"]);
    add(&["-device", "virtio-rng-pci"]);
    let mut net = String::from("user,id=net0");
    if wanted(&record.firewall_rules).is_ok_and(|wanted| wanted.closed_outwards) {
        net.push_str(",restrict=on");
    }
    for Forward { protocol, guest_port, host_port } in &record.forwards {
        net.push_str(&format!(",hostfwd={}:127.0.0.1:{host_port}-:{guest_port}", protocol.name()));
    }
    add(&["-netdev", &net]);
    add(&["-device", &format!("virtio-net-pci,netdev=net0,mac={},romfile=", record.mac)]);
    if let Some(format) = record.disk {
        let file = json!({"driver": "file", "filename": disk(dir)});
        let node = json!({"driver": format.name(), "node-name": "disk0", "file": file});
        add(&["-blockdev", &node.to_string(), "-device", "virtio-blk-pci,drive=disk0,bootindex=1"]);
    }
    if record.image.seed() == Seed::Iso {
        let file = json!({"driver": "file", "filename": seed::disk(dir), "read-only": true});
        let node = json!({"driver": "raw", "node-name": "seed0", "read-only": true, "file": file});
        add(&["-blockdev", &node.to_string(), "-device", "virtio-blk-pci,drive=seed0"]);
    }
    if let Some(kernel) = &record.image.kernel {
        add(&["-kernel", kernel]);
        if let Some(initrd) = &record.image.initrd {
            let seeded = seed::initrd(dir);
            let seeded = seeded.to_string_lossy();
            add(&["-initrd", if record.image.seed() == Seed::Initrd { &seeded } else { initrd }]);
        }
        if !record.image.append.is_empty() {
            add(&["-append", &record.image.append]);
        }
    }
    arguments
}

/// Starts it, with the host ports that it had before where they are free, and notes process and ports in the record.
pub(crate) async fn launch(
    record: &mut Record,
    dir: &Path,
    probe: &Probe,
    now: String,
) -> Result<(), Failure> {
    let ports = wanted(&record.firewall_rules).map_err(|e| Failure::Invalid(e.join("; ")))?.ports;
    let before = std::mem::take(&mut record.forwards);
    record.forwards = ports
        .into_iter()
        .map(|(protocol, guest_port)| {
            let old = before.iter().find(|f| (f.protocol, f.guest_port) == (protocol, guest_port));
            Forward { protocol, guest_port, host_port: old.map_or(0, |f| f.host_port) }
        })
        .collect();
    let outcome = match start(record, dir, probe).await {
        Err(Failure::Program { said, .. }) if said.contains(NO_FORWARD) => {
            for forward in &mut record.forwards {
                forward.host_port = 0;
            }
            start(record, dir, probe).await
        }
        other => other,
    };
    let noted = match outcome {
        Ok(process) => note(record, dir, process, probe, now).await,
        Err(failure) => Err(failure),
    };
    if noted.is_err() {
        process::kill_all(dir).await;
        record.run = None;
    }
    noted
}

async fn note(
    record: &mut Record,
    dir: &Path,
    process: Process,
    probe: &Probe,
    now: String,
) -> Result<(), Failure> {
    let mut qmp = Qmp::open(&monitor(dir), TALK_LIMIT).await.map_err(|error| failed(record, error))?;
    record.forwards = forwards(&mut qmp).await.map_err(|error| failed(record, error))?;
    record.ended = None;
    record.run = Some(Run {
        pid: process.pid,
        start: process.start,
        boot: process::boot(),
        accel: probe.accel().to_owned(),
        since: now,
    });
    Ok(())
}

pub(crate) fn failed(record: &Record, error: crate::qmp::QmpError) -> Failure {
    Failure::Monitor { server: record.server_id.clone(), error }
}

/// Runs QEMU until it has put itself into the background.
async fn start(record: &Record, dir: &Path, probe: &Probe) -> Result<Process, Failure> {
    let program = probe.program.display().to_string();
    let failed = |said: String| Failure::Program { program: program.clone(), said };
    for socket in [monitor(dir), console(dir)] {
        let _ = std::fs::remove_file(socket);
    }
    let mut command = bare(&probe.program);
    // Ending this wait must not end a machine that has just started; a half one is looked for and ended.
    command.args(arguments(record, dir, probe)).env(STAYS, "1").current_dir(dir).kill_on_drop(false);
    let mut child = command.spawn().map_err(|e| failed(format!("it cannot be started: {e}")))?;
    let stderr = child.stderr.take();
    let work = async {
        let mut said = Vec::new();
        if let Some(stderr) = stderr {
            let _ = stderr.take(65_536).read_to_end(&mut said).await;
        }
        (child.wait().await, String::from_utf8_lossy(&said).into_owned())
    };
    match tokio::time::timeout(START_LIMIT, work).await {
        Ok((Ok(status), _)) if status.success() => {}
        Ok((status, said)) => {
            process::kill_all(dir).await;
            let how = status.map_or_else(|e| e.to_string(), |status| status.to_string());
            return Err(failed(last_line(&said, &format!("it ended without a word ({how})"))));
        }
        Err(_) => {
            process::kill_all(dir).await;
            return Err(failed(format!("it did not start within {} s", START_LIMIT.as_secs())));
        }
    }
    match process::all(dir).as_slice() {
        [one] => Ok(*one),
        [] => Err(failed("it ended right after it had started".into())),
        _ => {
            process::kill_all(dir).await;
            Err(failed("several processes of the server were there; all are ended".into()))
        }
    }
}

/// The ports that QEMU forwards, with those that it chose.
pub(crate) async fn forwards(qmp: &mut Qmp) -> Result<Vec<Forward>, crate::qmp::QmpError> {
    Ok(read_forwards(&qmp.monitor("info usernet").await?))
}

fn read_forwards(printed: &str) -> Vec<Forward> {
    let line = |line: &str| {
        let mut words = line.split_whitespace();
        let protocol = match words.next()? {
            "TCP[HOST_FORWARD]" => Protocol::Tcp,
            "UDP[HOST_FORWARD]" => Protocol::Udp,
            _ => return None,
        };
        // Handle, address and port of the host, address and port of the guest.
        let (host_port, guest_port) = (words.nth(2)?.parse().ok()?, words.nth(1)?.parse().ok()?);
        Some(Forward { protocol, guest_port, host_port })
    };
    let mut found: Vec<Forward> = printed.lines().filter_map(line).collect();
    found.sort_by_key(|f| (f.protocol, f.guest_port, f.host_port));
    found
}

/// Makes QEMU forward exactly these ports, and gives them with those of the host.
pub(crate) async fn forward(
    qmp: &mut Qmp,
    ports: &[(Protocol, u16)],
) -> Result<Vec<Forward>, crate::qmp::QmpError> {
    let now = forwards(qmp).await?;
    for Forward { protocol, guest_port, host_port } in &now {
        if !ports.contains(&(*protocol, *guest_port)) {
            qmp.monitor(&format!("hostfwd_remove net0 {}:127.0.0.1:{host_port}", protocol.name())).await?;
        }
    }
    for (protocol, guest_port) in ports {
        if !now.iter().any(|f| (f.protocol, f.guest_port) == (*protocol, *guest_port)) {
            qmp.monitor(&format!("hostfwd_add net0 {}:127.0.0.1:0-:{guest_port}", protocol.name())).await?;
        }
    }
    // The monitor for people answers in words: what counts is what it then forwards.
    let after = forwards(qmp).await?;
    let is: Vec<_> = after.iter().map(|f| (f.protocol, f.guest_port)).collect();
    if is.len() == ports.len() && ports.iter().all(|port| is.contains(port)) {
        return Ok(after);
    }
    Err(crate::qmp::QmpError::Refused { command: "hostfwd_add".into(), said: format!("it forwards {is:?}") })
}

#[cfg(test)]
mod tests {
    use super::{arguments, read_forwards};
    use crate::firewall::{Forward, Protocol};
    use crate::probe::Probe;
    use crate::record::Record;
    use serde_json::json;
    use std::path::Path;

    #[test]
    fn what_users_say_is_no_option() {
        let record: Record = serde_json::from_value(json!({
            "server_id": "vm-0123456789ab", "hostname": "x,readonly=off", "os": "a,b",
            "plan": {"name": "a,b", "cpus": 1, "memory_mb": 64},
            "image": {"kernel": "/k,x=y", "initrd": "/i", "append": "a,b", "disk": "/d,e"},
            "ssh_keys": [], "tags": {"a,b": "c"}, "firewall_rules": [], "disk": "qcow2", "disk_gb": 1,
            "mac": "52:54:00:00:00:01", "created": "", "phase": "ready", "run": null, "forwards": [
                {"protocol": "tcp", "guest_port": 22, "host_port": 0}], "ended": null,
        }))
        .unwrap();
        let probe =
            Probe { program: "/q".into(), version: "7".into(), no_kvm: Some(String::new()), sandbox: true };
        let said: Vec<String> = arguments(&record, Path::new("/s,t/vm"), &probe)
            .into_iter()
            .map(|a| a.into_string().unwrap())
            .collect();
        assert!(
            said.contains(&"socket,id=qmp0,path=/s,,t/vm/qmp.sock,server=on,wait=off".to_owned()),
            "{said:?}"
        );
        assert!(said.contains(&"user,id=net0,hostfwd=tcp:127.0.0.1:0-:22".to_owned()));
        // Kernel and command line are arguments of their own, and disks are JSON.
        assert!(said.windows(2).any(|pair| pair == ["-kernel", "/k,x=y"]));
        let disks: Vec<serde_json::Value> = said
            .iter()
            .filter_map(|a| serde_json::from_str(a).ok())
            .filter(|v: &serde_json::Value| v.is_object())
            .collect();
        assert_eq!(disks[0]["file"]["filename"], "/s,t/vm/disk");
        assert!(!said.iter().any(|a| a.contains("readonly=off")));
    }

    #[test]
    fn forwards_are_read_from_what_the_monitor_prints() {
        let printed = "Hub -1 (net0):\n  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ\n  \
                       UDP[HOST_FORWARD]  16       127.0.0.1 5300       10.0.2.15    53     0     0\n  \
                       TCP[HOST_FORWARD]  11       127.0.0.1 36715       10.0.2.15    22     0     0\n  \
                       TCP[ESTABLISHED]  12       127.0.0.1 36715       10.0.2.15    22     0     0\n";
        assert_eq!(
            read_forwards(printed),
            [
                Forward { protocol: Protocol::Tcp, guest_port: 22, host_port: 36715 },
                Forward { protocol: Protocol::Udp, guest_port: 53, host_port: 5300 }
            ]
        );
    }
}
