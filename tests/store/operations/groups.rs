//! Groups of users.

use super::desk::{Desk, app, every, grant, group, path, user};
use super::{Make, Run};
use halfkey::port::entitlement_store::ReportResult;
use halfkey::store::operation::{
    JoinGroup, LeaveGroup, ListMembers, ListRollout, MemberEntry, MemberFilter, RolloutFilter,
};
use halfkey::store::{OperatorError, Subject};

fn join<S: Run>(desk: &Desk<S>, n: u8, text: &str) {
    desk.run(&JoinGroup { user_id: user(n), group: group(text) });
}

fn leave<S: Run>(desk: &Desk<S>, n: u8, text: &str) {
    desk.run(&LeaveGroup { user_id: user(n), group: group(text) });
}

fn members<S: Run>(desk: &Desk<S>, of: Option<&str>, n: Option<u8>) -> Vec<String> {
    let list = ListMembers::of(MemberFilter { group: of.map(group), user_id: n.map(user) });
    let line = |member: &MemberEntry| format!("{} {}", member.group, member.user_id);
    every(|after| desk.run(&ListMembers { after, ..list.clone() })).iter().map(line).collect()
}

pub fn a_user_joins_and_leaves<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    assert_eq!(desk.logged(|| join(&desk, 1, "team")), ["group joined user-1 group:team"]);
    assert_eq!(desk.run(&ListMembers::default()).entries[0].since, desk.now());
    let joined = desk.now();
    desk.pass(5);
    let before = desk.everything();
    join(&desk, 1, "team");
    assert_eq!(desk.everything(), before, "the user is in it");
    assert_eq!(desk.run(&ListMembers::default()).entries[0].since, joined);
    assert_eq!(desk.logged(|| leave(&desk, 1, "team")), ["group left user-1 group:team"]);
    let before = desk.everything();
    leave(&desk, 1, "team");
    leave(&desk, 9, "nobody");
    assert_eq!(desk.everything(), before, "the user is not in it");
    assert_eq!(members(&desk, None, None), [""; 0]);
}

pub fn the_newest_group_counts<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    let (team, crew) = (Subject::Group(group("team")), Subject::Group(group("crew")));
    let shown = || desk.entitled(1, &user(1), "/staff").unwrap();
    let everybody = desk.entitle(&Subject::AccessPath(path("/staff")), "everybody's");
    desk.entitle(&team, "team's");
    desk.entitle(&crew, "crew's");
    assert_eq!(shown().0, everybody);
    join(&desk, 1, "crew");
    let joined = shown();
    assert!(joined.1 == Some("crew's".into()) && joined.0 > everybody);
    join(&desk, 1, "team");
    assert_eq!(shown().1, Some("crew's".into()), "the newest entitlement, not the newest group");
    assert!(shown().0 > joined.0);
    let newer = desk.entitle(&team, "team's own");
    assert_eq!(shown(), (newer, Some("team's own".into()), None));
    leave(&desk, 1, "team");
    let left = shown();
    assert!(left.1 == Some("crew's".into()) && left.0 > newer, "older, but under a serial that is newer");
    leave(&desk, 1, "crew");
    assert!(shown().1 == Some("everybody's".into()) && shown().0 > left.0);
    assert_eq!(desk.entitled(2, &user(2), "/staff").unwrap().0, everybody, "nothing has changed for others");
}

/// Else the user would keep what the group was given.
pub fn who_leaves_the_last_group_has_nothing<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    desk.active(&grant(1, "ann"));
    let shown = || desk.entitled(1, &user(1), "/staff");
    join(&desk, 1, "team");
    let given = desk.entitle(&Subject::Group(group("team")), "team's");
    desk.report(1, given, ReportResult::Applied);
    leave(&desk, 1, "team");
    let (serial, document, applied) = shown().unwrap();
    assert!(serial > given && document.is_none() && applied == Some(given));
    let rollout = ListRollout::of(RolloutFilter { application: app("mail") });
    assert!(desk.run(&rollout).entries[0].is_outdated());
    desk.report(1, serial, ReportResult::Applied);
    assert_eq!(shown().unwrap().2, Some(serial));
    assert!(!desk.run(&rollout).entries[0].is_outdated());
    let again = desk.entitle(&Subject::AccessPath(path("/staff")), "everybody's");
    assert_eq!(shown(), Some((again, Some("everybody's".into()), Some(serial))));
}

pub fn a_user_is_in_so_many_groups<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for n in 0..64 {
        join(&desk, 1, &format!("group-{n}"));
    }
    let one_more = JoinGroup { user_id: user(1), group: group("one-more") };
    desk.fails(&one_more, OperatorError::TooManyGroups);
    join(&desk, 1, "group-7");
    join(&desk, 2, "one-more");
    leave(&desk, 1, "group-7");
    desk.run(&one_more);
    assert_eq!(members(&desk, None, Some(1)).len(), 64);
}

pub fn members_are_listed<S: Run>(make: Make<'_, S>) {
    let desk = Desk::new(make);
    for (n, text) in [(2, "crew"), (1, "team"), (3, "team"), (1, "crew")] {
        join(&desk, n, text);
    }
    assert_eq!(members(&desk, None, None), ["crew user-1", "crew user-2", "team user-1", "team user-3"]);
    assert_eq!(members(&desk, Some("team"), None), ["team user-1", "team user-3"]);
    assert_eq!(members(&desk, None, Some(1)), ["crew user-1", "team user-1"]);
    assert_eq!(members(&desk, Some("crew"), Some(1)), ["crew user-1"]);
    assert_eq!(members(&desk, Some("crew"), Some(3)), [""; 0]);
}
