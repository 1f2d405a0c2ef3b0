//! The lpar driver: a logical partition of an IBM Power system, through its HMC.
//!
//! One HMC manages many partitions. They share one session and have a queue each.

use crate::{
    BmcError, BmcInfo, BoxFuture, Chassis, Command, Driver, Kind, Opened, Part, Power, PowerControl, Reply,
    Session, Target,
};
use drp_hmc as hmc;
use drp_hmc::{Client, Job, JobState, Login};
use serde_json::json;
use std::collections::HashMap;
use std::hash::RandomState;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Requests under way at the same time to one HMC.
const AT_ONCE: usize = 4;
/// Longest following of a job before its command counts as accepted; it is followed on while power is read back.
const FOLLOW: Duration = Duration::from_secs(60);
/// The same for a shutdown by the operating system, whose end is for the caller to wait for.
const FOLLOW_SOFT: Duration = Duration::from_secs(5);

/// Partitions through HMCs. Clones share their sessions.
#[derive(Clone, Default)]
pub struct LparDriver(Arc<Hmcs>);

#[derive(Default)]
struct Hmcs {
    key: RandomState,
    open: Mutex<HashMap<(String, u64), Arc<Slot>>>,
}

/// Held while a session is opened, so that there is one.
type Slot = tokio::sync::Mutex<Weak<Hmc>>;

struct Hmc {
    client: Client,
    gate: Semaphore,
    /// The HMC does not know the session any more.
    lost: AtomicBool,
}

impl Driver for LparDriver {
    fn name(&self) -> &'static str {
        "lpar"
    }

    fn default_port(&self) -> u16 {
        hmc::DEFAULT_PORT
    }

    fn unit<'a>(&self, target: &'a Target) -> Option<&'a str> {
        target.system_uuid.as_deref()
    }

    fn can(&self, command: &Command) -> bool {
        match command {
            Command::Chassis | Command::Info | Command::Power(_) => true,
            Command::Read(part) => *part == Part::System,
            _ => false,
        }
    }

    fn describe(&self, command: &Command) -> String {
        match command {
            Command::Chassis | Command::Read(Part::System) => "GET LogicalPartition".to_owned(),
            Command::Info => "GET ManagementConsole".to_owned(),
            Command::Power(control) => {
                let (operation, _, parameters) = job(*control).request();
                let words: Vec<_> =
                    parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
                format!("PUT LogicalPartition/…/do/{operation}, {}", words.join(" "))
            }
            _ => format!("driver lpar cannot {command}"),
        }
    }

    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>> {
        Box::pin(async move {
            let bmc = target.endpoint(hmc::DEFAULT_PORT);
            let Some(partition) = target.system_uuid.clone() else {
                let what = "param ipmi/lpar-id is not set";
                return Err(BmcError::new(Kind::Param, bmc, what).advise("set it to the partition's UUID"));
            };
            let hmc = self.session(target, &bmc).await?;
            let mut session = Lpar { bmc, partition, hmc, timeout: target.timeout, pending: None };
            // The partition is there: nothing is asked of one that is not.
            match session.send(Command::Chassis).await {
                Ok(_) => Ok(Opened { session: Box::new(session), refused_first: Vec::new() }),
                Err(error) => {
                    Box::new(session).close().await;
                    Err(error)
                }
            }
        })
    }
}

impl LparDriver {
    /// The certificate that the HMC shows, for trust on first use. No credentials are sent.
    ///
    /// # Errors
    /// [`Kind::Unreachable`], [`Kind::Silent`] and so on.
    pub async fn shown_certificate(target: &Target) -> Result<Option<drp_redfish::Fingerprint>, BmcError> {
        let shown = hmc::shown_certificate(&login(target)).await;
        shown.map_err(|error| translate(&target.endpoint(hmc::DEFAULT_PORT), error))
    }

    /// The open session of these credentials at this HMC, or a new one.
    async fn session(&self, target: &Target, bmc: &str) -> Result<Arc<Hmc>, BmcError> {
        let one = Target { system_uuid: None, ..target.clone() };
        let key = (bmc.to_owned(), one.fingerprint(&self.0.key).session);
        let slot = {
            let mut open = self.0.open.lock().unwrap_or_else(PoisonError::into_inner);
            // Only those that are in use, or about to be, are kept.
            open.retain(|_, slot| {
                Arc::strong_count(slot) > 1 || slot.try_lock().is_ok_and(|s| s.strong_count() > 0)
            });
            Arc::clone(open.entry(key).or_default())
        };
        let mut slot = slot.lock().await;
        if let Some(hmc) = slot.upgrade().filter(|hmc| !hmc.lost.load(Ordering::Acquire)) {
            return Ok(hmc);
        }
        let client = Client::logon(&login(target)).await.map_err(|error| translate(bmc, error))?;
        let hmc = Arc::new(Hmc { client, gate: Semaphore::new(AT_ONCE), lost: AtomicBool::new(false) });
        *slot = Arc::downgrade(&hmc);
        Ok(hmc)
    }
}

fn login(target: &Target) -> Login {
    Login {
        host: target.host.clone(),
        port: target.port,
        username: target.username.clone(),
        password: target.password.clone(),
        trust: target.trust.clone(),
        timeout: target.timeout,
    }
}

fn job(control: PowerControl) -> Job {
    match control {
        PowerControl::Up => Job::PowerOn,
        PowerControl::Down => Job::PowerOff,
        // A partition has no reset beside its restart, and no power of its own to cut.
        PowerControl::Cycle | PowerControl::Reset => Job::Restart,
        PowerControl::Soft => Job::OsShutdown,
        PowerControl::Interrupt => Job::DumpRestart,
    }
}

/// `PartitionState` (HMC REST API, LogicalPartition). What is on its way is neither.
fn power(state: &str) -> Power {
    let state = state.trim().to_ascii_lowercase();
    let state = state.replace(['-', '_'], " ");
    match state.as_str() {
        // A partition that stands in its firmware, or whose system has crashed, is active and can be stopped.
        "running" | "open firmware" | "error" | "hardware discovery" | "migrating running" => Power::On,
        "not activated" | "migrating not activated" => Power::Off,
        _ => Power::Unknown,
    }
}

struct Lpar {
    bmc: String,
    partition: String,
    hmc: Arc<Hmc>,
    timeout: Duration,
    /// A job that was still running when its command counted as accepted.
    pending: Option<(String, PowerControl)>,
}

impl Lpar {
    /// Everything that is asked goes through here: few at a time, and a lost session is remembered.
    async fn ask<T>(&self, request: impl Future<Output = Result<T, hmc::Error>>) -> Result<T, BmcError> {
        let _turn = self.hmc.gate.acquire().await;
        request.await.map_err(|error| {
            if matches!(error, hmc::Error::SessionLost { .. }) {
                self.hmc.lost.store(true, Ordering::Release);
            }
            translate(&self.bmc, error)
        })
    }

    async fn send(&mut self, command: Command) -> Result<Reply, BmcError> {
        match command {
            Command::Chassis => {
                self.look_after().await?;
                let partition = self.ask(self.hmc.client.partition(&self.partition)).await?;
                Ok(Reply::Chassis(Chassis { power: power(&partition.state), identify: None }))
            }
            Command::Power(control) => self.start(control).await,
            Command::Info => {
                let (version, name) = self.ask(self.hmc.client.console()).await?;
                let fingerprint = self.hmc.client.fingerprint();
                Ok(Reply::Info(BmcInfo {
                    firmware: version,
                    manufacturer_id: 2,
                    manufacturer: "IBM".to_owned(),
                    model: format!("HMC {name}").trim().to_owned(),
                    session: fingerprint
                        .map_or("without TLS".to_owned(), |seen| format!("certificate {seen}")),
                    ..BmcInfo::default()
                }))
            }
            Command::Read(Part::System) => {
                let partition = self.ask(self.hmc.client.partition(&self.partition)).await?;
                Ok(Reply::Data(json!(partition.fields)))
            }
            other => Err(BmcError::new(Kind::Unsupported, &self.bmc, format!("driver lpar cannot {other}"))),
        }
    }

    /// Starts a job and follows it to its end, or until it counts as accepted.
    async fn start(&mut self, control: PowerControl) -> Result<Reply, BmcError> {
        let started = self.ask(self.hmc.client.start(&self.partition, job(control))).await?;
        self.pending = Some((started.id.clone(), control));
        let bound = if control == PowerControl::Soft { FOLLOW_SOFT } else { FOLLOW };
        let end = Instant::now() + bound.min(self.timeout * 2);
        let mut rest = Duration::from_millis(200);
        loop {
            // A failure to ask says nothing about the job, which is asked for again.
            match self.follow().await {
                Some(Err(error)) => return Err(error),
                Some(Ok(())) => return Ok(Reply::Done),
                None if Instant::now() >= end => return Ok(Reply::Done),
                None => tokio::time::sleep(rest).await,
            }
            rest = (rest * 2).min(Duration::from_secs(3));
        }
    }

    /// What has become of the job that was started; `None` while that is not known.
    async fn follow(&mut self) -> Option<Result<(), BmcError>> {
        let (id, control) = self.pending.clone()?;
        let status = match self.ask(self.hmc.client.job(&id)).await {
            Ok(status) if status.state == JobState::Running => return None,
            Ok(status) => status,
            Err(error) => {
                tracing::debug!(bmc = self.bmc, "job {id}: {error}");
                return None;
            }
        };
        self.pending = None;
        if let Err(error) = self.ask(self.hmc.client.forget(&id)).await {
            tracing::debug!(bmc = self.bmc, "removing job {id}: {error}");
        }
        if status.state == JobState::Done {
            return Some(Ok(()));
        }
        let said = if status.message.is_empty() { String::new() } else { format!(": {}", status.message) };
        let what =
            format!("the HMC accepted {} and its job ended as {}{said}", control.words(), status.status);
        let error = BmcError::new(Kind::Refused, &self.bmc, what)
            .advise("see the partition's reference codes and the HMC's log of events");
        Some(Err(if status.state == JobState::Broken { error.maybe_done() } else { error }))
    }

    /// Goes on following a job while power is read back.
    async fn look_after(&mut self) -> Result<(), BmcError> {
        self.follow().await.unwrap_or(Ok(()))
    }
}

impl Session for Lpar {
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>> {
        Box::pin(self.send(command))
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move {
            // The last partition of the HMC logs off.
            if let Some(hmc) = Arc::into_inner(self.hmc)
                && let Err(error) = hmc.client.logoff().await
            {
                tracing::debug!(bmc = self.bmc, "logoff: {error}");
            }
        })
    }
}

/// Makes an error of the client one of this crate. Its texts hold no secret.
fn translate(bmc: &str, error: hmc::Error) -> BmcError {
    use hmc::Error as E;
    let (kind, next) = match &error {
        E::Setting { .. } => (Kind::Param, None),
        E::NoPartition { .. } => {
            (Kind::Param, Some("correct ipmi/lpar-id; the HMC shows the UUIDs of its partitions"))
        }
        E::Unreachable { .. } => (
            Kind::Unreachable,
            Some("check ipmi/address and ipmi/port-lpar, that the HMC allows remote access, and firewalls"),
        ),
        E::Untrusted { .. } => (Kind::Certificate, None),
        E::Silent { .. } => {
            (Kind::Silent, Some("check ipmi/address and ipmi/port-lpar, and that the HMC is well"))
        }
        E::Credentials { .. } => (Kind::Credentials, None),
        E::Exhausted { .. } => (Kind::Exhausted, Some("end sessions that others hold on the HMC")),
        E::Busy { .. } => (Kind::NodeBusy, None),
        E::Refused { status: 403, .. } => {
            (Kind::Refused, Some("give the user of ipmi/username a task role on the HMC that may do this"))
        }
        E::Refused { .. } => (Kind::Refused, Some("see the HMC's log of events")),
        _ => (Kind::Protocol, None),
    };
    let maybe_done = error.maybe_done();
    // A new session will do.
    let not_sent = matches!(error, E::SessionLost { .. } | E::Exhausted { .. } | E::NoPartition { .. })
        || matches!(error, E::Unreachable { maybe_done: false, .. } | E::Untrusted { .. });
    let mut out = BmcError::new(kind, bmc, error.to_string());
    if let Some(next) = next {
        out = out.advise(next);
    }
    match (maybe_done, not_sent) {
        (true, _) => out.maybe_done(),
        (false, true) => out.not_sent(),
        _ => out,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_on_their_way_are_unknown() {
        for (state, want) in [
            ("running", Power::On),
            ("Open Firmware", Power::On),
            ("error", Power::On),
            ("not activated", Power::Off),
            ("not-activated", Power::Off),
            ("starting", Power::Unknown),
            ("shutting down", Power::Unknown),
            ("not available", Power::Unknown),
            ("suspended", Power::Unknown),
            ("", Power::Unknown),
        ] {
            assert_eq!(power(state), want, "{state}");
        }
    }

    #[test]
    fn what_the_api_has_nothing_for_is_refused() {
        let driver = LparDriver::default();
        let boot = crate::BootState::new(crate::BootDevice::Pxe, false, false);
        assert!(!driver.can(&Command::BootSet(boot)) && !driver.can(&Command::BootGet));
        assert!(driver.describe(&Command::Power(PowerControl::Down)).contains("immediate=true"));
    }
}
