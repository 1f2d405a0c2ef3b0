use super::*;
use crate::archive::unpack;
use drp_schemas::Settings;
use std::fs;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    settings: PackSettings,
    evaluator: Evaluator,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let settings = PackSettings::of_project(folder.path());
        // What needs Nickel is in `tests/tests/extensions`; nothing here starts it.
        Self { folder, settings, evaluator: Evaluator::new(Settings::with_worker("/nonexistent")) }
    }

    fn made(&self, version: &str, content: &str, created: &str) -> Made {
        let mut items = Items::default();
        let text = format!("[extension]\nname = \"up\"\ntype = \"provider\"\nversion = \"{version}\"\n");
        items.put("metadata.toml", text.into_bytes()).unwrap();
        items.put("schemas/main.ncl", content.as_bytes().to_vec()).unwrap();
        let created = created.to_owned();
        let packer = Packer { settings: &self.settings, evaluator: &self.evaluator, version: None, created };
        packer.write("up_prov", "up_prov", version, items, |record| record.license = "MIT".into()).unwrap()
    }

    fn names(&self) -> Vec<String> {
        list(&self.settings).unwrap().iter().map(|one| format!("{} {}", one.version, one.state)).collect()
    }
}

#[test]
fn packing_again_changes_nothing() {
    let world = World::new();
    let first = world.made("1.0.0", "{}", "2025-09-29 20:47:21");
    let (pack, record) = (fs::read(&first.file).unwrap(), fs::read(&first.record_file).unwrap());
    let again = world.made("1.0.0", "{}", "2026-01-01 00:00:00");
    assert_eq!((fs::read(&again.file).unwrap(), fs::read(&again.record_file).unwrap()), (pack, record));
    assert!(!again.replaced);
    let other = world.made("1.0.0", "{ x = 1 }", "2026-01-01 00:00:00");
    assert!(other.replaced && other.record.created.starts_with("2026"));
    assert_eq!(other.record.package_file, "../packages/up_prov_1.0.0.tar");
    assert_eq!(
        other.record.file(&other.record_file).canonicalize().unwrap(),
        other.file.canonicalize().unwrap()
    );
    // The fields of the reference come first and in its order.
    let text = fs::read_to_string(&other.record_file).unwrap();
    let keys: Vec<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect();
    assert_eq!(
        keys,
        [
            "name",
            "version",
            "package_file",
            "created",
            "maintainer",
            "repository",
            "license",
            "homepage",
            "sha256",
            "size",
            "dependencies",
            "schema",
            "signature"
        ]
    );
}

#[test]
fn old_packs_go_by_version_and_not_by_name() {
    let world = World::new();
    for version in ["0.9.0", "0.10.0", "1.0.0-rc.1", "1.0.0", "0.2.0"] {
        world.made(version, "{}", "");
    }
    fs::write(world.settings.packs.join("notes_1.0.0.tar"), "not ours").unwrap();
    fs::write(world.settings.packs.join("up_prov_latest.tar"), "not ours").unwrap();
    fs::create_dir(world.settings.packs.join("up_prov_9.0.0.tar")).unwrap();
    assert_eq!(
        world.names(),
        [
            "1.0.0 unregistered",
            "1.0.0-rc.1 unregistered",
            "0.10.0 unregistered",
            "0.9.0 unregistered",
            "0.2.0 registered"
        ]
    );
    let would = clean(&world.settings, 3, true).unwrap();
    assert_eq!(world.names().len(), 5);
    assert_eq!(clean(&world.settings, 3, false).unwrap(), would);
    assert_eq!(world.names(), ["1.0.0 unregistered", "1.0.0-rc.1 unregistered", "0.10.0 unregistered"]);
    assert!(!world.settings.registry.join("up_prov.json").exists(), "the record of a pack that is gone");
    assert!(world.settings.packs.join("notes_1.0.0.tar").exists());
    assert!(clean(&world.settings, 3, false).unwrap().is_empty());
}

#[test]
fn a_pack_that_is_not_its_record_is_refused() {
    let world = World::new();
    let made = world.made("1.0.0", "{}", "");
    let elsewhere = world.folder.path().join("elsewhere");
    let verified = |file: &Path, sha256: Option<&str>| verify(file, &elsewhere, sha256);
    let good = verified(&made.file, None).unwrap();
    assert_eq!((good.outcome, good.sha256.as_str()), (Outcome::ChecksumOnly, made.record.sha256.as_str()));
    assert!(verified(&made.file, Some(&made.record.sha256.to_uppercase())).is_ok());
    assert!(verified(&made.file, Some("00")).unwrap_err().to_string().contains("is wanted"));

    // Alone, nothing speaks of it, but a digest that somebody knows.
    let alone = world.folder.path().join("up_prov_1.0.0.tar");
    fs::copy(&made.file, &alone).unwrap();
    assert_eq!(verified(&alone, None).unwrap().outcome, Outcome::Unverified);
    assert_eq!(verified(&alone, Some(&made.record.sha256)).unwrap().outcome, Outcome::ChecksumOnly);
    // The record beside it counts, that of another version does not.
    fs::copy(&made.record_file, world.folder.path().join("up_prov.json")).unwrap();
    assert_eq!(verified(&alone, None).unwrap().outcome, Outcome::ChecksumOnly);
    let other = world.folder.path().join("up_prov_1.0.1.tar");
    fs::copy(&made.file, &other).unwrap();
    let renamed = verified(&other, None).unwrap();
    assert_eq!(renamed.outcome, Outcome::Unverified);
    let data = world.folder.path().join("data");
    let error = install_for_user(&renamed, &data, true).unwrap_err().to_string();
    assert!(error.contains("1.0.1") && error.contains("1.0.0"), "{error}");

    let mut bytes = fs::read(&made.file).unwrap();
    bytes[600] ^= 1;
    fs::write(&made.file, bytes).unwrap();
    assert!(verified(&made.file, None).unwrap_err().to_string().contains("changed or damaged"));
    assert_eq!(world.names(), ["1.0.0 changed"]);
}

#[test]
fn packs_are_installed_among_the_users_extensions() {
    let world = World::new();
    let data = world.folder.path().join("data");
    let install = |version: &str, force: bool| {
        let made = world.made(version, "{}", "");
        install_for_user(&verify(&made.file, &world.settings.registry, None).unwrap(), &data, force)
    };
    let first = install("1.0.0", false).unwrap();
    assert_eq!(first.identity.root, data.join("extensions/providers/up"));
    assert!(install("1.1.0", false).unwrap_err().to_string().contains("--force"));
    assert_eq!(Identity::read(&first.identity.root).unwrap().version, "1.0.0");
    assert_eq!(install("1.1.0", true).unwrap().replaced.as_deref(), Some("1.0.0"));
    assert_eq!(Identity::read(&first.identity.root).unwrap().version, "1.1.0");
    assert_eq!(fs::read_dir(data.join("extensions")).unwrap().count(), 1, "nothing is left beside");
}

#[test]
fn another_version_is_written_into_the_packed_manifests_alone() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path().join("up");
    fs::create_dir(&root).unwrap();
    let metadata = "# mine\n[extension]\nname = \"up\" # up\ntype = \"provider\"\nversion = \"0.0.1\"\n";
    fs::write(root.join("metadata.toml"), metadata).unwrap();
    fs::write(root.join("manifest.toml"), "name = \"up\"\nversion = \"0.0.1\"\n").unwrap();
    fs::write(root.join("extension.yaml"), "extension:\n  name: up\n  type: provider\n  version: 0.0.1\n")
        .unwrap();
    let mut items = Items::of_folder(&root, &Bounds::default()).unwrap();
    with_version(&root, &mut items, "2.0.0-rc.1").unwrap();
    let packed = items.pack("up_prov").unwrap();
    let copy = unpack(&packed.bytes[..], &folder.path().join("copy"), &Bounds::default()).unwrap();
    assert_eq!(Identity::read(&copy).unwrap().version, "2.0.0-rc.1");
    assert_eq!(
        fs::read_to_string(copy.join("metadata.toml")).unwrap(),
        metadata.replace("0.0.1", "2.0.0-rc.1")
    );
    assert!(fs::read_to_string(copy.join("manifest.toml")).unwrap().contains("2.0.0-rc.1"));
    assert!(fs::read_to_string(copy.join("extension.yaml")).unwrap().contains("version: 2.0.0-rc.1"));
    assert_eq!(fs::read_to_string(root.join("metadata.toml")).unwrap(), metadata);
}

#[test]
fn the_time_of_records_can_be_given() {
    let with = |text: &str| created_now(|_| Some(text.into()));
    assert_eq!(with("1759178841").unwrap(), "2025-09-29 20:47:21");
    for wrong in ["now", "-1", "1e9", "99999999999999"] {
        assert!(with(wrong).unwrap_err().contains("SOURCE_DATE_EPOCH"), "{wrong}");
    }
    assert_eq!(created_now(|_| None).unwrap().len(), 19);
}
