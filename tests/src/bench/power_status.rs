//! Promise 12: a power status over a warm session, by the library and through daemon and plugin, against ipmitool and
//! ipmipower on the same simulator.

use std::net::UdpSocket;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use drp_ipmi::{CipherSuite, Client, Session, Target, Timeouts};
use http::Method;
use serde_json::json;

use super::figure::{Amount, Figure, Outcome};
use super::samples::Samples;
use super::{Bench, Result, power_fleet};

const PASSWORD: &str = "bench";

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    if !installed("ipmitool") {
        let why = "ipmitool is absent; install it (Debian: apt-get install ipmitool openipmi)";
        return Ok(vec![Figure::outcome(Outcome::Skipped(why.into()))]);
    }
    let port = UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port();
    let (_simulator, name) = Simulator::start(bench, port)?;
    let mut target = Target::new("127.0.0.1", "admin", PASSWORD.to_owned());
    target.port = port;
    target.suite = CipherSuite::Suite3;
    let mut session = connect(&target).await?;

    let base = bench.sockets.path().join("one");
    let daemon = power_fleet::daemon(bench, &base).await?;
    // A rest between commands is for BMCs that need it.
    let params = json!({"ipmi/address": "127.0.0.1", "ipmi/port-ipmitool": port, "ipmi/min-gap": 0,
        "ipmi/username": "admin", "ipmi/password": PASSWORD, "ipmi/cipher-suite": "3"});
    power_fleet::post(&daemon, "machines", &json!({"Name": "one", "Params": params})).await?;
    let mut kept = daemon.connect().await?;

    let [mut ours, mut whole, mut cold, mut theirs, mut others] = [(); 5].map(|()| Samples::default());
    for _ in 0..5 {
        theirs.block(bench.times(20), || ipmitool(port))?;
        if installed("ipmipower") {
            others.block(bench.times(20), || ipmipower(port))?;
        }
        let path = "/api/v3/machines/Name:one/actions/powerstatus";
        kept.call(Method::POST, path, Bytes::new()).await?;
        for _ in 0..bench.times(100) {
            let begin = Instant::now();
            kept.call(Method::POST, path, Bytes::new()).await?;
            whole.add(begin.elapsed());
        }
        for _ in 0..bench.times(100) {
            let begin = Instant::now();
            session.chassis_status().await?;
            ours.add(begin.elapsed());
        }
        for _ in 0..bench.times(20) {
            let begin = Instant::now();
            let mut fresh = Client::connect(&target, Timeouts::default()).await?;
            fresh.chassis_status().await?;
            fresh.close().await?;
            cold.add(begin.elapsed());
        }
    }
    session.close().await?;
    let floor = || (format!("ipmitool -C 3 on {name}"), Amount::Time(theirs.p50()));
    let mut figures = vec![
        Figure::new("power status, warm session, p50", Amount::Time(ours.p50()))
            .over(floor().0, floor().1)
            .ratio_at_most(0.2),
        Figure::new("through daemon and plugin, warm, p50", Amount::Time(whole.p50()))
            .over(floor().0, floor().1)
            .ratio_at_most(0.2),
        Figure::new("power status, warm session, p99", Amount::Time(ours.p99())),
        Figure::new("the same with a new session, p50", Amount::Time(cold.p50())).over(floor().0, floor().1),
    ];
    if others.count() > 0 {
        let theirs = Amount::Time(others.p50());
        figures.push(
            Figure::new("power status, warm session, p50", Amount::Time(ours.p50()))
                .over("ipmipower", theirs),
        );
    }
    Ok(figures)
}

/// The simulator needs a moment until its port answers.
async fn connect(target: &Target) -> Result<Session> {
    let begin = Instant::now();
    loop {
        match Client::connect(target, Timeouts::default()).await {
            Ok(session) => return Ok(session),
            Err(error) if begin.elapsed() > Duration::from_secs(10) => return Err(error.into()),
            Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    }
}

fn ipmitool(port: u16) -> Result<()> {
    let output = Command::new("ipmitool")
        .args(["-I", "lanplus", "-C", "3", "-H", "127.0.0.1", "-p", &port.to_string(), "-U", "admin"])
        .args(["-E", "chassis", "power", "status"])
        .env("IPMI_PASSWORD", PASSWORD)
        .output()?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("ipmitool: {}", String::from_utf8_lossy(&output.stderr)).into())
    }
}

fn ipmipower(port: u16) -> Result<()> {
    let output = Command::new("ipmipower")
        .args(["-D", "LAN_2_0", "-I", "3", "-W", "opensesspriv", "-h", &format!("127.0.0.1:{port}")])
        .args(["-u", "admin", "-p", PASSWORD, "--stat"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    if text.contains(": on") { Ok(()) } else { Err(format!("ipmipower: {text}").into()) }
}

pub(crate) fn installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|directory| directory.join(program).is_file())
}

/// A BMC simulator; it ends when this is dropped.
struct Simulator(Child);

impl Simulator {
    /// ipmi_sim if it is installed: somebody else's BMC. Ours if not.
    fn start(bench: &Bench, port: u16) -> Result<(Simulator, &'static str)> {
        let directory = bench.directory.path().join("bmc");
        std::fs::create_dir_all(directory.join("state"))?;
        let (mut command, name) = if installed("ipmi_sim") {
            write_settings(&directory, port)?;
            let mut command = Command::new("ipmi_sim");
            command.args(["-c", "lan.conf", "-f", "bmc.emu", "-s", "state", "-n"]);
            (command, "ipmi_sim")
        } else {
            let mut command = Command::new(bench.binary("drp-sim")?);
            std::fs::write(directory.join("password"), PASSWORD)?;
            let address = format!("127.0.0.1:{port}");
            command.args(["bmc", "--listen", &address, "--user", "admin", "--password-file", "password"]);
            (command, "drp-sim")
        };
        command.current_dir(&directory).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok((Simulator(command.spawn()?), name))
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn write_settings(directory: &Path, port: u16) -> Result<()> {
    let auths = ["callback", "user", "operator", "admin"]
        .map(|level| format!("    allowed_auths_{level} none md2 md5 straight\n"))
        .concat();
    let lan = format!(
        "name \"bench\"\nset_working_mc 0x20\n  startlan 1\n    addr 127.0.0.1 {port}\n    priv_limit admin\n{auths}    \
         guid a123456789abcdefa123456789abcdef\n  endlan\n  chassis_control \"./chassis.sh\"\n  \
         user 2 true \"admin\" \"{PASSWORD}\" admin 10 none md2 md5 straight\n"
    );
    std::fs::write(directory.join("lan.conf"), lan)?;
    let emulator = "mc_setbmc 0x20\nmc_add 0x20 0 no-device-sdrs 0x23 9 8 0x9f 0x1291 0xf02\n\
                    sel_enable 0x20 1000 0x0a\nmc_enable 0x20\n";
    std::fs::write(directory.join("bmc.emu"), emulator)?;
    // It is asked for each status, so it is as small as can be.
    let chassis = directory.join("chassis.sh");
    std::fs::write(&chassis, "#!/bin/sh\n[ \"$1\" = get ] && echo power:1\nexit 0\n")?;
    Ok(std::fs::set_permissions(&chassis, std::os::unix::fs::PermissionsExt::from_mode(0o755))?)
}
