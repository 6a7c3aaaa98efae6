//! Which addresses may be asked: all but the link-local ones.
//!
//! Cloud machines serve credentials to whoever asks a link-local address, so a configured host name must
//! not lead there. The check comes after resolution, on the very addresses that are then dialled: a name
//! that resolves differently a moment later gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Why a host was not asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AddressError {
    #[error("the host has link-local addresses only, and those are not asked")]
    LinkLocal,
    #[error("the host has no address")]
    None,
}

/// Is the address link-local, in whatever form it is written?
pub(super) fn is_link_local(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_unicast_link_local() || embedded_v4(address).is_some_and(|inner| inner.is_link_local())
        }
    }
}

/// The IPv4 address inside a mapped (`::ffff:a.b.c.d`), compatible (`::a.b.c.d`) or translated
/// (`64:ff9b::a.b.c.d`) IPv6 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    const TRANSLATED: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];
    let [a, b, c, d, e, f, high, low] = address.segments();
    if [a, b, c, d, e, f] == TRANSLATED {
        let [w, x] = high.to_be_bytes();
        let [y, z] = low.to_be_bytes();
        return Some(Ipv4Addr::new(w, x, y, z));
    }
    address.to_ipv4()
}

/// Is the host of this URL written as a link-local address? Such hosts never reach a resolver.
pub(crate) fn names_link_local(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.trim_start_matches('[').trim_end_matches(']').parse().is_ok_and(is_link_local)
}

/// Resolves through another resolver and drops the link-local addresses.
pub(super) struct LinkLocalGuard(pub(super) Box<dyn Resolve>);

impl Resolve for LinkLocalGuard {
    fn resolve(&self, name: Name) -> Resolving {
        let found = self.0.resolve(name);
        Box::pin(async move {
            let usable = usable(found.await?)?;
            Ok(Box::new(usable.into_iter()) as Addrs)
        })
    }
}

/// The addresses of a host that may be asked.
///
/// # Errors
/// There is none.
pub(crate) fn usable(found: impl Iterator<Item = SocketAddr>) -> Result<Vec<SocketAddr>, AddressError> {
    let mut found = found.peekable();
    if found.peek().is_none() {
        return Err(AddressError::None);
    }
    let usable: Vec<SocketAddr> = found.filter(|address| !is_link_local(address.ip())).collect();
    if usable.is_empty() { Err(AddressError::LinkLocal) } else { Ok(usable) }
}

/// The operating system's resolver.
pub(super) struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(Box::new(found.collect::<Vec<_>>().into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_local_addresses_are_known_in_every_form() {
        for text in [
            "169.254.169.254",
            "169.254.0.0",
            "fe80::1",
            "febf::1",
            "::ffff:169.254.169.254",
            "::169.254.169.254",
            "64:ff9b::169.254.169.254",
        ] {
            assert!(is_link_local(text.parse().unwrap()), "{text}");
        }
        for text in ["127.0.0.1", "169.253.255.255", "::1", "fec0::1", "::ffff:127.0.0.1"] {
            assert!(!is_link_local(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn a_link_local_host_is_seen_however_the_url_writes_it() {
        for url in [
            "http://169.254.169.254/",
            "http://2852039166/",
            "http://0xa9fea9fe/",
            "http://0251.0376.0251.0376/",
            "http://[fe80::1]/",
            "http://[::ffff:169.254.169.254]/",
        ] {
            assert!(names_link_local(&Url::parse(url).unwrap()), "{url}");
        }
        assert!(!names_link_local(&Url::parse("http://127.0.0.1/").unwrap()));
    }

    struct Fixed(Vec<IpAddr>);

    impl Resolve for Fixed {
        fn resolve(&self, _: Name) -> Resolving {
            let found: Vec<SocketAddr> = self.0.iter().map(|ip| (*ip, 0).into()).collect();
            Box::pin(async move { Ok(Box::new(found.into_iter()) as Addrs) })
        }
    }

    async fn resolved(addresses: &[&str]) -> Result<Vec<IpAddr>, String> {
        let addresses = addresses.iter().map(|a| a.parse().unwrap()).collect();
        match LinkLocalGuard(Box::new(Fixed(addresses))).resolve("metadata.example".parse().unwrap()).await {
            Ok(found) => Ok(found.map(|address| address.ip()).collect()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_link_local_addresses_only_is_refused() {
        let refused = resolved(&["169.254.169.254", "::ffff:169.254.169.254", "fe80::1"]).await;
        assert!(refused.unwrap_err().contains("link-local"));
    }

    #[tokio::test]
    async fn of_a_mixed_answer_the_other_addresses_are_asked() {
        let found = resolved(&["169.254.169.254", "127.0.0.1"]).await;
        assert_eq!(found.unwrap(), ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_an_error_of_its_own() {
        assert!(resolved(&[]).await.unwrap_err().contains("no address"));
    }
}
