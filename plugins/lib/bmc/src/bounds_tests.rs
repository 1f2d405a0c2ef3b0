//! Tests of the bounds: the rest between commands, caps over all and per subnet, waiting, verbs in progress, classes.

use crate::fake::{FakeDriver, target};
use crate::{
    Class, Clock, Command, Fleet, Identify, Kind, Part, Power, PowerControl, Settings, SystemClock, Target,
    Verb, VerbOptions,
};
use std::sync::Arc;
use std::time::Duration;

fn fleet(settings: Settings) -> Fleet {
    Fleet::new(settings, Arc::new(SystemClock::start()))
}

fn at(host: &str) -> Target {
    Target { host: host.to_owned(), min_gap: Duration::ZERO, ..target("secret") }
}

/// Reads the power of a BMC there in a task of its own.
fn begin(
    fleet: &Fleet,
    driver: &FakeDriver,
    target: Target,
) -> tokio::task::JoinHandle<Result<crate::Outcome, crate::BmcError>> {
    let (fleet, driver) = (fleet.clone(), Arc::new(driver.clone()));
    tokio::spawn(async move { fleet.run(driver, target, Verb::PowerStatus, VerbOptions::default()).await })
}

async fn until_one_runs(driver: &FakeDriver) {
    while driver.world().running == 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn between_two_commands_to_one_bmc_there_is_a_rest() {
    let driver = FakeDriver::new(Power::On);
    // Its time passes only while somebody waits.
    let (fleet, clock) = driver.fleet();
    let slow = Target { min_gap: Duration::from_secs(5), ..target("secret") };
    let begun = clock.now();
    for _ in 0..4 {
        let (driver, options) = (Arc::new(driver.clone()), VerbOptions::default());
        fleet.run(driver, slow.clone(), Verb::PowerStatus, options).await.unwrap();
    }
    assert_eq!(clock.now() - begun, Duration::from_secs(15));
}

#[tokio::test]
async fn no_more_commands_are_under_way_than_all_and_each_subnet_may() {
    let hosts = |prefix: &str, suffix: &str| -> Vec<String> {
        (1..=6).map(|n| format!("{prefix}{n}{suffix}")).collect()
    };
    let one_v4 = hosts("10.0.0.", "");
    let one_v6 = hosts("fd00:0:0:7::", "");
    let many_v4 = hosts("10.0.", ".1");
    let many_v6 = hosts("fd00:0:0:", "::1");
    for (hosts, most) in [(one_v4, 2), (one_v6, 2), (many_v4, 3), (many_v6, 3)] {
        let driver = FakeDriver::new(Power::On);
        driver.world().delay = Duration::from_millis(30);
        let fleet = fleet(Settings { global: 3, per_subnet: 2, ..Settings::default() });
        let calls: Vec<_> = hosts.iter().map(|host| begin(&fleet, &driver, at(host))).collect();
        for call in calls {
            call.await.unwrap().unwrap();
        }
        assert_eq!(driver.world().most_running, most, "{hosts:?}");
    }
}

#[tokio::test]
async fn a_silent_bmc_does_not_hold_up_the_others() {
    let (silent, well) = (FakeDriver::new(Power::On), FakeDriver::new(Power::On));
    silent.world().delay = Duration::from_secs(60);
    let fleet = fleet(Settings { global: 1, per_subnet: 1, ..Settings::default() });
    let waiting = begin(&fleet, &silent, at("10.0.0.1"));
    until_one_runs(&silent).await;
    assert_eq!(begin(&fleet, &well, at("10.0.0.2")).await.unwrap().unwrap().state, Power::On);
    assert_eq!(silent.world().running, 1, "it is waited for still");
    fleet.stop().await;
    assert_eq!(waiting.await.unwrap().unwrap_err().kind, Kind::Cancelled);
}

#[tokio::test]
async fn whoever_waits_too_long_for_a_turn_is_told_so() {
    let driver = FakeDriver::new(Power::On);
    driver.world().delay = Duration::from_secs(60);
    let fleet = fleet(Settings { queue_wait: Duration::from_secs(1), ..Settings::default() });
    let first = begin(&fleet, &driver, at("10.0.0.1"));
    until_one_runs(&driver).await;
    let error = begin(&fleet, &driver, at("10.0.0.1")).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.code(), error.retry_is_safe()), (Kind::QueueFull, 409, true));
    assert!(error.what.contains("no turn within 1 s"), "{error}");
    fleet.stop().await;
    assert!(first.await.unwrap().is_err());
}

#[tokio::test]
async fn more_verbs_than_the_bound_are_refused_at_once() {
    let driver = FakeDriver::new(Power::On);
    driver.world().delay = Duration::from_secs(60);
    let fleet = fleet(Settings { jobs: 1, ..Settings::default() });
    let first = begin(&fleet, &driver, at("10.0.0.1"));
    until_one_runs(&driver).await;
    let error = begin(&fleet, &driver, at("10.0.1.1")).await.unwrap().unwrap_err();
    assert_eq!((error.kind, error.code()), (Kind::QueueFull, 409), "{error}");
    fleet.stop().await;
    assert!(first.await.unwrap().is_err());
}

#[test]
fn every_command_has_the_class_that_its_effect_asks_for() {
    let parts = [Part::Sensors, Part::Sel, Part::Users, Part::Lan, Part::Health, Part::Media];
    for read in
        [Command::Chassis, Command::BootGet, Command::Info].into_iter().chain(parts.map(Command::Read))
    {
        assert_eq!(read.class(), Class::Read, "{read}");
    }
    for state in [Command::Power(PowerControl::Up), Command::Power(PowerControl::Down), Command::MediaEject] {
        assert_eq!(state.class(), Class::State, "{state}");
    }
    let controls = [PowerControl::Cycle, PowerControl::Reset, PowerControl::Soft, PowerControl::Interrupt];
    let others = [Command::Identify(Identify::Off), Command::SelClear, Command::BmcReset];
    for once in controls.map(Command::Power).into_iter().chain(others) {
        assert_eq!(once.class(), Class::Once, "{once}");
    }
}
