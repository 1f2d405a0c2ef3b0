//! `drp ext validate` with the real plugins: each rule finds what breaks it, and all of them at once.

use crate::rig::{MY_PROVIDER, folder, manifest, write};
use drp_tests::daemon::binary;
use drp_tests::extensions::Assembled;
use drp_tests::peers;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};
use tempfile::TempDir;

/// A provider with every operation, in Nushell.
const MOD_NU: &str = r#"
export def "provider-info" []: nothing -> record { {name: "my-provider", type: "provider"} }
export def "validate-config" [config: record]: nothing -> record { {valid: true, errors: [], warnings: []} }
export def "test-connection" [config?: record]: nothing -> record { {success: true} }
export def "create-server" [config: record, --check, --wait]: nothing -> record {
  if $check {
    return {action: "create-server", hostname: $config.hostname, check_mode: true, would_create: true, estimated_time: "2-5 minutes"}
  }
  {success: true, server_id: "1", hostname: $config.hostname, status: "running"}
}
export def "delete-server" [server_id: string]: nothing -> nothing { null }
export def "list-servers" []: nothing -> list { [] }
export def "get-server-info" [server_id: string]: nothing -> record { {} }
export def "start-server" [server_id: string]: nothing -> nothing { null }
export def "stop-server" [server_id: string]: nothing -> nothing { null }
export def "reboot-server" [server_id: string]: nothing -> nothing { null }
export def "get-pricing" []: nothing -> list { [] }
export def "get-plans" []: nothing -> list { [] }
export def "get-zones" []: nothing -> list { [] }
export def "get-ssh-access" [server_id: string]: nothing -> record { {} }
export def "configure-firewall" [server_id: string, rules: list]: nothing -> nothing { null }
"#;

const SETTINGS_NCL: &str = r#"let p = import "drp/provider.ncl" in
{
  ProviderSettings = {
    auth | doc "Credentials." | p.Authentication,
    api | doc "The service." | p.Api,
  },
}
"#;

const SETTINGS: &str = "[auth]\napi_key = \"k\"\n[api]\nbase_url = \"https://api.example.com\"\n";
const CONFIG: &str = "hostname = \"web-1\"\nplan = \"small\"\nzone = \"a\"\n";

/// The provider of the reference, whole.
fn my_provider() -> TempDir {
    folder(&[
        ("metadata.toml", MY_PROVIDER),
        ("manifest.toml", "name = \"my_provider_prov\"\nversion = \"1.0.0\"\n"),
        ("schemas/settings.ncl", SETTINGS_NCL),
        (
            "schemas/main.ncl",
            "{ defaults = { os = \"ubuntu-22.04\" }, Config = { a | Number }, twice = fun x => 2 * x }\n",
        ),
        ("nulib/mod.nu", MOD_NU),
        ("examples/settings.toml", SETTINGS),
        ("examples/config.toml", CONFIG),
        ("README.md", "x"),
        ("API.md", "x"),
        ("EXAMPLES.md", "x"),
        ("CHANGELOG.md", "x"),
    ])
}

fn drp(at: &Path, arguments: &[&str]) -> Output {
    let nu = peers::nu();
    let nu = nu.as_ref().and_then(|nu| nu.parent()).map(|dir| dir.display().to_string()).unwrap_or_default();
    Command::new(binary("drp"))
        .args(["ext", "validate"])
        .arg(at)
        .args(arguments)
        .env_clear()
        .env("PATH", format!("{nu}:/usr/bin:/bin"))
        .env("HOME", std::env::temp_dir())
        .env("XDG_CACHE_HOME", std::env::temp_dir().join("drp-tests-contracts"))
        .output()
        .unwrap()
}

fn answer(at: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = drp(at, &[&["--format", "json"], arguments].concat());
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().unwrap(), value)
}

/// `RULE PATH:LINE MESSAGE` of all problems of a kind.
fn told(answer: &Value, kind: &str) -> Vec<String> {
    let line = |one: &Value| one["line"].as_u64().map(|n| format!(":{n}")).unwrap_or_default();
    let problems = answer[kind].as_array().unwrap().iter();
    problems
        .map(|p| {
            let fields: Vec<&str> = p.as_object().unwrap().keys().map(String::as_str).collect();
            assert_eq!(fields.len(), 5, "{fields:?}");
            format!(
                "{} {}{} {}",
                p["rule"].as_str().unwrap(),
                p["path"].as_str().unwrap(),
                line(p),
                p["message"].as_str().unwrap()
            )
        })
        .collect()
}

#[test]
fn the_provider_of_the_reference_is_valid() {
    if peers::nu().is_none() {
        return;
    }
    let at = my_provider();
    let (code, answer) = answer(at.path(), &["--type", "provider"]);
    assert_eq!((code, &answer["valid"]), (0, &Value::Bool(true)), "{answer:#}");
    assert!(told(&answer, "warnings").is_empty(), "{answer:#}");
    let eyes = drp(at.path(), &["--format", "table"]);
    let text = String::from_utf8_lossy(&eyes.stdout).into_owned();
    assert!(text.ends_with(": valid, 0 errors, 0 warnings\n"), "{text}");
    let yaml = drp(at.path(), &["--format", "yaml"]);
    assert!(String::from_utf8_lossy(&yaml.stdout).contains("valid: true"));
}

#[test]
fn every_rule_tells_what_breaks_it_and_all_do_at_once() {
    if peers::nu().is_none() {
        return;
    }
    let at = my_provider();
    let toml = MY_PROVIDER.replace(">=2.0.0", ">=4.0.0").replace(">=0.107.0", ">=99.0.0")
        + "[dependencies]\netcd = \"^1.0.0\"\n";
    write(at.path(), "metadata.toml", toml.as_bytes());
    let nu = MOD_NU
        .replace("export def \"list-servers\"", "def \"list-servers\"")
        .replace("\"start-server\" [server_id: string]", "\"start-server\" [id: string]")
        .replace("check_mode: true", "check_mode: false");
    write(at.path(), "nulib/mod.nu", nu.as_bytes());
    std::os::unix::fs::symlink("nothing", at.path().join("dangling")).unwrap();
    std::fs::remove_file(at.path().join("API.md")).unwrap();
    let (code, first) = answer(at.path(), &["--type", "cluster"]);
    assert_eq!((code, &first["valid"]), (1, &Value::Bool(false)));
    let errors = told(&first, "errors");
    let expected = [
        "structure dangling it is a link to \"nothing\", which is not there",
        "structure metadata.toml:3 it is a provider, and a cluster was asked for",
        "dependencies metadata.toml:33 etcd ^1.0.0, which it depends on, is not there",
        "versions metadata.toml:10 it wants provisioning_version >=4.0.0, and the extension interface of this drp is 3.0.0",
        "versions metadata.toml:11 it wants nushell_version >=99.0.0, and Nushell is 0.115.1",
    ];
    assert_eq!(errors, expected, "{first:#}");
    // The interface is looked at when there is nothing wrong with the files.
    std::fs::remove_file(at.path().join("dangling")).unwrap();
    let (_, second) = answer(at.path(), &[]);
    let errors: Vec<String> =
        told(&second, "errors").into_iter().filter(|text| text.starts_with("interface")).collect();
    assert!(
        errors[3].starts_with("interface nulib/mod.nu `create-server --check` answers {")
            && errors[3].contains("`check_mode`"),
        "{errors:#?}"
    );
    assert_eq!(
        &errors[..3],
        [
            "interface nulib/mod.nu the operation list-servers is missing",
            "interface nulib/mod.nu the operation start-server does not take server_id",
            "interface nulib/mod.nu the operation start-server cannot do without id, which nobody gives it",
        ]
    );
    assert!(
        second["errors"].to_string().contains("export def \\\\\\\"list-servers\\\\\\\" []")
            || second["errors"].to_string().contains("export def \\\"list-servers\\\" []"),
        "{second:#}"
    );
    assert_eq!(told(&second, "warnings"), ["structure API.md it is not there"]);
}

#[test]
fn schemas_and_examples_are_evaluated() {
    let settings = |text: &str| SETTINGS_NCL.replace("p.Api,", text);
    let cases: Vec<(&str, &str, String, &str)> = vec![
        (
            "syntax",
            "schemas/settings.ncl",
            "{ ProviderSettings = { a | } }".into(),
            "schema schemas/settings.ncl:1",
        ),
        ("unknown name", "schemas/settings.ncl", settings("p.Ape,"), "schema schemas/settings.ncl:5"),
        ("type", "schemas/main.ncl", "{\n  n : Number = \"x\",\n}".into(), "schema schemas/main.ncl:2"),
        ("value", "schemas/main.ncl", "{\n  n | Number = \"x\",\n}".into(), "schema schemas/main.ncl:2"),
        (
            "no settings",
            "schemas/settings.ncl",
            "{ Other = {} }".into(),
            "schema schemas/settings.ncl:1 it holds no contract",
        ),
        (
            "two settings",
            "schemas/settings.ncl",
            "{ ASettings = {}, BSettings = {} }".into(),
            "schema schemas/settings.ncl:1 which of ASettings, BSettings",
        ),
        (
            "outside",
            "schemas/main.ncl",
            "{ a = import \"/etc/hostname\" as 'Text }".into(),
            "schema schemas/main.ncl",
        ),
        (
            "example of settings",
            "examples/settings.toml",
            SETTINGS.replace("https", "ftp"),
            "schema examples/settings.toml:4",
        ),
        (
            "example of config",
            "examples/config.toml",
            CONFIG.replace("web-1", "web_1"),
            "schema examples/config.toml:1",
        ),
        (
            "example of a rule",
            "examples/firewall_rule.json",
            "{\"direction\": \"up\"}".into(),
            "schema examples/firewall_rule.json:1",
        ),
    ];
    let mut wrong = Vec::new();
    for (what, file, text, expected) in cases {
        let at = my_provider();
        write(at.path(), file, text.as_bytes());
        let (code, answer) = answer(at.path(), &[]);
        let errors = told(&answer, "errors");
        if code != 1
            || !errors.iter().any(|error| error.starts_with(expected))
            || errors.iter().any(|e| e.contains("/tmp"))
        {
            wrong.push(format!("{what}: wanted {expected}, got {errors:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_schema_that_loops_is_one_error() {
    let at = my_provider();
    write(at.path(), "schemas/main.ncl", b"{ a = let rec f = fun xs => f (xs @ xs) in f [1] }");
    let (code, answer) = answer(at.path(), &[]);
    let errors = told(&answer, "errors");
    assert_eq!((code, errors.len()), (1, 1), "{errors:#?}");
    assert!(
        errors[0].starts_with("schema schemas/main.ncl ") && errors[0].contains("ended its worker"),
        "{errors:?}"
    );
}

/// A folder `taskservs/` with these extensions: name, version, and the rest of the manifest.
fn neighbours(all: &[(&str, &str, &str)]) -> TempDir {
    let version = r#"{ taskserv_version = { name = "x", version = "1.0.0", source = { repository = "a/b" }, install = { binary_name = "x" } } }"#;
    let at = tempfile::tempdir().unwrap();
    for (name, own, rest) in all {
        let text = manifest(name, "taskserv").replace("1.0.0", own) + rest;
        write(at.path(), &format!("taskservs/{name}/metadata.toml"), text.as_bytes());
        write(at.path(), &format!("taskservs/{name}/schemas/version.ncl"), version.as_bytes());
    }
    at
}

/// Name of the case, the extensions that lie there (the first is validated), and what is wrong.
type Neighbourhood = (&'static str, Vec<(&'static str, &'static str, String)>, Vec<&'static str>);

#[test]
fn dependencies_are_there_without_cycles_and_conflicts() {
    let requires = |what: &str| format!("[dependencies]\n{what}\n");
    let cases: Vec<Neighbourhood> = vec![
        ("there", vec![("a", "1.0.0", requires("b = \"^1.0.0\"")), ("b", "1.2.0", String::new())], vec![]),
        (
            "either spelling",
            vec![("a", "1.0.0", requires("b_c = \"*\"")), ("b-c", "1.2.0", String::new())],
            vec![],
        ),
        (
            "another version",
            vec![("a", "1.0.0", requires("b = \"^2.0.0\"")), ("b", "1.2.0", String::new())],
            vec!["dependencies metadata.toml:7 it depends on b ^2.0.0, and there is 1.2.0 ("],
        ),
        (
            "missing below",
            vec![("a", "1.0.0", requires("b = \"*\"")), ("b", "1.0.0", requires("c = \"*\""))],
            vec!["dependencies metadata.toml:7 c *, which it depends on, is not there (by way of b -> c)"],
        ),
        (
            "a cycle",
            vec![
                ("a", "1.0.0", requires("b = \"*\"")),
                ("b", "1.0.0", requires("c = \"*\"")),
                ("c", "1.0.0", requires("a = \"*\"")),
            ],
            vec![
                "dependencies metadata.toml:7 it depends on itself: a -> b -> c -> a (by way of b -> c -> a)",
            ],
        ),
        (
            "itself",
            vec![("a", "1.0.0", requires("a = \"*\""))],
            vec!["dependencies metadata.toml:7 it depends on itself: a -> a"],
        ),
        (
            "a conflict below",
            vec![
                ("a", "1.0.0", requires("b = \"*\"\nc = \"*\"")),
                ("b", "1.0.0", requires("conflicts.c = \"<2.0.0\"")),
                ("c", "1.5.0", String::new()),
            ],
            vec!["dependencies metadata.toml:6 b 1.0.0 conflicts with c 1.5.0 ("],
        ),
        (
            "its own conflict",
            vec![("a", "1.0.0", requires("b = \"*\"\nconflicts.b = \"*\"")), ("b", "1.0.0", String::new())],
            vec!["dependencies metadata.toml:8 a 1.0.0 conflicts with b 1.0.0 ("],
        ),
        ("optional and absent", vec![("a", "1.0.0", requires("optional.b = \"*\""))], vec![]),
        (
            "optional of another version",
            vec![("a", "1.0.0", requires("optional.b = \"^2.0.0\"")), ("b", "1.0.0", String::new())],
            vec!["dependencies metadata.toml:6 it depends on b ^2.0.0, and there is 1.0.0 ("],
        ),
    ];
    let mut wrong = Vec::new();
    for (what, all, expected) in cases {
        let all: Vec<(&str, &str, &str)> = all.iter().map(|(n, v, r)| (*n, *v, r.as_str())).collect();
        let at = neighbours(&all);
        let (_, answer) = answer(&at.path().join("taskservs/a"), &[]);
        let errors: Vec<String> =
            told(&answer, "errors").into_iter().filter(|text| !text.starts_with("interface")).collect();
        let fits = errors.len() == expected.len()
            && errors.iter().zip(&expected).all(|(e, want)| e.starts_with(want));
        if !fits {
            wrong.push(format!("{what}: wanted {expected:#?}, got {errors:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    // A cluster means the task service of its own name, not itself.
    let at = tempfile::tempdir().unwrap();
    let text = manifest("mesh", "cluster") + &requires("mesh = \"*\"");
    write(at.path(), "clusters/mesh/metadata.toml", text.as_bytes());
    write(
        at.path(),
        "clusters/mesh/schemas/cluster.ncl",
        b"{ cluster = { name = \"mesh\", components = [] } }",
    );
    let (_, said) = answer(&at.path().join("clusters/mesh"), &[]);
    let errors = told(&said, "errors");
    assert!(errors.iter().any(|e| e.contains("mesh *, which it depends on, is not there")), "{errors:#?}");
    // One that lies elsewhere is found with --search.
    let at = neighbours(&[("a", "1.0.0", &requires("far = \"*\""))]);
    let far = neighbours(&[("far", "1.0.0", "")]);
    let own = at.path().join("taskservs/a");
    assert!(told(&answer(&own, &[]).1, "errors").iter().any(|e| e.contains("far *")));
    let search = far.path().to_str().unwrap();
    assert!(!told(&answer(&own, &["--search", search]).1, "errors").iter().any(|e| e.contains("far *")));
}

#[test]
fn hostile_extensions_run_nothing() {
    let canary = std::env::temp_dir().join(format!("drp-validate-{}", std::process::id()));
    let touch = format!("touch {}", canary.display());
    let at = folder(&[
        ("metadata.toml", &manifest(&format!("$({touch})"), "provider")),
        ("plugin/`id`", "#!/bin/sh\n"),
        ("nulib/mod.nu", &format!("^{touch}")),
    ]);
    let (code, first) = answer(at.path(), &[]);
    assert_eq!(code, 1, "{first:#}");
    let missing = drp(Path::new("/nonexistent"), &[]);
    assert_eq!(missing.status.code(), Some(3), "{missing:?}");
    let usage = drp(at.path(), &["--type", "plugin"]);
    assert_eq!(usage.status.code(), Some(2), "{usage:?}");
    assert!(!canary.exists());
}

#[test]
fn shipped_extensions_are_valid() {
    if peers::nu().is_none() {
        return;
    }
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extensions");
    let mut count = 0;
    let valid = |root: &Path| {
        let (code, answer) = answer(root, &["--search", shipped.to_str().unwrap()]);
        assert_eq!(code, 0, "{}: {answer:#}", root.display());
    };
    for folder in ["examples", "providers", "taskservs", "clusters"] {
        for entry in std::fs::read_dir(shipped.join(folder)).unwrap().map(|entry| entry.unwrap().path()) {
            // One with a program of its own is looked at as it is installed.
            if entry.join("metadata.toml").is_file() && !entry.join("plugin-src").is_dir() {
                valid(&entry);
                count += 1;
            }
        }
    }
    assert!(count >= 9, "{count}");
    let assembled = Assembled::new(&["providers/local"]);
    valid(&assembled.path("providers/local"));
}
