//! Packets of RMCP+ and the messages inside, as the IPMI client and the simulator read them.

use drp_ipmi::CipherSuite;
use drp_ipmi::codec::app::{AuthCapabilities, DeviceId, SystemGuid};
use drp_ipmi::codec::boot::BootFlags;
use drp_ipmi::codec::chassis::{ChassisStatus, Identify};
use drp_ipmi::codec::crypto::{Exchange, SessionKeys};
use drp_ipmi::codec::handshake::{Head, OpenRequest, OpenResponse, Rakp1, Rakp2, Rakp3, Rakp4};
use drp_ipmi::codec::message::{Request, Response};
use drp_ipmi::codec::packet::{Packet, encode_sealed};

fn keys(suite: CipherSuite) -> SessionKeys {
    let exchange = Exchange {
        suite,
        console_id: 0x0102_0304,
        bmc_id: 0x0506_0708,
        console_random: [1; 16],
        bmc_random: [2; 16],
        guid: [3; 16],
        role: 0x14,
        user: b"root".to_vec(),
    };
    exchange.keys(b"password", None)
}

/// A datagram, or what is inside one.
pub fn packet(data: &[u8]) {
    for suite in [CipherSuite::Suite3, CipherSuite::Suite17] {
        let keys = keys(suite);
        if let Ok(Packet::V20(packet)) = Packet::parse(data) {
            let _ = packet.plain();
            // Nobody who lacks the keys makes a packet that opens.
            assert!(packet.open(&keys).is_err(), "{data:02x?}");
        }
        let _ = keys.decrypt(data);
        // What is sealed opens again, whatever it is.
        if data.len() < 200 {
            let sealed = encode_sealed(&keys, 7, 1, data, [9; 16]);
            let Ok(Packet::V20(packet)) = Packet::parse(&sealed) else {
                panic!("our own packet: {data:02x?}")
            };
            assert_eq!(packet.open(&keys).expect("our own packet"), data);
        }
    }
    // What is understood is written back as it came.
    if let Ok(request) = Request::decode(data) {
        assert_eq!(Request::decode(&request.encode()), Ok(request));
    }
    if let Ok(message) = Rakp1::decode(data) {
        assert_eq!(Rakp1::decode(&message.encode()), Ok(message));
    }
    let _ =
        (Head::decode(data), OpenRequest::decode(data), OpenResponse::decode(data), Response::decode(data));
    let _ = (Rakp2::decode(data, 20), Rakp2::decode(data, 32), Rakp3::decode(data));
    let _ = (Rakp4::decode(data, 12), Rakp4::decode(data, 16));
    let _ = (DeviceId::decode(data), SystemGuid::decode(data), AuthCapabilities::decode(data));
    let _ = (ChassisStatus::decode(data), Identify::decode(data), BootFlags::decode_response(data));
}
