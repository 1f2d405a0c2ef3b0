//! Who calls: tokens, passwords; who called: the audit log.

use super::super::table::{Route, at_once, to};
use super::super::{audit, users};
use crate::audit::Entry;
use crate::openapi::{Shape, any, eg, op, text, ttl};
use drp_protocol::{User, UserPassword, UserToken};
use serde_json::json;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/whoami", to!(call, _ => users::whoami(call)))
            .tag("users")
            .get(
                op("whoami", "Whose credentials these are")
                    .gives_shape(200, Shape::Json(any))
                    .example(eg("/whoami").answer(json!({"Principal": "user:rocketskates"}))),
            )
            .post(
                op("whoami_machine", "Which machine fits a description of its parts, and a token for it")
                    .notes("`OnDiskUUID`, `Fingerprint` and `MacAddrs` of the body count. `Result` of the answer holds `Score`, `Uuid` and `Token`; empty when no machine fits well.")
                    .takes::<drp_protocol::JsonMap>()
                    .gives_shape(200, Shape::Json(any))
                    .example(eg("/whoami").body(json!({"MacAddrs": []})).answer(json!({"Result": {"Uuid": ""}}))),
            ),
        Route::new("/users/{id}/token", at_once!(call, at => users::token(&call, at.one(0))))
            .tag("users")
            .get(
                op("users_token", "A token of a user")
                    .no_head()
                    .query(ttl())
                    .query(text(
                        "roles",
                        "Comma list of the roles it shall have; all of the user's when absent",
                    ))
                    .query(text("scope", "Narrow it to this scope"))
                    .query(text("action", "Narrow it to this action"))
                    .query(text("specific", "Narrow it to this object"))
                    .gives::<UserToken>(200)
                    .fails(&[400])
                    .example(eg("/users/rocketskates/token?ttl=600"))
                    .example(eg("/users/rocketskates/token?ttl=soon").expect(400)),
            ),
        Route::new("/users/{id}/password", to!(call, at => users::password(call, at.one(0))))
            .tag("users")
            .put(
                op("users_password", "Sets the password of a user; all tokens of the user end")
                    .takes::<UserPassword>()
                    .gives::<User>(200)
                    .tagged()
                    .fails(&[409, 422])
                    .example(
                        eg("/users/example-user/password")
                            .body(json!({"Password": "correct horse battery staple"})),
                    )
                    .example(eg("/users/example-user/password").body(json!({"Password": ""})).expect(400)),
            ),
        Route::new("/machines/{id}/token", at_once!(call, at => users::machine_token(&call, at.one(0))))
            .tag("machines")
            .get(
                op("machines_token", "A token with which a machine may work on itself")
                    .no_head()
                    .query(ttl())
                    .gives::<UserToken>(200)
                    .fails(&[400])
                    .example(eg("/machines/Name:example-machine/token?ttl=3y")),
            ),
        Route::new("/audit", to!(call, _ => audit::route(&call))).tag("audit").get(
            op("audit_list", "Who did what: the newest entries of the audit log that fit, oldest first")
                .query(text("who", "Only of this principal, for instance `user:ann`"))
                .query(text("action", "Only this action, for instance `login` or `action:poweron`"))
                .query(text("scope", "Only this kind of thing, for instance `machines`"))
                .query(text("key", "Only this object"))
                .query(text("outcome", "`ok`, `refused` or `failed`"))
                .query(text("request", "Only of the request with this id"))
                .query(text("since", "RFC 3339; only from then on"))
                .query(text("limit", "At most this many, 1000 when absent, never more than 10000"))
                .gives::<Vec<Entry>>(200)
                .fails(&[406])
                .example(eg("/audit?scope=users&limit=10"))
                .example(eg("/audit?since=yesterday").expect(406)),
        ),
    ]
}
