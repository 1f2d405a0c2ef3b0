//! Faults on demand: which requests a rule is about, what goes wrong, and how often.

use crate::redfish::Op;
use drp_ipmi::RakpStatus;
use serde::{Deserialize, Serialize};

/// Which requests a rule is about. Written as a word. Of both protocols: `any`. Of IPMI: `open`, `rakp1`, `rakp3`, `command`
/// (any command of a session), the name of a command (`chassis-control`), or `0x00/0x02` for network function and
/// command. Of Redfish: `redfish`, or `redfish-` and one of the words of [`Op`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum On {
    /// Everything.
    Any,
    /// Open Session Request.
    Open,
    /// RAKP message 1.
    Rakp1,
    /// RAKP message 3.
    Rakp3,
    /// Any command inside a session.
    AnyCommand,
    /// One command: network function, number.
    Command(u8, u8),
    /// A kind of Redfish request.
    Redfish(Op),
}

/// Names of the commands that the simulator knows.
pub(crate) const COMMANDS: [(&str, u8, u8); 11] = [
    ("chassis-status", 0x00, 0x01),
    ("chassis-control", 0x00, 0x02),
    ("chassis-identify", 0x00, 0x04),
    ("set-boot-options", 0x00, 0x08),
    ("get-boot-options", 0x00, 0x09),
    ("get-device-id", 0x06, 0x01),
    ("get-system-guid", 0x06, 0x37),
    ("get-channel-auth", 0x06, 0x38),
    ("set-privilege", 0x06, 0x3b),
    ("close-session", 0x06, 0x3c),
    ("get-cipher-suites", 0x06, 0x54),
];

pub(crate) fn command_name(netfn: u8, cmd: u8) -> String {
    COMMANDS
        .iter()
        .find(|(_, n, c)| (*n, *c) == (netfn, cmd))
        .map_or_else(|| format!("0x{netfn:02x}/0x{cmd:02x}"), |(name, ..)| (*name).to_owned())
}

impl TryFrom<String> for On {
    type Error = String;

    fn try_from(word: String) -> Result<Self, String> {
        let number = |s: &str| u8::from_str_radix(s.trim_start_matches("0x"), 16).ok();
        Ok(match word.as_str() {
            "any" => Self::Any,
            "open" => Self::Open,
            "rakp1" => Self::Rakp1,
            "rakp3" => Self::Rakp3,
            "command" => Self::AnyCommand,
            other if other.starts_with("redfish") => Self::Redfish(Op::parse(other)?),
            other => match COMMANDS.iter().find(|(name, ..)| *name == other) {
                Some((_, netfn, cmd)) => Self::Command(*netfn, *cmd),
                None => match other.split_once('/').map(|(n, c)| (number(n), number(c))) {
                    Some((Some(netfn), Some(cmd))) => Self::Command(netfn, cmd),
                    _ => {
                        return Err(format!(
                            "{other:?} is nothing a fault can be on; use any, open, rakp1, rakp3, command, 0xNN/0xNN, {}, or {}",
                            COMMANDS.map(|(name, ..)| name).join(", "),
                            Op::ALL.map(Op::word).join(", "),
                        ));
                    }
                },
            },
        })
    }
}

impl From<On> for String {
    fn from(on: On) -> Self {
        match on {
            On::Any => "any".into(),
            On::Open => "open".into(),
            On::Rakp1 => "rakp1".into(),
            On::Rakp3 => "rakp3".into(),
            On::AnyCommand => "command".into(),
            On::Command(netfn, cmd) => command_name(netfn, cmd),
            On::Redfish(op) => op.word().into(),
        }
    }
}

impl On {
    fn covers(self, what: On) -> bool {
        match (self, what) {
            (Self::Any, _) | (Self::AnyCommand, On::Command(..)) => true,
            (Self::Redfish(rule), On::Redfish(op)) => rule.covers(op),
            _ => self == what,
        }
    }
}

/// What goes wrong. An effect that makes no sense for a protocol does not strike there (see [`Effect::suits`]).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Effect {
    /// The request is lost: nothing is done, nothing answered. Over Redfish the connection is cut.
    LoseRequest,
    /// The command is carried out and its answer lost. Over Redfish the connection is cut.
    LoseReply,
    /// The command is carried out at once and answered later.
    Late {
        /// Milliseconds.
        ms: u64,
    },
    /// The answer comes twice.
    Duplicate,
    /// The answer is held back until after the next one.
    Reorder,
    /// Answered with a completion code, not carried out (0xC0 is busy).
    Completion {
        /// The code.
        code: u8,
    },
    /// A step of the handshake is refused with a status.
    Status {
        /// The status (IPMI 2.0 Table 13-15): 1 no resources, 0x0d no such user, 0x0f wrong password…
        code: u8,
    },
    /// Open Session is answered with another suite than asked for (0 for none of the algorithms).
    WrongSuite {
        /// The suite.
        suite: u8,
    },
    /// The answer is replaced by bytes that mean nothing; over Redfish with status 200 and a body that is no JSON.
    Garbage,
    /// Before the answer come packets of other sessions, with a wrong integrity code, and of other types.
    Foreign,
    /// The answer has more data than it should; over Redfish behind the JSON.
    Trailing {
        /// Bytes.
        len: usize,
    },
    /// The answer's data is cut; over Redfish a body that ends in the middle, of the length it says.
    Short {
        /// Bytes that are left.
        len: usize,
    },
    /// A power command is answered with success and does nothing.
    Stuck,
    /// The BMC forgets all its sessions first.
    Forget,
    /// Busy, not carried out: completion code 0xC0, or 503 with `Retry-After`.
    Busy {
        /// Seconds of `Retry-After`; absent: the header is left out.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// All sessions are taken: status 1 of the handshake, or 503 `SessionLimitExceeded`. Only where sessions begin.
    Exhausted,
    /// User or password are refused: status 0x0f of RAKP message 2 or 4, or 401.
    Unauthorized,
    /// The machine is in no state for it, not carried out: completion code 0xD5, or 409 `ResourceInUse`.
    WrongState,
    /// Redfish: the connection stays open and silent, nothing is done.
    Silent,
    /// Redfish: carried out, and the connection stays open and silent.
    SilentAfter,
    /// Redfish: the body ends before the length it was announced with, and the connection is cut. Carried out.
    Half,
    /// Redfish: answered with this status, not carried out.
    Http {
        /// The status.
        status: u16,
        /// Key of the message in the body, of the Base registry; without one there is no body.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// Seconds of `Retry-After`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after: Option<u32>,
    },
    /// Redfish: carried out and answered with 204 and no body, a reading too.
    NoContent,
    /// Redfish: the resource lacks these properties (`Actions`, `PowerState`, …).
    Without {
        /// Names of properties of the resource itself.
        properties: Vec<String>,
    },
    /// Redfish: every text, number and truth value of the resource is of another type.
    OddTypes,
    /// Redfish: the body has so many bytes of padding, as valid JSON.
    Huge {
        /// Bytes, at most 64 MiB.
        bytes: usize,
    },
    /// Redfish: a change is accepted with 202 and a task that ends so.
    Task {
        /// Milliseconds until it ends.
        ms: u64,
        /// `TaskState` at the end; a change whose task does not end as `Completed` is not carried out.
        #[serde(default = "completed")]
        state: String,
    },
}

fn completed() -> String {
    "Completed".to_owned()
}

impl Effect {
    /// Whether it can strike that request.
    pub fn suits(&self, what: On) -> bool {
        let redfish = matches!(what, On::Redfish(_));
        match self {
            Self::LoseRequest
            | Self::LoseReply
            | Self::Late { .. }
            | Self::Garbage
            | Self::Trailing { .. }
            | Self::Short { .. }
            | Self::Stuck
            | Self::Forget => true,
            Self::Busy { .. } | Self::WrongState => redfish || matches!(what, On::Command(..)),
            Self::Exhausted => matches!(what, On::Open | On::Redfish(Op::Login)),
            Self::Unauthorized => redfish || matches!(what, On::Rakp1 | On::Rakp3),
            Self::Duplicate
            | Self::Reorder
            | Self::Completion { .. }
            | Self::Status { .. }
            | Self::WrongSuite { .. }
            | Self::Foreign => !redfish,
            Self::Silent
            | Self::SilentAfter
            | Self::Half
            | Self::Http { .. }
            | Self::NoContent
            | Self::Without { .. }
            | Self::OddTypes
            | Self::Huge { .. }
            | Self::Task { .. } => redfish,
        }
    }

    /// Its name in faults files and in the log.
    pub(crate) fn name(&self) -> String {
        let value = serde_json::to_value(self).unwrap_or_default();
        value.get("kind").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned()
    }

    /// The completion code it answers a command with.
    pub(crate) fn completion(&self) -> Option<u8> {
        match self {
            Self::Completion { code } => Some(*code),
            Self::Busy { .. } => Some(0xc0),
            Self::WrongState => Some(0xd5),
            _ => None,
        }
    }
}

/// When which effect strikes. The first rule that covers a packet and has not run out is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which requests.
    #[serde(default = "any")]
    pub on: On,
    /// Redfish: only requests of this path. `*` stands for any text; a slash at the end does not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Let so many pass first.
    #[serde(default)]
    pub skip: u32,
    /// Strike so often; without it, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// What goes wrong.
    pub effect: Effect,
}

fn any() -> On {
    On::Any
}

impl Rule {
    /// A rule that always strikes.
    pub fn new(on: On, effect: Effect) -> Self {
        Self { on, path: None, skip: 0, times: None, effect }
    }

    /// Strikes only requests of this path.
    pub fn path(self, pattern: impl Into<String>) -> Self {
        Self { path: Some(pattern.into()), ..self }
    }

    /// Strikes only so often.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Lets so many pass first.
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Whether it strikes this request; counts down.
    fn strikes(&mut self, what: On, path: &str) -> bool {
        if self.times == Some(0) || !self.on.covers(what) || !self.effect.suits(what) {
            return false;
        }
        if self.path.as_ref().is_some_and(|pattern| !glob(pattern, path)) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = self.times.map(|t| t - 1);
        true
    }
}

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(pub(crate) Vec<Rule>);

impl Faults {
    /// The effect for this packet, if any.
    pub(crate) fn strike(&mut self, what: On) -> Option<Effect> {
        self.strike_at(what, "")
    }

    /// The effect for this request of a path, if any.
    pub(crate) fn strike_at(&mut self, what: On, path: &str) -> Option<Effect> {
        self.0.iter_mut().find_map(|rule| rule.strikes(what, path).then(|| rule.effect.clone()))
    }
}

/// Whether a text fits a pattern in which `*` stands for any text. A slash at the end of either does not count.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.trim_end_matches('/'), text.trim_end_matches('/'));
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == text };
    let Some(mut text) = text.strip_prefix(start) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let end = parts.pop().unwrap_or_default();
    for part in parts {
        match text.find(part) {
            Some(at) => text = text.get(at + part.len()..).unwrap_or_default(),
            None => return false,
        }
    }
    text.ends_with(end)
}

/// The status of the handshake that an effect answers with.
pub(crate) fn status(effect: Option<&Effect>) -> Option<RakpStatus> {
    match effect {
        Some(Effect::Status { code }) => Some(RakpStatus(*code)),
        Some(Effect::Exhausted) => Some(RakpStatus(0x01)),
        Some(Effect::Unauthorized) => Some(RakpStatus(0x0f)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Faults, On, Rule, glob};
    use crate::redfish::Op;

    #[test]
    fn patterns_fit_as_people_expect() {
        assert!(glob("/redfish/v1/Systems/*", "/redfish/v1/Systems/1/Bios/"));
        assert!(glob("*/Actions/*.Reset", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset"));
        assert!(!glob("*/Bios", "/redfish/v1/Systems/1") && !glob("/redfish", "/redfish/v1"));
        assert!(glob("/redfish/v1/", "/redfish/v1") && glob("*", ""));
    }

    #[test]
    fn a_rule_strikes_only_what_it_suits() {
        let mut faults = Faults(vec![
            Rule::new(On::Any, Effect::Half),
            Rule::new(On::Any, Effect::Reorder),
            Rule::new(On::Redfish(Op::Change), Effect::Busy { retry_after: Some(1) }),
        ]);
        assert_eq!(faults.strike(On::Command(0, 2)), Some(Effect::Reorder));
        assert_eq!(faults.strike_at(On::Redfish(Op::Reset), "/"), Some(Effect::Half));
        faults.0.remove(0);
        assert_eq!(
            faults.strike_at(On::Redfish(Op::Reset), "/"),
            Some(Effect::Busy { retry_after: Some(1) })
        );
        assert_eq!(faults.strike_at(On::Redfish(Op::Login), "/"), None);
    }

    #[test]
    fn a_rule_skips_then_strikes_then_rests() {
        let mut faults = Faults(vec![Rule::new(On::AnyCommand, Effect::Duplicate).skip(1).times(1)]);
        assert_eq!(faults.strike(On::Open), None);
        assert_eq!(faults.strike(On::Command(0, 1)), None);
        assert_eq!(faults.strike(On::Command(0, 1)), Some(Effect::Duplicate));
        assert_eq!(faults.strike(On::Command(0, 1)), None);
    }
}
