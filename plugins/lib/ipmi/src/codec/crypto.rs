//! Keys, authentication codes and encryption of the two cipher suites.

use super::Invalid;
use crate::CipherSuite;
use aes::Aes128;
use aes::cipher::{BlockModeDecrypt, BlockModeEncrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::Sha256;
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, Zeroizing};

/// RAKP-HMAC-SHA1 / RAKP-HMAC-SHA256, HMAC-SHA1-96 / HMAC-SHA256-128, AES-CBC-128: the algorithm numbers of a
/// suite as proposed in Open Session (IPMI 2.0 §13.28, Tables 13-17 to 13-19).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Algorithms {
    /// Authentication algorithm.
    pub authentication: u8,
    /// Integrity algorithm.
    pub integrity: u8,
    /// Confidentiality algorithm.
    pub confidentiality: u8,
}

impl Algorithms {
    /// The algorithms of a suite.
    pub const fn of(suite: CipherSuite) -> Self {
        match suite {
            CipherSuite::Suite3 => Self { authentication: 1, integrity: 1, confidentiality: 1 },
            CipherSuite::Suite17 => Self { authentication: 3, integrity: 4, confidentiality: 1 },
        }
    }

    /// The suite with exactly these algorithms, when this library speaks it.
    pub fn suite(self) -> Option<CipherSuite> {
        [CipherSuite::Suite3, CipherSuite::Suite17].into_iter().find(|s| Self::of(*s) == self)
    }
}

impl fmt::Display for Algorithms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "authentication {}, integrity {}, confidentiality {}",
            self.authentication, self.integrity, self.confidentiality
        )
    }
}

/// Bytes of an authentication code or a key; wiped on drop.
pub type Code = Zeroizing<Vec<u8>>;

/// The suite's HMAC over the parts, whole. HMAC pads a key to its block of 64 bytes with zeros; every key here
/// is shorter than that (password and Kg 20 bytes, SIK at most 32).
pub fn hmac(suite: CipherSuite, key: &[u8], parts: &[&[u8]]) -> Code {
    let mut block = Zeroizing::new([0u8; 64]);
    for (to, from) in block.iter_mut().zip(key) {
        *to = *from;
    }
    let mut out = Zeroizing::new(Vec::with_capacity(32));
    match suite {
        CipherSuite::Suite3 => {
            let mut mac = Hmac::<Sha1>::new(&(*block).into());
            parts.iter().for_each(|p| mac.update(p));
            out.extend_from_slice(&mac.finalize().into_bytes());
        }
        CipherSuite::Suite17 => {
            let mut mac = Hmac::<Sha256>::new(&(*block).into());
            parts.iter().for_each(|p| mac.update(p));
            out.extend_from_slice(&mac.finalize().into_bytes());
        }
    }
    out
}

/// Length of the integrity code of a packet and of RAKP message 4: SHA1-96 is 12 bytes, SHA256-128 is 16
/// (IPMI 2.0 §13.28.4 and §13.28.1).
pub const fn short_code_len(suite: CipherSuite) -> usize {
    match suite {
        CipherSuite::Suite3 => 12,
        CipherSuite::Suite17 => 16,
    }
}

/// Compares in a time that does not tell where they differ. An empty code never equals anything.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    !a.is_empty() && bool::from(a.ct_eq(b))
}

/// Everything both sides know after RAKP message 2 (IPMI 2.0 §13.31, names of the specification in brackets).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The agreed suite.
    pub suite: CipherSuite,
    /// Session id that the console chose (SIDm).
    pub console_id: u32,
    /// Session id that the BMC chose (SIDc).
    pub bmc_id: u32,
    /// Random number of the console (Rm).
    pub console_random: [u8; 16],
    /// Random number of the BMC (Rc).
    pub bmc_random: [u8; 16],
    /// GUID of the BMC (GUIDc).
    pub guid: [u8; 16],
    /// Requested role with the look-up bit (RoleM).
    pub role: u8,
    /// User name (UNameM), at most 16 bytes.
    pub user: Vec<u8>,
}

impl Exchange {
    fn user_len(&self) -> u8 {
        u8::try_from(self.user.len()).unwrap_or(u8::MAX)
    }

    /// The code of RAKP message 2: the BMC proves that it knows the password.
    pub fn rakp2(&self, password: &[u8]) -> Code {
        hmac(
            self.suite,
            password,
            &[
                &self.console_id.to_le_bytes(),
                &self.bmc_id.to_le_bytes(),
                &self.console_random,
                &self.bmc_random,
                &self.guid,
                &[self.role, self.user_len()],
                &self.user,
            ],
        )
    }

    /// The code of RAKP message 3: the console proves that it knows the password.
    pub fn rakp3(&self, password: &[u8]) -> Code {
        hmac(
            self.suite,
            password,
            &[&self.bmc_random, &self.console_id.to_le_bytes(), &[self.role, self.user_len()], &self.user],
        )
    }

    /// The keys of the session. Without Kg the password takes its place ("one-key login").
    pub fn keys(&self, password: &[u8], kg: Option<&[u8]>) -> SessionKeys {
        let sik = hmac(
            self.suite,
            kg.filter(|k| !k.is_empty()).unwrap_or(password),
            &[&self.console_random, &self.bmc_random, &[self.role, self.user_len()], &self.user],
        );
        // IPMI 2.0 §13.32: the constants are 20 bytes, whatever the hash.
        let k1 = hmac(self.suite, &sik, &[&[1; 20]]);
        let k2 = hmac(self.suite, &sik, &[&[2; 20]]);
        let mut aes = [0u8; 16];
        for (to, from) in aes.iter_mut().zip(k2.iter()) {
            *to = *from;
        }
        SessionKeys { suite: self.suite, sik, k1, aes }
    }

    /// The integrity check value of RAKP message 4: both derived the same keys.
    pub fn rakp4(&self, keys: &SessionKeys) -> Code {
        let mut code =
            hmac(self.suite, &keys.sik, &[&self.console_random, &self.bmc_id.to_le_bytes(), &self.guid]);
        code.truncate(short_code_len(self.suite));
        code
    }
}

/// The keys of one session (IPMI 2.0 §13.32): wiped on drop, never shown.
pub struct SessionKeys {
    suite: CipherSuite,
    sik: Code,
    k1: Code,
    aes: [u8; 16],
}

impl Drop for SessionKeys {
    fn drop(&mut self) {
        self.aes.zeroize();
    }
}

impl fmt::Debug for SessionKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKeys(suite {})", self.suite)
    }
}

impl SessionKeys {
    /// The suite they belong to.
    pub const fn suite(&self) -> CipherSuite {
        self.suite
    }

    /// The integrity code over the signed part of a packet (IPMI 2.0 §13.28.4).
    pub fn sign(&self, signed: &[u8]) -> Code {
        let mut code = hmac(self.suite, &self.k1, &[signed]);
        code.truncate(short_code_len(self.suite));
        code
    }

    /// Whether the code belongs to the signed part.
    pub fn verify(&self, signed: &[u8], code: &[u8]) -> bool {
        same(&self.sign(signed), code)
    }

    /// Encrypts a payload (IPMI 2.0 §13.29): initialisation vector, then the payload with its 1, 2, 3… padding.
    pub fn encrypt(&self, payload: &[u8], iv: [u8; 16]) -> Vec<u8> {
        let mut out = Vec::with_capacity(payload.len() + 33);
        out.extend_from_slice(&iv);
        out.extend_from_slice(payload);
        let pad = (16 - (payload.len() + 1) % 16) % 16;
        out.extend((1u8..).take(pad));
        out.push(u8::try_from(pad).unwrap_or(0));
        let mut cipher = cbc::Encryptor::<Aes128>::new(&self.aes.into(), &iv.into());
        let (blocks, _) = out.as_chunks_mut::<16>();
        for block in blocks.iter_mut().skip(1) {
            let mut b = (*block).into();
            cipher.encrypt_block(&mut b);
            *block = b.into();
        }
        out
    }

    /// Decrypts what [`encrypt`](Self::encrypt) wrote. Call it only on data whose integrity was checked.
    ///
    /// # Errors
    /// When the length or the padding is impossible.
    pub fn decrypt(&self, data: &[u8]) -> Result<Vec<u8>, Invalid> {
        let (iv, body) =
            data.split_first_chunk::<16>().ok_or(Invalid("encrypted payload without its vector"))?;
        if body.is_empty() || body.len() % 16 != 0 {
            return Err(Invalid("encrypted payload is not whole blocks"));
        }
        let mut out = body.to_vec();
        let mut cipher = cbc::Decryptor::<Aes128>::new(&self.aes.into(), &(*iv).into());
        let (blocks, _) = out.as_chunks_mut::<16>();
        for block in blocks {
            let mut b = (*block).into();
            cipher.decrypt_block(&mut b);
            *block = b.into();
        }
        let pad = usize::from(out.last().copied().unwrap_or(0));
        // Up to 15 bytes by the specification. The bytes themselves are not checked: BMCs differ.
        match out.len().checked_sub(pad + 1) {
            Some(len) if pad < 16 => {
                out.truncate(len);
                Ok(out)
            }
            _ => Err(Invalid("encrypted payload with impossible padding")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Algorithms, Exchange, SessionKeys, hmac, same};
    use crate::CipherSuite::{self, Suite3, Suite17};

    pub(super) fn keys(suite: CipherSuite) -> SessionKeys {
        let ex = Exchange {
            suite,
            console_id: 1,
            bmc_id: 2,
            console_random: [3; 16],
            bmc_random: [4; 16],
            guid: [5; 16],
            role: 0x14,
            user: b"admin".to_vec(),
        };
        ex.keys(b"secret", None)
    }

    #[test]
    fn hmac_vectors_of_rfc_2202_and_4231() {
        let sha1 = hmac(Suite3, b"Jefe", &[b"what do ya want ", b"for nothing?"]);
        assert_eq!(sha1[..4], [0xef, 0xfc, 0xdf, 0x6a]);
        let sha256 = hmac(Suite17, b"Jefe", &[b"what do ya want for nothing?"]);
        assert_eq!(sha256[..4], [0x5b, 0xdc, 0xc1, 0x46]);
        assert_eq!((sha1.len(), sha256.len()), (20, 32));
    }

    #[test]
    fn every_length_survives_encryption() {
        for suite in [Suite3, Suite17] {
            let keys = keys(suite);
            for len in 0..70 {
                let plain: Vec<u8> = (0..len).collect();
                let sealed = keys.encrypt(&plain, [9; 16]);
                assert_eq!(sealed.len() % 16, 0);
                assert_eq!(keys.decrypt(&sealed), Ok(plain));
            }
        }
    }

    #[test]
    fn suites_and_algorithms_match_and_nothing_else_is_a_suite() {
        for a in 0..=4 {
            for i in 0..=4 {
                for c in 0..=3 {
                    let suite = Algorithms { authentication: a, integrity: i, confidentiality: c }.suite();
                    let expected = match (a, i, c) {
                        (1, 1, 1) => Some(Suite3),
                        (3, 4, 1) => Some(Suite17),
                        _ => None,
                    };
                    assert_eq!(suite, expected);
                }
            }
        }
    }

    #[test]
    fn an_empty_code_is_never_right() {
        assert!(!same(&[], &[]));
        assert!(!same(&[1], &[1, 2]));
        assert!(same(&[1, 2], &[1, 2]));
    }

    #[test]
    fn keys_are_not_shown() {
        assert_eq!(format!("{:?}", keys(Suite17)), "SessionKeys(suite 17)");
    }
}
