//! Opening a session: Open Session, RAKP messages 1 to 4, Set Session Privilege Level.

use super::session::{Channel, Session};
use super::target::{Target, Timeouts};
use super::wire::{Wire, opening, random};
use crate::codec::app::set_privilege_command;
use crate::codec::crypto::{Algorithms, Exchange, same, short_code_len};
use crate::codec::handshake::{NAME_ONLY_LOOKUP, OpenRequest, OpenResponse, Rakp1, Rakp2, Rakp3, Rakp4};
use crate::codec::packet::{PayloadType, encode_plain};
use crate::{CipherSuite, Error, RakpStatus, Refusal};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

const OPEN: &str = "RMCP+ open session";
const RAKP2: &str = "RAKP message 1";
const RAKP4: &str = "RAKP message 3";

/// Finds the addresses of the target, in the resolver's order, each once.
async fn addresses(target: &Target, deadline: Instant) -> Result<Vec<SocketAddr>, Error> {
    let host = target.host.trim_start_matches('[').trim_end_matches(']');
    let failed = |source| Error::Resolve { host: target.host.clone(), source };
    let found = timeout_at(deadline, tokio::net::lookup_host((host, target.port)))
        .await
        .map_err(|_| failed(std::io::ErrorKind::TimedOut.into()))?
        .map_err(failed)?;
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in found.take(8) {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    if all.is_empty() {
        return Err(failed(std::io::ErrorKind::NotFound.into()));
    }
    Ok(all)
}

/// Opens a session with the first address of the target that answers.
pub(super) async fn open(target: &Target, timeouts: Timeouts) -> Result<Session, Error> {
    let deadline = Instant::now() + timeouts.connect;
    let all = addresses(target, deadline).await?;
    let mut left = u32::try_from(all.len()).unwrap_or(1);
    let mut last = None;
    for peer in all {
        let share = deadline.saturating_duration_since(Instant::now()) / left.max(1);
        left = left.saturating_sub(1);
        match twice(peer, target, timeouts, Instant::now() + share).await {
            // Nobody there: the name may have another address. Any other answer is an answer.
            Err(e @ (Error::Unreachable { .. } | Error::Silent { step: OPEN, .. })) if left > 0 => {
                last = Some(e)
            }
            other => return other,
        }
    }
    Err(last.unwrap_or(Error::BadTarget { what: "the BMC address is empty".into() }))
}

/// Opens a session with one address; a second time when the first try ends in a doubt that repetitions may have made.
///
/// A BMC that gets a step of the handshake twice may answer the second one with new numbers and forget the first
/// (pyghmi does): then the codes do not match although the password does. Nobody shall be told that the password is
/// wrong because the network is slow, so the second try waits much longer before it repeats anything.
async fn twice(
    peer: SocketAddr,
    target: &Target,
    timeouts: Timeouts,
    deadline: Instant,
) -> Result<Session, Error> {
    let wire = Arc::new(Wire::open(peer).await?);
    let first = at(&wire, target, timeouts, deadline).await;
    let doubtful = match &first {
        Err(Error::NotOpened { .. }) => true,
        Err(Error::Refused { reason, .. }) => match reason {
            Refusal::Password | Refusal::BmcKey => true,
            Refusal::Status(status) => *status == RakpStatus::INVALID_INTEGRITY_CHECK,
            Refusal::Privilege(_) => false,
        },
        _ => false,
    };
    if !doubtful || wire.counters().repeated == 0 {
        return first;
    }
    tracing::debug!(%peer, "the handshake failed after repetitions; once more, with more patience");
    let patient = Timeouts { retransmit: timeouts.retransmit * 8, ..timeouts };
    match at(&Arc::new(Wire::open(peer).await?), target, patient, deadline).await {
        // It said no the first time, and nothing the second time.
        Err(Error::Silent { .. }) => first,
        other => other,
    }
}

/// Turns a status of the handshake into the error it means.
fn refusal(peer: SocketAddr, target: &Target, step: &'static str, status: RakpStatus) -> Error {
    match status {
        RakpStatus::INSUFFICIENT_RESOURCES | RakpStatus::INSUFFICIENT_RESOURCES_AT_ROLE => {
            Error::InsufficientResources { peer, status }
        }
        RakpStatus::INVALID_AUTH_ALGORITHM
        | RakpStatus::INVALID_INTEGRITY_ALGORITHM
        | RakpStatus::INVALID_CONFIDENTIALITY_ALGORITHM
        | RakpStatus::NO_SUITE_MATCH => {
            Error::SuiteRefused { peer, asked: target.suite, detail: status.to_string() }
        }
        RakpStatus::INVALID_ROLE
        | RakpStatus::UNAUTHORIZED_ROLE
        | RakpStatus::INVALID_NAME_LENGTH
        | RakpStatus::UNAUTHORIZED_NAME
        | RakpStatus::INVALID_INTEGRITY_CHECK => {
            Error::Refused { peer, user: target.user.clone(), reason: Refusal::Status(status) }
        }
        _ => Error::NotOpened { peer, step, status },
    }
}

async fn at(
    wire: &Arc<Wire>,
    target: &Target,
    timeouts: Timeouts,
    deadline: Instant,
) -> Result<Session, Error> {
    let peer = wire.peer;
    let [tag] = random()?;
    let console_id = u32::from_le_bytes(random()?) | 1;
    let bmc_id = ask_for_room(wire, target, &timeouts, deadline, (tag, console_id)).await?;
    let mut exchange = Exchange {
        suite: target.suite,
        console_id,
        bmc_id,
        console_random: random()?,
        bmc_random: [0; 16],
        guid: [0; 16],
        role: NAME_ONLY_LOOKUP | target.privilege.id(),
        user: target.user.clone().into_bytes(),
    };
    let rakp2 = prove_bmc(wire, target, &timeouts, deadline, (tag.wrapping_add(1), &exchange)).await?;
    exchange.bmc_random = rakp2.bmc_random;
    exchange.guid = rakp2.guid;
    let password = target.password.expose().as_bytes();
    if !same(&exchange.rakp2(password), &rakp2.code) {
        // Tell the BMC, so that it frees the session at once (IPMI 2.0 §13.22). Nothing is said earlier than here:
        // a BMC in the middle of the handshake does not expect message 3 (pyghmi's ends its process), and forgets
        // half-open sessions by itself.
        let status = RakpStatus::INVALID_INTEGRITY_CHECK;
        let message = Rakp3 { tag: tag.wrapping_add(2), status, bmc_id, code: Vec::new() };
        let _ = wire.socket.try_send(&encode_plain(PayloadType::Rakp3, &message.encode()));
        return Err(Error::Refused { peer, user: target.user.clone(), reason: Refusal::Password });
    }

    // From here the keys are known: from the next message on, dropping the channel closes the session.
    let keys = exchange.keys(password, target.kg.as_ref().map(|kg| kg.expose().as_slice()));
    let icv = exchange.rakp4(&keys);
    let channel = Channel::new(Arc::clone(wire), Arc::new(keys), console_id, bmc_id);
    let message = Rakp3 {
        tag: tag.wrapping_add(2),
        status: RakpStatus::OK,
        bmc_id,
        code: exchange.rakp3(password).to_vec(),
    };
    let code = channel
        .wire()
        .handshake(
            opening(RAKP4, deadline, &timeouts),
            (PayloadType::Rakp3, &message.encode()),
            (PayloadType::Rakp4, message.tag, console_id),
            |head, bytes| match head.status {
                RakpStatus::OK => Rakp4::decode(bytes, short_code_len(target.suite)).map(|m| Ok(m.code)),
                status => Ok(Err(status)),
            },
        )
        .await?
        .map_err(|status| refusal(peer, target, RAKP4, status))?;
    if !same(&icv, &code) {
        return Err(Error::Refused { peer, user: target.user.clone(), reason: Refusal::BmcKey });
    }
    raise_privilege(Session::new(channel, target, timeouts), target, deadline).await
}

/// Open Session: gives the BMC's session id, when the BMC agrees to exactly the suite that was asked for.
async fn ask_for_room(
    wire: &Wire,
    target: &Target,
    timeouts: &Timeouts,
    deadline: Instant,
    (tag, console_id): (u8, u32),
) -> Result<u32, Error> {
    let peer = wire.peer;
    let algorithms = Algorithms::of(target.suite);
    let request = OpenRequest { tag, privilege: target.privilege.id(), console_id, algorithms };
    let response = wire
        .handshake(
            opening(OPEN, deadline, timeouts),
            (PayloadType::OpenRequest, &request.encode()),
            (PayloadType::OpenResponse, tag, console_id),
            |head, bytes| match head.status {
                RakpStatus::OK => OpenResponse::decode(bytes).map(Ok),
                status => Ok(Err(status)),
            },
        )
        .await?
        .map_err(|status| refusal(peer, target, OPEN, status))?;
    if response.algorithms != algorithms || response.bmc_id == 0 {
        if response.bmc_id == 0 {
            return Err(Error::Malformed { peer, step: OPEN, what: "session id 0" });
        }
        let detail = match response.algorithms.suite() {
            Some(suite) => format!("it answered with suite {suite}"),
            None => format!("it answered with other algorithms ({})", response.algorithms),
        };
        return Err(Error::SuiteRefused { peer, asked: target.suite, detail });
    }
    Ok(response.bmc_id)
}

/// RAKP messages 1 and 2.
async fn prove_bmc(
    wire: &Wire,
    target: &Target,
    timeouts: &Timeouts,
    deadline: Instant,
    (tag, exchange): (u8, &Exchange),
) -> Result<Rakp2, Error> {
    let message = Rakp1 {
        tag,
        bmc_id: exchange.bmc_id,
        console_random: exchange.console_random,
        role: exchange.role,
        user: exchange.user.clone(),
    };
    let code_len = match target.suite {
        CipherSuite::Suite3 => 20,
        CipherSuite::Suite17 => 32,
    };
    wire.handshake(
        opening(RAKP2, deadline, timeouts),
        (PayloadType::Rakp1, &message.encode()),
        (PayloadType::Rakp2, tag, exchange.console_id),
        |head, bytes| match head.status {
            RakpStatus::OK => Rakp2::decode(bytes, code_len).map(Ok),
            status => Ok(Err(status)),
        },
    )
    .await?
    .map_err(|status| refusal(wire.peer, target, RAKP2, status))
}

/// Set Session Privilege Level: a session starts at user level, whatever was asked for (IPMI 2.0 §22.18).
async fn raise_privilege(mut session: Session, target: &Target, deadline: Instant) -> Result<Session, Error> {
    let peer = session.peer();
    let command = set_privilege_command(target.privilege);
    let refused = |code| Error::Refused { peer, user: target.user.clone(), reason: Refusal::Privilege(code) };
    let data = match session.execute_until(&command, deadline).await {
        Ok(data) => data,
        Err(Error::Completion { code, .. }) if matches!(code.0, 0x80 | 0x81 | 0xd4) => {
            return Err(refused(code));
        }
        Err(e) => return Err(e),
    };
    match data.first() {
        Some(level) if level & 0x0f == target.privilege.id() => Ok(session),
        // An answer without the level is taken at its completion code.
        None => Ok(session),
        Some(_) => Err(refused(crate::CompletionCode(0x81))),
    }
}
