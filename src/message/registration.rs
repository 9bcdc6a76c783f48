//! R0 to R5 and E0.

use crate::id::{AccessPath, Alias, KeyId, OfferId, ServerName, TicketId, Txn, UserId};
use crate::policy::{Policy, SuiteList};
use crate::secret::Secret;
use crate::template::{Form, Template};
use crate::wire::{Bytes, Codes, Ext, map};
use alloc::vec::Vec;

map! {
    /// R0: a token asks a server for an offer (patent step 80).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Hello<'b> = 0 max 32_768, "R0 Hello" {
        /// Versions spoken, best first.
        1 => versions: Codes,
        /// Suites spoken, best first.
        2 => suites: SuiteList,
        /// Names this run.
        3 => txn: Txn,
        /// The server that the token means to register with.
        4 => server_name: ServerName,
        /// 32 fresh bytes.
        5 => nonce_t: [u8; 32],
        /// Extensions.
        6 => ext: Option<Ext<'b>>,
    }
}

map! {
    /// R1: certificate and registration template (patent step 90).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Offer<'b> = 1 max 65_536, "R1 Offer" {
        /// An encoded [`OfferCore`].
        1 => core: Bytes<'b, 1, 65_202>,
        /// The server's memory of this offer, returned in R2.
        2 => cookie: Bytes<'b, 1, 256>,
        /// Signature over thO by the certificate's offer key (Ed25519).
        3 => sig: [u8; 64],
    }
}

map! {
    /// Contents of R1.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct OfferCore<'b>, "R1 Offer.core" {
        /// The version chosen.
        1 => version: u16,
        /// The suite chosen: the first of R0 that the certificate lists.
        2 => suite: u16,
        /// The server's certificate and those between it and the token's trust anchor, in DER.
        3 => chain: Vec<Bytes<'b, 1, 8192>>,
        /// Registration template for the user.
        4 => template: Template,
        /// ID of this offer.
        5 => offer_id: OfferId,
        /// Time for which R2 is accepted, in seconds.
        6 => offer_ttl: u32,
        /// Length of R3's sealed plaintext, in bytes: a multiple of 256.
        7 => outcome_size: u16,
        /// 32 fresh bytes.
        8 => nonce_s: [u8; 32],
        /// The ephemeral KEM's public key.
        9 => pk_e: Bytes<'b, 32, 1216>,
        /// Extensions.
        10 => ext: Option<Ext<'b>>,
    }
}

map! {
    /// R2: SSK1 under P_u, and the form (patent steps 110 to 130).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Request<'b> = 2 max 18_860, "R2 Request" {
        /// An encoded [`RequestCore`].
        1 => core: Bytes<'b, 1, 2449>,
        /// A [`RequestBody`], padded and sealed under k2.
        2 => sealed: Bytes<'b, 272, 16_400>,
    }
}

map! {
    /// The clear part of R2.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestCore<'b>, "R2 Request.core" {
        /// As in R0.
        1 => txn: Txn,
        /// As in R1.
        2 => offer_id: OfferId,
        /// As in R1.
        3 => cookie: Bytes<'b, 1, 256>,
        /// SSK1 encapsulated to P_u.
        4 => ct: Bytes<'b, 256, 1024>,
        /// ss_e encapsulated to pk_e.
        5 => ct_e: Bytes<'b, 32, 1120>,
    }
}

map! {
    /// The sealed part of R2.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct RequestBody, "R2 Request.body" {
        /// The filled-in template, the user's name in it (patent step 120).
        1 => form: Form,
        /// A proof that the applicant is expected.
        2 => proof: Option<Proof>,
    }
}

/// A proof that the applicant is expected; at most one in R2.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// `HMAC(A, "halfkey/1 activation proof" ‖ thB)`: an activation code for the form's user name.
    Activation([u8; 32]),
    /// `HMAC(K_renew, "halfkey/1 renew" ‖ thB)`: the key of an earlier registration.
    Renewal(KeyId, [u8; 32]),
    /// `HMAC(ticket, "halfkey/1 ticket proof" ‖ thB)`: an earlier run that was told to wait.
    Ticket(TicketId, [u8; 32]),
}

map! {
    /// R3: the server's half of the key, or why there is none (patent steps 150 to 190).
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct Outcome<'b> = 3 max 4212, "R3 Outcome" {
        /// An encoded [`OutcomeCore`].
        1 => core: Bytes<'b, 1, 4170>,
        /// `HMAC(K_confirm, "halfkey/1 grant" ‖ thJ)`; random bytes unless granted.
        2 => tag_s: [u8; 32],
    }
}

map! {
    /// Contents of R3.
    #[derive(Clone, PartialEq, Eq, Debug)]
    pub struct OutcomeCore<'b>, "R3 Outcome.core" {
        /// As in R0.
        1 => txn: Txn,
        /// Separates every sealing from every other.
        2 => salt_g: [u8; 32],
        /// An [`OutcomeBody`], padded to `outcome_size` and sealed under k3.
        3 => sealed: Bytes<'b, 272, 4112>,
    }
}

/// The sealed part of R3.
#[derive(Clone, Debug)]
pub enum OutcomeBody {
    /// The registration is granted.
    Granted {
        /// The user identification code (patent step 160).
        user_id: UserId,
        /// The server's half of the key (patent step 150).
        ssk2: Secret,
        /// The name of the key.
        key_id: KeyId,
        /// The first alias.
        alias: Alias,
        /// The access control path (patent step 180).
        access_path: AccessPath,
        /// Permissions of the key.
        policy: Policy,
        /// Seconds within which R4 must arrive.
        confirm_by: u32,
    },
    /// The operator has not decided.
    Wait {
        /// Seconds after which to ask again.
        retry_after: u32,
        /// Seconds for which the application is kept.
        hold_until: u32,
    },
    /// The registration is refused.
    Refused {
        /// Why ([`crate::registration::RejectionCode`]).
        code: u16,
        /// The fields of the form at fault, where the form is.
        fields: Option<Vec<FieldFault>>,
    },
}

map! {
    /// A field of the form that the server does not accept.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct FieldFault, "R3 Outcome.field" {
        /// The field's place in the template, from 0.
        1 => field: u8,
        /// Fault of the field ([`crate::template::FieldError`]).
        2 => problem: u8,
    }
}

map! {
    /// R4: the token proves that it has the key.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Confirm = 4 max 56, "R4 Confirm" {
        /// From R3.
        1 => key_id: KeyId,
        /// `HMAC(K_confirm, "halfkey/1 confirm" ‖ thJ ‖ tag_s)`.
        2 => tag_c: [u8; 32],
    }
}

map! {
    /// R5: the server says whether the registration counts.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct Done = 5 max 58, "R5 Done" {
        /// As in R0.
        1 => txn: Txn,
        /// True when another registration took the name or the code first.
        2 => lost: bool,
        /// `HMAC(K_confirm, "halfkey/1 done" or "halfkey/1 lost" ‖ thJ ‖ tag_c)`.
        3 => tag: [u8; 32],
    }
}

map! {
    /// E0: the one unauthenticated answer, for public facts only. It changes no stored state.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    pub struct ErrorMessage = 6 max 6, "E0 Refusal" {
        /// 0 refused, 1 restart, 2 busy; a token takes any other for 0.
        1 => reason: u8,
    }
}
