//! A request to a BMC: network function, command, data, and whether it may be sent twice.

/// Whether a command may be carried out twice without harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idempotency {
    /// Repeating it changes nothing: reading, or setting to a value. Retransmitted until the deadline.
    Idempotent,
    /// Repeating it would do more (a second reset). Sent once, never retransmitted.
    Once,
}

/// A request, ready to be put into a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its name, for errors and logs.
    pub name: &'static str,
    /// Network function of the request (even; IPMI 2.0 §5.1).
    pub netfn: u8,
    /// Command number (Appendix G).
    pub cmd: u8,
    /// Request data.
    pub data: Vec<u8>,
    /// Whether it may be sent twice.
    pub idempotency: Idempotency,
}

/// Network function: chassis.
pub const NETFN_CHASSIS: u8 = 0x00;
/// Network function: sensors and events.
pub const NETFN_SENSOR: u8 = 0x04;
/// Network function: application.
pub const NETFN_APP: u8 = 0x06;
/// Network function: storage (SDR, SEL, FRU).
pub const NETFN_STORAGE: u8 = 0x0a;
/// Network function: transport (LAN, serial).
pub const NETFN_TRANSPORT: u8 = 0x0c;

impl Command {
    /// A command that may be repeated.
    pub fn idempotent(name: &'static str, netfn: u8, cmd: u8, data: impl Into<Vec<u8>>) -> Self {
        Self { name, netfn, cmd, data: data.into(), idempotency: Idempotency::Idempotent }
    }

    /// A command that must not be repeated.
    pub fn once(name: &'static str, netfn: u8, cmd: u8, data: impl Into<Vec<u8>>) -> Self {
        Self { name, netfn, cmd, data: data.into(), idempotency: Idempotency::Once }
    }
}
