//! Power: read, decide, send once, read back.

use crate::job::Job;
use crate::{BmcError, Command, Kind, Outcome, Power, PowerControl};
use std::time::Duration;

/// A state that did not change for so long after an unanswered command proves that the command was lost.
const LOST_AFTER: Duration = Duration::from_secs(5);
/// A machine that only ever reads on for so long after an accepted cycle was not seen to go off.
const CYCLE_SEEN_WITHIN: Duration = Duration::from_secs(6);
/// Rest between off and on, when a cycle is made of the two (IPMI 2.0 §28.3 asks for one second at least).
const OFF_TIME: Duration = Duration::from_secs(2);

pub(super) async fn status(job: &mut Job) -> Result<Outcome, BmcError> {
    let power = job.chassis().await?.power;
    Ok(job.outcome("", power, power != Power::Unknown, format!("power is {power}")))
}

/// On or off.
pub(super) async fn reach(job: &mut Job, want: Power) -> Result<Outcome, BmcError> {
    if known(job).await? == want {
        return Ok(job.outcome(want, want, true, format!("power was {want} already; nothing was sent")));
    }
    drive(job, want).await?;
    Ok(job.outcome(want, want, true, format!("power is {want}, read back")))
}

pub(super) async fn cycle(job: &mut Job) -> Result<Outcome, BmcError> {
    if known(job).await? == Power::Off {
        drive(job, Power::On).await?;
        let text = "power was off, so there was nothing to cut; powered on, read back";
        return Ok(job.outcome(Power::On, Power::On, true, text));
    }
    let lost = match job.change(Command::Power(PowerControl::Cycle)).await {
        Ok(lost) => lost,
        Err(error) if error.kind == Kind::Unsupported => {
            job.note(format!("power cycle: {}; doing power down, then power up", error.what));
            drive(job, Power::Off).await?;
            job.pause(OFF_TIME).await?;
            drive(job, Power::On).await?;
            let text = "the BMC has no power cycle; powered off and on, both read back";
            return Ok(job.outcome(Power::On, Power::On, true, text));
        }
        Err(error) => return Err(error),
    };
    let begun = job.now();
    let mut seen_off = false;
    loop {
        match read(job).await? {
            Power::Off => seen_off = true,
            Power::On if seen_off => {
                return Ok(job.outcome(Power::On, Power::On, true, "went off and is on again, read back"));
            }
            _ => {}
        }
        let waited = job.now().saturating_sub(begun);
        if !seen_off && job.power == Power::On && waited >= CYCLE_SEEN_WITHIN.min(job.options.verify_timeout)
        {
            if let Some(lost) = lost {
                return Err(job.unconfirmed(format!(
                    "the power cycle was not answered ({lost}) and the machine was not seen to go off"
                )));
            }
            let text = "sent but not confirmed: the BMC accepted the power cycle, power reads on, \
                        and was not seen to go off in between";
            return Ok(job.outcome(Power::On, Power::On, false, text));
        }
        if waited >= job.options.verify_timeout {
            return Err(job.unconfirmed(late(job, "power cycle", waited)));
        }
        job.pause(pace(waited)).await?;
    }
}

pub(super) async fn reset(job: &mut Job) -> Result<Outcome, BmcError> {
    if known(job).await? == Power::Off {
        return Err(job
            .error(Kind::State, "power is off, so there is nothing to reset; nothing was sent")
            .advise("use poweron"));
    }
    if let Some(lost) = job.change(Command::Power(PowerControl::Reset)).await? {
        return Err(job.unconfirmed(format!("the hard reset was not answered ({lost})")));
    }
    job.glance().await;
    let text = format!(
        "sent but not confirmed: the BMC accepted the hard reset, which leaves nothing to read back; power is {}",
        job.power
    );
    Ok(job.outcome(Power::On, job.power, false, text))
}

pub(super) async fn soft(job: &mut Job) -> Result<Outcome, BmcError> {
    if known(job).await? == Power::Off {
        return Ok(job.outcome(Power::Off, Power::Off, true, "power was off already; nothing was sent"));
    }
    match job.change(Command::Power(PowerControl::Soft)).await {
        Ok(_) => {
            let begun = job.now();
            loop {
                if read(job).await? == Power::Off {
                    let text = "the operating system shut down; power is off, read back";
                    return Ok(job.outcome(Power::Off, Power::Off, true, text));
                }
                let waited = job.now().saturating_sub(begun);
                if waited >= job.options.soft_timeout {
                    job.note(format!("soft shutdown: power was {} after {} s", job.power, waited.as_secs()));
                    break;
                }
                job.pause(pace(waited)).await?;
            }
        }
        Err(error) if error.kind == Kind::Unsupported => job.note(format!("soft shutdown: {}", error.what)),
        Err(error) => return Err(error),
    }
    match read(job).await? {
        Power::Off => {}
        Power::On => drive(job, Power::Off).await?,
        Power::Unknown => {
            return Err(job.unconfirmed(
                "the soft shutdown did not switch off in time, and the BMC does not say what power is; \
                 the hard power down was not sent",
            ));
        }
    }
    let text = "the soft shutdown did not switch off in time; powered off hard, read back";
    Ok(job.outcome(Power::Off, Power::Off, true, text))
}

/// The power state, or an error when the BMC does not know it: what is unknown is not acted on (promise P5).
async fn known(job: &mut Job) -> Result<Power, BmcError> {
    match job.chassis().await?.power {
        Power::Unknown => {
            Err(job.error(Kind::PowerUnknown, "the BMC does not say whether power is on or off"))
        }
        power => Ok(power),
    }
}

/// One reading while waiting. A failure counts as unknown, except those that no waiting heals.
async fn read(job: &mut Job) -> Result<Power, BmcError> {
    match job.chassis().await {
        Ok(chassis) => Ok(chassis.power),
        Err(error) => {
            job.power = Power::Unknown;
            if matches!(error.kind, Kind::Cancelled | Kind::Credentials | Kind::Locked) {
                return Err(job.unconfirmed(format!("reading back failed: {}", error.what)));
            }
            job.note(format!("reading back: {}", error.what));
            Ok(Power::Unknown)
        }
    }
}

/// Sends up or down to a machine known to be in the other state and reads back until it has changed.
async fn drive(job: &mut Job, want: Power) -> Result<(), BmcError> {
    let control = if want == Power::On { PowerControl::Up } else { PowerControl::Down };
    let mut lost = match job.change(Command::Power(control)).await {
        Ok(lost) => lost,
        Err(error) if matches!(error.kind, Kind::Refused | Kind::NodeBusy) => {
            // Some BMCs answer 409 when the machine is in that state already. Somebody else may have changed it between the reading and the command.
            if read(job).await? == want {
                return Ok(());
            }
            return Err(error);
        }
        Err(error) => return Err(error),
    };
    let begun = job.now();
    let mut unchanged_since = None;
    loop {
        let power = read(job).await?;
        if power == want {
            return Ok(());
        }
        let now = job.now();
        let waited = now.saturating_sub(begun);
        if waited >= job.options.verify_timeout {
            return Err(job.unconfirmed(late(job, control.words(), waited)));
        }
        // Sent a second time only after the answer was lost and the readings prove that nothing happened.
        unchanged_since = if power == Power::Unknown { None } else { unchanged_since.or(Some(now)) };
        if lost.is_some() && unchanged_since.is_some_and(|since| now.saturating_sub(since) >= LOST_AFTER) {
            job.note(format!(
                "{}: power stayed {power}, so the command was lost; sent again",
                control.words()
            ));
            lost = None;
            job.change(Command::Power(control)).await?;
            continue;
        }
        job.pause(pace(waited)).await?;
    }
}

fn late(job: &Job, what: &str, waited: Duration) -> String {
    format!("the {what} was sent and power reads {} after {} s", job.power, waited.as_secs())
}

/// Quick at first, then every two seconds.
fn pace(waited: Duration) -> Duration {
    match waited.as_secs() {
        0..3 => Duration::from_millis(200),
        3..10 => Duration::from_millis(500),
        _ => Duration::from_secs(2),
    }
}
