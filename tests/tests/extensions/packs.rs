//! Packs, made and installed by the program.

use super::modules::{Project, bytes};
use serde_json::Value;
use std::process::Command;

fn sha256sum(path: &std::path::Path) -> String {
    let output = Command::new("sha256sum").arg(path).output().unwrap();
    String::from_utf8(output.stdout).unwrap()[..64].to_owned()
}

#[test]
fn two_people_make_the_same_pack() {
    let (one, other) = (Project::new(), Project::new());
    // Another umask, other times, leftovers of an editor and a build.
    other.put("extensions/providers/upcloud/schemas/main.ncl~", "leftover");
    other.put("extensions/providers/upcloud/.git/HEAD", "ref");
    let root = other.at("extensions/providers/upcloud/metadata.toml");
    std::fs::File::options().write(true).open(&root).unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    assert!(
        Command::new("chmod").args(["-R", "go-rwx"]).arg(root.parent().unwrap()).status().unwrap().success()
    );
    let first = one.ok(&["pack", "provider", "upcloud"]);
    std::fs::create_dir_all(other.at("home")).unwrap();
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 077; exec \"$0\" pack extension ../extensions/providers/upcloud --output out"]);
    command
        .arg(drp_tests::daemon::binary("drp"))
        .current_dir(other.at("workspace"))
        .env("HOME", other.at("home"));
    let output = command.env("SOURCE_DATE_EPOCH", "1759178841").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let second: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (a, b) = (
        one.at("distribution/packages/upcloud_prov_0.0.1.tar"),
        other.at("workspace/out/upcloud_prov_0.0.1.tar"),
    );
    assert_eq!(bytes(&a), bytes(&b));
    assert_eq!((&first["sha256"], &first["schema"]), (&second["sha256"], &second["schema"]));
    assert_eq!(first["sha256"], sha256sum(&a));
    assert_eq!(second["created"], "2025-09-29 20:47:21");
    // Another program reads it, and finds nothing that it would have to be careful with.
    let listed = Command::new("tar").arg("-tf").arg(&a).output().unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.lines().all(|line| line.starts_with("upcloud_prov/")) && !listed.contains(".git"),
        "{listed}"
    );
}

#[test]
fn settings_name_folders_and_people() {
    let project = Project::new();
    let settings = "[distribution]\npack_path = \"../out/packs\"\nregistry_path = \"../out/records\"\n\n[distribution.metadata]\n\
                    maintainer = \"Ada\"\nrepository = \"https://example.com/repo\"\nlicense = \"MIT\"\nhomepage = \"https://example.com\"\n";
    project.put("workspace/provisioning.toml", settings);
    let record = project.ok(&["pack", "providers", "--version", "v0.2.0"]);
    let record = &record[0];
    assert_eq!((&record["maintainer"], &record["license"]), (&"Ada".into(), &"MIT".into()));
    assert_eq!(record["package_file"], "../packs/upcloud_prov_0.2.0.tar");
    assert!(project.at("out/packs/upcloud_prov_0.2.0.tar").is_file());
    assert_eq!(project.ok(&["pack", "list"])[0]["state"], "registered");
    project.ok(&["pack", "install", "../out/packs/upcloud_prov_0.2.0.tar"]);
    let mine = project.at("home/.local/share/drp/extensions/providers/upcloud/metadata.toml");
    assert!(std::fs::read_to_string(mine).unwrap().contains("version = \"0.2.0\""));
    project.put("workspace/provisioning.toml", "[distribution]\npack_path = 5\n");
    assert!(project.refused(&["pack", "list"], 4).contains("provisioning.toml:2"));
}

#[test]
fn what_is_wrong_is_not_packed() {
    let project = Project::new();
    let schema = "extensions/providers/upcloud/schemas/extra.ncl";
    project.put(schema, "{ x = 1 + }\n");
    let said = project.refused(&["pack", "provider", "upcloud"], 4);
    assert!(said.contains("extra.ncl"), "{said}");
    std::fs::remove_file(project.at(schema)).unwrap();
    std::os::unix::fs::symlink("/etc/passwd", project.at("extensions/providers/upcloud/passwd")).unwrap();
    let said = project.refused(&["pack", "provider", "upcloud"], 4);
    assert!(said.contains("passwd") && said.contains("outside"), "{said}");
    std::fs::remove_file(project.at("extensions/providers/upcloud/passwd")).unwrap();
    project.put("extensions/providers/upcloud/metadata.toml", "[extension]\nname = \"upcloud\"\n");
    project.refused(&["pack", "extension", "../extensions/providers/upcloud"], 4);
    assert!(!project.at("distribution").exists(), "nothing was written");
}

#[test]
fn a_pack_that_was_changed_is_not_installed() {
    let project = Project::new();
    project.ok(&["pack", "provider", "upcloud"]);
    let pack = project.at("distribution/packages/upcloud_prov_0.0.1.tar");
    let mut content = bytes(&pack);
    let at = content.windows(5).position(|w| w == b"1xCPU").unwrap();
    content[at] = b'9';
    std::fs::write(&pack, content).unwrap();
    let said = project.refused(&["pack", "install", pack.to_str().unwrap(), "--infra", "wuji"], 4);
    assert!(said.contains("changed or damaged"), "{said}");
    assert_eq!(project.ok(&["pack", "list"])[0]["state"], "changed");
    assert!(project.ok(&["providers", "installed", "wuji"]).as_array().unwrap().is_empty());
    assert!(!project.at("workspace/infra/wuji/vendor").exists());
}

#[test]
fn the_core_pack_holds_the_contracts() {
    let project = Project::new();
    let record = project.ok(&["pack", "core", "--version", "1.2.3"]);
    assert_eq!((&record["name"], &record["version"]), (&"provisioning_core".into(), &"1.2.3".into()));
    let pack = project.at("distribution/packages/provisioning_1.2.3.tar");
    let unpacked = project.at("unpacked");
    std::fs::create_dir(&unpacked).unwrap();
    assert!(Command::new("tar").arg("-xf").arg(pack).arg("-C").arg(&unpacked).status().unwrap().success());
    project.put("workspace/port.ncl", "{ port | (import \"drp/types.ncl\").Port = 80 }\n");
    let path = unpacked.join("provisioning");
    assert_eq!(project.ok(&["schema", "export", "port.ncl", "-I", path.to_str().unwrap()])["port"], 80);
}
