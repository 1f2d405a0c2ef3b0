//! The calls, one function each.

use super::transport::clean;
use super::{Device, Metal, MetalError, NewDevice};
use reqwest::Method;
use serde_json::{Value, json};

/// Per page of a listing; the API gives no more.
const PER_PAGE: usize = 100;
/// So many pages are read of one listing: 100,000 devices.
const MAX_PAGES: usize = 1000;

impl Metal {
    /// Ids of all projects that the key may see.
    pub(crate) async fn projects(&self) -> Result<Vec<String>, MetalError> {
        let parse = |item: &Value| item.get("id").and_then(Value::as_str).map(str::to_owned);
        self.all(&["projects"], "projects", &[], parse).await
    }

    /// All devices of a project.
    pub(crate) async fn devices(&self, project: &str) -> Result<Vec<Device>, MetalError> {
        self.all(&["projects", project, "devices"], "devices", &[], Device::parse).await
    }

    /// The devices of a project that have a tag. A service that knows no filter is filtered here.
    pub(crate) async fn tagged(&self, project: &str, tag: &str) -> Result<Vec<Device>, MetalError> {
        let path = ["projects", project, "devices"];
        let mut found = self.all(&path, "devices", &[("tag", tag)], Device::parse).await?;
        found.retain(|device| device.tags.iter().any(|t| t == tag));
        Ok(found)
    }

    /// One device.
    pub(crate) async fn device(&self, id: &str) -> Result<Device, MetalError> {
        let body = self.call(Method::GET, &["devices", id], &[], None).await?;
        device("GET", id, body.as_ref(), false)
    }

    /// Orders a device. It is `queued` then.
    pub(crate) async fn create(&self, project: &str, new: &NewDevice) -> Result<Device, MetalError> {
        let body = self.call(Method::POST, &["projects", project, "devices"], &[], Some(&new.body())).await?;
        device("POST", "a new device", body.as_ref(), true)
    }

    /// `power_on`, `power_off` or `reboot`: taken, not done, when this returns.
    pub(crate) async fn act(&self, id: &str, kind: &str) -> Result<(), MetalError> {
        let body = json!({ "type": kind });
        self.call(Method::POST, &["devices", id, "actions"], &[], Some(&body)).await.map(drop)
    }

    /// Changes fields of a device.
    pub(crate) async fn update(&self, id: &str, fields: &Value) -> Result<(), MetalError> {
        self.call(Method::PUT, &["devices", id], &[], Some(fields)).await.map(drop)
    }

    /// Gives a device back.
    pub(crate) async fn delete(&self, id: &str) -> Result<(), MetalError> {
        self.call(Method::DELETE, &["devices", id], &[], None).await.map(drop)
    }

    /// What the service says happened last to a device, newest first; only for texts.
    pub(crate) async fn last_events(&self, id: &str) -> Result<Vec<String>, MetalError> {
        let query = [("per_page", "5")];
        let body =
            self.call(Method::GET, &["devices", id, "events"], &query, None).await?.unwrap_or_default();
        let list = body.get("events").and_then(Value::as_array).cloned().unwrap_or_default();
        let texts = list.iter().filter_map(|event| event.get("body")?.as_str()).map(clean);
        Ok(texts.filter(|text| !text.is_empty()).take(5).collect())
    }

    /// All pages of a listing, or an error: half a listing is none.
    async fn all<T>(
        &self,
        path: &[&str],
        field: &str,
        filter: &[(&str, &str)],
        parse: impl Fn(&Value) -> Option<T>,
    ) -> Result<Vec<T>, MetalError> {
        let request = format!("GET /{}", path.join("/"));
        let wrong = |what: String| MetalError::Protocol { request: request.clone(), what, maybe_done: false };
        let mut items = Vec::new();
        let per_page = PER_PAGE.to_string();
        for page in 1..=MAX_PAGES {
            let number = page.to_string();
            let mut query = vec![("page", number.as_str()), ("per_page", per_page.as_str())];
            query.extend_from_slice(filter);
            let body = self.call(Method::GET, path, &query, None).await?.unwrap_or_default();
            let list = body.get(field).and_then(Value::as_array);
            let list = list.ok_or_else(|| wrong(format!("a listing without `{field}`")))?;
            for item in list {
                items.push(
                    parse(item).ok_or_else(|| wrong(format!("an item of `{field}` without id or state")))?,
                );
            }
            // The link to the next page says that there is one; its address is not followed, since it could lead elsewhere.
            let meta = body.get("meta").unwrap_or(&Value::Null);
            let more = meta.get("next").is_some_and(|next| !next.is_null())
                || meta.get("last_page").and_then(Value::as_u64).is_some_and(|last| last > page as u64);
            if !more {
                return Ok(items);
            }
            if list.is_empty() {
                return Err(wrong(format!("page {page} is empty and says that there are more")));
            }
        }
        Err(wrong(format!("more than {MAX_PAGES} pages")))
    }
}

fn device(method: &str, id: &str, body: Option<&Value>, changes: bool) -> Result<Device, MetalError> {
    body.and_then(Device::parse).ok_or_else(|| MetalError::Protocol {
        request: format!("{method} {id}"),
        what: "an answer that is no device".to_owned(),
        maybe_done: changes,
    })
}
