//! `drp ext new`: what it writes passes everything at once.

use super::modules::Project;
use drp_tests::peers;
use serde_json::Value;
use std::process::Output;

fn with_nu(project: &Project, nu: &std::path::Path, words: &[&str]) -> Output {
    std::fs::create_dir_all(project.at("home")).unwrap();
    let path = std::env::join_paths([nu.parent().unwrap(), "/usr/bin".as_ref(), "/bin".as_ref()]).unwrap();
    project.command(words).current_dir(project.at("")).env("PATH", path).output().unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn a_new_extension_validates_tests_and_packs() {
    let Some(nu) = peers::nu() else { return };
    let project = Project::new();
    for (kind, name) in [("provider", "sky-1"), ("taskserv", "web_server"), ("cluster", "build")] {
        let made = json(&with_nu(&project, &nu, &["ext", "new", kind, name]));
        let path = made["path"].as_str().unwrap();
        assert_eq!(path, format!("extensions/{kind}s/{name}"));
        let valid = with_nu(&project, &nu, &["ext", "validate", path]);
        assert!(valid.status.success(), "{kind}: {}", String::from_utf8_lossy(&valid.stdout));
        let tested = with_nu(&project, &nu, &["ext", "test", path]);
        let answer = json(&tested);
        assert!(tested.status.success(), "{kind}: {answer:#}");
        assert_eq!(answer["failed"], 0);
        assert!(answer["passed"].as_u64().unwrap() >= 4, "{kind}: {answer:#}");
        let packed = with_nu(&project, &nu, &["pack", kind, name]);
        assert!(packed.status.success(), "{kind}: {}", String::from_utf8_lossy(&packed.stderr));
    }
    // Held to its own contracts through the module loader.
    project.ok(&["providers", "install", "sky-1", "wuji"]);
    let text = "let sky = import \".nickel-modules/sky_1_prov/main.ncl\" in\n\
                { server | sky.ServerConfig = { hostname = \"web-01\", plan = \"p\", zone = \"z\" } }\n";
    project.put("workspace/infra/wuji/sky.ncl", text);
    assert_eq!(project.ok(&["schema", "export", "infra/wuji/sky.ncl"])["server"]["os"], "ubuntu-22.04");
    project.put("workspace/infra/wuji/sky.ncl", &text.replace("web-01", "-"));
    project.refused(&["schema", "export", "infra/wuji/sky.ncl"], 4);
}

#[test]
fn a_test_that_fails_is_told_with_its_line() {
    let Some(nu) = peers::nu() else { return };
    let project = Project::new();
    json(&with_nu(&project, &nu, &["ext", "new", "taskserv", "web", "--dir", "."]));
    project.put("web/tests/more.nu", "use std/assert\nexport def test_wrong [] {\n    assert equal 1 2\n}\n");
    project.put("web/nulib/create.nu", "export def install [config: record = {}, --check, --wait, --version: string]: nothing -> record { { check_mode: true } }\n");
    let tested = with_nu(&project, &nu, &["ext", "test", "web"]);
    assert_eq!(tested.status.code(), Some(1));
    let answer = json(&tested);
    let failed: Vec<&Value> =
        answer["tests"].as_array().unwrap().iter().filter(|test| test["ok"] == false).collect();
    assert!(failed.iter().any(|test| test["name"] == "test_wrong" && test["line"] == 3), "{answer:#}");
    assert!(
        failed.iter().any(|test| test["file"] == "operations" && test["name"] == "install --check"),
        "{answer:#}"
    );
    let one = json(&with_nu(&project, &nu, &["ext", "test", "web", "--only", "test_wrong"]));
    assert_eq!(one["tests"].as_array().unwrap().len(), 1);
    let none = with_nu(&project, &nu, &["ext", "test", "web", "--only", "test_wrnog"]);
    assert_eq!(none.status.code(), Some(3), "{}", String::from_utf8_lossy(&none.stderr));
}

#[test]
fn nothing_is_overwritten_and_names_are_names() {
    let project = Project::new();
    project.put("extensions/providers/mine/notes", "keep");
    for (words, code) in [
        (["ext", "new", "provider", "mine", "--dir", "../extensions/providers"], 4),
        (["ext", "new", "provider", "../mine", "--dir", "."], 2),
        (["ext", "new", "provider", "$(id)", "--dir", "."], 2),
        (["ext", "new", "provider", "a\nb", "--dir", "."], 2),
        (["ext", "new", "provider", "Mine", "--dir", "."], 2),
        (["ext", "new", "plugin", "mine", "--dir", "."], 2),
    ] {
        project.refused(&words, code);
    }
    assert_eq!(std::fs::read_dir(project.at("extensions/providers/mine")).unwrap().count(), 1);
    assert_eq!(std::fs::read_dir(project.at("workspace")).unwrap().count(), 1);
}
