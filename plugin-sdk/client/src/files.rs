//! Files and ISO images (wire-protocol §3.9).

use crate::ClientError;
use crate::path::join;
use crate::providers::Download;
use crate::query::Query;
use crate::transport::{API, Client};
use drp_protocol::BlobInfo;
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

    /// Downloads a file.
    ///
    /// # Errors
    /// 404 when it is not a file.
    pub async fn file(&self, kind: &str, name: &str) -> Result<Download, ClientError> {
        self.download(&join(API, &[kind, name.trim_start_matches('/')])?).await
    }

    /// Uploads a file; `explode` unpacks an archive where it lands.
    ///
    /// # Errors
    /// 409 when its directory cannot be made.
    pub async fn upload_file(
        &self,
        kind: &str,
        name: &str,
        content: impl AsyncRead + Send + Sync + 'static,
        explode: bool,
    ) -> Result<BlobInfo, ClientError> {
        let mut path = join(API, &[kind, name.trim_start_matches('/')])?;
        if explode {
            path.push_str("?explode=true");
        }
        self.upload(&path, content, None).await
    }

    /// Deletes a file.
    ///
    /// # Errors
    /// 404 when it is not there.
    pub async fn delete_file(&self, kind: &str, name: &str) -> Result<(), ClientError> {
        self.raw("DELETE", &join(API, &[kind, name.trim_start_matches('/')])?, None).await.map(drop)
    }
}
