//! What VirtualBox's refusals mean. The texts are those of peers.md 2.6; the codes are those of `VirtualBox.xidl`.

use crate::{Kind, Output, VboxError};

/// Longest part of a text of VirtualBox that is shown.
const SHOWN: usize = 500;

/// The error behind an exit status that is not 0. `words` are those of the command, for the text.
#[must_use]
pub fn refusal(words: &str, output: &Output) -> VboxError {
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said = said(&stderr);
    let has = |needle: &str| stderr.contains(needle);
    let (kind, next) = if matches!(output.status, Some(126 | 127)) {
        (Kind::NoProgram, "install VirtualBox there, or set virtualbox/program to where VBoxManage is")
    } else if has("Could not find a registered machine") {
        (Kind::NoVm, "compare virtualbox/id with `VBoxManage list vms` of that host and user")
    } else if has("is not currently running") {
        (Kind::State, "powerstatus; power it on first")
    } else if has("while it is locked") || has("already locked") || has("is being locked") {
        (
            Kind::SessionLocked,
            "power it off, or close what else holds it (a window of VirtualBox, another VBoxManage)",
        )
    } else if has("VBOX_E_INVALID_VM_STATE") || has("is not mutable") || has("VBOX_E_INVALID_OBJECT_STATE") {
        (Kind::State, "powerstatus; the machine has to be off, and not saved")
    } else if has("already exists") || has("VBOX_E_OBJECT_IN_USE") {
        (Kind::Exists, "choose another name or id, or remove what is there")
    } else if has("Permission denied") || has("E_ACCESSDENIED") || has("password is required") {
        (Kind::Refused, "run the plugin, or log in, as the user who owns the machines")
    } else {
        (Kind::Refused, "see the log of the virtual machine and of VirtualBox on that host")
    };
    let status = output.status.map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
    VboxError::new(kind, format!("VBoxManage {words} ended with {status}: {said}"), next)
}

/// The lines that say why, without progress and the usage text.
fn said(stderr: &str) -> String {
    let useful = |line: &&str| {
        let line = line.trim();
        !line.is_empty()
            && !line.starts_with("0%")
            && !line.starts_with("Usage:")
            && !line.starts_with("Context:")
    };
    let mut lines: Vec<_> =
        stderr.lines().filter(useful).map(|l| l.trim().trim_start_matches("VBoxManage: error: ")).collect();
    lines.truncate(4);
    let mut text: String = lines.join(" ").chars().filter(|c| !c.is_control()).collect();
    if text.is_empty() {
        return "it said nothing".to_owned();
    }
    if let Some((at, _)) = text.char_indices().nth(SHOWN) {
        text.truncate(at);
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(status: i32, stderr: &str) -> Kind {
        let output = Output { status: Some(status), stdout: Vec::new(), stderr: stderr.as_bytes().to_vec() };
        refusal("startvm x", &output).kind
    }

    #[test]
    fn texts_have_kinds() {
        let locked = "VBoxManage: error: The machine 'a' is already locked by a session (or being locked or unlocked)\n\
            VBoxManage: error: Details: code VBOX_E_INVALID_OBJECT_STATE (0x80bb0007), component MachineWrap";
        assert_eq!(kind(1, locked), Kind::SessionLocked);
        assert_eq!(
            kind(1, "VBoxManage: error: The machine 'a' is already locked for a session (or being unlocked)"),
            Kind::SessionLocked
        );
        assert_eq!(kind(1, "Cannot unregister the machine 'a' while it is locked"), Kind::SessionLocked);
        assert_eq!(kind(1, "VBoxManage: error: Machine 'a' is not currently running."), Kind::State);
        let unknown = "VBoxManage: error: Could not find a registered machine named 'a'\n\
            VBoxManage: error: Details: code VBOX_E_OBJECT_NOT_FOUND (0x80bb0001)";
        assert_eq!(kind(1, unknown), Kind::NoVm);
        assert_eq!(kind(1, "Machine settings file '/x/x.vbox' already exists"), Kind::Exists);
        assert_eq!(kind(1, "VERR_VMX_NO_VMX"), Kind::Refused);
        assert_eq!(kind(127, "sh: VBoxManage: not found"), Kind::NoProgram);
    }

    #[test]
    fn the_text_is_short_and_clean() {
        let long = format!("0%...10%\nVBoxManage: error: {}\u{7}", "é".repeat(2_000));
        let output = Output { status: Some(1), stdout: Vec::new(), stderr: long.into_bytes() };
        let error = refusal("startvm x", &output);
        assert!(error.what.chars().count() < 600 && error.what.ends_with('…'), "{error}");
        assert!(!error.what.contains("0%") && !error.what.contains("VBoxManage: error"));
        let silent = Output { status: None, stdout: Vec::new(), stderr: Vec::new() };
        assert_eq!(refusal("x", &silent).what, "VBoxManage x ended with a signal: it said nothing");
    }
}
