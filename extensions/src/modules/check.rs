//! Whether links, dependencies and records agree, and how they come to agree.

use super::change::{Change, pending};
use super::{Infra, Installed, LINKS, MANIFEST, Mode, ModuleError, VENDOR, dependencies, in_the_way, read};
use crate::archive::{Bounds, Items};
use crate::discovery::Discovery;
use crate::identity::{Identity, same_name};
use serde::Serialize;
use std::fs;
use std::path::{Path, PathBuf};

/// One thing that does not agree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The module; empty for the whole infrastructure.
    pub module: String,
    /// A word for it, for programs: `dangling-link`, `missing-dependency`, `drift` and so on.
    pub kind: &'static str,
    /// It is only odd; what is installed works.
    pub warning: bool,
    /// What is wrong.
    pub message: String,
    /// What to do.
    pub hint: String,
}

/// What a synchronisation came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Synced {
    /// Modules that are as their records say.
    pub modules: Vec<String>,
    /// Links and dependencies that no record speaks of, and that were removed.
    pub removed: Vec<String>,
    /// What could not be done.
    pub problems: Vec<Finding>,
}

fn finding(module: &str, kind: &'static str, message: String, hint: &str) -> Finding {
    Finding { module: module.to_owned(), kind, warning: false, message, hint: hint.to_owned() }
}

const SYNC: &str = "`drp providers sync` makes it what the record says";

pub(super) fn validate(infra: &Infra) -> Result<Vec<Finding>, ModuleError> {
    let mut all = Vec::new();
    if pending(infra) {
        let text = "a command that changed this infrastructure was interrupted";
        all.push(finding(
            "",
            "interrupted",
            text.into(),
            "`drp providers sync` finishes it, as does any other change",
        ));
    }
    let installed = infra.installed()?;
    let wanted = dependencies(infra)?;
    for one in &installed {
        link(infra, one, &mut all);
        match wanted.iter().find(|dependency| dependency.module == one.module) {
            None => all.push(finding(
                &one.module,
                "missing-dependency",
                format!("{MANIFEST} does not name it"),
                SYNC,
            )),
            Some(there) if there.path.as_deref() != Some(one.dependency().as_str()) => all.push(finding(
                &one.module,
                "drift",
                format!(
                    "{MANIFEST} takes it from {:?} instead of {:?}",
                    there.path.as_deref().unwrap_or("a registry"),
                    one.dependency()
                ),
                SYNC,
            )),
            Some(_) => {}
        }
        source(infra, one, &mut all);
    }
    for name in strays(infra, &installed) {
        let text = format!("there is a link {LINKS}/{name}, and no record of it");
        all.push(finding(
            &name,
            "drift",
            text,
            "`drp providers sync` removes it; `drp providers install` records it",
        ));
    }
    for dependency in ours(&wanted) {
        if !installed.iter().any(|one| one.module == dependency) {
            let text = format!("{MANIFEST} names it, and there is no record of it");
            all.push(finding(
                &dependency,
                "drift",
                text,
                "`drp providers sync` removes it; `drp providers install` records it",
            ));
        }
    }
    Ok(all)
}

fn dependencies(infra: &Infra) -> Result<Vec<dependencies::Dependency>, ModuleError> {
    let path = infra.root.join(MANIFEST);
    dependencies::list(&read(&path)?.unwrap_or_default())
        .map_err(|why| in_the_way(&path, format!("is not right: {why}")))
}

/// Dependencies that only we make.
fn ours(all: &[dependencies::Dependency]) -> Vec<String> {
    let own = |path: &str, module: &str| {
        path == format!("./{LINKS}/{module}") || path == format!("./{VENDOR}/{module}")
    };
    all.iter()
        .filter(|one| one.path.as_deref().is_some_and(|path| own(path, &one.module)))
        .map(|one| one.module.clone())
        .collect()
}

/// Links that no record speaks of.
fn strays(infra: &Infra, installed: &[Installed]) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(infra.links())
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_symlink()))
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| !name.starts_with('.') && !installed.iter().any(|one| one.module == *name))
        .collect();
    names.sort();
    names
}

fn link(infra: &Infra, one: &Installed, all: &mut Vec<Finding>) {
    let path = infra.links().join(&one.module);
    let mut add = |kind, text| all.push(finding(&one.module, kind, text, SYNC));
    match fs::read_link(&path) {
        Err(_) if fs::symlink_metadata(&path).is_ok() => {
            add("drift", format!("{LINKS}/{} is no link", one.module));
        }
        Err(_) => add("missing-link", format!("there is no link {LINKS}/{}", one.module)),
        Ok(target) if target != infra.target(one) => {
            add(
                "drift",
                format!("its link leads to {} instead of {}", target.display(), infra.target(one).display()),
            );
        }
        Ok(target) if fs::metadata(&path).is_err() => {
            let text = format!("its link leads to {}, which is not there", target.display());
            all.push(finding(
                &one.module,
                "dangling-link",
                text,
                "put the extension back, or `drp providers sync` looks for it elsewhere",
            ));
        }
        Ok(_) => {}
    }
}

/// Whether the extension is still what was installed.
fn source(infra: &Infra, one: &Installed, all: &mut Vec<Finding>) {
    let root = root(infra, one);
    if !root.is_dir() {
        if one.mode == Mode::Packed {
            let text = format!("its pack is not in {}", one.source);
            all.push(finding(&one.module, "missing-pack", text, "`drp pack install FILE` puts it there"));
        }
        return;
    }
    match Identity::read(&root) {
        Err(why) => all.push(finding(&one.module, "drift", format!("{}: {why}", one.source), "")),
        Ok(now) if now.r#type != one.r#type || !same_name(&now.name, &one.name) => all.push(finding(
            &one.module,
            "drift",
            format!("{} is now the {} {}", one.source, now.r#type, now.name),
            "install it under its own name, and remove this one",
        )),
        Ok(now) if now.version != one.version => all.push(Finding {
            warning: true,
            ..finding(
                &one.module,
                "version",
                format!("version {} was installed, and it is {} now", one.version, now.version),
                "`drp providers sync` records the new version",
            )
        }),
        Ok(_) => {}
    }
    if one.mode == Mode::Packed {
        let now = Items::of_folder(&root, &Bounds::default()).and_then(|items| items.digest(&one.module));
        if now.ok() != one.digest {
            let text = format!("{} was edited since it was installed", one.source);
            all.push(finding(
                &one.module,
                "drift",
                text,
                "`drp pack install FILE --force` puts the pack back",
            ));
        }
    }
}

fn root(infra: &Infra, one: &Installed) -> PathBuf {
    let source = Path::new(&one.source);
    if source.is_absolute() { source.to_owned() } else { infra.root.join(source) }
}

pub(super) fn sync(infra: &Infra, extensions: &Discovery) -> Result<Synced, ModuleError> {
    let mut answer = Synced::default();
    // Each of them is a change of its own, so one that fails leaves the others done.
    drop(Change::begin(infra)?);
    for one in infra.installed()? {
        let module = one.module.clone();
        let done = match one.mode {
            Mode::Packed if root(infra, &one).is_dir() => Change::begin(infra)?.again(&one),
            Mode::Packed => {
                let text = format!("its pack is not in {}", one.source);
                answer.problems.push(finding(
                    &module,
                    "missing-pack",
                    text,
                    "`drp pack install FILE` puts it there",
                ));
                continue;
            }
            Mode::Linked => match whereabouts(infra, &one, extensions) {
                Some(identity) => infra.link(&identity, false).map(drop),
                None => {
                    let text = format!(
                        "the {} {} is neither in {} nor on the search path",
                        one.r#type, one.name, one.source
                    );
                    answer.problems.push(finding(
                        &module,
                        "dangling-link",
                        text,
                        "put the extension back, or `drp providers remove` it",
                    ));
                    continue;
                }
            },
        };
        match done {
            Ok(()) => answer.modules.push(module),
            Err(error) => answer.problems.push(finding(&module, "drift", error.to_string(), "")),
        }
    }
    let change = Change::begin(infra)?;
    let installed = infra.installed()?;
    for name in strays(infra, &installed) {
        change.unlink(&name)?;
        answer.removed.push(format!("{LINKS}/{name}"));
    }
    for module in ours(&dependencies(infra)?) {
        if !installed.iter().any(|one| one.module == module) {
            change.dependency(&module, None)?;
            answer.removed.push(format!("{MANIFEST}: {module}"));
        }
    }
    Ok(answer)
}

/// The extension where it was, or where it is found now.
fn whereabouts(infra: &Infra, one: &Installed, extensions: &Discovery) -> Option<Identity> {
    Identity::read(&root(infra, one))
        .ok()
        .filter(|now| now.r#type == one.r#type && same_name(&now.name, &one.name))
        .or_else(|| extensions.find(one.r#type, &one.name).map(|found| found.identity.clone()))
}
