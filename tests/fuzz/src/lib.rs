//! What the fuzz targets do with a text, and what must hold whatever it is. The seeds of `corpus/` run through the same
//! functions in `cargo test -p drp-tests --test fuzz`.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

pub mod manifest;
pub mod records;
pub mod redfish;
pub mod rmcp;

use drp_objects::{ListQuery, Objects, Options, Patch, Principal};
use serde_json::{Value, json};
use std::sync::OnceLock;

/// A document on the first line, a patch on the others (RFC 6902, wire-protocol §3.4).
pub fn patch(data: &[u8]) {
    let at = data.iter().position(|b| *b == b'\n').unwrap_or(0);
    let (document, ops) = data.split_at(at);
    let patch = match Patch::parse(ops) {
        Ok(patch) => patch,
        Err(error) => return refused(error.code, 400, &error.messages),
    };
    let Ok(document) = serde_json::from_slice::<Value>(document) else { return };
    match patch.applied(document.clone()) {
        Err(error) => refused(error.code, 409, &error.messages),
        Ok(result) => {
            if patch.only_reads() {
                assert_eq!(result, document, "tests changed the document");
            }
            // What came out is a document like any other: it is found by a test and can be put in its place again.
            let again = json!([{"op": "test", "path": "", "value": result}, {"op": "replace", "path": "", "value": result}]);
            let text = again.to_string();
            if text.len() < 1 << 20 && depth(&again) < 100 {
                let again = Patch::parse(text.as_bytes()).expect("a patch of what was patched");
                assert_eq!(again.applied(result.clone()).expect("it is what it is"), result);
            }
        }
    }
}

fn depth(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => map.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

fn refused(code: u16, want: u16, messages: &[String]) {
    assert_eq!(code, want, "{messages:?}");
    assert!(!messages.is_empty() && messages.iter().all(|text| !text.is_empty()), "{messages:?}");
}

/// A decoded query string of a list of machines (wire-protocol §3.5).
pub fn filter(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let pairs = text.trim_end_matches('\n').split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    let mut query = match ListQuery::parse(pairs) {
        Ok(query) => query,
        Err(error) => return refused(error.code, 406, &error.messages),
    };
    let who = Principal::full("user:fuzz");
    let listing = match machines().list(&who, "machines", &query) {
        Ok(listing) => listing,
        Err(error) => return refused(error.code, 406, &error.messages),
    };
    assert_eq!(listing.total, MACHINES);
    assert!(listing.count <= listing.filtered && listing.filtered <= listing.total, "{text}");
    let list: Vec<Value> = serde_json::from_slice(&listing.json).expect("a JSON list");
    assert_eq!(list.len(), listing.count, "{text}");
    query.head = true;
    let counted = machines().list(&who, "machines", &query).expect("HEAD as GET");
    assert_eq!(counted.filtered, listing.filtered, "{text}");
    // Limits and order say which are shown, not which match.
    (query.head, query.offset, query.limit, query.reverse) = (false, 0, None, !query.reverse);
    let whole = machines().list(&who, "machines", &query).expect("the same list, turned round");
    assert_eq!((whole.count, whole.filtered), (listing.filtered, listing.filtered), "{text}");
}

const MACHINES: usize = 5;

/// A few machines that differ in everything lists look at.
fn machines() -> &'static Objects {
    static OBJECTS: OnceLock<Objects> = OnceLock::new();
    OBJECTS.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        runtime.block_on(async {
            let store = drp_store::open("memory:///", drp_store::Options::default()).expect("store");
            let objects = Objects::open(store, Options::default()).await.expect("objects");
            let who = Principal::full("user:fuzz");
            for (name, kind) in [("lamp/id", "integer"), ("lamp/name", "string"), ("lamp/on", "boolean")] {
                let param = json!({"Name": name, "Schema": {"type": kind}});
                objects.create(&who, "params", param).await.expect("param");
            }
            for n in 0..MACHINES {
                let machine = json!({
                    "Name": format!("m{n}"),
                    "Address": if n % 2 == 0 { format!("10.0.0.{n}") } else { String::new() },
                    "Meta": {"side": if n < 2 { "left" } else { "right" }},
                    "Params": {"lamp/id": n, "lamp/name": format!("größe {n}"), "lamp/on": n % 2 == 0, "free": [n]},
                });
                objects.create(&who, "machines", machine).await.expect("machine");
            }
            objects
        })
    })
}

/// A content bundle, JSON or YAML, as a file and as it comes over the wire (wire-protocol §2.5).
pub fn bundle(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let _ = drp_content::read_value("content", text).map(serde_json::from_value::<drp_content::Bundle>);
    let Ok(bundle) = drp_content::parse("bundle", text) else { return };
    let json = drp_content::to_json(&bundle).expect("as JSON");
    assert_eq!(drp_content::parse("again", &json).expect("our own JSON"), bundle);
    let yaml = drp_content::to_yaml(&bundle).expect("as YAML");
    assert_eq!(drp_content::parse("again", &yaml).expect("our own YAML"), bundle);
    let _ = drp_content::summary(&bundle);
    let _ = drp_content::document(&bundle);
}

/// An answer of an HMC, whatever it was asked (HMC REST API).
pub fn hmc(data: &[u8]) {
    use drp_hmc::codec;
    let text = String::from_utf8_lossy(data);
    let said = codec::refusal(&text);
    assert!(
        !said.is_empty() && said.chars().count() <= 400 && !said.chars().any(char::is_control),
        "{said:?}"
    );
    if let Ok(session) = codec::session(&text) {
        assert!(
            !session.is_empty() && session.chars().all(|c| c.is_ascii_graphic()),
            "it goes into a header"
        );
    }
    if let Ok(partition) = codec::partition(&text) {
        assert_eq!(partition.fields.get("PartitionState"), Some(&partition.state));
        assert!(partition.fields.values().all(|text| !text.chars().any(char::is_control)));
    }
    if let Ok(job) = codec::job(&text) {
        assert!(
            job.id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'),
            "it goes into a path: {}",
            job.id
        );
        assert!(job.message.chars().count() <= 400);
    }
    let _ = codec::console(&text);
    // What we write is what we read, whatever stands in it.
    if !text.chars().any(char::is_control) && text.len() < 1000 {
        let request = codec::logon_request(&text, "x");
        assert!(request.contains("<Password kb=\"CUR\" kxe=\"false\">x</Password>"));
    }
}

/// What VBoxManage printed, as the virtualbox-ipmi plugin reads it (plugins §2.4), and the same words for a remote shell.
pub fn vbox(data: &[u8]) {
    use drp_ssh::quote;
    use drp_vbox::{Info, KnownHosts, Output, Power, text};
    for vm in text::list(data) {
        assert!(drp_vbox::is_uuid(&vm.uuid) && vm.uuid == vm.uuid.to_ascii_lowercase());
        // What was read is listed again as the same.
        if !vm.name.contains(['\n', '\r']) {
            assert_eq!(text::list(format!("\"{}\" {{{}}}\n", vm.name, vm.uuid).as_bytes()), [vm]);
        }
    }
    if let Some(info) = Info::parse(data) {
        assert!(drp_vbox::is_uuid(&info.uuid));
        let off =
            ["poweroff", "powered off", "saved", "aborted", "aborted-saved", "abortedsaved", "teleported"];
        let known = off.contains(&info.state.to_ascii_lowercase().as_str());
        assert_eq!(info.power() == Power::Off, known, "{:?} is never shown as off", info.state);
        assert!(info.macs().iter().all(|mac| mac.len() == 17) && info.boot_order().len() <= 4);
    }
    let pairs = text::Pairs::parse(data);
    assert!(pairs.iter().all(|(key, _)| !key.trim().is_empty()));
    let _ = (text::version(data), text::made(data));
    let refused =
        drp_vbox::refusal("x", &Output { status: Some(1), stdout: Vec::new(), stderr: data.to_vec() });
    assert!(refused.what.len() < 4_000 && !refused.what.contains(char::is_control));
    let text = String::from_utf8_lossy(data);
    let _ = KnownHosts::parse(&text).algorithms("host", 22);
    assert_eq!(unquoted(&quote::word(&text)), text);
}

/// What a POSIX shell makes of one word of single quotes and backslashes.
fn unquoted(word: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    let mut letters = word.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\'' => quoted = !quoted,
            '\\' if !quoted => text.extend(letters.next()),
            other => text.push(other),
        }
    }
    text
}
