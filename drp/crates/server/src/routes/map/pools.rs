//! Pools, and which machine somebody is.

use super::super::pools;
use super::super::table::{Route, at_once, to};
use crate::openapi::{Operation, Shape, any, eg, op};
use drp_protocol::JsonMap;
use serde_json::json;

pub(super) fn routes() -> Vec<Route> {
    let step = |id, summary| {
        op(id, summary)
            .notes("The body says which machines (`pool/machine-list`, `pool/all-machines`, `pool/filter`, `pool/count`, `pool/minimum`, `pool/source-pool`) and what happens with them (`pool/workflow`, `pool/add-profiles`, `pool/remove-profiles`, `pool/add-parameters`, `pool/remove-parameters`). The word before `Machines` alone is the same.")
            .takes::<JsonMap>()
            .body_is_optional()
            .gives_shape(200, Shape::Json(any))
            .fails(&[406, 409, 422])
    };
    vec![
        Route::new("/pools-active", at_once!(call, _ => pools::active(&call))).tag("pools").get(
            op("pools_active", "The pools that machines are in")
                .gives::<Vec<String>>(200)
                .example(eg("/pools-active")),
        ),
        Route::new("/pools/{id}/status", to!(call, at => pools::route(call, at.one(0), "status")))
            .tag("pools")
            .get(
                op("pools_status", "The machines of a pool by their state in it")
                    .gives_shape(200, Shape::Json(any))
                    .example(eg("/pools/example-pool/status").answer(json!({}))),
            ),
        Route::new("/pools/{id}/addMachines", to!(call, at => pools::route(call, at.one(0), "addMachines")))
            .tag("pools")
            .post(
                step("pools_add", "Adds machines to a pool").example(
                    eg("/pools/example-pool/addMachines").body(json!({"pool/count": 9})).expect(409),
                ),
            ),
        Route::new("/pools/{id}/add", to!(call, at => pools::route(call, at.one(0), "addMachines")))
            .same_as("/pools/{id}/addMachines"),
        Route::new(
            "/pools/{id}/removeMachines",
            to!(call, at => pools::route(call, at.one(0), "removeMachines")),
        )
        .tag("pools")
        .post(
            step("pools_remove", "Removes free machines from a pool").example(
                eg("/pools/example-pool/removeMachines")
                    .body(json!({"pool/all-machines": true}))
                    .answer(json!([])),
            ),
        ),
        Route::new("/pools/{id}/remove", to!(call, at => pools::route(call, at.one(0), "removeMachines")))
            .same_as("/pools/{id}/removeMachines"),
        Route::new(
            "/pools/{id}/allocateMachines",
            to!(call, at => pools::route(call, at.one(0), "allocateMachines")),
        )
        .tag("pools")
        .post(
            step("pools_allocate", "Allocates machines of a pool").example(
                eg("/pools/example-pool/allocateMachines").body(json!({"pool/count": 9})).expect(409),
            ),
        ),
        Route::new(
            "/pools/{id}/allocate",
            to!(call, at => pools::route(call, at.one(0), "allocateMachines")),
        )
        .same_as("/pools/{id}/allocateMachines"),
        Route::new(
            "/pools/{id}/releaseMachines",
            to!(call, at => pools::route(call, at.one(0), "releaseMachines")),
        )
        .tag("pools")
        .post(
            step("pools_release", "Releases machines of a pool").example(
                eg("/pools/example-pool/releaseMachines")
                    .body(json!({"pool/all-machines": true}))
                    .answer(json!([])),
            ),
        ),
        Route::new("/pools/{id}/release", to!(call, at => pools::route(call, at.one(0), "releaseMachines")))
            .same_as("/pools/{id}/releaseMachines"),
        Route::new("/machines/{id}/releaseToPool", to!(call, at => pools::release(call, at.one(0))))
            .tag("machines")
            .post(
                op("machines_release", "Gives an allocated machine back to its pool")
                    .takes::<JsonMap>()
                    .body_is_optional()
                    .gives_shape(200, Shape::Json(any))
                    .fails(&[409, 422])
                    .example(eg("/machines/Name:example-machine/releaseToPool").body(json!({})).expect(409)),
            ),
        Route::new("/bootenvs/{id}/purgeLocal", to!(call, at => pools::purge_local(call, at.one(0))))
            .tag("bootenvs")
            .delete(purge("bootenvs_purge_local"))
            // Some clients send it as an action.
            .post(purge("bootenvs_purge_local_post")),
    ]
}

fn purge(id: &'static str) -> Operation {
    op(id, "Removes the images of a boot environment that are kept here")
        .gives_shape(204, Shape::Nothing)
        .example(eg("/bootenvs/local/purgeLocal").expect(204))
}
