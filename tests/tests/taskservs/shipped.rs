//! The extensions that ship: valid, and rendered with their own examples.

use crate::rig::{Rig, evaluator, shipped};
use drp_extensions::Extension;
use drp_extensions::launcher::HostedBy;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn they_are_read_whole() {
    let evaluator = evaluator();
    for name in
        ["taskservs/containerd", "taskservs/buildkit", "taskservs/registry", "taskservs/systemd-service"]
    {
        let extension = Extension::open(&shipped(name), &evaluator).await.unwrap();
        assert_eq!(extension.hosted_by(), Some(HostedBy::TaskservHost), "{name}");
        let hosted = extension.hosted(&evaluator).await.unwrap();
        assert!(hosted.taskserv.is_some(), "{name}");
        let secure: Vec<_> = hosted.settings.iter().filter(|s| s.secure).map(|s| s.name.as_str()).collect();
        assert_eq!(secure.len(), 2, "{name}: {secure:?}");
    }
    let extension = Extension::open(&shipped("clusters/buildkit"), &evaluator).await.unwrap();
    assert_eq!(extension.hosted_by(), Some(HostedBy::ClusterEngine));
    let cluster = extension.hosted(&evaluator).await.unwrap().cluster.unwrap();
    assert_eq!(cluster["components"][1]["dependencies"], json!(["containerd"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_take_the_configuration_of_the_cluster() {
    for (name, config) in [
        ("buildkit", json!({"worker_count": 4, "cache_size": "10Gi", "registry_mirrors": ["registry:5000"]})),
        (
            "registry",
            json!({"storage_driver": "filesystem", "storage_path": "/var/lib/registry", "auth_enabled": false}),
        ),
    ] {
        let Some(rig) = Rig::start(&format!("taskservs/{name}")).await else { return };
        let (status, plan) = rig.act(&rig.plugin, "install", json!({"check": true, "config": config})).await;
        assert_eq!((status, &plan["would_install"]), (200, &json!(true)), "{plan}");
    }
}
