//! What a server shall be: `ServerConfig` of `drp/server.ncl`, and what of it this provider can do.

use crate::failure::Failure;
use crate::firewall::{self, Rule};
use crate::image::{Image, Ready, Seed};
use crate::plan::{Plan, ZONE};
use crate::settings::Settings;
use drp_plugin_sdk::Value;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The image of servers that name none, as the contract has it.
const USUAL_OS: &str = "ubuntu-22.04";
/// GiB that one disk may have, at most.
const MOST_DISK: u64 = 16_384;

/// A server as the caller describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ServerConfig {
    pub(crate) hostname: String,
    pub(crate) plan: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) os: Option<String>,
    pub(crate) ssh_keys: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) firewall_rules: Option<Vec<Rule>>,
    pub(crate) storage: Option<Storage>,
    pub(crate) network: Option<Network>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Storage {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) r#type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) encrypted: Option<bool>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Network {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) public_ip: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) private_network: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bandwidth: Option<u64>,
}

/// A server that can be made.
#[derive(Debug, Clone)]
pub(crate) struct Wish {
    pub(crate) hostname: String,
    pub(crate) plan: Plan,
    pub(crate) os: String,
    pub(crate) image: Image,
    pub(crate) ssh_keys: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) rules: Vec<Rule>,
    pub(crate) storage: Storage,
}

/// What is to be said about a description.
#[derive(Debug, Default)]
pub(crate) struct Judged {
    pub(crate) errors: Vec<String>,
    pub(crate) warnings: Vec<String>,
    pub(crate) hostname: String,
    /// It has the fields of a description.
    readable: bool,
    pub(crate) wish: Option<Wish>,
}

/// Reads a description and says everything that is wrong with it. Changes nothing.
pub(crate) fn judge(config: Value, settings: &Settings) -> Judged {
    let mut judged = Judged::default();
    if let Some(name) = config.get("hostname").and_then(Value::as_str) {
        name.clone_into(&mut judged.hostname);
    }
    let config: ServerConfig = match serde_json::from_value(config) {
        Ok(config) => config,
        Err(error) => {
            judged.errors.push(format!("config: {error}"));
            return judged;
        }
    };
    judged.readable = true;
    let (errors, warnings) = (&mut judged.errors, &mut judged.warnings);
    if !is_hostname(&config.hostname) {
        errors.push(format!(
            "hostname {:?}: letters, digits and hyphens are wanted, in parts of at most 63 that dots join",
            config.hostname
        ));
    }
    let plan = config.plan.or_else(|| settings.defaults.plan.clone());
    let plan = match plan.as_deref().map(|name| (name, settings.plan(name))) {
        Some((_, Some(plan))) => Some(plan.clone()),
        Some((name, None)) => {
            errors
                .push(format!("plan {name:?}: there are {}", list(settings.plans.iter().map(|p| &*p.name))));
            None
        }
        None => {
            errors.push("plan: it is not said, and setting defaults has none".into());
            None
        }
    };
    if let Some(zone) = config.zone.as_deref().filter(|zone| *zone != ZONE) {
        errors.push(format!("zone {zone:?}: the only one is {ZONE}"));
    }
    let os = config.os.or_else(|| settings.defaults.os.clone()).unwrap_or_else(|| USUAL_OS.to_owned());
    let image = settings.images.get(&os).cloned();
    match &image {
        None => errors.push(format!(
            "os {os:?}: setting images has {}",
            list(settings.images.keys().map(String::as_str))
        )),
        Some(image) => errors.extend(image.is_there(&os).err().map(|e| e.to_string())),
    }
    let ssh_keys = config.ssh_keys.unwrap_or_else(|| settings.defaults.ssh_keys.clone());
    errors.extend(ssh_keys.iter().filter_map(|key| key_problem(key)));
    if ssh_keys.len() > 100 {
        errors.push("ssh_keys: at most 100 are taken".into());
    }
    if config.tags.len() > 100
        || config.tags.iter().any(|(name, value)| name.len() > 128 || value.len() > 1024)
    {
        errors.push("tags: at most 100 are taken, of names up to 128 and values up to 1024 bytes".into());
    }
    let rules = config.firewall_rules.unwrap_or_else(|| settings.defaults.firewall_rules.clone());
    errors.extend(firewall::wanted(&rules).err().into_iter().flatten());
    let storage = config.storage.unwrap_or_default();
    storage_is_possible(&storage, errors, warnings);
    if let Some(network) = &config.network {
        network_is_possible(network, errors, warnings);
    }
    if let Some(image) = &image {
        if image.seed() == Seed::None && !ssh_keys.is_empty() {
            warnings.push(format!("ssh_keys: image {os} has no seed, so they do not reach the server"));
        }
        if image.ready == Ready::Ssh && firewall::wanted(&rules).is_ok_and(|w| !w.ports.contains(&ssh())) {
            warnings.push("firewall: port 22 is not forwarded, so waiting ends when the server runs".into());
        }
    }
    if let (Some(plan), Some(image), true) = (plan, image, judged.errors.is_empty()) {
        judged.wish = Some(Wish {
            hostname: config.hostname,
            plan,
            os,
            image,
            ssh_keys,
            tags: config.tags,
            rules,
            storage,
        });
    }
    judged
}

impl Judged {
    /// Refuses what does not even describe a server.
    pub(crate) fn describes_a_server(&self) -> Result<(), Failure> {
        if is_hostname(&self.hostname) && self.readable {
            Ok(())
        } else {
            Err(Failure::Invalid(self.errors.join("; ")))
        }
    }

    /// The server to make, or the errors as one.
    pub(crate) fn wish(self) -> Result<(Wish, Vec<String>), Failure> {
        let Self { errors, warnings, wish, .. } = self;
        match wish {
            Some(wish) if errors.is_empty() => Ok((wish, warnings)),
            _ => Err(Failure::Invalid(errors.join("; "))),
        }
    }
}

fn ssh() -> (firewall::Protocol, u16) {
    (firewall::Protocol::Tcp, firewall::SSH)
}

fn storage_is_possible(storage: &Storage, errors: &mut Vec<String>, warnings: &mut Vec<String>) {
    if let Some(size) = storage.size.filter(|size| !(1..=MOST_DISK).contains(size)) {
        errors.push(format!("storage.size {size}: 1 to {MOST_DISK} GiB are possible"));
    }
    if storage.encrypted == Some(true) {
        warnings.push(
            "storage.encrypted: disks are files of this host, encrypted as far as its disks are".into(),
        );
    }
    if let Some(kind) = storage.r#type.as_deref().filter(|kind| !["", "file", "qcow2"].contains(kind)) {
        warnings.push(format!("storage.type {kind:?}: disks are files of this host, whatever it says"));
    }
}

fn network_is_possible(network: &Network, errors: &mut Vec<String>, warnings: &mut Vec<String>) {
    if network.public_ip == Some(true) {
        warnings.push(
            "network.public_ip: servers are reached at loopback of this host, by forwarded ports".into(),
        );
    }
    if network.private_network.as_deref().is_some_and(|name| !name.is_empty()) {
        errors.push("network.private_network: user-mode networks are one per server".into());
    }
    if network.bandwidth.is_some() {
        errors.push("network.bandwidth: user-mode networks have no limit of it".into());
    }
}

/// RFC 1123, and at most 253 characters.
fn is_hostname(text: &str) -> bool {
    let part = |part: &str| {
        (1..=63).contains(&part.len())
            && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !part.starts_with('-')
            && !part.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(part)
}

/// A public key as a line of `authorized_keys` holds it, without options, which could be commands.
fn key_problem(key: &str) -> Option<String> {
    let shown: String = key.chars().take(24).collect();
    let words: Vec<_> = key.split(' ').collect();
    let kind = words.first().copied().unwrap_or_default();
    let kind_fits = ["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-", "sk-ssh-", "sk-ecdsa-"]
        .iter()
        .any(|known| kind.starts_with(known))
        && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b"-@.".contains(&b));
    let body = |b: u8| b.is_ascii_alphanumeric() || b"+/=".contains(&b);
    let fits = key.len() <= 16_384
        && !key.chars().any(char::is_control)
        && kind_fits
        && words.get(1).is_some_and(|text| text.len() > 16 && text.bytes().all(body));
    (!fits)
        .then(|| format!("ssh_keys: {shown:?}… is not a public key: `ssh-ed25519 AAAA… comment` is wanted"))
}

fn list<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.take(20).collect();
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::{is_hostname, judge, key_problem};
    use crate::settings::Settings;
    use drp_plugin_sdk::{Params, json};

    fn settings() -> Settings {
        let params = json!({"local-provider/images": {"none": {"kernel": "/nonexistent/vmlinuz"}}});
        Params::from(params.as_object().cloned().unwrap()).decode().unwrap()
    }

    #[test]
    fn everything_wrong_is_said_at_once() {
        let judged = judge(
            json!({
                "hostname": "x,readonly=off", "plan": "huge", "zone": "mars", "os": "none",
                "ssh_keys": ["command=\"id\" ssh-rsa AAAA"], "network": {"bandwidth": 1},
                "storage": {"size": 0, "encrypted": true},
            }),
            &settings(),
        );
        assert!(judged.wish.is_none());
        for word in ["hostname", "huge", "mars", "vmlinuz", "ssh_keys", "bandwidth", "storage.size"] {
            assert!(judged.errors.iter().any(|e| e.contains(word)), "{word}: {:?}", judged.errors);
        }
        assert!(judged.warnings[0].contains("storage.encrypted"));
    }

    #[test]
    fn unknown_fields_are_errors() {
        let judged = judge(json!({"hostname": "web", "plna": "x"}), &settings());
        assert!(judged.errors[0].contains("plna"), "{:?}", judged.errors);
        assert!(judge(json!("web"), &settings()).errors[0].contains("config"));
    }

    #[test]
    fn hostnames_and_keys_hold_no_tricks() {
        assert!(is_hostname("web-1.example.org") && is_hostname("A"));
        for bad in ["", "-a", "a-", "a..b", "$(id)", "a b", "a\n", "../x", "a,b", "é"] {
            assert!(!is_hostname(bad), "{bad:?}");
        }
        assert!(!is_hostname(&"a.".repeat(200)));
        let good = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ root@example";
        assert_eq!(key_problem(good), None);
        for bad in [
            "",
            "ssh-rsa",
            "ssh-rsa AA",
            "ssh-rsa AAAAB3NzaC1yc2EAAAADAQAB\nroot",
            "x AAAAB3NzaC1yc2EAAAADAQAB",
        ] {
            assert!(key_problem(bad).is_some(), "{bad:?}");
        }
    }
}
