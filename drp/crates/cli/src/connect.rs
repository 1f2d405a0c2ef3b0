//! Which daemon to talk to, as whom, and which certificate to believe.

use crate::grammar::Globals;
use crate::{Exit, Failure, input};
use drp_client::{Builder, Client, Credentials, Trust};
use drp_protocol::Secret;
use std::io::{IsTerminal, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Base root when nothing else is said.
const BASE_ROOT: &str = "/var/lib/drp";
/// Endpoint when nothing else is said and no local socket is there (wire-protocol §6.1).
const ENDPOINT: &str = "https://127.0.0.1:8092";
/// The user when only a password is given (wire-protocol §6.1).
const USER: &str = "rocketskates";

/// How long one of several endpoints may take to answer.
const CONNECT_WITHIN: Duration = Duration::from_secs(1);

/// The way to a daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Socket(PathBuf),
    Url(String),
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The base root that was named, or the usual one.
pub(crate) fn base_root(globals: &Globals) -> PathBuf {
    globals.base_root.clone().unwrap_or_else(|| BASE_ROOT.into())
}

/// The local socket that was named, or the one of the base root.
pub(crate) fn socket(globals: &Globals) -> PathBuf {
    globals.socket.clone().unwrap_or_else(|| base_root(globals).join("drp.sock"))
}

/// The flags win, then the base root or socket that was named, then the environment, then the usual socket.
pub(crate) fn place(globals: &Globals) -> Place {
    if let Some(url) = &globals.endpoint {
        return Place::Url(url.clone());
    }
    let named = globals.socket.is_some() || globals.base_root.is_some();
    if !named && with_credentials(globals) {
        return Place::Url(from_environment().unwrap_or_else(|| ENDPOINT.into()));
    }
    let url = from_environment();
    let path = socket(globals);
    match url {
        Some(url) if !named => Place::Url(url),
        Some(url) if !path.exists() => Place::Url(url),
        _ if named || path.exists() => Place::Socket(path),
        _ => Place::Url(ENDPOINT.into()),
    }
}

/// `RS_ENDPOINT`, or the first of `RS_ENDPOINTS` that takes a connection; the first of all when none does, so that
/// the failure names one.
fn from_environment() -> Option<String> {
    if let Some(url) = variable("RS_ENDPOINT") {
        return Some(url);
    }
    let all = variable("RS_ENDPOINTS")?;
    let urls: Vec<&str> = all.split_whitespace().collect();
    let answers = |url: &&&str| {
        let place =
            url.split_once("://").map_or(**url, |(_, rest)| rest).split('/').next().unwrap_or_default();
        let addresses = place.to_socket_addrs().or_else(|_| (place, 443).to_socket_addrs());
        addresses.is_ok_and(|mut all| all.any(|a| TcpStream::connect_timeout(&a, CONNECT_WITHIN).is_ok()))
    };
    let url = if urls.len() > 1 { urls.iter().find(answers).or(urls.first()) } else { urls.first() };
    url.map(|url| (*url).to_owned())
}

/// Somebody wants to be somebody else than the caller.
fn with_credentials(globals: &Globals) -> bool {
    let Globals { user, password, password_file, token, token_file, .. } = globals;
    user.is_some() || password.is_some() || token.is_some() || password_file.is_some() || token_file.is_some()
}

/// The client for these arguments. Nothing is sent yet.
pub(crate) fn client(globals: &Globals) -> Result<Client, Failure> {
    let mut builder = Client::builder();
    if !globals.retry {
        builder = builder.retry_waits([]);
    }
    if let Some(seconds) = globals.timeout {
        builder = builder.timeout(Duration::from_secs(seconds));
    }
    if let Some(level) = globals.trace {
        let token = globals.trace_token.clone().unwrap_or_else(|| format!("drp-{}", std::process::id()));
        builder = builder.trace(level, token);
    }
    // The local socket knows the caller by its uid. Credentials in the environment are meant for RS_ENDPOINT.
    let (builder, environment) = match place(globals) {
        Place::Socket(_) if with_credentials(globals) => {
            return Err(Failure::usage(
                "the local socket takes no credentials: it knows the caller by its uid",
            )
            .hint("name the daemon's URL with --endpoint to be another user"));
        }
        Place::Socket(path) => (builder.socket(path), false),
        Place::Url(url) if !url.contains("://") => {
            return Err(Failure::usage(format!("the endpoint {url} has no scheme"))
                .hint(format!("write https://{url}")));
        }
        Place::Url(url) => {
            let trust = trust(globals, &url)?;
            (builder.endpoint(url).trust(trust), true)
        }
    };
    Ok(authenticate(builder, globals, environment)?.build()?)
}

fn authenticate(builder: Builder, globals: &Globals, environment: bool) -> Result<Builder, Failure> {
    let variable = |name: &str| if environment { variable(name) } else { None };
    if let Some(token) = token(globals, &variable)? {
        return Ok(builder.token(token));
    }
    let password = match (&globals.password, &globals.password_file) {
        (Some(password), _) => Some(password.clone()),
        (None, Some(path)) => Some(input::secret_file(path)?),
        (None, None) => None,
    };
    if globals.user.is_none() && password.is_none() {
        if let Some(key) = variable("RS_KEY") {
            let Some((user, password)) = key.split_once(':') else {
                return Err(Failure::usage("RS_KEY must look like user:password"));
            };
            return Ok(builder.credentials(login(
                globals,
                user.to_owned(),
                Secret::new(password.to_owned()),
            )));
        }
        return Ok(builder);
    }
    let user = globals.user.clone().unwrap_or_else(|| USER.into());
    // The password of RS_KEY is good for its own user only.
    let from_key = || {
        let key = variable("RS_KEY")?;
        let (name, password) = key.split_once(':')?;
        (name == user).then(|| Secret::new(password.to_owned()))
    };
    let password = match password.or_else(from_key) {
        Some(password) => password,
        None => ask(&format!("Password of {user}: "))?,
    };
    Ok(builder.credentials(login(globals, user, password)))
}

fn login(globals: &Globals, user: String, password: Secret) -> Credentials {
    if globals.no_token {
        Credentials::Basic { user, password }
    } else {
        Credentials::Login { user, password }
    }
}

fn token(globals: &Globals, variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<Secret>, Failure> {
    if let Some(token) = &globals.token {
        return Ok(Some(token.clone()));
    }
    if let Some(path) = &globals.token_file {
        return input::secret_file(path).map(Some);
    }
    if globals.user.is_some() || globals.password.is_some() || globals.password_file.is_some() {
        return Ok(None);
    }
    Ok(variable("RS_TOKEN").map(Secret::new))
}

/// What was named; else, for a daemon on this host, the certificate in its base root.
fn trust(globals: &Globals, url: &str) -> Result<Trust, Failure> {
    let read = |path: &Path| std::fs::read_to_string(path).map_err(|e| Failure::io(path.display(), &e));
    if globals.insecure {
        return Ok(Trust::Insecure);
    }
    if let Some(path) = &globals.pin {
        return read(path).map(Trust::Pinned);
    }
    if let Some(path) = &globals.cacert {
        return read(path).map(Trust::Authorities);
    }
    let local = ["https://127.", "https://localhost", "https://[::1]"].iter().any(|p| url.starts_with(p));
    if local && let Ok(pem) = std::fs::read_to_string(base_root(globals).join("tls/server.crt")) {
        return Ok(Trust::Pinned(pem));
    }
    Ok(Trust::Nothing)
}

/// Asks on the terminal, without showing what is typed. Signals from the keyboard are taken as characters
/// meanwhile, so that an interrupted question never leaves the terminal blind.
pub(crate) fn ask(question: &str) -> Result<Secret, Failure> {
    use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(Failure::usage("a password is needed and there is no terminal to ask on")
            .hint("name a file with --password-file (- for standard input), or set RS_KEY=user:password"));
    }
    let trouble = |e: &std::io::Error| Failure::io("the terminal", e);
    let _ = write!(std::io::stderr(), "{question}");
    let shown = tcgetattr(&stdin).map_err(|e| trouble(&e.into()))?;
    let mut hidden = shown.clone();
    hidden.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON | LocalFlags::ISIG);
    tcsetattr(&stdin, SetArg::TCSANOW, &hidden).map_err(|e| trouble(&e.into()))?;
    let typed = read_typed(&mut stdin.lock());
    let _ = tcsetattr(&stdin, SetArg::TCSANOW, &shown);
    let _ = writeln!(std::io::stderr());
    let typed = typed.map_err(|e| trouble(&e))?;
    typed.ok_or_else(|| Failure::new(Exit::Interrupted, "interrupted"))
}

/// A line as it is typed, with Backspace and Ctrl-U; `None` on Ctrl-C.
fn read_typed(from: &mut impl Read) -> std::io::Result<Option<Secret>> {
    const INTERRUPT: u8 = 3;
    const END: u8 = 4;
    const BACKSPACE: [u8; 2] = [8, 127];
    const KILL: u8 = 21;
    let mut bytes = Vec::new();
    let mut byte = [0];
    loop {
        if from.read(&mut byte)? == 0 {
            break;
        }
        match byte[0] {
            b'\n' | b'\r' | END => break,
            INTERRUPT => return Ok(None),
            KILL => bytes.clear(),
            b if BACKSPACE.contains(&b) => {
                // A whole character, whose further bytes all begin with the bits 10.
                while bytes.pop().is_some_and(|b| b & 0xc0 == 0x80) {}
            }
            b => bytes.push(b),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| std::io::Error::other("what was typed is not UTF-8"))?;
    Ok(Some(Secret::new(text)))
}

#[cfg(test)]
mod tests {
    use super::{Place, place, read_typed};
    use crate::grammar::Globals;

    #[test]
    fn typing_can_be_corrected_and_interrupted() {
        let typed = |bytes: &[u8]| read_typed(&mut &bytes[..]).unwrap().map(|s| s.expose().clone());
        assert_eq!(typed("abü\u{7f}c\nrest".as_bytes()), Some("abc".into()));
        assert_eq!(typed(b"wrong\x15right\r"), Some("right".into()));
        assert_eq!(typed(b"abc\x03"), None);
        assert_eq!(typed(b""), Some(String::new()));
    }

    #[test]
    fn a_named_base_root_means_its_socket() {
        let globals = Globals { base_root: Some("/nonexistent".into()), ..Globals::default() };
        assert_eq!(place(&globals), Place::Socket("/nonexistent/drp.sock".into()));
        let globals = Globals { endpoint: Some("https://x".into()), ..globals };
        assert_eq!(place(&globals), Place::Url("https://x".into()));
        let globals = Globals { user: Some("jane".into()), ..Globals::default() };
        assert!(matches!(place(&globals), Place::Url(_)), "a socket knows its caller and no one else");
    }
}
