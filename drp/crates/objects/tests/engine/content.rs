//! Content as people upload it (wire-protocol §2.5, §3.9).

use crate::{engine, machine, me, options, refused, store};
use drp_objects::{Delivery, LayerKind, Objects, Options, ParamsQuery};
use drp_protocol::{Bundle, BundleSummary, Error};
use serde_json::{Value, json};

fn bundle(value: Value) -> Bundle {
    serde_json::from_value(value).unwrap()
}

async fn create(objects: &Objects, value: Value) -> Result<BundleSummary, Error> {
    objects.create_content(bundle(value), false).await
}

async fn update(objects: &Objects, name: &str, value: Value) -> Result<BundleSummary, Error> {
    objects.update_content(name, bundle(value), false).await
}

fn named(name: &str, version: &str, needs: &str) -> Value {
    json!({"meta": {"Name": name, "Version": version, "Prerequisites": needs}})
}

fn profile(name: &str, layer: &str, text: &str) -> Value {
    json!({"meta": {"Name": layer}, "sections": {"profiles": {name: {"Name": name, "Description": text}}}})
}

#[tokio::test]
async fn the_stack_has_its_order() {
    let objects = engine().await;
    let put = async |value: Value, kind| objects.put_layer(bundle(value), kind, false).await;
    let seen = || objects.get("profiles", "hall").unwrap().map()["Description"].clone();
    put(profile("hall", "any", "default"), LayerKind::Default).await.unwrap();
    assert_eq!(seen(), "default");
    put(profile("hall", "any", "local"), LayerKind::Local).await.unwrap();
    assert_eq!(seen(), "local");
    // Both are under the writable objects, but an object that is seen exists.
    refused(
        objects.create(&me(), "profiles", json!({"Name": "hall"})).await,
        409,
        "CREATE",
        &["already exists"],
    );
    let error = create(&objects, profile("hall", "bb", "dynamic")).await.unwrap_err();
    assert_eq!(error.messages, ["profiles:hall in layer dynamic-bb would override layer local-LocalStore"]);
    objects.remove_layer("LocalStore").await.unwrap();
    create(&objects, profile("hall", "bb", "dynamic")).await.unwrap();
    assert_eq!(seen(), "dynamic", "it hides the default");
    create(&objects, profile("room", "aa", "x")).await.unwrap();
    let error = put(profile("hall", "lamp", "plugin"), LayerKind::Plugin).await.unwrap_err();
    assert_eq!(error.messages, ["profiles:hall in layer plugin-lamp would override layer dynamic-bb"]);
    put(profile("desk", "lamp", "plugin"), LayerKind::Plugin).await.unwrap();
    let all: Vec<_> = objects.contents().into_iter().map(|l| (l.meta.name, l.meta.r#type)).collect();
    let all: Vec<_> = all.iter().map(|(n, t)| (n.as_str(), t.as_str())).collect();
    assert_eq!(
        all,
        [
            ("BackingStore", "writable"),
            ("aa", "dynamic"),
            ("bb", "dynamic"),
            ("DefaultStore", "default"),
            ("lamp", "plugin"),
            ("BasicStore", "basic"),
        ]
    );
    let flags: Vec<_> =
        objects.contents().into_iter().map(|l| (l.meta.writable, l.meta.overwritable)).collect();
    assert_eq!(flags[0], (true, false));
    assert_eq!(flags[1..], [(false, false), (false, false), (false, true), (false, false), (false, true)]);
    objects.remove_content("bb").await.unwrap();
    assert_eq!(seen(), "default");
}

#[tokio::test]
async fn names_and_types_that_are_the_daemons_own() {
    let objects = engine().await;
    for name in ["BackingStore", "BasicStore"] {
        let error = create(&objects, named(name, "v1", "")).await.unwrap_err();
        assert_eq!(
            (error.code, error.messages[0].as_str()),
            (409, &*format!("Content {name} already exists"))
        );
        assert_eq!(objects.remove_content(name).await.unwrap_err().code, 409);
        assert_eq!(update(&objects, name, named(name, "v1", "")).await.unwrap_err().code, 409);
    }
    for name in ["LocalStore", "DefaultStore"] {
        assert_eq!(create(&objects, named(name, "v1", "")).await.unwrap_err().code, 422);
    }
    let made =
        create(&objects, json!({"meta": {"Name": " lamps ", "Type": "plugin", "Writable": true}})).await;
    let meta = made.unwrap().meta;
    assert_eq!(
        (&*meta.name, &*meta.version, &*meta.r#type, meta.writable),
        ("lamps", "v0.0.0", "dynamic", false)
    );
    refused(create(&objects, named("lamps", "", "")).await, 409, "POST", &["Content lamps already exists"]);
    refused(update(&objects, "gone", named("gone", "", "")).await, 404, "PUT", &["Cannot find gone"]);
    refused(
        update(&objects, "lamps", named("lamp", "", "")).await,
        400,
        "PUT",
        &["Cannot change name from lamps to lamp"],
    );
    refused(objects.remove_content("gone").await, 404, "DELETE", &["No such content store"]);
    // Content that offers defaults may be hidden by other content.
    let mut defaults = profile("hall", "soft", "default");
    defaults["meta"]["Type"] = json!("default");
    assert!(create(&objects, defaults).await.unwrap().meta.overwritable);
    create(&objects, profile("hall", "hard", "mine")).await.unwrap();
    assert_eq!(objects.get("profiles", "hall").unwrap().map()["Bundle"], "hard");
}

#[tokio::test]
async fn needs_are_checked_when_content_comes_changes_and_goes() {
    let with = Options { features: vec!["api-v3".to_owned()], ..options() };
    let objects = Objects::open(store("memory:///"), with).await.unwrap();
    refused(
        create(&objects, named("desk", "v1.0.0", "lamp: >=1.2.0 <2.0.0, sofa")).await,
        422,
        "ValidationError",
        &[
            "Content desk needs content lamp: >=1.2.0 <2.0.0, which is not there",
            "Content desk needs content sofa, which is not there",
        ],
    );
    create(&objects, named("lamp", "v1.1.0-tip", "")).await.unwrap();
    create(&objects, named("sofa", "any", "BasicStore")).await.unwrap();
    refused(
        create(&objects, named("desk", "v1.0.0", "lamp: >=1.2.0 <2.0.0")).await,
        422,
        "ValidationError",
        &["Content desk needs content lamp: >=1.2.0 <2.0.0, and it is there as v1.1.0-tip"],
    );
    assert_eq!(objects.layers().len(), 3);
    update(&objects, "lamp", named("lamp", "v1.2.0-tip", "")).await.unwrap();
    create(&objects, named("desk", "v1.0.0", "lamp: >=1.2.0 <2.0.0, sofa")).await.unwrap();
    refused(
        objects.remove_content("lamp").await,
        409,
        "StillInUseError",
        &["Content lamp is needed by layer dynamic-desk (lamp: >=1.2.0 <2.0.0)"],
    );
    refused(
        update(&objects, "lamp", named("lamp", "v2.0.0", "")).await,
        409,
        "StillInUseError",
        &["Content lamp is needed by layer dynamic-desk (lamp: >=1.2.0 <2.0.0), which v2.0.0 is not"],
    );
    update(&objects, "lamp", named("lamp", "v1.3.0", "")).await.unwrap();
    refused(
        create(&objects, named("rug", "v1", "lamp: new")).await,
        422,
        "ValidationError",
        &[
            "Content rug: the prerequisite `lamp: new` has a range that is none: write conditions such as >=1.2.0 \
           <2.0.0, with || between alternatives",
        ],
    );
    let picky = json!({"meta": {"Name": "rug", "RequiredFeatures": "api-v3, warp-drive"}});
    refused(
        create(&objects, picky.clone()).await,
        422,
        "ValidationError",
        &["Content rug needs the feature warp-drive, which this endpoint does not have"],
    );
    // A provider comes when it comes: what it lacks is a warning, until it is there.
    let summary = objects.put_layer(bundle(picky), LayerKind::Plugin, false).await.unwrap();
    assert_eq!(
        summary.warnings,
        ["Content rug needs the feature warp-drive, which this endpoint does not have"]
    );
    let later = named("table", "v1", "chair");
    let summary = objects.put_layer(bundle(later), LayerKind::Plugin, false).await.unwrap();
    assert_eq!(summary.warnings, ["Content table needs content chair, which is not there"]);
    create(&objects, named("chair", "v1", "")).await.unwrap();
    assert!(objects.content_summary("table").unwrap().warnings.is_empty());
    // Who needs goes first.
    objects.remove_content("desk").await.unwrap();
    objects.remove_content("lamp").await.unwrap();
}

#[tokio::test]
async fn one_bad_object_and_nothing_has_changed() {
    let objects = engine().await;
    create(&objects, profile("hall", "lamps", "one")).await.unwrap();
    let before = serde_json::to_value(objects.contents()).unwrap();
    for (sections, text) in [
        (json!({"params": {"a/b": {"Schema": {"type": "nonsense"}}}}), "Invalid schema"),
        (
            json!({"params": {"a/b": {"Schema": {"type": "integer", "default": "x"}}}}),
            "Error in default value",
        ),
        (json!({"params": {"a/b": {"Name": "a/c"}}}), "calls itself a/c"),
        (json!({"params": {"a": {}}}), "Invalid Name `a`"),
        (json!({"profiles": {"p1": {"Params": 5}}}), "Params"),
        (json!({"profiles": {"p1": {"Params": {"!": 5}}}}), "Invalid Param `!`"),
        (json!({"stages": {"s1": {"Tasks": ["frob:x"]}}}), "is not a task action"),
        (
            json!({"roles": {"r1": {"Claims": [{"scope": "nonsense", "action": "*", "specific": "*"}]}}}),
            "No such scope",
        ),
        (
            json!({"params": {"a/b": {"Schema": {"type": "integer"}}}, "profiles": {"p1": {"Params": {"a/b": "x"}}}}),
            "Key 'a/b': invalid val 'x'",
        ),
    ] {
        let (prefix, key) = match sections.get("profiles") {
            Some(_) => ("profiles", "p1"),
            None => {
                let (prefix, objects) = sections.as_object().unwrap().iter().next().unwrap();
                (prefix.as_str(), objects.as_object().unwrap().keys().next().unwrap().as_str())
            }
        };
        let mut new = json!({"meta": {"Name": "lamps"}, "sections": sections});
        new["sections"]["templates"] = json!({"fine": {"ID": "fine", "Contents": "x"}});
        let error = update(&objects, "lamps", new).await.unwrap_err();
        assert_eq!((error.code, error.model.as_str(), error.key.as_str()), (422, prefix, key), "{error:?}");
        assert!(error.messages[0].contains(text), "{text}: {error:?}");
    }
    let many = json!({"meta": {"Name": "lamps"}, "sections": {"profiles": {
        "p1": {"Params": {"!": 5}}, "p2": {"Name": "p3"}, "p4": {}, "global": {},
    }}});
    refused(
        update(&objects, "lamps", many).await,
        422,
        "ValidationError",
        &[
            "profiles:global in layer dynamic-lamps would override layer writable-BackingStore",
            "profiles:p1: Invalid Param `!`",
            "profiles:p2: is stored under this key but calls itself p3",
        ],
    );
    assert_eq!(serde_json::to_value(objects.contents()).unwrap(), before);
    assert!(objects.get("templates", "fine").is_err());
    assert_eq!(objects.get("profiles", "hall").unwrap().map()["Description"], "one");
}

#[tokio::test]
async fn writable_objects_give_way_when_told_to() {
    let objects = engine().await;
    objects.create(&me(), "profiles", json!({"Name": "hall", "Description": "mine"})).await.unwrap();
    let mut events = objects.events().subscribe();
    objects.create_content(bundle(profile("hall", "lamps", "theirs")), true).await.unwrap();
    let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
    assert_eq!((event.kind(), event.action(), event.key()), ("profiles", "delete", "hall"));
    objects.remove_content("lamps").await.unwrap();
    assert_eq!(objects.get("profiles", "hall").unwrap_err().code, 404, "it does not come back");
    // The profile that always exists does not.
    let error = objects.create_content(bundle(profile("global", "lamps", "")), true).await.unwrap_err();
    assert_eq!(
        error.messages,
        ["profiles:global in layer dynamic-lamps would override layer writable-BackingStore"]
    );
}

#[tokio::test]
async fn references_within_content_are_judged_too() {
    let objects = engine().await;
    let id = machine(&objects, json!({"Name": "m1"})).await;
    let stages = json!({
        "meta": {"Name": "stages"},
        "sections": {
            "stages": {"light": {"Tasks": ["glow", "action:blink"], "BootEnv": "lit"}},
            "workflows": {"evening": {"Stages": ["light", "sleep"]}},
        },
    });
    let summary = create(&objects, stages.clone()).await.unwrap();
    assert_eq!(
        summary.warnings,
        [
            "stages:light: Task glow (at 0) does not exist",
            "stages:light: Bootenv lit does not exist",
            "workflows:evening: Stage sleep (at 1) does not exist",
        ]
    );
    let light = || objects.get("stages", "light").unwrap().map();
    assert_eq!((&light()["Available"], &light()["Validated"]), (&json!(false), &json!(true)));
    let tasks =
        json!({"meta": {"Name": "tasks"}, "sections": {"tasks": {"glow": {}}, "bootenvs": {"lit": {}}}});
    create(&objects, tasks.clone()).await.unwrap();
    assert_eq!((&light()["Available"], &light()["Errors"]), (&json!(true), &json!([])));
    let mut events = objects.events().subscribe();
    objects.remove_content("tasks").await.unwrap();
    let Some(Delivery::Event(event)) = events.next().await else { panic!("no event") };
    assert_eq!((event.kind(), event.action(), event.key()), ("stages", "update", "light"));
    assert_eq!(light()["Available"], false);
    // A writable object serves as well, and machines follow what they use.
    objects.create(&me(), "tasks", json!({"Name": "glow"})).await.unwrap();
    objects.create(&me(), "bootenvs", json!({"Name": "lit"})).await.unwrap();
    assert_eq!(light()["Available"], true);
    objects.save(&me(), "machines", &id, |m| drop(m.insert("Stage".into(), "light".into()))).await.unwrap();
    objects.remove_content("stages").await.unwrap();
    let m1 = || objects.get("machines", &id).unwrap().map();
    assert_eq!(
        (&m1()["Available"], &m1()["Runnable"], &m1()["Errors"]),
        (&json!(false), &json!(false), &json!(["Stage light does not exist"]))
    );
    create(&objects, stages).await.unwrap();
    assert_eq!((&m1()["Available"], &m1()["Errors"]), (&json!(true), &json!([])));
}

#[tokio::test]
async fn a_param_that_becomes_secure_seals_values_everywhere() {
    let open = |store| Objects::open(store, options());
    let store = store("memory:///");
    let objects = open(store.clone()).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "Params": {"lamp/pin": "canary"}})).await;
    let rooms = json!({"meta": {"Name": "rooms"}, "sections": {"profiles": {"hall": {"Params": {"lamp/pin": "canary"}}}}});
    create(&objects, rooms).await.unwrap();
    let lamps = |secure: bool, version: &str| {
        json!({
            "meta": {"Name": "lamps", "Version": version},
            "sections": {
                "params": {"lamp/pin": {"Secure": secure, "Schema": {"type": "string"}}},
                "profiles": {"desk": {"Params": {"lamp/pin": "canary"}}},
            },
        })
    };
    create(&objects, lamps(false, "v1")).await.unwrap();
    let plain = ParamsQuery::default();
    assert_eq!(objects.param("profiles", "hall", "lamp/pin", &plain).unwrap(), "canary");
    update(&objects, "lamps", lamps(true, "v2")).await.unwrap();
    let check = |objects: &Objects| {
        for (prefix, key) in [("machines", id.as_str()), ("profiles", "hall"), ("profiles", "desk")] {
            let value = objects.param(prefix, key, "lamp/pin", &ParamsQuery::default()).unwrap();
            assert!(value.is_object(), "{prefix} {key}: {value}");
            let decode = ParamsQuery { decode: true, ..ParamsQuery::default() };
            assert_eq!(objects.param(prefix, key, "lamp/pin", &decode).unwrap(), "canary");
        }
        // Whole bundles come with plain values, so that they can be uploaded elsewhere.
        for (content, key) in [("rooms", "hall"), ("lamps", "desk")] {
            let whole = objects.content(content).unwrap();
            assert_eq!(whole.sections["profiles"][key]["Params"]["lamp/pin"], "canary");
        }
        let sealed = objects.content("BackingStore").unwrap();
        assert!(!serde_json::to_string(&sealed).unwrap().contains("canary"));
    };
    check(&objects);
    for record in store.scan("$contents", &drp_store::Scan::all()).unwrap() {
        assert!(!String::from_utf8_lossy(&record.value).contains("canary"), "{}", record.key);
    }
    drop(objects);
    let objects = open(store.clone()).await.unwrap();
    check(&objects);
    // What was read whole is uploaded again as it is; what was sealed for somebody else is not taken.
    objects.update_content("rooms", objects.content("rooms").unwrap(), false).await.unwrap();
    check(&objects);
    let foreign = objects.param("machines", &id, "lamp/pin", &plain).unwrap();
    let theft = json!({"meta": {"Name": "theft"}, "sections": {"profiles": {"cellar": {"Params": {"lamp/pin": foreign}}}}});
    let error = create(&objects, theft).await.unwrap_err();
    assert!(error.code == 422 && error.messages[0].contains("sealed for another object"), "{error:?}");
    // Keys of objects go with them.
    let keys = || store.scan("$secrets", &drp_store::Scan::all()).unwrap();
    assert!(keys().iter().any(|r| r.key == "profiles-hall"));
    update(&objects, "rooms", named("rooms", "v2", "")).await.unwrap();
    assert!(!keys().iter().any(|r| r.key == "profiles-hall"));
}

#[tokio::test]
async fn what_the_daemon_keeps_itself_is_left_out_and_unknown_types_wait() {
    let store = store("memory:///");
    let objects = Objects::open(store.clone(), options()).await.unwrap();
    let farm = json!({"meta": {"Name": "farm"}, "sections": {
        "users": {"mallory": {"Name": "mallory", "Roles": ["superuser"]}},
        "cows": {"bertie": {"Spotted": true}, "bessie": {"Id": "bessie"}},
    }});
    let summary = create(&objects, farm).await.unwrap();
    assert_eq!(
        summary.warnings,
        [
            "cows: objects of an unknown type were left out",
            "users: left out, the daemon keeps its users itself"
        ]
    );
    assert!(objects.get("users", "mallory").is_err());
    assert_eq!(objects.content("farm").unwrap().sections["cows"]["bertie"]["Spotted"], true);
    drop(objects);
    let objects = Objects::open(store, options()).await.unwrap();
    let types = json!({"cows": {"Spotted": {"type": "boolean"}}});
    objects.register_types(types.as_object().unwrap()).await.unwrap();
    assert_eq!(objects.get("cows", "bertie").unwrap().map()["Bundle"], "farm");
    let summary = objects.content_summary("farm").unwrap();
    assert_eq!((summary.counts["cows"], summary.warnings.len()), (2, 0));
}

#[tokio::test]
async fn thousands_of_objects_are_one_step() {
    let objects = engine().await;
    let big = |version: &str, count: usize| {
        let params: serde_json::Map<_, _> = (0..count)
            .map(|i| {
                (
                    format!("big/p{i}"),
                    json!({"Schema": {"type": "string", "enum": ["a", "b"], "default": "a"}}),
                )
            })
            .collect();
        let profiles: serde_json::Map<_, _> =
            (0..count).map(|i| (format!("big{i}"), json!({"Params": {format!("big/p{i}"): "b"}}))).collect();
        json!({"meta": {"Name": "big", "Version": version}, "sections": {"params": params, "profiles": profiles}})
    };
    create(&objects, big("v1", 2000)).await.unwrap();
    let watcher = objects.clone();
    let (done, mut stop) = tokio::sync::oneshot::channel::<()>();
    let watching = tokio::task::spawn_blocking(move || {
        let mut seen = std::collections::BTreeSet::new();
        while stop.try_recv().is_err() {
            seen.insert(watcher.count("params"));
        }
        seen
    });
    update(&objects, "big", big("v2", 3000)).await.unwrap();
    objects.remove_content("big").await.unwrap();
    let _ = done.send(());
    // One is the basic layer's own.
    let seen = watching.await.unwrap();
    assert!(seen.iter().all(|count| [1, 2001, 3001].contains(count)), "{seen:?}");
    assert_eq!(objects.count("params"), 1);
}
