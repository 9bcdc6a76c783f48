//! Serde for what stands in settings files: names and ids as text, lists of suites and modes as lists, policies
//! and templates as maps. Reading is strict: the same checks as the constructors make, and no unknown field.

use crate::id::{
    AccessPath, Alias, ApplicationName, AttributeName, ChallengeId, CodeId, Digest, EventId, Group, KeyId,
    OfferId, ServerName, TicketId, Txn, UserId, UserName,
};
use crate::policy::{Mode, Modes, Policy, SuiteId, SuiteList};
use crate::template::{Field, FieldKind, Template};
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Types that stand as the text that `Display` writes and `FromStr` reads.
macro_rules! as_text {
    ($($type:ty),* $(,)?) => { $(
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                Cow::<'de, str>::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    )* };
}

as_text!(
    AccessPath,
    Alias,
    ApplicationName,
    AttributeName,
    ChallengeId,
    CodeId,
    Digest,
    EventId,
    Group,
    KeyId,
    OfferId,
    ServerName,
    TicketId,
    Txn,
    UserId,
    UserName,
);

/// `"x-wing"`, `"x25519"`, or the number of another suite.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Suite {
    Known(Known),
    Code(u16),
}

#[derive(Serialize, Deserialize)]
enum Known {
    #[serde(rename = "x-wing")]
    XWing,
    #[serde(rename = "x25519")]
    X25519,
}

impl Suite {
    const fn of(code: u16) -> Self {
        match code {
            1 => Self::Known(Known::X25519),
            2 => Self::Known(Known::XWing),
            code => Self::Code(code),
        }
    }

    const fn code(&self) -> u16 {
        match self {
            Self::Known(Known::X25519) => SuiteId::X25519.code(),
            Self::Known(Known::XWing) => SuiteId::XWing.code(),
            Self::Code(code) => *code,
        }
    }
}

impl Serialize for SuiteId {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        Suite::of(self.code()).serialize(to)
    }
}

impl<'de> Deserialize<'de> for SuiteId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let suite = Self::from_code(Suite::deserialize(from)?.code());
        suite.ok_or_else(|| D::Error::custom("not a suite that is known here"))
    }
}

impl Serialize for SuiteList {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.codes().map(Suite::of))
    }
}

impl<'de> Deserialize<'de> for SuiteList {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let suites = Vec::<Suite>::deserialize(from)?;
        let list = Self::from_codes(suites.iter().map(Suite::code));
        list.ok_or_else(|| D::Error::custom("a list of suites has 1 to 8, all different"))
    }
}

/// `"psk-kem"` or `"psk"`.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Mode", rename_all = "kebab-case")]
enum ModeName {
    Psk,
    PskKem,
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        let name = match self {
            Self::Psk => ModeName::Psk,
            Self::PskKem => ModeName::PskKem,
        };
        name.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Mode {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match ModeName::deserialize(from)? {
            ModeName::Psk => Self::Psk,
            ModeName::PskKem => Self::PskKem,
        })
    }
}

impl Serialize for Modes {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(self.iter())
    }
}

impl<'de> Deserialize<'de> for Modes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let modes = Self::of(Vec::<Mode>::deserialize(from)?);
        modes.ok_or_else(|| D::Error::custom("a set of modes has at least one, all different"))
    }
}

/// A policy; what is left out is as in [`Policy::default`].
#[derive(Serialize, Deserialize)]
#[serde(rename = "Policy", deny_unknown_fields, default)]
struct PolicyMap {
    modes: Modes,
    suites: SuiteList,
    #[serde(skip_serializing_if = "Option::is_none")]
    lifetime: Option<u32>,
    allow_key_id: bool,
}

impl Default for PolicyMap {
    fn default() -> Self {
        Self::from(&Policy::default())
    }
}

impl From<&Policy> for PolicyMap {
    fn from(policy: &Policy) -> Self {
        let Policy { modes, suites, lifetime, allow_key_id } = *policy;
        Self { modes, suites, lifetime, allow_key_id }
    }
}

impl Serialize for Policy {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        PolicyMap::from(self).serialize(to)
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let PolicyMap { modes, suites, lifetime, allow_key_id } = PolicyMap::deserialize(from)?;
        let known = suites.with_one_known();
        let suites = known.ok_or_else(|| D::Error::custom("a policy needs a suite that is known here"))?;
        Ok(Self { modes, suites, lifetime, allow_key_id })
    }
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "FieldKind", rename_all = "kebab-case", deny_unknown_fields)]
enum KindMap {
    UserName,
    #[serde(rename_all = "snake_case")]
    Text {
        max_len: u16,
    },
    Integer {
        min: i64,
        max: i64,
    },
    Boolean,
    Choice(Vec<String>),
}

/// A field; its label is its name, and it must be filled in, unless something else is said.
#[derive(Serialize, Deserialize)]
#[serde(rename = "Field", deny_unknown_fields)]
struct FieldMap {
    name: String,
    #[serde(default)]
    label: Option<String>,
    kind: KindMap,
    #[serde(default = "yes")]
    required: bool,
}

const fn yes() -> bool {
    true
}

#[derive(Serialize, Deserialize)]
#[serde(rename = "Template", deny_unknown_fields)]
struct TemplateMap {
    fields: Vec<FieldMap>,
}

impl From<&Field> for FieldMap {
    fn from(field: &Field) -> Self {
        let kind = match &field.kind {
            FieldKind::UserName => KindMap::UserName,
            FieldKind::Text { max_len } => KindMap::Text { max_len: *max_len },
            FieldKind::Integer { min, max } => KindMap::Integer { min: *min, max: *max },
            FieldKind::Boolean => KindMap::Boolean,
            FieldKind::Choice(choices) => KindMap::Choice(choices.clone()),
        };
        Self { name: field.name.clone(), label: Some(field.label.clone()), kind, required: field.required }
    }
}

impl From<FieldMap> for Field {
    fn from(map: FieldMap) -> Self {
        let kind = match map.kind {
            KindMap::UserName => FieldKind::UserName,
            KindMap::Text { max_len } => FieldKind::Text { max_len },
            KindMap::Integer { min, max } => FieldKind::Integer { min, max },
            KindMap::Boolean => FieldKind::Boolean,
            KindMap::Choice(choices) => FieldKind::Choice(choices),
        };
        let label = map.label.unwrap_or_else(|| map.name.clone());
        Self { name: map.name, label, kind, required: map.required }
    }
}

impl Serialize for Template {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        TemplateMap { fields: self.fields.iter().map(FieldMap::from).collect() }.serialize(to)
    }
}

impl<'de> Deserialize<'de> for Template {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let map = TemplateMap::deserialize(from)?;
        Self::new(map.fields.into_iter().map(Field::from).collect()).map_err(D::Error::custom)
    }
}
