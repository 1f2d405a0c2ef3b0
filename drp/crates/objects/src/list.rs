//! Lists (wire-protocol §3.5).

/// The answer to a list query.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// `X-DRP-LIST-TOTAL-COUNT`: objects the principal can see.
    pub total: usize,
    /// `X-DRP-LIST-FILTER-COUNT`: objects that matched, before offset and limit.
    pub filtered: usize,
    /// `X-DRP-LIST-COUNT`: objects returned.
    pub count: usize,
    /// The JSON list; empty when the query asked for counts only.
    pub json: Vec<u8>,
}
