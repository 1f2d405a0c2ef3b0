//! `ipmi/mode`: which driver.

use crate::answer::problem;
use crate::params::name;
use drp_bmc::{Attempt, Driver, IpmiDriver};
use drp_plugin_sdk::{Error, Params};
use std::sync::Arc;

/// Drivers that are known by name and are not in this version.
const ABSENT: [&str; 5] = ["redfish", "racadm", "racadmn", "lpar", "local"];

/// A driver, and what was passed over to get to it.
pub(crate) struct Chosen {
    pub(crate) driver: Arc<dyn Driver>,
    pub(crate) passed_over: Vec<Attempt>,
}

/// The driver that `ipmi/mode` asks for.
pub(crate) fn choose(params: &Params) -> Result<Chosen, Error> {
    let mode = params.get::<String>(name::MODE)?.unwrap_or_else(|| "ipmi".to_owned());
    let only = |driver| Ok(Chosen { driver, passed_over: Vec::new() });
    match mode.as_str() {
        "ipmi" | "ipmitool" => only(Arc::new(IpmiDriver)),
        "auto" => auto(params),
        absent if ABSENT.contains(&absent) => Err(problem(
            501,
            "UNSUPPORTED",
            format!("{} {absent}: this version has no driver {absent}", name::MODE),
            "set ipmi/mode to ipmi or auto",
        )),
        unknown => Err(problem(
            400,
            "PARAM",
            format!("{}: there is no mode {unknown:?}", name::MODE),
            "set ipmi/mode to ipmi or auto",
        )),
    }
}

/// The first driver of `ipmi/driver-order` that there is. What is passed over is shown in the attempts.
fn auto(params: &Params) -> Result<Chosen, Error> {
    let order = params.get::<Vec<String>>(name::DRIVER_ORDER)?;
    let order = order.unwrap_or_else(|| vec!["redfish".to_owned(), "ipmi".to_owned()]);
    let mut passed_over = Vec::new();
    for entry in &order {
        match entry.as_str() {
            "ipmi" | "ipmitool" => return Ok(Chosen { driver: Arc::new(IpmiDriver), passed_over }),
            absent if ABSENT.contains(&absent) => passed_over.push(Attempt {
                driver: absent.to_owned(),
                error: format!("this version has no driver {absent}"),
                ms: 0,
            }),
            unknown => {
                return Err(problem(
                    400,
                    "PARAM",
                    format!("{}: there is no driver {unknown:?}", name::DRIVER_ORDER),
                    "name drivers of ipmi/mode, for instance [\"ipmi\"]",
                ));
            }
        }
    }
    Err(problem(
        501,
        "UNSUPPORTED",
        format!("{}: this version has none of {order:?}", name::DRIVER_ORDER),
        "add ipmi to ipmi/driver-order",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_plugin_sdk::json;

    fn chosen(value: drp_plugin_sdk::Value) -> Result<Chosen, Error> {
        choose(&value.as_object().cloned().unwrap().into())
    }

    #[test]
    fn old_names_work_and_errors_name_the_mode() {
        for mode in ["ipmi", "ipmitool", "auto"] {
            assert_eq!(chosen(json!({"ipmi/mode": mode})).ok().unwrap().driver.name(), "ipmi");
        }
        assert_eq!(chosen(json!({})).ok().unwrap().driver.name(), "ipmi");
        let redfish = chosen(json!({"ipmi/mode": "redfish"})).err().unwrap();
        assert!(redfish.code == 501 && redfish.to_string().contains("redfish"), "{redfish}");
        let unknown = chosen(json!({"ipmi/mode": "telnet"})).err().unwrap();
        assert!(unknown.code == 400 && unknown.to_string().contains("\"telnet\""), "{unknown}");
        assert_eq!(chosen(json!({"ipmi/mode": 7})).err().unwrap().code, 400);
    }

    #[test]
    fn auto_shows_what_it_passed_over() {
        let auto = chosen(json!({"ipmi/mode": "auto"})).ok().unwrap();
        assert_eq!(auto.passed_over[0].driver, "redfish");
        let none = chosen(json!({"ipmi/mode": "auto", "ipmi/driver-order": ["redfish"]})).err().unwrap();
        assert_eq!(none.code, 501);
    }
}
