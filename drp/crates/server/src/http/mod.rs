//! From bytes to a call and back: requests, answers, who is calling, bodies.

mod auth;
mod body;
mod call;
mod entry;
mod multipart;
mod query;
mod range;
mod reply;

pub(crate) use auth::Pass;
pub(crate) use body::{JSON_LIMIT, OCTETS, Upload, drain};
pub(crate) use call::Call;
pub(crate) use entry::{api, local_api, metrics_alone};
pub(crate) use query::{Query, segments};
pub(crate) use range::file_answer;
pub(crate) use reply::{Answer, Failure, Reply, conflict, method_not_allowed, no_route};
