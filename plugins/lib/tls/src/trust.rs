//! What is believed.

use std::fmt;

/// Which certificate of the BMC is believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Trust {
    /// One that an authority of this host's store signed, or one of those in the text (PEM), for the name or
    /// address of the BMC.
    #[default]
    Verified,
    /// As [`Trust::Verified`] with these authorities (PEM) instead of the host's.
    Authorities(String),
    /// Exactly the certificate with this fingerprint, whatever names and dates it holds.
    Pinned(Fingerprint),
    /// Any certificate. The connection is encrypted, but anybody may be at the other end.
    Insecure,
    /// No TLS at all: credentials cross the network in clear text. For simulators on the same host.
    Plain,
}

/// SHA-256 of a certificate in DER form.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, with or without colons, in either case, also after `SHA256:`.
    ///
    /// # Errors
    /// What is wrong with the text, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let digits = text.strip_prefix("SHA256:").or_else(|| text.strip_prefix("sha256:")).unwrap_or(text);
        let digits: Vec<u32> = digits
            .chars()
            .filter(|c| *c != ':')
            .map(|c| {
                c.to_digit(16)
                    .ok_or_else(|| "a fingerprint holds hexadecimal digits and colons only".to_owned())
            })
            .collect::<Result<_, _>>()?;
        if digits.len() != 64 {
            return Err(format!("a SHA-256 fingerprint has 64 hexadecimal digits, not {}", digits.len()));
        }
        let mut out = [0; 32];
        for (byte, pair) in out.iter_mut().zip(digits.chunks(2)) {
            *byte = u8::try_from(pair[0] * 16 + pair[1]).unwrap_or_default();
        }
        Ok(Self(out))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SHA256:")?;
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_as_people_write_them() {
        let plain = "ab".repeat(32);
        let colons = vec!["AB"; 32].join(":");
        let want = Fingerprint([0xab; 32]);
        for text in [plain.clone(), colons, format!("SHA256:{plain}"), format!(" {plain}\n")] {
            assert_eq!(Fingerprint::parse(&text), Ok(want), "{text}");
        }
        assert_eq!(Fingerprint::parse(&want.to_string()), Ok(want));
        assert!(Fingerprint::parse("abcd").unwrap_err().contains("64"));
        assert!(Fingerprint::parse(&"xy".repeat(32)).is_err());
    }
}
