//! Datagrams: RMCP header, IPMI session header, payload, integrity trailer (IPMI 2.0 §13.6, Table 13-8).

use super::Invalid;
use super::crypto::{SessionKeys, short_code_len};

/// No datagram of IPMI is longer; what is, is not looked at.
pub const MAX_DATAGRAM: usize = 1024;

/// RMCP version 1.0, reserved, sequence 255 (no acknowledgement wanted), class IPMI (§13.1.3).
const RMCP: [u8; 4] = [0x06, 0x00, 0xff, 0x07];
/// Authentication type of the session header: none, IPMI 1.5 format.
const AUTH_NONE: u8 = 0x00;
/// Authentication type of the session header: RMCP+.
const AUTH_RMCP_PLUS: u8 = 0x06;
/// Payload type bit: the payload is encrypted.
const ENCRYPTED: u8 = 0x80;
/// Payload type bit: the packet carries an integrity code.
const AUTHENTICATED: u8 = 0x40;
/// "Next header" before the integrity code, always 7.
const NEXT_HEADER: u8 = 0x07;

/// Payload types (§13.27.3, Table 13-16).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PayloadType {
    /// An IPMI message.
    Ipmi,
    /// RMCP+ Open Session Request.
    OpenRequest,
    /// RMCP+ Open Session Response.
    OpenResponse,
    /// RAKP message 1.
    Rakp1,
    /// RAKP message 2.
    Rakp2,
    /// RAKP message 3.
    Rakp3,
    /// RAKP message 4.
    Rakp4,
}

impl PayloadType {
    /// The number on the wire.
    pub const fn id(self) -> u8 {
        match self {
            Self::Ipmi => 0x00,
            Self::OpenRequest => 0x10,
            Self::OpenResponse => 0x11,
            Self::Rakp1 => 0x12,
            Self::Rakp2 => 0x13,
            Self::Rakp3 => 0x14,
            Self::Rakp4 => 0x15,
        }
    }

    /// The type with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0x00 => Self::Ipmi,
            0x10 => Self::OpenRequest,
            0x11 => Self::OpenResponse,
            0x12 => Self::Rakp1,
            0x13 => Self::Rakp2,
            0x14 => Self::Rakp3,
            0x15 => Self::Rakp4,
            _ => return None,
        })
    }
}

/// One datagram, taken apart but not yet believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packet<'a> {
    /// IPMI 1.5 format without authentication: what may come before a session.
    V15 {
        /// Session id, 0 before a session.
        session_id: u32,
        /// The IPMI message.
        payload: &'a [u8],
    },
    /// RMCP+.
    V20(Plus<'a>),
}

/// An RMCP+ packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Plus<'a> {
    /// What the payload is.
    pub kind: PayloadType,
    /// The payload is encrypted.
    pub encrypted: bool,
    /// There is an integrity code.
    pub authenticated: bool,
    /// The session id of the receiver; 0 before a session.
    pub session_id: u32,
    /// The session sequence number; 0 before a session.
    pub sequence: u32,
    payload: &'a [u8],
    /// From the authentication type to the end of the datagram.
    whole: &'a [u8],
}

/// Bytes of an RMCP+ session header.
const PLUS_HEADER: usize = 12;

impl<'a> Packet<'a> {
    /// Takes a datagram apart. Bytes behind it are ignored.
    ///
    /// # Errors
    /// When it is no IPMI, too short, too long, or of an unknown payload type.
    pub fn parse(datagram: &'a [u8]) -> Result<Self, Invalid> {
        if datagram.len() > MAX_DATAGRAM {
            return Err(Invalid("datagram longer than any IPMI packet"));
        }
        let (rmcp, session) =
            datagram.split_first_chunk::<4>().ok_or(Invalid("shorter than an RMCP header"))?;
        // Bit 7 of the class marks an RMCP acknowledgement, which carries no message.
        if rmcp[0] != RMCP[0] || rmcp[3] != RMCP[3] {
            return Err(Invalid("not an RMCP packet of class IPMI"));
        }
        match session.first() {
            Some(&AUTH_NONE) => {
                let &[_, _, _, _, _, a, b, c, d, len, ref rest @ ..] = session else {
                    return Err(Invalid("session header cut short"));
                };
                let payload = rest.get(..usize::from(len)).ok_or(Invalid("payload cut short"))?;
                Ok(Self::V15 { session_id: u32::from_le_bytes([a, b, c, d]), payload })
            }
            Some(&AUTH_RMCP_PLUS) => {
                let (head, rest) =
                    session.split_first_chunk::<PLUS_HEADER>().ok_or(Invalid("session header cut short"))?;
                let &[_, kind, s0, s1, s2, s3, q0, q1, q2, q3, l0, l1] = head;
                let len = usize::from(u16::from_le_bytes([l0, l1]));
                Ok(Self::V20(Plus {
                    kind: PayloadType::from_id(kind & 0x3f).ok_or(Invalid("unknown payload type"))?,
                    encrypted: kind & ENCRYPTED != 0,
                    authenticated: kind & AUTHENTICATED != 0,
                    session_id: u32::from_le_bytes([s0, s1, s2, s3]),
                    sequence: u32::from_le_bytes([q0, q1, q2, q3]),
                    payload: rest.get(..len).ok_or(Invalid("payload cut short"))?,
                    whole: session,
                }))
            }
            _ => Err(Invalid("authentication type is neither none nor RMCP+")),
        }
    }
}

impl<'a> Plus<'a> {
    /// The payload of a packet outside a session.
    ///
    /// # Errors
    /// When it claims to be inside one.
    pub fn plain(&self) -> Result<&'a [u8], Invalid> {
        if self.encrypted || self.authenticated || self.session_id != 0 {
            return Err(Invalid("a packet of a session where none is open"));
        }
        Ok(self.payload)
    }

    /// The payload of a packet inside a session: integrity first, then decryption.
    ///
    /// # Errors
    /// When it is not both authenticated and encrypted, or was not made with these keys.
    pub fn open(&self, keys: &SessionKeys) -> Result<Vec<u8>, Invalid> {
        if !self.authenticated || !self.encrypted {
            return Err(Invalid("a packet without integrity code or encryption inside a session"));
        }
        let code_len = short_code_len(keys.suite());
        let pad = integrity_pad(self.payload.len());
        let by_padding = PLUS_HEADER + self.payload.len() + pad + 2;
        // The usual place; or, from senders that pad otherwise, the end of the datagram.
        let by_end = self.whole.len().saturating_sub(code_len);
        let genuine = [by_padding, by_end].into_iter().any(|signed_len| {
            let Some((signed, rest)) = self.whole.split_at_checked(signed_len) else { return false };
            signed_len >= PLUS_HEADER + self.payload.len() + 2
                && signed.last() == Some(&NEXT_HEADER)
                && rest.get(..code_len).is_some_and(|code| keys.verify(signed, code))
        });
        if !genuine {
            return Err(Invalid("integrity code does not match"));
        }
        keys.decrypt(self.payload)
    }
}

/// Bytes of padding so that the signed part is a multiple of four.
const fn integrity_pad(payload_len: usize) -> usize {
    (4 - (PLUS_HEADER + payload_len + 2) % 4) % 4
}

fn plus_header(kind: u8, session_id: u32, sequence: u32, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(payload.len() + 48);
    out.extend_from_slice(&RMCP);
    out.extend_from_slice(&[AUTH_RMCP_PLUS, kind]);
    out.extend_from_slice(&session_id.to_le_bytes());
    out.extend_from_slice(&sequence.to_le_bytes());
    out.extend_from_slice(&u16::try_from(payload.len()).unwrap_or(u16::MAX).to_le_bytes());
    out.extend_from_slice(payload);
    out
}

/// A packet outside a session.
pub fn encode_plain(kind: PayloadType, payload: &[u8]) -> Vec<u8> {
    plus_header(kind.id(), 0, 0, payload)
}

/// A packet inside a session, encrypted and signed. `iv` must be unpredictable and fresh.
pub fn encode_sealed(
    keys: &SessionKeys,
    session_id: u32,
    sequence: u32,
    payload: &[u8],
    iv: [u8; 16],
) -> Vec<u8> {
    let body = keys.encrypt(payload, iv);
    let mut out =
        plus_header(PayloadType::Ipmi.id() | ENCRYPTED | AUTHENTICATED, session_id, sequence, &body);
    let pad = integrity_pad(body.len());
    out.extend(std::iter::repeat_n(0xff, pad));
    out.extend_from_slice(&[u8::try_from(pad).unwrap_or(0), NEXT_HEADER]);
    let code = keys.sign(out.get(RMCP.len()..).unwrap_or_default());
    out.extend_from_slice(&code);
    out
}

/// A packet in the IPMI 1.5 format without authentication and outside a session.
pub fn encode_v15(payload: &[u8]) -> Vec<u8> {
    let mut out = RMCP.to_vec();
    out.extend_from_slice(&[AUTH_NONE, 0, 0, 0, 0, 0, 0, 0, 0]);
    out.push(u8::try_from(payload.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(payload);
    out
}
