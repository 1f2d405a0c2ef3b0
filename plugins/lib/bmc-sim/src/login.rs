//! Logging in: Open Session and RAKP messages 1 to 4, the BMC's side.

use crate::config::User;
use crate::engine::{Answer, Engine};
use crate::fault::{Effect, On, status};
use crate::sessions::{Slot, Stage};
use drp_ipmi::codec::Invalid;
use drp_ipmi::codec::crypto::{Algorithms, Exchange, same};
use drp_ipmi::codec::handshake::{
    NAME_ONLY_LOOKUP, OpenRequest, OpenResponse, Rakp1, Rakp2, Rakp3, Rakp4, encode_refusal,
};
use drp_ipmi::codec::packet::{PayloadType, encode_plain};
use drp_ipmi::{CipherSuite, Privilege, RakpStatus};
use std::net::SocketAddr;
use std::time::Instant;

/// A step of the handshake says no.
struct Refuse {
    kind: PayloadType,
    status: RakpStatus,
    tag: u8,
    console_id: u32,
}

impl Engine {
    fn handshake(what: On, effect: Option<Effect>, result: Result<(PayloadType, Vec<u8>), Refuse>) -> Answer {
        let (code, bytes) = match result {
            Ok((kind, payload)) => (0, Some(encode_plain(kind, &payload))),
            Err(Refuse { kind, status, tag, console_id }) => {
                (status.0, Some(encode_plain(kind, &encode_refusal(tag, status, console_id))))
            }
        };
        Answer { what, code: Some(code), bytes, effect, data: Vec::new(), seq: None }
    }

    /// Open Session Request (IPMI 2.0 §13.17, §13.18).
    pub(crate) fn open(&mut self, from: SocketAddr, payload: &[u8], now: Instant) -> Result<Answer, Invalid> {
        let request = OpenRequest::decode(payload)?;
        let effect = self.strike(On::Open);
        if effect == Some(Effect::LoseRequest) {
            return Ok(Self::handshake(On::Open, effect, Ok((PayloadType::OpenResponse, Vec::new()))));
        }
        self.counts.opens += 1;
        let result = self.open_slot(from, &request, effect.as_ref(), now).map_err(|status| Refuse {
            kind: PayloadType::OpenResponse,
            status,
            tag: request.tag,
            console_id: request.console_id,
        });
        Ok(Self::handshake(On::Open, effect, result.map(|r| (PayloadType::OpenResponse, r.encode()))))
    }

    fn open_slot(
        &mut self,
        from: SocketAddr,
        request: &OpenRequest,
        effect: Option<&Effect>,
        now: Instant,
    ) -> Result<OpenResponse, RakpStatus> {
        if let Some(status) = status(effect) {
            return Err(status);
        }
        let suite = request.algorithms.suite().filter(|s| self.config.suites.contains(s));
        let suite = suite.ok_or(RakpStatus::NO_SUITE_MATCH)?;
        // 0 asks for the highest that the suite allows.
        let limit = match request.privilege {
            0 => Privilege::Administrator,
            n => Privilege::from_id(n).ok_or(RakpStatus::INVALID_ROLE)?,
        };
        let bmc_id = match self.sessions.same_request(from, request.tag, request.console_id) {
            Some(id) => id,
            None if self.sessions.len() >= self.config.sessions => {
                return Err(RakpStatus::INSUFFICIENT_RESOURCES);
            }
            None => {
                let bmc_id = self.sessions.free_id();
                let exchange = Exchange {
                    suite,
                    console_id: request.console_id,
                    bmc_id,
                    console_random: [0; 16],
                    bmc_random: (self.random)(),
                    guid: self.config.guid,
                    role: 0,
                    user: Vec::new(),
                };
                self.sessions.insert(bmc_id, Slot::new(from, request.tag, exchange, limit, now));
                self.counts.most_sessions = self.counts.most_sessions.max(self.sessions.len() as u64);
                bmc_id
            }
        };
        let algorithms = match effect {
            Some(Effect::WrongSuite { suite }) => CipherSuite::from_id(*suite)
                .map_or(Algorithms { authentication: 0, integrity: 0, confidentiality: 0 }, Algorithms::of),
            _ => Algorithms::of(suite),
        };
        Ok(OpenResponse {
            tag: request.tag,
            privilege: limit.id(),
            console_id: request.console_id,
            bmc_id,
            algorithms,
        })
    }

    /// RAKP message 1 (IPMI 2.0 §13.20, §13.21).
    pub(crate) fn rakp1(&mut self, payload: &[u8], now: Instant) -> Result<Answer, Invalid> {
        let message = Rakp1::decode(payload)?;
        let effect = self.strike(On::Rakp1);
        if effect == Some(Effect::LoseRequest) {
            return Ok(Self::handshake(On::Rakp1, effect, Ok((PayloadType::Rakp2, Vec::new()))));
        }
        let console_id = self.sessions.get_mut(message.bmc_id).map_or(0, |s| s.exchange.console_id);
        let result = match status(effect.as_ref()) {
            Some(status) => Err(status),
            None => self.challenge(&message, now),
        };
        if let Err(status) = &result {
            self.sessions.remove_half_open(message.bmc_id);
            self.counts.refused += u64::from(*status != RakpStatus::INVALID_SESSION_ID);
        }
        let result = result.map(|m| (PayloadType::Rakp2, m.encode())).map_err(|status| Refuse {
            kind: PayloadType::Rakp2,
            status,
            tag: message.tag,
            console_id,
        });
        Ok(Self::handshake(On::Rakp1, effect, result))
    }

    fn challenge(&mut self, message: &Rakp1, now: Instant) -> Result<Rakp2, RakpStatus> {
        let slot = self.sessions.get_mut(message.bmc_id).ok_or(RakpStatus::INVALID_SESSION_ID)?;
        if matches!(slot.stage, Stage::Active { .. }) {
            return Err(RakpStatus::INVALID_SESSION_ID);
        }
        slot.touch(now);
        let role = match message.role & 0x0f {
            0 => slot.limit,
            n => Privilege::from_id(n).ok_or(RakpStatus::INVALID_ROLE)?,
        };
        let by_name_only = message.role & NAME_ONLY_LOOKUP != 0;
        let matches = |u: &User| u.name.as_bytes() == message.user && (by_name_only || u.privilege == role);
        let user = self.config.users.iter().position(matches).ok_or(RakpStatus::UNAUTHORIZED_NAME)?;
        let account = self.config.users.get(user).ok_or(RakpStatus::UNAUTHORIZED_NAME)?;
        if role > account.privilege {
            return Err(RakpStatus::UNAUTHORIZED_ROLE);
        }
        slot.limit = role.min(slot.limit);
        slot.stage = Stage::Challenged { user };
        slot.exchange.console_random = message.console_random;
        slot.exchange.role = message.role;
        slot.exchange.user.clone_from(&message.user);
        Ok(Rakp2 {
            tag: message.tag,
            console_id: slot.exchange.console_id,
            bmc_random: slot.exchange.bmc_random,
            guid: slot.exchange.guid,
            code: slot.exchange.rakp2(account.password.expose().as_bytes()).to_vec(),
        })
    }

    /// RAKP message 3 (IPMI 2.0 §13.22, §13.23).
    pub(crate) fn rakp3(&mut self, payload: &[u8], now: Instant) -> Result<Answer, Invalid> {
        let message = Rakp3::decode(payload)?;
        let effect = self.strike(On::Rakp3);
        let nothing =
            |effect| Answer { what: On::Rakp3, code: None, bytes: None, effect, data: Vec::new(), seq: None };
        if effect == Some(Effect::LoseRequest) {
            return Ok(nothing(effect));
        }
        if message.status != RakpStatus::OK {
            // The console gives up: it has seen that the passwords differ.
            if self.sessions.remove_half_open(message.bmc_id) {
                self.counts.refused += 1;
            }
            return Ok(nothing(effect));
        }
        let console_id = self.sessions.get_mut(message.bmc_id).map_or(0, |s| s.exchange.console_id);
        let result = match status(effect.as_ref()) {
            Some(status) => Err(status),
            None => self.admit(&message, now),
        };
        if let Err(status) = &result {
            self.sessions.remove_half_open(message.bmc_id);
            self.counts.refused += u64::from(*status != RakpStatus::INVALID_SESSION_ID);
        }
        let result = result.map(|m| (PayloadType::Rakp4, m.encode())).map_err(|status| Refuse {
            kind: PayloadType::Rakp4,
            status,
            tag: message.tag,
            console_id,
        });
        Ok(Self::handshake(On::Rakp3, effect, result))
    }

    fn admit(&mut self, message: &Rakp3, now: Instant) -> Result<Rakp4, RakpStatus> {
        let slot = self.sessions.get_mut(message.bmc_id).ok_or(RakpStatus::INVALID_SESSION_ID)?;
        slot.touch(now);
        let user = match &slot.stage {
            Stage::Opened => return Err(RakpStatus::INVALID_SESSION_ID),
            Stage::Challenged { user } => *user,
            // Message 4 was lost and message 3 comes again.
            Stage::Active { rakp4, .. } => {
                let console_id = slot.exchange.console_id;
                return Ok(Rakp4 { tag: message.tag, console_id, code: rakp4.clone() });
            }
        };
        let account = self.config.users.get(user).ok_or(RakpStatus::UNAUTHORIZED_NAME)?;
        let password = account.password.expose().as_bytes();
        if !same(&slot.exchange.rakp3(password), &message.code) {
            return Err(RakpStatus::INVALID_INTEGRITY_CHECK);
        }
        let keys = slot.exchange.keys(password, self.config.kg.as_ref().map(|k| k.expose().as_slice()));
        let code = slot.exchange.rakp4(&keys).to_vec();
        slot.stage = Stage::Active { keys: Box::new(keys), rakp4: code.clone() };
        self.counts.logins += 1;
        Ok(Rakp4 { tag: message.tag, console_id: slot.exchange.console_id, code })
    }
}
