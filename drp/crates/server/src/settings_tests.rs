//! Settings from all their sources. Each test runs in a process environment of its own (figment's jail).

use super::*;

fn overrides() -> Overrides {
    Overrides::default()
}

fn origin(loaded: &Loaded, name: &str) -> (String, String) {
    let origin = loaded.origins.iter().find(|o| o.name == name).unwrap();
    (origin.value.clone(), origin.origin.clone())
}

#[test]
#[allow(clippy::result_large_err)]
fn sources_lie_over_each_other() {
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file(
            "drp.toml",
            "api-port = 1111\nstatic-port = 2222\nlog-level = \"warn\"\nbackend = \"memory:///\"",
        )?;
        jail.set_env("RS_API_PORT", "3333");
        jail.set_env("DRP_STATIC_PORT", "4444");
        jail.set_env("RS_STATIC_PORT", "5555");
        jail.set_env("RS_TOKEN", "not a setting");
        let file = jail.directory().join("drp.toml");
        let loaded =
            Settings::load(&overrides().settings_file(Some(file.clone())).set("log-level", "debug")).unwrap();
        let settings = &loaded.settings;
        assert_eq!((settings.api_port, settings.static_port), (3333, 4444));
        assert_eq!((settings.log_level.as_str(), &settings.backend), ("debug", &Backend::Memory));
        assert_eq!(origin(&loaded, "api-port"), ("3333".into(), "environment RS_API_PORT".into()));
        assert_eq!(origin(&loaded, "static-port"), ("4444".into(), "environment DRP_STATIC_PORT".into()));
        assert_eq!(origin(&loaded, "log-level"), ("debug".into(), "flag --log-level".into()));
        assert_eq!(origin(&loaded, "bind"), ("0.0.0.0".into(), "default".into()));
        let (value, from) = origin(&loaded, "backend");
        assert_eq!(value, "memory:///");
        assert!(from.starts_with("file ") && from.ends_with("drp.toml"), "{from}");
        assert_eq!(loaded.origins.len(), KEYS.len());
        Ok(())
    });
}

#[test]
#[allow(clippy::result_large_err)]
fn everything_that_is_wrong_is_said_at_once() {
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        jail.create_file("drp.toml", "api-port = \"many\"\napi_prot = 1\nbind = [1]")?;
        jail.set_env("DRP_STATIC_PORT", "70000");
        let bad = overrides()
            .settings_file(Some(jail.directory().join("drp.toml")))
            .set("static-ip", "elsewhere")
            .set("tls-cert", "/c.pem")
            .set("log-format", "xml")
            .set("backend", "etcd://x")
            .set("nonsense", "1");
        let text = Settings::load(&bad).unwrap_err().to_string();
        for says in [
            "api-port (file ",
            "\"many\" is not a port",
            "no setting is called \"api_prot\"",
            "bind (file",
            "static-port (environment DRP_STATIC_PORT): \"70000\"",
            "static-ip (flag --static-ip): \"elsewhere\" is not an IP address",
            "tls-key: missing",
            "log-format: \"xml\"",
            "backend (flag --backend): \"etcd://x\"",
            "--nonsense: no such setting",
        ] {
            assert!(text.contains(says), "{says:?} is not in {text}");
        }
        Ok(())
    });
}

#[test]
#[allow(clippy::result_large_err)]
fn a_named_file_must_exist_and_parse() {
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        let absent = overrides().settings_file(Some("absent.toml".into()));
        assert!(Settings::load(&absent).unwrap_err().to_string().contains("absent.toml: not found"));
        jail.create_file("broken.toml", "api-port = = 1")?;
        let broken = overrides().settings_file(Some(jail.directory().join("broken.toml")));
        assert!(Settings::load(&broken).unwrap_err().to_string().contains("broken.toml"));
        Ok(())
    });
}

#[test]
#[allow(clippy::result_large_err)]
fn paths_follow_the_base_root() {
    figment::Jail::expect_with(|jail| {
        jail.clear_env();
        let settings = Settings::load(&overrides().set("base-root", "/b")).unwrap().settings;
        assert_eq!(settings.plugin_root, Path::new("/b/plugins"));
        assert_eq!(settings.socket, Path::new("/b/drp.sock"));
        assert_eq!(settings.backend, Backend::File("/b/drp.db".into()));
        let relative = Settings::load(&overrides().set("base-root", "here")).unwrap().settings;
        assert!(relative.base_root.is_absolute());
        Ok(())
    });
}

#[test]
fn the_bounds_in_the_documentation_are_those_of_the_code() {
    let page = include_str!("../../../../docs/reference/api.md");
    for line in [
        format!("| JSON body | {} MiB", crate::http::JSON_LIMIT >> 20),
        format!("port {API_PORT}"),
        "8,192 (`--event-queue`)".to_owned(),
    ] {
        assert!(page.contains(&line), "{line:?} is not in docs/reference/api.md");
    }
    assert_eq!(EVENT_QUEUE, 8_192);
}

#[test]
fn a_log_level_that_is_none_would_silence_everything() {
    let load = |text: &str| Settings::load(&overrides().set("log-level", text));
    for good in
        ["info", "WARN", "off", "info,drp_server=debug", "drp_host=trace, warn", "[span{name=x}]=debug"]
    {
        assert!(load(good).is_ok(), "{good}");
    }
    for bad in ["loud", "warning", "inof", "info,loud", "drp_server=loud"] {
        let text = load(bad).unwrap_err().to_string();
        assert!(
            text.contains("log-level (flag --log-level)") && text.contains("trace, debug, info"),
            "{text}"
        );
    }
}
