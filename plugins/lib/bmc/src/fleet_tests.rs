//! Tests of lanes, bounds, the breaker and sessions, on a BMC in memory.

use crate::fake::{FakeDriver, Fault, target};
use crate::{Command, Driver, Fleet, Kind, Power, PowerControl, Settings, SystemClock, Verb, VerbOptions};
use std::sync::Arc;
use std::time::Duration;

async fn run_with(
    fleet: &Fleet,
    driver: &FakeDriver,
    password: &str,
) -> Result<crate::Outcome, crate::BmcError> {
    let driver: Arc<dyn Driver> = Arc::new(driver.clone());
    fleet.run(driver, target(password), Verb::PowerStatus, VerbOptions::default()).await
}

#[tokio::test]
async fn one_session_serves_many_verbs_and_closes_when_idle() {
    let driver = FakeDriver::new(Power::Off);
    let (fleet, clock) = driver.fleet();
    for _ in 0..50 {
        assert_eq!(driver.run(&fleet, Verb::PowerStatus).await.unwrap().state, Power::Off);
    }
    assert_eq!(driver.opens_and_open(), (1, 1));
    fleet.sweep().await;
    assert_eq!(driver.world().open_now, 1);
    clock.advance(Duration::from_secs(31));
    fleet.sweep().await;
    assert_eq!(driver.world().open_now, 0);
}

#[tokio::test]
async fn commands_to_one_bmc_never_overlap() {
    let driver = FakeDriver::new(Power::On);
    driver.world().delay = Duration::from_millis(5);
    let fleet = Fleet::new(Settings::default(), Arc::new(SystemClock::start()));
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let (fleet, driver) = (fleet.clone(), driver.clone());
            tokio::spawn(async move { driver.run(&fleet, Verb::PowerStatus).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(driver.most_running_and_open(), (1, 1));
}

#[tokio::test]
async fn a_full_queue_is_a_409_and_not_a_pile() {
    let driver = FakeDriver::new(Power::On);
    driver.world().delay = Duration::from_millis(200);
    let settings = Settings { queue: 2, ..Settings::default() };
    let fleet = Fleet::new(settings, Arc::new(SystemClock::start()));
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let (fleet, driver) = (fleet.clone(), driver.clone());
            tokio::spawn(async move { driver.run(&fleet, Verb::PowerStatus).await })
        })
        .collect();
    let mut full = 0;
    for call in calls {
        if let Err(error) = call.await.unwrap() {
            assert_eq!((error.kind, error.code()), (Kind::QueueFull, 409));
            full += 1;
        }
    }
    assert_eq!(full, 3);
}

#[tokio::test]
async fn refused_credentials_are_tried_once() {
    let driver = FakeDriver::new(Power::On);
    let (fleet, _) = driver.fleet();
    let calls: Vec<_> = (0..8)
        .map(|_| {
            let (fleet, driver) = (fleet.clone(), driver.clone());
            tokio::spawn(async move { run_with(&fleet, &driver, "wrong").await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap().unwrap_err().code(), 401);
    }
    assert_eq!(driver.world().logins, 1);
    let locked = run_with(&fleet, &driver, "wrong").await.unwrap_err();
    assert_eq!(locked.kind, Kind::Locked);
    assert!(!locked.to_string().contains("wrong "), "{locked}");
    // Another credential is another matter, and unlock forgives.
    run_with(&fleet, &driver, "secret").await.unwrap();
    assert_eq!(run_with(&fleet, &driver, "wrong").await.unwrap_err().kind, Kind::Locked);
    assert_eq!(driver.world().logins, 2);
    assert!(fleet.unlock(&driver, &target("wrong")));
    assert_eq!(run_with(&fleet, &driver, "wrong").await.unwrap_err().kind, Kind::Credentials);
    assert_eq!(driver.world().logins, 3);
}

#[tokio::test]
async fn changed_credentials_open_a_new_session() {
    let driver = FakeDriver::new(Power::On);
    let (fleet, _) = driver.fleet();
    run_with(&fleet, &driver, "secret").await.unwrap();
    driver.world().password = "other";
    run_with(&fleet, &driver, "other").await.unwrap();
    assert_eq!(driver.opens_and_most(), (2, 1));
}

#[tokio::test]
async fn a_kept_session_that_the_bmc_forgot_is_replaced() {
    let driver = FakeDriver::new(Power::On);
    let (fleet, _) = driver.fleet();
    driver.run(&fleet, Verb::PowerStatus).await.unwrap();
    driver.world().read_faults.push_back(Fault::RequestLost);
    let outcome = driver.run(&fleet, Verb::PowerStatus).await.unwrap();
    assert_eq!(driver.opens_and_most(), (2, 1));
    assert_eq!(outcome.attempts.len(), 2);
    assert_eq!(outcome.attempts[0].error, "no answer");
    assert!(outcome.attempts[1].error.is_empty());
}

#[tokio::test]
async fn a_bmc_without_free_sessions_is_asked_again_a_few_times() {
    let driver = FakeDriver::new(Power::On);
    let (fleet, _) = driver.fleet();
    driver.world().open_faults.extend([Kind::Exhausted, Kind::Exhausted]);
    assert_eq!(driver.run(&fleet, Verb::PowerStatus).await.unwrap().attempts.len(), 3);
    driver.world().open_faults.extend([Kind::Exhausted; 20]);
    fleet.stop().await;
    let (fleet, _) = driver.fleet();
    let error = driver.run(&fleet, Verb::PowerStatus).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (Kind::Exhausted, 502));
}

#[tokio::test]
async fn two_power_changes_of_one_machine_conflict() {
    let driver = FakeDriver::new(Power::Off);
    driver.world().delay = Duration::from_millis(50);
    let fleet = Fleet::new(Settings::default(), Arc::new(SystemClock::start()));
    let first = tokio::spawn({
        let (fleet, driver) = (fleet.clone(), driver.clone());
        async move { driver.run(&fleet, Verb::PowerOn).await }
    });
    while driver.world().running == 0 {
        tokio::task::yield_now().await;
    }
    let error = driver.run(&fleet, Verb::PowerOff).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (Kind::Conflict, 409));
    assert!(error.to_string().contains("poweron"), "{error}");
    assert_eq!(driver.run(&fleet, Verb::PowerStatus).await.unwrap().driver, "fake");
    assert!(first.await.unwrap().unwrap().verified);
    assert!(driver.run(&fleet, Verb::PowerOff).await.unwrap().verified);
}

#[tokio::test]
async fn stop_ends_what_runs_and_closes_every_session() {
    let driver = FakeDriver::new(Power::On);
    let fleet = Fleet::new(Settings::default(), Arc::new(SystemClock::start()));
    driver.run(&fleet, Verb::PowerStatus).await.unwrap();
    driver.world().delay = Duration::from_secs(60);
    let slow = tokio::spawn({
        let (fleet, driver) = (fleet.clone(), driver.clone());
        async move { driver.run(&fleet, Verb::PowerOff).await }
    });
    while driver.world().running == 0 {
        tokio::task::yield_now().await;
    }
    fleet.stop().await;
    let error = slow.await.unwrap().unwrap_err();
    assert_eq!(error.kind, Kind::Cancelled);
    assert_eq!(driver.world().open_now, 0);
    assert_eq!(driver.run(&fleet, Verb::PowerStatus).await.unwrap_err().kind, Kind::Cancelled);
}

#[tokio::test]
async fn a_caller_that_goes_away_ends_readings_and_not_changes() {
    let driver = FakeDriver::new(Power::Off);
    driver.world().delay = Duration::from_millis(20);
    let fleet = Fleet::new(Settings::default(), Arc::new(SystemClock::start()));
    for verb in [Verb::PowerStatus, Verb::PowerOn] {
        let call = tokio::spawn({
            let (fleet, driver) = (fleet.clone(), driver.clone());
            async move { driver.run(&fleet, verb).await }
        });
        while driver.world().running == 0 {
            tokio::task::yield_now().await;
        }
        call.abort();
        let _aborted = call.await;
        while driver.world().running > 0 {
            tokio::task::yield_now().await;
        }
    }
    while driver.world().power != Power::On {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(driver.changes(), [Command::Power(PowerControl::Up)]);
    fleet.stop().await;
    assert_eq!(driver.world().open_now, 0);
}

#[tokio::test]
async fn beyond_the_bound_sessions_are_not_kept() {
    let (first, second) = (FakeDriver::new(Power::On), FakeDriver::new(Power::On));
    let settings = Settings { kept: 1, ..Settings::default() };
    let fleet = Fleet::new(settings, Arc::new(SystemClock::start()));
    let of = |host: &str| crate::Target { host: host.to_owned(), ..target("secret") };
    for (driver, host) in [(&first, "10.0.0.1"), (&second, "10.0.0.2")] {
        let (verb, options) = (Verb::PowerStatus, VerbOptions::default());
        fleet.run(Arc::new(driver.clone()), of(host), verb, options).await.unwrap();
    }
    assert_eq!((first.world().open_now, second.world().open_now), (1, 0));
    fleet.stop().await;
    assert_eq!(first.world().open_now, 0);
}

#[tokio::test]
async fn a_change_that_is_cancelled_while_it_is_read_back_is_not_called_safe_to_repeat() {
    let driver = FakeDriver::new(Power::Off);
    driver.world().change_faults.push_back(Fault::Ignored);
    let fleet = Fleet::new(Settings::default(), Arc::new(SystemClock::start()));
    let call = tokio::spawn({
        let (fleet, driver) = (fleet.clone(), driver.clone());
        async move { driver.run(&fleet, Verb::PowerOn).await }
    });
    while !driver.world().sent.contains(&Command::Power(PowerControl::Up)) {
        tokio::task::yield_now().await;
    }
    fleet.stop().await;
    let error = call.await.unwrap().unwrap_err();
    assert!(!error.retry_is_safe(), "{error}");
}
