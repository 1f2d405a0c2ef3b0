//! The pack as such.

use drp_tests::daemon::Daemon;
use drp_tests::pack::Pack;
use serde_json::{Value, json};

/// Params that other packs bring, which this one reads when they are there.
const FOREIGN: [&str; 2] = ["dns-servers", "ntp-servers"];

#[tokio::test]
async fn the_pack_is_documented_and_whole() {
    let pack = Pack::of_plugin("ipmi").await;
    pack.check(&FOREIGN);
    // The names that users of Digital Rebar know (plugins §1.2).
    let names = |section: &str| pack.section(section).map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let has_all = |section: &str, known: &[&str]| {
        let names = names(section);
        for name in known {
            assert!(names.iter().any(|n| n == name), "{section}: {name} is not there");
        }
    };
    has_all("stages", &["ipmi-configure", "ipmi-inventory", "ipmi-install-cert"]);
    has_all(
        "tasks",
        &[
            "ipmi-install",
            "ipmi-discover",
            "ipmi-configure",
            "ipmi-inventory",
            "ipmi-run-commands",
            "ipmi-install-cert-or-key",
            "ipmi-network-validation",
            "ipmi-status-validation",
            "reset-bmc",
        ],
    );
    has_all(
        "templates",
        &[
            "ipmi-configure.sh.tmpl",
            "ipmi-inventory.sh.tmpl",
            "ipmi-install.sh.tmpl",
            "ipmi-install-cert-key.sh.tmpl",
            "ipmi-quirks.yaml.tmpl",
            "ipmi-process-quirks.sh.tmpl",
            "ipmi-load-quirks.sh.tmpl",
            "ipmi-info-keys.sh.tmpl",
            "ipmi-vendor.sh.tmpl",
            "ipmi-dell-tools.sh.tmpl",
            "ipmi-hpe-tools.sh.tmpl",
            "ipmi-lenovo-tools.sh.tmpl",
            "ipmi-any-tools.sh.tmpl",
            "ipmi-passgen.py.tmpl",
        ],
    );
    let stage = |name: &str| pack.section("stages").find(|(key, _)| *key == name).unwrap().1.clone();
    assert_eq!(stage("ipmi-configure")["Tasks"], json!(["ipmi-configure", "ipmi-run-commands"]));
    assert_eq!(stage("ipmi-configure")["RunnerWait"], true);
    assert_eq!(stage("ipmi-inventory")["Tasks"], json!(["ipmi-inventory"]));
    assert_eq!(stage("ipmi-install-cert")["Tasks"], json!(["ipmi-install-cert-or-key"]));
}

/// Every param of the reference's table (plugins §1.2), its type, its default and whether it is sealed. What differs on
/// purpose is in decision 0003, and said here.
#[tokio::test]
async fn every_param_that_users_know_is_there_with_its_type_and_default() {
    let pack = Pack::of_plugin("ipmi").await;
    let none = Value::Null;
    let text = "string";
    let mut table: Vec<(&str, &str, Value)> = vec![
        // Ours has no default, so that a machine without BMC has no actions.
        ("address", text, none.clone()),
        ("address-v4", text, json!("0.0.0.0")),
        // "::/255" is no address.
        ("address-v6", text, json!("::")),
        ("netmask", text, json!("")),
        ("netmask-v4", text, json!("255.255.255.255")),
        ("netmask-v6", text, json!("128")),
        ("gateway", text, json!("")),
        ("gateway-v4", text, json!("0.0.0.0")),
        ("gateway-v6", text, json!("::")),
        // `ipmitool` is accepted and means the same.
        ("mode", text, json!("ipmi")),
        ("port-ipmitool", "integer", json!(0)),
        ("port-racadm", "integer", json!(0)),
        ("port-redfish", "integer", json!(443)),
        ("port-lpar", "integer", json!(12443)),
        ("identify-duration", "integer", json!(60)),
        ("virtual-media-boot", "boolean", json!(false)),
        ("enabled", "boolean", none.clone()),
        ("auto-boot-target", "boolean", json!(false)),
        ("prefer-v6", "boolean", json!(false)),
        ("force-protocol", text, none.clone()),
        ("force-lan-chan", "integer", none.clone()),
        ("service-user", "boolean", json!(false)),
        ("skip-status-validation", "boolean", json!(true)),
        ("extra-ipmi-commands", "array", json!([])),
        ("configure/reserve-ip", "boolean", json!(true)),
        ("configure/ip-mode", text, json!("dhcp")),
        ("configure/dns-servers", "array", none.clone()),
        ("configure/ntp-servers", "array", none.clone()),
        ("configure/port", text, none.clone()),
        ("configure/username", text, json!("root")),
        // A published password is none.
        ("configure/password", text, none.clone()),
        ("configure/userid", "integer", none.clone()),
        (
            "configure/random-password-settings",
            text,
            json!("length=16, lower=2, upper=2, digits=2, special=1"),
        ),
    ];
    for name in ["ipsrc", "ipsrc-v4", "ipsrc-v6"] {
        table.push((name, text, json!("")));
    }
    for name in ["macaddr", "username", "password", "lpar-id", "virtual-media-url", "csr"] {
        table.push((name, text, none.clone()));
    }
    for name in ["network", "user", "no-bmc-fatal", "generate-csr", "generate-random-password"] {
        table.push((&*format!("configure/{name}").leak(), "boolean", json!(false)));
    }
    for name in [
        "address",
        "netmask",
        "gateway",
        "hostname",
        "domain",
        "timezone",
        "certificate",
        "key",
        "post-csr-task",
        // One company's subject is nobody else's default.
        "cert-country",
        "cert-province",
        "cert-locality",
        "cert-org",
        "cert-org-unit",
    ] {
        table.push((&*format!("configure/{name}").leak(), text, none.clone()));
    }
    for (name, kind, default) in table {
        let name = format!("ipmi/{name}");
        let param = pack.section("params").find(|(key, _)| **key == name);
        let (_, param) = param.unwrap_or_else(|| panic!("{name} is not there"));
        assert_eq!(param["Schema"]["type"], *kind, "{name}");
        assert_eq!(param["Schema"].get("default").cloned().unwrap_or_default(), default, "{name}");
        let secret = ["ipmi/password", "ipmi/configure/password", "ipmi/configure/key"].contains(&&*name);
        assert_eq!(param["Secure"] == true, secret, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_takes_it_and_what_it_renders_is_clean() {
    let daemon = Daemon::builder().plugin("ipmi").start();
    let pack = Pack::of_plugin("ipmi").await;
    pack.loads(&daemon, "ipmi").await;
    pack.scripts_are_clean(&daemon, &[json!({}), everything("plain"), everything(HOSTILE)]).await;
    pack.scripts_are_clean(
        &daemon,
        &[json!({
            "ipmi/enabled": false, "ipmi/force-protocol": "v6", "ipmi/skip-status-validation": false,
            "ipmi/configure/certificate": "x", "ipmi/quirks": [],
        })],
    )
    .await;
}

/// Quotes of all kinds, commands, line ends, and what templates and other parsers could take for theirs.
pub const HOSTILE: &str =
    "'\"`id`$(touch /tmp/drp-pwned)\n;touch /tmp/drp-pwned\n{{ .Machine.Name }} PASSGEN\nQUIRKS\nEOF\n%s\\";

/// All params set, texts to this one.
pub fn everything(text: &str) -> Value {
    let mut params = json!({
        "ipmi/enabled": true, "ipmi/force-lan-chan": 1, "ipmi/force-protocol": "v4", "ipmi/prefer-v6": true,
        "ipmi/service-user": true, "ipmi/skip-status-validation": false, "ipmi/quirks": ["ipmi-nodelay"],
        "ipmi/extra-ipmi-commands": [text, text],
        "ipmi/configure/network": true, "ipmi/configure/user": true, "ipmi/configure/generate-csr": false,
        "ipmi/configure/generate-random-password": true, "ipmi/configure/no-bmc-fatal": true,
        "ipmi/configure/ip-mode": "static", "ipmi/configure/port": "shared", "ipmi/configure/userid": 5,
        "ipmi/configure/dns-servers": [text, text], "ipmi/configure/ntp-servers": [text],
    });
    for name in ["address", "gateway", "netmask", "username", "password", "csr"] {
        params[format!("ipmi/{name}")] = json!(text);
    }
    for name in [
        "address",
        "netmask",
        "gateway",
        "hostname",
        "domain",
        "timezone",
        "certificate",
        "key",
        "post-csr-task",
        "username",
        "password",
        "random-password-settings",
        "cert-country",
        "cert-province",
        "cert-locality",
        "cert-org",
        "cert-org-unit",
    ] {
        params[format!("ipmi/configure/{name}")] = json!(text);
    }
    params
}
