//! Configurations: the one of the documentation is one, and every kind of mistake is told with its place.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use halfkey_gate::{Config, ConfigError, Upstream};
use std::path::Path;

const DOCUMENTED: &str = include_str!("../gate.toml");

fn read(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("gate.toml"))
}

#[test]
fn the_documented_configuration_is_one() {
    let config = read(DOCUMENTED).unwrap();
    assert_eq!(config.services.len(), 2);
    let wiki = config.services.get(&"wiki".parse().unwrap()).unwrap();
    assert_eq!(wiki.upstream, Upstream::Http { address: "127.0.0.1:8000".into() });
    // What is commented out is one, too, but for what excludes something else.
    let line = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.contains(" = ") && !rest.starts_with("place") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let all = DOCUMENTED
        .lines()
        .map(line)
        .collect::<Vec<_>>()
        .join("\n")
        .replace("# [services.mail]", "[services.mail]");
    let config = read(&all).unwrap();
    assert_eq!(config.services.len(), 3);
    assert_eq!(config.limits.connections, 20_000);
    let database = "place = \"postgres://gate@db1,db2/halfkey\"";
    read(&DOCUMENTED.replace("place = \"store.db\"", database)).unwrap();
}

#[test]
fn mistakes_are_told_with_their_place() {
    for (right, wrong, told) in [
        ("listen = [\"[::]:4400\"]", "listen = [\"4400\"]", "line 6, column 11"),
        ("listen = [\"[::]:4400\"]", "listen = []", "listen: at least one address"),
        ("[store]", "[store]\nfiles = 1", "unknown field `files`"),
        ("[operator]", "[operators]", "unknown field `operators`"),
        ("name = \"gate.example\"", "name = \"gate example\"", "line 10, column 8"),
        ("kind = \"user-name\"", "kind = \"username\"", "unknown variant `username`"),
        ("modes = [\"psk-kem\", \"psk\"]", "modes = [\"tls\"]", "unknown variant `tls`"),
        ("key_file = \"storage.key\"", "", "missing field `key_file`"),
        ("grant = \"code\"", "grant = \"all\"", "line 34, column 9"),
        (
            "grant = \"code\"",
            "grant = \"approve\"",
            "unknown variant `approve`, expected one of `code`, `approved`",
        ),
        ("grant = \"code\"", "grant = true", "line 34, column 9"),
        ("access_path = \"/staff\"", "access_path = \"\"", "access_path"),
        ("127.0.0.1:4480", "0.0.0.0:4480", "operator.listen: a loopback address"),
        ("[services.wiki]", "[services.\"The Wiki\"]", "a service's name"),
        ("http = \"127.0.0.1:8000\"", "http = \"127.0.0.1\"", "host:port"),
        ("http = \"127.0.0.1:8000\"", "http = \"http://127.0.0.1:8000/\"", "host:port"),
        ("http = \"127.0.0.1:8000\"", "http = \"a:1\"\ntcp = \"b:1\"", "one of tcp, unix and http"),
        ("http = \"127.0.0.1:8000\"", "http = \"a:1\"\nproxy_protocol = true", "by headers"),
        ("http = \"127.0.0.1:8000\"", "tcp = \"a:1\"\nconnect = 0", "1 to 300 seconds"),
        ("http = \"127.0.0.1:8000\"", "", "one of tcp, unix and http"),
        ("[limits]", "[limits]\nconnections = 0", "limits.connections: 1 to 1000000"),
        ("[limits]", "[limits]\nframe = 0", "limits.frame: 1 to 86400 seconds"),
        ("[limits]", "[limits]\nsessions_per_second = 0", "limits.sessions_per_second: at least 1"),
        ("[limits]", "[limits]\ndrain = 4000", "limits.drain: 0 to 3600 seconds"),
        ("place = \"store.db\"", "place = \"postgres://[\"", "no URL of PostgreSQL"),
        ("# session_age = 86400", "offer_ttl = 0", "offer_ttl: 1 to 900 seconds"),
        ("[store]", "[store", "line "),
    ] {
        let text = DOCUMENTED.replacen(right, wrong, 1);
        assert_ne!(text, DOCUMENTED, "{right}");
        let error = read(&text).map(drop).expect_err(wrong).to_string();
        assert!(error.starts_with("gate.toml: "), "{error}");
        assert!(error.contains(told), "{wrong}: {error}");
    }
}
