//! Errors of Nushell: what they say, and where in the extension.

use serde::Deserialize;
use std::fmt::Write as _;
use std::path::Path;

/// Most messages of one error.
const MESSAGES: usize = 12;
/// The beginning of `code` of an error that wants an HTTP status: `drp::404`.
const CODE: &str = "drp::";

/// What our scripts write when a command fails.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Report {
    /// What went wrong.
    #[serde(default)]
    pub(crate) msg: String,
    /// The same with all that is known. Nushell before 0.11x does not give it.
    #[serde(default)]
    pub(crate) details: Option<Details>,
    /// As Nushell shows it.
    #[serde(default)]
    pub(crate) rendered: Option<String>,
    /// What an external command ended with.
    #[serde(default)]
    pub(crate) exit_code: Option<i64>,
}

/// An error of Nushell as a record.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
pub(crate) struct Details {
    #[serde(default)]
    msg: String,
    #[serde(default)]
    labels: Option<Vec<Label>>,
    #[serde(default)]
    code: Option<String>,
    #[serde(default)]
    help: Option<String>,
    #[serde(default)]
    inner: Option<Vec<Details>>,
}

/// What Nushell says about a place.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Label {
    #[serde(default)]
    text: String,
    #[serde(default)]
    location: Option<Location>,
}

/// A place in a file: bytes from its start.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
struct Location {
    file: String,
    start: usize,
    end: usize,
}

/// An error, ready to be told.
#[derive(Debug, PartialEq)]
pub(crate) struct Problem {
    /// HTTP status that the author asked for.
    pub(crate) code: Option<u16>,
    /// What went wrong, where, and what to do.
    pub(crate) messages: Vec<String>,
    /// The line of the first place in a file of the extension.
    pub(crate) line: Option<usize>,
}

impl Report {
    /// Says it in sentences. Files below `root` are named from there; places in our own scripts, which are below
    /// `scratch`, mean nothing to an author.
    pub(crate) fn problem(&self, root: &Path, scratch: &Path) -> Problem {
        let mut problem = Problem { code: None, messages: Vec::new(), line: None };
        match &self.details {
            Some(details) => details.tell(root, scratch, &mut problem, 0),
            None => {
                problem.messages.push(self.msg.clone());
                let shown = rendered(self.rendered.as_deref().unwrap_or_default());
                let own = shown.into_iter().filter(|place| !Path::new(&place.file).starts_with(scratch));
                for place in own.take(3) {
                    problem.line.get_or_insert(place.line);
                    problem.messages.push(format!("at {}", place.of(root)));
                }
            }
        }
        if problem.messages.iter().all(String::is_empty) {
            problem.messages = vec!["it failed without saying why".to_owned()];
        }
        problem.messages.truncate(MESSAGES);
        problem
    }
}

impl Details {
    fn tell(&self, root: &Path, scratch: &Path, problem: &mut Problem, depth: usize) {
        let code = self.code.as_deref().and_then(|code| code.strip_prefix(CODE));
        let status = code.and_then(|code| code.parse().ok()).filter(|code| (400..=599).contains(code));
        problem.code = problem.code.or(status);
        let mut first = if depth == 0 { String::new() } else { "because: ".to_owned() };
        first.push_str(&self.msg);
        problem.messages.push(first);
        for label in self.labels.iter().flatten() {
            let place = label.location.as_ref().and_then(|at| at.place(scratch));
            let mut line = String::new();
            if let Some(place) = place {
                problem.line.get_or_insert(place.line);
                let _ = write!(line, "at {}", place.of(root));
                if !label.text.is_empty() {
                    line.push_str(": ");
                }
            }
            line.push_str(&label.text);
            if !line.is_empty() {
                problem.messages.push(line);
            }
        }
        if let Some(help) = self.help.as_deref().filter(|help| !help.is_empty()) {
            problem.messages.push(format!("help: {help}"));
        }
        if depth < 4 {
            for inner in self.inner.iter().flatten() {
                inner.tell(root, scratch, problem, depth + 1);
            }
        }
    }
}

impl Location {
    fn place(&self, scratch: &Path) -> Option<Place> {
        let path = Path::new(&self.file);
        if path.starts_with(scratch) {
            return None;
        }
        let bytes = std::fs::read(path).ok()?;
        let before = String::from_utf8_lossy(bytes.get(..self.start.min(self.end))?).into_owned();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Some(Place { file: self.file.clone(), line, column })
    }
}

/// A place in a file.
#[derive(Debug, PartialEq)]
pub(crate) struct Place {
    pub(crate) file: String,
    pub(crate) line: usize,
    column: usize,
}

impl Place {
    fn of(&self, root: &Path) -> String {
        let file = Path::new(&self.file);
        let file = file.strip_prefix(root).unwrap_or(file).display();
        format!("{file}:{}:{}", self.line, self.column)
    }
}

/// The places in an error as Nushell prints it: `,-[file:line:column]`, or with a bow in Unicode.
pub(crate) fn rendered(text: &str) -> Vec<Place> {
    let place = |line: &str| {
        let line = line.trim_start_matches(|c: char| c.is_whitespace() || "|│".contains(c));
        let inside = line
            .strip_prefix(",-[")
            .or_else(|| line.strip_prefix("╭─["))
            .or_else(|| line.strip_prefix("╭────["))?;
        let mut parts = inside.trim_end().strip_suffix(']')?.rsplitn(3, ':');
        let column = parts.next()?.parse().ok()?;
        let line = parts.next()?.parse().ok()?;
        Some(Place { file: parts.next()?.to_owned(), line, column })
    };
    text.lines().filter_map(place).collect()
}

/// What Nushell says when a script does not load, in sentences: the message, its places, its help.
pub(crate) fn of_output(said: &[String], root: &Path, scratch: &Path) -> Vec<String> {
    let mut messages: Vec<String> = Vec::new();
    let strip = |line: &str| {
        line.trim().trim_start_matches(['x', '×', '|', '│', '`', '-', '>', '╰', '─', '▶']).trim().to_owned()
    };
    for line in said {
        let trimmed = line.trim();
        if let Some(place) = rendered(line).pop() {
            if !Path::new(&place.file).starts_with(scratch) {
                messages.push(format!("at {}", place.of(root)));
            }
        } else if trimmed.starts_with("x ") || trimmed.starts_with("× ") {
            messages.push(strip(trimmed));
        } else if let Some(label) = trimmed.split_once("`-- ").or_else(|| trimmed.split_once("╰── ")) {
            messages.push(label.1.trim().to_owned());
        } else if trimmed.starts_with("help: ") {
            messages.push(trimmed.to_owned());
        }
    }
    if messages.is_empty() {
        messages = said.iter().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect();
        let skip = messages.len().saturating_sub(MESSAGES);
        messages.drain(..skip);
    }
    messages.truncate(MESSAGES);
    messages
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_found_in_both_styles() {
        let text =
            "Error: x\n\n  x Boom\n   ,-[/e/nulib/mod.nu:2:10]\n  | ╭─[/e/a b:c.nu:7:1]\n 2 |  let x =\n";
        let found: Vec<_> = rendered(text).iter().map(|place| place.of(Path::new("/e"))).collect();
        assert_eq!(found, ["nulib/mod.nu:2:10", "a b:c.nu:7:1"]);
    }

    #[test]
    fn an_error_record_becomes_sentences() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mod.nu");
        std::fs::write(&file, "one\nüwo three\n").unwrap();
        let at = |file: &Path, start: usize| serde_json::json!({"text": "here", "location": {"file": file, "start": start, "end": start + 1}});
        let report: Report = serde_json::from_value(serde_json::json!({
            "msg": "x", "rendered": "", "exit_code": null,
            "details": {"msg": "No such plan", "code": "drp::404", "url": null, "help": "see get-plans",
                "labels": [at(&file, 9), at(Path::new("/scratch/lib/x.nu"), 0)],
                "inner": [{"msg": "cause", "labels": [], "code": null, "help": null, "inner": []}]},
        }))
        .unwrap();
        let problem = report.problem(folder.path(), Path::new("/scratch"));
        assert_eq!((problem.code, problem.line), (Some(404), Some(2)));
        assert_eq!(
            problem.messages,
            ["No such plan", "at mod.nu:2:5: here", "here", "help: see get-plans", "because: cause"]
        );
        let empty = Report::default().problem(folder.path(), folder.path());
        assert_eq!(empty.messages, ["it failed without saying why"]);
    }

    #[test]
    fn a_code_that_is_no_error_is_none() {
        for code in ["drp::200", "drp::x", "drp::404444", "nu::shell::error"] {
            let report = Report {
                details: Some(Details { code: Some(code.into()), ..Details::default() }),
                ..Report::default()
            };
            assert_eq!(report.problem(Path::new("/"), Path::new("/s")).code, None, "{code}");
        }
    }
}
