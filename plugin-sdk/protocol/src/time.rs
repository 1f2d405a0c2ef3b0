//! Timestamps as Go prints them.

use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// An RFC 3339 timestamp with up to nine fractional digits; the zero value is `0001-01-01T00:00:00Z`
/// (wire-protocol §2.1).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct Time(#[cfg_attr(feature = "schema", schemars(extend("format" = "date-time")))] String);

impl Time {
    /// The present moment in UTC.
    #[must_use]
    pub fn now() -> Self {
        Self::from(OffsetDateTime::now_utc())
    }

    /// The text as it travels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Seconds and nanoseconds since the epoch, for sorting and comparing across time zones.
    #[must_use]
    pub fn unix_nanos(&self) -> i128 {
        OffsetDateTime::parse(&self.0, &Rfc3339).map_or(0, OffsetDateTime::unix_timestamp_nanos)
    }
}

impl From<OffsetDateTime> for Time {
    fn from(moment: OffsetDateTime) -> Self {
        moment.format(&Rfc3339).map_or_else(|_| Self::default(), Self)
    }
}

impl Default for Time {
    fn default() -> Self {
        Self("0001-01-01T00:00:00Z".to_owned())
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        OffsetDateTime::parse(&text, &Rfc3339)
            .map_err(|e| serde::de::Error::custom(format_args!("{text:?} is not an RFC 3339 time: {e}")))?;
        Ok(Self(text))
    }
}
