//! What to do next, from what went wrong.

use drp_client::ClientError;

/// Hints that the error alone gives.
pub(crate) fn for_error(error: &ClientError) -> Vec<String> {
    let mut hints = Vec::new();
    match error {
        ClientError::Unreachable { endpoint, reason } if endpoint.starts_with('/') && forbidden(reason) => {
            hints.push(
                "the socket belongs to another user: run as that user or as root, or use --endpoint URL with \
                 credentials"
                    .into(),
            );
        }
        ClientError::Unreachable { endpoint, .. } if endpoint.starts_with('/') => {
            let base =
                std::path::Path::new(endpoint).parent().map_or(String::new(), |p| p.display().to_string());
            hints
                .push(format!("no daemon serves this socket; start one with `drp serve --base-root {base}`"));
        }
        ClientError::Unreachable { .. } => {
            hints.push(
                "start a daemon with `drp serve`, or name another one with --endpoint URL or RS_ENDPOINT"
                    .into(),
            );
        }
        ClientError::Untrusted { .. } => {
            hints.push(
                "name the daemon's certificate with --pin FILE (<base-root>/tls/server.crt), its authority with \
                 --cacert FILE, or go without with --insecure"
                    .into(),
            );
        }
        ClientError::Timeout { .. } => {
            hints.push("a change may have been carried out: look before you try again".into());
        }
        ClientError::Status { status: 401, .. } => hints.push(
            "give credentials: RS_TOKEN, RS_KEY=user:password, or -U USER with --password-file FILE".into(),
        ),
        ClientError::Status { status: 403, .. } => {
            hints.push("the user or password is wrong, or the token is expired or was revoked".into());
        }
        ClientError::Api(api) => {
            for message in &api.messages {
                if let Some((_, param)) = message.split_once(" Missing Parameter ") {
                    hints.push(format!(
                        "set it with `drp {} set {} param {param} to VALUE`, or pass it: `… {param} VALUE`",
                        word(&api.model, "TYPE"),
                        word(&api.key, "ID"),
                    ));
                } else if message == "Locked" {
                    hints.push(format!(
                        "unlock it with `drp {} update {} '{{\"Locked\": false}}'`",
                        word(&api.model, "machines"),
                        word(&api.key, "ID"),
                    ));
                } else if message.contains("cannot be passed secure parameter") {
                    hints.push(
                        "set the secure param on the object instead: `drp TYPE set ID param NAME to -`"
                            .into(),
                    );
                } else if message.contains("Test op failed") {
                    hints.push("somebody else changed the object meanwhile: look at it and try again".into());
                } else if message.contains("Invalid Name `") || message.contains("Invalid ID `") {
                    hints.push(
                        "a name is a letter (of machines and templates also a digit) and at least one more letter, digit, \
                         space, - _ or ."
                            .into(),
                    );
                } else if message.starts_with("Requires: ") {
                    hints.push("the role of your user lacks this claim".into());
                }
            }
        }
        _ => {}
    }
    hints
}

/// The system refused the way to the socket, in its own words.
pub(crate) fn forbidden(reason: &str) -> bool {
    reason.to_lowercase().contains("permission denied")
}

fn word<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The candidates that look like the word, best first, at most three.
pub(crate) fn similar<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    let mut close: Vec<(usize, &str)> = candidates
        .into_iter()
        .filter_map(|candidate| {
            let far = distance(&word.to_lowercase(), &candidate.to_lowercase());
            let limit = (word.chars().count() / 3).clamp(1, 4);
            (far <= limit || (word.len() > 2 && candidate.starts_with(word))).then_some((far, candidate))
        })
        .collect();
    close.sort_unstable();
    close.dedup();
    close.truncate(3);
    close.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The hint for a misspelt word.
pub(crate) fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let close = similar(word, candidates);
    let quoted: Vec<String> = close.iter().map(|c| format!("`{c}`")).collect();
    (!close.is_empty()).then(|| format!("did you mean {}?", quoted.join(" or ")))
}

/// How many characters must be inserted, deleted, replaced or swapped with their neighbour.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().take(64).collect(), b.chars().take(64).collect());
    let mut rows: Vec<Vec<usize>> = vec![(0..=b.len()).collect()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut best = (rows[i - 1][j] + 1).min(row[j - 1] + 1).min(rows[i - 1][j - 1] + same);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(rows[i - 2][j - 2] + 1);
            }
            row.push(best);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn misspelt_words_are_found() {
        let words = ["machines", "params", "plugins", "plugin_providers", "profiles"];
        assert_eq!(similar("machnes", words), ["machines"]);
        assert_eq!(similar("parmas", words), ["params"]);
        assert_eq!(similar("plugin", words), ["plugins", "plugin_providers"]);
        assert!(similar("zebra", words).is_empty());
        assert_eq!(did_you_mean("x", words), None);
    }

    #[test]
    fn a_plugin_that_was_refused_is_not_our_login() {
        use crate::{Exit, Failure};
        for (error, exit) in [
            (drp_protocol::Error::new(401, "plugin", "wrong password").on("plugin", "ipmi"), Exit::General),
            (drp_protocol::Error::new(404, "", "no such lamp"), Exit::General),
            (drp_protocol::Error::new(409, "INVOKE", "it exited").on("plugins", "lamp"), Exit::General),
            (drp_protocol::Error::new(400, "INVOKE", "x").on("machines", "m1"), Exit::Refused),
            (drp_protocol::Error::new(403, "AUTH", "Requires: machines").on("machines", "m1"), Exit::Denied),
        ] {
            let failure = Failure::action(ClientError::Api(error));
            assert_eq!(failure.exit, exit, "{failure}");
            assert!(!failure.hints.iter().any(|h| h.contains("RS_KEY")), "{:?}", failure.hints);
        }
    }

    #[test]
    fn the_socket_of_another_user_is_no_missing_daemon() {
        let error =
            ClientError::Unreachable { endpoint: "/x/drp.sock".into(), reason: "Permission denied".into() };
        let failure = crate::Failure::from(error);
        assert_eq!(failure.exit, crate::Exit::Denied);
        assert!(failure.hints[0].contains("another user"), "{:?}", failure.hints);
    }

    #[test]
    fn a_missing_param_says_how_to_set_it() {
        let api = drp_protocol::Error::new(400, "INVOKE", "Action poweron Missing Parameter ipmi/address")
            .on("machines", "Name:m1");
        let hints = for_error(&ClientError::Api(api));
        assert!(hints[0].contains("drp machines set Name:m1 param ipmi/address to VALUE"), "{hints:?}");
    }
}
