//! What the BMC is.

use crate::job::Job;
use crate::{BmcError, Command, Outcome, Reply};

pub(super) async fn info(job: &mut Job) -> Result<Outcome, BmcError> {
    let info = match job.send(Command::Info).await? {
        Reply::Info(info) => info,
        other => return Err(job.unexpected(Command::Info, &other)),
    };
    job.glance().await;
    let maker = if info.manufacturer.is_empty() {
        format!("manufacturer {}", info.manufacturer_id)
    } else {
        info.manufacturer.clone()
    };
    let text = format!("{maker}, product {}, firmware {}", info.product_id, info.firmware);
    let mut outcome = job.outcome("", &info.firmware, true, text);
    outcome.details = serde_json::to_value(&info).ok();
    Ok(outcome)
}
