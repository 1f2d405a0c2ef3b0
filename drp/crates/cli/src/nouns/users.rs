//! Passwords and tokens.

use crate::commands::{Context, objects};
use crate::noun::{Noun, noun};
use crate::{Failure, connect, input};
use clap::{Subcommand, ValueHint};
use drp_client::TokenQuery;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Verbs of users alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Change a user's password, which kills the user's tokens
    Password {
        /// Name of the user
        name: String,
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
        /// Print the token alone
        #[arg(long)]
        bare: bool,
    },
}

pub(super) const NOUN: Noun = noun!("users", "", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Password { name, file } => {
            if cx.dry("PUT", &format!("users/{name}/password"), &json!({ "Password": "***" }))? {
                return Ok(());
            }
            let password = match file {
                Some(path) => input::secret_file(&path)?,
                None => {
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
        Verb::Token { name, ttl, roles, scope, action, specific, bare } => {
            let query = TokenQuery { ttl, roles, scope, action, specific };
            let token = objects::known(cx, "users", &name, cx.client.user_token(&name, &query).await).await?;
            if bare {
                return cx.printer.text(&token.token);
            }
            if cx.printer.format() == crate::Format::Table {
                return cx.printer.value(&Value::String(token.token));
            }
            cx.printer.value(&json!(token))
        }
    }
}
