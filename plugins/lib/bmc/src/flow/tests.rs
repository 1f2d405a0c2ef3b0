//! What the verbs do on a BMC in memory, with every fault.

use crate::fake::{FakeDriver, Fault};
use crate::reading::SelEntry;
use crate::{BootDevice, Class, Command, Kind, Power, PowerControl, Verb};
use proptest::prelude::*;

const UP: Command = Command::Power(PowerControl::Up);
const DOWN: Command = Command::Power(PowerControl::Down);

async fn once(driver: &FakeDriver, verb: Verb) -> Result<crate::Outcome, crate::BmcError> {
    let (fleet, _) = driver.fleet();
    let result = driver.run(&fleet, verb).await;
    fleet.stop().await;
    assert_eq!(driver.world().open_now, 0, "a session was left open");
    result
}

#[tokio::test]
async fn power_on_and_off_are_read_back() {
    let driver = FakeDriver::new(Power::Off);
    let outcome = once(&driver, Verb::PowerOn).await.unwrap();
    assert_eq!((outcome.state, outcome.verified), (Power::On, true));
    assert_eq!((outcome.requested.as_str(), outcome.observed.as_str()), ("on", "on"));
    assert_eq!(driver.changes(), [UP]);
    let again = once(&driver, Verb::PowerOn).await.unwrap();
    assert!(again.verified && again.text.contains("already"));
    assert_eq!(driver.changes(), [UP]);
    assert_eq!(once(&driver, Verb::PowerOff).await.unwrap().state, Power::Off);
    assert_eq!(driver.changes(), [UP, DOWN]);
}

#[tokio::test]
async fn what_is_accepted_and_not_done_is_not_a_success() {
    let driver = FakeDriver::new(Power::On);
    driver.world().change_faults.push_back(Fault::Ignored);
    let error = once(&driver, Verb::PowerOff).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (Kind::Unconfirmed, 504));
    assert!(error.to_string().contains("sent but not confirmed"), "{error}");
    let evidence = error.evidence.unwrap();
    assert_eq!((evidence.state, evidence.verified), (Power::On, false));
}

#[tokio::test]
async fn unknown_is_neither_shown_as_off_nor_acted_on() {
    for verb in [Verb::PowerOn, Verb::PowerOff, Verb::PowerCycle, Verb::PowerReset, Verb::PowerSoft] {
        let driver = FakeDriver::new(Power::On);
        driver.world().read_faults.push_back(Fault::Unknown);
        assert_eq!(once(&driver, verb).await.unwrap_err().kind, Kind::PowerUnknown);
        assert!(driver.changes().is_empty());
    }
    let driver = FakeDriver::new(Power::On);
    driver.world().read_faults.push_back(Fault::Unknown);
    let outcome = once(&driver, Verb::PowerStatus).await.unwrap();
    assert_eq!((outcome.state, outcome.verified), (Power::Unknown, false));
}

#[tokio::test]
async fn a_lost_answer_is_settled_by_reading() {
    let driver = FakeDriver::new(Power::Off);
    driver.world().change_faults.push_back(Fault::AnswerLost);
    let outcome = once(&driver, Verb::PowerOn).await.unwrap();
    assert!(outcome.verified);
    assert_eq!(outcome.attempts.len(), 2);
    assert_eq!(driver.changes(), [UP]);
}

#[tokio::test]
async fn a_lost_request_is_sent_again_only_where_reading_proves_it() {
    let driver = FakeDriver::new(Power::Off);
    driver.world().change_faults.push_back(Fault::RequestLost);
    assert!(once(&driver, Verb::PowerOn).await.unwrap().verified);
    assert_eq!(driver.changes(), [UP]);
    for verb in [Verb::PowerCycle, Verb::PowerReset] {
        let driver = FakeDriver::new(Power::On);
        driver.world().change_faults.push_back(Fault::RequestLost);
        let error = once(&driver, verb).await.unwrap_err();
        assert_eq!(error.kind, Kind::Unconfirmed);
        assert!(driver.changes().is_empty(), "{verb:?} was sent twice");
    }
}

#[tokio::test]
async fn a_cycle_is_seen_going_off_and_on() {
    let driver = FakeDriver::new(Power::On);
    let outcome = once(&driver, Verb::PowerCycle).await.unwrap();
    assert!(outcome.verified, "{outcome:?}");
    driver.world().change_faults.push_back(Fault::Ignored);
    let outcome = once(&driver, Verb::PowerCycle).await.unwrap();
    assert_eq!((outcome.state, outcome.verified), (Power::On, false));
    assert!(outcome.text.starts_with("sent but not confirmed"), "{}", outcome.text);
}

#[tokio::test]
async fn a_cycle_of_a_machine_that_is_off_powers_it_on() {
    let driver = FakeDriver::new(Power::Off);
    assert!(once(&driver, Verb::PowerCycle).await.unwrap().verified);
    assert_eq!(driver.changes(), [UP]);
}

#[tokio::test]
async fn a_bmc_without_cycle_is_switched_off_and_on() {
    let driver = FakeDriver::new(Power::On);
    driver.world().change_faults.push_back(Fault::Refused(Kind::Unsupported));
    let outcome = once(&driver, Verb::PowerCycle).await.unwrap();
    assert!(outcome.verified);
    assert!(outcome.attempts[0].error.contains("power cycle"), "{:?}", outcome.attempts);
    assert_eq!(driver.changes(), [DOWN, UP]);
}

#[tokio::test]
async fn a_reset_says_that_nothing_can_be_read_back() {
    let driver = FakeDriver::new(Power::On);
    let outcome = once(&driver, Verb::PowerReset).await.unwrap();
    assert_eq!((outcome.state, outcome.verified), (Power::On, false));
    let off = FakeDriver::new(Power::Off);
    let error = once(&off, Verb::PowerReset).await.unwrap_err();
    assert_eq!((error.kind, error.code()), (Kind::State, 409));
    assert!(off.changes().is_empty());
}

#[tokio::test]
async fn a_soft_shutdown_is_followed_by_a_hard_one_and_both_are_told() {
    let driver = FakeDriver::new(Power::On);
    let outcome = once(&driver, Verb::PowerSoft).await.unwrap();
    assert!(outcome.verified && outcome.text.contains("operating system"));
    let driver = FakeDriver::new(Power::On);
    driver.world().heeds_soft = false;
    let outcome = once(&driver, Verb::PowerSoft).await.unwrap();
    assert_eq!((outcome.state, outcome.verified), (Power::Off, true));
    assert_eq!(driver.changes(), [Command::Power(PowerControl::Soft), DOWN]);
    assert!(outcome.attempts[0].error.starts_with("soft shutdown"), "{:?}", outcome.attempts);
}

#[tokio::test]
async fn boot_devices_are_compared_by_what_bmcs_keep() {
    let driver = FakeDriver::new(Power::Off);
    driver.world().drops_flags = true;
    let verb = Verb::Boot { device: BootDevice::Pxe, persistent: true };
    let outcome = once(&driver, verb).await.unwrap();
    assert!(outcome.verified);
    assert!(outcome.text.contains("does not read back: valid, persistent"), "{}", outcome.text);
    assert_eq!(outcome.state, Power::Off);
    driver.world().change_faults.push_back(Fault::Ignored);
    let verb = Verb::Boot { device: BootDevice::Disk, persistent: false };
    let outcome = once(&driver, verb).await.unwrap();
    assert!(!outcome.verified && outcome.observed == "pxe" && outcome.requested == "disk");
    assert_eq!(once(&driver, Verb::BootStatus).await.unwrap().observed, "pxe");
}

#[tokio::test]
async fn a_lost_boot_request_is_sent_again_once() {
    for (fault, sent) in [(Fault::RequestLost, 2), (Fault::AnswerLost, 1)] {
        let driver = FakeDriver::new(Power::Off);
        driver.world().change_faults.push_back(fault);
        let verb = Verb::Boot { device: BootDevice::Pxe, persistent: false };
        assert!(once(&driver, verb).await.unwrap().verified);
        let changes = driver.world().sent.iter().filter(|c| c.class() != Class::Read).count();
        assert_eq!(changes, sent);
    }
}

#[tokio::test]
async fn identify_is_confirmed_where_the_bmc_tells() {
    let driver = FakeDriver::new(Power::On);
    assert!(once(&driver, Verb::Identify).await.unwrap().verified);
    assert!(once(&driver, Verb::IdentifyOff).await.unwrap().verified);
    driver.world().identify = None;
    assert!(!once(&driver, Verb::Identify).await.unwrap().verified);
    driver.world().change_faults.push_back(Fault::AnswerLost);
    assert_eq!(once(&driver, Verb::Identify).await.unwrap_err().kind, Kind::Unconfirmed);
}

fn logged(id: &str) -> SelEntry {
    SelEntry { id: id.to_owned(), time: Some("2026-01-01T00:00:00".to_owned()), ..SelEntry::default() }
}

#[tokio::test]
async fn a_log_is_cleared_once_and_read_back() {
    let driver = FakeDriver::new(Power::On);
    let empty = once(&driver, Verb::SelClear).await.unwrap();
    assert!(empty.verified && empty.text.contains("nothing was sent"), "{}", empty.text);
    assert!(driver.changes().is_empty());
    for marks in [false, true] {
        driver.world().log = vec![logged("1"), logged("2")];
        driver.world().marks_clearing = marks;
        let cleared = once(&driver, Verb::SelClear).await.unwrap();
        assert!(cleared.verified && cleared.state == Power::On, "{}", cleared.text);
        assert_eq!(cleared.details.unwrap()["removed"], 2);
    }
    assert_eq!(driver.changes(), [Command::SelClear, Command::SelClear]);
}

#[tokio::test]
async fn a_log_that_holds_its_clear_mark_alone_is_a_cleared_one() {
    let driver = FakeDriver::new(Power::On);
    driver.world().marks_clearing = true;
    driver.world().log = vec![logged("7")];
    // The second time, the mark is the same one: the fake's clock stands still.
    for _ in 0..2 {
        let cleared = once(&driver, Verb::SelClear).await.unwrap();
        assert!(cleared.verified && cleared.observed == "1 new entry", "{}", cleared.text);
    }
    assert_eq!(driver.changes(), [Command::SelClear, Command::SelClear]);
    // What was logged since the mark, and is still there, was not cleared. The advice is about the log.
    driver.world().log.push(logged("8"));
    driver.world().change_faults.push_back(Fault::Ignored);
    let error = once(&driver, Verb::SelClear).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unconfirmed, "{error}");
    assert!(error.next.starts_with("read sel ") && !error.next.contains("powerstatus"), "{error}");
}

#[tokio::test]
async fn a_lost_answer_to_clearing_is_settled_by_reading_and_never_by_clearing_again() {
    for fault in [Fault::AnswerLost, Fault::Nonsense] {
        let driver = FakeDriver::new(Power::On);
        driver.world().log = vec![logged("1")];
        driver.world().change_faults.push_back(fault);
        assert!(once(&driver, Verb::SelClear).await.unwrap().verified);
        assert_eq!(driver.changes(), [Command::SelClear]);
    }
    for fault in [Fault::RequestLost, Fault::Ignored] {
        let driver = FakeDriver::new(Power::On);
        driver.world().log = vec![logged("1")];
        driver.world().change_faults.push_back(fault);
        let error = once(&driver, Verb::SelClear).await.unwrap_err();
        assert_eq!((error.kind, error.retry_is_safe()), (Kind::Unconfirmed, false), "{error}");
        let sent = driver.world().sent.iter().filter(|c| **c == Command::SelClear).count();
        assert_eq!((sent, driver.world().log.len()), (1, 1));
    }
}

#[tokio::test]
async fn a_log_that_still_counts_its_entries_is_not_taken_for_cleared() {
    let driver = FakeDriver::new(Power::On);
    driver.world().log = vec![logged("1")];
    driver.world().hides_log = true;
    driver.world().change_faults.push_back(Fault::Ignored);
    let error = once(&driver, Verb::SelClear).await.unwrap_err();
    assert_eq!(error.kind, Kind::Unconfirmed, "{error}");
    // The same entry in other words is the same entry.
    driver.world().hides_log = false;
    driver.world().renames_sensors = true;
    driver.world().change_faults.push_back(Fault::Ignored);
    assert_eq!(once(&driver, Verb::SelClear).await.unwrap_err().kind, Kind::Unconfirmed);
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        1 => Just(Fault::RequestLost),
        1 => Just(Fault::AnswerLost),
        1 => Just(Fault::Nonsense),
        1 => Just(Fault::Unknown),
        1 => Just(Fault::Ignored),
        1 => Just(Fault::Refused(Kind::Refused)),
        1 => Just(Fault::Refused(Kind::Unsupported)),
        1 => Just(Fault::Refused(Kind::NodeBusy)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Promises P4 and P5: whatever goes wrong, nothing that counts is done twice, nothing is done while the
    /// state is unknown, and a success was read back.
    #[test]
    fn no_fault_makes_a_verb_lie(
        on in any::<bool>(),
        verb in prop::sample::select(vec![
            Verb::PowerOn, Verb::PowerOff, Verb::PowerCycle, Verb::PowerReset, Verb::PowerSoft, Verb::PowerStatus,
        ]),
        changes in prop::collection::vec(fault(), 0..4),
        mut reads in prop::collection::vec(fault(), 0..12),
    ) {
        // A reading is never accepted and ignored.
        reads.retain(|fault| *fault != Fault::Ignored);
        let driver = FakeDriver::new(if on { Power::On } else { Power::Off });
        driver.world().change_faults.extend(changes);
        driver.world().read_faults.extend(reads);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let result = runtime.block_on(once(&driver, verb));
        let world = driver.world();
        for command in [PowerControl::Cycle, PowerControl::Reset, PowerControl::Soft].map(Command::Power) {
            prop_assert!(world.done.iter().filter(|c| **c == command).count() <= 1, "{command:?} done twice");
        }
        if world.sent.iter().any(|c| c.class() != Class::Read) {
            let first = world.readings.first();
            prop_assert!(first.is_some_and(|power| *power != Power::Unknown), "acted without knowing");
        }
        if let Ok(outcome) = result {
            prop_assert_eq!(outcome.state, *world.readings.last().unwrap());
            if outcome.verified {
                prop_assert_eq!(outcome.state, world.power);
                prop_assert_ne!(outcome.state, Power::Unknown);
            }
        }
    }
}
