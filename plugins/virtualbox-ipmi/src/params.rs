//! Params, checked. Every odd value is a 400 that names its param, and never its text: it may be a secret in the wrong
//! place.

use crate::answer::problem;
use drp_plugin_sdk::{Error, Params, Secret, Value};
use drp_vbox::{Hardware, KnownHosts, Place, SshKey, SshTarget, own_user};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncReadExt;

/// Names of params.
pub(crate) mod name {
    pub(crate) const USER: &str = "virtualbox/user";
    pub(crate) const ID: &str = "virtualbox/id";
    pub(crate) const NAME: &str = "virtualbox/name";
    pub(crate) const VM_PATH: &str = "virtualbox/vm-path";
    pub(crate) const CPUS: &str = "virtualbox/cpus";
    pub(crate) const MEMORY: &str = "virtualbox/mem-size-mb";
    pub(crate) const DISK: &str = "virtualbox/disk-size-mb";
    pub(crate) const VRAM: &str = "virtualbox/vram-size-mb";
    pub(crate) const HOSTONLY: &str = "virtualbox/hostonly-adapter";
    pub(crate) const HOST: &str = "virtualbox/host";
    pub(crate) const SSH_USER: &str = "virtualbox/ssh-user";
    pub(crate) const SSH_KEY: &str = "virtualbox/ssh-key";
    pub(crate) const SSH_PORT: &str = "virtualbox/ssh-port";
    pub(crate) const SSH_KNOWN_HOSTS: &str = "virtualbox/ssh-known-hosts";
    pub(crate) const PROGRAM: &str = "virtualbox/program";
    pub(crate) const PREFIX: &str = "virtualbox/command-prefix";
    pub(crate) const TIMEOUT: &str = "virtualbox/timeout";
    pub(crate) const START_GAP: &str = "virtualbox/start-gap";
    pub(crate) const VERIFY_TIMEOUT: &str = "virtualbox/verify-timeout";
    pub(crate) const SOFT_TIMEOUT: &str = "virtualbox/soft-timeout";
    pub(crate) const BOOT_WAIT: &str = "virtualbox/boot-wait";
    pub(crate) const IMPORT: &str = "virtualbox/import-existing";
    pub(crate) const DESTROY_IMPORTED: &str = "virtualbox/destroy-imported";
    pub(crate) const IMPORTED: &str = "virtualbox/imported";
    pub(crate) const STATE: &str = "virtualbox/state";
    pub(crate) const MESSAGE: &str = "virtualbox/message";
    pub(crate) const MACHINE_PLUGIN: &str = "machine-plugin";
}

/// Params that an action, or the machine it acts on, may give in the place of the plugin object's.
pub(crate) const OVERRIDES: [&str; 6] =
    [name::USER, name::HOST, name::SSH_USER, name::SSH_KEY, name::SSH_PORT, name::SSH_KNOWN_HOSTS];

/// Largest `known_hosts` that is read, in bytes.
const MAX_KNOWN_HOSTS: u64 = 4 << 20;

/// Params of an action over those of the plugin object. Which program runs is only the plugin object's to say: whoever
/// may run an action may not run programs.
pub(crate) fn over(plugin: &Params, action: &Params) -> Params {
    let mut merged = plugin.as_map().clone();
    for name in OVERRIDES {
        if let Some(value) = action.value(name) {
            merged.insert(name.to_owned(), value.clone());
        }
    }
    merged.into()
}

/// What tells one VirtualBox from another, without secrets.
pub(crate) type PlaceKey = (String, u16, String, String, String);

/// Where VirtualBox is.
pub(crate) async fn place(params: &Params) -> Result<(PlaceKey, Place), Error> {
    let user = text(params, name::USER)?.unwrap_or_default();
    let Some(host) = text(params, name::HOST)? else {
        let own = own_user().unwrap_or_default();
        if !user.is_empty() && user != own && prefix(params)?.is_empty() {
            let what = format!(
                "{} is {user}, and this plugin runs as {own}, who has other virtual machines",
                name::USER
            );
            let next = format!(
                "run the daemon as {user}, or set {} to [\"sudo\", \"-n\", \"-u\", \"{user}\"], or {} to the host",
                name::PREFIX,
                name::HOST
            );
            return Err(problem(400, "PARAM", what, &next));
        }
        return Ok((PlaceKey::default(), Place::Local));
    };
    if host.chars().any(|c| c.is_whitespace() || c.is_control() || "/@?#[]".contains(c)) {
        return Err(odd(name::HOST, "is not a host name or an address"));
    }
    let login = text(params, name::SSH_USER)?.unwrap_or(user);
    if login.is_empty() {
        return Err(odd(name::SSH_USER, "is missing, and virtualbox/user too"));
    }
    let port = number(params, name::SSH_PORT, 22, 1..=u16::MAX)?;
    let Some(key) = text(params, name::SSH_KEY)? else {
        return Err(odd(name::SSH_KEY, "is missing: the private key to log in with"));
    };
    let key = SshKey::parse(&Secret::new(key))
        .map_err(|e| problem(e.kind.code(), e.kind.word(), e.what, &e.next))?;
    let known = known_hosts(params).await?;
    let place = (host.clone(), port, login.clone(), key.fingerprint().to_owned(), known.clone());
    let known_hosts = Arc::new(KnownHosts::parse(&known));
    Ok((place, Place::Ssh(SshTarget { host, port, user: login, key, known_hosts })))
}

/// The text of the list: the param's own, or that of the file it names, or the user's own file.
async fn known_hosts(params: &Params) -> Result<String, Error> {
    let given = text(params, name::SSH_KNOWN_HOSTS)?;
    let (path, must) = match given {
        Some(path) if path.starts_with('/') => (path, true),
        Some(lines) => return Ok(lines),
        None => match std::env::var("HOME") {
            Ok(home) => (format!("{home}/.ssh/known_hosts"), false),
            Err(_) => return Ok(String::new()),
        },
    };
    match read_bounded(&path).await {
        Ok(bytes) if bytes.len() as u64 <= MAX_KNOWN_HOSTS => {
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        Ok(_) => Err(odd(name::SSH_KNOWN_HOSTS, "names a file of more than 4 MB")),
        Err(error) if must => {
            Err(odd(name::SSH_KNOWN_HOSTS, &format!("names a file that cannot be read: {error}")))
        }
        Err(_) => Ok(String::new()),
    }
}

/// One byte more than the bound at most, of a plain file only: machines and actions may name the file, and a device has no
/// end, a pipe perhaps no beginning.
async fn read_bounded(path: &str) -> std::io::Result<Vec<u8>> {
    if !tokio::fs::metadata(path).await?.is_file() {
        return Err(std::io::Error::other("it is no plain file"));
    }
    let mut bytes = Vec::new();
    tokio::fs::File::open(path).await?.take(MAX_KNOWN_HOSTS + 1).read_to_end(&mut bytes).await?;
    Ok(bytes)
}

/// Words before the program.
pub(crate) fn prefix(params: &Params) -> Result<Vec<String>, Error> {
    Ok(params.get::<Vec<String>>(name::PREFIX).map_err(named)?.unwrap_or_default())
}

/// The program.
pub(crate) fn program(params: &Params) -> Result<String, Error> {
    Ok(text(params, name::PROGRAM)?.unwrap_or_else(|| "VBoxManage".to_owned()))
}

/// A number of seconds.
pub(crate) fn seconds(params: &Params, name: &str, default: u64, most: u64) -> Result<Duration, Error> {
    number(params, name, default, 0..=most).map(Duration::from_secs)
}

/// A number of milliseconds.
pub(crate) fn millis(params: &Params, name: &str, default: u64, most: u64) -> Result<Duration, Error> {
    number(params, name, default, 0..=most).map(Duration::from_millis)
}

/// A yes or no.
pub(crate) fn flag(params: &Params, name: &str, default: bool) -> Result<bool, Error> {
    match params.value(name) {
        None => Ok(default),
        Some(value) => value.as_bool().ok_or_else(|| odd(name, "is not true or false")),
    }
}

/// Which machine: by id, else by name.
pub(crate) fn which(params: &Params) -> Result<String, Error> {
    let id = text(params, name::ID)?;
    let Some(which) = (match id {
        Some(id) => Some(id),
        None => vm_name(params)?,
    }) else {
        return Err(odd(name::ID, "is missing, and virtualbox/name too: one of them says which machine"));
    };
    if which.chars().any(char::is_control) {
        return Err(odd(name::ID, "has control characters in it"));
    }
    Ok(which)
}

/// Name of a machine, one that VirtualBox takes.
pub(crate) fn vm_name(params: &Params) -> Result<Option<String>, Error> {
    let Some(given) = text(params, name::NAME)? else { return Ok(None) };
    if given.chars().any(char::is_control) {
        return Err(odd(name::NAME, "has line breaks or other control characters in it"));
    }
    if given.len() > 255 {
        return Err(odd(name::NAME, "is longer than 255 bytes"));
    }
    Ok(Some(given))
}

/// What a new machine gets.
pub(crate) fn hardware(params: &Params) -> Result<Hardware, Error> {
    let hostonly = text(params, name::HOSTONLY)?.unwrap_or_else(|| "vboxnet0".to_owned());
    if hostonly.chars().any(char::is_control) {
        return Err(odd(name::HOSTONLY, "has control characters in it"));
    }
    Ok(Hardware {
        cpus: number(params, name::CPUS, 2, 1..=256)?,
        memory_mb: number(params, name::MEMORY, 2_048, 4..=4_194_304)?,
        disk_mb: number(params, name::DISK, 20_480, 1..=2_147_483_647)?,
        vram_mb: number(params, name::VRAM, 128, 1..=256)?,
        hostonly,
    })
}

/// A text; `None` when it is absent or empty.
pub(crate) fn text(params: &Params, name: &str) -> Result<Option<String>, Error> {
    match params.value(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(odd(name, "is not a text")),
    }
}

/// A whole number within bounds. `2.0` is one, too: JSON does not tell them apart.
fn number<T>(params: &Params, name: &str, default: T, bounds: std::ops::RangeInclusive<T>) -> Result<T, Error>
where
    T: TryFrom<i64> + PartialOrd + std::fmt::Display,
{
    let Some(value) = params.value(name) else { return Ok(default) };
    #[allow(clippy::cast_possible_truncation)]
    let whole = || value.as_f64().filter(|n| n.fract() == 0.0 && n.abs() < 9e15).map(|n| n as i64);
    value
        .as_i64()
        .or_else(whole)
        .and_then(|number| T::try_from(number).ok())
        .filter(|number| bounds.contains(number))
        .ok_or_else(|| {
            odd(name, &format!("is not a whole number from {} to {}", bounds.start(), bounds.end()))
        })
}

fn odd(name: &str, why: &str) -> Error {
    problem(400, "PARAM", format!("{name} {why}"), &format!("correct {name}"))
}

/// An error of the SDK, in the words of this plugin.
fn named(error: Error) -> Error {
    problem(400, "PARAM", error.messages.join(" "), "correct it")
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_plugin_sdk::json;

    fn params(value: Value) -> Params {
        value.as_object().cloned().unwrap().into()
    }

    #[test]
    fn odd_values_are_named_and_not_shown() {
        for (odd, param) in [
            (json!({"virtualbox/cpus": "hunter2"}), "virtualbox/cpus"),
            (json!({"virtualbox/cpus": 0}), "virtualbox/cpus"),
            (json!({"virtualbox/cpus": 1.5}), "virtualbox/cpus"),
            (json!({"virtualbox/mem-size-mb": -1}), "virtualbox/mem-size-mb"),
            (json!({"virtualbox/hostonly-adapter": ["hunter2"]}), "virtualbox/hostonly-adapter"),
        ] {
            let error = hardware(&params(odd)).unwrap_err();
            assert_eq!((error.code, error.r#type.as_str()), (400, "PARAM"));
            assert!(
                error.messages[0].starts_with(param) && !error.to_string().contains("hunter2"),
                "{error}"
            );
        }
        assert_eq!(hardware(&params(json!({"virtualbox/cpus": 3.0}))).unwrap().cpus, 3);
        for odd in [
            json!({"virtualbox/name": "a\nb"}),
            json!({"virtualbox/id": "a\rb"}),
            json!({}),
            json!({"virtualbox/id": 7}),
        ] {
            assert_eq!(which(&params(odd)).unwrap_err().code, 400);
        }
        assert_eq!(which(&params(json!({"virtualbox/id": "", "virtualbox/name": "-x y"}))).unwrap(), "-x y");
    }

    #[test]
    fn actions_do_not_choose_the_program() {
        let plugin = params(json!({"virtualbox/program": "VBoxManage", "virtualbox/ssh-port": 22}));
        let action = params(
            json!({"virtualbox/program": "/bin/sh", "virtualbox/command-prefix": ["sh"], "virtualbox/ssh-port": 23}),
        );
        let merged = over(&plugin, &action);
        assert_eq!(program(&merged).unwrap(), "VBoxManage");
        assert!(prefix(&merged).unwrap().is_empty());
        assert_eq!(merged.value("virtualbox/ssh-port"), Some(&json!(23)));
    }

    #[tokio::test]
    async fn only_a_plain_file_of_some_size_is_read() {
        let known = |path: &str| params(json!({"virtualbox/ssh-known-hosts": path}));
        for (path, words) in
            [("/dev/zero", "no plain file"), ("/tmp", "no plain file"), ("/nonexistent/x", "cannot be read")]
        {
            let error = known_hosts(&known(path)).await.unwrap_err().to_string();
            assert!(error.contains(words), "{path}: {error}");
        }
        let file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(MAX_KNOWN_HOSTS).unwrap();
        let path = file.path().display().to_string();
        assert_eq!(known_hosts(&known(&path)).await.unwrap().len() as u64, MAX_KNOWN_HOSTS);
        file.as_file().set_len(MAX_KNOWN_HOSTS + 1).unwrap();
        assert!(known_hosts(&known(&path)).await.unwrap_err().to_string().contains("4 MB"));
    }

    #[tokio::test]
    async fn where_it_is() {
        let own = own_user().unwrap();
        assert!(matches!(place(&params(json!({"virtualbox/user": own}))).await.unwrap().1, Place::Local));
        let other = place(&params(json!({"virtualbox/user": "somebody-else"}))).await.unwrap_err();
        assert!(other.code == 400 && other.to_string().contains("command-prefix"), "{other}");
        let prefixed =
            json!({"virtualbox/user": "somebody-else", "virtualbox/command-prefix": ["sudo", "-n"]});
        assert!(place(&params(prefixed)).await.is_ok());
        for (odd, param) in [
            (json!({"virtualbox/host": "a b", "virtualbox/ssh-user": "u"}), "virtualbox/host"),
            (json!({"virtualbox/host": "h"}), "virtualbox/ssh-user"),
            (json!({"virtualbox/host": "h", "virtualbox/user": "u"}), "virtualbox/ssh-key"),
            (
                json!({"virtualbox/host": "h", "virtualbox/user": "u", "virtualbox/ssh-key": "canary"}),
                "virtualbox/ssh-key",
            ),
            (
                json!({"virtualbox/host": "h", "virtualbox/user": "u", "virtualbox/ssh-port": 70_000}),
                "virtualbox/ssh-port",
            ),
        ] {
            let error = place(&params(odd)).await.unwrap_err();
            assert!(error.code == 400 && error.messages[0].contains(param), "{error}");
            assert!(!error.to_string().contains("canary"), "{error}");
        }
    }
}
