//! One BMC as a function: a datagram and the time in, datagrams out. No I/O.

use crate::chassis::Chassis;
use crate::config::BmcConfig;
use crate::fault::{Effect, Faults, On};
use crate::log::{Counts, Log, LogEntry};
use crate::sessions::{Sessions, Stage};
use drp_ipmi::codec::Invalid;
use drp_ipmi::codec::app::{self, AuthCapabilities};
use drp_ipmi::codec::boot;
use drp_ipmi::codec::chassis;
use drp_ipmi::codec::command::{NETFN_APP, NETFN_CHASSIS, NETFN_STORAGE, NETFN_TRANSPORT};
use drp_ipmi::codec::crypto::Algorithms;
use drp_ipmi::codec::message::{Request, Response};
use drp_ipmi::codec::packet::{Packet, PayloadType, Plus, encode_plain, encode_sealed, encode_v15};
use drp_ipmi::{CompletionCode, Privilege};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A datagram to send.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) to: SocketAddr,
    pub(crate) after: Duration,
    pub(crate) bytes: Vec<u8>,
}

/// Get Channel Cipher Suites (IPMI 2.0 §22.15).
const GET_CIPHER_SUITES: u8 = 0x54;

#[derive(Debug)]
pub(crate) struct Engine {
    pub(crate) config: BmcConfig,
    pub(crate) faults: Faults,
    pub(crate) chassis: Chassis,
    pub(crate) sessions: Sessions,
    pub(crate) counts: Counts,
    pub(crate) log: Log,
    /// What the Redfish service has besides the machine.
    pub(crate) web: crate::redfish::State,
    /// The BMC starts again until then.
    pub(crate) away_until: Option<Instant>,
    pub(crate) shelf: crate::Shelf,
    started: Instant,
    /// An answer that waits for the next one ([`Effect::Reorder`]).
    held: Option<Reply>,
    /// Entries since the last [`take_fresh`](Self::take_fresh).
    fresh: Vec<LogEntry>,
    pub(crate) random: fn() -> [u8; 16],
}

/// The answer to one packet and what the fault makes of it.
pub(crate) struct Answer {
    pub(crate) what: On,
    pub(crate) code: Option<u8>,
    pub(crate) bytes: Option<Vec<u8>>,
    pub(crate) effect: Option<Effect>,
    pub(crate) data: Vec<u8>,
    pub(crate) seq: Option<u8>,
}

impl Engine {
    pub(crate) fn new(config: BmcConfig, now: Instant, random: fn() -> [u8; 16]) -> Self {
        Self {
            faults: Faults(config.faults.clone()),
            chassis: Chassis::new(config.powered),
            sessions: Sessions::default(),
            counts: Counts::default(),
            log: Log::default(),
            web: crate::redfish::State::new(config.redfish.as_ref().map(|r| &*r.profile)),
            away_until: None,
            shelf: crate::Shelf::new(&config),
            started: now,
            held: None,
            fresh: Vec::new(),
            config,
            random,
        }
    }

    /// Entries since the last call.
    pub(crate) fn take_fresh(&mut self) -> Vec<LogEntry> {
        std::mem::take(&mut self.fresh)
    }

    /// Time passes.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.chassis.tick(now);
        self.counts.expired += self.sessions.expire(now, self.config.session_idle);
        self.counts.redfish_expired += self.web.expire(now, self.config.session_idle);
    }

    /// A datagram comes in.
    pub(crate) fn handle(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) -> Vec<Reply> {
        self.tick(now);
        self.counts.datagrams += 1;
        if self.away(now) {
            self.counts.discarded += 1;
            return Vec::new();
        }
        let answer = match Packet::parse(datagram) {
            Ok(Packet::V15 { session_id: 0, payload }) => self.outside(payload).map(|(mut a, response)| {
                a.bytes = response.map(|r| encode_v15(&r));
                a
            }),
            Ok(Packet::V15 { .. }) => Err(Invalid("IPMI 1.5 session")),
            Ok(Packet::V20(packet)) => self.plus(from, &packet, now),
            Err(e) => Err(e),
        };
        let answer = match answer {
            Ok(answer) => answer,
            Err(Invalid(why)) => {
                self.counts.discarded += 1;
                tracing::debug!(%from, why, "datagram thrown away");
                return Vec::new();
            }
        };
        self.note(from, &answer, now);
        self.send(from, answer)
    }

    fn note(&mut self, from: SocketAddr, answer: &Answer, now: Instant) {
        let lost = matches!(answer.effect, Some(Effect::LoseRequest | Effect::LoseReply));
        let entry = LogEntry {
            at_ms: self.since_start(now),
            peer: from.to_string(),
            what: answer.what.into(),
            data: answer.data.iter().map(|b| format!("{b:02x}")).collect(),
            seq: answer.seq,
            code: if lost { None } else { answer.code },
            fault: answer.effect.as_ref().map(Effect::name),
            ..LogEntry::default()
        };
        self.keep(entry);
    }

    /// Writes an entry into the log, and keeps it for the listeners.
    pub(crate) fn keep(&mut self, entry: LogEntry) {
        self.log.push(entry.clone());
        // Nobody may be taking them out.
        if self.fresh.len() < 1024 {
            self.fresh.push(entry);
        }
    }

    /// Milliseconds since the start.
    pub(crate) fn since_start(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.started).as_millis()).unwrap_or(u64::MAX)
    }

    /// Whether the BMC is away, starting again.
    pub(crate) fn away(&self, now: Instant) -> bool {
        self.away_until.is_some_and(|until| now < until)
    }

    /// Restarts the BMC: it forgets its sessions and is away for its boot time. The machine goes on.
    pub(crate) fn restart_bmc(&mut self, now: Instant) {
        self.counts.bmc_resets += 1;
        self.sessions.clear();
        self.web.sessions.clear();
        self.away_until = (!self.config.boot_time.is_zero()).then(|| now + self.config.boot_time);
    }

    /// Turns an answer into datagrams, as the fault has it.
    fn send(&mut self, to: SocketAddr, answer: Answer) -> Vec<Reply> {
        let Some(bytes) = answer.bytes else { return Vec::new() };
        let after = self.config.latency;
        let reply = |bytes: Vec<u8>| Reply { to, after, bytes };
        let mut out = match answer.effect {
            Some(Effect::LoseRequest | Effect::LoseReply) => return Vec::new(),
            Some(Effect::Late { ms }) => {
                return vec![Reply { to, after: after + Duration::from_millis(ms), bytes }];
            }
            Some(Effect::Reorder) => {
                return match self.held.replace(reply(bytes)) {
                    Some(earlier) => vec![earlier],
                    None => Vec::new(),
                };
            }
            Some(Effect::Duplicate) => vec![reply(bytes.clone()), reply(bytes)],
            Some(Effect::Garbage) => vec![reply(scramble(&bytes))],
            Some(Effect::Foreign) => {
                let mut all: Vec<Reply> = foreign(&bytes).into_iter().map(reply).collect();
                all.push(reply(bytes));
                all
            }
            _ => vec![reply(bytes)],
        };
        out.extend(self.held.take());
        out
    }

    fn plus(&mut self, from: SocketAddr, packet: &Plus<'_>, now: Instant) -> Result<Answer, Invalid> {
        match packet.kind {
            PayloadType::OpenRequest => self.open(from, packet.plain()?, now),
            PayloadType::Rakp1 => self.rakp1(packet.plain()?, now),
            PayloadType::Rakp3 => self.rakp3(packet.plain()?, now),
            PayloadType::Ipmi if packet.session_id == 0 => {
                self.outside(packet.plain()?).map(|(mut a, response)| {
                    a.bytes = response.map(|r| encode_plain(PayloadType::Ipmi, &r));
                    a
                })
            }
            PayloadType::Ipmi => self.inside(packet, now),
            _ => Err(Invalid("an answer where a request should be")),
        }
    }

    /// What strikes this packet.
    pub(crate) fn strike(&mut self, what: On) -> Option<Effect> {
        let effect = self.faults.strike(what);
        if effect == Some(Effect::Forget) {
            self.sessions.clear();
            self.web.sessions.clear();
        }
        effect
    }

    /// A message outside a session: only what a console needs in order to log in.
    fn outside(&mut self, payload: &[u8]) -> Result<(Answer, Option<Vec<u8>>), Invalid> {
        let request = Request::decode(payload)?;
        let what = On::Command(request.netfn, request.cmd);
        let effect = self.strike(what);
        let (code, data) = match (effect.as_ref().and_then(Effect::completion), request.netfn, request.cmd) {
            (Some(code), ..) => (CompletionCode(code), Vec::new()),
            (_, NETFN_APP, app::GET_CHANNEL_AUTH | app::GET_SYSTEM_GUID | GET_CIPHER_SUITES) => {
                self.app(&request, None)
            }
            _ => (CompletionCode::INSUFFICIENT_PRIVILEGE, Vec::new()),
        };
        let response = Response::to(&request, code, data).encode();
        let answer = Answer {
            what,
            code: Some(code.0),
            bytes: None,
            effect,
            data: request.data,
            seq: Some(request.seq),
        };
        Ok((answer, Some(response)))
    }

    /// A message inside a session.
    fn inside(&mut self, packet: &Plus<'_>, now: Instant) -> Result<Answer, Invalid> {
        let id = packet.session_id;
        let slot = self.sessions.get_mut(id).ok_or(Invalid("no such session"))?;
        let Stage::Active { keys, .. } = &slot.stage else { return Err(Invalid("session is not active")) };
        let message = packet.open(keys)?;
        if !slot.window.accept(packet.sequence) {
            return Err(Invalid("session sequence number seen before or too old"));
        }
        let request = Request::decode(&message)?;
        slot.touch(now);
        let privilege = slot.privilege;
        let what = On::Command(request.netfn, request.cmd);
        let effect = self.faults.strike(what);
        let mut answer = Answer {
            what,
            code: None,
            bytes: None,
            effect: effect.clone(),
            data: request.data.clone(),
            seq: Some(request.seq),
        };
        let (code, mut data) = match &effect {
            Some(Effect::LoseRequest) => return Ok(answer),
            Some(Effect::Forget) => {
                self.sessions.clear();
                self.web.sessions.clear();
                return Ok(answer);
            }
            Some(effect) if effect.completion().is_some() => {
                (CompletionCode(effect.completion().unwrap_or(0xff)), Vec::new())
            }
            _ if privilege < needed(request.netfn, request.cmd) => {
                (CompletionCode::INSUFFICIENT_PRIVILEGE, Vec::new())
            }
            _ => self.command(id, &request, (now, effect == Some(Effect::Stuck))),
        };
        match effect {
            Some(Effect::Trailing { len }) => data.extend(std::iter::repeat_n(0xa5, len.min(256))),
            Some(Effect::Short { len }) => data.truncate(len),
            _ => {}
        }
        answer.code = Some(code.0);
        let closed = (request.netfn, request.cmd) == (NETFN_APP, app::CLOSE_SESSION) && code.is_ok();
        let iv = (self.random)();
        let response = Response::to(&request, code, data).encode();
        if let Some(slot) = self.sessions.get_mut(id) {
            slot.sequence = slot.sequence.checked_add(1).unwrap_or(1);
            if let Stage::Active { keys, .. } = &slot.stage {
                answer.bytes =
                    Some(encode_sealed(keys, slot.exchange.console_id, slot.sequence, &response, iv));
            }
        }
        if (request.netfn, request.cmd) == (NETFN_APP, app::COLD_RESET) && code.is_ok() {
            self.restart_bmc(now);
        }
        if closed {
            let other = request.data.first_chunk::<4>().map_or(id, |b| u32::from_le_bytes(*b));
            self.sessions.remove(other);
            self.counts.closes += 1;
        }
        Ok(answer)
    }

    fn command(
        &mut self,
        id: u32,
        request: &Request,
        (now, stuck): (Instant, bool),
    ) -> (CompletionCode, Vec<u8>) {
        self.counts.commands += 1;
        let data = request.data.as_slice();
        match (request.netfn, request.cmd) {
            (NETFN_CHASSIS, chassis::GET_STATUS) => {
                (CompletionCode::OK, self.chassis.status(now).encode().to_vec())
            }
            (NETFN_CHASSIS, chassis::CONTROL) => {
                (self.chassis.control(data, now, &self.config, (&mut self.counts, stuck)), Vec::new())
            }
            (NETFN_CHASSIS, chassis::IDENTIFY) => {
                self.counts.identifies += 1;
                self.chassis.set_identify(data, now);
                (CompletionCode::OK, Vec::new())
            }
            (NETFN_CHASSIS, boot::SET_OPTIONS) => (self.chassis.set_boot(data, &mut self.counts), Vec::new()),
            (NETFN_CHASSIS, boot::GET_OPTIONS) => match self.chassis.get_boot(data) {
                Ok(value) => (CompletionCode::OK, value),
                Err(code) => (code, Vec::new()),
            },
            (NETFN_APP, _) => self.app(request, Some(id)),
            _ => self.shelf.answer(request, &self.config),
        }
    }

    fn app(&mut self, request: &Request, session: Option<u32>) -> (CompletionCode, Vec<u8>) {
        let ok = |data: Vec<u8>| (CompletionCode::OK, data);
        let refused = |code| (code, Vec::new());
        match request.cmd {
            app::GET_DEVICE_ID => ok(self.config.device.encode()),
            app::GET_SYSTEM_GUID => ok(self.config.guid.to_vec()),
            app::GET_CHANNEL_AUTH => {
                let anonymous = self.config.users.iter().any(|u| u.name.is_empty());
                let kg_set = self.config.kg.is_some();
                ok(AuthCapabilities { channel: 1, ipmi20: true, ipmi15: false, kg_set, anonymous }
                    .encode()
                    .to_vec())
            }
            GET_CIPHER_SUITES => ok(self.suite_records(request.data.get(2).copied().unwrap_or(0) & 0x3f)),
            app::SET_PRIVILEGE => {
                let Some(slot) = session.and_then(|id| self.sessions.get_mut(id)) else {
                    return refused(CompletionCode::INVALID_COMMAND);
                };
                match request.data.first().map(|b| b & 0x0f) {
                    None => refused(CompletionCode::INVALID_LENGTH),
                    Some(0) => ok(vec![slot.privilege.id()]),
                    Some(n) => match Privilege::from_id(n) {
                        None => refused(CompletionCode::INVALID_DATA_FIELD),
                        Some(level) if level > slot.limit => refused(CompletionCode(0x81)),
                        Some(level) => {
                            slot.privilege = level;
                            ok(vec![n])
                        }
                    },
                }
            }
            app::CLOSE_SESSION => match request.data.first_chunk::<4>().map(|b| u32::from_le_bytes(*b)) {
                None => refused(CompletionCode::INVALID_LENGTH),
                Some(id) if self.sessions.get_mut(id).is_none() => refused(CompletionCode(0x87)),
                Some(_) => ok(Vec::new()),
            },
            // Outside a session there is nothing more.
            _ if session.is_none() => refused(CompletionCode::INVALID_COMMAND),
            _ => self.shelf.answer(request, &self.config),
        }
    }

    /// Cipher suite records, sixteen bytes at a time (IPMI 2.0 §22.15.1), after the channel number.
    fn suite_records(&self, index: u8) -> Vec<u8> {
        let mut records = Vec::new();
        for suite in &self.config.suites {
            let a = Algorithms::of(*suite);
            records.extend([
                0xc0,
                suite.id(),
                a.authentication,
                0x40 | a.integrity,
                0x80 | a.confidentiality,
            ]);
        }
        let page = records.chunks(16).nth(usize::from(index)).unwrap_or_default();
        [&[1], page].concat()
    }
}

/// The privilege a command needs (IPMI 2.0 Appendix G, Table G-1).
fn needed(netfn: u8, cmd: u8) -> Privilege {
    match (netfn, cmd) {
        (NETFN_CHASSIS, chassis::CONTROL | chassis::IDENTIFY | boot::SET_OPTIONS | boot::GET_OPTIONS) => {
            Privilege::Operator
        }
        (NETFN_APP, app::COLD_RESET) => Privilege::Administrator,
        (NETFN_APP, 0x44 | 0x46) | (NETFN_TRANSPORT, _) | (NETFN_STORAGE, 0x47) => Privilege::Operator,
        _ => Privilege::User,
    }
}

/// Bytes that mean nothing but look like IPMI from afar.
fn scramble(bytes: &[u8]) -> Vec<u8> {
    let body = bytes.iter().skip(4).map(|b| b.rotate_left(3) ^ 0x5a);
    bytes.iter().copied().take(4).chain(body).collect()
}

/// Packets that are near the right one and not it.
fn foreign(right: &[u8]) -> Vec<Vec<u8>> {
    let mut wrong_session = right.to_vec();
    if let Some(id) = wrong_session.get_mut(6..10) {
        id.iter_mut().for_each(|b| *b ^= 0xff);
    }
    let mut wrong_code = right.to_vec();
    if let Some(last) = wrong_code.last_mut() {
        *last ^= 1;
    }
    let ping_answer = vec![0x06, 0x00, 0xff, 0x06, 0x00, 0x00, 0x11, 0xbe, 0x40, 0x00, 0x00, 0x10];
    let mut wrong_tag = right.to_vec();
    if let Some(tag) = wrong_tag.get_mut(16) {
        *tag ^= 0x55;
    }
    let mut all =
        vec![ping_answer, wrong_session, encode_v15(b"\x81\x1c\x63\x20\x04\x01\x00\x00"), Vec::new()];
    all.push(right.iter().copied().take(right.len() / 2).collect());
    match Packet::parse(right) {
        // The handshake has no integrity code: another tag makes a packet foreign there.
        Ok(Packet::V20(p)) if p.session_id == 0 => {
            all.push(wrong_tag);
        }
        _ => all.push(wrong_code),
    }
    all
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
