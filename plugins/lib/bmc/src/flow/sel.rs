//! Clearing the system event log: sent once, and read back.

use crate::job::Job;
use crate::reading::{Sel, SelEntry};
use crate::{BmcError, Command, Kind, Outcome, Part};
use serde_json::json;
use std::time::Duration;

/// The log is read back so often.
const PACE: Duration = Duration::from_millis(500);

pub(super) async fn clear(job: &mut Job) -> Result<Outcome, BmcError> {
    let before = read(job).await?;
    if before.total == 0 {
        job.glance().await;
        let text = "the system event log was empty already; nothing was sent";
        return Ok(job.outcome("empty", "empty", true, text));
    }
    let lost = job.change(Command::SelClear).await?;
    let begun = job.now();
    loop {
        let after = match read(job).await {
            Ok(after) => Some(after),
            Err(error) if matches!(error.kind, Kind::Cancelled | Kind::Credentials | Kind::Locked) => {
                return Err(open(job, &format!("reading back failed: {}", error.what)));
            }
            Err(error) => {
                job.note(format!("reading back: {}", error.what));
                None
            }
        };
        // What was logged since the clearing, such as that the log was cleared, may be there.
        if let Some(after) = after.filter(|after| cleared(after, &before)) {
            job.glance().await;
            let removed = before.total;
            let new = after.total;
            let were =
                if removed == 1 { "1 entry was".to_owned() } else { format!("{removed} entries were") };
            let text = match new {
                0 => format!("{were} removed; the log reads empty"),
                _ => format!("{were} removed; {new} logged since then, read back"),
            };
            let observed = match new {
                0 => "empty".to_owned(),
                1 => "1 new entry".to_owned(),
                _ => format!("{new} new entries"),
            };
            let mut outcome = job.outcome("empty", observed, true, text);
            outcome.details = Some(json!({ "removed": removed, "new": new }));
            return Ok(outcome);
        }
        if job.now().saturating_sub(begun) >= job.options.verify_timeout {
            let what = match &lost {
                Some(lost) => {
                    format!("the command to clear the log was not answered ({lost}), and entries are left")
                }
                None => {
                    "the BMC accepted to clear the log, and entries from before are still there".to_owned()
                }
            };
            return Err(open(job, &what));
        }
        job.pause(PACE).await?;
    }
}

/// Sent but not confirmed. What tells more is the log, not power.
fn open(job: &Job, what: &str) -> BmcError {
    job.unconfirmed(what).advise("read sel before doing anything else; the clearing may still take effect")
}

/// Whether the log was read, and nothing from before is in it. One that counts entries and gives none is still erasing.
///
/// A log whose one entry is the mark of its clearing is a cleared one, also when that mark equals the one before: a BMC whose
/// clock stands still, and which counts anew, gives both the same number and time.
fn cleared(after: &Sel, before: &Sel) -> bool {
    let read = after.missing.is_none() && !after.entries.is_empty();
    let only_the_mark = after.total == 1 && matches!(after.entries.as_slice(), [mark] if mark.clear_mark);
    after.total == 0
        || (read && only_the_mark)
        || (read && !after.entries.iter().any(|new| before.entries.iter().any(|old| same(old, new))))
}

/// Whether that is one entry. Its words may differ: they come from sensor data records, which cannot always be read.
fn same(old: &SelEntry, new: &SelEntry) -> bool {
    (&old.id, &old.time, &old.kind, old.asserted, old.severity)
        == (&new.id, &new.time, &new.kind, new.asserted, new.severity)
}

async fn read(job: &mut Job) -> Result<Sel, BmcError> {
    let data = job.part(Part::Sel).await?;
    serde_json::from_value(data).map_err(|error| job.error(Kind::Protocol, format!("the event log: {error}")))
}
