//! URL paths from names.

use crate::ClientError;
use crate::query::Query;
use crate::transport::API;
use std::fmt::Write;

/// A path of the API from names, for [`Client::raw`](crate::Client::raw) and the like.
///
/// # Errors
/// [`ClientError::Setting`] when a name is empty or a dot segment.
pub fn path(names: &[&str], query: &Query) -> Result<String, ClientError> {
    let mut path = join(API, names)?;
    query.append_to(&mut path);
    Ok(path)
}

/// Appends `/name` to the path. Slashes in a name stay, as the API's tail wildcards want them
/// (wire-protocol §3.4); everything else that is not plain is escaped.
pub(crate) fn join(base: &str, names: &[&str]) -> Result<String, ClientError> {
    let mut path = String::with_capacity(base.len() + 40);
    path.push_str(base);
    for name in names {
        if name.is_empty() {
            return Err(ClientError::Setting("an empty name was given".into()));
        }
        // URL libraries resolve dot segments, so that such a name would reach another object.
        if name.split('/').any(|part| matches!(part, "." | "..")) {
            return Err(ClientError::Setting(format!("{name:?} cannot be a name")));
        }
        path.push('/');
        escape_into(&mut path, name, true);
    }
    Ok(path)
}

/// Appends text in percent-encoding.
pub(crate) fn escape_into(out: &mut String, text: &str, keep_slash: bool) {
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' => {
                out.push(byte.into())
            }
            b'/' if keep_slash => out.push('/'),
            _ => {
                let _ = write!(out, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::join;

    #[test]
    fn names_are_escaped_and_dot_segments_refused() {
        assert_eq!(
            join("/machines", &["Name:a b", "params", "x/y?é"]).unwrap(),
            "/machines/Name:a%20b/params/x/y%3F%C3%A9"
        );
        for bad in ["", "..", "a/../b", "."] {
            assert!(join("/files", &[bad]).is_err(), "{bad:?}");
        }
    }
}
