//! What the service says: messages of the Base registry (DSP8011) in the form of DSP0266, "Error responses".

use super::http::Answer;
use super::profile::Profile;
use serde::Deserialize;
use serde_json::{Value, json};

/// Other words for a refusal.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Words {
    /// Status, when it is another.
    pub status: Option<u16>,
    /// Whole message id, registry included.
    pub id: Option<String>,
    /// Text.
    pub text: Option<String>,
}

/// Key, usual status, text, severity. `%1` and so on are arguments.
const REGISTRY: [(&str, u16, &str, &str); 32] = [
    ("Success", 200, "The request completed successfully.", "OK"),
    ("Created", 201, "The resource was created successfully.", "OK"),
    ("AccountModified", 200, "The account was successfully modified.", "OK"),
    ("AccountRemoved", 200, "The account was successfully removed.", "OK"),
    (
        "GeneralError",
        500,
        "A general error has occurred. See Resolution for information on how to resolve the error, or @Message.ExtendedInfo if Resolution is not provided.",
        "Critical",
    ),
    (
        "MalformedJSON",
        400,
        "The request body submitted was malformed JSON and could not be parsed by the receiving service.",
        "Critical",
    ),
    (
        "EmptyJSON",
        400,
        "The request body submitted contained an empty JSON object and the service is unable to process it.",
        "Warning",
    ),
    ("ActionNotSupported", 400, "The action %1 is not supported by the resource.", "Critical"),
    (
        "ActionParameterMissing",
        400,
        "The action %1 requires the parameter %2 to be present in the request body.",
        "Critical",
    ),
    ("ActionParameterUnknown", 400, "The action %1 was submitted with the invalid parameter %2.", "Warning"),
    (
        "ActionParameterValueNotInList",
        400,
        "The value '%1' for the parameter %2 in the action %3 is not in the list of acceptable values.",
        "Warning",
    ),
    (
        "PropertyUnknown",
        400,
        "The property %1 is not in the list of valid properties for the resource.",
        "Warning",
    ),
    (
        "PropertyNotWritable",
        400,
        "The property %1 is a read-only property and cannot be assigned a value.",
        "Warning",
    ),
    (
        "PropertyMissing",
        400,
        "The property %1 is a required property and must be included in the request.",
        "Warning",
    ),
    (
        "PropertyValueNotInList",
        400,
        "The value '%1' for the property %2 is not in the list of acceptable values.",
        "Warning",
    ),
    (
        "PropertyValueTypeError",
        400,
        "The value '%1' for the property %2 is not a type that the property can accept.",
        "Warning",
    ),
    (
        "PropertyValueFormatError",
        400,
        "The value '%1' for the property %2 is not a format that the property can accept.",
        "Warning",
    ),
    ("ResourceMissingAtURI", 404, "The resource at the URI '%1' was not found.", "Critical"),
    ("OperationNotAllowed", 405, "The HTTP method is not allowed on this resource.", "Critical"),
    (
        "ResourceAlreadyExists",
        400,
        "The requested resource of type %1 with the property %2 with the value '%3' already exists.",
        "Critical",
    ),
    (
        "ResourceCannotBeDeleted",
        403,
        "The delete request failed because the resource requested cannot be deleted.",
        "Critical",
    ),
    (
        "ResourceInUse",
        409,
        "The change to the requested resource failed because the resource is in use or in transition.",
        "Warning",
    ),
    (
        "ResourceInStandby",
        503,
        "The request could not be performed because the resource is in standby.",
        "Critical",
    ),
    (
        "CreateLimitReachedForResource",
        400,
        "The create operation failed because the resource has reached the limit of possible resources.",
        "Critical",
    ),
    (
        "SessionLimitExceeded",
        503,
        "The session establishment failed due to the number of simultaneous sessions exceeding the limit of the implementation.",
        "Critical",
    ),
    (
        "ServiceTemporarilyUnavailable",
        503,
        "The service is temporarily unavailable. Retry in %1 seconds.",
        "Critical",
    ),
    (
        "InsufficientPrivilege",
        403,
        "There are insufficient privileges for the account or credentials associated with the current session to perform the requested operation.",
        "Critical",
    ),
    ("NoValidSession", 401, "There is no valid session established with the implementation.", "Critical"),
    (
        "AccessDenied",
        401,
        "The authentication credentials included with this request are missing or invalid.",
        "Critical",
    ),
    (
        "PreconditionFailed",
        412,
        "The ETag supplied did not match the ETag required to change this resource.",
        "Critical",
    ),
    (
        "PreconditionRequired",
        428,
        "A precondition header or annotation is required to change this resource.",
        "Critical",
    ),
    (
        "InternalError",
        500,
        "The request failed due to an internal service error. The service is still operational.",
        "Critical",
    ),
];

/// A message: key or whole id, with its arguments in the text.
pub(crate) fn message(profile: &Profile, key: &str, arguments: &[&str]) -> Value {
    let (text, severity) = REGISTRY
        .iter()
        .find(|(name, ..)| *name == key)
        .map_or(("", "Critical"), |(_, _, text, severity)| (*text, *severity));
    let words = profile.words.get(key);
    let text = words.and_then(|words| words.text.as_deref()).unwrap_or(text);
    let id =
        words.and_then(|words| words.id.clone()).unwrap_or_else(|| format!("{}.{key}", profile.registry));
    let text = arguments
        .iter()
        .enumerate()
        .fold(text.to_owned(), |text, (n, argument)| text.replace(&format!("%{}", n + 1), argument));
    json!({
        "@odata.type": "#Message.v1_1_2.Message",
        "MessageId": id,
        "Message": text,
        "MessageArgs": arguments,
        "Severity": severity,
        "MessageSeverity": severity,
        "Resolution": "None.",
    })
}

/// The body of an answer that says one thing.
pub(crate) fn body(profile: &Profile, key: &str, arguments: &[&str]) -> Value {
    let said = message(profile, key, arguments);
    json!({ "error": { "code": said["MessageId"], "message": said["Message"], "@Message.ExtendedInfo": [said] } })
}

/// A refusal by its key.
pub(crate) fn refuse(profile: &Profile, key: &str, arguments: &[&str]) -> Answer {
    // What a profile has no words of its own for.
    let key = match key {
        "AlreadyOn" | "AlreadyOff" | "MediaInUse" | "MediaAbsent" if !profile.words.contains_key(key) => {
            "ResourceInUse"
        }
        key => key,
    };
    let usual = REGISTRY.iter().find(|(name, ..)| *name == key).map_or(400, |(_, status, ..)| *status);
    let status = profile.words.get(key).and_then(|words| words.status).unwrap_or(usual);
    Answer::new(status, body(profile, key, arguments))
}
