//! What is said about JSON that does not decode.

use serde_json::error::Category;

/// Words after which serde shows the value it was given.
const SHOWN: [&str; 3] = ["invalid type: ", "invalid value: ", "unknown variant "];

/// Why JSON does not decode, without the value that was in the way: it may be a secret in the wrong place, and errors
/// are logged and shown.
#[must_use]
pub fn json_error(error: &serde_json::Error) -> String {
    let text = error.to_string();
    if error.classify() != Category::Data {
        return text;
    }
    let Some((at, marker)) = SHOWN.iter().filter_map(|m| Some((text.find(m)?, *m))).min() else {
        return text;
    };
    // The value may hold anything, these words too: what is expected comes after the last of them.
    let expected = text.rfind(", expected ").map_or("", |from| &text[from..]);
    let given = &text[at + marker.len()..];
    let kind = match given.split([' ', ',', '`']).next().unwrap_or_default() {
        "floating" => "number",
        kind => kind,
    };
    let what = format!("{}{kind}", &text[..at + marker.len()]);
    format!("{}{expected}", what.trim_end())
}

#[cfg(test)]
mod tests {
    use super::json_error;
    use drp_protocol::{JsonMap, User, UserPassword};
    use serde::de::DeserializeOwned;
    use std::collections::BTreeMap;

    fn said<T: DeserializeOwned>(json: &str) -> String {
        json_error(&serde_json::from_str::<T>(json).err().unwrap())
    }

    #[test]
    fn values_are_not_repeated() {
        for (text, want) in [
            (
                said::<UserPassword>("\"canary\""),
                "invalid type: string, expected a JSON object (UserPassword) at line 1 column 8",
            ),
            (
                said::<UserPassword>("\"canary, expected canary: invalid type: \""),
                "(UserPassword) at line 1 column 41",
            ),
            (
                said::<UserPassword>("{\"Password\":[\"canary\"]}"),
                "UserPassword.Password: invalid type: sequence, expected a string",
            ),
            (said::<UserPassword>("{\"Password\":31337}"), "invalid type: integer, expected a string"),
            (said::<User>("{\"Roles\":\"canary\"}"), "User.Roles: invalid type: string, expected a sequence"),
            (
                said::<BTreeMap<String, String>>("{\"baseTokenSecret\":31337}"),
                "invalid type: integer, expected a string",
            ),
            (said::<JsonMap>("\"canary\""), "invalid type: string, expected a map"),
            (said::<Vec<JsonMap>>("[\"canary\"]"), "invalid type: string, expected a map"),
            (said::<std::net::Ipv4Addr>("\"canary\""), "invalid IPv4 address syntax"),
            (said::<Result<u8, u8>>("{\"canary\":1}"), "unknown variant, expected `Ok` or `Err`"),
            (said::<JsonMap>("{\"a\":canary}"), "expected value at line 1 column 6"),
        ] {
            assert!(text.contains(want), "{text:?} has no {want:?}");
            assert!(!text.contains("canary") && !text.contains("31337"), "{text}");
        }
    }
}
