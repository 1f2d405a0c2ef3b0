//! The plugin directory (wire-protocol §1.3, §1.4, §1.11).

use crate::bench::{Bench, holds, limits, until, write_executable};
use bytes::Bytes;
use drp_host::{HostError, InstanceState, Limits};
use drp_protocol::Error;
use futures_util::stream;
use serde_json::json;
use std::convert::Infallible;
use std::path::Path;
use std::time::Duration;

fn defined(bench: &Bench, name: &str) -> usize {
    count(&bench.dir.path().join(format!("{name}.defined")))
}

fn unpacked(bench: &Bench, name: &str) -> usize {
    count(&bench.dir.path().join(format!("{name}.unpacked")))
}

fn count(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap_or_default().lines().count()
}

fn data(bytes: impl Into<Bytes>) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send {
    stream::iter([Ok(bytes.into())])
}

fn problem(bench: &Bench, name: &str) -> String {
    let path = bench.plugins().join(name);
    bench.host.problems().into_iter().find(|p| p.path == path).map(|p| p.why).unwrap_or_default()
}

#[tokio::test]
async fn an_unchanged_provider_is_not_run_again() {
    let bench = Bench::new().await;
    bench.install("lamp", "files");
    bench.install("torch", "");
    bench.host.scan().await;
    assert_eq!((defined(&bench, "lamp"), unpacked(&bench, "lamp")), (1, 1));
    let provider = bench.host.provider("lamp").unwrap();
    assert_eq!(provider.unpack_dir, bench.dir.path().join("files/plugin_providers/lamp"));
    assert_eq!(std::fs::read_to_string(provider.unpack_dir.join("testFile")).unwrap(), "ImaFile");
    assert!(!bench.host.provider("torch").unwrap().unpack_dir.exists());
    bench.host.scan().await;

    let Bench { dir, backend, host } = bench;
    host.shutdown().await;
    drop(host);
    let host = Bench::open(dir.path(), limits(), &backend).await;
    let bench = Bench { dir, backend, host };
    bench.host.scan().await;
    assert_eq!(bench.host.providers().len(), 2);
    assert_eq!((defined(&bench, "lamp"), unpacked(&bench, "lamp"), defined(&bench, "torch")), (1, 1, 1));

    bench.host.redefine().await;
    assert_eq!((defined(&bench, "lamp"), unpacked(&bench, "lamp")), (2, 2));

    let Bench { dir, backend, host } = bench;
    host.shutdown().await;
    drop(host);
    std::fs::remove_dir_all(dir.path().join("files/plugin_providers/lamp")).unwrap();
    let host = Bench::open(dir.path(), limits(), &backend).await;
    let bench = Bench { dir, backend, host };
    bench.host.scan().await;
    assert_eq!((defined(&bench, "lamp"), unpacked(&bench, "lamp")), (2, 3), "lost files come back");
    bench.close().await;
}

#[tokio::test]
async fn changes_of_the_directory_are_noticed() {
    let bench = Bench::new().await;
    bench.host.scan().await;
    bench.host.watch();
    bench.install("lamp", "");
    holds("new", || bench.host.provider("lamp").is_some()).await;
    bench.upsert("lamp", "lamp");
    let first = bench.reaches("lamp", InstanceState::Configured).await.pid;
    bench.install_as("lamp", "", json!({"Version": "v2"}));
    let second = until(|| {
        let status = bench.status("lamp");
        (status.state == InstanceState::Configured && status.pid != first).then_some(status)
    });
    second.await.unwrap();
    assert_eq!(bench.host.provider("lamp").unwrap().definition.version, "v2");
    std::fs::remove_file(bench.plugins().join("lamp")).unwrap();
    holds("stopped", || bench.status("lamp").errors == ["Missing Plugin Provider: lamp"]).await;
    assert!(bench.host.actions("machines").is_empty());
    assert_eq!(
        *bench.backend.providers.lock().unwrap(),
        ["added lamp", "changed lamp", "removed lamp Deleted"]
    );
    bench.install("lamp", "");
    bench.reaches("lamp", InstanceState::Configured).await;
    bench.close().await;
}

#[tokio::test]
async fn files_that_are_no_providers_are_diagnosed() {
    let bench = Bench::with(Limits {
        define: Duration::from_millis(300),
        unpack: Duration::from_millis(300),
        definition: 10_000,
        ..limits()
    })
    .await;
    let sh = |body: &str| format!("#!/bin/sh\n{body}\n").into_bytes();
    let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    let mut foreign = own[..64].to_vec();
    foreign[18] ^= 0xff;
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty", vec![], "it is empty"),
        ("cut", own[..5000].to_vec(), "cut short"),
        ("foreign", foreign, "it is built for"),
        ("text", b"just text".to_vec(), "neither an ELF program nor a script"),
        ("python", b"#!/opt/none/python\n".to_vec(), "interpreter /opt/none/python"),
        (
            "exits",
            sh("echo broken lamp >&2; exit 4"),
            "define exited with code 4; the last it said: broken lamp",
        ),
        ("chatty", sh("echo hello"), "not a definition in JSON"),
        ("hangs", sh("exec sleep 1000"), "define did not end within 300ms"),
        ("floods", sh("exec yes"), "more than 10000 bytes"),
        ("older", sh(r#"echo '{"Name":"older","PluginVersion":2}'"#), "protocol 2"),
        ("alias", sh(r#"echo '{"Name":"lamp","PluginVersion":4}'"#), "the file must be named lamp"),
        (
            "library",
            sh("echo 'x: error while loading shared libraries: libfoo.so.1: cannot open' >&2; exit 127"),
            "libfoo.so.1 is missing",
        ),
        (
            "stuck",
            sh(r#"[ $1 = define ] && echo '{"Name":"stuck","PluginVersion":4}' || exec sleep 1000"#),
            "unpack did not end within 300ms",
        ),
        (
            "unpacks",
            sh(r#"[ $1 = define ] && echo '{"Name":"unpacks","PluginVersion":4}' || exit 5"#),
            "unpack exited with code 5",
        ),
    ];
    for (name, bytes, _) in &cases {
        write_executable(&bench.plugins().join(name), bytes);
    }
    std::fs::write(bench.plugins().join("readme"), "text").unwrap();
    std::fs::write(bench.plugins().join(".lamp.part"), "text").unwrap();
    bench.install("good", "");
    bench.host.scan().await;
    for (name, _, says) in &cases {
        let why = problem(&bench, name);
        assert!(why.contains(says), "{name}: {why:?}");
    }
    assert!(problem(&bench, "readme").contains("not executable"));
    assert_eq!(bench.host.providers().len(), 1, "the good one is there");
    // One that cannot start is named in the instance too.
    bench.upsert("exits", "exits");
    let status = bench.reaches("exits", InstanceState::Stopped).await;
    assert_eq!(status.errors[0], "Missing Plugin Provider: exits");
    assert!(status.errors[1].contains("broken lamp"));
    bench.close().await;
}

#[tokio::test]
async fn a_definition_does_not_wait_for_what_define_left_running() {
    let bench = Bench::new().await;
    let script = r#"[ $1 = define ] && echo '{"Name":"lamp","PluginVersion":4}'; sleep 1000 &"#;
    write_executable(&bench.plugins().join("lamp"), format!("#!/bin/sh\n{script}\n").as_bytes());
    bench.host.scan().await;
    assert!(bench.host.provider("lamp").is_some(), "{:?}", bench.host.problems());
    bench.close().await;
}

#[tokio::test]
async fn an_executable_that_breaks_later_is_diagnosed() {
    let bench = Bench::new().await;
    bench.install("lamp", "");
    bench.host.scan().await;
    std::fs::write(bench.plugins().join("lamp"), "").unwrap();
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Failed).await;
    assert!(
        status.errors[0].starts_with("Failed to start plugin - didn't start: it is empty"),
        "{:?}",
        status.errors
    );
    bench.close().await;
}

#[tokio::test]
async fn an_unreadable_directory_stops_nothing() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let aside = bench.dir.path().join("aside");
    std::fs::rename(bench.plugins(), &aside).unwrap();
    std::fs::write(bench.plugins(), "a file").unwrap();
    bench.host.scan().await;
    let problems = bench.host.problems();
    assert!(problems[0].why.starts_with("the plugin directory cannot be read"), "{problems:?}");
    assert_eq!(bench.act("lamp", "echo", json!({})).await.unwrap(), json!({}));
    std::fs::remove_file(bench.plugins()).unwrap();
    std::fs::rename(&aside, bench.plugins()).unwrap();
    bench.host.scan().await;
    assert!(bench.host.problems().is_empty());
    bench.close().await;
}

#[tokio::test]
async fn content_that_the_daemon_refuses_keeps_the_provider_out() {
    let bench = Bench::new().await;
    *bench.backend.refuse.lock().unwrap() = true;
    bench.install("lamp", "");
    bench.host.scan().await;
    assert!(bench.host.provider("lamp").is_none());
    assert!(problem(&bench, "lamp").contains("bad content"));
    bench.close().await;
}

#[tokio::test]
async fn a_changed_provider_that_the_daemon_refuses_stops_its_instances() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    *bench.backend.refuse.lock().unwrap() = true;
    bench.install_as("lamp", "", json!({"Version": "v2"}));
    bench.host.scan().await;
    assert!(bench.host.provider("lamp").is_none());
    holds("stopped", || bench.status("lamp").errors.len() == 2).await;
    let status = bench.status("lamp");
    assert_eq!((status.state, status.pid), (InstanceState::Stopped, None));
    assert_eq!(status.errors[0], "Missing Plugin Provider: lamp");
    assert!(status.errors[1].contains("bad content"), "{:?}", status.errors);
    *bench.backend.refuse.lock().unwrap() = false;
    bench.install_as("lamp", "", json!({"Version": "v3"}));
    bench.host.scan().await;
    bench.reaches("lamp", InstanceState::Configured).await;
    bench.close().await;
}

#[tokio::test]
async fn an_upload_that_is_refused_leaves_everything_as_it_was() {
    let bench = Bench::new().await;
    bench.run("lamp", "files").await;
    let (path, before) = (bench.plugins().join("lamp"), bench.status("lamp").pid);
    let old = std::fs::read(&path).unwrap();
    bench.install_as("lamp", "files", json!({"Version": "v2"}));
    let new = std::fs::read(&path).unwrap();
    write_executable(&path, &old);
    let provider = bench.host.provider("lamp").unwrap();
    let (definition, files) = (provider.definition.clone(), provider.unpack_dir.clone());
    let as_it_was = || {
        assert_eq!(std::fs::read(&path).unwrap(), old);
        assert_eq!(bench.host.provider("lamp").unwrap().definition, definition);
        assert_eq!(std::fs::read_to_string(files.join("testFile")).unwrap(), "ImaFile");
        let beside: Vec<_> =
            std::fs::read_dir(files.parent().unwrap()).unwrap().flatten().map(|e| e.file_name()).collect();
        assert_eq!(beside, ["lamp"]);
        assert_eq!(
            (bench.status("lamp").state, bench.status("lamp").pid),
            (InstanceState::Configured, before)
        );
    };
    *bench.backend.refuse.lock().unwrap() = true;
    let error = bench.host.upload("lamp", data(new.clone())).await.unwrap_err();
    assert!(error.code() == 422 && error.to_string().contains("bad content"), "{error}");
    as_it_was();
    *bench.backend.refuse.lock().unwrap() = false;

    let define = r#"[ $1 = define ] && echo '{"Name":"lamp","PluginVersion":4}' || { mkdir "$2"; exit 5; }"#;
    let error = bench.host.upload("lamp", data(format!("#!/bin/sh\n{define}\n"))).await.unwrap_err();
    assert!(error.to_string().contains("unpack exited with code 5"), "{error}");
    as_it_was();

    bench.host.upload("lamp", data(new)).await.unwrap();
    assert_eq!(bench.host.provider("lamp").unwrap().definition.version, "v2");
    assert_eq!(std::fs::read_to_string(files.join("testFile")).unwrap(), "ImaFile");
    bench.close().await;
}

#[tokio::test]
async fn upload_download_delete() {
    let bench = Bench::new().await;
    bench.install("lamp", "");
    let file = std::fs::read(bench.plugins().join("lamp")).unwrap();
    std::fs::remove_file(bench.plugins().join("lamp")).unwrap();
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let (provider, size) = bench.host.upload("lamp", data(file.clone())).await.unwrap();
    assert_eq!((provider.definition.name.as_str(), size), ("lamp", file.len() as u64));
    let first = bench.reaches("lamp", InstanceState::Configured).await.pid;
    let path = bench.host.binary_path("lamp").unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), file);
    assert_eq!(
        std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777,
        0o700
    );

    // The same again restarts the instances.
    bench.host.upload("lamp", data(file)).await.unwrap();
    let again = until(|| {
        let status = bench.status("lamp");
        (status.state == InstanceState::Configured && status.pid != first).then_some(())
    });
    again.await.unwrap();

    // A bad one leaves the good one, and is refused in the words that clients know.
    let error = bench.host.upload("lamp", data("#!/bin/sh\nexit 3\n")).await.unwrap_err();
    let error = Error::from(error);
    assert_eq!((error.code, error.messages[0].as_str()), (400, "Import plugin failed lamp: define failed"));
    assert!(error.messages[1].contains("exited with code 3"), "{error}");
    assert_eq!(bench.act("lamp", "echo", json!({})).await.unwrap(), json!({}));
    // A bad one of a new name stays as a file.
    bench.host.upload("torch", data("#!/bin/sh\nexit 3\n")).await.unwrap_err();
    assert!(bench.plugins().join("torch").exists() && bench.host.provider("torch").is_none());

    bench.host.delete_provider("lamp").await.unwrap();
    holds("stopped", || bench.status("lamp").errors == ["Missing Plugin Provider: lamp"]).await;
    assert!(!path.exists());
    let error = bench.host.delete_provider("lamp").await.unwrap_err();
    assert!(matches!(error, HostError::NoSuchProvider { .. }));
    assert_eq!(bench.host.binary_path("lamp").unwrap_err().code(), 404);
    let left: Vec<_> = std::fs::read_dir(bench.plugins()).unwrap().flatten().map(|e| e.file_name()).collect();
    assert_eq!(left, ["torch"], "no parts of uploads are left");
    bench.close().await;
}

#[tokio::test]
async fn uploads_are_bounded() {
    let bench = Bench::with(Limits { upload: 10, ..limits() }).await;
    bench.host.scan().await;
    let error = bench.host.upload("lamp", data("12345678901")).await.unwrap_err();
    assert_eq!(error.code(), 413);
    let broken = stream::iter([Ok(Bytes::from("1234")), Err("the client went away")]);
    let error = bench.host.upload("lamp", broken).await.unwrap_err();
    assert!(matches!(error, HostError::UploadBroken { .. }), "{error}");
    for name in ["", "../lamp", ".lamp", "a/b"] {
        let error = bench.host.upload(name, data("x")).await.unwrap_err();
        assert!(matches!(error, HostError::BadName { .. }), "{name}: {error}");
    }
    assert_eq!(std::fs::read_dir(bench.plugins()).unwrap().count(), 0);
    bench.close().await;
}
