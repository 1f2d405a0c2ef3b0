//! The JSON of every wire type, held by golden files: its empty value and one with every field set
//! (wire-protocol §2). `UPDATE_GOLDEN=1 cargo test -p drp-protocol` writes them anew; review the difference, clients
//! depend on it.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_protocol::*;
use proptest::prelude::*;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use std::{fmt::Debug, path::Path};

/// Values a field may take, most telling first. A text that is base64 and a time come after a plain text.
fn candidates(field: &str) -> Vec<Value> {
    vec![
        json!(format!("{field} text")),
        json!("2024-05-01T10:00:00.123456789Z"),
        json!("warn"),
        json!("AQIDBA=="),
        json!(7),
        json!(true),
        json!(["one", "two"]),
        json!([{}]),
        json!(["AQIDBA=="]),
        json!({ "key": "value" }),
        json!({ "key": 7 }),
        json!({ "key": ["one"] }),
        json!({ "key": { "deeper": { "field": "value" } } }),
        json!({ "key": {} }),
        json!({}),
    ]
}

trait Wire: Serialize + DeserializeOwned + Default + PartialEq + Debug {}
impl<T: Serialize + DeserializeOwned + Default + PartialEq + Debug> Wire for T {}

fn decode<T: Wire>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_value(value.clone())
}

/// The type with every field set to the first value that comes back as it was, or else to one that is taken.
fn filled<T: Wire>(fields: &[&str]) -> Value {
    let mut all = serde_json::Map::new();
    for field in fields {
        let alone = |value: &Value| json!({ *field: value });
        let comes_back = |value: &&Value| {
            decode::<T>(&alone(value)).is_ok_and(|t| serde_json::to_value(t).unwrap()[*field] == **value)
        };
        let values = candidates(field);
        let found =
            values.iter().find(comes_back).or_else(|| values.iter().find(|v| decode::<T>(&alone(v)).is_ok()));
        all.insert((*field).to_owned(), found.unwrap_or_else(|| panic!("no value fits {field}")).clone());
    }
    serde_json::to_value(decode::<T>(&Value::Object(all)).unwrap()).unwrap()
}

fn check<T: Wire>(name: &str, fields: &[&str]) {
    let empty = serde_json::to_value(T::default()).unwrap();
    let full = filled::<T>(fields);
    assert_eq!(
        full.as_object().unwrap().len(),
        fields.len(),
        "{name}: every field is written when it is set"
    );

    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.json"));
    let text = serde_json::to_string_pretty(&json!({ "empty": empty, "filled": full })).unwrap() + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&golden, &text).unwrap();
    }
    assert_eq!(
        std::fs::read_to_string(&golden).unwrap_or_default(),
        text,
        "{name} differs from {}",
        golden.display()
    );

    let value: T = decode(&full).unwrap();
    assert_eq!(serde_json::to_value(&value).unwrap(), full, "{name} comes back");
    assert_eq!(decode::<T>(&empty).unwrap(), T::default(), "{name} comes back when empty");
    assert_eq!(decode::<T>(&Value::Null).unwrap(), T::default(), "{name}: null is the empty value");
    for rename in [str::to_lowercase as fn(&str) -> String, str::to_uppercase] {
        let other: Value = full.as_object().unwrap().iter().map(|(k, v)| (rename(k), v.clone())).collect();
        assert_eq!(decode::<T>(&other).unwrap(), value, "{name}: field names in any case");
    }
    let nulls: Value = fields.iter().map(|f| ((*f).to_owned(), Value::Null)).collect();
    assert_eq!(decode::<T>(&nulls).unwrap(), T::default(), "{name}: null leaves a field empty");
    let mut more = full;
    more["No Such Field"] = json!({"deep": [1]});
    assert_eq!(decode::<T>(&more).unwrap(), value, "{name}: unknown fields are passed over");
}

/// Whatever decodes comes back the same after encoding: for any choice of fields, values and spellings.
fn comes_back<T: Wire>(fields: &[&str], choices: &[(usize, usize, String, bool)]) {
    let mut object = serde_json::Map::new();
    for (field, value, text, lower) in choices {
        let field = fields[field % fields.len()];
        let values = candidates(text);
        let spelled = if *lower { field.to_lowercase() } else { field.to_owned() };
        object.insert(spelled, values[value % values.len()].clone());
    }
    if let Ok(value) = decode::<T>(&Value::Object(object)) {
        let text = serde_json::to_string(&value).unwrap();
        assert_eq!(serde_json::from_str::<T>(&text).unwrap(), value, "{text}");
    }
}

macro_rules! types {
    ($($Type:ident)*) => {
        #[test]
        fn every_type_is_golden() {
            $(check::<$Type>(stringify!($Type), $Type::FIELDS);)*
        }

        #[test]
        fn every_golden_file_has_its_type() {
            let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
            for entry in std::fs::read_dir(dir).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                let known = [$(concat!(stringify!($Type), ".json")),*];
                assert!(known.contains(&name.as_str()), "{name} belongs to no type");
            }
        }

        proptest! {
            #[test]
            fn what_decodes_comes_back(
                choices in proptest::collection::vec((0..64_usize, 0..32_usize, ".{0,12}", any::<bool>()), 0..8)
            ) {
                $(comes_back::<$Type>($Type::FIELDS, &choices);)*
            }
        }
    };
}

types! {
    Action AvailableAction BlobInfo BootEnv Bundle BundleMeta BundleSummary Claim Context DhcpOption Error Event
    Fingerprint Index Info Interface Job JobAction Lease License Line Machine OsArch OsInfo Param Plugin PluginProvider
    PluginProviderUploadInfo Pool Pref Profile Reservation Role SecureData Stage Stat Subnet Task TaskErrorStack Template
    TemplateInfo Tenant User UserPassword UserToken Workflow
}

/// What the groups of wire-protocol §2.1 and a few whole types are, written down by hand: a slip in the field tables
/// would otherwise make a golden file of the slip.
#[test]
fn field_names_are_those_of_the_protocol() {
    let groups = "Validated Available Errors ReadOnly Meta Endpoint Bundle";
    let names = |text: &str| {
        let mut names: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
        names.sort();
        names
    };
    let of = |fields: &[&str]| names(&fields.join(" "));
    for (fields, want) in [
        (Plugin::FIELDS, format!("{groups} Partial Name Description Documentation Params Provider PluginErrors")),
        (Param::FIELDS, format!("{groups} Name Description Documentation Secure Schema")),
        (Profile::FIELDS, format!("{groups} Partial Name Description Documentation Params Profiles")),
        (
            Machine::FIELDS,
            format!(
                "{groups} Partial Name Description Uuid CurrentJob Address Stage BootEnv Workflow Profiles Params Tasks \
                 CurrentTask RetryTaskAttempt TaskErrorStacks Runnable Secret OS HardwareAddrs Arch Locked Context \
                 Fingerprint Pool PoolAllocated PoolStatus WorkflowComplete"
            ),
        ),
        (
            PluginProvider::FIELDS,
            "Meta Name Version PluginVersion AutoStart HasPublish AvailableActions RequiredParams OptionalParams \
             StoreObjects Documentation Content"
                .to_owned(),
        ),
        (Action::FIELDS, "Model Plugin Command CommandSet Params".to_owned()),
        (Event::FIELDS, "Time Type Action Key Principal Object Original".to_owned()),
        (Error::FIELDS, "Model Key Type Messages Code".to_owned()),
        (
            Line::FIELDS,
            "Group Seq Time Service Principal Level File Line Message Data IgnorePublish".to_owned(),
        ),
        (User::FIELDS, format!("{groups} Name Description PasswordHash Secret Roles")),
        (
            Job::FIELDS,
            format!(
                "{groups} Uuid Previous Machine Task Stage Context State ExitState StartTime EndTime Archived Current \
                 CurrentIndex NextIndex Workflow BootEnv ExtraClaims Token"
            ),
        ),
        (
            Task::FIELDS,
            format!(
                "{groups} Name Description Documentation Templates RequiredParams OptionalParams Prerequisites ExtraRoles \
                 ExtraClaims"
            ),
        ),
        (
            BootEnv::FIELDS,
            format!(
                "{groups} Name Description Documentation OS Templates Kernel Initrds BootParams RequiredParams \
                 OptionalParams OnlyUnknown Loaders"
            ),
        ),
        (
            Stage::FIELDS,
            format!(
                "{groups} Partial Name Description Documentation Templates RequiredParams OptionalParams Params BootEnv \
                 Tasks Profiles Reboot RunnerWait"
            ),
        ),
    ] {
        assert_eq!(of(fields), names(&want));
    }
}
