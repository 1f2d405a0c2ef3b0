//! The rules of each type beyond its field set (wire-protocol §2.3, §2.4).

mod network;
mod pool;

use crate::{
    claims::check_claims, index::IndexValue, kind::Kind, memory::Row, names::NameRule, schema::Checker,
    state::State,
};
use drp_protocol::JsonMap;
use serde_json::Value;
use std::{collections::BTreeSet, sync::Arc};

/// Types that other objects refer to: when one comes, objects that missed it are judged anew.
pub(crate) const REFERENCED: [&str; 11] = [
    "bootenvs",
    "contexts",
    "pools",
    "profiles",
    "roles",
    "stages",
    "subnets",
    "tasks",
    "templates",
    "users",
    "workflows",
];

/// What is wrong with an object.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// It may not be stored.
    pub(crate) fatal: Vec<String>,
    /// It may not be created, and is not available when it is there already.
    pub(crate) dangling: Vec<String>,
}

/// One object under examination.
pub(crate) struct Subject<'a> {
    pub(crate) state: &'a State,
    pub(crate) prefix: &'a str,
    pub(crate) key: &'a str,
    pub(crate) object: &'a JsonMap,
}

impl Subject<'_> {
    fn text(&self, field: &str) -> &str {
        self.object.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn texts(&self, field: &str) -> impl Iterator<Item = &str> {
        self.object.get(field).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }

    fn names(&self, field: &str, what: &str, rule: NameRule, report: &mut Report) {
        for name in self.texts(field) {
            rule.check(self.key, what, name, &mut report.fatal);
        }
    }

    /// Names that must exist, each at most once when they are profiles.
    fn references(&self, field: &str, word: &str, prefix: &str, report: &mut Report) {
        for (at, name) in self.texts(field).enumerate() {
            if !NameRule::Name.admits(name) {
                report.fatal.push(format!("{}: Invalid {word} `{name}`", self.key));
            } else if !self.state.exists(prefix, name) {
                report.dangling.push(format!("{}: {word} {name} (at {at}) does not exist", self.key));
            }
        }
    }

    fn distinct(&self, field: &str, word: &str, report: &mut Report) {
        let names: Vec<&str> = self.texts(field).collect();
        for (i, name) in names.iter().enumerate() {
            if let Some(j) = names[i + 1..].iter().position(|other| other == name) {
                report.fatal.push(format!("{}: Duplicate {word} {name}: at {i} and {}", self.key, i + 1 + j));
            }
        }
    }

    pub(crate) fn examine(&self, report: &mut Report) {
        self.names("RequiredParams", "Param", NameRule::Param, report);
        self.names("OptionalParams", "Param", NameRule::Param, report);
        match self.prefix {
            "machines" => self.machine(report),
            "params" => self.param(report),
            "profiles" => {
                self.distinct("Profiles", "profile", report);
                self.references("Profiles", "Profile", "profiles", report);
                if let Some(way) = self.nested_in_itself() {
                    report.fatal.push(format!("{}: Profile {} contains itself: {way}", self.key, self.key));
                }
            }
            "plugins" => NameRule::Name.check(self.key, "Provider", self.text("Provider"), &mut report.fatal),
            "tasks" => {
                self.templates(report);
                self.references("Prerequisites", "Task", "tasks", report);
                self.references("ExtraRoles", "Role", "roles", report);
                self.claims("ExtraClaims", report);
            }
            "stages" => {
                self.templates(report);
                self.distinct("Profiles", "profile", report);
                self.references("Profiles", "Profile", "profiles", report);
                self.task_list(report);
                self.boot_env(report);
            }
            "workflows" => self.references("Stages", "Stage", "stages", report),
            "bootenvs" => {
                self.templates(report);
                self.operating_system(report);
            }
            "roles" => self.claims("Claims", report),
            "tenants" => self.tenant(report),
            "users" => self.references("Roles", "Role", "roles", report),
            "subnets" => self.subnet(report),
            "leases" => self.lease(report),
            "reservations" => self.reservation(report),
            "pools" => self.pool(report),
            "jobs" => {
                if uuid::Uuid::parse_str(self.key).is_err() {
                    report.fatal.push(format!("{}: Invalid Uuid `{}`", self.key, self.key));
                }
                let fits = |field: &str, words: &[&str]| words.contains(&self.text(field));
                if !fits("State", &["created", "running", "incomplete", "failed", "finished"]) {
                    report.fatal.push(format!("{}: Invalid State `{}`", self.key, self.text("State")));
                }
                if !fits("ExitState", &["", "reboot", "poweroff", "stop", "complete", "failed"]) {
                    report.fatal.push(format!(
                        "{}: Invalid ExitState `{}`",
                        self.key,
                        self.text("ExitState")
                    ));
                }
            }
            _ => {}
        }
    }

    /// A user is in one tenant at most; a type that nobody knows would restrict nothing.
    fn tenant(&self, report: &mut Report) {
        self.distinct("Users", "user", report);
        self.references("Users", "User", "users", report);
        for user in self.texts("Users") {
            if let Some(other) = self.state.other_tenant(self.key, user) {
                report.fatal.push(format!("{}: User {user} is already in tenant {other}", self.key));
            }
        }
        for prefix in
            self.object.get("Members").and_then(Value::as_object).into_iter().flat_map(JsonMap::keys)
        {
            let special = ["contents", "files", "interfaces", "isos", "plugin_providers"];
            if self.state.table(prefix).is_none() && !special.contains(&prefix.as_str()) {
                report.dangling.push(format!("{}: There are no objects of type {prefix}", self.key));
            }
        }
    }

    fn claims(&self, field: &str, report: &mut Report) {
        let claims = self.object.get(field).cloned().unwrap_or_default();
        let claims: Vec<drp_protocol::Claim> = serde_json::from_value(claims).unwrap_or_default();
        check_claims(&claims, &self.state.raw_types(), &mut report.fatal);
    }

    /// The way from a profile back to itself, when there is one.
    fn nested_in_itself(&self) -> Option<String> {
        let mut met = BTreeSet::new();
        let mut ways: Vec<Vec<String>> = self.texts("Profiles").map(|name| vec![name.to_owned()]).collect();
        while let Some(way) = ways.pop() {
            let Some(name) = way.last() else { continue };
            if name == self.key {
                return Some(format!("{} -> {}", self.key, way.join(" -> ")));
            }
            if !met.insert(name.clone()) {
                continue;
            }
            let map = self.state.row("profiles", name).map(|row| row.map()).unwrap_or_default();
            for nested in map.get("Profiles").and_then(Value::as_array).into_iter().flatten() {
                ways.extend(nested.as_str().map(|n| way.iter().cloned().chain([n.to_owned()]).collect()));
            }
        }
        None
    }

    /// Architectures by their canonical names, loaders by `<architecture>-<firmware>`.
    fn operating_system(&self, report: &mut Report) {
        let keys = |value: Option<&Value>| -> Vec<String> {
            value.and_then(Value::as_object).map(|map| map.keys().cloned().collect()).unwrap_or_default()
        };
        for arch in keys(self.object.get("OS").and_then(|os| os.get("SupportedArchitectures"))) {
            report.fatal.extend(canonical_arch(&arch).err());
        }
        for loader in keys(self.object.get("Loaders")) {
            if !loader
                .split_once('-')
                .is_some_and(|(arch, firmware)| !arch.is_empty() && !firmware.is_empty())
            {
                report.fatal.push(format!("{}: Loader {loader} is not named as amd64-uefi is", self.key));
            }
        }
    }

    fn machine(&self, report: &mut Report) {
        if uuid::Uuid::parse_str(self.key).is_err() {
            report.fatal.push(format!("{}: Invalid Uuid `{}`", self.key, self.key));
        }
        NameRule::Machine.check(self.key, "Name", self.text("Name"), &mut report.fatal);
        for mac in self.texts("HardwareAddrs") {
            let parts: Vec<&str> = mac.split([':', '-']).collect();
            let fits = |p: &&str| p.len() == 2 && p.bytes().all(|b| b.is_ascii_hexdigit());
            if !matches!(parts.len(), 6 | 8 | 20) || !parts.iter().all(fits) {
                report.fatal.push(format!("{}: Invalid Hardware Address `{mac}`", self.key));
            }
        }
        report.fatal.extend(canonical_arch(self.text("Arch")).err());
        self.in_pool(report);
        self.distinct("Profiles", "profile", report);
        self.references("Profiles", "Profile", "profiles", report);
        self.task_list(report);
        let stage = self.text("Stage");
        if !stage.is_empty() && !self.state.exists("stages", stage) {
            report.dangling.push(format!("Stage {stage} does not exist"));
        }
        let workflow = self.text("Workflow");
        if !workflow.is_empty() && !self.state.exists("workflows", workflow) {
            report.dangling.push(format!("Workflow {workflow} does not exist"));
        }
        let context = self.text("Context");
        if !context.is_empty() && !self.state.exists("contexts", context) {
            report.dangling.push(format!("Context {context} does not exist"));
        }
        self.boot_env(report);
    }

    /// Machines and stages name a boot environment: it must exist, be available and, for machines, be meant for
    /// known ones.
    fn boot_env(&self, report: &mut Report) {
        let name = self.text("BootEnv");
        if name.is_empty() {
            return;
        }
        let Some(row) = self.state.row("bootenvs", name) else {
            report.dangling.push(format!("Bootenv {name} does not exist"));
            return;
        };
        let map = row.map();
        let flag = |field: &str| map.get(field).and_then(Value::as_bool).unwrap_or(false);
        if !flag("Available") {
            report.dangling.push(format!("BootEnv {name} is not available"));
        }
        if self.prefix == "machines" && flag("OnlyUnknown") {
            report.dangling.push(format!(
                "BootEnv {name} does not allow Machine assignments, it has the OnlyUnknown flag."
            ));
        }
    }

    /// Task names and `stage:X`, `bootenv:X`, `action:[plugin:]cmd`, `chroot:X`, `context:X`.
    fn task_list(&self, report: &mut Report) {
        for (at, task) in self.texts("Tasks").enumerate() {
            let (word, prefix, name) = match task.split_once(':') {
                None => ("Task", "tasks", task),
                Some(("stage", name)) => ("Stage", "stages", name),
                Some(("bootenv", name)) => ("BootEnv", "bootenvs", name),
                Some(("context", name)) if !name.is_empty() => ("Context", "contexts", name),
                Some(("action" | "chroot" | "context", _)) => continue,
                Some((other, _)) => {
                    report
                        .fatal
                        .push(format!("{}: Task {task} (at {at}): {other}: is not a task action", self.key));
                    continue;
                }
            };
            if !self.state.exists(prefix, name) {
                report.dangling.push(format!("{}: {word} {name} (at {at}) does not exist", self.key));
            }
        }
    }

    fn param(&self, report: &mut Report) {
        let schema = self.object.get("Schema").unwrap_or(&Value::Null);
        match Checker::compile(schema) {
            Err(text) => report.fatal.push(format!("{}: Invalid schema: {text}", self.key)),
            Ok(checker) => {
                if let Some(default) = schema.get("default")
                    && let Err(text) = checker.check(default)
                {
                    report.fatal.push(format!("{}: Error in default value: {text}", self.key));
                }
            }
        }
    }

    /// What is no template is not available: nothing that uses it could run.
    fn parses(&self, name: &str, text: &str, report: &mut Report) {
        if text.contains("{{")
            && let Err(error) = drp_template::check(name, text)
        {
            report.dangling.push(format!("{}: {error}", self.key));
        }
    }

    fn templates(&self, report: &mut Report) {
        let templates =
            self.object.get("Templates").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let field = |t: &Value, f: &str| t.get(f).and_then(Value::as_str).unwrap_or_default().to_owned();
        let mut seen = BTreeSet::new();
        let mut with_os = 0;
        for template in templates {
            let name = field(template, "Name");
            for (what, field_name) in [("", "Contents"), (" (Path)", "Path"), (" (Link)", "Link")] {
                self.parses(&format!("{name}{what}"), &field(template, field_name), report);
            }
            if !seen.insert(name.clone()) {
                report.fatal.push(format!("{}: Duplicate template name {name}", self.key));
            }
            if template.get("Meta").and_then(|m| m.get("OS")).is_some() {
                with_os += 1;
            }
            if !field(template, "Link").is_empty() {
                continue;
            }
            let (id, contents) = (field(template, "ID"), field(template, "Contents"));
            if id.is_empty() == contents.is_empty() {
                let which = if id.is_empty() { "neither" } else { "both" };
                report.fatal.push(format!("{}: Template {name} has {which} of ID and Contents", self.key));
            } else if !id.is_empty() && !self.state.exists("templates", &id) {
                report.dangling.push(format!("{}: Template {id} does not exist", self.key));
            }
        }
        if self.prefix == "tasks" && with_os != 0 && with_os != templates.len() {
            report.fatal.push(format!("{}: Either all templates must have Meta OS or none", self.key));
        }
    }
}

/// Checks an architecture name; the text of the error names the canonical one.
pub(crate) fn canonical_arch(arch: &str) -> Result<(), String> {
    let canonical = match arch.to_ascii_lowercase().as_str() {
        "amd64" | "x86_64" => "amd64",
        "386" | "i386" | "i486" | "i586" | "i686" | "x86" => "386",
        "arm64" | "aarch64" => "arm64",
        "arm" | "armv7" | "armv7l" | "armhf" => "arm",
        "ppc64" | "power9be" => "ppc64",
        "ppc64le" | "power9" => "ppc64le",
        "mips64" => "mips64",
        "mips64le" | "mips64el" => "mips64le",
        "s390x" => "s390x",
        "riscv64" => "riscv64",
        _ => return Err(format!("Unsupported arch {arch}")),
    };
    if arch == canonical { Ok(()) } else { Err(format!("Please use {canonical} for Arch instead of {arch}")) }
}

/// Who uses an object, one text each: such an object cannot be deleted.
pub(crate) fn users_of(state: &State, prefix: &str, key: &str) -> Vec<String> {
    let mut users = Vec::new();
    let mut scan = |by: &str, word: &str, field: &str| {
        let Some(table) = state.table(by) else { return };
        for row in table.snapshot() {
            if users.len() >= 20 {
                return;
            }
            if mentions(&table.kind, &row, field, key) {
                let map = row.map();
                let name = map.get("Name").and_then(Value::as_str).unwrap_or(&row.key);
                users.push(format!("{} {key} is in use by {word} {name}", singular(prefix)));
            }
        }
    };
    let by: &[(&str, &str, &str)] = match prefix {
        "bootenvs" => &[("machines", "machine", "BootEnv"), ("stages", "stage", "BootEnv")],
        "stages" => &[("machines", "machine", "Stage"), ("workflows", "workflow", "Stages")],
        "workflows" => &[("machines", "machine", "Workflow")],
        "profiles" => &[
            ("machines", "machine", "Profiles"),
            ("stages", "stage", "Profiles"),
            ("profiles", "profile", "Profiles"),
        ],
        "tasks" => &[("stages", "stage", "Tasks"), ("tasks", "task", "Prerequisites")],
        "roles" => &[("users", "user", "Roles")],
        "pools" => &[("machines", "machine", "Pool"), ("pools", "pool", "ParentPool")],
        "templates" => &[
            ("tasks", "task", "Templates"),
            ("stages", "stage", "Templates"),
            ("bootenvs", "bootenv", "Templates"),
        ],
        _ => &[],
    };
    for (by, word, field) in by {
        scan(by, word, field);
    }
    for (pref, of) in crate::prefs::references() {
        let names = |row: Arc<Row>| row.map().get("Val").and_then(Value::as_str) == Some(key);
        if of == prefix && state.row("preferences", pref).is_some_and(names) {
            users.push(format!("{} {key} is in use by preference {pref}", singular(prefix)));
        }
    }
    users
}

/// Whether a field of an object names another one. Fields with an index need no parsing.
pub(crate) fn mentions(kind: &Kind, row: &Row, field: &str, name: &str) -> bool {
    if let Some(value) = kind.index(field).and_then(|at| row.index.get(at)) {
        return match value {
            IndexValue::Text(text) => **text == *name,
            IndexValue::List(list) => list.iter().any(|v| **v == *name),
            _ => false,
        };
    }
    match row.map().get(field) {
        Some(Value::String(text)) => text == name,
        Some(Value::Array(list)) => {
            list.iter().any(|v| v.as_str() == Some(name) || v.get("ID").and_then(Value::as_str) == Some(name))
        }
        _ => false,
    }
}

fn singular(prefix: &str) -> String {
    let mut word = prefix.strip_suffix('s').unwrap_or(prefix).to_owned();
    if let Some(first) = word.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    word
}
