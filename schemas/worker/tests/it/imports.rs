//! What documents import: found, kept warm, noticed when it changes, and refused outside of their folders.

use crate::evaluator;
use drp_schemas::{Document, Format, SchemaError};
use std::fs;

#[tokio::test]
async fn a_changed_import_changes_the_result() {
    let folder = tempfile::tempdir().unwrap();
    let (evaluator, _contracts) = evaluator(|settings| settings.roots = Some(vec![folder.path().to_owned()]));
    let main = folder.path().join("main.ncl");
    fs::create_dir(folder.path().join("parts")).unwrap();
    fs::write(&main, "{ n = (import \"parts/a.ncl\").n * 2 }").unwrap();
    fs::write(folder.path().join("parts/a.ncl"), "{ n = (import \"b.json\").n + 1 }").unwrap();
    for n in [1, 5, 7] {
        fs::write(folder.path().join("parts/b.json"), format!("{{\"n\": {n}}}")).unwrap();
        let checked = evaluator.evaluate(&Document::file(&main)).await.unwrap();
        assert_eq!(checked.value["n"], (n + 1) * 2);
        assert_eq!(checked.files.len(), 3, "{:?}", checked.files);
    }
}

#[tokio::test]
async fn the_same_content_is_evaluated_once() {
    let folder = tempfile::tempdir().unwrap();
    let (evaluator, _contracts) = evaluator(|settings| settings.roots = Some(vec![folder.path().to_owned()]));
    let main = folder.path().join("main.ncl");
    fs::write(&main, "{ a = 1 }").unwrap();
    // A file that changes in the very moment it is read is not kept.
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    assert!(!evaluator.evaluate(&Document::file(&main)).await.unwrap().cached);
    assert!(evaluator.evaluate(&Document::file(&main)).await.unwrap().cached);
    fs::write(&main, "{ a = 2 }").unwrap();
    let checked = evaluator.evaluate(&Document::file(&main)).await.unwrap();
    assert!(!checked.cached && checked.value["a"] == 2);
    let statistics = evaluator.cache_statistics();
    assert_eq!((statistics.hits, statistics.misses), (1, 2));
}

#[tokio::test]
async fn files_outside_are_neither_read_out_nor_quoted_in_errors() {
    let outside = tempfile::tempdir().unwrap();
    let inside = tempfile::tempdir().unwrap();
    let (evaluator, _contracts) = evaluator(|settings| settings.roots = Some(vec![inside.path().to_owned()]));
    let secret = outside.path().join("secret.ncl");
    fs::write(&secret, "canary-4711 = = not Nickel").unwrap();
    std::os::unix::fs::symlink(&secret, inside.path().join("link.ncl")).unwrap();
    let path = secret.display();
    for text in [
        format!("import \"{path}\""),
        format!("import \"{path}\" as 'Text"),
        format!(
            "import \"{}/../{}/secret.ncl\" as 'Text",
            inside.path().display(),
            outside.path().file_name().unwrap().to_string_lossy()
        ),
        format!("let s = import \"{path}\" as 'Text in {{ a | s = 1 }}"),
        format!("import \"{}/link.ncl\" as 'Text", inside.path().display()),
        format!("import \"{}/link.ncl\"", inside.path().display()),
    ] {
        let error = evaluator.evaluate(&Document::text("x.ncl", Format::Nickel, &text)).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(
            matches!(error, SchemaError::Wrong { .. }) && said.contains("outside of the folders"),
            "{text}: {said}"
        );
        assert!(!said.contains("canary"), "{said}");
    }
    let error = evaluator.evaluate(&Document::text("x.ncl", Format::Nickel, "import \"absent.ncl\"")).await;
    assert!(error.unwrap_err().to_string().contains("absent.ncl"));
}

#[tokio::test]
async fn an_error_in_one_document_does_not_stay_for_the_next() {
    let (evaluator, _contracts) = evaluator(|settings| settings.workers = 1);
    let contract = r#"(import "drp/server.ncl").FirewallRule"#;
    let rule = |action: &str| {
        let text = format!("{{direction = 'ingress, protocol = \"tcp\", action = \"{action}\"}}");
        Document::text("rule.ncl", Format::Nickel, text)
    };
    for _ in 0..3 {
        assert!(evaluator.check(&rule("perhaps"), contract).await.is_err());
        assert_eq!(evaluator.check(&rule("deny"), contract).await.unwrap().value["direction"], "ingress");
        assert!(evaluator.check(&rule("deny"), "(import \"drp/server.ncl\").Nothing").await.is_err());
        assert!(evaluator.check(&rule("deny"), "1 + ").await.is_err());
    }
}

#[tokio::test]
async fn the_same_workers_serve_documents_of_different_folders() {
    let (evaluator, _contracts) = evaluator(|settings| settings.workers = 1);
    let folders: Vec<_> = (0..2).map(|_| tempfile::tempdir().unwrap()).collect();
    for folder in &folders {
        fs::write(folder.path().join("a.ncl"), "{ n = import \"b.ncl\" }").unwrap();
        fs::write(folder.path().join("b.ncl"), "7").unwrap();
    }
    for n in [0, 1, 0, 1] {
        let own = evaluator.within(vec![folders[n].path().to_owned()]);
        let document = Document::file(folders[n].path().join("a.ncl"));
        assert_eq!(own.evaluate_field(&document, "n").await.unwrap().value, 7);
        let other = Document::file(folders[1 - n].path().join("a.ncl"));
        assert!(own.typecheck(&other).await.is_err(), "the other folder is outside");
    }
}
