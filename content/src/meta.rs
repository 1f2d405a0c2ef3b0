//! The meta of a bundle: defaults, trimming and what follows from the type.

use crate::ContentError;
use drp_protocol::BundleMeta;
use serde_json::Value;

/// Trims all text except `Documentation`, fills in what a bundle without meta is called, and derives `Type`,
/// `Writable` and `Overwritable` (wire-protocol §2.5).
pub fn settle(meta: &mut BundleMeta) {
    let BundleMeta {
        name,
        version,
        description,
        source,
        documentation: _,
        required_features,
        prerequisites,
        color,
        icon,
        author,
        display_name,
        license,
        copyright,
        code_source,
        order,
        tags,
        doc_url,
        r#type,
        writable,
        overwritable,
    } = meta;
    let texts = [
        &mut *name,
        &mut *version,
        description,
        source,
        required_features,
        prerequisites,
        color,
        icon,
        author,
        display_name,
        license,
        copyright,
        code_source,
        order,
        tags,
        doc_url,
        &mut *r#type,
    ];
    for text in texts {
        if text.trim().len() != text.len() {
            *text = text.trim().to_owned();
        }
    }
    let default = |text: &mut String, value: &str| {
        if text.is_empty() {
            value.clone_into(text);
        }
    };
    match name.as_str() {
        "BackingStore" => "writable".clone_into(r#type),
        "LocalStore" => "local".clone_into(r#type),
        "BasicStore" => "basic".clone_into(r#type),
        "DefaultStore" => "default".clone_into(r#type),
        _ => default(r#type, "dynamic"),
    }
    default(name, "Unspecified");
    default(version, "v0.0.0");
    // Whatever the bundle says of itself: they follow from its name and type.
    *writable = name == "BackingStore";
    *overwritable = matches!(name.as_str(), "LocalStore" | "BasicStore") || r#type == "default";
}

/// Sets one field by its JSON name, in any case.
///
/// # Errors
/// [`ContentError::Text`] when there is no such field, or the value is none for it.
pub fn set_field(meta: &mut BundleMeta, field: &str, text: &str) -> Result<(), ContentError> {
    let wrong = |problem: String| ContentError::text("meta", None, problem);
    match set(meta, field, text) {
        Ok(true) => Ok(()),
        Ok(false) => {
            Err(wrong(format!("bundles have no field {field}; there are {}", BundleMeta::FIELDS.join(", "))))
        }
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// Sets one field by its JSON name, in any case. `false` when there is no such field.
pub(crate) fn set(meta: &mut BundleMeta, field: &str, text: &str) -> Result<bool, serde_json::Error> {
    let Some(exact) = BundleMeta::FIELDS.iter().find(|f| f.eq_ignore_ascii_case(field)) else {
        return Ok(false);
    };
    let value = match text {
        "true" | "false" if matches!(*exact, "Writable" | "Overwritable") => (text == "true").into(),
        text => Value::from(text),
    };
    let mut all = serde_json::to_value(&*meta)?;
    if let Value::Object(map) = &mut all {
        map.insert((*exact).to_owned(), value);
    }
    *meta = serde_json::from_value(all)?;
    Ok(true)
}

/// The fields that say something, as text.
pub(crate) fn stated(meta: &BundleMeta) -> Result<Vec<(String, String)>, ContentError> {
    let all = serde_json::to_value(meta).map_err(|e| ContentError::text("meta", None, e.to_string()))?;
    let fields = all.as_object().into_iter().flatten().filter_map(|(name, value)| match value {
        Value::String(text) if !text.is_empty() => Some((name.clone(), text.clone())),
        Value::Bool(true) => Some((name.clone(), "true".to_owned())),
        _ => None,
    });
    Ok(fields.collect())
}

#[cfg(test)]
mod tests {
    use super::settle;
    use drp_protocol::BundleMeta;

    #[test]
    fn text_is_trimmed_except_documentation() {
        let mut meta = BundleMeta {
            name: " lamps\n".to_owned(),
            documentation: "  as written \n".to_owned(),
            ..BundleMeta::default()
        };
        settle(&mut meta);
        assert_eq!(
            (meta.name.as_str(), meta.version.as_str(), meta.r#type.as_str()),
            ("lamps", "v0.0.0", "dynamic")
        );
        assert_eq!(meta.documentation, "  as written \n");
    }

    #[test]
    fn the_type_follows_from_the_name() {
        for (name, kind, writable, overwritable) in [
            ("BackingStore", "writable", true, false),
            ("LocalStore", "local", false, true),
            ("BasicStore", "basic", false, true),
            ("DefaultStore", "default", false, true),
            ("", "dynamic", false, false),
        ] {
            let mut meta = BundleMeta { name: name.to_owned(), ..BundleMeta::default() };
            settle(&mut meta);
            assert_eq!(
                (meta.r#type.as_str(), meta.writable, meta.overwritable),
                (kind, writable, overwritable),
                "{name}"
            );
        }
        let mut meta = BundleMeta {
            name: "lamps".to_owned(),
            r#type: "default".to_owned(),
            writable: true,
            ..BundleMeta::default()
        };
        settle(&mut meta);
        assert_eq!((meta.r#type.as_str(), meta.writable, meta.overwritable), ("default", false, true));
    }
}
