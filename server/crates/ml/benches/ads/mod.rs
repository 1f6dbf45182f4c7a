//! The ad events that benches fit on: twenty features, of which eight are categories, and whether somebody clicked.

use millrace_domain::problem::ProblemDocument;
use serde_json::{Value as Json, json};

const NUMBERS: [&str; 12] = [
    "age",
    "account_age_days",
    "bid_price",
    "session_len_s",
    "pages_viewed",
    "days_since_visit",
    "user_ctr_7d",
    "ad_ctr_7d",
    "scroll_depth",
    "position",
    "price_ratio",
    "hour",
];
const CATEGORIES: [&str; 8] =
    ["device", "os", "browser", "connection", "creative_size", "country", "ad_category", "campaign"];

/// Their document, with parts as `split` says.
pub fn document(split: &Json) -> ProblemDocument {
    let feature = |kind: &str, name: &str| json!({ "name": name, "type": kind, "expression": format!("\"{name}\""), "nullable": true, "max_null_share": 1.0 });
    let features = NUMBERS.map(|name| feature("number", name)).into_iter();
    let document = json!({
        "slug": "ads", "title": "Ads", "decision": "What is shown",
        "target": { "name": "clicked", "kind": "binary", "column": "clicked" },
        "data": { "event_time": "event_ts", "split": split },
        "features": features.chain(CATEGORIES.map(|name| feature("category", name))).collect::<Vec<_>>(),
        "success": { "metric": "roc_auc", "at_least": 0.6 },
    });
    ProblemDocument::from_json(&document).expect("the document is valid")
}
