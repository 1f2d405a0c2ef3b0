//! The program `nu`: where it is, and whether it will do.

use crate::child::Run;
use crate::error::NushellError;
use crate::scratch::Scratch;
use drp_plugin_sdk::CancellationToken;
use semver::{Version, VersionReq};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The oldest Nushell that hosts extensions: the reference's own floor.
const LEAST: Version = Version::new(0, 107, 0);
/// How long `nu --version` may take.
const DEADLINE: Duration = Duration::from_secs(8);

/// A Nushell that works.
#[derive(Debug, Clone)]
pub(crate) struct Nu {
    pub(crate) program: PathBuf,
    pub(crate) version: Version,
}

/// Finds the named `nu`, or the one on `PATH`, and asks for its version.
pub(crate) async fn find(named: Option<&Path>) -> Result<Nu, NushellError> {
    let program = match named {
        Some(named) if is_program(named) => named.to_owned(),
        Some(named) => return Err(NushellError::NotThere(named.to_owned())),
        None => on_path()?,
    };
    let scratch = Scratch::new()?;
    let run = Run {
        what: format!("{} --version", program.display()),
        nu: &program,
        arguments: vec!["--version".into()],
        scratch: &scratch,
        folder: scratch.path(),
        input: Vec::new(),
        deadline: DEADLINE,
    };
    let finished = run.run(&CancellationToken::new(), &mut ()).await?;
    let broken = |problem: String| NushellError::Broken { program: program.clone(), problem };
    let said = finished.printed.first().map(|line| line.trim().to_owned()).unwrap_or_default();
    let version = Version::parse(said.trim_start_matches('v')).map_err(|_| {
        let said = if said.is_empty() { finished.said.join(" ") } else { said.clone() };
        let said: String = said.chars().take(200).collect();
        broken(format!("asked for its version, it says {said:?} ({})", finished.how))
    })?;
    if (version.major, version.minor, version.patch) < (LEAST.major, LEAST.minor, LEAST.patch) {
        return Err(NushellError::TooOld { program, found: version, least: LEAST });
    }
    Ok(Nu { program, version })
}

impl Nu {
    /// Whether a manifest's range has it.
    pub(crate) fn fits(&self, extension: &str, range: Option<&str>) -> Result<(), NushellError> {
        let Some(range) = range.map(str::trim).filter(|range| !range.is_empty()) else { return Ok(()) };
        let wanted = parse(range).map_err(|problem| NushellError::Range {
            extension: extension.to_owned(),
            range: range.to_owned(),
            problem,
        })?;
        // A pre-release of Nushell has what its release has.
        let release = Version::new(self.version.major, self.version.minor, self.version.patch);
        if wanted.iter().all(|one| one.matches(&release)) {
            return Ok(());
        }
        Err(NushellError::Unfit {
            program: self.program.clone(),
            found: self.version.clone(),
            extension: extension.to_owned(),
            range: range.to_owned(),
        })
    }
}

/// A range of extensions §4, where an exact version is `1.2.3` and `1.2.0-1.5.0` is inclusive.
fn parse(range: &str) -> Result<Vec<VersionReq>, String> {
    let req = |text: String| VersionReq::parse(&text).map_err(|error| error.to_string());
    if range == "latest" {
        return Ok(vec![VersionReq::STAR]);
    }
    let version = |text: &str| Version::parse(text.trim().trim_start_matches('v')).ok();
    if let Some((from, to)) = range.split_once('-')
        && let (Some(from), Some(to)) = (version(from), version(to))
    {
        return Ok(vec![req(format!(">={from}, <={to}"))?]);
    }
    match version(range) {
        Some(exact) => Ok(vec![req(format!("={exact}"))?]),
        None => Ok(vec![req(range.to_owned())?]),
    }
}

fn on_path() -> Result<PathBuf, NushellError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .map(|folder| folder.join("nu"))
        .find(|file| is_program(file));
    found.ok_or_else(|| NushellError::Absent { path: path.to_string_lossy().into_owned(), least: LEAST })
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_manifests() {
        let nu = |version: &str| Nu { program: "/nu".into(), version: Version::parse(version).unwrap() };
        for (version, range, fits) in [
            ("0.115.1", Some(">=0.107.0"), true),
            ("0.115.1", None, true),
            ("0.115.1", Some("*"), true),
            ("0.115.1", Some("latest"), true),
            ("0.115.1", Some("^0.115.0"), true),
            ("0.115.1", Some("^0.114.0"), false),
            ("0.115.1", Some("0.110.0-0.115.1"), true),
            ("0.115.2", Some("0.110.0-0.115.1"), false),
            ("0.115.1", Some("0.115.0"), false),
            ("0.115.1", Some("v0.115.1"), true),
            ("0.116.0-nightly.1", Some(">=0.107.0, <0.117.0"), true),
        ] {
            assert_eq!(nu(version).fits("x", range).is_ok(), fits, "{version} {range:?}");
        }
        let error = nu("0.115.1").fits("x", Some("new")).unwrap_err().to_string();
        assert!(error.contains("\"new\" is not a range"), "{error}");
    }
}
