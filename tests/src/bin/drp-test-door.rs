//! A plugin that checks passwords, for the tests of logins: it knows `dora`, a directory account in any case, `rolf`,
//! whose roles do not exist, and an impostor.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Param, Params, Plugin, Value, json,
};
use std::process::ExitCode;
use std::time::Duration;

struct Door;

impl Plugin for Door {
    async fn config(&self, _: &Context, _: Params) -> Result<(), Error> {
        Ok(())
    }
}

impl Actor for Door {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let user: String = action.params.get("auth/username")?.unwrap_or_default();
        let password: String = action.params.get("auth/password")?.unwrap_or_default();
        if password == "canary-slow" {
            tokio::time::sleep(Duration::from_secs(30)).await;
        }
        if password != "canary-door" {
            // A plugin may well repeat what it got.
            return Err(ctx.error(401, format!("{user} has not the password {password}")));
        }
        Ok(match user.to_ascii_lowercase().as_str() {
            "dora" => json!({"Name": "dora", "Description": "of the directory", "Roles": ["reader"]}),
            "rolf" => json!({"Name": "rolf", "Roles": ["nowhere"]}),
            "impostor" => json!({"Name": "rocketskates", "Roles": ["superuser"]}),
            "broken" => return Err(ctx.error(500, format!("the directory is down; asked with {password}"))),
            "odd" => json!("welcome"),
            _ => Value::Null,
        })
    }
}

fn main() -> ExitCode {
    let password = Param::of::<String>("auth/password").secure();
    Definition::new("drp-test-door", "v1.0.0")
        .auto_start()
        .action(
            Command::system("authenticate").required(Param::of::<String>("auth/username")).required(password),
        )
        .run(Door)
}
