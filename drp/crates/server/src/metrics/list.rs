//! All metrics: the table that docs/reference/metrics.md is made of.

/// One family of series.
pub(super) struct Metric {
    pub(super) name: &'static str,
    /// `counter`, `gauge` or `histogram`.
    pub(super) kind: &'static str,
    pub(super) help: &'static str,
    /// For the reference: label names with what bounds their values, a comma between two.
    #[cfg_attr(not(test), allow(dead_code))]
    pub(super) labels: &'static str,
}

macro_rules! metrics {
    ($($id:ident $name:literal $kind:ident $labels:literal $help:literal;)*) => {
        $(pub(super) const $id: &Metric =
            &Metric { name: $name, kind: stringify!($kind), help: $help, labels: $labels };)*
        /// All of them, in the order in which they are shown.
        #[cfg(test)]
        pub(super) const ALL: &[&Metric] = &[$($id),*];
    };
}

metrics! {
    BUILD "drp_build_info" gauge "version" "Always 1; the version is a label";
    READY "drp_ready" gauge "" "1 when the daemon can do its work, as /readyz says";
    UPTIME "drp_uptime_seconds" gauge "" "How long the daemon runs";
    REQUESTS "drp_http_requests_total" counter "route (templates of the OpenAPI document), method (8), status (5 classes)" "Requests answered";
    REQUEST_TIMES "drp_http_request_duration_seconds" histogram "route (templates of the OpenAPI document)" "How long requests took, from the head to the head of the answer";
    IN_FLIGHT "drp_http_requests_in_flight" gauge "" "Requests being served";
    REFUSED "drp_logins_refused_total" counter "reason (none, password, token, limit, plugin)" "Requests that were not let in";
    SOCKETS "drp_event_sockets" gauge "" "WebSockets that are open";
    EVENTS "drp_events_published_total" counter "" "Events published";
    SUBSCRIBERS "drp_event_subscribers" gauge "" "Whoever follows events: sockets, streams, plugins, the daemon itself";
    GAPS "drp_event_gaps_total" counter "" "Times that a subscriber was too slow and lost events";
    LOST "drp_events_lost_total" counter "" "Events lost to subscribers that were too slow";
    OBJECTS "drp_objects" gauge "type (types of objects)" "Objects stored, of all layers";
    STORE_BYTES "drp_store_size_bytes" gauge "" "Size of the store on disk, with its log; 0 in memory";
    STORE_QUEUE "drp_store_queue_batches" gauge "" "Batches waiting for the writer of the store";
    STORE_COMMITS "drp_store_commits_total" counter "" "Batches committed";
    STORE_CONFLICTS "drp_store_conflicts_total" counter "" "Batches refused: something else changed first, or a unique value is taken";
    STORE_FAILURES "drp_store_failures_total" counter "" "Batches that failed for any other reason; watch this";
    STORE_FLUSHES "drp_store_flush_duration_seconds" histogram "" "How long a durable commit took, each of all batches that were waiting";
    PROVIDERS "drp_plugin_providers" gauge "" "Plugin providers that define themselves";
    PROBLEMS "drp_problems" gauge "" "What GET /info shows in errors: providers that do not work";
    PLUGIN_UP "drp_plugin_up" gauge "plugin (instances), provider" "1 when the plugin is configured and takes actions";
    PLUGIN_RESTARTS "drp_plugin_restarts_total" counter "plugin (instances), provider" "Starts after a crash";
    PLUGIN_CALLS "drp_plugin_calls_in_flight" gauge "plugin (instances), provider" "Calls that the plugin works on";
    PLUGIN_EVENTS "drp_plugin_events_dropped_total" counter "plugin (instances), provider" "Events that its queue had no room for";
    PLUGIN_LINES "drp_plugin_lines_dropped_total" counter "plugin (instances), provider" "Lines of its output left out because it wrote too many";
    ACTIONS "drp_actions_total" counter "provider (200), result (ok, refused, failed)" "Actions run: refused is a status of the plugin below 500";
    ACTION_TIMES "drp_action_duration_seconds" histogram "provider (200)" "How long plugins took over actions";
    RENDERS "drp_renders_total" counter "language (nickel, jinja2)" "Texts rendered for callers of /api/v1/render, those with an error included";
    SCHEMA_HITS "drp_schema_cache_hits_total" counter "of (render, extensions)" "Nickel documents whose result was known";
    SCHEMA_MISSES "drp_schema_cache_misses_total" counter "of (render, extensions)" "Nickel documents that were evaluated";
    EXTENSIONS "drp_extensions" gauge "type (provider, taskserv, cluster)" "Registered extensions";
    LOG_LINES "drp_log_lines_total" counter "level (8)" "Log lines of the daemon and its plugins";
    CPU "process_cpu_seconds_total" counter "" "CPU time of the daemon, without its plugins";
    RSS "process_resident_memory_bytes" gauge "" "Memory of the daemon";
    FDS "process_open_fds" gauge "" "Open file descriptors of the daemon";
    MAX_FDS "process_max_fds" gauge "" "Most file descriptors it may open";
    STARTED "process_start_time_seconds" gauge "" "When the daemon started, seconds since 1970";
}

#[cfg(test)]
mod tests {
    use super::ALL;
    use std::path::Path;

    #[test]
    fn the_reference_of_metrics_is_made_of_the_table() {
        let mut text = "# Metrics\n\nPrometheus text format 0.0.4 at `/metrics`: on the API port with credentials and the claim `info get`, and without \
            on the address of `--metrics` (for instance `127.0.0.1:8080`), when it is given. Made of \
            `drp/crates/server/src/metrics/list.rs`; a test scrapes a daemon and finds exactly these.\n\n\
            Labels have few values, whatever clients send; their bound is in parentheses.\n\n\
            | Metric | Kind | Labels | Meaning |\n|---|---|---|---|\n"
            .to_owned();
        for metric in ALL {
            let (name, kind, labels, help) = (metric.name, metric.kind, metric.labels, metric.help);
            text += &format!("| `{name}` | {kind} | {labels} | {help} |\n");
        }
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/metrics.md");
        if std::env::var_os("DRP_BLESS").is_some() {
            std::fs::write(&path, &text).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert_eq!(golden, text, "run DRP_BLESS=1 cargo test -p drp-server metrics");
    }

    #[test]
    fn names_follow_the_conventions() {
        for metric in ALL {
            assert_eq!(metric.name.ends_with("_total"), metric.kind == "counter", "{}", metric.name);
            assert!(!metric.help.is_empty() && !metric.help.contains('\n'), "{}", metric.name);
        }
    }
}
