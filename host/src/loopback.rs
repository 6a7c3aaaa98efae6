//! Which hosts of URLs are this machine.

use std::net::IpAddr;

/// Is it a loopback address, in brackets or not, or `localhost`? Other names are not looked up.
pub(crate) fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}
