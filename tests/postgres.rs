//! The store in PostgreSQL, on a real one.
#![cfg(all(unix, feature = "postgres"))]
#![allow(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test may panic"
)]

#[path = "postgres/audit.rs"]
mod audit;
#[path = "postgres/child.rs"]
mod child;
mod common;
#[path = "postgres/contention.rs"]
mod contention;
#[path = "postgres/contract.rs"]
mod contract;
#[path = "postgres/crash.rs"]
mod crash;
#[path = "postgres/damaged.rs"]
mod damaged;
#[path = "postgres/desk.rs"]
mod desk;
#[path = "postgres/dialect.rs"]
mod dialect;
#[path = "store/gate.rs"]
mod gate;
#[path = "postgres/guide.rs"]
mod guide;
#[path = "store/keeper.rs"]
mod keeper;
#[path = "postgres/lost.rs"]
mod lost;
#[path = "store/operations.rs"]
mod operations;
#[path = "support/sections.rs"]
#[allow(dead_code, reason = "the program's tests use the rest")]
mod sections;
#[path = "postgres/server.rs"]
mod server;
#[path = "postgres/story.rs"]
mod story;
#[path = "store/travel.rs"]
mod travel;
#[path = "postgres/world.rs"]
mod world;

use server::{Server, block_on};
use tokio_postgres::{Client, NoTls};
use world::connect;

async fn count(client: &Client) -> i64 {
    client.query_one("SELECT count(*) FROM kept", &[]).await.unwrap().get(0)
}

#[test]
fn every_test_has_a_database_of_its_own() {
    let (Some(one), Some(other)) = (server::database(), server::database()) else { return };
    assert_ne!(one, other);
    block_on(async {
        for database in [one, other] {
            let client = connect(&database).await;
            client.batch_execute("CREATE TABLE kept (id BIGINT PRIMARY KEY)").await.unwrap();
            assert_eq!(count(&client).await, 0);
        }
    });
}

#[test]
fn a_killed_server_keeps_what_it_acknowledged_and_nothing_else() {
    let Some(server) = Server::new() else { return };
    let database = server.database();
    block_on(async {
        let client = connect(&database).await;
        client.batch_execute("CREATE TABLE kept (id BIGINT PRIMARY KEY)").await.unwrap();
        for killed in 0..3 {
            let mut client = connect(&database).await;
            client.execute("INSERT INTO kept VALUES ($1)", &[&(2 * killed)]).await.unwrap();
            let transaction = client.transaction().await.unwrap();
            transaction.execute("INSERT INTO kept VALUES ($1)", &[&(2 * killed + 1)]).await.unwrap();
            server.kill();
            let error = transaction.commit().await.unwrap_err();
            assert!(error.code().is_none(), "no word from the server: {error:?}");
            server.start();
            assert_eq!(count(&connect(&database).await).await, killed + 1);
        }
        assert!(client.is_closed());
        assert!(server.stop().contains("database system is shut down"));
        assert!(tokio_postgres::connect(&database, NoTls).await.is_err());
        server.start();
        let (_, name) = database.rsplit_once(' ').unwrap();
        let other_way = format!("host=127.0.0.1 port={} user=postgres {name}", server.port());
        assert_eq!(count(&connect(&other_way).await).await, 3);
    });
}
