//! The contract of [`Token`].

mod case;
mod key;
mod run;

use super::{ContractViolation, Kept, ensure, same};
use crate::key::KemPrivateKey;
use crate::port::Token;
use crate::random::RandomSource;
use alloc::boxed::Box;

/// Runs the contract. `make` gives a new blank token each time, ready to be asked: the contract
/// knows no PIN. `server_key` is any key of a server, here played by the contract.
///
/// # Errors
/// The first clause found broken.
pub fn token(
    make: &mut dyn FnMut() -> Box<dyn Token>,
    server_key: &KemPrivateKey,
    random: &mut dyn RandomSource,
) -> Result<(), ContractViolation> {
    let parts: [fn(&mut case::Case<'_>) -> Kept; 12] = [
        run::a_blank_token,
        run::halves,
        run::halves_are_fresh_and_replaced,
        run::attempts,
        run::waiting,
        run::giving_up,
        key::a_join,
        key::a_wrong_proof,
        key::a_key_of_the_same_name,
        key::joins_that_cannot_be,
        key::renewal,
        key::many_servers,
    ];
    parts.into_iter().try_for_each(|part| {
        let mut token = make();
        part(&mut case::Case { token: token.as_mut(), server_key, random: &mut *random })
    })
}
