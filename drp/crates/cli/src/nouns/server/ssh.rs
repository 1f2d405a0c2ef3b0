//! `drp server ssh --exec`: becomes `ssh`.

use crate::commands::Context;
use crate::{Exit, Failure};
use serde_json::Value;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Becomes `ssh` with what the provider says. It comes back only when that cannot be done.
pub(super) fn become_ssh(cx: &Context<'_>, access: &Value, words: &[OsString]) -> Failure {
    match arguments(access, words) {
        Ok((arguments, absent)) => {
            if let Some(key) = absent {
                cx.printer.warn(&format!("the key {key} is not on this machine; ssh tries its own"));
            }
            let error = Command::new("ssh").args(arguments).exec();
            Failure::io("ssh cannot be run", &error)
        }
        Err(why) => Failure::new(Exit::General, format!("the provider's answer does not do: {why}")),
    }
}

/// The arguments of `ssh`, and the key that is named but not here. The provider's words are not trusted: none of them can
/// become an option.
fn arguments(access: &Value, words: &[OsString]) -> Result<(Vec<OsString>, Option<String>), String> {
    let text = |name: &str| access.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let host = text("host").ok_or("it names no host")?;
    let allowed = |c: char| c.is_ascii_alphanumeric() || ".:-_%".contains(c);
    if host.starts_with('-') || !host.chars().all(allowed) {
        return Err("its host is neither a name nor an address".into());
    }
    let user = text("user").ok_or("it names no user")?;
    if user.starts_with('-') || !user.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)) {
        return Err("its user is no name of a user".into());
    }
    let port = match access.get("port") {
        None | Some(Value::Null) => 22,
        Some(port) => port.as_u64().filter(|port| (1..=65535).contains(port)).ok_or("its port is none")?,
    };
    let mut arguments: Vec<OsString> = ["-p", &port.to_string(), "-l", user].map(Into::into).to_vec();
    let mut absent = None;
    if let Some(key) = text("private_key_path") {
        let path = Path::new(key);
        if path.is_absolute() && path.is_file() {
            // ssh replaces % in it.
            arguments.extend(["-i".into(), key.replace('%', "%%").into()]);
        } else {
            absent = Some(key.chars().filter(|c| !c.is_control()).collect());
        }
    }
    arguments.extend(["--".into(), host.into()]);
    arguments.extend(words.iter().map(quoted));
    Ok((arguments, absent))
}

/// One word for the shell on the server, to which ssh sends them all as one text.
fn quoted(word: &OsString) -> OsString {
    let plain = |b: &u8| b.is_ascii_alphanumeric() || b"_-./:@%+,=".contains(b);
    if !word.is_empty() && word.as_bytes().iter().all(plain) {
        return word.clone();
    }
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend(br"'\''"),
            other => quoted.push(*other),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn made(access: Value, words: &[&str]) -> Result<Vec<String>, String> {
        let words: Vec<OsString> = words.iter().map(Into::into).collect();
        let (arguments, _) = arguments(&access, &words)?;
        Ok(arguments.into_iter().map(|word| word.into_string().unwrap()).collect())
    }

    #[test]
    fn arguments_of_ssh() {
        let dir = tempfile::tempdir().unwrap();
        let key = dir.path().join("k%h");
        std::fs::write(&key, "").unwrap();
        let access = json!({"host": "10.0.0.4", "port": 2222, "user": "root", "private_key_path": key});
        let key = key.to_str().unwrap().replace('%', "%%");
        assert_eq!(
            made(access, &["echo", "a b", "$(id)", "it's"]).unwrap(),
            [
                "-p",
                "2222",
                "-l",
                "root",
                "-i",
                &key,
                "--",
                "10.0.0.4",
                "echo",
                "'a b'",
                "'$(id)'",
                r"'it'\''s'"
            ]
        );
        let plain = json!({"host": "fe80::1%eth0", "user": "a.b"});
        assert_eq!(made(plain, &[]).unwrap(), ["-p", "22", "-l", "a.b", "--", "fe80::1%eth0"]);
        let absent = json!({"host": "h", "user": "u", "private_key_path": "/nonexistent/key"});
        assert_eq!(arguments(&absent, &[]).unwrap().1.unwrap(), "/nonexistent/key");
    }

    #[test]
    fn what_a_provider_says_is_no_option_and_no_command() {
        for access in [
            json!({}),
            json!({"host": "-oProxyCommand=touch /tmp/no", "user": "root"}),
            json!({"host": "a b", "user": "root"}),
            json!({"host": "a;id", "user": "root"}),
            json!({"host": "h", "user": "-oProxyCommand=x"}),
            json!({"host": "h", "user": "a@b"}),
            json!({"host": "h", "user": "$(id)"}),
            json!({"host": "h", "user": "root", "port": 0}),
            json!({"host": "h", "user": "root", "port": "22; id"}),
            json!({"host": 5, "user": "root"}),
            json!("h"),
        ] {
            assert!(made(access.clone(), &[]).is_err(), "{access}");
        }
    }
}
