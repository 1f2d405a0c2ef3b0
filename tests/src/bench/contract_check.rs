//! Promise 16: a document is checked against a Nickel contract, by a worker that is warm and by a process of its own.

use drp_schemas::{Document, Evaluator, Format, Settings, install};
use std::path::Path;
use std::time::Duration;

use super::figure::{Amount, Figure};
use super::floors::bare_spawn;
use super::samples::Samples;
use super::{Bench, Result};

const CONTRACT: &str = "(import \"drp/server.ncl\").ServerConfig";

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let contracts = install(&bench.directory.path().join("contracts"))?;
    let mut documents = (0..).map(document);
    let mut next = || documents.next().ok_or("there is always another document");

    // One worker, asked again and again. No document is the same, so nothing is answered from the cache of results.
    let evaluator = evaluator(bench, &contracts)?;
    evaluator.check(&next()?, CONTRACT).await?;
    let (mut warm, mut plain) = (Samples::default(), Samples::default());
    for _ in 0..bench.times(500) {
        let document = next()?;
        warm.take(1, || async { Ok(evaluator.check(&document, CONTRACT).await?) }).await?;
        plain.take(1, || async { Ok(evaluator.evaluate(&document).await?) }).await?;
    }

    // A worker forgets everything when other folders may be read: what a check costs without what is kept.
    let mut fresh = Samples::default();
    let folders = [vec![contracts.clone()], Vec::new()].map(|roots| evaluator.within(roots));
    for n in 0..bench.times(50) {
        let document = next()?;
        fresh.take(1, || async { Ok(folders[n % 2].check(&document, CONTRACT).await?) }).await?;
    }

    // A process for each check: made, given the standard library and the contract, asked once.
    let (mut cold, mut spawned) = (Samples::default(), Samples::default());
    for _ in 0..bench.times(50) {
        let document = next()?;
        let evaluator = self::evaluator(bench, &contracts)?;
        cold.take(1, || async { Ok(evaluator.check(&document, CONTRACT).await?) }).await?;
        bare_spawn(&mut spawned, 1)?;
    }

    let time = |samples: &Samples| Amount::Time(samples.p50());
    Ok(vec![
        Figure::new("warm worker, p50", time(&warm))
            .over("the document without contract", time(&plain))
            .at_most(Amount::Time(Duration::from_millis(1))),
        Figure::new("warm worker, p99", Amount::Time(warm.p99())),
        Figure::new("cold process, p50", time(&cold))
            .over("everything read anew in a running one", time(&fresh))
            .at_most(Amount::Time(Duration::from_millis(20))),
        Figure::new("cold process, p50", time(&cold)).over("bare spawn → first reply", time(&spawned)),
    ])
}

/// An evaluator with one worker.
fn evaluator(bench: &Bench, contracts: &Path) -> Result<Evaluator> {
    let mut settings = Settings::with_worker(bench.binary("drp-nickel")?);
    settings.import_paths = vec![contracts.to_owned()];
    settings.roots = Some(Vec::new());
    settings.workers = 1;
    Ok(Evaluator::new(settings))
}

/// A server as people configure it.
fn document(n: u32) -> Document {
    let text = serde_json::json!({
        "hostname": format!("web-{n}"), "plan": "1xCPU-1GB", "zone": "us-east-1", "ssh_keys": ["ssh-ed25519 AAAA"],
        "tags": {"team": "shop"}, "storage": {"size": 25},
        "firewall_rules": [
            {"direction": "ingress", "protocol": "tcp", "port": 443, "source": "10.0.0.0/8", "action": "allow"},
            {"direction": "ingress", "protocol": "tcp", "port": "1-1024", "action": "deny"},
        ],
    });
    Document::text("server.json".to_owned(), Format::Json, text.to_string())
}
