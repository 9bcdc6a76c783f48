//! A process that works with a store is killed with `SIGKILL`, again and again, at any moment.
//!
//! After each kill the store holds what it would hold had everything that was acknowledged happened,
//! or that and the one change that was under way; a store in memory to which the same has happened
//! says what that is. `HALFKEY_KILLS=1000 cargo test --release --features sqlite --test sqlite crash --
//! --nocapture` is the full run; `HALFKEY_SEED` plays a run again, but for the moments of the kills.

use super::play::{Play, time};
use super::survey::{hangs_together, survey};
use super::{Directory, keys, shell};
use halfkey::sqlite::Store;
use halfkey::store::UniqueNames;
use halfkey::store::operation::Purge;
use halfkey::{RandomSource, SystemRandom, UnixTime, memory};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

const CHILD: &str = "HALFKEY_CHILD";
/// Kills before a new file is begun: the log in memory has an end.
const KILLS_OF_A_FILE: u32 = 20;
/// Most steps that are waited for before a kill.
const STEPS: u32 = 24;

fn number(variable: &str, otherwise: u32) -> u32 {
    std::env::var(variable).map_or(otherwise, |value| value.parse().unwrap())
}

fn chance(below: u32) -> u32 {
    let mut bytes = [0; 4];
    SystemRandom.fill(&mut bytes);
    u32::from_le_bytes(bytes) % below
}

#[test]
#[ignore = "the process that is killed"]
fn child() {
    let Ok(task) = std::env::var(CHILD) else { return };
    let [path, seed, first] = task.split('\n').collect::<Vec<_>>()[..] else { panic!() };
    let (play, first) = (Play { seed: seed.parse().unwrap() }, first.parse::<u32>().unwrap());
    let store = Store::open(path, keys()).unwrap();
    for n in first.. {
        let answer = play.step(&store, n);
        let mut out = std::io::stdout().lock();
        writeln!(out, "\nplayed {n} {answer}.").unwrap();
        out.flush().unwrap();
    }
}

/// Plays from step `first` on, is killed, and gives what was acknowledged.
fn killed(path: &Path, seed: u32, first: u32) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--include-ignored", "--nocapture", "--test-threads=1"])
        .env(CHILD, format!("{}\n{seed}\n{first}", path.display()))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut answers: Vec<String> = Vec::new();
    let mut acknowledge = |line: &str| {
        // One that was cut short was not said.
        let played = line.strip_prefix("played ").and_then(|played| played.strip_suffix('.'));
        let Some(played) = played else { return };
        let (n, answer) = played.split_once(' ').unwrap();
        assert_eq!(n.parse(), Ok(first + u32::try_from(answers.len()).unwrap()));
        answers.push(answer.into());
    };
    let mut wait = chance(STEPS);
    while wait > 0 {
        let line = lines.next().expect("the child works until it is killed");
        wait -= u32::from(line.starts_with("played "));
        acknowledge(&line);
    }
    // Not for anything to happen: any moment will do.
    std::thread::sleep(Duration::from_micros(chance(12_000).into()));
    child.kill().unwrap();
    // What it had said before it died counts.
    lines.for_each(|line| acknowledge(&line));
    child.wait().unwrap();
    answers
}

#[test]
fn what_was_acknowledged_survives_every_kill() {
    let (kills, seed) = (number("HALFKEY_KILLS", 30), number("HALFKEY_SEED", chance(1 << 30)));
    println!("HALFKEY_SEED={seed}");
    let directory = Directory::new("crash");
    let (mut acknowledged, mut under_way) = (0, 0);
    for file in 0..kills.div_ceil(KILLS_OF_A_FILE) {
        let path = directory.0.join(file.to_string());
        drop(Store::create(&path, keys(), UniqueNames::Always).unwrap());
        let play = Play { seed: seed + file };
        let (model, mut next) = (memory::Store::new(), 0);
        for _ in 0..KILLS_OF_A_FILE.min(kills - file * KILLS_OF_A_FILE) {
            let answers = killed(&path, play.seed, next);
            acknowledged += answers.len();
            for answer in answers {
                assert_eq!(answer, play.step(&model, next), "step {next}");
                next += 1;
            }
            let store = Store::open(&path, keys()).unwrap();
            let found = [survey(&store, time(next)).unwrap(), play.traces(&store, next + 1)];
            let says =
                |model: &memory::Store| [survey(model, time(next)).unwrap(), play.traces(model, next + 1)];
            if says(&model) != found {
                // The step that was under way, all of it.
                play.step(&model, next);
                compare(&found, &says(&model));
                next += 1;
                under_way += 1;
            }
            hangs_together(&store, time(next)).unwrap();
            // Whether what had expired had gone already is not to be seen: now it is gone.
            // In a second of its own: within one, each process has an order of its own.
            let (purge, now) = (Purge { limit: 1000 }, UnixTime::from_secs(time(next).as_secs() - 1));
            store.run(&purge, now).unwrap();
            model.run(&purge, now).unwrap();
            sound(&path);
        }
    }
    println!(
        "{kills} kills: {acknowledged} changes acknowledged and there, {under_way} more that were under way"
    );
    assert!(acknowledged > kills as usize);
}

fn compare(found: &[Vec<String>; 2], wanted: &[Vec<String>; 2]) {
    let lines = found.iter().flatten().zip(wanted.iter().flatten());
    let first = lines.into_iter().find(|(found, wanted)| found != wanted);
    assert!(first.is_none(), "{first:?}");
    assert_eq!(found, wanted);
}

/// What SQLite and plain SQL say of the file.
fn sound(path: &Path) {
    let shell = shell(path);
    let integrity: String = shell.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok");
    let never = [
        "SELECT count(*) FROM halfkey_alias WHERE key_id NOT IN (SELECT key_id FROM halfkey_registration)",
        "SELECT count(*) FROM halfkey_report WHERE key_id NOT IN (SELECT key_id FROM halfkey_registration)",
        "SELECT count(*) FROM halfkey_registration WHERE (state = 'pending') <> (confirm_by IS NOT NULL)",
        "SELECT count(*) FROM halfkey_registration WHERE (state = 'lost') <> (forget_at IS NOT NULL)",
        "SELECT count(*) FROM halfkey_registration r WHERE state = 'pending'
            AND NOT EXISTS (SELECT 1 FROM halfkey_outcome o WHERE o.request = r.request)",
        "SELECT count(*) FROM halfkey_registration r WHERE state IN ('active', 'suspended')
            AND NOT EXISTS (SELECT 1 FROM halfkey_name n WHERE n.name = r.name AND n.user_id = r.user_id)",
        "SELECT count(*) FROM halfkey_activation_code c JOIN halfkey_name n ON c.name = n.name",
    ];
    for question in never {
        let count: i64 = shell.query_row(question, [], |row| row.get(0)).unwrap();
        assert_eq!(count, 0, "{question}");
    }
}
