//! The XML of an HMC, read and written, without any I/O.
//!
//! Answers are Atom entries around one object; elements are found by their local names, since prefixes differ between
//! versions. Documents with a DTD are refused, so nothing in them is ever expanded.

use roxmltree::{Document, Node, ParsingOptions};
use std::collections::BTreeMap;

/// Longest document that is read. A partition with all its adapters is some 100 KiB.
pub const MAX_DOCUMENT: usize = 2 << 20;
/// Most nodes of a document.
const MAX_NODES: u32 = 200_000;
/// Longest text of a peer that is shown.
const SHOWN: usize = 400;
/// The namespace of requests (HMC REST API, Logon and Logoff; Jobs).
const NAMESPACE: &str = "http://www.ibm.com/xmlns/systems/power/firmware/web/mc/2012_10/";

/// What an HMC says about a partition (HMC REST API, LogicalPartition).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Partition {
    /// `PartitionState`, for instance `running` or `not activated`.
    pub state: String,
    /// Its plain elements, by name: `PartitionName`, `OperatingSystemVersion` and so on.
    pub fields: BTreeMap<String, String>,
}

/// How far a job is (HMC REST API, Jobs).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Not started, or running.
    Running,
    /// Ended well.
    Done,
    /// Ended, and the console says that it did not do it.
    Failed,
    /// Ended in a way that leaves open what was done.
    Broken,
}

/// A job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobStatus {
    /// `JobID`.
    pub id: String,
    /// `Status`, as it was written.
    pub status: String,
    /// What that means.
    pub state: JobState,
    /// Why it failed, as far as it says.
    pub message: String,
}

fn document(text: &str) -> Result<Document<'_>, String> {
    if text.len() > MAX_DOCUMENT {
        return Err(format!("more than {} MiB", MAX_DOCUMENT >> 20));
    }
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MAX_NODES, ..ParsingOptions::default() };
    Document::parse_with_options(text, options).map_err(|why| format!("a body that is not XML: {why}"))
}

fn find<'a, 'i>(within: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    within.descendants().find(|node| node.is_element() && node.tag_name().name() == name)
}

fn text_of(within: Node<'_, '_>, name: &str) -> Option<String> {
    let text: String =
        find(within, name)?.descendants().filter(Node::is_text).filter_map(|node| node.text()).collect();
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
}

/// For texts shown to people.
fn clean(text: &str) -> String {
    let out: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    out.join(" ").chars().take(SHOWN).collect()
}

/// The session of a `LogonResponse`.
///
/// # Errors
/// What is wrong with the document, in words.
pub fn session(text: &str) -> Result<String, String> {
    let document = document(text)?;
    // It may be broken into lines.
    let session = text_of(document.root(), "X-API-Session").unwrap_or_default();
    let session: String = session.chars().filter(|c| !c.is_whitespace()).collect();
    if session.is_empty() || session.len() > 4096 || !session.chars().all(|c| c.is_ascii_graphic()) {
        return Err("a document without a usable X-API-Session".to_owned());
    }
    Ok(session)
}

/// A `LogicalPartition`, or a `VirtualIOServer`, which is one.
///
/// # Errors
/// What is wrong with the document, in words.
pub fn partition(text: &str) -> Result<Partition, String> {
    let document = document(text)?;
    let root = document.root();
    let partition = find(root, "LogicalPartition").or_else(|| find(root, "VirtualIOServer"));
    let Some(partition) = partition else { return Err("a document without a LogicalPartition".to_owned()) };
    let mut fields = BTreeMap::new();
    for child in partition.children().filter(Node::is_element) {
        if child.children().any(|node| node.is_element()) {
            continue;
        }
        if let Some(text) = child.text().map(str::trim).filter(|text| !text.is_empty()) {
            fields.entry(child.tag_name().name().to_owned()).or_insert_with(|| clean(text));
        }
    }
    let state = fields.get("PartitionState").cloned();
    let Some(state) = state else { return Err("a LogicalPartition without a PartitionState".to_owned()) };
    Ok(Partition { state, fields })
}

/// A `JobResponse`.
///
/// # Errors
/// What is wrong with the document, in words.
pub fn job(text: &str) -> Result<JobStatus, String> {
    let document = document(text)?;
    let Some(job) = find(document.root(), "JobResponse") else {
        return Err("a document without a JobResponse".to_owned());
    };
    let id = text_of(job, "JobID").unwrap_or_default();
    if id.is_empty() || id.len() > 64 || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
        return Err("a JobResponse without a usable JobID".to_owned());
    }
    let status = clean(&text_of(job, "Status").unwrap_or_default());
    let state = match status.as_str() {
        "COMPLETED_OK" | "COMPLETED_WITH_WARNINGS" | "COMPLETED" => JobState::Done,
        "" | "NOT_STARTED" | "RUNNING" | "CANCEL_PENDING" => JobState::Running,
        "COMPLETED_WITH_ERROR" | "FAILED_TO_START" | "FAILED" => JobState::Failed,
        _ => JobState::Broken,
    };
    let exception = find(job, "ResponseException").and_then(|exception| text_of(exception, "Message"));
    let message = exception.or_else(|| result(job)).map(|text| clean(&text)).unwrap_or_default();
    Ok(JobStatus { id, status, state, message })
}

/// The parameter `result` of the results of a job.
fn result(job: Node<'_, '_>) -> Option<String> {
    let parameters =
        find(job, "Results")?.descendants().filter(|node| node.tag_name().name() == "JobParameter");
    let mut results = parameters.filter(|node| text_of(*node, "ParameterName").as_deref() == Some("result"));
    text_of(results.next()?, "ParameterValue")
}

/// The version of a `ManagementConsole` and its name.
///
/// # Errors
/// What is wrong with the document, in words.
pub fn console(text: &str) -> Result<(String, String), String> {
    let document = document(text)?;
    let Some(console) = find(document.root(), "ManagementConsole") else {
        return Err("a document without a ManagementConsole".to_owned());
    };
    let field = |name| clean(&text_of(console, name).unwrap_or_default());
    Ok((field("BaseVersion"), field("ManagementConsoleName")))
}

/// The words of an `HttpErrorResponse`; whatever else came is told by its size.
#[must_use]
pub fn refusal(text: &str) -> String {
    let said = document(text).ok().and_then(|document| {
        let error = find(document.root(), "HttpErrorResponse")?;
        text_of(error, "Message").or_else(|| text_of(error, "ReasonCode"))
    });
    match said {
        Some(said) => clean(&said),
        None if text.trim().is_empty() => "no message".to_owned(),
        None => format!("{} bytes that are no HMC error", text.len()),
    }
}

/// As text of an element. Control characters, which XML cannot hold, are refused by the caller.
fn escape(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c => out.push(c),
        }
        out
    })
}

/// The body of a Logon (HMC REST API, Logon and Logoff).
#[must_use]
pub fn logon_request(user: &str, password: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <LogonRequest xmlns=\"{NAMESPACE}\" schemaVersion=\"V1_0\"><Metadata><Atom/></Metadata>\
         <UserID kb=\"CUR\" kxe=\"false\">{}</UserID><Password kb=\"CUR\" kxe=\"false\">{}</Password></LogonRequest>",
        escape(user),
        escape(password)
    )
}

/// The body that starts a job (HMC REST API, Jobs).
#[must_use]
pub fn job_request(operation: &str, version: &str, parameters: &[(&str, &str)]) -> String {
    let parameter = |(name, value): &(&str, &str)| {
        format!(
            "<JobParameter schemaVersion=\"V1_0\"><Metadata><Atom/></Metadata>\
             <ParameterName kxe=\"false\" kb=\"ROR\">{}</ParameterName>\
             <ParameterValue kxe=\"false\" kb=\"CUR\">{}</ParameterValue></JobParameter>",
            escape(name),
            escape(value)
        )
    };
    let parameters: String = parameters.iter().map(parameter).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n\
         <JobRequest xmlns=\"{NAMESPACE}\" schemaVersion=\"{version}\"><Metadata><Atom/></Metadata>\
         <RequestedOperation kxe=\"false\" kb=\"CUR\" schemaVersion=\"V1_0\"><Metadata><Atom/></Metadata>\
         <OperationName kxe=\"false\" kb=\"ROR\">{operation}</OperationName>\
         <GroupName kxe=\"false\" kb=\"ROR\">LogicalPartition</GroupName>\
         <ProgressType kxe=\"false\" kb=\"ROR\">DISCRETE</ProgressType></RequestedOperation>\
         <JobParameters kxe=\"false\" kb=\"CUR\" schemaVersion=\"V1_0\"><Metadata><Atom/></Metadata>{parameters}\
         </JobParameters></JobRequest>"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_session_is_put_together_and_checked() {
        let of = |session: &str| {
            super::session(&format!(
                "<LogonResponse xmlns=\"{NAMESPACE}\"><X-API-Session kb=\"ROR\">{session}</X-API-Session></LogonResponse>"
            ))
        };
        assert_eq!(of("\n gDHt\n F9lO_k= \n").unwrap(), "gDHtF9lO_k=");
        for bad in ["", "a\u{e9}b", &"x".repeat(5000)] {
            assert!(of(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn nothing_is_expanded() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><JobResponse><JobID>&b;</JobID></JobResponse>";
        assert!(job(bomb).unwrap_err().contains("not XML"));
        assert!(partition(&" ".repeat(MAX_DOCUMENT + 1)).unwrap_err().contains("2 MiB"));
        let deep = "<a>".repeat(100_000);
        assert!(partition(&deep).is_err());
    }

    #[test]
    fn jobs_end_in_four_ways() {
        let of = |status: &str| {
            let text = format!(
                "<e><J:JobResponse xmlns:J=\"x\"><JobID> 12 </JobID><Status>{status}</Status>\
                <Results><JobParameter><ParameterName>result</ParameterName><ParameterValue>HSCL1\n two</ParameterValue>\
                </JobParameter></Results></J:JobResponse></e>"
            );
            job(&text).unwrap()
        };
        assert_eq!(of("RUNNING").state, JobState::Running);
        assert_eq!(of("COMPLETED_OK").state, JobState::Done);
        assert_eq!(of("FAILED_BEFORE_COMPLETION").state, JobState::Broken);
        let failed = of("COMPLETED_WITH_ERROR");
        assert_eq!(
            (failed.state, failed.id.as_str(), failed.message.as_str()),
            (JobState::Failed, "12", "HSCL1 two")
        );
        assert!(job("<JobResponse><JobID>../x</JobID></JobResponse>").is_err());
    }

    #[test]
    fn what_is_written_is_read_back() {
        let text = logon_request("a<b", "p&\"'>");
        let document = document(&text).unwrap();
        assert_eq!(text_of(document.root(), "UserID").as_deref(), Some("a<b"));
        assert_eq!(text_of(document.root(), "Password").as_deref(), Some("p&\"'>"));
        let text = job_request("PowerOff", "V1_0", &[("immediate", "true")]);
        assert!(super::document(&text).is_ok());
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,400}") {
            let _ = (session(&text), partition(&text), job(&text), console(&text));
            prop_assert!(!refusal(&text).is_empty());
        }

        #[test]
        fn any_text_survives_as_an_element(text in "[ -~äöü€]{0,60}") {
            let request = logon_request(&text, "x");
            let document = document(&request).unwrap();
            prop_assert_eq!(text_of(document.root(), "UserID").unwrap_or_default(), text.trim());
        }
    }
}
