//! The validity period of a certificate (RFC 5280 §4.1.2.5), read without a full X.509 parser.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// When a certificate is valid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Validity {
    /// First moment.
    pub(crate) not_before: SystemTime,
    /// Last moment.
    pub(crate) not_after: SystemTime,
}

const SEQUENCE: u8 = 0x30;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
/// `[0] EXPLICIT Version`, absent in version 1.
const VERSION: u8 = 0xa0;

/// Reads the period out of DER, or `None` when the bytes are no certificate.
pub(crate) fn validity(der: &[u8]) -> Option<Validity> {
    let (certificate, _) = element(der, SEQUENCE)?;
    let (tbs, _) = element(certificate, SEQUENCE)?;
    let rest = match tbs.first()? {
        &VERSION => element(tbs, VERSION)?.1,
        _ => tbs,
    };
    // serialNumber, signature, issuer, then validity.
    let rest = any(any(any(rest)?.1)?.1)?.1;
    let (period, _) = element(rest, SEQUENCE)?;
    let (not_before, rest) = moment(period)?;
    let (not_after, _) = moment(rest)?;
    Some(Validity { not_before, not_after })
}

fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    (der.first() == Some(&tag)).then(|| any(der)).flatten()
}

/// The contents of the first element, and what follows it (ITU-T X.690 §8.1).
fn any(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&first, mut rest) = der.get(1..)?.split_first()?;
    let mut length = usize::from(first);
    if first & 0x80 != 0 {
        let count = usize::from(first & 0x7f);
        if count == 0 || count > 4 {
            return None;
        }
        length = rest.get(..count)?.iter().fold(0, |n, b| (n << 8) | usize::from(*b));
        rest = rest.get(count..)?;
    }
    Some((rest.get(..length)?, rest.get(length..)?))
}

fn moment(der: &[u8]) -> Option<(SystemTime, &[u8])> {
    let tag = *der.first()?;
    let (text, rest) = any(der)?;
    let text = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let (year, text) = match tag {
        UTC_TIME => {
            let two: i64 = text.get(..2)?.parse().ok()?;
            (if two < 50 { 2000 + two } else { 1900 + two }, text.get(2..)?)
        }
        GENERALIZED_TIME => (text.get(..4)?.parse().ok()?, text.get(4..)?),
        _ => return None,
    };
    let field = |at: usize| text.get(at..at + 2)?.parse::<i64>().ok();
    let days = days_from_epoch(year, field(0)?, field(2)?);
    let seconds = days * 86_400 + field(4)? * 3_600 + field(6)? * 60 + field(8)?;
    let since = |n: i64| Duration::from_secs(n.unsigned_abs());
    Some((if seconds < 0 { UNIX_EPOCH - since(seconds) } else { UNIX_EPOCH + since(seconds) }, rest))
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
fn days_from_epoch(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March so that the leap day is the last of its year.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_count_from_the_epoch() {
        assert_eq!(days_from_epoch(1970, 1, 1), 0);
        assert_eq!(days_from_epoch(2000, 3, 1), 11_017);
        assert_eq!(days_from_epoch(2024, 2, 29), 19_782);
    }

    #[test]
    fn the_period_of_a_real_certificate_is_read() {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2020, 1, 2);
        params.not_after = rcgen::date_time_ymd(2051, 3, 4);
        let key = rcgen::KeyPair::generate().unwrap();
        let cert = params.self_signed(&key).unwrap();
        let period = validity(cert.der()).unwrap();
        let day = |n: u64| UNIX_EPOCH + Duration::from_secs(n * 86_400);
        assert_eq!((period.not_before, period.not_after), (day(18_263), day(29_647)));
    }

    #[test]
    fn noise_is_no_certificate() {
        for bytes in [&b""[..], b"\x30", b"\x30\x84\xff\xff\xff\xff", b"\x30\x03\x30\x01\x02", &[0x30; 64]] {
            assert_eq!(validity(bytes), None);
        }
    }
}
