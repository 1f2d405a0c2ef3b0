//! Resources and error bodies of a Redfish service, as its client reads them.

use drp_redfish::{Message, Override, PowerState, Resource, Slot, Source, System, Wish};
use serde_json::Value;

/// A JSON body.
pub fn body(data: &[u8]) {
    let Ok(value) = serde_json::from_slice::<Value>(data) else { return };
    // An error body: whatever it says is shown on one line, of bounded length.
    let said = Message::of(Some(&value)).to_string();
    assert!(!said.is_empty() && said.chars().count() < 700 && !said.contains(char::is_control), "{said:?}");

    let resource = Resource { path: "/redfish/v1/Systems/1".to_owned(), etag: None, body: value.clone() };
    for pointer in ["/Members", "/Links/ManagedBy", "/Links/Chassis", "/Drives"] {
        assert!(resource.members(pointer).len() <= data.len());
    }
    let system = System { resource: resource.clone() };
    // What is not said in just these words is neither on nor off (promise P5).
    let text = value.get("PowerState").and_then(Value::as_str);
    assert_eq!(system.power() == PowerState::On, text == Some("On"));
    assert_eq!(system.power() == PowerState::Off, text == Some("Off"));
    let _ = (system.identifies(), system.vendor().name(), system.reset_target());
    let boot = system.boot();
    if boot.source != Source::Other {
        let again = Override::read(&boot.body());
        assert_eq!((again.source, again.enabled), (boot.source, boot.enabled), "{value}");
    }
    let slot = Slot { resource }.state();
    assert!(slot.media_types.len() <= data.len());
    // Whatever is offered, a wish becomes one of its own types.
    let offered: Vec<String> = value
        .as_object()
        .into_iter()
        .flat_map(|map| map.values().filter_map(|v| v.as_str().map(str::to_owned)))
        .collect();
    for wish in [Wish::Up, Wish::Down, Wish::Cycle, Wish::Restart, Wish::Soft, Wish::Interrupt] {
        if let Some(chosen) = wish.choose(Some(&offered)) {
            assert!(wish.types().contains(&chosen) && offered.iter().any(|o| o == chosen.name()));
        }
    }
}
