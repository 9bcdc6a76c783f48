//! Conditions of entitlements, as options.

use crate::failure::Failure;
use halfkey::AttributeName;
use halfkey::configuration::UserInformation;
use halfkey::store::EntitlementCondition;

/// Words that the client must say. Nobody checks them: the condition chooses among what a user has anyway.
#[derive(clap::Args)]
pub(crate) struct Condition {
    /// Only where the client says to be at this location.
    #[arg(long)]
    location: Option<String>,
    /// Only where the client says to be on this system.
    #[arg(long)]
    system: Option<String>,
    /// Only where the client says this of its user; may be repeated.
    #[arg(long, value_name = "NAME=VALUE", value_parser = attribute)]
    attribute: Vec<(AttributeName, String)>,
}

fn attribute(text: &str) -> Result<(AttributeName, String), &'static str> {
    let attribute = text.split_once('=').and_then(|(name, value)| Some((name.parse().ok()?, value.into())));
    attribute.ok_or("an attribute is NAME=VALUE, with a name of at most 64 printable ASCII characters")
}

impl Condition {
    pub(crate) fn read(&self) -> Result<EntitlementCondition, Failure> {
        let Self { location, system, attribute } = self;
        let attributes = attribute.iter().cloned().collect();
        let said = UserInformation { location: location.clone(), system: system.clone(), attributes };
        if said.attributes.len() < attribute.len() {
            return Err(Failure::Usage("an attribute has one value"));
        }
        EntitlementCondition::new(&said).map_err(|_| {
            Failure::Usage("a condition is 1024 bytes at most, with lines of 255 and 8 attributes")
        })
    }
}

/// As it is shown, where there is one.
pub(crate) fn shown(condition: &EntitlementCondition) -> Option<String> {
    (!condition.is_none()).then(|| condition.to_string())
}
