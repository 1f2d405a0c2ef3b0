//! The query string of lists (wire-protocol §3.5).

use crate::Result;

/// A parsed query string: filters and controls.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only count, for HEAD.
    pub head: bool,
    /// Open sealed params. The caller must have checked `getSecure`.
    pub decode: bool,
}

impl ListQuery {
    /// Sorts decoded key-value pairs of a query string into filters and controls. Whether the filters exist is
    /// checked by the list itself.
    ///
    /// # Errors
    /// 406 `Offset not valid: …`, `Limit not valid: …`, `Offset cannot be negative`, `Limit cannot be negative`.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let _ = pairs.into_iter().count();
        todo!()
    }
}
