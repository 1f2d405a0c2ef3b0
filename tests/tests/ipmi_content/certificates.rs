//! Certificates, host names, DNS, NTP through the tools of the makers, which note here what they get. What they take is from
//! the makers' guides, as the heads of the templates name them; no tool of a maker runs on this host.

use crate::machine::Machine;
use serde_json::{Value, json};

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nTUlJQ2VydA==\n-----END CERTIFICATE-----";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\na2V5LWNhbmFyeQ==\n-----END PRIVATE KEY-----";
const REQUEST: &str = "-----BEGIN CERTIFICATE REQUEST-----\nUkVR\n-----END CERTIFICATE REQUEST-----";

/// A program that keeps a copy of each file it is given, as `NAME.<file's name>`, and of its standard input.
fn keeps(machine: &Machine, program: &str, more: &str) {
    let at = machine.file("kept/.kept", "").parent().unwrap().display().to_string();
    machine.program(program, &format!("for word; do [ ! -f \"$word\" ] || cp \"$word\" {at}/; done\n{more}"));
}

fn names() -> Value {
    json!({
        "ipmi/configure/hostname": "bmc-7", "ipmi/configure/domain": "oob.example.net", "ipmi/configure/timezone": "Europe/Vienna",
        "ipmi/configure/dns-servers": ["192.0.2.1", "192.0.2.2"], "ipmi/configure/ntp-servers": ["ntp.example.net"],
        "ipmi/configure/cert-country": "AT", "ipmi/configure/cert-org": "A & B <\"x\">",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn dell_gets_names_a_request_and_a_certificate_with_its_key() {
    let Some(machine) = Machine::start().await else { return };
    machine.vendor("Dell Inc.");
    keeps(
        &machine,
        "idracadm7",
        &format!("case $1 in sslcsrgen) printf '%s\\n' '{REQUEST}' >\"$4\" ;; esac"),
    );
    machine.set_all(names()).await;
    machine.set_all(json!({"ipmi/configure/generate-csr": true, "ipmi/configure/post-csr-task": "ipmi-network-validation"})).await;
    let (_, said) = machine.run(&["ipmi-configure"]).await;
    assert!(said.contains("ipmi/csr") && said.contains("is not set"), "the task after it ran: {said}");
    assert_eq!(machine.param("ipmi/csr").await, json!(REQUEST));
    let calls = machine.calls("idracadm7");
    for call in [
        "set iDRAC.NIC.DNSRacName bmc-7",
        "set iDRAC.NIC.DNSDomainName oob.example.net",
        "set iDRAC.IPv4.DNS1 192.0.2.1",
        "set iDRAC.IPv4.DNS2 192.0.2.2",
        "set iDRAC.NTPConfigGroup.NTP1 ntp.example.net",
        "set iDRAC.NTPConfigGroup.NTPEnable Enabled",
        "set iDRAC.Time.Timezone Europe/Vienna",
        "set iDRAC.Security.CsrCommonName bmc-7.oob.example.net",
        "set iDRAC.Security.CsrCountryCode AT",
        "set iDRAC.Security.CsrOrganizationName A & B <\"x\">",
    ] {
        assert!(calls.iter().any(|c| c == call), "{call}: {calls:?}");
    }
    // A request that is there is not made again.
    machine.good("ipmi-configure").await;
    assert!(!machine.calls("idracadm7").iter().any(|call| call.contains("csr")));

    machine.set_all(json!({"ipmi/configure/certificate": CERTIFICATE, "ipmi/configure/key": KEY})).await;
    let said = machine.good("ipmi-install-cert-or-key").await;
    assert!(said.contains("the certificate is installed") && !said.contains("a2V5"), "{said}");
    assert_eq!(machine.read("kept/cert.pem"), format!("{CERTIFICATE}\n"), "really written");
    assert_eq!(machine.read("kept/key.pem"), format!("{KEY}\n"));
    let calls = machine.calls("idracadm7");
    assert!(
        calls[0].starts_with("sslkeyupload -t 1 -f ") && calls[1].starts_with("sslcertupload -t 1 -f "),
        "{calls:?}"
    );
    assert_eq!(calls[2], "racreset soft");
    let scratch = calls[0].rsplit(' ').next().unwrap();
    assert!(!std::path::Path::new(scratch).exists(), "the key is gone");
    // A tool that refuses is a failure.
    machine.program("idracadm7", "echo 'ERROR: Unable to perform the requested operation'; exit 2");
    assert!(machine.bad("ipmi-install-cert-or-key").await.contains("the certificate was not installed"));
    // With the switch for the request off, the configuration installs it, too.
    keeps(&machine, "idracadm7", "");
    machine.set("ipmi/configure/generate-csr", json!(false)).await;
    machine.calls("idracadm7");
    machine.good("ipmi-configure").await;
    assert!(machine.calls("idracadm7").iter().any(|call| call.starts_with("sslcertupload")));
}

#[tokio::test(flavor = "multi_thread")]
async fn hpe_gets_ribcl_on_standard_input() {
    let Some(machine) = Machine::start().await else { return };
    machine.vendor("HPE");
    let at = machine.file("ribcl", "").display().to_string();
    let answer = format!("case $got in *SIGNING*) printf '%s\\n' '{REQUEST}' ;; esac");
    machine.program("hponcfg", &format!("got=$(cat)\nprintf '%s\\n' \"$got\" >>{at}\n{answer}"));
    machine.set_all(names()).await;
    machine
        .set_all(json!({"ipmi/configure/generate-csr": true, "ipmi/configure/user": true,
        "ipmi/configure/username": "bob", "ipmi/configure/password": "hpe-canary-pass"}))
        .await;
    machine.good("ipmi-configure").await;
    let said = machine.read("ribcl");
    for part in [
        "<RIBCL VERSION=\"2.0\">",
        "<DNS_NAME value=\"bmc-7\"/>",
        "<DOMAIN_NAME value=\"oob.example.net\"/>",
        "<SEC_DNS_SERVER value=\"192.0.2.2\"/>",
        "<SNTP_SERVER1 value=\"ntp.example.net\"/>",
        "<CSR_COMMON_NAME value=\"bmc-7.oob.example.net\"/>",
        "<CSR_ORGANIZATION value=\"A &amp; B &lt;&quot;x&quot;&gt;\"/>",
        "<MOD_USER USER_LOGIN=\"bob\">",
    ] {
        assert!(said.contains(part), "{part} is not in\n{said}");
    }
    assert!(!said.contains("hpe-canary-pass"));
    assert_eq!(machine.param("ipmi/csr").await, json!(REQUEST));
    assert!(machine.calls("hponcfg").iter().all(|call| call == "--input"));
    machine.set("ipmi/configure/certificate", json!(CERTIFICATE)).await;
    machine.good("ipmi-install-cert-or-key").await;
    assert!(
        machine
            .read("ribcl")
            .contains(&format!("<IMPORT_CERTIFICATE>\n{CERTIFICATE}\n</IMPORT_CERTIFICATE>"))
    );
    machine.set("ipmi/configure/key", json!(KEY)).await;
    assert!(machine.bad("ipmi-install-cert-or-key").await.contains("iLO takes no private key"));
}

#[tokio::test(flavor = "multi_thread")]
async fn lenovo_gets_a_certificate_in_der() {
    let Some(machine) = Machine::start().await else { return };
    machine.vendor("Lenovo");
    keeps(&machine, "OneCli", "case \"$1 $2\" in 'config export') printf REQ >\"$4\" ;; esac");
    machine.set_all(names()).await;
    machine.set("ipmi/configure/generate-csr", json!(true)).await;
    machine.good("ipmi-configure").await;
    assert_eq!(machine.param("ipmi/csr").await, json!(REQUEST));
    let request = machine.read("kept/csr.xml");
    assert!(
        request.contains("<item type=\"commonName\"><value>bmc-7.oob.example.net</value></item>"),
        "{request}"
    );
    assert!(request.contains("A &amp; B &lt;"), "{request}");
    assert!(machine.calls("OneCli").contains(&"config set IMM.HostName1 bmc-7".to_owned()));
    machine.set("ipmi/configure/certificate", json!(CERTIFICATE)).await;
    machine.good("ipmi-install-cert-or-key").await;
    assert_eq!(machine.read("kept/cert.der"), "MIICert");
    assert!(machine.calls("OneCli")[0].starts_with("config import IMM.SSL_HTTPS_SERVER_CERT "));
}

#[tokio::test(flavor = "multi_thread")]
async fn makers_without_a_tool_are_a_message() {
    let Some(machine) = Machine::start().await else { return };
    assert!(machine.good("ipmi-install-cert-or-key").await.contains("nothing to install"));
    machine.set("ipmi/configure/certificate", json!(CERTIFICATE)).await;
    machine.set_all(names()).await;
    assert!(machine.good("ipmi-install-cert-or-key").await.contains("takes none in-band"));
    assert!(machine.good("ipmi-configure").await.contains("are not set: IPMI has no command for them"));
    machine.vendor("Dell Inc.");
    let said = machine.good("ipmi-install-cert-or-key").await;
    assert!(said.contains("the tool of Dell Inc. is not installed"), "{said}");
    // A request that was asked for and cannot be had is a failure: somebody waits for it.
    machine.set("ipmi/configure/generate-csr", json!(true)).await;
    assert!(machine.bad("ipmi-configure").await.contains("there is no certificate signing request"));
}
