//! What a table holds.

use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;

/// One file: the daemon it wants and what is said to it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Table {
    /// Where the file is, for reports.
    #[serde(skip)]
    pub file: String,
    /// The section of the contract, for people.
    #[serde(rename = "section")]
    pub _section: String,
    /// Plugins of this build whose executables the daemon finds: `incrementer`, `echo`, `stress`.
    #[serde(default)]
    pub plugins: Vec<String>,
    /// Arguments of the daemon.
    #[serde(default)]
    pub args: Vec<String>,
    /// Environment of the daemon.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    pub exchanges: Vec<Exchange>,
}

/// A request and what must come back, or a wait for a plugin.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Exchange {
    /// What it shows, for reports.
    #[serde(default)]
    pub name: String,
    /// Waits until that plugin instance is configured; nothing else may be given.
    pub wait_plugin: Option<String>,
    /// `METHOD path`; a path without a leading slash is under `/api/v3/`.
    #[serde(default)]
    pub request: String,
    /// Who asks: `none`, `bearer TOKEN`, `name:password`; the first account when absent.
    #[serde(rename = "as")]
    pub who: Option<String>,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// A JSON body.
    #[serde(default, deserialize_with = "present")]
    pub body: Option<Value>,
    /// A body of any bytes.
    pub raw: Option<Raw>,
    /// The request begins and does not end while the table runs; no answer is awaited.
    #[serde(default)]
    pub unfinished: bool,
    #[serde(default)]
    pub status: u16,
    /// Headers the answer must have; a null one must be absent.
    #[serde(default)]
    pub answer_headers: BTreeMap<String, Option<String>>,
    /// The whole JSON answer.
    #[serde(default, deserialize_with = "present")]
    pub answer: Option<Value>,
    /// The error the answer must be, whole; `Code` is the status, what is not named is empty.
    pub error: Option<Error>,
    /// What the JSON answer must hold at least.
    #[serde(default, deserialize_with = "present")]
    pub contains: Option<Value>,
    /// The whole answer as text.
    pub text: Option<String>,
    /// The answer has no body.
    #[serde(default)]
    pub empty: bool,
    /// Name -> JSON pointer into the answer, or `header NAME`. Used as `${name}` from then on.
    #[serde(default)]
    pub capture: BTreeMap<String, String>,
    /// Ask again until the answer is the expected one.
    #[serde(default)]
    pub until: bool,
}

/// A body that is not written as JSON.
#[derive(Deserialize)]
#[serde(untagged)]
pub enum Raw {
    Text(String),
    Base64 { base64: String },
    Repeat { repeat: String, times: usize },
    Parts(Vec<Raw>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "PascalCase", default)]
#[derive(Default)]
pub struct Error {
    pub r#type: String,
    pub model: String,
    pub key: String,
    pub messages: Vec<String>,
}

impl Error {
    pub fn json(&self, code: u16) -> Value {
        serde_json::json!({
            "Type": self.r#type, "Model": self.model, "Key": self.key, "Messages": self.messages, "Code": code,
        })
    }
}

/// Tells an explicit null from a missing member.
fn present<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(from).map(Some)
}

/// Reads a table and refuses one that says nothing.
pub fn read(path: &Path) -> Result<Table, String> {
    let file = path.file_name().expect("name").to_string_lossy().into_owned();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{file}: {e}"))?;
    let mut table: Table = serde_yaml_ng::from_str(&text).map_err(|e| format!("{file}: {e}"))?;
    for (at, exchange) in table.exchanges.iter().enumerate() {
        let wrong = |what: &str| Err(format!("{file}, exchange {} ({}): {what}", at + 1, exchange.name));
        if exchange.wait_plugin.is_some() {
            if !exchange.request.is_empty() {
                return wrong("wait-plugin stands alone");
            }
            continue;
        }
        if exchange.request.split_once(' ').is_none() {
            return wrong("request must be `METHOD path`");
        }
        if exchange.unfinished {
            continue;
        }
        if exchange.status == 0 {
            return wrong("status is missing");
        }
        if exchange.body.is_some() && exchange.raw.is_some() {
            return wrong("body and raw exclude each other");
        }
        let bodies = usize::from(exchange.answer.is_some())
            + usize::from(exchange.error.is_some())
            + usize::from(exchange.contains.is_some())
            + usize::from(exchange.text.is_some())
            + usize::from(exchange.empty);
        if bodies > 1 {
            return wrong("one of answer, error, contains, text and empty");
        }
        if exchange.status >= 400 && bodies == 0 && !exchange.request.starts_with("HEAD ") {
            return wrong("say the error, or `empty: true`");
        }
    }
    table.file = file;
    Ok(table)
}

impl Raw {
    pub fn bytes(&self) -> Vec<u8> {
        use base64::Engine as _;
        match self {
            Self::Text(text) => text.clone().into_bytes(),
            Self::Base64 { base64 } => {
                base64::engine::general_purpose::STANDARD.decode(base64).expect("base64 of the table")
            }
            Self::Repeat { repeat, times } => repeat.repeat(*times).into_bytes(),
            Self::Parts(parts) => parts.iter().flat_map(Self::bytes).collect(),
        }
    }
}
