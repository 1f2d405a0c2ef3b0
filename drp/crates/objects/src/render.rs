//! What the templates of a task become for a machine (wire-protocol §3.9: GET `/jobs/<id>/actions`).

mod source;

use crate::{Objects, Result, fault::Fault, lifecycle::text, lookup::Lookup, memory::Row};
use drp_protocol::{JobAction, TemplateInfo};
use drp_template::{Source, render};
use serde_json::Value;
use source::Machine;
use std::{collections::BTreeMap, sync::Arc};

/// Where machines find the daemon, as templates show it.
#[derive(Debug, Clone, Default)]
pub struct RenderPlace {
    /// `.ApiURL`.
    pub api_url: String,
    /// `.ProvisionerURL`.
    pub files_url: String,
    /// `.ProvisionerAddress`.
    pub address: String,
    /// `.Info`: what GET `/info` answers.
    pub info: Value,
    /// Whether templates may make tokens of the machine.
    pub tokens: bool,
}

impl Objects {
    /// The rendered templates of a job's task, in order. Those that name operating systems are left out when `os` is
    /// another one. Entries of a task list that are no tasks have none. Rendering may take seconds.
    ///
    /// # Errors
    /// 404; 409 of type `RENDER` with a message for each template that does not render, naming it and the line.
    pub fn job_actions(&self, job: &str, os: &str, place: &RenderPlace) -> Result<Vec<JobAction>> {
        let (_, row) = self.found("jobs", job, "GET")?;
        let job = row.map();
        let refused = |messages: Vec<String>| Fault::Refused {
            kind: "RENDER",
            model: "jobs".to_owned(),
            key: row.key.to_string(),
            messages,
            code: 409,
        };
        let state = &self.inner.state;
        let name = text(&job, "Task");
        if name.is_empty() || name.contains(':') {
            return Ok(Vec::new());
        }
        let task =
            state.row("tasks", name).ok_or_else(|| refused(vec![format!("Task {name} does not exist")]))?;
        let machine = state.row("machines", text(&job, "Machine"));
        let machine = machine
            .ok_or_else(|| refused(vec![format!("Machine {} does not exist", text(&job, "Machine"))]))?;
        let mut wrong = self.missing(name, &task, &machine)?;
        let templates = task.map().remove("Templates").unwrap_or_default();
        let templates: Vec<TemplateInfo> = serde_json::from_value(templates).unwrap_or_default();
        let source: Arc<dyn Source> = Arc::new(Machine::new(self.clone(), machine, &task, place.clone()));
        let mut actions = Vec::new();
        for template in templates.iter().filter(|t| fits(&t.meta, os) && t.link.is_empty()) {
            match self.action(name, template, &source) {
                Ok(action) => actions.push(action),
                Err(text) => wrong.push(text),
            }
        }
        if wrong.is_empty() { Ok(actions) } else { Err(refused(wrong).into()) }
    }

    /// The required params of a task that nothing gives.
    fn missing(&self, name: &str, task: &Row, machine: &Row) -> Result<Vec<String>, Fault> {
        let lookup = Lookup::new(&self.inner.state);
        let mut wrong = Vec::new();
        for param in crate::lifecycle::texts(&task.map(), "RequiredParams") {
            if lookup.one("machines", machine, &param, true, false)?.is_none() {
                wrong.push(format!("task {name}: required param {param} is missing"));
            }
        }
        Ok(wrong)
    }

    fn action(
        &self,
        task: &str,
        template: &TemplateInfo,
        source: &Arc<dyn Source>,
    ) -> Result<JobAction, String> {
        let render = |name: &str, text: &str| {
            render(name, text, Arc::clone(source)).map_err(|error| format!("task {task}: {error}"))
        };
        let path = match template.path.contains("{{") {
            true => render(&format!("{} (Path)", template.name), &template.path)?,
            false => template.path.clone(),
        };
        let content = if template.id.is_empty() {
            render(&template.name, &template.contents)?
        } else {
            let found = source.template(&template.id);
            let text =
                found.ok_or_else(|| format!("task {task}: template {} does not exist", template.id))?;
            render(&template.id, &text)?
        };
        Ok(JobAction { name: template.name.clone(), path, content, meta: template.meta.clone() })
    }
}

/// Whether a template is for an operating system: its annotation `OS` is a comma list.
fn fits(meta: &BTreeMap<String, String>, os: &str) -> bool {
    let Some(wanted) = meta.get("OS").map(String::as_str).filter(|wanted| !wanted.trim().is_empty()) else {
        return true;
    };
    os.is_empty()
        || wanted.split(',').any(|one| matches!(one.trim(), "any") || one.trim().eq_ignore_ascii_case(os))
}
