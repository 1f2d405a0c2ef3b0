//! Recorded conversations, replayed whole, cut and bent through everything that reads packets. A packet that once broke
//! something is added to `tests/corpus/`: one datagram per line, `>` to the BMC, `<` from it, in hexadecimal.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use drp_ipmi::codec::handshake::{Head, OpenRequest, OpenResponse, Rakp1, Rakp2, Rakp3, Rakp4};
use drp_ipmi::codec::message::{Request, Response};
use drp_ipmi::codec::packet::{Packet, PayloadType};

/// Where each conversation comes from.
const CORPUS: [(&str, &str); 3] = [
    ("our client and OpenIPMI's ipmi_sim", include_str!("corpus/ipmi_sim.hex")),
    ("our client and pyghmi's fake BMC", include_str!("corpus/pyghmi.hex")),
    ("ipmitool and FreeIPMI and drp-sim", include_str!("corpus/ipmitool_freeipmi.hex")),
];

fn datagrams(text: &str) -> Vec<(bool, Vec<u8>)> {
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    let line = |l: &str| (l.starts_with('>'), l.as_bytes()[2..].chunks(2).map(byte).collect());
    text.lines().map(line).collect()
}

/// Reads a datagram as its receiver would; says whether it made sense as far as one can see without keys.
fn read(to_bmc: bool, bytes: &[u8]) -> bool {
    match Packet::parse(bytes) {
        Err(_) => false,
        Ok(Packet::V15 { payload, .. }) if to_bmc => Request::decode(payload).is_ok(),
        Ok(Packet::V15 { payload, .. }) => Response::decode(payload).is_ok(),
        Ok(Packet::V20(packet)) if packet.session_id != 0 => {
            packet.kind == PayloadType::Ipmi && packet.encrypted && packet.authenticated
        }
        Ok(Packet::V20(packet)) => {
            let Ok(m) = packet.plain() else { return false };
            match packet.kind {
                PayloadType::OpenRequest => OpenRequest::decode(m).is_ok_and(|d| d.encode() == m),
                PayloadType::Rakp1 => Rakp1::decode(m).is_ok_and(|d| d.encode() == m),
                PayloadType::Rakp3 => Rakp3::decode(m).is_ok_and(|d| d.encode() == m),
                PayloadType::Ipmi => Request::decode(m).is_ok() || Response::decode(m).is_ok(),
                _ if Head::decode(m).is_ok_and(|h| h.status.0 != 0) => true,
                PayloadType::OpenResponse => OpenResponse::decode(m).is_ok_and(|d| d.encode() == m),
                PayloadType::Rakp2 => {
                    Rakp2::decode(m, m.len().saturating_sub(40)).is_ok_and(|d| d.encode() == m)
                }
                PayloadType::Rakp4 => {
                    Rakp4::decode(m, m.len().saturating_sub(8)).is_ok_and(|d| d.encode() == m)
                }
            }
        }
    }
}

#[test]
fn what_others_sent_is_understood_and_written_back_byte_for_byte() {
    for (name, text) in CORPUS {
        let all = datagrams(text);
        assert!(all.len() >= 20, "{name}");
        for (n, (to_bmc, bytes)) in all.iter().enumerate() {
            assert!(read(*to_bmc, bytes), "{name}, line {}", n + 1);
        }
    }
}

#[test]
fn cut_or_bent_it_never_panics() {
    for (_, text) in CORPUS {
        for (to_bmc, bytes) in datagrams(text) {
            for cut in 0..bytes.len() {
                read(to_bmc, &bytes[..cut]);
            }
            for at in 0..bytes.len() {
                for value in [0, 1, 0x7f, 0x80, 0xff, bytes[at].wrapping_add(1)] {
                    let mut bent = bytes.clone();
                    bent[at] = value;
                    read(to_bmc, &bent);
                    read(!to_bmc, &bent);
                }
            }
        }
    }
}
