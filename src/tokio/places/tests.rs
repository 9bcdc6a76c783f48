use super::*;
use core::task::{Context, Poll};
use std::io;

struct Nothing;
impl Ending for Nothing {
    fn poll_close(&self, _: &Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_flush(&self, _: &Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_end(&self, _: &Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }
    fn cut(&self, _: &'static str) {}
}

fn peer(name: &str) -> Peer {
    Arc::from(name.as_bytes())
}

fn prove(place: &Place) -> bool {
    place.prove(Weak::<Nothing>::new(), KeyId::new([1; 16])).is_some()
}

#[tokio::test(start_paused = true)]
async fn the_peer_with_the_most_connections_loses_one_first() {
    let places = Places::new(4, 10);
    let mut flood = Vec::new();
    for _ in 0..3 {
        flood.push(places.enter(&peer("flood")).unwrap());
        tokio::time::advance(Duration::from_secs(60)).await;
    }
    let honest = places.enter(&peer("honest")).unwrap();
    // The flood takes its own places from now on, the oldest first.
    let more = places.enter(&peer("flood")).unwrap();
    assert_eq!(flood[0].is_lost(), Some(NoPlace::SentAway));
    let other = places.enter(&peer("other")).unwrap();
    assert_eq!(flood[1].is_lost(), Some(NoPlace::SentAway));
    assert!([&honest, &more, &other, &flood[2]].iter().all(|place| place.is_lost().is_none()));
}

#[tokio::test(start_paused = true)]
async fn among_equals_the_silent_go_first_and_sessions_never() {
    let places = Places::new(3, 2);
    let proven = places.enter(&peer("proven")).unwrap();
    assert!(prove(&proven));
    let spoke = places.enter(&peer("spoke")).unwrap();
    spoke.spoke();
    tokio::time::advance(Duration::from_secs(1)).await;
    let silent = places.enter(&peer("silent")).unwrap();
    let newcomer = places.enter(&peer("newcomer")).unwrap();
    assert_eq!(silent.is_lost(), Some(NoPlace::SentAway));
    assert!(spoke.is_lost().is_none() && proven.is_lost().is_none());
    // Whoever was sent away proves nothing any more.
    assert!(!prove(&silent));
    assert!(prove(&spoke) && prove(&newcomer));
    assert_eq!(places.enter(&peer("late")).err(), Some(NoPlace::Full));
    drop(proven);
    assert!(places.enter(&peer("late")).is_ok());
}

#[tokio::test(start_paused = true)]
async fn one_peer_has_no_more_than_its_share() {
    let places = Places::new(10, 2);
    let first = places.enter(&peer("a")).unwrap();
    let second = places.enter(&peer("a")).unwrap();
    let other = places.enter(&peer("b")).unwrap();
    let _third = places.enter(&peer("a")).unwrap();
    assert_eq!(first.is_lost(), Some(NoPlace::SentAway));
    assert!(second.is_lost().is_none() && other.is_lost().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_tells_everybody_and_waits() {
    let places = Places::new(10, 10);
    let place = places.enter(&peer("a")).unwrap();
    let work = places.work();
    drop(places.stop());
    assert_eq!(place.lost().await, NoPlace::ShuttingDown);
    assert_eq!(places.enter(&peer("b")).err(), Some(NoPlace::ShuttingDown));
    assert!(tokio::time::timeout(Duration::from_secs(9), places.empty()).await.is_err());
    drop((place, work));
    places.empty().await;
    let state = places.lock();
    assert!(state.peers.is_empty() && state.losers.is_empty());
}
