//! Manifests: good ones become values, bad and hostile ones are refused with all that is wrong, and where.

use crate::rig::{MY_PROVIDER, evaluator, folder, manifest, write};
use drp_extensions::manifest::{EXTENSION_YAML, METADATA_TOML};
use drp_extensions::{Extension, ExtensionError, Manifest, Problem};
use drp_protocol::ExtensionType;
use serde_json::json;
use std::os::unix::ffi::OsStrExt;

const YAML: &str = "extension:
  name: my-extension
  version: 1.0.0
  type: taskserv
  description: My awesome extension
  author: Your Name <you@example.com>
  requires:
    - docker
    - kubernetes >=1.28.0, <2.0.0
  dependencies:
    - containerd
  metadata:
    homepage: https://example.com
    license: MIT
";

#[tokio::test]
async fn the_manifests_of_the_reference_are_read() {
    let evaluator = evaluator();
    let manifest = Manifest::parse(MY_PROVIDER, &evaluator).await.unwrap();
    assert_eq!(manifest.extension.r#type, ExtensionType::Provider);
    assert_eq!(manifest.extension.name.nickel_name(), "my_provider");
    assert_eq!(manifest.compatibility.nushell_version.to_string(), ">=0.107.0");
    assert_eq!(manifest.authentication.methods, ["api_key", "certificate"]);
    assert_eq!(manifest.regions.default.as_deref(), Some("us-east-1"));
    assert!(manifest.capabilities["backup"] && manifest.permissions.network.is_empty());

    let yaml = Manifest::parse_yaml(YAML, &evaluator).await.unwrap();
    assert_eq!(yaml.extension.license, "MIT");
    assert_eq!(
        json!(yaml.dependencies.requires),
        json!({"containerd": "*", "docker": "*", "kubernetes": ">=1.28.0, <2.0.0"})
    );
}

#[tokio::test]
async fn dependencies_are_written_both_ways() {
    let text = manifest("web", "taskserv")
        + "[dependencies]\ncontainerd = \"^1.7.0\"\nrequires.etcd = \"1.2.0-1.5.0\"\n[dependencies.optional]\ncilium = \"latest\"\n[dependencies.conflicts]\ndocker = \"*\"\n";
    let manifest = Manifest::parse(&text, &evaluator()).await.unwrap();
    assert_eq!(
        json!(manifest.dependencies),
        json!({"requires": {"containerd": "^1.7.0", "etcd": "1.2.0-1.5.0"}, "optional": {"cilium": "latest"}, "conflicts": {"docker": "*"}})
    );
    let again: Manifest = serde_json::from_value(json!(manifest)).unwrap();
    assert_eq!(again, manifest, "what is written as JSON is read again");
}

/// Lines and parts of the messages, in order.
fn told(problems: &[Problem]) -> Vec<String> {
    problems.iter().map(|p| format!("{}:{} {}", p.path, p.line.unwrap_or(0), p.message)).collect()
}

async fn refused(files: &[(&str, &str)]) -> Vec<Problem> {
    let folder = folder(files);
    match Extension::open(folder.path(), &evaluator()).await {
        Err(ExtensionError::Invalid { problems, .. }) => {
            for problem in &problems {
                let text = problem.to_string();
                assert!(!text.contains('\n') && !text.contains(folder.path().to_str().unwrap()), "{text}");
            }
            problems
        }
        other => panic!("{other:?}"),
    }
}

/// Name of the case, text, expected lines with parts of what is said.
type Case = (&'static str, String, &'static [(usize, &'static str)]);

#[tokio::test]
async fn bad_and_hostile_manifests_are_refused_with_every_line() {
    let good = manifest("web", "taskserv");
    let with = |from: &str, to: &str| good.replace(from, to);
    let cases: Vec<Case> = vec![
        ("empty", String::new(), &[(1, "missing definition for `extension`")]),
        ("no TOML", "[extension\nname=".into(), &[(1, "")]),
        ("HTML", "<html>404 not found</html>".into(), &[(1, "")]),
        ("name twice", good.clone() + "name = \"other\"\n", &[(6, "duplicate")]),
        ("upper case", with("web", "Web"), &[(2, "`name`")]),
        ("up", with("web", "../../etc/cron.d/x"), &[(2, "`name`")]),
        ("absolute", with("web", "/etc/passwd"), &[(2, "`name`")]),
        ("command", with("web", "$(touch /tmp/drp-hostile)"), &[(2, "`name`")]),
        ("backtick", with("web", "`id`"), &[(2, "`name`")]),
        ("quotes", with("web", "a'b\\\"c"), &[(2, "`name`")]),
        ("newline", with("web", "a\\nb"), &[(2, "`name`")]),
        ("NUL", with("web", "a\\u0000b"), &[(2, "`name`")]),
        ("Nickel", with("web", "%{1}"), &[(2, "`name`")]),
        ("letters of others", with("web", "wéb"), &[(2, "`name`")]),
        ("long", with("web", &"a".repeat(100)), &[(2, "at most 64")]),
        ("huge", with("web", &"a".repeat(100_000)), &[(2, "at most 64")]),
        ("type", with("taskserv", "plugin"), &[(3, "`type`")]),
        ("number as name", with("\"web\"", "7"), &[(2, "`name`")]),
        ("list as name", with("\"web\"", "[\"web\"]"), &[(2, "`name`")]),
        ("version", with("1.0.0", "1.0"), &[(4, "`version`")]),
        ("large version", with("1.0.0", "99999999999999999999.0.0"), &[(4, "is no version")]),
        ("empty description", with("One.", ""), &[(5, "`description`")]),
        ("misspelt field", good.clone() + "licence = \"MIT\"\n", &[(6, "licence")]),
        ("misspelt table", good.clone() + "\n[permission]\nread = [\"/\"]\n", &[(7, "permission")]),
        ("path", good.clone() + "[permissions]\nread = [\"/etc/../root\"]\n", &[(7, "")]),
        ("URL with a password", good.clone() + "[support]\nissues = \"https://u:p@x.y\"\n", &[(7, "`issues`")]),
        ("script as URL", good.clone() + "[support]\nissues = \"javascript:alert(1)\"\n", &[(7, "`issues`")]),
        (
            "range turned round",
            good.clone() + "[compatibility]\nnushell_version = \"1.5.0-1.2.0\"\n",
            &[(7, "1.5.0 is higher than 1.2.0")],
        ),
        ("range", good.clone() + "[compatibility]\nnushell_version = \"new\"\n", &[(7, "`nushell_version`")]),
        ("dependency's name", good.clone() + "[dependencies]\n\"../x\" = \"*\"\n", &[(7, "dependency has the name")]),
        ("dependency's range", good.clone() + "[dependencies]\netcd = \"$(x)\"\n", &[(7, "etcd")]),
        ("dependency without range", good.clone() + "[dependencies]\netcd = 3\n", &[(7, "as a text")]),
        ("dependency as table", good.clone() + "[dependencies.recommends]\netcd = \"*\"\n", &[(6, "recommends")]),
        (
            "all at once",
            "[extension]\nname = \"Web\"\ntype = \"plugin\"\nversion = \"one\"\nlicence = 1\n[regions]\ndefault = 4\n[support]\nissues = \"x\"\n".into(),
            &[(1, "`description`"), (2, "`name`"), (3, "`type`"), (4, "`version`"), (5, "licence"), (7, "`default`"), (9, "`issues`")],
        ),
        ("nothing that it needs", "[extension]\n".into(), &[(1, "`name`"), (1, "`type`"), (1, "`version`"), (1, "`description`")]),
        ("deep", format!("{}x = 1", "a.".repeat(2000)), &[(1, "")]),
        ("deep lists", format!("{good}tags = {}{}", "[".repeat(3000), "]".repeat(3000)), &[(0, "")]),
    ];
    let mut wrong = Vec::new();
    for (what, text, expected) in cases {
        let problems = refused(&[(METADATA_TOML, &text), ("plugin/web", "#!/bin/sh\n")]).await;
        let said = told(&problems);
        let fits = |(line, part): &(usize, &str)| {
            problems.iter().any(|p| {
                p.path == METADATA_TOML && (*line == 0 || p.line == Some(*line)) && p.message.contains(part)
            })
        };
        let lines = expected.iter().filter(|(_, part)| !part.is_empty()).count();
        if !expected.iter().all(fits) || (lines > 0 && problems.len() != expected.len()) {
            wrong.push(format!("{what}: wanted {expected:?}\n    got {}", said.join("\n        ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(!std::path::Path::new("/tmp/drp-hostile").exists());
}

#[tokio::test]
async fn the_two_manifests_must_say_the_same() {
    let toml = manifest("my-extension", "taskserv");
    let same = "extension:\n  name: my_extension\n  version: v1.0.0\n  type: taskserv\n  description: One.\n";
    let both = folder(&[(METADATA_TOML, &toml), (EXTENSION_YAML, same), ("plugin/p", "")]);
    Extension::open(both.path(), &evaluator()).await.unwrap();
    let other = "extension:\n  name: your-extension\n  version: 1.0.1\n  type: cluster\n  description: Two.\n  dependencies:\n    etcd: ^1.0.0\n";
    let problems = refused(&[(METADATA_TOML, &toml), (EXTENSION_YAML, other)]).await;
    assert_eq!(
        told(&problems),
        [
            "extension.yaml:2 name is \"your-extension\" here and \"my-extension\" in metadata.toml",
            "extension.yaml:4 type is \"cluster\" here and \"taskserv\" in metadata.toml",
            "extension.yaml:3 version is \"1.0.1\" here and \"1.0.0\" in metadata.toml",
            "extension.yaml:5 description is \"Two.\" here and \"One.\" in metadata.toml",
            "extension.yaml:6 dependencies is \"etcd ^1.0.0\" here and \"\" in metadata.toml",
        ]
    );
    let alone = folder(&[(EXTENSION_YAML, YAML), ("plugin/p", "")]);
    let extension = Extension::open(alone.path(), &evaluator()).await.unwrap();
    assert_eq!(extension.plugin(), "my-extension-taskserv");
    let problems =
        refused(&[(EXTENSION_YAML, &YAML.replace("type: taskserv", "type: [x]").replace("1.0.0", "x"))])
            .await;
    assert_eq!(problems.iter().map(|p| p.line).collect::<Vec<_>>().len(), 2, "{:?}", told(&problems));
}

/// Name of the case, the path that is blamed, and what is done to a good folder.
type Spoilt = (&'static str, &'static str, Box<dyn Fn(&std::path::Path)>);

#[tokio::test]
async fn folders_are_not_trusted() {
    let good = manifest("web", "taskserv");
    let outside = folder(&[("secret", "canary-4711"), (METADATA_TOML, &good)]);
    let cases: Vec<Spoilt> = vec![
        ("no manifest", ".", Box::new(|root| std::fs::remove_file(root.join(METADATA_TOML)).unwrap())),
        (
            "manifest is a folder",
            ".",
            Box::new(|root| {
                std::fs::remove_file(root.join(METADATA_TOML)).unwrap();
                std::fs::create_dir(root.join(METADATA_TOML)).unwrap();
            }),
        ),
        (
            "manifest is a link out",
            METADATA_TOML,
            Box::new({
                let target = outside.path().join(METADATA_TOML);
                move |root| {
                    std::fs::remove_file(root.join(METADATA_TOML)).unwrap();
                    std::os::unix::fs::symlink(&target, root.join(METADATA_TOML)).unwrap();
                }
            }),
        ),
        (
            "manifest is a pipe",
            METADATA_TOML,
            Box::new(|root| {
                std::fs::remove_file(root.join(METADATA_TOML)).unwrap();
                nix::unistd::mkfifo(&root.join(METADATA_TOML), nix::sys::stat::Mode::S_IRWXU).unwrap();
            }),
        ),
        (
            "manifest of no UTF-8",
            METADATA_TOML,
            Box::new(|root| {
                write(root, METADATA_TOML, b"[extension]\nname = \"\xff\xfe\"\n");
            }),
        ),
        (
            "manifest of 100 MB",
            METADATA_TOML,
            Box::new(|root| {
                let file = std::fs::OpenOptions::new().write(true).open(root.join(METADATA_TOML)).unwrap();
                file.set_len(100 << 20).unwrap();
            }),
        ),
        (
            "link out",
            "templates/x",
            Box::new({
                let target = outside.path().join("secret");
                move |root| {
                    std::fs::create_dir(root.join("templates")).unwrap();
                    std::os::unix::fs::symlink(&target, root.join("templates/x")).unwrap();
                }
            }),
        ),
        (
            "link up",
            "x",
            Box::new(|root| std::os::unix::fs::symlink("../../../etc/passwd", root.join("x")).unwrap()),
        ),
        ("link to nothing", "x", Box::new(|root| std::os::unix::fs::symlink("y", root.join("x")).unwrap())),
        (
            "socket",
            "s",
            Box::new(|root| drop(std::os::unix::net::UnixListener::bind(root.join("s")).unwrap())),
        ),
        (
            "name of no UTF-8",
            "a\\u{fffd}b",
            Box::new(|root| {
                std::fs::write(root.join(std::ffi::OsStr::from_bytes(b"a\xffb")), "").unwrap();
            }),
        ),
        ("name with a newline", "a\\nb", Box::new(|root| std::fs::write(root.join("a\nb"), "").unwrap())),
        ("a deep tree", "", Box::new(|root| std::fs::create_dir_all(root.join("d/".repeat(40))).unwrap())),
        (
            "a sparse terabyte",
            ".",
            Box::new(|root| {
                std::fs::File::create(root.join("big")).unwrap().set_len(1 << 40).unwrap();
                std::fs::write(root.join("other"), "").unwrap();
            }),
        ),
    ];
    for (what, path, make) in cases {
        let folder = folder(&[(METADATA_TOML, &good), ("plugin/web", "#!/bin/sh\n")]);
        make(folder.path());
        let error = Extension::open(folder.path(), &evaluator()).await.expect_err(what);
        let problems = error.problems();
        assert!(problems.iter().any(|p| path.is_empty() || p.path == path), "{what}: {error:?}");
        assert!(problems.iter().all(|p| !p.hint.is_empty()), "{what}: {error:?}");
        assert!(!error.to_string().contains("canary"), "{what}: {error}");
    }
    let missing = Extension::open(std::path::Path::new("/nonexistent"), &evaluator()).await.unwrap_err();
    assert!(missing.to_string().contains("/nonexistent"), "{missing}");
}

#[tokio::test]
async fn an_extension_becomes_a_record() {
    let settings = r#"
        let t = import "drp/types.ncl" in
        let p = import "drp/provider.ncl" in
        let Token = { id | String, value | t.Secret } in
        {
          Features = { fast | Bool | default = true },
          ProviderSettings = {
            auth | doc "Who we are." | p.Authentication,
            api | p.Api,
            login | Token | optional,
            region | doc "Where." | t.OneOf ["a", "b"] | default = "a",
            features | Features | default = {},
          },
        }"#;
    let text = MY_PROVIDER.to_owned() + "[dependencies]\netcd = \"^1.0.0\"\n";
    let folder = folder(&[(METADATA_TOML, &text), ("schemas/settings.ncl", settings), ("nulib/mod.nu", "")]);
    let evaluator = evaluator();
    let extension = Extension::open(folder.path(), &evaluator).await.unwrap();
    let record = extension.hosted(&evaluator).await.unwrap();
    assert_eq!(record.plugin(), "my-provider-provider");
    assert_eq!((record.requires["etcd"].as_str(), record.nushell.as_deref()), ("^1.0.0", Some(">=0.107.0")));
    assert_eq!(record.digest.len(), 64);
    let told: Vec<_> = record.settings.iter().map(|s| (s.name.as_str(), s.required, s.secure)).collect();
    assert_eq!(
        told,
        [
            ("auth", true, true),
            ("api", true, false),
            ("login", false, true),
            ("region", false, false),
            ("features", false, false)
        ]
    );
    let region = record.settings.iter().find(|s| s.name == "region").unwrap();
    assert_eq!((region.default.clone(), region.doc.as_str()), (Some(json!("a")), "Where."));
    assert_eq!(region.schema, json!({"enum": ["a", "b"], "description": "Where."}));
    let api = record.settings.iter().find(|s| s.name == "api").unwrap();
    assert_eq!(api.schema["required"], json!(["base_url"]));

    let given = json!({"auth": {"api_key": "canary-4711"}, "api": {"base_url": "https://x.y"}});
    let filled = extension.check_settings(given.as_object().unwrap(), &evaluator).await.unwrap();
    assert_eq!((filled["region"].clone(), filled["api"]["timeout"].clone()), (json!("a"), json!(30)));
    let bad = json!({"auth": {"api_key": "canary-4711"}, "api": {"base_url": "ftp://x"}});
    let error = extension.check_settings(bad.as_object().unwrap(), &evaluator).await.unwrap_err();
    let problem = &error.problems()[0];
    assert!(problem.path == "settings" && problem.message.contains("base_url"), "{problem:?}");
    assert!(problem.message.contains("(contract drp/provider.ncl:"), "{problem}");
    assert!(!format!("{error:?}").contains("canary"), "{error:?}");
}

#[tokio::test]
async fn clusters_and_task_services_bring_their_definition() {
    let cluster = r#"
        let c = import "drp/cluster.ncl" in
        { Own = c.ClusterConfig,
          buildkit_cluster | c.ClusterConfig = { name = "buildkit", components = [{ name = "a", type = "taskserv" }] } }"#;
    let evaluator = evaluator();
    let text = manifest("buildkit", "cluster");
    let at = folder(&[(METADATA_TOML, &text), ("schemas/cluster.ncl", cluster)]);
    let record = Extension::open(at.path(), &evaluator).await.unwrap().hosted(&evaluator).await.unwrap();
    assert_eq!(record.cluster.unwrap()["network"]["dns_domain"], "cluster.local");
    let bad = cluster.replace("\"taskserv\"", "\"thing\"");
    let at = folder(&[(METADATA_TOML, &text), ("schemas/cluster.ncl", &bad)]);
    let error = Extension::open(at.path(), &evaluator).await.unwrap().hosted(&evaluator).await.unwrap_err();
    let problem = &error.problems()[0];
    assert_eq!((problem.path.as_str(), problem.line), ("schemas/cluster.ncl", Some(4)), "{problem:?}");

    let version = r#"{ taskserv_version = { name = "web", version = "1.2.3", source = { repository = "a/b" }, install = { binary_name = "web" } } }"#;
    let at = folder(&[(METADATA_TOML, &manifest("web", "taskserv")), ("schemas/version.ncl", version)]);
    let record = Extension::open(at.path(), &evaluator).await.unwrap().hosted(&evaluator).await.unwrap();
    assert_eq!(record.taskserv.unwrap()["service"]["type"], "systemd");
}

/// The seeds of the fuzz target through the contracts too, with letters changed, lost and doubled.
#[tokio::test]
async fn neighbours_of_manifests_are_read_or_refused_with_a_line() {
    let evaluator = evaluator();
    let seeds = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/manifest");
    let mut read = 0;
    let mut refused = 0;
    for entry in std::fs::read_dir(seeds).unwrap() {
        let path = entry.unwrap().path();
        let seed = std::fs::read_to_string(&path).unwrap();
        let letters: Vec<char> = seed.chars().collect();
        let yaml = path.extension().is_some_and(|end| end == "yaml");
        let mut texts = vec![seed.clone()];
        for at in (0..letters.len()).step_by(1 + letters.len() / 6) {
            let mut changed = letters.clone();
            changed[at] = ['\'', '"', '\n', '{', '%', '\0'][at % 6];
            let mut lost = letters.clone();
            lost.remove(at);
            let mut doubled = letters.clone();
            doubled.insert(at, letters[at]);
            texts.extend([changed, lost, doubled].map(|letters| letters.into_iter().collect()));
        }
        for text in texts {
            let result = match yaml {
                true => Manifest::parse_yaml(&text, &evaluator).await,
                false => Manifest::parse(&text, &evaluator).await,
            };
            match result {
                Ok(manifest) => {
                    read += 1;
                    let again: Manifest = serde_json::from_value(json!(manifest)).unwrap();
                    assert_eq!(again, manifest);
                }
                Err(ExtensionError::Invalid { problems, .. }) => {
                    refused += 1;
                    let lines = text.lines().count().max(1);
                    let placed = |p: &Problem| p.line.is_some_and(|line| line >= 1 && line <= lines);
                    assert!(!problems.is_empty() && problems.iter().all(placed), "{text}\n{problems:#?}");
                }
                Err(other) => panic!("{text}\n{other}"),
            }
        }
    }
    assert!(read > 10 && refused > 50, "{read} {refused}");
}
