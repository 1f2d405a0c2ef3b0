//! Measures the engine in one process: 10,000 machines of 2 KB in memory, lists, reads and durable writes, on both
//! backends. Run with `cargo run --release -p drp-objects --example measure`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, missing_docs)]

use drp_objects::{ListQuery, Objects, Options, Principal};
use serde_json::json;
use std::time::{Duration, Instant};

const MACHINES: usize = 10_000;

#[tokio::main]
async fn main() {
    let dir = tempfile::tempdir().unwrap();
    for location in ["memory:///".to_owned(), dir.path().join("drp.db").display().to_string()] {
        println!("{location}");
        measure(&location).await;
    }
}

async fn measure(location: &str) {
    let open = || async {
        let store = drp_store::open(location, drp_store::Options::default()).unwrap();
        Objects::open(store, Options::default()).await.unwrap()
    };
    let objects = open().await;
    println!("  idle                        {:>8} KiB resident", resident());
    let who = Principal::full("user:bench");
    let started = Instant::now();
    let mut tasks = tokio::task::JoinSet::new();
    for client in 0..64 {
        let (objects, who) = (objects.clone(), who.clone());
        tasks.spawn(async move {
            for i in (client..MACHINES).step_by(64) {
                let params: serde_json::Map<_, _> =
                    (0..12).map(|p| (format!("bench/param-{p}"), json!("x".repeat(64)))).collect();
                let body = json!({"Name": format!("m{i:05}"), "Params": params, "Address": format!("10.0.{}.{}", i / 250, i % 250)});
                objects.create(&who, "machines", body).await.unwrap();
            }
        });
    }
    tasks.join_all().await;
    let took = started.elapsed();
    let size = objects.get("machines", "Name:m00000").unwrap().json.len();
    println!(
        "  create, 64 clients          {:>8.0} /s ({size} bytes each)",
        MACHINES as f64 / took.as_secs_f64()
    );
    println!("  with {MACHINES} machines        {:>8} KiB resident", resident());

    let one = objects.resolve("machines", "Name:m00001").unwrap();
    let mut samples: Vec<Duration> = Vec::new();
    for i in 0..500 {
        let started = Instant::now();
        objects.set_param(&who, "machines", &one, "bench/count", json!(i)).await.unwrap();
        samples.push(started.elapsed());
    }
    report("set one param, one client", samples);

    for (name, pairs) in [
        ("list whole", vec![]),
        ("list slim", vec![("slim", "Meta,Params")]),
        ("list by name", vec![("Name", "m00500")]),
        ("list by regex", vec![("Name", "Re(^m0050[0-4]$)")]),
        ("list by param", vec![("bench/unknown", "x")]),
        ("list sorted, 50", vec![("sort", "Address"), ("limit", "50")]),
        ("list slim aggregate", vec![("aggregate", "true"), ("limit", "1000")]),
    ] {
        let query = ListQuery::parse(pairs).unwrap();
        let mut samples = Vec::new();
        for _ in 0..20 {
            let started = Instant::now();
            let listing = objects.list(&who, "machines", &query);
            samples.push(started.elapsed());
            std::hint::black_box(listing.map(|l| l.json.len()).unwrap_or(0));
        }
        report(name, samples);
    }
    let mut samples = Vec::new();
    for _ in 0..10_000 {
        let started = Instant::now();
        std::hint::black_box(objects.get("machines", &one).unwrap());
        samples.push(started.elapsed());
    }
    report("get one", samples);
    let token = objects.plugin_token("bench");
    let mut samples = Vec::new();
    for _ in 0..10_000 {
        let started = Instant::now();
        std::hint::black_box(objects.verify(token.expose()).unwrap());
        samples.push(started.elapsed());
    }
    report("verify a plugin's token", samples);
    if location != "memory:///" {
        drop(objects);
        let started = Instant::now();
        let objects = open().await;
        println!("  open again                  {:>8.1} ms", started.elapsed().as_secs_f64() * 1e3);
        println!("  {} machines loaded       {:>8} KiB resident", objects.count("machines"), resident());
    }
}

fn report(name: &str, mut samples: Vec<Duration>) {
    samples.sort();
    let at = |q: f64| samples[((samples.len() - 1) as f64 * q) as usize].as_secs_f64() * 1e6;
    println!("  {name:<26} p50 {:>9.1} us   p99 {:>9.1} us", at(0.5), at(0.99));
}

fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
