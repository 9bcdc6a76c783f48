//! Applications that wait for the operator.

use crate::failure::Failure;
use crate::paging::Paging;
use crate::registration::name;
use halfkey::record::Takes;
use halfkey::store::operation::{ListRequests, RejectRequest, RequestEntry, RequestFilter};
use halfkey::template::FieldValue;
use halfkey::{TicketId, UnixTime, UserName};
use halfkey_common::Output;
use halfkey_common::output::Entry;
use halfkey_common::store::Store;
use halfkey_common::time::written;
use serde::Serialize;
use serde_json::Value;

/// What is done with them.
#[derive(clap::Subcommand)]
pub(crate) enum Command {
    /// Lists them, with what was filled in.
    List {
        /// For this name.
        #[arg(long, value_parser = name)]
        name: Option<UserName>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Forgets one. Its ticket is then refused like an unknown one.
    Dismiss {
        /// The ticket's id.
        ticket_id: TicketId,
    },
}

#[derive(Serialize)]
struct Shown {
    ticket_id: String,
    name: String,
    proof: Option<&'static str>,
    renews: Option<String>,
    since: String,
    hold_until: String,
    /// By the places of the template's fields.
    form: Vec<Value>,
}

impl Entry for Shown {
    const COLUMNS: &'static [&'static str] = &["ticket_id", "name", "proof", "since", "hold_until", "form"];
}

impl From<RequestEntry> for Shown {
    fn from(entry: RequestEntry) -> Self {
        let value = |value: &FieldValue| match value {
            FieldValue::Text(text) => text.as_str().into(),
            FieldValue::Integer(number) => (*number).into(),
            FieldValue::Boolean(yes) => (*yes).into(),
            _ => Value::Null,
        };
        let mut form: Vec<Value> = (0..=usize::from(u8::MAX))
            .map(|place| entry.form.get(place).map_or(Value::Null, value))
            .collect();
        form.truncate(
            form.iter().rposition(|value| !value.is_null()).map_or(0, |last| last.saturating_add(1)),
        );
        let (proof, renews) = match entry.takes {
            None => (None, None),
            Some(Takes::Code(_)) => (Some("code"), None),
            Some(Takes::Place(key_id)) => (Some("renewal"), Some(key_id.to_string())),
        };
        Self {
            ticket_id: entry.ticket_id.to_string(),
            name: entry.name.to_string(),
            proof,
            renews,
            since: written(entry.since),
            hold_until: written(entry.hold_until),
            form,
        }
    }
}

#[derive(Serialize)]
struct Dismissed {
    ticket_id: String,
    done: &'static str,
}

impl Command {
    pub(crate) fn run(self, store: &Store, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::List { name, paging } => {
                let page = |after, limit| {
                    store.run(
                        &ListRequests { filter: RequestFilter { name: name.clone() }, after, limit },
                        UnixTime::now(),
                    )
                };
                paging.list(out, page, |entry| Ok(Some(Shown::from(entry))))
            }
            Self::Dismiss { ticket_id } => {
                store.run(&RejectRequest(ticket_id), UnixTime::now())?;
                let dismissed = Dismissed { ticket_id: ticket_id.to_string(), done: "dismissed" };
                Ok(out.done(&dismissed, &format!("dismissed {ticket_id}"))?)
            }
        }
    }
}
