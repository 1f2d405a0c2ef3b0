//! Faults on demand.

use drp_ipmi::RakpStatus;
use serde::{Deserialize, Serialize};

/// Which packets a rule is about. Written as a word: `any`, `open`, `rakp1`, `rakp3`, `command` (any command of a
/// session), the name of a command (`chassis-control`), or `0x00/0x02` for network function and command.
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
            other => match COMMANDS.iter().find(|(name, ..)| *name == other) {
                Some((_, netfn, cmd)) => Self::Command(*netfn, *cmd),
                None => match other.split_once('/').map(|(n, c)| (number(n), number(c))) {
                    Some((Some(netfn), Some(cmd))) => Self::Command(netfn, cmd),
                    _ => {
                        return Err(format!(
                            "{other:?} is nothing a fault can be on; use any, open, rakp1, rakp3, command, 0xNN/0xNN, or {}",
                            COMMANDS.map(|(name, ..)| name).join(", ")
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
        }
    }
}

impl On {
    fn covers(self, what: On) -> bool {
        self == Self::Any || self == what || (self == Self::AnyCommand && matches!(what, On::Command(..)))
    }
}

/// What goes wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Effect {
    /// The request is lost: nothing is done, nothing answered.
    LoseRequest,
    /// The command is carried out and its answer lost.
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
    /// The answer is replaced by bytes that mean nothing.
    Garbage,
    /// Before the answer come packets of other sessions, with a wrong integrity code, and of other types.
    Foreign,
    /// The answer has more data than it should.
    Trailing {
        /// Bytes.
        len: usize,
    },
    /// The answer's data is cut.
    Short {
        /// Bytes that are left.
        len: usize,
    },
    /// A power command is answered with success and does nothing.
    Stuck,
    /// The BMC forgets all its sessions first.
    Forget,
}

/// When which effect strikes. The first rule that covers a packet and has not run out is taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Which packets.
    #[serde(default = "any")]
    pub on: On,
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
        Self { on, skip: 0, times: None, effect }
    }

    /// Strikes only so often.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }

    /// Lets so many pass first.
    pub fn skip(self, skip: u32) -> Self {
        Self { skip, ..self }
    }

    /// Whether it strikes this packet; counts down.
    fn strikes(&mut self, what: On) -> bool {
        if self.times == Some(0) || !self.on.covers(what) {
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
        self.0.iter_mut().find_map(|rule| rule.strikes(what).then(|| rule.effect.clone()))
    }
}

/// Reads rules from JSON: `{"rules": […]}` or just the list.
///
/// # Errors
/// What is wrong, with line and column.
pub fn read_rules(json: &str) -> Result<Vec<Rule>, serde_json::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        rules: Vec<Rule>,
    }
    if json.trim_start().starts_with('[') {
        serde_json::from_str(json)
    } else {
        serde_json::from_str::<File>(json).map(|f| f.rules)
    }
}

/// The status of [`Effect::Status`].
pub(crate) fn status(effect: Option<&Effect>) -> Option<RakpStatus> {
    match effect {
        Some(Effect::Status { code }) => Some(RakpStatus(*code)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Effect, Faults, On, Rule, read_rules};

    #[test]
    fn rules_read_as_documented() {
        let rules = read_rules(
            r#"{"rules": [
                {"on": "chassis-control", "times": 1, "effect": {"kind": "lose-reply"}},
                {"on": "0x06/0x01", "skip": 2, "effect": {"kind": "late", "ms": 300}},
                {"effect": {"kind": "completion", "code": 192}}
            ]}"#,
        )
        .unwrap();
        assert_eq!(rules[0], Rule::new(On::Command(0, 2), Effect::LoseReply).times(1));
        assert_eq!(rules[1], Rule::new(On::Command(6, 1), Effect::Late { ms: 300 }).skip(2));
        assert_eq!(rules[2].on, On::Any);
        let error = read_rules(r#"[{"on": "power", "effect": {"kind": "stuck"}}]"#).unwrap_err().to_string();
        assert!(error.contains("chassis-control"), "{error}");
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
