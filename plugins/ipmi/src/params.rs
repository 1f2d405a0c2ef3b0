//! Params of an action, checked. Every odd value is a 400 that names its param, and never its text: it may be a
//! secret in the wrong place.

use crate::answer::problem;
use drp_bmc::{CipherChoice, Driver, Fingerprint, Identify, Target, Trust, Verb, VerbOptions};
use drp_plugin_sdk::{Error, Params, Secret, Value};
use std::sync::Arc;
use std::time::Duration;

/// Names of params.
pub(crate) mod name {
    pub(crate) const ADDRESS: &str = "ipmi/address";
    pub(crate) const USERNAME: &str = "ipmi/username";
    pub(crate) const PASSWORD: &str = "ipmi/password";
    pub(crate) const MODE: &str = "ipmi/mode";
    pub(crate) const DRIVER_ORDER: &str = "ipmi/driver-order";
    pub(crate) const PORT_IPMITOOL: &str = "ipmi/port-ipmitool";
    pub(crate) const PORT_RACADM: &str = "ipmi/port-racadm";
    pub(crate) const PORT_REDFISH: &str = "ipmi/port-redfish";
    pub(crate) const PORT_LPAR: &str = "ipmi/port-lpar";
    pub(crate) const LPAR_ID: &str = "ipmi/lpar-id";
    pub(crate) const CIPHER_SUITE: &str = "ipmi/cipher-suite";
    pub(crate) const KG: &str = "ipmi/kg";
    pub(crate) const TIMEOUT: &str = "ipmi/timeout";
    pub(crate) const MIN_GAP: &str = "ipmi/min-gap";
    pub(crate) const VERIFY_TIMEOUT: &str = "ipmi/verify-timeout";
    pub(crate) const SOFT_TIMEOUT: &str = "ipmi/soft-timeout";
    pub(crate) const IDENTIFY_DURATION: &str = "ipmi/identify-duration";
    pub(crate) const REDFISH_TIMEOUT: &str = "ipmi/redfish-timeout";
    pub(crate) const RACADM_TIMEOUT: &str = "ipmi/racadm-timeout";
    pub(crate) const LPAR_TIMEOUT: &str = "ipmi/lpar-timeout";
    pub(crate) const TLS_VERIFY: &str = "ipmi/tls-verify";
    pub(crate) const TLS_FINGERPRINT: &str = "ipmi/tls-fingerprint";
    pub(crate) const TLS_CA: &str = "ipmi/tls-ca";
    pub(crate) const SYSTEM_UUID: &str = "ipmi/system-uuid";
    pub(crate) const MEDIA_URL: &str = "ipmi/virtual-media-url";
    pub(crate) const MEDIA_BOOT: &str = "ipmi/virtual-media-boot";
    pub(crate) const PLAN_VERB: &str = "ipmi/plan-verb";
    pub(crate) const BIOS_MODE: &str = "detected-bios-mode";
    /// Of the plugin object, not of machines.
    pub(crate) const LOCAL_ALLOWED: &str = "ipmi/local-allowed";
}

/// Params that a verb takes beside those of all verbs.
pub(crate) fn optional_of(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::PowerSoft => &[name::SOFT_TIMEOUT],
        Verb::Boot { .. } => &[name::BIOS_MODE],
        Verb::Identify => &[name::IDENTIFY_DURATION],
        Verb::MediaMount => &[name::MEDIA_BOOT, name::BIOS_MODE],
        _ => &[],
    }
}

/// Params that a verb must have beside those of all verbs.
pub(crate) fn required_of(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::MediaMount => &[name::MEDIA_URL],
        _ => &[],
    }
}

/// What `ipmi/tls-verify` and its neighbours say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tls {
    /// This.
    Settled(Trust),
    /// Whatever the BMC shows the first time is recorded, and pinned from then on.
    FirstUse,
}

/// Longest user name of an IPMI 2.0 BMC, in bytes (IPMI 2.0 §22.28).
const MAX_USERNAME: usize = 16;
/// Longest password and Kg, in bytes (IPMI 2.0 §22.30, §22.25).
const MAX_KEY: usize = 20;

/// Which BMC, and with what, for that driver.
pub(crate) fn target(params: &Params, driver: &dyn Driver) -> Result<Target, Error> {
    let address = text(params, name::ADDRESS)?;
    let host = address.trim().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || "/@?#[]".contains(c)) {
        return Err(odd(name::ADDRESS, "is not a host name or an address"));
    }
    if driver.name() == "local" {
        // Whatever machine it is set on, it is this host that would be switched off.
        if !["local", "localhost", "127.0.0.1", "::1"].contains(&host) {
            let text = "is not local, but mode local reaches the BMC of the daemon's own host";
            return Err(odd(name::ADDRESS, text));
        }
        let mut target = Target::new("local", "", Secret::default());
        target.min_gap = Duration::from_millis(number(params, name::MIN_GAP, 50, 0..=60_000)?);
        target.timeout = Duration::from_secs(number(params, name::TIMEOUT, 8, 1..=120)?);
        return Ok(target);
    }
    let username = text(params, name::USERNAME)?;
    let password = Secret::new(text(params, name::PASSWORD)?);
    let (port, timeout) = match driver.name() {
        "redfish" => (
            number(params, name::PORT_REDFISH, 443, 0..=65_535)?,
            number(params, name::REDFISH_TIMEOUT, 30, 1..=300)?,
        ),
        "lpar" => (
            number(params, name::PORT_LPAR, 12_443, 0..=65_535)?,
            number(params, name::LPAR_TIMEOUT, 30, 1..=300)?,
        ),
        "racadm" => {
            typeable(name::USERNAME, &username)?;
            typeable(name::PASSWORD, password.expose())?;
            if host.starts_with('-') {
                return Err(odd(name::ADDRESS, "is not a host name or an address"));
            }
            (
                number(params, name::PORT_RACADM, 0, 0..=65_535)?,
                number(params, name::RACADM_TIMEOUT, 60, 1..=600)?,
            )
        }
        _ => {
            if username.len() > MAX_USERNAME {
                return Err(odd(name::USERNAME, "is longer than 16 bytes, the most a BMC takes"));
            }
            if password.expose().len() > MAX_KEY {
                return Err(odd(name::PASSWORD, "is longer than 20 bytes, the most a BMC takes"));
            }
            (number(params, name::PORT_IPMITOOL, 0, 0..=65_535)?, number(params, name::TIMEOUT, 8, 1..=120)?)
        }
    };
    let mut target = Target::new(host, username, password);
    target.port = port;
    target.cipher = cipher(params)?;
    target.kg = kg(params)?;
    target.system_uuid = match driver.name() {
        "lpar" => Some(partition(params)?),
        _ => params.value(name::SYSTEM_UUID).map(|_| text(params, name::SYSTEM_UUID)).transpose()?,
    };
    target.min_gap = Duration::from_millis(number(params, name::MIN_GAP, 50, 0..=60_000)?);
    target.timeout = Duration::from_secs(timeout);
    if let Tls::Settled(trust) = tls(params)? {
        target.trust = trust;
    }
    Ok(target)
}

/// The partition's UUID, which becomes part of a path.
fn partition(params: &Params) -> Result<String, Error> {
    let id = text(params, name::LPAR_ID)?.trim().to_owned();
    if id.is_empty() || id.len() > 64 || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err(odd(name::LPAR_ID, "is not the UUID of a partition"));
    }
    Ok(id)
}

/// Whether it can be typed into a terminal as one line.
fn typeable(name: &str, text: &str) -> Result<(), Error> {
    if text.is_empty() || text.len() > 128 || text.chars().any(char::is_control) {
        return Err(odd(name, "is empty, longer than 128 bytes, or holds control characters"));
    }
    Ok(())
}

/// Which certificate is believed. A fingerprint says it all; otherwise `ipmi/tls-verify` does.
pub(crate) fn tls(params: &Params) -> Result<Tls, Error> {
    let given = |name| params.value(name).map(|_| text(params, name)).transpose();
    if let Some(pin) = given(name::TLS_FINGERPRINT)?.filter(|pin| !pin.trim().is_empty()) {
        let pin =
            Fingerprint::parse(&pin).map_err(|why| odd(name::TLS_FINGERPRINT, &format!("is none: {why}")))?;
        return Ok(Tls::Settled(Trust::Pinned(pin)));
    }
    Ok(match given(name::TLS_VERIFY)?.as_deref().unwrap_or("verify") {
        "verify" => Tls::Settled(match given(name::TLS_CA)?.filter(|pem| !pem.trim().is_empty()) {
            Some(pem) => Trust::Authorities(pem),
            None => Trust::Verified,
        }),
        "first-use" => Tls::FirstUse,
        "off" => Tls::Settled(Trust::Insecure),
        "plain" => Tls::Settled(Trust::Plain),
        _ => return Err(odd(name::TLS_VERIFY, "is not verify, first-use, off or plain")),
    })
}

/// Whether somebody said which certificate to believe: that one, or those of these authorities.
pub(crate) fn names_trust(params: &Params) -> bool {
    matches!(tls(params), Ok(Tls::Settled(Trust::Pinned(_) | Trust::Authorities(_))))
}

/// Whether mode `local` may act on this host, as the plugin object says.
pub(crate) fn local_allowed(params: &Params) -> Result<bool, Error> {
    match params.value(name::LOCAL_ALLOWED) {
        None => Ok(false),
        Some(value) => value.as_bool().ok_or_else(|| odd(name::LOCAL_ALLOWED, "is not true or false")),
    }
}

/// What the verb needs to know.
pub(crate) fn options(params: &Params) -> Result<VerbOptions, Error> {
    let seconds = |name, default| number(params, name, default, 1..=3_600).map(Duration::from_secs);
    let identify = match number(params, name::IDENTIFY_DURATION, 60_i64, i64::MIN..=255)? {
        // The BMC's own default (IPMI 2.0 §28.5).
        ..=0 => Identify::Seconds(15),
        seconds => Identify::Seconds(u8::try_from(seconds).unwrap_or(u8::MAX)),
    };
    Ok(VerbOptions {
        verify_timeout: seconds(name::VERIFY_TIMEOUT, 60)?,
        soft_timeout: seconds(name::SOFT_TIMEOUT, 60)?,
        identify,
        efi: match params.value(name::BIOS_MODE) {
            None => None,
            Some(Value::String(mode)) if mode.is_empty() => None,
            Some(Value::String(mode)) => Some(mode.eq_ignore_ascii_case("uefi")),
            Some(_) => return Err(odd(name::BIOS_MODE, "is not a text such as uefi or legacy-bios")),
        },
        media_url: media_url(params)?,
        media_boot: match params.value(name::MEDIA_BOOT) {
            None => false,
            Some(value) => value.as_bool().ok_or_else(|| odd(name::MEDIA_BOOT, "is not true or false"))?,
        },
    })
}

/// The image to mount: a URL that a BMC can fetch. It may not carry credentials, since it is shown in results.
fn media_url(params: &Params) -> Result<Option<Arc<str>>, Error> {
    if params.value(name::MEDIA_URL).is_none() {
        return Ok(None);
    }
    let url = text(params, name::MEDIA_URL)?;
    let Some((scheme, rest)) = url.split_once("://") else {
        return Err(odd(name::MEDIA_URL, "is not a URL such as http://10.0.0.1/image.iso"));
    };
    if !["http", "https", "nfs", "cifs"].contains(&scheme) || rest.is_empty() {
        return Err(odd(name::MEDIA_URL, "is not a URL of http, https, nfs or cifs"));
    }
    if url.len() > 2048 || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(odd(name::MEDIA_URL, "is longer than 2,048 bytes or holds blanks"));
    }
    if rest.split('/').next().unwrap_or_default().contains('@') {
        return Err(odd(name::MEDIA_URL, "carries credentials, which would be shown in results"));
    }
    Ok(Some(url.into()))
}

/// The verb a plan is wanted of; `None` for all.
pub(crate) fn planned(params: &Params) -> Result<Option<Verb>, Error> {
    match params.value(name::PLAN_VERB) {
        None => Ok(None),
        Some(value) => value
            .as_str()
            .and_then(Verb::parse)
            .map(Some)
            .ok_or_else(|| odd(name::PLAN_VERB, "is not the name of a verb, such as poweroff")),
    }
}

fn text(params: &Params, name: &str) -> Result<String, Error> {
    match params.value(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(_) => Err(odd(name, "is not a text")),
        None => Err(odd(name, "is not set")),
    }
}

/// An integer, also one written as `623.0`, within bounds.
fn number<T>(
    params: &Params,
    name: &str,
    default: T,
    bounds: std::ops::RangeInclusive<i64>,
) -> Result<T, Error>
where
    T: TryFrom<i64>,
{
    let Some(value) = params.value(name) else { return Ok(default) };
    let whole = value.as_i64().or_else(|| {
        let float = value.as_f64().filter(|f| f.fract() == 0.0 && f.abs() < 1e15)?;
        #[allow(clippy::cast_possible_truncation)]
        Some(float as i64)
    });
    let Some(whole) = whole else { return Err(odd(name, "is not a whole number")) };
    if !bounds.contains(&whole) {
        let text = if *bounds.start() == i64::MIN {
            format!("is more than {}", bounds.end())
        } else {
            format!("is not between {} and {}", bounds.start(), bounds.end())
        };
        return Err(odd(name, &text));
    }
    T::try_from(whole).map_err(|_| odd(name, "is out of range"))
}

fn cipher(params: &Params) -> Result<CipherChoice, Error> {
    let value = params.value(name::CIPHER_SUITE);
    match (value.and_then(Value::as_str), value.and_then(Value::as_f64)) {
        _ if value.is_none() => Ok(CipherChoice::Auto),
        (Some("auto"), _) => Ok(CipherChoice::Auto),
        (Some("3"), _) => Ok(CipherChoice::Suite3),
        (Some("17"), _) => Ok(CipherChoice::Suite17),
        (_, Some(3.0)) => Ok(CipherChoice::Suite3),
        (_, Some(17.0)) => Ok(CipherChoice::Suite17),
        _ => Err(odd(name::CIPHER_SUITE, "is not auto, 3 or 17")),
    }
}

/// A text, or `0x` and hexadecimal digits.
fn kg(params: &Params) -> Result<Option<Secret<Vec<u8>>>, Error> {
    let text = match params.value(name::KG) {
        None => return Ok(None),
        Some(_) => Secret::new(text(params, name::KG)?),
    };
    let key = match text.expose().strip_prefix("0x") {
        None => Some(text.expose().as_bytes().to_vec()),
        Some(digits) if digits.len() % 2 == 0 && digits.is_ascii() => digits
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()))
            .collect(),
        Some(_) => None,
    };
    let key = key.map(Secret::new).ok_or_else(|| odd(name::KG, "begins with 0x and is not hexadecimal"))?;
    match key.expose().len() {
        0 => Ok(None),
        1..=MAX_KEY => Ok(Some(key)),
        _ => Err(odd(name::KG, "is longer than 20 bytes, the most a BMC takes")),
    }
}

pub(crate) fn odd(name: &str, problem_text: &str) -> Error {
    problem(400, "PARAM", format!("param {name} {problem_text}"), &format!("correct {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_bmc::{IpmiDriver, RedfishDriver};
    use drp_plugin_sdk::json;

    fn params(extra: Value) -> Params {
        let mut all =
            json!({"ipmi/address": "10.0.0.1", "ipmi/username": "admin", "ipmi/password": "secret"});
        for (name, value) in extra.as_object().unwrap() {
            all[name] = value.clone();
        }
        all.as_object().cloned().unwrap().into()
    }

    fn target(params: &Params) -> Result<Target, Error> {
        super::target(params, &IpmiDriver)
    }

    #[test]
    fn trust_follows_the_params() {
        let of = |extra: Value| tls(&params(extra));
        let settled = |trust| Ok::<_, String>(Tls::Settled(trust));
        let pin = "ab".repeat(32);
        assert_eq!(of(json!({})).map_err(|e| e.to_string()), settled(Trust::Verified));
        for (mode, want) in [("off", Trust::Insecure), ("plain", Trust::Plain), ("verify", Trust::Verified)] {
            assert_eq!(of(json!({"ipmi/tls-verify": mode})).map_err(|e| e.to_string()), settled(want));
        }
        assert_eq!(of(json!({"ipmi/tls-verify": "first-use"})).unwrap(), Tls::FirstUse);
        let pinned = of(json!({"ipmi/tls-verify": "off", "ipmi/tls-fingerprint": pin})).unwrap();
        assert_eq!(pinned, Tls::Settled(Trust::Pinned(Fingerprint([0xab; 32]))));
        assert_eq!(of(json!({"ipmi/tls-verify": "canary"})).unwrap_err().code, 400);
        assert_eq!(of(json!({"ipmi/tls-fingerprint": "canary"})).unwrap_err().code, 400);
    }

    #[test]
    fn limits_of_ipmi_are_not_those_of_redfish() {
        let long =
            params(json!({"ipmi/username": "a-rather-long-user-name", "ipmi/password": "p".repeat(40)}));
        assert_eq!(target(&long).unwrap_err().code, 400);
        let redfish = super::target(&long, &RedfishDriver).unwrap();
        assert_eq!((redfish.port, redfish.timeout), (443, Duration::from_secs(30)));
    }

    #[test]
    fn images_are_urls_without_credentials() {
        let of = |url: &str| options(&params(json!({"ipmi/virtual-media-url": url})));
        assert_eq!(of("http://10.0.0.1/a.iso").unwrap().media_url.as_deref(), Some("http://10.0.0.1/a.iso"));
        for bad in ["a.iso", "file:///etc/passwd", "http://", "http://u:canary@h/a.iso", "http://h/a b"] {
            let error = of(bad).unwrap_err();
            assert!(error.code == 400 && !error.to_string().contains("canary"), "{error}");
        }
    }

    #[test]
    fn defaults_are_those_of_the_content() {
        let got = target(&params(json!({}))).unwrap();
        assert_eq!((got.port, got.cipher, got.timeout), (0, CipherChoice::Auto, Duration::from_secs(8)));
        assert_eq!(options(&params(json!({}))).unwrap(), VerbOptions::default());
        let files = concat!(env!("CARGO_MANIFEST_DIR"), "/content/params");
        for (name, default) in [
            (name::MIN_GAP, json!(50)),
            (name::TIMEOUT, json!(8)),
            (name::VERIFY_TIMEOUT, json!(60)),
            (name::SOFT_TIMEOUT, json!(60)),
            (name::IDENTIFY_DURATION, json!(60)),
            (name::CIPHER_SUITE, json!("auto")),
            (name::MODE, json!("ipmi")),
            (name::PORT_REDFISH, json!(443)),
            (name::REDFISH_TIMEOUT, json!(30)),
            (name::RACADM_TIMEOUT, json!(60)),
            (name::LPAR_TIMEOUT, json!(30)),
            (name::PORT_LPAR, json!(12_443)),
            (name::PORT_RACADM, json!(0)),
            (name::TLS_VERIFY, json!("verify")),
            (name::PORT_IPMITOOL, json!(0)),
        ] {
            let bundle = drp_content::read_dir(std::path::Path::new(files).parent().unwrap()).unwrap();
            assert_eq!(bundle.sections["params"][name]["Schema"]["default"], default, "{name}");
        }
    }

    #[test]
    fn numbers_may_arrive_as_floats() {
        let got = target(&params(
            json!({"ipmi/port-ipmitool": 9623.0, "ipmi/min-gap": 5, "ipmi/cipher-suite": 3.0}),
        ));
        let got = got.unwrap();
        assert_eq!(
            (got.port, got.min_gap, got.cipher),
            (9623, Duration::from_millis(5), CipherChoice::Suite3)
        );
        assert_eq!(
            options(&params(json!({"ipmi/identify-duration": 30.0}))).unwrap().identify,
            Identify::Seconds(30)
        );
        assert_eq!(
            options(&params(json!({"ipmi/identify-duration": -1}))).unwrap().identify,
            Identify::Seconds(15)
        );
    }

    #[test]
    fn odd_values_are_a_400_that_names_the_param_and_not_the_value() {
        let odd = [
            ("ipmi/address", json!("")),
            ("ipmi/address", json!("canary canary")),
            ("ipmi/address", json!("https://canary/")),
            ("ipmi/address", json!(7)),
            ("ipmi/username", json!("canarycanarycanary")),
            ("ipmi/username", json!(["canary"])),
            ("ipmi/password", json!({"canary": 1})),
            ("ipmi/password", json!("canarycanarycanarycanary")),
            ("ipmi/port-ipmitool", json!("canary")),
            ("ipmi/port-ipmitool", json!(65_536)),
            ("ipmi/port-ipmitool", json!(1.5)),
            ("ipmi/port-ipmitool", json!(1e300)),
            ("ipmi/cipher-suite", json!(0)),
            ("ipmi/cipher-suite", json!("canary")),
            ("ipmi/kg", json!("0xcanary")),
            ("ipmi/kg", json!("0xé")),
            ("ipmi/kg", json!("canarycanarycanarycanary")),
            ("ipmi/min-gap", json!(-1)),
            ("ipmi/timeout", json!(0)),
        ];
        for (name, value) in odd {
            let error = target(&params(json!({ name: value }))).unwrap_err();
            assert_eq!(error.code, 400, "{name}");
            let text = error.to_string();
            assert!(text.contains(name) && !text.contains("canary"), "{text}");
        }
        for (name, value) in [
            ("ipmi/identify-duration", json!(256)),
            ("ipmi/identify-duration", json!("long")),
            ("ipmi/verify-timeout", json!(0)),
            ("ipmi/soft-timeout", json!(1e9)),
            ("detected-bios-mode", json!(true)),
        ] {
            let error = options(&params(json!({ name: value }))).unwrap_err();
            assert!(error.code == 400 && error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn a_key_is_text_or_hexadecimal() {
        let of = |value: Value| {
            target(&params(json!({ "ipmi/kg": value }))).unwrap().kg.map(|kg| kg.expose().clone())
        };
        assert_eq!(of(json!("key")), Some(b"key".to_vec()));
        assert_eq!(of(json!("0x00ff")), Some(vec![0, 255]));
        assert_eq!(of(json!("")), None);
        assert_eq!(of(json!(null)), None);
    }

    #[test]
    fn boot_mode_follows_the_param() {
        let of = |value: Value| options(&params(json!({ "detected-bios-mode": value }))).unwrap().efi;
        assert_eq!(of(json!("uefi")), Some(true));
        assert_eq!(of(json!("legacy-bios")), Some(false));
        assert_eq!(of(json!(null)), None);
    }
}
