//! Params of an action, checked. Every odd value is a 400 that names its param, and never its text: it may be a
//! secret in the wrong place.

use crate::answer::problem;
use drp_bmc::{CipherChoice, Identify, Target, Verb, VerbOptions};
use drp_plugin_sdk::{Error, Params, Secret, Value};
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
    pub(crate) const PLAN_VERB: &str = "ipmi/plan-verb";
    pub(crate) const BIOS_MODE: &str = "detected-bios-mode";
}

/// Params that a verb takes beside those of all verbs.
pub(crate) fn optional_of(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::PowerSoft => &[name::SOFT_TIMEOUT],
        Verb::Boot { .. } => &[name::BIOS_MODE],
        Verb::Identify => &[name::IDENTIFY_DURATION],
        _ => &[],
    }
}

/// Longest user name of an IPMI 2.0 BMC, in bytes (IPMI 2.0 §22.28).
const MAX_USERNAME: usize = 16;
/// Longest password and Kg, in bytes (IPMI 2.0 §22.30, §22.25).
const MAX_KEY: usize = 20;

/// Which BMC, and with what.
pub(crate) fn target(params: &Params) -> Result<Target, Error> {
    let address = text(params, name::ADDRESS)?;
    let host = address.trim().trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() || host.chars().any(|c| c.is_whitespace() || c.is_control() || "/@?#[]".contains(c)) {
        return Err(odd(name::ADDRESS, "is not a host name or an address"));
    }
    let username = text(params, name::USERNAME)?;
    if username.len() > MAX_USERNAME {
        return Err(odd(name::USERNAME, "is longer than 16 bytes, the most a BMC takes"));
    }
    let password = Secret::new(text(params, name::PASSWORD)?);
    if password.expose().len() > MAX_KEY {
        return Err(odd(name::PASSWORD, "is longer than 20 bytes, the most a BMC takes"));
    }
    let mut target = Target::new(host, username, password);
    target.port = number(params, name::PORT_IPMITOOL, 0, 0..=65_535)?;
    target.cipher = cipher(params)?;
    target.kg = kg(params)?;
    target.min_gap = Duration::from_millis(number(params, name::MIN_GAP, 50, 0..=60_000)?);
    target.timeout = Duration::from_secs(number(params, name::TIMEOUT, 8, 1..=120)?);
    Ok(target)
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
    })
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

fn odd(name: &str, problem_text: &str) -> Error {
    problem(400, "PARAM", format!("param {name} {problem_text}"), &format!("correct {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_plugin_sdk::json;

    fn params(extra: Value) -> Params {
        let mut all =
            json!({"ipmi/address": "10.0.0.1", "ipmi/username": "admin", "ipmi/password": "secret"});
        for (name, value) in extra.as_object().unwrap() {
            all[name] = value.clone();
        }
        all.as_object().cloned().unwrap().into()
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
