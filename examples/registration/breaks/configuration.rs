//! Configuration that would take the token back in time.

use super::{Result, Setting, ensure, hung_up};
use halfkey::ApplicationName;
use halfkey::configuration::token::ConfigurationRejection;
use halfkey::driver::Configured;
use halfkey::store::AuditEventKind;
use halfkey::store::operation::{EventFilter, ListEvents, RaiseEpoch};

/// Opens a session and asks for the configuration.
fn configure(setting: &Setting, application: &ApplicationName) -> Result<Configured> {
    let registration = setting.alice.registration(setting.gate()?.name())?;
    let line = setting.line()?;
    // A backup may be older than the alias: then the token goes by its key id, by itself.
    let mut session = setting.alice.open(line, &registration)?;
    setting.narrator.records(&["C0 Request", "C1 Config", "C2 Applied", "close", "close"]);
    let configured = setting.alice.configure(&mut session, application)?;
    // The server's close comes after it has dealt with C2.
    hung_up(session.close()?)?;
    setting.narrator.remark(&format!("{configured:?}; in force on the token: {}", setting.alice.applied()));
    Ok(configured)
}

pub fn rollback(setting: &mut Setting, _: Option<usize>) -> Result<()> {
    let trading = ApplicationName::new("trading")?;
    setting.registered()?;
    setting.gate()?.entitle(&trading, "limit = 25000")?;
    let first = configure(setting, &trading)?;
    let backup = setting.files.backup();
    setting.gate()?.entitle(&trading, "limit = 10")?;
    let second = configure(setting, &trading)?;
    ensure((first, second) == (Configured::Installed, Configured::Installed), "not installed")?;

    setting.narrator.remark("the server burns down and is restored from yesterday's backup");
    setting.restart_from(backup)?;
    let refused = configure(setting, &trading)?;
    let rolled_back = matches!(refused, Configured::Refused(ConfigurationRejection::RolledBack { .. }));
    ensure(rolled_back && setting.alice.applied() == "limit = 10", "the token took the older configuration")?;
    let reported = EventFilter { kind: Some(AuditEventKind::Reported), ..EventFilter::default() };
    let events = ListEvents { filter: reported, ..ListEvents::default() };
    let events = setting.gate()?.run(&events)?.entries;
    ensure(!events.is_empty(), "the operator does not learn of it")?;
    let results: Vec<_> = events.iter().filter_map(|event| event.result).collect();
    setting.narrator.remark(&format!("the operator sees: {results:?}"));

    let epoch = setting.gate()?.run(&RaiseEpoch)?;
    setting.narrator.remark(&format!("the operator raises the epoch to {epoch}, and means it this time"));
    ensure(configure(setting, &trading)? == Configured::Installed, "not installed")?;
    setting.is_well()
}
