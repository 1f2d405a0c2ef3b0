//! Our client before a BMC that sends anything, and our simulator before a client that does.

use crate::{run, simulator, target};
use drp_ipmi::{ChassisControl, CipherSuite::Suite3, CipherSuite::Suite17, Client, Timeouts};
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::UdpSocket;
use tokio::task::{JoinHandle, JoinSet};

/// Repeatable randomness (xorshift); a failure names its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % sides as u64).unwrap()
    }

    /// Bends a packet: bytes changed, cut, added, all replaced.
    fn bend(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut out = packet.to_vec();
        match self.roll(5) {
            0 => out.truncate(self.roll(packet.len() + 1)),
            1 => out.extend((0..self.roll(600)).map(|n| u8::try_from(n % 256).unwrap())),
            2 => out = (0..self.roll(1500)).map(|_| u8::try_from(self.roll(256)).unwrap()).collect(),
            _ => {
                for _ in 0..=self.roll(4) {
                    let at = self.roll(out.len().max(1));
                    if let Some(byte) = out.get_mut(at) {
                        *byte = u8::try_from(self.roll(256)).unwrap();
                    }
                }
            }
        }
        out
    }
}

/// Stands between a client and a BMC and bends every `nth` packet, in both directions.
async fn bender(to: SocketAddr, seed: u64, nth: usize) -> (SocketAddr, JoinHandle<()>) {
    let (near, far) =
        (UdpSocket::bind("127.0.0.1:0").await.unwrap(), UdpSocket::bind("127.0.0.1:0").await.unwrap());
    far.connect(to).await.unwrap();
    let address = near.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        let (mut a, mut b, mut client) = ([0; 2048], [0; 2048], None);
        loop {
            tokio::select! {
                Ok((n, from)) = near.recv_from(&mut a) => {
                    client = Some(from);
                    let packet = if dice.roll(nth) == 0 { dice.bend(&a[..n]) } else { a[..n].to_vec() };
                    let _ = far.send(&packet).await;
                }
                Ok(n) = far.recv(&mut b) => {
                    let packet = if dice.roll(nth) == 0 { dice.bend(&b[..n]) } else { b[..n].to_vec() };
                    if let Some(client) = client {
                        let _ = near.send_to(&packet, client).await;
                    }
                }
            }
        }
    });
    (address, task)
}

#[test]
fn a_network_that_bends_packets_delays_us_and_nothing_else() {
    run(async {
        let mut tests = JoinSet::new();
        for seed in 1..=60u64 {
            tests.spawn(async move {
                let bmc = simulator().await;
                bmc.configure(|c| c.powered = true);
                bmc.set_power(true);
                let (address, task) = bender(bmc.address(), seed, 4).await;
                let patient = Timeouts {
                    connect: Duration::from_secs(15),
                    command: Duration::from_secs(15),
                    retransmit: Duration::from_millis(10),
                };
                let suite = if seed % 2 == 0 { Suite3 } else { Suite17 };
                // The handshake has no integrity code: a bent refusal may end it. Commands have one.
                if let Ok(mut s) = Client::connect(&target(address, suite), patient).await {
                    for _ in 0..20 {
                        let on = s.chassis_status().await;
                        assert!(on.as_ref().is_ok_and(|s| s.power_on), "seed {seed}: {on:?}");
                    }
                    let _ = tokio::time::timeout(
                        Duration::from_millis(100),
                        s.chassis_control(ChassisControl::HardReset),
                    )
                    .await;
                    assert!(bmc.counts().resets <= 1, "seed {seed}");
                    drop(s);
                }
                task.abort();
                usize::from(bmc.counts().logins > 0)
            });
        }
        let logins: usize = tests.join_all().await.into_iter().sum();
        assert!(logins > 20, "only {logins} of 60 got through the handshake");
    });
}

#[test]
fn a_bmc_that_sends_rubbish_only_ends_at_the_deadline() {
    run(async {
        let mut tests = JoinSet::new();
        for seed in 1..=40u64 {
            tests.spawn(async move {
                let bmc = simulator().await;
                let (address, task) = bender(bmc.address(), seed, 1).await;
                let hasty = Timeouts {
                    connect: Duration::from_millis(200),
                    command: Duration::from_millis(200),
                    retransmit: Duration::from_millis(20),
                };
                let started = Instant::now();
                let outcome = Client::connect(&target(address, Suite17), hasty).await;
                assert!(outcome.is_err() && started.elapsed() < Duration::from_secs(20), "seed {seed}");
                task.abort();
            });
        }
        tests.join_all().await;
    });
}
