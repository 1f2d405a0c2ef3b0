//! The BMC as a function, on bytes that nobody sane would send.

use super::Engine;
use crate::{BmcConfig, Effect, On, Rule};
use drp_ipmi::codec::crypto::{Algorithms, Exchange};
use drp_ipmi::codec::handshake::{Head, OpenRequest, Rakp1, Rakp3};
use drp_ipmi::codec::message::{Request, Response};
use drp_ipmi::codec::packet::{Packet, PayloadType, encode_plain, encode_v15};
use drp_ipmi::{CipherSuite, RakpStatus};
use proptest::prelude::*;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

fn peer() -> SocketAddr {
    (Ipv4Addr::LOCALHOST, 1000).into()
}

fn engine(now: Instant) -> Engine {
    Engine::new(BmcConfig { sessions: 3, ..BmcConfig::new("admin", "secret".to_owned()) }, now, || [7; 16])
}

fn open(console_id: u32, suite: CipherSuite) -> Vec<u8> {
    let algorithms = Algorithms::of(suite);
    let request = OpenRequest { tag: 1, privilege: 4, console_id, algorithms };
    encode_plain(PayloadType::OpenRequest, &request.encode())
}

fn status(replies: &[super::Reply]) -> Option<RakpStatus> {
    let Ok(Packet::V20(packet)) = Packet::parse(&replies.first()?.bytes) else { return None };
    Some(Head::decode(packet.plain().ok()?).ok()?.status)
}

#[test]
fn slots_run_out_and_come_back() {
    let now = Instant::now();
    let mut bmc = engine(now);
    for id in 1..=3 {
        assert_eq!(status(&bmc.handle(peer(), &open(id, CipherSuite::Suite3), now)), Some(RakpStatus::OK));
    }
    let full = bmc.handle(peer(), &open(4, CipherSuite::Suite3), now);
    assert_eq!(status(&full), Some(RakpStatus::INSUFFICIENT_RESOURCES));
    // A retransmission of a request that has its slot takes no other.
    assert_eq!(status(&bmc.handle(peer(), &open(2, CipherSuite::Suite3), now)), Some(RakpStatus::OK));
    let later = now + Duration::from_secs(61);
    assert_eq!(status(&bmc.handle(peer(), &open(4, CipherSuite::Suite3), later)), Some(RakpStatus::OK));
    assert_eq!(bmc.sessions.len(), 1);
}

#[test]
fn a_suite_that_is_not_offered_is_refused() {
    let now = Instant::now();
    let mut bmc = engine(now);
    bmc.config.suites = vec![CipherSuite::Suite3];
    assert_eq!(
        status(&bmc.handle(peer(), &open(1, CipherSuite::Suite17), now)),
        Some(RakpStatus::NO_SUITE_MATCH)
    );
}

#[test]
fn an_unknown_user_is_refused_and_the_slot_is_free() {
    let now = Instant::now();
    let mut bmc = engine(now);
    bmc.handle(peer(), &open(1, CipherSuite::Suite17), now);
    let rakp1 = Rakp1 { tag: 2, bmc_id: 1, console_random: [1; 16], role: 0x14, user: b"root".to_vec() };
    let replies = bmc.handle(peer(), &encode_plain(PayloadType::Rakp1, &rakp1.encode()), now);
    assert_eq!(status(&replies), Some(RakpStatus::UNAUTHORIZED_NAME));
    assert_eq!((bmc.sessions.len(), bmc.counts.refused), (0, 1));
}

/// The messages of a handshake prove nothing: a late repetition, or a stranger's, must not end a session.
#[test]
fn a_late_handshake_message_does_not_end_a_session() {
    let now = Instant::now();
    let mut bmc = engine(now);
    bmc.handle(peer(), &open(1, CipherSuite::Suite3), now);
    let exchange = Exchange {
        suite: CipherSuite::Suite3,
        console_id: 1,
        bmc_id: 1,
        console_random: [1; 16],
        bmc_random: [7; 16],
        guid: bmc.config.guid,
        role: 0x14,
        user: b"admin".to_vec(),
    };
    let rakp1 = Rakp1 { tag: 2, bmc_id: 1, console_random: [1; 16], role: 0x14, user: b"admin".to_vec() };
    let rakp1 = encode_plain(PayloadType::Rakp1, &rakp1.encode());
    assert_eq!(status(&bmc.handle(peer(), &rakp1, now)), Some(RakpStatus::OK));
    let rakp3 = Rakp3 { tag: 3, status: RakpStatus::OK, bmc_id: 1, code: exchange.rakp3(b"secret").to_vec() };
    let admitted = bmc.handle(peer(), &encode_plain(PayloadType::Rakp3, &rakp3.encode()), now);
    assert_eq!((status(&admitted), bmc.sessions.active()), (Some(RakpStatus::OK), 1));

    assert_eq!(status(&bmc.handle(peer(), &rakp1, now)), Some(RakpStatus::INVALID_SESSION_ID));
    let gives_up = Rakp3 { tag: 4, status: RakpStatus::INVALID_INTEGRITY_CHECK, bmc_id: 1, code: Vec::new() };
    bmc.handle(peer(), &encode_plain(PayloadType::Rakp3, &gives_up.encode()), now);
    assert_eq!((bmc.sessions.active(), bmc.counts.refused), (1, 0));
}

#[test]
fn only_harmless_commands_are_answered_without_a_session() {
    let now = Instant::now();
    let mut bmc = engine(now);
    for (netfn, cmd, data, code) in
        [(0x06, 0x38, vec![0x8e, 4], 0x00), (0x06, 0x37, vec![], 0x00), (0x00, 0x02, vec![1], 0xd4)]
    {
        let request = Request { netfn, seq: 1, cmd, data };
        let replies = bmc.handle(peer(), &encode_v15(&request.encode()), now);
        let Ok(Packet::V15 { payload, .. }) = Packet::parse(&replies[0].bytes) else { panic!("no answer") };
        assert_eq!(Response::decode(payload).unwrap().code.0, code);
    }
    assert!(!bmc.chassis.power());
}

#[test]
fn a_held_answer_comes_after_the_next_one() {
    let now = Instant::now();
    let mut bmc = engine(now);
    bmc.faults.0 = vec![Rule::new(On::Open, Effect::Reorder).times(1)];
    assert_eq!(bmc.handle(peer(), &open(1, CipherSuite::Suite3), now), []);
    assert_eq!(bmc.handle(peer(), &open(2, CipherSuite::Suite3), now).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn any_datagrams_never_panic(datagrams in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 1..8)) {
        let now = Instant::now();
        let mut bmc = engine(now);
        for (n, mut bytes) in datagrams.into_iter().enumerate() {
            // Half of them look like IPMI from outside.
            if n % 2 == 0 {
                let len = u16::try_from(bytes.len()).unwrap().to_le_bytes();
                let kind = bytes.first().map_or(0, |b| b % 0x16);
                let mut framed = vec![6, 0, 0xff, 7, 6, kind, 0, 0, 0, 0, 0, 0, 0, 0, len[0], len[1]];
                framed.append(&mut bytes);
                bytes = framed;
            }
            bmc.handle(peer(), &bytes, now);
        }
        prop_assert_eq!(bmc.counts.commands, 0);
        prop_assert!(bmc.sessions.len() <= 3);
    }
}

#[test]
fn recorded_conversations_cut_and_bent_never_panic_and_never_log_in() {
    let now = Instant::now();
    let mut bmc = engine(now);
    let texts = [
        include_str!("../../ipmi/tests/corpus/ipmi_sim.hex"),
        include_str!("../../ipmi/tests/corpus/pyghmi.hex"),
        include_str!("../../ipmi/tests/corpus/ipmitool_freeipmi.hex"),
    ];
    for line in texts.iter().flat_map(|t| t.lines()) {
        let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
        let bytes: Vec<u8> = line.as_bytes()[2..].chunks(2).map(byte).collect();
        for at in 0..bytes.len() {
            bmc.handle(peer(), &bytes[..at], now);
            let mut bent = bytes.clone();
            bent[at] = bent[at].wrapping_add(0x41);
            bmc.handle(peer(), &bent, now);
        }
        bmc.handle(peer(), &bytes, now);
    }
    assert_eq!((bmc.counts.logins, bmc.counts.commands), (0, 0), "a replayed login let someone in");
}
