//! Password hashes in the text form of the simple-scrypt library (wire-protocol §2.4):
//! `N$r$p$<salt in hex>$<hash in hex>`.

use crate::{fault::Fault, secure};
use scrypt::{Params, scrypt};
use std::fmt::Write;
use subtle::ConstantTimeEq;

const LOG_N: u8 = 14;
const R: u32 = 8;
const P: u32 = 1;
/// Highest cost that a stored hash may ask for: 2^20 × 8 × 128 bytes are a GiB.
const MAX_LOG_N: u8 = 17;

/// A hash that no password fits, for users that do not exist: checking it costs what a real one costs.
pub(crate) const NOBODY: &str = concat!(
    "16384$8$1$00000000000000000000000000000000$",
    "0000000000000000000000000000000000000000000000000000000000000000"
);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, b| {
        let _ = write!(text, "{b:02x}");
        text
    })
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).ok()).collect()
}

/// Hashes a password with a new salt. Takes some 50 ms of CPU.
pub(crate) fn hash(password: &str) -> Result<String, Fault> {
    let salt = secure::random::<16>()?;
    let mut out = [0; 32];
    let cost = |e: &dyn std::fmt::Display| Fault::Random(e.to_string());
    let params = Params::new(LOG_N, R, P).map_err(|e| cost(&e))?;
    scrypt(password.as_bytes(), &salt, &params, &mut out).map_err(|e| cost(&e))?;
    Ok(format!("{}${R}${P}${}${}", 1u32 << LOG_N, hex(&salt), hex(&out)))
}

/// Whether a password fits a stored hash. A text that is no hash fits nothing.
pub(crate) fn fits(password: &str, stored: &str) -> bool {
    let parts: Vec<&str> = stored.trim().split('$').collect();
    let [n, r, p, salt, hash] = parts.as_slice() else { return false };
    let (Ok(n), Ok(r), Ok(p)) = (n.parse::<u32>(), r.parse::<u32>(), p.parse::<u32>()) else { return false };
    let (Some(salt), Some(want)) = (unhex(salt), unhex(hash)) else { return false };
    let log_n = u8::try_from(n.trailing_zeros()).unwrap_or(u8::MAX);
    if !n.is_power_of_two() || log_n > MAX_LOG_N || r > 16 || p > 16 || !(16..=64).contains(&want.len()) {
        return false;
    }
    let Ok(params) = Params::new(log_n, r, p) else { return false };
    let mut out = vec![0; want.len()];
    scrypt(password.as_bytes(), &salt, &params, &mut out).is_ok() && bool::from(out.ct_eq(&want))
}

#[cfg(test)]
mod tests {
    use super::{NOBODY, fits, hash};

    #[test]
    fn hashes_have_the_text_form_and_fit_their_password_only() {
        let stored = hash("r0cketsk8ts").unwrap();
        let parts: Vec<&str> = stored.split('$').collect();
        assert_eq!(
            (parts[0], parts[1], parts[2], parts[3].len(), parts[4].len()),
            ("16384", "8", "1", 32, 64)
        );
        assert!(fits("r0cketsk8ts", &stored) && !fits("r0cketsk8t", &stored));
    }

    #[test]
    fn nobody_costs_what_a_user_costs() {
        let shape = |hash: &str| {
            let parts: Vec<String> = hash.split('$').map(str::to_owned).collect();
            (parts[..3].to_vec(), parts[3].len(), parts[4].len())
        };
        assert_eq!(shape(NOBODY), shape(&hash("x").unwrap()));
        assert!(!fits("", NOBODY));
    }

    /// RFC 7914 §12, third vector with the salt `SodiumChloride`, N=16384, r=8, p=1.
    #[test]
    fn the_vector_of_rfc_7914_fits() {
        let salt: String = "SodiumChloride".bytes().map(|b| format!("{b:02x}")).collect();
        let hash = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887";
        assert!(fits("pleaseletmein", &format!("16384$8$1${salt}${hash}")));
    }

    #[test]
    fn what_is_no_hash_fits_nothing() {
        for stored in
            ["", "x", "1$2$3$4", "16384$8$1$zz$00", "1073741824$8$1$00$0000000000000000000000000000000000"]
        {
            assert!(!fits("", stored), "{stored}");
        }
    }
}
