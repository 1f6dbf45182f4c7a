//! Where a request comes from when proxies stand in between: throttling and the audit trail go by the client's address.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::middleware::Next;
use axum::response::Response;
use ipnet::IpNet;

/// Proxies whose word on where a request comes from is taken.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Arc<[IpNet]>);

impl Proxies {
    /// These networks.
    pub fn new(networks: &[IpNet]) -> Self {
        Self(networks.into())
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(&address))
    }

    /// The nearest address that is none of the proxies. Each hop appends whom it got the request from to `X-Forwarded-For`, so
    /// the list is read from its end; what stands before an address that nobody trusts may be made up.
    fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut client = peer.to_canonical();
        // What a client wrote in front may be no text at all; what the proxy appended to it still counts.
        let lines: Vec<_> =
            headers.get_all("x-forwarded-for").iter().map(|line| String::from_utf8_lossy(line.as_bytes())).collect();
        for hop in lines.iter().rev().flat_map(|line| line.rsplit(',')) {
            if !self.trusts(client) {
                break;
            }
            match address(hop) {
                Some(address) => client = address,
                None => break,
            }
        }
        client
    }
}

/// An address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    bare.or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip())).map(|address| address.to_canonical())
}

/// Puts the client's address in the place of the proxy's.
pub async fn find(State(proxies): State<Proxies>, mut request: Request, next: Next) -> Response {
    if let Some(ConnectInfo(peer)) = request.extensions().get::<ConnectInfo<SocketAddr>>().copied() {
        let client = proxies.client(peer.ip(), request.headers());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::new(client, peer.port())));
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, forwarded: &[&[u8]]) -> String {
        let proxies = Proxies::new(&["127.0.0.1/32".parse().unwrap(), "10.1.0.0/16".parse().unwrap()]);
        let mut headers = HeaderMap::new();
        for line in forwarded {
            headers.append("x-forwarded-for", axum::http::HeaderValue::from_bytes(line).unwrap());
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn whom_a_proxy_got_the_request_from_is_the_client() {
        assert_eq!(client("127.0.0.1", &[b"192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn several_proxies_in_a_row_are_passed_over() {
        assert_eq!(client("127.0.0.1", &[b"192.0.2.7, 10.1.2.3", b"10.1.9.9"]), "192.0.2.7");
    }

    #[test]
    fn what_a_client_writes_in_front_does_not_count() {
        assert_eq!(client("127.0.0.1", &[b"203.0.113.1, 192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn bytes_that_are_no_text_do_not_hide_what_the_proxy_appended() {
        assert_eq!(client("127.0.0.1", &[b"\xFF, 192.0.2.7"]), "192.0.2.7");
    }

    #[test]
    fn somebody_who_is_no_proxy_is_not_believed() {
        assert_eq!(client("198.51.100.4", &[b"192.0.2.7"]), "198.51.100.4");
    }

    #[test]
    fn what_is_no_address_ends_the_reading() {
        assert_eq!(client("127.0.0.1", &[b"192.0.2.7, unknown"]), "127.0.0.1");
    }

    #[test]
    fn ports_and_brackets_are_read() {
        assert_eq!(client("127.0.0.1", &[b"192.0.2.7:4711"]), "192.0.2.7");
        assert_eq!(client("127.0.0.1", &[b"[2001:db8::1]:4711"]), "2001:db8::1");
        assert_eq!(client("::ffff:127.0.0.1", &[b"[2001:db8::1]"]), "2001:db8::1");
    }

    #[test]
    fn without_proxies_the_peer_is_the_client() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "192.0.2.7".parse().unwrap());
        assert_eq!(Proxies::default().client([127, 0, 0, 1].into(), &headers).to_string(), "127.0.0.1");
    }
}
