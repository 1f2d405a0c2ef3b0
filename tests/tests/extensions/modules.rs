//! The module loader and packs as people use them: `drp providers`, `drp pack`, and Nickel through the link.

use super::rig::write;
use drp_tests::daemon::binary;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

/// A project laid out as in the reference, with an infrastructure that imports a provider.
pub struct Project(TempDir);

const MAIN: &str = "let up = import \".nickel-modules/upcloud_prov/main.ncl\" in\n{ server | up.Server = { plan = up.plans.small } }\n";

impl Project {
    pub fn new() -> Self {
        let project = Self(tempfile::tempdir().unwrap());
        project.put("workspace/infra/wuji/main.ncl", MAIN);
        project.provider("upcloud", "0.0.1", "1xCPU");
        project
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    pub fn put(&self, path: &str, text: &str) {
        write(self.0.path(), path, text.as_bytes());
    }

    pub fn provider(&self, name: &str, version: &str, plan: &str) {
        let root = format!("extensions/providers/{name}");
        self.put(
            &format!("{root}/metadata.toml"),
            &format!(
                "[extension]\nname = \"{name}\"\ntype = \"provider\"\nversion = \"{version}\"\ndescription = \"A cloud.\"\n\n\
                 [dependencies.requires]\nnet = \">=1.0.0\"\n"
            ),
        );
        self.put(&format!("{root}/nulib/mod.nu"), "export def \"provider-info\" [] { {} }\n");
        self.put(
            &format!("{root}/schemas/main.ncl"),
            &format!("let t = import \"drp/types.ncl\" in\n{{ Server = {{ plan | t.Text }}, plans = {{ small = \"{plan}\" }} }}\n"),
        );
    }

    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary("drp"));
        command.args(words).current_dir(self.at("workspace")).env("HOME", self.at("home"));
        for unset in [
            "PROVISIONING",
            "PROVISIONING_EXTENSIONS_PATH",
            "XDG_DATA_HOME",
            "XDG_CACHE_HOME",
            "SOURCE_DATE_EPOCH",
        ] {
            command.env_remove(unset);
        }
        command
    }

    pub fn drp(&self, words: &[&str]) -> Output {
        std::fs::create_dir_all(self.at("home")).unwrap();
        self.command(words).output().unwrap()
    }

    pub fn ok(&self, words: &[&str]) -> Value {
        let output = self.drp(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap_or(Value::Null)
    }

    pub fn refused(&self, words: &[&str], code: i32) -> String {
        let output = self.drp(words);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{words:?}: {said}");
        said
    }

    fn plan(&self) -> Value {
        self.ok(&["schema", "export", "infra/wuji/main.ncl"])["server"]["plan"].clone()
    }
}

#[test]
fn an_edit_is_seen_at_once_and_a_pack_does_not_change() {
    let project = Project::new();
    let manifest =
        "name = \"wuji\"\n\n# what we need\n[dependencies]\nother = { path = \"../other\" } # keep\n";
    project.put("workspace/infra/wuji/manifest.toml", manifest);

    assert_eq!(project.ok(&["providers", "list"])[0]["name"], "upcloud");
    assert_eq!(project.ok(&["providers", "info", "upcloud", "--kcl"])["files"][0], "main.ncl");
    assert_eq!(project.ok(&["providers", "install", "upcloud", "wuji"])["mode"], "linked");
    assert_eq!(project.plan(), "1xCPU");
    project.provider("upcloud", "0.0.1", "2xCPU");
    assert_eq!(project.plan(), "2xCPU", "an edit is seen at once");

    let record = project.ok(&["pack", "provider", "upcloud"]);
    let pack = project.at("distribution/packages/upcloud_prov_0.0.1.tar");
    assert_eq!(record["dependencies"]["requires"]["net"], ">=1.0.0");
    let installed = project.ok(&["pack", "install", pack.to_str().unwrap(), "--infra", "wuji"]);
    assert_eq!((&installed["mode"], &installed["verification"]), (&"packed".into(), &"checksum only".into()));
    project.provider("upcloud", "0.0.2", "4xCPU");
    assert_eq!(project.plan(), "2xCPU", "a pack stays as it was made");
    assert_eq!(project.ok(&["providers", "validate", "wuji"])["valid"], true);
    let text = std::fs::read_to_string(project.at("workspace/infra/wuji/manifest.toml")).unwrap();
    assert!(
        text.contains("upcloud_prov = { path = \"./vendor/upcloud_prov\", version = \"0.0.1\" }"),
        "{text}"
    );

    assert_eq!(
        project.ok(&["providers", "install", "upcloud", "wuji", "--version", "0.0.2"])["mode"],
        "linked"
    );
    assert_eq!(project.plan(), "4xCPU", "and linked again it is the newest");
    assert!(!project.at("workspace/infra/wuji/vendor").exists());
    assert_eq!(project.ok(&["providers", "installed", "wuji"])[0]["version"], "0.0.2");
    project.ok(&["providers", "remove", "upcloud", "wuji"]);
    assert_eq!(std::fs::read_to_string(project.at("workspace/infra/wuji/manifest.toml")).unwrap(), manifest);
    assert!(!project.at("workspace/infra/wuji/providers.manifest.yaml").exists());
    project.refused(&["schema", "export", "infra/wuji/main.ncl"], 4);
}

#[test]
fn a_checkout_is_made_whole_and_what_is_gone_is_told() {
    let project = Project::new();
    project.ok(&["providers", "install", "upcloud", "wuji"]);
    // What Git does not keep.
    std::fs::remove_dir_all(project.at("workspace/infra/wuji/.nickel-modules")).unwrap();
    let output = project.drp(&["providers", "validate", "wuji"]);
    assert_eq!(output.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(found["errors"][0]["kind"], "missing-link");
    assert_eq!(project.ok(&["providers", "sync", "wuji"])["modules"][0], "upcloud_prov");
    assert_eq!(project.plan(), "1xCPU");
    std::fs::remove_dir_all(project.at("extensions/providers/upcloud")).unwrap();
    let output = project.drp(&["providers", "sync", "wuji"]);
    assert_eq!(output.status.code(), Some(7));
}

#[test]
fn many_commands_at_once_lose_nothing() {
    let project = Project::new();
    let names: Vec<String> = (0..8).map(|n| format!("cloud{n}")).collect();
    names.iter().for_each(|name| project.provider(name, "1.0.0", "x"));
    std::fs::create_dir_all(project.at("home")).unwrap();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            project
                .command(&["providers", "install", name, "wuji"])
                .stdout(std::process::Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(project.ok(&["providers", "installed", "wuji"]).as_array().unwrap().len(), 8);
    assert_eq!(project.ok(&["providers", "validate", "wuji"])["valid"], true);
}

#[test]
fn words_are_names_and_nothing_else() {
    let project = Project::new();
    for bad in
        ["../upcloud", "$(id)", "up`id`cloud", "a'b", "", "a\nb", "Upcloud", "extensions/providers/upcloud"]
    {
        project.refused(&["providers", "install", bad, "wuji"], 2);
        project.refused(&["providers", "remove", bad, "wuji"], 2);
        project.refused(&["pack", "provider", bad], 2);
    }
    for bad in ["../wuji", "/etc", "", "$(id)", "wuji/../wuji", ".", ".."] {
        assert!(
            project.refused(&["providers", "install", "upcloud", bad], 3).contains("there are wuji"),
            "{bad}"
        );
    }
    assert!(project.refused(&["providers", "info", "upclout"], 3).contains("upcloud"));
    assert!(
        project
            .refused(&["providers", "install", "upcloud", "wuji", "--version", "9.0.0"], 4)
            .contains("0.0.1")
    );
    assert!(std::fs::read_dir(project.at("workspace/infra/wuji")).unwrap().count() == 1, "nothing was made");
}

#[test]
fn the_name_provisioning_takes_the_same_words() {
    let project = Project::new();
    let link = project.at("provisioning");
    std::os::unix::fs::symlink(binary("drp"), &link).unwrap();
    std::fs::create_dir_all(project.at("home")).unwrap();
    let output = Command::new(&link)
        .args(["providers", "list", "--format", "yaml"])
        .current_dir(project.at("workspace"))
        .env("HOME", project.at("home"))
        .output()
        .unwrap();
    assert!(output.status.success());
    assert!(String::from_utf8_lossy(&output.stdout).contains("name: upcloud"));
}

pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
