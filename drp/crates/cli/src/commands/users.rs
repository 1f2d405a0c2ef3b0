//! Passwords and tokens.

use super::{Context, objects};
use crate::grammar::UserVerb;
use crate::{Failure, connect, input};
use drp_client::TokenQuery;
use serde_json::{Value, json};

pub(crate) async fn run(cx: &Context<'_>, verb: UserVerb) -> Result<(), Failure> {
    match verb {
        UserVerb::Password { name, file } => {
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
        UserVerb::Token { name, ttl, roles, scope, action, specific, bare } => {
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
