//! What the BMC and its machine are: one reading each.

use crate::job::Job;
use crate::reading::{Lan, Sel, Sensors, Users};
use crate::{BmcError, Command, Outcome, Part, Reply};
use serde::de::DeserializeOwned;
use serde_json::Value;

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

pub(super) async fn read(job: &mut Job, part: Part) -> Result<Outcome, BmcError> {
    let data = job.part(part).await?;
    job.glance().await;
    let text = match (words(part, &data), data.as_array()) {
        (Some(text), _) => text,
        (None, Some(list)) => format!("{}: {} entries", part.words(), list.len()),
        (None, None) => format!("{}, read", part.words()),
    };
    let mut outcome = job.outcome("", "", true, text);
    outcome.details = Some(data);
    Ok(outcome)
}

/// One sentence about what has one form for every driver.
fn words(part: Part, data: &Value) -> Option<String> {
    fn of<T: DeserializeOwned>(data: &Value, text: fn(&T) -> String) -> Option<String> {
        serde_json::from_value(data.clone()).ok().map(|reading| text(&reading))
    }
    match part {
        Part::Sensors => of(data, Sensors::text),
        Part::Sel => of(data, Sel::text),
        Part::Users => of(data, Users::text),
        Part::Lan => of(data, Lan::text),
        _ => None,
    }
}
