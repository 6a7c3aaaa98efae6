//! Which hosts of URLs are this machine.

use std::net::IpAddr;

use reqwest::Url;

/// Is it a loopback address, in brackets or not, or `localhost`? Other names are not looked up.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || address(host).is_some_and(|address| address.is_loopback())
}

/// Does it lead to this machine, or to what is on its own link, however the address is written? Names are not looked up,
/// but for `localhost` and those below it.
pub(crate) fn is_of_this_machine(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let is_own = |address: IpAddr| {
        let address = address.to_canonical();
        address.is_loopback() || address.is_unspecified()
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || address(host).is_some_and(is_own)
        || crate::probe::address::names_link_local(url)
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_known_in_every_form() {
        for (url, is_own) in [
            ("http://localhost/", true),
            ("https://localhost.:5000/", true),
            ("http://registry.localhost/", true),
            ("http://127.0.0.1/", true),
            ("http://2130706433/", true),
            ("http://0x7f.1/", true),
            ("http://0.0.0.0/", true),
            ("http://[::]/", true),
            ("http://[::1]/", true),
            ("http://[::ffff:127.0.0.1]/", true),
            ("http://169.254.169.254/", true),
            ("http://[fe80::1]/", true),
            ("http://10.0.0.1/", false),
            ("http://localhost.example.com/", false),
            ("http://notlocalhost/", false),
            ("https://ghcr.io/", false),
        ] {
            assert_eq!(is_of_this_machine(&Url::parse(url).unwrap()), is_own, "{url}");
        }
    }
}
