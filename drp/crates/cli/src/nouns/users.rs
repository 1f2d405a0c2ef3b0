//! Passwords and tokens.

use crate::commands::{Context, objects};
use crate::noun::{Noun, noun};
use crate::{Failure, connect, input};
use clap::{Subcommand, ValueHint};
use drp_client::{Poll, TokenQuery};
use drp_protocol::Secret;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Verbs of users alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Change a user's password, which kills the user's tokens
    Password {
        /// Name of the user
        name: String,
        /// The new password. Others on this host can see it while the command runs: prefer --new-password-file
        #[arg(value_parser = crate::grammar::secret, conflicts_with = "file")]
        new_password: Option<Secret>,
        /// File with the new password, - for standard input [default: ask]
        #[arg(long = "new-password-file", value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
    },
    /// Make a token of a user
    Token {
        /// Name of the user
        name: String,
        /// How long it lives: seconds, or a number with a unit such as 12h or 30d
        #[arg(long)]
        ttl: Option<String>,
        /// Only these of the user's roles, comma list
        #[arg(long)]
        roles: Option<String>,
        /// Narrow it to these object types
        #[arg(long)]
        scope: Option<String>,
        /// Narrow it to these actions
        #[arg(long)]
        action: Option<String>,
        /// Narrow it to these keys
        #[arg(long)]
        specific: Option<String>,
        /// The same by words: ttl, roles, scope, action and specific, each with its value behind it
        #[arg(value_name = "WORD VALUE", conflicts_with_all = ["ttl", "roles", "scope", "action", "specific"])]
        words: Vec<String>,
        /// Print the token alone
        #[arg(long)]
        bare: bool,
    },
}

pub(super) const NOUN: Noun = noun!("users", "", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Password { name, new_password, file } => {
            objects::known(cx, "users", &name, cx.client.tag("users", &name, &Poll::default()).await).await?;
            if cx.dry("PUT", &format!("users/{name}/password"), &json!({ "Password": "***" }))? {
                return Ok(());
            }
            let password = match (new_password, file) {
                (Some(password), _) => {
                    cx.printer.warn(
                        "others on this host could see the password on the command line: prefer --new-password-file",
                    );
                    password
                }
                (None, Some(path)) => input::secret_file(&path)?,
                (None, None) => {
                    let first =
                        connect::ask(&format!("New password of {name}: ")).map_err(|mut failure| {
                            // The flags that the question names are those of the caller's own login.
                            for hint in &mut failure.hints {
                                *hint = "name a file with --new-password-file (- for standard input)".into();
                            }
                            failure
                        })?;
                    let again = connect::ask("Again: ")?;
                    if first.expose() != again.expose() {
                        return Err(Failure::usage("the two passwords differ"));
                    }
                    first
                }
            };
            if password.expose().is_empty() {
                return Err(Failure::usage("the password is empty"));
            }
            objects::known(cx, "users", &name, cx.client.set_password(&name, &password).await).await?;
            cx.printer.remark(&format!("the password of {name} is changed; its tokens are dead"));
            Ok(())
        }
        Verb::Token { name, ttl, roles, scope, action, specific, words, bare } => {
            let mut query = TokenQuery { ttl, roles, scope, action, specific };
            by_words(&mut query, &words)?;
            let token = objects::known(cx, "users", &name, cx.client.user_token(&name, &query).await).await?;
            if bare {
                return cx.printer.text(&token.token);
            }
            if cx.printer.for_eyes() {
                return cx.printer.value(&Value::String(token.token));
            }
            cx.printer.value(&json!(token))
        }
    }
}

/// `ttl 3600 scope machines …`.
fn by_words(query: &mut TokenQuery, words: &[String]) -> Result<(), Failure> {
    const KNOWN: [&str; 5] = ["ttl", "roles", "scope", "action", "specific"];
    for pair in words.chunks(2) {
        let [word, value] = pair else {
            return Err(Failure::usage(format!("the word {} has no value", pair[0])));
        };
        let place = match word.as_str() {
            "ttl" => &mut query.ttl,
            "roles" => &mut query.roles,
            "scope" => &mut query.scope,
            "action" => &mut query.action,
            "specific" => &mut query.specific,
            other => {
                let failure = Failure::usage(format!("a token is not narrowed by {other}"));
                let hint = crate::hints::did_you_mean(other, KNOWN);
                return Err(
                    failure.hint(hint.unwrap_or_else(|| format!("the words are {}", KNOWN.join(", "))))
                );
            }
        };
        *place = Some(value.clone());
    }
    Ok(())
}
