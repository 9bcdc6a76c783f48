//! A store that blocks, off the executor.

use halfkey::memory::Store;
use halfkey::port::StoreError;
use halfkey::tokio::OffExecutor;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_are_in_work_at_a_time_and_all_are_answered() {
    for most in [1, 3] {
        let store = OffExecutor::new(Store::new()).at_once(NonZeroUsize::new(most).unwrap());
        let (working, peak) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
        let asked = (0..50).map(|number| {
            let (store, working, peak) = (store.clone(), Arc::clone(&working), Arc::clone(&peak));
            tokio::spawn(async move {
                let work = move |_: &Store| {
                    peak.fetch_max(working.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(1));
                    working.fetch_sub(1, Ordering::SeqCst);
                    number
                };
                store.perform(work).await
            })
        });
        for (number, asked) in asked.collect::<Vec<_>>().into_iter().enumerate() {
            assert_eq!(asked.await.unwrap(), Ok(number));
        }
        assert!(peak.load(Ordering::SeqCst) <= most);
    }
}

#[tokio::test]
async fn one_that_panics_costs_the_others_nothing() {
    let store = OffExecutor::new(Store::new()).at_once(NonZeroUsize::MIN);
    let lost = store.perform(|_| panic!("a test panics")).await;
    assert_eq!(lost.map(|(): ()| ()), Err(StoreError::Unavailable(0)));
    assert_eq!(store.perform(|_| 7).await, Ok(7));
}

#[tokio::test]
async fn what_was_begun_is_done_though_nobody_waits() {
    let (store, done) =
        (OffExecutor::new(Store::new()).at_once(NonZeroUsize::MIN), Arc::<AtomicUsize>::default());
    for _ in 0..3 {
        let counts = Arc::clone(&done);
        let mut asked = Box::pin(store.perform(move |_| {
            std::thread::sleep(Duration::from_millis(20));
            counts.fetch_add(1, Ordering::SeqCst)
        }));
        // Polled once, and dropped.
        assert!(futures_once(&mut asked).await.is_none());
    }
    // One thread takes them in their order.
    store.perform(|_| ()).await.unwrap();
    assert_eq!(done.load(Ordering::SeqCst), 3);
}

async fn futures_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    tokio::time::timeout(Duration::ZERO, future).await.ok()
}

#[test]
fn a_store_outlives_the_runtime_that_it_was_asked_on() {
    let store = OffExecutor::new(Store::new()).at_once(NonZeroUsize::MIN);
    for number in 0..3 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let asked = store.clone();
        let slow = store.clone();
        runtime.spawn(async move { slow.perform(|_| std::thread::sleep(Duration::from_millis(5))).await });
        assert_eq!(runtime.block_on(async move { asked.perform(move |_| number).await }), Ok(number));
        runtime.shutdown_background();
    }
}
