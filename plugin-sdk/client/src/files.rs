//! Files and ISO images (wire-protocol §3.9).

use crate::ClientError;
use crate::path::join;
use crate::providers::Download;
use crate::query::Query;
use crate::transport::{API, Client};
use drp_protocol::BlobInfo;
use reqwest::Method;
use tokio::io::AsyncRead;

impl Client {
    /// The names in a directory of `kind` (`files` or `isos`); directories end in `/`.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn files(&self, kind: &str, directory: &str) -> Result<Vec<String>, ClientError> {
        let mut path = join(API, &[kind])?;
        Query::new().with("path", directory).append_to(&mut path);
        Ok(self.get_json::<Option<_>>(&path).await?.unwrap_or_default())
    }

    /// The names in a directory and in all directories below it.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn files_below(&self, kind: &str, directory: &str) -> Result<Vec<String>, ClientError> {
        let mut path = join(API, &[kind])?;
        Query::new().with("path", directory).with("all", "true").append_to(&mut path);
        Ok(self.get_json::<Option<_>>(&path).await?.unwrap_or_default())
    }

    /// The size in bytes and the SHA-256 checksum (hexadecimal) of a file, as far as the daemon tells them.
    ///
    /// # Errors
    /// 404 when it is not a file.
    pub async fn file_info(
        &self,
        kind: &str,
        name: &str,
    ) -> Result<(Option<u64>, Option<String>), ClientError> {
        let path = join(API, &[kind, name.trim_start_matches('/')])?;
        let response = self.respond(Method::HEAD, &path, None).await?;
        let header = |name: &str| response.headers().get(name)?.to_str().ok();
        let length = header("content-length").and_then(|n| n.parse().ok());
        Ok((length, header("X-DRP-SHA256SUM").map(str::to_owned)))
    }

    /// Downloads a file from an offset in bytes on. [`Download::begins`] says whether the daemon did so.
    ///
    /// # Errors
    /// 404 when it is not a file, 416 when it is shorter.
    pub async fn file_from(&self, kind: &str, name: &str, offset: u64) -> Result<Download, ClientError> {
        self.download_from(&join(API, &[kind, name.trim_start_matches('/')])?, offset).await
    }

    /// Downloads a file.
    ///
    /// # Errors
    /// 404 when it is not a file.
    pub async fn file(&self, kind: &str, name: &str) -> Result<Download, ClientError> {
        self.download(&join(API, &[kind, name.trim_start_matches('/')])?).await
    }

    /// Uploads a file, whose length in bytes may be unknown; `explode` unpacks an archive where it lands.
    ///
    /// # Errors
    /// 409 when its directory cannot be made.
    pub async fn upload_file(
        &self,
        kind: &str,
        name: &str,
        content: impl AsyncRead + Send + Sync + 'static,
        length: Option<u64>,
        explode: bool,
    ) -> Result<BlobInfo, ClientError> {
        let mut path = join(API, &[kind, name.trim_start_matches('/')])?;
        if explode {
            path.push_str("?explode=true");
        }
        self.upload(&path, content, length).await
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub async fn delete_file(&self, kind: &str, name: &str) -> Result<(), ClientError> {
        self.raw("DELETE", &join(API, &[kind, name.trim_start_matches('/')])?, None).await.map(drop)
    }
}
