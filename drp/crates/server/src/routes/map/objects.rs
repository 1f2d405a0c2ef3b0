//! Objects of every type: themselves, params, actions, meta, indexes.

use super::super::table::{Handler, Route, Types, at_once, to};
use super::super::{actions, indexes, meta, objects, params};
use crate::openapi::{Operation, Shape, any, eg, header, list_query, op, params_query, text, view_query};
use drp_protocol::{AvailableAction, Index, JsonMap};
use serde_json::{Value, json};
use std::collections::BTreeMap;

type Indexes = BTreeMap<String, Index>;

pub(super) fn routes() -> Vec<Route> {
    let mut all = about();
    all.extend(preferences());
    all.extend(every_type());
    all.extend(actions());
    all
}

/// What there is.
fn about() -> Vec<Route> {
    vec![
        Route::new("/objects", at_once!(call, _ => indexes::objects(&call))).tag("about objects").get(
            op("objects_list", "The types of objects").gives::<Vec<String>>(200).example(eg("/objects")),
        ),
        Route::new("/indexes", at_once!(call, _ => indexes::route(&call, &[]))).tag("about objects").get(
            op("indexes_list", "What the lists of all types can be filtered and sorted by")
                .gives::<BTreeMap<String, Indexes>>(200)
                .example(eg("/indexes").answer(json!({"machines": {"Name": {"Unique": true}}}))),
        ),
        Route::new("/indexes/{type}", at_once!(call, at => indexes::route(&call, &at.all())))
            .tag("about objects")
            .get(
                op("indexes_of_type", "What the list of a type can be filtered and sorted by")
                    .gives::<Indexes>(200)
                    .example(eg("/indexes/machines").answer(json!({"Uuid": {"Unique": true}}))),
            ),
        Route::new("/indexes/{type}/{index*}", at_once!(call, at => indexes::route(&call, &at.all())))
            .tag("about objects")
            .get(
                op("indexes_show", "One index, or a param to filter by")
                    .gives::<Index>(200)
                    .example(eg("/indexes/machines/Name").answer(json!({"Type": "string"})))
                    .example(eg("/indexes/machines/Colour").expect(404)),
            ),
        Route::new("/meta/{type}/{id*}", to!(call, at => meta::route(call, at.one(0), &at.from(1))))
            .types(Types::All)
            .tag("about objects")
            .get(
                op("meta_show", "The annotations of an object")
                    .gives::<BTreeMap<String, String>>(200)
                    .example(eg("/meta/profiles/global")),
            )
            .patch(
                patches(op("meta_patch", "Changes annotations with a JSON Patch (RFC 6902)"))
                    .gives::<BTreeMap<String, String>>(200)
                    .fails(&[405])
                    .example(
                        eg("/meta/profiles/global")
                            .body(json!([{"op": "add", "path": "/colour", "from": "", "value": "blue"}]))
                            .answer(json!({"colour": "blue"})),
                    ),
            ),
    ]
}

/// Preferences are read as objects; POST `/prefs` changes them.
fn preferences() -> Vec<Route> {
    vec![
        Route::new("/preferences", to!(call, _ => objects::all(call, "preferences"))).tag("preferences").get(
            op("preferences_list", "Lists preferences as objects")
                .queries(list_query())
                .gives::<Vec<drp_protocol::Pref>>(200)
                .counted()
                .fails(&[406])
                .example(eg("/preferences?limit=1")),
        ),
        Route::new("/preferences/{id}", to!(call, at => objects::one(call, "preferences", at.one(0))))
            .tag("preferences")
            .get(
                one(op("preferences_show", "Shows a preference as an object"))
                    .gives::<drp_protocol::Pref>(200)
                    .example(eg("/preferences/knownTokenTimeout").answer(json!({"Val": "7200"}))),
            ),
    ]
}

/// Long poll and entity tag of one object (wire-protocol §3.6).
fn one(operation: Operation) -> Operation {
    operation
        .queries(view_query())
        .query(header("If-None-Match", "Entity tags that the caller has"))
        .query(header("Prefer", "`wait=<duration>`: wait so long for another entity tag, at most 10 min"))
        .tagged()
        .fails(&[304, 406])
}

fn patches(operation: Operation) -> Operation {
    operation.takes::<Vec<PatchOperation>>().fails(&[406, 409, 422])
}

/// One operation of a JSON Patch (RFC 6902). `from` and `value` are ignored where they mean nothing.
#[derive(schemars::JsonSchema)]
#[allow(dead_code)]
struct PatchOperation {
    op: PatchOp,
    path: String,
    from: Option<String>,
    value: Option<Value>,
}

#[derive(schemars::JsonSchema)]
#[schemars(rename_all = "lowercase")]
#[allow(dead_code)]
enum PatchOp {
    Add,
    Remove,
    Replace,
    Move,
    Copy,
    Test,
}

fn every_type() -> Vec<Route> {
    // The names of params hold slashes, so nothing can stand behind one.
    let slashes: Handler = to!(call, at => objects::one(call, "params", &at.from(0)));
    let body = |sample: &crate::openapi::Sample| (sample.body)();
    vec![
        Route::new("/{type}", to!(call, at => objects::all(call, at.one(0))))
            .each(Types::All)
            .get(
                op("list", "Lists objects")
                    .notes("Other query parameters are filters: `<index>=<value>`, `<index>=<function>(<arguments>)`.")
                    .queries(list_query())
                    .gives_shape(200, Shape::Objects)
                    .counted()
                    .fails(&[406])
                    .example(eg("/{type}?limit=1"))
                    .example(eg("/{type}?limit=some").expect(406)),
            )
            .post(
                op("create", "Creates an object")
                    .takes_shape(Shape::Object)
                    .gives_shape(201, Shape::Object)
                    .tagged()
                    .fails(&[409, 422])
                    .example(eg("/{type}").body_of(body).expect(201).first())
                    .example(eg("/{type}").body_of(body).expect(409).first()),
            ),
        Route::new("/params/{name*}", slashes).same_as("/{type}/{id}"),
        Route::new("/{type}/{id}", to!(call, at => objects::one(call, at.one(0), at.one(1))))
            .each(Types::All)
            .get(
                one(op("show", "Shows an object"))
                    .gives_shape(200, Shape::Object)
                    .example(eg("/{type}/{id}"))
                    .example(eg("/{type}/there-is-none").expect(404)),
            )
            .put(
                op("update", "Replaces an object")
                    .query(text("force", "Machines: also what is refused otherwise"))
                    .takes_shape(Shape::Object)
                    .gives_shape(200, Shape::Object)
                    .tagged()
                    .fails(&[409, 422])
                    .example(eg("/{type}/{id}").body_of(|sample| {
                        let mut body = (sample.body)();
                        body["Meta"] = json!({"colour": "red"});
                        body
                    })),
            )
            .patch(
                patches(op("patch", "Changes an object with a JSON Patch (RFC 6902)"))
                    .query(text("force", "Machines: also what is refused otherwise"))
                    .gives_shape(200, Shape::Object)
                    .tagged()
                    .example(
                        eg("/{type}/{id}")
                            .body(json!([
                                {"op": "test", "path": "/Meta/colour", "from": "", "value": "red"},
                                {"op": "replace", "path": "/Meta/colour", "from": "", "value": "blue"},
                            ]))
                            .answer(json!({"Meta": {"colour": "blue"}})),
                    )
                    .example(
                        eg("/{type}/{id}")
                            .body(json!([{"op": "test", "path": "/Meta/colour", "from": "", "value": "red"}]))
                            .expect(409),
                    ),
            )
            .delete(
                op("destroy", "Deletes an object and shows what it was")
                    .gives_shape(200, Shape::Object)
                    .tagged()
                    .fails(&[409, 422])
                    .example(eg("/{type}/{id}").last())
                    .example(eg("/{type}/{id}").expect(404).last()),
            ),
        Route::new("/{type}/{id}/params", to!(call, at => params::all(call, at.one(0), at.one(1))))
            .each(Types::WithParams)
            .get(
                op("params", "The params of an object")
                    .queries(params_query())
                    .gives::<JsonMap>(200)
                    .example(eg("/{type}/{id}/params?aggregate=true")),
            )
            .post(
                op("params_replace", "Replaces all params of an object")
                    .takes::<JsonMap>()
                    .gives::<JsonMap>(200)
                    .fails(&[409, 422])
                    .example(
                        eg("/{type}/{id}/params")
                            .body(json!({"example/text": "hello"}))
                            .answer(json!({"example/text": "hello"})),
                    ),
            )
            .patch(
                patches(op("params_patch", "Changes params with a JSON Patch (RFC 6902)"))
                    .gives::<JsonMap>(200)
                    .example(
                        eg("/{type}/{id}/params")
                            .body(json!([
                                {"op": "test", "path": "/example~1text", "from": "", "value": "hello"},
                                {"op": "add", "path": "/example~1more", "from": "", "value": [1, 2]},
                            ]))
                            .answer(json!({"example/more": [1, 2]})),
                    ),
            ),
        Route::new("/{type}/{id}/params/{key*}", to!(call, at => params::one(call, at.one(0), at.one(1), &at.from(2))))
            .each(Types::WithParams)
            .get(
                op("param_get", "A param of an object, null when it has none")
                    .queries(params_query())
                    .gives_shape(200, Shape::Json(any))
                    .example(eg("/{type}/{id}/params/example/text").answer(json!("hello"))),
            )
            .post(
                op("param_set", "Sets a param of an object")
                    .takes_shape(Shape::Json(any))
                    .gives_shape(200, Shape::Json(any))
                    .fails(&[409, 422])
                    .example(
                        eg("/{type}/{id}/params/example/text").body(json!({"a": 1})).answer(json!({"a": 1})),
                    ),
            )
            .delete(
                op("param_remove", "Removes a param of an object and shows what it was")
                    .gives_shape(200, Shape::Json(any))
                    .fails(&[409, 422])
                    .example(eg("/{type}/{id}/params/example/more").answer(json!([1, 2])))
                    .example(eg("/{type}/{id}/params/example/more").expect(404)),
            ),
        Route::new("/{type}/{id}/pubkey", to!(call, at => params::pubkey(&call, at.one(0), at.one(1))))
            .each(Types::WithParams)
            .get(
                op("pubkey", "The public key that seals secure params of an object, 32 bytes in base64")
                    .gives::<String>(200)
                    .example(eg("/{type}/{id}/pubkey")),
            ),
    ]
}

/// Actions of plugins (wire-protocol §3.8): the same operations at three kinds of paths.
fn actions() -> Vec<Route> {
    let plugin = || text("plugin", "Only of this plugin");
    let list =
        move |id, summary| op(id, summary).query(plugin()).gives::<Vec<AvailableAction>>(200).fails(&[400]);
    let show = move |id, summary| op(id, summary).query(plugin()).gives::<AvailableAction>(200).fails(&[400]);
    let run = move |id, summary| {
        op(id, summary)
            .notes("The body holds params by name; those that the action needs and that are absent are taken from the object. The answer is whatever the plugin gives; its errors keep their status, so any status of 400 and above is possible.")
            .query(plugin())
            .takes::<JsonMap>()
            .body_is_optional()
            .gives_shape(200, Shape::Json(any))
            .fails(&[409, 502, 504])
    };
    vec![
        Route::new("/{type}/{id}/actions", to!(call, at => actions::route(call, at.one(0), at.one(1), None)))
            .types(Types::WithActions)
            .tag("machines")
            .get(
                list("actions_list", "The actions that can be run on an object")
                    .example(eg("/machines/Name:example-machine/actions")),
            ),
        Route::new(
            "/{type}/{id}/actions/{command}",
            to!(call, at => actions::route(call, at.one(0), at.one(1), Some(&at.one(2)))),
        )
        .types(Types::WithActions)
        .tag("machines")
        .get(
            show("actions_show", "One action of an object")
                .example(
                    eg("/machines/Name:example-machine/actions/increment")
                        .answer(json!({"Provider": "incrementer"})),
                )
                .example(eg("/machines/Name:example-machine/actions/fly").expect(404)),
        )
        .post(
            run("actions_run", "Runs an action on an object")
                .example(
                    eg("/machines/Name:example-machine/actions/increment")
                        .body(json!({"incrementer/step": 3}))
                        .answer(json!(3)),
                )
                .example(eg("/machines/Name:example-machine/actions/fly").expect(400)),
        ),
        Route::new(
            "/jobs/{id}/plugin_actions",
            to!(call, at => actions::route(call, "jobs", at.one(0), None)),
        )
        .tag("jobs")
        .get(
            list("jobs_actions_list", "The actions of plugins that can be run on a job")
                .example(eg("/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c/plugin_actions")),
        ),
        Route::new(
            "/jobs/{id}/plugin_actions/{command}",
            to!(call, at => actions::route(call, "jobs", at.one(0), Some(&at.one(1)))),
        )
        .tag("jobs")
        .get(
            show("jobs_actions_show", "One action of a plugin for a job")
                .example(eg("/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c/plugin_actions/fly").expect(404)),
        )
        .post(
            run("jobs_actions_run", "Runs an action of a plugin on a job")
                .example(eg("/jobs/0c5e0b8e-2f0f-4a7c-8a9d-4b1f7d6e5a3c/plugin_actions/fly").expect(400)),
        ),
        Route::new("/system/actions", to!(call, _ => actions::route(call, "system", "system", None)))
            .tag("system")
            .get(
                list("system_actions_list", "The actions of plugins that need no object")
                    .example(eg("/system/actions")),
            ),
        Route::new(
            "/system/actions/{command}",
            to!(call, at => actions::route(call, "system", "system", Some(&at.one(0)))),
        )
        .tag("system")
        .get(
            show("system_actions_show", "One action that needs no object")
                .example(eg("/system/actions/incrstatus").answer(json!({"Command": "incrstatus"}))),
        )
        .post(
            run("system_actions_run", "Runs an action that needs no object")
                .example(eg("/system/actions/incrstatus").answer(json!("Running"))),
        ),
    ]
}
