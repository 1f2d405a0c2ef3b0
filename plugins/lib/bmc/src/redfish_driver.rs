//! The Redfish driver: HTTPS through drp-redfish.

use crate::redfish_read;
use crate::{
    BmcError, BmcInfo, BootDevice, BootState, BoxFuture, Chassis, Command, Driver, Identify, Kind, Opened,
    Part, Power, PowerControl, Reply, Session, Target,
};
use drp_redfish as redfish;
use drp_redfish::{Client, Override, PowerState, Source, System, Wish};
use serde_json::Value;

/// So many entries of a log are read, of which the newest ones are told: services give them in either order.
const LOG_ENTRIES: usize = 4 * crate::reading::Sel::MOST;

/// Redfish.
#[derive(Debug, Clone, Copy, Default)]
pub struct RedfishDriver;

impl Driver for RedfishDriver {
    fn name(&self) -> &'static str {
        "redfish"
    }

    fn default_port(&self) -> u16 {
        redfish::DEFAULT_PORT
    }

    fn can(&self, command: &Command) -> bool {
        request(command).is_some()
    }

    fn describe(&self, command: &Command) -> String {
        request(command).unwrap_or_else(|| format!("driver redfish cannot {command}"))
    }

    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>> {
        Box::pin(async move {
            let bmc = target.endpoint(redfish::DEFAULT_PORT);
            let mut client = Client::connect(&login(target))
                .await
                .map_err(|error| plain_hint(target, translate(&bmc, error)))?;
            match client.find_system().await {
                Ok(system) => {
                    let system = system.resource.path;
                    let refused_first = match client.login_words() {
                        "basic" => vec!["the service has no sessions; Basic was used instead".to_owned()],
                        _ => Vec::new(),
                    };
                    Ok(Opened { session: Box::new(Redfish { bmc, client, system }), refused_first })
                }
                Err(error) => {
                    let error = translate(&bmc, error);
                    close(&bmc, client).await;
                    Err(error)
                }
            }
        })
    }
}

impl RedfishDriver {
    /// The certificate that the BMC shows, for trust on first use. No credentials are sent.
    ///
    /// # Errors
    /// [`Kind::Unreachable`], [`Kind::Silent`] and so on.
    pub async fn shown_certificate(target: &Target) -> Result<Option<drp_redfish::Fingerprint>, BmcError> {
        let shown = redfish::shown_certificate(&login(target)).await;
        shown.map_err(|error| translate(&target.endpoint(redfish::DEFAULT_PORT), error))
    }
}

fn login(target: &Target) -> redfish::Target {
    redfish::Target {
        host: target.host.clone(),
        port: target.port,
        username: target.username.clone(),
        password: target.password.clone(),
        trust: target.trust.clone(),
        system_uuid: target.system_uuid.clone(),
        timeout: target.timeout,
    }
}

/// What is sent for a command, in words; `None` for what Redfish has nothing for here.
fn request(command: &Command) -> Option<String> {
    let reset = |wish: Wish| {
        let types: Vec<_> = wish.types().iter().map(|reset| reset.name()).collect();
        format!("POST ComputerSystem.Reset, ResetType {}", types.join(" or "))
    };
    Some(match command {
        Command::Chassis | Command::BootGet => "GET the system".to_owned(),
        Command::Power(control) => reset(wish(*control)),
        Command::BootSet(state) => format!("PATCH the system, {}", boot(state)?.body()),
        Command::Identify(identify) => {
            let on = *identify != Identify::Off;
            format!("PATCH the system, LocationIndicatorActive {on} (or IndicatorLED)")
        }
        Command::Info => "GET the system's manager".to_owned(),
        Command::Read(part) => match part {
            Part::Sensors => "GET the machine's chassis, and their Sensors or Thermal and Power".to_owned(),
            Part::Sel => "GET the log services, and the entries of the event log".to_owned(),
            Part::Users => "GET the accounts of the AccountService".to_owned(),
            Part::Lan => "GET the EthernetInterfaces of the system's manager".to_owned(),
            Part::Media => "GET the slot for optical virtual media".to_owned(),
            part => format!("GET the system's {}", part.words()),
        },
        Command::MediaInsert { url, boot, .. } => {
            let then = if *boot { ", then set the boot override to it" } else { "" };
            format!("POST VirtualMedia.InsertMedia, Image {url}{then}")
        }
        Command::MediaEject => "POST VirtualMedia.EjectMedia".to_owned(),
        Command::BmcReset => "POST Manager.Reset".to_owned(),
        Command::SelClear => "POST LogService.ClearLog of the event log".to_owned(),
    })
}

fn wish(control: PowerControl) -> Wish {
    match control {
        PowerControl::Up => Wish::Up,
        PowerControl::Down => Wish::Down,
        PowerControl::Cycle => Wish::Cycle,
        PowerControl::Reset => Wish::Restart,
        PowerControl::Soft => Wish::Soft,
        PowerControl::Interrupt => Wish::Interrupt,
    }
}

fn boot(state: &BootState) -> Option<Override> {
    let source = match state.device {
        BootDevice::None => Source::None,
        BootDevice::Pxe => Source::Pxe,
        BootDevice::Disk => Source::Hdd,
        BootDevice::Cd => Source::Cd,
        BootDevice::Bios => Source::BiosSetup,
        BootDevice::Http => Source::UefiHttp,
        BootDevice::Other => return None,
    };
    // The mode is sent only to ask for UEFI: what is not known is left as the machine has it.
    let enabled = state.valid && source != Source::None;
    Some(Override { source, enabled, persistent: state.persistent, uefi: state.efi.then_some(true) })
}

struct Redfish {
    bmc: String,
    client: Client,
    /// Path of the machine.
    system: String,
}

impl Session for Redfish {
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>> {
        Box::pin(async move { self.send(command).await.map_err(|error| translate(&self.bmc, error)) })
    }

    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(async move { close(&self.bmc, self.client).await })
    }
}

async fn close(bmc: &str, client: Client) {
    if let Err(error) = client.close().await {
        tracing::debug!(bmc, "closing the session: {error}");
    }
}

impl Redfish {
    async fn send(&mut self, command: Command) -> Result<Reply, redfish::Error> {
        // Always read afresh: decisions are never made on what was read before.
        let system = self.client.system(&self.system).await?;
        match command {
            Command::Chassis => {
                let power = match system.power() {
                    PowerState::On => Power::On,
                    PowerState::Off => Power::Off,
                    PowerState::Other => Power::Unknown,
                };
                return Ok(Reply::Chassis(Chassis { power, identify: system.identifies() }));
            }
            Command::Power(control) => {
                let reset = self.client.reset_type(&system, wish(control)).await?;
                self.client.reset(&system, reset).await?;
            }
            Command::BootGet => return Ok(Reply::Boot(read_boot(&system))),
            Command::BootSet(state) => match boot(&state) {
                Some(boot) => self.client.set_boot(&system, &boot).await?,
                None => return Err(cannot(&self.bmc, &Command::BootSet(state))),
            },
            Command::Identify(identify) => self.client.identify(&system, identify != Identify::Off).await?,
            Command::Info => return self.info(&system).await.map(Reply::Info),
            Command::Read(part) => return self.part(&system, part).await.map(Reply::Data),
            Command::MediaInsert { url, boot, efi } => {
                let slot = self.client.optical_slot(&system).await?;
                if !slot.state().inserted {
                    self.client.insert(&slot, &url).await?;
                }
                if boot {
                    self.client.boot_from(&system, &slot, efi.filter(|efi| *efi)).await?;
                }
            }
            Command::MediaEject => {
                let slot = self.client.optical_slot(&system).await?;
                self.client.eject(&slot).await?;
            }
            Command::BmcReset => self.client.reset_manager(&system).await?,
            Command::SelClear => {
                let log = self.client.event_log(&system).await?;
                self.client.clear_log(&log).await?;
            }
        }
        Ok(Reply::Done)
    }

    async fn info(&mut self, system: &System) -> Result<BmcInfo, redfish::Error> {
        let manager = self.client.manager(system).await?;
        let text = |pointer: &str| manager.text(pointer).unwrap_or_default().to_owned();
        let protocol_version = self.client.root()["RedfishVersion"].as_str().unwrap_or_default().to_owned();
        let made_by = system.resource.text("/Manufacturer").filter(|m| !m.is_empty());
        Ok(BmcInfo {
            firmware: text("/FirmwareVersion"),
            protocol_version,
            manufacturer: made_by.unwrap_or_else(|| system.vendor().name()).to_owned(),
            model: text("/Model"),
            session: match (self.client.login_words(), self.client.fingerprint()) {
                (login, Some(fingerprint)) => format!("{login}, certificate {fingerprint}"),
                (login, None) => format!("{login}, without TLS"),
            },
            ..BmcInfo::default()
        })
    }

    async fn part(&mut self, system: &System, part: Part) -> Result<Value, redfish::Error> {
        let linked = match part {
            Part::Health => return self.client.health(system).await,
            Part::System => return Ok(system.resource.body.clone()),
            Part::Boot => return Ok(system.resource.body.get("Boot").cloned().unwrap_or_default()),
            Part::Media => {
                let slot = self.client.optical_slot(system).await?;
                return Ok(serde_json::to_value(slot.state()).unwrap_or_default());
            }
            Part::Bios => redfish::Part::Bios,
            Part::Memory => redfish::Part::Memory,
            Part::Storage => redfish::Part::Storage,
            Part::SimpleStorage => redfish::Part::SimpleStorage,
            Part::Processors => redfish::Part::Processors,
            Part::NetworkInterfaces => redfish::Part::NetworkInterfaces,
            Part::EthernetInterfaces => redfish::Part::EthernetInterfaces,
            Part::SecureBoot => redfish::Part::SecureBoot,
            Part::Sensors => {
                let sources = self.client.sensors(system).await?;
                return Ok(serde_json::to_value(redfish_read::sensors(&sources)).unwrap_or_default());
            }
            Part::Sel => {
                let log = self.client.event_log(system).await?;
                let entries = self.client.log_entries(&log, LOG_ENTRIES).await?;
                return Ok(serde_json::to_value(redfish_read::sel(&entries)).unwrap_or_default());
            }
            Part::Users => {
                let accounts = self.client.accounts().await?;
                return Ok(serde_json::to_value(redfish_read::users(&accounts)).unwrap_or_default());
            }
            Part::Lan => {
                let interfaces = self.client.manager_interfaces(system).await?;
                return Ok(serde_json::to_value(redfish_read::lan(&interfaces)).unwrap_or_default());
            }
        };
        self.client.part(system, linked).await
    }
}

fn read_boot(system: &System) -> BootState {
    let boot = system.boot();
    let device = match boot.source {
        // What is not in force does not count, whatever source it names.
        _ if !boot.enabled => BootDevice::None,
        Source::None => BootDevice::None,
        Source::Pxe => BootDevice::Pxe,
        Source::Hdd => BootDevice::Disk,
        Source::Cd => BootDevice::Cd,
        Source::BiosSetup => BootDevice::Bios,
        Source::UefiHttp => BootDevice::Http,
        Source::Other => BootDevice::Other,
    };
    BootState { device, valid: boot.enabled, persistent: boot.persistent, efi: boot.uefi == Some(true) }
}

fn cannot(bmc: &str, command: &Command) -> redfish::Error {
    redfish::Error::Unsupported {
        bmc: bmc.to_owned(),
        request: command.to_string(),
        said: redfish::Message { id: String::new(), text: "driver redfish has no request for it".to_owned() },
    }
}

/// Makes an error of the client one of this crate. Its texts hold no secret.
/// Without TLS, an answer that makes no sense, or none, is most often that of a port with TLS.
fn plain_hint(target: &Target, error: BmcError) -> BmcError {
    let odd = matches!(error.kind, Kind::Protocol | Kind::Unreachable | Kind::Refused | Kind::Unsupported);
    if target.trust != redfish::Trust::Plain || !odd {
        return error;
    }
    let next = format!("{}; ipmi/tls-verify is plain: if that port speaks TLS, set it to verify", error.next);
    error.advise(next)
}

fn translate(bmc: &str, error: redfish::Error) -> BmcError {
    use redfish::Error as E;
    let (kind, next) = match &error {
        E::Setting { .. } => (Kind::Param, None),
        E::Unreachable { .. } => {
            (Kind::Unreachable, Some("check ipmi/address, ipmi/port-redfish, routes and firewalls"))
        }
        E::Untrusted { .. } => (Kind::Certificate, None),
        E::Silent { .. } => {
            (Kind::Silent, Some("check ipmi/address and ipmi/port-redfish, and that the BMC is well"))
        }
        E::Credentials { status: 401, .. } => (Kind::Credentials, None),
        E::Credentials { .. } => {
            (Kind::Refused, Some("give the user of ipmi/username the right to do this on the BMC"))
        }
        E::Exhausted { .. } => (Kind::Exhausted, None),
        E::Busy { .. } => (Kind::NodeBusy, None),
        E::Unsupported { .. } => (Kind::Unsupported, None),
        E::Refused { .. } | E::Task { .. } => (Kind::Refused, None),
        _ => (Kind::Protocol, None),
    };
    let maybe_done = error.maybe_done();
    let retry_after = match &error {
        E::Busy { retry_after, .. } => *retry_after,
        _ => None,
    };
    let text = error.to_string();
    // The name of the BMC stands before every text already.
    let what = text.strip_prefix(&format!("the BMC at {bmc} ")).unwrap_or(&text);
    let mut out = BmcError::new(kind, bmc, what).retry_after(retry_after);
    if let Some(next) = next {
        out = out.advise(next);
    }
    if let Some(wait) = retry_after {
        out.what = format!("{}; it asks to be left alone for {} s", out.what, wait.as_secs());
    }
    if maybe_done { out.maybe_done() } else { out }
}
