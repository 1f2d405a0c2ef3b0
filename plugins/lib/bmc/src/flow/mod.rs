//! What each verb does, step by step.

mod boot;
mod identify;
mod inventory;
mod maintenance;
mod media;
mod power;
mod sel;

#[cfg(test)]
mod tests;

use crate::job::Job;
use crate::{BmcError, Command, Identify, Outcome, Power, Verb};

/// Runs the verb of the job. Once a command has taken effect, no failure says that repeating is safe.
pub(crate) async fn run(job: &mut Job) -> Result<Outcome, BmcError> {
    let result = verb(job).await;
    result.map_err(|error| if job.changed { error.maybe_done() } else { error })
}

async fn verb(job: &mut Job) -> Result<Outcome, BmcError> {
    match job.verb {
        Verb::PowerOn => power::reach(job, Power::On).await,
        Verb::PowerOff => power::reach(job, Power::Off).await,
        Verb::PowerCycle => power::cycle(job).await,
        Verb::PowerReset => power::reset(job).await,
        Verb::PowerSoft => power::soft(job).await,
        Verb::PowerStatus => power::status(job).await,
        Verb::Boot { device, persistent } => boot::set(job, device, persistent).await,
        Verb::BootStatus => boot::status(job).await,
        Verb::Identify => identify::set(job, job.options.identify).await,
        Verb::IdentifyOff => identify::set(job, Identify::Off).await,
        Verb::BmcInfo => inventory::info(job).await,
        Verb::Read(part) => inventory::read(job, part).await,
        Verb::Nmi => maintenance::interrupt(job).await,
        Verb::BmcReset => maintenance::once(job, Command::BmcReset).await,
        Verb::SelClear => sel::clear(job).await,
        Verb::MediaMount => media::mount(job).await,
        Verb::MediaUnmount => media::unmount(job).await,
    }
}
