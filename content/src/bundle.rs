//! A bundle as one text.

use crate::{ContentError, kinds, meta, text};
use drp_protocol::{Bundle, BundleMeta, BundleSummary, JsonMap};
use serde_json::{Value, json};

/// Reads a bundle from JSON or YAML text. Field names are taken in any case, meta text is trimmed, absent meta
/// is filled in (see [`settle`](crate::settle)). `name` is what errors call the text, usually its file.
///
/// # Errors
/// [`ContentError::Text`] with the name and, for syntax, the line.
pub fn parse(name: &str, text: &str) -> Result<Bundle, ContentError> {
    let wrong = |problem: String| ContentError::text(name, None, problem);
    let value = text::read(name, text)?;
    let Value::Object(fields) = value else {
        return Err(wrong("a bundle is an object with meta and sections".into()));
    };
    if let Some(field) =
        fields.keys().find(|k| !["meta", "sections"].iter().any(|f| k.eq_ignore_ascii_case(f)))
    {
        return Err(wrong(format!("a bundle has meta and sections, not {field}")));
    }
    let mut bundle: Bundle =
        serde_json::from_value(Value::Object(fields)).map_err(|e| wrong(e.to_string()))?;
    meta::settle(&mut bundle.meta);
    for (prefix, objects) in &mut bundle.sections {
        for (key, object) in objects {
            let place = |problem: String| wrong(format!("sections.{prefix}.{key}: {problem}"));
            let mut settled = kinds::settle(prefix, std::mem::take(object)).map_err(place)?;
            match kinds::key(prefix, &settled) {
                Some(said) if said != key => {
                    let field = kinds::key_field(prefix);
                    return Err(place(format!("its {field} is {said}")));
                }
                Some(_) => {}
                None => drop(settled.insert(kinds::key_field(prefix).to_owned(), key.as_str().into())),
            }
            *object = settled;
        }
    }
    Ok(bundle)
}

/// The bundle as JSON indented by two spaces, without meta fields that say nothing.
///
/// # Errors
/// None in practice: only a map with odd keys cannot be written.
pub fn to_json(bundle: &Bundle) -> Result<String, ContentError> {
    text::Format::Json.write("bundle", &lean(bundle)?)
}

/// The bundle as YAML, without meta fields that say nothing.
///
/// # Errors
/// As [`to_json`].
pub fn to_yaml(bundle: &Bundle) -> Result<String, ContentError> {
    text::Format::Yaml.write("bundle", &lean(bundle)?)
}

pub(crate) fn lean(bundle: &Bundle) -> Result<Value, ContentError> {
    Ok(json!({ "meta": lean_meta(&bundle.meta)?, "sections": bundle.sections }))
}

fn lean_meta(meta: &BundleMeta) -> Result<JsonMap, ContentError> {
    let switch = |field: &str| matches!(field, "Writable" | "Overwritable");
    let value = |(field, text): (String, String)| {
        let value = if switch(&field) { true.into() } else { text.into() };
        (field, value)
    };
    Ok(meta::stated(meta)?.into_iter().map(value).collect())
}

/// What the API tells about an installed bundle.
#[must_use]
pub fn summary(bundle: &Bundle) -> BundleSummary {
    let count = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
    BundleSummary {
        meta: bundle.meta.clone(),
        counts: bundle
            .sections
            .iter()
            .map(|(prefix, objects)| (prefix.clone(), count(objects.len())))
            .collect(),
        warnings: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{parse, summary, to_json, to_yaml};

    const LAMPS: &str = r#"
meta: {name: " lamps ", VERSION: v1.0.0, Description: Lamp bits, Prerequisites: "lamp: >=1.0.0"}
sections:
  params:   {lamp/id: {name: lamp/id, SECURE: true, schema: {type: integer}}}
  profiles: {hall: {Name: hall, Params: {lamp/id: 4}}}
  lamps:    {l1: {colour: red}}
"#;

    #[test]
    fn texts_come_back() {
        let bundle = parse("lamps.yaml", LAMPS).unwrap();
        assert_eq!(bundle.meta.name, "lamps");
        assert_eq!(bundle.sections["params"]["lamp/id"]["Secure"], true);
        assert_eq!(bundle.sections["lamps"]["l1"]["Id"], "l1", "the key is filled in");
        assert_eq!(parse("x", &to_json(&bundle).unwrap()).unwrap(), bundle);
        assert_eq!(parse("x", &to_yaml(&bundle).unwrap()).unwrap(), bundle);
        let summary = summary(&bundle);
        assert_eq!(summary.counts["params"], 1);
    }

    #[test]
    fn errors_name_the_object() {
        let wrong = |text: &str| parse("lamps.yaml", text).unwrap_err().to_string();
        let text = wrong("sections: {params: {a/b: {Name: a/c}}}");
        assert_eq!(text, "lamps.yaml: sections.params.a/b: its Name is a/c");
        let text = wrong("sections: {params: {a/b: {Secure: 7}}}");
        assert!(text.starts_with("lamps.yaml: sections.params.a/b: Param.Secure: "), "{text}");
        let text = wrong("sections: {params: {a/b: {Name: a/b, name: a/b}}}");
        assert!(text.contains("twice"), "{text}");
        assert!(wrong("section: {}").contains("not section"));
        assert!(wrong("[1]").contains("a bundle is an object"));
    }
}
