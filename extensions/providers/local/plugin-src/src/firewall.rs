//! Rules of a server's firewall, as far as QEMU's user-mode network can keep them.
//!
//! That network lets nothing in but forwarded ports, which listen on loopback of this host, and lets everything out. So an
//! `ingress` rule that allows a port becomes a forward of it, and one that denies a port keeps it from being forwarded. What
//! cannot be kept is refused, since a rule that does nothing is worse than none.

use drp_plugin_sdk::{JsonSchema, schemars};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// So many ports of one server are forwarded, at most.
const MOST_FORWARDS: usize = 64;
/// So many rules one server may have.
const MOST_RULES: usize = 256;
/// Where servers listen for SSH.
pub(crate) const SSH: u16 = 22;

/// A rule, as `drp/server.ncl` has it. The first that fits decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Rule {
    pub(crate) direction: Direction,
    pub(crate) protocol: Protocol,
    /// Port, or range of ports FIRST-LAST; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) port: Option<Port>,
    /// Network it comes from; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) source: Option<String>,
    /// Network it goes to; any when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) destination: Option<String>,
    pub(crate) action: Verdict,
}

/// Which way the traffic goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Direction {
    Ingress,
    Egress,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    Icmp,
}

impl Protocol {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Icmp => "icmp",
        }
    }
}

/// What happens to the traffic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    Allow,
    Deny,
}

/// One port or a range.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Port {
    One(u16),
    Text(String),
}

impl Port {
    fn range(&self) -> Option<(u16, u16)> {
        let (first, last) = match self {
            Self::One(port) => (*port, *port),
            Self::Text(text) => {
                let digits = |part: &str| {
                    part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok()).flatten()
                };
                match text.split_once('-') {
                    Some((first, last)) => (digits(first)?, digits(last)?),
                    None => (digits(text)?, digits(text)?),
                }
            }
        };
        (first > 0 && first <= last).then_some((first, last))
    }
}

/// A forwarded port: connections to `host_port` of loopback go to `guest_port` of the server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Forward {
    pub(crate) protocol: Protocol,
    pub(crate) guest_port: u16,
    /// 0 until QEMU has chosen one.
    #[serde(default)]
    pub(crate) host_port: u16,
}

/// What the network of a server is to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    /// Ports to forward.
    pub(crate) ports: Vec<(Protocol, u16)>,
    /// Nothing goes out.
    pub(crate) closed_outwards: bool,
}

/// What rules come to, or everything about them that cannot be kept.
pub(crate) fn wanted(rules: &[Rule]) -> Result<Wanted, Vec<String>> {
    if rules.len() > MOST_RULES {
        return Err(vec![format!("there are {} rules; at most {MOST_RULES} are taken", rules.len())]);
    }
    let mut decided: BTreeMap<(Protocol, u16), Verdict> = BTreeMap::new();
    let mut shut: Vec<Protocol> = Vec::new();
    let mut outwards: BTreeMap<Protocol, Verdict> = BTreeMap::new();
    let mut wrong = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        let taken = match rule.direction {
            Direction::Egress => egress(rule).map(|protocol| {
                outwards.entry(protocol).or_insert(rule.action);
            }),
            Direction::Ingress => ingress(rule).map(|ports| match ports {
                None if shut.contains(&rule.protocol) => {}
                None => shut.push(rule.protocol),
                Some((first, last)) => {
                    for port in first..=last {
                        if !shut.contains(&rule.protocol) {
                            decided.entry((rule.protocol, port)).or_insert(rule.action);
                        }
                    }
                }
            }),
        };
        if let Err(problem) = taken {
            wrong.push(format!("firewall rule {}: {problem}", at + 1));
        }
    }
    // What the rules leave open is SSH, without which a server could not be reached.
    if !shut.contains(&Protocol::Tcp) {
        decided.entry((Protocol::Tcp, SSH)).or_insert(Verdict::Allow);
    }
    let ports: Vec<_> = decided.into_iter().filter(|(_, v)| *v == Verdict::Allow).map(|(p, _)| p).collect();
    if ports.len() > MOST_FORWARDS {
        wrong
            .push(format!("firewall: {} ports would be forwarded; at most {MOST_FORWARDS} are", ports.len()));
    }
    let denied: Vec<Protocol> =
        outwards.iter().filter(|(_, v)| **v == Verdict::Deny).map(|(p, _)| *p).collect();
    if !(denied.is_empty() || denied.contains(&Protocol::Tcp) && denied.contains(&Protocol::Udp)) {
        wrong.push(
            "firewall: user-mode networking lets out everything or nothing: deny egress of tcp and udp together".into(),
        );
    }
    if wrong.is_empty() { Ok(Wanted { ports, closed_outwards: !denied.is_empty() }) } else { Err(wrong) }
}

fn egress(rule: &Rule) -> Result<Protocol, String> {
    let narrowed = rule.port.is_some() || rule.destination.is_some() || rule.source.is_some();
    if narrowed {
        return Err(
            "user-mode networking cannot tell ports or networks of egress apart: leave port, source and \
                    destination out"
                .into(),
        );
    }
    Ok(rule.protocol)
}

/// The ports it names; `None` for all.
fn ingress(rule: &Rule) -> Result<Option<(u16, u16)>, String> {
    if let Some(source) = rule.source.as_deref()
        && !["0.0.0.0/0", "127.0.0.0/8", "127.0.0.1/32", "::/0"].contains(&source)
    {
        return Err(format!(
            "source {source}: forwarded ports listen on loopback of this host and know no other sources; use \
             127.0.0.0/8, or leave it out"
        ));
    }
    if rule.destination.is_some() {
        return Err("destination: ingress goes to the server".into());
    }
    if rule.protocol == Protocol::Icmp {
        return match (rule.action, &rule.port) {
            (Verdict::Deny, None) => Ok(None),
            _ => Err("user-mode networking lets no icmp in".into()),
        };
    }
    match (&rule.port, rule.action) {
        (None, Verdict::Deny) => Ok(None),
        (None, Verdict::Allow) => {
            Err("user-mode networking forwards ports one by one: name the port or a range".into())
        }
        (Some(port), verdict) => {
            let (first, last) =
                port.range().ok_or("port: 1 to 65535 is wanted, or a range FIRST-LAST of them")?;
            if verdict == Verdict::Allow && usize::from(last - first) >= MOST_FORWARDS {
                return Err(format!("port: at most {MOST_FORWARDS} ports are forwarded"));
            }
            Ok(Some((first, last)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Protocol, Rule, wanted};
    use serde_json::{Value, json};

    fn rules(value: Value) -> Vec<Rule> {
        serde_json::from_value(value).unwrap()
    }

    fn ports(value: Value) -> Vec<(Protocol, u16)> {
        wanted(&rules(value)).unwrap().ports
    }

    #[test]
    fn the_first_rule_that_fits_decides() {
        assert_eq!(ports(json!([])), [(Protocol::Tcp, 22)]);
        let web = json!([
            {"direction": "ingress", "protocol": "tcp", "port": 81, "action": "deny"},
            {"direction": "ingress", "protocol": "tcp", "port": "80-82", "action": "allow"},
            {"direction": "ingress", "protocol": "udp", "port": "53", "source": "127.0.0.0/8", "action": "allow"},
            {"direction": "ingress", "protocol": "tcp", "action": "deny"},
            {"direction": "ingress", "protocol": "tcp", "port": 99, "action": "allow"},
        ]);
        assert_eq!(ports(web), [(Protocol::Tcp, 80), (Protocol::Tcp, 82), (Protocol::Udp, 53)]);
        let no_ssh = json!([{"direction": "ingress", "protocol": "tcp", "port": 22, "action": "deny"}]);
        assert_eq!(ports(no_ssh), []);
    }

    #[test]
    fn outwards_it_is_everything_or_nothing() {
        let deny = |protocols: &[&str]| {
            let deny = |p: &&str| json!({"direction": "egress", "protocol": p, "action": "deny"});
            wanted(&rules(protocols.iter().map(deny).collect()))
        };
        assert!(deny(&["tcp", "udp", "icmp"]).unwrap().closed_outwards);
        assert!(deny(&["tcp"]).unwrap_err()[0].contains("everything or nothing"));
        assert!(!deny(&[]).unwrap().closed_outwards);
    }

    #[test]
    fn what_cannot_be_kept_is_refused() {
        for (rule, word) in [
            (json!({"direction": "ingress", "protocol": "icmp", "action": "allow"}), "icmp"),
            (json!({"direction": "ingress", "protocol": "tcp", "action": "allow"}), "one by one"),
            (json!({"direction": "ingress", "protocol": "tcp", "port": 0, "action": "allow"}), "65535"),
            (json!({"direction": "ingress", "protocol": "tcp", "port": "9-8", "action": "allow"}), "65535"),
            (
                json!({"direction": "ingress", "protocol": "tcp", "port": "1-$(id)", "action": "allow"}),
                "65535",
            ),
            (
                json!({"direction": "ingress", "protocol": "tcp", "port": "1-1000", "action": "allow"}),
                "at most",
            ),
            (
                json!({"direction": "ingress", "protocol": "tcp", "port": 80, "source": "10.0.0.0/8", "action": "allow"}),
                "loopback",
            ),
            (
                json!({"direction": "egress", "protocol": "tcp", "destination": "10.0.0.0/8", "action": "deny"}),
                "egress",
            ),
        ] {
            let said = wanted(&rules(json!([rule]))).unwrap_err().join("\n");
            assert!(said.contains(word) && said.contains("firewall rule 1"), "{rule}: {said}");
        }
    }
}
