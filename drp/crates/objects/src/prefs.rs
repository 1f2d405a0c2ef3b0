//! Preferences (wire-protocol §3.9).

use crate::{Objects, Principal, Result};
use std::collections::BTreeMap;

impl Objects {
    /// All preferences with their defaults. Without `reveal` the two secrets are left out.
    #[must_use]
    pub fn prefs(&self, reveal: bool) -> BTreeMap<String, String> {
        let _ = reveal;
        todo!()
    }

    /// Sets preferences, all or none.
    ///
    /// # Errors
    /// 400 `Unknown Preference X`, `baseTokenSecret: Must be 32 bytes long`, numbers that are none.
    pub async fn set_prefs(&self, who: &Principal, prefs: &BTreeMap<String, String>) -> Result<()> {
        let _ = (who, prefs);
        todo!()
    }
}
