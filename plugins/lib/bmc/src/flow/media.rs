//! Virtual media: insert or eject, read back.

use crate::job::Job;
use crate::verb::media;
use crate::{BmcError, Command, Kind, Outcome, Part};
use serde_json::Value;

pub(super) async fn mount(job: &mut Job) -> Result<Outcome, BmcError> {
    let Some(url) = job.options.media_url.clone().filter(|url| !url.is_empty()) else {
        return Err(job
            .error(Kind::Param, "no URL of an image was given")
            .advise("set ipmi/virtual-media-url"));
    };
    let before = job.part(Part::Media).await?;
    if image(&before) == Some(&url) && !job.options.media_boot {
        let mut outcome =
            job.outcome(&url, &url, true, "the image is in the drive already; nothing was sent");
        outcome.details = Some(before);
        return Ok(outcome);
    }
    if image(&before).is_some_and(|other| other != &*url) {
        return Err(job
            .error(Kind::State, "another image is in the drive; nothing was sent")
            .advise("run unmountVirtualMedia first"));
    }
    let command = media(&job.options);
    change(job, command, &url, Some(&url)).await
}

pub(super) async fn unmount(job: &mut Job) -> Result<Outcome, BmcError> {
    let before = job.part(Part::Media).await?;
    if before.get("inserted") == Some(&Value::Bool(false)) {
        let mut outcome =
            job.outcome("empty", "empty", true, "the drive was empty already; nothing was sent");
        outcome.details = Some(before);
        return Ok(outcome);
    }
    change(job, Command::MediaEject, "empty", None).await
}

async fn change(
    job: &mut Job,
    command: Command,
    asked: &str,
    want: Option<&str>,
) -> Result<Outcome, BmcError> {
    let words = command.to_string();
    let lost = job.change(command).await?;
    let after = match job.part(Part::Media).await {
        Ok(after) => after,
        Err(error) => {
            return Err(job.unconfirmed(format!("{words} was sent; reading back failed: {}", error.what)));
        }
    };
    let seen = image(&after);
    let verified = seen == want;
    if let (false, Some(lost)) = (verified, lost) {
        return Err(job.unconfirmed(format!("{words} was not answered ({lost})")));
    }
    job.glance().await;
    let text = if verified {
        format!("{words}: done, read back")
    } else {
        format!(
            "sent but not confirmed: the BMC accepted the command ({words}) and reads back {}",
            seen.unwrap_or("an empty drive")
        )
    };
    let mut outcome = job.outcome(asked, seen.unwrap_or("empty"), verified, text);
    outcome.details = Some(after);
    Ok(outcome)
}

/// The image in the drive.
fn image(state: &Value) -> Option<&str> {
    let inserted = state.get("inserted").and_then(Value::as_bool).unwrap_or(false);
    state.get("image").and_then(Value::as_str).filter(|image| inserted && !image.is_empty())
}
