//! The racadm driver: Dell's command-line tool for iDRACs, as a process of its own for every command.

mod normal;
mod text;
mod tool;

use crate::{
    BmcError, BmcInfo, BoxFuture, Chassis, Command, Driver, Identify, Kind, Opened, Part, PowerControl,
    Reply, Session, Target,
};
use drp_redfish::Trust;
use serde_json::{Value, json};
use std::path::PathBuf;
use tool::{Call, Failure};

/// racadm.
#[derive(Debug, Clone, Copy, Default)]
pub struct RacadmDriver;

impl Driver for RacadmDriver {
    fn name(&self) -> &'static str {
        "racadm"
    }

    fn default_port(&self) -> u16 {
        443
    }

    fn can(&self, command: &Command) -> bool {
        words(command).is_some()
    }

    fn describe(&self, command: &Command) -> String {
        let Some(calls) = words(command) else { return format!("driver racadm cannot {command}") };
        let calls: Vec<_> =
            calls.iter().map(|words| format!("racadm -r … -i … {}", words.join(" "))).collect();
        calls.join(", then ")
    }

    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>> {
        Box::pin(async move {
            let session = Racadm::new(target)?;
            Ok(Opened { session: Box::new(session), refused_first: Vec::new() })
        })
    }
}

/// What racadm is called with for a command, one list for each call; `None` for what it has nothing for here.
fn words(command: &Command) -> Option<Vec<Vec<&'static str>>> {
    let one = |words: &[&'static str]| Some(vec![words.to_vec()]);
    match command {
        Command::Chassis => one(&["serveraction", "powerstatus"]),
        Command::Power(control) => one(&[
            "serveraction",
            match control {
                PowerControl::Up => "powerup",
                PowerControl::Down => "powerdown",
                PowerControl::Cycle => "powercycle",
                PowerControl::Reset => "hardreset",
                PowerControl::Soft => "graceshutdown",
                PowerControl::Interrupt => "nmi",
            },
        ]),
        Command::BootGet | Command::Read(Part::Boot) => one(&["get", "iDRAC.ServerBoot"]),
        Command::BootSet(state) => {
            let device = text::boot_name(state.device)?;
            let once = if state.persistent { "Disabled" } else { "Enabled" };
            Some(vec![
                vec!["set", "iDRAC.ServerBoot.BootOnce", once],
                vec!["set", "iDRAC.ServerBoot.FirstBootDevice", device],
            ])
        }
        Command::Identify(identify) => {
            one(&["setled", "-l", if *identify == Identify::Off { "0" } else { "1" }])
        }
        Command::Info | Command::Read(Part::System) => one(&["getsysinfo"]),
        Command::Read(Part::Sensors) => one(&["getsensorinfo"]),
        Command::Read(Part::Sel) => one(&["getsel"]),
        Command::Read(Part::Lan) => one(&["getniccfg"]),
        Command::SelClear => one(&["clrsel"]),
        Command::BmcReset => one(&["racreset"]),
        Command::Read(_) | Command::MediaInsert { .. } | Command::MediaEject => None,
    }
}

struct Racadm {
    bmc: String,
    program: PathBuf,
    address: String,
    strict: bool,
    target: Target,
    /// The next reading of the chassis is to tell of the light.
    led: bool,
}

impl Racadm {
    fn new(target: &Target) -> Result<Self, BmcError> {
        let bmc = target.endpoint(443);
        let cannot = |what: &str, next: &str| Err(BmcError::new(Kind::Unsupported, &bmc, what).advise(next));
        let strict = match &target.trust {
            Trust::Insecure => false,
            Trust::Verified | Trust::Authorities(_) => true,
            Trust::Pinned(_) => {
                return cannot(
                    "racadm cannot pin a certificate",
                    "use mode redfish, which can; or clear ipmi/tls-fingerprint, and add the iDRAC's authority to \
                     those of the daemon's host or set ipmi/tls-verify to off",
                );
            }
            Trust::Plain => {
                return cannot(
                    "racadm has no connection without TLS",
                    "set ipmi/tls-verify to verify or off",
                );
            }
        };
        let Some(program) = tool::find() else {
            return cannot(
                "the program racadm is neither on the daemon's PATH nor below /opt/dell/srvadmin",
                "install Dell's racadm on the daemon's host (package srvadmin-idracadm8 of Dell's OpenManage \
                 repository), or use mode redfish, which needs no program",
            );
        };
        let address = if target.port == 0 { target.host.clone() } else { bmc.clone() };
        Ok(Self { bmc, program, address, strict, target: target.clone(), led: false })
    }

    async fn call(&self, words: &[&str]) -> Result<Vec<String>, BmcError> {
        let call = Call {
            address: &self.address,
            user: &self.target.username,
            password: &self.target.password,
            strict: self.strict,
            words,
            timeout: self.target.timeout,
        };
        let command = words.join(" ");
        let error = |kind, what: String| BmcError::new(kind, &self.bmc, what);
        let said = tool::run(&self.program, &call).await.map_err(|failure| match failure {
            Failure::Start(why) => error(Kind::Internal, format!("{} cannot be run: {why}", self.program.display()))
                .not_sent()
                .advise("see that the program can be executed by the daemon's user"),
            Failure::Late => {
                let seconds = self.target.timeout.as_secs();
                error(Kind::Silent, format!("racadm {command} did not end within {seconds} s and was killed"))
                    .advise("check ipmi/address and ipmi/port-racadm, and that the iDRAC is well; ipmi/racadm-timeout is longest wait for one call")
            }
            Failure::TooMuch => error(Kind::Protocol, format!("racadm {command} said more than 1 MiB and was killed"))
                .advise("see what is installed as racadm"),
            Failure::AskedAgain => error(
                Kind::Credentials,
                format!("racadm asked for the password of user {:?} a second time", self.target.username),
            ),
        })?;
        match text::failure(&self.bmc, said.success, &said.lines, self.strict) {
            Some(error) => Err(error),
            None => Ok(said.lines),
        }
    }

    /// The calls of a command, in order; the lines of the last one.
    async fn calls(&self, command: &Command) -> Result<Vec<String>, BmcError> {
        let Some(calls) = words(command) else {
            return Err(BmcError::new(
                Kind::Unsupported,
                &self.bmc,
                format!("driver racadm cannot {command}"),
            ));
        };
        let mut lines = Vec::new();
        for (done, words) in calls.iter().enumerate() {
            lines = self.call(words).await.map_err(|error| BmcError {
                // The calls before this one were carried out.
                not_sent: error.not_sent && done == 0,
                ..error
            })?;
        }
        Ok(lines)
    }

    fn odd(&self, command: &Command, lines: &[String]) -> BmcError {
        let said: String = lines.first().map_or("nothing", |line| line.trim()).chars().take(200).collect();
        BmcError::new(Kind::Protocol, &self.bmc, format!("racadm answered {command} with: {said}"))
            .advise("see what is installed as racadm, and the iDRAC's firmware")
    }

    async fn send(&mut self, command: Command) -> Result<Reply, BmcError> {
        let lines = self.calls(&command).await?;
        match &command {
            Command::Chassis => {
                let Some(power) = text::power(&lines) else { return Err(self.odd(&command, &lines)) };
                let identify = if std::mem::take(&mut self.led) {
                    // Older iDRACs have no getled; then the light is not reported.
                    self.call(&["getled"]).await.ok().and_then(|lines| text::led(&lines))
                } else {
                    None
                };
                return Ok(Reply::Chassis(Chassis { power, identify }));
            }
            Command::BootGet => {
                return text::boot(&lines).map(Reply::Boot).ok_or_else(|| self.odd(&command, &lines));
            }
            Command::Info => return self.info(&lines).ok_or_else(|| self.odd(&command, &lines)),
            Command::Read(part) => {
                return Ok(Reply::Data(match part {
                    Part::Sensors => json!(normal::sensors(&text::sensors(&lines))),
                    Part::Sel => json!(normal::sel(&text::event_log(&lines))),
                    Part::Lan => json!(normal::lan(&text::pairs(&lines))),
                    Part::System => json!(text::sections(&lines)),
                    _ => json!(text::pairs(&lines)),
                }));
            }
            Command::Identify(_) => self.led = true,
            _ => {}
        }
        Ok(Reply::Done)
    }

    fn info(&self, lines: &[String]) -> Option<Reply> {
        let pairs = text::pairs(lines);
        let field = |name: &str| pairs.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Reply::Info(BmcInfo {
            firmware: field("Firmware Version")?,
            manufacturer_id: 674,
            manufacturer: "Dell".to_owned(),
            model: field("System Model").unwrap_or_default(),
            session: if self.strict {
                "racadm -S".to_owned()
            } else {
                "racadm, certificate not checked".to_owned()
            },
            ..BmcInfo::default()
        }))
    }
}

impl Session for Racadm {
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>> {
        Box::pin(self.send(command))
    }

    /// Each call logs in and out by itself.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_protocol::Secret;

    #[test]
    fn nothing_secret_is_among_the_arguments() {
        let password = Secret::new("canary".to_owned());
        let call = Call {
            address: "10.0.0.1:443",
            user: "root",
            password: &password,
            strict: true,
            words: &["serveraction", "powerup"],
            timeout: std::time::Duration::from_secs(1),
        };
        assert_eq!(call.arguments(), ["-r", "10.0.0.1:443", "-i", "-S", "serveraction", "powerup"]);
    }

    #[test]
    fn what_cannot_be_verified_is_refused_before_anything_runs() {
        let mut target = Target::new("10.0.0.1", "root", Secret::new("canary".to_owned()));
        for (trust, word) in
            [(Trust::Plain, "without TLS"), (Trust::Pinned(drp_redfish::Fingerprint([1; 32])), "cannot pin")]
        {
            target.trust = trust;
            let error = Racadm::new(&target).err().unwrap();
            assert!(error.kind == Kind::Unsupported && error.what.contains(word), "{error}");
        }
    }
}
