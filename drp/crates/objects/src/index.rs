//! Indexes: what lists can be filtered and sorted by (wire-protocol §3.5).

use drp_protocol::{Index, JsonMap, Time};
use serde_json::Value;
use std::{net::IpAddr, sync::Arc};

/// The value type of an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IndexType {
    Text,
    Bool,
    Ip,
    Uuid,
    Time,
    ExpireTime,
    Cidr,
    List,
}

impl IndexType {
    /// The word clients know.
    fn word(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Bool => "boolean",
            Self::Ip => "IP Address",
            Self::Uuid => "UUID string",
            Self::Time => "dateTime",
            Self::ExpireTime => "Date/Time string",
            Self::Cidr => "CIDR Address",
            Self::List => "list",
        }
    }
}

/// Where an index finds its value in an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The object's key.
    Key,
    /// A field at the top.
    Field(String),
    /// A field of an object at the top.
    Inner(&'static str, &'static str),
}

/// One index of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexDef {
    pub(crate) name: String,
    pub(crate) r#type: IndexType,
    pub(crate) source: Source,
    pub(crate) unique: bool,
    pub(crate) unordered: bool,
    pub(crate) regex: bool,
    /// For the engine alone: it is not shown, and nobody filters by it.
    pub(crate) internal: bool,
}

impl IndexDef {
    /// An index over the field of its name, with flags as the tables of the spec write them: `U` unique, `N` not
    /// sortable, `R` regex; `I` is ours, internal.
    pub(crate) fn new(name: &str, r#type: IndexType, flags: &str) -> Self {
        Self {
            name: name.to_owned(),
            r#type,
            source: Source::Field(name.to_owned()),
            unique: flags.contains('U'),
            unordered: flags.contains('N'),
            regex: flags.contains('R'),
            internal: flags.contains('I'),
        }
    }

    pub(crate) fn from(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    /// As GET `/indexes` shows it.
    pub(crate) fn shown(&self) -> Index {
        Index {
            r#type: self.r#type.word().to_owned(),
            unique: self.unique,
            unordered: self.unordered,
            regex: self.regex,
        }
    }

    /// The value of an object.
    pub(crate) fn value(&self, key: &str, object: &JsonMap) -> IndexValue {
        let found = match &self.source {
            Source::Key => return IndexValue::Text(key.into()),
            Source::Field(name) => object.get(name),
            Source::Inner(outer, inner) => object.get(*outer).and_then(|o| o.get(*inner)),
        };
        let text = || found.and_then(Value::as_str).unwrap_or_default();
        match self.r#type {
            IndexType::Text | IndexType::Uuid => IndexValue::Text(text().into()),
            IndexType::Cidr => IndexValue::Net(net(text())),
            IndexType::Bool => IndexValue::Bool(found.and_then(Value::as_bool).unwrap_or(false)),
            // A CIDR counts as its network address.
            IndexType::Ip => IndexValue::Ip(text().split('/').next().and_then(|ip| ip.parse().ok())),
            IndexType::Time | IndexType::ExpireTime => IndexValue::Time(moment(text()).unwrap_or(NEVER)),
            IndexType::List => IndexValue::List(match found {
                Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).map(Into::into).collect(),
                Some(Value::Object(map)) => map.keys().map(|k| k.as_str().into()).collect(),
                _ => Box::default(),
            }),
        }
    }

    /// A value out of a query string.
    pub(crate) fn parse(&self, text: &str) -> Result<IndexValue, String> {
        let bad = |what: &str| format!("Filter not valid: {}: {text:?} is not {what}", self.name);
        Ok(match self.r#type {
            IndexType::Text => IndexValue::Text(text.into()),
            IndexType::Cidr if text.is_empty() => IndexValue::Net(None),
            IndexType::Cidr => IndexValue::Net(Some(net(text).ok_or_else(|| bad("a CIDR address"))?)),
            IndexType::Uuid => IndexValue::Text(text.to_ascii_lowercase().into()),
            IndexType::Bool => match text.to_ascii_lowercase().as_str() {
                "true" | "t" | "1" => IndexValue::Bool(true),
                "false" | "f" | "0" => IndexValue::Bool(false),
                _ => return Err(bad("true or false")),
            },
            IndexType::Ip if text.is_empty() => IndexValue::Ip(None),
            IndexType::Ip => IndexValue::Ip(Some(text.parse().map_err(|_| bad("an IP address"))?)),
            IndexType::Time | IndexType::ExpireTime => {
                IndexValue::Time(moment(text).ok_or_else(|| bad("an RFC 3339 time"))?)
            }
            IndexType::List => IndexValue::Text(text.into()),
        })
    }
}

/// Before every moment there is.
const NEVER: (i64, u32) = (i64::MIN, 0);

/// Seconds since the epoch and nanoseconds, whatever the time zone it is written in.
fn moment(text: &str) -> Option<(i64, u32)> {
    const SECOND: i128 = 1_000_000_000;
    let nanos = serde_json::from_value::<Time>(text.into()).ok()?.unix_nanos();
    Some((i64::try_from(nanos.div_euclid(SECOND)).ok()?, u32::try_from(nanos.rem_euclid(SECOND)).ok()?))
}

/// Address and prefix length.
fn net(text: &str) -> Option<(IpAddr, u8)> {
    let (address, length) = text.split_once('/')?;
    Some((address.parse().ok()?, length.parse().ok()?))
}

/// The value of one index of one object. Only values of the same type are ever compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum IndexValue {
    Text(Arc<str>),
    Bool(bool),
    Ip(Option<IpAddr>),
    Net(Option<(IpAddr, u8)>),
    Time((i64, u32)),
    List(Box<[Arc<str>]>),
}

impl IndexValue {
    /// The text that a unique index compares; none for an unset value, which is never a duplicate.
    pub(crate) fn unique_text(&self) -> Option<String> {
        match self {
            Self::Text(text) if text.is_empty() => None,
            Self::Text(text) => Some(text.to_string()),
            Self::Bool(b) => Some(b.to_string()),
            Self::Ip(ip) => ip.map(|ip| ip.to_string()),
            Self::Net(net) => net.map(|(address, length)| format!("{address}/{length}")),
            Self::Time((seconds, nanos)) => Some(format!("{seconds}.{nanos}")),
            Self::List(_) => None,
        }
    }
}

/// The indexes that all types have.
pub(crate) fn base_indexes() -> Vec<IndexDef> {
    use IndexType::{Bool, Text};
    vec![
        IndexDef::new("Available", Bool, "N"),
        IndexDef::new("Bundle", Text, "R"),
        IndexDef::new("Key", Text, "UR").from(Source::Key),
        IndexDef::new("ReadOnly", Bool, "N"),
        IndexDef::new("Valid", Bool, "N").from(Source::Field("Validated".to_owned())),
    ]
}

/// The index table of a built-in prefix, base indexes included.
pub(crate) fn table_of(prefix: &str) -> Vec<IndexDef> {
    use IndexType::{Bool, Cidr, ExpireTime, Ip, List, Text, Time, Uuid};
    let name = ("Name", Text, "UR");
    let params = ("Params", List, "N");
    let profiles = ("Profiles", List, "N");
    let own: &[(&str, IndexType, &str)] = match prefix {
        "machines" => &[
            ("Address", Ip, ""),
            ("BootEnv", Text, "R"),
            name,
            params,
            profiles,
            ("Runnable", Bool, "N"),
            ("Stage", Text, "R"),
            ("Uuid", Uuid, "U"),
            ("Workflow", Text, "R"),
        ],
        "plugins" => &[name, params, ("Provider", Text, "R")],
        "params" => &[name, ("Secure", Bool, "N")],
        // What a profile contains is looked up for every machine that has it.
        "profiles" => &[name, params, ("Profiles", List, "NI")],
        "stages" => {
            &[("BootEnv", Text, "R"), name, params, profiles, ("Reboot", Bool, "N"), ("Tasks", List, "N")]
        }
        "workflows" => &[name, ("Stages", List, "N")],
        "tasks" | "roles" | "users" | "tenants" | "contexts" | "preferences" => &[name],
        "templates" => &[("ID", Text, "UR")],
        "bootenvs" => &[name, ("OnlyUnknown", Bool, "N"), ("OsName", Text, "R")],
        "jobs" => &[
            ("Archived", Bool, "N"),
            ("BootEnv", Text, "R"),
            ("Current", Bool, ""),
            ("EndTime", Time, ""),
            ("Machine", Uuid, ""),
            ("Previous", Uuid, ""),
            ("Stage", Text, "R"),
            ("StartTime", Time, ""),
            ("State", Text, "R"),
            ("Task", Text, "R"),
            ("Uuid", Uuid, "U"),
            ("Workflow", Text, "R"),
        ],
        "leases" => &[
            ("Addr", Ip, ""),
            ("ExpireTime", ExpireTime, ""),
            ("State", Text, "R"),
            ("Strategy", Text, "R"),
            ("Token", Text, "R"),
        ],
        "reservations" => {
            &[("Addr", Ip, ""), ("NextServer", Ip, ""), ("Strategy", Text, "R"), ("Token", Text, "R")]
        }
        "subnets" => &[
            ("ActiveAddress", Ip, ""),
            ("Address", Ip, ""),
            ("Enabled", Bool, "N"),
            name,
            ("NextServer", Ip, ""),
            ("Proxy", Bool, ""),
            ("Strategy", Text, "R"),
            ("Subnet", Cidr, "U"),
        ],
        "pools" | "endpoints" | "version_sets" | "catalog_items" => &[("Id", Text, "UR")],
        _ => &[],
    };
    let mut all = base_indexes();
    for (name, r#type, flags) in own {
        let def = IndexDef::new(name, *r#type, flags);
        all.push(match *name {
            "OsName" => def.from(Source::Inner("OS", "Name")),
            "ActiveAddress" => def.from(Source::Field("ActiveStart".to_owned())),
            "Address" if prefix == "subnets" => def.from(Source::Field("Subnet".to_owned())),
            _ => def,
        });
    }
    all
}

#[cfg(test)]
mod tests {
    use super::{IndexDef, IndexType, IndexValue, table_of};
    use serde_json::json;

    #[test]
    fn values_of_objects_and_of_queries_meet() {
        let object =
            json!({"Address": "10.0.0.9", "Params": {"a": 1, "b": 2}, "T": "2024-05-01T12:00:00+02:00"});
        let object = object.as_object().unwrap();
        let ip = IndexDef::new("Address", IndexType::Ip, "");
        assert_eq!(ip.value("k", object), ip.parse("10.0.0.9").unwrap());
        assert!(ip.value("k", object) > ip.parse("9.9.9.9").unwrap());
        assert_eq!(ip.parse("x").unwrap_err(), "Filter not valid: Address: \"x\" is not an IP address");
        let time = IndexDef::new("T", IndexType::Time, "");
        assert_eq!(time.value("k", object), time.parse("2024-05-01T10:00:00Z").unwrap());
        let list = IndexDef::new("Params", IndexType::List, "N");
        assert_eq!(list.value("k", object), IndexValue::List(["a".into(), "b".into()].into()));
    }

    #[test]
    fn the_machine_table() {
        let names: Vec<_> = table_of("machines").into_iter().map(|d| d.name).collect();
        assert_eq!(names.len(), 14);
        let stage = table_of("machines").into_iter().find(|d| d.name == "Stage").unwrap().shown();
        assert_eq!(
            (stage.r#type.as_str(), stage.unique, stage.unordered, stage.regex),
            ("string", false, false, true)
        );
    }
}
