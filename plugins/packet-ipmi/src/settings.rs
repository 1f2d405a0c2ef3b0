//! Params of the plugin object.

use crate::answer::bad_param;
use crate::metal::{Target, is_id};
use crate::names;
use drp_plugin_sdk::{Error, Params, Secret, Value};
use std::time::Duration;

/// The public API, which the successor of Packet ran until 30 June 2026.
const PUBLIC_API: &str = "https://api.equinix.com/metal/v1";

/// How the plugin works.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) target: Target,
    /// Only this project.
    pub(crate) project: Option<String>,
    /// Devices without a machine get one.
    pub(crate) import: bool,
    /// Deleting an imported machine gives its device back.
    pub(crate) destroy_imported: bool,
    /// Until a device must be active.
    pub(crate) provision_timeout: Duration,
    /// Until a change of power must be read back.
    pub(crate) verify_timeout: Duration,
    /// Between two readings of a device that changes.
    pub(crate) poll: Duration,
    /// Between two listings; `None`: only at the start.
    pub(crate) refresh: Option<Duration>,
    /// Devices that are made or given back at the same time.
    pub(crate) most: usize,
}

impl Settings {
    /// Reads them; an error names the param and not its value.
    pub(crate) fn read(params: &Params) -> Result<Self, Error> {
        let key = text(params, names::API_KEY)?
            .ok_or_else(|| bad_param(names::API_KEY, "is missing", "set it to a key of your project"))?;
        let key = Secret::new(key);
        let project = text(params, names::PROJECT)?;
        if project.as_deref().is_some_and(|id| !is_id(id)) {
            return Err(bad_param(names::PROJECT, "is no id", "use the UUID of the project"));
        }
        let refresh = number(params, names::REFRESH, 600.0, 0.0, 86_400.0)?;
        let seconds = |name, default, least, most| {
            number(params, name, default, least, most).map(Duration::from_secs_f64)
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let most = number(params, names::MOST, 32.0, 1.0, 256.0)? as usize;
        Ok(Self {
            target: Target {
                url: text(params, names::API_URL)?.unwrap_or_else(|| PUBLIC_API.to_owned()),
                ca: text(params, names::TLS_CA)?,
                key,
                timeout: seconds(names::TIMEOUT, 30.0, 0.1, 300.0)?,
            },
            project,
            import: flag(params, names::IMPORT)?.unwrap_or_default(),
            destroy_imported: flag(params, names::DESTROY_IMPORTED)?.unwrap_or_default(),
            provision_timeout: seconds(names::PROVISION_TIMEOUT, 3600.0, 1.0, 86_400.0)?,
            verify_timeout: seconds(names::VERIFY_TIMEOUT, 180.0, 0.1, 3600.0)?,
            poll: seconds(names::POLL, 5.0, 0.02, 300.0)?,
            refresh: (refresh > 0.0).then(|| Duration::from_secs_f64(refresh)),
            most,
        })
    }
}

/// A text that is there and not empty.
pub(crate) fn text(params: &Params, name: &str) -> Result<Option<String>, Error> {
    match params.value(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) if text.len() <= 65_536 => Ok(Some(text.clone())),
        Some(Value::String(_)) => Err(bad_param(name, "is longer than 64 KiB", "shorten it")),
        Some(_) => Err(bad_param(name, "is not a text", "set it to a text")),
    }
}

/// A truth value.
pub(crate) fn flag(params: &Params, name: &str) -> Result<Option<bool>, Error> {
    match params.value(name) {
        None => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(_) => Err(bad_param(name, "is not true or false", "set it to true or false")),
    }
}

/// A number within bounds; JSON does not tell integers from others.
fn number(params: &Params, name: &str, default: f64, least: f64, most: f64) -> Result<f64, Error> {
    let Some(value) = params.value(name) else { return Ok(default) };
    let within = value.as_f64().filter(|number| (least..=most).contains(number));
    within.ok_or_else(|| bad_param(name, &format!("is not a number from {least} to {most}"), "correct it"))
}

/// An address for iPXE to load its script from.
pub(crate) fn script_url(name: &str, url: &str) -> Result<(), Error> {
    let good = reqwest::Url::parse(url).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https" | "tftp")
            && url.host_str().is_some()
            && url.password().is_none()
    });
    if good {
        Ok(())
    } else {
        Err(bad_param(name, "is no URL without a password", "use http://, https:// or tftp://"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_plugin_sdk::json;

    fn read(mut value: Value) -> Result<Settings, Error> {
        if value.get(names::API_KEY).is_none() {
            value[names::API_KEY] = json!("canary");
        }
        Settings::read(&value.as_object().cloned().unwrap().into())
    }

    #[test]
    fn defaults_are_those_of_the_content() {
        let bundle =
            drp_content::read_dir(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/content")))
                .unwrap();
        let default = |name: &str| bundle.sections["params"][name]["Schema"]["default"].clone();
        let got = read(json!({})).unwrap();
        assert_eq!(default(names::API_URL), json!(got.target.url));
        assert_eq!(default(names::IMPORT), json!(got.import));
        assert_eq!(default(names::DESTROY_IMPORTED), json!(got.destroy_imported));
        for (name, value) in [
            (names::TIMEOUT, got.target.timeout),
            (names::PROVISION_TIMEOUT, got.provision_timeout),
            (names::VERIFY_TIMEOUT, got.verify_timeout),
            (names::POLL, got.poll),
            (names::REFRESH, got.refresh.unwrap()),
        ] {
            assert_eq!(default(name), json!(value.as_secs()), "{name}");
        }
        assert_eq!(default(names::MOST), json!(got.most));
        assert_eq!(bundle.sections["params"][names::API_KEY]["Secure"], json!(true));
    }

    #[test]
    fn odd_values_are_a_400_that_names_the_param_and_not_the_value() {
        for (name, value) in [
            (names::API_KEY, json!("")),
            (names::API_KEY, json!(["canary"])),
            (names::API_URL, json!({"canary": 1})),
            (names::PROJECT, json!("canary/../x")),
            (names::PROJECT, json!(7)),
            (names::IMPORT, json!("canary")),
            (names::DESTROY_IMPORTED, json!("canary")),
            (names::TIMEOUT, json!(0)),
            (names::TIMEOUT, json!("canary")),
            (names::POLL, json!(1e300)),
            (names::PROVISION_TIMEOUT, json!(-1)),
            (names::VERIFY_TIMEOUT, json!([])),
            (names::REFRESH, json!(-0.5)),
            (names::MOST, json!(0)),
            (names::TLS_CA, json!(true)),
        ] {
            let error = read(json!({ name: value })).unwrap_err();
            assert_eq!((error.code, error.r#type.as_str()), (400, "PARAM"), "{name}");
            let text = error.to_string();
            assert!(text.contains(name) && !text.contains("canary"), "{text}");
        }
        assert!(read(json!({"packet/refresh-interval": 0})).unwrap().refresh.is_none());
        assert_eq!(read(json!({"packet/max-operations": 2.0})).unwrap().most, 2);
        assert!(!format!("{:?}", read(json!({})).unwrap()).contains("canary"));
    }

    #[test]
    fn scripts_come_from_urls() {
        assert!(script_url("x", "http://192.0.2.1:8091/default.ipxe").is_ok());
        for odd in ["", "default.ipxe", "file:///etc/passwd", "http://u:p@x/"] {
            assert!(script_url("x", odd).is_err(), "{odd}");
        }
    }
}
