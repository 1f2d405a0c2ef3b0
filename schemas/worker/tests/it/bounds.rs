//! Documents that loop or explode cost one clear error, and nobody else waits for them.

use crate::evaluator;
use drp_schemas::{Document, Format, SchemaError};
use std::time::Duration;

fn nickel(text: &str) -> Document {
    Document::text("untrusted.ncl", Format::Nickel, text)
}

/// Loops without needing memory.
const LOOP: &str = "let rec f = fun n => if n == 0 then f 1 else f 0 in f 0";

#[tokio::test]
async fn a_loop_is_stopped_while_others_go_on() {
    let (evaluator, _folder) = evaluator(|settings| {
        settings.deadline = Duration::from_secs(8);
        settings.memory = 8 << 30;
    });
    let looping = tokio::spawn({
        let evaluator = evaluator.clone();
        async move { evaluator.evaluate(&nickel(LOOP)).await }
    });
    for n in 0..20 {
        let checked = evaluator.evaluate(&nickel(&format!("{{ n = {n} + 1 }}"))).await.unwrap();
        assert_eq!(checked.value["n"], n + 1);
    }
    assert!(!looping.is_finished(), "the others did not wait for it");
    let error = looping.await.unwrap().unwrap_err();
    let stopped = matches!(error, SchemaError::Deadline { .. } | SchemaError::Exploded { .. });
    assert!(stopped && error.to_string().contains("untrusted.ncl"), "{error}");
    assert_eq!(evaluator.evaluate(&nickel("1 + 1")).await.unwrap().value, 2);
}

#[tokio::test]
async fn an_exploding_document_ends_its_worker_only() {
    let (evaluator, _folder) = evaluator(|settings| settings.memory = 300 << 20);
    for text in [
        "let rec f = fun xs => f (xs @ xs) in f [1, 2, 3]",
        "let rec f = fun x => 1 + f (x + 1) in f 0",
        "let x0 = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" in let rec f = fun s => f (s ++ s) in f x0",
    ] {
        let error = evaluator.evaluate(&nickel(text)).await.unwrap_err();
        assert!(matches!(error, SchemaError::Exploded { .. }), "{error}");
        assert!(error.to_string().contains("more than 314 MB"), "{error}");
        assert_eq!(evaluator.evaluate(&nickel("{ a = 1 }")).await.unwrap().value["a"], 1);
    }
}

#[tokio::test]
async fn more_requests_than_may_wait_are_refused_at_once() {
    let (evaluator, _folder) = evaluator(|settings| {
        settings.workers = 1;
        settings.waiting = 2;
        settings.deadline = Duration::from_secs(3);
        settings.memory = 8 << 30;
    });
    let mut running = Vec::new();
    for n in 0..8 {
        let evaluator = evaluator.clone();
        running
            .push(tokio::spawn(async move { evaluator.evaluate(&nickel(&format!("{LOOP} + {n}"))).await }));
    }
    let mut busy = 0;
    for one in running {
        busy += usize::from(matches!(one.await.unwrap(), Err(SchemaError::Busy { .. })));
    }
    assert_eq!(busy, 5, "one runs and two wait");
}

#[tokio::test]
async fn long_documents_are_refused_unread() {
    let (evaluator, _folder) = evaluator(|settings| settings.document_bytes = 1000);
    let error = evaluator.evaluate(&nickel(&"# long\n".repeat(200))).await.unwrap_err();
    assert_eq!(error.to_string(), "untrusted.ncl is 1400 bytes long and may have 1000");
}

#[tokio::test]
async fn a_worker_is_replaced_after_its_number_of_documents() {
    let (evaluator, _folder) = evaluator(|settings| settings.documents_per_worker = 3);
    for n in 0..10 {
        assert_eq!(evaluator.evaluate(&nickel(&format!("{n}"))).await.unwrap().value, n);
    }
}

#[tokio::test]
async fn without_its_worker_program_it_says_so() {
    let (evaluator, folder) = evaluator(|settings| settings.worker = "/nonexistent/drp-nickel".into());
    let error = evaluator.evaluate(&nickel("1")).await.unwrap_err().to_string();
    assert!(error.contains("cannot start /nonexistent/drp-nickel") && error.contains("installed"), "{error}");
    drop(folder);
}
