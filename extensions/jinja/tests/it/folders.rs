use drp_jinja::{Limits, TemplateError, Templates};
use serde_json::json;
use std::fs;
use std::os::unix::fs::symlink;

fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join("templates").join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    dir
}

#[test]
fn templates_include_import_and_extend_each_other() {
    let dir = folder(&[
        ("base.j2", "[{% block body %}{% endblock %}]\n"),
        (
            "scripts/a.j2",
            "{% extends 'base.j2' %}{% from 'lib/macros.j2' import line %}{% block body %}{{ line(name) }}{% include 'end.j2' %}{% endblock %}",
        ),
        ("lib/macros.j2", "{% macro line(x) %}echo {{ x | sh }}{% endmacro %}"),
        ("end.j2", "!"),
    ]);
    symlink("end.j2", dir.path().join("templates/link.j2")).unwrap();
    let templates = Templates::of_folder(&dir.path().join("templates")).unwrap();
    assert_eq!(templates.render("scripts/a.j2", &json!({"name": "a b"})).unwrap(), "[echo 'a b'!]\n");
    assert_eq!(templates.render("link.j2", &json!({})).unwrap(), "!");
    templates.check("base.j2").unwrap();
}

#[test]
fn an_error_is_told_of_the_template_it_is_in() {
    let dir = folder(&[
        ("a.j2", "x\n{% include 'b.j2' %}"),
        ("b.j2", "\n\n{{ nope }}"),
        ("c.j2", "{% include 'bb.j2' %}"),
    ]);
    let templates = Templates::of_folder(&dir.path().join("templates")).unwrap();
    let error = templates.render("a.j2", &json!({})).unwrap_err();
    assert_eq!(error.to_string(), "template b.j2, line 3, column 4: `nope` is undefined");
    let error = templates.render("c.j2", &json!({})).unwrap_err();
    let TemplateError::NotFound { name, near, wanted_by } = &error else { panic!("{error:?}") };
    assert_eq!((name.as_str(), near.contains(&"b.j2".to_owned())), ("bb.j2", true));
    assert_eq!(wanted_by.as_ref().unwrap().to_string(), "template c.j2, line 1, column 4");
}

#[test]
fn nothing_outside_is_read() {
    let dir = folder(&[("a.j2", "{% include name %}"), ("b.j2", "{% include name ignore missing %}")]);
    let secret = dir.path().join("secret");
    fs::write(&secret, "canary").unwrap();
    symlink(&secret, dir.path().join("templates/link")).unwrap();
    symlink(dir.path(), dir.path().join("templates/up")).unwrap();
    let templates = Templates::of_folder(&dir.path().join("templates")).unwrap();
    let absolute = secret.to_str().unwrap();
    for name in ["../secret", "x/../../secret", absolute, "link", "up/secret", "a\0b", "", "..\\secret", "."]
    {
        for error in [
            templates.render(name, &json!({})).unwrap_err(),
            templates.render("a.j2", &json!({"name": name})).unwrap_err(),
        ] {
            let refused = matches!(error, TemplateError::Refused { .. } | TemplateError::Unreadable { .. });
            assert!(refused, "{name:?}: {error:?}");
            assert!(!format!("{error:?}").contains("canary"));
        }
        // What is refused is not just missing.
        assert!(templates.render("b.j2", &json!({"name": name})).is_err(), "{name:?}");
    }
    assert_eq!(templates.render("b.j2", &json!({"name": "not-there"})).unwrap(), "");
}

#[test]
fn odd_files_are_errors() {
    let dir = folder(&[("long.j2", &"x".repeat(2000))]);
    let root = dir.path().join("templates");
    fs::write(root.join("latin1.j2"), b"a\nb\xe9").unwrap();
    fs::create_dir(root.join("dir.j2")).unwrap();
    let made = std::process::Command::new("mkfifo").arg(root.join("pipe.j2")).status().unwrap();
    assert!(made.success());
    let templates =
        Templates::of_folder_within(&root, Limits { template: 1000, ..Limits::default() }).unwrap();
    let told = |name: &str| templates.render(name, &json!({})).unwrap_err().to_string();
    assert_eq!(told("long.j2"), "template long.j2 is 2000 bytes long, and 1000 are the most");
    assert_eq!(told("latin1.j2"), "template latin1.j2 cannot be read: line 2 is not UTF-8");
    assert_eq!(told("dir.j2"), "template dir.j2 cannot be read: it is no file");
    assert_eq!(told("pipe.j2"), "template pipe.j2 cannot be read: it is no file");
    assert!(Templates::of_folder(&root.join("none")).is_err());
    assert!(Templates::of_folder(&root.join("long.j2")).is_err());
}
