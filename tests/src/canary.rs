//! Promise P7: a scan for canary secrets in every place where a secret can turn up. A test gives plugins secrets that stand
//! nowhere else, lets them act and fail, and shows everything that came of it to a [`Canary`]:
//!
//! ```no_run
//! # use drp_tests::{canary::Canary, daemon::Daemon};
//! # async fn test(daemon: Daemon) {
//! let mut canary = Canary::new(&["s3cret-canary-16", "wrong-canary-4711"]);
//! let watch = canary.watch(daemon.pid()); // argv and environment, also of children that live for moments
//! let mut events = canary.events(&daemon).await;
//! canary.look("result", daemon.get("machines").await.to_string());
//! canary.end_of(&daemon, &mut events).await; // log, events, files, core files, what still runs
//! canary.stop(watch);
//! canary.check(&["result", "event", "daemon log"]);
//! # }
//! ```
//!
//! A secret is found in plain, as hex, as the bytes that `{:?}` prints, percent-encoded, and in Base64 at any place of a
//! longer text (a Basic header holds `user:password`). The store is scanned like any other file: sealed values are not the
//! secret. Executables below `plugins/` are not: they are this build's.

use crate::daemon::Daemon;
use crate::events::EventSocket;
use base64::Engine;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// How often the processes of a tree are looked at. A child that lives shorter may be missed: stand-ins for tools
/// write down their own arguments and environment, for [`Canary::files`].
const SAMPLE_EVERY: Duration = Duration::from_millis(2);

/// What is looked for, where it was looked, and what was found.
#[derive(Clone)]
pub struct Canary {
    /// Name of the form and its bytes.
    forms: Arc<Vec<(String, Vec<u8>)>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    /// Bytes scanned, by place.
    bytes: BTreeMap<String, u64>,
    /// What processes showed so far.
    processes: BTreeSet<(i32, Vec<u8>)>,
    found: BTreeSet<String>,
    trouble: BTreeSet<String>,
}

/// Looks at the processes of a tree until it is given to [`Canary::stop`].
#[must_use]
pub struct Watch {
    end: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.end.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Canary {
    /// A scan for these secrets. They must be longer than 7 bytes, or they would be found by chance.
    #[must_use]
    pub fn new(secrets: &[&str]) -> Self {
        assert!(!secrets.is_empty() && secrets.iter().all(|s| s.len() > 7), "canaries of more than 7 bytes");
        let forms = secrets.iter().flat_map(|secret| forms(secret)).collect();
        Self { forms: Arc::new(forms), seen: Arc::default() }
    }

    /// Scans something; `place` says what it is (`"result"`, `"plugin log"`).
    pub fn look(&self, place: &str, bytes: impl AsRef<[u8]>) {
        self.scan(place, place, bytes.as_ref());
    }

    /// Counts for `place`; a find is told as being in `at`.
    fn scan(&self, place: &str, at: &str, bytes: &[u8]) {
        let hits = self.forms.iter().filter_map(|(name, form)| {
            let found = bytes.windows(form.len()).position(|window| window == form.as_slice())?;
            Some(format!("{name} in {at}: …{}…", before(bytes, found)))
        });
        let hits: Vec<String> = hits.collect();
        let mut seen = self.seen();
        *seen.bytes.entry(place.to_owned()).or_default() += bytes.len() as u64;
        seen.found.extend(hits);
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Scans every file below a directory, names too, but those below `except`. Core files are files.
    pub fn files(&self, directory: &Path, except: &[&Path]) {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let (path, Ok(kind)) = (entry.path(), entry.file_type()) else { continue };
            if except.iter().any(|other| path.starts_with(other)) {
                continue;
            }
            self.scan("file name", "a file name", path.as_os_str().as_encoded_bytes());
            if kind.is_dir() {
                self.files(&path, except);
            } else if kind.is_file()
                && let Ok(bytes) = std::fs::read(&path)
            {
                self.scan("file", &path.display().to_string(), &bytes);
            }
        }
    }

    /// Scans arguments, environment and name of a process and of all below it, once. Their number.
    pub fn processes(&self, root: i32) -> usize {
        let tree = tree(root);
        for pid in &tree {
            for file in ["cmdline", "environ", "comm"] {
                let path = format!("/proc/{pid}/{file}");
                // The same again, at the next look, has been scanned.
                if let Ok(bytes) = std::fs::read(&path)
                    && self.seen().processes.insert((*pid, bytes.clone()))
                {
                    let place = if file == "environ" { "environment" } else { "argv" };
                    self.scan(place, &format!("{path} ({})", name(*pid)), &bytes);
                }
            }
        }
        tree.len()
    }

    /// Looks at the processes below this one from now on, again and again: at children that live for moments too.
    pub fn watch(&self, root: i32) -> Watch {
        assert!(
            Path::new(&format!("/proc/{root}/task/{root}/children")).exists(),
            "process {root} runs, on a kernel that names children"
        );
        let (end, canary) = (Arc::new(AtomicBool::new(false)), self.clone());
        let over = end.clone();
        let look = move || {
            while !over.load(Ordering::Acquire) {
                canary.processes(root);
                std::thread::sleep(SAMPLE_EVERY);
            }
        };
        Watch { end, thread: Some(std::thread::spawn(look)) }
    }

    /// Ends a [`Watch`] after one more look.
    pub fn stop(&self, watch: Watch) {
        drop(watch);
    }

    /// All events of a daemon from now on, as a person with all rights sees them, and its log at level debug.
    pub async fn events(&self, daemon: &Daemon) -> EventSocket {
        daemon.expect(201, "POST", "prefs", json!({"logLevel": "debug"})).await;
        let mut events = EventSocket::connect(daemon).await;
        events.register("*.*.*").await;
        events
    }

    /// Scans what a daemon leaves while it still runs: events so far, log buffer, log, files and core files of its base
    /// root, and its processes, none of whose plugins may dump core.
    pub async fn end_of(&self, daemon: &Daemon, events: &mut EventSocket) {
        let mark = format!("{:x}", std::ptr::from_ref(self) as usize);
        daemon.expect(204, "POST", "events", json!({"Type": "canary", "Action": "end", "Key": mark})).await;
        loop {
            let event = events.next().await;
            self.scan("event", "an event", event.to_string().as_bytes());
            if event["Type"] == "canary" && event["Key"] == mark.as_str() {
                break;
            }
        }
        self.look("log buffer", daemon.get("logs").await.to_string());
        self.look("daemon log", daemon.log());
        self.processes(daemon.pid());
        for pid in tree(daemon.pid()).into_iter().filter(|pid| *pid != daemon.pid()) {
            if let Ok(limits) = std::fs::read_to_string(format!("/proc/{pid}/limits")) {
                let core = limits.lines().find(|line| line.starts_with("Max core file size"));
                if core.and_then(|line| line.split_whitespace().nth(4)) != Some("0") {
                    self.seen().trouble.insert(format!("process {pid} ({}) may dump core", name(pid)));
                }
            }
        }
        self.files(daemon.base(), &[&daemon.base().join("plugins")]);
    }

    /// Panics with everything that was found, and when one of these places (or any other that was named) held nothing:
    /// a scan that saw nothing proves nothing.
    pub fn check(&self, places: &[&str]) {
        let seen = self.seen();
        let shown: Vec<_> = seen.found.iter().chain(&seen.trouble).map(String::as_str).collect();
        assert!(shown.is_empty(), "secrets turned up:\n{}", shown.join("\n"));
        for place in places {
            let bytes = seen.bytes.get(*place).copied().unwrap_or_default();
            assert!(bytes > 0, "nothing was seen of {place}; of others: {:?}", seen.bytes);
        }
    }
}

/// What a secret looks like where it turns up.
fn forms(secret: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let spaced: Vec<String> = bytes.iter().map(|b| format!("{b:02x}")).collect();
    let percent: String = bytes
        .iter()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(*b).to_string() } else { format!("%{b:02X}") })
        .collect();
    let shown = format!("{bytes:?}");
    let mut forms = vec![
        ("plain".to_owned(), bytes.to_vec()),
        ("hex".to_owned(), hex.clone().into_bytes()),
        ("hex".to_owned(), hex.to_uppercase().into_bytes()),
        ("hex".to_owned(), spaced.join(" ").into_bytes()),
        ("bytes".to_owned(), shown.trim_matches(['[', ']']).as_bytes().to_vec()),
        ("bytes".to_owned(), shown.trim_matches(['[', ']']).replace(' ', "").into_bytes()),
        ("percent-encoded".to_owned(), percent.to_lowercase().into_bytes()),
        ("percent-encoded".to_owned(), percent.into_bytes()),
    ];
    // In Base64 of a longer text a secret has one of three forms, whose first and last characters hold other bits.
    for skip in 0..3 {
        let padded = [vec![0; skip], bytes.to_vec()].concat();
        let from = (skip * 8).div_ceil(6);
        let until = padded.len() * 8 / 6;
        for engine in [base64::engine::general_purpose::STANDARD, base64::engine::general_purpose::URL_SAFE] {
            forms.push(("Base64".to_owned(), engine.encode(&padded).as_bytes()[from..until].to_vec()));
        }
    }
    forms.sort();
    forms.dedup();
    forms.into_iter().map(|(name, form)| (format!("canary {secret:?}, {name},"), form)).collect()
}

/// The text before a find; the secret itself need not be shown twice.
fn before(bytes: &[u8], at: usize) -> String {
    String::from_utf8_lossy(&bytes[at.saturating_sub(200)..at]).replace('\0', " ")
}

/// A process and all that it and its children started, as far as they still run.
fn tree(root: i32) -> Vec<i32> {
    let mut tree = vec![root];
    let mut next = 0;
    while let Some(pid) = tree.get(next).copied() {
        next += 1;
        for task in std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
            tree.extend(children.split_whitespace().filter_map(|pid| pid.parse::<i32>().ok()));
        }
    }
    tree
}

fn name(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default().trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    const SECRET: &str = "s3cret/canary+16";

    fn finds(act: impl FnOnce(&Canary)) -> Vec<String> {
        let canary = Canary::new(&[SECRET]);
        act(&canary);
        let seen = canary.seen();
        seen.found.iter().cloned().collect()
    }

    #[test]
    fn every_form_is_found_and_nothing_else() {
        let standard = base64::engine::general_purpose::STANDARD;
        for text in [
            format!("x{SECRET}y"),
            format!("{:?}", SECRET.as_bytes()),
            serde_json::to_string(SECRET.as_bytes()).unwrap(),
            SECRET.bytes().map(|b| format!("{b:02X}")).collect(),
            SECRET.replace('/', "%2F").replace('+', "%2B"),
            standard.encode(format!("{SECRET}:x")),
            standard.encode(format!("a{SECRET}")),
            standard.encode(format!("ab{SECRET}x")),
            standard.encode(format!("admin:{SECRET}")),
        ] {
            assert!(!finds(|canary| canary.look("text", &text)).is_empty(), "{text}");
        }
        assert_eq!(finds(|canary| canary.look("text", "s3cret/canary+1 7 AGFkbWlu")), Vec::<String>::new());
    }

    #[test]
    fn arguments_and_environments_of_children_and_files_are_seen() {
        let directory = tempfile::tempdir().unwrap();
        let own = i32::try_from(std::process::id()).unwrap();
        let found = finds(|canary| {
            let watch = canary.watch(own);
            for (argument, variable) in [(SECRET, ""), ("", SECRET)] {
                let mut shell = Command::new("sh")
                    .args(["-c", "read line", argument])
                    .env("CANARY", variable)
                    .stdin(Stdio::piped())
                    .spawn()
                    .unwrap();
                std::thread::sleep(Duration::from_millis(100));
                drop(shell.stdin.take());
                shell.wait().unwrap();
            }
            canary.stop(watch);
            std::fs::create_dir(directory.path().join("deep")).unwrap();
            std::fs::write(directory.path().join("deep/core"), SECRET).unwrap();
            std::fs::write(directory.path().join("except"), SECRET).unwrap();
            canary.files(directory.path(), &[&directory.path().join("except")]);
        });
        for place in ["cmdline", "environ", "deep/core"] {
            assert!(found.iter().any(|find| find.contains(place)), "{place}: {found:?}");
        }
        assert!(!found.iter().any(|find| find.contains("except")), "{found:?}");
    }

    #[test]
    #[should_panic(expected = "nothing was seen of event")]
    fn a_scan_that_saw_nothing_proves_nothing() {
        let canary = Canary::new(&[SECRET]);
        canary.look("result", "x");
        canary.check(&["result", "event"]);
    }
}
