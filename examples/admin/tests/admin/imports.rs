//! Many things from files: what is wrong is told by its line, and no code is lost.

use crate::desk::{Desk, Run};
use halfkey::record::{Applicant, ProofId};
use halfkey::registration::ActivationCode;
use halfkey::store::operation::{SetCodeExpiry, WithdrawCode};
use halfkey::{ServerName, UnixTime, UserName};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::fmt::Write;
use std::process::Stdio;

/// The codes that are written down, by name; no name is there twice.
fn written(desk: &Desk, file: &str) -> HashMap<String, String> {
    let text = std::fs::read_to_string(desk.path(file)).unwrap();
    let lines = text.lines().map(|line| line.rsplit_once(',').unwrap());
    let codes: HashMap<_, _> = lines.map(|(name, code)| (name.to_string(), code.to_string())).collect();
    assert_eq!(codes.len(), text.lines().count());
    codes
}

/// Each code that is written down is the one that the store waits for.
fn all_are_good(desk: &Desk, codes: &HashMap<String, String>) {
    let (store, server) = (desk.store(), ServerName::new("gate.example").unwrap());
    for (name, code) in codes {
        let bare = name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name);
        let name = UserName::new(&bare.replace("\"\"", "\"")).unwrap();
        let applicant = Applicant { name: name.clone(), proof: Some(ProofId::Activation) };
        let known = store.port().applicant(&applicant, UnixTime::now()).unwrap().activation;
        let secret = ActivationCode::parse(code).unwrap().secret(&server, &name);
        assert_eq!(known.unwrap().secret.expose(), secret.expose(), "{name}");
    }
}

fn names(count: usize) -> String {
    (0..count).fold(String::new(), |mut names, n| {
        let _ = writeln!(names, "user{n}");
        names
    })
}

fn complaints(run: &Run) -> Vec<(u64, String)> {
    let lines = run.err.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_lines = lines.filter(|line| line["line"].is_u64());
    of_lines.map(|line| (line["line"].as_u64().unwrap(), line["code"].as_str().unwrap().into())).collect()
}

#[test]
fn bad_lines_are_told_and_the_rest_is_done() {
    let Some(desk) = super::desk() else { return };
    desk.register(1, "taken");
    desk.run(&["code", "issue", "invited"]).ok();
    let mut file = b"\xef\xbb\xbfAnn\r\n\r\nben,2999-01-31\n".to_vec();
    file.extend(b"{\"name\":\"cas\",\"expires\":\"+7d\"}\n\"d,\"\"e\"\n");
    file.extend(b"taken\ninvited\nann\nf g\n\xff\xfe\nhas\0nul\n\"open\nhal,someday\ni,j,k\n{\"name\":7}\n");
    file.extend(vec![b'x'; 3 << 20]);
    file.extend(b"\nlast");
    let file = desk.file("names", file);
    let run = desk.json(&["import", "codes", &file, "--out", &desk.path("codes"), "--in", "1d"]);
    run.fails(1, "some-failed");
    let expected = [
        (6, "name-taken"),
        (7, "code-exists"),
        (9, "name"),
        (10, "not-utf-8"),
        (11, "name"),
        (12, "csv"),
        (13, "time"),
        (14, "csv"),
        (15, "json"),
        (16, "line-too-long"),
    ];
    let mut told = complaints(&run);
    told.sort_unstable();
    assert_eq!(told, expected.map(|(line, code)| (line, code.to_string())));
    let sum = run.one();
    assert_eq!((&sum["done"], &sum["skipped"], &sum["bad"]), (&json!(5), &json!(1), &json!(10)));
    let codes = written(&desk, "codes");
    all_are_good(&desk, &codes);
    assert_eq!(codes.len(), 5);
    let listed = desk.json(&["code", "list"]).ok().lines();
    let ben = listed.iter().find(|code| code["name"] == "ben").unwrap();
    assert_eq!(ben["expires"], "2999-01-31T00:00:00Z");
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(desk.path("codes")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_first_line_may_name_the_columns() {
    let Some(desk) = super::desk() else { return };
    for (heading, out) in [("name", "one"), ("\u{feff}Name, Expires\r", "two"), ("\"NAME\",expires", "three")]
    {
        let file = desk.file("names", format!("{heading}\n{out}\n"));
        let sum = desk.json(&["import", "codes", &file, "--out", &desk.path(out)]).ok().one();
        assert_eq!((&sum["done"], &sum["skipped"]), (&json!(1), &json!(0)), "{heading}");
    }
    let file = desk.file("names", "expires,name\nname\nexpires\n");
    let run = desk.json(&["import", "codes", &file, "--out", &desk.path("four")]);
    assert_eq!(complaints(&run), [(1, "time".to_string())], "no heading");
    assert_eq!(run.one()["done"], 2, "and none in the midst");
    let groups = desk.file("groups", "user_id,group\nuser-1,g\n");
    assert_eq!(desk.json(&["import", "groups", &groups]).ok().one()["done"], 1);
    assert_eq!(desk.json(&["group", "list", "--all"]).ok().one()["user_id"], "user-1");
}

/// Nothing is issued for a name that is really a whole line.
#[test]
fn other_delimiters_are_not_taken_for_names() {
    let Some(desk) = super::desk() else { return };
    for (name, text) in [
        ("semicolons", "name;expires\nana;2999-01-31\nben;\n"),
        ("bare", "ana\nben;2999-01-31\n"),
        ("tabs", "ana\t2999-01-31\n"),
    ] {
        let file = desk.file(name, text);
        let run = desk.json(&["import", "codes", &file, "--out", &desk.path("none")]);
        run.fails(2, "file");
        assert!(run.err.contains("--delimiter") && run.out.is_empty(), "{run:?}");
        assert!(desk.json(&["code", "list"]).ok().lines().is_empty());
    }
    let file = desk.path("semicolons");
    let sum =
        desk.json(&["import", "codes", &file, "--out", &desk.path("codes"), "--delimiter", ";"]).ok().one();
    assert_eq!((&sum["done"], &sum["bad"]), (&json!(2), &json!(0)));
    let listed = desk.json(&["code", "list"]).ok().lines();
    assert_eq!(listed[0]["expires"], "2999-01-31T00:00:00Z");
    // A name may have a semicolon, if that is said; a time that is over is no time for a code.
    let file = desk.file("odd", "a;b\ncas,2020-01-01\n");
    let run = desk.json(&["import", "codes", &file, "--out", &desk.path("odd-codes"), "--delimiter", ","]);
    assert_eq!(complaints(&run), [(2, "over".to_string())]);
    assert_eq!(written(&desk, "odd-codes").keys().collect::<Vec<_>>(), ["a;b"]);
    let groups = desk.file("groups", "user-1;g\n");
    desk.json(&["import", "groups", &groups]).fails(2, "file");
    desk.json(&["import", "groups", &groups, "--delimiter", ";"]).ok();
}

/// A spreadsheet must not run what somebody chose as a name.
#[test]
fn names_that_are_formulas_are_written_inert_and_read_back() {
    let Some(desk) = super::desk() else { return };
    let names = ["=2+5", "+1", "-x", "@sum", "'=1", "ann"];
    let file = desk.file("names", names.join("\n").replace("'=1", "''=1"));
    let import = ["import", "codes", &file, "--out", &desk.path("codes"), "--delimiter", ","];
    assert_eq!(desk.json(&import).ok().one()["done"], 6);
    let text = std::fs::read_to_string(desk.path("codes")).unwrap();
    assert!(text.lines().all(|line| !line.starts_with(['=', '+', '-', '@'])), "{text}");
    let mut known: Vec<_> =
        desk.json(&["code", "list"]).ok().lines().iter().map(|code| code["name"].clone()).collect();
    known.sort_by_key(ToString::to_string);
    let mut wanted: Vec<_> = names.iter().map(|name| json!(name)).collect();
    wanted.sort_by_key(ToString::to_string);
    assert_eq!(known, wanted);
    // The rerun reads its own file, and a list made of that file means the same names.
    assert_eq!(desk.json(&import).ok().one()["skipped"], 6);
    let again: String = text.lines().map(|line| format!("{}\n", line.rsplit_once(',').unwrap().0)).collect();
    let again = desk.file("again", again);
    let import = ["import", "codes", &again, "--out", &desk.path("codes"), "--delimiter", ","];
    assert_eq!(desk.json(&import).ok().one()["skipped"], 6);
}

#[test]
fn standard_input_is_read() {
    use std::io::Write as _;
    let Some(desk) = super::desk() else { return };
    let mut command = desk.command(&["import", "codes", "-", "--out", &desk.path("codes"), "--json"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"ann\nben;x\n").unwrap();
    let run = Run::of(child.wait_with_output().unwrap());
    assert_eq!(complaints(&run), [(2, "delimiter".to_string())]);
    assert_eq!(run.one()["done"], 1);
    all_are_good(&desk, &written(&desk, "codes"));
}

#[test]
fn no_other_file_is_written_to() {
    let Some(desk) = super::desk() else { return };
    let file = desk.file("names", "ann\n");
    for text in ["a letter to somebody", "ann,0123-4567-89AB-CDEF\na letter\n", "\n\nx"] {
        let other = desk.file("other", text);
        desk.json(&["import", "codes", &file, "--out", &other]).fails(2, "file");
        assert_eq!(std::fs::read_to_string(&other).unwrap(), text);
    }
    desk.json(&["import", "codes", &desk.path("nowhere"), "--out", &desk.path("codes")]).fails(2, "file");
    desk.json(&["import", "codes", &desk.path(""), "--out", &desk.path("codes")]).fails(2, "file");
    let held = std::fs::File::create(desk.path("held")).unwrap();
    held.try_lock().unwrap();
    let run = desk.json(&["import", "codes", &file, "--out", &desk.path("held")]);
    run.fails(2, "file");
    assert!(run.err.contains("another import"));
}

/// What was written and not issued is issued; what was withdrawn since stays so; a torn line goes.
#[test]
fn a_rerun_mends() {
    let Some(desk) = super::desk() else { return };
    let file = desk.file("names", names(600));
    let import = ["import", "codes", &file, "--out", &desk.path("codes")];
    desk.json(&import).ok();
    let before = written(&desk, "codes");
    all_are_good(&desk, &before);
    let withdrawn: UserName = "user599".parse().unwrap();
    desk.store().run(&WithdrawCode(withdrawn.clone()), UnixTime::now()).unwrap();
    // As it would be had the power gone after the codes were written, and in the midst of one more.
    let code = "0123-4567-89AB-CDEF";
    let mut text = std::fs::read_to_string(desk.path("codes")).unwrap();
    text.push_str(&format!("ann,{code}\nben,0123-45"));
    desk.file("codes", text);
    desk.file("names", names(600) + "ann\nben\n");
    let sum = desk.json(&import).ok().one();
    assert_eq!((&sum["done"], &sum["skipped"]), (&json!(2), &json!(600)));
    let mut after = written(&desk, "codes");
    assert_eq!(after["ann"], code, "the code that somebody may have read");
    assert!(before.iter().all(|(name, code)| after[name] == *code), "no code is another now");
    after.remove("user599").unwrap();
    all_are_good(&desk, &after);
    assert_eq!(desk.json(&["code", "list", "--all"]).ok().lines().len(), 601);
    let sum = desk.json(&import).ok().one();
    assert_eq!((&sum["done"], &sum["skipped"]), (&json!(0), &json!(602)));
}

/// What the store has for a name need not be the code that was written for it.
#[test]
fn another_code_is_not_the_one_that_was_written() {
    let Some(desk) = super::desk() else { return };
    desk.register(1, "taken");
    desk.issue_over("over");
    let file = desk.file("names", "heard\n");
    let import = ["import", "codes", &file, "--out", &desk.path("codes"), "--in", "1d"];
    desk.json(&import).ok();
    // As it would be had the power gone before the store was told of the others.
    let mut text = std::fs::read_to_string(desk.path("codes")).unwrap();
    let unheard = ["over", "by-hand", "none", "taken", "over-by-hand", "twice-by-hand"];
    for name in unheard {
        writeln!(text, "{name},0123-4567-89AB-CDEF").unwrap();
    }
    desk.file("codes", &text);
    desk.file("names", format!("heard\n{}\n", unheard.join("\n")));
    // And what an operator did before the import was started again.
    desk.run(&["code", "issue", "by-hand"]).ok();
    let by_hand = desk.json(&["code", "list"]).ok().lines();
    desk.issue_over("over-by-hand");
    desk.run(&["code", "issue", "twice-by-hand"]).ok();
    desk.issue_over("twice-by-hand");

    let run = desk.json(&import);
    run.fails(1, "some-failed");
    let mut told = complaints(&run);
    told.sort_unstable();
    let expected = [(3, "code-replaced"), (5, "name-taken"), (7, "code-replaced")];
    assert_eq!(told, expected.map(|(line, code)| (line, code.to_string())));
    let sum = run.one();
    assert_eq!((&sum["done"], &sum["skipped"], &sum["bad"]), (&json!(3), &json!(1), &json!(3)));
    let mut codes = written(&desk, "codes");
    for void in ["by-hand", "taken", "twice-by-hand"] {
        codes.remove(void).unwrap();
    }
    all_are_good(&desk, &codes);
    let after = desk.json(&["code", "list"]).ok().lines();
    assert!(
        after.contains(by_hand.iter().find(|code| code["name"] == "by-hand").unwrap()),
        "it is left alone"
    );

    // A code that is over was heard of all the same, and nothing more is done.
    let over = Some(UnixTime::from_secs(UnixTime::now().as_secs() - 1));
    let expire = SetCodeExpiry { name: UserName::new("none").unwrap(), expires: over };
    desk.store().run(&expire, UnixTime::now()).unwrap();
    let sum = desk.json(&import).one();
    assert_eq!((&sum["done"], &sum["skipped"], &sum["bad"]), (&json!(0), &json!(4), &json!(3)));
    // The same where the lines are gone.
    desk.file("codes", text + "gone,0123-4567-89AB-CDEF\n");
    desk.file("names", "heard\n");
    let run = desk.json(&import);
    run.fails(1, "some-failed");
    let codes = run.err.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["code"].to_string());
    let mut codes: Vec<_> = codes.collect();
    codes.sort_unstable();
    let expected = ["code-replaced", "code-replaced", "line-gone", "line-gone", "some-failed"];
    assert_eq!(codes, expected.map(|code| format!("{code:?}")));
}

/// Killed at eight places, the same command again and again comes to the end, and every code that
/// was ever to be read is good.
#[test]
fn no_code_is_lost_to_a_kill() {
    let Some(desk) = super::desk() else { return };
    let file = desk.file("names", names(6000));
    let import = ["import", "codes", &file, "--out", &desk.path("codes"), "--json"];
    let mut seen = HashMap::new();
    for round in 1..=8u64 {
        let mut child = desk.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // So many bytes further, or the end.
        let length = || std::fs::metadata(desk.path("codes")).map_or(0, |metadata| metadata.len());
        let until = length() + round * 500;
        while length() < until && child.try_wait().unwrap().is_none() {
            std::thread::yield_now();
        }
        let _ = child.kill();
        child.wait().unwrap();
        let text = std::fs::read_to_string(desk.path("codes")).unwrap_or_default();
        for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
            let (name, code) = line.trim().rsplit_once(',').unwrap();
            let code_before = seen.insert(name.to_string(), code.to_string());
            assert!(code_before.is_none_or(|before| before == code), "{name}");
        }
    }
    assert!(!seen.is_empty());
    println!("killed in the midst, after {} of 6000", seen.len());
    desk.json(&import[..5]).ok();
    let codes = written(&desk, "codes");
    assert_eq!(codes.len(), 6000);
    assert!(seen.iter().all(|(name, code)| codes[name] == *code));
    all_are_good(&desk, &codes);
}

#[test]
fn entitlements_are_imported() {
    let Some(desk) = super::desk() else { return };
    desk.file("rights", "rw");
    let lines = [
        json!({"subject": "user:1", "application": "a", "media_type": "text/plain", "body": "x", "valid_for": 60}),
        json!({"subject": "group:g", "application": "a", "media_type": "text/plain", "body_base64": "/w=="}),
        json!({"subject": "path:/p", "application": "a", "media_type": "text/plain", "file": "rights"}),
        json!({"subject": "user:1", "application": "a", "media_type": "text/plain", "body": "y"}),
        json!({"subject": "user:1", "application": "a", "media_type": "none", "body": "y"}),
        json!({"subject": "user", "application": "a", "media_type": "text/plain", "body": "y"}),
        json!({"subject": "user:2", "application": "a", "media_type": "text/plain"}),
        json!({"subject": "user:2", "application": "a", "media_type": "text/plain", "body_base64": "?"}),
        json!({"subject": "user:2", "application": "a", "media_type": "text/plain", "file": "nowhere"}),
        json!({"subject": "user:2", "application": "a", "media_type": "text/plain", "body": "x", "colour": 1}),
        json!({"subject": "user:1", "application": "a", "condition": "location=x", "media_type": "a/b", "body": "z"}),
        json!({"subject": "user:1", "application": "a", "condition": "place=x", "media_type": "a/b", "body": "z"}),
    ];
    let file = desk.file("entitlements", lines.clone().map(|line| format!("{line}\n")).concat());
    let run = desk.json(&["import", "entitlements", &file]);
    run.fails(1, "some-failed");
    let expected = [
        (5, "media-type"),
        (6, "subject"),
        (7, "body"),
        (8, "base64"),
        (9, "file"),
        (10, "json"),
        (12, "condition"),
    ];
    let mut told = complaints(&run);
    told.sort_unstable();
    assert_eq!(told, expected.map(|(line, code)| (line, code.to_string())));
    let show = |subject| desk.json(&["entitle", "show", subject, "a"]).ok().one();
    assert_eq!(show("user:1")["body"], "y", "the last line counts");
    assert_eq!(show("group:g")["body_base64"], "/w==");
    assert_eq!(show("path:/p")["body"], "rw");
    // What is so already gets no new serial.
    let again = lines[1..4].iter().chain(&lines[10..11]);
    let file = desk.file("again", again.map(|line| format!("{line}\n")).collect::<String>());
    let sum = desk.json(&["import", "entitlements", &file]).ok().one();
    assert_eq!((&sum["done"], &sum["skipped"]), (&json!(0), &json!(4)));
}

#[test]
fn groups_are_imported() {
    let Some(desk) = super::desk() else { return };
    let mut lines: String = (0..65).map(|n| format!("user-1,group-{n}\n")).collect();
    lines.push_str("{\"user_id\":\"user-2\",\"group\":\"group-0\"}\nuser-3\n");
    let run = desk.json(&["import", "groups", &desk.file("groups", lines)]);
    run.fails(1, "some-failed");
    let mut told = complaints(&run);
    told.sort_unstable();
    assert_eq!(told, [(65, "too-many-groups".to_string()), (67, "csv".to_string())]);
    assert_eq!(desk.json(&["group", "list", "--user", "user-1"]).ok().lines().len(), 64);
    assert_eq!(desk.json(&["group", "list", "--group", "group-0"]).ok().lines().len(), 2);
}

/// `cargo test --release -p halfkey-admin -- --ignored`: tells its rate.
#[test]
#[ignore = "some seconds"]
fn twenty_thousand_lines() {
    let Some(desk) = super::desk() else { return };
    let file = desk.file("names", names(20_000));
    let run = desk.json(&["import", "codes", &file, "--out", &desk.path("codes")]).ok();
    assert_eq!(run.one()["done"], 20_000);
    all_are_good(&desk, &written(&desk, "codes"));
    println!("{}", run.out);
}
