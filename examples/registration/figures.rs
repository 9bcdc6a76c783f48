//! The patent's figures 3A, 3B and 4: which message belongs to which step, and what its sender does first.

use halfkey::exchange::message_type;

/// A message in the figures.
pub struct Figure {
    pub name: &'static str,
    /// The patent's step; `new` for one that the patent lacks.
    pub step: &'static str,
    /// Actions of the sender before the message left.
    pub before: &'static [(&'static str, &'static str)],
}

const FIGURES: &[Figure] = &[
    Figure { name: "R0 Hello", step: "80", before: &[] },
    Figure {
        name: "R1 Offer",
        step: "90",
        before: &[("new", "makes an ephemeral key, signs the offer, and remembers nothing")],
    },
    Figure {
        name: "R2 Request",
        step: "130",
        before: &[
            ("110", "draws its half of the key, SSK1, and keeps it"),
            ("120", "encrypts SSK1 under P_u, and the form under SSK1"),
        ],
    },
    Figure {
        name: "R3 Outcome",
        step: "190",
        before: &[
            ("140", "recovers SSK1 with P_r, and reads the form"),
            ("150", "draws the other half, SSK2"),
            ("160", "makes a user identification code"),
            ("170", "joins SSK1 and SSK2, and stores the key as pending"),
            ("180", "encrypts SSK2, code and access control path under SSK1"),
        ],
    },
    Figure {
        name: "R4 Confirm",
        step: "new",
        before: &[
            ("200", "recovers SSK2 with SSK1 and joins them to the same key"),
            ("200", "stores the key, erases SSK1, and proves that it has the key"),
        ],
    },
    Figure {
        name: "R5 Done",
        step: "new",
        before: &[("new", "checks the proof, makes the key active, and proves it too")],
    },
    Figure {
        name: "S0 Open",
        step: "new",
        before: &[("new", "asks for a session, under an alias used once")],
    },
    Figure { name: "S1 Challenge", step: "300", before: &[("300", "draws the first number, N_s")] },
    Figure {
        name: "S2 Response",
        step: "320",
        before: &[
            ("310", "draws the second number, N_c, and an ephemeral key"),
            ("320", "answers both numbers under the shared key"),
        ],
    },
    Figure {
        name: "S3 Accept",
        step: "340",
        before: &[
            ("330", "checks the answer: it is the token"),
            ("330", "makes the session key SES of shared key and both numbers"),
            ("340", "proves SES, and hands out the next alias"),
        ],
    },
    Figure {
        name: "C0 Request",
        step: "370",
        before: &[
            ("360", "wants to know what its user may do, and where"),
            ("370", "encrypts user information and the serial it holds, under SES"),
        ],
    },
    Figure {
        name: "C1 Config",
        step: "390",
        before: &[("380", "looks up the entitlements, by the key and not by what is said")],
    },
    Figure { name: "C1 Push", step: "390", before: &[("380", "looks up the changed entitlement, unasked")] },
    Figure {
        name: "C2 Applied",
        step: "390",
        before: &[("390", "puts it in force, stores the serial, and reports back")],
    },
];

/// The figure of a message; one without steps for those that the patent does not number.
pub fn of(name: &'static str) -> &'static Figure {
    const OTHER: Figure = Figure { name: "", step: "", before: &[] };
    FIGURES.iter().find(|figure| figure.name == name).unwrap_or(&OTHER)
}

/// The name of a message in the clear.
pub fn message_name(frame: &[u8]) -> Option<&'static str> {
    Some(match message_type(frame).ok()? {
        0 => "R0 Hello",
        1 => "R1 Offer",
        2 => "R2 Request",
        3 => "R3 Outcome",
        4 => "R4 Confirm",
        5 => "R5 Done",
        6 => "E0 Refusal",
        8 => "S0 Open",
        9 => "S1 Challenge",
        10 => "S2 Response",
        11 => "S3 Accept",
        _ => return None,
    })
}
