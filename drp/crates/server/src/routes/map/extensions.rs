//! `/api/v1`: extensions, rendering, health.

use super::super::extensions::{self, CacheStats, Health, Validated};
use super::super::table::{Route, at_once, to};
use crate::extensions::{Info, Render, Rendered};
use crate::openapi::{Shape, eg, number, op, switch, text as text_of};
use serde_json::json;

pub(super) fn routes() -> Vec<Route> {
    let text = |content: &str| json!({"language": "nickel", "content": content, "context": {"cores": 2}});
    let sends = |id, summary| {
        op(id, summary)
            .query(text_of("type", "With a pack: it must be of this type"))
            .takes_shape(Shape::Pack)
    };
    let absent = || json!({"path": "/nowhere/my-provider", "type": "provider"});
    vec![
        Route::new("/api/v1/extensions", to!(call, _ => extensions::all(call)))
            .tag("extensions")
            .get(
                op("v1_extensions_list", "Lists registered extensions by type and name")
                    .query(text_of("type", "`provider`, `taskserv` or `cluster`"))
                    .query(number("offset", "Leave out so many"))
                    .query(number("limit", "Give at most so many"))
                    .gives::<Vec<Info>>(200)
                    .counted()
                    .fails(&[400])
                    .example(eg("/api/v1/extensions?type=provider&limit=10"))
                    .example(eg("/api/v1/extensions?type=colour").expect(400)),
            )
            .post(
                sends("v1_extensions_register", "Registers an extension: a pack, or a folder of the daemon's host")
                    .notes("It is validated first; 422 with the answer of validation when it is wrong. One of the same type and name is replaced. Claim: `extensions create`.")
                    .gives::<Info>(201)
                    .gives::<Validated>(422)
                    .fails(&[409])
                    .example(eg("/api/v1/extensions").body(absent()).expect(400))
                    .example(eg("/api/v1/extensions").bytes("this is no pack\n").expect(400)),
            ),
        Route::new("/api/v1/extensions/validate", to!(call, _ => extensions::validate(call)))
            .tag("extensions")
            .post(
                sends("v1_extensions_validate", "Validates an extension in five rules, and registers nothing")
                    .notes("Claim: `extensions validate`.")
                    .gives::<Validated>(200)
                    .fails(&[422])
                    .example(eg("/api/v1/extensions/validate").body(absent()).expect(400)),
            ),
        Route::new("/api/v1/extensions/{type}/{name}", to!(call, at => extensions::one(call, at.one(0), at.one(1))))
            .tag("extensions")
            .get(
                op("v1_extensions_show", "Shows a registered extension: operations, settings, how its plugin is")
                    .gives::<Info>(200)
                    .example(eg("/api/v1/extensions/provider/none").expect(404)),
            )
            .delete(
                op("v1_extensions_unregister", "Unregisters an extension: its plugin stops, its files go")
                    .query(switch("force", "Also when other registered extensions need it"))
                    .gives_shape(204, Shape::Nothing)
                    .fails(&[409])
                    .example(eg("/api/v1/extensions/provider/none").expect(404)),
            ),
        Route::new("/api/v1/health", at_once!(call, _ => extensions::health(&call))).tag("extensions").get(
            op("v1_health", "How the daemon is, and whether extensions can be had")
                .gives::<Health>(200)
                .example(eg("/api/v1/health").answer(json!({"status": "healthy"}))),
        ),
        Route::new("/api/v1/cache/stats", at_once!(call, _ => extensions::cache_stats(&call)))
            .tag("extensions")
            .get(
                op("v1_cache_stats", "How well results of Nickel are kept, and how much was rendered")
                    .gives::<CacheStats>(200)
                    .example(eg("/api/v1/cache/stats")),
            ),
        Route::new("/api/v1/render", to!(call, _ => extensions::render(call))).tag("extensions").post(
            op("v1_render", "Renders a text in Nickel (to JSON) or Jinja2")
                .notes("What is wrong with the text is in `error`, with status 200. Nickel sees `context`, Jinja2 its fields; neither reads files of the daemon's host. Claim: `extensions render`.")
                .takes::<Render>()
                .gives::<Rendered>(200)
                .example(
                    eg("/api/v1/render")
                        .body(text("{cpu = 2 * context.cores}"))
                        .answer(json!({"rendered": "{\n  \"cpu\": 4\n}", "error": null, "language": "nickel"})),
                )
                .example(
                    eg("/api/v1/render").body(text("{cpu = contex.cores}")).answer(json!({"rendered": null})),
                )
                .example(
                    eg("/api/v1/render")
                        .body(json!({"language": "jinja2", "content": "cores={{ cores }}", "context": {"cores": 2}}))
                        .answer(json!({"rendered": "cores=2", "error": null})),
                )
                .example(eg("/api/v1/render").body(json!({"language": "cobol", "content": ""})).expect(400)),
        ),
    ]
}
