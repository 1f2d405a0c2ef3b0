//! Bad input, peers that are half there, answers that are garbage; and that every code of the page has a test.

use crate::rig::{PASSWORD, Rig, USER, login, simulator};
use drp_bmc_sim::{Effect, On, Rule};
use drp_plugin_testkit::FakeDaemon;
use drp_protocol::{Error, wire};
use drp_tests::daemon::binary;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

/// An error with this code, in three sentences, without a secret.
#[track_caller]
fn is(error: &Error, code: u16, kind: &str) {
    assert_eq!((error.code, error.r#type.as_str()), (code, kind), "{error}");
    assert!(error.messages[1].starts_with("Whose fault: "), "{error}");
    assert!(error.messages[2].starts_with("What to do: "), "{error}");
    assert!(!error.to_string().contains(PASSWORD), "{error}");
}

/// Params that lead to a Redfish service there, with little patience.
fn redfish(at: SocketAddr) -> Value {
    json!({
        "ipmi/address": at.ip().to_string(), "ipmi/port-redfish": at.port(), "ipmi/username": USER,
        "ipmi/password": PASSWORD, "ipmi/mode": "redfish", "ipmi/tls-verify": "plain", "ipmi/min-gap": 0,
        "ipmi/redfish-timeout": 1, "ipmi/verify-timeout": 2,
    })
}

#[tokio::test]
async fn each_param_is_checked_and_named_for_each_driver() {
    let (rig, bmc) = (&Rig::start().await, simulator(|_| {}).await);
    let base = |driver: &str| {
        let mut params = login(bmc.address());
        params["ipmi/mode"] = json!(driver);
        params["ipmi/tls-verify"] = json!("plain");
        params
    };
    let common = [
        (
            "ipmi/address",
            vec![json!(null), json!(""), json!(7), json!("a b"), json!("http://bmc/"), json!(["10.0.0.1"])],
        ),
        ("ipmi/username", vec![json!(null), json!(false), json!({})]),
        ("ipmi/password", vec![json!(null), json!(1234), json!(["x"])]),
        ("ipmi/min-gap", vec![json!(-1), json!("soon"), json!(1e9), json!(0.5)]),
        ("ipmi/verify-timeout", vec![json!(0), json!(1e12), json!("x")]),
        ("ipmi/soft-timeout", vec![json!(0), json!([]), json!(100_000)]),
        ("ipmi/identify-duration", vec![json!(256), json!("long"), json!({})]),
        ("detected-bios-mode", vec![json!(1), json!([])]),
        ("ipmi/virtual-media-boot", vec![json!("yes"), json!(1)]),
        (
            "ipmi/virtual-media-url",
            vec![
                json!(1),
                json!("image.iso"),
                json!("ftp://x/y"),
                json!("http://u:p@h/x"),
                json!("http://h/a b"),
            ],
        ),
        ("ipmi/tls-verify", vec![json!("maybe"), json!(true)]),
        ("ipmi/tls-fingerprint", vec![json!("SHA256:12"), json!(12)]),
        ("ipmi/tls-ca", vec![json!(12)]),
        ("ipmi/system-uuid", vec![json!(12)]),
        ("ipmi/mode", vec![json!(null), json!(5), json!("smoke"), json!("IPMI ")]),
    ];
    let of_ipmi = [
        ("ipmi/username", vec![json!("seventeen-bytes-x")]),
        ("ipmi/password", vec![json!("a password of 21 byte")]),
        ("ipmi/port-ipmitool", vec![json!(-1), json!(65_536), json!("623"), json!(1.5)]),
        ("ipmi/timeout", vec![json!(0), json!(121), json!("x")]),
        ("ipmi/cipher-suite", vec![json!(0), json!(2), json!("3,17"), json!([])]),
        ("ipmi/kg", vec![json!(4), json!("0x1"), json!("0xgg"), json!("a key of more than 20 bytes")]),
    ];
    let of_redfish = [
        ("ipmi/port-redfish", vec![json!(-1), json!(65_536), json!("443")]),
        ("ipmi/redfish-timeout", vec![json!(0), json!(301), json!("x")]),
    ];
    let mut tried = 0;
    for (driver, own) in [("ipmi", &of_ipmi[..]), ("redfish", &of_redfish[..])] {
        for (name, values) in common.iter().chain(own) {
            for value in values {
                let mut params = base(driver);
                params[*name] = value.clone();
                if *name == "ipmi/tls-ca" {
                    params["ipmi/tls-verify"] = json!("verify");
                }
                if value.is_null() {
                    params.as_object_mut().unwrap().remove(*name);
                    if *name == "ipmi/mode" {
                        continue;
                    }
                }
                let error = rig.raw("mountVirtualMedia", params.clone()).await.unwrap_err();
                let error = match error.code {
                    400 => error,
                    // The driver of IPMI has no media, and says so first.
                    _ => rig.raw("nextbootpxe", params).await.expect_err(&format!("{driver} {name}={value}")),
                };
                is(&error, 400, "PARAM");
                assert!(error.messages[0].contains(name), "{driver} {name}={value}: {error}");
                tried += 1;
            }
        }
    }
    assert!(tried > 80, "{tried}");
    for order in [json!("redfish"), json!(["smoke"]), json!([]), json!([1])] {
        let mut params = base("auto");
        params["ipmi/driver-order"] = order.clone();
        let error = rig.raw("powerstatus", params).await.unwrap_err();
        is(&error, 400, "PARAM");
        assert!(error.messages[0].contains("ipmi/driver-order"), "{order}: {error}");
    }
    for verb in [json!("fly"), json!(1)] {
        let mut params = base("ipmi");
        params["ipmi/plan-verb"] = verb;
        is(&rig.raw("powerplan", params).await.unwrap_err(), 400, "PARAM");
    }
    assert_eq!(bmc.counts().datagrams, 0, "nothing was sent");
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
}

#[tokio::test]
async fn half_open_peers_are_silent_within_a_bound() {
    let rig = Rig::start().await;
    // A port that takes packets and says nothing; garbage is no answer either.
    for garbage in [&b""[..], b"\x06", b"\x06\x00\xff\x07", &[0xff; 200]] {
        let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let at = udp.local_addr().unwrap();
        let echo = tokio::spawn(async move {
            let mut buffer = [0; 2048];
            while let Ok((_, from)) = udp.recv_from(&mut buffer).await {
                if !garbage.is_empty() {
                    let _ = udp.send_to(garbage, from).await;
                }
            }
        });
        let error = rig.on(at, "poweron", json!({"ipmi/timeout": 1})).await.unwrap_err();
        let (code, kind) = if garbage.is_empty() { (504, "SILENT") } else { (502, "PROTOCOL") };
        is(&error, code, kind);
        echo.abort();
    }
    // TCP that is accepted and then silent, closed at once, cut in the middle of the answer, or no HTTP at all.
    for (answer, close, code, kinds) in [
        (&b""[..], false, 504, &["SILENT"][..]),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n{\"half", false, 504, &["SILENT"]),
        (b"", true, 504, &["UNREACHABLE", "SILENT"]),
        (b"SSH-2.0-OpenSSH_9.2\r\n", true, 502, &["PROTOCOL"]),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnull", true, 502, &["PROTOCOL"]),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n\xff\xfe{]]]]", true, 502, &["PROTOCOL"]),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let peer = tokio::spawn(async move {
            let mut open = Vec::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let _ = stream.read(&mut [0; 4096]).await;
                let _ = stream.write_all(answer).await;
                if !close {
                    open.push(stream);
                }
            }
        });
        let error = rig.raw("poweron", redfish(at)).await.unwrap_err();
        assert!(kinds.contains(&error.r#type.as_str()), "{answer:?}: {error}");
        is(&error, code, &error.r#type.clone());
        peer.abort();
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_plugin_that_is_stopped_says_so_to_those_who_wait() {
    let rig = Rig::start().await;
    let bmc = simulator(|_| {}).await;
    bmc.set_faults([Rule::new(On::Any, Effect::LoseRequest)]);
    let (waiting, ()) =
        tokio::join!(rig.on(bmc.address(), "powerstatus", json!({"ipmi/timeout": 60})), async {
            while bmc.counts().datagrams == 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            rig.plugin.post(wire::STOP, "null").await.unwrap().success().unwrap();
        });
    is(&waiting.unwrap_err(), 409, "CANCELLED");
}

#[tokio::test]
async fn what_fails_on_this_host_is_its_own_fault() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("racadm");
    std::fs::write(&broken, "#!/no/such/interpreter\n").unwrap();
    std::fs::set_permissions(&broken, std::fs::Permissions::from_mode(0o755)).unwrap();
    let daemon = FakeDaemon::start().await.unwrap();
    let path = folder.path().display().to_string();
    let plugin = daemon.launch_with(binary("ipmi"), "ipmi", &[("PATH", &path)]).await.unwrap();
    plugin.config(json!({})).await.unwrap().success().unwrap();
    let rig = Rig { daemon, plugin };
    let mut params = login("127.0.0.1:9".parse().unwrap());
    params["ipmi/mode"] = json!("racadm");
    params["ipmi/tls-verify"] = json!("off");
    let error = rig.raw("powerstatus", params).await.unwrap_err();
    is(&error, 500, "INTERNAL");
    assert!(error.messages[1].contains("this host's"), "{error}");
    rig.stop().await;
}

/// Every code and type of the page's table is wanted by a test of this area or of the Redfish one.
#[test]
fn every_error_of_the_page_has_a_test() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(here.join("../docs/plugins/ipmi.md")).unwrap();
    let (_, table) = page.split_once("\n## Errors\n").unwrap();
    let rows: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| ")?.split(" | ");
            let (code, kind) = (cells.next()?, cells.next()?);
            Some((code, kind.strip_prefix('`')?.strip_suffix('`')?))
        })
        .collect();
    assert!(rows.len() >= 19, "{rows:?}");
    let mut tests = String::new();
    for area in ["ipmi", "redfish"] {
        for entry in std::fs::read_dir(here.join("tests").join(area)).unwrap() {
            tests += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
    }
    let tests: String = tests.split_whitespace().collect();
    for (code, kind) in rows {
        let wanted = format!("{code},\"{kind}\"");
        assert!(tests.contains(&wanted), "no test wants {code} {kind}");
    }
}
