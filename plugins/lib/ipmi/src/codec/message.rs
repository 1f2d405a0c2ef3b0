//! IPMI messages as they travel over LAN (IPMI 2.0 §13.8, Figure 13-4).

use super::Invalid;
use crate::CompletionCode;

/// Slave address of the BMC.
pub const BMC_ADDRESS: u8 = 0x20;
/// Software id of a remote console.
pub const CONSOLE_ADDRESS: u8 = 0x81;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Network function, even.
    pub netfn: u8,
    /// Request sequence, 0 to 63.
    pub seq: u8,
    /// Command.
    pub cmd: u8,
    /// Data.
    pub data: Vec<u8>,
}

/// A response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// Network function of the request plus one.
    pub netfn: u8,
    /// Request sequence.
    pub seq: u8,
    /// Command.
    pub cmd: u8,
    /// Completion code.
    pub code: CompletionCode,
    /// Data after the completion code.
    pub data: Vec<u8>,
}

/// Two's complement of the sum: the sum with it is zero (§13.8).
fn checksum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0u8, |sum, b| sum.wrapping_sub(*b))
}

fn encode(to: u8, netfn: u8, from: u8, seq: u8, rest: &[&[u8]]) -> Vec<u8> {
    let mut out = vec![to, netfn << 2];
    out.push(checksum(&out));
    out.extend_from_slice(&[from, seq << 2]);
    rest.iter().for_each(|part| out.extend_from_slice(part));
    out.push(checksum(out.get(3..).unwrap_or_default()));
    out
}

/// Gives back network function, sequence, command, and what follows it.
fn decode(message: &[u8]) -> Result<(u8, u8, u8, &[u8]), Invalid> {
    let [_to, netfn, _sum1, _from, seq, cmd, rest @ .., _sum2] = message else {
        return Err(Invalid("IPMI message cut short"));
    };
    let (head, body) = message.split_at(3);
    if checksum(head) != 0 || checksum(body) != 0 {
        return Err(Invalid("IPMI message with a wrong checksum"));
    }
    Ok((netfn >> 2, seq >> 2, *cmd, rest))
}

impl Request {
    /// Writes the message, from a console to the BMC, both LUN 0.
    pub fn encode(&self) -> Vec<u8> {
        encode(BMC_ADDRESS, self.netfn, CONSOLE_ADDRESS, self.seq & 0x3f, &[&[self.cmd], &self.data])
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is cut short, damaged, or a response.
    pub fn decode(message: &[u8]) -> Result<Self, Invalid> {
        let (netfn, seq, cmd, data) = decode(message)?;
        if netfn & 1 == 1 {
            return Err(Invalid("a response where a request should be"));
        }
        Ok(Self { netfn, seq, cmd, data: data.to_vec() })
    }
}

impl Response {
    /// The answer to a request.
    pub fn to(request: &Request, code: CompletionCode, data: Vec<u8>) -> Self {
        Self { netfn: request.netfn | 1, seq: request.seq, cmd: request.cmd, code, data }
    }

    /// Writes the message, from the BMC to a console.
    pub fn encode(&self) -> Vec<u8> {
        encode(
            CONSOLE_ADDRESS,
            self.netfn,
            BMC_ADDRESS,
            self.seq & 0x3f,
            &[&[self.cmd, self.code.0], &self.data],
        )
    }

    /// Reads it.
    ///
    /// # Errors
    /// When it is cut short, damaged, or a request.
    pub fn decode(message: &[u8]) -> Result<Self, Invalid> {
        let (netfn, seq, cmd, rest) = decode(message)?;
        let [code, data @ ..] = rest else {
            return Err(Invalid("IPMI response without a completion code"));
        };
        if netfn & 1 == 0 {
            return Err(Invalid("a request where a response should be"));
        }
        Ok(Self { netfn, seq, cmd, code: CompletionCode(*code), data: data.to_vec() })
    }

    /// Whether it answers this request: same sequence, network function and command.
    pub fn answers(&self, netfn: u8, seq: u8, cmd: u8) -> bool {
        self.netfn == netfn | 1 && self.seq == seq & 0x3f && self.cmd == cmd
    }
}
