//! Pages of documentation whose commands tests run: blocks of `console`, `$ ` before a command, what it prints below it.

/// A command of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the shell.
    pub command: String,
    /// What the page says that it prints, line by line.
    pub output: Vec<String>,
}

/// The commands of a page, in order.
#[must_use]
pub fn steps(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in page.lines() {
        match line {
            "```console" => inside = true,
            "```" => inside = false,
            _ if !inside => {}
            _ => match line.strip_prefix("$ ") {
                Some(command) => steps.push(Step { command: command.to_owned(), output: Vec::new() }),
                None => steps.last_mut().expect("a command comes first").output.push(line.to_owned()),
            },
        }
    }
    steps
}

impl Step {
    /// Whether it printed what the page says. `…` stands for anything within a line, and alone for any lines up to
    /// the end.
    #[must_use]
    pub fn fits(&self, printed: &str) -> bool {
        let mut lines = printed.lines();
        for expected in &self.output {
            if expected == "…" {
                return true;
            }
            let Some(line) = lines.next() else { return false };
            if !fits(line.trim_end(), expected.trim_end()) {
                return false;
            }
        }
        lines.next().is_none()
    }
}

fn fits(line: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else { return rest.is_empty() };
    for part in middle {
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::{fits, steps};

    #[test]
    fn pages_are_read_and_compared() {
        let page = "text\n```console\n$ one\n1 … 3\n$ two\n```\n```sh\n$ no\n```\n";
        let steps = steps(page);
        assert_eq!(steps.len(), 2);
        assert!(steps[0].fits("1 2 3\n") && !steps[0].fits("1 2 4\n") && !steps[0].fits("1 2 3\nmore\n"));
        assert!(steps[1].fits("") && !steps[1].fits("x"));
        assert!(fits("abcbd", "a…b…d") && !fits("acd", "a…b…d") && fits("a", "a"));
    }
}
