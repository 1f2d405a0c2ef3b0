//! The native IPMI driver: RMCP+ through drp-ipmi.

use crate::ipmi_read::{self, Records};
use crate::{
    BmcError, BmcInfo, BootDevice, BootState, BoxFuture, Chassis, CipherChoice, Class, Command, Driver,
    Identify, Kind, Opened, Part, Power, PowerControl, Reply, Session, Target,
};
use drp_ipmi as ipmi;
use drp_ipmi::{CipherSuite, Client, CompletionCode, Idempotency, Privilege, Timeouts};
use serde::Serialize;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait for a session to open, whatever the target's timeout is.
const CONNECT: Duration = Duration::from_secs(5);
/// First retransmission of what may be sent again.
const RETRANSMIT: Duration = Duration::from_millis(500);

/// IPMI 2.0 over LAN.
#[derive(Debug, Clone, Copy, Default)]
pub struct IpmiDriver;

impl Driver for IpmiDriver {
    fn name(&self) -> &'static str {
        "ipmi"
    }

    fn default_port(&self) -> u16 {
        ipmi::DEFAULT_PORT
    }

    fn can(&self, command: &Command) -> bool {
        request(command).is_some() || many(command).is_some()
    }

    fn describe(&self, command: &Command) -> String {
        if let Some(many) = many(command) {
            return many.to_owned();
        }
        let Some(request) = request(command) else { return format!("driver ipmi cannot {command}") };
        let data: Vec<_> = request.data.iter().map(|byte| format!("{byte:02x}")).collect();
        let data = if data.is_empty() { "no data".to_owned() } else { format!("data {}", data.join(" ")) };
        format!("IPMI netfn 0x{:02x} cmd 0x{:02x}, {data}", request.netfn, request.cmd)
    }

    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>> {
        Box::pin(open(target))
    }
}

async fn open(target: &Target) -> Result<Opened, BmcError> {
    let bmc = target.endpoint(ipmi::DEFAULT_PORT);
    let (first, then) = match target.cipher {
        CipherChoice::Auto => (CipherSuite::Suite17, Some(CipherSuite::Suite3)),
        CipherChoice::Suite3 => (CipherSuite::Suite3, None),
        CipherChoice::Suite17 => (CipherSuite::Suite17, None),
    };
    let mut refused_first = Vec::new();
    let mut suite = first;
    let session = match connect(target, first, Privilege::Operator).await {
        // Only the BMC's own word that it has no such suite leads on to the other one; silence does not.
        Err(error @ ipmi::Error::SuiteRefused { .. }) if then.is_some() => {
            let then = then.unwrap_or(CipherSuite::Suite3);
            tracing::warn!(bmc, "cipher suite {first} refused, using {then}: {error}");
            refused_first.push(format!("{}; suite {then} was asked for instead", said(&error)));
            suite = then;
            connect(target, then, Privilege::Operator).await
        }
        other => other,
    };
    let session = session.map_err(|error| translate(&bmc, error))?;
    let ipmi =
        Ipmi { bmc, target: target.clone(), suite, session: Some(session), records: Records::default() };
    Ok(Opened { session: Box::new(ipmi), refused_first })
}

async fn connect(
    target: &Target,
    suite: CipherSuite,
    privilege: Privilege,
) -> Result<ipmi::Session, ipmi::Error> {
    let login = ipmi::Target {
        host: target.host.clone(),
        port: if target.port == 0 { ipmi::DEFAULT_PORT } else { target.port },
        user: target.username.clone(),
        password: target.password.clone(),
        suite,
        privilege,
        kg: target.kg.clone(),
    };
    let timeouts =
        Timeouts { connect: target.timeout.min(CONNECT), command: target.timeout, retransmit: RETRANSMIT };
    Client::connect(&login, timeouts).await
}

struct Ipmi {
    bmc: String,
    target: Target,
    /// The suite that this BMC took.
    suite: CipherSuite,
    /// Absent while it is exchanged for one with another privilege.
    session: Option<ipmi::Session>,
    /// Sensor data records, which change seldom and take many requests.
    records: Records,
}

impl Session for Ipmi {
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>> {
        Box::pin(async move { self.run(command).await.map_err(|error| translate(&self.bmc, error)) })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { close(&self.bmc, self.session).await })
    }
}

async fn close(bmc: &str, session: Option<ipmi::Session>) {
    let Some(session) = session else { return };
    if let Err(error) = session.close().await {
        tracing::debug!(bmc, "closing the session: {error}");
    }
}

impl Ipmi {
    /// Sends the command at operator level. Some commands need an administrator on some BMCs, and a session cannot rise
    /// above what it was opened for: then it is closed, another one is opened for this command alone, and closed.
    async fn run(&mut self, command: Command) -> Result<Reply, ipmi::Error> {
        if self.session.is_none() {
            self.session = Some(connect(&self.target, self.suite, Privilege::Operator).await?);
        }
        let refused = match self.send(&command).await {
            Err(error @ ipmi::Error::Completion { code: CompletionCode::INSUFFICIENT_PRIVILEGE, .. })
                if may_need_more(&command) =>
            {
                error
            }
            other => return other,
        };
        close(&self.bmc, self.session.take()).await;
        match connect(&self.target, self.suite, Privilege::Administrator).await {
            Ok(session) => self.session = Some(session),
            // The user is no administrator. The password is right, so this is the first refusal and no other.
            Err(ipmi::Error::Refused { .. } | ipmi::Error::NotOpened { .. }) => return Err(refused),
            Err(error) => return Err(error),
        }
        let result = self.send(&command).await;
        close(&self.bmc, self.session.take().filter(|_| command != Command::BmcReset)).await;
        result
    }

    fn session(&mut self) -> Result<&mut ipmi::Session, ipmi::Error> {
        let none = || ipmi::Error::BadTarget { what: format!("no session with {}", self.bmc) };
        self.session.as_mut().ok_or_else(none)
    }

    /// Readings of many requests end with what they have a good while before the lane gives them up.
    fn until(&self) -> Instant {
        Instant::now() + self.target.timeout * 3
    }

    /// What takes more than one request.
    async fn read(&mut self, part: Part) -> Result<Reply, ipmi::Error> {
        let until = self.until();
        let Self { session, records, .. } = self;
        let Some(session) = session else {
            return Err(ipmi::Error::BadTarget { what: "no session".to_owned() });
        };
        match part {
            Part::Sensors => data(ipmi_read::sensors(session, records, until).await?),
            Part::Sel => data(ipmi_read::sel(session, records, until).await?),
            Part::Users => data(ipmi_read::users(session).await?),
            Part::Lan => data(ipmi_read::lan(session).await?),
            other => {
                Err(ipmi::Error::BadTarget { what: format!("driver ipmi cannot read {}", other.words()) })
            }
        }
    }

    /// A command whose answer holds nothing but its completion code.
    async fn carry_out(&mut self, command: &Command) -> Result<Reply, ipmi::Error> {
        match request(command) {
            Some(request) => self.session()?.execute(&request).await.map(|_| Reply::Done),
            None => Err(ipmi::Error::BadTarget { what: format!("driver ipmi cannot {command}") }),
        }
    }

    async fn send(&mut self, command: &Command) -> Result<Reply, ipmi::Error> {
        match command {
            Command::Chassis => {
                let status = self.session()?.chassis_status().await?;
                let power = if status.power_on { Power::On } else { Power::Off };
                Ok(Reply::Chassis(Chassis { power, identify: status.identifying() }))
            }
            Command::BootGet => {
                let flags = self.session()?.boot_flags().await?;
                let device = device(flags.device);
                Ok(Reply::Boot(BootState {
                    device,
                    valid: flags.valid,
                    persistent: flags.persistent,
                    efi: flags.efi,
                }))
            }
            Command::Info => {
                let id = self.session()?.device_id().await?;
                let manufacturer_id = id.manufacturer.unwrap_or_default();
                Ok(Reply::Info(BmcInfo {
                    device_id: id.id,
                    // The minor revision is BCD (IPMI 2.0 §20.1).
                    firmware: format!("{}.{:02x}", id.firmware_major, id.firmware_minor),
                    protocol_version: format!("{}.{}", id.ipmi_version.0, id.ipmi_version.1),
                    manufacturer_id,
                    manufacturer: manufacturer(manufacturer_id).to_owned(),
                    model: String::new(),
                    product_id: id.product.unwrap_or_default(),
                    session: format!("cipher suite {}", self.suite),
                }))
            }
            Command::BootSet(_) => {
                // Harmless and optional, so what comes of it does not matter unless the BMC went silent.
                match self.session()?.execute(&ipmi::BootFlags::acknowledge_command()).await {
                    Ok(_) | Err(ipmi::Error::Completion { .. }) => {}
                    Err(error) => return Err(error),
                }
                self.carry_out(command).await
            }
            Command::Read(part) => self.read(*part).await,
            Command::SelClear => {
                let until = self.until();
                // Whether it is empty is read afterwards.
                self.session()?.sel_clear(until).await.map(|_| Reply::Done)
            }
            other => self.carry_out(other).await,
        }
    }
}

fn data(reading: impl Serialize) -> Result<Reply, ipmi::Error> {
    let value = serde_json::to_value(reading);
    value.map(Reply::Data).map_err(|error| ipmi::Error::BadTarget { what: error.to_string() })
}

/// Commands for which BMCs want different privileges (IPMI 2.0 Appendix G has the least ones).
fn may_need_more(command: &Command) -> bool {
    matches!(command, Command::BmcReset | Command::SelClear | Command::Read(_))
}

/// What is sent for commands that take many requests.
fn many(command: &Command) -> Option<&'static str> {
    Some(match command {
        Command::Read(Part::Sensors) => {
            "IPMI netfn 0x0a cmd 0x20, 0x22 and 0x23 (sensor data records), then netfn 0x04 cmd 0x2d and 0x27 for each sensor"
        }
        Command::Read(Part::Sel) => {
            "IPMI netfn 0x0a cmd 0x40, and 0x43 for each entry; sensor data records for names"
        }
        Command::Read(Part::Users) => "IPMI netfn 0x06 cmd 0x42 (channels), then 0x44 and 0x46 for each user",
        Command::Read(Part::Lan) => {
            "IPMI netfn 0x06 cmd 0x42 (channels), then netfn 0x0c cmd 0x02 for each parameter"
        }
        Command::SelClear => {
            "IPMI netfn 0x0a cmd 0x42 (reserve), then 0x47 (clear) once, then 0x47 until it is over"
        }
        _ => return None,
    })
}

/// The request of a command; `None` for what IPMI has no command for. What changes something leaves once:
/// drp-ipmi would send some of it again.
pub(crate) fn request(command: &Command) -> Option<ipmi::Command> {
    let mut request = match command {
        Command::Chassis => ipmi::ChassisStatus::command(),
        Command::Power(control) => match control {
            PowerControl::Up => ipmi::ChassisControl::PowerUp,
            PowerControl::Down => ipmi::ChassisControl::PowerDown,
            PowerControl::Cycle => ipmi::ChassisControl::PowerCycle,
            PowerControl::Reset => ipmi::ChassisControl::HardReset,
            PowerControl::Soft => ipmi::ChassisControl::SoftShutdown,
            PowerControl::Interrupt => ipmi::ChassisControl::DiagnosticInterrupt,
        }
        .command(),
        Command::BootGet => ipmi::BootFlags::get_command(),
        Command::BootSet(state) => {
            let device = match state.device {
                BootDevice::None => ipmi::BootDevice::None,
                BootDevice::Http | BootDevice::Other => return None,
                BootDevice::Pxe => ipmi::BootDevice::Pxe,
                BootDevice::Disk => ipmi::BootDevice::Disk,
                BootDevice::Cd => ipmi::BootDevice::Cdrom,
                BootDevice::Bios => ipmi::BootDevice::BiosSetup,
            };
            let flags = ipmi::BootFlags {
                valid: state.valid,
                ..ipmi::BootFlags::new(device, state.persistent, state.efi)
            };
            flags.set_command()
        }
        Command::Identify(identify) => match identify {
            Identify::Seconds(seconds) => ipmi::Identify::Seconds(*seconds),
            Identify::Forever => ipmi::Identify::Forever,
            Identify::Off => ipmi::Identify::Off,
        }
        .command(),
        Command::Info => ipmi::DeviceId::command(),
        Command::BmcReset => ipmi::DeviceId::cold_reset_command(),
        Command::Read(_) | Command::MediaInsert { .. } | Command::MediaEject | Command::SelClear => {
            return None;
        }
    };
    if command.class() != Class::Read {
        request.idempotency = Idempotency::Once;
    }
    Some(request)
}

/// Makes an error of the transport one of this crate. Its texts name what happened and hold no secret.
fn translate(bmc: &str, error: ipmi::Error) -> BmcError {
    let kind = match &error {
        ipmi::Error::BadTarget { .. } => Kind::Param,
        ipmi::Error::Resolve { .. } | ipmi::Error::Unreachable { .. } => Kind::Unreachable,
        ipmi::Error::Silent { .. } => Kind::Silent,
        ipmi::Error::Refused { .. } => Kind::Credentials,
        ipmi::Error::SuiteRefused { .. } => Kind::Unsupported,
        ipmi::Error::Busy { .. } => Kind::NodeBusy,
        ipmi::Error::InsufficientResources { .. } => Kind::Exhausted,
        ipmi::Error::Completion { code, .. } => completion(*code),
        ipmi::Error::Local { .. } => Kind::Internal,
        _ => Kind::Protocol,
    };
    let maybe_done = error.maybe_done();
    let mut out = BmcError::new(kind, bmc, said(&error));
    if matches!(error, ipmi::Error::SuiteRefused { .. }) {
        out = out.advise("set ipmi/cipher-suite to a suite the BMC has, 3 or 17, or to auto");
    }
    if maybe_done { out.maybe_done() } else { out }
}

/// Codes that say "I have no such thing" against codes that say "not this time" (IPMI 2.0 §5.2, Table 5-2).
pub(crate) fn completion(code: CompletionCode) -> Kind {
    match code {
        CompletionCode::INVALID_COMMAND | CompletionCode::INVALID_DATA_FIELD => Kind::Unsupported,
        // Get/Set System Boot Options: parameter not supported.
        CompletionCode(0x80 | 0xc2 | 0xd6) => Kind::Unsupported,
        _ => Kind::Refused,
    }
}

/// The transport's text up to its advice; this crate gives its own, in terms of params.
fn said(error: &ipmi::Error) -> String {
    let text = error.to_string();
    match text.split_once("; ") {
        Some((what, _)) => what.to_owned(),
        None => text,
    }
}

/// Names of the manufacturers that are met most (IANA enterprise numbers).
pub(crate) fn manufacturer(id: u32) -> &'static str {
    match id {
        2 => "IBM",
        11 | 47196 => "HPE",
        343 => "Intel",
        674 => "Dell",
        7244 => "Quanta",
        10876 | 47488 => "Supermicro",
        19046 => "Lenovo",
        20301 => "IBM eServer",
        _ => "",
    }
}

/// A selector as it was read back.
pub(crate) fn device(device: ipmi::BootDevice) -> BootDevice {
    match device {
        ipmi::BootDevice::None => BootDevice::None,
        ipmi::BootDevice::Pxe => BootDevice::Pxe,
        ipmi::BootDevice::Disk => BootDevice::Disk,
        ipmi::BootDevice::Cdrom => BootDevice::Cd,
        ipmi::BootDevice::BiosSetup => BootDevice::Bios,
        _ => BootDevice::Other,
    }
}
