//! Log services (DSP0268: LogService, LogEntry), among them the SEL.

use super::http::Answer;
use super::message::refuse;
use super::profile::{LogPlace, Profile};
use super::service;
use super::state::SelEntry;
use super::tree::{View, well, with};
use crate::engine::Engine;
use serde_json::{Value, json};
use std::time::Instant;

const CLEAR: &str = "LogService.ClearLog";

fn places<'a>(p: &'a Profile, of: &'a str) -> impl Iterator<Item = &'a LogPlace> {
    p.logs.iter().filter(move |log| log.of == of)
}

/// The entries that a log shows: the SEL those of the SEL, others none.
fn entries<'a>(view: &'a View<'_>, log: &LogPlace) -> &'a [SelEntry] {
    if log.clear { &view.state.sel } else { &[] }
}

pub(crate) fn read(view: &View<'_>, of: &str, rest: &[&str]) -> Option<Value> {
    let p = view.profile;
    let parent =
        if of == "system" { format!("Systems/{}", p.system) } else { format!("Managers/{}", p.manager) };
    let services = format!("{parent}/LogServices");
    let [id, rest @ ..] = rest else {
        let ids: Vec<&String> = places(p, of).map(|log| &log.id).collect();
        return Some(view.collection(&services, "LogService", &ids));
    };
    let log = places(p, of).find(|log| log.id == *id)?;
    let at = format!("{services}/{id}");
    let list = entries(view, log);
    match rest {
        [] => {
            let mut body = with(
                view.head(&at, "LogService.v1_4_0.LogService", id, id),
                json!({
                    "ServiceEnabled": true,
                    "MaxNumberOfRecords": 1024,
                    "OverWritePolicy": "WrapsWhenFull",
                    "LogEntryType": log.kind,
                    "Entries": view.link(&format!("{at}/Entries")),
                    "Status": well(),
                }),
            );
            if log.clear {
                body["Actions"] = json!({ format!("#{CLEAR}"): { "target": view.action(&at, CLEAR) } });
            }
            Some(body)
        }
        ["Entries"] => {
            let mut members: Vec<Value> = list.iter().map(|entry| show(view, log, &at, entry)).collect();
            if p.reversed_members {
                members.reverse();
            }
            Some(json!({
                "@odata.id": view.path(&format!("{at}/Entries")),
                "@odata.type": "#LogEntryCollection.LogEntryCollection",
                "Name": "Log Entry Collection",
                "Members@odata.count": members.len(),
                "Members": members,
            }))
        }
        ["Entries", entry] => {
            list.iter().find(|e| e.id.to_string() == *entry).map(|entry| show(view, log, &at, entry))
        }
        _ => None,
    }
}

fn show(view: &View<'_>, log: &LogPlace, at: &str, entry: &SelEntry) -> Value {
    let id = entry.id.to_string();
    with(
        view.head(
            &format!("{at}/Entries/{id}"),
            "LogEntry.v1_15_1.LogEntry",
            &id,
            &format!("Log Entry {id}"),
        ),
        json!({
            "EntryType": log.kind,
            "Created": entry.created,
            "Severity": entry.severity,
            "Message": entry.text,
            "SensorType": entry.sensor,
        }),
    )
}

impl Engine {
    /// The event log is one: cleared over IPMI, it is empty here, too.
    pub(crate) fn sync_log(&mut self) {
        if self.web.sel_clears != self.shelf.clears {
            self.web.sel_clears = self.shelf.clears;
            self.web.sel.clear();
        }
    }

    /// POST LogService.ClearLog.
    pub(crate) fn clear_web_log(
        &mut self,
        p: &Profile,
        of: &str,
        id: &str,
        path: &str,
        now: Instant,
    ) -> Answer {
        match places(p, of).find(|log| log.id == id) {
            Some(log) if log.clear => {
                self.counts.log_clears += 1;
                self.shelf.erase();
                self.sync_log();
                service::acted(self, p, CLEAR, now)
            }
            Some(_) => refuse(p, "ActionNotSupported", &[CLEAR]),
            None => refuse(p, "ResourceMissingAtURI", &[path]),
        }
    }
}
