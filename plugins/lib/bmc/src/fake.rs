//! A BMC in memory for the tests of this crate, with faults.

use crate::reading::{Sel, SelEntry};
use crate::{
    BmcError, BmcInfo, BootDevice, BootState, BoxFuture, Chassis, Command, Driver, FakeClock, Fleet, Kind,
    Opened, Outcome, Power, PowerControl, Reply, Session, Settings, Target, Verb, VerbOptions,
};
use drp_protocol::Secret;
use serde_json::json;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

/// What goes wrong with a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Nothing.
    None,
    /// The request is lost.
    RequestLost,
    /// It is carried out and the answer is lost.
    AnswerLost,
    /// Turned away with this kind.
    Refused(Kind),
    /// Nonsense comes back, after it was carried out.
    Nonsense,
    /// A chassis status that does not say.
    Unknown,
    /// Accepted and not carried out.
    Ignored,
}

pub(crate) struct World {
    pub(crate) power: Power,
    pub(crate) boot: BootState,
    pub(crate) identify: Option<bool>,
    /// Bits that it does not keep, as most BMCs do not.
    pub(crate) drops_flags: bool,
    pub(crate) password: &'static str,
    /// Faults of the coming commands that change something.
    pub(crate) change_faults: VecDeque<Fault>,
    /// Faults of the coming commands that read.
    pub(crate) read_faults: VecDeque<Fault>,
    /// Failures of the coming opens.
    pub(crate) open_faults: VecDeque<Kind>,
    /// Every command that was carried out.
    pub(crate) done: Vec<Command>,
    /// Every command that arrived or was lost on the way.
    pub(crate) sent: Vec<Command>,
    pub(crate) opens: usize,
    pub(crate) logins: usize,
    pub(crate) open_now: usize,
    pub(crate) most_open: usize,
    /// After a cycle: how many readings show off.
    off_readings: usize,
    /// Power readings given, for checks that nothing else is shown.
    pub(crate) readings: Vec<Power>,
    /// The operating system heeds a soft shutdown.
    pub(crate) heeds_soft: bool,
    /// How long each command takes, really.
    pub(crate) delay: Duration,
    pub(crate) media: Option<String>,
    /// Entries of its event log.
    pub(crate) log: Vec<SelEntry>,
    /// After something was asked to change: its log counts entries and gives none, as while it is erased.
    pub(crate) hides_log: bool,
    /// After something was asked to change: sensors have lost their names.
    pub(crate) renames_sensors: bool,
    /// It logs that its log was cleared.
    pub(crate) marks_clearing: bool,
    pub(crate) running: usize,
    pub(crate) most_running: usize,
}

/// A driver for one [`World`].
#[derive(Clone)]
pub(crate) struct FakeDriver(Arc<Mutex<World>>);

impl FakeDriver {
    pub(crate) fn new(power: Power) -> Self {
        Self(Arc::new(Mutex::new(World {
            power,
            boot: BootState { device: BootDevice::None, valid: false, persistent: false, efi: false },
            identify: Some(false),
            drops_flags: false,
            password: "secret",
            change_faults: VecDeque::new(),
            read_faults: VecDeque::new(),
            open_faults: VecDeque::new(),
            done: Vec::new(),
            sent: Vec::new(),
            opens: 0,
            logins: 0,
            open_now: 0,
            most_open: 0,
            off_readings: 0,
            readings: Vec::new(),
            heeds_soft: true,
            delay: Duration::ZERO,
            media: None,
            log: Vec::new(),
            marks_clearing: false,
            hides_log: false,
            renames_sensors: false,
            running: 0,
            most_running: 0,
        })))
    }

    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap()
    }

    /// A fleet on a clock that never waits, and a target with the right password.
    pub(crate) fn fleet(&self) -> (Fleet, FakeClock) {
        let clock = FakeClock::default();
        (Fleet::new(Settings::default(), Arc::new(clock.clone())), clock)
    }

    pub(crate) async fn run(&self, fleet: &Fleet, verb: Verb) -> Result<Outcome, BmcError> {
        fleet.run(Arc::new(self.clone()), target("secret"), verb, VerbOptions::default()).await
    }

    pub(crate) fn opens_and_open(&self) -> (usize, usize) {
        let world = self.world();
        (world.opens, world.open_now)
    }

    pub(crate) fn opens_and_most(&self) -> (usize, usize) {
        let world = self.world();
        (world.opens, world.most_open)
    }

    pub(crate) fn most_running_and_open(&self) -> (usize, usize) {
        let world = self.world();
        (world.most_running, world.most_open)
    }

    pub(crate) fn changes(&self) -> Vec<Command> {
        let world = self.world();
        world.done.iter().filter(|c| c.class() != crate::Class::Read).cloned().collect()
    }
}

pub(crate) fn target(password: &str) -> Target {
    Target::new("10.0.0.1", "admin", Secret::new(password.to_owned()))
}

impl Driver for FakeDriver {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn default_port(&self) -> u16 {
        623
    }

    fn can(&self, _: &Command) -> bool {
        true
    }

    fn describe(&self, command: &Command) -> String {
        format!("{command:?}")
    }

    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>> {
        Box::pin(async move {
            let mut world = self.world();
            world.opens += 1;
            if let Some(kind) = world.open_faults.pop_front() {
                return Err(BmcError::new(kind, "10.0.0.1:623", "no session"));
            }
            world.logins += 1;
            if target.password.expose() != world.password {
                return Err(BmcError::new(Kind::Credentials, "10.0.0.1:623", "wrong password"));
            }
            world.open_now += 1;
            world.most_open = world.most_open.max(world.open_now);
            Ok(Opened { session: Box::new(FakeSession(self.clone())), refused_first: Vec::new() })
        })
    }
}

struct FakeSession(FakeDriver);

impl Session for FakeSession {
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>> {
        Box::pin(async move {
            let delay = {
                let mut world = self.0.world();
                world.running += 1;
                world.most_running = world.most_running.max(world.running);
                world.delay
            };
            let _running = Running(&self.0);
            if !delay.is_zero() {
                tokio::time::sleep(delay).await;
            }
            self.0.world().execute(command)
        })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { self.0.world().open_now -= 1 })
    }
}

struct Running<'a>(&'a FakeDriver);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.world().running -= 1;
    }
}

impl World {
    fn execute(&mut self, command: Command) -> Result<Reply, BmcError> {
        let error = |kind, what: &str| Err(BmcError::new(kind, "10.0.0.1:623", what));
        self.sent.push(command.clone());
        let reads = command.class() == crate::Class::Read;
        let faults = if reads { &mut self.read_faults } else { &mut self.change_faults };
        match faults.pop_front().unwrap_or(Fault::None) {
            Fault::None => Ok(self.apply(command)),
            Fault::RequestLost => error(Kind::Silent, "no answer"),
            Fault::AnswerLost => {
                self.apply(command);
                error(Kind::Silent, "no answer")
            }
            Fault::Refused(kind) => error(kind, "refused"),
            Fault::Nonsense => {
                self.apply(command);
                error(Kind::Protocol, "nonsense")
            }
            Fault::Unknown if command == Command::Chassis => {
                self.readings.push(Power::Unknown);
                Ok(Reply::Chassis(Chassis { power: Power::Unknown, identify: None }))
            }
            Fault::Unknown => Ok(self.apply(command)),
            Fault::Ignored => Ok(Reply::Done),
        }
    }

    fn apply(&mut self, command: Command) -> Reply {
        self.done.push(command.clone());
        match command {
            Command::Chassis => {
                let power = if self.off_readings > 0 {
                    self.off_readings -= 1;
                    Power::Off
                } else {
                    self.power
                };
                self.readings.push(power);
                return Reply::Chassis(Chassis { power, identify: self.identify });
            }
            Command::Power(PowerControl::Up) => self.power = Power::On,
            Command::Power(PowerControl::Down) => self.power = Power::Off,
            Command::Power(PowerControl::Cycle) => self.off_readings = 2,
            Command::Power(PowerControl::Reset | PowerControl::Interrupt) | Command::BmcReset => {}
            Command::Power(PowerControl::Soft) => {
                if self.heeds_soft {
                    self.power = Power::Off;
                }
            }
            Command::BootGet => return Reply::Boot(self.boot),
            Command::BootSet(asked) => {
                let keeps = !self.drops_flags;
                self.boot = BootState {
                    device: asked.device,
                    valid: keeps && asked.valid,
                    persistent: keeps && asked.persistent,
                    efi: keeps && asked.efi,
                };
            }
            Command::Identify(identify) => {
                self.identify = self.identify.map(|_| identify != crate::Identify::Off);
            }
            Command::Info => {
                return Reply::Info(BmcInfo { firmware: "1.02".to_owned(), ..BmcInfo::default() });
            }
            Command::Read(crate::Part::Media) => {
                return Reply::Data(json!({ "inserted": self.media.is_some(), "image": self.media }));
            }
            Command::Read(crate::Part::Sel) => {
                let total = u64::try_from(self.log.len()).unwrap();
                let asked = self.sent.contains(&Command::SelClear);
                let mut entries = self.log.clone();
                if asked && self.hides_log {
                    entries.clear();
                }
                if asked && self.renames_sensors {
                    entries.iter_mut().for_each(|entry| entry.sensor = "temperature 0x01".to_owned());
                }
                return Reply::Data(json!(Sel { total, entries, ..Sel::default() }));
            }
            Command::Read(part) => return Reply::Data(json!({ "part": part.words() })),
            Command::MediaInsert { url, .. } => self.media = Some(url.to_string()),
            Command::MediaEject => self.media = None,
            Command::SelClear => {
                self.log.clear();
                if self.marks_clearing {
                    self.log.push(SelEntry { id: "1".to_owned(), clear_mark: true, ..SelEntry::default() });
                }
            }
        }
        Reply::Done
    }
}
