//! Power: changed once, and read back.

use crate::answer::{Outcome, Story, problem};
use crate::metal::{Device, MetalError, Power};
use crate::work::Work;
use drp_plugin_sdk::Error;
use tokio::time::Instant;

/// A change of power.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    On,
    Off,
    Cycle,
}

impl Change {
    fn kind(self) -> &'static str {
        match self {
            Self::On => "power_on",
            Self::Off => "power_off",
            Self::Cycle => "reboot",
        }
    }

    fn want(self) -> Power {
        if self == Self::Off { Power::Off } else { Power::On }
    }
}

impl Work {
    /// Reads the power.
    pub(crate) async fn power_status(&self, id: &str) -> Result<Outcome, Error> {
        let mut story = Story::new("powerstatus", id);
        let device = self.read(&mut story, id).await?;
        let text = format!("power is {}; the device is {}", device.power().word(), device.state);
        Ok(story.outcome(Some(&device), true, text))
    }

    /// One reading as part of a story.
    pub(crate) async fn read(&self, story: &mut Story, id: &str) -> Result<Device, Error> {
        match self.metal.device(id).await {
            Ok(device) => {
                story.note("GET device", None);
                Ok(device)
            }
            Err(error) => {
                story.note("GET device", Some(&error));
                Err(story.failed(&error))
            }
        }
    }

    /// Changes the power. The command is sent once, whatever becomes of its answer; what counts is what is read then.
    pub(crate) async fn power(
        &self,
        id: &str,
        command: &'static str,
        change: Change,
    ) -> Result<Outcome, Error> {
        let _claim = self.claim(id, command)?;
        let mut story = Story::new(command, id);
        let before = self.read(&mut story, id).await?;
        if before.is_coming() || before.is_going() || before.state == "failed" {
            let what = format!("{command} of {id}: the device is {}", before.state);
            return Err(problem(409, "STATE", what, "wait until it is active or inactive (powerstatus)"));
        }
        if change != Change::Cycle && before.power() == change.want() {
            let text = format!("power was {} already; nothing was sent", before.power().word());
            return Ok(story.outcome(Some(&before), true, text));
        }
        // A device that is off cannot be rebooted, and what the caller wants is one that boots.
        let kind = match (change, before.power()) {
            (Change::Cycle, Power::Off) => Change::On.kind(),
            _ => change.kind(),
        };
        let sent = self.metal.act(id, kind).await;
        story.note(format!("POST {kind}"), sent.as_ref().err());
        let lost = match sent {
            Ok(()) => None,
            Err(error) if error.maybe_done() => Some(error),
            Err(error) => return Err(story.failed(&error)),
        };
        self.confirm(story, id, kind, change, lost).await
    }

    /// Reads until power is as asked.
    async fn confirm(
        &self,
        mut story: Story,
        id: &str,
        kind: &str,
        change: Change,
        lost: Option<MetalError>,
    ) -> Result<Outcome, Error> {
        let end = Instant::now() + self.settings.verify_timeout;
        let mut moved = kind != "reboot";
        let mut last: Option<Device> = None;
        let mut trouble: Option<MetalError>;
        loop {
            match self.metal.device(id).await {
                Ok(device) => {
                    moved |= device.power() == Power::Unknown || device.power() == Power::Off;
                    let there = device.power() == change.want() && moved;
                    trouble = None;
                    last = Some(device);
                    if there {
                        break;
                    }
                }
                // The key or the device went away meanwhile: reading on will not change that.
                Err(error) if !error.passes() => {
                    story.note("GET device", Some(&error));
                    return Err(story.unconfirmed(None, format!("it cannot be read back: {error}")));
                }
                Err(error) => trouble = Some(error),
            }
            if Instant::now() + self.settings.poll > end {
                break;
            }
            tokio::time::sleep(self.settings.poll).await;
        }
        story.note("GET device until it is so", trouble.as_ref());
        let Some(device) = last else {
            let why = trouble.map(|e| e.to_string()).unwrap_or_default();
            return Err(story.unconfirmed(None, format!("it cannot be read back: {why}")));
        };
        let lost = lost.map(|e| format!("; the answer to the command was lost ({e})")).unwrap_or_default();
        let power = device.power();
        if power == change.want() && moved {
            return Ok(story.outcome(
                Some(&device),
                true,
                format!("power is {}, read back{lost}", power.word()),
            ));
        }
        if power == change.want() && lost.is_empty() {
            let text = "sent but not confirmed: the API took the reboot and the device is active; its going down was not seen";
            return Ok(story.outcome(Some(&device), false, text));
        }
        let seconds = self.settings.verify_timeout.as_secs();
        let what = format!("the device is {} after {seconds} s{lost}", device.state);
        Err(story.unconfirmed(Some(&device), what))
    }
}
