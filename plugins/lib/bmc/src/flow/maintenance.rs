//! What is sent once and leaves nothing to read back: interrupts, restarts of the BMC.

use crate::job::Job;
use crate::{BmcError, Command, Kind, Outcome, Power, PowerControl};

pub(super) async fn interrupt(job: &mut Job) -> Result<Outcome, BmcError> {
    match job.chassis().await?.power {
        Power::On => {}
        Power::Off => {
            return Err(job
                .error(Kind::State, "power is off, so there is nothing to interrupt; nothing was sent")
                .advise("use poweron"));
        }
        Power::Unknown => {
            return Err(job.error(Kind::PowerUnknown, "the BMC does not say whether power is on or off"));
        }
    }
    once(job, Command::Power(PowerControl::Interrupt)).await
}

/// Sends it once. Its effect cannot be read back.
pub(super) async fn once(job: &mut Job, command: Command) -> Result<Outcome, BmcError> {
    let words = command.to_string();
    let restarts = command == Command::BmcReset;
    if let Some(lost) = job.change(command).await? {
        return Err(job.unconfirmed(format!("{words} was not answered ({lost})")));
    }
    if !restarts {
        job.glance().await;
    }
    let after = if restarts { "; the BMC is away for a while" } else { "" };
    let text = format!("the BMC accepted the command ({words}), which leaves nothing to read back{after}");
    Ok(job.outcome(&words, "accepted", false, text))
}
