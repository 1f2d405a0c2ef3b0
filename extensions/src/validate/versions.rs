//! Rule 5: it runs with the versions of this host.

use super::{Report, Surroundings};
use crate::launcher::HostedBy;
use crate::{Hosting, Rule, parse_version};
use semver::Version;

/// The version of the extension interface that this drp offers, against which `provisioning_version` is held.
pub const PROVISIONING_VERSION: Version = Version::new(3, 0, 0);

/// The version of Nickel that reads schemas: that of the command line of the same release as the library.
pub const NICKEL_VERSION: Version = Version::new(1, 18, 0);

/// What an extension would run with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostVersions {
    /// The extension interface.
    pub provisioning: Version,
    /// Nushell; where it is `None`, [`Hosting`] is asked.
    pub nushell: Option<Version>,
    /// Nickel.
    pub nickel: Version,
}

impl Default for HostVersions {
    fn default() -> Self {
        Self { provisioning: PROVISIONING_VERSION, nushell: None, nickel: NICKEL_VERSION }
    }
}

pub(super) async fn apply(report: &mut Report<'_>, surroundings: &Surroundings, hosting: &dyn Hosting) {
    let mut host = surroundings.versions.clone();
    let wants = &report.extension.manifest.compatibility;
    let nushell = report.extension.hosted_by() == Some(HostedBy::Nushell);
    if nushell && host.nushell.is_none() && !wants.nushell_version.is_any() {
        let said = tokio::time::timeout(surroundings.deadline, hosting.nushell()).await.ok().flatten();
        host.nushell = said.and_then(|said| parse_version(&said).ok());
    }
    for (field, what, range, version, matters) in [
        (
            "provisioning_version",
            "the extension interface of this drp",
            &wants.provisioning_version,
            Some(&host.provisioning),
            true,
        ),
        ("nushell_version", "Nushell", &wants.nushell_version, host.nushell.as_ref(), nushell),
        ("nickel_version", "the Nickel of this drp", &wants.nickel_version, Some(&host.nickel), true),
    ] {
        let keys = &["compatibility", field];
        match version {
            Some(version) if matters && !range.allows_installed(version) => {
                let text = format!("it wants {field} {range}, and {what} is {version}");
                let problem = report.manifest(
                    Rule::Versions,
                    keys,
                    text,
                    "install a version of the extension for this host, or widen the range when it runs with it",
                );
                report.errors.push(problem);
            }
            None if matters && !range.is_any() => {
                let text = format!("it wants {field} {range}, and no {what} was found to compare with");
                let problem = report.manifest(
                    Rule::Versions,
                    keys,
                    text,
                    "install Nushell (`nu`), or name it in the settings",
                );
                report.warnings.push(problem);
            }
            _ => {}
        }
    }
}
