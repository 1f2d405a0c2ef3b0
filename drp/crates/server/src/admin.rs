//! The first account and the id of the endpoint, made at first start.

use crate::listen::write_private;
use crate::{ServeError, Settings};
use drp_objects::FirstUser;
use drp_protocol::Secret;
use std::io;
use std::path::{Path, PathBuf};

/// Name of the first account (wire-protocol §3.2).
const NAME: &str = "rocketskates";
/// Its published password, given only with `--well-known-password`.
const WELL_KNOWN: &str = "r0cketsk8ts";
/// Letters that nobody mistakes for each other.
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// The first account, and whether its password was made just now and is to be shown.
pub(crate) struct Admin {
    pub(crate) user: Option<FirstUser>,
    pub(crate) made: Option<PathBuf>,
}

/// What account to make should the store have none. `fresh` tells that the store was never written.
pub(crate) fn admin(settings: &Settings, fresh: bool) -> Result<Admin, ServeError> {
    let with = |password: Secret<String>| Some(FirstUser { name: NAME.to_owned(), password });
    if settings.well_known_password {
        return Ok(Admin { user: with(Secret::new(WELL_KNOWN.to_owned())), made: None });
    }
    let path = settings.base_root.join("admin-password");
    match std::fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => {
            return Ok(Admin { user: with(Secret::new(text.trim().to_owned())), made: None });
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(refuse(&path, error)),
    }
    if !fresh {
        return Ok(Admin { user: None, made: None });
    }
    let password = password().map_err(|e| refuse(&path, io::Error::other(e.to_string())))?;
    // Kept before the account exists: a crash in between must not lose the only password.
    write_private(&path, format!("{}\n", password.expose()).as_bytes()).map_err(|e| refuse(&path, e))?;
    Ok(Admin { user: with(password), made: Some(path) })
}

fn refuse(path: &Path, error: io::Error) -> ServeError {
    let hint = "it holds the password of the first account; give this user access to it".to_owned();
    ServeError::Path { what: "password file", path: path.to_owned(), error, hint }
}

/// 100 bits in four groups of five letters.
fn password() -> Result<Secret<String>, getrandom::Error> {
    let mut bytes = [0_u8; 20];
    getrandom::fill(&mut bytes)?;
    let mut text = String::with_capacity(23);
    for (at, byte) in bytes.iter().enumerate() {
        if at > 0 && at % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(LETTERS[usize::from(byte % 32)]));
    }
    Ok(Secret::new(text))
}

/// The id of this endpoint: the given one, or one made once and kept.
pub(crate) fn endpoint_id(settings: &Settings) -> Result<String, ServeError> {
    if !settings.drp_id.is_empty() {
        return Ok(settings.drp_id.clone());
    }
    let path = settings.base_root.join("drp-id");
    if let Ok(text) = std::fs::read_to_string(&path)
        && !text.trim().is_empty()
    {
        return Ok(text.trim().to_owned());
    }
    let system = |what, error: getrandom::Error| ServeError::System {
        what,
        error: io::Error::other(error.to_string()),
    };
    let mut bytes = [0_u8; 6];
    getrandom::fill(&mut bytes).map_err(|e| system("random numbers", e))?;
    // Shaped like the MAC addresses that such ids usually are, with the bit for locally made ones.
    bytes[0] = (bytes[0] & 0xfe) | 0x02;
    let id = bytes.map(|byte| format!("{byte:02x}")).join(":");
    write_private(&path, format!("{id}\n").as_bytes()).map_err(|error| ServeError::Path {
        what: "id file",
        path: path.clone(),
        error,
        hint: "give this user access to it, or set --drp-id".to_owned(),
    })?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Overrides;

    fn settings(base: &Path) -> Settings {
        Settings::load(&Overrides::default().set("base-root", base.display().to_string())).unwrap().settings
    }

    #[test]
    fn a_password_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(dir.path());
        let text = |admin: &Admin| admin.user.as_ref().map(|u| u.password.expose().clone());
        assert!(admin(&settings, false).unwrap().user.is_none());
        let first = admin(&settings, true).unwrap();
        assert!(first.made.is_some() && text(&first).is_some_and(|p| p.len() == 23));
        let again = admin(&settings, false).unwrap();
        assert!(again.made.is_none());
        assert_eq!(text(&again), text(&first));
    }

    #[test]
    fn the_id_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path());
        let id = endpoint_id(&settings).unwrap();
        assert_eq!(endpoint_id(&settings).unwrap(), id);
        settings.drp_id = "mine".to_owned();
        assert_eq!(endpoint_id(&settings).unwrap(), "mine");
    }
}
