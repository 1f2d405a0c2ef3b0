//! DELETE `/jobs?…`: many jobs at once.

use super::holds;
use crate::{ListQuery, Objects, Principal, Result};
use drp_protocol::JsonMap;

impl Objects {
    /// Deletes the jobs that match a query, are over and are not what their machine will ask for again, and gives
    /// their keys. `may` says whether the caller may delete the jobs of a machine.
    ///
    /// # Errors
    /// 406 for a filter that makes no sense; the store's.
    pub async fn purge_jobs(
        &self,
        who: &Principal,
        query: &ListQuery,
        may: impl Fn(&str) -> bool + Send,
    ) -> Result<Vec<String>> {
        let listing = self.list(&Principal::system(), "jobs", query)?;
        let jobs: Vec<JsonMap> = serde_json::from_slice(&listing.json).unwrap_or_default();
        let mut gone = Vec::new();
        for job in jobs {
            let field = |name: &str| crate::lifecycle::text(&job, name);
            if !may(field("Machine")) || holds(&self.inner.state, &job).is_some() {
                continue;
            }
            match self.delete(who, "jobs", field("Uuid")).await {
                Ok(_) => gone.push(field("Uuid").to_owned()),
                // It went, or was taken up again, meanwhile.
                Err(error) if matches!(error.code, 404 | 409) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(gone)
    }
}
