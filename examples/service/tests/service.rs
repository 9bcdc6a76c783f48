//! What gate and agent tell each other survives the wire, and nothing else is taken for it.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

use halfkey_service::{Answer, Listen, Opening, OpeningError, ServiceName, Services, ServicesError};
use proptest::prelude::*;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

proptest! {
    #[test]
    fn an_opening_is_read_as_it_was_written(
        service in proptest::option::of("[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"),
        location in proptest::option::of(".{0,255}"),
        rest in proptest::collection::vec(any::<u8>(), 0..40),
    ) {
        let service = service.map(|name| name.parse::<ServiceName>().unwrap());
        let opening = Opening { service, location, system: None };
        let bytes = [opening.to_bytes().unwrap(), rest.clone()].concat();
        let mut stream = bytes.as_slice();
        prop_assert_eq!(run(Opening::read(&mut stream)).unwrap(), Some(opening));
        prop_assert_eq!(stream, rest.as_slice());
    }

    #[test]
    fn nothing_that_comes_in_place_of_an_opening_panics(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
        let _ = run(Opening::read(&mut bytes.as_slice()));
        let _ = Services::read(&bytes);
        let _ = run(Answer::read(&mut bytes.as_slice()));
    }
}

#[test]
fn lengths_fields_and_answers_that_are_none_are_refused() {
    let read = |bytes: &[u8]| run(Opening::read(&mut &*bytes));
    assert!(matches!(read(b""), Ok(None)));
    assert!(matches!(read(&[0, 0]), Err(OpeningError::Length(0))));
    assert!(matches!(read(&[0x10, 1]), Err(OpeningError::Length(4097))));
    assert!(matches!(read(b"\0\x02{"), Err(OpeningError::Stream(_))));
    assert!(matches!(read(b"\0\x0c{\"user\":\"a\"}"), Err(OpeningError::Syntax(_))));
    assert!(matches!(run(Answer::read(&mut [9].as_slice())), Err(OpeningError::Answer(9))));
    let long = Opening { location: Some("x".repeat(5000)), ..Opening::default() };
    assert!(matches!(long.to_bytes(), Err(OpeningError::Length(_))));
}

#[test]
fn an_agent_listens_on_the_loopback_interface_alone() {
    for fine in ["127.0.0.1:8080", "[::1]:0", "127.8.0.1:1", "unix:database"] {
        assert_eq!(fine.parse::<Listen>().unwrap().to_string(), fine);
    }
    for not in
        ["0.0.0.0:80", "192.0.2.1:80", "[::]:80", "8080", "localhost:80", "unix:../x", "unix:", "unix:/a"]
    {
        assert!(not.parse::<Listen>().is_err(), "{not}");
    }
}

#[test]
fn a_list_names_each_service_and_each_listener_once() {
    let twice = br#"{"services":[{"name":"a","listen":"unix:x"},{"name":"a","listen":"unix:y"}]}"#;
    assert!(matches!(Services::read(twice), Err(ServicesError::Twice(_))));
    let shared = br#"{"services":[{"name":"a","listen":"unix:x"},{"name":"b","listen":"unix:x"}]}"#;
    assert!(matches!(Services::read(shared), Err(ServicesError::ListenTwice(_))));
    let any = br#"{"services":[{"name":"a","listen":"[::1]:0"},{"name":"b","listen":"[::1]:0"}]}"#;
    assert!(Services::read(any).is_ok());
    let unknown = br#"{"services":[],"admin":true}"#;
    assert!(matches!(Services::read(unknown), Err(ServicesError::Syntax(_))));
    let many: Vec<_> =
        (0..257).map(|n| serde_json::json!({"name": format!("s{n}"), "listen": "127.0.0.1:0"})).collect();
    let many = serde_json::to_vec(&serde_json::json!({ "services": many })).unwrap();
    assert!(matches!(Services::read(&many), Err(ServicesError::TooMany(257))));
}

#[test]
fn a_socket_is_its_owners_alone_and_takes_the_place_of_one_left_behind() {
    run(async {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("listen-{}", std::process::id()));
        let listener = halfkey_service::listen_unix(&path).await.unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(halfkey_service::listen_unix(&path).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        drop(listener);
        drop(halfkey_service::listen_unix(&path).await.unwrap());
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, "no socket").unwrap();
        assert_eq!(halfkey_service::listen_unix(&path).await.unwrap_err().kind(), ErrorKind::AddrInUse);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "no socket");
        std::fs::remove_file(&path).unwrap();
    });
}
