use super::{Bounds, EventBus};
use crate::{Delivery, Interest, Pattern, PatternSet, Subscription};
use drp_protocol::Event;
use proptest::prelude::*;
use serde_json::json;

fn bus(queue: usize, history: usize) -> EventBus {
    EventBus::new(Bounds { queue, history, history_bytes: 1 << 20 })
}

fn happen(bus: &EventBus, kind: &str, key: u64) {
    bus.publish(Event::now(kind, "update", key.to_string(), json!({ "n": key })));
}

fn patterns(texts: &[&str]) -> Interest {
    let mut set = PatternSet::default();
    texts.iter().for_each(|text| set.register(text).unwrap());
    set.into()
}

/// What is there now: numbers of events, and gaps as ranges.
async fn drained(reader: &mut Subscription) -> Vec<(u64, u64)> {
    let mut out = Vec::new();
    loop {
        let mut some = Vec::new();
        tokio::select! {
            biased;
            () = reader.take(7, &mut some) => {}
            () = tokio::task::yield_now() => {}
        }
        if some.is_empty() {
            return out;
        }
        out.extend(some.into_iter().map(|delivery| match delivery {
            Delivery::Event(event) => (event.seq, event.seq),
            Delivery::Gap { from, to } => (from, to),
        }));
    }
}

#[tokio::test]
async fn events_arrive_in_order_and_a_slow_reader_learns_the_range_it_lost() {
    let bus = bus(4, 0);
    let mut slow = bus.subscribe();
    for key in 0..11 {
        happen(&bus, "a", key);
    }
    let Some(Delivery::Gap { from, to }) = slow.next().await else { panic!("no gap") };
    assert_eq!((from, to), (1, 7));
    for seq in 8..=11 {
        let Some(Delivery::Event(event)) = slow.next().await else { panic!("no event") };
        assert_eq!(event.seq, seq);
    }
    assert_eq!((bus.last_seq(), slow.position()), (11, 11));
}

#[tokio::test]
async fn only_what_is_wanted_is_queued() {
    let bus = bus(2, 0);
    let mut one = bus.subscribe_to(Pattern::of("machines", Some("7")).into());
    let mut lists = bus.subscribe_to(patterns(&["jobs,machines.update.*", "nonsense"]));
    for key in 0..9 {
        happen(&bus, "machines", key);
        happen(&bus, "log", key);
    }
    assert_eq!(drained(&mut one).await, [(15, 15)]);
    // Lines of the log are no reason for a gap, and not part of what was lost at either end.
    assert_eq!(drained(&mut lists).await, [(1, 13), (15, 15), (17, 17)]);
    lists.set_interest(patterns(&["log.*.*"]));
    happen(&bus, "machines", 1);
    happen(&bus, "log", 1);
    assert_eq!(drained(&mut lists).await, [(20, 20)]);
    assert_eq!(lists.position(), 20);
    drop((one, lists));
    let state = bus.shared.state();
    assert!(state.all.is_empty() && state.some.is_empty(), "{state:?}");
}

#[tokio::test]
async fn who_comes_back_gets_what_is_kept_and_a_mark_for_the_rest() {
    let bus = bus(100, 5);
    for key in 1..=8 {
        happen(&bus, if key % 2 == 0 { "even" } else { "odd" }, key);
    }
    let mut all = bus.subscribe_after(Interest::Everything, 6);
    assert_eq!(drained(&mut all).await, [(7, 7), (8, 8)]);
    let mut odd = bus.subscribe_after(patterns(&["odd.*.*"]), 1);
    happen(&bus, "odd", 9);
    assert_eq!(drained(&mut odd).await, [(2, 3), (5, 5), (7, 7), (9, 9)]);
    for (after, want) in [(9, vec![]), (1000, vec![]), (8, vec![(9, 9)]), (0, vec![(1, 4)])] {
        let got = drained(&mut bus.subscribe_after(Interest::Everything, after)).await;
        assert_eq!(got[..want.len().min(1)], want, "{after}");
    }
}

#[tokio::test]
async fn bytes_are_bounded_too() {
    let bus = EventBus::new(Bounds { queue: 1000, history: 1000, history_bytes: 10_000 });
    let mut slow = bus.subscribe();
    let large = "x".repeat(9 << 20);
    for n in 0..4 {
        bus.publish(Event::now("large", "n", n.to_string(), json!(large)));
    }
    assert_eq!(drained(&mut slow).await, [(1, 3), (4, 4)]);
    // What is larger than all of the history is not kept.
    assert_eq!(drained(&mut bus.subscribe_after(Interest::Everything, 0)).await, [(1, 4)]);
}

#[tokio::test]
async fn the_end_of_the_engine_ends_its_followers() {
    let bus = bus(4, 4);
    let mut reader = bus.subscribe();
    let mut other = bus.subscribe_to(patterns(&["a.*.*"]));
    happen(&bus, "a", 1);
    drop(bus);
    assert!(matches!(reader.next().await, Some(Delivery::Event(_))));
    assert!(reader.next().await.is_none());
    assert!(matches!(other.next().await, Some(Delivery::Event(_))));
    assert!(other.next().await.is_none());
}

/// What happens to a bus and one of its followers.
#[derive(Debug, Clone)]
enum Step {
    Publish(u8),
    Take(u8),
    /// Goes away and comes back with its position.
    ComeBack,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..3_u8).prop_map(Step::Publish),
        2 => (1..6_u8).prop_map(Step::Take),
        1 => Just(Step::ComeBack),
    ];
    prop::collection::vec(step, 0..120)
}

proptest! {
    /// No event is lost silently: whatever happens, each wanted event either arrives, once and in order, or lies in a
    /// gap that was announced; and nothing arrives that was announced as lost.
    #[test]
    fn no_event_is_lost_silently(steps in steps(), queue in 1..6_usize, history in 0..8_usize, all in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let bus = bus(queue, history);
            let interest = || if all { Interest::Everything } else { patterns(&["t1.*.*", "t2.update.*"]) };
            let mut reader = bus.subscribe_to(interest());
            let (mut wanted, mut told) = (Vec::new(), Vec::new());
            for step in steps {
                match step {
                    Step::Publish(kind) => {
                        happen(&bus, &format!("t{kind}"), 1);
                        if all || kind > 0 {
                            wanted.push(bus.last_seq());
                        }
                    }
                    Step::Take(most) => {
                        let mut some = Vec::new();
                        tokio::select! {
                            biased;
                            () = reader.take(most.into(), &mut some) => {}
                            () = tokio::task::yield_now() => {}
                        }
                        told.extend(some.into_iter().map(|delivery| match delivery {
                            Delivery::Event(event) => (event.seq, event.seq, true),
                            Delivery::Gap { from, to } => (from, to, false),
                        }));
                    }
                    Step::ComeBack => {
                        let position = reader.position();
                        reader = bus.subscribe_after(interest(), position);
                    }
                }
            }
            told.extend(drained(&mut reader).await.into_iter().map(|(from, to)| {
                (from, to, from == to && wanted.contains(&from))
            }));
            let in_order = told.windows(2).all(|pair| pair[0].1 < pair[1].0 && pair[0].0 <= pair[0].1);
            prop_assert!(in_order, "{:?}", told);
            for seq in &wanted {
                prop_assert!(told.iter().any(|(from, to, _)| (from..=to).contains(&seq)), "{} of {:?}", seq, told);
            }
            let events = told.iter().filter(|(.., event)| *event);
            for (seq, ..) in events {
                prop_assert!(wanted.contains(seq), "{} was not wanted", seq);
            }
            Ok(())
        })?;
    }
}
