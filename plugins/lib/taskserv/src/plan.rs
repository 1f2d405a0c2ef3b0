//! What an installation is made of: computed from record, configuration and templates, before any machine is asked.

use crate::TaskservError;
use crate::record::{Method, Record, ServiceType, SourceType, version};
use crate::settings::Settings;
use crate::unit;
use drp_jinja::Templates;
use drp_protocol::JsonMap;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Where task services keep what they know of themselves on a machine.
pub(crate) const STATES: &str = "/var/lib/drp/taskservs";
/// Most templates of an extension.
const TEMPLATES: usize = 64;

/// A file that is made from a template.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Made {
    /// Its path on the machine.
    pub(crate) path: String,
    pub(crate) content: String,
    pub(crate) mode: u32,
}

/// A program of the archive.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Program {
    pub(crate) from: String,
    pub(crate) to: String,
    pub(crate) mode: String,
}

/// One installation, with paths as they are on the machine.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) record: Record,
    /// As it was asked for, without `target`: kept on the machine for upgrades.
    pub(crate) config: JsonMap,
    /// Folder of its state.
    pub(crate) here: String,
    pub(crate) programs: Vec<Program>,
    pub(crate) files: Vec<Made>,
    pub(crate) unit: Option<Made>,
    /// Folders that belong to it.
    pub(crate) own_folders: Vec<String>,
    pub(crate) binary_folder: String,
}

impl Plan {
    /// Plans one version.
    ///
    /// # Errors
    /// The configuration or a template is at fault.
    pub(crate) fn new(
        base: &Record,
        mut config: JsonMap,
        wanted: Option<&str>,
        settings: &Settings,
        root: &str,
        templates: Option<&PathBuf>,
    ) -> Result<Self, TaskservError> {
        config.remove("target");
        let mut record = base.of_installation(&config)?;
        if let Some(wanted) = wanted.filter(|wanted| !wanted.is_empty()) {
            let wanted = version(wanted).ok_or_else(|| {
                let wanted = crate::record::shortened(wanted);
                TaskservError::Config(format!("version {wanted:?} is none: MAJOR.MINOR.PATCH is wanted"))
            })?;
            record.version = wanted.to_string();
        } else if let Some(own) = version(&record.version) {
            record.version = own.to_string();
        }
        match (record.install.method, record.service.r#type) {
            (Method::Binary | Method::Script, ServiceType::Systemd | ServiceType::None) => {}
            _ => {
                let what = "this host installs programs and scripts and runs them with systemd; packages and containers want \
                            an extension with code (nulib/ or plugin/)";
                return Err(TaskservError::Record(what.to_owned()));
            }
        }
        if record.source.r#type == SourceType::Package {
            return Err(TaskservError::Record(
                "source.type `package` wants an extension with code".to_owned(),
            ));
        }
        let at = |path: &str| format!("{root}{}", path.trim_end_matches('/'));
        let binary_folder = at(&record.install.binary_path);
        let mut plan = Self {
            here: at(&format!("{STATES}/{}", record.name)),
            programs: programs(&record, &binary_folder, root),
            files: Vec::new(),
            unit: None,
            own_folders: [&record.install.config_path, &record.install.data_path]
                .into_iter()
                .flatten()
                .map(|path| at(path))
                .collect(),
            binary_folder,
            record,
            config,
        };
        plan.render(settings, root, templates)?;
        Ok(plan)
    }

    /// Every file that it puts on the machine.
    pub(crate) fn paths(&self) -> Vec<String> {
        let programs = self.programs.iter().map(|program| program.to.clone());
        let made = self.files.iter().chain(&self.unit).map(|file| file.path.clone());
        programs.chain(made).collect()
    }

    /// `name.service`.
    pub(crate) fn unit_name(&self) -> String {
        format!("{}.service", self.record.unit())
    }

    pub(crate) fn has_unit(&self) -> bool {
        self.unit.is_some()
    }

    /// Fills `{binary}`, `{config_path}` and so on into a word of a command.
    pub(crate) fn fill(&self, word: &str, root: &str) -> String {
        let install = &self.record.install;
        let at =
            |path: &Option<String>| path.as_ref().map(|path| format!("{root}{path}")).unwrap_or_default();
        let values = [
            ("binary", format!("{}/{}", self.binary_folder, install.binary_name)),
            ("binary_path", self.binary_folder.clone()),
            ("config_path", at(&install.config_path)),
            ("data_path", at(&install.data_path)),
            ("name", self.record.name.clone()),
            ("version", self.record.version.clone()),
            ("root", root.to_owned()),
        ];
        filled(word, &values)
    }

    fn render(
        &mut self,
        settings: &Settings,
        root: &str,
        templates: Option<&PathBuf>,
    ) -> Result<(), TaskservError> {
        let record = &self.record;
        let service = &record.service;
        let fill = |word: &String| self.fill(word, root);
        let exec: Vec<String> = service.exec.iter().map(fill).collect();
        let description =
            service.description.clone().unwrap_or_else(|| format!("{} {}", record.name, record.version));
        let context = json!({
            "name": record.name,
            "version": record.version,
            "service": record.unit(),
            "config": record.config,
            "settings": settings.of_templates(),
            "paths": {
                "root": root,
                "binary": format!("{}/{}", self.binary_folder, record.install.binary_name),
                "binary_path": self.binary_folder,
                "config": record.install.config_path.as_ref().map(|path| format!("{root}{path}")),
                "data": record.install.data_path.as_ref().map(|path| format!("{root}{path}")),
            },
            "user": service.user,
            "group": service.group,
            "ports": service.ports,
            "unit": {
                "description": unit::line(&description),
                "exec": exec,
                "exec_start": exec.iter().map(|word| unit::word(word, true)).collect::<Vec<_>>().join(" "),
                "environment": service.environment.iter()
                    .map(|(name, value)| unit::word(&format!("{name}={}", fill(value)), false)).collect::<Vec<_>>(),
                "working_directory": service.working_directory.as_ref().map(|path| unit::line(&format!("{root}{path}"))),
                "after": service.after,
                "restart": service.restart,
            },
        });
        let mode = u32::from_str_radix(&record.install.config_mode, 8).unwrap_or(0o640);
        let unit_path = format!("{root}/etc/systemd/system/{}.service", record.unit());
        let runs = service.r#type == ServiceType::Systemd;
        let mut files = Vec::new();
        let mut unit = None;
        if let Some(folder) = templates.filter(|folder| folder.is_dir()) {
            let all = Templates::of_folder(folder)?;
            for name in names(folder)? {
                let content = all.render(&name, &context)?;
                let made = name.trim_end_matches(".j2");
                if made.ends_with(".service") {
                    if unit.is_some() {
                        return Err(TaskservError::Record(
                            "templates/ has more than one *.service.j2".to_owned(),
                        ));
                    }
                    unit = Some(content);
                    continue;
                }
                let Some(place) = &record.install.config_path else {
                    return Err(TaskservError::Record(format!(
                        "templates/{name} wants an install.config_path"
                    )));
                };
                files.push(Made {
                    path: format!("{root}{}/{made}", place.trim_end_matches('/')),
                    content,
                    mode,
                });
            }
        }
        if runs {
            let content = match unit {
                Some(content) => content,
                None => Templates::of_text("unit.service.j2", unit::DEFAULT)?
                    .render("unit.service.j2", &context)?,
            };
            self.unit = Some(Made { path: unit_path, content, mode: 0o644 });
        }
        self.files = files;
        Ok(())
    }
}

fn programs(record: &Record, binary_folder: &str, root: &str) -> Vec<Program> {
    if record.source.r#type == SourceType::None {
        return Vec::new();
    }
    let install = &record.install;
    if install.files.is_empty() {
        let to = format!("{binary_folder}/{}", install.binary_name);
        return vec![Program { from: install.binary_name.clone(), to, mode: "0755".to_owned() }];
    }
    let place = |file: &crate::record::File| {
        let own = file.from.rsplit('/').next().unwrap_or(&file.from);
        let to = file.to.as_deref().unwrap_or(own);
        if to.starts_with('/') { format!("{root}{to}") } else { format!("{binary_folder}/{to}") }
    };
    let program = |file: &crate::record::File| {
        let crate::record::File { from, mode, .. } = file;
        Program { from: from.clone(), to: place(file), mode: mode.clone() }
    };
    install.files.iter().map(program).collect()
}

/// The templates at the top of the folder. Those that begin with `_` are parts of others.
fn names(folder: &PathBuf) -> Result<Vec<String>, TaskservError> {
    let entries = std::fs::read_dir(folder)
        .map_err(|error| TaskservError::Record(format!("templates/ cannot be read: {error}")))?;
    let mut names: Vec<String> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .filter(|name| name.ends_with(".j2") && name.len() > 3 && !name.starts_with(['_', '.', '-']))
        .collect();
    names.sort();
    if names.len() > TEMPLATES {
        return Err(TaskservError::Record(format!("templates/ has more than {TEMPLATES} templates")));
    }
    Ok(names)
}

/// Puts values into `{name}`; what is put in is not looked at again.
pub(crate) fn filled(text: &str, values: &[(&str, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('{') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let value = rest.find('}').and_then(|end| {
            let (_, value) = values.iter().find(|(name, _)| *name == &rest[1..end])?;
            Some((end, value))
        });
        match value {
            Some((end, value)) => {
                out.push_str(value);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('{');
                rest = &rest[1..];
            }
        }
    }
    out + rest
}

/// What a plan would do, for check mode: no values of the configuration.
pub(crate) fn shown(plan: &Plan) -> Value {
    let files = plan.files.iter().chain(&plan.unit);
    json!({
        "programs": plan.programs.iter().map(|program| &program.to).collect::<Vec<_>>(),
        "files": files.map(|file| &file.path).collect::<Vec<_>>(),
        "folders": plan.own_folders,
        "unit": plan.unit.as_ref().map(|_| plan.unit_name()),
        "user": plan.record.service.user,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(record: Value, config: Value, templates: Option<&PathBuf>) -> Result<Plan, TaskservError> {
        let record = Record::read(&record)?;
        let config = config.as_object().unwrap().clone();
        Plan::new(&record, config, None, &Settings::default(), "/t", templates)
    }

    #[test]
    fn a_unit_is_made_without_templates_and_hostile_words_stay_words() {
        let record = json!({"name": "s", "source": {"type": "none"}, "install": {"binary_name": "s"}, "configurable": ["service"]});
        let config = json!({"service": {"description": "a\nExecStart=/bin/evil", "exec": ["/bin/echo", "x\nExecStart=/bin/evil", "%n $HOME"],
            "environment": {"A": "1\" \nB=2"}}});
        let plan = plan(record, config, None).unwrap();
        let unit = plan.unit.unwrap();
        assert_eq!(unit.path, "/t/etc/systemd/system/s.service");
        assert_eq!(unit.content.matches("\nExecStart=").count(), 1, "{}", unit.content);
        assert!(
            unit.content.contains(r#"ExecStart="/bin/echo" "x\nExecStart=/bin/evil" "%%n $$HOME""#),
            "{}",
            unit.content
        );
        assert!(unit.content.contains(r#"Environment="A=1\" \nB=2""#), "{}", unit.content);
        assert!(unit.content.contains("Description=a ExecStart=/bin/evil\n"), "{}", unit.content);
    }

    #[test]
    fn templates_become_files_and_parts_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().to_path_buf();
        std::fs::write(
            path.join("app.toml.j2"),
            "workers = {{ config.workers }}\n{% include \"_part.j2\" %}",
        )
        .unwrap();
        std::fs::write(path.join("_part.j2"), "data = {{ paths.data | tojson }}\n").unwrap();
        std::fs::write(path.join("app.service.j2"), "[Service]\nExecStart={{ unit.exec_start }}\n").unwrap();
        let record = json!({"name": "app", "source": {"type": "none"}, "config": {"workers": 2},
            "install": {"binary_name": "app", "config_path": "/etc/app", "data_path": "/var/lib/app"},
            "service": {"exec": ["{binary}", "-c", "{config_path}/app.toml", "{other}"]}});
        let made = plan(record.clone(), json!({}), Some(&path)).unwrap();
        assert_eq!(made.files.len(), 1);
        assert_eq!(made.files[0].path, "/t/etc/app/app.toml");
        assert_eq!(made.files[0].content, "workers = 2\ndata = \"/t/var/lib/app\"\n");
        let unit = made.unit.unwrap().content;
        assert_eq!(
            unit,
            "[Service]\nExecStart=\"/t/usr/local/bin/app\" \"-c\" \"/t/etc/app/app.toml\" \"{other}\"\n"
        );
        std::fs::write(path.join("bad.j2"), "{{ config.nothing }}").unwrap();
        let error = plan(record, json!({}), Some(&path)).unwrap_err().to_string();
        assert!(error.contains("bad.j2, line 1"), "{error}");
    }

    #[test]
    fn what_is_filled_in_is_not_filled_again() {
        let values = [("a", "{b}".to_owned()), ("b", "x".to_owned())];
        assert_eq!(filled("{a}-{b}-{c}-{", &values), "{b}-x-{c}-{");
    }
}
