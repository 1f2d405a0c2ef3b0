//! Checks that every pack of content must pass: documented, whole, and its scripts clean once they are rendered.

use crate::daemon::Daemon;
use crate::peers::{find_program, skipped};
use drp_protocol::{Bundle, BundleMeta};
use regex::Regex;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// Which sections hold names of objects of which other section.
const REFERENCES: [(&str, &str, &str); 6] = [
    ("workflows", "Stages", "stages"),
    ("stages", "Tasks", "tasks"),
    ("stages", "Profiles", "profiles"),
    ("tasks", "Prerequisites", "tasks"),
    ("stages", "RequiredParams", "params"),
    ("tasks", "RequiredParams", "params"),
];

/// A pack of content, as a plugin brings it or as a directory.
pub struct Pack {
    meta: BundleMeta,
    sections: BTreeMap<String, BTreeMap<String, Value>>,
}

/// One rendered template of a task.
#[derive(Debug, Clone)]
pub struct Script {
    /// The task and its template.
    pub name: String,
    /// Where the agent writes it; empty for what it runs.
    pub path: String,
    /// The text.
    pub text: String,
}

impl Pack {
    /// The pack in a directory.
    pub fn dir(dir: &Path) -> Self {
        Self::of(drp_content::read_dir(dir).unwrap())
    }

    fn of(bundle: Bundle) -> Self {
        let objects =
            |objects: BTreeMap<_, _>| objects.into_iter().map(|(k, o)| (k, Value::Object(o))).collect();
        let sections = bundle.sections.into_iter().map(|(name, all)| (name, objects(all))).collect();
        Self { meta: bundle.meta, sections }
    }

    /// The pack that a plugin of this build brings, code and directory together: what `define` prints.
    pub async fn of_plugin(name: &str) -> Self {
        let provider = drp_plugin_testkit::define(crate::daemon::binary(name)).await.unwrap();
        Self::of(serde_json::from_str(&provider.content).unwrap())
    }

    /// The objects of a section.
    pub fn section(&self, name: &str) -> impl Iterator<Item = (&String, &Value)> {
        self.sections.get(name).into_iter().flatten()
    }

    fn has(&self, section: &str, key: &str) -> bool {
        self.sections.get(section).is_some_and(|objects| objects.contains_key(key))
    }

    /// Every object says what it is; what it names is there, except `foreign` params, tasks and stages, which other packs
    /// bring; nothing secret has a default; no template and no task is left over. Gives all faults at once.
    pub fn check(&self, foreign: &[&str]) {
        let mut faults = Vec::new();
        self.documented(&mut faults);
        self.references(foreign, &mut faults);
        self.params(foreign, &mut faults);
        assert!(faults.is_empty(), "{}", faults.join("\n"));
    }

    fn documented(&self, faults: &mut Vec<String>) {
        for (section, objects) in &self.sections {
            for (key, object) in objects {
                let said = |field: &str| object[field].as_str().is_some_and(|text| !text.trim().is_empty());
                // A template that is a plain file has no description; its head says what it is.
                let head = || {
                    let text = object["Contents"].as_str().unwrap_or_default();
                    let mut lines = text.lines().filter(|line| !line.starts_with("#!"));
                    lines.next().is_some_and(|line| line.starts_with("# ") || line.starts_with("{{/*"))
                };
                let described = said("Description") || (section == "templates" && head());
                if !described {
                    faults.push(format!("{section}:{key} has no Description"));
                }
                if ["tasks", "stages", "workflows"].contains(&section.as_str()) && !said("Documentation") {
                    faults.push(format!("{section}:{key} has no Documentation"));
                }
            }
        }
        for (field, text) in
            [("Description", &self.meta.description), ("Documentation", &self.meta.documentation)]
        {
            if text.trim().is_empty() {
                faults.push(format!("the pack has no {field}"));
            }
        }
    }

    fn references(&self, foreign: &[&str], faults: &mut Vec<String>) {
        for (section, field, of) in REFERENCES {
            for (key, object) in self.section(section) {
                for name in object[field].as_array().into_iter().flatten().filter_map(Value::as_str) {
                    if !self.has(of, name) && !name.contains(':') && !foreign.contains(&name) {
                        faults.push(format!("{section}:{key} names {of}:{name}, which is not there"));
                    }
                }
            }
        }
        let mut used = BTreeSet::new();
        for (key, task) in self.section("tasks") {
            for template in task["Templates"].as_array().into_iter().flatten() {
                match template["ID"].as_str().filter(|id| !id.is_empty()) {
                    Some(id) => drop(used.insert((format!("tasks:{key}"), id.to_owned()))),
                    None if template["Contents"].as_str().is_some_and(|text| !text.is_empty()) => {}
                    None => faults.push(format!("tasks:{key} has a template without text")),
                }
            }
        }
        let called = Regex::new(r#"(?:template|allTemplate)\s+"([^"]+)""#).unwrap();
        for (by, text) in self.texts() {
            used.extend(called.captures_iter(&text).map(|found| (by.clone(), found[1].to_owned())));
        }
        for (by, id) in &used {
            if !self.has("templates", id) {
                faults.push(format!("{by} uses templates:{id}, which is not there"));
            }
        }
        for (id, _) in self.section("templates") {
            if !used.iter().any(|(_, used)| used == id) {
                faults.push(format!("templates:{id} is used by nothing"));
            }
        }
    }

    fn params(&self, foreign: &[&str], faults: &mut Vec<String>) {
        let asked = Regex::new(
            r#"(?:\.(?:Param|ParamExists|ComposeParam|ParamExpand|ComposeParamExpand|ParamAsJSON|ParamAsYAML)|\bparam)\s+"?([a-z][a-z0-9-]*(?:/[a-z0-9-]+)*)"#,
        )
        .unwrap();
        for (by, text) in self.texts() {
            for found in asked.captures_iter(&text) {
                let name = &found[1];
                // In a shell script, "param" may also be a word.
                let is_name = name.contains('/') || found[0].starts_with('.');
                if is_name && !self.has("params", name) && !foreign.contains(&name) {
                    faults.push(format!("{by} asks for the param {name}, which is not there"));
                }
            }
        }
        for (section, objects) in &self.sections {
            for (key, object) in objects {
                for name in object["Params"].as_object().into_iter().flatten().map(|(name, _)| name) {
                    if !self.has("params", name) && !foreign.contains(&name.as_str()) {
                        faults.push(format!("{section}:{key} sets the param {name}, which is not there"));
                    }
                }
            }
        }
        for (key, param) in self.section("params") {
            if param["Schema"].as_object().is_none_or(Map::is_empty) {
                faults.push(format!("params:{key} takes anything"));
            }
            if param["Secure"] == true && param["Schema"].get("default").is_some() {
                faults.push(format!("params:{key} is secret and has a published default"));
            }
        }
    }

    /// All texts that are rendered, and whose they are.
    fn texts(&self) -> Vec<(String, String)> {
        let mut texts: Vec<_> = self
            .section("templates")
            .map(|(id, t)| (format!("templates:{id}"), t["Contents"].as_str().unwrap_or_default().to_owned()))
            .collect();
        for section in ["tasks", "stages", "bootenvs"] {
            for (key, object) in self.section(section) {
                for template in object["Templates"].as_array().into_iter().flatten() {
                    let text = template["Contents"].as_str().unwrap_or_default().to_owned();
                    texts.push((format!("{section}:{key}"), text));
                }
            }
        }
        texts
    }

    /// The daemon took the pack, as that layer, without a warning, and every object of it can be used.
    pub async fn loads(&self, daemon: &Daemon, layer: &str) {
        let all = daemon.get("contents").await;
        let of_layer = |summary: &&Value| summary["meta"]["Name"] == layer;
        let summary = all.as_array().unwrap().iter().find(of_layer).expect("its layer").clone();
        assert_eq!(summary["Warnings"].as_array().map_or(0, Vec::len), 0, "{summary}");
        for (section, objects) in &self.sections {
            assert_eq!(summary["Counts"][section], json!(objects.len()), "{section}: {summary}");
            for key in objects.keys() {
                let object = daemon.get(&format!("{section}/{}", key.replace('%', "%25"))).await;
                assert_eq!(
                    (&object["Available"], &object["Errors"]),
                    (&json!(true), &json!([])),
                    "{section}:{key}"
                );
            }
        }
    }

    /// Renders all templates of all tasks with the daemon's renderer, for a machine with these params.
    pub async fn scripts(&self, daemon: &Daemon, params: &Value) -> Vec<Script> {
        let tasks: Vec<&String> = self.section("tasks").map(|(name, _)| name).collect();
        let fields = json!({"Name": "rendered", "Tasks": tasks});
        let machine =
            daemon.expect(201, "POST", "machines", fields).await["Uuid"].as_str().unwrap().to_owned();
        for (name, value) in params.as_object().unwrap() {
            daemon.expect(200, "POST", &format!("machines/{machine}/params/{name}"), value.clone()).await;
        }
        let mut scripts = Vec::new();
        for _ in 0..=tasks.len() * 3 {
            let answer = daemon.call("POST", "/api/v3/jobs", json!({"Machine": machine})).await;
            if answer.status == 204 {
                break;
            }
            assert_eq!(answer.status, 201, "{}", answer.text());
            let job = answer.json();
            let id = job["Uuid"].as_str().unwrap();
            let rendered = daemon.get(&format!("jobs/{id}/actions?os=linux")).await;
            scripts.extend(rendered.as_array().unwrap().iter().map(|action| {
                let text = |field: &str| action[field].as_str().unwrap_or_default().to_owned();
                let name = format!("{} of {}", text("Name"), job["Task"].as_str().unwrap_or_default());
                Script { name, path: text("Path"), text: text("Content") }
            }));
            for state in ["running", "finished"] {
                let change = json!([{"op": "replace", "path": "/State", "value": state}]);
                daemon.expect(200, "PATCH", &format!("jobs/{id}"), change).await;
            }
        }
        daemon.expect(200, "DELETE", &format!("machines/{machine}"), Value::Null).await;
        assert!(scripts.len() >= tasks.len(), "{} scripts of {} tasks", scripts.len(), tasks.len());
        scripts
    }

    /// [`scripts`](Self::scripts) for each set of params; each text is checked once. See [`clean`].
    pub async fn scripts_are_clean(&self, daemon: &Daemon, sets: &[Value]) {
        let mut texts = BTreeMap::new();
        for params in sets {
            for script in self.scripts(daemon, params).await {
                texts.entry(script.text.clone()).or_insert(script);
            }
        }
        clean(&texts.into_values().collect::<Vec<_>>());
    }
}

/// Rendered scripts have a known interpreter, parse in it (`sh -n`, `bash -n`), and shellcheck has nothing to say.
pub fn clean(scripts: &[Script]) {
    let shellcheck = find_program("shellcheck");
    if shellcheck.is_none() {
        skipped("shellcheck", "apt-get install shellcheck");
    }
    let mut faults = Vec::new();
    for Script { name, text, path } in scripts {
        let first = text.lines().next().unwrap_or_default();
        let shell = match first {
            "#!/usr/bin/env bash" | "#!/bin/bash" => "bash",
            "#!/bin/sh" => "sh",
            _ if !path.is_empty() => continue,
            _ => {
                faults.push(format!("{name}: {first:?} is no interpreter that is known here"));
                continue;
            }
        };
        if text.contains("<no value>") {
            faults.push(format!("{name}: something has no value"));
        }
        let mut check = |program: &Path, words: &[&str]| {
            let said = piped(program, words, text);
            if let Err(said) = said {
                faults.push(format!("{name}: {} {words:?}:\n{said}", program.display()));
            }
        };
        check(Path::new(shell), &["-n"]);
        if let Some(shellcheck) = &shellcheck {
            check(shellcheck, &["--norc", "--shell", shell, "-"]);
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Runs a program on a text; what it says unless it has nothing to say.
fn piped(program: &Path, words: &[&str], text: &str) -> Result<(), String> {
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    let _ = writer.join();
    if output.status.success() && output.stdout.is_empty() && output.stderr.is_empty() {
        return Ok(());
    }
    Err(format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_is_found() {
        let dir = tempfile::tempdir().unwrap();
        for (file, text) in [
            ("._Name.meta", "odd"),
            ("params/a.yaml", "Name: odd/a\nSecure: true\nSchema: {type: string, default: x}\n"),
            ("params/b.yaml", "Name: odd/b\nDescription: any\n"),
            (
                "tasks/t.yaml",
                "Name: t\nDescription: x\nPrerequisites: [gone]\nRequiredParams: [odd/gone]\nTemplates:\n- {Name: x, ID: away}\n- {Name: y}\n",
            ),
            (
                "stages/s.yaml",
                "Name: s\nDescription: x\nDocumentation: y\nTasks: ['action:poweron', lost]\nParams: {odd/none: 1}\n",
            ),
            (
                "templates/left.sh.tmpl",
                "#!/bin/sh\necho {{ .Param \"odd/asked\" }} {{ template \"miss\" . }}\ndrpcli machines set x param odd/set to 1\n",
            ),
        ] {
            let path = dir.path().join(file);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let caught = std::panic::catch_unwind(|| Pack::dir(dir.path()).check(&[])).unwrap_err();
        let said = caught.downcast_ref::<String>().unwrap();
        for fault in [
            "params:odd/a has no Description",
            "params:odd/a is secret and has a published default",
            "params:odd/b takes anything",
            "the pack has no Documentation",
            "tasks:t has no Documentation",
            "tasks:t names tasks:gone",
            "tasks:t names params:odd/gone",
            "tasks:t uses templates:away",
            "tasks:t has a template without text",
            "stages:s names tasks:lost",
            "stages:s sets the param odd/none",
            "templates:left.sh.tmpl has no Description",
            "templates:left.sh.tmpl uses templates:miss",
            "templates:left.sh.tmpl is used by nothing",
            "templates:left.sh.tmpl asks for the param odd/asked",
            "templates:left.sh.tmpl asks for the param odd/set",
        ] {
            assert!(said.contains(fault), "{fault:?} is not in\n{said}");
        }
        assert!(!said.contains("poweron"), "{said}");
    }

    #[test]
    fn scripts_that_are_not_clean_are_refused() {
        let script = |text: &str| Script { name: "x".to_owned(), path: String::new(), text: text.to_owned() };
        clean(&[script("#!/bin/sh\necho \"$HOME\"\n")]);
        for bad in ["#!/bin/sh\nif true; then\n", "#!/usr/bin/perl\n", "#!/bin/sh\necho '<no value>'\n"] {
            assert!(std::panic::catch_unwind(|| clean(&[script(bad)])).is_err(), "{bad}");
        }
        if find_program("shellcheck").is_some() {
            assert!(std::panic::catch_unwind(|| clean(&[script("#!/bin/sh\nrm $1\n")])).is_err());
        }
    }
}
