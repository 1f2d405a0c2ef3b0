//! What a fault makes of a request and of its answer.

use super::http::{Answer, Delivery, Outcome};
use super::message::{body, refuse};
use super::profile::Profile;
use crate::fault::Effect;
use serde_json::{Value, json};
use std::time::Duration;

/// Longest padding.
const MAX_PADDING: usize = 64 << 20;

/// The answer of a request that is not carried out because of the fault.
pub(crate) fn instead(p: &Profile, effect: Option<&Effect>) -> Option<Answer> {
    let retry = |answer: Answer, after: Option<u32>| match after {
        Some(seconds) => answer.header("retry-after", seconds.to_string()),
        None => answer,
    };
    Some(match effect? {
        Effect::LoseRequest | Effect::Silent => Answer::empty(500),
        Effect::Busy { retry_after } => {
            let seconds = retry_after.unwrap_or(1).to_string();
            retry(refuse(p, "ServiceTemporarilyUnavailable", &[&seconds]), *retry_after)
        }
        Effect::Exhausted => refuse(p, "SessionLimitExceeded", &[]),
        Effect::Unauthorized => refuse(p, "AccessDenied", &[]),
        Effect::WrongState => refuse(p, "ResourceInUse", &[]),
        Effect::Http { status, message, retry_after } => {
            let answer = match message {
                Some(key) => Answer::new(*status, body(p, key, &[])),
                None => Answer::empty(*status),
            };
            retry(answer, *retry_after)
        }
        _ => return None,
    })
}

/// Turns an answer into what goes over the wire; and whether it is an answer at all.
pub(crate) fn deliver(answer: Answer, effect: Option<&Effect>, latency: Duration) -> (Outcome, bool) {
    let mut after = latency;
    let mut answer = answer;
    match effect {
        Some(Effect::LoseRequest | Effect::LoseReply) => {
            return (Outcome { after, delivery: Delivery::Cut }, false);
        }
        Some(Effect::Silent | Effect::SilentAfter) => {
            return (Outcome { after, delivery: Delivery::Silence }, false);
        }
        Some(Effect::Late { ms }) => after += Duration::from_millis(*ms),
        Some(Effect::NoContent) => {
            answer = Answer { status: 204, body: None, ..answer };
        }
        Some(Effect::Without { properties }) => {
            if let Some(Value::Object(map)) = &mut answer.body {
                map.retain(|name, _| !properties.contains(name));
            }
        }
        Some(Effect::OddTypes) => {
            if let Some(body) = &mut answer.body {
                other_types(body);
            }
        }
        Some(Effect::Huge { bytes }) => {
            let mut body = answer.body.take().unwrap_or_else(|| json!({}));
            body["Padding"] = Value::String("x".repeat((*bytes).min(MAX_PADDING)));
            answer.body = Some(body);
            // 204 has no body.
            answer.status = if answer.status == 204 { 200 } else { answer.status };
        }
        _ => {}
    }
    let mut bytes = answer.body.as_ref().map(|body| body.to_string().into_bytes()).unwrap_or_default();
    let mut status = answer.status;
    let mut announced = None;
    // These need a body to be seen.
    let some = |bytes: &mut Vec<u8>, status: &mut u16| {
        if bytes.is_empty() {
            *bytes = b"{\"@Message.ExtendedInfo\": [{\"MessageId\": \"Base.1.18.Success\"}]}".to_vec();
        }
        if matches!(*status, 204 | 304) {
            *status = 200;
        }
    };
    match effect {
        Some(Effect::Garbage) => {
            bytes = b"\x00\xff<html>{]\xc3\x28 502 Bad Gateway".to_vec();
            status = 200;
        }
        Some(Effect::Short { len }) => {
            some(&mut bytes, &mut status);
            bytes.truncate((*len).min(bytes.len().saturating_sub(1)));
        }
        Some(Effect::Trailing { len }) => {
            some(&mut bytes, &mut status);
            bytes.extend(std::iter::repeat_n(b'}', (*len).min(MAX_PADDING)));
        }
        Some(Effect::Half) => {
            some(&mut bytes, &mut status);
            announced = Some(bytes.len());
            bytes.truncate(bytes.len() / 2);
        }
        _ => {}
    }
    let delivery = Delivery::Answer { status, headers: answer.headers, body: bytes, announced };
    (Outcome { after, delivery }, true)
}

/// Texts become numbers, numbers texts, truth values lists. Links stay, so that one gets to the other resources.
fn other_types(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if name != "@odata.id" && name != "target" {
                    other_types(value);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(other_types),
        Value::String(text) => *value = json!(text.len()),
        Value::Number(number) => *value = json!(number.to_string()),
        Value::Bool(truth) => *value = json!([*truth]),
        Value::Null => *value = json!({}),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent(effect: &Effect) -> (u16, Vec<u8>, Option<usize>) {
        let answer = Answer::new(200, json!({"Id": "1", "Actions": {}, "n": 1}));
        match deliver(answer, Some(effect), Duration::ZERO).0.delivery {
            Delivery::Answer { status, body, announced, .. } => (status, body, announced),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn each_fault_spoils_the_answer_in_its_way() {
        assert!(serde_json::from_slice::<Value>(&sent(&Effect::Garbage).1).is_err());
        assert!(serde_json::from_slice::<Value>(&sent(&Effect::Short { len: 9 }).1).is_err());
        assert!(serde_json::from_slice::<Value>(&sent(&Effect::Trailing { len: 1 }).1).is_err());
        let (_, half, announced) = sent(&Effect::Half);
        assert!(announced.unwrap() > half.len());
        assert_eq!(sent(&Effect::NoContent), (204, Vec::new(), None));
        let without = sent(&Effect::Without { properties: vec!["Actions".into()] }).1;
        assert_eq!(serde_json::from_slice::<Value>(&without).unwrap(), json!({"Id": "1", "n": 1}));
        let odd: Value = serde_json::from_slice(&sent(&Effect::OddTypes).1).unwrap();
        assert_eq!(odd, json!({"Id": 1, "Actions": {}, "n": "1"}));
        assert!(sent(&Effect::Huge { bytes: 5000 }).1.len() > 5000);
    }

    #[test]
    fn lost_and_silent_are_no_answers() {
        for effect in [Effect::LoseReply, Effect::LoseRequest, Effect::Silent, Effect::SilentAfter] {
            let (_, answered) = deliver(Answer::empty(204), Some(&effect), Duration::ZERO);
            assert!(!answered, "{effect:?}");
        }
        assert!(instead(&Profile::default(), Some(&Effect::LoseReply)).is_none());
        let busy = instead(&Profile::default(), Some(&Effect::Busy { retry_after: Some(3) })).unwrap();
        assert_eq!((busy.status, busy.headers), (503, vec![("retry-after", "3".to_owned())]));
    }
}
