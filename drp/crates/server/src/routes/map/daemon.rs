//! The daemon itself: health, info, logs, events, preferences, its process, what plugins serve.

use super::super::table::{Route, at_once, to};
use super::super::{
    backup, events, files, info, interfaces, metrics, plugin_apis, prefs, ready, stream, system, web,
};
use crate::openapi::{Shape, any, eg, header, op, switch, text};
use drp_protocol::{Event, Info, Interface, Line};
use serde_json::json;
use std::collections::BTreeMap;

pub(super) fn routes() -> Vec<Route> {
    let mut all = open();
    all.extend(knowledge());
    all.extend(process());
    all.extend(plugins());
    all
}

/// What needs no credentials.
fn open() -> Vec<Route> {
    vec![
        Route::open("/", web::redirect).get(
            op("root", "Leads to `/ui`")
                .gives_shape(302, Shape::Nothing)
                .header("Location", "`/ui`")
                .example(eg("/").expect(302)),
        ),
        Route::open("/ui", web::ui).get(
            op("ui", "A page for people who point a browser here")
                .gives_shape(200, Shape::Text("text/html"))
                .example(eg("/ui")),
        ),
        Route::open("/livez", web::live).get(
            op("livez", "Whether the daemon answers at all")
                .gives::<web::Live>(200)
                .example(eg("/livez").answer(json!({"live": true}))),
        ),
        Route::open("/readyz", ready::route).get(
            op("readyz", "Whether the daemon can do its work; 503 with what is in the way, while it starts and stops too")
                .query(switch("verbose", "With what each check found"))
                .gives::<ready::Ready>(200)
                .fails(&[503])
                .example(eg("/readyz").answer(json!({"ready": true})))
                .example(eg("/readyz?verbose").answer(json!({"ready": true, "checks": {"files": "there"}}))),
        ),
        Route::open("/openapi.json", web::openapi).get(
            op("openapi", "This document")
                .gives_shape(200, Shape::Json(any))
                .example(eg("/openapi.json").answer(json!({"openapi": "3.1.0"}))),
        ),
        Route::open("/api/v3/openapi.json", web::openapi).get(
            op("openapi_below_api", "This document")
                .gives_shape(200, Shape::Json(any))
                .example(eg("/api/v3/openapi.json").answer(json!({"openapi": "3.1.0"}))),
        ),
    ]
}

fn knowledge() -> Vec<Route> {
    vec![
        Route::new("/info", at_once!(call, _ => info::route(&call))).tag("daemon").get(
            op("info", "What the daemon is and can do")
                .gives::<Info>(200)
                .example(eg("/info").answer(json!({"ha_status": "Up"}))),
        ),
        Route::new("/metrics", to!(call, _ => metrics::route(call))).tag("daemon").get(
            op("metrics", "Numbers for Prometheus; also without `/api/v3`")
                .gives_shape(200, Shape::Text("text/plain"))
                .example(eg("/metrics")),
        ),
        Route::new("/interfaces", at_once!(call, _ => interfaces::route(&call, &[]))).tag("daemon").get(
            op("interfaces_list", "The network interfaces of the host")
                .gives::<Vec<Interface>>(200)
                .example(eg("/interfaces")),
        ),
        Route::new("/interfaces/{name}", at_once!(call, at => interfaces::route(&call, &at.all())))
            .tag("daemon")
            .get(
                op("interfaces_show", "One network interface of the host")
                    .gives::<Interface>(200)
                    .example(eg("/interfaces/lo").answer(json!({"Name": "lo"})))
                    .example(eg("/interfaces/none").expect(404)),
            ),
        Route::new("/logs", at_once!(call, _ => events::logs(&call))).tag("daemon").get(
            op("logs", "The last log lines of the daemon and its plugins, oldest first")
                .gives::<Vec<Line>>(200)
                .example(eg("/logs")),
        ),
        Route::new("/prefs", to!(call, _ => prefs::route(call)))
            .tag("preferences")
            .get(
                op("prefs_list", "All preferences")
                    .gives::<BTreeMap<String, String>>(200)
                    .example(eg("/prefs").answer(json!({"defaultStage": "none"}))),
            )
            .post(
                op("prefs_set", "Sets some preferences and shows all")
                    .takes::<BTreeMap<String, String>>()
                    .gives::<BTreeMap<String, String>>(201)
                    .example(
                        eg("/prefs")
                            .body(json!({"knownTokenTimeout": "7200"}))
                            .expect(201)
                            .answer(json!({"knownTokenTimeout": "7200"})),
                    )
                    .example(eg("/prefs").body(json!({"colour": "blue"})).expect(400)),
            ),
        Route::new("/events", to!(call, _ => events::post(call))).tag("events").post(
            op("events_post", "Publishes an event")
                .takes::<Event>()
                .gives_shape(204, Shape::Nothing)
                .example(
                    eg("/events")
                        .body(json!({"Type": "example", "Action": "happened", "Key": "here"}))
                        .expect(204),
                ),
        ),
        Route::new("/events/stream", at_once!(call, _ => stream::route(call))).tag("events").get(
            op("events_stream", "Events over plain HTTP: server-sent events that can be resumed")
                .notes("The stream ends with the connection, the daemon or the credentials. docs/events.md describes it.")
                .query(text("pattern", "`<type>.<action>.<key>`; may be given more than once; all events without it"))
                .query(text("from", "The id after which to begin, or 0 for all that is kept"))
                .query(header("Last-Event-ID", "As `from`; wins over it"))
                .gives_shape(200, Shape::Text("text/event-stream"))
                .fails(&[400])
                .example(eg("/events/stream?pattern=machines").expect(400)),
        ),
        socket("/ws", "events_socket"),
        socket("/ws/{name*}", "events_socket_named"),
    ]
}

fn socket(template: &'static str, id: &'static str) -> Route {
    let route = Route::new(template, to!(call, _ => crate::ws::route(call))).tag("events");
    let example = if template == "/ws" { eg("/ws") } else { eg("/ws/site") };
    route.get(
        op(id, "Events over a WebSocket")
            .notes("Text frames `register <type>.<action>.<key>` and `deregister …`, one acknowledgement each; then one event a frame.")
            .no_head()
            .query(header("Upgrade", "`websocket`"))
            .gives_shape(101, Shape::Nothing)
            .fails(&[400, 426])
            .example(example.expect(400)),
    )
}

fn process() -> Vec<Route> {
    let copy = |id| {
        op(id, "A copy of the store, secrets included; for the local socket, or the claims `* * *`")
            .no_head()
            .gives_shape(200, Shape::Octets)
            .header("X-DRP-Objects", "How many objects it holds")
    };
    vec![
        Route::new("/system/status", to!(call, _ => system::route(call, &["status"]))).tag("system").get(
            op(
                "system_status",
                "The state of the process and its plugins; for the local socket, or the claims `* * *`",
            )
            .gives_shape(200, Shape::Json(any))
            .example(eg("/system/status").answer(json!({"State": "ready"}))),
        ),
        Route::new("/system/shutdown", to!(call, _ => system::route(call, &["shutdown"])))
            .tag("system")
            .post(
                op("system_shutdown", "Stops the daemon; over the local socket only")
                    .gives_shape(202, Shape::Json(any))
                    .example(eg("/system/shutdown").expect(403)),
            ),
        not_alone("/system/passive", "system_passive", "Would make another node the active one"),
        not_alone("/system/upgrade", "system_upgrade", "Would replace the daemon"),
        not_alone("/system/cert", "system_cert", "Would replace the certificate"),
        Route::new("/system/active", to!(call, _ => system::route(call, &["active"]))).tag("system").post(
            op("system_active", "Makes this node the active one, which it always is")
                .gives_shape(204, Shape::Nothing)
                .example(eg("/system/active").expect(204)),
        ),
        Route::new("/system/consensus/{path*}", to!(call, at => system::consensus(call, &at.all())))
            .tag("system")
            .get(
                op("system_consensus", "High availability, which one node has not")
                    .fails(&[409])
                    .example(eg("/system/consensus/state").expect(409)),
            )
            .post(
                op("system_consensus_change", "Would change high availability, which one node has not")
                    .fails(&[409])
                    .example(eg("/system/consensus/enroll").expect(409)),
            ),
        Route::new("/static/cert", at_once!(call, _ => files::certificate(&call))).tag("system").get(
            op("certificate", "The certificate chain of the API as PEM")
                .gives_shape(200, Shape::Text("application/x-pem-file"))
                .example(eg("/static/cert")),
        ),
        Route::new("/backup", to!(call, _ => backup::route(call)))
            .tag("system")
            .get(copy("backup").example(eg("/backup"))),
        Route::new("/system/backup", to!(call, _ => backup::route(call)))
            .tag("system")
            .get(copy("system_backup").example(eg("/system/backup").over_socket())),
    ]
}

/// What a daemon that is one node does not do; the answer says what to do instead.
fn not_alone(template: &'static str, id: &'static str, summary: &'static str) -> Route {
    let word = template.rsplit('/').next().unwrap_or_default();
    let route = match word {
        "passive" => Route::new(template, to!(call, _ => system::route(call, &["passive"]))),
        "upgrade" => Route::new(template, to!(call, _ => system::route(call, &["upgrade"]))),
        _ => Route::new(template, to!(call, _ => system::route(call, &["cert"]))),
    };
    route.tag("system").post(op(id, summary).fails(&[409]).example(eg(template).expect(409)))
}

/// What plugins serve themselves: any method, any answer.
fn plugins() -> Vec<Route> {
    let any_of = |id, path| {
        op(id, "Passed through to a running plugin, path, headers and body unchanged; also without `/api/v3`")
            .takes_shape(Shape::Anything)
            .body_is_optional()
            .gives_shape(200, Shape::Anything)
            .fails(&[405, 502, 504])
            .example(eg(path).expect(404))
    };
    let here = "/plugin-apis/nobody";
    let below = "/plugin-apis/nobody/lamps/1";
    vec![
        Route::new("/plugin-apis/{plugin}", to!(call, at => plugin_apis::route(call, at.one(0))))
            .tag("plugin apis")
            .any_method()
            .get(any_of("plugin_apis_root_get", here))
            .post(any_of("plugin_apis_root_post", here))
            .put(any_of("plugin_apis_root_put", here))
            .patch(any_of("plugin_apis_root_patch", here))
            .delete(any_of("plugin_apis_root_delete", here)),
        Route::new("/plugin-apis/{plugin}/{path*}", to!(call, at => plugin_apis::route(call, at.one(0))))
            .tag("plugin apis")
            .any_method()
            .get(any_of("plugin_apis_get", below).query(text("any", "Query parameters are passed on too")))
            .post(any_of("plugin_apis_post", below))
            .put(any_of("plugin_apis_put", below))
            .patch(any_of("plugin_apis_patch", below))
            .delete(any_of("plugin_apis_delete", below)),
    ]
}
