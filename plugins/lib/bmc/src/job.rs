//! One verb on its way: sends its commands through the lane, repeats what is safe, keeps the evidence.

use crate::fleet::Inner;
use crate::lane::{Lane, Request};
use crate::target::Fingerprint;
use crate::{
    Attempt, BmcError, BootState, Chassis, Class, Command, Driver, Kind, Outcome, Part, Power, Reply, Target,
};
use crate::{Verb, VerbOptions};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A BMC that asks to wait longer than this is reported, and not waited for.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// So often a command that the BMC turned away unexecuted is sent again.
const RETRIES: u32 = 3;

pub(crate) struct Job {
    pub(crate) inner: Arc<Inner>,
    pub(crate) lane: Arc<Lane>,
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) target: Target,
    pub(crate) fingerprint: Fingerprint,
    pub(crate) verb: Verb,
    pub(crate) options: VerbOptions,
    pub(crate) cancel: CancellationToken,
    pub(crate) started: Duration,
    pub(crate) attempts: Vec<Attempt>,
    /// When the step began that the next attempt is about.
    pub(crate) step: Duration,
    /// The power state last read.
    pub(crate) power: Power,
    /// A command that changes something was accepted, or its answer was lost.
    pub(crate) changed: bool,
}

impl Job {
    pub(crate) fn now(&self) -> Duration {
        self.inner.clock.now()
    }

    /// Writes down that something did not work, and starts the next step.
    pub(crate) fn note(&mut self, error: impl Into<String>) {
        let now = self.now();
        // A verb that polls through an outage has many failures; the first ones tell the story.
        if self.attempts.len() < 32 {
            self.attempts.push(Attempt {
                driver: self.driver.name().to_owned(),
                error: error.into(),
                ms: millis(now.saturating_sub(self.step)),
            });
        }
        self.step = now;
    }

    /// Waits, unless the job is cancelled.
    pub(crate) async fn pause(&self, time: Duration) -> Result<(), BmcError> {
        tokio::select! {
            () = self.inner.clock.sleep(time) => Ok(()),
            () = self.cancel.cancelled() => Err(self.error(Kind::Cancelled, "cancelled before it was read back")),
        }
    }

    pub(crate) fn error(&self, kind: Kind, what: impl Into<String>) -> BmcError {
        BmcError::new(kind, &self.lane.bmc, what)
    }

    /// Sends a command. Repeats it only where it cannot have been carried out, or changes nothing.
    pub(crate) async fn send(&mut self, command: Command) -> Result<Reply, BmcError> {
        if !self.driver.can(&command) {
            let what = format!("driver {} cannot {command}", self.driver.name());
            return Err(self.error(Kind::Unsupported, what));
        }
        let mut tries = 0;
        loop {
            let result = {
                let request = Request {
                    driver: &*self.driver,
                    target: &self.target,
                    fingerprint: self.fingerprint,
                    command: command.clone(),
                    cancel: &self.cancel,
                };
                self.lane.execute(&self.inner.shared(), &request).await
            };
            let failure = match result {
                Ok(answer) => {
                    for refusal in answer.refused_first {
                        self.note(refusal);
                    }
                    return Ok(answer.reply);
                }
                Err(failure) => failure,
            };
            let error = failure.error;
            let wait = match error.kind {
                // Turned away before it was carried out.
                Kind::Exhausted if !error.maybe_done => Duration::from_secs(1) * (tries + 1),
                Kind::NodeBusy if !error.maybe_done => match error.retry_after {
                    Some(asked) if asked > LONGEST_WAIT => return Err(error),
                    Some(asked) => asked.max(Duration::from_millis(500)),
                    None => Duration::from_millis(500) * (tries + 1),
                },
                // The BMC may have forgotten the kept session; a reading may be repeated on a new one.
                Kind::Silent | Kind::Protocol | Kind::Unreachable
                    if failure.on_kept_session && command.class() == Class::Read =>
                {
                    Duration::ZERO
                }
                _ => return Err(error),
            };
            if tries >= RETRIES {
                return Err(error);
            }
            tries += 1;
            self.note(error.what.clone());
            self.pause(wait).await?;
        }
    }

    /// Sends a command that changes something. `Ok(Some(why))`: it left, and no answer came back.
    pub(crate) async fn change(&mut self, command: Command) -> Result<Option<String>, BmcError> {
        match self.send(command.clone()).await {
            Ok(_) => {
                self.changed = true;
                Ok(None)
            }
            Err(error) if error.maybe_done && error.kind != Kind::Cancelled => {
                self.changed = true;
                self.note(format!("{command}: {}", error.what));
                Ok(Some(error.what))
            }
            Err(error) => Err(error),
        }
    }

    /// Reads the chassis status.
    pub(crate) async fn chassis(&mut self) -> Result<Chassis, BmcError> {
        match self.send(Command::Chassis).await? {
            Reply::Chassis(chassis) => {
                self.power = chassis.power;
                Ok(chassis)
            }
            other => Err(self.unexpected(Command::Chassis, &other)),
        }
    }

    /// Reads the boot override.
    pub(crate) async fn boot(&mut self) -> Result<BootState, BmcError> {
        match self.send(Command::BootGet).await? {
            Reply::Boot(boot) => Ok(boot),
            other => Err(self.unexpected(Command::BootGet, &other)),
        }
    }

    /// Reads a part.
    pub(crate) async fn part(&mut self, part: Part) -> Result<Value, BmcError> {
        match self.send(Command::Read(part)).await? {
            Reply::Data(data) => Ok(data),
            other => Err(self.unexpected(Command::Read(part), &other)),
        }
    }

    /// Reads the power state for the answer, when that is possible.
    pub(crate) async fn glance(&mut self) -> Option<Chassis> {
        match self.chassis().await {
            Ok(chassis) => Some(chassis),
            Err(error) => {
                self.note(format!("{}: {}", Command::Chassis, error.what));
                None
            }
        }
    }

    pub(crate) fn unexpected(&self, command: Command, reply: &Reply) -> BmcError {
        self.error(Kind::Protocol, format!("{command} was answered with {reply:?}"))
    }

    /// The answer. `verified`: `observed` was read and is what was asked.
    pub(crate) fn outcome(
        &self,
        requested: impl ToString,
        observed: impl ToString,
        verified: bool,
        text: impl Into<String>,
    ) -> Outcome {
        let now = self.now();
        let mut attempts = self.attempts.clone();
        attempts.push(Attempt {
            driver: self.driver.name().to_owned(),
            error: String::new(),
            ms: millis(now.saturating_sub(self.step)),
        });
        Outcome {
            state: self.power,
            requested: requested.to_string(),
            observed: observed.to_string(),
            driver: self.driver.name().to_owned(),
            attempts,
            verified,
            ms: millis(now.saturating_sub(self.started)),
            text: text.into(),
            details: None,
        }
    }

    /// "Sent but not confirmed", with the evidence.
    pub(crate) fn unconfirmed(&self, what: impl AsRef<str>) -> BmcError {
        let what = format!("sent but not confirmed: {}", what.as_ref());
        let mut evidence = self.outcome(
            self.verb.wanted().map_or_else(String::new, |want| want.to_string()),
            self.power,
            false,
            what.clone(),
        );
        if let Some(last) = evidence.attempts.last_mut() {
            last.error.clone_from(&what);
        }
        let mut error = self.error(Kind::Unconfirmed, what).maybe_done();
        error.evidence = Some(Box::new(evidence));
        error
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
