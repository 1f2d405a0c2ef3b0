//! Reading a BMC's channels, LAN settings and users.

use super::Session;
use crate::codec::lan::{Channel, Ipv6, LAST_CHANNEL, Parameter, THIS_CHANNEL, Value};
use crate::codec::user::{self, UserAccess};
use crate::{CompletionCode, Error};

/// So many IPv6 addresses of one kind are read.
const MAX_ADDRESSES: u8 = 16;

/// A user of a BMC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Number.
    pub id: u8,
    /// Name; empty for the anonymous user, and for slots that were never used.
    pub name: String,
    /// What it may do on each channel.
    pub access: Vec<(u8, UserAccess)>,
}

impl Session {
    /// The LAN channels of the BMC: first the one that this session came in on, then the others.
    ///
    /// # Errors
    /// Any [`Error`]; [`Error::Completion`] when not even this channel has a name.
    pub async fn lan_channels(&mut self) -> Result<Vec<u8>, Error> {
        let data = self.ask(&Channel::command(THIS_CHANNEL)).await?;
        let this = self.read("get channel info", Channel::decode(&data))?;
        let mut out = Vec::new();
        // A BMC that answers with the very alias does not know better.
        if this.number <= LAST_CHANNEL {
            out.push(this.number);
        }
        for number in 1..=LAST_CHANNEL {
            if out.contains(&number) {
                continue;
            }
            match self.ask(&Channel::command(number)).await {
                Ok(data) => {
                    if Channel::decode(&data).is_ok_and(|channel| channel.lan && channel.number == number) {
                        out.push(number);
                    }
                }
                Err(error) if error.ends_session() => return Err(error),
                Err(_) => {}
            }
        }
        if out.is_empty() {
            out.push(THIS_CHANNEL);
        }
        Ok(out)
    }

    /// A LAN parameter of a channel; `None` when the BMC does not have it, or gives too little of it.
    ///
    /// # Errors
    /// Any [`Error`] that ends the session, and 0xd4 (no right to read it).
    pub async fn lan_parameter(
        &mut self,
        channel: u8,
        parameter: Parameter,
        set: u8,
    ) -> Result<Option<Value>, Error> {
        match self.ask(&parameter.command(channel, set)).await {
            Ok(data) => Ok(parameter.decode(&data).ok()),
            Err(error) if error.ends_session() => Err(error),
            Err(error @ Error::Completion { code: CompletionCode::INSUFFICIENT_PRIVILEGE, .. }) => Err(error),
            Err(_) => Ok(None),
        }
    }

    /// The IPv6 addresses of a channel; none for a BMC without IPv6.
    ///
    /// # Errors
    /// As [`lan_parameter`](Self::lan_parameter).
    pub async fn lan_ipv6(&mut self, channel: u8) -> Result<Vec<Ipv6>, Error> {
        let mut out = Vec::new();
        if self.lan_parameter(channel, Parameter::Ipv6Enables, 0).await? != Some(Value::Ipv6Enabled(true)) {
            return Ok(out);
        }
        let slots = self.lan_parameter(channel, Parameter::Ipv6Status, 0).await?;
        let Some(Value::Ipv6Slots(fixed, dynamic)) = slots else { return Ok(out) };
        for (parameter, slots) in [(Parameter::Ipv6Static, fixed), (Parameter::Ipv6Dynamic, dynamic)] {
            for set in 0..slots.min(MAX_ADDRESSES) {
                if let Some(Value::Ipv6(Some(address))) = self.lan_parameter(channel, parameter, set).await? {
                    out.push(address);
                }
            }
        }
        Ok(out)
    }

    /// The users of a BMC, with what they may do on these channels. Slots that were never used are left out: no name, no
    /// privilege, not enabled.
    ///
    /// # Errors
    /// Any [`Error`].
    pub async fn users(&mut self, channels: &[u8]) -> Result<Vec<User>, Error> {
        let mut out = Vec::new();
        let Some(first) = channels.first() else { return Ok(out) };
        let (mut id, mut slots) = (1, 1);
        while id <= slots {
            let mut access = Vec::new();
            for channel in channels {
                let data = match self.ask(&UserAccess::command(*channel, id)).await {
                    Ok(data) => data,
                    // The first channel says whether users can be read at all.
                    Err(error) if error.ends_session() || (id == 1 && channel == first) => return Err(error),
                    Err(_) => continue,
                };
                let found = self.read("get user access", UserAccess::decode(&data))?;
                if channel == first {
                    slots = found.slots;
                }
                access.push((*channel, found));
            }
            let name = match self.ask(&user::name_command(id)).await {
                Ok(data) => user::name(&data),
                Err(error) if error.ends_session() => return Err(error),
                // A slot without a name.
                Err(_) => String::new(),
            };
            let may = |a: &UserAccess| {
                a.enabled == Some(true) || (a.enabled.is_none() && matches!(a.privilege, 1..=5) && a.login)
            };
            if !name.is_empty() || access.iter().any(|(_, access)| may(access)) {
                out.push(User { id, name, access });
            }
            id += 1;
        }
        Ok(out)
    }
}
