//! Names for peers.

use std::net::IpAddr;
use std::string::String;

/// Returns a name for the sender at an address, for limits and cookies: an IPv4 address as it is, also where it comes
/// as an IPv6 one, and the first 64 bits of an IPv6 address, of which one subscriber has at least so many.
///
/// ```
/// use halfkey::driver::peer_name;
///
/// assert_eq!(peer_name("192.0.2.7".parse()?), "192.0.2.7");
/// assert_eq!(peer_name("2001:db8:1:2::7".parse()?), "2001:db8:1:2::/64");
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[must_use]
pub fn peer_name(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_subscriber_has_one_name() {
        let name = |address: &str| peer_name(address.parse().unwrap());
        assert_eq!(name("192.0.2.7"), "192.0.2.7");
        assert_eq!(name("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(name("2001:db8:1:2::7"), "2001:db8:1:2::/64");
        assert_eq!(name("2001:db8:1:2:ffff::8"), name("2001:db8:1:2::7"));
        assert_ne!(name("2001:db8:1:3::7"), name("2001:db8:1:2::7"));
        assert!(name("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff").len() <= 64);
    }
}
