//! Addresses to go back to: only paths of this site are followed.

/// The text, if it is a path on this site: it begins with one slash and holds nothing that a browser could read as another
/// host or as the end of a header.
pub fn local(text: &str) -> Option<&str> {
    let on_this_site = text.starts_with('/') && !text.starts_with("//");
    let plain = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    (on_this_site && plain).then_some(text)
}

/// The address with some query parameters taken out and others put in.
pub fn with_query(address: &str, out: &[&str], put: &[(&str, &str)]) -> String {
    let (path, query) = address.split_once('?').unwrap_or((address, ""));
    let kept = query.split('&').filter(|pair| !pair.is_empty() && !out.contains(&name(pair))).map(str::to_owned);
    let added = put.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
    let query: Vec<String> = kept.chain(added).collect();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{}", query.join("&")) }
}

/// Text as the value of a query parameter.
pub fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

fn name(pair: &str) -> &str {
    pair.split_once('=').map_or(pair, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deep_link_is_followed() {
        assert_eq!(local("/problems/taxi-tips/v/3?tab=review"), Some("/problems/taxi-tips/v/3?tab=review"));
    }

    #[test]
    fn nothing_that_leads_to_another_host_is_followed() {
        for text in ["", "problems", "https://example.org/", "//example.org", "/\\example.org", "/\texample", "/a\r\nb"]
        {
            assert_eq!(local(text), None, "{text:?}");
        }
    }

    #[test]
    fn parameters_are_replaced_and_the_others_stay() {
        let address = with_query("/runs?state=failed&kept=1&x", &["kept"], &[("kept", "a b")]);
        assert_eq!(address, "/runs?state=failed&x&kept=a%20b");
    }

    #[test]
    fn an_address_without_parameters_has_no_question_mark() {
        assert_eq!(with_query("/runs?kept=1", &["kept"], &[]), "/runs");
    }
}
