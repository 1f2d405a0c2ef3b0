//! Opening a session: RMCP+ Open Session and RAKP messages 1 to 4 (IPMI 2.0 §13.17 to §13.23).

use super::crypto::Algorithms;
use super::{Invalid, block_at, u32_at};
use crate::RakpStatus;

/// Look the user up by name alone, not by name and privilege (RAKP message 1, role byte, bit 4).
pub const NAME_ONLY_LOOKUP: u8 = 0x10;

/// Length of a full Open Session Response.
const OPEN_RESPONSE_LEN: usize = 36;

fn algorithms(out: &mut Vec<u8>, a: Algorithms) {
    for (kind, algorithm) in [(0, a.authentication), (1, a.integrity), (2, a.confidentiality)] {
        out.extend_from_slice(&[kind, 0, 0, 8, algorithm, 0, 0, 0]);
    }
}

fn read_algorithms(data: &[u8]) -> Result<Algorithms, Invalid> {
    let one = |n: usize| -> Result<u8, Invalid> {
        match data.get(n * 8..n * 8 + 8) {
            Some(&[kind, _, _, 8, algorithm, ..]) if usize::from(kind) == n => Ok(algorithm & 0x3f),
            Some(_) => Err(Invalid("algorithm payloads in another form")),
            None => Err(Invalid("algorithm payloads cut short")),
        }
    };
    Ok(Algorithms { authentication: one(0)?, integrity: one(1)?, confidentiality: one(2)? })
}

/// RMCP+ Open Session Request (§13.17).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenRequest {
    /// Chosen by the console, comes back in the response.
    pub tag: u8,
    /// Highest privilege wanted; 0 would mean "as high as the suite allows".
    pub privilege: u8,
    /// Session id by which the console wants to be called.
    pub console_id: u32,
    /// Exactly one proposal.
    pub algorithms: Algorithms,
}

impl OpenRequest {
    /// Writes the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.tag, self.privilege & 0x0f, 0, 0];
        out.extend_from_slice(&self.console_id.to_le_bytes());
        algorithms(&mut out, self.algorithms);
        out
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// When it is cut short or does not propose exactly one algorithm of each kind.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[tag, privilege, _, _, ref rest @ ..] = data else {
            return Err(Invalid("open session request cut short"));
        };
        Ok(Self {
            tag,
            privilege: privilege & 0x0f,
            console_id: u32_at(rest, 0).ok_or(Invalid("open session request cut short"))?,
            algorithms: read_algorithms(rest.get(4..).unwrap_or_default())?,
        })
    }
}

/// What an answer of the handshake says before one looks at the rest: every one starts with tag, status, two bytes and
/// the session id of the receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Tag of the request.
    pub tag: u8,
    /// Status; not OK means that nothing more need follow.
    pub status: RakpStatus,
    /// Session id of the receiver, when it is there.
    pub id: Option<u32>,
}

impl Head {
    /// Reads it.
    ///
    /// # Errors
    /// When there are not even two bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[tag, status, ..] = data else { return Err(Invalid("handshake message cut short")) };
        Ok(Self { tag, status: RakpStatus(status), id: u32_at(data, 4) })
    }

    fn encode(tag: u8, status: RakpStatus, third: u8, id: u32) -> Vec<u8> {
        let mut out = vec![tag, status.0, third, 0];
        out.extend_from_slice(&id.to_le_bytes());
        out
    }
}

/// An answer that only says no, to an open request (id of the console), RAKP message 1 or 3.
pub fn encode_refusal(tag: u8, status: RakpStatus, console_id: u32) -> Vec<u8> {
    Head::encode(tag, status, 0, console_id)
}

/// RMCP+ Open Session Response (§13.18) with status OK.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenResponse {
    /// Tag of the request.
    pub tag: u8,
    /// Highest privilege that the suite allows.
    pub privilege: u8,
    /// The console's session id.
    pub console_id: u32,
    /// The BMC's session id.
    pub bmc_id: u32,
    /// What the BMC chose.
    pub algorithms: Algorithms,
}

impl OpenResponse {
    /// Writes the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Head::encode(self.tag, RakpStatus::OK, self.privilege, self.console_id);
        out.extend_from_slice(&self.bmc_id.to_le_bytes());
        algorithms(&mut out, self.algorithms);
        out
    }

    /// Reads a payload whose [`Head`] said OK.
    ///
    /// # Errors
    /// When it is cut short or of another form.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        if data.len() < OPEN_RESPONSE_LEN {
            return Err(Invalid("open session response cut short"));
        }
        let short = Invalid("open session response cut short");
        Ok(Self {
            tag: data[0],
            privilege: data[2] & 0x0f,
            console_id: u32_at(data, 4).ok_or(short)?,
            bmc_id: u32_at(data, 8).ok_or(short)?,
            algorithms: read_algorithms(data.get(12..).ok_or(short)?)?,
        })
    }
}

/// RAKP message 1 (§13.20).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rakp1 {
    /// Tag.
    pub tag: u8,
    /// The BMC's session id.
    pub bmc_id: u32,
    /// The console's random number.
    pub console_random: [u8; 16],
    /// Requested privilege, with [`NAME_ONLY_LOOKUP`] or not.
    pub role: u8,
    /// User name, at most 16 bytes.
    pub user: Vec<u8>,
}

impl Rakp1 {
    /// Writes the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![self.tag, 0, 0, 0];
        out.extend_from_slice(&self.bmc_id.to_le_bytes());
        out.extend_from_slice(&self.console_random);
        out.extend_from_slice(&[self.role, 0, 0, u8::try_from(self.user.len()).unwrap_or(u8::MAX)]);
        out.extend_from_slice(&self.user);
        out
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// When it is cut short or the name is too long.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let short = Invalid("RAKP message 1 cut short");
        let &[role, _, _, len, ref rest @ ..] = data.get(24..).ok_or(short)? else { return Err(short) };
        if len > 16 {
            return Err(Invalid("RAKP message 1 with a user name over 16 bytes"));
        }
        Ok(Self {
            tag: *data.first().ok_or(short)?,
            bmc_id: u32_at(data, 4).ok_or(short)?,
            console_random: block_at(data, 8).ok_or(short)?,
            role,
            user: rest.get(..usize::from(len)).ok_or(short)?.to_vec(),
        })
    }
}

/// RAKP message 2 (§13.21) with status OK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rakp2 {
    /// Tag of message 1.
    pub tag: u8,
    /// The console's session id.
    pub console_id: u32,
    /// The BMC's random number.
    pub bmc_random: [u8; 16],
    /// The BMC's GUID.
    pub guid: [u8; 16],
    /// Key exchange authentication code: 20 or 32 bytes.
    pub code: Vec<u8>,
}

impl Rakp2 {
    /// Writes the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Head::encode(self.tag, RakpStatus::OK, 0, self.console_id);
        out.extend_from_slice(&self.bmc_random);
        out.extend_from_slice(&self.guid);
        out.extend_from_slice(&self.code);
        out
    }

    /// Reads a payload whose [`Head`] said OK. `code_len` bytes of code are taken, more are ignored.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(data: &[u8], code_len: usize) -> Result<Self, Invalid> {
        let short = Invalid("RAKP message 2 cut short");
        Ok(Self {
            tag: *data.first().ok_or(short)?,
            console_id: u32_at(data, 4).ok_or(short)?,
            bmc_random: block_at(data, 8).ok_or(short)?,
            guid: block_at(data, 24).ok_or(short)?,
            code: data.get(40..40 + code_len).ok_or(short)?.to_vec(),
        })
    }
}

/// RAKP message 3 (§13.22).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rakp3 {
    /// Tag.
    pub tag: u8,
    /// OK, or why the console gives up; then the BMC forgets the session and does not answer.
    pub status: RakpStatus,
    /// The BMC's session id.
    pub bmc_id: u32,
    /// Key exchange authentication code; empty when giving up.
    pub code: Vec<u8>,
}

impl Rakp3 {
    /// Writes the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Head::encode(self.tag, self.status, 0, self.bmc_id);
        out.extend_from_slice(&self.code);
        out
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let short = Invalid("RAKP message 3 cut short");
        let head = Head::decode(data)?;
        Ok(Self {
            tag: head.tag,
            status: head.status,
            bmc_id: head.id.ok_or(short)?,
            code: data.get(8..).unwrap_or_default().to_vec(),
        })
    }
}

/// RAKP message 4 (§13.23) with status OK.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rakp4 {
    /// Tag of message 3.
    pub tag: u8,
    /// The console's session id.
    pub console_id: u32,
    /// Integrity check value: 12 or 16 bytes.
    pub code: Vec<u8>,
}

impl Rakp4 {
    /// Writes the payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Head::encode(self.tag, RakpStatus::OK, 0, self.console_id);
        out.extend_from_slice(&self.code);
        out
    }

    /// Reads a payload whose [`Head`] said OK. `code_len` bytes of code are taken, more are ignored.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(data: &[u8], code_len: usize) -> Result<Self, Invalid> {
        let short = Invalid("RAKP message 4 cut short");
        Ok(Self {
            tag: *data.first().ok_or(short)?,
            console_id: u32_at(data, 4).ok_or(short)?,
            code: data.get(8..8 + code_len).ok_or(short)?.to_vec(),
        })
    }
}
