//! How it is meant: a code as a URI, an agent, and application servers that know nothing of it.

use crate::server::Server;
use crate::site::{LONG, SLACK, SOON, Site, Web, get, port, reached, until};
use std::net::TcpStream;

#[test]
fn a_web_server_and_a_database_are_reached_through_the_gate() {
    let site = Site::new("story");
    let (web, wiki) = (Web::new(), port());
    let upstream = web.upstream();
    let Some(postgres) = Server::new() else { return };
    let (database, behind) = (port(), format!("tcp = \"127.0.0.1:{}\"", postgres.port()));
    let services = [("wiki", &*upstream, wiki), ("database", &*behind, database)];
    site.serve(&services);
    let _gate = site.run();
    let alice = site.enrolled("alice");
    // The code was good once.
    let agent = alice.up();
    until("the wiki is reached", LONG, || reached(wiki));
    let psql = format!(
        "test $(psql -h localhost -p {database} -U postgres -Atc 'SELECT sum(n) FROM generate_series(1, 100000) n') = 5000050000"
    );
    postgres.shell(&psql, &[]);
    assert!(site.metric("halfkey_gate_agents") >= 1.0);
    assert!(site.metric("halfkey_gate_connections_total{service=\"database\"}") >= 1.0);

    // What the operator takes away is gone within two seconds, and comes back.
    site.entitle(&services[..1]);
    until("the database is taken away", SOON + SLACK, || {
        TcpStream::connect(("127.0.0.1", database)).is_err()
    });
    assert!(reached(wiki));
    site.entitle(&services);
    until("the database is given back", SOON + SLACK, || TcpStream::connect(("127.0.0.1", database)).is_ok());
    postgres.shell(&psql, &[]);

    site.admin(&["revoke", "alice"]);
    until("alice is out", SOON + SLACK, || !reached(wiki));
    until("her agent says so", LONG, || alice.links()["localhost"] == "refused");
    drop(agent);
    assert!(get(site.operator, "/healthz").is_some());
}

#[test]
fn a_list_that_no_gate_reads_entitles_nobody() {
    let site = Site::new("list");
    let file = site.dir.join("bad.json");
    std::fs::write(&file, "{\"services\": [{\"name\": \"wiki\", \"listen\": \"0.0.0.0:80\"}]}").unwrap();
    let set = ["entitle", "set", "path:/staff", "services", "--file", file.to_str().unwrap()];
    let said = site.try_admin(&set).unwrap_err();
    assert!(said.contains("bad.json: ") && said.contains("loopback"), "{said}");
}
