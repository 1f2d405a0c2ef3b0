//! The pack as such.

use drp_tests::daemon::Daemon;
use drp_tests::pack::Pack;

#[tokio::test]
async fn the_pack_is_documented_and_whole() {
    Pack::of_plugin("ipmi").await.check(&[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_takes_it_without_a_fault() {
    let daemon = Daemon::builder().plugin("ipmi").start();
    Pack::of_plugin("ipmi").await.loads(&daemon, "ipmi").await;
}
