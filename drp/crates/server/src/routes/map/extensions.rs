//! `/api/v1`: extensions, rendering, health.

use super::super::extensions::{self, CacheStats, Health};
use super::super::table::{Route, at_once, to};
use crate::extensions::{Render, Rendered};
use crate::openapi::{eg, op};
use serde_json::json;

pub(super) fn routes() -> Vec<Route> {
    let text = |content: &str| json!({"language": "nickel", "content": content, "context": {"cores": 2}});
    vec![
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
