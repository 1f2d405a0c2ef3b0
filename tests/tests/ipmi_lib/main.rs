//! `drp-ipmi` and `drp-bmc-sim` against programs that share nothing with them, and against each other with faults.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod faults;
mod hostile;
mod ipmi_sim;
mod login;
mod pyghmi;
mod sim_program;
mod slow_network;
mod tools;
mod vm;

use drp_bmc_sim::{BmcConfig, Simulator};
use drp_ipmi::{CipherSuite, Client, Error, Session, Target, Timeouts};
use drp_tests::peers::{PASSWORD, USER};
use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

/// Runs a test on a runtime of its own, with an end. Sessions are dropped before it.
pub fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(Duration::from_secs(120), test).await.expect("the test hangs")
    })
}

/// A target with the usual user and password.
pub fn target(address: SocketAddr, suite: CipherSuite) -> Target {
    Target { port: address.port(), suite, ..Target::new(address.ip().to_string(), USER, PASSWORD.to_owned()) }
}

/// Patience for peers on a loaded machine, with early repetitions.
pub fn timeouts() -> Timeouts {
    Timeouts {
        connect: Duration::from_secs(20),
        command: Duration::from_secs(20),
        retransmit: Duration::from_millis(150),
    }
}

/// Timeouts for what is known not to answer.
pub fn short() -> Timeouts {
    Timeouts {
        connect: Duration::from_millis(500),
        command: Duration::from_millis(500),
        retransmit: Duration::from_millis(100),
    }
}

pub async fn connect(address: SocketAddr, suite: CipherSuite) -> Session {
    Client::connect(&target(address, suite), timeouts()).await.unwrap()
}

pub async fn connect_error(target: &Target) -> Error {
    Client::connect(target, short()).await.map(|s| s.peer()).unwrap_err()
}

pub fn config() -> BmcConfig {
    BmcConfig::new(USER, PASSWORD.to_owned())
}

pub async fn simulator() -> Simulator {
    Simulator::start(config()).await.unwrap()
}

/// Waits for something that happens in the background.
pub async fn eventually(what: &str, mut ask: impl FnMut() -> bool) {
    for _ in 0..1000 {
        if ask() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("never: {what}");
}
