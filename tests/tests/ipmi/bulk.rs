//! `drp machines runaction` on many machines at once, the real command against a daemon and simulated BMCs.

use crate::rig::{PASSWORD, USER};
use drp_bmc_sim::{BmcConfig, Simulator};
use drp_tests::daemon::{Daemon, binary, processes_under};
use drp_tests::peers::wait_until;
use futures_util::{StreamExt, TryStreamExt, stream};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const WRONG: &str = "wrong-canary-4711";

/// A daemon with the plugin, and machines whose BMCs are simulated here.
struct Fleet {
    daemon: Daemon,
    bmcs: Vec<Simulator>,
}

/// BMCs on addresses of many subnets: there is a bound for each.
fn address(n: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 16, u8::try_from(n / 200).unwrap(), u8::try_from(n % 200 + 1).unwrap())
}

fn name(n: usize) -> String {
    format!("node-{n:04}")
}

impl Fleet {
    /// `count` machines `node-0000`… whose BMCs are alike. They take their login from a profile.
    async fn start(count: usize, change: impl Fn(&mut BmcConfig)) -> Self {
        let files = nix::sys::resource::Resource::RLIMIT_NOFILE;
        let (_, hard) = nix::sys::resource::getrlimit(files).unwrap();
        nix::sys::resource::setrlimit(files, hard, hard).unwrap();
        let daemon = Daemon::builder().plugin("ipmi").start();
        daemon.wait_plugin("ipmi").await;
        let profile = json!({"Name": "bmc", "Params": {
            "ipmi/username": USER, "ipmi/password": PASSWORD, "ipmi/timeout": 8, "ipmi/min-gap": 0,
        }});
        daemon.expect(201, "POST", "profiles", profile).await;
        let bmcs: Vec<Simulator> = stream::iter(0..count)
            .then(|n| {
                let mut config = BmcConfig::new(USER, PASSWORD.to_owned());
                config.listen = SocketAddr::from((address(n), 0));
                change(&mut config);
                Simulator::start(config)
            })
            .try_collect()
            .await
            .unwrap();
        let fleet = Self { daemon, bmcs };
        stream::iter(0..count)
            .for_each_concurrent(16, |n| fleet.machine(n, fleet.bmcs[n].address(), json!({})))
            .await;
        fleet
    }

    /// Makes a machine; of each hundred the first ten are in rack a.
    async fn machine(&self, n: usize, bmc: SocketAddr, more: Value) {
        let mut params = json!({"ipmi/address": bmc.ip().to_string(), "ipmi/port-ipmitool": bmc.port()});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rack = if n % 100 < 10 { "a" } else { "b" };
        let machine = json!({"Name": name(n), "Profiles": ["bmc"], "Meta": {"rack": rack}, "Params": params});
        self.daemon.expect(201, "POST", "machines", machine).await;
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary("drp"));
        command.env_clear().env("PATH", "/usr/bin:/bin").env("DRP_BASE_ROOT", self.daemon.base());
        command.args(["machines", "runaction"]).args(words).stdin(Stdio::null());
        command
    }

    fn spawn(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    async fn run(&self, words: &[&str]) -> Ran {
        let mut command = self.command(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        Ran::of(output.status.code(), &output.stdout, &output.stderr)
    }

    /// BMCs that were talked to.
    fn touched(&self) -> usize {
        self.bmcs.iter().filter(|bmc| bmc.counts().datagrams > 0).count()
    }
}

#[derive(Debug)]
struct Ran {
    code: i32,
    lines: Vec<Value>,
    err: String,
}

impl Ran {
    fn of(code: Option<i32>, out: &[u8], err: &[u8]) -> Self {
        let out = String::from_utf8_lossy(out);
        let lines = out.lines().map(|l| serde_json::from_str(l).unwrap_or_else(|e| panic!("{e}: {l}")));
        let (lines, err) = (lines.collect(), String::from_utf8_lossy(err).into_owned());
        Self { code: code.unwrap_or(-1), lines, err }
    }

    /// Waits for the end of a process of which some lines were read already.
    fn rest(mut child: Child, out: impl Read) -> Self {
        let mut read = Vec::new();
        BufReader::new(out).read_to_end(&mut read).unwrap();
        let mut err = Vec::new();
        child.stderr.take().unwrap().read_to_end(&mut err).unwrap();
        Self::of(child.wait().unwrap().code(), &read, &err)
    }

    /// Names of the machines that failed, by code and type.
    fn failed(&self) -> BTreeMap<(u64, &str), BTreeSet<&str>> {
        let mut failed = BTreeMap::<_, BTreeSet<_>>::new();
        for line in self.lines.iter().filter(|line| line["Ok"] == false) {
            let kind = (line["Error"]["Code"].as_u64().unwrap(), line["Error"]["Type"].as_str().unwrap());
            failed.entry(kind).or_default().insert(line["Name"].as_str().unwrap());
        }
        failed
    }
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), Signal::SIGINT).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_machines_of_which_some_are_dead_or_refuse() {
    const ALL: usize = 1_000;
    let fleet = Fleet::start(ALL, |config| config.powered = true).await;
    // The next thirty are silent, and the BMCs of twenty more refuse the password.
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    for n in ALL..ALL + 30 {
        fleet.machine(n, silent.local_addr().unwrap(), json!({"ipmi/timeout": 1})).await;
    }
    let refusing = [(); 20].map(|()| BmcConfig::new(USER, PASSWORD.to_owned()));
    let refusing: Vec<Simulator> = stream::iter(refusing).then(Simulator::start).try_collect().await.unwrap();
    for (n, bmc) in refusing.iter().enumerate() {
        fleet.machine(ALL + 30 + n, bmc.address(), json!({"ipmi/password": WRONG})).await;
    }

    let ran = fleet.run(&["--filter", "Name=Re(^node-)", "powerstatus"]).await;
    assert_eq!(ran.code, 7, "{}", ran.err);
    let keys: BTreeSet<&str> = ran.lines.iter().map(|line| line["Key"].as_str().unwrap()).collect();
    assert_eq!((ran.lines.len(), keys.len()), (ALL + 50, ALL + 50), "a line for each: {}", ran.err);
    let on = ran.lines.iter().filter(|line| line["Ok"] == true && line["Result"]["state"] == "on");
    assert_eq!(on.count(), ALL);
    assert!(ran.lines.iter().all(|line| line["Ms"].is_u64()));
    let names = |range: std::ops::Range<usize>| range.map(name).collect::<BTreeSet<_>>();
    let failed = ran.failed();
    let kinds: Vec<_> = failed.keys().copied().collect();
    assert_eq!(kinds, [(401, "CREDENTIALS"), (504, "SILENT")]);
    let of = |kind| failed[&kind].iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(of((401, "CREDENTIALS")), names(ALL + 30..ALL + 50));
    assert_eq!(of((504, "SILENT")), names(ALL..ALL + 30));
    let summary: Vec<&str> = ran.err.lines().collect();
    assert!(summary[0].starts_with("machines powerstatus: 1000 of 1050 done, 50 failed, in "), "{}", ran.err);
    assert!(summary[1].starts_with("     30  504 SILENT: node-10"), "{}", ran.err);
    assert!(summary[2].starts_with("     20  401 CREDENTIALS: node-10"), "{}", ran.err);
    assert!(!ran.err.contains(WRONG) && ran.lines.iter().all(|line| !line.to_string().contains(WRONG)));

    // Those that answer, once more: all is well, and each has the session it had.
    // Over HTTPS as well, where each of the connections has a handshake, and the login is one.
    let pin = fleet.daemon.base().join("tls/server.crt");
    let mut remote =
        fleet.command(&["--filter", "Meta.rack=a", "--filter", "Name=Lt(node-1000)", "powerplan"]);
    remote.env_remove("DRP_BASE_ROOT").env("RS_KEY", "rocketskates:r0cketsk8ts");
    remote.arg("--endpoint").arg(&fleet.daemon.api).arg("--pin").arg(pin);
    let output = tokio::task::spawn_blocking(move || remote.output()).await.unwrap().unwrap();
    let rack = Ran::of(output.status.code(), &output.stdout, &output.stderr);
    assert_eq!((rack.code, rack.lines.len()), (0, 100), "{}", rack.err);
    assert!(rack.lines.iter().all(|line| line["Result"]["text"].to_string().contains("nothing was sent")));
    let good = ["--filter", "Name=Lt(node-1000)"];
    let ran = fleet.run(&[&good[..], &["--parallel", "64", "poweroff"]].concat()).await;
    assert_eq!((ran.code, ran.lines.len()), (0, ALL), "{}", ran.err);
    assert!(ran.lines.iter().all(|line| line["Result"]["verified"] == true));
    for bmc in &fleet.bmcs {
        let counts = bmc.counts();
        assert_eq!((counts.power_downs, counts.most_sessions), (1, 1), "{bmc:?}");
        assert!(!bmc.power());
    }
    // Refused credentials are not sent again.
    let again = fleet.run(&["--filter", "Name=Gte(node-1030)", "powerstatus"]).await;
    assert_eq!(again.code, 7);
    assert_eq!(again.failed().keys().copied().collect::<Vec<_>>(), [(401, "LOCKED")]);
    assert!(refusing.iter().all(|bmc| bmc.counts().refused <= 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn which_machines_and_what_would_be_done() {
    let fleet = Fleet::start(12, |_| {}).await;
    let names = |ran: &Ran| -> Vec<String> {
        let mut names: Vec<_> =
            ran.lines.iter().map(|line| line["Name"].as_str().unwrap().to_owned()).collect();
        names.sort_unstable();
        names
    };
    let dry = fleet.run(&["--filter", "Meta.rack=b", "--dry-run", "poweron"]).await;
    assert_eq!((dry.code, names(&dry)), (0, vec![name(10), name(11)]), "{}", dry.err);
    let key = dry.lines[0]["Key"].as_str().unwrap();
    let request =
        json!({"Method": "POST", "Path": format!("/api/v3/machines/{key}/actions/poweron"), "Body": {}});
    assert_eq!(dry.lines[0]["Result"], request);
    assert!(dry.err.contains("poweron, dry run: 2 of 2 done"), "{}", dry.err);
    // What would not work is found without doing it.
    fleet.daemon.expect(201, "POST", "machines", json!({"Name": "bare", "Profiles": ["bmc"]})).await;
    let dry = fleet.run(&["--all", "--dry-run", "poweron"]).await;
    assert_eq!((dry.code, dry.lines.len(), dry.failed()[&(400, "GET")].len()), (7, 13, 1), "{}", dry.err);
    assert!(dry.err.contains("bare: Action poweron Missing Parameter ipmi/address"), "{}", dry.err);
    assert_eq!(fleet.touched(), 0, "nothing was sent to any BMC");

    let mut child = fleet.command(&["--ids", "-", "identify", "ipmi/identify-duration", "7"]);
    let mut child =
        child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let keys = "# two of them\nName:node-0001\n\nName:node-0002\nName:node-0001\nName:nobody\n";
    child.stdin.take().unwrap().write_all(keys.as_bytes()).unwrap();
    let out = child.stdout.take().unwrap();
    let ran = tokio::task::spawn_blocking(move || Ran::rest(child, out)).await.unwrap();
    assert_eq!((ran.code, ran.lines.len(), fleet.touched()), (7, 3, 2), "{}", ran.err);
    assert!(ran.err.contains("1  404 GET: Name:nobody") || ran.err.contains("1  404"), "{}", ran.err);
    assert!(fleet.bmcs[1].identify().is_some() && fleet.bmcs[3].identify().is_none());

    for (words, code, text) in [
        (&["--filter", "Name=nobody", "poweron"][..], 3, "there are no such machines"),
        (&["--filter", "Nme=x", "poweron"], 4, "drp machines indexes"),
        (&["--filter", "Name", "poweron"], 2, "has no ="),
        (&["--filter", "Meta.rack=b", "Name:node-0001", "poweron"], 2, "is no action"),
        (&["--filter", "Meta.rack=b", "poweron", "ipmi/timeout"], 2, "no value"),
        (&["--filter", "Meta.rack=b", "powern"], 7, "`poweron`"),
        (&["--filter", "Meta.rack=b"], 2, "required"),
        (&["--filter", "Meta.rack=b", "--all", "poweron"], 2, "cannot be used with"),
        (&["--parallel", "4", "Name:node-0001", "poweron"], 2, "--filter"),
        (&["--all", "--parallel", "0", "poweron"], 2, "--parallel"),
        (&["--ids", "/nonexistent", "poweron"], 3, "/nonexistent"),
    ] {
        let mut command = fleet.command(words);
        let output = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
        let err = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{words:?}: {err}");
        assert!(err.contains(text), "{words:?}: {err}");
    }
}

/// One line of output, and the rest of it for later.
fn first_line(child: &mut Child) -> (Value, impl Read + Send + 'static) {
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (serde_json::from_str(&line).unwrap_or_else(|e| panic!("{e}: {line}")), out)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupt_begins_nothing_more_and_a_second_ends_at_once() {
    let fleet = Fleet::start(60, |config| config.latency = Duration::from_millis(40)).await;
    let mut child = fleet.spawn(&["--filter", "Name=Lt(node-0050)", "--parallel", "4", "poweron"]);
    let (_, out) = first_line(&mut child);
    interrupt(&child);
    let ran = tokio::task::spawn_blocking(move || Ran::rest(child, out)).await.unwrap();
    assert_eq!(ran.code, 130, "{}", ran.err);
    let lines = 1 + ran.lines.len();
    assert!(lines < 50, "{lines} of 50 were begun");
    assert!(ran.err.contains("interrupted: nothing more is begun"), "{}", ran.err);
    assert!(ran.err.contains(&format!("{lines} of 50 done, {} not begun", 50 - lines)), "{}", ran.err);
    // What was begun came to its end and was told; nothing else was touched.
    assert!(ran.lines.iter().all(|line| line["Result"]["verified"] == true));
    assert_eq!((fleet.touched(), fleet.bmcs.iter().filter(|bmc| bmc.power()).count()), (lines, lines));

    // These take a second and more; a second interrupt does not wait for them.
    let slow = ["--filter", "Name=Gte(node-0050)", "--parallel", "3", "poweron"];
    for bmc in &fleet.bmcs[50..] {
        bmc.configure(|config| config.latency = Duration::from_millis(250));
    }
    let mut child = fleet.spawn(&slow);
    assert!(wait_until(Duration::from_secs(20), || fleet.touched() == lines + 3));
    interrupt(&child);
    let mut err = BufReader::new(child.stderr.take().unwrap());
    let mut told = String::new();
    err.read_line(&mut told).unwrap();
    assert!(told.contains("3 under way are waited for"), "{told}");
    interrupt(&child);
    err.read_to_string(&mut told).unwrap();
    let status = child.wait().unwrap();
    assert_eq!(status.code(), Some(130), "{told}");
    assert!(told.contains("0 of 10 done, 7 not begun, 3 under way, left to the daemon"), "{told}");
    // The daemon carries out what it has been given, and nothing more.
    let on = || fleet.bmcs[50..].iter().filter(|bmc| bmc.power()).count();
    assert!(wait_until(Duration::from_secs(20), || on() == 3), "{} are on: {}", on(), fleet.daemon.log());
    assert_eq!(fleet.touched(), lines + 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_goes_away_stops_it() {
    let fleet = Fleet::start(60, |config| config.latency = Duration::from_millis(20)).await;
    let mut child = fleet.spawn(&["--all", "--parallel", "4", "poweron"]);
    let (_, out) = first_line(&mut child);
    drop(out);
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(7), "{err}");
    assert!(err.contains("not begun") && !err.contains("failed"), "{err}");
    let touched = fleet.touched();
    assert!(touched < 60 && err.contains(&format!(" {touched} of 60 done")), "{touched}: {err}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_starts_again_is_waited_for_and_a_daemon_that_dies_is_not() {
    let fleet = Fleet::start(40, |config| config.latency = Duration::from_millis(50)).await;
    let plugin = processes_under(fleet.daemon.base()).into_iter().find(|line| line.contains(" listen "));
    let pid = plugin.unwrap().split(' ').next().unwrap().parse().unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    // It has seen the end of the process; until the next one is ready, the daemon refuses with 503.
    fleet
        .daemon
        .wait_for("system/status", |status| {
            status.json()["Plugins"].as_array().unwrap().iter().all(|plugin| plugin["State"] != "configured")
        })
        .await;
    let ran = fleet.run(&["--all", "powerstatus"]).await;
    assert_eq!((ran.code, ran.lines.len()), (0, 40), "{}", ran.err);

    let mut child = fleet.spawn(&["--all", "--parallel", "2", "powerstatus"]);
    let (_, out) = first_line(&mut child);
    let Fleet { daemon, bmcs } = fleet;
    daemon.kill9();
    let ran = tokio::task::spawn_blocking(move || Ran::rest(child, out)).await.unwrap();
    assert_eq!(ran.code, 7, "{}", ran.err);
    assert!(ran.lines.len() < 39 && ran.err.contains("not begun"), "{}", ran.err);
    assert!(ran.err.contains("UNREACHABLE") && ran.err.contains("hint: "), "{}", ran.err);
    drop(bmcs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_terminal_gets_a_bar_and_words() {
    let fleet = Fleet::start(30, |config| config.latency = Duration::from_millis(30)).await;
    let size = nix::pty::Winsize { ws_row: 24, ws_col: 100, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = nix::pty::openpty(Some(&size), None).unwrap();
    let mut command = fleet.command(&["--all", "--parallel", "2", "powerstatus"]);
    command.env("TERM", "xterm");
    command.stdout(terminal.slave.try_clone().unwrap()).stderr(terminal.slave);
    let mut child = command.spawn().unwrap();
    // Its ends in the parent would keep the terminal open.
    drop(command);
    let mut screen = Vec::new();
    // The terminal of which the last user is gone reads as an error.
    let _ = std::fs::File::from(terminal.master).read_to_end(&mut screen);
    assert_eq!(child.wait().unwrap().code(), Some(0));
    let screen = String::from_utf8_lossy(&screen);
    let text = screen.replace('\r', "\n");
    assert!(text.contains("0 of 30") && text.contains("2 under way") && text.contains('#'), "{text}");
    for n in 0..30 {
        let line = format!("{}  off  (", name(n));
        assert!(text.contains(&line), "{line}: {text}");
    }
    let end = text.trim_end().lines().last().unwrap();
    assert!(end.contains("machines powerstatus: 30 of 30 done, in "), "the bar is gone at the end: {text}");
}
