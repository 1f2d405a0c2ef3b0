//! Chassis identify.

use crate::job::Job;
use crate::{BmcError, Command, Identify, Outcome};

pub(super) async fn set(job: &mut Job, identify: Identify) -> Result<Outcome, BmcError> {
    let lost = job.change(Command::Identify(identify)).await?;
    let seen = job.glance().await.and_then(|chassis| chassis.identify);
    let on = identify != Identify::Off;
    match (seen, lost) {
        (Some(seen), _) if seen == on => {
            Ok(job.outcome(identify, if on { "on" } else { "off" }, true, format!("{identify}, read back")))
        }
        (Some(_), Some(lost)) | (None, Some(lost)) => {
            Err(job.unconfirmed(format!("{identify} was not answered ({lost})")))
        }
        (Some(_), None) => {
            let text =
                format!("sent but not confirmed: the BMC accepted {identify} and reports the opposite");
            Ok(job.outcome(identify, if on { "off" } else { "on" }, false, text))
        }
        (None, None) => {
            let text =
                format!("sent but not confirmed: the BMC accepted {identify} and does not report identify");
            Ok(job.outcome(identify, "unknown", false, text))
        }
    }
}
