//! Every decoder accepts exactly one encoding of each value.

use halfkey::message::{
    Accept, Applied, Challenge, ConfigRequest, Configuration, Confirm, Done, ErrorMessage, Hello, Offer,
    Open, Outcome, Request, Response, StatusMessage,
};
use halfkey::wire::{Message, message_type};

pub fn run(bytes: &[u8]) {
    let typed = message_type(bytes);
    let mut taken = Vec::new();
    let mut note = |code, decoded| {
        if decoded {
            taken.push(code);
        }
    };
    macro_rules! try_each {
        ($($message:ident),*) => {$( note(<$message as Message<'_>>::TYPE, whole::<$message>(bytes)); )*};
    }
    try_each!(Hello, Offer, Request, Outcome, Confirm, Done, ErrorMessage, Open, Challenge, Response, Accept);
    try_each!(ConfigRequest, Configuration, Applied, StatusMessage);
    // A frame is at most one message, and says which.
    assert!(taken.len() <= 1, "{taken:?}");
    assert!(taken.iter().all(|code| typed == Ok(*code)));

    // The parts that are hashed as they are: no panic, whatever is in them.
    if let Ok(offer) = Offer::decode(bytes) {
        drop(offer.read_core());
    }
    if let Ok(request) = Request::decode(bytes) {
        drop(request.read_core());
    }
    if let Ok(outcome) = Outcome::decode(bytes) {
        drop(outcome.read_core());
    }
    if let Ok(challenge) = Challenge::decode(bytes) {
        drop(challenge.read_core());
    }
}

fn whole<'b, M: Message<'b>>(bytes: &'b [u8]) -> bool {
    match M::decode(bytes) {
        Ok(message) => {
            assert!(bytes.len() <= M::MAX);
            assert_eq!(message.encode().as_bytes(), bytes);
            true
        }
        Err(error) => {
            assert!(!error.field.is_empty() && !error.message.is_empty(), "{error:?}");
            false
        }
    }
}
