//! Getting programs to the machine, verified, without touching what is in use.

use crate::TaskservError;
use crate::machine::Machine;
use crate::plan::{Plan, filled};
use crate::record::{SourceType, shortened};
use crate::scripts;
use crate::settings::Sources;
use sha2::{Digest, Sha256};
use std::path::Path;

/// Longest file that is uploaded from this host, in bytes.
const LONGEST: u64 = 256 << 20;

/// What the machine said of itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    pub(crate) arch: String,
    pub(crate) os: String,
    pub(crate) uid: u32,
    pub(crate) missing: Vec<String>,
}

impl Facts {
    pub(crate) async fn ask(machine: &Machine, programs: &[&str]) -> Result<Self, TaskservError> {
        let told = machine.tell(scripts::FACTS, programs, "looking at the machine").await?;
        let mut facts = Self::default();
        for line in told.lines() {
            match line.split_once(' ') {
                Some(("arch", arch)) => arch_name(arch).clone_into(&mut facts.arch),
                Some(("os", os)) => facts.os = os.to_lowercase(),
                Some(("uid", uid)) => facts.uid = uid.parse().unwrap_or(u32::MAX),
                Some(("missing", name)) => facts.missing.push(name.to_owned()),
                _ => {}
            }
        }
        Ok(facts)
    }
}

/// As releases call it.
fn arch_name(machine: &str) -> &str {
    match machine {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "armv7l" => "armv7",
        other => other,
    }
}

/// Programs that the machine has to have for a plan.
pub(crate) fn programs(plan: &Plan) -> Vec<&'static str> {
    let mut wanted = vec!["flock", "sha256sum", "readlink", "stat"];
    let asset = plan.record.source.asset.as_str();
    if matches!(plan.record.source.r#type, SourceType::Github | SourceType::Url) {
        wanted.push("curl");
    }
    if !matches!(plan.record.source.r#type, SourceType::None | SourceType::Inline) {
        if asset.contains(".tar") || asset.ends_with(".tgz") || asset.ends_with(".txz") {
            wanted.push("tar");
        } else if asset.ends_with(".zip") {
            wanted.push("unzip");
        }
    }
    if plan.has_unit() {
        wanted.push("systemctl");
    }
    wanted
}

/// Brings the programs of a plan into `here/download/files`. False: there are none to bring.
pub(crate) async fn fetch(
    machine: &Machine,
    plan: &Plan,
    facts: &Facts,
    sources: &Sources,
) -> Result<bool, TaskservError> {
    let source = &plan.record.source;
    let folder = format!("{}/download", plan.here);
    let files = format!("{folder}/files");
    let values = [
        ("name", plan.record.name.clone()),
        ("version", plan.record.version.clone()),
        ("os", facts.os.clone()),
        ("arch", facts.arch.clone()),
    ];
    let asset = filled(&source.asset, &values);
    if asset.contains('/') || asset.chars().any(char::is_control) {
        return Err(TaskservError::Record(format!(
            "source.asset becomes {:?}, which is no file name",
            shortened(&asset)
        )));
    }
    let archive = format!("{folder}/{asset}");
    match source.r#type {
        SourceType::None | SourceType::Package => return Ok(false),
        SourceType::Inline => {
            let text = source.content.clone().unwrap_or_default();
            machine.run(&["mkdir", "-p", &files], "making a folder").await?;
            let name = &plan.record.install.binary_name;
            machine.write(&format!("{files}/{name}"), 0o700, text.into_bytes()).await?;
            return Ok(true);
        }
        SourceType::File => {
            let content = local(sources, &asset).await?;
            if let Some(wanted) = source.checksums.get(&asset) {
                same(&hex(&Sha256::digest(&content)), wanted, &asset)?;
            }
            machine.run(&["mkdir", "-p", &folder], "making a folder").await?;
            machine.write(&archive, 0o600, content).await?;
        }
        SourceType::Github | SourceType::Url => {
            let release = filled(&source.release_pattern, &values);
            let base = match (&sources.mirror, source.r#type) {
                (Some(mirror), _) => mirror.clone(),
                (None, SourceType::Github) => {
                    format!(
                        "https://github.com/{}/releases/download/{}",
                        source.repository,
                        encoded(&release)
                    )
                }
                (None, _) => filled(&source.repository, &values),
            };
            let base = base.trim_end_matches('/');
            let seconds = machine.timeout.as_secs().max(1).to_string();
            let get = async |name: &str, to: &str| {
                let url = format!("{base}/{}", encoded(name));
                let words = format!("fetching {url}");
                machine.tell(scripts::FETCH, &[&url, to, &seconds], &words).await
            };
            let wanted = match (source.checksums.get(&asset), &source.checksum_asset) {
                (Some(sum), _) => sum.clone(),
                (None, Some(pattern)) => {
                    let beside = filled(pattern, &[("asset", asset.clone())]);
                    let beside = filled(&beside, &values);
                    let to = format!("{folder}/checksums");
                    get(&beside, &to).await?;
                    let text = machine.tell(scripts::READ, &[&to], "reading checksums").await?;
                    sum_of(&text, &asset).ok_or_else(|| {
                        TaskservError::machine(
                            format!("{base}/{beside} has no SHA-256 checksum of {asset}"),
                            "see what is there",
                        )
                    })?
                }
                (None, None) => {
                    let what =
                        format!("nobody says which SHA-256 checksum {asset} has, so it is not fetched");
                    return Err(TaskservError::machine(
                        what,
                        "add it to source.checksums, or name source.checksum_asset",
                    ));
                }
            };
            get(&asset, &archive).await?;
            let sums = machine.tell(scripts::SUMS, &[&archive], "checking what was fetched").await?;
            if let Err(error) = same(sums.trim(), &wanted, &asset) {
                let _ = machine.tell(scripts::REMOVE, &[&archive], "removing what was fetched").await;
                return Err(error);
            }
        }
    }
    machine.tell(scripts::UNPACK, &[&archive, &files], "unpacking").await?;
    if !is_archive(&asset) && plan.record.install.files.is_empty() && asset != plan.record.install.binary_name
    {
        let (from, to) = (format!("{files}/{asset}"), format!("{files}/{}", plan.record.install.binary_name));
        machine.run(&["mv", "-f", "--", &from, &to], "naming the program").await?;
    }
    Ok(true)
}

fn is_archive(asset: &str) -> bool {
    [".tar", ".tgz", ".txz", ".tbz2", ".zip"].iter().any(|end| asset.ends_with(end))
        || asset.contains(".tar.")
}

/// A file of the folder that settings name, and of no other.
async fn local(sources: &Sources, asset: &str) -> Result<Vec<u8>, TaskservError> {
    let Some(folder) = &sources.files else {
        return Err(TaskservError::Settings(
            "set files: the folder on this host that holds the file".to_owned(),
        ));
    };
    let path = folder.join(asset);
    let shown = path.display().to_string();
    let read = tokio::task::spawn_blocking(move || read_plain(&path)).await;
    read.map_err(|e| TaskservError::Settings(e.to_string()))?
        .map_err(|error| TaskservError::Settings(format!("{shown} cannot be read: {error}")))
}

fn read_plain(path: &Path) -> std::io::Result<Vec<u8>> {
    let about = std::fs::symlink_metadata(path)?;
    if !about.is_file() || about.len() > LONGEST {
        let what = format!("a plain file of at most {} MB is wanted", LONGEST >> 20);
        return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, what));
    }
    std::fs::read(path)
}

fn same(found: &str, wanted: &str, asset: &str) -> Result<(), TaskservError> {
    if found.eq_ignore_ascii_case(wanted) {
        return Ok(());
    }
    Err(TaskservError::machine(
        format!("{asset} has the SHA-256 checksum {}, but {wanted} is wanted", shortened(found)),
        "nothing was installed; find out who changed it",
    ))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The checksum of a file in the output of `sha256sum`, or the only one there is.
fn sum_of(text: &str, asset: &str) -> Option<String> {
    let is_sum = |word: &str| word.len() == 64 && word.bytes().all(|b| b.is_ascii_hexdigit());
    let lines: Vec<_> = text
        .lines()
        .filter_map(|line| {
            let (sum, name) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
            is_sum(sum).then(|| {
                (sum.to_lowercase(), name.trim().trim_start_matches('*').trim_start_matches("./").to_owned())
            })
        })
        .collect();
    let named = lines.iter().find(|(_, name)| name == asset);
    let only = (lines.len() == 1).then(|| lines.first()).flatten().filter(|(_, name)| name.is_empty());
    named.or(only).map(|(sum, _)| sum.clone())
}

/// A part of a URL's path.
fn encoded(text: &str) -> String {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"-._~+".contains(b);
    text.bytes().map(|b| if plain(&b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_found_by_name() {
        let (a, b) = ("a".repeat(64), "B".repeat(64));
        assert_eq!(sum_of(&format!("{a}  x.tar.gz\n{b} *y.tar.gz\n"), "y.tar.gz"), Some("b".repeat(64)));
        assert_eq!(sum_of(&format!("{a}\n"), "x"), Some(a.clone()));
        assert_eq!(sum_of(&format!("{a}  other\n"), "x"), None);
        assert_eq!(sum_of("<html>", "x"), None);
    }

    #[test]
    fn parts_of_urls_are_encoded() {
        assert_eq!(encoded("a b/../$(x)?#"), "a%20b%2F..%2F%24%28x%29%3F%23");
    }
}
