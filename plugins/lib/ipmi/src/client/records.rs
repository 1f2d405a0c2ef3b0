//! Reading what a BMC keeps in many pieces: sensor data records and their readings.

use super::Session;
use crate::codec::reading::{Factors, Reading};
use crate::codec::sdr::{self, Piece, Sensor, Stamp, Store, Thresholds};
use crate::{Command, CompletionCode, Error};
use std::collections::HashSet;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// So many records are read; a repository has some hundreds.
const MAX_RECORDS: usize = 2048;
/// A reservation that is lost, as when a sensor comes or goes, is made anew so often.
const MAX_RESERVATIONS: u32 = 16;
/// Bytes asked for at once, and the fewest when the BMC cannot return so many.
const PIECE: (u8, u8) = (32, 8);
/// A BMC that is busy in the middle of many readings is asked again so often, after such a pause.
const BUSY: (u32, Duration) = (5, Duration::from_millis(200));

/// Sensor data records.
#[derive(Clone, Debug, PartialEq)]
pub struct Repository {
    /// When it changed last.
    pub stamp: Stamp,
    /// The sensors in it.
    pub sensors: Vec<Sensor>,
    /// Why some may be missing; `None` when it was read whole.
    pub missing: Option<String>,
}

fn code(error: &Error) -> Option<CompletionCode> {
    match error {
        Error::Completion { code, .. } => Some(*code),
        _ => None,
    }
}

/// The BMC cannot return so many bytes at once: its own code for it, and those that some BMCs give instead.
fn too_long(error: &Error) -> bool {
    code(error).is_some_and(|code| matches!(code.0, 0xc6 | 0xc7 | 0xc8 | 0xca | 0xff))
}

impl Session {
    /// Sends a command that only reads, again after a moment when the BMC is busy.
    pub(super) async fn ask(&mut self, command: &Command) -> Result<Vec<u8>, Error> {
        let mut tries = 0;
        loop {
            match self.execute(command).await {
                Err(Error::Busy { .. }) if tries < BUSY.0 => {
                    tries += 1;
                    sleep(BUSY.1).await;
                }
                other => return other,
            }
        }
    }

    /// When the sensor data records changed last, and where they are: the repository, or for a BMC without one its
    /// device SDRs, whose stamp is not told.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Completion`] with 0xc1 for a BMC that has neither.
    pub async fn sdr_stamp(&mut self) -> Result<(Store, Stamp), Error> {
        match self.ask(&Store::Repository.info_command()).await {
            Ok(data) => {
                let stamp = self.read("get SDR repository info", Stamp::decode(&data))?;
                Ok((Store::Repository, stamp))
            }
            Err(error) if code(&error) == Some(CompletionCode::INVALID_COMMAND) => {
                let data = self.ask(&Store::Device.info_command()).await?;
                let records = u16::from(data.first().copied().unwrap_or(0));
                Ok((Store::Device, Stamp { records, added: 0, erased: 0 }))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the sensors of all records, in pieces under a reservation that is renewed when it is lost. It ends at
    /// `until` with what it has.
    ///
    /// # Errors
    /// Any [`Error`]; a record that cannot be read is left out and told in [`Repository::missing`].
    pub async fn sdr_repository(&mut self, until: Instant) -> Result<Repository, Error> {
        let (store, stamp) = self.sdr_stamp().await?;
        let mut out = Repository { stamp, sensors: Vec::new(), missing: None };
        let mut reader = Reader { store, reservation: 0, renewals: 0, piece: PIECE.0 };
        reader.reserve(self).await?;
        let (mut id, mut seen) = (sdr::FIRST, HashSet::new());
        while id != sdr::LAST {
            if !seen.insert(id) || seen.len() > MAX_RECORDS {
                out.missing = Some(format!("the record list does not end (record {id} twice, or too many)"));
                break;
            }
            if Instant::now() >= until {
                out.missing = Some(format!("no time for more than {} records", seen.len() - 1));
                break;
            }
            let (next, record) = match reader.record(self, id).await {
                Ok(found) => found,
                // A repository without records has no first one (0xcb).
                Err(error) if code(&error).is_some_and(|c| c.0 == 0xcb) && id == sdr::FIRST => break,
                Err(error) if error.ends_session() => return Err(error),
                Err(error) => {
                    out.missing = Some(format!("record {id} and those behind it: {error}"));
                    break;
                }
            };
            match record.as_deref().map(Sensor::decode) {
                Some(Ok(sensors)) => out.sensors.extend(sensors),
                Some(Err(why)) => out.missing = Some(format!("record {id}: {why}")),
                None => out.missing = Some(format!("record {id}: the BMC would not give all of it")),
            }
            id = next;
        }
        Ok(out)
    }

    /// Reads a sensor of the BMC itself, on logical unit 0.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn sensor_reading(&mut self, sensor: &Sensor) -> Result<Reading, Error> {
        let data = self.ask(&Reading::command(sensor.number)).await?;
        self.read("get sensor reading", Reading::decode(&data))
    }

    /// The factors of a sensor for this raw reading: its own, or for one that is not linear those that the BMC tells.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn sensor_factors(&mut self, sensor: &Sensor, raw: u8) -> Result<Option<Factors>, Error> {
        match sensor.factors {
            Some(factors) if factors.vary() => {
                let data = self.ask(&Factors::command(sensor.number, raw)).await?;
                self.read("get sensor reading factors", factors.with(&data)).map(Some)
            }
            own => Ok(own),
        }
    }

    /// The thresholds of a sensor that has readable ones, as they are now; as its record has them when the BMC does not
    /// tell.
    ///
    /// # Errors
    /// Any [`Error`] that ends the session.
    pub async fn sensor_thresholds(&mut self, sensor: &Sensor) -> Result<Thresholds, Error> {
        if sensor.thresholds == Thresholds::default() {
            return Ok(sensor.thresholds);
        }
        match self.ask(&Thresholds::command(sensor.number)).await {
            Ok(data) => Ok(Thresholds::decode(&data).unwrap_or(sensor.thresholds)),
            Err(error) if error.ends_session() => Err(error),
            Err(_) => Ok(sensor.thresholds),
        }
    }
}

/// Reads records with one reservation, and remembers how much the BMC returns at once.
struct Reader {
    store: Store,
    reservation: u16,
    renewals: u32,
    piece: u8,
}

impl Reader {
    async fn reserve(&mut self, session: &mut Session) -> Result<(), Error> {
        self.reservation = match session.ask(&self.store.reserve_command()).await {
            Ok(data) => session.read("reserve SDR repository", sdr::reservation(&data))?,
            // Not every BMC has reservations; zero stands for none then (IPMI 2.0 §33.11).
            Err(error) if code(&error) == Some(CompletionCode::INVALID_COMMAND) => 0,
            Err(error) => return Err(error),
        };
        Ok(())
    }

    /// A record and the id of the next one. No record when its body cannot be had, for another reason than a session's
    /// end.
    async fn record(&mut self, session: &mut Session, id: u16) -> Result<(u16, Option<Vec<u8>>), Error> {
        loop {
            let attempt = self.whole(session, id).await;
            let lost = matches!(&attempt, Err(error) if code(error).is_some_and(|c| c.0 == 0xc5));
            if !lost || self.renewals >= MAX_RESERVATIONS {
                return attempt;
            }
            self.renewals += 1;
            self.reserve(session).await?;
        }
    }

    async fn whole(&mut self, session: &mut Session, id: u16) -> Result<(u16, Option<Vec<u8>>), Error> {
        let header = self.get(session, id, 0, sdr::HEADER).await?;
        let Piece { next, data } = session.read("get SDR", Piece::decode(&header))?;
        let length = session.read("get SDR", sdr::record_length(data))?;
        let mut record = data.get(..usize::from(sdr::HEADER)).unwrap_or(data).to_vec();
        while record.len() < length {
            let Ok(offset) = u8::try_from(record.len()) else { return Ok((next, None)) };
            let want = u8::try_from(length - record.len()).unwrap_or(u8::MAX).min(self.piece);
            let answer = match self.get(session, id, offset, want).await {
                Ok(answer) => answer,
                Err(error) if too_long(&error) && self.piece > PIECE.1 => {
                    self.piece /= 2;
                    continue;
                }
                Err(error) if too_long(&error) => return Ok((next, None)),
                Err(error) => return Err(error),
            };
            let piece = session.read("get SDR", Piece::decode(&answer))?;
            let bytes = piece.data.get(..usize::from(want)).unwrap_or(piece.data);
            if bytes.is_empty() {
                return Ok((next, None));
            }
            record.extend_from_slice(bytes);
        }
        Ok((next, Some(record)))
    }

    async fn get(&self, session: &mut Session, id: u16, offset: u8, count: u8) -> Result<Vec<u8>, Error> {
        session.ask(&self.store.get_command(self.reservation, id, offset, count)).await
    }
}
