//! Answers that take longer than our patience before a repetition: every request arrives several times.

use crate::{run, simulator, target};
use drp_ipmi::{ChassisControl, CipherSuite, CipherSuite::Suite3, CipherSuite::Suite17, Client, Timeouts};
use drp_tests::peers::{IpmiSim, PyghmiBmc};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;

/// One way through the network.
const LAG: Duration = Duration::from_millis(150);

/// Stands between a client and a BMC and lets every packet take its time, in both directions.
async fn slow(to: SocketAddr) -> (SocketAddr, JoinHandle<()>) {
    let near = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    let far = Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap());
    far.connect(to).await.unwrap();
    let address = near.local_addr().unwrap();
    let task = tokio::spawn(async move {
        let (mut a, mut b, mut client) = ([0; 2048], [0; 2048], None);
        loop {
            tokio::select! {
                Ok((n, from)) = near.recv_from(&mut a) => {
                    client = Some(from);
                    let (far, packet) = (Arc::clone(&far), a[..n].to_vec());
                    tokio::spawn(async move {
                        tokio::time::sleep(LAG).await;
                        let _ = far.send(&packet).await;
                    });
                }
                Ok(n) = far.recv(&mut b) => {
                    let (near, packet, client) = (Arc::clone(&near), b[..n].to_vec(), client.unwrap());
                    tokio::spawn(async move {
                        tokio::time::sleep(LAG).await;
                        let _ = near.send_to(&packet, client).await;
                    });
                }
            }
        }
    });
    (address, task)
}

async fn works(bmc: SocketAddr, suite: CipherSuite) {
    let (address, task) = slow(bmc).await;
    let hasty = Timeouts {
        connect: Duration::from_secs(30),
        command: Duration::from_secs(10),
        retransmit: Duration::from_millis(100),
    };
    let mut s = Client::connect(&target(address, suite), hasty).await.unwrap();
    s.chassis_control(ChassisControl::PowerUp).await.unwrap();
    for _ in 0..3 {
        assert!(s.chassis_status().await.unwrap().power_on);
    }
    s.close().await.unwrap();
    task.abort();
}

#[test]
fn ipmi_sim_behind_it() {
    let Some(bmc) = IpmiSim::start() else { return };
    run(works(bmc.address(), Suite3));
}

#[test]
fn pyghmi_behind_it() {
    let Some(bmc) = PyghmiBmc::start() else { return };
    run(works(bmc.address(), Suite3));
}

#[test]
fn our_simulator_behind_it() {
    run(async {
        let bmc = simulator().await;
        works(bmc.address(), Suite3).await;
        works(bmc.address(), Suite17).await;
        assert_eq!(bmc.active_sessions(), 0);
    });
}
