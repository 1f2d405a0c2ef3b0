//! Boot override: set, read back, compare what BMCs keep.

use crate::job::Job;
use crate::{BmcError, BootDevice, BootState, Command, Kind, Outcome};
use serde_json::json;

pub(super) async fn set(job: &mut Job, device: BootDevice, persistent: bool) -> Result<Outcome, BmcError> {
    let asked = BootState::new(device, persistent, job.options.efi.unwrap_or(false));
    let mut lost = job.change(Command::BootSet(asked)).await?;
    let kept = loop {
        let kept = match job.boot().await {
            Ok(kept) => kept,
            Err(error) if error.kind == Kind::Unsupported && lost.is_none() => {
                job.note(format!("reading back: {}", error.what));
                job.glance().await;
                let text =
                    format!("sent but not confirmed: the BMC accepted {asked} and cannot be asked for it");
                return Ok(job.outcome(device, "unknown", false, text));
            }
            Err(error) => {
                return Err(
                    job.unconfirmed(format!("boot {asked} was set; reading back failed: {}", error.what))
                );
            }
        };
        // An answer was lost and the reading proves that the command was, too: once more, and once only.
        if kept.device != device && lost.take().is_some() {
            job.note(format!("set boot options: boot device stayed {}; sent again", kept.device));
            job.change(Command::BootSet(asked)).await?;
            continue;
        }
        break kept;
    };
    job.glance().await;
    let verified = kept.device == device;
    let mut text = if verified {
        format!("boot device is {device}, read back")
    } else {
        format!("sent but not confirmed: asked for {asked}, and the BMC reads back {}", kept.device)
    };
    let not_kept = asked.lost_flags(&kept);
    if verified && !not_kept.is_empty() {
        text.push_str(&format!("; the BMC does not read back: {}", not_kept.join(", ")));
    }
    if job.options.efi.is_none() {
        text.push_str("; detected-bios-mode is not set, so EFI was not asked for");
    }
    let mut outcome = job.outcome(device, kept.device, verified, text);
    outcome.details = Some(json!({ "asked": asked, "kept": kept }));
    Ok(outcome)
}

pub(super) async fn status(job: &mut Job) -> Result<Outcome, BmcError> {
    let kept = job.boot().await?;
    job.glance().await;
    let text = if kept.device == BootDevice::None {
        "no boot override".to_owned()
    } else if kept.valid {
        format!("boot override: {kept}")
    } else {
        format!("boot override: {kept}; the BMC does not mark it as in force")
    };
    let mut outcome = job.outcome("", kept.device, true, text);
    outcome.details = serde_json::to_value(kept).ok();
    Ok(outcome)
}
