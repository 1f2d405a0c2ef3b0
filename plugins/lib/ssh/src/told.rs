//! A command that tells its process id, so that it can be killed.

/// What a command says first on its standard error.
const MARK: &str = "drp-ssh-pid ";

/// Kills the process group of a process, and the process itself.
pub(crate) const KILL: &str =
    r#"'g=$(ps -o pgid= -p "$0" | tr -d " "); [ -z "$g" ] || kill -s KILL -- "-$g"; kill -s KILL "$0"'"#;

/// The command line, run by a POSIX shell whatever the login shell is, that tells its process id first and then is the
/// command.
pub(crate) fn told(command: &str) -> String {
    format!("/bin/sh -c 'echo \"{MARK}$$\" >&2; exec \"$0\" \"$@\"' {command}")
}

/// The process id that was told.
pub(crate) fn pid(stderr: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().find_map(|line| line.strip_prefix(MARK)?.trim().parse().ok())
}

/// What the command itself said.
pub(crate) fn said(stderr: Vec<u8>) -> Vec<u8> {
    let Some(at) = stderr.windows(MARK.len()).position(|part| part == MARK.as_bytes()) else { return stderr };
    let end = stderr[at..].iter().position(|byte| *byte == b'\n').map_or(stderr.len(), |end| at + end + 1);
    [&stderr[..at], &stderr[end..]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_tells_its_process_and_is_itself() {
        let line = told(&crate::quote::line(["printf", "%s|", "a b", "$(x)"]));
        let child = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
        assert_eq!(child.stdout, b"a b|$(x)|");
        assert!(pid(&child.stderr).is_some_and(|pid| pid > 1));
        assert_eq!(said(child.stderr), b"");
        assert_eq!(
            said(b"noise\ndrp-ssh-pid 7\nVBoxManage: error: x\n".to_vec()),
            b"noise\nVBoxManage: error: x\n"
        );
        assert_eq!((pid(b"none"), said(b"none".to_vec())), (None, b"none".to_vec()));
    }
}
