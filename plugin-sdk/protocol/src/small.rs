//! Small answers of the API (wire-protocol §2.2).

use crate::Info;

model! {
    /// How a type can be filtered by one index.
    pub struct Index [] {
        /// Value type in the words clients know, for instance `IP Address`.
        r#type: String = "Type",
        /// At most one object per value.
        unique: bool = "Unique",
        /// Cannot be sorted by.
        unordered: bool = "Unordered",
        /// Takes `Re(…)`.
        regex: bool = "Regex",
    }
}

model! {
    /// The answer of GET `/users/:name/token`.
    pub struct UserToken [] {
        /// Opaque bearer token.
        token: String = "Token",
        /// The daemon that made it.
        info: Info = "Info",
    }
}

model! {
    /// The answer to an upload of a file or ISO image.
    pub struct BlobInfo [] {
        /// Path it was stored at.
        path: String = "Path",
        /// Size in bytes.
        size: i64 = "Size",
    }
}

model! {
    /// The answer to an upload of a plugin provider.
    pub struct PluginProviderUploadInfo [] {
        /// Name of the provider.
        path: String = "path",
        /// Size in bytes.
        size: i64 = "size",
    }
}

model! {
    /// The body of PUT `/users/:name/password`.
    pub struct UserPassword [] {
        /// The new password.
        password: String = "Password",
    }
}
