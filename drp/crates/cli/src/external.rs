//! `drp WORD` runs a program `drp-WORD`, as git and cargo do.

use crate::Failure;
use crate::grammar::Globals;
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The program `drp-WORD`: beside the running one, then on PATH. Relative parts of PATH are left out, so that
/// nothing is ever run from the current directory.
pub(crate) fn find(word: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    find_in(word, beside.into_iter().chain(directories()))
}

fn directories() -> Vec<PathBuf> {
    std::env::var_os("PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default()
}

fn find_in(word: &str, directories: impl IntoIterator<Item = PathBuf>) -> Option<PathBuf> {
    let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
    if word.is_empty() || word.starts_with('-') || !plain {
        return None;
    }
    directories.into_iter().filter(|dir| dir.is_absolute()).map(|dir| dir.join(format!("drp-{word}"))).find(
        |file| file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0),
    )
}

/// The words of all programs `drp-WORD`, for suggestions.
pub(crate) fn words() -> Vec<String> {
    let beside = std::env::current_exe().ok().and_then(|exe| exe.parent().map(Path::to_owned));
    let mut words: Vec<String> = beside
        .into_iter()
        .chain(directories())
        .filter(|dir| dir.is_absolute())
        .filter_map(|dir| std::fs::read_dir(dir).ok())
        .flat_map(|entries| entries.filter_map(Result::ok))
        .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("drp-").map(str::to_owned))
        .filter(|word| !word.contains('.') && find(word).is_some())
        .collect();
    words.sort();
    words.dedup();
    words
}

/// Becomes the program. What was said about the daemon before the word goes along in the environment.
pub(crate) fn become_program(program: &Path, words: &[OsString], globals: &Globals) -> Failure {
    let mut command = Command::new(program);
    command.args(words);
    for (name, value) in [
        ("DRP_BASE_ROOT", globals.base_root.as_ref().map(OsString::from)),
        ("DRP_SOCKET", globals.socket.as_ref().map(OsString::from)),
        ("RS_ENDPOINT", globals.endpoint.as_ref().map(OsString::from)),
        ("DRP_CACERT", globals.cacert.as_ref().map(OsString::from)),
        ("DRP_PIN", globals.pin.as_ref().map(OsString::from)),
    ] {
        if let Some(value) = value {
            command.env(name, value);
        }
    }
    let error = command.exec();
    Failure::io(format_args!("{} cannot be run", program.display()), &error)
}

#[cfg(test)]
mod tests {
    use super::find_in;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn programs_are_found_in_absolute_directories_only() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("drp-hello");
        std::fs::write(&file, "#!/bin/sh\n").unwrap();
        assert_eq!(find_in("hello", [dir.path().to_owned()]), None, "not executable");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(find_in("hello", [dir.path().to_owned()]), Some(file));
        for word in ["", "../hello", "-hello", "a b", "other"] {
            assert_eq!(find_in(word, [dir.path().to_owned()]), None, "{word:?}");
        }
        assert_eq!(find_in("hello", [".".into(), "".into(), "bin".into()]), None);
    }
}
