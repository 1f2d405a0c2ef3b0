//! Passwords that a plugin checks (wire-protocol §3.2): those of users that nobody here knows, and of users whose Meta
//! has an `auth-method`.
//!
//! The plugin offers the system action `authenticate` and gets `auth/username` and `auth/password`. The user object it
//! gives logs the person in. That user is kept, without a password of its own, so that its tokens hold and its roles
//! show; it carries `auth-method`, so that it is asked for here again.

use crate::app::App;
use drp_host::HostError;
use drp_objects::{Candidate, Principal};
use drp_protocol::{Action, Error, JsonMap, Secret, User};
use serde_json::{Value, json};
use std::time::Duration;

const COMMAND: &str = "authenticate";
const USERNAME: &str = "auth/username";
const PASSWORD: &str = "auth/password";
/// Meta key that says where a user's password is checked.
const METHOD: &str = "auth-method";
/// How long the plugin may take: a directory that is slower is down.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why nobody is let in.
pub(super) enum No {
    /// The plugin says so.
    Refused,
    /// Nobody can say.
    Unknown(Box<Error>),
}

/// Whether a user's password is none of ours.
pub(super) fn is_elsewhere(app: &App, user: &str) -> bool {
    let known = app.objects.resolve("users", user).is_some_and(|key| key == user);
    !known || method_of(app, user).is_some()
}

fn method_of(app: &App, user: &str) -> Option<String> {
    let meta = app.objects.meta("users", user).ok()?;
    meta.get(METHOD).and_then(Value::as_str).filter(|method| !method.is_empty()).map(str::to_owned)
}

/// The running plugin that checks passwords.
pub(super) fn checker(app: &App) -> Option<Candidate> {
    let offered = app.host.get()?.actions("system");
    let offer = offered.into_iter().find(|offer| offer.action.command == COMMAND)?;
    Some(Candidate { plugin: offer.plugin.to_string(), action: (*offer.action).clone() })
}

/// Asks the plugin and takes in the user that it gives. Nothing is locked meanwhile: it may call back.
pub(super) async fn check(
    app: &App,
    mut checker: Candidate,
    user: &str,
    password: &Secret<String>,
) -> Result<Principal, No> {
    // These two come from the caller, as no other caller of an action may give a secure param.
    let given = |name: &String| name == USERNAME || name == PASSWORD;
    checker.action.required_params.retain(|name| !given(name));
    checker.action.optional_params.retain(|name| !given(name));
    let plugin = checker.plugin.clone();
    let filled = app.objects.fill_action("system", "", COMMAND, None, &JsonMap::new(), &[checker]);
    let mut action = filled.map_err(|error| {
        tracing::warn!(plugin, %error, "passwords cannot be checked");
        No::Unknown(Box::new(error))
    })?;
    action.params.insert(USERNAME.to_owned(), user.into());
    announce(app, &action);
    action.params.insert(PASSWORD.to_owned(), password.expose().as_str().into());
    let Some(host) = app.host.get() else { return Err(No::Refused) };
    let answer = host.invoke(&plugin, &action, DEADLINE).await;
    // What the plugin says may repeat the password: only its code is told.
    let answer = match answer {
        Ok(answer) => answer,
        Err(HostError::Plugin { error, .. }) if error.code < 500 => {
            tracing::info!(plugin, user, code = error.code, "login refused by the plugin");
            return Err(No::Refused);
        }
        Err(_) => {
            tracing::warn!(plugin, user, "the plugin that checks passwords failed");
            let text =
                format!("plugin {plugin}, which checks the password of {user}, does not answer; try again");
            return Err(No::Unknown(Box::new(Error::new(503, "AUTH", text).on("plugins", &*plugin))));
        }
    };
    let given: Option<JsonMap> = serde_json::from_slice(&answer).ok();
    match given {
        Some(given) => adopt(app, &plugin, user, given).await,
        None => Err(No::Refused),
    }
}

/// The event of the action, as every action has one (wire-protocol §3.8 step 6), without the password.
fn announce(app: &App, action: &Action) {
    let params: JsonMap = action
        .params
        .iter()
        .filter(|(name, _)| *name == USERNAME)
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let object = json!({
        "Command": action.command, "CommandSet": action.command_set, "Model": action.model,
        "Params": params, "Plugin": action.plugin,
    });
    let object = serde_json::to_vec(&object).unwrap_or_default();
    app.objects.events().publish_json(
        "system",
        COMMAND,
        "global".to_owned(),
        "system".to_owned(),
        object.into(),
    );
}

/// Keeps the user that the plugin gave, with the roles it gave, and lets it in.
async fn adopt(app: &App, plugin: &str, asked: &str, given: JsonMap) -> Result<Principal, No> {
    let says_roles = given.iter().any(|(name, value)| name.eq_ignore_ascii_case("Roles") && !value.is_null());
    let Ok(mut user) = serde_json::from_value::<User>(Value::Object(given)) else {
        tracing::warn!(plugin, "what it gave for a login is not a user");
        return Err(No::Refused);
    };
    if user.name.is_empty() {
        asked.clone_into(&mut user.name);
    }
    let name = user.name.clone();
    let known = app.objects.resolve("users", &name).is_some_and(|key| key == name);
    if known && method_of(app, &name).is_none() {
        // Else whoever gets that name in a directory would be that user here.
        tracing::warn!(plugin, asked, user = name, "the plugin gave a user whose password is checked here");
        return Err(No::Refused);
    }
    let system = Principal::system();
    let kept = if known {
        let roles: Vec<Value> = user.roles.iter().map(|role| role.as_str().into()).collect();
        let set = move |object: &mut JsonMap| {
            if says_roles {
                object.insert("Roles".to_owned(), Value::Array(roles));
            }
        };
        app.objects.save(&system, "users", &name, set).await
    } else {
        let method = user.meta.get(METHOD).filter(|method| !method.is_empty()).map_or(plugin, String::as_str);
        let mut meta = json!(user.meta);
        meta[METHOD] = method.into();
        let body = json!({"Name": name, "Description": user.description, "Roles": user.roles, "Meta": meta});
        match app.objects.create(&system, "users", body).await {
            // Somebody else logged in as the same user at the same time.
            Err(error) if error.code == 409 => app.objects.get("users", &name),
            made => made,
        }
    };
    if let Err(error) = kept {
        tracing::warn!(plugin, user = name, %error, "the user that the plugin gave cannot be kept");
        let text = format!(
            "plugin {plugin} gave the user {name}, who cannot be kept: {}",
            error.messages.join("; ")
        );
        return Err(No::Unknown(Box::new(Error::new(503, "AUTH", text).on("users", name))));
    }
    let claims = app.objects.user_claims(&name).ok_or(No::Refused)?;
    Ok(Principal { name: format!("user:{name}"), subject: name, claims })
}
