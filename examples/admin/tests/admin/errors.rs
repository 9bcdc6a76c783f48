//! What cannot be done is said in a sentence, with an exit code that tells whose fault it is.

use crate::desk::{Desk, Run};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

#[test]
fn arguments_that_say_nothing() {
    let desk = Desk::new();
    for arguments in [
        &["dance"][..],
        &["show"],
        &["show", "a b"],
        &["list", "--limit", "0"],
        &["list", "--limit", "5", "--all"],
        &["list", "--state", "asleep"],
        &["list", "--expiring-before", "soon"],
        &["code", "issue", ""],
        &["code", "issue", "a b"],
        &["code", "issue", "ann", "--in", "7 moons"],
        &["entitle", "list", "--subject", "ann"],
        &["group", "join", "user 1", "g"],
    ] {
        desk.json(arguments).fails(2, "usage");
        let people = desk.run(arguments);
        assert_eq!((people.exit, people.out.as_str()), (Some(2), ""), "{arguments:?}");
    }
    let missing = desk.json(&["code", "expire"]);
    let error = "the following required arguments were not provided: <NAME>";
    assert_eq!(missing.err, format!("{{\"error\":\"{error}\",\"code\":\"usage\"}}\n"));
    let mut command = desk.command(&["code", "issue"]);
    command.arg(std::ffi::OsStr::from_bytes(b"ann\xff"));
    assert_eq!(command.output().unwrap().status.code(), Some(2));
    let mut command = desk.command(&["status", "--json"]);
    Run::of(command.env_remove("HALFKEY_DB").output().unwrap()).fails(2, "usage");
    assert!(desk.run(&["--help"]).ok().out.contains("Exit codes"));
}

#[test]
fn key_files_that_are_none() {
    let desk = Desk::new();
    let status = |file: &str| desk.json(&["status", "--key-file", file]);
    let good = std::fs::read_to_string(desk.path("key")).unwrap();
    for (name, text) in
        [("short", &good[..62]), ("long", &format!("{good}0")), ("other", &format!("g{}", &good[1..]))]
    {
        let file = desk.file(name, text);
        status(&file).fails(2, "file");
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        let run = status(&file);
        run.fails(2, "file");
        assert!(run.err.contains("64 hexadecimal digits") && !run.err.contains(&good[..32]), "{run:?}");
    }
    status(&desk.path("nowhere")).fails(2, "file");
    status(&desk.path("")).fails(2, "file");
    std::fs::set_permissions(desk.path("key"), std::fs::Permissions::from_mode(0o640)).unwrap();
    let run = status(&desk.path("key"));
    run.fails(2, "file");
    assert!(run.err.contains("chmod 600"));
    let group = |file: &str| desk.json(&["status", "--group-may-read", "--key-file", file]);
    let run = group(&desk.path("key"));
    assert!(run.exit == Some(0) && run.err.contains("the group may read this key"), "{run:?}");
    for mode in [0o660, 0o644, 0o604] {
        std::fs::set_permissions(desk.path("key"), std::fs::Permissions::from_mode(mode)).unwrap();
        group(&desk.path("key")).fails(2, "file");
    }
}

#[test]
fn stores_that_are_none() {
    let desk = Desk::new();
    for file in [desk.db.clone(), desk.file("letter", "dear Ann")] {
        let run = desk.json(&["init", "--db", &file]);
        run.fails(1, "exists");
        assert!(run.err.contains(&file) && run.err.contains("a file already"), "{run:?}");
    }
    let nowhere = desk.json(&["status", "--db", &desk.path("nowhere")]);
    nowhere.fails(3, "not-a-store");
    assert!(nowhere.err.contains("nowhere: there is no store"), "{nowhere:?}");
    let text = desk.file("text", "no database".repeat(1000));
    desk.json(&["status", "--db", &text]).fails(3, "not-a-store");
    desk.run(&["keygen", &desk.path("other")]).ok();
    desk.json(&["status", "--key-file", &desk.path("other")]).fails(3, "storage-key");
    desk.register(1, "ann");
    let file = desk.path("db");
    let mut bytes = std::fs::read(&file).unwrap();
    bytes.truncate(20_000);
    std::fs::write(&file, bytes).unwrap();
    let run = desk.json(&["list"]);
    assert_eq!(run.exit, Some(3), "{run:?}");
}

/// As on a file system that is mounted to be read.
#[test]
fn a_store_that_cannot_be_written_is_read() {
    let desk = Desk::new();
    desk.register(1, "ann");
    let file = desk.path("db");
    for end in ["", "-wal", "-shm"] {
        let file = format!("{file}{end}");
        if std::path::Path::new(&file).exists() {
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o400)).unwrap();
        }
    }
    // A process with all rights can write all the same.
    if std::fs::OpenOptions::new().append(true).open(&file).is_ok() {
        return;
    }
    assert_eq!(desk.json(&["list"]).ok().one()["name"], "ann");
    desk.json(&["suspend", "ann"]).fails(3, "read-only");
}

#[test]
fn readers_that_go() {
    let desk = Desk::new();
    let names: String = (0..3000).map(|n| format!("ann{n}\n")).collect();
    let names = desk.file("names", names);
    desk.run(&["import", "codes", &names, "--out", &desk.path("codes")]).ok();
    let mut command = desk.command(&["code", "list", "--all"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 4];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let run = Run::of(child.wait_with_output().unwrap()).ok();
    assert_eq!(run.out, "");
    // But a code that nobody was told is a failure.
    let mut command = desk.command(&["code", "issue", "ben"]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let run = Run::of(command.stdout(writer).output().unwrap());
    assert_eq!(run.exit, Some(3), "{run:?}");
}

#[test]
fn a_store_is_copied_once() {
    let desk = Desk::new();
    desk.register(1, "ann");
    let copy = desk.path("copy");
    desk.run(&["backup", &copy]).ok();
    desk.register(2, "ben");
    assert_eq!(desk.json(&["list", "--db", &copy]).ok().one()["name"], "ann");
    assert_eq!(std::fs::metadata(&copy).unwrap().permissions().mode() & 0o777, 0o600);
    desk.json(&["backup", &copy]).fails(1, "exists");
    desk.json(&["backup", &desk.path("nowhere/copy")]).fails(3, "unavailable");
}
