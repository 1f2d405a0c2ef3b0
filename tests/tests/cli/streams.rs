//! Events, logs and waiting.

use crate::run::Drp;
use drp_tests::daemon::Daemon;
use serde_json::Value;
use std::io::{BufRead, BufReader};
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

/// Lines of a running command as they come.
struct Lines {
    child: Child,
    lines: Receiver<String>,
}

impl Lines {
    fn of(drp: Drp) -> Self {
        let mut child = drp.spawn();
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).for_each(|line| drop(send.send(line))));
        Self { child, lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(Duration::from_secs(30)).expect("a line in time")
    }

    /// The first line. Nobody can tell when the command has registered, so the event is posted until it shows.
    fn after(&self, daemon: &Daemon, event: &str) -> String {
        for _ in 0..300 {
            Drp::on(daemon, ["events", "post", event]).ok();
            if let Ok(line) = self.lines.recv_timeout(Duration::from_millis(100)) {
                return line;
            }
        }
        panic!("no event came through\n{}", daemon.log());
    }

    fn interrupt(mut self) -> Option<i32> {
        let pid = nix::unistd::Pid::from_raw(i32::try_from(self.child.id()).unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        self.child.wait().unwrap().code()
    }
}

#[test]
fn events_are_watched_and_posted() {
    let daemon = Daemon::start();
    let watch = Lines::of(Drp::on(&daemon, ["events", "watch", "test.*.*", "profiles.create.*"]));
    let probe = watch.after(&daemon, "{Type: test, Action: probe, Key: k, Object: {n: 1}}");
    let event: Value = serde_json::from_str(&probe).unwrap();
    assert_eq!((&event["Action"], &event["Object"]["n"]), (&"probe".into(), &1.into()));
    Drp::on(&daemon, ["profiles", "create", "p1"]).ok();
    loop {
        let event: Value = serde_json::from_str(&watch.next()).unwrap();
        if event["Type"] == "profiles" {
            assert_eq!(event["Key"], "p1");
            break;
        }
    }
    assert_eq!(watch.interrupt(), Some(130));
    Drp::on(&daemon, ["events", "watch", "nonsense"]).fails(2);
    Drp::on(&daemon, ["events", "post", "[1]"]).fails(2);
}

#[test]
fn a_watcher_outlives_the_daemon_and_says_so() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let mut watch = Lines::of(Drp::on(&daemon, ["events", "watch", "test.*.*"]));
    watch.after(&daemon, "{Type: test, Action: before, Key: k}");
    let warnings = BufReader::new(watch.child.stderr.take().unwrap());
    daemon.kill9();
    let daemon = Daemon::builder().base(base.path()).start();
    let mut warnings = warnings.lines().map_while(Result::ok);
    assert!(warnings.next().unwrap().contains("the connection is lost"));
    assert!(warnings.next().unwrap().contains("there again"));
    while !watch.after(&daemon, "{Type: test, Action: after, Key: k}").contains("after") {}
    assert_eq!(watch.interrupt(), Some(130));
}

#[test]
fn a_field_is_waited_for() {
    let daemon = Daemon::start();
    Drp::on(&daemon, ["machines", "create", "m1"]).ok();
    assert_eq!(Drp::on(&daemon, ["machines", "wait", "Name:m1", "Name", "m1", "5"]).ok().out, "complete\n");
    let waiting = Lines::of(Drp::on(&daemon, ["machines", "wait", "Name:m1", "Description", "done", "30"]));
    std::thread::sleep(Duration::from_millis(300));
    Drp::on(&daemon, ["machines", "update", "Name:m1", "Description: done"]).ok();
    assert_eq!(waiting.next(), "complete");
    let ran = Drp::on(&daemon, ["machines", "wait", "Name:m1", "Runnable", "maybe", "1"]).fails(8);
    assert_eq!(ran.out, "timeout\n");
    Drp::on(&daemon, ["machines", "wait", "Name:none", "Runnable", "true", "1"]).fails(3);
}

#[test]
fn logs_are_shown_and_watched() {
    let daemon = Daemon::start();
    assert!(Drp::on(&daemon, ["logs"]).json().is_array());
    let watch = Lines::of(Drp::on(&daemon, ["logs", "watch"]));
    let line =
        watch.after(&daemon, "{Type: log, Action: info, Key: test, Object: {Level: info, Message: hello}}");
    assert!(line.contains("Message"), "{line}");
    assert_eq!(watch.interrupt(), Some(130));
    assert!(Drp::on(&daemon, ["logs", "--format", "table"]).ok().out.contains("ready"));
}
