//! The audit trail.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use chrono::SecondsFormat;
use millrace_domain::view::{AuditFilter, AuditRow};
use millrace_services::Services;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::export::{csv, json_file};
use crate::api::reply::{By, Items, PageSize, Query, Reply};

/// Which rows to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListAudit {
    /// Only of this actor.
    actor: Option<String>,
    /// Only actions that begin so.
    action: Option<String>,
    /// Only objects that begin so.
    object: Option<String>,
    /// Only from this day (`2026-03-01`) or moment (RFC 3339) on.
    from: Option<String>,
    /// Only before this day or moment.
    to: Option<String>,
    /// Where the last page ended.
    page_token: Option<i64>,
}

impl ListAudit {
    fn filter(self) -> AuditFilter {
        let Self { actor, action, object, from, to, page_token } = self;
        AuditFilter { actor, action, object, from, to, before: page_token }
    }
}

/// The audit trail, newest first, a hundred a page when nobody says how many.
#[utoipa::path(get, path = "/api/v1/audit", params(ListAudit, PageSize), responses((status = 200, body = Items<AuditRow>)))]
pub async fn list_audit(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListAudit>,
    Query(PageSize { page_size: size }): Query<PageSize>,
) -> Reply<Json<Items<AuditRow>>> {
    let page = services.audit(&actor, &list.filter(), size).await?;
    Ok(Json(Items { items: page.rows, next_page_token: page.next.map(|next| next.to_string()) }))
}

/// The same slice whole, as a CSV file: at most 50,000 rows, newest first.
#[utoipa::path(get, path = "/api/v1/audit/export.csv", params(ListAudit),
    responses((status = 200, body = String, content_type = "text/csv")))]
pub async fn export_audit_csv(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListAudit>,
) -> Reply<Response> {
    let rows = services.export_audit(&actor, &list.filter()).await?;
    const NAMES: [&str; 12] = [
        "sequence", "at", "actor", "via", "action", "object", "digest", "outcome", "address", "request", "details",
        "hash",
    ];
    let rows = rows.into_iter().map(|row| {
        [
            row.sequence.to_string(),
            row.at.to_rfc3339_opts(SecondsFormat::Micros, true),
            row.actor,
            row.via,
            row.action,
            row.object,
            row.digest.unwrap_or_default(),
            row.outcome,
            row.address.unwrap_or_default(),
            row.request.unwrap_or_default(),
            row.details.to_string(),
            row.hash,
        ]
    });
    Ok(csv("audit.csv", NAMES, rows))
}

/// The same slice whole, as a JSON file: at most 50,000 rows, newest first.
#[utoipa::path(get, path = "/api/v1/audit/export.json", params(ListAudit),
    responses((status = 200, body = Vec<AuditRow>)))]
pub async fn export_audit_json(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListAudit>,
) -> Reply<Response> {
    let rows = services.export_audit(&actor, &list.filter()).await?;
    json_file("audit.json", &rows)
}
