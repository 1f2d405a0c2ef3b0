use super::*;
use crate::discovery::{SearchPath, discover};
use std::os::unix::fs::symlink;
use tempfile::TempDir;

/// A project with `extensions` beside `workspace`, as in the reference.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(world.at("workspace/infra/wuji")).unwrap();
        world.extension("extensions/providers/upcloud", "upcloud", "0.0.1");
        world
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().canonicalize().unwrap().join(path)
    }

    fn extension(&self, path: &str, name: &str, version: &str) {
        let root = self.at(path);
        fs::create_dir_all(root.join("schemas")).unwrap();
        let text = format!("[extension]\nname = \"{name}\"\ntype = \"provider\"\nversion = \"{version}\"\n");
        fs::write(root.join("metadata.toml"), text).unwrap();
        fs::write(root.join("schemas/main.ncl"), "{ x = 1 }\n").unwrap();
    }

    fn infra(&self) -> Infra {
        Infra::open(&self.at("workspace"), "wuji").unwrap()
    }

    fn upcloud(&self) -> Identity {
        Identity::read(&self.at("extensions/providers/upcloud")).unwrap()
    }

    fn found(&self) -> Discovery {
        discover(&SearchPath::usual(&self.at("workspace"), &[], |_| None))
    }

    /// Every file of the infrastructure and what is in it.
    fn files(&self) -> Vec<(String, String)> {
        let root = self.at("workspace/infra/wuji");
        let mut all = Vec::new();
        let mut folders = vec![root.clone()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).unwrap().map(Result::unwrap) {
                let path = entry.path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                let kind = entry.file_type().unwrap();
                if kind.is_symlink() {
                    all.push((name, fs::read_link(&path).unwrap().display().to_string()));
                } else if kind.is_dir() {
                    folders.push(path);
                } else if !name.ends_with(".lock") {
                    all.push((name, fs::read_to_string(&path).unwrap()));
                }
            }
        }
        all.sort();
        all
    }

    fn pack(&self) -> (Vec<u8>, String) {
        let items = Items::of_folder(&self.at("extensions/providers/upcloud"), &Bounds::default()).unwrap();
        let packed = items.pack("upcloud_prov").unwrap();
        (packed.bytes, packed.sha256)
    }

    fn install_pack(&self, force: bool) -> Result<Installed, ModuleError> {
        let (bytes, sha256) = self.pack();
        self.infra().install_pack(&bytes[..], &sha256, |_| Ok(()), force)
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.infra().validate().unwrap().iter().map(|finding| finding.kind).collect()
    }
}

#[test]
fn linked_packed_and_back_leaves_nothing() {
    let world = World::new();
    let manifest = "name = \"wuji\" # ours\n\n# what we need\n[dependencies]\nother = { path = \"../x\" }\n";
    fs::write(world.at("workspace/infra/wuji/manifest.toml"), manifest).unwrap();
    let before = world.files();
    let link = world.at("workspace/infra/wuji/.nickel-modules/upcloud_prov");

    world.infra().link(&world.upcloud(), false).unwrap();
    let linked = world.files();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../../../../extensions/providers/upcloud/schemas"));
    assert!(link.join("main.ncl").is_file());
    assert!(linked.iter().any(|(name, text)| name == RECORDS && text.contains("mode: linked")));
    assert!(world.kinds().is_empty());

    world.install_pack(false).unwrap();
    assert_eq!(fs::read_link(&link).unwrap(), Path::new("../vendor/upcloud_prov/schemas"));
    let text = fs::read_to_string(world.at("workspace/infra/wuji/manifest.toml")).unwrap();
    assert!(
        text.contains("upcloud_prov = { path = \"./vendor/upcloud_prov\", version = \"0.0.1\" }"),
        "{text}"
    );
    assert!(world.kinds().is_empty());
    let packed = world.files();
    world.install_pack(false).unwrap();
    assert_eq!(world.files(), packed, "twice is once");

    world.infra().link(&world.upcloud(), false).unwrap();
    assert_eq!(world.files(), linked);
    world.install_pack(false).unwrap();
    world.infra().remove("upcloud_prov", false).unwrap();
    assert_eq!(world.files(), before);
    let error = world.infra().remove("upcloud_prov", false).unwrap_err();
    assert!(matches!(error, ModuleError::NotInstalled { .. }), "{error}");
}

#[test]
fn extensions_outside_of_the_project_are_linked_by_their_whole_path() {
    let (world, other) = (World::new(), World::new());
    world.infra().link(&other.upcloud(), false).unwrap();
    let link = world.at("workspace/infra/wuji/.nickel-modules/upcloud_prov");
    assert_eq!(fs::read_link(link).unwrap(), other.at("extensions/providers/upcloud/schemas"));
    assert!(world.kinds().is_empty());
}

/// Whatever step a change ended at, the next finishes it: the world is what it would have been.
#[test]
fn an_interrupted_change_is_finished() {
    let done = World::new();
    done.infra().link(&done.upcloud(), false).unwrap();
    done.install_pack(false).unwrap();
    let pending = |world: &World| {
        // What `apply` writes before it begins.
        let record = done.infra().installed().unwrap().remove(0);
        let wanted = serde_json::json!({"module": "upcloud_prov", "record": record, "drop_vendor": false});
        let links = world.at("workspace/infra/wuji/.nickel-modules");
        fs::create_dir_all(&links).unwrap();
        fs::write(links.join(".pending.json"), wanted.to_string()).unwrap();
    };
    let stage = |world: &World, name: &str| {
        let (bytes, _) = world.pack();
        let vendor = world.at("workspace/infra/wuji/vendor");
        fs::create_dir_all(&vendor).unwrap();
        archive::unpack(&bytes[..], &vendor.join(name), &Bounds::default()).unwrap();
    };
    type Step = fn(&World);
    let steps: &[(&str, Step)] = &[
        ("nothing done", |_| {}),
        ("the old one moved away", |w| fs::create_dir(w.at("workspace/infra/wuji/vendor/.old")).unwrap()),
        ("a link half made", |w| symlink("x", w.at("workspace/infra/wuji/.nickel-modules/.link")).unwrap()),
        ("linked", |w| {
            let links = w.at("workspace/infra/wuji/.nickel-modules");
            fs::remove_file(links.join("upcloud_prov")).unwrap();
            symlink("../vendor/upcloud_prov/schemas", links.join("upcloud_prov")).unwrap();
        }),
        ("records gone", |w| fs::remove_file(w.at("workspace/infra/wuji").join(RECORDS)).unwrap()),
    ];
    for (what, step) in steps {
        for moved in [false, true] {
            let world = World::new();
            world.infra().link(&world.upcloud(), false).unwrap();
            stage(&world, if moved { "upcloud_prov" } else { ".staged" });
            pending(&world);
            step(&world);
            assert!(world.kinds().contains(&"interrupted"), "{what}");
            world.infra().sync(&world.found()).unwrap();
            assert_eq!(world.files(), done.files(), "{what}, moved {moved}");
            assert!(world.kinds().is_empty(), "{what}");
        }
    }
    // Unpacked and then killed, before anything was written down: it never was.
    let world = World::new();
    stage(&world, ".staged");
    world.infra().sync(&world.found()).unwrap();
    assert!(world.files().is_empty());
}

#[test]
fn what_does_not_agree_is_found_and_mended() {
    let infra = "workspace/infra/wuji";
    type Break = fn(&World);
    let cases: &[(&str, Break, bool)] = &[
        ("missing-link", |w| fs::remove_dir_all(w.at("workspace/infra/wuji/.nickel-modules")).unwrap(), true),
        (
            "missing-dependency",
            |w| fs::remove_file(w.at("workspace/infra/wuji/manifest.toml")).unwrap(),
            true,
        ),
        (
            "drift",
            |w| {
                fs::write(
                    w.at("workspace/infra/wuji/manifest.toml"),
                    "[dependencies]\nupcloud_prov = \"1.0\"\n",
                )
                .unwrap();
            },
            true,
        ),
        (
            "drift",
            |w| {
                let link = w.at("workspace/infra/wuji/.nickel-modules/upcloud_prov");
                fs::remove_file(&link).unwrap();
                symlink("/etc", link).unwrap();
            },
            true,
        ),
        ("drift", |w| symlink("x", w.at("workspace/infra/wuji/.nickel-modules/aws_prov")).unwrap(), true),
        (
            "drift",
            |w| {
                let path = w.at("workspace/infra/wuji/manifest.toml");
                let text =
                    fs::read_to_string(&path).unwrap() + "aws_prov = { path = \"./vendor/aws_prov\" }\n";
                fs::write(path, text).unwrap();
            },
            true,
        ),
        ("version", |w| w.extension("extensions/providers/upcloud", "upcloud", "0.0.2"), true),
        (
            "dangling-link",
            |w| {
                fs::rename(w.at("extensions/providers/upcloud"), w.at("extensions/providers/moved")).unwrap();
            },
            true,
        ),
        ("dangling-link", |w| fs::remove_dir_all(w.at("extensions")).unwrap(), false),
        ("drift", |w| w.extension("extensions/providers/upcloud", "other", "0.0.1"), false),
    ];
    for (kind, breaks, mended) in cases {
        let world = World::new();
        world.infra().link(&world.upcloud(), false).unwrap();
        breaks(&world);
        assert_eq!(world.kinds(), [*kind], "{infra}");
        let synced = world.infra().sync(&world.found()).unwrap();
        assert_eq!(synced.problems.is_empty(), *mended, "{kind}: {synced:?}");
        assert_eq!(world.kinds().is_empty(), *mended, "{kind}");
    }
}

#[test]
fn an_edited_pack_is_not_lost_silently() {
    let world = World::new();
    world.install_pack(false).unwrap();
    fs::write(world.at("workspace/infra/wuji/vendor/upcloud_prov/schemas/main.ncl"), "{ mine = 1 }").unwrap();
    assert_eq!(world.kinds(), ["drift"]);
    let edited = world.files();
    for refused in [
        world.install_pack(false).err(),
        world.infra().link(&world.upcloud(), false).err(),
        world.infra().remove("upcloud_prov", false).err(),
    ] {
        assert!(refused.unwrap().to_string().contains("--force"));
        world.infra().sync(&world.found()).unwrap();
        assert_eq!(world.files(), edited);
    }
    world.install_pack(true).unwrap();
    assert!(world.kinds().is_empty());
}

#[test]
fn many_at_once_lose_nothing() {
    let world = World::new();
    let names: Vec<String> = (0..12).map(|n| format!("p{n}")).collect();
    names.iter().for_each(|n| world.extension(&format!("extensions/providers/{n}"), n, "1.0.0"));
    std::thread::scope(|scope| {
        for name in &names {
            let identity = Identity::read(&world.at(&format!("extensions/providers/{name}"))).unwrap();
            let infra = world.infra();
            scope.spawn(move || infra.link(&identity, false).unwrap());
        }
    });
    assert_eq!(world.infra().installed().unwrap().len(), 12);
    assert!(world.kinds().is_empty());
    std::thread::scope(|scope| {
        for name in &names {
            let infra = world.infra();
            scope.spawn(move || infra.remove(&format!("{name}_prov"), false).unwrap());
        }
    });
    assert!(world.files().is_empty());
}

#[test]
fn nothing_outside_is_touched() {
    let world = World::new();
    for name in ["", ".", "..", "../wuji", "wuji/../wuji", "/etc", "a\nb", "a\0b", ".hidden", "nope"] {
        let error = Infra::open(&world.at("workspace"), name).unwrap_err().to_string();
        assert!(error.contains("there are wuji") && !error.contains('\n'), "{error}");
    }
    let infra = world.infra();
    let folder = world.at("workspace/infra/wuji");
    // Records are merged and edited by hand: their names are no paths.
    for (field, value) in [
        ("module", "../../../x"),
        ("name", "../upcloud"),
        ("schemas", "../../.."),
        ("source", "vendor/../../.."),
    ] {
        let mut record = serde_json::json!({
            "name": "upcloud", "type": "provider", "module": "upcloud_prov", "version": "1.0.0", "mode": "packed",
            "source": "vendor/upcloud_prov", "schemas": "schemas",
        });
        record[field] = value.into();
        fs::write(folder.join(RECORDS), serde_json::json!({"providers": [record]}).to_string()).unwrap();
        let error = infra.remove("upcloud_prov", true).unwrap_err().to_string();
        assert!(error.contains("is not right"), "{field}: {error}");
    }
    fs::remove_file(folder.join(RECORDS)).unwrap();
    // What was broken off may come with a checkout too.
    fs::create_dir_all(world.at("workspace/keep")).unwrap();
    for wanted in [
        serde_json::json!({"module": "../../../keep", "record": null, "drop_vendor": true}),
        serde_json::json!({"module": world.at("workspace/keep"), "record": null, "drop_vendor": true}),
        serde_json::json!({"module": "upcloud_prov", "drop_vendor": true, "record": {
            "name": "upcloud", "type": "provider", "module": "upcloud_prov", "version": "1.0.0", "mode": "packed",
            "source": "vendor/../../..", "schemas": "schemas"}}),
    ] {
        let pending = folder.join(".nickel-modules/.pending.json");
        fs::create_dir_all(folder.join(".nickel-modules")).unwrap();
        fs::write(&pending, wanted.to_string()).unwrap();
        let error = infra.sync(&world.found()).unwrap_err().to_string();
        assert!(error.contains("is not right") && error.contains("remove it"), "{error}");
        assert!(world.at("workspace/keep").is_dir());
        fs::remove_file(pending).unwrap();
    }
    symlink(world.at("workspace/keep"), folder.join("vendor")).unwrap();
    fs::create_dir_all(world.at("workspace/keep/.staged")).unwrap();
    assert!(infra.link(&world.upcloud(), true).unwrap_err().to_string().contains("is no folder"));
    assert!(world.at("workspace/keep/.staged").is_dir());
    fs::remove_file(folder.join("vendor")).unwrap();
    fs::create_dir_all(folder.join(".nickel-modules/upcloud_prov")).unwrap();
    let error = infra.link(&world.upcloud(), true).unwrap_err().to_string();
    assert!(error.contains("no link of ours"), "{error}");
    fs::remove_dir(folder.join(".nickel-modules/upcloud_prov")).unwrap();
    fs::create_dir_all(folder.join("vendor/upcloud_prov")).unwrap();
    assert!(world.install_pack(true).unwrap_err().to_string().contains("not installed by drp"));
    fs::write(folder.join(MANIFEST), "[[[").unwrap();
    let before = world.files();
    assert!(infra.link(&world.upcloud(), false).unwrap_err().to_string().contains("manifest.toml"));
    assert_eq!(world.files(), before);
}
