//! Objects of any type (wire-protocol §3.4, §3.5).

use crate::path::join;
use crate::transport::{API, Client, decode};
use crate::{ClientError, Patch, Query};
use drp_protocol::Index;
use reqwest::header::{ETAG, HeaderMap, IF_NONE_MATCH};
use reqwest::{Method, Response, StatusCode};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many objects a list has, as its headers say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects of the type that the caller may see.
    pub total: Option<u64>,
    /// Objects that passed the filters, before offset and limit.
    pub matched: Option<u64>,
    /// Objects in this answer.
    pub returned: Option<u64>,
}

impl Counts {
    fn of(headers: &HeaderMap) -> Self {
        let read = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse().ok();
        Self {
            total: read("X-DRP-LIST-TOTAL-COUNT"),
            matched: read("X-DRP-LIST-FILTER-COUNT"),
            returned: read("X-DRP-LIST-COUNT"),
        }
    }
}

/// When an object is to be answered (wire-protocol §3.6).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Poll {
    /// Only when its tag is another one.
    pub etag: Option<String>,
    /// How long the daemon may wait for that, in whole seconds; it caps this at ten minutes.
    pub wait: Option<Duration>,
}

/// A list and its counts.
#[derive(Debug, Clone, PartialEq)]
pub struct List<T> {
    /// The objects.
    pub items: Vec<T>,
    /// How many there are.
    pub counts: Counts,
}

fn list_path(prefix: &str, query: &Query) -> Result<String, ClientError> {
    let mut path = join(API, &[prefix])?;
    query.append_to(&mut path);
    Ok(path)
}

impl Client {
    /// The objects of a type. `T` is a model of `drp-protocol` or [`serde_json::Value`].
    ///
    /// # Errors
    /// 406 for an unknown filter, and every [`ClientError`].
    pub async fn list<T: DeserializeOwned>(
        &self,
        prefix: &str,
        query: &Query,
    ) -> Result<List<T>, ClientError> {
        let path = list_path(prefix, query)?;
        let response = self.respond(Method::GET, &path, None).await?;
        let counts = Counts::of(response.headers());
        let body = self.body(response, &path).await?;
        let items: Option<Vec<T>> = decode(&Method::GET, &path, &body)?;
        Ok(List { items: items.unwrap_or_default(), counts })
    }

    /// The objects of a type as the JSON text that the daemon sent, for those who only pass it on.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn list_text(&self, prefix: &str, query: &Query) -> Result<bytes::Bytes, ClientError> {
        let path = list_path(prefix, query)?;
        let response = self.respond(Method::GET, &path, None).await?;
        self.body(response, &path).await
    }

    /// How many objects a list would have, without the list.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn count(&self, prefix: &str, query: &Query) -> Result<Counts, ClientError> {
        let path = list_path(prefix, query)?;
        Ok(Counts::of(self.respond(Method::HEAD, &path, None).await?.headers()))
    }

    /// One object. The id is its key or `Index:value`, for instance `Name:m1`.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn get<T: DeserializeOwned>(&self, prefix: &str, id: &str) -> Result<T, ClientError> {
        self.get_json(&join(API, &[prefix, id])?).await
    }

    /// One object with controls, for instance [`Query::decode`].
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn get_with<T: DeserializeOwned>(
        &self,
        prefix: &str,
        id: &str,
        query: &Query,
    ) -> Result<T, ClientError> {
        let mut path = join(API, &[prefix, id])?;
        query.append_to(&mut path);
        self.get_json(&path).await
    }

    /// One object and its tag, or nothing when it did not change.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn get_changed<T: DeserializeOwned>(
        &self,
        prefix: &str,
        id: &str,
        query: &Query,
        poll: &Poll,
    ) -> Result<Option<(T, Option<String>)>, ClientError> {
        let mut path = join(API, &[prefix, id])?;
        query.append_to(&mut path);
        let Some((response, tag)) = self.poll(Method::GET, &path, poll).await? else { return Ok(None) };
        let body = self.body(response, &path).await?;
        Ok(Some((decode(&Method::GET, &path, &body)?, tag)))
    }

    /// The tag of an object, or nothing when it did not change. A daemon without tags gives an empty one.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn tag(&self, prefix: &str, id: &str, poll: &Poll) -> Result<Option<String>, ClientError> {
        let path = join(API, &[prefix, id])?;
        let answer = self.poll(Method::HEAD, &path, poll).await?;
        Ok(answer.map(|(_, tag)| tag.unwrap_or_default()))
    }

    async fn poll(
        &self,
        method: Method,
        path: &str,
        poll: &Poll,
    ) -> Result<Option<(Response, Option<String>)>, ClientError> {
        let token = self.authorise().await?;
        let mut request = self.request(method.clone(), path);
        if let Some(tag) = &poll.etag {
            request = request.header(IF_NONE_MATCH, tag);
        }
        if let Some(wait) = poll.wait {
            request = request.header("Prefer", format!("wait={}", wait.as_secs().max(1)));
        }
        let what = format!("{method} {path}");
        let within = self.0.timeout + poll.wait.unwrap_or_default();
        let response = tokio::time::timeout(within, self.credit(request, token.as_ref()).send())
            .await
            .map_err(|_| ClientError::Timeout { endpoint: self.endpoint(), what: what.clone() })?
            .map_err(|e| self.failure(&e, &what))?;
        let response = self.judge(&method, path, response).await?;
        if response.status() == StatusCode::NOT_MODIFIED {
            return Ok(None);
        }
        let tag = response.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        Ok(Some((response, tag)))
    }

    /// Whether an object exists.
    ///
    /// # Errors
    /// Every [`ClientError`] but 404.
    pub async fn exists(&self, prefix: &str, id: &str) -> Result<bool, ClientError> {
        match self.respond(Method::HEAD, &join(API, &[prefix, id])?, None).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Makes an object and gives it as it is stored.
    ///
    /// # Errors
    /// 409 when it exists, 422 when it is not valid.
    pub async fn create<T: DeserializeOwned>(
        &self,
        prefix: &str,
        object: &(impl Serialize + ?Sized),
    ) -> Result<T, ClientError> {
        self.send_json(Method::POST, &join(API, &[prefix])?, object).await
    }

    /// Replaces an object; `force` as in [`patch`](Self::patch).
    ///
    /// # Errors
    /// 404 when it does not exist, 422 when it is not valid.
    pub async fn put<T: DeserializeOwned>(
        &self,
        prefix: &str,
        id: &str,
        object: &(impl Serialize + ?Sized),
        force: bool,
    ) -> Result<T, ClientError> {
        let mut path = join(API, &[prefix, id])?;
        if force {
            path.push_str("?force=true");
        }
        self.send_json(Method::PUT, &path, object).await
    }

    /// Changes an object; `force` allows the changes a type otherwise refuses (stage and boot environment of
    /// a machine).
    ///
    /// # Errors
    /// 404 when it does not exist, 409 when a test of the patch fails, 422 when the result is not valid.
    pub async fn patch<T: DeserializeOwned>(
        &self,
        prefix: &str,
        id: &str,
        patch: &Patch,
        force: bool,
    ) -> Result<T, ClientError> {
        let mut path = join(API, &[prefix, id])?;
        if force {
            path.push_str("?force=true");
        }
        self.send_json(Method::PATCH, &path, patch).await
    }

    /// Deletes an object and gives what it was; `null` for types that answer nothing.
    ///
    /// # Errors
    /// 404 when it does not exist, 409 when others still use it.
    pub async fn delete(&self, prefix: &str, id: &str) -> Result<serde_json::Value, ClientError> {
        self.raw("DELETE", &join(API, &[prefix, id])?, None).await
    }

    /// The indexes of a type by name.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn indexes(&self, prefix: &str) -> Result<BTreeMap<String, Index>, ClientError> {
        self.get_json(&join(API, &["indexes", prefix])?).await
    }

    /// The annotations of an object.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn meta(&self, prefix: &str, id: &str) -> Result<BTreeMap<String, String>, ClientError> {
        self.get_json(&join(API, &["meta", prefix, id])?).await
    }

    /// Changes the annotations of an object.
    ///
    /// # Errors
    /// 404 when it does not exist, 409 when a test of the patch fails.
    pub async fn patch_meta(
        &self,
        prefix: &str,
        id: &str,
        patch: &Patch,
    ) -> Result<BTreeMap<String, String>, ClientError> {
        self.send_json(Method::PATCH, &join(API, &["meta", prefix, id])?, patch).await
    }

    pub(crate) async fn body(&self, response: Response, path: &str) -> Result<bytes::Bytes, ClientError> {
        let what = format!("GET {path}");
        tokio::time::timeout(self.0.timeout, self.collect(response, &what))
            .await
            .map_err(|_| ClientError::Timeout { endpoint: self.endpoint(), what })?
    }
}
