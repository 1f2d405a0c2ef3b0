//! Service root and sessions (DSP0268: ServiceRoot, SessionService, Session).

use super::tree::{View, well, with};
use serde_json::{Value, json};

/// The service root.
pub(crate) fn service(view: &View<'_>) -> Value {
    let p = view.profile;
    with(
        view.head("", "ServiceRoot.v1_15_0.ServiceRoot", "RootService", "Root Service"),
        json!({
            "RedfishVersion": p.redfish_version,
            "UUID": super::system::uuid(view),
            "Vendor": p.vendor,
            "Product": p.product,
            "Systems": view.link("Systems"),
            "Managers": view.link("Managers"),
            "Chassis": view.link("Chassis"),
            "SessionService": view.link("SessionService"),
            "AccountService": view.link("AccountService"),
            "Tasks": view.link("TaskService"),
            "Links": { "Sessions": view.link(&p.sessions_at) },
        }),
    )
}

/// The session service, its collection, one session.
pub(crate) fn sessions(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let at = &view.profile.sessions_at;
    Some(match rest {
        [] => with(
            view.head(
                "SessionService",
                "SessionService.v1_1_8.SessionService",
                "SessionService",
                "Session Service",
            ),
            json!({
                "ServiceEnabled": true,
                "SessionTimeout": view.config.session_idle.as_secs(),
                "Sessions": view.link(at),
                "Status": well(),
            }),
        ),
        ["Sessions"] => {
            let ids: Vec<&String> = view.state.sessions.iter().map(|session| &session.id).collect();
            view.collection(at, "Session", &ids)
        }
        ["Sessions", id] => {
            let session = view.state.sessions.iter().find(|session| session.id == *id)?;
            with(
                view.head(&format!("{at}/{id}"), "Session.v1_5_0.Session", id, "User Session"),
                json!({ "UserName": session.user, "SessionType": "Redfish" }),
            )
        }
        _ => return None,
    })
}
