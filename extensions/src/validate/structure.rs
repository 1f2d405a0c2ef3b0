//! Rule 1: the files that must be there are.

use super::{Report, Surroundings};
use crate::launcher::HostedBy;
use crate::{Problem, Rule};
use drp_protocol::ExtensionType;

/// What the reference asks for, and nothing breaks without (extensions §1).
const DOCUMENTS: &[&str] = &["README.md", "API.md", "EXAMPLES.md", "CHANGELOG.md"];

pub(super) fn apply(report: &mut Report<'_>, surroundings: &Surroundings) {
    let extension = report.extension;
    let tree = &extension.tree;
    if let Some(wanted) = surroundings.r#type.filter(|wanted| *wanted != extension.r#type()) {
        let text = format!("it is a {}, and a {wanted} was asked for", extension.r#type());
        let problem = report.manifest(Rule::Structure, &["extension", "type"], text, "name the right type");
        report.errors.push(problem);
    }
    let host = extension.hosted_by();
    if host.is_none() {
        let what = match extension.r#type() {
            ExtensionType::Taskserv => {
                "it has no plugin/ with a program, no nulib/mod.nu and no schemas/version.ncl"
            }
            _ => "it has neither a program in plugin/ nor nulib/mod.nu",
        };
        report.errors.push(Problem::new(
            Rule::Structure,
            ".",
            format!("nothing can run it: {what}"),
            "write nulib/mod.nu, or put an executable plugin into plugin/",
        ));
    }
    let programs: Vec<&str> = tree.files_in("plugin").collect();
    if !programs.is_empty() && !matches!(host, Some(HostedBy::Itself(_))) {
        report.errors.push(Problem::new(
            Rule::Structure,
            programs[0],
            "no file in plugin/ may be executed",
            "chmod +x the program of the plugin",
        ));
    }
    if tree.has_folder("nulib") && !tree.has("nulib/mod.nu") {
        report.errors.push(Problem::new(
            Rule::Structure,
            "nulib/mod.nu",
            "it is not there, and it exports the operations",
            "write it, or remove nulib/",
        ));
    }
    let schemas = extension.schema_folder();
    if schemas.is_none() && (extension.r#type() == ExtensionType::Cluster || extension.module.is_some()) {
        report.errors.push(Problem::new(
            Rule::Structure,
            "schemas",
            "it holds no Nickel file",
            "write schemas/main.ncl",
        ));
    } else if schemas.is_none() {
        report.warnings.push(Problem::new(
            Rule::Structure,
            "schemas",
            "there are no schemas, so nothing checks its settings",
            "write schemas/settings.ncl",
        ));
    }
    if let Some(module) = &extension.module
        && let Some(version) = &module.version
        && crate::parse_version(version).is_ok_and(|version| version != extension.manifest.extension.version)
    {
        report.warnings.push(Problem::new(
            Rule::Structure,
            module.path.clone(),
            format!(
                "its version is {version}, that of the extension {}",
                extension.manifest.extension.version
            ),
            "let both be the same, or leave this one out",
        ));
    }
    for document in DOCUMENTS.iter().filter(|name| !tree.has(name)) {
        report.warnings.push(Problem::new(
            Rule::Structure,
            *document,
            "it is not there",
            "people who use the extension look for it",
        ));
    }
}
