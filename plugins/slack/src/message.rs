//! Messages in Block Kit, within Slack's limits: text 40,000 characters, 50 blocks, 3,000 characters in a section, 10 fields of
//! 2,000 in one, 10 elements in a context (reference "Blocks" and `chat.postMessage`).

use crate::describe::Note;
use crate::mrkdwn;
use drp_plugin_sdk::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Longest `text`.
pub(crate) const TEXT: usize = 40_000;
/// Longest text of a section, and longest field.
const SECTION: usize = 3000;
const FIELD: usize = 2000;
/// Most sections of a message: 50 blocks with one for the context.
const SECTIONS: usize = 49;
/// Kinds of events that a digest lists, and names that it lists for each.
const KINDS: usize = 20;
const NAMES: usize = 5;

/// What did not become a message, since the last message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lost {
    /// Events that were dropped, by reason.
    pub(crate) dropped: BTreeMap<&'static str, u64>,
    /// How often the event stream broke: events in between may be missing.
    pub(crate) gaps: u64,
}

impl Lost {
    pub(crate) fn is_empty(&self) -> bool {
        self.dropped.is_empty() && self.gaps == 0
    }

    pub(crate) fn total(&self) -> u64 {
        self.dropped.values().sum()
    }

    /// In words.
    pub(crate) fn words(&self) -> Vec<String> {
        let dropped = self.dropped.iter().map(|(why, count)| format!("{count} events were dropped: {why}"));
        let gaps = (self.gaps > 0).then(|| {
            let times = if self.gaps == 1 { "once".to_owned() } else { format!("{} times", self.gaps) };
            format!("the event stream broke {times}; events in between may be missing")
        });
        dropped.chain(gaps).collect()
    }
}

/// The message about some events: about one in full, or a digest.
pub(crate) fn about(notes: &[Arc<Note>], lost: &Lost, again: bool) -> Value {
    let mut remarks = lost.words();
    if again {
        remarks.push("sent again, since the answer of Slack was lost: you may see it twice".to_owned());
    }
    match notes {
        [note] => single(note, &remarks),
        notes => digest(notes, &remarks),
    }
}

fn single(note: &Note, remarks: &[String]) -> Value {
    let mut blocks = vec![section(&note.summary)];
    let fields: Vec<Value> =
        note.fields.iter().map(|(label, value)| markup(&format!("*{label}*\n{value}"), FIELD)).collect();
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    let who = if note.principal.is_empty() { String::new() } else { format!(" · {}", note.principal) };
    blocks.push(context(&format!("{}{who} · {}", note.time, note.kind), remarks));
    whole(&note.summary, blocks)
}

fn digest(notes: &[Arc<Note>], remarks: &[String]) -> Value {
    let mut kinds: BTreeMap<&str, Vec<&Arc<Note>>> = BTreeMap::new();
    for note in notes {
        kinds.entry(&note.kind).or_default().push(note);
    }
    let mut kinds: Vec<_> = kinds.into_iter().collect();
    kinds.sort_by_key(|(_, notes)| std::cmp::Reverse(notes.len()));
    let title = format!("*{} events*", notes.len());
    let mut lines = Vec::new();
    for (kind, notes) in kinds.iter().take(KINDS) {
        let mut line = format!("• *{kind}* × {}: ", notes.len());
        if let [note] = notes.as_slice() {
            line.push_str(&note.summary);
        } else {
            // The newest, each name once.
            let mut names: Vec<&str> = Vec::new();
            for note in notes.iter().rev() {
                if !names.contains(&note.subject.as_str()) {
                    names.push(&note.subject);
                }
                if names.len() > NAMES {
                    break;
                }
            }
            line.push_str(&names.iter().take(NAMES).copied().collect::<Vec<_>>().join(", "));
            if names.len() > NAMES {
                line.push_str(", …");
            }
        }
        lines.push(mrkdwn::cut(&line, SECTION));
    }
    if kinds.len() > KINDS {
        lines.push(format!("• and {} other kinds", kinds.len() - KINDS));
    }
    let mut blocks = vec![section(&title)];
    blocks.extend(packed(&lines).iter().map(|text| section(text)));
    let span = match (notes.first(), notes.last()) {
        (Some(first), Some(last)) if first.time != last.time => format!("{} to {}", first.time, last.time),
        (Some(first), _) => first.time.clone(),
        _ => String::new(),
    };
    blocks.push(context(&span, remarks));
    whole(&format!("{title}: {}", lines.join("\n")), blocks)
}

/// A message of somebody's own words, which are markup.
pub(crate) fn plain(text: &str) -> Value {
    json!({"text": mrkdwn::cut(text, TEXT), "unfurl_links": false, "unfurl_media": false})
}

/// A message that says only how many events there were: for when Slack does not take the blocks.
pub(crate) fn bare(notes: &[Arc<Note>]) -> Value {
    let text = match notes {
        [note] => note.summary.clone(),
        notes => format!("{} events", notes.len()),
    };
    json!({"text": mrkdwn::cut(&text, SECTION), "unfurl_links": false, "unfurl_media": false})
}

/// Lines put together into texts that fit a section each.
fn packed(lines: &[String]) -> Vec<String> {
    let mut texts: Vec<String> = Vec::new();
    for line in lines {
        match texts.last_mut() {
            Some(last) if last.chars().count() + 1 + line.chars().count() <= SECTION => {
                last.push('\n');
                last.push_str(line);
            }
            _ => texts.push(line.clone()),
        }
    }
    texts.truncate(SECTIONS - 1);
    texts
}

fn whole(text: &str, blocks: Vec<Value>) -> Value {
    json!({"text": mrkdwn::cut(text, TEXT), "blocks": blocks, "unfurl_links": false, "unfurl_media": false})
}

fn section(text: &str) -> Value {
    // Slack refuses an empty text.
    let text = if text.trim().is_empty() { "–" } else { text };
    json!({"type": "section", "text": markup(text, SECTION)})
}

fn context(text: &str, remarks: &[String]) -> Value {
    let mut elements = vec![markup(if text.is_empty() { "–" } else { text }, FIELD)];
    elements.extend(remarks.iter().take(9).map(|remark| markup(&format!(":warning: {remark}"), FIELD)));
    json!({"type": "context", "elements": elements})
}

fn markup(text: &str, max: usize) -> Value {
    json!({"type": "mrkdwn", "text": mrkdwn::cut(text, max)})
}

#[cfg(test)]
mod tests {
    use super::{Lost, about, plain};
    use crate::describe::Note;
    use drp_plugin_sdk::Value;
    use std::sync::Arc;
    use std::time::Instant;

    fn note(kind: &str, subject: &str, size: usize) -> Arc<Note> {
        let fields = (0..10).map(|i| (format!("F{i}"), "v".repeat(size))).collect();
        Arc::new(Note {
            kind: kind.to_owned(),
            subject: subject.to_owned(),
            summary: format!("{kind} {subject} {}", "s".repeat(size)),
            fields,
            time: "t".to_owned(),
            principal: "user:x".to_owned(),
            since: Instant::now(),
        })
    }

    /// Slack's limits.
    fn fits(message: &Value) {
        let long = |value: &Value| value.as_str().unwrap().chars().count();
        assert!((1..=40_000).contains(&long(&message["text"])));
        let blocks = message["blocks"].as_array().unwrap();
        assert!((1..=50).contains(&blocks.len()), "{} blocks", blocks.len());
        for block in blocks {
            if let Some(text) = block.get("text") {
                assert!((1..=3000).contains(&long(&text["text"])));
            }
            for (list, most) in [("fields", 10), ("elements", 10)] {
                if let Some(list) = block.get(list).and_then(Value::as_array) {
                    assert!((1..=most).contains(&list.len()));
                    assert!(list.iter().all(|entry| (1..=2000).contains(&long(&entry["text"]))));
                }
            }
        }
    }

    #[test]
    fn every_message_fits() {
        let lost = Lost { dropped: [("a", 3), ("b", 4)].into(), gaps: 2 };
        for size in [0, 10, 5000, 100_000] {
            fits(&about(&[note("machines.create", "m", size)], &lost, true));
            let many: Vec<Arc<Note>> =
                (0..300).map(|i| note(&format!("k{i}.x"), &format!("n{i}"), size)).collect();
            fits(&about(&many, &lost, false));
            let words = plain(&"ä".repeat(size));
            assert!(words["text"].as_str().unwrap().chars().count() <= 40_000);
        }
    }

    #[test]
    fn a_digest_counts_and_names() {
        let mut notes: Vec<Arc<Note>> =
            (0..498).map(|i| note("machines.create", &format!("m{i}"), 0)).collect();
        notes.extend([note("jobs.save", "m7", 0), note("machines.create", "m497", 0)]);
        let lost = Lost { dropped: [("the queue was full", 12)].into(), gaps: 0 };
        let text = about(&notes, &lost, false).to_string();
        assert!(
            text.contains("*500 events*") && text.contains("*machines.create* × 499: m497, m496,"),
            "{text}"
        );
        assert!(text.contains("*jobs.save* × 1: jobs.save m7"), "{text}");
        assert!(text.contains("12 events were dropped: the queue was full"), "{text}");
    }
}
