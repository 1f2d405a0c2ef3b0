//! Who calls: tokens, passwords.

use super::super::table::{Route, at_once, to};
use super::super::users;
use crate::openapi::{Shape, any, eg, op, text, ttl};
use drp_protocol::{User, UserPassword, UserToken};
use serde_json::json;

pub(super) fn routes() -> Vec<Route> {
    vec![
        Route::new("/whoami", at_once!(call, _ => users::whoami(&call))).tag("users").get(
            op("whoami", "Whose credentials these are")
                .gives_shape(200, Shape::Json(any))
                .example(eg("/whoami").answer(json!({"Principal": "user:rocketskates"}))),
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
    ]
}
