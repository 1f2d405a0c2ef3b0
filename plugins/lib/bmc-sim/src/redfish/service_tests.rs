//! The service as a function: requests in, answers out.

use crate::engine::Engine;
use crate::fault::{Effect, On, Rule};
use crate::redfish::Op;
use crate::redfish::Profile;
use crate::redfish::http::{Delivery, Request};
use crate::{BmcConfig, Settings};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

struct Rig {
    engine: Engine,
    now: Instant,
    token: Option<String>,
}

impl Rig {
    fn new(profile: &str) -> Self {
        let config =
            BmcConfig::new("admin", "secret".to_owned()).with_redfish(Profile::named(profile).unwrap());
        let now = Instant::now();
        let mut rig = Self { engine: Engine::new(config, now, || [7; 16]), now, token: None };
        let sessions =
            rig.get("/redfish/v1/").1["Links"]["Sessions"]["@odata.id"].as_str().unwrap().to_owned();
        let (status, _, headers) =
            rig.send("POST", &sessions, Some(json!({"UserName": "admin", "Password": "secret"})));
        assert_eq!(status, 201);
        rig.token = headers.into_iter().find(|(name, _)| *name == "x-auth-token").map(|(_, token)| token);
        assert!(rig.token.is_some());
        rig
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        json: Option<Value>,
    ) -> (u16, Value, Vec<(&'static str, String)>) {
        self.send_if(method, path, json, None)
    }

    fn send_if(
        &mut self,
        method: &str,
        path: &str,
        json: Option<Value>,
        if_match: Option<String>,
    ) -> (u16, Value, Vec<(&'static str, String)>) {
        let request = Request {
            method: method.into(),
            path: path.into(),
            token: self.token.clone(),
            json,
            if_match,
            ..Request::default()
        };
        match self.engine.web(&request, self.now).delivery {
            Delivery::Answer { status, headers, body, .. } => {
                (status, serde_json::from_slice(&body).unwrap_or_default(), headers)
            }
            other => panic!("{other:?}"),
        }
    }

    fn get(&mut self, path: &str) -> (u16, Value) {
        let (status, body, _) = self.send("GET", path, None);
        (status, body)
    }

    fn tag(&mut self, path: &str) -> Option<String> {
        let (_, _, headers) = self.send("GET", path, None);
        headers.into_iter().find(|(name, _)| *name == "etag").map(|(_, tag)| tag)
    }
}

fn links(value: &Value, out: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(link)) = map.get("@odata.id") {
                out.insert(link.clone());
            }
            map.values().for_each(|value| links(value, out));
        }
        Value::Array(list) => list.iter().for_each(|value| links(value, out)),
        _ => {}
    }
}

#[test]
fn every_link_of_every_profile_leads_to_a_resource_that_names_itself() {
    for profile in Profile::names() {
        let mut rig = Rig::new(profile);
        let (mut seen, mut todo) = (BTreeSet::new(), BTreeSet::from(["/redfish/v1/".to_owned()]));
        while let Some(path) = todo.pop_first() {
            // Parts inside a resource, and the vendor's own services.
            if path.contains('#')
                || path.contains("/Oem/")
                || path.contains("UpdateService")
                || !seen.insert(path.clone())
            {
                continue;
            }
            let (status, body) = rig.get(&path);
            assert_eq!((status, body["@odata.id"].as_str()), (200, Some(path.as_str())), "{profile}: {path}");
            assert!(
                body["@odata.type"].as_str().is_some_and(|t| t.starts_with('#')) && body["Name"].is_string(),
                "{path}"
            );
            let mut found = BTreeSet::new();
            links(&body, &mut found);
            todo.extend(found);
        }
        assert!(seen.len() > 40, "{profile}: {}", seen.len());
    }
}

#[test]
fn reset_changes_the_one_machine_and_refuses_what_is_not_on_offer() {
    let mut rig = Rig::new("generic");
    let target = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    assert_eq!(rig.send("POST", target, Some(json!({"ResetType": "On"}))).0, 204);
    assert!(rig.engine.chassis.power() && rig.engine.counts.power_ups == 1);
    for (body, key) in [
        (json!({}), "ActionParameterMissing"),
        (json!({"ResetType": "Explode"}), "ActionParameterValueNotInList"),
        (json!({"ResetType": 7}), "ActionParameterValueNotInList"),
    ] {
        let (status, said, _) = rig.send("POST", target, Some(body));
        let id = said["error"]["@Message.ExtendedInfo"][0]["MessageId"].as_str().unwrap();
        assert_eq!((status, id), (400, format!("Base.1.18.{key}").as_str()));
    }
    assert_eq!(rig.send("POST", "/redfish/v1/Systems/2/Actions/ComputerSystem.Reset", None).0, 404);
    assert_eq!(rig.send("PUT", "/redfish/v1/Systems/1", Some(json!({}))).0, 405);
    // Dell says 409 to a machine that is on already, HPE 400, both in their own words.
    for (profile, system, status, word) in
        [("idrac", "System.Embedded.1", 409, "PSU501"), ("ilo", "1", 400, "InvalidOperationForSystemState")]
    {
        let mut rig = Rig::new(profile);
        rig.engine.chassis.set_power(true);
        let target = format!("/redfish/v1/Systems/{system}/Actions/ComputerSystem.Reset");
        let (got, said, _) = rig.send("POST", &target, Some(json!({"ResetType": "On"})));
        assert!(got == status && said.to_string().contains(word), "{profile}: {got} {said}");
    }
}

#[test]
fn a_machine_in_transition_says_so_and_refuses_more() {
    let mut rig = Rig::new("generic");
    rig.engine.config.power_delay = Duration::from_secs(2);
    rig.engine.config.busy_in_transition = true;
    let target = "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset";
    assert_eq!(rig.send("POST", target, Some(json!({"ResetType": "On"}))).0, 204);
    assert_eq!(rig.get("/redfish/v1/Systems/1").1["PowerState"], "PoweringOn");
    assert_eq!(rig.send("POST", target, Some(json!({"ResetType": "ForceOff"}))).0, 409);
    rig.now += Duration::from_secs(3);
    assert_eq!(rig.get("/redfish/v1/Systems/1").1["PowerState"], "On");
    assert_eq!((rig.engine.counts.power_ups, rig.engine.counts.power_downs), (1, 0));
}

#[test]
fn the_boot_override_is_the_boot_flags_of_ipmi() {
    let mut rig = Rig::new("generic");
    let system = "/redfish/v1/Systems/1";
    let boot = json!({"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "Pxe", "BootSourceOverrideMode": "UEFI"}});
    assert_eq!(rig.send("PATCH", system, Some(boot)).0, 204);
    let flags = rig.engine.chassis.flags();
    assert!(flags.valid && flags.efi && !flags.persistent && flags.device == drp_ipmi::BootDevice::Pxe);
    let http = json!({"Boot": {"BootSourceOverrideEnabled": "Once", "BootSourceOverrideTarget": "UefiHttp"}});
    assert_eq!(rig.send("PATCH", system, Some(http)).0, 204);
    assert_eq!(rig.get(system).1["Boot"]["BootSourceOverrideTarget"], "UefiHttp");
    // Used up by the next start.
    rig.engine.chassis.set_power(true);
    assert_eq!(rig.get(system).1["Boot"]["BootSourceOverrideEnabled"], "Disabled");
    for (bad, key) in [
        (json!({"Boot": {"BootSourceOverrideTarget": "Tape"}}), "PropertyValueNotInList"),
        (json!({"Boot": {"BootSourceOverrideTarget": 1}}), "PropertyValueTypeError"),
        (json!({"Boot": {"Colour": "red"}}), "PropertyUnknown"),
        (json!({"PowerState": "On"}), "PropertyNotWritable"),
        (json!({"IndicatorLED": "Off"}), "PropertyUnknown"),
        (json!({}), "EmptyJSON"),
    ] {
        let (status, said, _) = rig.send("PATCH", system, Some(bad));
        assert!(status == 400 && said.to_string().contains(key), "{said}");
    }
}

#[test]
fn entity_tags_are_checked_and_where_needed_asked_for() {
    let mut rig = Rig::new("supermicro");
    let (system, body) = ("/redfish/v1/Systems/1", json!({"IndicatorLED": "Blinking"}));
    assert_eq!(rig.send("PATCH", system, Some(body.clone())).0, 428);
    assert_eq!(rig.send_if("PATCH", system, Some(body.clone()), Some("\"old\"".into())).0, 412);
    let tag = rig.tag(system);
    assert_eq!(rig.send_if("PATCH", system, Some(body.clone()), tag.clone()).0, 200);
    assert_ne!(rig.tag(system), tag);
    assert_eq!(rig.send_if("PATCH", system, Some(body), tag).0, 412);
}

#[test]
fn sessions_are_counted_limited_and_expire() {
    let mut rig = Rig::new("generic");
    rig.engine.config.sessions = 2;
    let login = |rig: &mut Rig, password: &str| {
        let body = json!({"UserName": "admin", "Password": password});
        rig.send("POST", "/redfish/v1/SessionService/Sessions", Some(body))
    };
    assert_eq!(login(&mut rig, "wrong").0, 401);
    let (status, body, _) = login(&mut rig, "secret");
    assert_eq!(status, 201);
    let (status, said, _) = login(&mut rig, "secret");
    assert!(status == 503 && said.to_string().contains("SessionLimitExceeded"), "{said}");
    assert_eq!(rig.send("DELETE", body["@odata.id"].as_str().unwrap(), None).0, 204);
    let counts = rig.engine.counts;
    assert_eq!((counts.redfish_logins, counts.redfish_logouts), (2, 1));
    assert_eq!((counts.redfish_refused, counts.redfish_most_sessions), (1, 2));
    rig.now += Duration::from_secs(61);
    assert_eq!(rig.get("/redfish/v1/Systems").0, 401);
    assert_eq!(rig.engine.counts.redfish_expired, 1);
    rig.token = None;
    assert_eq!((rig.get("/redfish/v1/").0, rig.get("/redfish/v1/Systems").0), (200, 401));
}

#[test]
fn accounts_are_the_users_of_ipmi_and_roles_hold() {
    let mut rig = Rig::new("generic");
    let made = json!({"UserName": "reader", "Password": "reader-pw", "RoleId": "ReadOnly"});
    let (status, body, _) = rig.send("POST", "/redfish/v1/AccountService/Accounts", Some(made.clone()));
    assert_eq!((status, &body["RoleId"], &body["Password"]), (201, &json!("ReadOnly"), &Value::Null));
    assert_eq!(rig.send("POST", "/redfish/v1/AccountService/Accounts", Some(made)).0, 400);
    assert_eq!(rig.engine.config.users.len(), 2);
    let admin = rig.token.take();
    let login = json!({"UserName": "reader", "Password": "reader-pw"});
    let (_, _, headers) = rig.send("POST", "/redfish/v1/SessionService/Sessions", Some(login));
    rig.token = headers.into_iter().find(|(name, _)| *name == "x-auth-token").map(|(_, t)| t);
    // The test's tokens are all alike; the newest one is who asks.
    rig.engine.web.sessions.remove(0);
    assert_eq!(rig.get("/redfish/v1/Systems/1").0, 200);
    let reset = Some(json!({"ResetType": "On"}));
    assert_eq!(rig.send("POST", "/redfish/v1/Systems/1/Actions/ComputerSystem.Reset", reset).0, 403);
    assert_eq!(rig.engine.counts.power_ups, 0);
    rig.token = admin;
    assert!(!serde_json::to_string(&rig.engine.log.all()).unwrap().contains("reader-pw"));
}

#[test]
fn media_logs_and_the_manager() {
    for (profile, slot, log) in [
        ("generic", "/redfish/v1/Managers/1/VirtualMedia/CD1", "/redfish/v1/Managers/1/LogServices/SEL"),
        ("ilo", "/redfish/v1/Managers/1/VirtualMedia/2/", "/redfish/v1/Systems/1/LogServices/IML/"),
    ] {
        let mut rig = Rig::new(profile);
        let target = |body: &Value, name: &str| body["Actions"][name]["target"].as_str().unwrap().to_owned();
        let (_, body) = rig.get(slot);
        let image = json!({"Image": "http://example.net/a.iso"});
        let insert = target(&body, "#VirtualMedia.InsertMedia");
        assert!(rig.send("POST", &insert, Some(image.clone())).0 < 205);
        assert_eq!(rig.get(slot).1["Image"], "http://example.net/a.iso");
        assert!(rig.send("POST", &insert, Some(image)).0 >= 400);
        assert!(rig.send("POST", &target(&body, "#VirtualMedia.EjectMedia"), Some(json!({}))).0 < 205);
        assert_eq!(rig.get(slot).1["Inserted"], false);
        let (_, service) = rig.get(log);
        let entries = service["Entries"]["@odata.id"].as_str().unwrap().to_owned();
        assert_eq!(rig.get(&entries).1["Members@odata.count"], 3);
        assert!(rig.send("POST", &target(&service, "#LogService.ClearLog"), Some(json!({}))).0 < 205);
        assert_eq!(rig.get(&entries).1["Members@odata.count"], 0);
        assert_eq!(rig.engine.shelf.clears, 1, "it is the log of IPMI, too");

        rig.engine.config.boot_time = Duration::from_secs(5);
        let (_, manager) = rig.get("/redfish/v1/Managers/1");
        assert!(
            rig.send(
                "POST",
                &target(&manager, "#Manager.Reset"),
                Some(json!({"ResetType": "GracefulRestart"}))
            )
            .0 < 205
        );
        let (status, _, headers) = rig.send("GET", "/redfish/v1/", None);
        assert_eq!((status, headers), (503, vec![("retry-after", "6".to_owned())]));
        rig.now += Duration::from_secs(5);
        assert_eq!((rig.get("/redfish/v1/").0, rig.get("/redfish/v1/Systems").0), (200, 401));
    }
}

#[test]
fn faults_strike_by_kind_and_path_and_the_log_tells() {
    let mut rig = Rig::new("generic");
    let system = "/redfish/v1/Systems/1";
    let conflict = Effect::Http { status: 409, message: Some("ResourceInUse".into()), retry_after: Some(2) };
    rig.engine.faults.0 = vec![
        Rule::new(On::Redfish(Op::Change), conflict).times(1),
        Rule::new(On::Redfish(Op::Read), Effect::NoContent).path("*/Bios").times(1),
        Rule::new(On::Redfish(Op::Reset), Effect::Task { ms: 500, state: "Exception".into() }).times(1),
        Rule::new(On::Redfish(Op::Reset), Effect::Stuck),
    ];
    assert_eq!(rig.get(system).0, 200);
    assert_eq!(rig.get(&format!("{system}/Bios")).0, 204);
    let target = format!("{system}/Actions/ComputerSystem.Reset");
    let on = || Some(json!({"ResetType": "On"}));
    assert_eq!(rig.send("POST", &target, on()).0, 409);
    let (status, _, headers) = rig.send("POST", &target, on());
    let monitor = &headers.iter().find(|(name, _)| *name == "location").unwrap().1;
    assert_eq!((status, rig.get(monitor).0), (202, 202));
    rig.now += Duration::from_secs(1);
    assert_eq!(rig.get(monitor).1["TaskState"], "Exception");
    assert_eq!(rig.engine.counts.power_ups, 0);
    assert_eq!(rig.send("POST", &target, on()).0, 204);
    assert!(
        !rig.engine.chassis.power() && rig.engine.counts.power_ups == 1,
        "stuck: counted, nothing happens"
    );
    let log = rig.engine.log.all();
    let resets: Vec<_> = log.iter().filter(|entry| entry.what == "redfish-reset").collect();
    let seen: Vec<_> = resets.iter().map(|e| (e.status, e.done, e.fault.as_deref())).collect();
    assert_eq!(
        seen,
        [
            (Some(409), false, Some("http")),
            (Some(202), false, Some("task")),
            (Some(204), true, Some("stuck"))
        ]
    );
    assert!(resets.iter().all(|entry| entry.method == "POST" && entry.data.contains("ResetType")));
    assert!(!serde_json::to_string(&log).unwrap().contains("secret"));
}

#[test]
fn settings_of_a_scenario_reach_the_machine() {
    let mut config = BmcConfig::new("admin", "secret".to_owned());
    let settings = Settings {
        boot_ms: Some(7),
        soft_ignored: Some(true),
        suites: Some(vec![17]),
        ..Settings::default()
    };
    settings.apply(&mut config).unwrap();
    assert_eq!((config.boot_time, config.soft_delay), (Duration::from_millis(7), None));
    assert!(Settings { suites: Some(vec![0]), ..Settings::default() }.apply(&mut config).is_err());
}
