//! Content layers, plugin providers, files and images.

use super::super::table::{Route, to};
use super::super::{contents, files, plugin_providers};
use crate::openapi::{Operation, Shape, eg, header, op, switch, text};
use drp_protocol::{BlobInfo, Bundle, BundleSummary, PluginProvider, PluginProviderUploadInfo};
use serde_json::{Value, json};

pub(super) fn routes() -> Vec<Route> {
    let mut all = layers();
    all.extend(providers());
    all.extend(blobs());
    all
}

fn bundle(version: &str) -> Value {
    json!({
        "meta": {"Name": "example-content", "Version": version, "Description": "An example"},
        "sections": {"profiles": {"example-hall": {"Name": "example-hall", "Params": {"example/colour": "red"}}}},
    })
}

fn layers() -> Vec<Route> {
    let force = || switch("replaceWritable", "Drop writable objects that are in the way");
    vec![
        Route::new("/contents", to!(call, _ => contents::route(call, &[])))
            .tag("contents")
            .get(
                op("contents_list", "Lists content layers, highest priority first")
                    .gives::<Vec<BundleSummary>>(200)
                    .example(eg("/contents")),
            )
            .post(
                op("contents_create", "Adds a content layer")
                    .query(force())
                    .takes::<Bundle>()
                    .gives::<BundleSummary>(201)
                    .fails(&[409, 422])
                    .example(
                        eg("/contents")
                            .body(bundle("v1.0.0"))
                            .expect(201)
                            .answer(json!({"Counts": {"profiles": 1}})),
                    )
                    .example(eg("/contents").body(bundle("v1.0.0")).expect(409))
                    .example(eg("/contents").body(json!({"meta": {}, "sections": {}})).expect(422)),
            ),
        Route::new("/contents/{name}", to!(call, at => contents::route(call, &at.all())))
            .tag("contents")
            .get(
                op("contents_show", "Shows a content layer as a bundle, secure params opened")
                    .gives::<Bundle>(200)
                    .example(eg("/contents/example-content").answer(json!({"meta": {"Version": "v1.0.0"}})))
                    .example(eg("/contents/none").expect(404)),
            )
            .put(
                op("contents_update", "Replaces a content layer")
                    .query(force())
                    .takes::<Bundle>()
                    .gives::<BundleSummary>(200)
                    .fails(&[409, 422])
                    .example(
                        eg("/contents/example-content")
                            .body(bundle("v2.0.0"))
                            .answer(json!({"meta": {"Version": "v2.0.0"}})),
                    ),
            )
            .delete(
                op("contents_destroy", "Removes a content layer")
                    .gives_shape(204, Shape::Nothing)
                    .fails(&[409, 422])
                    .example(eg("/contents/example-content").expect(204).last()),
            ),
    ]
}

fn providers() -> Vec<Route> {
    vec![
        Route::new("/plugin_providers", to!(call, _ => plugin_providers::route(call, &[])))
            .tag("plugin providers")
            .get(
                op("plugin_providers_list", "Lists plugin providers by name")
                    .gives::<Vec<PluginProvider>>(200)
                    .counted()
                    .example(eg("/plugin_providers")),
            ),
        Route::new("/plugin_providers/{name}", to!(call, at => plugin_providers::route(call, &at.all())))
            .tag("plugin providers")
            .get(
                op("plugin_providers_show", "Shows what a plugin provider defines")
                    .gives::<PluginProvider>(200)
                    .example(eg("/plugin_providers/incrementer").answer(json!({"PluginVersion": 4})))
                    .example(eg("/plugin_providers/none").expect(404)),
            )
            .post(
                op(
                    "plugin_providers_upload",
                    "Uploads the executable of a plugin provider and starts its plugins",
                )
                .query(switch("replaceWritable", "Drop writable objects that its content replaces"))
                .takes_shape(Shape::Octets)
                .gives::<PluginProviderUploadInfo>(201)
                .fails(&[409])
                .example(eg("/plugin_providers/example-provider").bytes("this does not run\n").expect(400)),
            )
            .delete(
                op("plugin_providers_destroy", "Removes a plugin provider and stops its plugins")
                    .gives_shape(204, Shape::Nothing)
                    .example(eg("/plugin_providers/example-provider").expect(204).last()),
            ),
        Route::new(
            "/plugin_providers/{name}/binary",
            to!(call, at => plugin_providers::route(call, &[at.one(0), "binary"])),
        )
        .tag("plugin providers")
        .get(
            ranged(op("plugin_providers_binary", "The executable of a plugin provider"))
                .example(eg("/plugin_providers/incrementer/binary").with("Range", "bytes=0-3").expect(206)),
        ),
    ]
}

/// A file with ranges and its entity tag (RFC 9110 §13, §14).
fn ranged(operation: Operation) -> Operation {
    operation
        .query(header("Range", "`bytes=<first>-<last>`: a part of it"))
        .query(header("If-None-Match", "Entity tags that the caller has"))
        .query(header("If-Range", "The part only while it has this entity tag, else all"))
        .gives_shape(200, Shape::Octets)
        .gives_shape(206, Shape::Octets)
        .header("ETag", "`\"SHA256:<hex>\"`; on a first download of a file above 64 MiB it may be absent")
        .header("X-DRP-SHA256SUM", "SHA-256 in hexadecimal, on HEAD")
        .fails(&[304, 416])
}

/// Files and images are two trees with the same operations.
fn blobs() -> Vec<Route> {
    let list = |id| {
        op(id, "Lists a directory; names of directories end with a slash")
            .query(text("path", "The directory; the top one when absent"))
            .query(switch("all", "With everything below"))
            .gives::<Vec<String>>(200)
    };
    let upload = |id| {
        op(id, "Uploads a file; directories on the way are made")
            .query(switch("explode", "Unpack a tar or tar.gz archive where it lands"))
            .takes_shape(Shape::Octets)
            .gives::<BlobInfo>(201)
            .fails(&[409])
    };
    let show = |id| ranged(op(id, "The bytes of a file"));
    let destroy = |id| op(id, "Deletes a file").gives_shape(204, Shape::Nothing);
    vec![
        Route::new("/files", to!(call, _ => files::route(call, "files", &[])))
            .tag("files")
            .get(list("files_list").example(eg("/files"))),
        Route::new("/files/{path*}", to!(call, at => files::route(call, "files", &at.all())))
            .tag("files")
            .get(
                show("files_show")
                    .example(eg("/files/example/hello.txt"))
                    .example(eg("/files/example/hello.txt").with("Range", "bytes=1-2").expect(206))
                    .example(eg("/files/example/hello.txt").with("Range", "bytes=99-").expect(416))
                    .example(eg("/files/none").expect(404)),
            )
            .post(
                upload("files_upload").example(
                    eg("/files/example/hello.txt")
                        .bytes("hello\n")
                        .expect(201)
                        .answer(json!({"Path": "/example/hello.txt", "Size": 6}))
                        .first(),
                ),
            )
            .delete(
                destroy("files_destroy")
                    .example(eg("/files/example/hello.txt").expect(204).last())
                    .example(eg("/files/example/hello.txt").expect(404).last()),
            ),
        Route::new("/isos", to!(call, _ => files::route(call, "isos", &[])))
            .tag("isos")
            .get(list("isos_list").example(eg("/isos"))),
        Route::new("/isos/{path*}", to!(call, at => files::route(call, "isos", &at.all())))
            .tag("isos")
            .get(show("isos_show").example(eg("/isos/example.iso")))
            .post(
                upload("isos_upload").example(
                    eg("/isos/example.iso")
                        .bytes("hello\n")
                        .expect(201)
                        .answer(json!({"Path": "example.iso", "Size": 6}))
                        .first(),
                ),
            )
            .delete(destroy("isos_destroy").example(eg("/isos/example.iso").expect(204).last())),
    ]
}
