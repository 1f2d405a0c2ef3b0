//! `ipmi/mode`: which drivers, in which order.

use crate::answer::problem;
use crate::params::{name, odd};
use drp_bmc::{Driver, IpmiDriver, LocalDriver, LparDriver, RacadmDriver, RedfishDriver, Verb, VerbOptions};
use drp_plugin_sdk::{Error, Params, Value};
use std::sync::{Arc, LazyLock};

/// One for the process: its partitions share the sessions of their HMCs.
static LPAR: LazyLock<LparDriver> = LazyLock::new(LparDriver::default);

/// The driver of that name in `ipmi/mode` and `ipmi/driver-order`; `None` for one that there is not.
fn driver(mode: &str) -> Option<Arc<dyn Driver>> {
    match mode {
        "ipmi" | "ipmitool" => Some(Arc::new(IpmiDriver)),
        "redfish" => Some(Arc::new(RedfishDriver)),
        "lpar" => Some(Arc::new(LPAR.clone())),
        "local" => Some(Arc::new(LocalDriver)),
        "racadm" | "racadmn" => Some(Arc::new(RacadmDriver)),
        _ => None,
    }
}

/// The drivers to try, in order. There is more than one only in mode `auto`.
pub(crate) fn drivers(params: &Params) -> Result<Vec<Arc<dyn Driver>>, Error> {
    let mode = match params.value(name::MODE) {
        None => "ipmi".to_owned(),
        Some(Value::String(mode)) => mode.clone(),
        Some(_) => return Err(odd(name::MODE, "is not a text")),
    };
    if mode != "auto" {
        return Ok(vec![named(name::MODE, &mode)?]);
    }
    let order = match params.value(name::DRIVER_ORDER) {
        None => vec!["redfish".to_owned(), "ipmi".to_owned()],
        Some(order) => order
            .as_array()
            .and_then(|order| order.iter().map(|mode| mode.as_str().map(str::to_owned)).collect())
            .ok_or_else(|| odd(name::DRIVER_ORDER, "is not a list of texts"))?,
    };
    if order.is_empty() {
        let what = format!("{} is empty", name::DRIVER_ORDER);
        return Err(problem(400, "PARAM", what, "name drivers in it, for instance [\"redfish\", \"ipmi\"]"));
    }
    order.iter().map(|mode| named(name::DRIVER_ORDER, mode)).collect()
}

fn named(param: &str, mode: &str) -> Result<Arc<dyn Driver>, Error> {
    driver(mode).ok_or_else(|| {
        let what = format!("{param}: there is no driver {mode:?}");
        problem(400, "PARAM", what, "use ipmi, redfish, racadm, lpar, local or auto")
    })
}

/// Names of the drivers that can do a verb, for the advice to one that asked another. `local` is no advice: it is
/// another machine's BMC that it would reach.
pub(crate) fn able(verb: Verb, options: &VerbOptions) -> Vec<&'static str> {
    ["ipmi", "redfish", "racadm", "lpar"]
        .into_iter()
        .filter(|mode| driver(mode).is_some_and(|driver| verb.possible(&*driver, options)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_plugin_sdk::json;

    fn names(value: drp_plugin_sdk::Value) -> Result<Vec<&'static str>, Error> {
        let drivers = drivers(&value.as_object().cloned().unwrap().into())?;
        Ok(drivers.iter().map(|driver| driver.name()).collect())
    }

    #[test]
    fn old_names_work_and_errors_name_the_mode() {
        for mode in ["ipmi", "ipmitool"] {
            assert_eq!(names(json!({"ipmi/mode": mode})).unwrap(), ["ipmi"]);
        }
        assert_eq!(names(json!({})).unwrap(), ["ipmi"]);
        assert_eq!(names(json!({"ipmi/mode": "redfish"})).unwrap(), ["redfish"]);
        assert_eq!(names(json!({"ipmi/mode": "lpar"})).unwrap(), ["lpar"]);
        for mode in ["racadm", "racadmn"] {
            assert_eq!(names(json!({"ipmi/mode": mode})).unwrap(), ["racadm"]);
        }
        assert_eq!(names(json!({"ipmi/mode": "local"})).unwrap(), ["local"]);
        let unknown = names(json!({"ipmi/mode": "telnet"})).unwrap_err();
        assert!(unknown.code == 400 && unknown.to_string().contains("\"telnet\""), "{unknown}");
        assert_eq!(names(json!({"ipmi/mode": 7})).unwrap_err().code, 400);
    }

    #[test]
    fn auto_follows_its_order() {
        assert_eq!(names(json!({"ipmi/mode": "auto"})).unwrap(), ["redfish", "ipmi"]);
        let order = json!({"ipmi/mode": "auto", "ipmi/driver-order": ["ipmi"]});
        assert_eq!(names(order).unwrap(), ["ipmi"]);
        assert_eq!(names(json!({"ipmi/mode": "auto", "ipmi/driver-order": []})).unwrap_err().code, 400);
        assert_eq!(names(json!({"ipmi/mode": "auto", "ipmi/driver-order": ["x"]})).unwrap_err().code, 400);
    }

    #[test]
    fn who_can_is_known() {
        let options = VerbOptions::default();
        assert_eq!(able(Verb::PowerOn, &options), ["ipmi", "redfish", "racadm", "lpar"]);
        assert_eq!(able(Verb::parse("getBios").unwrap(), &options), ["redfish"]);
    }
}
