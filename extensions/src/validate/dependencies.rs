//! Rule 4: what it depends on is there, without cycles and conflicts.

use super::{Report, Surroundings};
use crate::discovery::{Bad, Discovery, Origin, Place, SearchPath, discover};
use crate::extension::Extension;
use crate::manifest::Dependencies;
use crate::{ExtensionError, Manifest, Name, Problem, Rule, same_name};
use drp_protocol::ExtensionType;
use drp_schemas::{Evaluator, SchemaError};
use semver::Version;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// An extension that could fulfil a dependency.
#[derive(Debug, Clone, PartialEq)]
pub struct Known {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub r#type: ExtensionType,
    /// Its version.
    pub version: Version,
    /// What it depends on.
    pub dependencies: Dependencies,
    /// Where it is, for people: a folder, or `registered`.
    pub origin: String,
}

impl Known {
    /// From its manifest.
    #[must_use]
    pub fn new(manifest: &Manifest, origin: impl Into<String>) -> Self {
        Self {
            name: manifest.extension.name.clone(),
            r#type: manifest.extension.r#type,
            version: manifest.extension.version.clone(),
            dependencies: manifest.dependencies.clone(),
            origin: origin.into(),
        }
    }
}

/// Most extensions that are looked at for one validation.
const MOST: usize = 500;

pub(super) async fn apply(
    report: &mut Report<'_>,
    surroundings: &Surroundings,
    cluster: Option<&Value>,
    evaluator: &Evaluator,
) -> Result<(), SchemaError> {
    let extension = report.extension;
    let own = Known::new(&extension.manifest, "this one");
    let mut around = Around {
        discovery: search(extension, &surroundings.search).await,
        registered: &surroundings.registered,
        known: BTreeMap::new(),
        looked_at: 0,
        evaluator,
        problems: Vec::new(),
    };
    // Depth first, so that a cycle is told as the way round.
    let mut walk =
        Walk { chain: vec![own.clone()], seen: BTreeSet::new(), errors: Vec::new(), all: vec![own.clone()] };
    walk.down(&own, &mut around).await?;
    for (chain, name, message) in walk.errors {
        let direct = chain.len() == 1;
        let via: Vec<String> = chain.iter().skip(1).chain([&name]).map(ToString::to_string).collect();
        let first = via.first().cloned().unwrap_or_default();
        let text = if direct { message } else { format!("{message} (by way of {})", via.join(" -> ")) };
        let keys = key_of(extension, &first);
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let problem = report.manifest(Rule::Dependencies, &keys, text, HINT);
        report.errors.push(problem);
    }
    components(report, cluster, &mut around).await?;
    for (path, message) in std::mem::take(&mut around.problems) {
        report.warnings.push(Problem::new(
            Rule::Dependencies,
            ".",
            format!("{path} was not looked at for dependencies: {message}"),
            "mend or remove it",
        ));
    }
    conflicts(report, &walk.all, &surroundings.registered);
    Ok(())
}

/// Task services of a cluster that are nowhere to be found: it can be registered, and deployed once they are there.
async fn components(
    report: &mut Report<'_>,
    cluster: Option<&Value>,
    around: &mut Around<'_>,
) -> Result<(), SchemaError> {
    let list = cluster.and_then(|cluster| cluster["components"].as_array()).into_iter().flatten();
    for component in list.filter(|one| one["type"] == "taskserv" && one["enabled"] != false) {
        let Some(name) = component["name"].as_str().and_then(|name| name.parse::<Name>().ok()) else {
            continue;
        };
        let found = around.find(&name).await?;
        if !found.iter().any(|known| known.r#type == ExtensionType::Taskserv) {
            report.warnings.push(Problem::new(
                Rule::Dependencies,
                "schemas",
                format!("the component {name} is a taskserv, and there is none of that name here"),
                "register it before the cluster is created",
            ));
        }
    }
    Ok(())
}

const HINT: &str = "install it, name a folder that has it, or correct the entry";

/// Where a dependency stands in the manifest.
fn key_of(extension: &Extension, name: &str) -> Vec<String> {
    if extension.manifest_file() == crate::manifest::EXTENSION_YAML {
        return vec!["extension".into(), "dependencies".into(), name.to_owned()];
    }
    let text = extension.tree.text(&extension.root, extension.manifest_file()).unwrap_or_default();
    let listed = vec!["dependencies".into(), "requires".into(), name.to_owned()];
    let keys: Vec<&str> = listed.iter().map(String::as_str).collect();
    if crate::lines::of_key(&text, &keys).is_some() {
        listed
    } else {
        vec!["dependencies".into(), name.to_owned()]
    }
}

/// What lies in the folders given, and around the extension itself: `providers/x` among others by type, or flat.
async fn search(extension: &Extension, given: &SearchPath) -> Discovery {
    let mut path = given.clone();
    if let Some(parent) = extension.root.parent() {
        let by_type = ExtensionType::ALL.iter().any(|kind| parent.ends_with(kind.folder()));
        let around = if by_type { parent.parent() } else { Some(parent) };
        path.0.extend(around.map(|path| Place { path: path.to_owned(), origin: Origin::Workspace }));
    }
    // The folder around may be any, and large.
    tokio::task::spawn_blocking(move || discover(&path)).await.unwrap_or_default()
}

struct Around<'a> {
    discovery: Discovery,
    registered: &'a [Known],
    known: BTreeMap<Name, Vec<Known>>,
    looked_at: usize,
    evaluator: &'a Evaluator,
    problems: Vec<(String, String)>,
}

impl Around<'_> {
    /// All extensions of a name.
    async fn find(&mut self, name: &Name) -> Result<Vec<Known>, SchemaError> {
        if let Some(known) = self.known.get(name) {
            return Ok(known.clone());
        }
        let mut found: Vec<Known> =
            self.registered.iter().filter(|known| known.name == *name).cloned().collect();
        let all = self.discovery.found.iter().chain(&self.discovery.hidden).map(|found| &found.identity);
        let same = all.filter(|identity| same_name(&identity.name, name.as_str()));
        for root in same.map(|identity| identity.root.clone()).collect::<Vec<_>>() {
            self.looked_at += 1;
            if self.looked_at > MOST {
                break;
            }
            match Manifest::read(&root, self.evaluator).await {
                Ok(manifest) => found.push(Known::new(&manifest, root.display().to_string())),
                Err(ExtensionError::Schema(error)) => return Err(error),
                Err(error) => {
                    let why = error.problems().first().map_or_else(|| error.to_string(), ToString::to_string);
                    self.problems.push((root.display().to_string(), why));
                }
            }
        }
        let called = |bad: &&Bad| {
            bad.path.file_name().is_some_and(|own| same_name(&own.to_string_lossy(), name.as_str()))
        };
        for bad in self.discovery.bad.iter().filter(called) {
            self.problems.push((bad.path.display().to_string(), bad.why.clone()));
        }
        self.known.insert(name.clone(), found.clone());
        Ok(found)
    }
}

/// The names of those that lead to a dependency, the dependency, and what is wrong with it.
type Wrong = (Vec<Name>, Name, String);

struct Walk {
    chain: Vec<Known>,
    seen: BTreeSet<(Name, ExtensionType)>,
    errors: Vec<Wrong>,
    all: Vec<Known>,
}

impl Walk {
    async fn down(&mut self, own: &Known, around: &mut Around<'_>) -> Result<(), SchemaError> {
        let entries = own.dependencies.requires.iter().map(|(name, range)| (name, range, true));
        let optional = own.dependencies.optional.iter().map(|(name, range)| (name, range, false));
        for (name, range, required) in entries.chain(optional) {
            let names: Vec<Name> = self.chain.iter().map(|known| known.name.clone()).collect();
            let found = around.find(name).await?;
            // A taskserv and a cluster may share a name; the cluster then depends on the taskserv, not on itself.
            let open = |known: &Known| {
                self.chain.iter().any(|above| (&above.name, above.r#type) == (&known.name, known.r#type))
            };
            let own_name = self.chain.iter().position(|above| above.name == *name);
            let namesake = own.r#type == ExtensionType::Cluster && own.name == *name;
            if let Some(at) = own_name.filter(|_| !namesake && found.iter().all(open)) {
                let round: Vec<String> = names[at..].iter().chain([name]).map(ToString::to_string).collect();
                self.errors.push((
                    names,
                    name.clone(),
                    format!("it depends on itself: {}", round.join(" -> ")),
                ));
                continue;
            }
            let found: Vec<&Known> = found.iter().filter(|known| !open(known)).collect();
            let best = range.best(found.iter().map(|known| &known.version)).cloned();
            let Some(best) = best.and_then(|best| found.iter().find(|known| known.version == best)) else {
                let versions: Vec<String> =
                    found.iter().map(|known| format!("{} ({})", known.version, known.origin)).collect();
                let message = if versions.is_empty() {
                    format!("{name} {range}, which it depends on, is not there")
                } else {
                    format!("it depends on {name} {range}, and there is {}", versions.join(", "))
                };
                // What is optional may be absent, but not of a version that will not do.
                if required || !versions.is_empty() {
                    self.errors.push((names, name.clone(), message));
                }
                continue;
            };
            if !self.seen.insert((best.name.clone(), best.r#type)) {
                continue;
            }
            let best: Known = (*best).clone();
            self.all.push(best.clone());
            self.chain.push(best.clone());
            Box::pin(self.down(&best, around)).await?;
            self.chain.pop();
        }
        Ok(())
    }
}

/// What must not be there together with what: this one, what it depends on, and what is registered.
fn conflicts(report: &mut Report<'_>, all: &[Known], registered: &[Known]) {
    let others: Vec<&Known> =
        registered.iter().filter(|known| !all.iter().any(|one| one.name == known.name)).collect();
    let mut told = BTreeSet::new();
    for (n, one) in all.iter().enumerate() {
        for other in all.iter().chain(others.iter().copied()).filter(|other| other.name != one.name) {
            for (who, whom) in [(one, other), (other, one)] {
                let Some((name, range)) = who.dependencies.conflicts.get_key_value(&whom.name) else {
                    continue;
                };
                if !range.allows_installed(&whom.version)
                    || !told.insert((who.name.clone(), whom.name.clone()))
                {
                    continue;
                }
                let text = format!(
                    "{} {} conflicts with {} {} ({})",
                    who.name, who.version, whom.name, whom.version, whom.origin
                );
                let mine = n == 0 && std::ptr::eq(who, one);
                let name = name.to_string();
                let keys: &[&str] =
                    if mine { &["dependencies", "conflicts", &name] } else { &["dependencies"] };
                let problem =
                    report.manifest(Rule::Dependencies, keys, text, "only one of the two can be there");
                report.errors.push(problem);
            }
        }
    }
}
