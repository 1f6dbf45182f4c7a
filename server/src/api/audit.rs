//! The audit trail.

use axum::Json;
use axum::extract::{Query, State};
use millrace_domain::view::{AuditFilter, AuditRow};
use millrace_services::Services;
use serde::Deserialize;
use utoipa::IntoParams;

use crate::api::reply::{By, Items, Reply};

/// Which rows to list.
#[derive(Debug, Deserialize, IntoParams)]
pub struct ListAudit {
    /// Only of this actor.
    actor: Option<String>,
    /// Only actions that begin so.
    action: Option<String>,
    /// Only objects that begin so.
    object: Option<String>,
    /// Where the last page ended.
    page_token: Option<i64>,
}

/// The audit trail, newest first, a hundred a page.
#[utoipa::path(get, path = "/api/v1/audit", params(ListAudit), responses((status = 200, body = Items<AuditRow>)))]
pub async fn list_audit(
    State(services): State<Services>,
    By(actor): By,
    Query(list): Query<ListAudit>,
) -> Reply<Json<Items<AuditRow>>> {
    let filter = AuditFilter { actor: list.actor, action: list.action, object: list.object, before: list.page_token };
    let page = services.audit(&actor, &filter).await?;
    Ok(Json(Items { items: page.rows, next_page_token: page.next.map(|next| next.to_string()) }))
}
