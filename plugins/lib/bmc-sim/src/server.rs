//! The simulator as a running thing: a UDP socket, a task, and a handle.

use crate::chassis::PowerEvent;
use crate::engine::{Engine, Reply};
use crate::{BmcConfig, Counts, LogEntry, Rule, SimError};
use drp_ipmi::codec::packet::MAX_DATAGRAM;
use drp_ipmi::{BootDevice, BootFlags, Identify};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{Notify, broadcast};
use tokio::task::JoinHandle;

/// Events kept for a slow listener.
const EVENTS: usize = 256;

/// What a listener hears.
#[derive(Clone, Debug)]
pub enum SimEvent {
    /// A packet was handled.
    Request(LogEntry),
    /// The power changed.
    Power(PowerEvent),
}

struct Shared {
    engine: Mutex<Engine>,
    events: broadcast::Sender<SimEvent>,
    /// Someone changed the machine from outside.
    changed: Notify,
}

impl Shared {
    fn engine(&self) -> MutexGuard<'_, Engine> {
        // A panic while it was held can only come from a bug; what is there is still the truth about the BMC.
        self.engine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets time pass and tells the listeners what happened. Gives the time of the next change.
    fn settle(&self) -> Option<Instant> {
        let (power, requests, next) = {
            let mut engine = self.engine();
            engine.tick(Instant::now());
            (engine.chassis.take_events(), engine.take_fresh(), engine.chassis.next())
        };
        // Nobody listening is no error.
        for entry in requests {
            let _ = self.events.send(SimEvent::Request(entry));
        }
        for event in power {
            let _ = self.events.send(SimEvent::Power(event));
        }
        next
    }
}

impl crate::redfish::Shared for Shared {
    fn web(&self, request: &crate::redfish::Request) -> crate::redfish::Outcome {
        let outcome = self.engine().web(request, Instant::now());
        self.settle();
        // A power change may be due now that the task of the machine does not wait for.
        self.changed.notify_one();
        outcome
    }
}

/// A running simulated BMC. Dropping it stops it.
pub struct Simulator {
    address: SocketAddr,
    redfish: Option<(SocketAddr, bool)>,
    shared: Arc<Shared>,
    tasks: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Simulator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Simulator({})", self.address)
    }
}

impl Drop for Simulator {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Randomness for session challenges and vectors. Without any the BMC cannot work, and zeros serve a simulator.
fn random() -> [u8; 16] {
    let mut out = [0u8; 16];
    let _ = getrandom::fill(&mut out);
    out
}

impl Simulator {
    /// Starts a BMC: IPMI on `config.listen`, Redfish on `config.redfish`.
    ///
    /// # Errors
    /// When the address is taken or a setting makes no sense.
    pub async fn start(config: BmcConfig) -> Result<Self, SimError> {
        config.check()?;
        let failed = |at: SocketAddr| move |source| SimError::Listen { address: at.to_string(), source };
        let mut socket = None;
        let mut address = None;
        if config.ipmi {
            let bound = UdpSocket::bind(config.listen).await.map_err(failed(config.listen))?;
            address = Some(bound.local_addr().map_err(failed(config.listen))?);
            socket = Some(Arc::new(bound));
        }
        let web = config.redfish.clone();
        let shared = Arc::new(Shared {
            engine: Mutex::new(Engine::new(config, Instant::now(), random)),
            events: broadcast::Sender::new(EVENTS),
            changed: Notify::new(),
        });
        let mut redfish = None;
        let mut tasks = Vec::new();
        if let Some(web) = web {
            let listener = TcpListener::bind(web.listen).await.map_err(failed(web.listen))?;
            let bound = listener.local_addr().map_err(failed(web.listen))?;
            redfish = Some((bound, web.identity.is_some()));
            tasks.push(tokio::spawn(crate::redfish::serve(listener, web.identity, Arc::clone(&shared))));
        }
        tasks.push(tokio::spawn(serve(socket, Arc::clone(&shared))));
        let none = || SimError::Setting("a BMC that speaks neither IPMI nor Redfish says nothing".into());
        let address = address.or(redfish.map(|(address, _)| address)).ok_or_else(none)?;
        Ok(Self { address, redfish, shared, tasks })
    }

    /// Where it listens for IPMI; for a BMC without IPMI where it listens for Redfish.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens for Redfish.
    pub fn redfish_address(&self) -> Option<SocketAddr> {
        self.redfish.map(|(address, _)| address)
    }

    /// `https://HOST:PORT`, or `http://…` without TLS.
    pub fn redfish_url(&self) -> Option<String> {
        self.redfish.map(|(address, tls)| format!("{}://{address}", if tls { "https" } else { "http" }))
    }

    /// Redfish sessions that are open.
    pub fn redfish_sessions(&self) -> usize {
        self.shared.settle();
        self.shared.engine().web.sessions.len()
    }

    /// The image in the slot of this id, when there is one.
    pub fn media(&self, slot: &str) -> Option<String> {
        let engine = self.shared.engine();
        let profile = &engine.config.redfish.as_ref()?.profile;
        let index = profile.media.slots.iter().position(|other| other.id == slot)?;
        let held = engine.web.slots.get(index)?;
        held.inserted.then(|| held.image.clone())
    }

    /// The BMC restarts: it forgets its sessions and is away for its boot time.
    pub fn restart_bmc(&self) {
        self.shared.engine().restart_bmc(Instant::now());
    }

    /// Replaces the faults in force.
    pub fn set_faults(&self, rules: impl IntoIterator<Item = Rule>) {
        self.shared.engine().faults.0 = rules.into_iter().collect();
    }

    /// No more faults.
    pub fn clear_faults(&self) {
        self.set_faults([]);
    }

    /// Changes the settings while it runs: users, suites, slots, delays.
    pub fn configure(&self, change: impl FnOnce(&mut BmcConfig)) {
        change(&mut self.shared.engine().config);
    }

    /// Looks at or changes sensors, event log and LAN settings.
    pub fn shelf<T>(&self, look: impl FnOnce(&mut crate::Shelf) -> T) -> T {
        look(&mut self.shared.engine().shelf)
    }

    /// The power as it is now.
    pub fn power(&self) -> bool {
        self.shared.settle();
        self.shared.engine().chassis.power()
    }

    /// Someone presses the button.
    pub fn set_power(&self, on: bool) {
        self.shared.engine().chassis.set_power(on);
        self.shared.settle();
        self.shared.changed.notify_one();
    }

    /// The boot flags as stored.
    pub fn boot_flags(&self) -> BootFlags {
        self.shared.engine().chassis.flags()
    }

    /// What the machine booted from, each time it went on or was reset.
    pub fn boots(&self) -> Vec<BootDevice> {
        self.shared.settle();
        self.shared.engine().chassis.boots().to_vec()
    }

    /// The identify light, when it blinks.
    pub fn identify(&self) -> Option<Identify> {
        self.shared.engine().chassis.identify(Instant::now())
    }

    /// Session slots in use, half-open ones included.
    pub fn sessions(&self) -> usize {
        self.shared.settle();
        self.shared.engine().sessions.len()
    }

    /// Sessions that are logged in.
    pub fn active_sessions(&self) -> usize {
        self.shared.settle();
        self.shared.engine().sessions.active()
    }

    /// Forgets all sessions, as a BMC that restarts does.
    pub fn forget_sessions(&self) {
        let mut engine = self.shared.engine();
        engine.sessions.clear();
        engine.web.sessions.clear();
    }

    /// What was counted.
    pub fn counts(&self) -> Counts {
        self.shared.settle();
        self.shared.engine().counts
    }

    /// The last requests (up to 10,000).
    pub fn log(&self) -> Vec<LogEntry> {
        self.shared.engine().log.all()
    }

    /// Empties log and counts.
    pub fn clear_log(&self) {
        let mut engine = self.shared.engine();
        engine.log.clear();
        engine.counts = Counts::default();
    }

    /// Hears what happens from now on. A listener that falls behind by 256 events is told how many it missed.
    pub fn subscribe(&self) -> broadcast::Receiver<SimEvent> {
        self.shared.events.subscribe()
    }
}

async fn serve(socket: Option<Arc<UdpSocket>>, shared: Arc<Shared>) {
    let Some(socket) = socket else {
        // Only time passes.
        loop {
            let pause = pause(shared.settle());
            tokio::select! {
                () = shared.changed.notified() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    };
    let mut buffer = vec![0u8; MAX_DATAGRAM + 1];
    loop {
        let pause = pause(shared.settle());
        tokio::select! {
            received = socket.recv_from(&mut buffer) => match received {
                Ok((len, from)) => {
                    let replies =
                        shared.engine().handle(from, buffer.get(..len).unwrap_or_default(), Instant::now());
                    shared.settle();
                    for reply in replies {
                        send(&socket, reply).await;
                    }
                }
                // A peer that has gone away (ICMP) is no reason to stop.
                Err(e) => tracing::debug!(error = %e, "receive"),
            },
            () = shared.changed.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Until the next change is due. Without any it still looks up now and then, so that sessions expire.
fn pause(due: Option<Instant>) -> Duration {
    due.map_or(Duration::from_secs(1), |at| at.saturating_duration_since(Instant::now()))
}

async fn send(socket: &Arc<UdpSocket>, reply: Reply) {
    if reply.after.is_zero() {
        let _ = socket.send_to(&reply.bytes, reply.to).await;
        return;
    }
    let socket = Arc::clone(socket);
    tokio::spawn(async move {
        tokio::time::sleep(reply.after).await;
        let _ = socket.send_to(&reply.bytes, reply.to).await;
    });
}
