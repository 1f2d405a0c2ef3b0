//! What the verbs are made of: reading until something holds, and sending once.

use crate::answer::Failure;
use crate::host::Host;
use drp_vbox::{Info, Kind, Power, VboxError};
use std::time::Duration;
use tokio::time::Instant;

/// First pause between two readings; it doubles up to [`LONGEST_PAUSE`].
const PAUSE: Duration = Duration::from_millis(100);
/// Longest pause between two readings.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Reads the machine until it is as wanted, at most so long. Gives the last reading, and whether it is; readings that
/// fail are tried again until the time is over.
pub(crate) async fn read_until(
    host: &Host,
    uuid: &str,
    limit: Duration,
    wanted: impl Fn(&Info) -> bool,
) -> Result<(Info, bool), Failure> {
    let end = Instant::now() + limit;
    let mut pause = PAUSE;
    loop {
        let last = host.vbox.info(uuid).await;
        match last {
            Ok(info) if wanted(&info) => return Ok((info, true)),
            Ok(info) if Instant::now() >= end => return Ok((info, false)),
            Err(error) if !passes(&error) || Instant::now() >= end => return Err(error.into()),
            _ => {}
        }
        host.pause(pause.min(end.saturating_duration_since(Instant::now()))).await?;
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Whether reading again may help.
fn passes(error: &VboxError) -> bool {
    matches!(error.kind, Kind::Unreachable | Kind::Silent | Kind::Protocol | Kind::Refused)
}

/// The machine in a state that is known: one that is on its way is waited for. Nothing was sent when this fails.
pub(crate) async fn settled(host: &Host, uuid: &str, limit: Duration) -> Result<Info, Failure> {
    let first = host.vbox.info(uuid).await?;
    if first.power() != Power::Unknown {
        return Ok(first);
    }
    let (info, known) = read_until(host, uuid, limit, |info| info.power() != Power::Unknown).await?;
    if known {
        return Ok(info);
    }
    let what =
        format!("VirtualBox says that it is {:?}, which is neither on nor off; nothing was sent", info.state);
    Err(Failure::PowerUnknown(what))
}

/// What became of a command that was sent once.
pub(crate) enum Sent {
    /// VirtualBox says that it did it.
    Done,
    /// No answer came; it may have been carried out.
    Lost(String),
}

/// Judges the answer to a command that changes something. An error that leaves open whether it was carried out is no
/// failure yet: the state is read next.
pub(crate) fn sent(answer: Result<(), VboxError>) -> Result<Sent, VboxError> {
    match answer {
        Ok(()) => Ok(Sent::Done),
        Err(error) if error.sent => Ok(Sent::Lost(error.what)),
        Err(error) => Err(error),
    }
}
