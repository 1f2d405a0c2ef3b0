//! Bytes that nobody sane would send.

use super::app::{AuthCapabilities, DeviceId, SystemGuid};
use super::boot::{BootDevice, BootFlags};
use super::chassis::{ChassisStatus, Identify};
use super::crypto::{Algorithms, Exchange, SessionKeys};
use super::handshake::{Head, OpenRequest, OpenResponse, Rakp1, Rakp2, Rakp3, Rakp4};
use super::message::{Request, Response};
use super::packet::{Packet, PayloadType, encode_plain, encode_sealed, encode_v15};
use crate::{CipherSuite, CompletionCode, RakpStatus};
use proptest::prelude::*;

fn keys(suite: CipherSuite) -> SessionKeys {
    Exchange {
        suite,
        console_id: 0x0102_0304,
        bmc_id: 0x0506_0708,
        console_random: [1; 16],
        bmc_random: [2; 16],
        guid: [3; 16],
        role: 0x14,
        user: b"root".to_vec(),
    }
    .keys(b"password", Some(b"key"))
}

/// Everything that reads bytes, on these bytes. The point is that it returns.
fn read_everything(data: &[u8]) {
    for suite in [CipherSuite::Suite3, CipherSuite::Suite17] {
        if let Ok(Packet::V20(p)) = Packet::parse(data) {
            let _ = (p.plain(), p.open(&keys(suite)));
        }
        let _ = keys(suite).decrypt(data);
    }
    let _ = (Head::decode(data), OpenRequest::decode(data), OpenResponse::decode(data));
    let _ = (Rakp1::decode(data), Rakp2::decode(data, 20), Rakp2::decode(data, 32), Rakp3::decode(data));
    let _ = (Rakp4::decode(data, 12), Rakp4::decode(data, 16), Request::decode(data), Response::decode(data));
    let _ = (DeviceId::decode(data), SystemGuid::decode(data), AuthCapabilities::decode(data));
    let _ = (ChassisStatus::decode(data), Identify::decode(data), BootFlags::decode_response(data));
}

fn corpus() -> Vec<Vec<u8>> {
    let request = Request { netfn: 0, seq: 9, cmd: 2, data: vec![1] }.encode();
    let algorithms = Algorithms::of(CipherSuite::Suite17);
    let open = OpenRequest { tag: 1, privilege: 4, console_id: 7, algorithms }.encode();
    let opened = OpenResponse { tag: 1, privilege: 4, console_id: 7, bmc_id: 8, algorithms }.encode();
    let r1 =
        Rakp1 { tag: 2, bmc_id: 8, console_random: [1; 16], role: 0x14, user: b"root".to_vec() }.encode();
    let r2 = Rakp2 { tag: 2, console_id: 7, bmc_random: [2; 16], guid: [3; 16], code: vec![4; 32] }.encode();
    let r3 = Rakp3 { tag: 3, status: RakpStatus::OK, bmc_id: 8, code: vec![5; 32] }.encode();
    let r4 = Rakp4 { tag: 3, console_id: 7, code: vec![6; 16] }.encode();
    let mut out = vec![
        encode_v15(&request),
        encode_plain(PayloadType::OpenRequest, &open),
        encode_plain(PayloadType::OpenResponse, &opened),
        encode_plain(PayloadType::Rakp1, &r1),
        encode_plain(PayloadType::Rakp2, &r2),
        encode_plain(PayloadType::Rakp3, &r3),
        encode_plain(PayloadType::Rakp4, &r4),
        encode_sealed(&keys(CipherSuite::Suite3), 7, 1, &request, [8; 16]),
        encode_sealed(&keys(CipherSuite::Suite17), 7, 1, &request, [8; 16]),
    ];
    out.extend([open, opened, r1, r2, r3, r4, request]);
    out
}

#[test]
fn the_corpus_cut_and_bent_at_every_byte_never_panics() {
    for sample in corpus() {
        for cut in 0..=sample.len() {
            read_everything(&sample[..cut]);
        }
        for at in 0..sample.len() {
            for value in [0x00, 0x01, 0x7f, 0x80, 0xff, sample[at] ^ 0x01, sample[at] ^ 0x80] {
                let mut bent = sample.clone();
                bent[at] = value;
                read_everything(&bent);
            }
        }
        let mut longer = sample.clone();
        longer.extend([0xee; 40]);
        read_everything(&longer);
    }
}

#[test]
fn one_flipped_bit_of_a_sealed_packet_is_noticed() {
    for suite in [CipherSuite::Suite3, CipherSuite::Suite17] {
        let keys = keys(suite);
        let message = Request { netfn: 0, seq: 1, cmd: 2, data: vec![1] }.encode();
        let good = encode_sealed(&keys, 7, 1, &message, [8; 16]);
        for bit in 4 * 8..good.len() * 8 {
            let mut bent = good.clone();
            bent[bit / 8] ^= 1 << (bit % 8);
            let opened = match Packet::parse(&bent) {
                Ok(Packet::V20(p)) => p.open(&keys).is_ok(),
                _ => false,
            };
            assert!(!opened, "suite {suite}: bit {bit} was not covered");
        }
    }
}

#[test]
fn bytes_behind_a_packet_do_not_matter() {
    let keys = keys(CipherSuite::Suite17);
    let mut packet = encode_sealed(&keys, 7, 1, b"hello", [8; 16]);
    packet.extend([0xaa; 9]);
    let Ok(Packet::V20(p)) = Packet::parse(&packet) else { panic!("not parsed") };
    assert_eq!(p.open(&keys), Ok(b"hello".to_vec()));
}

#[test]
fn a_packet_longer_than_the_bound_is_not_read() {
    assert!(Packet::parse(&[6; super::packet::MAX_DATAGRAM + 1]).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..400)) {
        read_everything(&data);
    }

    #[test]
    fn any_bytes_behind_an_rmcp_header_never_panic(
        kind in any::<u8>(), data in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let mut packet = vec![6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0];
        packet.extend_from_slice(&u16::try_from(data.len()).unwrap().to_le_bytes());
        packet.extend_from_slice(&data);
        read_everything(&packet);
    }

    #[test]
    fn sealed_packets_come_back(
        suite3 in any::<bool>(), id in any::<u32>(), seq in any::<u32>(), iv in any::<[u8; 16]>(),
        data in prop::collection::vec(any::<u8>(), 0..200)
    ) {
        let keys = keys(if suite3 { CipherSuite::Suite3 } else { CipherSuite::Suite17 });
        let bytes = encode_sealed(&keys, id, seq, &data, iv);
        let Ok(Packet::V20(p)) = Packet::parse(&bytes) else { panic!("not parsed") };
        prop_assert_eq!((p.session_id, p.sequence, p.open(&keys)), (id, seq, Ok(data)));
    }

    #[test]
    fn messages_come_back(netfn in 0u8..32, seq in 0u8..64, cmd: u8, code: u8, data: Vec<u8>) {
        let request = Request { netfn: netfn * 2, seq, cmd, data: data.clone() };
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request.clone()));
        let response = Response::to(&request, CompletionCode(code), data);
        prop_assert_eq!(Response::decode(&response.encode()), Ok(response.clone()));
        prop_assert!(response.answers(netfn * 2, seq, cmd));
        prop_assert!(!response.answers(netfn * 2, seq ^ 1, cmd));
    }

    #[test]
    fn boot_flags_come_back(valid: bool, persistent: bool, efi: bool, device in 0u8..16, rest: [u8; 4]) {
        let flags = BootFlags {
            valid, persistent, efi, device: BootDevice::from_id(device),
            data2: rest[0] & 0xc3, data3: rest[1], data4: rest[2], data5: rest[3],
        };
        prop_assert_eq!(BootFlags::decode(&flags.encode()), Ok(flags));
    }

    #[test]
    fn chassis_status_comes_back(bytes: [u8; 3]) {
        let masked = [bytes[0] & 0x7f, bytes[1] & 0x1f, bytes[2]];
        prop_assert_eq!(ChassisStatus::decode(&bytes).map(|s| s.encode()), Ok(masked));
    }
}
