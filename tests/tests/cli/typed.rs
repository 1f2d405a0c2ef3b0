//! `drp server`, `drp taskserv` and `drp cluster` against plugins that offer the operations of extensions.

use crate::run::Drp;
use drp_tests::daemon::{Daemon, binary};
use serde_json::{Value, json};

/// A daemon with these extensions, and as many more plugin objects.
fn daemon(plugins: &[&str]) -> Daemon {
    let builder = plugins
        .iter()
        .fold(Daemon::builder(), |builder, name| builder.plugin_file(name, binary("drp-test-extension")));
    let daemon = builder.start();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    plugins.iter().for_each(|name| drop(runtime.block_on(daemon.wait_plugin(name))));
    daemon
}

fn drp(daemon: &Daemon, line: &str) -> Drp {
    Drp::on(daemon, line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
}

#[test]
fn a_server_from_creation_to_deletion() {
    let daemon = daemon(&["my-provider-provider"]);
    let drp = |line: &str| drp(&daemon, line);
    // Records are printed as they came.
    let checked = drp("server create web-1 --plan small --zone z1 --check").json();
    assert_eq!(checked["check_mode"], true);
    assert_eq!(
        checked["received"],
        json!({"check": true, "config": {"hostname": "web-1", "plan": "small", "zone": "z1"}})
    );
    assert_eq!(drp("server list --provider my-provider").json(), json!([]), "nothing was created");
    let made = drp("server create web-1 --plan small --zone z1 --wait").json();
    assert_eq!((&made["status"], &made["received"]["wait"]), (&json!("running"), &json!(true)));
    let id = made["server_id"].as_str().unwrap().to_owned();
    drp("server create web-2 --plan small").ok();

    let listed = drp("server list --provider my_provider").json();
    assert_eq!(listed[0]["hostname"], "web-1");
    let table = drp("server list --provider my-provider --format table").ok();
    assert!(table.out.contains("HOSTNAME") && table.out.contains("web-2"), "{table:#?}");
    let all = drp("server list").json();
    assert_eq!(
        (&all[0]["provider"], &all[0]["plugin"]),
        (&json!("my-provider"), &json!("my-provider-provider"))
    );

    // By id and by name.
    assert_eq!(drp(&format!("server info {id}")).json()["hostname"], "web-1");
    assert_eq!(drp("server info web-2").json()["status"], "creating");
    assert_eq!(drp("server stop web-1").json(), Value::Null);
    assert_eq!(drp("server info web-1").json()["status"], "stopped");
    drp("server start web-1").ok();
    drp("server reboot web-1").ok();
    assert_eq!(drp("server info web-1").json()["status"], "running");
    let planned = drp("server delete web-1 --check").json();
    assert_eq!(
        (&planned["action"], &planned["plugin"], &planned["params"]),
        (&json!("delete-server"), &json!("my-provider-provider"), &json!({"server_id": id}))
    );
    assert_eq!(drp("server list").json().as_array().unwrap().len(), 2, "nothing was deleted");
    drp("server delete web-1").ok();
    assert!(drp("server info web-1").fails(1).err.contains("there is no server"));
    for (verb, holds) in [("plans", "1xCPU-1GB"), ("zones", "z1"), ("pricing", "EUR")] {
        assert!(drp(&format!("server {verb}")).ok().out.contains(holds), "{verb}");
        assert!(drp(&format!("server {verb} -F table")).ok().out.contains(holds), "{verb}");
    }
    let dry = drp("server create web-9 --plan small --dry-run").json();
    assert_eq!(dry["Path"], "/api/v3/plugins/my-provider-provider/actions/create-server");
}

#[test]
fn configuration_comes_from_files() {
    let daemon = daemon(&["my-provider-provider"]);
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        std::fs::write(dir.path().join(name), text).unwrap();
        dir.path().join(name).display().to_string()
    };
    let expected = json!({"hostname": "w", "plan": "small", "tags": {"a": "b"}});
    for (name, text) in [
        ("a.toml", "plan = \"small\"\n[tags]\na = \"b\"\n"),
        ("a.yaml", "plan: small\ntags: {a: b}\n"),
        ("a.json", "{\"plan\": \"small\", \"hostname\": \"w\", \"tags\": {\"a\": \"b\"}}"),
    ] {
        let line = format!("server create w --check --config {}", file(name, text));
        assert_eq!(drp(&daemon, &line).json()["received"]["config"], expected, "{name}");
        let piped = drp(&daemon, "server create w --check --config -").input(text);
        assert_eq!(piped.json()["received"]["config"], expected, "{name}");
    }
    let other = file("b.yaml", "hostname: other\n");
    let ran = drp(&daemon, &format!("server create w --config {other}")).fails(2);
    assert!(ran.err.contains("the hostname is w on the command line and \"other\""), "{ran:#?}");
    let nickel = drp(&daemon, &format!("server create w --config {}", file("c.ncl", "{}"))).fails(2);
    assert!(nickel.hints().contains("drp schema export"), "{nickel:#?}");
    drp(&daemon, "server create w --config /nonexistent.yaml").fails(3);
    // What the provider refuses is its failure.
    let ran = drp(&daemon, "taskserv install my-service").fails(3);
    assert!(ran.err.contains("there is no taskserv my-service") && !ran.hints().is_empty(), "{ran:#?}");
}

#[test]
fn which_provider_is_meant_must_be_clear() {
    let daemon = daemon(&["alpha-provider", "beta-provider", "dead-provider"]);
    let ran = drp(&daemon, "server plans").fails(2);
    assert!(ran.err.contains("alpha-provider, beta-provider, dead-provider"), "{ran:#?}");
    assert!(ran.hints().contains("--provider"), "{ran:#?}");
    let ran = drp(&daemon, "server plans --provider alpa").fails(3);
    assert!(ran.hints().contains("`alpha`"), "{ran:#?}");
    drp(&daemon, "server plans --provider alpha").ok();
    // A second account is a second plugin object.
    Drp::on(&daemon, ["plugins", "create", r#"{"Name": "beta-two", "Provider": "beta-provider"}"#]).ok();
    tokio::runtime::Runtime::new().unwrap().block_on(daemon.wait_plugin("beta-two"));
    drp(&daemon, "server create two --plugin beta-two").ok();
    drp(&daemon, "server create one --provider beta").ok();
    drp(&daemon, "server create x --provider alpha --plugin beta-two").fails(2);
    drp(&daemon, "server create x --plugin gamma").fails(3);

    // A dead provider costs its own servers only.
    let ran = drp(&daemon, "server list").fails(7);
    let rows: Value = serde_json::from_str(&ran.out).unwrap();
    let seen: Vec<_> =
        rows.as_array().unwrap().iter().map(|row| (&row["plugin"], &row["hostname"])).collect();
    assert_eq!(seen, [(&json!("beta-provider"), &json!("one")), (&json!("beta-two"), &json!("two"))]);
    assert!(ran.err.contains("dead-provider: ") && ran.err.contains("1 of 4 providers"), "{ran:#?}");
    let ran = drp(&daemon, "server plans --provider dead").fails(1);
    assert!(ran.err.contains("the cloud is out of order"), "{ran:#?}");
}

#[test]
fn without_any_the_way_to_one_is_told() {
    let daemon = Daemon::start();
    for line in ["server list", "server plans", "taskserv status x", "cluster status x"] {
        let ran = drp(&daemon, line).fails(3);
        assert!(ran.hints().contains("drp ext register"), "{line}: {ran:#?}");
    }
}

#[test]
fn task_services_and_clusters() {
    let daemon = daemon(&["buildkit-taskserv", "buildkit-cluster"]);
    let drp = |line: &str| drp(&daemon, line);
    assert_eq!(drp("taskserv install buildkit --check").json()["would_install"], true);
    let made = drp("taskserv install buildkit --version 1.0.0 --wait").json();
    assert_eq!(made["received"], json!({"version": "1.0.0", "wait": true}));
    assert_eq!(drp("taskserv status buildkit").json()["version"], "1.0.0");
    assert_eq!(drp("taskserv versions buildkit").json(), json!(["1.1.0", "1.0.0"]));
    assert_eq!(drp("taskserv check-updates buildkit").json()["update_available"], true);
    assert_eq!(drp("taskserv upgrade buildkit 1.1.0").json()["version"], "1.1.0");
    assert_eq!(drp("taskserv restart buildkit").json(), Value::Null);
    drp("taskserv configure buildkit").fails(2);
    let configured = drp("taskserv configure buildkit --config -").input("{workers: 4}").json();
    assert_eq!(configured["received"], json!({"config": {"workers": 4}}));
    let planned = drp("taskserv uninstall buildkit --force --keep-data --check").json();
    assert_eq!(planned["params"], json!({"force": true, "keep-data": true}));
    assert_eq!(drp("taskserv status buildkit").json()["version"], "1.1.0");
    drp("taskserv uninstall buildkit --force --keep-data").ok();
    assert_eq!(drp("taskserv status buildkit").json()["version"], Value::Null);

    let checked = drp("cluster create buildkit --check").json();
    assert_eq!(checked["action"], "create-cluster");
    assert_eq!(drp("cluster create buildkit --wait").json()["received"], json!({"wait": true}));
    assert_eq!(
        drp("cluster scale buildkit 3 --component containerd").json()["received"],
        json!({"replicas": 3, "component": "containerd"})
    );
    drp("cluster scale buildkit three").fails(2);
    assert_eq!(drp("cluster components buildkit").json()[0]["name"], "containerd");
    assert_eq!(drp("cluster status buildkit --component containerd").json()["name"], "containerd");
    let restarted = drp("cluster restart-component buildkit containerd").json();
    assert_eq!(restarted["received"], json!({"name": "containerd"}));
    // A record that says that it failed is a failure.
    let failed = drp("cluster upgrade buildkit 9.9.9").fails(1);
    assert!(
        failed.err.contains("there is no 9.9.9") && failed.out.contains("\"success\": false"),
        "{failed:#?}"
    );
    assert_eq!(drp("cluster delete buildkit --force").json()["received"], json!({"force": true}));
}

/// Whatever a name holds, it arrives as it is and is nothing else on the way.
#[test]
fn hostile_words_are_only_words() {
    let daemon = daemon(&["my-provider-provider"]);
    let words = [
        "$(touch no)",
        "`touch no`",
        "a'b\"c",
        "../../x",
        "a\nb",
        "--check",
        "{a: 1}",
        "@/etc/passwd",
        "é\u{202e}",
        "%s",
    ];
    for word in words {
        let ran = Drp::on(&daemon, ["server", "create", "--check", "--plan", word, "--", word]);
        // A flag that stands where a value should is refused by the parser.
        if word.starts_with("--") {
            ran.fails(2);
            continue;
        }
        let checked = ran.json();
        assert_eq!(
            (&checked["hostname"], &checked["received"]["config"]["plan"]),
            (&json!(word), &json!(word))
        );
        let info = Drp::on(&daemon, ["server", "info", "--", word]).fails(1);
        assert!(info.err.contains("there is no server"), "{info:#?}");
        Drp::on(&daemon, ["server", "list", "--provider", word]).fails(3);
        Drp::on(&daemon, ["server", "list", "--plugin", word]).fails(3);
    }
    assert!(!std::path::Path::new("no").exists());
}

#[test]
fn ssh_is_called_without_a_shell() {
    let daemon = daemon(&["my-provider-provider"]);
    let dir = tempfile::tempdir().unwrap();
    let ssh = dir.path().join("ssh");
    std::fs::write(&ssh, "#!/bin/sh\nprintf '%s\\n' \"$@\"\nexit 7\n").unwrap();
    std::fs::set_permissions(&ssh, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", dir.path().display());
    drp(&daemon, "server create web").ok();
    assert_eq!(
        drp(&daemon, "server ssh web").json(),
        json!({"host": "127.0.0.1", "port": 22, "user": "nobody"})
    );
    let ran = Drp::on(&daemon, ["server", "ssh", "web", "--exec", "--", "echo", "a b", "$(id)"])
        .env("PATH", &path)
        .fails(7);
    assert_eq!(ran.out, "-p\n22\n-l\nnobody\n--\n127.0.0.1\necho\n'a b'\n'$(id)'\n");
    drp(&daemon, "server ssh web -- echo").fails(2);
    // A provider that would have ssh run something is refused.
    drp(&daemon, "server create evil").ok();
    let ran = Drp::on(&daemon, ["server", "ssh", "evil", "--exec"]).env("PATH", &path).fails(1);
    assert!(ran.out.is_empty() && ran.err.contains("no name of a user"), "{ran:#?}");
}

/// What a plugin publishes while it works is shown to people, and only to them.
#[test]
fn progress_is_shown_on_a_terminal() {
    let daemon = daemon(&["my-provider-provider"]);
    let line = format!("{} server create web-1 --plan small --wait -F json", binary("drp").display());
    // util-linux: runs a line of shell on a terminal of its own.
    let output = std::process::Command::new("script")
        .args(["-qec", &line, "/dev/null"])
        .env_clear()
        .env("PATH", "/usr/bin:/bin")
        .env("DRP_BASE_ROOT", daemon.base())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && shown.contains("  50 %  web-1 boots"), "{shown}");
    let ran = drp(&daemon, "server create web-2 --plan small --wait").ok();
    assert!(ran.err.is_empty(), "{ran:#?}");
}
