use leptos::prelude::*;

use crate::fault::PageFault;

/// Ends the session.
#[server(prefix = "/fn", endpoint = "sign_out")]
pub async fn sign_out() -> Result<(), PageFault> {
    let (services, actor) = crate::caller::actor()?;
    services.sign_out(&actor).await?;
    crate::caller::signed_out().await
}
