//! A version's model in the form that other programs run.

use std::sync::Arc;

use millrace_domain::fault::Fault;

use crate::Serving;

impl Serving {
    /// The model of a version as an ONNX file, whether the version is live or not.
    ///
    /// # Errors
    /// 404 without such a version; 409 `not_exportable` with the reason where ONNX cannot tell the model, and when the version is archived or
    /// cannot be read.
    pub async fn onnx(&self, slug: &str, number: i32) -> Result<Vec<u8>, Fault> {
        let live = self.pinned(slug, number).await?;
        let model = Arc::clone(&live.model);
        let written = tokio::task::spawn_blocking(move || model.to_onnx()).await;
        let written =
            written.map_err(|_| Fault::new(500, "internal", "Internal error", "the file could not be written"))?;
        written.map_err(|reason| Fault::conflict("not_exportable", format!("version {number} of {slug}: {reason}")))
    }
}
