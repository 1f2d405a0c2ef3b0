//! Removing a machine with its disks.

use crate::answer::Failure;
use crate::flow::{Sent, sent};
use crate::host::Host;
use crate::outcome::Outcome;
use crate::power::{Limits, off};
use drp_vbox::{Kind, Power};
use std::sync::Arc;
use std::time::Duration;

/// VirtualBox lets go of a machine some time after it is off; so often it is asked, as the reference has it.
const TRIES: u32 = 10;
/// Pause between two tries.
const PAUSE: Duration = Duration::from_secs(1);

/// Switches it off if it runs, and removes it. Gives whether there was one.
pub(crate) async fn destroy(host: &Arc<Host>, uuid: &str, limits: Limits) -> Result<bool, Failure> {
    let _claim = host.claim(uuid, "destroyVm")?;
    match host.vbox.info(uuid).await {
        Ok(info) if info.power() == Power::Off => {}
        Ok(_) => drop(off(host, uuid, limits, Outcome::new(host.vbox.driver(), "off")).await?),
        Err(error) if error.kind == Kind::NoVm => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    unregister(host, uuid).await
}

/// Removes a machine that is off. Gives whether there was one.
pub(crate) async fn unregister(host: &Arc<Host>, uuid: &str) -> Result<bool, Failure> {
    for attempt in 1..=TRIES {
        match sent(host.vbox.unregister(uuid).await) {
            Ok(Sent::Done) => return Ok(true),
            // Removing what is gone does nothing, so looking decides.
            Ok(Sent::Lost(what)) => match host.vbox.info(uuid).await {
                Err(error) if error.kind == Kind::NoVm => return Ok(true),
                Err(error) => return Err(error.into()),
                Ok(_) if attempt == TRIES => {
                    return Err(drp_vbox::VboxError::new(Kind::Protocol, what, "run it again").into());
                }
                Ok(_) => {}
            },
            Err(error) if error.kind == Kind::NoVm => return Ok(attempt > 1),
            Err(error) if error.kind == Kind::SessionLocked && attempt < TRIES => {}
            Err(error) => return Err(error.into()),
        }
        host.pause(PAUSE).await?;
    }
    Ok(true)
}
