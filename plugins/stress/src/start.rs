//! Faults before the plugin runs: a copy of the executable named `stress-<fault>` has that fault.

use std::{io::Write, path::PathBuf, process::ExitCode, thread::sleep, time::Duration};

/// Start faults and what they do.
pub(crate) const FAULTS: [(&str, &str); 13] = [
    ("silent", "`listen` never says anything"),
    ("failed", "`listen` says `Failed` and ends with status 1"),
    ("early-exit", "`listen` ends with status 3 without a word"),
    ("deaf", "`listen` says `READY!` but does not listen"),
    ("ready-exit", "`listen` says `READY!` and ends"),
    ("slow-start", "`listen` takes 2 s to get ready"),
    ("noise", "`listen` prints 1,000 lines and bytes that are no text before `READY!`"),
    ("endless-line", "`listen` prints 64 MB without a newline and ends"),
    ("bad-define", "`define` prints text that is not JSON"),
    ("failing-define", "`define` ends with status 1"),
    ("hanging-define", "`define` never ends"),
    ("old-define", "`define` says plugin version 2"),
    ("failing-unpack", "`unpack` ends with status 1"),
];

/// Long enough for any deadline, short enough to leave nothing behind for ever.
const AGES: Duration = Duration::from_secs(600);

/// The provider's name: the file name of the executable, as daemons want it.
pub(crate) fn name() -> String {
    let exe: PathBuf = std::env::current_exe().unwrap_or_default();
    let name = exe.file_name().and_then(|n| n.to_str()).unwrap_or("stress");
    name.trim_end_matches(" (deleted)").to_owned()
}

/// Misbehaves as the name says; nothing when the verb at hand is not concerned.
pub(crate) fn misbehave(name: &str) -> Option<ExitCode> {
    let fault = name.strip_prefix("stress-").filter(|f| FAULTS.iter().any(|(known, _)| known == f))?;
    let verb = std::env::args().nth(1)?;
    match (verb.as_str(), fault) {
        ("listen", "silent") => {
            sleep(AGES);
            Some(ExitCode::FAILURE)
        }
        ("listen", "failed") => Some(end("Failed\n", 1)),
        ("listen", "early-exit") => Some(ExitCode::from(3)),
        ("listen", "deaf") => {
            say(b"READY!\n");
            sleep(AGES);
            Some(ExitCode::FAILURE)
        }
        ("listen", "ready-exit") => Some(end("READY!\n", 0)),
        ("listen", "slow-start") => {
            sleep(Duration::from_secs(2));
            None
        }
        ("listen", "noise") => {
            for line in 0..1000 {
                say(format!("noise {line}\n").as_bytes());
            }
            say(b"\xff\xfe\x00 READY!! no\n");
            None
        }
        ("listen", "endless-line") => {
            let block = vec![b'x'; 1 << 20];
            for _ in 0..64 {
                say(&block);
            }
            Some(ExitCode::FAILURE)
        }
        ("define", "bad-define") => Some(end("{ \"Name\": ", 0)),
        ("define", "failing-define") => Some(ExitCode::FAILURE),
        ("define", "hanging-define") => {
            sleep(AGES);
            Some(ExitCode::FAILURE)
        }
        ("define", "old-define") => {
            Some(end(&format!("{{\"Name\": \"{name}\", \"Version\": \"v1\", \"PluginVersion\": 2}}\n"), 0))
        }
        ("unpack", "failing-unpack") => Some(ExitCode::FAILURE),
        _ => None,
    }
}

fn say(bytes: &[u8]) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

fn end(text: &str, code: u8) -> ExitCode {
    say(text.as_bytes());
    ExitCode::from(code)
}
