//! What happens when the store cannot write.

use crate::{me, options};
use drp_objects::Objects;
use serde_json::json;

#[tokio::test]
async fn a_full_disk_refuses_writes_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drp.db").display().to_string();
    let small = drp_store::Options { max_bytes: Some(1 << 20), ..drp_store::Options::default() };
    let objects = Objects::open(drp_store::open(&path, small).unwrap(), options()).await.unwrap();
    let big = |name: &str| json!({"Name": name, "Params": {"big": "x".repeat(100_000)}});
    let mut refused = None;
    for i in 0..50 {
        if let Err(error) = objects.create(&me(), "machines", big(&format!("m{i}"))).await {
            refused = Some((format!("m{i}"), error));
            break;
        }
    }
    let (name, error) = refused.expect("the disk never got full");
    assert_eq!((error.code, error.r#type.as_str()), (503, "STORE"), "{error:?}");
    // Nothing of it is seen or announced, reads go on, and neither its name nor its lock is held.
    let mut events = objects.events().subscribe();
    assert_eq!(objects.resolve("machines", &format!("Name:{name}")), None);
    assert!(objects.get("machines", "Name:m0").is_ok());
    let id = objects.resolve("machines", "Name:m0").unwrap();
    let again = objects.create(&me(), "machines", big(&name)).await.unwrap_err();
    assert_eq!(again.code, 503, "{again:?}");
    objects.delete(&me(), "machines", &id).await.unwrap();
    objects.create(&me(), "machines", json!({"Name": name})).await.unwrap();
    for action in ["delete", "create"] {
        let Some(drp_objects::Delivery::Event(event)) = events.next().await else { panic!("no event") };
        assert_eq!(event.action(), action);
    }
}
