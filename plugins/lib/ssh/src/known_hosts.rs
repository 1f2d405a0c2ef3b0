//! `known_hosts` as sshd(8) describes it ("SSH_KNOWN_HOSTS FILE FORMAT"): names, patterns, hashed names, ports, and
//! `@revoked`. Certificate authorities are passed over, so that a host with one is unknown.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use russh::keys::{Algorithm, HashAlg, PublicKey, PublicKeyBase64, parse_public_key_base64};
use sha1::Sha1;

/// What the list says about a key that a host showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is the host's.
    Known,
    /// The list does not name the host.
    Unknown,
    /// The list has other keys for the host; the first one is in this line.
    Changed(usize),
    /// The list says that this key is not to be believed any more.
    Revoked(usize),
}

struct Entry {
    line: usize,
    hosts: String,
    key: PublicKey,
    revoked: bool,
}

/// The keys of hosts.
#[derive(Default)]
pub struct KnownHosts(Vec<Entry>);

impl std::fmt::Debug for KnownHosts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KnownHosts({})", self.0.len())
    }
}

impl KnownHosts {
    /// Reads the text of a `known_hosts` file. Lines that cannot be read are passed over, as OpenSSH does: what is not
    /// in the list is not believed.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self(text.lines().enumerate().filter_map(|(at, line)| entry(at + 1, line)).collect())
    }

    /// There is no key in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Judges the key that a host showed.
    #[must_use]
    pub fn judge(&self, host: &str, port: u16, key: &PublicKey) -> Verdict {
        let same = |entry: &&Entry| entry.key.key_data() == key.key_data();
        if let Some(entry) = self.0.iter().filter(|entry| entry.revoked).find(same) {
            return Verdict::Revoked(entry.line);
        }
        let mut of_host = self.of(host, port).peekable();
        let Some(first) = of_host.peek().map(|entry| entry.line) else { return Verdict::Unknown };
        if of_host.any(|entry| same(&entry)) { Verdict::Known } else { Verdict::Changed(first) }
    }

    /// Kinds of keys that are known of a host: it is asked for those first.
    #[must_use]
    pub fn algorithms(&self, host: &str, port: u16) -> Vec<Algorithm> {
        self.of(host, port).map(|entry| entry.key.algorithm()).collect()
    }

    fn of(&self, host: &str, port: u16) -> impl Iterator<Item = &Entry> {
        let name = name(host, port);
        self.0.iter().filter(move |entry| !entry.revoked && names(&entry.hosts, &name))
    }
}

/// A host as the list calls it.
fn name(host: &str, port: u16) -> String {
    let host = host.to_ascii_lowercase();
    if port == 22 { host } else { format!("[{host}]:{port}") }
}

/// The line that makes a host known.
pub(crate) fn line(host: &str, port: u16, key: &PublicKey) -> String {
    format!("{} {} {}", name(host, port), key.algorithm().as_str(), key.public_key_base64())
}

/// `SHA256:…`, as OpenSSH shows it.
pub(crate) fn fingerprint(key: &PublicKey) -> String {
    key.fingerprint(HashAlg::Sha256).to_string()
}

fn entry(line: usize, text: &str) -> Option<Entry> {
    let mut words = text.split_whitespace();
    let mut hosts = words.next().filter(|first| !first.starts_with('#'))?;
    let mut revoked = false;
    if let Some(marker) = hosts.strip_prefix('@') {
        revoked = marker == "revoked";
        if !revoked {
            return None;
        }
        hosts = words.next()?;
    }
    let (_, key) = (words.next()?, words.next()?);
    let key = parse_public_key_base64(key).ok()?;
    Some(Entry { line, hosts: hosts.to_owned(), key, revoked })
}

/// Whether a comma-separated list of patterns names the host. A pattern with `!` that fits excludes it.
fn names(hosts: &str, host: &str) -> bool {
    let mut hit = false;
    for pattern in hosts.split(',') {
        if let Some(hashed) = pattern.strip_prefix("|1|") {
            hit |= hash_fits(hashed, host).unwrap_or(false);
        } else if let Some(not) = pattern.strip_prefix('!') {
            if fits(&not.to_ascii_lowercase(), host) {
                return false;
            }
        } else {
            hit |= fits(&pattern.to_ascii_lowercase(), host);
        }
    }
    hit
}

/// `salt|HMAC-SHA1(salt, host)`, both base64.
fn hash_fits(hashed: &str, host: &str) -> Option<bool> {
    let (salt, hash) = hashed.split_once('|')?;
    let (salt, hash) = (STANDARD.decode(salt).ok()?, STANDARD.decode(hash).ok()?);
    let mac = Hmac::<Sha1>::new_from_slice(&salt).ok()?;
    Some(mac.chain_update(host.as_bytes()).verify_slice(&hash).is_ok())
}

/// `*` is any text, `?` any character. Never worse than the product of both lengths.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, taken)) = star else { return false };
                star = Some((at, taken + 1));
                p = at + 1;
                t = taken + 1;
            }
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";

    fn key(text: &str) -> PublicKey {
        parse_public_key_base64(text).unwrap()
    }

    #[test]
    fn names_ports_and_patterns() {
        let list = KnownHosts::parse(&format!(
            "# comment\n\nnonsense\nvbox.example,10.0.0.1 ssh-ed25519 {KEY} note\n[vbox2]:2222 ssh-ed25519 {KEY}\n\
             *.lab,!bad.lab ssh-ed25519 {KEY}\n@cert-authority ca.example ssh-ed25519 {KEY}\nodd ssh-ed25519 !!!\n"
        ));
        for (host, port, verdict) in [
            ("vbox.example", 22, Verdict::Known),
            ("VBOX.example", 22, Verdict::Known),
            ("10.0.0.1", 22, Verdict::Known),
            ("vbox.example", 2222, Verdict::Unknown),
            ("vbox2", 2222, Verdict::Known),
            ("vbox2", 22, Verdict::Unknown),
            ("a.lab", 22, Verdict::Known),
            ("bad.lab", 22, Verdict::Unknown),
            ("ca.example", 22, Verdict::Unknown),
            ("odd", 22, Verdict::Unknown),
        ] {
            assert_eq!(list.judge(host, port, &key(KEY)), verdict, "{host}:{port}");
        }
        assert_eq!(list.judge("vbox.example", 22, &key(OTHER)), Verdict::Changed(4));
        assert_eq!(list.algorithms("vbox2", 2222), [Algorithm::Ed25519]);
    }

    #[test]
    fn revoked_keys_are_never_believed() {
        let list = KnownHosts::parse(&format!("h ssh-ed25519 {KEY}\n@revoked * ssh-ed25519 {KEY}\n"));
        assert_eq!(list.judge("h", 22, &key(KEY)), Verdict::Revoked(2));
        assert_eq!(list.judge("h", 22, &key(OTHER)), Verdict::Changed(1));
    }

    #[test]
    fn hashed_names_are_read() {
        let salt = STANDARD.encode([7; 20]);
        let mac = Hmac::<Sha1>::new_from_slice(&[7; 20]).unwrap().chain_update(b"[h]:23").finalize();
        let hash = STANDARD.encode(mac.into_bytes());
        let list =
            KnownHosts::parse(&format!("|1|{salt}|{hash} ssh-ed25519 {KEY}\n|1|x|y ssh-ed25519 {KEY}\n"));
        assert_eq!(list.judge("h", 23, &key(KEY)), Verdict::Known);
        assert_eq!(list.judge("h", 22, &key(KEY)), Verdict::Unknown);
        // What is shown to be added makes it known.
        let line = line("New", 24, &key(OTHER));
        assert_eq!(KnownHosts::parse(&line).judge("new", 24, &key(OTHER)), Verdict::Known);
        assert!(fingerprint(&key(KEY)).starts_with("SHA256:"));
    }
}
