//! The local driver: the BMC of the host this program runs on, through the kernel's `/dev/ipmi0`.
//!
//! Requests and answers are those of drp-ipmi; only the way there is another one (IPMI 2.0 §9 to §12, the system
//! interfaces; the kernel's driver `ipmi_devintf`). The file connection is that of `ipmi-rs`.

use crate::ipmi_driver::{completion, device, manufacturer, request};
use crate::{
    BmcError, BmcInfo, BootState, BoxFuture, Chassis, Command, Driver, Kind, Opened, Power, Reply, Session,
    Target,
};
use drp_ipmi as ipmi;
use drp_ipmi::CompletionCode;
use ipmi_rs::connection::{IpmiConnection, LogicalUnit, Message, Request, RequestTargetAddress};
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

/// Where kernels and distributions put it, in the order they are tried.
const DEVICES: [&str; 3] = ["/dev/ipmi0", "/dev/ipmi/0", "/dev/ipmidev/0"];

/// In-band IPMI.
#[derive(Debug, Clone, Copy, Default)]
pub struct LocalDriver;

impl Driver for LocalDriver {
    fn name(&self) -> &'static str {
        "local"
    }

    fn default_port(&self) -> u16 {
        0
    }

    fn can(&self, command: &Command) -> bool {
        request(command).is_some()
    }

    fn describe(&self, command: &Command) -> String {
        let Some(request) = request(command) else { return format!("driver local cannot {command}") };
        let data: Vec<_> = request.data.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("{} netfn 0x{:02x} cmd 0x{:02x} [{}]", DEVICES[0], request.netfn, request.cmd, data.join(" "))
    }

    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>> {
        Box::pin(async move {
            let bmc = target.endpoint(0);
            let Some(device) = DEVICES.iter().find(|device| Path::new(device).exists()) else {
                let what = format!("this host has none of {}", DEVICES.join(", "));
                return Err(BmcError::new(Kind::Unsupported, bmc, what).advise(
                    "load the kernel modules ipmi_devintf and ipmi_si (or ipmi_ssif), on a host that has a BMC; in a \
                     container, pass the device in",
                ));
            };
            let timeout = target.timeout;
            let opened = tokio::task::spawn_blocking(move || ipmi_rs::File::new(device, timeout)).await;
            let file = opened.map_err(io::Error::other).and_then(|file| file).map_err(|why| {
                BmcError::new(Kind::Unsupported, &bmc, format!("{device} cannot be opened: {why}"))
                    .advise("let the daemon's user read and write the device, or run the daemon as root")
            })?;
            let session = Local { bmc, timeout, wire: Some(Device { file, sent: -1 }) };
            Ok(Opened { session: Box::new(session), refused_first: Vec::new() })
        })
    }
}

/// What carries one request and its answer: completion code and data.
trait Wire: Send + 'static {
    fn call(&mut self, request: &ipmi::Command, timeout: Duration) -> io::Result<(u8, Vec<u8>)>;
}

struct Device {
    file: ipmi_rs::File,
    /// Number of the last request, as the connection counts them.
    sent: i64,
}

impl Wire for Device {
    fn call(&mut self, request: &ipmi::Command, timeout: Duration) -> io::Result<(u8, Vec<u8>)> {
        let message = Message::new_raw(request.netfn, request.cmd, request.data.clone());
        self.file.send(&mut Request::new(message, RequestTargetAddress::Bmc(LogicalUnit::Zero)))?;
        self.sent += 1;
        let end = Instant::now() + timeout;
        loop {
            let answer = self.file.recv()?;
            // A late answer to an earlier request is not the answer to this one.
            if answer.seq() == self.sent && answer.cmd() == request.cmd {
                return Ok((answer.cc(), answer.data().to_vec()));
            }
            if Instant::now() >= end {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
    }
}

struct Local<W> {
    bmc: String,
    timeout: Duration,
    /// Absent after a call that did not come back.
    wire: Option<W>,
}

impl<W: Wire> Local<W> {
    fn error(&self, kind: Kind, what: String) -> BmcError {
        BmcError::new(kind, &self.bmc, what)
    }

    /// Sends it once, on a thread of its own, and waits no longer than the timeout and a moment.
    async fn call(&mut self, request: ipmi::Command) -> Result<Vec<u8>, BmcError> {
        let name = request.name;
        let Some(mut wire) = self.wire.take() else {
            return Err(self.error(Kind::Protocol, "the device was given up".to_owned()).not_sent());
        };
        let timeout = self.timeout;
        let work = tokio::task::spawn_blocking(move || {
            let answer = wire.call(&request, timeout);
            (wire, answer)
        });
        let silent = format!("no answer to {name} within {} s", timeout.as_secs());
        let (wire, answer) = match tokio::time::timeout(timeout + Duration::from_secs(1), work).await {
            Ok(Ok(done)) => done,
            Ok(Err(why)) => return Err(self.error(Kind::Internal, why.to_string())),
            Err(_) => return Err(self.error(Kind::Silent, silent)),
        };
        self.wire = Some(wire);
        match answer {
            Ok((0, data)) => Ok(data),
            Ok((code, _)) => {
                let code = CompletionCode(code);
                let kind = match code {
                    CompletionCode::NODE_BUSY => Kind::NodeBusy,
                    code => completion(code),
                };
                let error = self.error(kind, format!("the BMC refused {name}: {code}"));
                // Timeout while processing; response could not be provided; duplicated request.
                Err(if matches!(code.0, 0xc3 | 0xce | 0xcf) { error.maybe_done() } else { error })
            }
            Err(why) if matches!(why.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock) => {
                Err(self
                    .error(Kind::Silent, silent)
                    .advise("see the kernel's log about ipmi_si, and restart the BMC"))
            }
            Err(why) => Err(self.error(Kind::Protocol, format!("{name}: {why}"))),
        }
    }

    async fn send(&mut self, command: Command) -> Result<Reply, BmcError> {
        let Some(request) = request(&command) else {
            return Err(self.error(Kind::Unsupported, format!("driver local cannot {command}")));
        };
        let data = self.call(request).await?;
        let odd = |this: &Self| {
            this.error(Kind::Protocol, format!("{command} was answered with {} bytes", data.len()))
        };
        Ok(match command {
            Command::Chassis => {
                let status = ipmi::ChassisStatus::decode(&data).map_err(|_| odd(self))?;
                let power = if status.power_on { Power::On } else { Power::Off };
                Reply::Chassis(Chassis { power, identify: status.identifying() })
            }
            Command::BootGet => {
                let flags = ipmi::BootFlags::decode_response(&data).map_err(|_| odd(self))?;
                Reply::Boot(BootState {
                    device: device(flags.device),
                    valid: flags.valid,
                    persistent: flags.persistent,
                    efi: flags.efi,
                })
            }
            Command::Info => {
                let id = ipmi::DeviceId::decode(&data).map_err(|_| odd(self))?;
                let manufacturer_id = id.manufacturer.unwrap_or_default();
                Reply::Info(BmcInfo {
                    device_id: id.id,
                    firmware: format!("{}.{:02x}", id.firmware_major, id.firmware_minor),
                    protocol_version: format!("{}.{}", id.ipmi_version.0, id.ipmi_version.1),
                    manufacturer_id,
                    manufacturer: manufacturer(manufacturer_id).to_owned(),
                    model: String::new(),
                    product_id: id.product.unwrap_or_default(),
                    session: "in-band".to_owned(),
                })
            }
            _ => Reply::Done,
        })
    }
}

impl<W: Wire> Session for Local<W> {
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>> {
        Box::pin(self.send(command))
    }

    /// There is no session: the device is closed when it is dropped.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BootDevice, PowerControl};
    use std::sync::{Arc, Mutex};

    /// Network function, command and data of what was asked.
    type Asked = Arc<Mutex<Vec<(u8, u8, Vec<u8>)>>>;

    /// Answers with what it was given, and keeps what it was asked.
    struct Canned(Asked, Vec<io::Result<(u8, Vec<u8>)>>);

    impl Wire for Canned {
        fn call(&mut self, request: &ipmi::Command, _: Duration) -> io::Result<(u8, Vec<u8>)> {
            self.0.lock().unwrap().push((request.netfn, request.cmd, request.data.clone()));
            self.1.remove(0)
        }
    }

    fn session(answers: Vec<io::Result<(u8, Vec<u8>)>>) -> (Local<Canned>, Asked) {
        let asked = Arc::default();
        let wire = Some(Canned(Arc::clone(&asked), answers));
        (Local { bmc: "local:0".to_owned(), timeout: Duration::from_secs(1), wire }, asked)
    }

    #[tokio::test]
    async fn requests_and_answers_are_those_of_ipmi() {
        let (mut local, asked) = session(vec![
            Ok((0, vec![0x01, 0, 0x40])),
            Ok((0, vec![])),
            Ok((0, vec![1, 5, 0x80, 0x04, 0, 0, 0])),
        ]);
        let Reply::Chassis(chassis) = local.send(Command::Chassis).await.unwrap() else {
            panic!("no chassis")
        };
        assert_eq!((chassis.power, chassis.identify), (Power::On, Some(false)));
        assert_eq!(local.send(Command::Power(PowerControl::Cycle)).await.unwrap(), Reply::Done);
        let Reply::Boot(boot) = local.send(Command::BootGet).await.unwrap() else { panic!("no boot") };
        assert_eq!((boot.device, boot.valid), (BootDevice::Pxe, true));
        assert_eq!(asked.lock().unwrap()[..2], [(0, 1, vec![]), (0, 2, vec![2])]);
    }

    #[tokio::test]
    async fn refusals_silence_and_nonsense_have_their_kinds() {
        let (mut local, _) = session(vec![
            Ok((0xc1, vec![])),
            Ok((0xd4, vec![])),
            Err(io::ErrorKind::TimedOut.into()),
            Ok((0, vec![])),
        ]);
        for kind in [Kind::Unsupported, Kind::Refused, Kind::Silent, Kind::Protocol] {
            assert_eq!(local.send(Command::Chassis).await.unwrap_err().kind, kind);
        }
        // As over the network: busy is tried again, and some codes leave it open whether the command ran.
        for (code, kind, open) in [(0xc0, Kind::NodeBusy, false), (0xc3, Kind::Refused, true)] {
            let (mut local, _) = session(vec![Ok((code, vec![]))]);
            let error = local.send(Command::Power(PowerControl::Down)).await.unwrap_err();
            assert_eq!((error.kind, error.maybe_done), (kind, open), "{code:#x}");
        }
    }
}
