//! No room on the disk, and a disk that may only be read: told apart, and nothing lost.

use super::survey::survey;
use super::{Directory, NOW, keys};
use halfkey::port::StoreError;
use halfkey::port::entitlement_store::Document;
use halfkey::sqlite::{OpenError, Store};
use halfkey::store::operation::*;
use halfkey::store::{OperatorError, Subject, UniqueNames};
use halfkey::{ApplicationName, Secret, UserId, UserName, memory};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// A small file system of the test's own, where the test may mount one.
struct Disk(Directory);

impl Disk {
    fn new(name: &str) -> Option<Self> {
        let disk = Self(Directory::new(name));
        if disk.mount(&["-t", "tmpfs", "-o", "size=1m", "tmpfs"]) {
            return Some(disk);
        }
        println!("SKIPPED: only root may mount a small disk");
        std::mem::forget(disk);
        None
    }

    fn mount(&self, how: &[&str]) -> bool {
        let mounted = Command::new("mount").args(how).arg(&self.0.0).output();
        mounted.is_ok_and(|output| output.status.success())
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.0.join(name)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0.0).output();
    }
}

fn entitle(n: u16) -> Entitle {
    let subject = Subject::User(UserId::new(&format!("user-{n}")).unwrap());
    let document = Document { media_type: "text/plain".into(), body: vec![7; 20_000] };
    Entitle::new(subject, ApplicationName::new("mail").unwrap(), document)
}

#[test]
fn a_full_disk_loses_nothing_and_there_may_be_room_again() {
    let Some(disk) = Disk::new("full") else { return };
    fs::write(disk.at("other"), vec![0; 200_000]).unwrap();
    let store = Store::create(disk.at("store"), keys(), UniqueNames::Always).unwrap();
    let (model, mut n) = (memory::Store::new(), 0);
    let full = loop {
        match store.run(&entitle(n), NOW) {
            Ok(serial) => assert_eq!(model.run(&entitle(n), NOW), Ok(serial)),
            Err(error) => break error,
        }
        n += 1;
    };
    assert_eq!(full, OperatorError::Store(StoreError::Full));
    assert_eq!(survey(&store, NOW).unwrap(), survey(&model, NOW).unwrap());
    let second = Store::create(disk.at("second"), keys(), UniqueNames::Always);
    assert_eq!(second.err(), Some(OpenError::Store(StoreError::Full)));
    let names = fs::read_dir(&disk.0.0).unwrap().map(|entry| entry.unwrap().file_name());
    assert_eq!(names.filter(|name| name.to_string_lossy().starts_with("second")).count(), 0);

    fs::remove_file(disk.at("other")).unwrap();
    for n in n..n + 3 {
        assert_eq!(store.run(&entitle(n), NOW), model.run(&entitle(n), NOW));
    }
    drop(store);
    let store = Store::open(disk.at("store"), keys()).unwrap();
    assert_eq!(survey(&store, NOW).unwrap(), survey(&model, NOW).unwrap());
    println!("full after {n} documents");
}

#[test]
fn what_may_only_be_read_is_not_opened() {
    let Some(disk) = Disk::new("readonly") else { return };
    let store = Store::create(disk.at("store"), keys(), UniqueNames::Always).unwrap();
    let name = UserName::new("ann").unwrap();
    store.run(&IssueCode { name, secret: Secret::new([1; 32]), expires: None }, NOW).unwrap();
    drop(store);
    assert!(disk.mount(&["-o", "remount,ro"]));
    let read_only = Some(OpenError::Store(StoreError::ReadOnly));
    assert_eq!(Store::open(disk.at("store"), keys()).err(), read_only);
    assert_eq!(Store::create(disk.at("other"), keys(), UniqueNames::Always).err(), read_only);
    assert!(disk.mount(&["-o", "remount,rw"]));
    let store = Store::open(disk.at("store"), keys()).unwrap();
    assert_eq!(store.run(&ListCodes::default(), NOW).unwrap().entries.len(), 1);
}
