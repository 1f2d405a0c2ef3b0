//! What `sensors`, `sel`, `users` and `lan` answer: one form for every protocol.

mod lan;
mod sel;
mod sensor;
mod user;

pub use lan::{Ipv4, Ipv6, Lan, LanInterface};
pub use sel::{Sel, SelEntry};
pub use sensor::{Sensor, Sensors, Status, Thresholds};
pub use user::{Access, User, Users};

/// So much of a text from a BMC is kept.
const TEXT: usize = 300;

/// A text from a BMC as it may be shown: without control characters, at most 300 characters.
pub(crate) fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(TEXT).collect::<String>().trim().to_owned()
}
