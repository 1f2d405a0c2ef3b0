//! Collections, page by page (DSP0266, "Resource collections").

use crate::client::Client;
use crate::error::Error;
use serde_json::Value;
use std::collections::HashSet;
use std::time::Instant;

/// So many pages of one collection are read.
const MAX_PAGES: usize = 256;
/// So many bytes of one collection are read, pages and members together.
const MAX_BYTES: u64 = 32 << 20;

/// The members of a collection, or the first of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Members {
    /// The resources, in the order of the service.
    pub list: Vec<Value>,
    /// So many there are, as the service counts them.
    pub total: u64,
    /// Why some are missing; `None` when all are there.
    pub missing: Option<String>,
}

impl Client {
    /// Reads the members of a collection, at most so many. Those that the service puts into the collection itself are
    /// not asked for again. It ends at `until`, and at 32 MiB, with what it has.
    ///
    /// # Errors
    /// As [`Error`] lists, for the collection; a member that is gone meanwhile is left out.
    pub async fn collection(&mut self, path: &str, most: usize, until: Instant) -> Result<Members, Error> {
        let mut out = Members::default();
        let before = self.received();
        // The first page is read in any case.
        let over = |client: &Self| {
            if Instant::now() >= until {
                Some("there was no time for the others".to_owned())
            } else if client.received().saturating_sub(before) > MAX_BYTES {
                Some(format!("no more than {} MiB are read", MAX_BYTES >> 20))
            } else {
                None
            }
        };
        let mut left = 0;
        let (mut next, mut seen) = (Some(path.to_owned()), HashSet::new());
        while let Some(page) = next.take() {
            if !seen.insert(page.clone()) || seen.len() > MAX_PAGES {
                out.missing = Some("its pages do not end".to_owned());
                break;
            }
            if seen.len() > 1
                && let Some(why) = over(self)
            {
                (out.missing, left) = (Some(why), 1);
                break;
            }
            let page = self.get(&page).await?;
            if let Some(count) = page.body.get("Members@odata.count").and_then(Value::as_u64) {
                out.total = out.total.max(count);
            }
            let members = page.body.get("Members").and_then(Value::as_array).cloned().unwrap_or_default();
            let count = members.len();
            for (at, member) in members.into_iter().enumerate() {
                if out.list.len() >= most {
                    (out.missing, left) = (Some(format!("no more than {most} are read")), count - at);
                    break;
                }
                // A link alone, or the resource itself.
                let link = member.get("@odata.id").and_then(Value::as_str).map(str::to_owned);
                match link {
                    Some(link) if member.as_object().is_some_and(|m| m.len() == 1) => {
                        if let Some(why) = over(self) {
                            (out.missing, left) = (Some(why), count - at);
                            break;
                        }
                        match self.get(&link).await {
                            Ok(resource) => out.list.push(resource.body),
                            Err(Error::Unsupported { .. }) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    _ => out.list.push(member),
                }
            }
            if out.missing.is_none() {
                let link =
                    page.body.get("Members@odata.nextLink").or_else(|| page.body.get("@odata.nextLink"));
                next = link
                    .and_then(|link| link.as_str().or_else(|| link.get("@odata.id")?.as_str()))
                    .map(str::to_owned);
            }
        }
        // A service that does not count them has at least those that were seen.
        out.total = out.total.max(u64::try_from(out.list.len() + left).unwrap_or(u64::MAX));
        Ok(out)
    }
}
