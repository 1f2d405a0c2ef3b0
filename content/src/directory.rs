//! A bundle as a directory (wire-protocol §2.5): `<dir>/<prefix>/<escaped key>.<ext>` and `<dir>/._<Field>.meta`.

use crate::{
    ContentError, Format, bundle,
    escape::{escape, file_stem},
    kinds, meta, text, unescape,
};
use drp_protocol::{Bundle, JsonMap};
use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 64 << 20;

/// Reads a directory, written by [`write_dir`] or by hand.
///
/// The key of an object is what its key field says, so that files can have any name; without one it is the
/// file name, unescaped. In `templates/`, a file that is not `.json`, `.yaml` or `.yml` is the text of a template
/// whose `ID` is its file name. Hidden files, and files in other formats elsewhere, are passed over.
///
/// # Errors
/// [`ContentError`] with the file and, for syntax, the line.
pub fn read_dir(dir: &Path) -> Result<Bundle, ContentError> {
    let mut out = Bundle::default();
    for path in sorted(dir)? {
        let name = file_name(&path)?;
        if path.is_dir() {
            if name.starts_with('.') {
                continue;
            }
            let prefix = unescape(name)
                .ok_or_else(|| ContentError::text(&shown(&path), None, "the name has a broken escape"))?;
            let objects = read_section(&path, &prefix)?;
            if !objects.is_empty() {
                out.sections.insert(prefix, objects);
            }
        } else if let Some(field) = name.strip_prefix("._").and_then(|n| n.strip_suffix(".meta")) {
            let body = read(&path)?;
            // Documentation is kept to the byte, as in the other forms.
            let body = if field.eq_ignore_ascii_case("Documentation") { &body } else { body.trim() };
            let wrong = |problem: String| ContentError::text(&shown(&path), None, problem);
            if !meta::set(&mut out.meta, field, body).map_err(|e| wrong(e.to_string()))? {
                return Err(wrong(format!("bundles have no meta field {field}")));
            }
        }
    }
    meta::settle(&mut out.meta);
    Ok(out)
}

/// Reads a bundle from wherever a path leads: a directory, or a file with JSON or YAML.
///
/// # Errors
/// As [`read_dir`] and [`parse`](crate::parse).
pub fn read_path(path: &Path) -> Result<Bundle, ContentError> {
    if path.is_dir() { read_dir(path) } else { bundle::parse(&shown(path), &read(path)?) }
}

fn read_section(dir: &Path, prefix: &str) -> Result<BTreeMap<String, JsonMap>, ContentError> {
    let mut objects = BTreeMap::new();
    let mut places: BTreeMap<String, PathBuf> = BTreeMap::new();
    for path in sorted(dir)? {
        let name = file_name(&path)?;
        if name.starts_with('.') || path.is_dir() {
            continue;
        }
        let Some((key, object)) = read_object(&path, name, prefix)? else { continue };
        if let Some(other) = places.insert(key.clone(), path.clone()) {
            let problem = format!("{prefix}/{key} is in {} too", other.display());
            return Err(ContentError::text(&shown(&path), None, problem));
        }
        objects.insert(key, object);
    }
    Ok(objects)
}

fn read_object(path: &Path, name: &str, prefix: &str) -> Result<Option<(String, JsonMap)>, ContentError> {
    let place = shown(path);
    let wrong = |problem: String| ContentError::text(&place, None, problem);
    let stem = match name.rsplit_once('.') {
        Some((stem, "json" | "yaml" | "yml")) => stem,
        _ if prefix == "templates" => {
            let object = json!({ "ID": name, "Contents": read(path)? });
            return Ok(object.as_object().map(|o| (name.to_owned(), o.clone())));
        }
        _ => return Ok(None),
    };
    let Value::Object(object) = text::read(&place, &read(path)?)? else {
        return Err(wrong(format!(
            "one of {prefix} is an object, with fields such as {}",
            kinds::key_field(prefix)
        )));
    };
    let mut object = kinds::settle(prefix, object).map_err(wrong)?;
    let key = match kinds::key(prefix, &object) {
        Some(key) => key.to_owned(),
        None => {
            let key = unescape(stem).ok_or_else(|| wrong("the name has a broken escape".to_owned()))?;
            object.insert(kinds::key_field(prefix).to_owned(), key.clone().into());
            key
        }
    };
    Ok(Some((key, object)))
}

/// Writes a bundle as a directory, so that [`read_dir`] gives the same bundle back. Meta files and objects of an
/// earlier content that are no longer in the bundle are removed; other files are left alone.
///
/// # Errors
/// [`ContentError::Io`] with the file.
pub fn write_dir(bundle: &Bundle, dir: &Path, format: Format) -> Result<(), ContentError> {
    fs::create_dir_all(dir).map_err(ContentError::io("create", dir))?;
    let mut written = BTreeSet::new();
    for (field, text) in meta::stated(&bundle.meta)? {
        written.insert(write(dir.join(format!("._{field}.meta")), &text)?);
    }
    for (prefix, objects) in &bundle.sections {
        let section = dir.join(file_stem(prefix));
        fs::create_dir_all(&section).map_err(ContentError::io("create", &section))?;
        for (key, object) in objects {
            written.insert(match raw_template(prefix, key, object) {
                Some(contents) => write(section.join(key), contents)?,
                None => {
                    let path = section.join(format!("{}.{}", file_stem(key), format.extension()));
                    let text = format.write(&shown(&path), object)?;
                    write(path, &text)?
                }
            });
        }
    }
    remove_stale(dir, &written)
}

/// The text of a template that can be a file of its own.
fn raw_template<'a>(prefix: &str, key: &str, object: &'a JsonMap) -> Option<&'a str> {
    let plain =
        escape(key) == key && !key.starts_with('.') && object.keys().all(|f| f == "ID" || f == "Contents");
    let other_format = !matches!(key.rsplit_once('.'), None | Some((_, "json" | "yaml" | "yml")));
    if prefix == "templates" && plain && other_format { object.get("Contents")?.as_str() } else { None }
}

fn remove_stale(dir: &Path, written: &BTreeSet<PathBuf>) -> Result<(), ContentError> {
    let remove = |path: &Path| fs::remove_file(path).map_err(ContentError::io("remove", path));
    for path in sorted(dir)? {
        let name = file_name(&path)?;
        if path.is_dir() && !name.starts_with('.') {
            for object in sorted(&path)? {
                let name = file_name(&object)?;
                let ours = matches!(name.rsplit_once('.'), Some((_, "json" | "yaml" | "yml")));
                if ours && !name.starts_with('.') && object.is_file() && !written.contains(&object) {
                    remove(&object)?;
                }
            }
        } else if name.starts_with("._") && name.ends_with(".meta") && !written.contains(&path) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Every path a build script should watch: the directory, its sections and files.
pub(crate) fn all_paths(dir: &Path) -> Result<Vec<PathBuf>, ContentError> {
    let mut out = vec![dir.to_owned()];
    for path in sorted(dir)? {
        if path.is_dir() {
            out.extend(sorted(&path)?);
        }
        out.push(path);
    }
    Ok(out)
}

fn sorted(dir: &Path) -> Result<Vec<PathBuf>, ContentError> {
    let list = fs::read_dir(dir).and_then(|entries| entries.map(|e| e.map(|e| e.path())).collect());
    let mut paths: Vec<PathBuf> = list.map_err(ContentError::io("list", dir))?;
    paths.sort();
    Ok(paths)
}

fn file_name(path: &Path) -> Result<&str, ContentError> {
    let name = path.file_name().and_then(|n| n.to_str());
    name.ok_or_else(|| ContentError::text(&shown(path), None, "the file name is not UTF-8"))
}

fn read(path: &Path) -> Result<String, ContentError> {
    let size = fs::metadata(path).map_err(ContentError::io("read", path))?.len();
    if size > FILE_LIMIT {
        return Err(ContentError::text(
            &shown(path),
            None,
            format!("the file is larger than {FILE_LIMIT} bytes"),
        ));
    }
    fs::read_to_string(path).map_err(ContentError::io("read", path))
}

fn write(path: PathBuf, text: &str) -> Result<PathBuf, ContentError> {
    fs::write(&path, text).map_err(ContentError::io("write", &path))?;
    Ok(path)
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The bundle of a directory as one JSON text, for build scripts.
pub(crate) fn bundled(dir: &Path) -> Result<String, ContentError> {
    Ok(bundle::lean(&read_dir(dir)?)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::{read_dir, write_dir};
    use crate::{Format, parse};
    use std::fs;

    const LAMPS: &str = r##"
meta: {Name: lamps, Version: v1.0.0, Documentation: "  kept\n"}
sections:
  params: {lamp/id: {Name: lamp/id, Schema: {type: integer}}}
  templates:
    lamp.sh.tmpl: {ID: lamp.sh.tmpl, Contents: "#!/bin/sh\necho {{ .Param \"lamp/id\" }}\n"}
    with/slash.tmpl: {ID: with/slash.tmpl, Contents: x}
    noted.tmpl: {ID: noted.tmpl, Contents: x, Description: d}
    lamp.json: {ID: lamp.json, Contents: "{}"}
"##;

    #[test]
    fn a_directory_gives_the_same_bundle_back() {
        let bundle = parse("lamps", LAMPS).unwrap();
        for format in [Format::Json, Format::Yaml] {
            let dir = tempfile::tempdir().unwrap();
            fs::create_dir(dir.path().join("params")).unwrap();
            for stale in ["._Icon.meta", "README.md", "params/gone.yaml"] {
                fs::write(dir.path().join(stale), "stale: 1").unwrap();
            }
            write_dir(&bundle, dir.path(), format).unwrap();
            assert_eq!(read_dir(dir.path()).unwrap(), bundle);
            assert!(dir.path().join("templates/lamp.sh.tmpl").exists(), "templates are plain files");
            assert!(dir.path().join("README.md").exists(), "what is not content stays");
            let param = format!("params/lamp%2Fid.{}", format.extension());
            assert!(dir.path().join(param).exists());
        }
    }

    #[test]
    fn hand_written_directories_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        put("._Description.meta", "Lamp bits\n");
        put("._Author.meta", "\n");
        put("params/any-name.yml", "name: lamp/id\nschema: {type: integer}\n");
        put("typed-cows/bertie.json", r#"{"CanMilk": false}"#);
        put("params/notes.md", "not content");
        let bundle = read_dir(dir.path()).unwrap();
        assert_eq!(
            (bundle.meta.name.as_str(), bundle.meta.description.as_str()),
            ("Unspecified", "Lamp bits")
        );
        assert_eq!(bundle.sections["params"]["lamp/id"]["Schema"]["type"], "integer");
        assert_eq!(bundle.sections["typed-cows"]["bertie"]["Id"], "bertie");

        put("params/again.yaml", "Name: lamp/id");
        let text = read_dir(dir.path()).unwrap_err().to_string();
        assert!(
            text.contains("any-name.yml: params/lamp/id is in") && text.contains("again.yaml too"),
            "{text}"
        );
        put("params/again.yaml", "Name: lamp/on\nSchema: [\n");
        let text = read_dir(dir.path()).unwrap_err().to_string();
        assert!(text.contains("params/again.yaml:3: "), "{text}");
        fs::remove_file(dir.path().join("params/again.yaml")).unwrap();
        put("._Colour.meta", "red");
        assert!(read_dir(dir.path()).unwrap_err().to_string().contains("no meta field Colour"));
    }
}
