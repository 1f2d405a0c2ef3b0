//! Preferences (wire-protocol §3.9).

use crate::{engine, me, refused};
use drp_objects::Delivery;
use serde_json::json;

#[tokio::test]
async fn preferences_have_defaults_are_checked_and_hide_their_secrets() {
    let objects = engine().await;
    let shown = objects.prefs(false);
    assert_eq!(shown["defaultStage"], "none");
    assert!(!shown.contains_key("baseTokenSecret"));
    assert_eq!(objects.prefs(true)["baseTokenSecret"].len(), 32);
    let set = |name: &str, value: &str| {
        let (objects, prefs) = (objects.clone(), [(name.to_owned(), value.to_owned())].into());
        async move { objects.set_prefs(&me(), &prefs).await }
    };
    refused(set("frob", "x").await, 400, "POST", &["Unknown Preference frob"]);
    refused(set("baseTokenSecret", "short").await, 400, "POST", &["baseTokenSecret: Must be 32 bytes long"]);
    refused(
        set("knownTokenTimeout", "x").await,
        400,
        "POST",
        &["knownTokenTimeout: \"x\" is not a whole number of seconds"],
    );
    assert_eq!(set("defaultStage", "nope").await.unwrap_err().code, 400);
    let mut events = objects.events().subscribe();
    set("knownTokenTimeout", "60").await.unwrap();
    set("baseTokenSecret", &"s".repeat(32)).await.unwrap();
    assert_eq!(objects.prefs(true)["baseTokenSecret"], "s".repeat(32));
    assert_eq!(objects.prefs(false)["knownTokenTimeout"], "60");
    for (key, val) in [("knownTokenTimeout", "60"), ("baseTokenSecret", "")] {
        let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
        assert_eq!((event.kind(), event.key()), ("preferences", key));
        assert_eq!(event.event().object["Val"], json!(val));
    }
    assert_eq!(objects.get("preferences", "baseTokenSecret").unwrap().map()["Val"], json!(""));
}
