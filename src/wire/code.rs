//! Code points: the numbers that stand for the variants of an enum.

/// Gives an enum without fields its code points, `code` and `from_code`.
///
/// ```ignore
/// code_points! { Mode: u16 { 1 => Psk, 2 => PskKem } }                        // from_code -> Option<Mode>
/// code_points! { ErrorReason: u8 else Refused { 0 => Refused, 1 => Busy } } // from_code -> ErrorReason
/// ```
///
/// With `else`, an unknown number is read as that variant: for words of which a later version may know more.
macro_rules! code_points {
    ($type:ident : $int:ident { $($code:literal => $variant:ident),* $(,)? }) => {
        $crate::wire::code_points!(@code $type $int $($code $variant)*);

        impl $type {
            /// Returns the value that stands under a code point, if this version of the crate knows it.
            #[must_use]
            pub const fn from_code(code: $int) -> Option<Self> {
                match code {
                    $($code => Some(Self::$variant),)*
                    _ => None,
                }
            }
        }
    };
    ($type:ident : $int:ident else $other:ident { $($code:literal => $variant:ident),* $(,)? }) => {
        $crate::wire::code_points!(@code $type $int $($code $variant)*);

        impl $type {
            #[doc = concat!(
                "Returns the value that stands under a code point; an unknown one is read as [`",
                stringify!($type), "::", stringify!($other), "`]."
            )]
            #[must_use]
            pub const fn from_code(code: $int) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    _ => Self::$other,
                }
            }
        }
    };
    (@code $type:ident $int:ident $($code:literal $variant:ident)*) => {
        impl $type {
            /// Returns the code point on the wire.
            #[must_use]
            pub const fn code(self) -> $int {
                match self {
                    $(Self::$variant => $code,)*
                }
            }
        }
    };
}
pub(crate) use code_points;

#[cfg(test)]
#[allow(unreachable_pub, reason = "the macro is for public types")]
mod tests {
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Word {
        No,
        Later,
    }
    code_points! { Word: u8 else No { 0 => No, 2 => Later } }

    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Kind {
        One,
        Two,
    }
    code_points! { Kind: u16 { 1 => One, 2 => Two } }

    #[test]
    fn unknown_codes() {
        assert_eq!([0, 1, 2].map(Word::from_code), [Word::No, Word::No, Word::Later]);
        assert_eq!([0, 1, 2].map(Kind::from_code), [None, Some(Kind::One), Some(Kind::Two)]);
        assert_eq!((Word::Later.code(), Kind::Two.code()), (2, 2));
    }
}
