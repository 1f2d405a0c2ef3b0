//! The object types the command line knows by name, and how their tables look.

/// A type of objects.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Type {
    /// Its prefix in the API, and its word on the command line.
    pub(crate) prefix: &'static str,
    /// One of it, in words.
    pub(crate) one: &'static str,
    /// The field that a bare name given to `create` goes to, and that names it to people.
    pub(crate) name: &'static str,
    /// It has params.
    pub(crate) params: bool,
    /// Plugins can offer actions on it.
    pub(crate) actions: bool,
    /// Title and JSON Pointer of the columns of its table.
    pub(crate) columns: &'static [(&'static str, &'static str)],
    /// The only shared verbs it has, when it does not have them all.
    pub(crate) only: &'static [&'static str],
}

impl Type {
    /// Whether it has this one of the shared verbs.
    pub(crate) fn shares(&self, verb: &str) -> bool {
        self.only.is_empty() || self.only.contains(&verb)
    }
}

const NAMED: &[(&str, &str)] =
    &[("Name", "/Name"), ("Available", "/Available"), ("Bundle", "/Bundle"), ("Description", "/Description")];

const ID: &[(&str, &str)] =
    &[("Id", "/Id"), ("Available", "/Available"), ("Bundle", "/Bundle"), ("Description", "/Description")];

const fn named(prefix: &'static str, one: &'static str) -> Type {
    Type { prefix, one, name: "Name", params: false, actions: true, columns: NAMED, only: &[] }
}

const fn with_id(prefix: &'static str, one: &'static str) -> Type {
    Type { name: "Id", columns: ID, ..named(prefix, one) }
}

/// All of them, in the order in which help lists them. Types that a plugin adds work as well: their word is
/// taken to the daemon as it is.
pub(crate) const TYPES: &[Type] = &[
    Type {
        params: true,
        columns: &[
            ("Name", "/Name"),
            ("Uuid", "/Uuid"),
            ("Address", "/Address"),
            ("Stage", "/Stage"),
            ("Runnable", "/Runnable"),
            ("Locked", "/Locked"),
            ("Description", "/Description"),
        ],
        ..named("machines", "machine")
    },
    Type {
        columns: &[
            ("Name", "/Name"),
            ("Type", "/Schema/type"),
            ("Secure", "/Secure"),
            ("Bundle", "/Bundle"),
            ("Description", "/Description"),
        ],
        actions: false,
        ..named("params", "param definition")
    },
    Type { params: true, ..named("profiles", "profile") },
    Type {
        params: true,
        columns: &[
            ("Name", "/Name"),
            ("Provider", "/Provider"),
            ("Available", "/Available"),
            ("Errors", "/PluginErrors"),
            ("Description", "/Description"),
        ],
        ..named("plugins", "plugin")
    },
    Type {
        columns: &[
            ("Name", "/Name"),
            ("Version", "/Version"),
            ("AutoStart", "/AutoStart"),
            ("Actions", "/AvailableActions"),
            ("Description", "/Meta/Description"),
        ],
        only: &["list", "show", "exists", "destroy"],
        ..named("plugin_providers", "plugin provider")
    },
    Type {
        columns: &[("Name", "/Name"), ("Roles", "/Roles"), ("Description", "/Description")],
        ..named("users", "user")
    },
    named("roles", "role"),
    named("tenants", "tenant"),
    Type { params: true, ..named("stages", "stage") },
    named("tasks", "task"),
    named("workflows", "workflow"),
    Type {
        name: "ID",
        columns: &[
            ("ID", "/ID"),
            ("Available", "/Available"),
            ("Bundle", "/Bundle"),
            ("Description", "/Description"),
        ],
        ..named("templates", "template")
    },
    named("bootenvs", "boot environment"),
    Type {
        name: "Machine",
        columns: &[
            ("Uuid", "/Uuid"),
            ("Machine", "/Machine"),
            ("Task", "/Task"),
            ("State", "/State"),
            ("ExitState", "/ExitState"),
            ("StartTime", "/StartTime"),
        ],
        ..named("jobs", "job")
    },
    named("subnets", "subnet"),
    Type {
        name: "Addr",
        columns: &[
            ("Addr", "/Addr"),
            ("Token", "/Token"),
            ("State", "/State"),
            ("ExpireTime", "/ExpireTime"),
        ],
        ..named("leases", "lease")
    },
    Type {
        name: "Addr",
        columns: &[
            ("Addr", "/Addr"),
            ("Token", "/Token"),
            ("Subnet", "/Subnet"),
            ("Description", "/Description"),
        ],
        ..named("reservations", "reservation")
    },
    Type {
        columns: &[("Name", "/Name"), ("Addresses", "/Addresses"), ("Gateway", "/Gateway")],
        only: &["list", "show", "exists"],
        ..named("interfaces", "network interface")
    },
    named("contexts", "context"),
    with_id("pools", "pool"),
    Type { params: true, ..with_id("endpoints", "endpoint") },
    Type { actions: false, ..with_id("version_sets", "version set") },
    Type { actions: false, ..with_id("catalog_items", "catalog item") },
    Type {
        columns: &[
            ("Name", "/meta/Name"),
            ("Version", "/meta/Version"),
            ("Type", "/meta/Type"),
            ("Description", "/meta/Description"),
        ],
        only: &["list", "show", "exists", "create", "update", "destroy"],
        ..named("contents", "content bundle")
    },
];

/// The columns of types that are not known by name.
pub(crate) const RAW_COLUMNS: &[(&str, &str)] =
    &[("Id", "/Id"), ("Type", "/Type"), ("Description", "/Description")];

/// The type of that prefix.
pub(crate) fn find(prefix: &str) -> Option<&'static Type> {
    TYPES.iter().find(|t| t.prefix == prefix)
}

/// The columns of a type's table.
pub(crate) fn columns(prefix: &str) -> &'static [(&'static str, &'static str)] {
    find(prefix).map_or(RAW_COLUMNS, |t| t.columns)
}

/// One object of the type, in words.
pub(crate) fn one(prefix: &str) -> &str {
    find(prefix).map_or(prefix, |t| t.one)
}

/// The field that names an object of the type.
pub(crate) fn name_field(prefix: &str) -> &'static str {
    find(prefix).map_or("Id", |t| t.name)
}
