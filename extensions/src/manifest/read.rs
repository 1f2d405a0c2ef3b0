//! Reading manifests from a folder.

use super::all_errors::{self, Text};
use super::{Manifest, Module, yaml};
use crate::tree::Tree;
use crate::{ExtensionError, Name, Problem, Rule, VersionRange, lines, parse_version};
use drp_schemas::{Evaluator, Format, SchemaError};
use serde_json::{Map, Value};
use std::path::Path;

/// The canonical manifest.
pub const METADATA_TOML: &str = "metadata.toml";
/// The other one.
pub const EXTENSION_YAML: &str = "extension.yaml";
/// Where the manifest of the Nickel module may be.
const MODULES: &[&str] = &["manifest.toml", "schemas/manifest.toml", "nickel/manifest.toml"];

/// Fields that a manifest cannot do without, with values that pass.
const REQUIRED: &[(&str, &str)] =
    &[("name", "x"), ("type", "provider"), ("version", "0.0.0"), ("description", "x")];
const DEPENDENCY_LISTS: &[&str] = &["requires", "optional", "conflicts"];

/// A manifest, as far as it can be read, and what is wrong.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) manifest: Option<Manifest>,
    pub(crate) module: Option<Module>,
    pub(crate) problems: Vec<Problem>,
    /// The text of the file that the manifest was read from, and its name.
    pub(crate) source: (String, &'static str),
}

impl Manifest {
    /// Reads the manifest of the extension in a folder.
    ///
    /// # Errors
    /// [`ExtensionError::Invalid`] with everything that is wrong with it, or what failed.
    pub async fn read(root: &Path, evaluator: &Evaluator) -> Result<Self, ExtensionError> {
        let root = root.canonicalize().map_err(|error| ExtensionError::io("open", root, error))?;
        let tree = Tree::read(&root);
        let found = find(&root, &tree, evaluator).await?;
        let mut problems = found.problems;
        problems.retain(|problem| [METADATA_TOML, EXTENSION_YAML, "."].contains(&problem.path.as_str()));
        match found.manifest {
            Some(manifest) if problems.is_empty() => Ok(manifest),
            _ => Err(ExtensionError::invalid(&root, problems)),
        }
    }

    /// Reads the text of a `metadata.toml`.
    ///
    /// # Errors
    /// [`ExtensionError::Invalid`] with everything that is wrong with it, or what failed.
    pub async fn parse(text: &str, evaluator: &Evaluator) -> Result<Self, ExtensionError> {
        let read = metadata(text, evaluator).await?;
        read.map_err(|problems| ExtensionError::invalid(Path::new("."), problems))
    }

    /// Reads the text of an `extension.yaml`.
    ///
    /// # Errors
    /// [`ExtensionError::Invalid`] with everything that is wrong with it, or what failed.
    pub async fn parse_yaml(text: &str, evaluator: &Evaluator) -> Result<Self, ExtensionError> {
        let read = extension(text, evaluator).await?;
        read.map_err(|problems| ExtensionError::invalid(Path::new("."), problems))
    }
}

impl Manifest {
    /// Reads a text without its contract, as far as it can be understood. This is for tests of what stands behind the
    /// contract; whoever wants to know whether a manifest is right reads it with [`Manifest::parse`].
    ///
    /// # Errors
    /// Why it cannot be understood.
    #[doc(hidden)]
    pub fn unchecked(file: &'static str, text: &str) -> Result<Self, Vec<Problem>> {
        let value = crate::identity::value(file, text)
            .map_err(|error| vec![Problem::new(Rule::Structure, file, error, "").at(Some(1))])?;
        if file == EXTENSION_YAML {
            return decode(yaml::manifest(&value), EXTENSION_YAML, text);
        }
        decode(value, file, text)
    }
}

/// Whatever can be read of the manifests in a folder.
///
/// # Errors
/// The evaluator failed.
pub(crate) async fn find(root: &Path, tree: &Tree, evaluator: &Evaluator) -> Result<Found, SchemaError> {
    let mut found = Found::default();
    let toml = text(root, tree, METADATA_TOML, &mut found.problems);
    let yaml_text = text(root, tree, EXTENSION_YAML, &mut found.problems);
    if toml.is_none() && yaml_text.is_none() && found.problems.is_empty() {
        found.problems.push(Problem::new(
            Rule::Structure,
            ".",
            "there is no metadata.toml",
            "write one: docs/reference/manifest.md has its fields, `drp ext new` makes one",
        ));
    }
    let mut take = |result: Result<Manifest, Vec<Problem>>| match result {
        Ok(manifest) => Some(manifest),
        Err(problems) => {
            found.problems.extend(problems);
            None
        }
    };
    let canonical = match &toml {
        Some(text) => take(metadata(text, evaluator).await?),
        None => None,
    };
    let other = match &yaml_text {
        Some(text) => take(extension(text, evaluator).await?),
        None => None,
    };
    if let (Some(ours), Some(theirs)) = (&canonical, &other) {
        found.problems.extend(yaml::differences(ours, theirs, yaml_text.as_deref().unwrap_or_default()));
    }
    found.source = match (toml, yaml_text) {
        (Some(text), _) => (text, METADATA_TOML),
        (None, Some(text)) => (text, EXTENSION_YAML),
        (None, None) => (String::new(), METADATA_TOML),
    };
    found.manifest = if found.source.1 == METADATA_TOML { canonical } else { other };
    for path in MODULES {
        let mut problems = Vec::new();
        let Some(text) = text(root, tree, path, &mut problems) else {
            found.problems.append(&mut problems);
            continue;
        };
        match module(path, &text, evaluator).await? {
            Ok(module) => found.module = Some(module),
            Err(problems) => found.problems.extend(problems),
        }
        break;
    }
    Ok(found)
}

/// The text of a file of the extension; `None` when it is not there, or cannot be read, which is a problem then.
fn text(root: &Path, tree: &Tree, path: &str, problems: &mut Vec<Problem>) -> Option<String> {
    if !tree.has(path) {
        return None;
    }
    match tree.text(root, path) {
        Ok(text) => Some(text),
        Err(problem) => {
            problems.push(problem);
            None
        }
    }
}

async fn metadata(text: &str, evaluator: &Evaluator) -> Result<Result<Manifest, Vec<Problem>>, SchemaError> {
    let checked = all_errors::check(
        evaluator,
        Text {
            path: METADATA_TOML,
            format: Format::Toml,
            text,
            contract: r#"(import "drp/extension.ncl").Manifest"#,
            section: "extension",
            required: REQUIRED,
        },
    );
    Ok(checked.await?.and_then(|value| decode(value, METADATA_TOML, text)))
}

async fn extension(text: &str, evaluator: &Evaluator) -> Result<Result<Manifest, Vec<Problem>>, SchemaError> {
    let checked = all_errors::check(
        evaluator,
        Text {
            path: EXTENSION_YAML,
            format: Format::Yaml,
            text,
            contract: r#"(import "drp/extension.ncl").ExtensionYaml"#,
            section: "extension",
            required: REQUIRED,
        },
    );
    Ok(checked.await?.and_then(|value| decode(yaml::manifest(&value), EXTENSION_YAML, text)))
}

async fn module(
    path: &str,
    text: &str,
    evaluator: &Evaluator,
) -> Result<Result<Module, Vec<Problem>>, SchemaError> {
    let checked = all_errors::check(
        evaluator,
        Text {
            path,
            format: Format::Toml,
            text,
            contract: r#"(import "drp/extension.ncl").Module"#,
            section: "",
            required: &[],
        },
    );
    Ok(checked.await?.and_then(|value| {
        let module: Result<Module, _> = serde_json::from_value(value);
        module
            .map(|module| Module { path: path.to_owned(), ..module })
            .map_err(|error| vec![Problem::new(Rule::Structure, path, error.to_string(), "").at(Some(1))])
    }))
}

/// What the contracts cannot say: that ranges mean something, and that dependencies have names and ranges.
fn decode(mut value: Value, path: &'static str, text: &str) -> Result<Manifest, Vec<Problem>> {
    let mut problems = Vec::new();
    let mut wrong = |keys: &[&str], message: String, hint: &str| {
        let line = lines::of_key(text, keys).or_else(|| lines::of_key(text, &keys[..1])).or(Some(1));
        problems.push(Problem::new(Rule::Structure, path, message, hint).at(line));
    };
    if let Some(dependencies) = value.get_mut("dependencies").and_then(Value::as_object_mut) {
        let direct: Vec<String> =
            dependencies.keys().filter(|key| !DEPENDENCY_LISTS.contains(&key.as_str())).cloned().collect();
        let own: Map<String, Value> = direct
            .into_iter()
            .filter_map(|key| dependencies.remove(&key).map(|range| (key, range)))
            .collect();
        for (list, entries) in DEPENDENCY_LISTS
            .iter()
            .filter_map(|list| Some((Some(*list), dependencies.get(*list)?.as_object()?.clone())))
            .chain([(None, own.clone())])
        {
            for (name, range) in entries {
                let inner: Vec<&str> =
                    ["dependencies"].into_iter().chain(list).chain([name.as_str()]).collect();
                let keys: &[&str] =
                    if path == EXTENSION_YAML { &["extension", "dependencies", &name] } else { &inner };
                if let Err(error) = name.parse::<Name>() {
                    wrong(keys, format!("a dependency has the name {error}"), "name an extension");
                }
                match range.as_str().map(str::parse::<VersionRange>) {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => wrong(keys, format!("{name}: {error}"), "write a range of versions"),
                    None => wrong(
                        keys,
                        format!("{name}: a range of versions is wanted, as a text"),
                        "write a range of versions, for instance \"^1.2.0\"; tables are requires, optional and conflicts",
                    ),
                }
            }
        }
        if let Some(requires) =
            dependencies.entry("requires").or_insert_with(|| Map::new().into()).as_object_mut()
        {
            requires.extend(own);
        }
    }
    for field in ["provisioning_version", "nushell_version", "nickel_version"] {
        let range = value.pointer(&format!("/compatibility/{field}")).and_then(Value::as_str).unwrap_or("*");
        if let Err(error) = range.parse::<VersionRange>() {
            wrong(&["compatibility", field], error.to_string(), "write a range of versions");
        }
    }
    let text_of =
        |pointer: &str| value.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    if let Err(error) = text_of("/extension/name").parse::<Name>() {
        wrong(&["extension", "name"], error.to_string(), "choose another name");
    }
    if let Err(error) = parse_version(&text_of("/extension/version")) {
        wrong(&["extension", "version"], error.to_string(), "write a version");
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(value).map_err(|error| {
        vec![Problem::new(Rule::Structure, path, error.to_string(), "correct the value").at(Some(1))]
    })
}
