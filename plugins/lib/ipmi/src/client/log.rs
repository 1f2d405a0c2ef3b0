//! Reading and clearing the system event log.

use super::Session;
use crate::codec::sel::{self, SelEntry, SelInfo};
use crate::{CompletionCode, Error};
use std::collections::{HashSet, VecDeque};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Erasing is asked about so often.
const ERASURE: Duration = Duration::from_millis(200);
/// A reservation that is lost before the erasing began is made anew so often.
const RESERVATIONS: u32 = 4;

/// The system event log, or its newest part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sel {
    /// What the BMC says of it.
    pub info: SelInfo,
    /// Entries, oldest first.
    pub entries: Vec<SelEntry>,
    /// Why entries are missing at the end; `None` when the newest one is there.
    pub missing: Option<String>,
}

fn is(error: &Error, codes: &[u8]) -> bool {
    matches!(error, Error::Completion { code, .. } if codes.contains(&code.0))
}

impl Session {
    /// Reads the newest `most` entries. It ends at `until` with what it has.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn sel(&mut self, most: usize, until: Instant) -> Result<Sel, Error> {
        let data = self.ask(&SelInfo::command()).await?;
        let info = self.read("get SEL info", SelInfo::decode(&data))?;
        let mut out = Sel { info, entries: Vec::new(), missing: None };
        if info.entries == 0 || most == 0 {
            return Ok(out);
        }
        let start = self.sel_start(info, most).await?;
        self.sel_walk(&mut out, start, most, until).await?;
        // Ids with gaps: too few of them are behind that entry.
        if start != sel::FIRST && out.entries.len() < most && out.missing.is_none() {
            self.sel_walk(&mut out, sel::FIRST, most, until).await?;
        }
        Ok(out)
    }

    /// Reads from an entry to the last one, and keeps the last `most`.
    async fn sel_walk(
        &mut self,
        out: &mut Sel,
        start: u16,
        most: usize,
        until: Instant,
    ) -> Result<(), Error> {
        let (mut entries, mut id, mut seen) = (VecDeque::new(), start, HashSet::new());
        loop {
            if !seen.insert(id) {
                out.missing = Some(format!("the list of entries does not end: entry {id} comes twice"));
                break;
            }
            if Instant::now() >= until {
                out.missing = Some(format!("no time for entry {id} and those behind it"));
                break;
            }
            let data = match self.ask(&sel::get_command(id)).await {
                Ok(data) => data,
                // It was cleared meanwhile (0xcb), or is being cleared (0x81).
                Err(error) if is(&error, &[0xcb, 0x81]) => break,
                Err(error) => return Err(error),
            };
            let (next, entry) = self.read("get SEL entry", SelEntry::decode(&data))?;
            entries.push_back(entry);
            if entries.len() > most {
                entries.pop_front();
            }
            if next == sel::LAST {
                break;
            }
            id = next;
        }
        out.entries = entries.into();
        Ok(())
    }

    /// Where to begin for the newest `most` entries. Most BMCs number them one by one, and then it is `most` before the
    /// last; when that entry is not there, all are read from the first on.
    async fn sel_start(&mut self, info: SelInfo, most: usize) -> Result<u16, Error> {
        if usize::from(info.entries) <= most {
            return Ok(sel::FIRST);
        }
        let last = match self.ask(&sel::get_command(sel::LAST)).await {
            Ok(data) => SelEntry::decode(&data).map(|(_, last)| last.id).unwrap_or_default(),
            Err(error) if error.ends_session() => return Err(error),
            Err(_) => return Ok(sel::FIRST),
        };
        let back = u16::try_from(most - 1).unwrap_or(u16::MAX);
        let Some(start) = last.checked_sub(back).filter(|start| *start > 0) else { return Ok(sel::FIRST) };
        match self.ask(&sel::get_command(start)).await {
            Ok(data) if SelEntry::decode(&data).is_ok_and(|(_, entry)| entry.id == start) => {
                return Ok(start);
            }
            Err(error) if error.ends_session() => return Err(error),
            _ => {}
        }
        Ok(sel::FIRST)
    }

    /// Clears the log: reserves it, begins erasing, and waits until `until` for its end. Answers whether the end was
    /// seen. Erasing is begun once.
    ///
    /// # Errors
    /// Any [`Error`]; with [`Error::maybe_done`] it may have been cleared.
    pub async fn sel_clear(&mut self, until: Instant) -> Result<bool, Error> {
        let mut tries = 0;
        let (reservation, mut over) = loop {
            let reservation = match self.ask(&sel::reserve_command()).await {
                Ok(data) => self.read("reserve SEL", crate::codec::sdr::reservation(&data))?,
                Err(Error::Completion { code: CompletionCode::INVALID_COMMAND, .. }) => 0,
                Err(error) => return Err(error),
            };
            match self.execute(&sel::clear_command(reservation)).await {
                Ok(data) => break (reservation, sel::erased(&data).unwrap_or(false)),
                // Something was logged between the reservation and the erasing, so nothing was erased.
                Err(error) if is(&error, &[0xc5]) && tries < RESERVATIONS => tries += 1,
                Err(error) => return Err(error),
            }
        };
        while !over && Instant::now() < until {
            sleep(ERASURE).await;
            match self.ask(&sel::erasure_command(reservation)).await {
                Ok(data) => over = sel::erased(&data).unwrap_or(false),
                // The reservation ends with the erasing, or this BMC does not tell how far it is: what is in the log
                // tells more.
                Err(Error::Completion { .. }) => return Ok(false),
                // Many are busy while they erase. As an error it would say that nothing was begun.
                Err(Error::Busy { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(over)
    }
}
