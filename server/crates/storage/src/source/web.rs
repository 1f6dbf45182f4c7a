//! Files of the web: https, or http to a loopback address that is written as such; never an address inside.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::TryStreamExt;
use reqwest::Url;
use reqwest::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};

use super::files::Wanted;
use super::place::{Found, SourceError, by_digest, too_large, unkept, wrong};
use crate::artifact::ArtifactStore;

/// A whole answer may take so long.
const PATIENCE: Duration = Duration::from_secs(300);

/// The address that a URL names by number.
pub(super) fn literal(url: &Url) -> Option<IpAddr> {
    url.host_str()?.trim_start_matches('[').trim_end_matches(']').parse().ok()
}

pub(super) async fn fetch(
    base: &Url,
    path: &str,
    wanted: Wanted<'_>,
    artifacts: &ArtifactStore,
) -> Result<Found, SourceError> {
    if path.contains('*') {
        return Err(wrong("a file of the web is named whole; * works in directories and buckets"));
    }
    let url = base.join(path).map_err(|_| wrong(format!("{path} is no path of an address")))?;
    if url.host_str() != base.host_str() || !url.path().starts_with(base.path()) {
        return Err(wrong(format!("{path} leads away from the connection's address")));
    }
    let host = url.host_str().unwrap_or_default().to_owned();
    let mut client = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .connect_timeout(Duration::from_secs(10))
        .timeout(PATIENCE);
    if literal(&url).is_none() {
        // Looked up once, judged, and connected to: the name cannot lead elsewhere in between.
        let port = url.port_or_known_default().unwrap_or(443);
        let found = tokio::net::lookup_host((host.as_str(), port)).await;
        let addresses: Vec<SocketAddr> = found.map_err(|_| wrong(format!("{host} is not known")))?.collect();
        if let Some(inner) = addresses.iter().find(|address| !is_public(address.ip())) {
            return Err(wrong(format!("{host} leads to {}, which is not a public address", inner.ip())));
        }
        client = client.resolve_to_addrs(&host, &addresses);
    }
    let client = client.build().map_err(|_| wrong("the HTTP client cannot be made"))?;
    let mut request = client.get(url);
    if let Some(tag) = wanted.known().and_then(|known| known.strip_prefix("etag ")) {
        request = request.header(IF_NONE_MATCH, tag);
    }
    let unanswered = |error: reqwest::Error| {
        let why = if error.is_timeout() { "takes too long" } else { "cannot be reached" };
        wrong(format!("{host} {why}"))
    };
    let answer = request.send().await.map_err(unanswered)?;
    match answer.status().as_u16() {
        200 => {}
        304 => return Ok(Found::Nothing),
        301..=308 => return Err(wrong(format!("{host} sends on to another address; name that one instead"))),
        status => return Err(wrong(format!("{host} answers {status}"))),
    }
    let kind = answer.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("text/html") {
        return Err(wrong(format!("{host} answers with a page for people, not with data")));
    }
    let tag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(|tag| format!("etag {tag}"));
    too_large(answer.content_length().unwrap_or(0))?;
    let mut content = artifacts.draft().map_err(unkept)?;
    let mut stream = answer.bytes_stream();
    while let Some(piece) = stream.try_next().await.map_err(unanswered)? {
        too_large(content.bytes() + piece.len() as u64)?;
        content = content.take(piece).await.map_err(unkept)?;
    }
    let file_name = path.rsplit('/').next().unwrap_or(path).to_owned();
    Ok(by_digest(file_name, content, tag, wanted))
}

/// Whether an address is one of the open network: not of this host, of a private network or of a cloud's metadata.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_loopback()
                || ip.is_private()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.is_documentation()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 192 && b == 0)
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(ip) => {
            if let Some(inner) = ip.to_ipv4() {
                return is_public(IpAddr::V4(inner));
            }
            let [first, second, ..] = ip.segments();
            // Only global unicast, and of it neither documentation nor what wraps an older address.
            (0x2000..0x4000).contains(&first)
                && !(first == 0x2001 && (second < 0x200 || second == 0xdb8))
                && first != 0x2002
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::artifact::ArtifactPlace;

    #[test]
    fn h2_addresses_inside_are_not_public() {
        for inner in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "fc00::1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "64:ff9b::a00:1",
            "2002:a00:1::",
            "ff02::1",
        ] {
            assert!(!is_public(inner.parse().unwrap()), "{inner}");
        }
        for outer in ["1.1.1.1", "93.184.215.14", "2606:4700::1111"] {
            assert!(is_public(outer.parse().unwrap()), "{outer}");
        }
    }

    #[tokio::test]
    async fn h2_a_name_that_leads_inside_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = ArtifactPlace::Directory(folder.path().to_owned());
        let artifacts = ArtifactStore::open(place).await.unwrap();
        let base = Url::parse("https://localhost/data/").unwrap();
        let error = fetch(&base, "a.csv", Wanted::Newest { known: None }, &artifacts).await.unwrap_err();
        assert!(error.to_string().contains("not a public address"), "{error}");
    }
}
