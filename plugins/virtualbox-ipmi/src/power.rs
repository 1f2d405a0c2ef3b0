//! The verbs on a machine. Each reads first, sends at most one command of a kind, and reads back.

use crate::answer::Failure;
use crate::flow::{Sent, read_until, sent, settled};
use crate::host::{Claim, Host};
use crate::outcome::Outcome;
use drp_plugin_sdk::json;
use drp_vbox::{Boot, Info, Kind, Power, VboxError};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Between two tries to claim a machine.
const CLAIM_PAUSE: Duration = Duration::from_millis(100);

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Status,
    On,
    Off,
    Cycle,
    Soft,
    Boot(Boot),
}

impl Verb {
    pub(crate) fn parse(command: &str) -> Option<Self> {
        Some(match command {
            "powerstatus" => Self::Status,
            "poweron" => Self::On,
            "poweroff" => Self::Off,
            "powercycle" => Self::Cycle,
            "powersoft" => Self::Soft,
            "nextbootpxe" => Self::Boot(Boot::Net),
            "nextbootdisk" => Self::Boot(Boot::Disk),
            _ => return None,
        })
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Status => "powerstatus",
            Self::On => "poweron",
            Self::Off => "poweroff",
            Self::Cycle => "powercycle",
            Self::Soft => "powersoft",
            Self::Boot(Boot::Net) => "nextbootpxe",
            Self::Boot(Boot::Disk) => "nextbootdisk",
        }
    }

    fn requested(self) -> &'static str {
        match self {
            Self::Status => "",
            Self::On => "on",
            Self::Off | Self::Soft => "off",
            Self::Cycle => "cycle",
            Self::Boot(Boot::Net) => "pxe",
            Self::Boot(Boot::Disk) => "disk",
        }
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Until a change is read back.
    pub(crate) verify: Duration,
    /// Until the guest has shut down.
    pub(crate) soft: Duration,
    /// Until a machine that runs is off, for its boot order.
    pub(crate) boot_wait: Duration,
}

/// Runs a verb on the machine of that id or name.
pub(crate) async fn run(
    host: &Arc<Host>,
    verb: Verb,
    which: &str,
    limits: Limits,
) -> Result<Outcome, Failure> {
    let mut out = Outcome::new(host.vbox.driver(), verb.requested());
    let info = host.vbox.find(which).await?;
    if verb == Verb::Status {
        seen(&mut out, &info);
        let text = format!("power is {}: VirtualBox says {}", out.state, info.state);
        out.details = Some(details(&info));
        return Ok(out.end(text));
    }
    let uuid = info.uuid;
    let _claim = match verb {
        Verb::Boot(boot) if !limits.boot_wait.is_zero() => {
            claim_when_off(host, &uuid, boot, limits.boot_wait).await?
        }
        _ => host.claim(&uuid, verb.name())?,
    };
    match verb {
        Verb::Boot(boot) => set_boot(host, &uuid, boot, limits, out).await,
        Verb::Cycle => cycle(host, &uuid, limits, out).await,
        Verb::On => on(host, &uuid, limits, out).await,
        Verb::Soft => soft(host, &uuid, limits, out).await,
        Verb::Off | Verb::Status => off(host, &uuid, limits, out).await,
    }
}

/// Waits until the machine is off, and claims it. Nothing is claimed while it waits: what switches it off may be another
/// action of this plugin, whose end is waited for, too.
async fn claim_when_off(host: &Arc<Host>, uuid: &str, boot: Boot, limit: Duration) -> Result<Claim, Failure> {
    let end = Instant::now() + limit;
    read_until(host, uuid, limit, |info| info.power() == Power::Off || boot.is_order_of(info)).await?;
    loop {
        match host.claim(uuid, Verb::Boot(boot).name()) {
            Err(Failure::Conflict(_)) if Instant::now() < end => host.pause(CLAIM_PAUSE).await?,
            claim => return claim,
        }
    }
}

fn seen(out: &mut Outcome, info: &Info) {
    out.state = info.power();
    out.observed = out.state.to_string();
}

/// What VirtualBox says, for those who want more.
fn details(info: &Info) -> drp_plugin_sdk::Value {
    json!({"vmstate": info.state, "name": info.name, "id": info.uuid, "boot": info.boot_order()})
}

async fn on(host: &Host, uuid: &str, limits: Limits, mut out: Outcome) -> Result<Outcome, Failure> {
    let before = settled(host, uuid, limits.verify).await?;
    if before.is_paused() {
        let answer = sent(host.vbox.resume(uuid).await)?;
        return confirm(host, uuid, limits.verify, out, answer, |info| {
            info.state.eq_ignore_ascii_case("running")
        })
        .await;
    }
    if before.power() == Power::On {
        seen(&mut out, &before);
        out.verified = true;
        return Ok(out.end("power was on already; nothing was sent"));
    }
    host.start_turn().await?;
    let answer = settle_refusal(host, uuid, host.vbox.start(uuid).await, Power::On).await?;
    confirm(host, uuid, limits.verify, out, answer, |info| info.power() == Power::On).await
}

pub(crate) async fn off(
    host: &Host,
    uuid: &str,
    limits: Limits,
    mut out: Outcome,
) -> Result<Outcome, Failure> {
    let before = settled(host, uuid, limits.verify).await?;
    if before.power() == Power::Off {
        seen(&mut out, &before);
        out.verified = true;
        return Ok(out.end("power was off already; nothing was sent"));
    }
    let answer = settle_refusal(host, uuid, host.vbox.power_off(uuid).await, Power::Off).await?;
    confirm(host, uuid, limits.verify, out, answer, |info| info.power() == Power::Off).await
}

/// A refusal because the machine is already there (somebody else was quicker) is none.
async fn settle_refusal(
    host: &Host,
    uuid: &str,
    answer: Result<(), VboxError>,
    wanted: Power,
) -> Result<Sent, Failure> {
    match answer {
        Err(error) if matches!(error.kind, Kind::SessionLocked | Kind::State) => {
            let now = host.vbox.info(uuid).await?;
            if now.power() == wanted { Ok(Sent::Done) } else { Err(error.into()) }
        }
        answer => Ok(sent(answer)?),
    }
}

/// Reads back. A lost answer, or a yes, that reading does not confirm is its own ending.
async fn confirm(
    host: &Host,
    uuid: &str,
    limit: Duration,
    mut out: Outcome,
    answer: Sent,
    wanted: impl Fn(&Info) -> bool,
) -> Result<Outcome, Failure> {
    let lost = match answer {
        Sent::Done => false,
        Sent::Lost(what) => {
            out.attempt(what);
            true
        }
    };
    let read = read_until(host, uuid, limit, wanted).await;
    match read {
        Ok((info, true)) => {
            seen(&mut out, &info);
            out.verified = true;
            let text = format!(
                "power is {}, read back{}",
                out.state,
                if lost { "; the answer to the command was lost" } else { "" }
            );
            Ok(out.end(text))
        }
        Ok((info, false)) => {
            seen(&mut out, &info);
            let text =
                format!("sent but not confirmed: VirtualBox says {} after {} s", info.state, limit.as_secs());
            Err(Failure::Unconfirmed(Box::new(out.end(text))))
        }
        Err(Failure::Vbox(error)) => {
            let text = format!("sent but not confirmed: {}", error.what);
            Err(Failure::Unconfirmed(Box::new(out.end(text))))
        }
        Err(other) => Err(other),
    }
}

/// A machine that is on gets a reset, which leaves nothing to read; one that is off is started.
async fn cycle(host: &Host, uuid: &str, limits: Limits, mut out: Outcome) -> Result<Outcome, Failure> {
    let before = settled(host, uuid, limits.verify).await?;
    if before.power() == Power::Off || before.is_paused() {
        return on(host, uuid, limits, out).await;
    }
    host.start_turn().await?;
    match sent(host.vbox.reset(uuid).await)? {
        Sent::Done => {
            // It was accepted, so that a reading that fails is no failure of it, and asking again would reset again.
            match host.vbox.info(uuid).await {
                Ok(after) => seen(&mut out, &after),
                Err(error) => out.attempt(error.what),
            }
            let text = format!(
                "sent but not confirmed: the reset was accepted and power is {}; a reset leaves nothing to read",
                out.state
            );
            Ok(out.end(text))
        }
        Sent::Lost(what) => {
            out.attempt(what);
            if let Ok(after) = host.vbox.info(uuid).await {
                seen(&mut out, &after);
            }
            let text = "sent but not confirmed: the answer to the reset was lost, and a reset leaves nothing to read";
            Err(Failure::Unconfirmed(Box::new(out.end(text))))
        }
    }
}

/// Asks the guest, then pulls the plug.
async fn soft(host: &Host, uuid: &str, limits: Limits, mut out: Outcome) -> Result<Outcome, Failure> {
    let before = settled(host, uuid, limits.verify).await?;
    if before.power() == Power::Off {
        seen(&mut out, &before);
        out.verified = true;
        return Ok(out.end("power was off already; nothing was sent"));
    }
    // A paused guest cannot answer a button.
    let mut steps = Vec::new();
    if before.is_paused() {
        steps.push(json!({"step": "acpipowerbutton", "result": "not sent: the machine is paused"}));
    } else {
        let pressed = match sent(host.vbox.press_power(uuid).await) {
            Ok(Sent::Done) => "pressed".to_owned(),
            Ok(Sent::Lost(what)) => {
                out.attempt(what.clone());
                format!("sent, the answer was lost: {what}")
            }
            Err(error) if error.kind == Kind::State => "it was off by then".to_owned(),
            Err(error) => return Err(error.into()),
        };
        let read = read_until(host, uuid, limits.soft, |info| info.power() == Power::Off).await;
        let (info, off) = match read {
            Err(Failure::Vbox(error)) => {
                let text = format!("the power button was pressed; sent but not confirmed: {}", error.what);
                return Err(Failure::Unconfirmed(Box::new(out.end(text))));
            }
            read => read?,
        };
        if off {
            steps.push(json!({"step": "acpipowerbutton", "result": pressed}));
            seen(&mut out, &info);
            out.verified = true;
            out.details = Some(json!({ "steps": steps }));
            return Ok(out.end("the guest shut down; power is off, read back"));
        }
        steps.push(json!({"step": "acpipowerbutton", "result": format!("{pressed}; still {} after {} s", info.state, limits.soft.as_secs())}));
    }
    out.attempt("the guest did not shut down in time");
    steps.push(json!({"step": "poweroff", "result": "sent"}));
    out.details = Some(json!({ "steps": steps }));
    let mut out = off(host, uuid, limits, out).await?;
    out.text = format!(
        "the guest did not shut down within {} s, and was switched off: {}",
        limits.soft.as_secs(),
        out.text
    );
    Ok(out)
}

/// Sets the boot order, which VirtualBox takes from machines that are off only.
async fn set_boot(
    host: &Host,
    uuid: &str,
    boot: Boot,
    limits: Limits,
    mut out: Outcome,
) -> Result<Outcome, Failure> {
    let before = settled(host, uuid, limits.verify).await?;
    out.state = before.power();
    if boot.is_order_of(&before) {
        out.verified = true;
        out.observed = out.requested.clone();
        out.details = Some(details(&before));
        return Ok(
            out.end(format!("boot order was {} already; nothing was sent", before.boot_order().join(", ")))
        );
    }
    if before.power() == Power::On {
        let what = format!(
            "the machine is {}, and VirtualBox changes the boot order of machines that are off only; nothing was sent",
            before.state
        );
        return Err(Failure::State(
            what,
            "poweroff or powersoft it first, or set virtualbox/boot-wait to seconds to wait for that",
        ));
    }
    let answer = sent(host.vbox.set_boot(uuid, boot).await)?;
    if let Sent::Lost(what) = &answer {
        out.attempt(what.clone());
    }
    let (after, set) = read_until(host, uuid, limits.verify, |info| boot.is_order_of(info)).await?;
    out.state = after.power();
    out.details = Some(details(&after));
    let order = after.boot_order().join(", ");
    if set {
        out.observed = out.requested.clone();
        out.verified = true;
        return Ok(out.end(format!("boot order is {order}, read back; it holds until it is set again")));
    }
    out.observed = order.clone();
    Err(Failure::Unconfirmed(Box::new(out.end(format!("sent but not confirmed: boot order is {order}")))))
}
